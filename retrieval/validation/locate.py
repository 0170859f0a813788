"""Find the pixel that contains a point, exactly, anywhere on the globe.

Around each point the corners of the candidate pixels are projected onto the tangent plane
(gnomonic: great circles become straight lines), so that neither the antimeridian nor the poles
need a rule of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Float = NDArray[np.float64]

EARTH_RADIUS = 6_371_008.8
"""Mean radius of the Earth [m] (IUGG)."""

WIDEST_PIXEL = 100_000.0
"""Corners farther than this from their centre [m] are damaged: such a pixel contains nothing."""


class Rule(StrEnum):
    """Which pixel stands for a point."""

    CONTAINS = "contains"
    """The pixel whose quadrilateral contains the point."""
    NEAREST = "nearest"
    """The pixel with the nearest centre, whether or not it contains the point."""


@dataclass(frozen=True)
class Location:
    """A pixel found for a point.

    Attributes
    ----------
    point : int
        Position of the point in the list.
    scanline, ground_pixel : int
        Position of the pixel in the arrays.
    distance : float
        From the point to the pixel's centre [m].
    is_inside : bool
        Whether the pixel contains the point.
    """

    point: int
    scanline: int
    ground_pixel: int
    distance: float
    is_inside: bool


def locate_points(
    point_latitude: ArrayLike,
    point_longitude: ArrayLike,
    latitude: NDArray[np.floating],
    longitude: NDArray[np.floating],
    latitude_bounds: NDArray[np.floating],
    longitude_bounds: NDArray[np.floating],
    *,
    rule: Rule | str = Rule.CONTAINS,
    max_distance: float = 20_000.0,
) -> list[Location]:
    """Find one pixel for each point, or none.

    Parameters
    ----------
    point_latitude, point_longitude : array_like, shape (n,)
        Points [degrees].
    latitude, longitude : ndarray, shape (scanline, ground_pixel)
        Pixel centres [degrees], NaN where missing.
    latitude_bounds, longitude_bounds : ndarray, shape (scanline, ground_pixel, 4)
        Pixel corners [degrees] in either orientation.
    rule : {"contains", "nearest"}
        See `Rule`. Where pixels overlap, the one with the nearest centre that contains the point.
    max_distance : float
        Farthest centre that `nearest` accepts [m].

    Returns
    -------
    list of Location
        In the order of the points; points without pixel are left out.

    Notes
    -----
    A point on an edge that two pixels share belongs to exactly one of them (crossing number with
    half-open edges). Edges are great circles; on pixels of 15 km they differ from straight lines
    in longitude and latitude by less than a metre up to 70 degrees of latitude.
    """
    rule = Rule(rule)
    points = unit_vectors(np.atleast_1d(point_latitude), np.atleast_1d(point_longitude))
    corners = unit_vectors(latitude_bounds, longitude_bounds)
    centres = unit_vectors(latitude, longitude)
    reach = np.linalg.norm(corners - centres[..., np.newaxis, :], axis=-1).max(axis=-1)
    usable = np.isfinite(centres).all(axis=-1)
    if rule is Rule.CONTAINS:
        with np.errstate(invalid="ignore"):
            usable &= reach < WIDEST_PIXEL / EARTH_RADIUS
    rows = np.argwhere(usable)
    if rows.size == 0 or points.size == 0:
        return []
    tree = cKDTree(centres[usable])
    radius = chord(max_distance) if rule is Rule.NEAREST else float(reach[usable].max())
    candidates = tree.query_ball_point(points, radius * (1.0 + 1e-9))
    centres, corners = centres[usable], corners[usable]
    found = []
    for i, near in enumerate(candidates):
        chosen = _choose(points[i], np.asarray(near, dtype=np.intp), centres, corners, rule)
        if chosen is not None:
            k, distance, is_inside = chosen
            found.append(Location(i, int(rows[k, 0]), int(rows[k, 1]), distance, is_inside))
    return found


def _choose(
    point: Float, near: NDArray[np.intp], centres: Float, corners: Float, rule: Rule
) -> tuple[int, float, bool] | None:
    """Pick among candidate pixels: position, distance [m], whether it contains the point."""
    if near.size == 0:
        return None
    inside = contains(point, corners[near])
    distance = arc_length(np.linalg.norm(centres[near] - point, axis=-1))
    if rule is Rule.CONTAINS:
        near, distance, inside = near[inside], distance[inside], inside[inside]
        if near.size == 0:
            return None
    best = int(np.argmin(distance))
    return int(near[best]), float(distance[best]), bool(inside[best])


def contains(point: Float, corners: Float) -> NDArray[np.bool_]:
    """Tell which quadrilaterals contain a point, by crossing number in the tangent plane.

    Parameters
    ----------
    point : ndarray, shape (3,)
        Unit vector.
    corners : ndarray, shape (n, 4, 3)
        Unit vectors of the corners within 90 degrees of the point, NaN where missing.

    Returns
    -------
    ndarray of bool, shape (n,)
        False for quadrilaterals with missing corners.
    """
    east, north = _tangent(point)
    depth = corners @ point
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y = (corners @ east) / depth, (corners @ north) / depth
        x_next, y_next = np.roll(x, -1, axis=-1), np.roll(y, -1, axis=-1)
        straddles = (y > 0) != (y_next > 0)
        crossing = x - y * (x_next - x) / (y_next - y)
        n_crossings = (straddles & (crossing > 0)).sum(axis=-1)
    is_complete = np.isfinite(x).all(axis=-1) & (depth > 0).all(axis=-1)
    return np.asarray(is_complete & (n_crossings % 2 == 1))


def unit_vectors(latitude: ArrayLike, longitude: ArrayLike) -> Float:
    """Return points on the unit sphere, shape (..., 3), from degrees."""
    phi = np.radians(np.asarray(latitude, dtype=np.float64))
    lam = np.radians(np.asarray(longitude, dtype=np.float64))
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def arc_length(chord_length: Float) -> Float:
    """Return the distance on the Earth [m] of a chord of the unit sphere."""
    return np.asarray(2.0 * EARTH_RADIUS * np.arcsin(np.minimum(0.5 * chord_length, 1.0)))


def chord(distance: float) -> float:
    """Return the chord of the unit sphere for a distance on the Earth [m]."""
    return float(2.0 * np.sin(min(0.5 * distance / EARTH_RADIUS, 0.5 * np.pi)))


def _tangent(point: Float) -> tuple[Float, Float]:
    """Two directions at right angles to a point and to each other; any pair will do."""
    axis = np.array([0.0, 0.0, 1.0]) if abs(point[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    east = np.cross(axis, point)
    east /= np.linalg.norm(east)
    return east, np.cross(point, east)
