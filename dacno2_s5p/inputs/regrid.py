"""Linear operators from the cells of a source to those of the model grid.

Bilinear: values at the centres of cells, from points of a rectilinear source. Conservative: means
over cells by exact overlap areas (`retrieval.physics.geometry.overlap`), each piece weighted by its
true area. Both are sparse matrices that are built once and applied to every field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix

from retrieval.errors import DataError
from retrieval.physics.geometry.grids import GEOGRAPHIC, RectilinearGrid, transformer
from retrieval.physics.geometry.overlap import overlap_areas, polygon_area

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from retrieval.typing import Float

LEAST_COVERAGE = 1.0 - 1e-6
"""Share of a target cell that the source must cover; less is round-off of edges that meet."""


def transform_points(x: ArrayLike, y: ArrayLike, source: str, target: str) -> tuple[Float, Float]:
    """Bring points from one CRS to another, arrays of any shape."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if source == target:
        return x, y
    moved = transformer(source, target).transform(x, y)
    return np.asarray(moved[0]), np.asarray(moved[1])


def centres_in(grid: RectilinearGrid, crs: str) -> tuple[Float, Float]:
    """Coordinates of the cell centres in another CRS, each of shape (n_y, n_x)."""
    x, y = np.meshgrid(grid.x, grid.y)
    return transform_points(x, y, grid.crs, crs)


def corners_in(grid: RectilinearGrid, crs: str) -> tuple[Float, Float]:
    """Corners of the cells in another CRS, counter-clockwise, each of shape (n_cell, 4)."""
    x_edges, y_edges = np.meshgrid(grid.x_edges, grid.y_edges)
    x, y = transform_points(x_edges, y_edges, grid.crs, crs)

    def around(corner: Float) -> Float:
        quad = [corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]]
        return np.stack(quad, axis=-1).reshape(-1, 4)

    return around(x), around(y)


def north_angle(grid: RectilinearGrid) -> Float:
    """Angle [rad] of true north counter-clockwise of the grid's y axis, shape (n_y, n_x).

    An eastward and a northward component become u cos(a) - v sin(a) along x and
    u sin(a) + v cos(a) along y.
    """
    longitude, latitude = centres_in(grid, GEOGRAPHIC)
    step = 0.05
    x0, y0 = transform_points(longitude, latitude - step, GEOGRAPHIC, grid.crs)
    x1, y1 = transform_points(longitude, latitude + step, GEOGRAPHIC, grid.crs)
    return np.asarray(np.arctan2(-(x1 - x0), y1 - y0))


def rotate_to_axes(u: Float, v: Float, angle: Float) -> tuple[Float, Float]:
    """Turn eastward and northward components (..., n_y, n_x) to the axes of the grid."""
    cos, sin = np.cos(angle), np.sin(angle)
    return u * cos - v * sin, u * sin + v * cos


@dataclass(frozen=True)
class Operator:
    """Weights from a block of the source to all target cells.

    Attributes
    ----------
    rows, columns : slice
        Block of the source's ascending grid that has weights.
    matrix : csr_matrix, shape (n_target, n_block)
        Rows sum to 1.
    shape : tuple of int
        Target cells (n_y, n_x).
    """

    rows: slice
    columns: slice
    matrix: Any
    shape: tuple[int, int]

    def apply(self, block: Float) -> Float:
        """Bring a block (..., n_row, n_column) to the target, (..., n_y, n_x), float64.

        A NaN reaches every cell it has a weight in.
        """
        lead = block.shape[:-2]
        flat = np.asarray(block, dtype=np.float64).reshape(-1, self.matrix.shape[1])
        return np.asarray((self.matrix @ flat.T).T.reshape(*lead, *self.shape))


