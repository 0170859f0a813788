"""The network's inputs and targets straight from the twin world, without files in between.

A drop-in for `dacno2_s5p.sources.day.InputSources` and `CamsTargets`: the same variables from
the same points with the same resampling, so that a store made from files and one made from here
agree, at a third of the cost.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from dacno2_s5p.inputs import regrid
from dacno2_s5p.inputs.grid import CAMS_FACTOR, COARSE_FACTOR
from dacno2_s5p.inputs.samples import Inputs
from dacno2_s5p.sources.cams.fields import Target
from dacno2_s5p.sources.day import FINE_GROUPS, day_of_week, encode, group_maps
from dacno2_s5p.sources.states import STATES
from dacno2_s5p.sources.weather.era5 import SURFACE_VARIABLES
from dacno2_s5p.sources.weather.heights import HeightOperator, geopotential_at, surface_geopotential
from dacno2_s5p.sources.weather.windows import target_hours, weather_times
from dacno2_s5p.store.transported import Transported
from dacno2_s5p.twin.air.calendar import SECTORS
from dacno2_s5p.twin.land.binning import Binning
from dacno2_s5p.twin.land.site import Site
from dacno2_s5p.twin.land.world import BOX, Points, as_day, day_hours
from dacno2_s5p.twin.models.cams_model import cams_grid
from dacno2_s5p.twin.weather.upper_air import LEVELS
from dacno2_s5p.twin.writers.cams_europe import VALIDATED_UNTIL
from dacno2_s5p.twin.writers.era5 import accumulated, eastward, era5_grid, instant
from dacno2_s5p.twin.writers.flights import AIRPORTS, daily_flights
from dacno2_s5p.twin.writers.inventory import MOLAR_MASS_NO, inventory_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import InputTable, Preparation
    from dacno2_s5p.network.checkpoint import CheckpointInfo
    from dacno2_s5p.twin.twin import Twin
    from dacno2_s5p.twin.weather.weather import SurfaceWeather
    from retrieval.physics.geometry.grids import RectilinearGrid

    Array = NDArray[np.float32]


LAND_CLASSES = 5
"""Land-cover channels, in the order of `geography.ARTIFICIAL` ... `WATER`."""


class TwinInputs:
    """Inputs and targets of a model grid that lies on the twin world's cells.

    Parameters
    ----------
    twin : Twin
        The world.
    table : InputTable
        The rows that are wanted; sources and names of the shipped table.
    preparation : Preparation
        Hours, heights and target window; `vertical` must be "height".
    grid : ModelGrid
        `europe-2km` or a window of it.

    Raises
    ------
    ValueError
        If the grid's cells are none of the twin world's, or the vertical is another.
    """

    def __init__(
        self, twin: Twin, table: InputTable, preparation: Preparation, grid: ModelGrid
    ) -> None:
        frame = twin.geography.frame
        offsets = ((grid.x_origin - frame.x[0]) / 2000.0, (grid.y_origin - frame.y[0]) / 2000.0)
        if grid.spacing != 2000.0 or any(abs(o - round(o)) > 1e-9 for o in offsets):
            msg = (
                "Invalid grid. Its cells must be those of europe-2km. Given "
                f"{grid.name} with cells of {grid.spacing:g}. Use europe-2km or a window of it."
            )
            raise ValueError(msg)
        if preparation.vertical != "height":
            msg = (
                "Invalid preparation. The twin world gives weather at heights. Given vertical "
                f"{preparation.vertical!r}. Use height, or write files and prepare them."
            )
            raise ValueError(msg)
        self.twin, self.table, self.preparation, self.grid = twin, table, preparation, grid
        n_y, n_x = grid.shape
        column, row = (round(offset) for offset in offsets)
        self._window = slice(row, row + n_y), slice(column, column + n_x)

    def static_maps(self) -> dict[str, Array]:
        """Return the rasters, each variable's channels (n_channel, n_y, n_x)."""
        g = self.twin.geography
        cover = g.land_cover[self._window]
        classes = np.arange(LAND_CLASSES)[:, None, None]
        found: dict[str, Array] = {
            "grip4": g.road_length.sum(axis=0)[self._window][None],
            "geostat": g.density[self._window][None],
            "viirs": g.night_light[self._window][None],
            "merit": g.elevation[self._window][None],
            "corine": (cover[None] == classes).astype(np.float32),
        }
        wanted = [v for group in ("emission", "geography") for v in self.table.group(group)]
        return {v.name: np.ascontiguousarray(found[v.source]) for v in wanted if v.source in found}

    def month_maps(self, month: np.datetime64) -> dict[str, Array]:
        """Return a month's reported emissions [kg m-2 s-1], each (1, n_y, n_x)."""
        year, number = int(str(month)[:4]), int(str(month)[5:7])
        maps = {}
        for variable in self.table.group("emission"):
            if variable.source == "cams-glob-ant":
                total = np.zeros(self.grid.shape)
                for sector in set(variable.source_variables) & set(SECTORS):
                    factor = self.twin.inventory.month_factor(sector, year, number)
                    total += factor * self._reported[sector]
                maps[variable.name] = total[None].astype(np.float32)
        return maps

    @cached_property
    def _reported(self) -> dict[str, NDArray[np.floating]]:
        """Annual emissions [kg m-2 s-1] as the inventory's 0.1 degree cells have them."""
        grid = inventory_grid(self.twin.geography.frame.box)
        binning = Binning(grid, self.twin.geography.frame)
        operator = regrid.conservative(grid, self.grid.cells(), "the twin world")
        found = {}
        for sector in SECTORS:
            flux = binning.density(self.twin.inventory.annual(sector)) * MOLAR_MASS_NO
            found[sector] = operator.apply(flux[operator.rows, operator.columns])
        return found

    def day_arrays(self, day: np.datetime64 | str) -> dict[str, Array]:
        """Return the groups temporal, single (T, n, h, w) and multi (T, n, n_level, h, w).

        With rows of the group `cams`, also the day's forecast, (n_level, n_y / 4, n_x / 4).
        """
        date = as_day(day)
        single, multi = [], []
        for time in weather_times(self.preparation, date):
            weather = self._weather(as_day(time))
            hour = int((time - as_day(time)) / np.timedelta64(1, "h"))
            blocks = self._step(weather, hour)
            single.append(np.stack([blocks[v.name] for v in self.table.group("single")]))
            multi.append(np.stack([blocks[v.name] for v in self.table.group("multi")]))
        arrays = {
            "temporal": self._temporal(date),
            "single": np.stack(single).astype(np.float32),
            "multi": np.stack(multi).astype(np.float32),
        }
        if self.table.group("cams"):
            arrays["cams"] = self.forecast(date)
        return arrays

    def target(self, day: np.datetime64 | str) -> Target:
        """Return CAMS NO2 of the target window [ug m-3], (n_level, n_y / 4, n_x / 4)."""
        stream = "validated" if int(str(day)[:4]) <= VALIDATED_UNTIL else "interim"
        return Target(self._cams(as_day(day), forecast=False), stream)

    def forecast(self, day: np.datetime64 | str) -> Array:
        """Return the CAMS forecast of the day for the target window, as `target` [ug m-3].

        The forecast of 00 UTC, which has not seen the day's stations.
        """
        return self._cams(as_day(day), forecast=True)

    def _cams(self, date: np.datetime64, *, forecast: bool) -> Array:
        # the forecast's grid has been that of the newer reanalyses all along
        year = 2020 if forecast else int(str(date)[:4])
        grid, operator = cams_grid(year, BOX), self._cams_operator(year)
        hours = target_hours(self.preparation.target_window)
        heights = self.preparation.heights
        total = np.zeros((len(heights), *operator.shape))
        for hour in hours:
            field = self.twin.cams.on_grid(date, hour, grid, heights, forecast=forecast)
            total += operator.apply(field[:, operator.rows, operator.columns])
        return (total / len(hours)).astype(np.float32)

    def station_means(self, day: np.datetime64 | str) -> Array:
        """Return each station's mean over the target window [ug m-3], NaN with a gap in it.

        In the order of `twin.stations`, traffic stations included: leave them out.
        """
        hours = target_hours(self.preparation.target_window)
        values = np.stack([self.twin.observed_hour(day, hour) for hour in hours])
        return np.asarray(values.mean(axis=0), np.float32)

    def _temporal(self, date: np.datetime64) -> Array:
        nine = np.array([airport.state in STATES for airport in AIRPORTS])
        flights = float(daily_flights(date, self.twin.seed)[nine].sum())
        channels: list[float] = []
        for variable in self.table.group("temporal"):
            value = float(day_of_week(date)) if variable.source == "calendar" else flights
            channels += encode(value, variable)
        return np.asarray(channels, np.float32)

    @cached_property
    def _site(self) -> Site:
        """ERA5's points, those of the files."""
        return Site.at(self.twin.weather.frame, Points.of_grid(self._era5_grid))

    @property
    def _era5_grid(self) -> RectilinearGrid:
        return era5_grid(self.twin.geography.frame.box)

    @cached_property
    def _operator(self) -> regrid.Operator:
        """From ERA5's points to the 16 km cells."""
        return regrid.bilinear(self._era5_grid, self.grid.cells(COARSE_FACTOR), "the twin world")

    @cached_property
    def _angle(self) -> NDArray[np.floating]:
        return regrid.north_angle(self.grid.cells(COARSE_FACTOR))

    @cached_property
    def _operators(self) -> dict[int, regrid.Operator]:
        return {}

    def _cams_operator(self, year: int) -> regrid.Operator:
        key = min(year, 2020)
        if key not in self._operators:
            cells = self.grid.cells(CAMS_FACTOR)
            self._operators[key] = regrid.conservative(cams_grid(year, BOX), cells, "the twin")
        return self._operators[key]

    @cached_property
    def _days(self) -> dict[np.datetime64, SurfaceWeather]:
        return {}

    def _weather(self, date: np.datetime64) -> SurfaceWeather:
        if date not in self._days:
            while len(self._days) > 1:
                self._days.pop(next(iter(self._days)))
            self._days[date] = self.twin.reanalysis.surface(day_hours(date), self._site)
        return self._days[date]

    def _step(self, weather: SurfaceWeather, hour: int) -> dict[str, NDArray[np.floating]]:
        """All weather of a stamp on the 16 km cells, winds along the grid's axes."""
        now = weather.hours(slice(hour, hour + 1))
        fields = {**instant(now, self._site), **accumulated(now, self._site)}
        blocks: dict[str, NDArray[np.floating]] = {
            name: self._apply(field[0]) for name, field in fields.items()
        }
        air = eastward(self.twin.reanalysis.levels(weather, hour, self._site), self._site)
        pressure = 100.0 * np.asarray(LEVELS, np.float64)
        surface = [fields[name][0] for name in SURFACE_VARIABLES]
        ground = surface_geopotential(pressure, air.z, air.t, air.q, *surface)
        column = HeightOperator.build(
            self.preparation.heights, pressure, air.z, weather.pressure[hour], ground
        )
        for name in air._fields:
            values = getattr(air, name)
            at_heights = (
                geopotential_at(self.preparation.heights, ground)
                if name == "z"
                else column.apply(values)
            )
            blocks[name] = self._apply(at_heights)
        for x, y in (("u10", "v10"), ("u", "v")):
            blocks[x], blocks[y] = regrid.rotate_to_axes(blocks[x], blocks[y], self._angle)
        return blocks

    def _apply(self, field: NDArray[np.floating]) -> NDArray[np.float64]:
        operator = self._operator
        return np.asarray(operator.apply(field[..., operator.rows, operator.columns]))


