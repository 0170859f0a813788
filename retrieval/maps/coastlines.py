"""Coastlines and national borders of the world, packaged: no download for a map.

Natural Earth (public domain), prepared by `tools/make_coastlines.py`: western and central Europe at
1:10m, good to about 500 m, the world at 1:50m and, for maps of continents, at 1:110m.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.physics.geometry.grids import BoundingBox

EUROPE, WORLD, CONTINENTS = "europe", "world_50m", "world_110m"
COVERED = (-15.0, 35.0, 25.0, 62.0)
"""West, south, east, north [degree] of the finest lines."""
WIDE = 60.0
"""A map that spans more degrees than this shows the coarsest lines."""


@dataclass(frozen=True)
class Outlines:
    """Lines to draw, each of shape (n, 2): longitude, latitude [degree].

    Attributes
    ----------
    coastlines, borders : tuple of ndarray
        Shores of the sea; borders between countries.
    source : str
        Where they come from, for the small print of a figure.
    """

    coastlines: tuple[NDArray[np.float64], ...]
    borders: tuple[NDArray[np.float64], ...]
    source: str


def lines_for(box: BoundingBox) -> Outlines:
    """Return the lines of a map by its box of degrees: the finest that cover it and fit its size.

    Examples
    --------
    >>> [len(lines_for(b).borders) for b in ((2.0, 48.0, 3.0, 49.0), (-180.0, -90.0, 180.0, 90.0))]
    [88, 326]
    """
    west, south, east, north = box
    is_covered = COVERED[0] <= west and COVERED[1] <= south
    if is_covered and east <= COVERED[2] and north <= COVERED[3]:
        return outlines(EUROPE)
    return outlines(CONTINENTS if max(east - west, north - south) > WIDE else WORLD)


@lru_cache(maxsize=3)
def outlines(name: str = EUROPE) -> Outlines:
    """Read packaged coastlines and borders: EUROPE, WORLD or CONTINENTS.

    Returns
    -------
    Outlines
        The same object at every call; do not change it.

    Examples
    --------
    >>> found = outlines()
    >>> len(found.coastlines) > 100, len(found.borders) > 30
    (True, True)
    """
    with (
        resources.files("retrieval.maps")
        .joinpath("data", f"coastlines_{name}.npz")
        .open("rb") as file,
        np.load(file) as stored,
    ):
        points = stored["origin"] + stored["step"] * stored["points"]
        lines = np.split(points, np.cumsum(stored["lengths"].astype(np.intp))[:-1])
        is_border = stored["is_border"]
        source = str(stored["source"])
    return Outlines(
        tuple(line for line, border in zip(lines, is_border, strict=True) if not border),
        tuple(line for line, border in zip(lines, is_border, strict=True) if border),
        source,
    )
