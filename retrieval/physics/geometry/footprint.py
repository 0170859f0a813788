"""Pixel footprints on the grid of an a-priori set: exact area weights, bilinear for coarse sets.

Light mixes over a pixel before it is measured: N = sum_i w_i sum_l s_l x_il with cells i of areas
w_i. So the a priori of a pixel is the area mean of partial columns, xbar_l = sum_i w_i x_il /
sum_i w_i, never a mean of air mass factors (docs/equations.md 4.1, 4.2; decision D7; Douros et al.,
2023, section 2). The weights are a value: built once for a geometry, applied to as many levels and
times as wanted.

    3-------2        Corners as the product stores them: counter-clockwise from the south-west
    |       |        one on the ascending part of the orbit. Nothing here depends on that order,
    0-------1        only on the corners running round the pixel, which is checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from retrieval.physics.geometry.grids import FULL_CIRCLE, RectilinearGrid, project, shift_to_grid
from retrieval.physics.geometry.overlap import overlap_areas
from retrieval.physics.geometry.quadrilaterals import (
    crossing_quadrilaterals,
    is_flat,
    is_projected,
    unwrap_longitudes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.physics.geometry.curvilinear import Grid
    from retrieval.typing import Bool, Float

POLE_TOLERANCE = 1e-3
"""Grids whose outer edge is this near to a pole [degree] reach it."""
LARGEST_PIXEL = 5.0
"""Corners further apart in latitude [degree] are no pixel but damage (TROPOMI: 0.15)."""


@dataclass(frozen=True)
class FootprintWeights:
    """Area weights of footprints on the cells of a grid.

    Attributes
    ----------
    matrix : csr_array, shape (n_pixel, n_y * n_x)
        Overlap area over the area of the whole pixel; rows sum to the share of the pixel that
        lies inside the grid.
    is_bad : ndarray of bool, shape (n_pixel,)
        Corners missing, of zero area, self-crossing, degrees apart, or round a pole.
    is_outside : ndarray of bool, shape (n_pixel,)
        No part of the pixel touches the grid.
    shape : tuple of int
        (n_y, n_x) of the grid.
    area : ndarray, shape (n_pixel,), optional
        True area of the whole pixel by the same rule as the overlaps: square units of the plane,
        steradian on longitude/latitude; 0 for bad and outside pixels.
    """

    matrix: csr_array
    is_bad: Bool
    is_outside: Bool
    shape: tuple[int, int]
    area: Float | None = None


@dataclass(frozen=True)
class BilinearWeights:
    """Weights of the four cell centres round each pixel centre.

    Attributes
    ----------
    cell : ndarray of int, shape (n_pixel, 4)
        Flat cell numbers; 0 where the pixel is outside.
    weight : ndarray, shape (n_pixel, 4)
        Weights, summing to 1; 0 where the pixel is outside.
    is_bad, is_outside : ndarray of bool, shape (n_pixel,)
        Centre missing; centre outside of the cell centres.
    shape : tuple of int
        (n_y, n_x) of the grid.
    """

    cell: NDArray[np.intp]
    weight: Float
    is_bad: Bool
    is_outside: Bool
    shape: tuple[int, int]


Weights = FootprintWeights | BilinearWeights


def _extended_edges(edges: Float, low: float, high: float, limit: float) -> tuple[Float, int]:
    """Continue edges with their end spacings until they span low..high; return the shift."""
    first, last = edges[1] - edges[0], edges[-1] - edges[-2]
    n_before = max(0, int(np.ceil((edges[0] - low) / first)))
    n_after = max(0, int(np.ceil((high - edges[-1]) / last)))
    before = edges[0] - first * np.arange(n_before, 0, -1)
    after = edges[-1] + last * np.arange(1, n_after + 1)
    before, after = before[before > -limit], after[after < limit]
    if n_before and before.size < n_before and edges[0] > -limit:
        before = np.concatenate([[-limit], before])
    if n_after and after.size < n_after and edges[-1] < limit:
        after = np.concatenate([after, [limit]])
    return np.concatenate([before, edges, after]), before.size


def footprint_weights(
    latitude_bounds: Float, longitude_bounds: Float, grid: RectilinearGrid
) -> FootprintWeights:
    """Exact area weights of pixel quadrilaterals on the cells of a grid.

    Parameters
    ----------
    latitude_bounds, longitude_bounds : ndarray, shape (n_pixel, 4)
        Corners [degrees]; NaN where missing. Longitudes may straddle the antimeridian.
    grid : RectilinearGrid
        Cells; quadrilaterals have straight sides in the plane of its CRS, areas are true ones.

    Returns
    -------
    FootprintWeights
        w_i / sum w_i. Rows of bad and outside pixels are empty.

    Examples
    --------
    A pixel of 0.2 x 0.1 degree on cells of 0.1 degree, a quarter of it in the first.

    >>> grid = RectilinearGrid(np.array([5.0, 5.1, 5.2, 5.3]), np.array([50.0, 50.1]))
    >>> lat, lon = np.array([[50.0, 50.0, 50.1, 50.1]]), np.array([[5.05, 5.25, 5.25, 5.05]])
    >>> weights = footprint_weights(lat, lon, grid)
    >>> weights.matrix.toarray().round(6).tolist()
    [[0.25, 0.5, 0.25]]
    """
    lat = np.asarray(latitude_bounds, dtype=np.float64)
    lon, has_pole = unwrap_longitudes(np.asarray(longitude_bounds, dtype=np.float64))
    x, y = project(lon, lat, grid)
    is_missing = np.asarray(~(np.isfinite(lat) & np.isfinite(lon)).all(axis=1))
    has_image = is_projected(x, y, grid)
    with np.errstate(invalid="ignore"):
        is_degenerate = crossing_quadrilaterals(x, y) | is_flat(x, y)
        is_huge = np.ptp(lat, axis=1) > LARGEST_PIXEL
    is_bad = is_missing | has_pole | is_huge | (is_degenerate & has_image)

    n_y, n_x = grid.shape
    if grid.is_geographic:
        x = shift_to_grid(x, grid)
    candidate = ~is_bad & has_image & _touches(x, y, grid)
    index = np.flatnonzero(candidate)
    areas, rows, columns, indptr = polygon_overlaps(x[index], y[index], grid)
    total = np.add.reduceat(areas, indptr[:-1]) if index.size else np.zeros(0)
    owner = np.repeat(np.arange(index.size), np.diff(indptr))
    is_inside = (rows >= 0) & (rows < n_y) & (columns >= 0) & (columns < n_x)
    matrix = csr_array(
        (
            (areas / total[owner])[is_inside],
            (index[owner][is_inside], (rows * n_x + columns)[is_inside]),
        ),
        shape=(lat.shape[0], n_y * n_x),
    )
    is_outside = ~is_bad & (np.diff(matrix.indptr) == 0)
    area = np.zeros(lat.shape[0])
    area[index] = total
    return FootprintWeights(matrix, is_bad, is_outside, grid.shape, area)


def _touches(x: Float, y: Float, grid: RectilinearGrid) -> Bool:
    with np.errstate(invalid="ignore"):
        hit = (y.max(axis=1) > grid.y_edges[0]) & (y.min(axis=1) < grid.y_edges[-1])
        if not grid.is_periodic:
            hit &= (x.max(axis=1) > grid.x_edges[0]) & (x.min(axis=1) < grid.x_edges[-1])
    return np.asarray(hit)


def polygon_overlaps(
    x: Float, y: Float, grid: RectilinearGrid
) -> tuple[Float, NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Find true overlap areas, also with virtual cells beyond the grid's edges.

    The virtual cells make the areas of a polygon sum to its whole area by the same rule (straight
    sides, one area factor a row), so that a polygon inside of the grid is covered to exactly 1.

    Parameters
    ----------
    x, y : ndarray, shape (n, corner)
        Corners of simple polygons in the plane of the grid, finite.
    grid : RectilinearGrid

    Returns
    -------
    area : ndarray
        Of each overlap: square units of the plane, steradian on longitude/latitude.
    row, column : ndarray of int
        Cells; negative or beyond the grid's shape for virtual ones.
    indptr : ndarray of int, shape (n + 1,)
        Polygon i owns the overlaps indptr[i]:indptr[i + 1].
    """
    if x.shape[0] == 0:
        none = np.zeros(0, dtype=np.intp)
        return np.zeros(0), none, none, np.zeros(1, dtype=np.intp)
    limit_y = 90.0 if grid.is_geographic else np.inf
    x_edges, column_0 = _extended_edges(grid.x_edges, x.min(), x.max(), np.inf)
    y_edges, row_0 = _extended_edges(grid.y_edges, y.min(), y.max(), limit_y)
    overlap = overlap_areas(x, y, x_edges, y_edges)
    factor = RectilinearGrid(x_edges, y_edges, grid.crs).row_area_factor
    column = overlap.column - column_0
    if grid.is_periodic:
        column = column % grid.shape[1]
    return overlap.area * factor[overlap.row], overlap.row - row_0, column, overlap.indptr


