"""A global model like TM5-MP: 1 degree, 34 hybrid layers, its own free troposphere."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.air.profile import COLDEST, HEIGHTS, concentration
from dacno2_s5p.twin.air.stratosphere import in_layers
from dacno2_s5p.twin.land.world import BOX, Points, as_day, stamp, to_lonlat
from dacno2_s5p.twin.weather.modes import FieldSpec, TravellingFields
from retrieval.apriori.formats.hybrid_tables import tm5_half_levels
from retrieval.physics.constants import (
    AIR_COLUMN_PER_PASCAL,
    GAS_CONSTANT_DRY_AIR,
    GRAVITY,
    LAPSE_RATE,
    PPT,
)
from retrieval.physics.geometry.grids import RectilinearGrid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.twin.true_world import TrueWorld

ERRORS = (
    FieldSpec(500e3, 3000e3, 0.8, (5.0, 0.0), 40.0),
    FieldSpec(800e3, 6000e3, 1.0, (12.0, 0.0), 40.0),
)
"""Travelling errors of the boundary layer and of the free troposphere."""

SPREAD = (0.14, 0.16)
"""Standard deviations of the logarithms of the errors."""

FREE_LEVEL = 1.25
"""Free troposphere of the model over the true one, on average."""

STEPS = 48
"""Half-hourly fields in a day."""


@dataclass(frozen=True)
class Tm5Fields:
    """One moment on a longitude/latitude grid, layers surface first.

    Attributes
    ----------
    no2 : ndarray of float32, shape (34, n_y, n_x)
        Mole fraction [mol mol-1].
    temperature : ndarray of float32, shape (34, n_y, n_x)
        [K].
    surface_pressure : ndarray of float32, shape (n_y, n_x)
        [Pa].
    tropopause_layer : ndarray of int32, shape (n_y, n_x)
        Index of the highest layer that belongs to the troposphere.
    """

    no2: NDArray[np.float32]
    temperature: NDArray[np.float32]
    surface_pressure: NDArray[np.float32]
    tropopause_layer: NDArray[np.int32]


def ctmana_grid(box: tuple[float, float, float, float] | None = BOX) -> RectilinearGrid:
    """Build TM5's grid: 360 x 180 cells of 1 degree, or those that touch a box.

    Examples
    --------
    >>> ctmana_grid(None).shape, float(ctmana_grid().x[0])
    ((180, 360), -10.5)
    """
    west, south, east, north = (-180.0, -90.0, 180.0, 90.0) if box is None else box
    x = np.arange(-179.5, 180.0)
    y = np.arange(-89.5, 90.0)
    x = x[(x > west - 1.0) & (x < east + 1.0)]
    y = y[(y > south - 1.0) & (y < north + 1.0)]
    return RectilinearGrid.from_centres(x, y)


class Tm5Model:
    """The TM5-like model of a twin world.

    Parameters
    ----------
    world : TrueWorld
        The world it models.
    """

    def __init__(self, world: TrueWorld) -> None:
        self.world = world
        self.a, self.b = tm5_half_levels()
        self._errors = TravellingFields(ERRORS, world.seed, stream=5, n_wave=96)
        self._hours: OrderedDict[tuple[object, ...], Tm5Fields] = OrderedDict()

    def fields(
        self, date: np.datetime64 | str, step: int, grid: RectilinearGrid | None = None
    ) -> Tm5Fields:
        """Fields of half hour `step` (0-47) of a day, linear between the hours around it.

        Parameters
        ----------
        date : datetime64 or str
            Day.
        step : int
            Number of the half hour.
        grid : RectilinearGrid, optional
            Uniform cells of at least 0.1 degree, by default `ctmana_grid()`. Cells that hold no
            simulated cell of the frame get a clean profile.
        """
        grid = ctmana_grid() if grid is None else grid
        date = as_day(date)
        first = min(step // 2, 23)
        last = min((step + 1) // 2, 23)
        one = self._kept(date, first, grid)
        if first == last:
            return one
        two = self._kept(date, last, grid)
        return Tm5Fields(
            no2=0.5 * (one.no2 + two.no2),
            temperature=0.5 * (one.temperature + two.temperature),
            surface_pressure=0.5 * (one.surface_pressure + two.surface_pressure),
            tropopause_layer=one.tropopause_layer,
        )

    def _kept(self, date: np.datetime64, hour: int, grid: RectilinearGrid) -> Tm5Fields:
        key = (date, hour, grid.shape, float(grid.x_edges[0]), float(grid.y_edges[0]))
        if key not in self._hours:
            self._hours[key] = self._hour(date, hour, grid)
            while len(self._hours) > 3:
                self._hours.popitem(last=False)
        return self._hours[key]

    def surface_altitude(self, grid: RectilinearGrid | None = None) -> NDArray[np.float32]:
        """Terrain height of the cells [m]."""
        grid = ctmana_grid() if grid is None else grid
        height = self.world.frame_elevation
        return np.asarray(self._average(height[None], grid, np.zeros(1))[0], np.float32)

    def _hour(self, date: np.datetime64, hour: int, grid: RectilinearGrid) -> Tm5Fields:
        world = self.world
        state = world.day(date).frame_state(hour)
        profile = concentration(state, HEIGHTS)
        profile *= self._error_factors(date, hour)
        clean = np.quantile(profile[:, ::4, ::4], 0.05, axis=(1, 2))
        mean = self._average(profile, grid, clean)
        around = np.stack([state.pressure, state.temperature, state.elevation])
        pressure, temperature, elevation = self._average(
            around, grid, np.array([101325.0, 288.0, 0.0])
        )
        edges = self.a[:, None, None] + self.b[:, None, None] * pressure
        height = edge_heights(edges, pressure, temperature)
        partial = layer_columns(mean, np.asarray(HEIGHTS), height)
        points = Points.of_grid(grid)
        top = self._tropopause(date, hour, points) - elevation
        layer = np.clip((height[1:] <= top).sum(axis=0), 12, 18).astype(np.int32)
        partial = self._above(partial, edges, layer, stamp(date, hour), points)
        air = AIR_COLUMN_PER_PASCAL * -np.diff(edges, axis=0)
        middle = 0.5 * (np.minimum(height[1:], 40e3) + height[:-1])
        warmth = np.maximum(temperature - LAPSE_RATE * middle, COLDEST)
        return Tm5Fields(
            no2=(partial / air).astype(np.float32),
            temperature=warmth.astype(np.float32),
            surface_pressure=pressure.astype(np.float32),
            tropopause_layer=layer,
        )

    def _error_factors(self, date: np.datetime64, hour: int) -> NDArray[np.float32]:
        """Factors (n_height, n_y, n_x) of the truth on the 8 km frame."""
        time = np.array([stamp(date, hour)])
        waves = [self._errors.amplitudes(i, time) for i in range(2)]
        low, high = self._errors.evaluate(waves, self._points)
        share = np.clip((np.asarray(HEIGHTS) - 1000.0) / 3000.0, 0.0, 1.0)[:, None, None]
        logarithm = (1.0 - share) * SPREAD[0] * low + share * (
            SPREAD[1] * high + np.log(FREE_LEVEL)
        )
        return np.asarray(np.exp(logarithm), np.float32)

    @cached_property
    def _points(self) -> Points:
        return Points.of_grid(self.world.geography.frame.grid(8000.0))

    def _average(
        self, fields: NDArray[np.floating], grid: RectilinearGrid, empty: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """Mean of the 8 km cells whose centres lie in each cell; `empty` where there are none."""
        longitude, latitude = to_lonlat(self._points.x, self._points.y)
        n_y, n_x = grid.shape
        row = np.floor((latitude - grid.y_edges[0]) / np.diff(grid.y_edges)[0]).astype(np.int64)
        column = np.floor((longitude - grid.x_edges[0]) / np.diff(grid.x_edges)[0]).astype(np.int64)
        inside = (row >= 0) & (row < n_y) & (column >= 0) & (column < n_x)
        flat = (row * n_x + column)[inside]
        count = np.bincount(flat, minlength=n_y * n_x)
        out = np.empty((len(fields), n_y, n_x))
        for i, field in enumerate(fields):
            total = np.bincount(flat, field[inside], minlength=n_y * n_x)
            mean = np.where(count > 0, total / np.maximum(count, 1), empty[i])
            out[i] = mean.reshape(n_y, n_x)
        return out

    def _tropopause(self, date: np.datetime64, hour: int, points: Points) -> NDArray[np.float64]:
        """Height of the tropopause above sea level [m], that of the nearest 16 km cell."""
        field = self.world.weather.day(date).tropopause[hour]
        frame = self.world.geography.frame.grid(16000.0)
        row = np.clip((points.y - frame.y_edges[0]) // 16e3, 0, frame.shape[0] - 1)
        column = np.clip((points.x - frame.x_edges[0]) // 16e3, 0, frame.shape[1] - 1)
        return np.asarray(field[row.astype(np.int64), column.astype(np.int64)], np.float64)

    def _above(
        self,
        partial: NDArray[np.float64],
        edges: NDArray[np.float64],
        layer: NDArray[np.int32],
        time: np.datetime64,
        points: Points,
    ) -> NDArray[np.float64]:
        """Replace what lies above the tropopause layer by the stratosphere."""
        column = self.world.stratosphere.column(time, points)
        index = np.arange(partial.shape[0])[:, None, None]
        troposphere = np.where(index <= layer, partial, 0.0)
        # a model's mole fraction is nowhere zero
        floor = PPT * AIR_COLUMN_PER_PASCAL * -np.diff(edges, axis=0)
        return np.asarray(np.maximum(troposphere + in_layers(column, edges, layer), floor))


def edge_heights(
    edges: NDArray[np.float64],
    surface_pressure: NDArray[np.float64],
    temperature: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Heights above ground [m] of pressures, in air that cools by 6.5 K/km to 216.65 K.

    The exact hydrostatic integral; the top (0 Pa) is put where 1 Pa is.
    """
    pressure = np.maximum(edges, 1.0)
    exponent = GAS_CONSTANT_DRY_AIR * LAPSE_RATE / GRAVITY
    coldest = np.minimum(COLDEST, temperature - 1.0)
    bend = (temperature - coldest) / LAPSE_RATE
    low = temperature / LAPSE_RATE * (1.0 - (pressure / surface_pressure) ** exponent)
    at_bend = surface_pressure * (coldest / temperature) ** (1.0 / exponent)
    high = bend + GAS_CONSTANT_DRY_AIR * coldest / GRAVITY * np.log(at_bend / pressure)
    return np.asarray(np.where(low <= bend, low, high))


