"""Average a set to coarser cells, so that resolution and content of a set can be told apart.

A fine set differs from a coarse one in two things: what it resolves, and what its model says.
Averaged to the cells of the coarse one it keeps its content only (docs/equations.md 4.4): fine
minus averaged is resolution, averaged minus coarse is content. Concentrations at fixed heights
above ground are averaged by the exact overlap of the cells, so that the amount of NO2 is kept.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from retrieval.physics.constants import MINIMUM_COVERAGE
from retrieval.physics.geometry.footprint import FootprintWeights, apply_weights, polygon_overlaps
from retrieval.physics.geometry.grids import (
    GEOGRAPHIC,
    RectilinearGrid,
    corners_in_degrees,
    project,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.typing import Float

logger = logging.getLogger(__name__)

LONGEST_SIDE = 0.1
"""Sides of cells are followed in pieces of at most this length [degree]: a parallel is bent in a
projected plane, by 1 m over 0.1 degree and by 100 m over 1 degree at 50 N."""


@dataclass(frozen=True)
class Resolution:
    """Cells of longitude and latitude that a set is averaged to; edges at multiples of the size.

    Attributes
    ----------
    label : str
        For names and tables.
    cells_per_degree : int
        1 for cells of 1 degree, 10 for 0.1 degree.
    pieces : int
        Each cell is given as pieces x pieces cells of the same value. A set of 1 degree is
        interpolated bilinearly by `reretrieve`, as the operational processor does with TM5-MP;
        in pieces below 0.25 degree it is constant over each cell.
    """

    label: str
    cells_per_degree: int
    pieces: int = 1


CAMS_CELLS = Resolution("10km", 10)
"""The 0.1 degree cells of the CAMS European products."""
TM5_CELLS = Resolution("1deg", 1)
"""The 1 degree cells of TM5-MP, to be interpolated bilinearly like it."""
BOXES = Resolution("1degboxes", 1, 5)
"""The same means, constant over each cell: resolution alone, without interpolation."""
RESOLUTIONS = {one.label: one for one in (CAMS_CELLS, TM5_CELLS, BOXES)}


@dataclass(frozen=True)
class CellWeights:
    """Area weights of target cells on source cells.

    Attributes
    ----------
    grid : RectilinearGrid
        Target cells, those rows and columns with a cell that the source covers.
    weights : FootprintWeights
        One row for each target cell, row by row.
    """

    grid: RectilinearGrid
    weights: FootprintWeights


def cell_weights(source: RectilinearGrid, cells_per_degree: int) -> CellWeights:
    """Weigh source cells by the area they share with cells of longitude and latitude.

    Parameters
    ----------
    source : RectilinearGrid
        Projected or longitude/latitude cells.
    cells_per_degree : int
        Size of the target cells; their edges are multiples of it.

    Raises
    ------
    ValueError
        If the source covers fewer than two target cells along an axis, or has cells no smaller.
    """
    target = _lattice(source, cells_per_degree)
    x, y = _outlines(target, source)
    area, row, column, indptr = polygon_overlaps(x, y, source)
    total = np.add.reduceat(area, indptr[:-1])
    owner = np.repeat(np.arange(x.shape[0]), np.diff(indptr))
    n_y, n_x = source.shape
    inside = (row >= 0) & (row < n_y) & (column >= 0) & (column < n_x)
    shares = (area / total[owner])[inside]
    matrix = csr_array(
        (shares, (owner[inside], (row * n_x + column)[inside])), shape=(x.shape[0], n_y * n_x)
    )
    whole = (matrix.sum(axis=1) >= MINIMUM_COVERAGE).reshape(target.shape)
    rows, columns = _span(whole.any(axis=1)), _span(whole.any(axis=0))
    kept = np.arange(x.shape[0]).reshape(target.shape)[rows, columns].ravel()
    grid = target.crop(rows, columns)
    if min(grid.shape) < 2:
        msg = (
            f"Invalid resolution. The set must cover two cells of 1/{cells_per_degree} degree "
            f"along each axis. Given {grid.shape[1]} x {grid.shape[0]}. Take a larger set or "
            "smaller cells."
        )
        raise ValueError(msg)
    none = np.zeros(kept.size, dtype=bool)
    return CellWeights(grid, FootprintWeights(matrix[kept], none, none, source.shape, total[kept]))


def average(values: Float, cells: CellWeights) -> Float:
    """Average fields over the target cells; cells covered to less than 99 % have no value.

    Parameters
    ----------
    values : ndarray, shape (n_level, n_y, n_x)
        On the source; NaN where missing. A source cell counts where all its levels are finite.
    cells : CellWeights

    Returns
    -------
    ndarray, shape (n_level, n_y, n_x) of the target
    """
    field = values.reshape(values.shape[0], -1).T.astype(np.float64)
    mean, coverage = apply_weights(cells.weights, field)
    mean[coverage < MINIMUM_COVERAGE] = np.nan
    return np.asarray(mean.T.reshape(values.shape[0], *cells.grid.shape))


def in_pieces(values: Float, grid: RectilinearGrid, pieces: int) -> tuple[Float, RectilinearGrid]:
    """Repeat each cell in pieces x pieces cells of the same value.

    Examples
    --------
    >>> grid = RectilinearGrid(np.array([0.0, 1.0, 2.0]), np.array([45.0, 46.0]))
    >>> field, finer = in_pieces(np.array([[[1.0, 2.0]]]), grid, 2)
    >>> field.tolist(), finer.x_edges.tolist()
    ([[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]], [0.0, 0.5, 1.0, 1.5, 2.0])
    """
    if pieces == 1:
        return values, grid
    x, y = (
        np.interp(np.arange(pieces * (edges.size - 1) + 1) / pieces, np.arange(edges.size), edges)
        for edges in (grid.x_edges, grid.y_edges)
    )
    repeated = np.repeat(np.repeat(values, pieces, axis=-2), pieces, axis=-1)
    return repeated, RectilinearGrid(x, y, grid.crs)


def _lattice(source: RectilinearGrid, cells_per_degree: int) -> RectilinearGrid:
    """Target cells that the source may touch."""
    longitude, latitude = corners_in_degrees(source)
    spacing = np.median(np.abs(np.diff(latitude, axis=0)))
    if spacing > 0.75 / cells_per_degree:
        msg = (
            f"Invalid resolution. Cells must be coarser than those of the set. Given cells of "
            f"1/{cells_per_degree} degree and a set of {spacing:.3g} degree. Choose larger cells."
        )
        raise ValueError(msg)
    edges = []
    for values, limit in ((longitude, np.inf), (latitude, 90.0)):
        low = np.floor(max(float(values.min()), -limit) * cells_per_degree)
        high = np.ceil(min(float(values.max()), limit) * cells_per_degree)
        edges.append(np.arange(low, high + 1) / cells_per_degree)
    return RectilinearGrid(edges[0], edges[1], GEOGRAPHIC)


def _outlines(target: RectilinearGrid, source: RectilinearGrid) -> tuple[Float, Float]:
    """Corners of the target cells in the plane of the source, (n_cell, corner), sides in pieces."""
    size = float(target.x_edges[1] - target.x_edges[0])
    n = 1 if source.is_geographic else max(1, round(size / LONGEST_SIDE))
    up, zero = np.arange(n) / n, np.zeros(n)
    # neighbours share these points, so that cells fill the plane without gap or overlap
    across = np.concatenate([up, zero + 1, 1 - up, zero])
    along = np.concatenate([zero, up, zero + 1, 1 - up])
    west, south = np.meshgrid(target.x_edges[:-1], target.y_edges[:-1])
    longitude = west.reshape(-1, 1) + size * across
    latitude = south.reshape(-1, 1) + size * along
    return project(longitude, latitude, source)


def _span(mask: NDArray[np.bool_]) -> slice:
    """From the first to the last that is true."""
    found = np.flatnonzero(mask)
    return slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 1)
