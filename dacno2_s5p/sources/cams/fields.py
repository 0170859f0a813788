"""Targets: the CAMS European reanalysis on the 8 km grid, the mean of the target window.

Layout: docs/formats.md 4.1.

Files are of one level and month each, or hold all levels (cams_files.py). The grid of the
reanalysis changed between 2019 and 2020 (centres on x.x0, then on x.x5): fields are brought over by
their coordinates, never by index.
Which stream a day came from, validated or interim, is kept, as the paper's years mix both.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs import regrid
from dacno2_s5p.inputs.grid import CAMS_FACTOR, ModelGrid
from dacno2_s5p.sources.cams.files import (
    LevelFiles,
    Located,
    MonthFiles,
    WholeFiles,
    index_of,
    stamps_of,
)
from dacno2_s5p.sources.weather.windows import target_hours
from retrieval.apriori.formats.containers import list_sources
from retrieval.files.candidates import Candidate, Choices, listed

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.variables import Preparation
    from retrieval.apriori.formats.field import Field
    from retrieval.files.candidates import Mark

logger = logging.getLogger(__name__)

VALID_RANGE = (-0.01, 3000.0)
"""NO2 outside [ug m-3] is another unit or damage; hourly values in streets stay below 1000.
Negatives above the lower end are rounding and become 0."""

RIGHT_UNITS = ("ug/m3", "ugm-3", "ugm^-3", "microgram/m3", "")
"""Spellings of ug m-3, without blanks and with u for the Greek letter."""


LAYOUTS = ("of one level each", "of all levels")
"""Layouts of the reanalysis; of the first, which the data store delivers, the names say what it
is."""

STREAM_ORDER = ("validated", "interim", "unstated")
"""Between two layouts a file that does not say its stream comes last: any extract may be so."""


class Target(NamedTuple):
    """CAMS NO2 of a day.

    Attributes
    ----------
    no2 : ndarray, shape (n_level, n_y / 4, n_x / 4)
        Mean over the window [ug m-3].
    stream : {"validated", "interim", "unstated"}
        Of a file with all levels what its name says.
    """

    no2: NDArray[np.float32]
    stream: str


class CamsTargets:
    """The reanalysis files behind a path.

    Parameters
    ----------
    path : Path
        Folder or archive with `cams.eaq.*.nc` files of one level and month, or with files of all
        levels.
    preparation : Preparation
        Heights and target window.
    grid : ModelGrid
        The model grid; targets are on its parent of 8 km.
    choices : Choices, optional
        Where it is kept which of several files was used.
    forecasts : bool
        Whether the files are of the day's forecast, all levels in each: an input, no target.

    Raises
    ------
    AprioriError
        If there are no files, models are mixed, or a month has a level twice.
    """

    def __init__(
        self,
        path: Path,
        preparation: Preparation,
        grid: ModelGrid,
        choices: Choices | None = None,
        *,
        forecasts: bool = False,
    ) -> None:
        self._path = path
        self._sources = list_sources(path)
        self._choices = Choices() if choices is None else choices
        self._hours = target_hours(preparation.target_window)
        self._forecasts = forecasts
        months = [] if forecasts else self._sources
        self._months = MonthFiles(months, preparation.heights, self._hours, self._choices)
        self._whole = WholeFiles(
            self._sources, preparation.heights, self._hours, self._choices, forecasts=forecasts
        )
        self._cells = grid.cells(CAMS_FACTOR)
        self._operators: dict[bytes, regrid.Operator] = {}
        self._warned: set[str] = set()

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks.

        A day that neither layout has as a whole lacks what each of them does: levels of one are
        never filled up from the other.
        """
        return self._look(day)[1]

    def files(self, day: np.datetime64) -> set[Path]:
        """Return the files that the target of a day is read from."""
        able, lacking = self._look(day)
        return set() if lacking else {s.located.source.path for s in self._locate(able, day).slices}

    def _look(self, day: np.datetime64) -> tuple[list[LevelFiles], list[str]]:
        """Return the layouts that have a day as a whole, or what it lacks."""
        if self._forecasts:
            return [self._whole], self._whole.missing(day)
        lacking = self._months.missing(day)
        of_whole = [] if self._whole.is_empty else self._whole.missing(day)
        able: list[LevelFiles] = [] if lacking else [self._months]
        if not (self._whole.is_empty or of_whole):
            able.append(self._whole)
        if able:
            return able, []
        if self._whole.is_empty or (self._months.holds(day) and not self._whole.holds(day)):
            return [], lacking
        return [], [*(lacking if self._months.holds(day) else []), *of_whole]

    def _locate(self, able: list[LevelFiles], day: np.datetime64) -> Located:
        """Return where a day is: of two layouts the one of the better stream."""
        found = [files.locate(day) for files in able]
        if len(found) == 1:
            return found[0]
        candidates = [
            Candidate(
                one, f"files {layout} in {self._path}", (_stream_mark(one), _layout_mark(layout))
            )
            for one, layout in zip(found, LAYOUTS, strict=True)
        ]
        chosen: Located = self._choices.choose(
            "CAMS reanalysis", candidates, same=lambda *_: False, at=str(day)
        )
        return chosen

    def target(self, day: np.datetime64) -> Target:
        """Return the target of a day.

        Raises
        ------
        DataError
            If a level or hour is missing, a value is, or the values are not in ug m-3.
        """
        able, lacking = self._look(day)
        if lacking:
            msg = (
                f"Missing target of {day}. All levels and hours must be there, in files of one "
                f"layout. Given none of {'; '.join(lacking[:3])}. Request them, or leave the day "
                "out."
            )
            raise DataError(msg)
        stamps = stamps_of(day, self._hours)
        slices, stream = self._locate(able, day)
        total = np.zeros((len(slices), *self._cells.shape))
        for stamp in stamps:
            blocks: dict[int, NDArray[np.floating]] = {}
            for k, (located, level) in enumerate(slices):
                if id(located) not in blocks:  # of all levels in one field: read once
                    blocks[id(located)] = self._block(located, stamp)
                where = f"{located.where} at {stamp} UTC"
                block = _checked(blocks[id(located)][level], where)
                total[k] += self._operator(located).apply(block)
        return Target((total / len(stamps)).astype(np.float32), stream)

    def _block(self, located: Field, stamp: np.datetime64) -> NDArray[np.floating]:
        """Read all levels of a field around the grid, shape (n_level, n_y, n_x)."""
        operator = self._operator(located)
        self._look_at_unit(located)
        index = index_of(located, stamp)
        if index is None:  # missing() has looked; a file may have gone since
            msg = f"Missing target. {located.where} must hold {stamp}. Restore the file."
            raise DataError(msg)
        return located.read(index, operator.rows, operator.columns)

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
        for source in self._sources:
            source.close()


def _stream_mark(found: Located) -> Mark:
    return listed("stream", found.stream, STREAM_ORDER)


def _layout_mark(layout: str) -> Mark:
    return listed("files", layout, LAYOUTS)


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