def layer_columns(
    profile: NDArray[np.floating],
    heights: NDArray[np.float64],
    edges: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Exact integrals of piecewise linear profiles between heights; nothing above the highest.

    Parameters
    ----------
    profile : ndarray, shape (n_height, n_y, n_x)
        Concentration [mol m-3].
    heights : ndarray, shape (n_height,)
        Ascending heights above ground [m].
    edges : ndarray, shape (n_layer + 1, n_y, n_x)
        Heights of the layers' edges [m].

    Returns
    -------
    ndarray, shape (n_layer, n_y, n_x)
        [mol m-2].
    """
    step = np.diff(heights)[:, None, None]
    segments = 0.5 * (profile[:-1] + profile[1:]) * step
    below = np.concatenate([np.zeros((1, *profile.shape[1:])), np.cumsum(segments, axis=0)])
    z = np.clip(edges, heights[0], heights[-1])
    k = np.clip(np.searchsorted(heights, z, side="right") - 1, 0, heights.size - 2)
    low = np.take_along_axis(profile, k, axis=0)
    slope = (np.take_along_axis(profile, k + 1, axis=0) - low) / np.diff(heights)[k]
    part = z - heights[k]
    total = np.take_along_axis(below, k, axis=0) + part * (low + 0.5 * slope * part)
    return np.asarray(np.diff(total, axis=0))