class SimulatedDays:
    """Days of the twin world, prepared as a checkpoint asks for; a `day_inputs.DayInputs`.

    Parameters
    ----------
    twin : Twin
        The world.
    info : CheckpointInfo
        Table of inputs and preparation of the checkpoint.
    grid : ModelGrid, optional
        Grid to prepare them on; by default the checkpoint's.

    Raises
    ------
    ValueError
        If the grid's cells are none of the twin world's, or the weather is wanted on other
        levels than heights above ground.
    """

    def __init__(self, twin: Twin, info: CheckpointInfo, grid: ModelGrid | None = None) -> None:
        self.grid = grid or info.grid
        self._twin = twin
        self._source = TwinInputs(twin, info.inputs, info.preparation, self.grid)
        self._static: dict[str, NDArray[np.float32]] | None = None
        self._carried = Transported(
            lambda *of: TwinInputs(twin, *of),
            self._rasters,
            self.grid,
            info.inputs,
            info.preparation,
        )

    def _rasters(self) -> dict[str, NDArray[np.float32]]:
        if self._static is None:
            self._static = self._source.static_maps()
        return self._static

    @property
    def origin(self) -> str:
        """Nothing here is real."""
        return "synthetic"

    @property
    def world(self) -> str:
        """Kind of twin world."""
        return self._twin.version.kind

    def missing(self, day: np.datetime64) -> list[str]:
        """No day lacks anything."""
        del day
        return []

    def read(self, day: np.datetime64) -> Inputs:
        """Return a day's inputs; rasters are made once."""
        source = self._source
        maps = {**self._rasters(), **source.month_maps(day.astype("datetime64[M]"))}
        arrays = {
            **source.day_arrays(day),
            **self._carried.day(day),
            **{group: group_maps(source.table, group, maps) for group in FINE_GROUPS},
        }
        return Inputs(**{name: torch.from_numpy(values) for name, values in arrays.items()})

    def names(self, day: np.datetime64) -> list[str]:
        """Name the world and the day."""
        return [f"{self._twin.name}, {day}"]

    def close(self) -> None:
        """Nothing is held open."""
