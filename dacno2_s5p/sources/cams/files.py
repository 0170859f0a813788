"""Where the levels of a day's targets are: one file a level and month, or all levels in one file.

The data store delivers the first (docs/formats.md 4.1); extracts, and its analyses, are the second
(docs/formats.md 4.1, 4.2). A day is taken from one of them as a whole.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from dacno2_s5p.errors import DataError
from retrieval.apriori.cams_europe_layout import (
    Month,
    all_levels_field,
    is_forecast,
    level_field,
    months_of,
    run_of,
)
from retrieval.apriori.file_set import same_grid
from retrieval.apriori.formats.names import parse_cams_europe
from retrieval.files.candidates import Candidate, Choices, listed, newest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.apriori.formats.field import Field
    from retrieval.files.candidates import Mark

logger = logging.getLogger(__name__)

STREAMS = {"vra": "validated", "ira": "interim"}
"""What the first part of a file name means."""


class Slice(NamedTuple):
    """A level: its field, and its index among the field's levels."""

    located: Field
    level: int


class Located(NamedTuple):
    """The levels of a day, lowest first, and the stream of the reanalysis they are from."""

    slices: list[Slice]
    stream: str


class LevelFiles(Protocol):
    """A layout of target files."""

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks, one sentence for each gap."""

    def locate(self, day: np.datetime64) -> Located:
        """Return where a day is that lacks nothing."""


def stamps_of(day: np.datetime64, hours: Sequence[int]) -> list[np.datetime64]:
    """Return the stamps of a day at some hours."""
    midnight = day.astype("datetime64[D]").astype("datetime64[h]")
    return [midnight + hour for hour in hours]


def index_of(located: Field, stamp: np.datetime64) -> int | None:
    """Index of a stamp; times stored as float32 hours may miss it by some seconds."""
    if not located.times.size:
        return None
    apart = np.abs(located.times - stamp.astype(located.times.dtype))
    nearest = int(apart.argmin())
    return nearest if apart[nearest] < np.timedelta64(60, "s") else None


def _stream(found: _Whole) -> str:
    """Return the stream that the name of a file with all levels says, empty without one."""
    name = found.located.source.name.lower()
    return next((word for mark, word in STREAMS.items() if mark in name), "")


class MonthFiles:
    """Files of one level and month each.

    Parameters
    ----------
    sources : sequence of NetcdfSource
        Those that are none of them by name are left out.
    heights : sequence of float
        Wanted levels [m].
    hours : sequence of int
        Wanted hours of a day.
    choices : Choices, optional
        Where it is kept which of two stages was used.

    Raises
    ------
    AprioriError
        If models are mixed, or a month has a level twice.
    """

    def __init__(
        self,
        sources: Sequence[NetcdfSource],
        heights: Sequence[float],
        hours: Sequence[int],
        choices: Choices | None = None,
    ) -> None:
        self._choices = Choices() if choices is None else choices
        self._months = {m.month: m for m in months_of(sources)}
        self._heights, self._hours = heights, hours
        self._open: tuple[np.datetime64, list[Field]] | None = None

    def holds(self, day: np.datetime64) -> bool:
        """Say whether there is any file of a day's month."""
        return day.astype("datetime64[M]") in self._months

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks, one sentence for each gap."""
        month = self._months.get(day.astype("datetime64[M]"))
        if month is None:
            return [f"CAMS reanalysis of {day.astype('datetime64[M]')}"]
        levels = [f"{h:g} m" for h in self._heights if h not in month.levels]
        if levels:
            return [f"CAMS reanalysis of {month.month} at {', '.join(levels)}"]
        by_stamp: dict[str, list[str]] = {}
        for height, located in zip(self._heights, self._fields(month), strict=True):
            for stamp in stamps_of(day, self._hours):
                if index_of(located, stamp) is None:
                    by_stamp.setdefault(str(stamp), []).append(f"{height:g}")
        by_levels: dict[str, list[str]] = {}
        for stamp_text, heights in by_stamp.items():
            by_levels.setdefault(", ".join(heights), []).append(stamp_text)
        return [
            f"CAMS reanalysis at {heights} m, {', '.join(found)} UTC"
            for heights, found in by_levels.items()
        ]

    def locate(self, day: np.datetime64) -> Located:
        """Return where a day is that lacks nothing."""
        month = self._months[day.astype("datetime64[M]")]
        self._choices.keep("CAMS reanalysis", f"{month.stage} files", month.passed_over, str(day))
        return Located([Slice(found, 0) for found in self._fields(month)], STREAMS[month.stage])

    def _fields(self, month: Month) -> list[Field]:
        """Fields of the month's levels, lowest first; one month is kept open."""
        if self._open is None or self._open[0] != month.month:
            if self._open is not None:
                for located in self._open[1]:
                    located.source.close()
            by_level = dict(zip(month.levels, month.sources, strict=True))
            found = [level_field(by_level[int(h)], month.month) for h in self._heights]
            self._open = (month.month, found)
        return self._open[1]


