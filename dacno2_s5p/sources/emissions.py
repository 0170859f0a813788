"""CAMS-GLOB-ANT emissions of NOx by sector, months, on the 2 km grid (docs/formats.md 5.3).

Sectors differ between versions of the inventory (refineries and commerce come with v5, split
fugitives with v6); which of them make an input is the row's list of names in the table of inputs,
where `*` stands for any ending. Those absent from a file are passed over if one is present.
"""

from __future__ import annotations

import logging
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs import regrid
from dacno2_s5p.sources.checks import check_unit, check_values
from dacno2_s5p.sources.weather.gridded import GriddedFiles, read_block

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import Variable

logger = logging.getLogger(__name__)

TOTAL = "sum"
"""Name of the sum of all sectors."""

UNASSIGNED_SHARE = 0.01
"""More of the total outside of all inputs is said in a warning."""


class Inventory:
    """The inventory files behind a path.

    Parameters
    ----------
    path : Path
        A file or a folder of them.
    variables : sequence of Variable
        Rows of the table of inputs.
    grid : ModelGrid

    Raises
    ------
    DataError
        If there are no files.
    """

    def __init__(self, path: Path, variables: Sequence[Variable], grid: ModelGrid) -> None:
        self._files = GriddedFiles(path, "CAMS-GLOB-ANT")
        self._variables = variables
        self._cells = grid.cells()
        self._operators: dict[tuple[bytes, str], regrid.Operator] = {}

    def missing(self, month: np.datetime64) -> list[str]:
        """Say what a month lacks."""
        lacking = [
            v.name for v in self._variables if not self._stamps_of(v, month.astype("datetime64[M]"))
        ]
        return [f"CAMS-GLOB-ANT of {month} ({', '.join(lacking)})"] if lacking else []

    def files(self, month: np.datetime64) -> set[Path]:
        """Return the files that a month is read from."""
        first = month.astype("datetime64[M]")
        wanted = (found for v in self._variables for found in self._stamps_of(v, first))
        return {path for name, stamp in wanted for path in self._files.paths(name, [stamp])}

    def month(self, month: np.datetime64) -> NDArray[np.float32]:
        """Return the inputs of a month [kg m-2 s-1], shape (n_variable, n_y, n_x).

        Raises
        ------
        DataError
            If a sector group has no sector in the files, or values are not emissions.
        """
        month = month.astype("datetime64[M]")
        self._look_at_sectors(month)
        maps = [self._map(variable, month) for variable in self._variables]
        return np.stack(maps)

    def _map(self, variable: Variable, month: np.datetime64) -> NDArray[np.float32]:
        found = self._stamps_of(variable, month)
        if not found:
            msg = (
                f"Missing input {variable.name}. One of {', '.join(variable.source_variables)} "
                f"must be in the inventory of {month}. Given none in {self._files.path}. Add the "
                "file, or change the row of the table of inputs."
            )
            raise DataError(msg)
        total = np.zeros(self._cells.shape)
        where = ""
        for name, stamp in found:
            sector = self._files.require(name, stamp)
            where = sector.field.where
            check_unit(sector.field.attribute("units"), variable, where)
            source = sector.field.grid
            key = (source.x_edges.tobytes() + source.y_edges.tobytes(), variable.resampling)
            if key not in self._operators:
                self._operators[key] = regrid.build(variable.resampling, source, self._cells, where)
            operator = self._operators[key]
            total += operator.apply(read_block(sector, operator.rows, operator.columns)[0])
        return check_values(total, variable, f"{where}, {month}")

    def _stamps_of(
        self, variable: Variable, month: np.datetime64
    ) -> list[tuple[str, np.datetime64]]:
        """Sectors of a variable and their stamps within the month, wherever in it that lies."""
        day = month.astype("datetime64[D]")
        names = [n for n in self._files.names(day) if _is_among(n, variable.source_variables)]
        found = []
        for name in names:
            stamp = self._files.stamp_in(name, month)
            if stamp is not None:
                found.append((name, stamp))
        return found

    def _look_at_sectors(self, month: np.datetime64) -> None:
        """Warn of emissions that are in the inventory's sum but in no input."""
        stamp = self._files.stamp_in(TOTAL, month)
        if stamp is None:
            return
        names = {name for v in self._variables for name, _ in self._stamps_of(v, month)}
        everything = slice(None), slice(None)
        total = _sum(self._files, TOTAL, stamp, everything)
        used = sum(_sum(self._files, name, stamp, everything) for name in names)
        share = 1.0 - used / total if total > 0 else 0.0
        if share > UNASSIGNED_SHARE:
            logger.warning(
                "CAMS-GLOB-ANT of %s: %.1f %% of its sum is in no input; add the sectors to the "
                "table of inputs",
                month,
                100.0 * share,
            )

    def close(self) -> None:
        """Close the files."""
        self._files.close()


def _sum(files: GriddedFiles, name: str, stamp: np.datetime64, block: tuple[slice, slice]) -> float:
    found = files.require(name, stamp)
    return float(np.nansum(read_block(found, *block), dtype=np.float64))


def _is_among(name: str, patterns: Sequence[str]) -> bool:
    return name != TOTAL and any(fnmatch(name, pattern) for pattern in patterns)
