"""Exact overlap areas of polygons and cells, against shapely and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from retrieval.physics.geometry import overlap as overlap_module
from retrieval.physics.geometry.overlap import overlap_areas, polygon_area
from tests.builders.strategies import edges, quick, simple_polygons


def dense(result, n_polygon, shape):
    """Areas as (polygon, row, column)."""
    areas = np.zeros((n_polygon, *shape))
    owner = np.repeat(np.arange(n_polygon), np.diff(result.indptr))
    np.add.at(areas, (owner, result.row, result.column), result.area)
    return areas


def one(x, y, x_edges, y_edges):
    """Areas of one polygon as (row, column)."""
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    x_edges, y_edges = np.asarray(x_edges, dtype=float), np.asarray(y_edges, dtype=float)
    found = overlap_areas(x[None], y[None], x_edges, y_edges)
    return dense(found, 1, (y_edges.size - 1, x_edges.size - 1))[0]


def shapely_areas(x, y, x_edges, y_edges):
    """Clip every cell with the polygon: the oracle, slow and obvious."""
    polygon = shapely.Polygon(np.stack([x, y], axis=1))
    x0, y0 = np.meshgrid(x_edges[:-1], y_edges[:-1])
    x1, y1 = np.meshgrid(x_edges[1:], y_edges[1:])
    return shapely.area(shapely.intersection(shapely.box(x0, y0, x1, y1), polygon))


@quick
@given(simple_polygons(), edges(), edges())
def test_any_simple_polygon_agrees_with_shapely(corners, x_edges, y_edges):
    """Every cell of a non-uniform grid gets the area that shapely clips, to 1e-9 of the polygon."""
    x, y = corners
    expected = shapely_areas(x, y, x_edges, y_edges)
    found = one(x, y, x_edges, y_edges)
    # 1e-9 of the polygon: both sides lose some 1e-13 where edges are cut
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * abs(area_of(x, y)))


@quick
@given(simple_polygons(), edges(), edges(), st.integers(1, 8))
def test_orientation_and_first_corner_do_not_matter(corners, x_edges, y_edges, shift):
    """Reversed and cyclically permuted corners give the same areas."""
    x, y = corners
    expected = one(x, y, x_edges, y_edges)
    for order in (np.roll(np.arange(x.size), shift), np.arange(x.size)[::-1]):
        found = one(x[order], y[order], x_edges, y_edges)
        # 1e-12 of the polygon: sums in another order
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * abs(area_of(x, y)))


@quick
@given(simple_polygons(centre=1.0, radius=4.0), edges(-3.0, 3.0), edges(-3.0, 3.0))
def test_areas_of_a_polygon_inside_sum_to_its_area(corners, x_edges, y_edges):
    """With cells all round it a polygon's areas sum to its own area."""
    x, y = corners
    x_edges = np.concatenate([[-20.0], x_edges, [20.0]])
    y_edges = np.concatenate([[-20.0], y_edges, [20.0]])
    total = one(x, y, x_edges, y_edges).sum()
    assert total == pytest.approx(abs(area_of(x, y)), rel=1e-12)  # float64 round-off


def area_of(x, y):
    """Signed shoelace area of one polygon."""
    return polygon_area(np.asarray(x)[None], np.asarray(y)[None])[0]


def test_signed_area_tells_orientation():
    """Counter-clockwise corners have a positive area, clockwise ones a negative one."""
    x, y = np.array([0.0, 3.0, 3.0, 0.0]), np.array([0.0, 0.0, 2.0, 2.0])
    assert area_of(x, y) == 6.0
    assert area_of(x[::-1], y[::-1]) == -6.0


def test_area_of_metres_in_the_millions_keeps_its_digits():
    """A 5 x 7 km pixel in EPSG:3035 coordinates loses nothing to the size of its coordinates."""
    x = 4_123_456.0 + np.array([0.0, 5000.0, 5000.0, 0.0])
    y = 3_456_789.0 + np.array([0.0, 0.0, 7000.0, 7000.0])
    assert area_of(x, y) == 35e6


def test_rectangle_in_cells_by_hand():
    """A 2 x 1 rectangle over unit cells takes 0.25, 0.5, 0.25 of each of two rows."""
    found = one([0.5, 2.5, 2.5, 0.5], [0.5, 0.5, 1.5, 1.5], range(5), range(4))
    expected = np.zeros((3, 4))
    expected[:2, :3] = [0.25, 0.5, 0.25]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-15)  # sums of exact halves


