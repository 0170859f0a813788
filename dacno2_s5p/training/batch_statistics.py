"""Batch statistics of several processes, as one process would have learnt them.

A norm moves its running statistics r by every micro-batch's s_i: r becomes (1 - m) r + m s_i. After
the n micro-batches of a step r is (1 - m)^n r + sum of m (1 - m)^(n - 1 - i) s_i, a sum that does
not ask which process had which micro-batch. A process without any adds nothing to it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from dacno2_s5p.training.processes import Processes


class SharedStatistics:
    """The running statistics of a step whose micro-batches several processes share.

    Parameters
    ----------
    network : nn.Module
        In training mode, with norms that learn.
    processes : Processes
    n_part : int
        Micro-batches of the step, those of all processes.
    """

    def __init__(self, network: nn.Module, processes: Processes, n_part: int) -> None:
        self._processes, self._n_part = processes, n_part
        self._norms = [_Norm(m) for m in network.modules() if isinstance(m, nn.BatchNorm2d)]

    @contextmanager
    def part(self, number: int) -> Iterator[None]:
        """Note what the norms see of one micro-batch of the step, counted from 0."""
        for norm in self._norms:
            norm.begin()
        yield
        for norm in self._norms:
            norm.note(self._n_part - 1 - number)

    def apply(self) -> None:
        """Give the norms the statistics of all micro-batches; every process calls this."""
        self._processes.add(norm.passes for norm in self._norms)
        self._processes.add(total for norm in self._norms for total in norm.sums)
        for norm in self._norms:
            norm.apply()


class _Norm:
    """A norm: its statistics before the step, and the sum of what micro-batches add to them."""

    def __init__(self, module: nn.BatchNorm2d) -> None:
        self._module = module
        self._start = [tensor.clone() for tensor in self._running]
        self._n_start = self._n_seen
        self.sums = [torch.zeros_like(tensor) for tensor in self._running]
        self.passes = torch.zeros(1)

    @property
    def _running(self) -> tuple[Tensor, Tensor]:
        mean, variance = self._module.running_mean, self._module.running_var
        assert mean is not None
        assert variance is not None
        return mean, variance

    @property
    def _n_seen(self) -> int:
        assert self._module.num_batches_tracked is not None
        return int(self._module.num_batches_tracked)

    def _kept(self, passes: int) -> float:
        """Return the share of older statistics after some passes."""
        return float((1.0 - (self._module.momentum or 0.0)) ** passes)

    def begin(self) -> None:
        """From 0, the running statistics become what a micro-batch adds."""
        self._n_before = self._n_seen
        for tensor in self._running:
            tensor.zero_()

    def note(self, n_later: int) -> None:
        """Add what a micro-batch left, as the later ones of the step will leave it."""
        passes = self._n_seen - self._n_before
        self.passes += passes
        for total, tensor in zip(self.sums, self._running, strict=True):
            total.add_(tensor, alpha=self._kept(passes * n_later))

    def apply(self) -> None:
        """Put start and sum together."""
        passes = int(self.passes)
        for tensor, start, total in zip(self._running, self._start, self.sums, strict=True):
            tensor.copy_(self._kept(passes) * start + total)
        assert self._module.num_batches_tracked is not None
        self._module.num_batches_tracked.fill_(self._n_start + passes)
