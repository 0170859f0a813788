"""Curvilinear grids: exact overlap by a slow oracle, and a regular grid gives what it gives."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import AprioriError
from retrieval.physics.geometry.clipping import shared_areas
from retrieval.physics.geometry.curvilinear import CurvilinearGrid
from retrieval.physics.geometry.footprint import apply_weights, bilinear_weights, footprint_weights
from retrieval.physics.geometry.grids import RectilinearGrid

X, Y = np.arange(2.05, 4.0, 0.1), np.arange(48.05, 50.0, 0.1)


def pixels(rng, n, *, spread=0.08, west=1.8, east=4.2):
    """Quadrilaterals of about a cell's size, any orientation, some beyond the grid."""
    x, y = rng.uniform(west, east, n), rng.uniform(47.8, 50.2, n)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * spread
    noise = rng.uniform(-0.4, 0.4, (n, 4, 2)) * spread
    angle = rng.uniform(0, 2 * np.pi, n)
    turned = np.stack(
        [
            np.cos(angle)[:, None] * corners[:, 0] - np.sin(angle)[:, None] * corners[:, 1],
            np.sin(angle)[:, None] * corners[:, 0] + np.cos(angle)[:, None] * corners[:, 1],
        ],
        axis=-1,
    )
    points = turned + noise
    points[::3] = points[::3, ::-1]  # clockwise
    return y[:, None] + points[..., 1], x[:, None] + points[..., 0]


def bent_grid(n=20, waves=0.03):
    """Make a grid that bends and stretches, as those of ocean models do."""
    lon, lat = np.meshgrid(np.linspace(2.0, 4.0, n), np.linspace(48.0, 50.0, n + 3))
    return CurvilinearGrid.from_centres(
        lon + waves * np.sin(3 * lat) + 0.3 * (lat - 49.0), lat + waves * np.cos(4 * lon)
    )


@pytest.mark.parametrize("turn", [0.0, 360.0])
def test_a_regular_grid_written_as_a_curvilinear_one_gives_its_weights(turn):
    """The same matrix, coverage and area, in whatever turn the longitudes are."""
    lon, lat = np.meshgrid(X + turn, Y)
    curvilinear = CurvilinearGrid.from_centres(lon, lat)
    regular = RectilinearGrid.from_centres(X, Y)
    corners = pixels(np.random.default_rng(0), 300)
    one, other = curvilinear.footprint_weights(*corners), footprint_weights(*corners, regular)
    field = np.random.default_rng(1).uniform(1.0, 2.0, (X.size * Y.size, 3))
    (mean, coverage), (expected, covered) = (apply_weights(w, field) for w in (one, other))
    # beyond the edge the true area follows the mean of the inside, not its own latitude
    np.testing.assert_allclose(coverage, covered, atol=1e-3)
    inside = covered > 1.0 - 1e-12
    assert inside.sum() > 150
    np.testing.assert_allclose(coverage[inside], 1.0, rtol=1e-12)  # float64 round-off
    touched = covered > 1e-12  # what float64 leaves of a pixel that ends on the edge
    np.testing.assert_allclose(mean[touched], expected[touched], rtol=1e-9)
    np.testing.assert_array_equal(one.is_bad, other.is_bad)
    np.testing.assert_array_equal(one.is_outside[touched], other.is_outside[touched])
    np.testing.assert_allclose(
        one.area[inside] * np.deg2rad(1.0) ** 2, other.area[inside], rtol=1e-9
    )


def test_a_coarse_regular_grid_is_interpolated_alike():
    """Bilinear weights between the centres, none outside of them."""
    x, y = np.arange(0.5, 6.0), np.arange(46.5, 52.0)
    curvilinear = CurvilinearGrid.from_centres(*np.meshgrid(x, y))
    regular = RectilinearGrid.from_centres(x, y)
    assert not curvilinear.is_fine and CurvilinearGrid.from_centres(*np.meshgrid(X, Y)).is_fine
    rng = np.random.default_rng(0)
    points = (
        np.append(rng.uniform(46.0, 52.0, 200), np.nan),
        np.append(rng.uniform(0.0, 6.0, 200), 3.0),
    )
    field = rng.uniform(1.0, 2.0, (36, 2))
    found = [
        apply_weights(w, field)
        for w in (curvilinear.bilinear_weights(*points), bilinear_weights(*points, regular))
    ]
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-9)
    np.testing.assert_array_equal(found[0][1] > 0, found[1][1] > 0)


