"""Footprints on the grids of sets: weights, coverage, poles and seams, bad corners, bilinear."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from scipy.interpolate import RegularGridInterpolator

from retrieval.physics.geometry.footprint import (
    apply_weights,
    bilinear_weights,
    cell_values,
    footprint_weights,
    weights_for,
)
from retrieval.physics.geometry.grids import RectilinearGrid, domain_grid, project
from retrieval.physics.geometry.quadrilaterals import (
    crossing_quadrilaterals,
    unwrap_longitudes,
)
from tests.builders.strategies import quadrilaterals, quick

DEGREE_GRID = RectilinearGrid.from_centres(np.arange(-4.95, 5.0, 0.1), np.arange(-4.95, 5.0, 0.1))
GLOBAL = RectilinearGrid.from_centres(np.arange(-179.9, 180.0, 0.2), np.arange(-89.9, 90.0, 0.2))


@lru_cache
def to_degrees():
    """Build the transformation from EPSG:3035 once; it costs more than all its uses."""
    return Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True)


def pixel(lon, lat, width=0.08, length=0.05):
    """Corners of upright pixels, shape (n, 4), counter-clockwise from the south-west."""
    lon, lat = np.atleast_1d(lon).astype(float), np.atleast_1d(lat).astype(float)
    return (
        lat[:, None] + length / 2 * np.array([-1.0, -1, 1, 1]),
        lon[:, None] + width / 2 * np.array([-1.0, 1, 1, -1]),
    )


def laea_pixels(x, y, width=5000.0, length=7000.0, turn=0.3):
    """Corners [degrees] of pixels that are rectangles in EPSG:3035."""
    u, v = width / 2 * np.array([-1.0, 1, 1, -1]), length / 2 * np.array([-1.0, -1, 1, 1])
    px = np.atleast_1d(x)[:, None] + u * np.cos(turn) - v * np.sin(turn)
    py = np.atleast_1d(y)[:, None] + u * np.sin(turn) + v * np.cos(turn)
    lon, lat = to_degrees().transform(px, py)
    return lat, lon


def row_sums(weights):
    return np.asarray(weights.matrix.sum(axis=1)).ravel()


# --- rows of the operator ---------------------------------------------------------------------


@quick
@given(quadrilaterals())
def test_rows_of_pixels_inside_sum_to_one(corners):
    """A pixel wholly inside is covered to 1, to round-off, on latitude/longitude too."""
    x, y = corners
    weights = footprint_weights(y[None], x[None], DEGREE_GRID)
    inside = np.abs(x).max() < 5.0 and np.abs(y).max() < 5.0
    if inside:
        assert row_sums(weights)[0] == pytest.approx(1.0, abs=1e-12)  # sum of up to 1000 cells
    assert not weights.is_bad[0]
    assert not weights.is_outside[0]


@quick
@given(quadrilaterals(), st.integers(0, 3), st.booleans(), st.sampled_from([-360.0, 0.0, 720.0]))
def test_corner_permutation_and_turns_of_longitude_change_no_weight(corners, roll, flip, turn):
    """Identity I14: cyclic or reversed corners and 360 degrees more are the same pixel."""
    x, y = corners
    expected = footprint_weights(y[None], x[None], DEGREE_GRID).matrix.toarray()
    order = np.roll(np.arange(4), roll)[:: -1 if flip else 1]
    found = footprint_weights(y[order][None], x[order][None] + turn, DEGREE_GRID).matrix.toarray()
    # 720 + 3 degrees resolve 1e-13, cells of 0.1 degree; weights of about 0.01 are good to 1e-11
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11)


@quick
@given(quadrilaterals(scale=2.5))
def test_partial_coverage_is_the_area_share_of_shapely(corners):
    """A pixel over the rim of an equal-area grid is covered by the share that shapely finds."""
    x, y = 1e3 * corners[0], 1e3 * corners[1]
    grid = RectilinearGrid(
        4_321_000.0 + 1e3 * np.arange(-4.0, 5.0),
        3_210_000.0 + 1e3 * np.arange(-4.0, 5.0),
        "EPSG:3035",
    )
    lon, lat = to_degrees().transform(4_321_000.0 + x, 3_210_000.0 + y)
    weights = footprint_weights(lat[None], lon[None], grid)
    polygon = shapely.Polygon(np.stack(project(lon, lat, grid), axis=1))
    rim = shapely.box(grid.x_edges[0], grid.y_edges[0], grid.x_edges[-1], grid.y_edges[-1])
    share = polygon.intersection(rim).area / polygon.area
    # 1e-8: shapely cuts at coordinates of 4e6 m, which resolve 1e-9 m of 1 km
    assert row_sums(weights)[0] == pytest.approx(share, abs=1e-8)


def test_constant_field_stays_constant():
    """The mean of a constant field is that constant, whatever the pixel."""
    rng = np.random.default_rng(0)
    lat, lon = laea_pixels(rng.uniform(3.2e6, 4.1e6, 50), rng.uniform(2.2e6, 3.4e6, 50))
    weights = footprint_weights(lat, lon, domain_grid())
    mean, coverage = apply_weights(weights, np.full((720 * 592, 2), 7.5))
    np.testing.assert_allclose(mean, 7.5, rtol=1e-14)  # a few ulp of a weighted mean
    np.testing.assert_allclose(coverage, 1.0, rtol=1e-12)  # sum of weights


def test_linear_field_gives_the_value_at_the_centroid_in_the_projected_plane():
    """The area mean of a linear field over whole cells of it is its value at the centroid."""
    # Pixels aligned with 2 km cells, so that the piecewise constant field is the linear one.
    x0, y0 = 4_000_000.0 + 8000.0 * np.arange(6), 3_000_000.0 + 4000.0 * np.arange(6)
    lat, lon = laea_pixels(x0 + 3000.0, y0 + 4000.0, 6000.0, 8000.0, turn=0.0)
    grid = domain_grid()
    field = 2.0 + 1e-6 * grid.x[None, :] - 3e-6 * grid.y[:, None]
    mean, _ = apply_weights(footprint_weights(lat, lon, grid), field.reshape(-1, 1))
    expected = 2.0 + 1e-6 * (x0 + 3000.0) - 3e-6 * (y0 + 4000.0)
    np.testing.assert_allclose(mean[:, 0], expected, rtol=1e-9)  # projection and back: 1e-8 m


def test_rotated_pixel_over_a_linear_field_is_its_centroid_to_a_cell():
    """A tilted pixel samples a smooth field at its centroid, to the field's change in a cell."""
    lat, lon = laea_pixels([4_001_234.0], [3_004_321.0], 12_000.0, 7000.0, turn=0.7)
    grid = domain_grid()
    field = (grid.x[None, :] - 4e6) * 1e-3 + 0 * grid.y[:, None]
    mean, _ = apply_weights(footprint_weights(lat, lon, grid), field.reshape(-1, 1))
    assert mean[0, 0] == pytest.approx(1.234, abs=0.3)  # cells are 2 km wide, errors average out


