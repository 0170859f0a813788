"""The group `transport` of a store's days, whatever their source: the users' files or the twin.

A source is made a second time, for the grid and its surroundings with hourly weather; how far
these reach is found on the first day, told, and kept.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.sources.day import InputSources
from dacno2_s5p.sources.weather.windows import target_hours
from dacno2_s5p.transport.constants import TransportConstants
from dacno2_s5p.transport.days import (
    MARGINS,
    CarriedDays,
    hourly_preparation,
    hourly_table,
    surrounding,
)
from retrieval.errors import RetrievalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import InputTable, Preparation
    from dacno2_s5p.sources.paths import SourcePaths
    from dacno2_s5p.transport.days import HourlySource, Months

    Maps = Mapping[str, NDArray[np.float32]]

logger = logging.getLogger(__name__)

GROUP = "transport"

Source = TypeVar("Source", bound="HourlySource")


def with_transport(
    preparation: Preparation, table: InputTable, constants: Mapping[str, Any]
) -> Preparation:
    """Return a preparation that records the constants of the transport, if the table has it.

    Raises
    ------
    ConfigurationError
        If a constant is unknown or not possible.
    """
    if GROUP not in table.groups:
        return preparation
    return replace(preparation, transport=TransportConstants.from_dict(constants).to_dict())


class _Remembered:
    """A source that keeps what it was asked for."""

    def __init__(self, source: HourlySource) -> None:
        self._source = source
        self._months: dict[np.datetime64, Maps] = {}
        self._days: dict[np.datetime64, Maps] = {}

    def month_maps(self, month: np.datetime64) -> Maps:
        if month not in self._months:
            self._months[month] = self._source.month_maps(month)
        return self._months[month]

    def day_arrays(self, day: np.datetime64) -> Maps:
        if day not in self._days:
            arrays = self._source.day_arrays(day)
            self._days[day] = {name: arrays[name] for name in ("single", "multi")}
        return self._days[day]


class Transported(Generic[Source]):
    """Maps of the transport, if the table of inputs asks for them.

    Parameters
    ----------
    make : callable
        Makes a source from a table of inputs, a preparation and a grid.
    rasters : callable
        Returns the rasters of the model grid by row.
    grid : ModelGrid
    table : InputTable
    preparation : Preparation
    """

    def __init__(
        self,
        make: Callable[[InputTable, Preparation, ModelGrid], Source],
        rasters: Callable[[], Maps],
        grid: ModelGrid,
        table: InputTable,
        preparation: Preparation,
    ) -> None:
        self._make, self._rasters = make, rasters
        self._grid, self._table, self._preparation = grid, table, preparation
        self._carried: CarriedDays | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether the table has the group."""
        return GROUP in self._table.groups

    @property
    def margin(self) -> int | None:
        """Fine cells around the grid that are used; None before the first day."""
        return None if self._carried is None else self._carried.margin

    def day(self, day: np.datetime64) -> dict[str, NDArray[np.float32]]:
        """Return the group of a day, shape (4, n_y, n_x), by its name; nothing if unwanted.

        Raises
        ------
        DataError
            If inventory or hourly weather are missing, or do not cover the grid.
        """
        if not self.is_wanted:
            return {}
        if self._carried is not None:
            return {GROUP: self._carried.day(day)}
        self._carried, maps = self._widest(day)
        return {GROUP: maps}

    def _widest(self, day: np.datetime64) -> tuple[CarriedDays, NDArray[np.float32]]:
        """Return the days of the widest surroundings that a day has, and its maps."""
        for margin in MARGINS:
            try:
                carried = self._days_with(margin)
                maps = carried.day(day)
            except DataError as error:
                if margin == MARGINS[-1]:
                    raise
                logger.info("transport: not from %s: %s", self._reach(margin), error)
                continue
            # NO2 at the edges comes from further upwind than this
            level = logging.INFO if margin == MARGINS[0] else logging.WARNING
            logger.log(level, "transport: carried over %s", self._reach(margin))
            return carried, maps
        raise AssertionError  # the last margin returns or raises

    def fitting(
        self, days: Sequence[np.datetime64], progress: Callable[[int, int], None] | None = None
    ) -> Callable[[TransportConstants], CarriedDays]:
        """Return a function that makes the maps of other constants, all read once.

        Parameters
        ----------
        days : sequence of datetime64
            Days that will be asked for, one at least; their hourly weather is kept in memory.
        progress : callable, optional
            Told the days read and their number.
        """
        carried = self._widest(days[0])[0]
        source = _Remembered(carried.source)
        for done, day in enumerate(days, start=1):
            source.day_arrays(day)
            if progress is not None:
                progress(done, len(days))
        hours, rasters = target_hours(self._preparation.target_window), self._rasters()
        months: Months = {}

        def make(constants: TransportConstants) -> CarriedDays:
            margin = carried.margin
            return CarriedDays(self._grid, margin, source, rasters, hours, constants, months)

        return make

    def _reach(self, margin: int) -> str:
        return surrounding(self._grid, margin).name

    def _days_with(self, margin: int) -> CarriedDays:
        hours = target_hours(self._preparation.target_window)
        constants = TransportConstants.from_dict(self._preparation.transport)
        source = self._source(margin)
        return CarriedDays(self._grid, margin, source, self._rasters(), hours, constants)

    def _source(self, margin: int) -> Source:
        hours = target_hours(self._preparation.target_window)
        return self._make(
            hourly_table(self._table),
            hourly_preparation(self._preparation, hours),
            surrounding(self._grid, margin),
        )


class _HourlyFiles(InputSources):
    """Emissions and weather of the users' files."""

    def day_arrays(self, day: np.datetime64) -> dict[str, NDArray[np.float32]]:
        """Read the weather alone: no calendar, no flights."""
        return {"single": self.era5.single(day), "multi": self.era5.multi(day)}


class TransportedFiles(Transported[_HourlyFiles]):
    """Maps of the transport from the users' files.

    Parameters
    ----------
    paths : SourcePaths
    rasters, grid, table, preparation
        As of `Transported`.
    beside : InputSources, optional
        Sources of the other inputs: what is chosen of several files is kept with theirs.
    """

    def __init__(
        self,
        paths: SourcePaths,
        rasters: Callable[[], Maps],
        grid: ModelGrid,
        table: InputTable,
        preparation: Preparation,
        beside: InputSources | None = None,
    ) -> None:
        super().__init__(self._open, rasters, grid, table, preparation)
        self._paths, self._beside = paths, beside
        self._opened: list[_HourlyFiles] = []

    def _open(self, table: InputTable, preparation: Preparation, grid: ModelGrid) -> _HourlyFiles:
        files = _HourlyFiles(self._paths, table, preparation, grid)
        if self._beside is not None:
            files.choices = self._beside.choices
            files.monthly_choices = self._beside.monthly_choices
        self._opened.append(files)
        return files

    @cached_property
    def _near(self) -> _HourlyFiles:
        """Of the grid alone, which must be there."""
        return self._source(0)

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks of the hourly weather."""
        if not self.is_wanted:
            return []
        try:
            return [f"for the transport: {what}" for what in self._near.era5.missing(day)]
        except ConfigurationError:
            raise
        except RetrievalError as error:
            return [str(error)]

    def files(self, day: np.datetime64) -> set[Path]:
        """Return the files that a day's hourly weather is read from."""
        return self._near.era5.files(day) if self.is_wanted else set()

    def close(self) -> None:
        """Close the files."""
        for sources in self._opened:
            sources.close()
