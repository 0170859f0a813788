"""The true world: geography, weather, emissions and the truth of any day; no model sees it yet."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dacno2_s5p.twin.air.calendar import flight_activity, to_date
from dacno2_s5p.twin.air.emissions import Emissions, Inventory
from dacno2_s5p.twin.air.partition import Surroundings, column_state
from dacno2_s5p.twin.air.profile import (
    HEIGHTS,
    NETWORK_HEIGHTS,
    ColumnState,
    concentration,
    partial_column,
)
from dacno2_s5p.twin.air.stratosphere import Stratosphere
from dacno2_s5p.twin.air.truth import MARGIN, Columns, Simulator
from dacno2_s5p.twin.land.geography import Geography, build_geography
from dacno2_s5p.twin.land.world import Points, as_day, block_mean, stamp
from dacno2_s5p.twin.stations import Stations, place_stations
from dacno2_s5p.twin.version import VERSION_1, TwinVersion
from dacno2_s5p.twin.weather.modes import FieldSpec, TravellingFields
from dacno2_s5p.twin.weather.near_ground import summer
from dacno2_s5p.twin.weather.reanalysis import Reanalysis
from dacno2_s5p.twin.weather.weather import SurfaceWeather, Weather
from retrieval.physics.constants import LAPSE_RATE, MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.geometry.grids import RectilinearGrid, domain_grid

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = 20190
"""Seed of the world that the demo, the tests and the shipped checkpoint use."""

FREE_FIELDS = (
    FieldSpec(400e3, 5000e3, 1.0, (10.0, -1.0), 30.0),
    FieldSpec(400e3, 6000e3, 1.0, (18.0, -1.0), 30.0),
)
"""Variability of the free troposphere at 4 and at 11 km."""

FREE_SPREAD = 0.33
"""Standard deviation of the logarithm of the free troposphere's mole fraction."""

OVERPASS = (11, 12, 13)
"""Stamps of the network's target window."""

_INSIDE = slice(MARGIN, -MARGIN)

Index = slice | NDArray[np.int64]
"""Cells along one axis."""

FIRST_YEAR, LAST_YEAR = 2018, 2025
"""Years that the calendar of the twin world knows."""


class Day:
    """The truth of one day: 24 stamps from 00 to 23 UTC.

    Built by `TrueWorld.day`; the frame's 8 km fields feed the coarse observers, the domain's 2 km
    fields are the truth.
    """

    def __init__(
        self, world: TrueWorld, date: np.datetime64, frame: Columns, domain: Columns
    ) -> None:
        self.world = world
        self.date = as_day(date)
        self.frame = frame
        self.domain = domain

    @property
    def weather(self) -> SurfaceWeather:
        """Weather of the day on the 16 km frame."""
        return self.world.weather.day(self.date)

    @property
    def times(self) -> NDArray[np.datetime64]:
        """The 24 stamps."""
        return self.weather.times

    def state(self, hour: int) -> ColumnState:
        """NO2 of the domain at a stamp, by where it sits."""
        return self._state(hour, (slice(None), slice(None)))

    def _state(self, hour: int, where: tuple[Index, Index]) -> ColumnState:
        """NO2 of some of the domain's cells: slices, or row and column numbers."""
        emission = self.world.simulator.emission("nest", self.date, hour)
        ground, stacks = (field[_INSIDE, _INSIDE][where] for field in emission)
        around = self.world.surroundings(self.date, hour, "nest").at(_INSIDE, _INSIDE).at(*where)
        lower, upper = self.domain.lower[hour][where], self.domain.upper[hour][where]
        return column_state(lower, upper, ground, stacks, around)

    def frame_state(self, hour: int) -> ColumnState:
        """NO2 of the frame on 8 km at a stamp, the truth's inside the domain."""
        ground, stacks = self.world.simulator.emission("frame", self.date, hour)
        around = self.world.surroundings(self.date, hour, "frame")
        lower, upper = self.frame.lower[hour].copy(), self.frame.upper[hour].copy()
        rows, columns = self.world.geography.frame.domain(8000.0)
        lower[rows, columns] = block_mean(self.domain.lower[hour], 4)
        upper[rows, columns] = block_mean(self.domain.upper[hour], 4)
        return column_state(lower, upper, ground, stacks, around)

    def concentration(
        self, time: np.datetime64 | int, heights: Sequence[float] = HEIGHTS
    ) -> NDArray[np.float32]:
        """Concentration of NO2 on the domain [mol m-3], shape (n_height, 720, 592).

        Parameters
        ----------
        time : datetime64 or int
            A moment of the day, linear between stamps, or the hour of a stamp.
        heights : sequence of float
            Heights above ground [m].
        """
        if isinstance(time, int):
            return concentration(self.state(time), heights)
        hour = float((time - stamp(self.date, 0)) / np.timedelta64(3600, "s"))
        if not 0.0 <= hour <= 23.0:
            msg = (
                f"Invalid time. It must lie between 00 and 23 UTC of {self.date}. "
                f"Given {time}. Ask the day that holds it."
            )
            raise ValueError(msg)
        first = min(int(hour), 22)
        weight = np.float32(hour - first)
        out = concentration(self.state(first), heights)
        if weight:
            out += weight * (concentration(self.state(first + 1), heights) - out)
        return out

    def surface(self, hour: int) -> NDArray[np.float32]:
        """NO2 at the ground on the domain at a stamp [ug m-3], shape (720, 592)."""
        ground = self.concentration(hour, (0.0,))[0]
        return np.asarray(ground / np.float32(MICROGRAM_M3_TO_MOL_M3))

    def at_cells(
        self, hour: int, cells: tuple[NDArray[np.int64], NDArray[np.int64]]
    ) -> NDArray[np.float32]:
        """NO2 at the ground of some cells (rows, columns) at a stamp [ug m-3]."""
        ground = concentration(self._state(hour, cells), (0.0,))[0]
        return np.asarray(ground / np.float32(MICROGRAM_M3_TO_MOL_M3))

    def mean_profile(
        self,
        heights: Sequence[float] = NETWORK_HEIGHTS,
        hours: Sequence[int] = OVERPASS,
    ) -> NDArray[np.float32]:
        """Mean NO2 of some stamps on the domain [ug m-3], shape (n_height, 720, 592).

        The hidden truth that predictions of the 11-13 UTC mean are scored against.

        Parameters
        ----------
        heights : sequence of float
            Heights above ground [m], up to 16 km.
        hours : sequence of int
            Stamps, UTC.
        """
        total = sum(self.concentration(hour, heights) for hour in hours)
        return np.asarray(total / np.float32(len(hours) * MICROGRAM_M3_TO_MOL_M3), np.float32)

    def tropospheric_column(self, hour: int) -> NDArray[np.float64]:
        """Column of the piecewise linear profile below the tropopause [mol m-2]."""
        top = self.world.tropopause_height(self.date, hour)
        return partial_column(self.concentration(hour), HEIGHTS, top)


