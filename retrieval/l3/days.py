"""A folder of daily sums: the state of a map in the making, in constant memory, resumable.

One file a day holds the sums of that day and the list of what is in them, so that a file can be
added at any later time, an orbit never twice, and a period of any length, the number of distinct
days and a bootstrap over days come from the same folder. Each file is written whole or not at all.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import OutputError, ProductError
from retrieval.files.provenance import file_checksum
from retrieval.l2.identity import OrbitIdentity
from retrieval.l2.quality import QA_RECOMMENDED
from retrieval.l2.strata import NAMES
from retrieval.l3.day_file import DayRecord, read_day, read_day_record, write_day
from retrieval.l3.pixels import OrbitPixels, PixelRange, read_pixels
from retrieval.l3.side_column import SideColumn, side_checksums
from retrieval.l3.sums import Sums, Weighting
from retrieval.physics.geometry.grids import same_grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrieval.physics.geometry.grids import RectilinearGrid

logger = logging.getLogger(__name__)

PATTERN = "sums_????-??-??.nc"


@dataclass(frozen=True)
class GridJob:
    """How files are gridded; one folder of days has one.

    Attributes
    ----------
    grid : RectilinearGrid
        The cells.
    products : tuple of str
        Labels of the columns to take from each file.
    side : tuple of SideColumn
        Further columns from side files.
    qa_threshold : int
        Pixels with a stored quality value above it take part.
    where : tuple of PixelRange
        Further conditions on the pixels, for statistics by cloud fraction, sun angle, ...
    weighting : Weighting
        Rule of the weights.
    allow_mixed : bool
        Take files of processor versions 1 and 2, or re-retrieved with different options, together.
    """

    grid: RectilinearGrid
    products: tuple[str, ...]
    side: tuple[SideColumn, ...] = ()
    qa_threshold: int = QA_RECOMMENDED
    where: tuple[PixelRange, ...] = ()
    weighting: Weighting = Weighting.OVERLAP
    allow_mixed: bool = False

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of all columns, those of side files last."""
        return self.products + tuple(one.name for one in self.side)

    @property
    def settings(self) -> dict[str, object]:
        """What must be the same for all days, as plain types."""
        variables = {"further_variables": [one.variable for one in self.side]} if self.side else {}
        return {
            "products": list(self.labels),
            "further_products": [one.name for one in self.side],
            **variables,
            "qa_threshold": self.qa_threshold,
            "where": [f"{one.variable}={one.low:g}..{one.high:g}" for one in self.where],
            "weighting": str(self.weighting),
            "strata": list(NAMES),
        }


