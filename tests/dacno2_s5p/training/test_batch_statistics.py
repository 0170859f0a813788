"""Running statistics put together of parts are those of one process that saw them all."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import nn

from dacno2_s5p.training.batch_statistics import SharedStatistics


class Summed:
    """Processes that run one after the other here: sums are of all so far."""

    def __init__(self):
        self.held, self.calls = [], 0

    def add(self, tensors):
        """Add what the others added in the same call."""
        own = list(tensors)
        if self.calls == len(self.held):
            self.held.append([torch.zeros_like(tensor) for tensor in own])
        for tensor, earlier in zip(own, self.held[self.calls], strict=True):
            tensor += earlier
            earlier.copy_(tensor)
        self.calls += 1


@pytest.mark.parametrize("shares", [[[0, 2], [1]], [[], [0, 1, 2]], [[0], [1, 2]]])
@pytest.mark.parametrize("passes", [1, 2])
def test_parts_of_processes_add_up(shares, passes):
    """Whoever has which micro-batch, and however often a norm is passed in one."""
    generator = torch.Generator().manual_seed(3)
    start = nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm2d(4, momentum=0.3)).train()
    parts = [torch.randn(2, 4, 5, 5, generator=generator) * (i + 1) + i for i in range(3)]
    start(parts[0])
    one = deepcopy(start)
    for part in parts:
        for _ in range(passes):
            one(part)
    summed = Summed()
    for share in shares:
        network, summed.calls = deepcopy(start), 0
        shared = SharedStatistics(network, summed, len(parts))
        for i in share:
            with shared.part(i):
                for _ in range(passes):
                    network(parts[i])
        shared.apply()
    # the last process knows what all have added
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], tensor, rtol=1e-6, atol=1e-6)
