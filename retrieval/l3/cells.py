"""Regular grids of L3 files: made from a box and a cell size, told on the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from retrieval.maps.regions import INPUT_BOX
from retrieval.physics.geometry.grids import (
    EUROPE_PLANE,
    GEOGRAPHIC,
    BoundingBox,
    RectilinearGrid,
    box_in_plane,
    domain_grid,
)

if TYPE_CHECKING:
    from retrieval.typing import Float

MOST_ALONG = 10_000_000
"""Cells along a side of a grid; whether all of them fit into memory is another question."""
_CELL = re.compile(r"(?P<size>\d+(?:\.\d+)?)\s*(?P<unit>km|m|deg)")


def regular_grid(
    cell: float, box: BoundingBox | None = None, crs: str = EUROPE_PLANE
) -> RectilinearGrid:
    """Build a regular grid whose edges are multiples of the cell size.

    Parameters
    ----------
    cell : float
        Size of a cell: metres in a projected plane, degrees for `EPSG:4326`.
    box : tuple of float, optional
        West, south, east, north [degree], which the grid covers; west > east goes across the
        antimeridian. The domain of the 2 km grid in EPSG:3035, else 10W-10E, 40-56N.
    crs : str
        Plane of the grid.

    Raises
    ------
    ValueError
        If the cell does not divide the domain of the 2 km grid, the box is empty, or a side has
        more than `MOST_ALONG` cells.

    Examples
    --------
    >>> regular_grid(2000.0).shape, regular_grid(0.1, crs="EPSG:4326").shape
    ((720, 592), (160, 200))
    """
    if box is None and crs == EUROPE_PLANE:
        domain = domain_grid()
        size = (
            float(domain.x_edges[-1] - domain.x_edges[0]),
            float(domain.y_edges[-1] - domain.y_edges[0]),
        )
        _check_number(max(size), cell)
        if any(abs(side / cell - round(side / cell)) > 1e-9 for side in size):
            msg = (
                "Invalid cell. It must divide the domain of 1184 x 1440 km. "
                f"Given {cell:g} m. Use 2, 4, 8 or 16 km, or give a box."
            )
            raise ValueError(msg)
        return domain_grid(cell)
    west, south, east, north = box or INPUT_BOX
    if crs == GEOGRAPHIC:
        east += 360.0 if east <= west else 0.0
        extent = (west, south, east, north)
    else:
        plane = RectilinearGrid(np.array([0.0, 1.0]), np.array([0.0, 1.0]), crs)
        extent = box_in_plane((west, south, east, north), plane)
    if not (np.isfinite(extent).all() and south < north and cell > 0):
        msg = (
            "Invalid box. It needs west, south, east, north in degrees, south below north, inside "
            f"of the projection. Given {box}. Correct it."
        )
        raise ValueError(msg)
    _check_number(max(extent[2] - extent[0], extent[3] - extent[1]), cell)
    return RectilinearGrid(
        _edges(extent[0], extent[2], cell), _edges(extent[1], extent[3], cell), crs
    )


def _check_number(side: float, cell: float) -> None:
    """Refuse cells so small that not even their edges fit into memory."""
    if side / cell > MOST_ALONG:
        msg = (
            f"Invalid cell. A side of a grid has at most {MOST_ALONG:,} cells. Given a cell of "
            f"{cell:g} on a side of {side:g}. Give a larger cell or a smaller box."
        )
        raise ValueError(msg)


def _edges(low: float, high: float, cell: float) -> Float:
    """Multiples of the cell size that span a range."""
    first, last = int(np.floor(low / cell + 1e-6)), int(np.ceil(high / cell - 1e-6))
    return np.asarray(cell * np.arange(first, max(last, first + 1) + 1))


def parse_cell(text: str) -> tuple[float, bool]:
    """Read the size of a cell: number and unit, "2km", "500m" or "0.1deg".

    Returns
    -------
    size : float
        Metres or degrees.
    is_degrees : bool

    Raises
    ------
    ValueError
        If it is not that.

    Examples
    --------
    >>> parse_cell("2km"), parse_cell("0.02deg")
    ((2000.0, False), (0.02, True))
    """
    match = _CELL.fullmatch(text.strip())
    if match is None or float(match["size"]) <= 0:
        msg = f"Invalid cell. Write a number and km, m or deg. Given {text!r}. For example 2km."
        raise ValueError(msg)
    factor = {"km": 1000.0, "m": 1.0, "deg": 1.0}[match["unit"]]
    return float(match["size"]) * factor, match["unit"] == "deg"
