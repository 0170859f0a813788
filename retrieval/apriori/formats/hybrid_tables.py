"""Hybrid half levels of the ECMWF model (L137, L60) and of TM5 (34 layers).

Model-level files of CAMS name their levels by number only; the coefficients of p = a + b ps come
from these tables (docs/formats.md 4.3). TM5's 35 interfaces are 35 of the L137 half
levels (docs/formats.md 1.5).
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Float = NDArray[np.float64]

MODEL_LEVELS = (60, 137)
"""Numbers of model levels whose coefficients are known."""

TM5_HALF_LEVELS = (
    *(137, 134, 129, 124, 119, 114, 110, 105, 101, 97, 93, 88, 84, 81, 78, 76, 73, 70),
    *(67, 65, 62, 59, 57, 54, 51, 46, 42, 37, 32, 27, 22, 17, 12, 7, 0),
)
"""The L137 half levels that are TM5's layer interfaces, surface first (docs/formats.md 1.5)."""


@cache
def half_levels(n_level: int) -> tuple[Float, Float]:
    """Return (a [Pa], b [1]) of the half levels 0 (top) to `n_level` (surface).

    Raises
    ------
    ValueError
        If there is no table for that number of levels.

    Examples
    --------
    >>> a, b = half_levels(60)
    >>> a.size, float(a[-2]), float(b[-2])
    (61, 0.0, 0.99763)
    """
    if n_level not in MODEL_LEVELS:
        msg = (
            f"Invalid n_level. Tables exist for {MODEL_LEVELS} model levels. Given {n_level}. "
            "Use pressure levels."
        )
        raise ValueError(msg)
    table = files("retrieval.apriori.formats").joinpath("data", f"ecmwf_l{n_level}.csv").read_text()
    rows = list(csv.DictReader(table.splitlines()))
    a = np.array([float(row["a"]) for row in rows])
    b = np.array([float(row["b"]) for row in rows])
    a.flags.writeable = b.flags.writeable = False
    return a, b


def tm5_half_levels() -> tuple[Float, Float]:
    """Return (a [Pa], b [1]) of TM5's 35 interfaces, surface first.

    Examples
    --------
    >>> a, b = tm5_half_levels()
    >>> float(a[1]), float(b[1])
    (22.835938, 0.991984)
    """
    a, b = half_levels(137)
    numbers = list(TM5_HALF_LEVELS)
    return a[numbers], b[numbers]


def interfaces(levels: Sequence[int], where: str) -> tuple[Float, Float]:
    """Return the interfaces (a [Pa], b [1]), surface first, around model levels given by number.

    Parameters
    ----------
    levels : sequence of int
        Full levels, 1 at the top; any order, contiguous, down to the lowest (60 or 137), which
        also tells the table.
    where : str
        Names the file in errors.

    Raises
    ------
    AprioriError
        If the levels do not reach the surface or have gaps.
    """
    numbers = np.sort(np.asarray(levels, dtype=np.int64))[::-1]
    lowest = int(numbers[0])
    if lowest not in MODEL_LEVELS or not (np.diff(numbers) == -1).all() or numbers[-1] < 1:
        msg = (
            f"Invalid model levels in {where}. They must be contiguous down to the surface, level "
            f"60 (EAC4) or 137 (forecasts). Given {_ranges(numbers)}. Request all levels from the "
            "surface up."
        )
        raise AprioriError(msg)
    a, b = half_levels(lowest)
    picked = np.concatenate([numbers, [numbers[-1] - 1]])
    return a[picked], b[picked]


def _ranges(numbers: NDArray[np.int64]) -> str:
    ascending = numbers[::-1]
    runs = np.split(ascending, np.flatnonzero(np.diff(ascending) != 1) + 1)
    return ", ".join(f"{run[0]}-{run[-1]}" if run.size > 1 else f"{run[0]}" for run in runs)


LOWEST_MIDDLE = 90_000.0
"""The middle of the layer at the ground is at a higher pressure than this [Pa] over a surface of
101325 Pa: else the lowest layers of the model are not in the file."""


def interfaces_from_middles(a: Float, b: Float, where: str) -> tuple[Float, Float]:
    """Return interfaces of layers whose coefficients are known in the middle, in the same order.

    Models define the middle of a layer as the mean of its interfaces (ECMWF, IFS documentation
    part III, 2.2.1; TM5), so that they follow from the surface upwards: a = 0, b = 1 there, and
    each further one is twice the middle less the one below. Where that gives no falling pressure,
    the interfaces lie midway between neighbouring middles, the lowest at the surface.

    Parameters
    ----------
    a, b : ndarray, shape (n,)
        Coefficients [Pa], [1], from the surface or from the top.

    Raises
    ------
    AprioriError
        If there is no falling order, or the lowest layer is not at the surface.
    """
    is_top_first = bool(a[0] + b[0] * 101325.0 < a[-1] + b[-1] * 101325.0)
    turn = slice(None, None, -1 if is_top_first else 1)
    middle = np.stack([a, b])[:, turn]
    pressure = middle[0] + middle[1] * 101325.0
    if pressure.size < 2 or not (np.diff(pressure) < 0).all() or pressure[0] < LOWEST_MIDDLE:
        msg = (
            f"Invalid hybrid levels {where}. Coefficients in the middle of layers must begin at "
            f"the surface and rise without a gap. Given pressures {pressure[0]:g} to "
            f"{pressure[-1]:g} Pa over a surface of 101325 Pa. Add bounds with "
            "formula_terms (CF 7.1)."
        )
        raise AprioriError(msg)
    edges = np.empty((2, pressure.size + 1))
    edges[:, 0] = 0.0, 1.0
    for i in range(pressure.size):
        edges[:, i + 1] = 2.0 * middle[:, i] - edges[:, i]
    found = edges[0] + edges[1] * 101325.0
    found[-1] = max(found[-1], 0.0) if found[-1] > -1e-3 * pressure[-1] else found[-1]
    if not (np.diff(found) < 0).all() or found[-1] < 0:
        edges[:, 1:-1] = 0.5 * (middle[:, :-1] + middle[:, 1:])
        edges[:, -1] = 0.0
    edges[0, -1] = max(edges[0, -1], 0.0)
    return edges[0, turn], edges[1, turn]
