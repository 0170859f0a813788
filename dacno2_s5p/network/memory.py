"""How much memory prediction, attribution and training take, told before they start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.network.checkpoint import CheckpointInfo
    from dacno2_s5p.network.dacno2 import NetworkConfig

_PROGRAM = 3.5e8
"""Python, torch and netCDF with nothing in them [bytes, resident]."""

_COPIES = 5.0
"""Times the largest block of gates. The whole estimate against peaks measured with eight steps on
`europe-2km`: 0.9 GB for 0.89 (0.3 M weights, patches of 256), 0.6 for 0.50 (of 96)."""

_KEPT = 8.0
"""Times the gates of all stages, kept for gradients. The whole estimate against peaks measured
with 0.3 M weights: 0.6 GB for 0.50 (patches of 96, eight steps), 1.1 for 1.09 (four of them at
once), 1.8 for 1.72 (of 256), 0.9 for 0.81 (of 96, 24 steps); 1.1 for 1.02 in training of
`configs/twin.toml` in bfloat16."""

_FLOAT = 4


def prediction_bytes(info: CheckpointInfo, grid: ModelGrid, *, with_spread: bool = False) -> float:
    """Estimate the memory a prediction of one day takes [bytes], to about a third.

    Parameters
    ----------
    info : CheckpointInfo
    grid : ModelGrid
        With the patches that will be used.
    with_spread : bool
        Whether mean and deviation of several fields are kept.
    """
    network, steps = info.network, info.preparation.weather_steps
    stages = _gates(network, steps, grid.patch_size)
    n_y, n_x = grid.shape
    fine = (network.emission + network.geography) * n_y * n_x
    # CAMS' heights are on cells of sixteen fine ones
    fine += info.inputs.widths.get("transport", 0) * n_y * n_x
    fine += info.inputs.widths.get("cams", 0) * network.n_level * n_y * n_x // 16
    weather = steps * (network.single + network.multi * network.n_level) * n_y * n_x / 64
    # merging and the moments of an ensemble are in float64
    field = (4 + 6 * with_spread) * network.n_level * n_y * n_x
    return _PROGRAM + _FLOAT * (_COPIES * max(stages) + 2.0 * (fine + weather) + 2.0 * field)


def attribution_bytes(info: CheckpointInfo, size: int, batch: int = 1) -> float:
    """Estimate the memory of gradients for patches of `size` cells [bytes], to about a third.

    Parameters
    ----------
    info : CheckpointInfo
    size : int
        Cells along a patch.
    batch : int
        Points of the path computed at once.
    """
    return training_bytes(info.network, info.preparation.weather_steps, size, batch)


def training_bytes(network: NetworkConfig, steps: int, size: int, micro_batch: int) -> float:
    """Estimate the memory of a training process [bytes], to about a third.

    Parameters
    ----------
    network : NetworkConfig
    steps : int
        Weather steps of a day.
    size : int
        Cells along a crop.
    micro_batch : int
        Samples computed at once; a batch is accumulated from them and takes no more.
    """
    return _PROGRAM + _FLOAT * _KEPT * micro_batch * sum(_gates(network, steps, size))


def _gates(network: NetworkConfig, steps: int, size: int) -> list[int]:
    """Return the elements of the gates of all steps at each stage of the 3-D weather branch.

    The lean form's finest stages have none; what their blocks hold instead counts like gates.
    """
    n_stage = network.n_stage
    gates = [
        4 * width * network.n_level * (steps >> s) * (size >> (n_stage - 1 - s)) ** 2
        for s, width in enumerate(network.multi_widths)
    ]
    blocks = [
        4 * width * (size >> (len(network.fine_widths) - 1 - s)) ** 2
        for s, width in enumerate(network.fine_widths)
    ]
    return gates + blocks


MEMINFO = Path("/proc/meminfo")


def available_bytes() -> float | None:
    """Return the memory that can be had [bytes], None where the machine does not tell.

    Files that the system keeps in free memory give way, so that they count as available.
    """
    try:
        text = MEMINFO.read_text(encoding="ascii")
        return float(text.split("MemAvailable:")[1].split()[0]) * 1024.0
    except (OSError, ValueError, IndexError):  # no Linux
        return _pages_in_bytes("SC_AVPHYS_PAGES")


def machine_bytes() -> float | None:
    """Return all memory of the machine [bytes], None where it does not tell."""
    return _pages_in_bytes("SC_PHYS_PAGES")


def _pages_in_bytes(name: str) -> float | None:
    try:
        return float(os.sysconf(name) * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):
        return None
