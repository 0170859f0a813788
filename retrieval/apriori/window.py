"""Which part of a set's grid some footprints can touch: all that is read of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import NoOverlapError
from retrieval.physics.geometry.curvilinear import CurvilinearGrid
from retrieval.physics.geometry.grids import FULL_CIRCLE, project
from retrieval.physics.geometry.quadrilaterals import unwrap_longitudes

if TYPE_CHECKING:
    from retrieval.apriori.base import AprioriSet
    from retrieval.typing import Float

MARGIN = 2
"""Cells read round the orbit, so that interpolation has its neighbours."""


def grid_window(
    name: str, apriori: AprioriSet, outline: tuple[Float, Float]
) -> tuple[slice, slice]:
    """Rows and columns of a set's grid that an orbit can touch, with a margin.

    Raises
    ------
    NoOverlapError
        If there are none.
    """
    grid = apriori.grid
    latitude, longitude = outline
    lat = latitude.reshape(-1, latitude.shape[-1])
    lon = longitude.reshape(-1, longitude.shape[-1])
    keep = np.isfinite(lat).all(axis=1) & np.isfinite(lon).all(axis=1)
    lat, lon = lat[keep], lon[keep]
    n_y, n_x = grid.shape
    if lat.size == 0:
        return slice(0, n_y), slice(0, n_x)
    if isinstance(grid, CurvilinearGrid):
        window = grid.window(unwrap_longitudes(lon)[0], lat, MARGIN)
        if window is None:
            raise NoOverlapError(_apart(name, apriori, lat, lon))
        return window
    if grid.is_geographic:
        x, _ = unwrap_longitudes(lon)
        middle = 0.5 * (grid.x_edges[0] + grid.x_edges[-1])
        x = x - FULL_CIRCLE * np.round((x.mean(axis=1, keepdims=True) - middle) / FULL_CIRCLE)
        y = lat
    else:
        x, y = project(lon, lat, grid)
    rows = _range(y, grid.y_edges)
    columns = _range(x, grid.x_edges)
    if grid.is_periodic and (columns.start == 0 or columns.stop == n_x):
        columns = slice(0, n_x)
    if rows.stop <= rows.start or columns.stop <= columns.start:
        raise NoOverlapError(_apart(name, apriori, lat, lon))
    return rows, columns


def _range(values: Float, edges: Float) -> slice:
    finite = values[np.isfinite(values)]
    if finite.size == 0 or finite.max() < edges[0] or finite.min() > edges[-1]:
        return slice(0, 0)
    first = int(np.searchsorted(edges, finite.min(), side="right")) - 1 - MARGIN
    last = int(np.searchsorted(edges, finite.max(), side="left")) + MARGIN
    return slice(max(first, 0), min(last, edges.size - 1))


def _apart(name: str, apriori: AprioriSet, lat: Float, lon: Float) -> str:
    grid = apriori.grid
    west, east, south, north = grid.extent
    unit = "degrees E/N" if grid.is_geographic else f"m in {grid.crs_name}"
    return (
        f"Set {name} covers x {west:.6g} to {east:.6g}, y {south:.6g} to {north:.6g} ({unit}), but "
        f"the orbit covers {lat.min():.2f} to {lat.max():.2f} N, {lon.min():.2f} to "
        f"{lon.max():.2f} E. Nothing to replace. Choose another orbit or set."
    )
