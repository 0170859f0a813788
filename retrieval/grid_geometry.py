"""Places of grid cells in degrees, and boxes of degrees in the plane of a grid."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.quadrilaterals import project

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from pyproj import Transformer

    from retrieval.physics.grids import RectilinearGrid

    Float = NDArray[np.floating]

BoundingBox = tuple[float, float, float, float]
"""West, south, east, north [degrees]; west > east means across the antimeridian."""
"""West, south, east, north [degree]."""
POINTS_PER_SIDE = 101
"""Points along each side of a box, so that its image in a projected plane is followed."""


@lru_cache(maxsize=8)
def _to_degrees(crs: str) -> Transformer:
    from pyproj import Transformer  # 0.1 s to import, not needed for longitude/latitude grids

    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


def unproject(x: ArrayLike, y: ArrayLike, grid: RectilinearGrid) -> tuple[Float, Float]:
    """Longitude and latitude [degree] of points in the plane of a grid, any shape."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if grid.is_geographic:
        return x, y
    longitude, latitude = _to_degrees(grid.crs).transform(x, y)
    return np.asarray(longitude), np.asarray(latitude)


def centres_in_degrees(grid: RectilinearGrid) -> tuple[Float, Float]:
    """Longitude and latitude of the cell centres [degree], each of the shape of the grid."""
    x, y = np.meshgrid(grid.x, grid.y)
    return unproject(x, y, grid)


def corners_in_degrees(grid: RectilinearGrid) -> tuple[Float, Float]:
    """Longitude and latitude of the cell corners [degree], each of shape (n_y + 1, n_x + 1)."""
    x, y = np.meshgrid(grid.x_edges, grid.y_edges)
    return unproject(x, y, grid)


def cell_areas(grid: RectilinearGrid) -> Float:
    """Areas of the cells in units of x times y of the plane, true to each other, (n_y, n_x).

    Square metres for an equal-area plane; steradian on longitude/latitude.
    """
    height = np.diff(grid.y_edges) * grid.row_area_factor
    return np.asarray(height[:, None] * np.diff(grid.x_edges))


def box_outline(box: BoundingBox) -> tuple[Float, Float]:
    """Longitude and latitude of points round a box of meridians and parallels, closed."""
    west, south, east, north = box
    up = np.linspace(0.0, 1.0, POINTS_PER_SIDE)
    flat = np.zeros(POINTS_PER_SIDE)
    along = np.concatenate([up, flat + 1, up[::-1], flat])
    across = np.concatenate([flat, up, flat + 1, up[::-1]])
    return west + (east - west) * along, south + (north - south) * across


def box_in_plane(box: BoundingBox, grid: RectilinearGrid) -> BoundingBox:
    """Extent x0, y0, x1, y1 of the image of a box of degrees in the plane of a grid."""
    x, y = project(*box_outline(box), grid)
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())
