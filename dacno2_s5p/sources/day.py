"""All inputs of a day from the users' files, as the table of inputs asks for them.

What never changes (rasters), what changes by month (inventories) and what changes by day or hour
are read apart, so that each is stored once. Training and prediction read through this module.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.inputs.samples import Inputs
from dacno2_s5p.sources.cams.fields import CamsTargets
from dacno2_s5p.sources.checks import check_values
from dacno2_s5p.sources.emissions import Inventory
from dacno2_s5p.sources.flights import Flights
from dacno2_s5p.sources.paths import files_below
from dacno2_s5p.sources.rasters.maps import (
    read_land_cover,
    read_night_light,
    read_population,
    read_roads,
    read_terrain,
)
from dacno2_s5p.sources.weather.era5 import Era5
from retrieval.errors import RetrievalError
from retrieval.files.candidates import Choices

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import InputTable, Preparation, Variable
    from dacno2_s5p.sources.paths import SourcePaths

    Maps = Mapping[str, NDArray[np.float32]]

FINE_GROUPS = ("emission", "geography")
"""Groups on the fine grid."""

MONTHLY = "cams-glob-ant"
"""The source that changes by month."""

_STATIC: dict[str, tuple[str, Callable[..., NDArray[np.float32]]]] = {
    "grip4": ("grip4", read_roads),
    "geostat": ("geostat", read_population),
    "viirs": ("viirs", read_night_light),
    "merit": ("merit", read_terrain),
    "corine": ("corine", read_land_cover),
}
"""Readers of rasters by the table's source, and the name of their path."""

_OF_YEARS = ("geostat", "viirs", "corine")
"""Rasters of which there are several years."""

_BY_GROUP = {
    "temporal": ("calendar", "eurocontrol"),
    "emission": (*_STATIC, MONTHLY),
    "geography": (*_STATIC, MONTHLY),
    "single": ("era5-single",),
    "multi": ("era5-pressure",),
    "transport": ("transport",),
    "cams": ("cams-forecast",),
}
"""Sources that can fill a group."""


