r"""Exact overlap areas of quadrilaterals with the cells of a rectilinear grid.

A pixel counts each cell of a set by the area they share. For a polygon with directed edges, the
area of its part with :math:`x_l \le x \le x_r` and :math:`y \ge Y` is the line integral

.. math:: H(Y) = \oint \max(y - Y, 0)\, dx

over the edges clipped to the strip, and for a straight edge from :math:`y_a` to :math:`y_b` it
is closed: :math:`\Delta x\,(P(u_b) - P(u_a)) / (u_b - u_a)` with :math:`P(u) = \max(u, 0)^2 / 2`
and :math:`u = y - Y`. The area in a cell is :math:`H(Y_\mathrm{bottom}) - H(Y_\mathrm{top})`.
The sign of the whole polygon's area takes care of the orientation of its corners, and the
formula holds for any simple polygon, convex or not (Green's theorem; docs/equations.md 4.2).
Kernel on plain arrays, no checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from retrieval.typing import Float, Index

CHUNK = 4000
"""Polygons treated at once: intermediate arrays stay in the processor's cache."""


class Overlap(NamedTuple):
    """Overlap areas in compressed row form: polygon i owns entries indptr[i]:indptr[i + 1]."""

    indptr: Index
    row: Index
    column: Index
    area: Float


def polygon_area(x: Float, y: Float) -> Float:
    """Signed area of polygons, shape (n, corner) -> (n,); positive for counter-clockwise corners.

    Coordinates are taken relative to the first corner, so that metres in the millions lose no
    digits.

    Examples
    --------
    >>> polygon_area(np.array([[0.0, 2.0, 2.0, 0.0]]), np.array([[0.0, 0.0, 1.0, 1.0]])).tolist()
    [2.0]
    >>> polygon_area(np.array([[0.0, 0.0, 2.0]]), np.array([[0.0, 1.0, 0.0]])).tolist()
    [-1.0]
    """
    dx = x - x[:, :1]
    dy = y - y[:, :1]
    cross = dx * np.roll(dy, -1, axis=1) - np.roll(dx, -1, axis=1) * dy
    return np.asarray(0.5 * cross.sum(axis=1))


def overlap_areas(x: Float, y: Float, x_edges: Float, y_edges: Float) -> Overlap:
    """Areas shared by polygons and grid cells, in the units of x times y.

    Parameters
    ----------
    x, y : ndarray, shape (n, corner)
        Corners of simple polygons, finite, in either orientation.
    x_edges, y_edges : ndarray, shape (n_x + 1,), (n_y + 1,)
        Ascending cell edges. Parts of a polygon outside of the grid are not counted.

    Returns
    -------
    Overlap
        Positive areas only; rows of a polygon are ordered by column, then row.

    Examples
    --------
    A triangle of area 2 with its right angle in a corner of cells of 1: one whole, two halves.

    >>> edges = np.array([0.0, 1.0, 2.0])
    >>> found = overlap_areas(np.array([[0.0, 2, 0]]), np.array([[0.0, 0, 2]]), edges, edges)
    >>> list(zip(found.row.tolist(), found.column.tolist(), found.area.tolist()))
    [(0, 0, 1.0), (1, 0, 0.5), (0, 1, 0.5)]
    """
    parts = [
        _overlap_chunk(x[i : i + CHUNK], y[i : i + CHUNK], x_edges, y_edges)
        for i in range(0, x.shape[0], CHUNK)
    ]
    if not parts:
        empty = np.zeros(0, dtype=np.intp)
        return Overlap(np.zeros(1, dtype=np.intp), empty, empty, np.zeros(0))
    counts = np.concatenate([np.diff(part.indptr) for part in parts])
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
    return Overlap(
        indptr,
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.column for part in parts]),
        np.concatenate([part.area for part in parts]),
    )