def test_triangle_in_a_cell_by_hand():
    """The triangle below x + y = 1 takes half a unit cell, and nothing of its neighbours."""
    found = one([0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 1.0, 2.0], [-1.0, 0.0, 1.0, 2.0])
    expected = np.zeros((3, 3))
    expected[1, 1] = 0.5
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("dx", "dy"), [(10, 0), (-10, 0), (0, 10), (0, -10), (10, 10)])
def test_polygon_outside_has_no_cells(dx, dy):
    """A polygon beside, above or below the grid has no entries."""
    x, y = np.array([[0.1, 1.9, 1.9, 0.1]]) + dx, np.array([[0.1, 0.1, 1.9, 1.9]]) + dy
    found = overlap_areas(x, y, np.arange(4.0), np.arange(4.0))
    assert found.area.size == 0
    assert found.indptr.tolist() == [0, 0]


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (-2, 0), (0, 3), (0, -2)])
def test_polygon_touching_the_grid_has_no_area_in_it(dx, dy):
    """A polygon that shares only a side with the grid gets none of its cells."""
    found = one(
        np.array([0.0, 2.0, 2.0, 0.0]) + dx, np.array([0.0, 0, 2, 2]) + dy, range(4), range(4)
    )
    assert found.sum() == 0.0


def test_polygon_partly_outside_counts_its_inner_part_only():
    """A polygon over the corner of the grid gets a quarter of its area."""
    found = one([2.0, 4.0, 4.0, 2.0], [2.0, 2.0, 4.0, 4.0], range(4), range(4))
    assert found.sum() == 1.0
    assert found[2, 2] == 1.0


def test_polygon_on_cell_edges_is_the_cells():
    """A polygon whose sides lie on cell edges gets whole cells and nothing else."""
    found = one([1.0, 3.0, 3.0, 1.0], [1.0, 1.0, 2.0, 2.0], range(5), range(5))
    expected = np.zeros((4, 4))
    expected[1, 1:3] = 1.0
    np.testing.assert_array_equal(found, expected)


def test_tiny_polygon_in_a_cell_keeps_its_area():
    """A polygon a million times smaller than its cell keeps its area."""
    x, y = 0.5 + 1e-6 * np.array([0.0, 1, 1, 0]), 0.5 + 1e-6 * np.array([0.0, 0, 1, 1])
    found = one(x, y, range(3), range(3))
    assert found[0, 0] == pytest.approx(1e-12, rel=1e-9)  # corners near 0.5 resolve 1e-16 of 1e-6
    assert np.count_nonzero(found) == 1


def test_huge_polygon_covers_every_cell_wholly():
    """A polygon a thousand times larger than the grid covers each cell to its own area."""
    x_edges, y_edges = np.array([0.0, 0.1, 1.0, 3.0]), np.array([-2.0, 0.0, 0.5])
    found = one([-5e3, 5e3, 5e3, -5e3], [-5e3, -4e3, 5e3, 5e3], x_edges, y_edges)
    expected = np.diff(y_edges)[:, None] * np.diff(x_edges)
    np.testing.assert_allclose(found, expected, rtol=1e-9)  # heights of 5e3 against cells of 0.1


def test_near_vertical_sides_do_not_lose_area():
    """Sides a nanometre from vertical at x = 4 000 km do not spoil the areas."""
    x = 4e6 + np.array([0.0, 5000.0, 5000.0 + 1e-9, 1e-9])
    y = 3e6 + np.array([0.0, 0.0, 7000.0, 7000.0])
    x_edges, y_edges = 4e6 + np.arange(-2e3, 9e3, 2e3), 3e6 + np.arange(-2e3, 11e3, 2e3)
    assert one(x, y, x_edges, y_edges).sum() == pytest.approx(35e6, rel=1e-12)  # round-off


def test_polygons_are_independent_of_their_neighbours():
    """Many polygons at once give what each gives alone, in order, across chunk borders."""
    rng = np.random.default_rng(0)
    n = 9
    angle = np.sort(rng.uniform(0, 2 * np.pi, (n, 5)), axis=1)
    x = rng.uniform(-1, 6, (n, 1)) + np.cos(angle)
    y = rng.uniform(-1, 6, (n, 1)) + np.sin(angle)
    axis = np.arange(6.0)
    together = dense(overlap_areas(x, y, axis, axis), n, (5, 5))
    for i in range(n):
        np.testing.assert_array_equal(together[i], one(x[i], y[i], axis, axis))


def test_chunks_change_nothing(monkeypatch):
    """The same bits come out whatever the number of polygons treated at once."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 5, (11, 1)) + np.array([0.0, 1.3, 1.1, -0.2])
    y = rng.uniform(0, 5, (11, 1)) + np.array([0.0, 0.1, 1.2, 1.0])
    axis = np.arange(7.0)
    whole = overlap_areas(x, y, axis, axis)
    monkeypatch.setattr(overlap_module, "CHUNK", 3)
    for expected, found in zip(whole, overlap_areas(x, y, axis, axis), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_no_polygons_give_no_rows():
    """An empty block of pixels is an empty result, not an error."""
    found = overlap_areas(np.zeros((0, 4)), np.zeros((0, 4)), np.arange(3.0), np.arange(3.0))
    assert found.indptr.tolist() == [0]
    assert found.area.size == 0
