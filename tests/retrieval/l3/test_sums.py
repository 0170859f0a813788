"""Gridding: exact overlap against an oracle, identities, order, poles and the antimeridian."""

from __future__ import annotations

import shutil
import subprocess

import netCDF4
import numpy as np
import pytest
from shapely import Polygon, box

from retrieval.l3 import sums as module
from retrieval.l3.cells import parse_cell, regular_grid
from retrieval.l3.pixels import read_pixels
from retrieval.l3.sums import Sums, Weighting, weighted_mean
from retrieval.physics.geometry.footprint import footprint_weights
from retrieval.physics.geometry.grids import (
    RectilinearGrid,
    cell_areas,
    domain_grid,
    project,
    same_grid,
    unproject,
)
from tests.builders.orbit_builder import build_orbit

PLANE = RectilinearGrid(
    np.arange(3_700_000.0, 3_800_001.0, 10_000.0), np.arange(2_800_000.0, 2_880_001.0, 10_000.0),
    "EPSG:3035",
)  # fmt: skip
DEGREES = RectilinearGrid(np.arange(0.0, 4.01, 0.5), np.arange(46.0, 49.01, 0.5))


def _lattice(grid: RectilinearGrid, n_row: int, n_column: int, seed: int = 0):
    """Skewed quadrilaterals that tile a grid exactly: corners [degree], in rows."""
    rng = np.random.default_rng(seed)
    x = np.linspace(grid.x_edges[0], grid.x_edges[-1], n_column + 1)
    y = np.linspace(grid.y_edges[0], grid.y_edges[-1], n_row + 1)
    xx, yy = np.meshgrid(x, y)
    inner = (slice(1, -1), slice(1, -1))
    xx[inner] += 0.3 * (x[1] - x[0]) * rng.uniform(-1, 1, xx[inner].shape)
    yy[inner] += 0.3 * (y[1] - y[0]) * rng.uniform(-1, 1, yy[inner].shape)
    lon, lat = unproject(xx, yy, grid)

    def corners(a):
        quads = [a[:-1, :-1], a[:-1, 1:], a[1:, 1:], a[1:, :-1]]
        return np.stack(quads, axis=-1).reshape(-1, 4)

    return corners(lat), corners(lon)


def _pixels(n: int, seed: int = 0):
    """Separate tilted pixels over PLANE, some across its edge."""
    rng = np.random.default_rng(seed)
    x0 = rng.uniform(3_690_000, 3_805_000, n)[:, None]
    y0 = rng.uniform(2_790_000, 2_885_000, n)[:, None]
    x = x0 + np.array([0.0, 9_000, 7_500, -1_800]) * rng.uniform(0.5, 1.5, n)[:, None]
    y = y0 + np.array([0.0, 1_200, 6_500, 5_000])
    lon, lat = unproject(x, y, PLANE)
    return lat, lon, rng.normal(3e-5, 2e-5, (n, 2))


def _sums(grid, lat, lon, values, weighting=Weighting.OVERLAP) -> Sums:
    names = ("TM5", "DACNO2", "CAMS")[: values.shape[1]]
    sums = Sums(grid, names, weighting)
    sums.add(lat, lon, values)
    return sums


@pytest.mark.parametrize("weighting", list(Weighting))
def test_sums_agree_with_shapely(weighting):
    """Weights, weighted sums, counts and coverage agree with polygon clipping by shapely."""
    lat, lon, values = _pixels(60)
    sums = _sums(PLANE, lat, lon, values, weighting)
    polygons = [
        Polygon(np.column_stack(project(o, a, PLANE))) for o, a in zip(lon, lat, strict=True)
    ]
    weight, weighted, count = (
        np.zeros(PLANE.shape),
        np.zeros((2, *PLANE.shape)),
        np.zeros(PLANE.shape),
    )
    for i, j in np.ndindex(PLANE.shape):
        cell = box(
            PLANE.x_edges[j], PLANE.y_edges[i], PLANE.x_edges[j + 1], PLANE.y_edges[i + 1]
        )  # fmt: skip
        for polygon, value in zip(polygons, values, strict=True):
            shared = polygon.intersection(cell).area
            w = shared / polygon.area if weighting is Weighting.SHARP else shared
            weight[i, j] += w
            weighted[:, i, j] += w * value
            count[i, j] += shared > 0
    # float64 areas of metres in the millions: shapely's own round-off is 1e-9 of a pixel
    np.testing.assert_allclose(sums.weight, weight, rtol=1e-7, atol=1e-7 * weight.max())
    np.testing.assert_allclose(sums.weighted, weighted, rtol=1e-7, atol=1e-7 * weighted.max())
    assert np.array_equal(sums.count, count)
    if weighting is Weighting.OVERLAP:
        np.testing.assert_allclose(sums.coverage, weight / 1e8, rtol=1e-7, atol=1e-9)