def test_cells_on_latitude_longitude_are_weighted_by_their_true_area():
    """Two equal boxes in degrees count by sin(top) - sin(bottom), 8 % apart at 60 N per 5 deg."""
    grid = RectilinearGrid(np.array([0.0, 0.2]), np.array([59.8, 60.0, 60.2]))
    weights = footprint_weights(*pixel(0.1, 60.0, 0.2, 0.4), grid)
    sine = np.diff(np.sin(np.deg2rad([59.8, 60.0, 60.2])))
    np.testing.assert_allclose(
        weights.matrix.toarray()[0],
        sine / sine.sum(),
        rtol=1e-12,  # round-off
    )


def test_planar_weights_would_be_wrong_at_high_latitude():
    """The true-area test can fail: planar weights of one half differ by 0.3 %."""
    sine = np.diff(np.sin(np.deg2rad([59.8, 60.0, 60.2])))
    assert abs(sine[0] / sine.sum() - 0.5) > 1e-3


# --- missing cells and coverage ----------------------------------------------------------------


def test_missing_cells_do_not_take_part():
    """NaN cells lower the coverage and leave the mean of the others."""
    grid = RectilinearGrid(np.arange(3.0), np.array([-0.5, 0.5]))
    weights = footprint_weights(*pixel(1.0, 0.0, 1.0, 0.5), grid)
    mean, coverage = apply_weights(weights, np.array([[4.0], [np.nan]]))
    assert mean[0, 0] == pytest.approx(4.0, rel=1e-14)  # one cell, its weight cancels
    assert coverage[0] == pytest.approx(0.5, rel=1e-12)  # half of the pixel


def test_a_cell_is_finite_when_all_its_heights_are():
    """One missing level takes the whole cell out, so that profiles are never mixed."""
    grid = RectilinearGrid(np.arange(3.0), np.array([-0.5, 0.5]))
    weights = footprint_weights(*pixel(1.0, 0.0, 1.0, 0.5), grid)
    mean, coverage = apply_weights(weights, np.array([[4.0, 1.0], [8.0, np.nan]]))
    np.testing.assert_allclose(mean[0], [4.0, 1.0], rtol=1e-14)
    assert coverage[0] == pytest.approx(0.5, rel=1e-12)


