"""Averages over coarser cells: exact, conserving, and against polygon clipping by shapely."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import Polygon, box

from retrieval.apriori.coarsen import average, cell_weights, in_pieces
from retrieval.physics.geometry.grids import RectilinearGrid, cell_areas, project
from retrieval.physics.geometry.overlap import polygon_area

PLANE = RectilinearGrid(
    np.arange(3_700_000.0, 3_860_001.0, 2000.0), np.arange(2_800_000.0, 2_930_001.0, 2000.0),
    "EPSG:3035",
)  # fmt: skip
DEGREES = RectilinearGrid(np.linspace(1.0, 4.0, 151), np.linspace(46.0, 49.0, 151))


def _field(grid: RectilinearGrid, n_level: int = 2, seed: int = 0):
    return np.random.default_rng(seed).lognormal(1.0, 1.0, (n_level, *grid.shape))


@pytest.mark.parametrize("grid", [PLANE, DEGREES], ids=["plane", "degrees"])
@pytest.mark.parametrize("cells_per_degree", [10, 4])
def test_a_constant_field_stays(grid, cells_per_degree):
    """A field without structure keeps its value in every cell."""
    cells = cell_weights(grid, cells_per_degree)
    found = average(np.full((3, *grid.shape), 2.5), cells)
    whole = np.isfinite(found[0])
    assert whole.sum() >= 2
    np.testing.assert_allclose(found[:, whole], 2.5, rtol=1e-12)  # round-off of float64 sums


def test_the_amount_is_kept():
    """Over whole cells of longitude and latitude, areas times means sum to those of the source."""
    values = _field(DEGREES)
    cells = cell_weights(DEGREES, 2)
    found = average(values, cells)
    assert cells.grid.shape == (6, 6)
    assert np.isfinite(found).all()
    before = (values * cell_areas(DEGREES)).sum(axis=(1, 2))
    after = (found * cell_areas(cells.grid)).sum(axis=(1, 2))
    # edges nest, so that nothing but the order of float64 sums differs
    np.testing.assert_allclose(after, before, rtol=1e-12)


def test_the_amount_is_kept_in_a_plane():
    """What the cells hold is what source cells have under their outline, none twice, none lost."""
    values = _field(PLANE, 1)
    cells = cell_weights(PLANE, 10)
    found = average(values, cells).reshape(-1)
    whole = np.isfinite(found)
    shares = cells.weights.matrix.toarray() * cells.weights.area[:, None]
    used = shares[whole].sum(axis=0)
    assert (used <= 4e6 * (1 + 1e-9)).all()  # 2 km cells: no part of one is in two averages
    assert np.isclose(used, 4e6, rtol=1e-9).mean() > 0.5
    inside = (used * values.reshape(-1)).sum()
    mean_areas = cells.weights.area * cells.weights.matrix.sum(axis=1)
    assert (found * mean_areas)[whole].sum() == pytest.approx(inside, rel=1e-12)


@pytest.mark.parametrize("cells_per_degree", [10, 1])
def test_means_agree_with_shapely(cells_per_degree):
    """Means of cells are those of polygon clipping by shapely, sides followed as finely."""
    grid = PLANE if cells_per_degree == 10 else _large_plane()
    values = _field(grid, 1)[0]
    cells = cell_weights(grid, cells_per_degree)
    found = average(values[None], cells)[0]
    size, n = 1.0 / cells_per_degree, 10 // cells_per_degree
    checked = np.argwhere(np.isfinite(found))[:: max(1, np.isfinite(found).sum() // 3)]
    for i, j in checked:
        ring = _ring(cells.grid.x_edges[j], cells.grid.y_edges[i], size, n)
        outline = Polygon(np.column_stack(project(*ring, grid)))
        total, weight = 0.0, 0.0
        x_0, y_0, x_1, y_1 = outline.bounds
        for r in np.flatnonzero((grid.y_edges[1:] > y_0) & (grid.y_edges[:-1] < y_1)):
            for c in np.flatnonzero((grid.x_edges[1:] > x_0) & (grid.x_edges[:-1] < x_1)):
                e = grid.x_edges[c], grid.y_edges[r], grid.x_edges[c + 1], grid.y_edges[r + 1]
                shared = outline.intersection(box(*e)).area
                total, weight = total + shared * values[r, c], weight + shared
        # float64 areas of coordinates in the millions of metres
        assert found[i, j] == pytest.approx(total / weight, rel=1e-9)


def _large_plane() -> RectilinearGrid:
    return RectilinearGrid(
        np.arange(3_600_000.0, 3_900_001.0, 10_000.0),
        np.arange(2_700_000.0, 3_100_001.0, 10_000.0),
        "EPSG:3035",
    )


def _ring(west, south, size, n):
    up = np.arange(n) / n
    zero = 0 * up
    across = np.concatenate([up, zero + 1, 1 - up, zero])
    along = np.concatenate([zero, up, zero + 1, 1 - up])
    return west + size * across, south + size * along


def test_bent_parallels_are_followed():
    """The area of a 1 degree cell in the plane is the true one, not that of its four corners."""
    grid = _large_plane()
    cells = cell_weights(grid, 1)
    i, j = (1, 1)
    area = cells.weights.area.reshape(cells.grid.shape)[i, j]
    west, south = cells.grid.x_edges[j], cells.grid.y_edges[i]
    fine = _ring(west, south, 1.0, 1000)
    true = abs(polygon_area(*(v[None] for v in project(*fine, grid)))[0])
    corners = abs(polygon_area(*(v[None] for v in project(*_ring(west, south, 1.0, 1), grid)))[0])
    # pieces of 0.1 degree leave a hundredth of the error of one straight side
    assert abs(area / true - 1) < 2e-5
    assert abs(corners / true - 1) > 20 * abs(area / true - 1)


def test_cells_that_are_not_covered_have_no_value():
    """A hole in the source, at any level, takes the cells over it out, and no others."""
    values = _field(DEGREES)
    values[1, 30:35, 40:45] = np.nan  # 46.6-46.7 N, 1.8-1.9 E
    cells = cell_weights(DEGREES, 2)
    found = average(values, cells)
    missing = np.argwhere(np.isnan(found[0]))
    assert missing.tolist() == [[1, 1]]
    assert np.isnan(found[:, 1, 1]).all()
    clean = average(_field(DEGREES), cells)
    assert np.array_equal(np.isnan(found[0]), ~np.isclose(found[0], clean[0], rtol=1e-12))


def test_edges_are_those_of_the_models():
    """Cells lie at multiples of their size: centres 0.05, 0.15 as CAMS, 0.5, 1.5 as TM5-MP."""
    for cells_per_degree in (10, 1):
        source = PLANE if cells_per_degree == 10 else _large_plane()
        grid = cell_weights(source, cells_per_degree).grid
        edges = np.concatenate([grid.x_edges, grid.y_edges]) * cells_per_degree
        np.testing.assert_allclose(edges, np.round(edges), atol=1e-9)
        assert grid.is_fine is (cells_per_degree == 10)


def test_pieces_are_fine_and_keep_the_field():
    """Cells in pieces below 0.25 degree hold the same values and are averaged over footprints."""
    cells = cell_weights(_large_plane(), 1)
    values = average(_field(_large_plane(), 1), cells)
    pieces, finer = in_pieces(values, cells.grid, 5)
    assert finer.is_fine
    assert np.array_equal(pieces[:, ::5, ::5], values, equal_nan=True)
    assert np.array_equal(pieces[:, 4::5, 4::5], values, equal_nan=True)
    np.testing.assert_allclose(finer.x_edges[::5], cells.grid.x_edges, rtol=0, atol=1e-12)


def test_wrong_resolutions_are_refused():
    """A set that is no finer than the cells, or smaller than two of them, is named."""
    coarse = RectilinearGrid(np.arange(0.0, 4.01, 0.1), np.arange(46.0, 49.01, 0.1))
    with pytest.raises(ValueError, match="Cells must be coarser"):
        cell_weights(coarse, 10)
    with pytest.raises(ValueError, match="two cells of 1/1 degree"):
        cell_weights(PLANE, 1)