def bilinear_weights(latitude: Float, longitude: Float, grid: RectilinearGrid) -> BilinearWeights:
    """Bilinear weights at pixel centres, as the operational processor collocates TM5-MP.

    Parameters
    ----------
    latitude, longitude : ndarray, shape (n_pixel,)
        Pixel centres [degrees]; NaN where missing.
    grid : RectilinearGrid
        Longitude/latitude cells. A grid round the globe is periodic, and its first and last
        rows are held to the poles; elsewhere nothing is extrapolated beyond the cell centres.

    Returns
    -------
    BilinearWeights
        (1 - u)(1 - v), u (1 - v), (1 - u) v, u v with u, v the fractions of the way to the next
        centre east and north (docs/equations.md 4.3; TM5-MP manual, S5P-KNMI-L2-0035-MA).

    Examples
    --------
    >>> grid = RectilinearGrid.from_centres([4.5, 5.5], [49.5, 50.5])
    >>> bilinear_weights(np.array([50.0]), np.array([4.75]), grid).weight.tolist()
    [[0.375, 0.125, 0.375, 0.125]]
    """
    lon = np.asarray(longitude, dtype=np.float64)
    lat = np.asarray(latitude, dtype=np.float64)
    is_bad = ~(np.isfinite(lon) & np.isfinite(lat))
    x, y = project(np.where(is_bad, 0.0, lon), np.where(is_bad, 0.0, lat), grid)
    x_centres, y_centres = grid.x, grid.y
    n_y, n_x = grid.shape
    if grid.is_geographic:
        x = shift_to_grid(x[:, None], grid)[:, 0]
    if grid.is_periodic:
        x_centres = np.concatenate(
            [x_centres[-1:] - FULL_CIRCLE, x_centres, x_centres[:1] + FULL_CIRCLE]
        )
        y = _hold_at_poles(y, grid)
    is_outside = (x < x_centres[0]) | (x > x_centres[-1]) | (y < y_centres[0]) | (y > y_centres[-1])
    column, fraction_x = _bracket(x, x_centres)
    row, fraction_y = _bracket(y, y_centres)
    left, right = column, column + 1
    if grid.is_periodic:
        left, right = (column - 1) % n_x, column % n_x
    upper = np.minimum(row + 1, n_y - 1)
    cell = np.stack([row * n_x + left, row * n_x + right, upper * n_x + left, upper * n_x + right])
    weight = np.stack(
        [
            (1 - fraction_y) * (1 - fraction_x),
            (1 - fraction_y) * fraction_x,
            fraction_y * (1 - fraction_x),
            fraction_y * fraction_x,
        ]
    )
    is_used = ~(is_bad | is_outside)
    return BilinearWeights(
        np.where(is_used, cell, 0).T,
        np.where(is_used, weight, 0.0).T,
        is_bad,
        is_outside & ~is_bad,
        grid.shape,
    )