class InputSources:
    """The users' files behind the table of inputs.

    Parameters
    ----------
    paths : SourcePaths
    table : InputTable
    preparation : Preparation
    grid : ModelGrid
    year : int, optional
        Year that rasters are wanted of, where there are several; by default the newest.

    Attributes
    ----------
    choices, monthly_choices, static_choices : Choices
        Which of several files served, for what changes by day, by month, and never.

    Raises
    ------
    ConfigurationError
        If a row asks for a source its group cannot have.
    """

    def __init__(
        self,
        paths: SourcePaths,
        table: InputTable,
        preparation: Preparation,
        grid: ModelGrid,
        year: int | None = None,
    ) -> None:
        self.paths, self.table = paths, table
        self.preparation, self.grid, self.year = preparation, grid, year
        self.choices, self.monthly_choices, self.static_choices = (Choices() for _ in range(3))
        for variable in table.variables:
            known = _BY_GROUP[variable.group]
            if variable.source not in known:
                msg = (
                    f"Invalid input {variable.name}. The source of a {variable.group} input must "
                    f"be one of {', '.join(known)}. Given {variable.source!r}. Change its row."
                )
                raise ConfigurationError(msg)
        fine = [v for group in FINE_GROUPS for v in table.group(group)]
        self.monthly = [v for v in fine if v.source == MONTHLY]
        self.static = [v for v in fine if v.source != MONTHLY]

    @cached_property
    def era5(self) -> Era5:
        """Weather."""
        return Era5(self.paths.era5, self.table, self.preparation, self.grid, self.choices)

    @cached_property
    def inventory(self) -> Inventory:
        """Emissions."""
        return Inventory(self.paths.emissions, self.monthly, self.grid, self.monthly_choices)

    @cached_property
    def flights(self) -> Flights:
        """Flights, of the row that names them."""
        column = next(v for v in self.table.group("temporal") if v.source == "eurocontrol")
        return Flights(self.paths.flights, column.source_variables[0], choices=self.choices)

    @cached_property
    def forecast(self) -> CamsTargets:
        """The day's CAMS forecast."""
        path, choices = self.paths.cams_forecast, self.choices
        return CamsTargets(path, self.preparation, self.grid, choices, forecasts=True)

    def files(self, day: np.datetime64) -> set[Path]:
        """Return the files that a day's weather and forecast are read from."""
        forecast = self.forecast.files(day) if self.table.group("cams") else set()
        return self.era5.files(day) | forecast

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks; a source without any files lacks every day."""
        asked: list[Callable[[], list[str]]] = [lambda: self.era5.missing(day)]
        if self.monthly:
            asked.append(lambda: self.inventory.missing(day.astype("datetime64[M]")))
        if any(v.source == "eurocontrol" for v in self.table.group("temporal")):
            asked.append(lambda: self.flights.missing(day))
        if self.table.group("cams"):
            asked.append(lambda: self.forecast.missing(day))
        lacking: list[str] = []
        for ask in asked:
            try:
                lacking += ask()
            except ConfigurationError:
                raise
            except RetrievalError as error:
                lacking.append(str(error))
        return lacking

    def missing_static(self) -> list[str]:
        """Say which rasters have no files."""
        names = {_STATIC[v.source][0] for v in self.static}
        return [
            f"{name} in {getattr(self.paths, name)}"
            for name in sorted(names)
            if not getattr(self.paths, name).exists()
        ]

    def static_files(self) -> list[Path]:
        """Return the files of the rasters."""
        folders = {getattr(self.paths, _STATIC[v.source][0]) for v in self.static}
        return [file for folder in folders for file in files_below(folder)]

    @property
    def static_year(self) -> int | None:
        """Year the rasters depend on; None where no folder holds several files to choose from."""
        folders = [
            getattr(self.paths, _STATIC[v.source][0]) for v in self.static if v.source in _OF_YEARS
        ]
        return self.year if any(len(files_below(folder)) > 1 for folder in folders) else None

    def month_files(self, month: np.datetime64) -> set[Path]:
        """Return the files that a month's emissions are read from."""
        return self.inventory.files(month) if self.monthly else set()

    def static_maps(self) -> dict[str, NDArray[np.float32]]:
        """Read the rasters, each variable's channels, shape (n_channel, n_y, n_x).

        Raises
        ------
        DataError
            If one is absent, damaged, or does not cover the grid.
        """
        maps = {}
        for variable in self.static:
            name, read = _STATIC[variable.source]
            maps[variable.name] = read(
                getattr(self.paths, name),
                variable,
                self.grid,
                year=self.year,
                choices=self.static_choices,
            )
        return maps

    def month_maps(self, month: np.datetime64) -> dict[str, NDArray[np.float32]]:
        """Read a month's emissions, each variable's map, shape (1, n_y, n_x)."""
        if not self.monthly:
            return {}
        fields = self.inventory.month(month)
        return {v.name: field[None] for v, field in zip(self.monthly, fields, strict=True)}

    def day_arrays(self, day: np.datetime64) -> dict[str, NDArray[np.float32]]:
        """Read what belongs to a day: the groups temporal, single and multi, and cams if wanted.

        Raises
        ------
        DataError
            If anything is missing or not finite.
        """
        arrays = {
            "temporal": self.temporal(day),
            "single": self.era5.single(day),
            "multi": self.era5.multi(day),
        }
        if self.table.group("cams"):
            arrays["cams"] = self.forecast.target(day).no2
        return arrays

    def temporal(self, day: np.datetime64) -> NDArray[np.float32]:
        """Return a day's calendar and flights, shape (n_channel,)."""
        channels: list[float] = []
        for variable in self.table.group("temporal"):
            value = day_of_week(day) if variable.source == "calendar" else self.flights.day(day)
            checked = float(check_values(np.array([float(value)]), variable, str(day))[0])
            channels += encode(checked, variable)
        return np.asarray(channels, dtype=np.float32)

    def choices_of(self, day: np.datetime64) -> list[str]:
        """Say which of several files served for a day, and whether its weather is preliminary."""
        month = str(day.astype("datetime64[M]"))
        lines = ["era5: preliminary"] if day in self.era5.preliminary else []
        for choices in (self.choices, self.monthly_choices, self.static_choices):
            for record in choices.records():
                if not record["at"] or {str(day), month} & set(record["at"]):
                    others = "; ".join(f"{p['label']} ({p['why']})" for p in record["passed_over"])
                    lines.append(f"{record['what']}: {record['chosen']}, not {others}")
        return lines

    def inputs(self, day: np.datetime64, static: Maps | None = None) -> Inputs:
        """Return a day's inputs on the whole grid, for prediction.

        Parameters
        ----------
        day : datetime64
        static : mapping, optional
            What `static_maps` returned, so that rasters are read once for many days.
        """
        maps = {**(static or self.static_maps()), **self.month_maps(day.astype("datetime64[M]"))}
        arrays = {
            **self.day_arrays(day),
            **{g: group_maps(self.table, g, maps) for g in FINE_GROUPS},
        }
        return Inputs(**{name: torch.from_numpy(values) for name, values in arrays.items()})

    def close(self) -> None:
        """Close the files."""
        for name in ("era5", "inventory", "forecast"):
            if name in self.__dict__:
                getattr(self, name).close()


def group_maps(table: InputTable, group: str, maps: Maps) -> NDArray[np.float32]:
    """Put a fine group's maps together in the order of the table."""
    return np.concatenate([maps[v.name] for v in table.group(group)])


def day_of_week(day: np.datetime64) -> int:
    """Return the day of the week, Monday 0.

    Examples
    --------
    >>> day_of_week(np.datetime64("2019-07-01")), day_of_week(np.datetime64("2019-07-07"))
    (0, 6)
    """
    # 1970-01-01 was a Thursday
    return int((day.astype("datetime64[D]").astype(np.int64) + 3) % 7)


def encode(value: float, variable: Variable) -> list[float]:
    """Return a temporal variable's channels: itself, or sine and cosine of its period."""
    if variable.transform != "cyclic":
        return [value]
    angle = 2.0 * np.pi * value / variable.period
    return [float(np.sin(angle)), float(np.cos(angle))]
