"""Rectilinear grids: edges, centres, true areas, periodicity, the domain."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.errors import AprioriError
from retrieval.physics.geometry.grids import (
    EUROPE_PLANE,
    RectilinearGrid,
    domain_grid,
    edges_midway,
)


def test_edges_lie_midway_on_a_non_uniform_axis():
    """Edges are means of neighbours; the outer ones mirror the first and last half step."""
    assert edges_midway([0.0, 1.0, 3.0, 4.0]).tolist() == [-0.5, 0.5, 2.0, 3.5, 4.5]


def test_float32_axis_gets_uniform_edges():
    """The rounding of float32 coordinates does not show in the edges.

    Layout: docs/formats.md 4.2: 0.1 degree.
    """
    axis = np.arange(-24.95, 45.0, 0.1).astype("f4")
    steps = np.diff(edges_midway(axis))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)  # no noise of 1e-5 of float32 left


@pytest.mark.parametrize("axis", [[1.0], [], [1.0, 1.0], [2.0, 1.0], [[1.0, 2.0]], [0.0, np.nan]])
def test_unusable_axes_are_refused(axis):
    """An axis of one value, not ascending, two-dimensional or with NaN is an error."""
    with pytest.raises(AprioriError, match="Invalid coordinate axis"):
        edges_midway(axis)


@pytest.mark.parametrize("axis", [[1.0], [2.0, 1.0], [0.0, np.nan, 2.0]])
def test_unusable_edges_are_refused(axis):
    """Edges that do not ascend are an error of the caller."""
    with pytest.raises(ValueError, match="Invalid x_edges"):
        RectilinearGrid(np.array(axis), np.array([0.0, 1.0]))


def test_cell_areas_on_the_sphere_are_analytic():
    """The cells of a global grid sum to the 4 pi of the sphere, and a cap to 2 pi (1 - sin)."""
    grid = RectilinearGrid.from_centres(np.arange(0.5, 360.0), np.arange(-89.5, 90.0))
    planar = np.diff(grid.y_edges)[:, None] * np.diff(grid.x_edges)
    true = planar * grid.row_area_factor[:, None]
    assert true.sum() == pytest.approx(4 * np.pi, rel=1e-12)  # float64 round-off
    cap = true[grid.y_edges[:-1] >= 60.0].sum()
    assert cap == pytest.approx(2 * np.pi * (1 - np.sin(np.pi / 3)), rel=1e-12)


def test_projected_cells_have_their_planar_area():
    """In an equal-area plane nothing is weighted."""
    assert (domain_grid().row_area_factor == 1.0).all()


def test_grid_with_points_on_the_poles_ends_there():
    """EAC4 has points at 90 degrees: edges stop at the poles, centres stay at the coordinates."""
    grid = RectilinearGrid.from_centres(np.arange(0.0, 360.0, 0.75), np.linspace(-90, 90, 241))
    assert (grid.y_edges[0], grid.y_edges[-1]) == (-90.0, 90.0)
    np.testing.assert_allclose(grid.y, np.linspace(-90, 90, 241), rtol=0, atol=1e-12)  # round-off


def test_centres_of_a_non_uniform_axis_are_the_coordinates():
    """Interpolation must place values at their coordinates, not midway between edges."""
    grid = RectilinearGrid.from_centres([0.0, 1.0, 3.0], [10.0, 11.0, 14.0, 15.0])
    assert grid.x.tolist() == [0.0, 1.0, 3.0]
    part = grid.crop(slice(1, 3), slice(0, 2))
    assert (part.x.tolist(), part.y.tolist()) == ([0.0, 1.0], [11.0, 14.0])


@pytest.mark.parametrize(
    ("first", "last", "step", "expected"),
    [(-179.5, 180.0, 1.0, True), (0.0, 360.0, 0.75, True), (0.0, 359.0, 1.0, False)],
)
def test_periodic_grids_close_the_circle(first, last, step, expected):
    """Only longitudes that close the circle are periodic."""
    grid = RectilinearGrid.from_centres(np.arange(first, last, step), [0.0, 1.0])
    assert grid.is_periodic is expected


@pytest.mark.parametrize(("step", "is_fine"), [(0.1, True), (0.2, True), (0.25, False), (1, False)])
def test_sets_finer_than_a_quarter_degree_are_averaged(step, is_fine):
    """docs/equations.md 4.3: exact overlap below 0.25 degree, bilinear from there on."""
    axis = np.arange(0.0, 10.0, step)
    assert RectilinearGrid.from_centres(axis, axis).is_fine is is_fine


@pytest.mark.parametrize(("step", "is_fine"), [(2e3, True), (27.7e3, True), (27.9e3, False)])
def test_projected_sets_have_the_same_limit_in_metres(step, is_fine):
    """A quarter of a degree of latitude is 27.8 km."""
    axis = 4e6 + step * np.arange(12)
    assert RectilinearGrid.from_centres(axis, axis - 1e6, crs=EUROPE_PLANE).is_fine is is_fine


def test_a_cropped_grid_keeps_its_edges_and_crs():
    """A window of a grid has the same edges, bit for bit."""
    grid = domain_grid()
    part = grid.crop(slice(10, 20), slice(5, 8))
    assert part.shape == (10, 3)
    assert part.crs == grid.crs
    np.testing.assert_array_equal(part.x_edges, grid.x_edges[5:9])
    np.testing.assert_array_equal(part.y_edges, grid.y_edges[10:21])


def test_domain_has_the_documented_cells():
    """EPSG:3035, x 3072..4256 km, y 2096..3536 km; 592 x 720, 148 x 180, 74 x 90, nested."""
    fine, middle, coarse = (domain_grid(s) for s in (2000.0, 8000.0, 16000.0))
    assert (fine.shape, middle.shape, coarse.shape) == ((720, 592), (180, 148), (90, 74))
    assert fine.x_edges[[0, -1]].tolist() == [3_072_000.0, 4_256_000.0]
    assert fine.y_edges[[0, -1]].tolist() == [2_096_000.0, 3_536_000.0]
    assert set(coarse.x_edges) <= set(middle.x_edges) <= set(fine.x_edges)