def test_a_field_looked_through_before_gives_the_same():
    """`cell_values` only moves the search for missing cells out of the loop over blocks."""
    rng = np.random.default_rng(0)
    field = rng.normal(size=(DEGREE_GRID.shape[0] * DEGREE_GRID.shape[1], 3))
    field[rng.random(field.shape) < 0.1] = np.nan
    corners = [pixel(*rng.uniform(-4.0, 4.0, 2)) for _ in range(20)]
    lat, lon = (np.concatenate(values) for values in zip(*corners, strict=True))
    weights = footprint_weights(lat, lon, DEGREE_GRID)
    found = apply_weights(weights, cell_values(field))
    for before, now in zip(apply_weights(weights, field), found, strict=True):
        np.testing.assert_array_equal(before, now)
    assert found[1].min() < 0.9 < found[1].max()  # some cells are missing


def test_pixel_over_missing_cells_only_is_nan_with_coverage_zero():
    """No finite cell: no value and no coverage, but not outside."""
    grid = RectilinearGrid(np.arange(3.0), np.array([-0.5, 0.5]))
    weights = footprint_weights(*pixel(1.0, 0.0, 1.0, 0.5), grid)
    mean, coverage = apply_weights(weights, np.full((2, 1), np.nan))
    assert np.isnan(mean[0, 0])
    assert coverage[0] == 0.0
    assert not weights.is_outside[0]


def test_pixels_outside_are_marked():
    """A pixel beside the grid has an empty row and is outside, not bad."""
    weights = footprint_weights(*pixel([0.0, 30.0], [0.0, 0.0]), DEGREE_GRID)
    assert weights.is_outside.tolist() == [False, True]
    assert weights.is_bad.tolist() == [False, False]
    assert row_sums(weights)[1] == 0.0


def test_swath_edge_pixels_take_their_many_cells():
    """A 14 x 5.5 km pixel at the swath edge takes about its 77 km2 of 2 km cells."""
    lat, lon = laea_pixels([4_000_700.0], [3_000_300.0], 14_000.0, 5500.0, turn=0.24)
    weights = footprint_weights(lat, lon, domain_grid())
    assert 77 / 4 < weights.matrix.nnz < 45  # cells touched, more than the area over 4 km2
    assert weights.matrix.max() == pytest.approx(4.0 / 77.0, rel=1e-6)  # a whole cell inside


# --- seams and poles --------------------------------------------------------------------------


@pytest.mark.parametrize("middle", [0.0, 180.0])
def test_pixels_across_the_seam_of_a_global_fine_grid_are_whole(middle):
    """Across the antimeridian, or the meridian of a 0..360 grid, nothing is lost."""
    grid = RectilinearGrid.from_centres(
        middle + np.arange(-179.9, 180.0, 0.2), np.arange(-1.9, 2.0, 0.2)
    )
    seam = middle + 180.0
    lat, lon = pixel([seam - 0.03, seam + 0.03, seam], [0.03, 0.07, 0.0], 0.3, 0.2)
    weights = footprint_weights(lat, (lon + 180.0) % 360.0 - 180.0, grid)
    np.testing.assert_allclose(row_sums(weights), 1.0, rtol=1e-12)  # round-off
    field = np.zeros(grid.shape)
    field[:, 0] = 1.0  # the column just east of the seam
    east, _ = apply_weights(weights, field.reshape(-1, 1))
    # 0.12, 0.18, 0.15 of 0.3; 1e-8: the coordinates come from arange, good to 1e-11 degree
    np.testing.assert_allclose(east[:, 0], [0.4, 0.6, 0.5], rtol=1e-8)


def test_antimeridian_pixel_meets_a_regional_grid_beyond_it():
    """A set on 170..190 degrees serves pixels stored with longitudes near -180."""
    grid = RectilinearGrid.from_centres(np.arange(170.05, 190.0, 0.1), np.arange(-0.95, 1.0, 0.1))
    lat, lon = pixel([-179.0, 179.99], [0.0, 0.0], 0.1, 0.1)
    lon = (lon + 180.0) % 360.0 - 180.0
    weights = footprint_weights(lat, lon, grid)
    np.testing.assert_allclose(row_sums(weights), 1.0, rtol=1e-12)
    columns = weights.matrix.toarray().reshape(2, *grid.shape).sum(axis=1) @ grid.x
    np.testing.assert_allclose(columns, [181.0, 179.99], rtol=0, atol=0.06)  # half a cell


