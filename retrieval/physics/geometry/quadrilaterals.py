"""Quadrilaterals of pixels: on the globe, in the plane of a grid, and whether they are sound.

Longitudes jump by 360 degree, corners may be missing, cross or fall together, and a projection may
tear what lies far from it; a pixel with one connected image and an area has none of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.geometry.grids import FULL_CIRCLE
from retrieval.physics.geometry.overlap import polygon_area

if TYPE_CHECKING:
    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.typing import Bool, Float

ZERO_AREA = 1e-7
"""Area over squared diameter below which a quadrilateral is a line: float32 corners, 0.4 for a
square."""
MAXIMUM_EXTENT = 1e6
"""A pixel larger than this in the plane of a set [m] is torn by the projection: it lies round the
antipode of the set, where an azimuthal projection has no value."""


def unwrap_longitudes(longitude: Float) -> tuple[Float, Bool]:
    """Make the corner longitudes of each pixel continuous round the pixel.

    Parameters
    ----------
    longitude : ndarray, shape (n, corner)
        Corner longitudes [degrees], in any range.

    Returns
    -------
    unwrapped : ndarray, shape (n, corner)
        Longitudes without jumps of 360 between neighbouring corners.
    has_pole : ndarray of bool, shape (n,)
        True where going once round the pixel goes round the pole.

    Examples
    --------
    >>> unwrap_longitudes(np.array([[179.0, -179.0, -179.0, 179.0]]))[0].tolist()
    [[179.0, 181.0, 181.0, 179.0]]
    """
    steps = np.diff(longitude, axis=1, append=longitude[:, :1])
    steps -= FULL_CIRCLE * np.round(steps / FULL_CIRCLE)
    has_pole = np.abs(steps.sum(axis=1)) > 0.5 * FULL_CIRCLE
    unwrapped = longitude[:, :1] + np.concatenate(
        [np.zeros((longitude.shape[0], 1)), np.cumsum(steps[:, :-1], axis=1)], axis=1
    )
    return unwrapped, has_pole


def crossing_quadrilaterals(x: Float, y: Float) -> Bool:
    """Quadrilaterals whose opposite sides cross, shape (n, 4) -> (n,).

    Examples
    --------
    >>> x = np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]])
    >>> y = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    >>> crossing_quadrilaterals(x, y).tolist()
    [False, True]
    """

    def turn(i: int, j: int, k: int) -> Float:
        return np.asarray(
            (x[:, j] - x[:, i]) * (y[:, k] - y[:, i]) - (y[:, j] - y[:, i]) * (x[:, k] - x[:, i])
        )

    def cross(i: int, j: int, k: int, m: int) -> Bool:
        return np.asarray((turn(i, j, k) * turn(i, j, m) < 0) & (turn(k, m, i) * turn(k, m, j) < 0))

    return cross(0, 1, 2, 3) | cross(1, 2, 3, 0)


def is_projected(x: Float, y: Float, grid: RectilinearGrid) -> Bool:
    """Tell which pixels have one connected image in the plane of the grid."""
    is_finite = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    if grid.is_geographic:
        return np.asarray(is_finite)
    with np.errstate(invalid="ignore"):
        return np.asarray(
            is_finite & (np.ptp(x, axis=1) < MAXIMUM_EXTENT) & (np.ptp(y, axis=1) < MAXIMUM_EXTENT)
        )


def is_flat(x: Float, y: Float) -> Bool:
    """Tell which polygons are lines or points, (n, corner) -> (n,)."""
    diameter_2 = np.ptp(x, axis=1) ** 2 + np.ptp(y, axis=1) ** 2
    return np.asarray(np.abs(polygon_area(x, y)) <= ZERO_AREA * diameter_2)
