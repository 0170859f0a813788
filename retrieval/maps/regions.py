"""Regions of statistics: boxes of degrees on any grid, hotspots and background."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.grids import BoundingBox, centres_in_degrees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.typing import Float

    Bool = NDArray[np.bool_]

INPUT_BOX: BoundingBox = (-10.0, 40.0, 10.0, 56.0)
"""West, south, east, north [degree] of the inputs that users ask for (docs/formats.md 10.1)."""
HOTSPOT_COLUMN = 5e15 / MOLEC_CM2_PER_MOL_M2
"""Lowest column of a hotspot [mol m-2]."""
HOTSPOT_PERCENTILE = 95.0
BACKGROUND_PERCENTILE = 50.0
_NAME = re.compile(r"[^=,]+")


@dataclass(frozen=True)
class Region:
    """A box between meridians and parallels.

    Attributes
    ----------
    name : str
        For tables and maps.
    box : tuple of float
        West, south, east, north [degree]; west > east goes across the antimeridian.
    """

    name: str
    box: BoundingBox

    def __post_init__(self) -> None:
        west, south, east, north = self.box
        is_known = all(np.isfinite(self.box)) and max(abs(west), abs(east)) <= 360
        if not (is_known and -90 <= south < north <= 90 and west != east):
            msg = (
                f"Invalid region {self.name}. It needs west, south, east, north in degrees, south "
                f"below north. Given {self.box}. Correct it."
            )
            raise ValueError(msg)

    def mask(self, grid: RectilinearGrid) -> Bool:
        """Cells whose centre lies in the box, shape (n_y, n_x)."""
        return self.contains(*centres_in_degrees(grid))

    def contains(self, longitude: Float, latitude: Float) -> Bool:
        """Tell which points [degree] lie in the box."""
        west, south, east, north = self.box
        width = (east - west) % 360.0 or 360.0
        is_between = (longitude - west) % 360.0 <= width
        return np.asarray(is_between & (latitude >= south) & (latitude <= north))

    def shifted(self, east: float, north: float) -> Region:
        """Move the box by degrees: how much does a number depend on where its region ends."""
        west_0, south_0, east_0, north_0 = self.box
        moved = (west_0 + east, south_0 + north, east_0 + east, north_0 + north)
        return replace(self, name=f"{self.name} {east:+g}E {north:+g}N", box=moved)


DOMAIN = Region("domain", (-5.0, 42.0, 9.0, 54.0))
"""The paper's box; its statistics use cells whose centre lies inside (docs/formats.md 10.2)."""
REGIONS = (
    Region("northern region", (3.0, 50.0, 8.5, 53.5)),
    Region("Paris", (1.2, 48.0, 3.6, 49.6)),
    Region("Alps", (5.0, 44.0, 9.0, 47.5)),
)
"""The zooms of the paper's Fig. 7 (c); their boxes are ours (docs/formats.md 10.2)."""
GUERET = Region("Angouleme-Gueret-Montlucon", (0.0, 45.6, 2.6, 46.3))
"""Where the paper sees a line of higher columns from south-west to north-east."""


def parse_region(text: str) -> Region:
    """Read NAME=W,S,E,N.

    Raises
    ------
    ValueError
        If it is not that.

    Examples
    --------
    >>> parse_region("Po valley=7.5,44.5,12,46").box
    (7.5, 44.5, 12.0, 46.0)
    """
    name, _, numbers = text.partition("=")
    try:
        west, south, east, north = (float(part) for part in numbers.split(","))
    except ValueError as error:
        msg = (
            f"Invalid region. Write NAME=W,S,E,N in degrees. Given {text!r}. "
            "For example Paris=1.2,48,3.6,49.6."
        )
        raise ValueError(msg) from error
    if not _NAME.fullmatch(name):
        msg = f"Invalid region. It needs a name. Given {text!r}. For example Paris=1.2,48,3.6,49.6."
        raise ValueError(msg)
    return Region(name, (west, south, east, north))


def hotspots(column: Float, is_used: Bool | None = None) -> Bool:
    """Cells or pixels with a column of at least the 95th percentile and 5e15 molec cm-2.

    Parameters
    ----------
    column : ndarray
        True column where it is known, else one product for all [mol m-2]; NaN is no hotspot.
    is_used : ndarray of bool, optional
        Where percentiles are taken; all finite values by default.

    References
    ----------
    docs/formats.md 10.2.
    """
    limit = max(_percentile(column, is_used, HOTSPOT_PERCENTILE), HOTSPOT_COLUMN)
    with np.errstate(invalid="ignore"):
        return np.asarray(column >= limit)


def background(column: Float, is_used: Bool | None = None) -> Bool:
    """Cells or pixels with a column at or below the median; arguments as `hotspots`."""
    with np.errstate(invalid="ignore"):
        return np.asarray(column <= _percentile(column, is_used, BACKGROUND_PERCENTILE))


def _percentile(column: Float, is_used: Bool | None, q: float) -> float:
    valid = np.isfinite(column) if is_used is None else np.isfinite(column) & is_used
    return float(np.percentile(column[valid], q)) if valid.any() else float("nan")
