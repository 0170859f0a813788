"""Which part of an orbit is written: rows and columns where the primary set's grid is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import NoOverlapError
from retrieval.footprint import project
from retrieval.orbit import Crop, Orbit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.grids import RectilinearGrid

    Float = NDArray[np.floating]

PIXEL_REACH = 0.5
"""Corners lie within this latitude difference of their centre [degree] (widest pixels: 15 km)."""

Test = Callable[["Float", "Float"], "NDArray[np.bool_]"]
"""Which points (latitude, longitude) are inside."""

BoundingBox = tuple[float, float, float, float]
"""West, south, east, north [degrees]; west > east means across the antimeridian."""


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
    NoOverlapError
        If no pixel lies inside.
    """
    crop = orbit.full
    if grid is not None:
        crop = _narrow(orbit, crop, lambda lat, lon: _in_grid(lat, lon, grid), "the primary set")
    if bbox is not None:
        crop = _narrow(orbit, crop, lambda lat, lon: _in_box(lat, lon, bbox), "the bounding box")
    return crop


def _narrow(orbit: Orbit, crop: Crop, is_inside: Test, what: str) -> Crop:
    lat = orbit.read("latitude", crop)
    lon = orbit.read("longitude", crop)
    rows = np.flatnonzero(_near(lat, lon, is_inside).any(axis=1))
    if rows.size == 0:
        raise NoOverlapError(_outside(lat, lon, what))
    first = crop.scanline.start
    near = Crop(slice(first + int(rows[0]), first + int(rows[-1]) + 1), crop.ground_pixel)
    block = slice(int(rows[0]), int(rows[-1]) + 1)
    inside = is_inside(lat[block], lon[block])
    lat_corner = orbit.read("latitude_bounds", near)
    lon_corner = orbit.read("longitude_bounds", near)
    for corner in range(lat_corner.shape[-1]):
        inside |= is_inside(lat_corner[..., corner], lon_corner[..., corner])
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        raise NoOverlapError(_outside(lat, lon, what))
    scanline, pixel = near.scanline.start, near.ground_pixel.start
    return Crop(
        slice(scanline + int(rows[0]), scanline + int(rows[-1]) + 1),
        slice(pixel + int(columns[0]), pixel + int(columns[-1]) + 1),
    )


def _near(lat: Float, lon: Float, is_inside: Test) -> NDArray[np.bool_]:
    """Pixels whose centre, moved by up to the reach of a pixel, is inside."""
    near = is_inside(lat, lon)
    reach = PIXEL_REACH / np.maximum(np.cos(np.deg2rad(lat)), 0.05)
    for step_lat in (-1, 0, 1):
        for step_lon in (-1, 0, 1):
            shifted = np.clip(lat + step_lat * PIXEL_REACH, -90.0, 90.0)
            near = near | is_inside(shifted, lon + step_lon * reach)
    return np.asarray(near)


def _in_grid(lat: Float, lon: Float, grid: RectilinearGrid) -> NDArray[np.bool_]:
    x, y = project(lon, lat, grid)
    if grid.is_geographic:
        middle = 0.5 * (grid.x_edges[0] + grid.x_edges[-1])
        x = x - 360.0 * np.round((x - middle) / 360.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (x >= grid.x_edges[0])
            & (x <= grid.x_edges[-1])
            & (y >= grid.y_edges[0])
            & (y <= grid.y_edges[-1])
        )


def _in_box(lat: Float, lon: Float, bbox: BoundingBox) -> NDArray[np.bool_]:
    west, south, east, north = bbox
    width = (east - west) % 360.0 or 360.0
    with np.errstate(invalid="ignore"):
        return np.asarray((lat >= south) & (lat <= north) & ((lon - west) % 360.0 <= width))


def _outside(lat: Float, lon: Float, what: str) -> str:
    if not np.isfinite(lat).any():
        return f"The orbit has no valid geolocation, so it does not meet {what}. Nothing to do."
    return (
        f"No pixel of the orbit lies in {what}. The orbit covers {np.nanmin(lat):.2f} to "
        f"{np.nanmax(lat):.2f} N, {np.nanmin(lon):.2f} to {np.nanmax(lon):.2f} E. "
        "Choose another orbit, set or box."
    )