def _hold_at_poles(latitude: Float, grid: RectilinearGrid) -> Float:
    """Bring latitudes beyond the outer cell centres to them where the grid reaches the pole."""
    south = grid.y[0] if grid.y_edges[0] < POLE_TOLERANCE - 90.0 else -np.inf
    north = grid.y[-1] if grid.y_edges[-1] > 90.0 - POLE_TOLERANCE else np.inf
    return np.asarray(np.clip(latitude, south, north))


def _bracket(values: Float, centres: Float) -> tuple[NDArray[np.intp], Float]:
    """Index of the centre at or below each value and the fraction of the way to the next."""
    index = np.clip(np.searchsorted(centres, values, side="right") - 1, 0, centres.size - 2)
    fraction = (values - centres[index]) / (centres[index + 1] - centres[index])
    return index, np.clip(fraction, 0.0, 1.0)


class CellValues(NamedTuple):
    """A field looked through once, for many blocks of pixels.

    Attributes
    ----------
    values : ndarray, shape (n_cell, n_level)
        0 in cells that are not used.
    is_finite : ndarray of bool, shape (n_cell,)
        Cells that are used: all their levels are finite.
    """

    values: NDArray[np.floating]
    is_finite: Bool


def cell_values(field: NDArray[np.floating]) -> CellValues:
    """Find the finite cells of a field (n_cell, n_level), NaN where missing."""
    is_finite = np.isfinite(field).all(axis=1)
    clean = field if is_finite.all() else np.where(is_finite[:, None], field, 0.0)
    return CellValues(clean, is_finite)


