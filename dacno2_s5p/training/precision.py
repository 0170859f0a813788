"""Which precision trains faster on this processor: measured, not guessed from its name.

bfloat16 pays where the processor has matrix units for it; elsewhere its convolutions are slower
than those of float32.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from dacno2_s5p.training.recipe import Precision

ROUNDS = 3
"""Turns of both, of which the faster counts."""


def measured_precision() -> Precision:
    """Return `bfloat16` where a convolution forward and backward is faster in it."""
    seconds = {dtype: _seconds(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return "bfloat16" if seconds[torch.bfloat16] < seconds[torch.float32] else "float32"


def _seconds(dtype: torch.dtype) -> float:
    """Return the least time of a convolution of 64 channels, forward and backward [s]."""
    field = torch.ones(2, 64, 48, 48).contiguous(memory_format=torch.channels_last).to(dtype)
    weight = torch.ones(64, 64, 3, 3, dtype=dtype, requires_grad=True)
    least = float("inf")
    for _ in range(ROUNDS + 1):  # the first sets up
        started = time.perf_counter()
        functional.conv2d(field, weight, padding=1).sum().backward()  # type: ignore[no-untyped-call]
        least = min(least, time.perf_counter() - started)
    return least