def test_overlaps_are_those_of_the_slow_oracle():
    """Each pixel against each cell by shapely, on a grid that bends."""
    grid = bent_grid()
    latitude, longitude = pixels(np.random.default_rng(2), 120)
    found = grid.footprint_weights(latitude, longitude)
    cells = shapely.polygons(
        np.stack([grid.corner_longitude, grid.corner_latitude], axis=-1).reshape(-1, 4, 2)
    )
    sound = np.flatnonzero(~found.is_bad)
    assert sound.size > 100
    for i in sound:
        pixel = shapely.Polygon(np.stack([longitude[i], latitude[i]], axis=-1))
        areas = shapely.area(shapely.intersection(pixel, cells))
        share = areas / pixel.area
        # the weights are by true areas, which differ over a pixel by its height in radian
        np.testing.assert_allclose(
            found.matrix[[i]].toarray()[0], share, atol=3e-3 * share.max() + 1e-12
        )
        np.testing.assert_allclose(found.matrix[[i]].sum(), share.sum(), atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_shared_areas_are_those_of_shapely(seed, is_clockwise):
    """Any convex polygon and any convex quadrilateral, in either orientation."""
    rng = np.random.default_rng(seed)
    hulls = [
        shapely.convex_hull(shapely.multipoints(rng.uniform(0.0, 1.0, (6, 2)))) for _ in range(2)
    ]
    polygon, cell = (np.asarray(hull.exterior.coords)[:-1] for hull in hulls)
    quad = cell[np.linspace(0, len(cell) - 1, 4).astype(int)]
    polygon = polygon[::-1] if is_clockwise else polygon
    expected = shapely.Polygon(polygon).intersection(shapely.Polygon(quad).convex_hull).area
    found = shared_areas(*_arrays(polygon, quad))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def _arrays(polygon, quad):
    return polygon[None, :, 0], polygon[None, :, 1], quad[None, :, 0], quad[None, :, 1]


def test_a_pixel_that_is_not_convex_is_counted_whole():
    """An arrow: the areas of its cells sum to its own."""
    grid = CurvilinearGrid.from_centres(*np.meshgrid(X, Y))
    longitude, latitude = np.array([[2.5, 3.0, 2.6, 2.5]]), np.array([[49.0, 49.0, 49.1, 49.5]])
    weights = grid.footprint_weights(latitude, longitude)
    np.testing.assert_allclose(weights.matrix.sum(), 1.0, rtol=1e-12)


def test_across_the_antimeridian():
    """The same field there and at Greenwich."""
    found = []
    for shift in (0.0, 180.0):
        lon, lat = np.meshgrid(X - 3.0 + shift, Y)
        grid = CurvilinearGrid.from_centres((lon + 180.0) % 360.0 - 180.0, lat)
        latitude, longitude = pixels(np.random.default_rng(0), 50, west=-0.9, east=0.9)
        turned = (longitude + shift + 180.0) % 360.0 - 180.0
        found.append(grid.footprint_weights(latitude, turned).matrix.toarray())
    np.testing.assert_allclose(found[0], found[1], atol=1e-9)  # degrees of 180 lose two digits


def test_bad_pixels_and_cells_without_corners():
    """A missing corner is a bad pixel; a cell without corners covers nothing."""
    lon, lat = np.meshgrid(X, Y)
    grid = CurvilinearGrid.from_centres(lon, lat)
    corners = grid.corner_longitude.copy()
    corners[:, 10] = np.nan
    holed = CurvilinearGrid(lon, lat, corners, grid.corner_latitude)
    longitude = np.array([[3.0, 3.1, 3.1, 3.0], [2.0, np.nan, 2.1, 2.0]])
    latitude = np.array([[49.0, 49.0, 49.1, 49.1]] * 2)
    weights = holed.footprint_weights(latitude, longitude)
    assert weights.is_bad.tolist() == [False, True]
    assert weights.matrix.toarray()[0].sum() < 1e-9
    assert grid.footprint_weights(latitude, longitude).matrix.toarray()[0].sum() > 0.999


def test_the_window_of_an_orbit_holds_all_its_cells():
    """Weights on the window are those on the whole grid."""
    grid = bent_grid()
    latitude, longitude = pixels(np.random.default_rng(3), 20, west=2.8, east=3.0)
    rows, columns = grid.window(longitude, latitude, 1)
    part = grid.crop(rows, columns)
    whole = grid.footprint_weights(latitude, longitude).matrix.toarray().reshape(20, *grid.shape)
    np.testing.assert_allclose(
        part.footprint_weights(latitude, longitude).matrix.toarray().reshape(20, *part.shape),
        whole[:, rows, columns],
        atol=1e-12,
    )
    assert grid.window(longitude + 90.0, latitude, 1) is None


def test_grids_that_are_none_are_refused():
    """Corners out of order, and coordinates of one dimension."""
    lon, lat = np.meshgrid(X, Y)
    grid = CurvilinearGrid.from_centres(lon, lat)
    order = [0, 2, 1, 3]
    with pytest.raises(AprioriError, match="must be convex quadrilaterals"):
        CurvilinearGrid(
            lon, lat, grid.corner_longitude[..., order], grid.corner_latitude[..., order]
        )
    with pytest.raises(AprioriError, match="two dimensions of at least two"):
        CurvilinearGrid.from_centres(X, Y)