def bilinear(source: RectilinearGrid, target: RectilinearGrid, where: str) -> Operator:
    """Build the bilinear operator to the centres of the target's cells.

    Raises
    ------
    DataError
        If a centre lies outside of the source's points.
    """
    x, y = (axis.ravel() for axis in centres_in(target, source.crs))
    _check_inside(source, x, y, where)
    column, east = _bracket(source.x, x)
    row, north = _bracket(source.y, y)
    cell = np.arange(x.size)
    first_row, last_row = int(row.min()), int(row.max()) + 2
    first_column, last_column = int(column.min()), int(column.max()) + 2
    width = last_column - first_column
    index = (row - first_row) * width + column - first_column
    entries = [
        (index, (1 - north) * (1 - east)),
        (index + 1, (1 - north) * east),
        (index + width, north * (1 - east)),
        (index + width + 1, north * east),
    ]
    matrix = csr_matrix(
        (
            np.concatenate([w for _, w in entries]),
            (np.tile(cell, 4), np.concatenate([i for i, _ in entries])),
        ),
        shape=(x.size, (last_row - first_row) * width),
    )
    matrix.eliminate_zeros()
    rows, columns = slice(first_row, last_row), slice(first_column, last_column)
    return Operator(rows, columns, matrix, target.shape)


def conservative(source: RectilinearGrid, target: RectilinearGrid, where: str) -> Operator:
    """Build the operator of area means over the target's cells.

    Raises
    ------
    DataError
        If the source does not cover a cell.
    """
    x, y = corners_in(target, source.crs)
    rows = _range(source.y_edges, y)
    columns = _range(source.x_edges, x)
    block = source.crop(rows, columns)
    overlap = overlap_areas(x, y, block.x_edges, block.y_edges)
    n_cell, width = x.shape[0], block.shape[1]
    counts = np.diff(overlap.indptr)
    owner = np.repeat(np.arange(n_cell), counts)
    covered = np.bincount(owner, overlap.area, minlength=n_cell)
    if not (covered >= LEAST_COVERAGE * np.abs(polygon_area(x, y))).all():
        _refuse_extent(source, x, y, where)
    weight = overlap.area * block.row_area_factor[overlap.row]
    weight /= np.bincount(owner, weight, minlength=n_cell)[owner]
    matrix = csr_matrix(
        (weight, overlap.row * width + overlap.column, overlap.indptr),
        shape=(n_cell, block.shape[0] * width),
    )
    return Operator(rows, columns, matrix, target.shape)


def build(method: str, source: RectilinearGrid, target: RectilinearGrid, where: str) -> Operator:
    """Build the operator a row of the table of inputs names.

    Raises
    ------
    DataError
        If the source does not cover the target.
    ValueError
        If the method is none of fields: mode, rasterised.
    """
    builders = {"bilinear": bilinear, "conservative": conservative}
    if method not in builders:
        msg = (
            f"Invalid resampling of {where}. Fields are brought to the grid by bilinear or "
            f"conservative. Given {method!r}. Change the row of the table of inputs."
        )
        raise ValueError(msg)
    return builders[method](source, target, where)


def _bracket(axis: Float, points: Float) -> tuple[NDArray[np.intp], Float]:
    """Index of the lower neighbour and the weight of the upper one."""
    lower = np.clip(np.searchsorted(axis, points, side="right") - 1, 0, axis.size - 2)
    weight = (points - axis[lower]) / (axis[lower + 1] - axis[lower])
    # centres on the outermost points, to round-off
    return lower, np.clip(weight, 0.0, 1.0)


def _range(edges: Float, points: Float) -> slice:
    """Cells between the least and the largest point."""
    n = edges.size - 1
    first = int(np.clip(np.searchsorted(edges, points.min(), side="right") - 1, 0, n - 1))
    last = int(np.clip(np.searchsorted(edges, points.max(), side="left"), first + 1, n))
    return slice(first, last)


def _check_inside(source: RectilinearGrid, x: Float, y: Float, where: str) -> None:
    slack = 1e-6 * float(source.x[1] - source.x[0])
    inside = (
        (x >= source.x[0] - slack)
        & (x <= source.x[-1] + slack)
        & (y >= source.y[0] - slack)
        & (y <= source.y[-1] + slack)
    )
    if not inside.all():
        _refuse_extent(source, x, y, where)


def _refuse_extent(source: RectilinearGrid, x: Float, y: Float, where: str) -> None:
    def extent(a: Float, b: Float) -> str:
        return f"x {a.min():.6g}..{a.max():.6g}, y {b.min():.6g}..{b.max():.6g}"

    msg = (
        f"Invalid extent of {where}. It must cover the grid, {extent(x, y)} in {source.crs}. Given "
        f"{extent(source.x_edges, source.y_edges)}. Request the area that prepare "
        "--what-to-download names."
    )
    raise DataError(msg)
