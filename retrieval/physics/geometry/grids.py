"""Horizontal grids: rectilinear cells in longitude/latitude or in a projected plane.

The axes of a grid always ascend; readers flip descending axes before they build one. Cell edges
lie midway between coordinates (docs/equations.md 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from pyproj import Transformer

    from retrieval.typing import Float

GEOGRAPHIC = "EPSG:4326"
"""CRS name of longitude/latitude grids."""

EUROPE_PLANE = "EPSG:3035"
"""ETRS89-LAEA: equal area, the plane of the 2 km grid."""

FINE_GRID_LIMIT = 0.25
"""Finer sets [degree] are averaged over footprints, coarser ones are interpolated."""

BoundingBox = tuple[float, float, float, float]
"""West, south, east, north [degrees]; west > east means across the antimeridian."""

FULL_CIRCLE = 360.0
"""Longitudes repeat after it [degree]."""

POINTS_PER_SIDE = 101
"""Points along each side of a box, so that its image in a projected plane is followed."""

LONGEST_CODE = 40
"""A CRS of more letters is a text that describes it."""

METRES_PER_DEGREE = 111_195.0
"""Of latitude on the sphere of 6371 km; only to apply that limit to projected grids."""


@dataclass(frozen=True)
class RectilinearGrid:
    """Cells between `x_edges` and `y_edges`, both ascending, in the plane of `crs`.

    Attributes
    ----------
    x_edges : ndarray, shape (n_x + 1,)
        Cell edges along x: metres for a projected CRS, degrees east for a geographic one.
    y_edges : ndarray, shape (n_y + 1,)
        Cell edges along y: metres, or degrees north.
    crs : str
        Anything pyproj understands; `EPSG:4326` means longitude/latitude in degrees.
    x_centres, y_centres : ndarray, optional
        Where the values of a set are, if not midway between the edges: on non-uniform axes
        (Gaussian latitudes) and for points on the poles.

    Raises
    ------
    ValueError
        If an axis has fewer than two edges or does not ascend.
    """

    x_edges: NDArray[np.floating]
    y_edges: NDArray[np.floating]
    crs: str = GEOGRAPHIC
    x_centres: NDArray[np.floating] | None = None
    y_centres: NDArray[np.floating] | None = None

    def __post_init__(self) -> None:
        for name in ("x_edges", "y_edges"):
            edges = np.asarray(getattr(self, name), dtype=np.float64)
            if edges.ndim != 1 or edges.size < 2 or not (np.diff(edges) > 0).all():
                msg = (
                    f"Invalid {name}. Edges must be a one-dimensional ascending axis of at least "
                    f"two values. Given shape {edges.shape}. Sort the axis before building a grid."
                )
                raise ValueError(msg)
            object.__setattr__(self, name, edges)

    @classmethod
    def from_centres(cls, x: ArrayLike, y: ArrayLike, crs: str = GEOGRAPHIC) -> RectilinearGrid:
        """Build the grid whose cell edges lie midway between ascending coordinates.

        Latitude edges beyond the poles (of grids with points on them) are put on the poles.
        """
        y_edges = edges_midway(y)
        if crs == GEOGRAPHIC:
            y_edges = np.clip(y_edges, -90.0, 90.0)
        x_centres, y_centres = (np.asarray(axis, dtype=np.float64) for axis in (x, y))
        return cls(edges_midway(x), y_edges, crs, x_centres, y_centres)

    @property
    def is_geographic(self) -> bool:
        """True for longitude/latitude in degrees."""
        return self.crs == GEOGRAPHIC

    @property
    def crs_name(self) -> str:
        """The CRS in words short enough for a line: its code, or the method of its projection."""
        if len(self.crs) <= LONGEST_CODE:
            return self.crs
        from pyproj import CRS  # 0.1 s to import, not needed for longitude/latitude sets

        operation = CRS(self.crs).coordinate_operation
        return CRS(self.crs).name if operation is None else operation.method_name

    @property
    def shape(self) -> tuple[int, int]:
        """Number of cells (n_y, n_x)."""
        return self.y_edges.size - 1, self.x_edges.size - 1

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Outer edges: least and largest x, least and largest y."""
        return (
            float(self.x_edges[0]),
            float(self.x_edges[-1]),
            float(self.y_edges[0]),
            float(self.y_edges[-1]),
        )

    @property
    def identity(self) -> tuple[bytes, ...]:
        """Bytes that equal grids of one CRS share."""
        return self.x_edges.tobytes(), self.y_edges.tobytes()

    @property
    def x(self) -> NDArray[np.floating]:
        """Cell centres along x: where the values are."""
        if self.x_centres is not None:
            return self.x_centres
        return 0.5 * (self.x_edges[:-1] + self.x_edges[1:])

    @property
    def y(self) -> NDArray[np.floating]:
        """Cell centres along y: where the values are."""
        if self.y_centres is not None:
            return self.y_centres
        return 0.5 * (self.y_edges[:-1] + self.y_edges[1:])

    @property
    def row_area_factor(self) -> NDArray[np.floating]:
        """True area per unit of x times y of each row, shape (n_y,).

        1 in a projected plane. On longitude/latitude the cell between two parallels has the
        area (sin top - sin bottom) dlon on the unit sphere, so the factor [steradian degree-2]
        falls with latitude.
        """
        if not self.is_geographic:
            return np.ones(self.shape[0])
        sine = np.sin(np.deg2rad(self.y_edges))
        return np.asarray(np.deg2rad(1.0) * np.diff(sine) / np.diff(self.y_edges))

    @property
    def is_periodic(self) -> bool:
        """True for a longitude/latitude grid whose longitudes close the circle."""
        span = self.x_edges[-1] - self.x_edges[0]
        return self.is_geographic and bool(span > FULL_CIRCLE - 1e-3)

    @property
    def is_fine(self) -> bool:
        """True where footprints are averaged; coarser sets are interpolated."""
        spacing = max(np.diff(self.x_edges).max(), np.diff(self.y_edges).max())
        limit = FINE_GRID_LIMIT * (1.0 if self.is_geographic else METRES_PER_DEGREE)
        return bool(spacing < limit)

    def crop(self, rows: slice, columns: slice) -> RectilinearGrid:
        """Return the grid of a contiguous block of cells."""
        n_y, n_x = self.shape
        r0, r1, _ = rows.indices(n_y)
        c0, c1, _ = columns.indices(n_x)
        return RectilinearGrid(
            self.x_edges[c0 : c1 + 1],
            self.y_edges[r0 : r1 + 1],
            self.crs,
            None if self.x_centres is None else self.x_centres[c0:c1],
            None if self.y_centres is None else self.y_centres[r0:r1],
        )


