"""Curvilinear grids: cells are quadrilaterals with corners of their own, found by an R-tree.

Models on grids that no rectangle of axes describes give latitude and longitude of each cell. Sides
are straight in longitude and latitude, as those of pixels are; true areas follow from the sides
(`_true_areas`). A regular grid written as a curvilinear one gives the weights it gives by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from retrieval.errors import AprioriError
from retrieval.physics.geometry.clipping import convex_parts, is_convex, shared_areas
from retrieval.physics.geometry.footprint import LARGEST_PIXEL, BilinearWeights, FootprintWeights
from retrieval.physics.geometry.grids import (
    FINE_GRID_LIMIT,
    FULL_CIRCLE,
    GEOGRAPHIC,
    RectilinearGrid,
)
from retrieval.physics.geometry.overlap import polygon_area
from retrieval.physics.geometry.quadrilaterals import (
    crossing_quadrilaterals,
    is_flat,
    unwrap_longitudes,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from shapely import STRtree

    from retrieval.typing import Float, Index

NEWTON_STEPS = 8
"""Steps to the place within a cell: each doubles the digits, cells are nearly parallelograms."""
CELL_EDGE = 1e-9
"""Points this far outside of a cell, in parts of it, are on its edge."""


@dataclass(frozen=True)
class CurvilinearGrid:
    """Cells with four corners each, in longitude and latitude.

    Attributes
    ----------
    longitude, latitude : ndarray, shape (n_y, n_x)
        Where the values are [degree].
    corner_longitude, corner_latitude : ndarray, shape (n_y, n_x, 4)
        Corners round each cell [degree]; NaN where a cell has none.

    Raises
    ------
    AprioriError
        If a cell is not convex or goes round a pole.
    """

    longitude: Float
    latitude: Float
    corner_longitude: Float
    corner_latitude: Float

    crs = GEOGRAPHIC
    is_geographic = True
    is_periodic = False

    def __post_init__(self) -> None:
        flat = np.asarray(self.corner_longitude, dtype=np.float64).reshape(-1, 4)
        corners, has_pole = unwrap_longitudes(flat)
        middle = _middle(np.asarray(self.longitude, dtype=np.float64))
        corners -= FULL_CIRCLE * np.round((corners.mean(axis=1, keepdims=True) - middle) / 360.0)
        centre = np.asarray(self.longitude, dtype=np.float64)
        centre = centre - FULL_CIRCLE * np.round((centre - middle) / FULL_CIRCLE)
        latitude = np.asarray(self.corner_latitude, dtype=np.float64)
        is_known = np.isfinite(corners).all(axis=1) & np.isfinite(latitude).reshape(-1, 4).all(1)
        is_wrong = is_known & (has_pole | ~is_convex(corners, latitude.reshape(-1, 4)))
        if is_wrong.any():
            row, column = divmod(int(np.argmax(is_wrong)), centre.shape[1])
            msg = (
                "Invalid curvilinear grid. Cells must be convex quadrilaterals, their corners in "
                f"order, and round no pole. Given {int(is_wrong.sum())} others, the first in row "
                f"{row}, column {column}. Correct the corners, or give a grid mapping instead."
            )
            raise AprioriError(msg)
        object.__setattr__(self, "longitude", centre)
        object.__setattr__(self, "latitude", np.asarray(self.latitude, dtype=np.float64))
        object.__setattr__(self, "corner_longitude", corners.reshape(*centre.shape, 4))
        object.__setattr__(self, "corner_latitude", latitude)

    @classmethod
    def from_centres(cls, longitude: Float, latitude: Float) -> CurvilinearGrid:
        """Build the grid whose corners lie midway between four centres, the outer ones beyond.

        Raises
        ------
        AprioriError
            If there are fewer than two rows or columns, or the cells cross.

        Examples
        --------
        >>> lon, lat = np.meshgrid([0.5, 1.5], [50.0, 50.5])
        >>> CurvilinearGrid.from_centres(lon, lat).extent
        (0.0, 2.0, 49.75, 50.75)
        """
        latitude = np.asarray(latitude, dtype=np.float64)
        longitude = np.asarray(longitude, dtype=np.float64)
        if longitude.ndim != 2 or min(longitude.shape) < 2 or longitude.shape != latitude.shape:
            msg = (
                "Invalid curvilinear grid. Its latitudes and longitudes must have two dimensions "
                f"of at least two. Given shapes {latitude.shape} and {longitude.shape}. Check the "
                "coordinates of the file."
            )
            raise AprioriError(msg)
        middle = _middle(longitude)
        longitude = longitude - FULL_CIRCLE * np.round((longitude - middle) / FULL_CIRCLE)
        meshes = (corner_mesh(longitude), np.clip(corner_mesh(latitude), -90.0, 90.0))
        corners = [
            np.stack([m[:-1, :-1], m[:-1, 1:], m[1:, 1:], m[1:, :-1]], axis=-1) for m in meshes
        ]
        return cls(longitude, latitude, corners[0], corners[1])

    @property
    def shape(self) -> tuple[int, int]:
        """Number of cells (n_y, n_x)."""
        n_y, n_x = self.longitude.shape
        return n_y, n_x

    @cached_property
    def extent(self) -> tuple[float, float, float, float]:
        """Least and largest longitude, least and largest latitude of the corners [degree]."""
        return (
            float(np.nanmin(self.corner_longitude)),
            float(np.nanmax(self.corner_longitude)),
            float(np.nanmin(self.corner_latitude)),
            float(np.nanmax(self.corner_latitude)),
        )

    @cached_property
    def is_fine(self) -> bool:
        """True where footprints are averaged; coarser sets are interpolated."""
        sides = [np.roll(c, -1, axis=-1) - c for c in (self.corner_longitude, self.corner_latitude)]
        return bool(np.nanmax(np.hypot(*sides)) < FINE_GRID_LIMIT)

    @property
    def centres(self) -> tuple[Float, Float]:
        """Longitude and latitude of the values [degree]."""
        return self.longitude, self.latitude

    @property
    def crs_name(self) -> str:
        """The CRS in words short enough for a line."""
        return self.crs

    @property
    def identity(self) -> tuple[bytes, ...]:
        """Bytes that equal grids share."""
        return self.corner_longitude.tobytes(), self.corner_latitude.tobytes()

    def crop(self, rows: slice, columns: slice) -> CurvilinearGrid:
        """Return the grid of a contiguous block of cells."""
        parts = (self.longitude, self.latitude, self.corner_longitude, self.corner_latitude)
        n_y, n_x = self.shape
        if rows.indices(n_y) == (0, n_y, 1) and columns.indices(n_x) == (0, n_x, 1):
            return self
        return CurvilinearGrid(*(part[rows, columns] for part in parts))

    def window(self, longitude: Float, latitude: Float, margin: int) -> tuple[slice, slice] | None:
        """Rows and columns whose cells lie in the box of some points, with a margin, or None."""
        west, east = self.extent[:2]
        turns = np.round((longitude - 0.5 * (west + east)) / FULL_CIRCLE)
        x = longitude - FULL_CIRCLE * turns
        near = (
            (self.corner_longitude.max(axis=-1) >= x.min())
            & (self.corner_longitude.min(axis=-1) <= x.max())
            & (self.corner_latitude.max(axis=-1) >= latitude.min())
            & (self.corner_latitude.min(axis=-1) <= latitude.max())
        )
        if not near.any():
            return None
        found = []
        for axis, n in ((1, self.shape[0]), (0, self.shape[1])):
            index = np.flatnonzero(near.any(axis=axis))
            found.append(slice(max(int(index[0]) - margin, 0), min(int(index[-1]) + margin + 1, n)))
        return found[0], found[1]

    @cached_property
    def _cells(self) -> tuple[Float, Float, Float]:
        """Corners (cell, 4) and the true area over that in degrees of each cell."""
        x, y = self.corner_longitude.reshape(-1, 4), self.corner_latitude.reshape(-1, 4)
        with np.errstate(invalid="ignore", divide="ignore"):
            return x, y, np.abs(_true_areas(x, y) / polygon_area(x, y))

    @cached_property
    def _cell_extent(self) -> float:
        return _extent(*self._cells[:2])

    @cached_property
    def _tree(self) -> STRtree:
        return _tree(*self._cells[:2])

    @cached_property
    def _between(self) -> tuple[Float, Float, Index, STRtree]:
        """Quadrilaterals of four neighbouring centres, the cells they are of, and their tree."""
        number = np.arange(self.longitude.size).reshape(self.shape)
        cell = np.stack(
            [number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]], axis=-1
        ).reshape(-1, 4)
        x, y = self.longitude.ravel()[cell], self.latitude.ravel()[cell]
        return x, y, cell, _tree(x, y)

    def footprint_weights(
        self, latitude_bounds: Float, longitude_bounds: Float
    ) -> FootprintWeights:
        """Exact area weights of pixel quadrilaterals on the cells (`footprint.footprint_weights`).

        Parameters
        ----------
        latitude_bounds, longitude_bounds : ndarray, shape (n_pixel, 4)
            Corners [degrees]; NaN where missing.
        """
        y = np.asarray(latitude_bounds, dtype=np.float64)
        x, has_pole = unwrap_longitudes(np.asarray(longitude_bounds, dtype=np.float64))
        with np.errstate(invalid="ignore"):
            is_bad = np.asarray(
                ~(np.isfinite(x) & np.isfinite(y)).all(axis=1)
                | has_pole
                | (np.ptp(y, axis=1) > LARGEST_PIXEL)
                | crossing_quadrilaterals(x, y)
                | is_flat(x, y)
            )
        owner, part_x, part_y = convex_parts(np.flatnonzero(~is_bad), x, y)
        pixel, cell, area = self._overlaps(owner, part_x, part_y)
        n_pixel, n_cell = x.shape[0], self.longitude.size
        plane = csr_array((area, (pixel, cell)), shape=(n_pixel, n_cell))
        factor = self._cells[2][plane.indices]
        whole = np.where(is_bad, 1.0, np.abs(polygon_area(x, y)))
        rows = np.repeat(np.arange(n_pixel), np.diff(plane.indptr))
        covered = np.bincount(rows, plane.data, n_pixel)
        true = np.bincount(rows, plane.data * factor, n_pixel)
        # shares by true area; what is beyond the grid has the mean of what is inside
        scale = np.divide(covered / whole, true, out=np.zeros(n_pixel), where=true > 0)
        data = plane.data * factor * scale[rows]
        matrix = csr_array((data, plane.indices, plane.indptr), shape=plane.shape)
        full = np.divide(true * whole, covered, out=np.zeros(n_pixel), where=covered > 0)
        return FootprintWeights(matrix, is_bad, ~is_bad & (covered <= 0), self.shape, full)

    def _overlaps(self, owner: Index, x: Float, y: Float) -> tuple[Index, Index, Float]:
        cell_x, cell_y, _ = self._cells
        west, east = self.extent[:2]
        found: list[tuple[Index, Index, Float]] = []
        is_cell_smaller = self._cell_extent < _extent(x, y)
        for turn in (-FULL_CIRCLE, 0.0, FULL_CIRCLE):
            near = np.flatnonzero((x.max(axis=1) + turn > west) & (x.min(axis=1) + turn < east))
            if near.size == 0:
                continue
            part, cell = self._tree.query(_boxes(x[near] + turn, y[near]))
            part = near[part]
            pixels = (x[part] + turn, y[part])
            cells = (cell_x[cell], cell_y[cell])
            # both are convex: the smaller is cut by the larger, most often by no or one side of it
            order = (cells, pixels) if is_cell_smaller else (pixels, cells)
            area = shared_areas(*order[0], *order[1])
            is_shared = area > 0.0
            found.append((owner[part[is_shared]], cell[is_shared], area[is_shared]))
        if not found:
            none = np.zeros(0, dtype=np.intp)
            return none, none, np.zeros(0)
        owners, numbers, areas = zip(*found, strict=True)
        return np.concatenate(owners), np.concatenate(numbers), np.concatenate(areas)

    def bilinear_weights(self, latitude: Float, longitude: Float) -> BilinearWeights:
        """Weights of the four centres round each point, by its place between them.

        Parameters
        ----------
        latitude, longitude : ndarray, shape (n_pixel,)
            Pixel centres [degrees]; NaN where missing.
        """
        x, y = np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64)
        is_bad = ~(np.isfinite(x) & np.isfinite(y))
        west, east = self.extent[:2]
        x = x - FULL_CIRCLE * np.round((x - 0.5 * (west + east)) / FULL_CIRCLE)
        quad_x, quad_y, cells, tree = self._between
        good = np.flatnonzero(~is_bad)
        point, quad = tree.query(_boxes(x[good, None], y[good, None]))
        point = good[point]
        u, v = _place_within(x[point], y[point], quad_x[quad], quad_y[quad])
        with np.errstate(invalid="ignore"):
            is_within = (np.abs(u - 0.5) <= 0.5 + CELL_EDGE) & (np.abs(v - 0.5) <= 0.5 + CELL_EDGE)
        point, quad, u, v = (values[is_within] for values in (point, quad, u, v))
        point, first = np.unique(point, return_index=True)
        quad, u, v = quad[first], np.clip(u[first], 0.0, 1.0), np.clip(v[first], 0.0, 1.0)
        cell = np.zeros((x.size, 4), dtype=np.intp)
        weight = np.zeros((x.size, 4))
        cell[point] = cells[quad]
        weight[point] = np.stack([(1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v], axis=1)
        is_outside = ~is_bad
        is_outside[point] = False
        return BilinearWeights(cell, weight, is_bad, is_outside, self.shape)


Grid = RectilinearGrid | CurvilinearGrid
"""A horizontal grid of either kind."""


def rectilinear(grid: Grid, where: str) -> RectilinearGrid:
    """Return a grid that must have axes.

    Raises
    ------
    AprioriError
        If it is curvilinear.
    """
    if isinstance(grid, RectilinearGrid):
        return grid
    msg = (
        f"Invalid grid of {where}. Here it must have axes. Given two-dimensional coordinates or a "
        "rotated pole. Only a-priori sets of orbits may have these: regrid the field first."
    )
    raise AprioriError(msg)


def _middle(longitude: Float) -> float:
    """Longitude that a grid lies round, whatever turn its longitudes are given in."""
    angle = np.deg2rad(longitude[np.isfinite(longitude)])
    return float(np.rad2deg(np.arctan2(np.sin(angle).mean(), np.cos(angle).mean())))


def corner_mesh(centres: Float) -> Float:
    """Corners midway between four centres, (n_y, n_x) -> (n_y + 1, n_x + 1)."""
    mesh = centres
    for axis in (0, 1):
        first, last = (np.take(mesh, [i], axis=axis) for i in (0, -1))
        second, before = (np.take(mesh, [i], axis=axis) for i in (1, -2))
        mesh = np.concatenate([2 * first - second, mesh, 2 * last - before], axis=axis)
        low, high = (np.take(mesh, range(*r), axis=axis) for r in _neighbours(mesh.shape[axis]))
        mesh = 0.5 * (low + high)
    return np.asarray(mesh)


def _neighbours(n: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (0, n - 1), (1, n)


def _true_areas(longitude: Float, latitude: Float) -> Float:
    """Areas on the unit sphere of polygons with straight sides in degrees, by Green's theorem.

    The area is the integral of -sin(latitude) over longitude round the polygon; along a straight
    side the mean of the sine is -(cos b - cos a) / (b - a).
    """
    a, b = np.deg2rad(latitude), np.deg2rad(np.roll(latitude, -1, axis=1))
    step = np.deg2rad(np.roll(longitude, -1, axis=1) - longitude)
    half = 0.5 * (b - a)
    # mean of the sine: sin of the middle times sin(half) / half, which stays exact for level sides
    mean = np.sin(0.5 * (a + b)) * np.sinc(half / np.pi)
    return np.asarray(-(step * mean).sum(axis=1) / np.deg2rad(1.0) ** 2)


def _extent(x: Float, y: Float) -> float:
    """Mean area of the boxes of polygons; 0 where there are none."""
    areas = np.ptp(x, axis=1) * np.ptp(y, axis=1)
    known = areas[np.isfinite(areas)]
    return float(known.mean()) if known.size else 0.0


def _boxes(x: Float, y: Float) -> NDArray[np.object_]:
    import shapely  # a quarter of a second, needed by curvilinear sets alone

    boxes: NDArray[np.object_] = shapely.box(
        x.min(axis=1), y.min(axis=1), x.max(axis=1), y.max(axis=1)
    )
    return boxes


def _tree(x: Float, y: Float) -> STRtree:
    """R-tree of the boxes of polygons; those with missing corners are in none."""
    import shapely

    boxes = _boxes(x, y)
    boxes[~(np.isfinite(x) & np.isfinite(y)).all(axis=1)] = None
    return shapely.STRtree(boxes)


def _place_within(x: Float, y: Float, quad_x: Float, quad_y: Float) -> tuple[Float, Float]:
    """Solve x = sum of bilinear weights times corners for the fractions u, v by Newton's method."""
    u, v = np.full(x.shape, 0.5), np.full(x.shape, 0.5)
    terms = []
    for c in (quad_x, quad_y):
        terms.append(
            (c[:, 0], c[:, 1] - c[:, 0], c[:, 3] - c[:, 0], c[:, 0] - c[:, 1] + c[:, 2] - c[:, 3])
        )
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for _ in range(NEWTON_STEPS):
            (x0, xu, xv, xw), (y0, yu, yv, yw) = terms
            fx, fy = x0 + xu * u + xv * v + xw * u * v - x, y0 + yu * u + yv * v + yw * u * v - y
            a, b, c, d = xu + xw * v, xv + xw * u, yu + yw * v, yv + yw * u
            determinant = a * d - b * c
            u, v = u - (d * fx - b * fy) / determinant, v - (a * fy - c * fx) / determinant
    return u, v
