"""Small networks and random batches for tests; everything seeded."""

from __future__ import annotations

import torch

from dacno2_s5p.inputs.samples import Inputs
from dacno2_s5p.network.dacno2 import Dacno2, NetworkConfig

MINI = {
    "single_widths": (4, 4, 2, 2),
    "multi_widths": (4, 4, 2, 2),
    "static_widths": (5, 5, 5, 5),
    "decoder_widths": (8, 8, 4, 4),
    "temporal_width": 4,
}
"""Widths of a network that runs in milliseconds."""


def mini_config(**changes) -> NetworkConfig:
    """Return the smallest sensible configuration, with changes."""
    return NetworkConfig(**{**MINI, **changes})


def random_inputs(config: NetworkConfig, n_batch=2, n_step=8, size=32, seed=0) -> Inputs:
    """Return a batch of standard normal inputs, float64 if that is the default type."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    coarse = size // config.refinement
    return Inputs(
        temporal=normal(n_batch, config.temporal),
        emission=normal(n_batch, config.emission, size, size),
        geography=normal(n_batch, config.geography, size, size),
        single=normal(n_batch, n_step, config.single, coarse, coarse),
        multi=normal(n_batch, n_step, config.multi, config.n_level, coarse, coarse),
    )


def random_network(config: NetworkConfig, seed=0) -> Dacno2:
    """Return a network with random weights and batch statistics, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Dacno2(config)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(module.running_mean, std=0.3)
                torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
                torch.nn.init.uniform_(module.weight, 0.5, 2.0)
                torch.nn.init.normal_(module.bias, std=0.3)
    return network.eval()