def apply_weights(
    weights: Weights, field: NDArray[np.floating] | CellValues
) -> tuple[Float, Float]:
    """Average a field over the footprints; missing cells do not take part.

    Parameters
    ----------
    weights : FootprintWeights or BilinearWeights
        For n_pixel pixels on the grid of `field`.
    field : ndarray, shape (n_cell, n_level), or CellValues
        Values, cell by cell (flat order row, column); NaN where missing. A cell is used where
        all its levels are finite. To look for these takes longer than the average over a small
        block: give `cell_values(field)` where there are many blocks.

    Returns
    -------
    mean : ndarray, shape (n_pixel, n_level)
        Weighted mean over the finite cells; NaN where there is none.
    coverage : ndarray, shape (n_pixel,)
        Share of the pixel's area (bilinear: of the weight) on finite cells inside of the grid.

    Examples
    --------
    Half of a pixel on a cell of 4, a quarter on one of 2, a quarter on one that is missing.

    >>> grid = RectilinearGrid(np.array([5.0, 5.1, 5.2, 5.3]), np.array([50.0, 50.1]))
    >>> lat, lon = np.array([[50.0, 50.0, 50.1, 50.1]]), np.array([[5.05, 5.25, 5.25, 5.05]])
    >>> field = np.array([[2.0], [4.0], [np.nan]])
    >>> mean, coverage = apply_weights(footprint_weights(lat, lon, grid), field)
    >>> mean.round(3).tolist(), coverage.round(3).tolist()
    ([[3.333]], [0.75])
    """
    clean, is_finite = field if isinstance(field, CellValues) else cell_values(field)
    if isinstance(weights, FootprintWeights):
        total = weights.matrix @ clean
        coverage = weights.matrix @ is_finite.astype(np.float64)
    else:
        total = np.zeros((weights.cell.shape[0], clean.shape[1]))
        coverage = np.zeros(weights.cell.shape[0])
        for k in range(4):
            total += weights.weight[:, k, None] * clean[weights.cell[:, k]]
            coverage += weights.weight[:, k] * is_finite[weights.cell[:, k]]
    mean = np.full(total.shape, np.nan)
    np.divide(total, coverage[:, None], out=mean, where=coverage[:, None] > 0)
    return mean, np.asarray(coverage)


def weights_for(
    latitude: Float,
    longitude: Float,
    latitude_bounds: Float,
    longitude_bounds: Float,
    grid: Grid,
) -> Weights:
    """Footprint weights for sets finer than 0.25 degree, bilinear ones for coarser sets."""
    if not isinstance(grid, RectilinearGrid):
        if grid.is_fine:
            return grid.footprint_weights(latitude_bounds, longitude_bounds)
        return grid.bilinear_weights(latitude, longitude)
    if grid.is_fine:
        return footprint_weights(latitude_bounds, longitude_bounds, grid)
    return bilinear_weights(latitude, longitude, grid)
