"""Static rasters on the 2 km grid: area means and class shares, window by window.

A raster may be larger than memory (CORINE has 3e9 cells): only strips that the grid needs are
read. Means are conservative by exact overlap; where a raster is much finer than the grid, blocks
of its cells are averaged first. Classes are counted by cell centres: on nested grids each fine
cell lies in one coarse cell, so that counts are areas.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.regrid import centres_in, corners_in, transform_points
from dacno2_s5p.sources.rasters.raster_file import open_raster
from retrieval.physics.geometry.grids import GEOGRAPHIC, RectilinearGrid
from retrieval.physics.geometry.overlap import overlap_areas, polygon_area

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.sources.rasters.raster_file import Raster
    from retrieval.typing import Float

STRIP_CELLS = 2_000_000
"""Cells of a raster that are read at once: some 300 MB with all that overlaps need."""

FINEST_RATIO = 4
"""Cells finer than a quarter of the grid's are averaged in blocks before the exact overlap; a
block that straddles an edge is then shared by area, an error of a per cent of a cell's content
at most."""

LEAST_COVERAGE = 0.999
"""Share of each cell that rasters must cover: tiles that meet leave round-off."""


NO_VALUE, NO_CODE = -(2**30), -(2**31)
"""What stands for NaN, and for numbers that are no code, among codes."""


def area_mean(
    paths: Sequence[Path],
    grid: RectilinearGrid,
    *,
    crs: str = GEOGRAPHIC,
    empty: float | None = None,
    least: float = -np.inf,
    per_square_kilometre: bool = False,
    zero: Sequence[RectilinearGrid] = (),
) -> Float:
    """Average rasters (tiles) over the cells of a grid.

    Parameters
    ----------
    paths : sequence of Path
        Tiles; where they overlap, all count.
    grid : RectilinearGrid
        Target cells.
    crs : str
        CRS of formats that do not say one.
    empty : float, optional
        Value of cells without data (the sea of road maps: 0); without it they do not count.
    least : float
        Lower values are no data.
    per_square_kilometre : bool
        Values are amounts per raster cell, returned per km2; projected rasters only.
    zero : sequence of RectilinearGrid
        Places without a tile whose value is known to be 0.

    Returns
    -------
    ndarray of float64, shape (n_y, n_x)

    Raises
    ------
    DataError
        If a cell is not covered, or has no data and `empty` is not given.
    """
    total = np.zeros(grid.shape)
    weight = np.zeros(grid.shape)
    covered = np.zeros(grid.shape)
    shares: dict[str, _Share] = {}
    for path in paths:
        with open_raster(path, crs) as raster:
            scale = _density_scale(raster) if per_square_kilometre else 1.0
            if raster.crs not in shares:
                shares[raster.crs] = _Share(*corners_in(grid, raster.crs), grid.shape)
            share = shares[raster.crs]
            for rows, values, valid, block in _strips(raster, share, empty, least):
                share.add(rows, block, values * scale, valid, total, weight, covered)
    for place in zero:
        if place.crs not in shares:
            shares[place.crs] = _Share(*corners_in(grid, place.crs), grid.shape)
        rows = (float(place.y_edges[0]), float(place.y_edges[-1]))
        values, valid = np.zeros(place.shape), np.ones(place.shape)
        shares[place.crs].add(rows, place, values, valid, total, weight, covered)
    names = f"{paths[0]}" + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
    _check_covered(covered, grid, names)
    if not (weight > 0.0).all():
        msg = (
            f"Invalid raster {names}. Every cell of the grid must have data. Given none in "
            f"{int((weight <= 0.0).sum())} cells. Use the complete raster."
        )
        raise DataError(msg)
    return np.asarray(total / weight)


class _Share:
    """Which grid cells a strip of a raster can touch, and sums over their overlaps."""

    def __init__(self, x: Float, y: Float, shape: tuple[int, int]) -> None:
        self._x, self._y, self._shape = x, y, shape
        self._area = np.abs(polygon_area(x, y))
        self._lowest, self._highest = y.min(axis=1), y.max(axis=1)
        self.extent_x = (float(x.min()), float(x.max()))
        self.extent_y = (float(y.min()), float(y.max()))

    def coarsening(self, raster: Raster) -> int:
        """Cells of a block along each side, so that blocks are a quarter of a grid cell."""
        side = float(np.sqrt(np.median(self._area)))
        cell = float(np.sqrt(abs(np.diff(raster.x_edges)[0] * np.diff(raster.y_edges)[0])))
        return max(int(side / cell / FINEST_RATIO), 1)

    def add(
        self,
        rows: tuple[float, float],
        block: RectilinearGrid,
        values: Float,
        valid: Float,
        total: Float,
        weight: Float,
        covered: Float,
    ) -> None:
        """Add a strip: `values` are means of the valid share `valid` of each cell."""
        cell = np.flatnonzero((self._highest > rows[0]) & (self._lowest < rows[1]))
        overlap = overlap_areas(self._x[cell], self._y[cell], block.x_edges, block.y_edges)
        owner = cell[np.repeat(np.arange(cell.size), np.diff(overlap.indptr))]
        place = overlap.row, overlap.column
        true = overlap.area * block.row_area_factor[overlap.row] * valid[place]
        n = self._area.size
        total += np.bincount(owner, true * values[place], n).reshape(self._shape)
        weight += np.bincount(owner, true, n).reshape(self._shape)
        shares = np.bincount(owner, overlap.area, n) / self._area
        covered += shares.reshape(self._shape)


def _strips(
    raster: Raster, share: _Share, empty: float | None, least: float
) -> Iterator[tuple[tuple[float, float], Float, Float, RectilinearGrid]]:
    """Read strips: extent in y, means, valid shares, and their cells; rows ascend."""
    block = raster.block(share.extent_x, share.extent_y)
    if block is None:
        return
    rows, columns = block
    step = share.coarsening(raster)
    columns = slice(columns.start - columns.start % step, columns.stop)
    width = columns.stop - columns.start
    height = max(STRIP_CELLS // width // step, 1) * step
    for first in range(rows.start - rows.start % step, rows.stop, height):
        strip = slice(first, min(first + height, rows.stop))
        raw = raster.read(strip, columns).astype(np.float64)
        is_valid = raw >= least  # not where there is none (NaN)
        if raster.nodata is not None:
            is_valid &= raw != raster.nodata
        if np.isinf(raw[is_valid]).any():
            _refuse_infinite(raster)
        raw[~is_valid] = 0.0 if empty is None else empty
        valid = is_valid.astype(np.float64) if empty is None else np.ones_like(raw)
        y_edges = raster.y_edges[strip.start : strip.stop + 1]
        x_edges = raster.x_edges[columns.start : columns.stop + 1]
        means, shares = _coarsen(raw * valid, step), _coarsen(valid, step)
        means = np.divide(means, shares, out=np.zeros_like(means), where=shares > 0.0)
        grid = RectilinearGrid(
            _coarse_edges(x_edges, step), _coarse_edges(y_edges, step)[::-1], raster.crs
        )
        yield (float(y_edges[-1]), float(y_edges[0])), means[::-1], shares[::-1], grid


def _refuse_infinite(raster: Raster) -> None:
    msg = (
        f"Damaged raster {raster.name}. Its values must be finite or its mark of no data. Given "
        "infinite ones. Download it again."
    )
    raise DataError(msg)


def _coarsen(values: Float, step: int) -> Float:
    """Mean of blocks; the last ones may be smaller."""
    if step == 1:
        return values
    rows, columns = (np.arange(0, n, step) for n in values.shape)
    sums = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    n_row = np.diff(np.append(rows, values.shape[0]))
    n_column = np.diff(np.append(columns, values.shape[1]))
    return np.asarray(sums / (n_row[:, None] * n_column))


def _coarse_edges(edges: Float, step: int) -> Float:
    return np.append(edges[:-1:step], edges[-1])


def class_counts(
    paths: Path | Sequence[Path],
    grid: RectilinearGrid,
    classes: Sequence[tuple[int, int]],
    unclassified: Sequence[int] | None = None,
) -> NDArray[np.int64]:
    """Count the cells of a raster (or of its tiles) of each class in the cells of a grid.

    Parameters
    ----------
    paths : Path or sequence of Path
        Of tiles that overlap the first one counts.
    grid : RectilinearGrid
    classes : sequence of (int, int)
        First and last code of each class; other codes do not count.
    unclassified : sequence of int, optional
        Codes of no class, beside the file's own mark of no data: with them any other is damage.

    Returns
    -------
    ndarray of int64, shape (n_class + 1, n_y, n_x)
        The last plane counts cells of no class.

    Raises
    ------
    DataError
        If a file is damaged, or has codes that are none.
    """
    n_y, n_x = grid.shape
    n_class = len(classes)
    counts = np.zeros((n_class + 1) * n_y * n_x, dtype=np.int64)
    table = _class_table(classes)
    counted: list[Raster] = []
    for path in [paths] if isinstance(paths, Path) else paths:
        with open_raster(path) as raster:
            for strip, columns in _class_strips(raster, grid):
                codes = _codes(raster, strip, columns)
                cell = _cells_of(raster, strip, columns, grid)
                cell[_is_within(raster, strip, columns, counted)] = -1
                kind = table[np.clip(codes, 0, table.size - 1)]
                if unclassified is not None:
                    _check_codes(codes[(kind == n_class) & (cell >= 0)], unclassified, raster)
                index = kind * (n_y * n_x) + cell
                counts += np.bincount(index[cell >= 0], minlength=counts.size)
            counted.append(raster)
    return counts.reshape(n_class + 1, n_y, n_x)


def _class_strips(raster: Raster, grid: RectilinearGrid) -> Iterator[tuple[slice, slice]]:
    """Give the strips of a raster that the grid needs."""
    outline_x, outline_y = corners_in(grid, raster.crs)
    block = raster.block(
        (float(outline_x.min()), float(outline_x.max())),
        (float(outline_y.min()), float(outline_y.max())),
    )
    if block is None:
        return
    rows, columns = block
    height = max(STRIP_CELLS // (columns.stop - columns.start), 1)
    for first in range(rows.start, rows.stop, height):
        yield slice(first, min(first + height, rows.stop)), columns


def _is_within(
    raster: Raster, rows: slice, columns: slice, others: Sequence[Raster]
) -> NDArray[np.bool_]:
    """Say which cells of a block have their centres in another raster of the same CRS."""
    x, y = (
        0.5 * (edges[part.start + 1 : part.stop + 1] + edges[part.start : part.stop])
        for edges, part in ((raster.x_edges, columns), (raster.y_edges, rows))
    )
    within = np.zeros((y.size, x.size), dtype=bool)
    for other in others:
        if other.crs == raster.crs:
            is_x = (x > other.x_edges[0]) & (x < other.x_edges[-1])
            is_y = (y < other.y_edges[0]) & (y > other.y_edges[-1])
            within |= is_y[:, None] & is_x[None, :]
    return within


def _codes(raster: Raster, rows: slice, columns: slice) -> NDArray[np.int64]:
    """Read whole numbers; `NO_VALUE` where there is none, `NO_CODE` where it is not whole."""
    raw = raster.read(rows, columns)
    if raw.dtype.kind == "f":
        is_code = (np.abs(raw) < -NO_CODE) & (raw == np.rint(raw))
        raw = np.where(is_code, raw, np.where(np.isnan(raw), NO_VALUE, NO_CODE))
    return raw.astype(np.int64)


def _check_codes(codes: NDArray[np.int64], known: Sequence[int], raster: Raster) -> None:
    """Refuse codes of no class that do not stand for no data."""
    marks = [*known, NO_VALUE, *([] if raster.nodata is None else [raster.nodata])]
    others = codes[~np.isin(codes, marks)]
    if others.size:
        msg = (
            f"Invalid raster {raster.name}. Its codes must be of the table's classes, or "
            f"{', '.join(map(str, known))} for none. Given {others[0]} and {others.size - 1} more "
            "such cells. Download it again, or correct the classes in the table of inputs."
        )
        raise DataError(msg)


def _class_table(classes: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Class of each code 0..255; the number of classes for codes of none."""
    table = np.full(256, len(classes), dtype=np.int64)
    for i, (first, last) in enumerate(classes):
        table[first : last + 1] = i
    return table


