"""The pixel that contains a point: exact, on shared edges, at the antimeridian and the poles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.validation.locate import (
    EARTH_RADIUS,
    Rule,
    arc_length,
    chord,
    contains,
    locate_points,
    unit_vectors,
)


def swath(centre_lat=48.0, centre_lon=3.0, shape=(6, 5), spacing=0.05, turn=0.3, seed=0):
    """Return centres and corners of a rotated grid, its corners shared and slightly moved."""
    rng = np.random.default_rng(seed)
    i, j = np.meshgrid(*(np.arange(n + 1) - n / 2 for n in shape), indexing="ij")
    noise = rng.uniform(-0.1, 0.1, (2, *i.shape))
    i, j = i + noise[0], j + noise[1]
    lat = centre_lat + spacing * (i * np.cos(turn) - j * np.sin(turn))
    lon = centre_lon + spacing * (i * np.sin(turn) + j * np.cos(turn)) / np.cos(np.radians(lat))
    lon = (lon + 180.0) % 360.0 - 180.0
    lat, lon = lat.astype(np.float32), lon.astype(np.float32)

    def corners(nodes):
        parts = [nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, 1:], nodes[1:, :-1]]
        return np.stack(parts, axis=-1)

    lat_bounds, lon_bounds = corners(lat), corners(lon)
    unwrapped = lon_bounds.astype(float)
    unwrapped = unwrapped[..., :1] + (unwrapped - unwrapped[..., :1] + 180.0) % 360.0 - 180.0
    centre = (unwrapped.mean(-1) + 180.0) % 360.0 - 180.0
    return lat_bounds.mean(-1), centre, lat_bounds, lon_bounds


@pytest.mark.parametrize("centre", [(48.0, 3.0), (10.0, 180.0), (-33.0, -179.99), (0.0, 0.0)])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_every_centre_is_found_in_its_own_pixel(centre, is_reversed):
    """Centres find their own pixels, in either corner orientation and across the antimeridian."""
    lat, lon, lat_bounds, lon_bounds = swath(*centre)
    if is_reversed:
        lat_bounds, lon_bounds = lat_bounds[..., ::-1], lon_bounds[..., ::-1]
    found = locate_points(lat.ravel(), lon.ravel(), lat, lon, lat_bounds, lon_bounds)
    assert [(f.scanline, f.ground_pixel) for f in found] == list(np.ndindex(lat.shape))
    assert all(f.is_inside and f.distance < 1.0 for f in found)


def test_pixel_over_the_pole_contains_the_pole():
    """A pixel around the pole holds it, although its longitudes go all the way round."""
    lat_bounds = np.full((1, 1, 4), 89.97)
    lon_bounds = np.array([[[0.0, 90.0, 180.0, -90.0]]])
    lat, lon = np.array([[90.0]]), np.array([[0.0]])
    found = locate_points([90.0, 89.9], [77.0, 45.0], lat, lon, lat_bounds, lon_bounds)
    assert [f.point for f in found] == [0]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([(48.0, 3.0), (65.0, 179.99)]))
def test_points_agree_with_shapely(seed, centre):
    """Away from edges the containing pixel is the one that shapely finds in the plane."""
    shapely = pytest.importorskip("shapely")
    lat, lon, lat_bounds, lon_bounds = swath(*centre, seed=seed)
    rng = np.random.default_rng(seed)
    p_lat = rng.uniform(lat.min(), lat.max(), 20)
    span = 0.1 / np.cos(np.radians(centre[0]))
    p_lon = (centre[1] + rng.uniform(-span, span, 20) + 180.0) % 360.0 - 180.0
    found = {
        f.point: (f.scanline, f.ground_pixel)
        for f in locate_points(p_lat, p_lon, lat, lon, lat_bounds, lon_bounds)
    }
    relative = (lon_bounds.astype(float) - centre[1] + 180.0) % 360.0 - 180.0
    polygons = {
        place: shapely.Polygon(np.stack([relative[place], lat_bounds[place]], axis=-1))
        for place in np.ndindex(lat.shape)
    }
    for k in range(20):
        point = shapely.Point((p_lon[k] - centre[1] + 180.0) % 360.0 - 180.0, p_lat[k])
        # great circles and straight lines differ by 1e-6 of 5 km at these latitudes
        if min(polygon.exterior.distance(point) for polygon in polygons.values()) < 1e-5:
            continue
        inside = [place for place, polygon in polygons.items() if polygon.contains(point)]
        assert inside == ([found[k]] if k in found else [])


def test_shared_edges_and_corners_belong_to_one_pixel():
    """Points on edges that two or four pixels share are counted once, never lost or doubled."""
    lat, lon, lat_bounds, lon_bounds = swath()
    inner = np.ndindex(4, 3)
    for i, j in inner:
        corner = lat_bounds[i, j, 2], lon_bounds[i, j, 2]
        middle = 0.5 * (corner[0] + lat_bounds[i, j, 1]), 0.5 * (corner[1] + lon_bounds[i, j, 1])
        for p_lat, p_lon in (corner, middle):
            found = locate_points([p_lat], [p_lon], lat, lon, lat_bounds, lon_bounds)
            assert len(found) == 1


def test_missing_and_damaged_corners_contain_nothing():
    """Pixels with missing, far or collapsed corners are passed over; their neighbours are not."""
    lat, lon, lat_bounds, lon_bounds = swath()
    target = lat[2, 2], lon[2, 2]
    for value in (np.nan, 80.0, lat_bounds[2, 2, 0]):
        damaged_lat, damaged_lon = lat_bounds.copy(), lon_bounds.copy()
        damaged_lat[2, 2, 1:] = value
        damaged_lon[2, 2, 1:] = lon_bounds[2, 2, 0]
        assert locate_points([target[0]], [target[1]], lat, lon, damaged_lat, damaged_lon) == []
        other = locate_points([lat[0, 0]], [lon[0, 0]], lat, lon, damaged_lat, damaged_lon)
        assert [(f.scanline, f.ground_pixel) for f in other] == [(0, 0)]


def test_nearest_takes_pixels_outside_up_to_the_distance():
    """The nearest rule reaches beyond the swath and says that the point is not inside."""
    lat, lon, lat_bounds, lon_bounds = swath(turn=0.0)
    outside = lat.max() + 0.1, 3.0
    arguments = (lat, lon, lat_bounds, lon_bounds)
    assert locate_points([outside[0]], [outside[1]], *arguments) == []
    (found,) = locate_points([outside[0]], [outside[1]], *arguments, rule=Rule.NEAREST)
    assert not found.is_inside
    assert found.scanline == 5
    assert 8_000 < found.distance < 20_000
    assert (
        locate_points([outside[0]], [outside[1]], *arguments, rule="nearest", max_distance=5e3)
        == []
    )


def test_distance_is_the_great_circle():
    """A degree of latitude is pi/180 of the radius, and chords invert distances."""
    pair = unit_vectors([10.0, 11.0], [20.0, 20.0])
    degree = arc_length(np.linalg.norm(pair[0] - pair[1]))
    np.testing.assert_allclose(degree, EARTH_RADIUS * np.pi / 180.0, rtol=1e-12)  # round-off
    np.testing.assert_allclose(arc_length(np.array(chord(20_000.0))), 20_000.0, rtol=1e-12)


def test_pixel_on_the_other_side_of_the_earth_contains_nothing():
    """The tangent plane shows antipodes at the same place; they are not taken for neighbours."""
    here = unit_vectors([-0.1, -0.1, 0.1, 0.1], [-0.1, 0.1, 0.1, -0.1])[np.newaxis]
    point = unit_vectors(0.0, 0.0)
    assert contains(point, here).tolist() == [True]
    assert contains(point, -here).tolist() == [False]
