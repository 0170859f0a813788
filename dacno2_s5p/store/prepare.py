"""From the users' files to a training store.

First everything is looked for, day by day, and what is missing is named; only then is anything
written. Days that lack a piece are refused, or left out when that was asked for; they are never
filled in. A run that was interrupted goes on where it stopped; what was made from other files or
with other settings is made anew.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs.grid import ModelGrid, named_grid
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.sources.cams.fields import CamsTargets
from dacno2_s5p.sources.day import InputSources
from dacno2_s5p.sources.paths import identity_of, training_data_of, world_of
from dacno2_s5p.sources.stations.cells import Measurements, StationCell, StationRules, cell_record
from dacno2_s5p.store.chunks import read_about, read_array
from dacno2_s5p.store.store import Store, day_path, month_path, static_path
from dacno2_s5p.store.transported import TransportedFiles
from dacno2_s5p.store.write import ONE_WRITER, StoreWriter
from retrieval.errors import RetrievalError
from retrieval.files.candidates import Choices
from retrieval.files.locks import alone_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.sources.paths import Identity, SourcePaths

    Progress = Callable[[int, int], None]

logger = logging.getLogger(__name__)

SHOWN_DAYS = 3
"""Days named in the error of an incomplete preparation; the plan has all."""


@dataclass(frozen=True)
class Settings:
    """What to prepare.

    Attributes
    ----------
    days : tuple of datetime64
        In time order.
    held_years : frozenset of int
        Years that make no statistics: the test year.
    grid : ModelGrid
    table : InputTable
    preparation : Preparation
    rules : StationRules
        How stations are read and split.
    raster_year : int, optional
        Year that rasters are wanted of, where there are several; by default the middle one of the
        days.
    with_targets, with_stations : bool
        Without targets the store serves prediction only; without stations phase 1 only.
    skip_missing : bool
        Leave out incomplete days instead of refusing.
    overwrite : bool
        Write chunks again that are there.
    """

    days: tuple[np.datetime64, ...]
    held_years: frozenset[int] = frozenset()
    grid: ModelGrid = field(default_factory=lambda: named_grid("europe-2km"))
    table: InputTable = field(default_factory=InputTable.default)
    preparation: Preparation = field(default_factory=Preparation)
    rules: StationRules = field(default_factory=StationRules)
    raster_year: int | None = None
    with_targets: bool = True
    with_stations: bool = True
    skip_missing: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class Plan:
    """What a preparation would do.

    Attributes
    ----------
    complete : tuple of datetime64
        Days that have everything.
    missing : dict of str to list of str
        What the other days lack.
    static : list of str
        Rasters without files, and stations; they concern every day.
    files : dict of datetime64 to list
        Identity of the files that weather and target of each complete day are read from.
    """

    complete: tuple[np.datetime64, ...]
    missing: dict[str, list[str]]
    static: list[str]
    files: dict[np.datetime64, Identity] = field(default_factory=dict, repr=False)

    @property
    def is_complete(self) -> bool:
        """True where nothing is missing."""
        return not self.missing and not self.static


def days_of(
    first: np.datetime64, last: np.datetime64, excluded_years: Iterable[int] = ()
) -> tuple[np.datetime64, ...]:
    """Return the days of a period, both ends included, without some years.

    Examples
    --------
    >>> days = days_of(np.datetime64("2019-12-31"), np.datetime64("2021-01-01"), [2020])
    >>> [str(day) for day in days]
    ['2019-12-31', '2021-01-01']
    """
    left_out = set(excluded_years)
    days = np.arange(first.astype("datetime64[D]"), last.astype("datetime64[D]") + 1)
    return tuple(day for day in days if int(str(day)[:4]) not in left_out)


def _raster_year(settings: Settings) -> int:
    years = sorted(int(str(day)[:4]) for day in settings.days)
    return settings.raster_year or years[len(years) // 2]


class Preparer:
    """The sources of a store and the steps to write it.

    Parameters
    ----------
    paths : SourcePaths
    folder : Path
        The store.
    settings : Settings
    """

    def __init__(self, paths: SourcePaths, folder: Path, settings: Settings) -> None:
        self._paths, self._settings = paths, settings
        s = settings
        self._inputs = InputSources(paths, s.table, s.preparation, s.grid, _raster_year(s))
        self._carried = TransportedFiles(
            paths, self._rasters, s.grid, s.table, s.preparation, self._inputs
        )
        self._folder = folder

    def _rasters(self) -> Mapping[str, NDArray[np.float32]]:
        rows = [v.name for v in self._inputs.static]
        return {name: read_array(static_path(self._folder), name) for name in rows}

    @cached_property
    def _writer(self) -> StoreWriter:
        s, origin = self._settings, training_data_of(self._paths)
        return StoreWriter(
            self._folder, s.grid, s.table, s.preparation, s.overwrite, origin, world_of(self._paths)
        )

    @cached_property
    def _cams(self) -> CamsTargets:
        s = self._settings
        return CamsTargets(self._paths.cams, s.preparation, s.grid, self._inputs.choices)

    @cached_property
    def _measurements(self) -> Measurements:
        s = self._settings
        return Measurements(self._paths.eea, s.grid, s.rules, self._inputs.choices)

    def plan(self, progress: Progress | None = None) -> Plan:
        """Look for everything; opens files, reads no fields."""
        missing: dict[str, list[str]] = {}
        files: dict[np.datetime64, Identity] = {}
        days = self._settings.days
        for i, day in enumerate(days):
            lacking = [
                *self._inputs.missing(day),
                *self._carried.missing(day),
                *self._missing_targets(day),
            ]
            if lacking:
                missing[str(day)] = lacking
            else:
                files[day] = self._day_files(day)
            if progress is not None:
                progress(i + 1, len(days))
        static = self._inputs.missing_static() + self._missing_stations()
        return Plan(tuple(files), missing, static, files)

    def _day_files(self, day: np.datetime64) -> Identity:
        """Say what a day is read from, while its files are open."""
        targets = self._cams.files(day) if self._settings.with_targets else set()
        return identity_of(self._inputs.files(day) | self._carried.files(day) | targets)

    def _missing_stations(self) -> list[str]:
        if not self._settings.with_stations:
            return []
        try:
            return [] if self._measurements.stations else [f"stations in {self._paths.eea}"]
        except ConfigurationError:
            raise
        except RetrievalError as error:
            return [str(error)]

    def _missing_targets(self, day: np.datetime64) -> list[str]:
        if not self._settings.with_targets:
            return []
        try:
            return self._cams.missing(day)
        except ConfigurationError:
            raise
        except RetrievalError as error:
            return [str(error)]

    def write(self, plan: Plan, progress: Progress | None = None) -> Store:
        """Write the store of the plan's complete days.

        Raises
        ------
        DataError
            If something is missing and may not be left out, or a value is not what it must be.
        OutputError
            If another process prepares the store now.
        """
        self._refuse_gaps(plan)
        self._folder.mkdir(parents=True, exist_ok=True)
        with alone_in(self._folder, rule=ONE_WRITER):
            return self._write(plan, progress)

    def _write(self, plan: Plan, progress: Progress | None) -> Store:
        days = plan.complete
        cells = self._station_cells(days)
        static = self._write_static()
        for month in sorted({day.astype("datetime64[M]") for day in days}):
            self._write_month(month, static)
        for i, day in enumerate(days):
            self._write_day(day, plan.files[day], cells.get(int(str(day)[:4])))
            if progress is not None:
                progress(i + 1, len(days))
        held = [d for d in days if int(str(d)[:4]) in self._settings.held_years]
        training = [d for d in days if int(str(d)[:4]) not in self._settings.held_years]
        self._writer.finish(training, held, self._about(plan, cells))
        return Store.open(self._folder)

    def _refuse_gaps(self, plan: Plan) -> None:
        if plan.static:
            msg = (
                "Missing data. Rasters and stations must be there. Given none of: "
                f"{'; '.join(plan.static)}. prepare --what-to-download names them."
            )
            raise DataError(msg)
        if plan.missing and not (self._settings.skip_missing and plan.complete):
            shown = [f"{day}: {'; '.join(what)}" for day, what in plan.missing.items()]
            rest = len(shown) - SHOWN_DAYS
            given = " | ".join(shown[:SHOWN_DAYS]) + (
                f" | and {rest} more days" if rest > 0 else ""
            )
            msg = (
                f"Missing data. Every day must be complete. Given {len(plan.missing)} of "
                f"{len(self._settings.days)} days that are not: {given}. Add the files, or give "
                "--skip-missing to leave these days out."
            )
            raise DataError(msg)

    def _station_cells(self, days: Sequence[np.datetime64]) -> dict[int, list[StationCell]]:
        if not self._settings.with_stations:
            return {}
        years = sorted({int(str(day)[:4]) for day in days})
        return {
            year: self._measurements.cells(year, [d for d in days if str(d)[:4] == str(year)])
            for year in years
        }

    def _write_static(self) -> str:
        """Write the rasters unless they are there, and return their mark."""
        files = identity_of(self._inputs.static_files())
        year = self._inputs.static_year
        of_year = {} if year is None else {"year": year}
        mark = self._writer.mark(chunk="static", files=files, **of_year)
        if not self._writer.has(static_path(self._folder), mark):
            logger.info("rasters")
            maps = self._inputs.static_maps()
            self._writer.write_static(maps, mark, self._inputs.static_choices.records())
        return mark

    def _write_month(self, month: np.datetime64, static: str) -> None:
        files = identity_of(self._inputs.month_files(month))
        # its moments are of the rasters, too
        mark = self._writer.mark(chunk=f"month {month}", files=files, static=static)
        if not self._writer.has(month_path(self._folder, month), mark):
            logger.info("emissions of %s", month)
            maps = self._inputs.month_maps(month)
            chosen = [r for r in self._inputs.monthly_choices.records() if str(month) in r["at"]]
            self._writer.write_month(month, maps, mark, chosen)

    def _write_day(
        self, day: np.datetime64, files: Identity, cells: list[StationCell] | None
    ) -> None:
        target, window = self._settings.with_targets, self._settings.preparation.target_window
        records = means = None
        if cells is not None:
            records = [cell_record(cell) for cell in cells]
            means = self._measurements.window_means(day, cells, window)
        mark = self._writer.mark(
            chunk=f"day {day}",
            files=files,
            # flights and stations are read as a whole before: their values say more than files
            temporal=self._inputs.temporal(day).tolist(),
            stations=records,
            means=None if means is None else means.tolist(),
            target=target,
        )
        if self._writer.has(day_path(self._folder, day), mark):
            return
        logger.info("day %s", day)
        self._writer.write_day(
            day,
            {**self._inputs.day_arrays(day), **self._carried.day(day)},
            self._cams.target(day) if target else None,
            means,
            mark,
        )

    def _about(self, plan: Plan, cells: dict[int, list[StationCell]]) -> dict[str, Any]:
        """Entries of the manifest on where the data come from."""
        paths = {name: str(getattr(self._paths, name)) for name in self._paths.names()}
        return {
            "stations": {str(y): [cell_record(c) for c in found] for y, found in cells.items()},
            "left_out": plan.missing,
            "sources": paths,
            **self._chosen(plan),
        }

    def _chosen(self, plan: Plan) -> dict[str, Any]:
        """Entries on which of several files served, and which days are preliminary; if any."""
        chosen = Choices()
        chosen.restore(self._inputs.choices.records())
        months = sorted({day.astype("datetime64[M]") for day in plan.complete})
        chunks = [static_path(self._folder), *(month_path(self._folder, m) for m in months)]
        for chunk in chunks:
            chosen.restore((read_about(chunk) or {}).get("choices", []))
        early = [str(d) for d in plan.complete if d in self._inputs.era5.preliminary]
        entries = {"choices": chosen.records(), "preliminary_weather": early}
        return {name: entry for name, entry in entries.items() if entry}

    def close(self) -> None:
        """Close all files."""
        self._inputs.close()
        self._carried.close()
        if "_cams" in self.__dict__:
            self._cams.close()