def test_raw_longitudes_would_make_a_pixel_round_the_world():
    """Unwrapped corners span 0.1 degree; averaged raw they would be at Greenwich."""
    raw = np.array([[179.95, -179.95, -179.95, 179.95]])
    unwrapped, has_pole = unwrap_longitudes(raw)
    assert np.ptp(unwrapped) == pytest.approx(0.1, rel=1e-9)  # difference of numbers near 180
    assert abs(raw.mean()) < 1e-9
    assert not has_pole[0]


def test_pixel_round_the_pole_is_bad():
    """A pixel that holds the pole has no shape in longitude and latitude: flag, not nonsense."""
    lat, lon = np.full((1, 4), 89.98), np.array([[-135.0, -45.0, 45.0, 135.0]])
    assert footprint_weights(lat, lon, GLOBAL).is_bad[0]


def test_pixel_near_the_pole_is_whole():
    """A pixel at 89 N, wide in longitude, is covered to 1."""
    weights = footprint_weights(*pixel(10.0, 89.0, 3.0, 0.05), GLOBAL)
    assert row_sums(weights)[0] == pytest.approx(1.0, abs=1e-12)  # round-off


def test_pixel_round_the_antipode_of_a_projected_set_is_outside():
    """EPSG:3035 tears the pixel at its antipode (170 W, 52 S) over the whole plane: outside."""
    weights = footprint_weights(*pixel([-170.0, -170.3], [-52.0, -52.4]), domain_grid())
    assert weights.is_outside.all()
    assert weights.matrix.nnz == 0


# --- bad corners ------------------------------------------------------------------------------


def bad_corners():
    lat, lon = pixel(np.zeros(6), np.zeros(6), 0.3, 0.2)
    lat[0, 2] = np.nan
    lon[1, 0] = np.nan
    lat[2], lon[2] = lat[2, 0], lon[2, 0]  # a point
    lat[3], lon[3] = lat[3, [0, 0, 1, 1]] + [0.0, 0.1, 0.1, 0.0], lon[3, 0]  # a line
    lat[4], lon[4] = lat[4, [0, 1, 3, 2]], lon[4, [0, 1, 3, 2]]  # a bow tie
    return lat, lon


def test_bad_corners_are_flagged_and_have_no_weights():
    """NaN corners, a point, a line, a bow tie are bad; the good pixel beside them is not."""
    weights = footprint_weights(*bad_corners(), DEGREE_GRID)
    assert weights.is_bad.tolist() == [True] * 5 + [False]
    assert (row_sums(weights)[:5] == 0).all()
    assert not weights.is_outside.any()


def test_corners_degrees_apart_are_damage():
    """A corner at 0, 0 among corners in Europe is no pixel of a thousand kilometres."""
    lat, lon = pixel([2.0, 2.0], [48.0, 48.0])
    lat[0, 2], lon[0, 2] = 0.0, 0.0
    for grid in (GLOBAL, domain_grid()):
        assert footprint_weights(lat, lon, grid).is_bad.tolist() == [True, False]


def test_corners_on_a_slanted_line_have_no_area_in_a_projected_plane():
    """Collinear corners are bad although rounding leaves them some square millimetres."""
    at = np.array([0.0, 0.3, 0.7, 1.0])
    lat, lon = laea_pixels([4e6], [3e6])
    lat, lon = (v[:, :1] + at * (v[:, 2:3] - v[:, :1]) for v in (lat, lon))
    grid = domain_grid()
    x, y = project(lon, lat, grid)
    x, y = x[:, :1] + at * np.ptp(x), y[:, :1] + at * np.ptp(y)  # straight in the plane
    back = to_degrees().transform(x, y)
    assert footprint_weights(back[1], back[0], grid).is_bad[0]


@quick
@given(quadrilaterals())
def test_crossing_quadrilaterals_are_those_of_shapely(corners):
    """Both bow ties of any convex pixel are found, the pixel itself is not."""
    x, y = corners
    for order, expected in (([0, 1, 2, 3], False), ([0, 1, 3, 2], True), ([0, 2, 1, 3], True)):
        ring = shapely.Polygon(np.stack([x[order], y[order]], axis=1))
        assert ring.is_valid is not expected
        assert crossing_quadrilaterals(x[order][None], y[order][None])[0] == expected


# --- bilinear ---------------------------------------------------------------------------------


