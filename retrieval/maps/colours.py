"""Colour scales of maps: one sequential for columns, one diverging round zero for differences.

Both are ordered in lightness and read by colour-blind eyes and in grey print: `magma_r` of
matplotlib (light where there is little, so that coastlines stay visible), `RdBu_r` of ColorBrewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

SEQUENTIAL = "magma_r"
DIVERGING = "RdBu_r"

COLUMN_FACTOR = MOLEC_CM2_PER_MOL_M2 / 1e15
"""mol m-2 to the 1e15 molec cm-2 that readers of maps expect."""
COLUMN_UNIT = r"$10^{15}$ molec cm$^{-2}$"
NICE_STEPS = np.array([1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])
SHOWN_SHARE = 98.0
"""Percentile of the absolute differences that a scale made from data reaches."""
SHOWN_COLUMNS = 99.5
"""The same for columns: cities are few and what the map is about."""


@dataclass(frozen=True)
class ColourScale:
    """How values become colours.

    Attributes
    ----------
    label : str
        Quantity and unit, for the colour bar.
    low, high : float
        Values at the ends, in the unit of the label.
    colours : str
        Name of a matplotlib colour map.
    factor : float
        Values given for drawing times this are in the unit of the label.
    """

    label: str
    low: float
    high: float
    colours: str = SEQUENTIAL
    factor: float = 1.0

    def extend(self, values: ArrayLike) -> str:
        """Name the ends beyond which values lie: neither, min, max or both."""
        shown = self.factor * np.asarray(values, dtype=np.float64)
        is_below, is_above = bool((shown < self.low).any()), bool((shown > self.high).any())
        return {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[
            int(is_below), int(is_above)
        ]


def column_scale(*values: ArrayLike, label: str = "NO$_2$ column") -> ColourScale:
    """One scale from zero for tropospheric columns, given in mol m-2.

    Parameters
    ----------
    *values : array_like
        Everything that shares the scale [mol m-2]; NaN is ignored.
    label : str
        Quantity; the unit is added.

    Returns
    -------
    ColourScale
        From 0 to a round number at the 99.5th percentile.

    Examples
    --------
    >>> column_scale([1e-5, 9e-5]).high
    6.0
    """
    top = _round_up(_percentile(values, SHOWN_COLUMNS) * COLUMN_FACTOR)
    return ColourScale(f"{label} ({COLUMN_UNIT})", 0.0, top, SEQUENTIAL, COLUMN_FACTOR)


def column_change_scale(*values: ArrayLike, label: str = "Difference") -> ColourScale:
    """One scale centred on zero for differences of columns, given in mol m-2."""
    top = _round_up(_percentile([np.abs(v) for v in values], SHOWN_SHARE) * COLUMN_FACTOR)
    return ColourScale(f"{label} ({COLUMN_UNIT})", -top, top, DIVERGING, COLUMN_FACTOR)


def percent_scale(*values: ArrayLike, label: str = "Relative difference") -> ColourScale:
    """One scale centred on zero for relative differences in percent.

    Examples
    --------
    >>> scale = percent_scale([-12.0, 22.0])
    >>> scale.low, scale.high
    (-25.0, 25.0)
    """
    top = _round_up(_percentile([np.abs(v) for v in values], SHOWN_SHARE))
    return ColourScale(f"{label} (%)", -top, top, DIVERGING)


def _percentile(values: tuple[ArrayLike, ...] | list[NDArray[np.floating]], q: float) -> float:
    parts = [np.ravel(np.asarray(part, dtype=np.float64)) for part in values]
    pooled = np.concatenate(parts) if parts else np.zeros(0)
    pooled = pooled[np.isfinite(pooled)]
    return float(np.percentile(pooled, q)) if pooled.size else 0.0


def _round_up(value: float) -> float:
    """Return the next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10 times a power of ten; 1 for none."""
    if not value > 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    steps = NICE_STEPS * power
    return float(round(steps[np.searchsorted(steps, value * (1 - 1e-9))], 12))
