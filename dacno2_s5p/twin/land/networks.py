"""Roads that link towns, and shipping lanes, drawn onto the 2 km frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import cKDTree

from dacno2_s5p.twin.land.places import LANES
from dacno2_s5p.twin.land.world import child_seed, to_plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.physics.geometry.grids import RectilinearGrid


def _cells(
    grid: RectilinearGrid, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Row and column of points, and whether they lie inside the grid."""
    spacing = float(grid.x_edges[1] - grid.x_edges[0])
    column = np.floor((x - grid.x_edges[0]) / spacing).astype(np.int64)
    row = np.floor((y - grid.y_edges[0]) / spacing).astype(np.int64)
    n_y, n_x = grid.shape
    inside = (row >= 0) & (row < n_y) & (column >= 0) & (column < n_x)
    return row, column, inside


def deposit(
    grid: RectilinearGrid,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    amount: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Sum amounts at points into the cells that hold them; what lies outside is left out."""
    row, column, inside = _cells(grid, x, y)
    n_y, n_x = grid.shape
    flat = np.bincount(row[inside] * n_x + column[inside], amount[inside], minlength=n_y * n_x)
    return np.asarray(flat.reshape(n_y, n_x))


def _links(x: NDArray[np.float64], y: NDArray[np.float64], neighbours: int) -> NDArray[np.int64]:
    """Pairs (n, 2) of the nearest neighbours and of the spanning tree of a near-neighbour graph."""
    tree = cKDTree(np.column_stack([x, y]))
    k = min(max(12, neighbours + 1), x.size)
    distance, index = tree.query(np.column_stack([x, y]), k=k)
    start = np.repeat(np.arange(x.size), k - 1)
    end, length = index[:, 1:].ravel(), distance[:, 1:].ravel()
    graph = coo_array((length, (start, end)), shape=(x.size, x.size)).tocsr()
    spanning = minimum_spanning_tree(graph).tocoo()
    near = np.column_stack(
        [np.repeat(np.arange(x.size), neighbours), index[:, 1 : neighbours + 1].ravel()]
    )
    pairs = np.vstack([near, np.column_stack([spanning.row, spanning.col])])
    return np.unique(np.sort(pairs, axis=1), axis=0).astype(np.int64)


def _trace(
    ends: NDArray[np.float64], bow: NDArray[np.float64], step: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Points every `step` metres along slightly bent lines (n, 4); returns x, y and line index."""
    x0, y0, x1, y1 = ends.T
    length = np.hypot(x1 - x0, y1 - y0)
    count = np.maximum((length / step).astype(np.int64), 1)
    line = np.repeat(np.arange(length.size), count)
    order = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    s = (order + 0.5) / count[line]
    bend = bow[line] * np.sin(np.pi * s) + 0.4 * bow[line] * np.sin(3.0 * np.pi * s + line)
    # `bow` is relative to the length; the bend is at right angles to the line
    x = x0[line] + s * (x1 - x0)[line] - bend * (y1 - y0)[line]
    y = y0[line] + s * (y1 - y0)[line] + bend * (x1 - x0)[line]
    return x, y, line


def road_network(
    grid: RectilinearGrid,
    land: NDArray[np.floating],
    town_x: NDArray[np.float64],
    town_y: NDArray[np.float64],
    population: NDArray[np.float64],
    smallest: float,
    neighbours: int,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Roads between the towns above a size: each to its neighbours, and all on a spanning tree.

    Parameters
    ----------
    grid : RectilinearGrid
        Projected grid.
    land : ndarray, shape (n_y, n_x)
        Land fraction; a link with more than a tenth of its way over sea is not built.
    town_x, town_y, population : ndarray, shape (n,)
        Towns [m], people.
    smallest : float
        Smallest town that is linked.
    neighbours : int
        Links from each town.
    seed : int
        Seed of the bends.

    Returns
    -------
    length : ndarray, shape (n_y, n_x)
        Road length in each cell [m].
    traffic : ndarray, shape (n_y, n_x)
        Length times the gravity of the towns at its ends, in arbitrary units.
    """
    big = population >= smallest
    x, y, people = town_x[big], town_y[big], population[big]
    pairs = _links(x, y, neighbours)
    ends = np.column_stack([x[pairs[:, 0]], y[pairs[:, 0]], x[pairs[:, 1]], y[pairs[:, 1]]])
    rng = child_seed(seed, 21, neighbours)
    step = 500.0
    px, py, line = _trace(ends, 0.05 * rng.standard_normal(len(pairs)), step)
    row, column, inside = _cells(grid, px, py)
    n_y, n_x = grid.shape
    on_land = land[np.clip(row, 0, n_y - 1), np.clip(column, 0, n_x - 1)] > 0.2
    count = np.bincount(line, minlength=len(pairs))
    dry = np.bincount(line, on_land | ~inside, minlength=len(pairs)) / np.maximum(count, 1)
    distance = np.hypot(ends[:, 2] - ends[:, 0], ends[:, 3] - ends[:, 1])
    product = people[pairs[:, 0]] * people[pairs[:, 1]]
    gravity = np.sqrt(product) / (distance + 10e3) ** 0.7
    keep = (dry > 0.9)[line] & on_land
    length = deposit(grid, px[keep], py[keep], np.full(int(keep.sum()), step))
    traffic = deposit(grid, px[keep], py[keep], step * gravity[line][keep])
    return length, traffic


def shipping(grid: RectilinearGrid, land: NDArray[np.floating]) -> NDArray[np.float64]:
    """Relative ship traffic of each cell, confined to the sea, sum 1 over the frame."""
    spacing = float(grid.x_edges[1] - grid.x_edges[0])
    total = np.zeros(grid.shape)
    for lane in LANES:
        longitude, latitude = np.array(lane.way).T
        x, y = to_plane(longitude, latitude)
        ends = np.column_stack([x[:-1], y[:-1], x[1:], y[1:]])
        px, py, _ = _trace(ends, np.zeros(len(ends)), 500.0)
        drawn = deposit(grid, px, py, np.full(px.size, lane.traffic * 500.0))
        total += gaussian_filter(drawn, 0.45 * lane.width * 1e3 / spacing)
        total += 0.35 * gaussian_filter(drawn, 1.6 * lane.width * 1e3 / spacing)
    sea = np.clip(1.0 - np.asarray(land, np.float64), 0.0, 1.0)
    total = (total + 1e-3 * total.max()) * sea
    return np.asarray(total / total.sum())