@dataclass
class DayStore:
    """The folder.

    Attributes
    ----------
    folder : Path
        Where the days are; made when it is missing.
    job : GridJob
        Settings; those of days already there must be the same.
    """

    folder: Path
    job: GridJob
    _records: dict[np.datetime64, DayRecord] = field(default_factory=dict)
    _open: dict[np.datetime64, Sums] = field(default_factory=dict)
    _files: dict[str, OrbitIdentity] = field(default_factory=dict)
    _expected: list[tuple[OrbitIdentity, tuple[str, ...]]] = field(default_factory=list)

    @classmethod
    def of_day(cls, folder: Path, job: GridJob, day: np.datetime64) -> DayStore:
        """Open one day of a folder that has been opened as a whole; others are not looked at.

        Raises
        ------
        OutputError
            If the day was made with other settings or on another grid.
        """
        store = cls(folder, job)
        if store.path_of(day).exists():
            store._read_record(store.path_of(day))
        return store

    @classmethod
    def open(cls, folder: str | Path, job: GridJob) -> DayStore:
        """Open or make a folder.

        Raises
        ------
        OutputError
            If the days in it were made with other settings or on another grid.
        """
        store = cls(Path(folder), job)
        store.folder.mkdir(parents=True, exist_ok=True)
        store.reload()
        return store

    def reload(self) -> None:
        """Read again what is in the folder; what is in memory only is forgotten.

        Raises
        ------
        OutputError
            If the days in it were made with other settings or on another grid.
        """
        self._expected.clear()
        for memory in (self._open, self._records, self._files):
            memory.clear()
        for path in day_files(self.folder):
            self._read_record(path)

    def _read_record(self, path: Path) -> None:
        record = read_day_record(path)
        if record.settings != self.job.settings or not same_grid(record.grid, self.job.grid):
            raise OutputError(_other_settings(self.folder, record, self.job))
        self._records[record.day] = record
        self._files.update({entry.content: entry for entry in record.orbits})

    @property
    def days(self) -> list[np.datetime64]:
        """Days that hold something, in order."""
        return sorted(self._records)

    @property
    def entries(self) -> list[OrbitIdentity]:
        """All entries of all days."""
        return [entry for record in self._records.values() for entry in record.orbits]

    def entries_of(self, day: np.datetime64) -> tuple[OrbitIdentity, ...]:
        """Return the entries of a day, none where it is not there."""
        record = self._records.get(day)
        return () if record is None else record.orbits

    @property
    def orbits(self) -> list[OrbitIdentity]:
        """Everything that has been added, each orbit once, in order."""
        found = {entry.orbit: entry for record in self._records.values() for entry in record.orbits}
        return [found[key] for key in sorted(found)]

    def holds(self, content: str) -> bool:
        """Tell whether the orbit of this content has been added with all its days."""
        entry = self._files.get(content)
        # after an interruption only one of two days may be written
        return entry is not None and all(
            (record := self._records.get(np.datetime64(text))) and entry in record.orbits
            for text in entry.days
        )

    def expect(self, identity: OrbitIdentity, options: str) -> None:
        """Check an orbit that is to be added against what is there and what is expected.

        Raises
        ------
        ProductError
            As `add`.
        """
        self._check(identity, options)
        self._expected.append((identity, (options,) if options else ()))

    def add(
        self, path: str | Path, checksum: str = "", *, only: np.datetime64 | None = None
    ) -> Sums:
        """Add the pixels of an orbit.

        Parameters
        ----------
        path : path
            An L2 NO2 file.
        checksum : str
            Its SHA-256, where known already.
        only : datetime64[D], optional
            Leave out pixels of other days, and what the day holds already.

        Returns
        -------
        Sums
            Those of this orbit alone, all days together.

        Raises
        ------
        ProductError
            If the orbit has been added before, from whatever file, if it lacks a product, or if
            its processor version or options differ from what is there.
        NoOverlapError
            If no pixel touches the grid.
        """
        path = Path(path)
        pixels = read_pixels(
            path,
            self.job.grid,
            self.job.products,
            qa_threshold=self.job.qa_threshold,
            side=self.job.side,
            where=self.job.where,
        )
        days = np.unique(pixels.day)
        identity = replace(
            pixels.identity,
            sha256=checksum or file_checksum(path),
            side=side_checksums(self.job.side, path),
            days=tuple(str(day) for day in days),
        )
        self._check(identity, pixels.options)
        total = self._empty()
        parts: dict[np.datetime64, Sums] = {}
        for day in days if only is None else days[days == only]:
            is_day = pixels.day == day
            sums = self._empty()
            sums.add(
                pixels.latitude_bounds[is_day],
                pixels.longitude_bounds[is_day],
                pixels.values[is_day],
                pixels.strata[is_day],
            )
            parts[day] = sums
            total.merge(sums)
        for day in self._days_without(identity, parts, again=only is not None):
            self._add_to_day(day, parts[day], identity, pixels)
        return total

    def flush(self) -> None:
        """Write the days in memory."""
        for day, sums in self._open.items():
            write_day(self.path_of(day), sums, self._records[day])
        self._open.clear()

    def path_of(self, day: np.datetime64) -> Path:
        """File of a day."""
        return self.folder / f"sums_{day}.nc"

    def _empty(self) -> Sums:
        return Sums(self.job.grid, self.job.labels, self.job.weighting, strata=NAMES)

    def _check(self, identity: OrbitIdentity, options: str) -> None:
        entries = [(e, record.options) for record in self._records.values() for e in record.orbits]
        entries += self._expected
        for entry, _ in entries:
            if entry.content != identity.content and entry.repeats(identity):
                raise ProductError(_twice(identity, entry))
        if self.job.allow_mixed or not entries:
            return
        entry, others = entries[0]
        if entry.sensor != identity.sensor:
            raise ProductError(_mixed_sensors(identity, entry))
        if entry.major_version != identity.major_version:
            raise ProductError(_mixed_versions(identity, entry))
        if options and others and options not in others:
            raise ProductError(_mixed_options(identity, options, others[0]))

    def _days_without(
        self, identity: OrbitIdentity, parts: dict[np.datetime64, Sums], *, again: bool
    ) -> list[np.datetime64]:
        """Days that lack this orbit: after an interruption at midnight one of two may have it."""
        lacking = [
            day
            for day in parts
            if day not in self._records
            or all(entry.content != identity.content for entry in self._records[day].orbits)
        ]
        if parts and not lacking and not again:
            raise ProductError(_twice(identity, identity))
        return lacking

    def _add_to_day(
        self, day: np.datetime64, sums: Sums, identity: OrbitIdentity, pixels: OrbitPixels
    ) -> None:
        if day not in self._open:
            self.flush()  # one day in memory: constant, whatever the length of the period
            is_known = day in self._records
            self._open[day] = read_day(self.path_of(day))[0] if is_known else self._empty()
        record = self._records.get(day) or DayRecord(day, self.job.grid, self.job.settings)
        self._open[day].merge(sums)
        options = {*record.options, *([pixels.options] if pixels.options else [])}
        self._records[day] = replace(
            record,
            orbits=tuple(sorted((*record.orbits, identity), key=lambda one: one.orbit)),
            options=tuple(sorted(options)),
            units={**record.units, **pixels.units},
            is_synthetic=record.is_synthetic or pixels.is_synthetic,
        )
        self._files[identity.content] = identity


