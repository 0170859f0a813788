"""Targets: the CAMS European reanalysis on the 8 km grid, the mean of the target window (D.1).

Files are of one level and month each. The grid of the reanalysis changed between 2019 and 2020
(centres on x.x0, then on x.x5): fields are brought over by their coordinates, never by index.
Which stream a day came from, validated or interim, is kept, as the paper's years mix both.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.grid import CAMS_FACTOR, ModelGrid
from dacno2_s5p.sources import regrid
from dacno2_s5p.sources.windows import target_hours
from retrieval.formats.cams_europe import Month, level_field, months_of
from retrieval.formats.containers import list_sources

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.variables import Preparation
    from retrieval.formats.field import Field

logger = logging.getLogger(__name__)

VALID_RANGE = (-0.01, 3000.0)
"""NO2 outside [ug m-3] is another unit or damage; hourly values in streets stay below 1000.
Negatives above the lower end are rounding and become 0."""

RIGHT_UNITS = ("ug/m3", "ugm-3", "ugm^-3", "microgram/m3", "")
"""Spellings of ug m-3, without blanks and with u for the Greek letter."""

STREAMS = {"vra": "validated", "ira": "interim"}
"""What the first part of a file name means."""


class Target(NamedTuple):
    """CAMS NO2 of a day.

    Attributes
    ----------
    no2 : ndarray, shape (n_level, n_y / 4, n_x / 4)
        Mean over the window [ug m-3].
    stream : {"validated", "interim"}
    """

    no2: NDArray[np.float32]
    stream: str


class CamsTargets:
    """The reanalysis files behind a path.

    Parameters
    ----------
    path : Path
        Folder or archive with `cams.eaq.*.nc` files.
    preparation : Preparation
        Heights and target window.
    grid : ModelGrid
        The model grid; targets are on its parent of 8 km.

    Raises
    ------
    AprioriError
        If there are no files, models are mixed, or a month has a level twice.
    """

    def __init__(self, path: Path, preparation: Preparation, grid: ModelGrid) -> None:
        self._path = path
        self._months = {m.month: m for m in months_of(list_sources(path))}
        self._heights = preparation.heights
        self._hours = target_hours(preparation.target_window)
        self._cells = grid.cells(CAMS_FACTOR)
        self._operators: dict[bytes, regrid.Operator] = {}
        self._fields: tuple[np.datetime64, list[Field]] | None = None
        self._warned: set[str] = set()

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks."""
        month = self._months.get(day.astype("datetime64[M]"))
        if month is None:
            return [f"CAMS reanalysis of {day.astype('datetime64[M]')}"]
        levels = [f"{h:g} m" for h in self._heights if h not in month.levels]
        if levels:
            return [f"CAMS reanalysis of {month.month} at {', '.join(levels)}"]
        by_stamp: dict[str, list[str]] = {}
        for height, located in zip(self._heights, self._located(month), strict=True):
            for stamp in self._stamps(day):
                if _index(located, stamp) is None:
                    by_stamp.setdefault(str(stamp), []).append(f"{height:g}")
        by_levels: dict[str, list[str]] = {}
        for stamp_text, heights in by_stamp.items():
            by_levels.setdefault(", ".join(heights), []).append(stamp_text)
        return [
            f"CAMS reanalysis at {heights} m, {', '.join(stamps)} UTC"
            for heights, stamps in by_levels.items()
        ]

    def _stamps(self, day: np.datetime64) -> list[np.datetime64]:
        midnight = day.astype("datetime64[D]").astype("datetime64[h]")
        return [midnight + hour for hour in self._hours]

    def _located(self, month: Month) -> list[Field]:
        """Fields of the month's levels, lowest first; one month is kept open."""
        if self._fields is None or self._fields[0] != month.month:
            if self._fields is not None:
                for located in self._fields[1]:
                    located.source.close()
            by_level = dict(zip(month.levels, month.sources, strict=True))
            found = [level_field(by_level[int(h)], month.month) for h in self._heights]
            self._fields = (month.month, found)
        return self._fields[1]

    def target(self, day: np.datetime64) -> Target:
        """Return the target of a day.

        Raises
        ------
        DataError
            If a level or hour is missing, a value is, or the values are not in ug m-3.
        """
        lacking = self.missing(day)
        if lacking:
            msg = (
                f"Missing target of {day}. All levels and hours must be there. Given none of "
                f"{'; '.join(lacking[:3])}. Request them, or leave the day out."
            )
            raise DataError(msg)
        month = self._months[day.astype("datetime64[M]")]
        levels = [self._mean(located, day) for located in self._located(month)]
        return Target(np.stack(levels), STREAMS[month.stage])

    def _mean(self, located: Field, day: np.datetime64) -> NDArray[np.float32]:
        operator = self._operator(located)
        self._look_at_unit(located)
        total = np.zeros(self._cells.shape)
        stamps = self._stamps(day)
        for stamp in stamps:
            index = _index(located, stamp)
            if index is None:  # missing() has looked; a file may have gone since
                msg = f"Missing target. {located.where} must hold {stamp}. Restore the file."
                raise DataError(msg)
            block = located.read(index, operator.rows, operator.columns)[0]
            total += operator.apply(_checked(block, f"{located.where} at {stamp} UTC"))
        return (total / len(stamps)).astype(np.float32)

    def _operator(self, located: Field) -> regrid.Operator:
        source = located.grid
        key = source.x_edges.tobytes() + source.y_edges.tobytes()
        if key not in self._operators:
            self._operators[key] = regrid.conservative(source, self._cells, located.where)
        return self._operators[key]

    def _look_at_unit(self, located: Field) -> None:
        """Warn of a wrong unit attribute; the values decide (a real file says ug/cm2)."""
        unit = located.attribute("units")
        plain = unit.replace("µ", "u").replace("μ", "u").replace(" ", "").lower()
        if plain not in RIGHT_UNITS and unit not in self._warned:
            self._warned.add(unit)
            logger.warning("%s says %r; its values are taken as ug m-3", located.where, unit)

    def close(self) -> None:
        """Close the files."""
        for month in self._months.values():
            for source in month.sources:
                source.close()


def _index(located: Field, stamp: np.datetime64) -> int | None:
    """Index of a stamp; times stored as float32 hours may miss it by some seconds."""
    apart = np.abs(located.times - stamp.astype(located.times.dtype))
    nearest = int(apart.argmin())
    return nearest if apart[nearest] < np.timedelta64(60, "s") else None


def _checked(block: NDArray[np.floating], where: str) -> NDArray[np.floating]:
    missing = int(block.size - np.isfinite(block).sum())
    least, largest = VALID_RANGE
    given = f"{missing} of {block.size} missing" if missing else ""
    if not missing and not (least <= block.min() and block.max() <= largest):
        given = f"{block.min():.4g} to {block.max():.4g}"
    if given:
        msg = (
            f"Invalid target {where}. Values must be finite and in {least:g} to {largest:g} ug m-3."
            f" Given {given}. Download the file again, or leave the day out."
        )
        raise DataError(msg)
    return np.asarray(np.maximum(block, 0.0))
