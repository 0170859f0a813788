r"""Areas shared by pairs of polygons, of which one is convex: cells of a curvilinear grid.

A polygon is cut by the half-planes of a convex one, side by side (Sutherland and Hodgman, 1974,
doi:10.1145/360767.360802), for many pairs at once; what is left is what both share. Kernel on
plain arrays, no checks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.geometry.overlap import polygon_area

if TYPE_CHECKING:
    from retrieval.typing import Bool, Float, Index

CHUNK = 20_000
"""Pairs treated at once: intermediate arrays stay in the processor's cache."""


def shared_areas(x: Float, y: Float, cell_x: Float, cell_y: Float) -> Float:
    """Area that each polygon shares with its convex quadrilateral, in the units of x times y.

    Parameters
    ----------
    x, y : ndarray, shape (n, corner)
        Corners of convex polygons in either orientation; a corner may be there twice.
    cell_x, cell_y : ndarray, shape (n, 4)
        Corners of convex quadrilaterals in either orientation.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    A square of side 2 and one of side 1 that lies on its corner in the middle of an edge.

    >>> square = np.array([[0.0, 2.0, 2.0, 0.0]]), np.array([[0.0, 0.0, 2.0, 2.0]])
    >>> half = np.sqrt(0.5)
    >>> turned = np.array([[1.0, 1.0 + half, 1.0, 1.0 - half]]), np.array([[-half, 0, half, 0]])
    >>> shared_areas(*square, *turned).round(6).tolist()
    [0.5]
    """
    parts = [
        _shared(*(values[i : i + CHUNK] for values in (x, y, cell_x, cell_y)))
        for i in range(0, x.shape[0], CHUNK)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def is_convex(x: Float, y: Float) -> Bool:
    """Tell which quadrilaterals are convex and do not cross themselves, (n, 4) -> (n,).

    Examples
    --------
    >>> x = np.array([[0.0, 2.0, 2.0, 0.0], [0.0, 2.0, 0.5, 0.0], [0.0, 1.0, 0.0, 1.0]])
    >>> y = np.array([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.5, 2.0], [0.0, 0.0, 1.0, 1.0]])
    >>> is_convex(x, y).tolist()
    [True, False, False]
    """
    turns = corner_turns(x, y)
    with np.errstate(invalid="ignore"):
        return np.asarray((turns >= 0.0).all(axis=1) | (turns <= 0.0).all(axis=1))


def corner_turns(x: Float, y: Float) -> Float:
    """Twice the area of the triangle at each corner, positive where a polygon turns left."""
    before_x, before_y = x - np.roll(x, 1, axis=1), y - np.roll(y, 1, axis=1)
    after_x, after_y = np.roll(x, -1, axis=1) - x, np.roll(y, -1, axis=1) - y
    return np.asarray(before_x * after_y - before_y * after_x)


def convex_parts(pixels: Index, x: Float, y: Float) -> tuple[Index, Float, Float]:
    """Cut pixels that are not convex into two triangles at their inner corner."""
    px, py = x[pixels], y[pixels]
    turns = corner_turns(px, py) * np.sign(polygon_area(px, py))[:, None]
    bent = np.flatnonzero((turns < 0.0).any(axis=1))
    if bent.size == 0:
        return pixels, px, py
    inner = turns[bent].argmin(axis=1)
    halves = []
    for corners in ((0, 1, 2, 2), (0, 2, 3, 3)):
        pick = (inner[:, None] + np.array(corners)) % 4
        halves.append([np.take_along_axis(values[bent], pick, axis=1) for values in (px, py)])
    owner = np.concatenate([np.delete(pixels, bent), pixels[bent], pixels[bent]])
    parts = [
        np.concatenate([np.delete(whole, bent, axis=0), halves[0][i], halves[1][i]])
        for i, whole in enumerate((px, py))
    ]
    return owner, parts[0], parts[1]


def _shared(x: Float, y: Float, cell_x: Float, cell_y: Float) -> Float:
    """Do one chunk; inside, corners come first: the pairs lie beside each other in memory."""
    # relative to a corner of the cell, so that metres in the millions lose no digits
    x, y = (np.ascontiguousarray((v - c[:, :1]).T) for v, c in ((x, cell_x), (y, cell_y)))
    cell_x, cell_y = (np.ascontiguousarray((c - c[:, :1]).T) for c in (cell_x, cell_y))
    sign = np.where(_area(cell_x, cell_y) < 0.0, -1.0, 1.0)
    area = np.zeros(x.shape[1])
    left = np.arange(x.shape[1])
    for side in range(4):
        after = (side + 1) % 4
        ax, ay = cell_x[side, left], cell_y[side, left]
        dx, dy = sign[left] * (cell_x[after, left] - ax), sign[left] * (cell_y[after, left] - ay)
        distance = dx * (y - ay) - dy * (x - ax)
        is_point = (dx == 0.0) & (dy == 0.0)  # a side without length cuts nothing
        is_left = (distance.max(axis=0) > 0.0) | is_point
        x, y, distance, left = x[:, is_left], y[:, is_left], distance[:, is_left], left[is_left]
        if left.size == 0:
            return area
        cut = np.flatnonzero(distance.min(axis=0) < 0.0)  # most lie on one side of most lines
        if cut.size:
            x, y = _with_cut(x, y, cut, distance[:, cut])
    area[left] = np.abs(_area(x, y))
    return area


def _area(x: Float, y: Float) -> Float:
    return np.asarray(0.5 * (x * np.roll(y, -1, axis=0) - np.roll(x, -1, axis=0) * y).sum(axis=0))


def _with_cut(x: Float, y: Float, cut: Index, distance: Float) -> tuple[Float, Float]:
    """Cut some of the polygons; the others repeat their last corner, which changes no area."""
    parts = _cut(x[:, cut], y[:, cut], distance)
    size = max(parts[0].shape[0], x.shape[0])
    found = []
    for whole, part in zip((x, y), parts, strict=True):
        new = np.empty((size, whole.shape[1]))
        new[: whole.shape[0]], new[whole.shape[0] :] = whole, whole[-1]
        new[: part.shape[0], cut], new[part.shape[0] :, cut] = part, part[-1]
        found.append(new)
    return found[0], found[1]


def _cut(x: Float, y: Float, distance: Float) -> tuple[Float, Float]:
    """Keep what is on the left of a line: corners there, and where sides cross it."""
    k, n = x.shape
    next_distance = np.roll(distance, -1, axis=0)
    is_inside = distance >= 0.0
    crosses = is_inside != np.roll(is_inside, -1, axis=0)
    way = np.zeros((k, n))
    np.divide(distance, distance - next_distance, out=way, where=crosses)
    # each corner may give itself, then the crossing of the side that starts there
    place = np.empty((2 * k, n), dtype=np.intp)
    place[::2], place[1::2] = is_inside, crosses
    np.cumsum(place, axis=0, out=place)
    count = place[-1].copy()
    place -= 1
    size = int(count.max(initial=1))
    new_x, new_y = np.zeros((size, n)), np.zeros((size, n))
    flat_x, flat_y = new_x.reshape(-1), new_y.reshape(-1)
    for corner in range(k):
        after = (corner + 1) % k
        kept = np.flatnonzero(is_inside[corner])
        at = place[2 * corner, kept] * n + kept
        flat_x[at], flat_y[at] = x[corner, kept], y[corner, kept]
        kept = np.flatnonzero(crosses[corner])
        at, part = place[2 * corner + 1, kept] * n + kept, way[corner, kept]
        for flat, values in ((flat_x, x), (flat_y, y)):
            start = values[corner, kept]
            flat[at] = start + part * (values[after, kept] - start)
    for row in range(1, size):  # one with fewer points repeats its last
        is_over = np.flatnonzero(count <= row)
        new_x[row, is_over], new_y[row, is_over] = new_x[row - 1, is_over], new_y[row - 1, is_over]
    return new_x, new_y