def day_files(
    folder: Path, period: tuple[np.datetime64, np.datetime64] | None = None
) -> list[Path]:
    """Files of the days of a folder, in order; a period is first and last day."""

    def is_inside(path: Path) -> bool:
        return period is None or bool(period[0] <= day_of(path) <= period[1])

    return [path for path in sorted(folder.glob(PATTERN)) if is_inside(path)]


def day_of(path: Path) -> np.datetime64:
    """Day of a file of `day_files`."""
    return np.datetime64(path.stem.removeprefix("sums_"), "D")


def read_days(
    folder: Path, period: tuple[np.datetime64, np.datetime64] | None = None
) -> Iterator[tuple[Sums, DayRecord]]:
    """Read the days of a folder one by one, in order; a period is first and last day."""
    for path in day_files(folder, period):
        yield read_day(path)


def _twice(identity: OrbitIdentity, entry: OrbitIdentity) -> str:
    there = f"from {entry.file}. Leave it out, or start a new folder of days without the other."
    if identity.sha256 == entry.sha256 and identity.side != entry.side:
        there = "with other side files. Give those, or start a new folder of days."
    return (
        f"Invalid file {identity.file}. An orbit may be in a map once, else it has double weight. "
        f"Given orbit {identity.orbit}, which is there {there}"
    )


def _mixed_sensors(identity: OrbitIdentity, entry: OrbitIdentity) -> str:
    return (
        f"Invalid file {identity.file}. Sensors are mixed only when told, each with its own "
        f"quality rule. Given {identity.sensor} after {entry.sensor} ({entry.file}). Choose "
        "another folder, or --allow-mixed."
    )


def _mixed_versions(identity: OrbitIdentity, entry: OrbitIdentity) -> str:
    return (
        f"Invalid file {identity.file}. Processor versions 1 and 2 have different clouds and "
        f"quality values and do not mix. Given {identity.processor_version} after "
        f"{entry.processor_version} ({entry.file}). Use reprocessed files, or --allow-mixed."
    )


def _mixed_options(identity: OrbitIdentity, options: str, others: str) -> str:
    return (
        f"Invalid file {identity.file}. All files of a map are re-retrieved with the same options. "
        f"Given {options} after {others}. Re-retrieve them alike, or --allow-mixed."
    )


def _other_settings(folder: Path, record: DayRecord, job: GridJob) -> str:
    have, want = json.dumps(record.settings), json.dumps(job.settings)
    if record.settings == job.settings:
        have, want = f"another grid {record.grid.shape}", f"{job.grid.shape}"
    return (
        f"Invalid folder {folder}. Its days must be on the same grid and made with the same "
        f"settings. Given {have}, wanted {want}. Choose another folder."
    )