def _cells_of(
    raster: Raster, rows: slice, columns: slice, grid: RectilinearGrid
) -> NDArray[np.int64]:
    """Grid cell that holds each raster cell's centre, -1 outside, shape of the block."""
    x_edges = raster.x_edges[columns.start : columns.stop + 1]
    y_edges = raster.y_edges[rows.start : rows.stop + 1]
    x, y = 0.5 * (x_edges[1:] + x_edges[:-1]), 0.5 * (y_edges[1:] + y_edges[:-1])
    n_y, n_x = grid.shape
    if raster.crs == grid.crs:
        column, row = _places(grid.x_edges, x)[None, :], _places(grid.y_edges, y)[:, None]
    else:
        mesh_x, mesh_y = np.meshgrid(x, y)
        px, py = transform_points(mesh_x, mesh_y, raster.crs, grid.crs)
        column, row = _places(grid.x_edges, px), _places(grid.y_edges, py)
    inside = (column >= 0) & (column < n_x) & (row >= 0) & (row < n_y)
    return np.where(inside, row * n_x + column, -1)


def _places(edges: Float, points: Float) -> NDArray[np.intp]:
    return np.asarray(np.searchsorted(edges, points, side="right") - 1)


def _density_scale(raster: Raster) -> float:
    if raster.crs == GEOGRAPHIC:
        msg = (
            f"Invalid raster {raster.name}. Amounts per cell need cells of one area. Given "
            "longitude/latitude. Use the raster in its projected CRS."
        )
        raise DataError(msg)
    area = abs(np.diff(raster.x_edges)[0] * np.diff(raster.y_edges)[0])
    return 1e6 / float(area)


def _check_covered(covered: Float, grid: RectilinearGrid, names: str) -> None:
    bare = covered < LEAST_COVERAGE
    if bare.any():
        longitude, latitude = (axis[bare] for axis in centres_in(grid, GEOGRAPHIC))
        msg = (
            f"Invalid raster {names}. It must cover the grid. Given nothing for {int(bare.sum())} "
            f"cells at {longitude.min():.1f}..{longitude.max():.1f}E, "
            f"{latitude.min():.1f}..{latitude.max():.1f}N. Add the tiles of that area."
        )
        raise DataError(msg)
