"""Several processes that train one network: micro-batches are shared out, gradients summed.

Because every term of the loss is divided by the totals of the whole batch beforehand, the sum of
all processes' gradients is the gradient of the batch. No wrapper is needed for a network of a few
megabytes; one process for each core with one thread is twice as fast as one with two threads.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.distributed as dist

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import Tensor, nn

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """Rank of this process and number of all.

    Attributes
    ----------
    rank : int
        Number of this process; 0 writes the files.
    count : int
        Number of processes.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def join(cls) -> Processes:
        """Join the processes that `torchrun` started; alone without it."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return cls()
        if not dist.is_initialized():
            # one process may write a store for hours while the others wait
            dist.init_process_group("gloo", timeout=timedelta(days=1))
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def writes(self) -> bool:
        """True for the one process that writes files."""
        return self.rank == 0

    def share(self, items: Sequence[T]) -> list[tuple[int, T]]:
        """Return this process' items with their numbers."""
        return list(enumerate(items))[self.rank :: self.count]

    def wait(self) -> None:
        """Wait for the others, e.g. until a file is written."""
        if self.count > 1:
            dist.barrier()

    def any(self, claim: bool) -> bool:
        """Say whether a claim is true on any process; all of them call this."""
        return self.add_numbers({"claim": float(claim)})["claim"] > 0.0

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Replace tensors of one type by their sum over all processes, in place."""
        held = list(tensors)
        if self.count == 1 or not held:
            return
        flat = torch.cat([t.reshape(-1) for t in held])
        dist.all_reduce(flat)
        first = 0
        for tensor in held:
            tensor.copy_(flat[first : first + tensor.numel()].view_as(tensor))
            first += tensor.numel()

    def add_gradients(self, network: nn.Module) -> None:
        """Sum gradients; parameters no process has used keep none."""
        if self.count == 1:
            return
        parameters = list(network.parameters())
        used = torch.tensor([float(p.grad is not None) for p in parameters])
        self.add([used])
        held = [p for p, n in zip(parameters, used.tolist(), strict=True) if n]
        for parameter in held:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self.add([p.grad for p in held if p.grad is not None])

    def add_numbers(self, numbers: dict[str, float]) -> dict[str, float]:
        """Sum numbers over all processes."""
        if self.count == 1:
            return numbers
        values = torch.tensor(list(numbers.values()), dtype=torch.float64)
        self.add([values])
        return dict(zip(numbers, values.tolist(), strict=True))
