"""Variables on grids spread over many files: found by name and time, a few files open at once.

Several files (or variables of members of an archive) may hold a field of the same time: which is
used their content decides (retrieval/files/candidates.py). Dates in names tell where to look
first, and where nothing is found there, everything is looked into.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.weather.found import Found, are_parts, on_many_levels, same_field
from retrieval.apriori.formats.containers import FileKind, list_sources, sniff
from retrieval.apriori.formats.field import find_field
from retrieval.apriori.formats.names import dates_in_name
from retrieval.files.candidates import Candidate, Choices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.apriori.formats.field import Field
    from retrieval.files.candidates import Mark

    Which = Callable[[Found], bool]
    Times = tuple[np.datetime64, np.datetime64]

FILES_KEPT = 8
"""Files (archives with their unpacked members) held at once: two days of both ERA5 products."""

NEAR_DAYS = 1
"""Files whose names give dates farther than this from a wanted day are not opened."""

FEW_FILES = 4
"""So many files are opened whatever their names say."""

_YEAR = re.compile(r"(?<!\d)(?<!\d[-_.])((?:19|20)\d{2})(?![-_.]?\d)")
"""A year that is no part of a date."""

_DATA = (FileKind.ZIP, FileKind.CLASSIC, FileKind.HDF5, FileKind.GRIB)


@dataclass
class _OpenFile:
    sources: list[NetcdfSource]
    fields: dict[str, list[Field]] = field(default_factory=dict)

    def find(self, name: str) -> list[Field]:
        if name not in self.fields:
            found = [
                find_field(source, name, wanted=name)
                for source in self.sources
                if name in source.dataset().variables
            ]
            for one in found:  # a time that a file holds again is another candidate
                if one.time.repeats is not None:
                    found.append(replace(one, time=one.time.repeats))
            self.fields[name] = found
        return self.fields[name]

    @property
    def span(self) -> Times | None:
        """First and last time of any variable on a grid."""
        by_dimensions: dict[tuple[str, ...], tuple[NetcdfSource, str]] = {}
        for source in self.sources:
            for name, variable in source.dataset().variables.items():
                if variable.ndim > 2:
                    by_dimensions.setdefault((str(source), *variable.dimensions), (source, name))
        times = [find_field(s, n, wanted=n).times for s, n in by_dimensions.values()]
        ends = [(t[0], t[-1]) for t in times if t.size]
        return (min(e[0] for e in ends), max(e[1] for e in ends)) if ends else None

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
    rank : callable, optional
        Returns the marks of a field that others of the same name and time are ranked by.
    accepts : callable, optional
        Says whether a file is of the product at all.
    choices : Choices, optional
        Where choices are kept.

    Raises
    ------
    DataError
        If there is nothing.
    """

    def __init__(
        self,
        path: Path,
        what: str,
        *,
        rank: Callable[[Found], tuple[Mark, ...]] = lambda _: (),
        accepts: Callable[[NetcdfSource], bool] = lambda _: True,
        choices: Choices | None = None,
    ) -> None:
        self.path, self.what = Path(path), what
        self._rank, self._accepts = rank, accepts
        self.choices = Choices() if choices is None else choices
        self.files = self._list()
        self._open: OrderedDict[Path, _OpenFile] = OrderedDict()
        self._near_day: dict[np.datetime64, list[Path]] = {}
        self._spans: dict[tuple[Path, str], Times | None] = {}
        self._chosen: dict[tuple[str, np.datetime64, Which | None], list[tuple[str, int]]] = {}

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

    def find(self, name: str, time: np.datetime64, which: Which | None = None) -> Found | None:
        """Return a variable's field at a time, None where no file has it.

        Parameters
        ----------
        name : str
        time : datetime64
        which : callable, optional
            Says whether a field is of the quantity that is wanted: on levels, of one version.

        Raises
        ------
        DataError
            If two files differ at that time and nothing ranks them.
        """
        return self._find(name, time, which, at=str(time))

    def find_in(self, name: str, month: np.datetime64, which: Which | None = None) -> Found | None:
        """Return a variable's field within a month, wherever in it its time lies."""
        return self._find(name, month.astype("datetime64[M]"), which, at=str(month))

    def _find(self, name: str, time: np.datetime64, which: Which | None, at: str) -> Found | None:
        for paths in self._stages(time):
            found = [
                one
                for path in paths
                for one in self._fields_at(path, name, time)
                if which is None or which(one)
            ]
            if len(found) > 1:
                return self._choose(name, time, which, found, at)
            if found:
                return found[0]
        return None

    def _choose(
        self, name: str, time: np.datetime64, which: Which | None, found: list[Found], at: str
    ) -> Found:
        key = (name, time, which)
        if key not in self._chosen:  # values are compared once
            candidates = [Candidate(f, f.label, self._rank(f)) for f in found]
            what, day = f"{name} of {self.what}", at[:10]
            if which is on_many_levels:  # some levels here, some there
                chosen = self.choices.choose_parts(what, candidates, together=are_parts, at=day)
            else:
                chosen = [self.choices.choose(what, candidates, same=same_field, at=day)]
            self._chosen[key] = [(one.label, one.index) for one in chosen]
        first, *others = (
            next(f for f in found if (f.label, f.index) == one) for one in self._chosen[key]
        )
        return replace(first, others=tuple(others))

    def _fields_at(self, path: Path, name: str, time: np.datetime64) -> Iterator[Found]:
        """Give the fields of a variable in a file at a time, or within a month."""
        if not self._may_hold(path, name, time):
            return
        for located in self._file(path).find(name):
            times = located.times
            if np.datetime_data(time.dtype)[0] == "M":
                found = np.flatnonzero(times.astype("datetime64[M]") == time)
            else:
                wanted = time.astype(times.dtype)
                first = int(np.searchsorted(times, wanted))
                found = np.array([first] if (times[first : first + 1] == wanted).any() else [], int)
            yield from (Found(located, int(index)) for index in found)

    def missing(
        self, name: str, times: Iterable[np.datetime64], which: Which | None = None
    ) -> list[np.datetime64]:
        """Return the times at which no file has a variable."""
        return [time for time in times if self.find(name, time, which) is None]

    def paths(
        self, name: str, times: Iterable[np.datetime64], which: Which | None = None
    ) -> set[Path]:
        """Return the files that a variable is read from at some times."""
        found = (self.find(name, time, which) for time in times)
        return {p.field.source.path for one in found if one is not None for p in one.parts}

    def sources(self, time: np.datetime64) -> Iterator[NetcdfSource]:
        """Give the files that may hold a time."""
        for paths in self._stages(time):
            for path in paths:
                yield from self._file(path).sources

    def require(self, name: str, time: np.datetime64, which: Which | None = None) -> Found:
        """Return a variable's field at a time.

        Raises
        ------
        DataError
            If no file has it.
        """
        found = self.find(name, time, which)
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
        return _is_within(self._spans[key], time)

    def _stages(self, time: np.datetime64) -> Iterator[list[Path]]:
        """Give the files worth opening for a time, then, if that was not enough, the others."""
        near = self._near(time)
        yield near
        if len(near) < len(self.files):
            names_of_near = set(near)
            yield [p for p in self.files if p not in names_of_near and self._covers(p, time)]

    def _covers(self, path: Path, time: np.datetime64) -> bool:
        key = (path, "")  # any variable
        if key not in self._spans:
            self._spans[key] = self._file(path).span
        return _is_within(self._spans[key], time)

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
        self._open[path] = _OpenFile([s for s in list_sources(path) if self._accepts(s)])
        if len(self._open) > FILES_KEPT:
            self._open.popitem(last=False)[1].close()
        return self._open[path]

    def close(self) -> None:
        """Close all files and remove what was unpacked."""
        while self._open:
            self._open.popitem()[1].close()


def _is_within(span: Times | None, time: np.datetime64) -> bool:
    if span is None:
        return False
    if np.datetime_data(time.dtype)[0] == "M":
        return bool(span[0].astype("datetime64[M]") <= time <= span[1].astype("datetime64[M]"))
    return bool(span[0] <= time <= span[1])
