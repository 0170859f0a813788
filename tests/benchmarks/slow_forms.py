"""The network with one speed-up taken back, built from the oracle's pieces.

Each form is the same function of the same weights (`tests/builders/plain_network.py` is all of them
at once); what it costs more is what the speed-up is worth.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from dacno2_s5p.network import convlstm
from dacno2_s5p.network.blocks import Inception, VerticalConv, upsample
from dacno2_s5p.network.convlstm import InceptionConvLSTM
from dacno2_s5p.network.fusion import Fusion
from tests.builders import plain_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dacno2_s5p.network.dacno2 import Dacno2


def gates_step_by_step(self: InceptionConvLSTM, x: Tensor, n_step: int) -> list[Tensor]:
    """ConvLSTM whose inception module and projection run once a step, not once for all."""
    if self.recurrent is None:
        return self._run_inside(x, n_step)
    weight = self.recurrent.weight * self._slope.view(-1, 1, 1, 1)
    states: list[Tensor] = []
    cell = None
    for step in x.chunk(n_step):
        gates = self.input_gates(step)
        if states:
            gates = functional.conv2d(states[-1], weight, padding=1).add_(gates)
        state, cell = convlstm.lstm_cell(gates, self._zeros(gates) if cell is None else cell)
        states.append(state)
    return states


def gates_one_by_one(self: InceptionConvLSTM, x: Tensor, n_step: int) -> list[Tensor]:
    """ConvLSTM with a convolution and an activation for each of the four gates."""
    if self.recurrent is None:
        return self._run_inside(x, n_step)
    features = self.inception(x)
    of_input = [gate.chunk(n_step) for gate in _projected(self, features)]
    own = self.recurrent.weight.chunk(4)
    states: list[Tensor] = []
    cell = None
    for step in range(n_step):
        gates = [part[step] for part in of_input]
        if states:
            gates = [
                gate + functional.conv2d(states[-1], weight, padding=1)
                for gate, weight in zip(gates, own, strict=True)
            ]
        inlet, forget, outlet = (torch.sigmoid(gate) for gate in gates[:3])
        inflow = inlet * torch.tanh(gates[3])
        cell = inflow if cell is None else forget * cell + inflow
        states.append(outlet * torch.tanh(cell))
    return states


def _projected(lstm: InceptionConvLSTM, features: Tensor) -> list[Tensor]:
    """Pre-activations of each gate by its own convolution, without the doubled candidate."""
    project, parts = lstm.project, []
    for weight, bias in zip(project.weight.chunk(4), project.bias.chunk(4), strict=True):
        if isinstance(project, VerticalConv):
            gate = project.convolve(features, weight, bias)
        else:
            gate = functional.conv2d(features, weight, bias)
        if lstm.subpixel:
            gate = functional.pixel_shuffle(gate, 2)
        elif lstm.coarse:
            gate = upsample(gate, smooth=True)
        parts.append(gate)
    return parts


def normalised_by_branch(self: Inception, x: Tensor) -> Tensor:
    """Inception module whose branches are normalised and activated before they are joined."""
    outputs, first = [], 0
    for branch, width in zip(self.branches, self.widths, strict=True):
        own = slice(first, first + width)
        first += width
        normal = functional.batch_norm(
            branch(x),
            self.norm.running_mean[own],
            self.norm.running_var[own],
            self.norm.weight[own],
            self.norm.bias[own],
            eps=self.norm.eps,
        )
        outputs.append(functional.silu(normal))
    return torch.cat(outputs, dim=1)


def fused_with_zeros(
    self: Fusion, emission: Tensor, geography: Tensor, single: Tensor, multi: Tensor
) -> Tensor:
    """Fusion that places the branches in a tensor of zeros and mixes all layers alike."""
    part, (_, _, height, width) = self.mix.in_channels // 4, multi.shape
    placed = multi.new_zeros(multi.shape[0], 4 * part, height, width)
    placed = placed.contiguous(memory_format=torch.channels_last)
    layers = placed.view(-1, self.n_level, 4 * part, height, width)
    layers[:, 0, :part] = self.emission(emission)
    layers[:, 0, part : 2 * part] = self.geography(geography)
    lowest = self.single(single).view(-1, self.n_single, part, height, width)
    layers[:, : self.n_single, 2 * part : 3 * part] = lowest
    layers[:, :, 3 * part :] = self.multi(multi).view(-1, self.n_level, part, height, width)
    return self.mix(placed)


def inception_with_conv3d(self: Inception, x: Tensor) -> Tensor:
    """Inception module on (N, C, level, H, W), by the oracle: Conv3d, each branch by itself."""
    n_level = getattr(self, "oracle_levels", 1)
    unfolded = x.reshape(-1, n_level, *x.shape[1:]).transpose(1, 2).contiguous()
    mixed = plain_network.inception(unfolded, self).transpose(1, 2)
    folded = mixed.reshape(x.shape[0], -1, *x.shape[2:])
    return folded.contiguous(memory_format=torch.channels_last)


Patch = tuple[type[torch.nn.Module], str, "Callable[..., object]"]

FORMS: dict[str, Patch] = {
    "gates of each step by itself": (InceptionConvLSTM, "forward", gates_step_by_step),
    "each of four gates by itself": (InceptionConvLSTM, "forward", gates_one_by_one),
    "each branch normalised by itself": (Inception, "forward", normalised_by_branch),
    "fusion with zero layers": (Fusion, "place", fused_with_zeros),
    "inception as Conv3d": (Inception, "forward", inception_with_conv3d),
}
"""Name of each form: what replaces what."""


@contextmanager
def slow_form(network: Dacno2, name: str) -> Iterator[None]:
    """Give all networks one slow form inside the block."""
    owner, method, replacement = FORMS[name]
    fast = getattr(owner, method)
    for path, module in network.named_modules():
        if isinstance(module, Inception):
            is_flat = path.split(".")[0] in ("single", "emission", "geography")
            module.oracle_levels = 1 if is_flat else network.config.n_level
    setattr(owner, method, replacement)
    try:
        yield
    finally:
        setattr(owner, method, fast)