@pytest.mark.skipif(shutil.which("harpconvert") is None, reason="HARP is not installed")
def test_means_agree_with_harp(tmp_path):
    """The means of an orbit are those of `bin_spatial` of HARP, in the same cells."""
    orbit = build_orbit(tmp_path, n_scanline=40, n_ground_pixel=36)
    grid = RectilinearGrid(np.linspace(-2.0, 6.0, 81), np.linspace(45.0, 51.0, 61))
    column = "tropospheric_NO2_column_number_density"
    operations = f"{column}_validity>75;bin_spatial(61,45,0.1,81,-2,0.1)"
    target = tmp_path / "harp.nc"
    subprocess.run(["harpconvert", "-a", operations, orbit.path, target], check=True)
    with netCDF4.Dataset(target) as file:
        expected = np.ma.filled(file[column][0], np.nan)
    pixels = read_pixels(orbit.path, grid, ["TM5"])
    found = _sums(grid, pixels.latitude_bounds, pixels.longitude_bounds, pixels.values).mean[0]
    assert np.isfinite(found).sum() > 100
    assert np.array_equal(np.isfinite(found), np.isfinite(expected))
    scale = np.nanmean(np.abs(expected))
    # HARP clips with single precision near the corners of cells: 5e-7 seen
    np.testing.assert_allclose(found, expected, atol=5e-6 * scale)


def test_gridding_conserves_the_amount():
    """I15: the cells' areas times means sum to the pixels' areas times columns, fully covered."""
    lat, lon = _lattice(DEGREES, 9, 13)
    values = np.random.default_rng(1).normal(3e-5, 2e-5, (lat.shape[0], 1))
    sums = _sums(DEGREES, lat, lon, values)
    np.testing.assert_allclose(sums.coverage, 1.0, rtol=1e-12)  # float64 round-off
    area = footprint_weights(lat, lon, DEGREES).area
    total = (cell_areas(DEGREES) * sums.mean[0]).sum()
    assert total == pytest.approx((area * values[:, 0]).sum(), rel=1e-10)


def test_gridding_conserves_what_lies_inside():
    """I15 in a plane, partly covered: covered areas times means are what pixels have inside."""
    lat, lon, values = _pixels(150)
    sums = _sums(PLANE, lat, lon, values)
    weights = footprint_weights(lat, lon, PLANE)
    inside = weights.area * weights.matrix.sum(axis=1)
    total = np.nansum(cell_areas(PLANE) * sums.coverage * sums.mean, axis=(1, 2))
    np.testing.assert_allclose(total, inside @ values, rtol=1e-10)


def test_constant_columns_stay_constant():
    """A field without structure has the same mean in every cell that is measured."""
    lat, lon, _ = _pixels(50)
    sums = _sums(PLANE, lat, lon, np.full((50, 1), 4e-5))
    measured = sums.weight > 0
    np.testing.assert_allclose(sums.mean[0][measured], 4e-5, rtol=1e-12)  # float64 round-off
    assert np.isnan(sums.mean[0][~measured]).all()


