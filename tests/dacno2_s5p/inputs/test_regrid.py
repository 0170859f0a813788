"""Operators to the model grid: exact where they must be, refused where the source ends."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs import regrid
from retrieval.physics.geometry.grids import RectilinearGrid
from tests.builders.source_files import GRID

CELLS = GRID.cells(8)
SOURCE = RectilinearGrid.from_centres(np.arange(0.0, 4.6, 0.25), np.arange(46.5, 49.6, 0.25))


def block(operator, values):
    return values[..., operator.rows, operator.columns]


def test_bilinear_is_exact_for_bilinear_fields():
    """A + b x + c y + d x y in degrees comes out at the centres' own degrees."""
    x, y = np.meshgrid(SOURCE.x, SOURCE.y)
    operator = regrid.bilinear(SOURCE, CELLS, "a field")
    found = operator.apply(block(operator, np.stack([x, 2 * y - 0.3 * x * y])))
    cx, cy = regrid.centres_in(CELLS, "EPSG:4326")
    # float64 round-off of coordinates of 50 degrees
    np.testing.assert_allclose(found[0], cx, atol=1e-10)
    np.testing.assert_allclose(found[1], 2 * cy - 0.3 * cx * cy, atol=1e-10)


def test_conservative_is_the_area_mean():
    """A fine source averaged conservatively is what many points in each cell average to."""
    fine = RectilinearGrid(np.arange(0.0, 4.6, 0.1), np.arange(46.5, 49.6, 0.1))
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 1, fine.shape)
    operator = regrid.conservative(fine, CELLS, "a field")
    found = operator.apply(block(operator, values))
    n = 80
    offsets = (np.arange(n) + 0.5) / n * 16_000.0
    for row, column in ((0, 0), (3, 5), (7, 7)):
        x, y = np.meshgrid(CELLS.x_edges[column] + offsets, CELLS.y_edges[row] + offsets)
        lon, lat = regrid.transform_points(x, y, CELLS.crs, "EPSG:4326")
        i = np.searchsorted(fine.y_edges, lat) - 1
        j = np.searchsorted(fine.x_edges, lon) - 1
        # 6400 points: each edge cell is off by at most a row of points, a few 1e-4 of the mean
        np.testing.assert_allclose(found[row, column], values[i, j].mean(), atol=3e-3)


def test_conservative_weights_are_true_areas():
    """Over a cell of one degree the northern parts of a source count less: its mean latitude."""
    rows = RectilinearGrid(np.array([0.0, 4.6]), np.arange(46.5, 49.6, 0.02))
    degree = RectilinearGrid(np.array([1.0, 2.0]), np.array([47.0, 48.0]))
    operator = regrid.conservative(rows, degree, "a field")
    found = operator.apply(block(operator, rows.y[:, None]))[0, 0]
    latitudes = np.linspace(47.0, 48.0, 10_001)
    expected = np.average(latitudes, weights=np.cos(np.deg2rad(latitudes)))
    # without areas the mean is 47.5, 1.6e-3 more
    assert found == pytest.approx(expected, abs=1e-5)


def test_weights_sum_to_one():
    """A constant stays the constant under both operators."""
    for build in (regrid.bilinear, regrid.conservative):
        operator = build(SOURCE, CELLS, "a field")
        found = operator.apply(block(operator, np.full(SOURCE.shape, 7.0)))
        np.testing.assert_allclose(found, 7.0, rtol=1e-12)  # float64 sums


def test_a_missing_value_reaches_only_the_cells_that_need_it():
    """NaN is never averaged away, and never spreads over zero weights."""
    values = np.ones(SOURCE.shape)
    lon, lat = regrid.centres_in(CELLS, "EPSG:4326")
    row, column = np.abs(SOURCE.y - lat.mean()).argmin(), np.abs(SOURCE.x - lon.mean()).argmin()
    values[row, column] = np.nan
    operator = regrid.conservative(SOURCE, CELLS, "a field")
    touched = ~np.isfinite(operator.apply(block(operator, values)))
    assert 0 < touched.sum() < touched.size


@pytest.mark.parametrize("build", [regrid.bilinear, regrid.conservative])
def test_a_source_that_ends_inside_the_grid_is_refused(build):
    """Nothing is extrapolated: the message gives both extents."""
    short = SOURCE.crop(slice(0, 7), slice(0, None))
    with pytest.raises(DataError, match="must cover the grid"):
        build(short, CELLS, "a field")


def test_a_northward_wind_blows_along_the_meridian():
    """After turning, a wind to the north leads to where north lies on the grid."""
    angle = regrid.north_angle(CELLS)
    u, v = regrid.rotate_to_axes(np.zeros(CELLS.shape), np.ones(CELLS.shape), angle)
    lon, lat = regrid.centres_in(CELLS, "EPSG:4326")
    x0, y0 = regrid.transform_points(lon, lat, "EPSG:4326", CELLS.crs)
    x1, y1 = regrid.transform_points(lon, lat + 0.01, "EPSG:4326", CELLS.crs)
    length = np.hypot(x1 - x0, y1 - y0)
    # a meridian curves by less than 1e-4 over a tenth of a degree
    np.testing.assert_allclose(u, (x1 - x0) / length, atol=1e-4)
    np.testing.assert_allclose(v, (y1 - y0) / length, atol=1e-4)
    assert np.abs(u).min() > 0.05


def test_other_methods_are_refused():
    """Land cover's mode is no operator on fields."""
    with pytest.raises(ValueError, match="bilinear or conservative"):
        regrid.build("mode", SOURCE, CELLS, "a field")
