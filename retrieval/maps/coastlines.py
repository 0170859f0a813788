"""Coastlines and national borders of western and central Europe, packaged: no download for a map.

Natural Earth 1:10m (public domain), prepared by `tools/make_coastlines.py`, good to about 500 m.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = "coastlines_europe.npz"
COVERED = (-15.0, 35.0, 25.0, 62.0)
"""West, south, east, north [degree] of the packaged lines; there are none elsewhere."""


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


@lru_cache(maxsize=1)
def outlines() -> Outlines:
    """Read the packaged coastlines and borders.

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
        resources.files("retrieval.maps").joinpath("data", FILE).open("rb") as file,
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
