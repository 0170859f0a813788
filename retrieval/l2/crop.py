"""Which part of an orbit is written: rows and columns where the primary set's grid is touched."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import NoOverlapError, NothingToDoError
from retrieval.l2.orbit import Crop, Orbit
from retrieval.physics.grids import FULL_CIRCLE, BoundingBox, box_in_degrees, project

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.physics.grids import RectilinearGrid

    Float = NDArray[np.floating]

PIXEL_REACH = 0.5
"""Corners lie within this latitude difference of their centre [degree] (widest pixels: 15 km)."""

Test = Callable[["Float", "Float"], "NDArray[np.bool_]"]
"""Which points (latitude, longitude) are inside."""


def find_crop(
    orbit: Orbit, grid: RectilinearGrid | None = None, bbox: BoundingBox | None = None
) -> Crop:
    """Rows and columns in which any pixel centre or corner lies in a grid and in a box.

    Parameters
    ----------
    orbit : Orbit
        The open file.
    grid : RectilinearGrid, optional
        Grid of the primary set; None keeps everything.
    bbox : tuple of float, optional
        West, south, east, north [degrees], a further cut.

    Returns
    -------
    Crop
        The smallest block of scanlines and ground pixels that holds all of them.

    Raises
    ------
    NothingToDoError
        If no pixel lies inside.
    NoOverlapError
        If the orbit has no geolocation.
    """
    crop = orbit.full
    if grid is not None:
        in_grid = partial(_in_grid, grid=grid)
        crop = _narrow(orbit, crop, in_grid, box_in_degrees(grid), "the primary set")
    if bbox is not None:
        crop = _narrow(orbit, crop, partial(_in_box, bbox=bbox), bbox, "the bounding box")
    return crop


def _narrow(orbit: Orbit, crop: Crop, is_inside: Test, box: BoundingBox, what: str) -> Crop:
    """Narrow a crop to the pixels with a centre or corner inside; `box` holds what is inside."""
    lat = orbit.read("latitude", crop)
    lon = orbit.read("longitude", crop)
    rows = np.flatnonzero(_in_box(lat, lon, _widened(box)).any(axis=1))
    if rows.size == 0:
        raise _outside(lat, lon, what)
    block = slice(int(rows[0]), int(rows[-1]) + 1)
    first = crop.scanline.start
    near = Crop(slice(first + block.start, first + block.stop), crop.ground_pixel)
    inside = is_inside(lat[block], lon[block])
    lat_corner = orbit.read("latitude_bounds", near)
    lon_corner = orbit.read("longitude_bounds", near)
    for corner in range(lat_corner.shape[-1]):
        inside |= is_inside(lat_corner[..., corner], lon_corner[..., corner])
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        raise _outside(lat, lon, what)
    scanline, pixel = near.scanline.start, near.ground_pixel.start
    return Crop(
        slice(scanline + int(rows[0]), scanline + int(rows[-1]) + 1),
        slice(pixel + int(columns[0]), pixel + int(columns[-1]) + 1),
    )


def any_within(
    orbit: Orbit, crop: Crop, grid: RectilinearGrid, is_wanted: NDArray[np.bool_]
) -> bool:
    """Tell whether any of the wanted pixels of a crop lies in a grid with all its corners."""
    inside = is_wanted.copy()
    lat = orbit.read("latitude_bounds", crop)
    lon = orbit.read("longitude_bounds", crop)
    for corner in range(lat.shape[-1]):
        inside &= _in_grid(lat[..., corner], lon[..., corner], grid)
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


def _in_grid(lat: Float, lon: Float, grid: RectilinearGrid) -> NDArray[np.bool_]:
    x, y = project(lon, lat, grid)
    if grid.is_geographic:
        middle = 0.5 * (grid.x_edges[0] + grid.x_edges[-1])
        x = x - FULL_CIRCLE * np.round((x - middle) / FULL_CIRCLE)
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (x >= grid.x_edges[0])
            & (x <= grid.x_edges[-1])
            & (y >= grid.y_edges[0])
            & (y <= grid.y_edges[-1])
        )


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