@dataclass(frozen=True)
class _Whole:
    """A file with all levels: its field, the heights [m] and where each is in the file."""

    located: Field
    heights: NDArray[np.float64]
    order: NDArray[np.int64]

    def has_times(self, stamps: Sequence[np.datetime64]) -> bool:
        return all(index_of(self.located, stamp) is not None for stamp in stamps)

    def lacking(self, heights: Sequence[float]) -> list[str]:
        return [f"{h:g} m" for h in heights if not (self.heights == h).any()]


class WholeFiles:
    """Files with all levels.

    Parameters
    ----------
    sources : sequence of NetcdfSource
        Those that are per-level months by name, or hold no European NO2 with its heights, are left
        out.
    heights : sequence of float
        Wanted levels [m].
    hours : sequence of int
        Wanted hours of a day.
    choices : Choices, optional
        Where it is kept which of several files was used.
    forecasts : bool
        Whether forecasts are wanted, those of the day's own run, or what was.
    """

    def __init__(
        self,
        sources: Sequence[NetcdfSource],
        heights: Sequence[float],
        hours: Sequence[int],
        choices: Choices | None = None,
        *,
        forecasts: bool = False,
    ) -> None:
        self._sources = [s for s in sources if parse_cams_europe(s.name) is None]
        self._heights, self._hours = heights, hours
        self._choices = Choices() if choices is None else choices
        self._forecasts = forecasts
        self._what = "CAMS forecast" if forecasts else "CAMS reanalysis"

    @cached_property
    def _files(self) -> list[_Whole]:
        """Files with the coordinates that were read of them.

        Raises
        ------
        DataError
            If a file is a forecast: a target is what was, as far as it is known. Or if one is
            none where forecasts are wanted: what was knows the stations of the day.
        """
        found = []
        for source in self._sources:
            opened = all_levels_field(source)
            if opened is None:
                logger.debug("%s holds no European NO2 on heights", source)
                continue
            if is_forecast(source) != self._forecasts:
                rule = "Targets must be of a reanalysis or analysis. Given a forecast"
                if self._forecasts:
                    rule = "The input must be a forecast. Given a reanalysis or analysis"
                msg = f"Invalid file {source}. {rule}. Put it elsewhere."
                raise DataError(msg)
            found.append(_Whole(*opened))
        return found

    @property
    def is_empty(self) -> bool:
        """True where no file is of this layout."""
        return not self._files

    def holds(self, day: np.datetime64) -> bool:
        """Say whether any file has an hour of a day."""
        return any((f.located.times.astype("datetime64[D]") == day).any() for f in self._files)

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks, one sentence for each gap."""
        stamps = stamps_of(day, self._hours)
        timely = self._timely(day)
        if any(not f.lacking(self._heights) for f in timely):
            return []
        if timely:
            return [
                f"{self._what} of {day} at {', '.join(f.lacking(self._heights))} "
                f"({f.located.source.name})"
                for f in timely
            ]
        return [f"{self._what} of {day}: no one file has {stamps[0]} .. {stamps[-1]} UTC"]

    def _timely(self, day: np.datetime64) -> list[_Whole]:
        """Return the files with all hours of a day; of forecasts those that started that day."""
        found = [f for f in self._files if f.has_times(stamps_of(day, self._hours))]
        if not self._forecasts:
            return found
        runs = [(f, run_of(f.located.source)) for f in found]
        return [f for f, run in runs if run is None or run.astype("datetime64[D]") == day]

    def locate(self, day: np.datetime64) -> Located:
        """Return where a day is that lacks nothing.

        Raises
        ------
        DataError
            If several files have it, differ, and no stream of theirs tells which to use.
        """
        stamps = stamps_of(day, self._hours)
        timely = self._timely(day)
        complete = [f for f in timely if not f.lacking(self._heights)]
        candidates = [
            Candidate(found, str(found.located.source), self._rank(found)) for found in complete
        ]
        chosen = self._choices.choose(
            self._what, candidates, same=partial(self._is_same, stamps), at=str(day)
        )
        slices = self._slices(chosen)
        return Located(slices, _stream(chosen) or "unstated")

    def _rank(self, found: _Whole) -> tuple[Mark, ...]:
        """Rank forecasts by their run, the latest first, others by their stream."""
        if self._forecasts:
            run = run_of(found.located.source)
            numbers = [] if run is None else [float(run.astype("datetime64[h]").astype(np.int64))]
            return (newest("run", "" if run is None else str(run), *numbers),)
        return (listed("stream", _stream(found), tuple(STREAMS.values())),)

    def _slices(self, found: _Whole) -> list[Slice]:
        where = dict(zip(found.heights.tolist(), found.order.tolist(), strict=True))
        return [Slice(found.located, where[float(h)]) for h in self._heights]

    def _is_same(self, stamps: Sequence[np.datetime64], one: _Whole, other: _Whole) -> bool:
        if not same_grid(one.located, other.located):
            return False
        everything = slice(None), slice(None)
        for stamp in stamps:
            a, b = (
                found.located.read(index_of(found.located, stamp) or 0, *everything)[
                    [s.level for s in self._slices(found)]
                ]
                for found in (one, other)
            )
            if not np.array_equal(a, b, equal_nan=True):
                return False
        return True
