"""Where the twin world lies: the domain (docs/formats.md 10.1) inside a wider simulated frame.

Everything is simulated on a frame, which covers the box that users are asked to request, so that
the domain has inflow from all sides and cut files are filled to their edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from pyproj import Transformer

from retrieval.maps.regions import INPUT_BOX
from retrieval.physics.geometry.grids import RectilinearGrid, domain_grid

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CRS = "EPSG:3035"
"""Projection of the twin world, as of the domain."""

BOX = INPUT_BOX
"""West, south, east, north [degree] that the domain needs: what model files are cut to."""

WIDE_BOX = (-13.0, 38.0, 13.0, 58.0)
"""The same with the surroundings that a day's wind crosses: of weather and inventory."""

SYNTHETIC = "synthetic"
"""What every file made from the twin world says in its attributes."""


@dataclass(frozen=True)
class Frame:
    """What is simulated: a rectangle of the plane around the domain.

    Attributes
    ----------
    x, y : tuple of float
        West and east, south and north edge [m]; multiples of 16 km away from the domain's edges.
    box : tuple of float
        West, south, east, north [degree] inside it, filled by weather and inventory.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    box: tuple[float, float, float, float]

    def grid(self, spacing: float = 2000.0) -> RectilinearGrid:
        """Build its cells.

        Parameters
        ----------
        spacing : float
            Cell size [m]; 2000, 8000 and 16000 nest with
            `retrieval.physics.geometry.grids.domain_grid`.

        Examples
        --------
        >>> NARROW.grid().shape, NARROW.grid(16000.0).shape, WIDE.grid().shape
        ((1000, 912), (125, 114), (1232, 1152))
        """
        x = np.arange(self.x[0], self.x[1] + 1.0, spacing)
        y = np.arange(self.y[0], self.y[1] + 1.0, spacing)
        return RectilinearGrid(x, y, CRS)

    def domain(self, spacing: float = 2000.0) -> tuple[slice, slice]:
        """Return the rows and columns of the domain among the cells of the same size."""
        return self.window_of(domain_grid(spacing))

    def window_of(self, grid: RectilinearGrid) -> tuple[slice, slice]:
        """Return the rows and columns of a grid whose cells are some of the frame's."""
        spacing = float(grid.x_edges[1] - grid.x_edges[0])
        row = round((grid.y_edges[0] - self.y[0]) / spacing)
        column = round((grid.x_edges[0] - self.x[0]) / spacing)
        n_y, n_x = grid.shape
        return slice(row, row + n_y), slice(column, column + n_x)


NARROW = Frame((2_592_000.0, 4_416_000.0), (1_856_000.0, 3_856_000.0), BOX)
"""Frame of version 1 of the twin world."""

WIDE = Frame((2_304_000.0, 4_608_000.0), (1_648_000.0, 4_112_000.0), WIDE_BOX)
"""Frame of version 2."""


@cache
def _transformer(inverse: bool) -> Transformer:
    pair = (CRS, "EPSG:4326") if inverse else ("EPSG:4326", CRS)
    return Transformer.from_crs(*pair, always_xy=True)


def to_lonlat(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude and latitude [degree] of projected coordinates [m]."""
    longitude, latitude = _transformer(inverse=True).transform(x, y)
    return np.asarray(longitude), np.asarray(latitude)


def to_plane(
    longitude: ArrayLike, latitude: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Projected coordinates [m] of longitude and latitude [degree]."""
    x, y = _transformer(inverse=False).transform(longitude, latitude)
    return np.asarray(x), np.asarray(y)


def meridian_angle(
    longitude: NDArray[np.float64], latitude: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Angle [rad] by which true north lies counter-clockwise of the grid's y axis.

    A wind (u, v) along the grid's axes has the eastward component u cos(a) + v sin(a) and the
    northward component v cos(a) - u sin(a).
    """
    x0, y0 = to_plane(longitude, latitude - 0.05)
    x1, y1 = to_plane(longitude, latitude + 0.05)
    return np.asarray(np.arctan2(-(x1 - x0), y1 - y0))


@dataclass(frozen=True)
class Points:
    """Places where fields of the twin world are evaluated; all arrays share one shape.

    Attributes
    ----------
    x, y : ndarray of float64
        Projected coordinates [m].
    longitude, latitude : ndarray of float64
        Geographic coordinates [degree].
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of every array."""
        return self.x.shape

    @classmethod
    def of_grid(cls, grid: RectilinearGrid) -> Points:
        """Return the cell centres of a projected or geographic grid, shape (n_y, n_x)."""
        first, second = np.meshgrid(grid.x, grid.y)
        if grid.is_geographic:
            x, y = to_plane(first, second)
            return cls(x, y, first, second)
        longitude, latitude = to_lonlat(first, second)
        return cls(first, second, longitude, latitude)


def block_mean(field: NDArray[Any], factor: int) -> NDArray[Any]:
    """Average blocks of `factor` x `factor` cells over the last two axes."""
    *lead, n_y, n_x = field.shape
    blocks = field.reshape(*lead, n_y // factor, factor, n_x // factor, factor)
    return np.asarray(blocks.mean(axis=(-3, -1), dtype=np.float64).astype(field.dtype))


def child_seed(seed: int, *path: int) -> np.random.Generator:
    """Random generator that depends only on the seed and the path below it."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *path])))


def as_day(date: np.datetime64 | str) -> np.datetime64:
    """Date of a moment, as datetime64[D].

    Examples
    --------
    >>> str(as_day("2019-07-10T12:00"))
    '2019-07-10'
    """
    day: np.datetime64 = np.datetime64(str(date)).astype("datetime64[D]")
    return day


def stamp(date: np.datetime64, hour: int) -> np.datetime64:
    """Moment of an hour of a date, as datetime64[s]."""
    moment: np.datetime64 = date.astype("datetime64[s]") + np.timedelta64(3600 * hour, "s")
    return moment


def day_hours(date: np.datetime64) -> NDArray[np.datetime64]:
    """Return the stamps 00 ... 23 UTC of a date, as datetime64[s]."""
    return np.asarray(date.astype("datetime64[s]") + np.arange(24) * np.timedelta64(3600, "s"))
