"""Variables on grids spread over many files: found by name and time, a few files open at once."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from retrieval.apriori.formats.containers import FileKind, list_sources, sniff
from retrieval.apriori.formats.field import Field, find_field
from retrieval.apriori.formats.names import dates_in_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from retrieval.apriori.formats.containers import NetcdfSource

FILES_KEPT = 8
"""Files (archives with their unpacked members) held at once: two days of both ERA5 products."""

NEAR_DAYS = 1
"""Files whose names give dates farther than this from a wanted day are not opened."""

FEW_FILES = 4
"""So many files are opened whatever their names say."""

_YEAR = re.compile(r"(?<!\d)(?<!\d[-_.])((?:19|20)\d{2})(?![-_.]?\d)")
"""A year that is no part of a date."""

_DATA = (FileKind.ZIP, FileKind.CLASSIC, FileKind.HDF5, FileKind.GRIB)


@dataclass(frozen=True)
class Found:
    """A field at a time: read it with `field.read(index, ...)`."""

    field: Field
    index: int


@dataclass
class _OpenFile:
    sources: list[NetcdfSource]
    fields: dict[str, list[Field]] = field(default_factory=dict)

    def find(self, name: str) -> list[Field]:
        if name not in self.fields:
            self.fields[name] = [
                find_field(source, name, wanted=name)
                for source in self.sources
                if name in source.dataset().variables
            ]
        return self.fields[name]

    def close(self) -> None:
        for source in self.sources:
            source.close()


def may_hold(name: str, day: np.datetime64) -> bool:
    """Tell whether a file may hold a day, or one beside it, by the dates in its name.

    A name without dates may; several dates, or a date and a year apart from it, are the ends of
    one period, as the second may be a day of the data or that of the download.

    Examples
    --------
    >>> day = np.datetime64("2019-07-05")
    >>> may_hold("single_20190630-20190710.nc", day), may_hold("single_20190630.nc", day)
    (True, False)
    >>> may_hold("single_2019_downloaded_20240115.nc", day), may_hold("2018-07-05.nc", day)
    (True, False)
    """
    periods = dates_in_name(name)
    if not periods:
        return True
    years = [np.datetime64(year, "Y") for year in _YEAR.findall(name)]
    periods += [(y.astype("datetime64[D]"), (y + 1).astype("datetime64[D]") - 1) for y in years]
    first, last = min(p[0] for p in periods), max(p[1] for p in periods)
    return bool(first - NEAR_DAYS <= day <= last + NEAR_DAYS)


class GriddedFiles:
    """The files behind a path.

    Parameters
    ----------
    path : Path
        A netCDF or GRIB file, a ZIP archive with any extension, or a folder of them; GRIB is
        refused with a sentence when it is met and the extra `grib` is absent.
    what : str
        Product, for messages.

    Raises
    ------
    DataError
        If there is nothing.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path, self.what = Path(path), what
        self.files = self._list()
        self._open: OrderedDict[Path, _OpenFile] = OrderedDict()
        self._near_day: dict[np.datetime64, list[Path]] = {}
        self._spans: dict[tuple[Path, str], tuple[np.datetime64, np.datetime64] | None] = {}

    def _list(self) -> list[Path]:
        if self.path.is_dir():
            files = sorted(p for p in self.path.iterdir() if p.is_file() and p.name[0] != ".")
            files = [p for p in files if sniff(p) in _DATA]
        else:
            files = [self.path] if self.path.exists() else []
        if not files:
            msg = (
                f"Invalid {self.what} files {self.path}. They must be netCDF, GRIB or ZIP archives."
                " Given none. Give their folder; prepare --what-to-download names the products."
            )
            raise DataError(msg)
        return files

    def find(self, name: str, time: np.datetime64) -> Found | None:
        """Return a variable's field at a time, None where no file has it."""
        for path in self._near(time):
            if not self._may_hold(path, name, time):
                continue
            for located in self._file(path).find(name):
                times = located.times
                wanted = time.astype(times.dtype)
                index = int(np.searchsorted(times, wanted))
                if index < times.size and times[index] == wanted:
                    return Found(located, index)
        return None

    def stamp_in(self, name: str, month: np.datetime64) -> np.datetime64 | None:
        """Return the first time of a variable within a month, None where there is none."""
        for path in self._near(month.astype("datetime64[D]")):
            for located in self._file(path).find(name):
                inside = located.times[located.times.astype("datetime64[M]") == month]
                if inside.size:
                    return np.datetime64(inside[0])
        return None

    def missing(self, name: str, times: Iterable[np.datetime64]) -> list[np.datetime64]:
        """Return the times at which no file has a variable."""
        return [time for time in times if self.find(name, time) is None]

    def paths(self, name: str, times: Iterable[np.datetime64]) -> set[Path]:
        """Return the files that a variable is read from at some times."""
        found = (self.find(name, time) for time in times)
        return {one.field.source.path for one in found if one is not None}

    def names(self, time: np.datetime64) -> list[str]:
        """Return the variables of the files near a time."""
        found: dict[str, None] = {}
        for path in self._near(time):
            for source in self._file(path).sources:
                found.update(dict.fromkeys(source.dataset().variables))
        return list(found)

    def require(self, name: str, time: np.datetime64) -> Found:
        """Return a variable's field at a time.

        Raises
        ------
        DataError
            If no file has it.
        """
        found = self.find(name, time)
        if found is None:
            msg = (
                f"Missing {self.what}. The variable {name} must be there at {time} UTC. Given none "
                f"in {self.path}. prepare --what-to-download names what to request."
            )
            raise DataError(msg)
        return found

    def _may_hold(self, path: Path, name: str, time: np.datetime64) -> bool:
        """Say whether a file seen before can have a variable at a time, without opening it.

        Files of a year have no date in their names: with many of them each would be opened for
        every day.
        """
        key = (path, name)
        if key not in self._spans:
            times = [f.times for f in self._file(path).find(name) if f.times.size]
            ends = (min(t[0] for t in times), max(t[-1] for t in times)) if times else None
            self._spans[key] = ends
        span = self._spans[key]
        return span is not None and bool(span[0] <= time <= span[1])

    def _near(self, time: np.datetime64) -> list[Path]:
        """Return the files worth opening for a time; of a few files all are."""
        if len(self.files) <= FEW_FILES:
            return self.files
        day = time.astype("datetime64[D]")
        if day not in self._near_day:
            self._near_day[day] = [p for p in self.files if may_hold(p.name, day)]
        return self._near_day[day]

    def _file(self, path: Path) -> _OpenFile:
        if path in self._open:
            self._open.move_to_end(path)
            return self._open[path]
        self._open[path] = _OpenFile(list_sources(path))
        if len(self._open) > FILES_KEPT:
            self._open.popitem(last=False)[1].close()
        return self._open[path]

    def close(self) -> None:
        """Close all files and remove what was unpacked."""
        while self._open:
            self._open.popitem()[1].close()


def read_block(found: Found, rows: slice, columns: slice) -> NDArray[np.floating]:
    """Read a field's block, levels in the order of the file, shape (n_level, n_y, n_x)."""
    return found.field.read(found.index, rows, columns)