def edges_midway(centres: ArrayLike) -> NDArray[np.floating]:
    """Edges midway between ascending cell centres; a uniform axis gets exactly uniform edges.

    Coordinates stored as float32 carry noise of 1e-6 degree; an axis that is uniform to a
    thousandth of its spacing is replaced by the uniform axis through its ends.

    Examples
    --------
    >>> edges_midway([0.05, 0.15, 0.25]).round(6).tolist()
    [0.0, 0.1, 0.2, 0.3]
    >>> edges_midway([0.0, 1.0, 3.0]).tolist()
    [-0.5, 0.5, 2.0, 4.0]
    """
    values = np.asarray(centres, dtype=np.float64)
    if values.ndim != 1 or values.size < 2 or not (np.diff(values) > 0).all():
        msg = (
            "Invalid coordinate axis. It must be one-dimensional, ascend, and hold at least two "
            f"values. Given {values.size} value(s). Check the coordinates of the file."
        )
        raise AprioriError(msg)
    steps = np.diff(values)
    step = (values[-1] - values[0]) / (values.size - 1)
    if np.abs(steps - step).max() < 1e-3 * step:
        return np.asarray(values[0] + step * (np.arange(values.size + 1) - 0.5))
    middle = 0.5 * (values[:-1] + values[1:])
    first = values[0] - 0.5 * steps[0]
    last = values[-1] + 0.5 * steps[-1]
    return np.concatenate([[first], middle, [last]])


def domain_grid(spacing: float = 2000.0) -> RectilinearGrid:
    """Build the domain (docs/formats.md 10.1) in EPSG:3035, by default 592 x 720 cells of 2 km.

    Examples
    --------
    >>> domain_grid().shape, domain_grid(8000.0).shape, domain_grid(16000.0).shape
    ((720, 592), (180, 148), (90, 74))
    """
    x = np.arange(3_072_000.0, 4_256_000.0 + 1.0, spacing)
    y = np.arange(2_096_000.0, 3_536_000.0 + 1.0, spacing)
    return RectilinearGrid(x, y, EUROPE_PLANE)