def _overlap_chunk(x: Float, y: Float, x_edges: Float, y_edges: Float) -> Overlap:
    n = x.shape[0]
    column_0, n_column = _cell_range(x, x_edges)
    row_0, n_row = _cell_range(y, y_edges)
    n_column = np.where(n_row > 0, n_column, 0)

    # One entry per polygon and grid column: the four edges clipped to the column's strip.
    strip_polygon = np.repeat(np.arange(n), n_column)
    strip_column = _count_up(n_column) + column_0[strip_polygon]
    sign = np.sign(polygon_area(x, y))[strip_polygon]
    y_origin = y_edges[np.minimum(row_0, y_edges.size - 1)][strip_polygon]
    dx, y_a, y_b = _clip_edges(
        x[strip_polygon],
        y[strip_polygon] - y_origin[:, None],
        x_edges[strip_column],
        x_edges[strip_column + 1],
    )
    dx *= sign[:, None]

    # One entry per strip and row edge; the difference of neighbours is the area of a cell.
    n_edge = n_row[strip_polygon] + 1
    strip = np.repeat(np.arange(strip_polygon.size), n_edge)
    level = y_edges[_count_up(n_edge) + row_0[strip_polygon][strip]] - y_origin[strip]
    above = np.zeros(strip.size)
    for corner in range(x.shape[1]):
        above += _area_above(
            dx[:, corner][strip], y_a[:, corner][strip], y_b[:, corner][strip], level
        )
    # Corners run counter-clockwise after `sign`, so the integral over dx is minus the area.
    area = above[1:] - above[:-1]
    is_cell = strip[1:] == strip[:-1]
    cell = np.flatnonzero(is_cell & (area > 0))
    owner = strip[cell]
    polygon = strip_polygon[owner]
    first_edge = np.cumsum(n_edge) - n_edge
    row = row_0[polygon] + cell - first_edge[owner]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(polygon, minlength=n))])
    return Overlap(indptr.astype(np.intp), row, strip_column[owner], area[cell])


def _cell_range(values: Float, edges: Float) -> tuple[Index, Index]:
    """First cell that a polygon can touch and the number of cells, for ascending edges."""
    n_cell = edges.size - 1
    first = np.searchsorted(edges, values.min(axis=1), side="right") - 1
    last = np.searchsorted(edges, values.max(axis=1), side="left")
    first = np.clip(first, 0, n_cell)
    last = np.clip(last, 0, n_cell)
    return first, np.maximum(last - first, 0)


def _count_up(counts: Index) -> Index:
    """0, 1, .. counts[0] - 1, 0, 1, .. counts[1] - 1, and so on."""
    total = np.cumsum(counts)
    if total.size == 0:
        return np.zeros(0, dtype=np.intp)
    return np.asarray(np.arange(total[-1]) - np.repeat(total - counts, counts))


def _clip_edges(x: Float, y: Float, left: Float, right: Float) -> tuple[Float, Float, Float]:
    """Signed width and end heights of each polygon edge within the strip left <= x <= right."""
    x_end = np.roll(x, -1, axis=1)
    y_end = np.roll(y, -1, axis=1)
    width = x_end - x
    a = np.clip(x, left[:, None], right[:, None])
    b = np.clip(x_end, left[:, None], right[:, None])
    slope = np.divide(y_end - y, width, out=np.zeros_like(width), where=width != 0)
    return b - a, y + slope * (a - x), y + slope * (b - x)


def _area_above(dx: Float, y_a: Float, y_b: Float, level: Float) -> Float:
    """Integral of max(y - level, 0) over dx along a straight edge from y_a to y_b."""
    u_a = y_a - level
    u_b = y_b - level
    p_a = np.maximum(u_a, 0.0)
    p_b = np.maximum(u_b, 0.0)
    total = p_a + p_b
    # (P(u_b) - P(u_a)) / (u_b - u_a): equal to the mean of p where both ends lie above, and to
    # p^2 / (2 |u_b - u_a|) where one does. |u_a| + |u_b| is that difference without cancellation.
    spread = np.abs(u_a) + np.abs(u_b)
    is_crossing = (u_a < 0) != (u_b < 0)
    mean = 0.5 * total
    np.divide(0.5 * total * total, spread, out=mean, where=is_crossing & (spread > 0))
    return np.asarray(dx * mean)
