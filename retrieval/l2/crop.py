"""Which part of an orbit is written: rows and columns where the primary set's grid is touched."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import NoOverlapError, NothingToDoError, ProductError
from retrieval.l2.pixels import Crop, Footprints
from retrieval.physics.geometry.curvilinear import CurvilinearGrid, Grid
from retrieval.physics.geometry.grids import FULL_CIRCLE, BoundingBox, box_in_degrees, project
from retrieval.physics.geometry.quadrilaterals import crossing_quadrilaterals, unwrap_longitudes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.l2.orbit import Orbit
    from retrieval.typing import Float

PIXEL_REACH = 0.5
"""Corners lie within this latitude difference of their centre [degree] (widest pixels: 15 km)."""
ORDER_SAMPLE = 20_000
"""Pixels whose corner order is checked, spread over the orbit."""

Test = Callable[["Float", "Float"], "NDArray[np.bool_]"]
"""Which points (latitude, longitude) are inside."""


def find_crop(orbit: Orbit, grid: Grid | None = None, bbox: BoundingBox | None = None) -> Crop:
    """Rows and columns in which any pixel centre or corner lies in a grid and in a box.

    See `locate_pixels`, which also returns where the pixels are.
    """
    return locate_pixels(orbit, grid, bbox)[0]


def locate_pixels(
    orbit: Orbit, grid: Grid | None = None, bbox: BoundingBox | None = None
) -> tuple[Crop, Footprints]:
    """Find the part of an orbit in a grid and in a box, and where its pixels are.

    Centres are read once for the whole orbit, corners once for the scanlines near the area.

    Parameters
    ----------
    orbit : Orbit
        The open file.
    grid : Grid, optional
        Grid of the primary set; None keeps everything.
    bbox : tuple of float, optional
        West, south, east, north [degrees], a further cut.

    Returns
    -------
    crop : Crop
        The smallest block of scanlines and ground pixels that holds all pixels with a centre or
        corner inside.
    footprints : Footprints
        Centres and corners of the crop.

    Raises
    ------
    NothingToDoError
        If no pixel lies inside.
    NoOverlapError
        If the orbit has no geolocation.
    """
    whole = orbit.full
    areas: list[tuple[Test, BoundingBox, str]] = []
    if grid is not None:
        areas.append((partial(_in_grid, grid=grid), _box_of(grid), "the primary set"))
    if bbox is not None:
        areas.append((partial(_in_box, bbox=bbox), bbox, "the bounding box"))
    if not areas:
        return whole, orbit.read_footprints(whole)
    centres = orbit.read_centres(whole)
    near = _rows_near(*centres, areas[0][1])
    if near is None:
        raise _outside(*centres, areas[0][2])
    crop = Crop(near, whole.ground_pixel)
    found = Footprints(centres[0][near], centres[1][near], *orbit.read_corners(crop))
    for is_inside, box, what in areas:
        part = _narrowed(found, is_inside, box)
        if part is None:
            raise _outside(*centres, what)
        rows, columns = part
        found = found.cut(rows, columns)
        centres = (found.latitude, found.longitude)
        crop = Crop(_within(crop.scanline, rows), _within(crop.ground_pixel, columns))
    return crop, found.copy()  # the rest of what was read is let go


def _box_of(grid: Grid) -> BoundingBox:
    if not isinstance(grid, CurvilinearGrid):
        return box_in_degrees(grid)
    west, east, south, north = grid.extent
    return west, south, east, north


def check_corner_order(latitude_bounds: Float, longitude_bounds: Float) -> None:
    """Check that the corners of an orbit run round its pixels; a matter of the whole file.

    Parameters
    ----------
    latitude_bounds, longitude_bounds : ndarray, shape (..., 4)
        Corners [degrees]; NaN where missing.

    Raises
    ------
    ProductError
        If they cross in most pixels.
    """
    lat = latitude_bounds.reshape(-1, latitude_bounds.shape[-1])
    lon = longitude_bounds.reshape(-1, longitude_bounds.shape[-1])
    every = slice(None, None, max(1, lat.shape[0] // ORDER_SAMPLE))
    lat, (lon, has_pole) = lat[every].astype(np.float64), unwrap_longitudes(lon[every])
    is_valid = np.isfinite(lat).all(axis=1) & np.isfinite(lon).all(axis=1) & ~has_pole
    n_valid = int(is_valid.sum())
    n_crossing = int(crossing_quadrilaterals(lon[is_valid], lat[is_valid]).sum())
    if n_crossing > 0.5 * n_valid:
        msg = (
            "Invalid latitude_bounds/longitude_bounds. The four corners must run round the pixel. "
            f"Given corners that cross in {n_crossing} of {n_valid} pixels. "
            "Reorder the corner dimension of the file (0 and 2, 1 and 3 must be opposite)."
        )
        raise ProductError(msg)


def _rows_near(lat: Float, lon: Float, box: BoundingBox) -> slice | None:
    """Return the scanlines from the first to the last with a centre near a box."""
    rows = np.flatnonzero(_in_box(lat, lon, _widened(box)).any(axis=1))
    return slice(int(rows[0]), int(rows[-1]) + 1) if rows.size else None


def _narrowed(where: Footprints, is_inside: Test, box: BoundingBox) -> tuple[slice, slice] | None:
    """Return the rows and columns with a centre or corner inside; `box` holds what is inside."""
    near = _rows_near(where.latitude, where.longitude, box)
    if near is None:
        return None
    block = where.cut(near, slice(None))
    inside = is_inside(block.latitude, block.longitude)
    for corner in range(block.latitude_bounds.shape[-1]):
        lat, lon = (bounds[..., corner] for bounds in block.outline)
        inside |= is_inside(lat, lon)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        return None
    first = near.start
    return (
        slice(first + int(rows[0]), first + int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )


def _within(whole: slice, part: slice) -> slice:
    return slice(whole.start + part.start, whole.start + part.stop)


def any_within(where: Footprints, grid: Grid, is_wanted: NDArray[np.bool_]) -> bool:
    """Tell whether any of the wanted pixels lies in a grid with all its corners."""
    inside = is_wanted.copy()
    for corner in range(where.latitude_bounds.shape[-1]):
        lat, lon = (bounds[..., corner] for bounds in where.outline)
        inside &= _in_grid(lat, lon, grid)
    return bool(inside.any())


def _widened(box: BoundingBox) -> BoundingBox:
    """Widen a box by the reach of a pixel round its centre."""
    west, south, east, north = box
    south, north = max(south - PIXEL_REACH, -90.0), min(north + PIXEL_REACH, 90.0)
    reach = PIXEL_REACH / max(float(np.cos(np.deg2rad(max(-south, north)))), 1e-3)
    width = (east - west) % FULL_CIRCLE or FULL_CIRCLE
    if width + 2 * reach >= FULL_CIRCLE:
        return (-180.0, south, 180.0, north)
    return (west - reach, south, west + width + reach, north)


def _in_grid(lat: Float, lon: Float, grid: Grid) -> NDArray[np.bool_]:
    """Tell which points are in a grid; of a curvilinear one, in the box round it."""
    west, east, south, north = grid.extent
    x, y = (lon, lat) if isinstance(grid, CurvilinearGrid) else project(lon, lat, grid)
    if grid.is_geographic:
        middle = 0.5 * (west + east)
        x = x - FULL_CIRCLE * np.round((x - middle) / FULL_CIRCLE)
    with np.errstate(invalid="ignore"):
        return np.asarray((x >= west) & (x <= east) & (y >= south) & (y <= north))


def _in_box(lat: Float, lon: Float, bbox: BoundingBox) -> NDArray[np.bool_]:
    west, south, east, north = bbox
    width = (east - west) % FULL_CIRCLE or FULL_CIRCLE
    with np.errstate(invalid="ignore"):
        return np.asarray((lat >= south) & (lat <= north) & ((lon - west) % FULL_CIRCLE <= width))


def _outside(lat: Float, lon: Float, what: str) -> NoOverlapError:
    if not np.isfinite(lat).any():
        msg = f"The orbit has no valid geolocation, so it does not meet {what}. Nothing to do."
        return NoOverlapError(msg)
    return NothingToDoError(
        f"No pixel of the orbit lies in {what}. The orbit covers {np.nanmin(lat):.2f} to "
        f"{np.nanmax(lat):.2f} N, {np.nanmin(lon):.2f} to {np.nanmax(lon):.2f} E. "
        "Choose another orbit, set or box."
    )