def same_grid(one: RectilinearGrid, other: RectilinearGrid) -> bool:
    """Tell whether two grids have the same cells, to a millionth of a cell."""
    if one.crs != other.crs or one.shape != other.shape:
        return False
    return all(
        np.allclose(a, b, rtol=0.0, atol=1e-6 * float(np.diff(a).min()))
        for a, b in ((one.x_edges, other.x_edges), (one.y_edges, other.y_edges))
    )


@lru_cache(maxsize=16)
def transformer(source: str, target: str) -> Transformer:
    """Return what brings points from one CRS to another, longitude or x first; made once."""
    from pyproj import Transformer  # 0.1 s to import, not needed for longitude/latitude sets

    return Transformer.from_crs(source, target, always_xy=True)


def project(longitude: Float, latitude: Float, grid: RectilinearGrid) -> tuple[Float, Float]:
    """Coordinates of points in the plane of a grid; inf where its projection has no value."""
    if grid.is_geographic:
        return longitude, latitude
    x, y = transformer(GEOGRAPHIC, grid.crs).transform(longitude, latitude)
    return np.asarray(x), np.asarray(y)


def shift_to_grid(x: Float, grid: RectilinearGrid) -> Float:
    """Shift polygons (n, corner) by turns of 360 degrees to where the grid is."""
    middle = 0.5 * (grid.x_edges[0] + grid.x_edges[-1])
    turns = np.round((x.mean(axis=1) - middle) / FULL_CIRCLE)
    return np.asarray(x - FULL_CIRCLE * turns[:, None])


def unproject(x: ArrayLike, y: ArrayLike, grid: RectilinearGrid) -> tuple[Float, Float]:
    """Longitude and latitude [degree] of points in the plane of a grid, any shape."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if grid.is_geographic:
        return x, y
    longitude, latitude = transformer(grid.crs, GEOGRAPHIC).transform(x, y)
    return np.asarray(longitude), np.asarray(latitude)


def centres_in_degrees(grid: RectilinearGrid) -> tuple[Float, Float]:
    """Longitude and latitude of the cell centres [degree], each of the shape of the grid."""
    x, y = np.meshgrid(grid.x, grid.y)
    return unproject(x, y, grid)


def corners_in_degrees(grid: RectilinearGrid) -> tuple[Float, Float]:
    """Longitude and latitude of the cell corners [degree], each of shape (n_y + 1, n_x + 1)."""
    x, y = np.meshgrid(grid.x_edges, grid.y_edges)
    return unproject(x, y, grid)


def cell_areas(grid: RectilinearGrid) -> Float:
    """Areas of the cells in units of x times y of the plane, true to each other, (n_y, n_x).

    Square metres for an equal-area plane; steradian on longitude/latitude.

    Examples
    --------
    >>> cell_areas(RectilinearGrid(np.array([0.0, 2.0]), np.array([0.0, 1.0, 3.0]), EUROPE_PLANE))
    array([[2.],
           [4.]])
    """
    height = np.diff(grid.y_edges) * grid.row_area_factor
    return np.asarray(height[:, None] * np.diff(grid.x_edges))


def box_outline(box: BoundingBox) -> tuple[Float, Float]:
    """Longitude and latitude of points round a box of meridians and parallels, closed."""
    west, south, east, north = box
    up = np.linspace(0.0, 1.0, POINTS_PER_SIDE)
    flat = np.zeros(POINTS_PER_SIDE)
    along = np.concatenate([up, flat + 1, up[::-1], flat])
    across = np.concatenate([flat, up, flat + 1, up[::-1]])
    return west + (east - west) * along, south + (north - south) * across


def box_in_plane(box: BoundingBox, grid: RectilinearGrid) -> BoundingBox:
    """Extent x0, y0, x1, y1 of the image of a box of degrees in the plane of a grid."""
    x, y = project(*box_outline(box), grid)
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def box_in_degrees(grid: RectilinearGrid) -> BoundingBox:
    """Return a box of meridians and parallels that holds a grid."""
    x_0, x_1 = float(grid.x_edges[0]), float(grid.x_edges[-1])
    y_0, y_1 = float(grid.y_edges[0]), float(grid.y_edges[-1])
    if grid.is_geographic:
        return (x_0, y_0, x_1, y_1) if x_1 - x_0 < FULL_CIRCLE else (-180.0, y_0, 180.0, y_1)
    west, south, east, north = transformer(grid.crs, GEOGRAPHIC).transform_bounds(
        x_0, y_0, x_1, y_1, densify_pts=POINTS_PER_SIDE
    )
    return (west, south, east, north)