def oracle(grid, field, lon, lat):
    """Scipy's interpolator on the grid, wrapped by one column, poles held."""
    x, values = grid.x, field
    if grid.is_periodic:
        x = np.concatenate([x[-1:] - 360.0, x, x[:1] + 360.0])
        values = np.concatenate([field[:, -1:], field, field[:, :1]], axis=1)
        lat = np.clip(lat, grid.y[0], grid.y[-1])
        lon = (lon - x[0]) % 360.0 + x[0]
    method = RegularGridInterpolator((grid.y, x), values, bounds_error=False)
    return method(np.stack([lat, lon], axis=1))


@pytest.mark.parametrize(
    "grid",
    [
        RectilinearGrid.from_centres(np.arange(-179.0, 180.0, 2.0), np.arange(-89.0, 90.0, 2.0)),
        RectilinearGrid.from_centres(np.arange(0.0, 360.0, 0.75), np.linspace(-90.0, 90.0, 241)),
        RectilinearGrid.from_centres(np.arange(-30.0, 31.0, 3.0), [-40.0, -20.0, -13.0, 5.0, 30.0]),
    ],
    ids=["TM5, cell centres", "EAC4, points on the poles", "regional, uneven latitudes"],
)
def test_bilinear_values_are_those_of_scipy(grid):
    """Everywhere on the globe, across the seam and at the poles; outside where scipy says NaN."""
    rng = np.random.default_rng(0)
    lon = np.concatenate([rng.uniform(-180, 180, 400), [180.0, -180.0, 179.99, -179.99, 0.0]])
    lat = np.concatenate([rng.uniform(-90, 90, 400), [0.0, 0.0, 90.0, -90.0, 89.99]])
    field = rng.normal(size=grid.shape)
    weights = bilinear_weights(lat, lon, grid)
    found, _ = apply_weights(weights, field.reshape(-1, 1))
    expected = oracle(grid, field, lon, lat)
    np.testing.assert_array_equal(weights.is_outside, np.isnan(expected))
    np.testing.assert_allclose(found[:, 0], expected, rtol=0, atol=1e-12)  # fractions round off


def test_bilinear_weights_sum_to_one_or_nothing():
    """Pixels inside have weights 1 in sum, outside and missing ones 0."""
    grid = RectilinearGrid.from_centres(np.arange(-10.0, 11.0), np.arange(30.0, 51.0))
    weights = bilinear_weights(np.array([40.3, 55.0, np.nan]), np.array([1.7, 0.0, 0.0]), grid)
    np.testing.assert_allclose(weights.weight.sum(axis=1), [1.0, 0.0, 0.0], rtol=1e-15)
    assert weights.is_outside.tolist() == [False, True, False]
    assert weights.is_bad.tolist() == [False, False, True]


def test_nothing_is_extrapolated_beyond_a_latitude_band():
    """A band round the globe that ends at 60 N has no values at 65 N, nor between 60 and pole."""
    grid = RectilinearGrid.from_centres(np.arange(-179.5, 180.0), np.arange(30.5, 60.0))
    weights = bilinear_weights(np.array([29.0, 45.0, 59.9, 65.0]), np.zeros(4), grid)
    assert weights.is_outside.tolist() == [True, False, True, True]


def test_nothing_is_extrapolated_beyond_the_outer_centres_of_a_region():
    """Half a cell beyond the outer centres is outside, on all four sides."""
    grid = RectilinearGrid.from_centres(np.arange(0.5, 10.0), np.arange(40.5, 50.0))
    lat = np.array([45.0, 45.0, 40.2, 49.8, 45.0])
    weights = bilinear_weights(lat, np.array([0.2, 9.8, 5.0, 5.0, 5.0]), grid)
    assert weights.is_outside.tolist() == [True, True, True, True, False]


def test_a_missing_neighbour_lowers_the_coverage_of_a_bilinear_pixel():
    """A NaN among the four centres is left out, and its weight from the coverage."""
    grid = RectilinearGrid.from_centres([0.0, 1.0], [0.0, 1.0])
    weights = bilinear_weights(np.array([0.25]), np.array([0.0]), grid)
    mean, coverage = apply_weights(weights, np.array([[2.0], [3.0], [np.nan], [5.0]]))
    assert mean[0, 0] == 2.0
    assert coverage[0] == 0.75


def test_fine_sets_get_footprints_and_coarse_ones_bilinear_weights():
    """docs/equations.md 4.3: the set's own spacing decides."""
    lat, lon = pixel(0.0, 0.0)
    coarse = RectilinearGrid.from_centres(np.arange(-2.0, 3.0), np.arange(-2.0, 3.0))
    fine = weights_for(lat.mean(1), lon.mean(1), lat, lon, DEGREE_GRID)
    assert hasattr(fine, "matrix")
    assert hasattr(weights_for(lat.mean(1), lon.mean(1), lat, lon, coarse), "weight")