def test_order_of_pixels_and_batches_does_not_matter(monkeypatch):
    """Any order and any split into batches gives the same sums to round-off."""
    lat, lon, values = _pixels(200)
    whole = _sums(PLANE, lat, lon, values)
    order = np.random.default_rng(2).permutation(200)
    monkeypatch.setattr(module, "PIXELS_AT_ONCE", 7)
    parts = Sums(PLANE, ("TM5", "DACNO2"))
    for batch in np.array_split(order, 5):
        parts.merge(_sums(PLANE, lat[batch], lon[batch], values[batch]))
    # sums of some 20 terms in float64
    np.testing.assert_allclose(parts.weighted, whole.weighted, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(parts.weight, whole.weight, rtol=1e-12, atol=1e-6)
    assert np.array_equal(parts.count, whole.count)
    assert parts.n_pixel == whole.n_pixel == 200


def test_masking_before_gridding_is_gridding_masked_products():
    """I19: each product gridded alone over the common pixels has the same sums, exactly."""
    lat, lon, values = _pixels(80)
    mask = np.random.default_rng(3).random(80) > 0.4
    both = _sums(PLANE, lat[mask], lon[mask], values[mask])
    for i in range(2):
        alone = _sums(PLANE, lat[mask], lon[mask], values[mask][:, i : i + 1])
        assert np.array_equal(alone.count, both.count)
        assert np.array_equal(alone.weight, both.weight)
        assert np.array_equal(alone.weighted[0], both.weighted[i])


def test_a_missing_product_is_refused():
    """A pixel with one product missing never enters: masks of products cannot differ."""
    lat, lon, values = _pixels(5)
    values[2, 1] = np.nan
    with pytest.raises(ValueError, match="Every pixel needs a finite value of each of TM5, DACNO2"):
        _sums(PLANE, lat, lon, values)


def test_sharp_weights_count_pixels_not_area():
    """Two pixels inside one cell: by overlap the larger counts more, sharp both alike."""
    grid = RectilinearGrid(np.array([0.0, 10.0]), np.array([0.0, 10.0]))
    lon = np.array([[1.0, 5, 5, 1], [5.0, 6, 6, 5]])
    lat = np.array([[0.0, 0, 3, 3], [0.0, 0, 1, 1]])
    values = np.array([[1.0], [5.0]])
    by_area = _sums(grid, lat, lon, values).mean[0, 0, 0]
    sharp = _sums(grid, lat, lon, values, Weighting.SHARP).mean[0, 0, 0]
    assert by_area == pytest.approx((12 * 1 + 1 * 5) / 13)
    assert sharp == pytest.approx(3.0)


def test_antimeridian_is_no_edge():
    """Pixels across 180 degrees give the same sums as the same pixels elsewhere."""
    here = RectilinearGrid(np.arange(0.0, 4.01, 0.5), DEGREES.y_edges)
    there = RectilinearGrid(np.arange(178.0, 182.01, 0.5), DEGREES.y_edges)
    lat, lon = _lattice(here, 6, 9)
    values = np.random.default_rng(4).normal(3e-5, 1e-5, (lat.shape[0], 1))
    moved = (lon + 178.0 + 180.0) % 360.0 - 180.0
    assert (np.ptp(moved, axis=1) > 300).any()
    # longitudes lose digits when they are moved: 3e-14 of 180 over a cell of 0.5
    expected = _sums(here, lat, lon, values)
    found = _sums(there, lat, moved, values)
    np.testing.assert_allclose(found.weighted, expected.weighted, rtol=1e-9)
    assert found.n_dropped == 0


def test_cells_at_the_pole():
    """Pixels beside a pole fill its cells; a pixel round the pole is counted as dropped."""
    grid = RectilinearGrid(np.arange(-180.0, 180.1, 30.0), np.array([88.0, 89.0, 90.0]))
    lon = np.array([[-30.0, 0, 0, -30], [0.0, 30, 30, 0], [0.0, 90, 180, 270]])
    lat = np.array([[88.0, 88, 90, 90], [88.5, 88.5, 89.5, 89.5], [89.0, 89, 89, 89]])
    sums = _sums(grid, lat, lon, np.array([[1.0], [2.0], [3.0]]))
    assert (sums.n_pixel, sums.n_dropped) == (2, 1)
    np.testing.assert_allclose(sums.coverage[:, 5], 1.0, rtol=1e-12)
    # half of each cell in latitude, by the true area that each row's factor gives
    np.testing.assert_allclose(sums.coverage[:, 6], 0.5, rtol=1e-12)
    assert sums.mean[0, 1, 5] == pytest.approx(1.0)


def test_sums_of_different_grids_are_not_added():
    """Sums on another grid or of other products are refused with both described."""
    one, other = Sums(PLANE, ("TM5",)), Sums(DEGREES, ("TM5",))
    with pytest.raises(ValueError, match="They must have one grid"):
        one.merge(other)
    assert not one.is_compatible(Sums(PLANE, ("CAMS",)))
    assert not one.is_compatible(Sums(PLANE, ("TM5",), Weighting.SHARP))


def test_regular_grids_have_round_edges():
    """Edges are multiples of the cell size and cover the box; the default is the domain."""
    grid = regular_grid(0.1, (-5.0, 42.0, 9.0, 54.0), "EPSG:4326")
    assert grid.shape == (120, 140)
    assert grid.x_edges[[0, -1]] == pytest.approx([-5.0, 9.0])
    assert same_grid(regular_grid(2000.0), domain_grid())
    part = regular_grid(2000.0, (1.2, 48.0, 3.6, 49.6))
    assert np.allclose(part.x_edges % 2000.0, 0.0)
    assert regular_grid(0.5, (170.0, -10.0, -170.0, 10.0), "EPSG:4326").shape == (40, 40)


def test_wrong_grids_are_refused():
    """Cells that do not divide the domain, empty boxes and unknown units are named."""
    with pytest.raises(ValueError, match="Given 7000 m"):
        regular_grid(7000.0)
    with pytest.raises(ValueError, match="Invalid box"):
        regular_grid(0.1, (0.0, 50.0, 1.0, 40.0), "EPSG:4326")
    for area in (None, (1.0, 47.0, 2.0, 48.0)):
        with pytest.raises(ValueError, match="at most 10,000,000 cells"):
            regular_grid(1e-6, area)
    for text in ("2", "0km", "2 miles", "-1deg"):
        with pytest.raises(ValueError, match="Invalid cell"):
            parse_cell(text)
    assert not same_grid(PLANE, DEGREES)


def test_weighted_mean_of_nothing_is_missing():
    """No weight, no value."""
    found = weighted_mean(np.array([[2.0, 0.0]]), np.array([4.0, 0.0]))
    assert found[0, 0] == 0.5
    assert np.isnan(found[0, 1])