class TrueWorld:
    """What is true in the twin world of a seed.

    Parameters
    ----------
    seed : int
        Seed of everything invented; the same seed is the same world.
    version : TwinVersion
        What is left between its truth and what a network sees of it.
    """

    def __init__(self, seed: int = SEED, version: TwinVersion = VERSION_1) -> None:
        self.seed = seed
        self.version = version
        self._days: OrderedDict[np.datetime64, Day] = OrderedDict()

    @property
    def name(self) -> str:
        """What files, stores and checkpoints call it."""
        return self.version.world(self.seed)

    @cached_property
    def geography(self) -> Geography:
        """Static fields on the 2 km frame."""
        return build_geography(self.seed, self.version.frame)

    @cached_property
    def weather(self) -> Weather:
        """Weather on the 16 km frame and anywhere else."""
        return Weather(self.geography, self.seed)

    @cached_property
    def reanalysis(self) -> Reanalysis:
        """The weather as an analysis has it."""
        return Reanalysis(self.weather, self.seed, self.version.winds_err)

    @cached_property
    def emissions(self) -> Emissions:
        """True emissions."""
        return Emissions(self.geography, self.seed, has_habits=self.version.has_habits)

    @cached_property
    def inventory(self) -> Inventory:
        """What an inventory says of them."""
        return Inventory(self.emissions)

    @cached_property
    def simulator(self) -> Simulator:
        """Transport on the two nests."""
        feeds_back = self.version.nox_feeds_back
        return Simulator(self.geography, self.weather, self.emissions, feeds_back)

    @cached_property
    def stations(self) -> Stations:
        """The surface network."""
        return place_stations(self.geography, self.seed)

    @cached_property
    def stratosphere(self) -> Stratosphere:
        """NO2 above the tropopause."""
        return Stratosphere(self.seed)

    @cached_property
    def grid(self) -> RectilinearGrid:
        """The domain's 2 km grid."""
        return domain_grid()

    @cached_property
    def _free_waves(self) -> TravellingFields:
        return TravellingFields(FREE_FIELDS, self.seed, stream=2)

    @cached_property
    def _elevation(self) -> dict[str, NDArray[np.float32]]:
        height = self.geography.elevation
        nest = (self.simulator.rows, self.simulator.columns)
        return {"frame": block_mean(height, 4), "nest": np.ascontiguousarray(height[nest])}

    @property
    def frame_elevation(self) -> NDArray[np.float32]:
        """Terrain height of the 8 km frame [m]."""
        return self._elevation["frame"]

    @cached_property
    def points(self) -> Points:
        """Cell centres of the domain."""
        return Points.of_grid(self.grid)

    def day(self, date: np.datetime64 | str) -> Day:
        """Simulate a day, or return it when it is among the last two.

        Raises
        ------
        ValueError
            If the date is outside the years that the calendar knows.
        """
        date = as_day(date)
        year = int(str(date)[:4])
        if not FIRST_YEAR <= year <= LAST_YEAR:
            msg = (
                f"Invalid date. The twin world lives from {FIRST_YEAR} to {LAST_YEAR}. "
                f"Given {date}. Choose a date inside."
            )
            raise ValueError(msg)
        if date not in self._days:
            self._days[date] = Day(self, date, *self.simulator.run(date))
            while len(self._days) > 2:
                self._days.popitem(last=False)
        return self._days[date]

    def station_truth(self, date: np.datetime64 | str) -> NDArray[np.float32]:
        """NO2 of the stations' cells at the ground [ug m-3], shape (24, n_station)."""
        day, cells = self.day(date), (self.stations.row, self.stations.column)
        return np.stack([day.at_cells(hour, cells) for hour in range(24)])

    def observations(self, date: np.datetime64 | str) -> NDArray[np.float32]:
        """Measure a day at all stations [ug m-3], shape (24, n_station), NaN in gaps."""
        return self.stations.observe(as_day(date), self.station_truth(date))

    def observed_hour(self, date: np.datetime64 | str, hour: int) -> NDArray[np.float32]:
        """One hour of `observations`, shape (n_station,), without the cost of the others."""
        truth = np.zeros((24, self.stations.size), np.float32)
        cells = (self.stations.row, self.stations.column)
        truth[hour] = self.day(date).at_cells(hour, cells)
        return np.asarray(self.stations.observe(as_day(date), truth)[hour])

    def free_factors(self, date: np.datetime64, hour: int) -> NDArray[np.float32]:
        """Factors of the free troposphere at 4 and 11 km on the 16 km frame, (2, n_y, n_x)."""
        time = np.array([stamp(date, hour)])
        waves = self._free_waves
        parts = waves.evaluate(
            [waves.amplitudes(i, time) for i in range(2)], self.weather.frame.points
        )
        noise = np.stack([part[0] for part in parts])
        weather = self.weather.day(date)
        # air lifted along fronts carries more of what is below, sinking air less
        moist = np.clip(-2.0 * weather.lift[hour], -0.5, 1.0)
        season = float(summer(time)[0])
        flights = 0.75 + 0.25 * flight_activity(to_date(date))
        base = np.array([1.0 - 0.05 * season, flights * (1.0 + 0.10 * season)])[:, None, None]
        lifted = np.stack([0.35 * moist, 0.15 * moist])
        return np.asarray(base * np.exp(FREE_SPREAD * noise + lifted), np.float32)

    def surroundings(self, date: np.datetime64, hour: int, where: str) -> Surroundings:
        """Weather and ground of a stamp on the "nest" (2 km) or the "frame" (8 km)."""
        simulator = self.simulator
        forcing = simulator.nest_forcing if where == "nest" else simulator.frame_forcing
        elevation = self._elevation[where]
        weather = self.weather.day(date)
        sea_level = weather.sea_level_temperature[hour]
        stack = np.stack(
            [
                weather.mean_sea_level[hour],
                sea_level,
                weather.solar[hour],
                weather.blh_land[hour],
                weather.blh_sea[hour],
                *self.free_factors(date, hour),
            ]
        )
        tensors = forcing.fine(stack)
        depth = forcing.mixed(tensors[3], tensors[4]).numpy()
        fine = tensors.numpy()
        ratio = 1.0 - np.float32(LAPSE_RATE) * elevation / fine[1]
        return Surroundings(
            depth=depth,
            pressure=(fine[0] * ratio ** np.float32(5.255880)).astype(np.float32),
            temperature=fine[1] - np.float32(LAPSE_RATE) * elevation,
            elevation=elevation,
            solar=fine[2],
            free=fine[5:],
        )

    def tropopause_height(self, date: np.datetime64, hour: int) -> NDArray[np.float32]:
        """Height of the tropopause above ground on the domain [m]."""
        fine = self.simulator.nest_forcing.fine(self.weather.day(date).tropopause[hour])
        height = fine.numpy() - self._elevation["nest"]
        return np.asarray(height[_INSIDE, _INSIDE], np.float32)
