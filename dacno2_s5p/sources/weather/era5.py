"""ERA5 on single and pressure levels, old and new data store, on the 16 km grid.

Layout: docs/formats.md 5.1.

What is at a place is interpolated bilinearly to the centres of the cells; winds are turned to the
axes of the grid; accumulations are over the hour that ends at the stamp, so that the hour before
midnight has the stamp of the next day. Pressure levels are brought to the network's heights above
ground on ERA5's own points, before neighbours with other ground are mixed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs import regrid
from dacno2_s5p.inputs.grid import COARSE_FACTOR, ModelGrid
from dacno2_s5p.sources.checks import check_unit, check_values
from dacno2_s5p.sources.weather.found import (
    Found,
    on_many_levels,
    on_one_level,
    read_at_pressures,
    read_block,
    read_levels,
)
from dacno2_s5p.sources.weather.gridded import GriddedFiles
from dacno2_s5p.sources.weather.heights import HeightOperator, geopotential_at, surface_geopotential
from dacno2_s5p.sources.weather.windows import hours_of_step, weather_times
from retrieval.apriori.formats.expver import ORDER, PRELIMINARY, may_hold_version
from retrieval.files.candidates import Mark, listed, newest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.variables import InputTable, Preparation, Variable
    from dacno2_s5p.sources.weather.gridded import Which
    from retrieval.files.candidates import Choices
    from retrieval.physics.geometry.grids import RectilinearGrid

    Wanted = dict[str, tuple[list[np.datetime64], Which]]
    from retrieval.typing import Float

logger = logging.getLogger(__name__)

VERSIONS = tuple(f"{number:04d}" for number in ORDER)
"""Spelling of `expver`, the final one first."""

PRESSURE_LEVELS = (1000, 975, 950, 925, 900, 800, 700, 550)
"""Levels [hPa] near the eight heights, for `vertical = "pressure"`: docs/equations.md 11.4."""

COLUMN_VARIABLES = ("z", "t")
"""What heights above ground need of the pressure levels; humidity, if it is there, corrects the
thickness of the lowest layer by under a per cent."""

SURFACE_VARIABLES = ("sp", "t2m")
"""What they need of the single levels."""


@dataclass(frozen=True)
class _Column:
    """State of the columns of a block at one time, levels surface first."""

    pressure: Float
    operator: HeightOperator
    ground: Float


class Era5:
    """Weather of a day.

    Parameters
    ----------
    path : Path
        Folder (or file) with single and pressure levels, each in files of its own or together.
    table : InputTable
        Its rows with the sources `era5-single` and `era5-pressure` are read.
    preparation : Preparation
        Weather steps, heights and vertical treatment.
    grid : ModelGrid
        The model grid; the weather is on its parent of 16 km.
    choices : Choices, optional
        Where it is kept which of several files was used.

    Attributes
    ----------
    preliminary : set of datetime64
        Days looked for (`missing`, `files`) that have preliminary fields.

    Raises
    ------
    ConfigurationError
        If the vertical treatment is not possible.
    DataError
        If there are no files.
    """

    def __init__(
        self,
        path: Path,
        table: InputTable,
        preparation: Preparation,
        grid: ModelGrid,
        choices: Choices | None = None,
    ) -> None:
        if preparation.vertical == "pressure" and len(preparation.heights) != len(PRESSURE_LEVELS):
            msg = (
                "Invalid preparation. vertical = pressure has as many levels as heights, "
                f"{len(PRESSURE_LEVELS)}. Given {len(preparation.heights)} heights. Use "
                "vertical = height."
            )
            raise ConfigurationError(msg)
        self._files = GriddedFiles(path, "ERA5", rank=self._rank, choices=choices)
        self._table, self._preparation = table, preparation
        self._cells = grid.cells(COARSE_FACTOR)
        self.preliminary: set[np.datetime64] = set()
        self._may_be_preliminary: dict[str, bool] = {}
        self._operators: dict[tuple[bytes, str], regrid.Operator] = {}

    @cached_property
    def _angle(self) -> Float:
        return regrid.north_angle(self._cells)

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks, one sentence for each variable."""
        lacking: dict[str, list[np.datetime64]] = {}
        for name, time, found in self._survey(day):
            if found is None:
                lacking.setdefault(name, []).append(time)
        return _grouped(lacking)

    def files(self, day: np.datetime64) -> set[Path]:
        """Return the files that a day is read from."""
        found = (f for _, _, f in self._survey(day) if f is not None)
        return {part.field.source.path for f in found for part in f.parts}

    def _survey(self, day: np.datetime64) -> Iterator[tuple[str, np.datetime64, Found | None]]:
        """Look for all that a day needs, and for what of it is preliminary."""
        for name, (times, which) in self._wanted(day).items():
            for time in times:
                found = self._files.find(name, time, which)
                for part in () if found is None else found.parts:
                    if day not in self.preliminary:
                        self._look_at_version(part, day)
                yield name, time, found

    def _look_at_version(self, found: Found, day: np.datetime64) -> None:
        file = str(found.field.source)
        if file not in self._may_be_preliminary:
            dataset = found.field.source.dataset()
            self._may_be_preliminary[file] = may_hold_version(dataset, PRELIMINARY)
        if self._may_be_preliminary[file] and found.field.expver(found.index) == PRELIMINARY:
            if not self.preliminary:
                text = "ERA5 of %s is preliminary (expver 0005 of %s); all such days are recorded"
                logger.warning(text, day, found.label)
            self.preliminary.add(day)

    def _rank(self, found: Found) -> tuple[Mark, ...]:
        number = found.field.expver(found.index)
        return (
            listed("area", "whole" if self._is_covered_by(found) else "part", ("whole", "part")),
            listed("expver", "" if number is None else f"{number:04d}", VERSIONS),
            newest("number of levels", str(found.field.n_level), found.field.n_level),
        )

    def _is_covered_by(self, found: Found) -> bool:
        try:
            self._operator(found.field.grid, "bilinear", found.label)
        except DataError:
            return False
        return True

    def _wanted(self, day: np.datetime64) -> Wanted:
        """Return the variables of the files that a day needs, when, and on what they lie."""
        wanted: dict[str, set[np.datetime64]] = {}
        on_levels = set(COLUMN_VARIABLES)
        times = weather_times(self._preparation, day)
        for group, variables in ((g, self._table.group(g)) for g in ("single", "multi")):
            for variable in variables:
                stamps = {hour for time in times for hour in self._stamps(variable, time)}
                for name in variable.source_variables:
                    wanted.setdefault(name, set()).update(stamps)
                    if group == "multi":
                        on_levels.add(name)
        if self._preparation.vertical == "height":
            for name in (*SURFACE_VARIABLES, *COLUMN_VARIABLES):
                wanted.setdefault(name, set()).update(times)
        return {
            name: (sorted(stamps), on_many_levels if name in on_levels else on_one_level)
            for name, stamps in wanted.items()
        }

    def _stamps(self, variable: Variable, time: np.datetime64) -> NDArray[np.datetime64]:
        """Stamps a step needs: accumulations of all its hours, their mean is the input."""
        hours = self._preparation.weather_step_hours if variable.accumulated else 1
        return hours_of_step(time, hours)

    def single(self, day: np.datetime64) -> NDArray[np.float32]:
        """Return the single-level group, shape (T, n_channel, h, w).

        Raises
        ------
        DataError
            If a field is missing, incomplete or outside of its range.
        """
        return np.stack([self.single_at(t) for t in weather_times(self._preparation, day)])

    def single_at(self, time: np.datetime64) -> NDArray[np.float32]:
        """Return one step of the single-level group, shape (n_channel, h, w)."""
        variables = self._table.group("single")
        maps = {v.name: self._single_map(v, time) for v in variables}
        return self._checked(variables, maps, time)

    def multi(self, day: np.datetime64) -> NDArray[np.float32]:
        """Return the multi-level group, shape (T, n_channel, n_level, h, w).

        Raises
        ------
        DataError
            If a field is missing, incomplete or outside of its range, or the levels end below
            the highest height.
        """
        return np.stack([self.multi_at(t) for t in weather_times(self._preparation, day)])

    def multi_at(self, time: np.datetime64) -> NDArray[np.float32]:
        """Return one step of the multi-level group, shape (n_channel, n_level, h, w)."""
        variables = self._table.group("multi")
        return self._checked(variables, self._multi_maps(variables, time), time)

    def _checked(
        self, variables: Sequence[Variable], maps: Mapping[str, Float], time: np.datetime64
    ) -> NDArray[np.float32]:
        """Turn winds to the axes, check all, and stack to (n_channel, ...)."""
        turned = dict(maps)
        for x, y in _wind_pairs(variables):
            turned[x], turned[y] = regrid.rotate_to_axes(maps[x], maps[y], self._angle)
        where = f"{self._files.path} at {time} UTC"
        return np.stack([check_values(turned[v.name], v, where) for v in variables])

    def _single_map(self, variable: Variable, time: np.datetime64) -> Float:
        stamps = self._stamps(variable, time)
        total = sum(
            self._at_cells(self._found(name, stamp, variable), variable.resampling)[0]
            for stamp in stamps
            for name in variable.source_variables
        )
        return np.asarray(total / stamps.size)

    def _found(self, name: str, time: np.datetime64, variable: Variable) -> Found:
        which = on_many_levels if variable.group == "multi" else on_one_level
        found = self._files.require(name, time, which)
        check_unit(found.field.attribute("units"), variable, found.field.where)
        return found

    def _at_cells(self, found: Found, method: str) -> Float:
        operator = self._operator(found.field.grid, method, found.field.where)
        return operator.apply(read_block(found, operator.rows, operator.columns))

    def _operator(self, source: RectilinearGrid, method: str, where: str) -> regrid.Operator:
        key = (source.x_edges.tobytes() + source.y_edges.tobytes(), method)
        if key not in self._operators:
            self._operators[key] = regrid.build(method, source, self._cells, where)
        return self._operators[key]

    def _multi_maps(self, variables: Sequence[Variable], time: np.datetime64) -> dict[str, Float]:
        columns: dict[str, _Column] = {}
        maps: dict[str, Float] = {}
        for variable in variables:
            total: Float | float = 0.0
            for name in variable.source_variables:
                found = self._found(name, time, variable)
                source = found.field.grid
                operator = self._operator(source, variable.resampling, found.field.where)
                if self._preparation.vertical == "pressure":
                    block = self._on_pressures(found, operator)
                else:
                    key = variable.resampling
                    if key not in columns:
                        columns[key] = self._column(time, operator, source)
                    block = self._on_heights(found, operator, columns[key])
                total = total + operator.apply(block)
            maps[variable.name] = np.asarray(total)
        return maps

    def _on_heights(self, found: Found, operator: regrid.Operator, column: _Column) -> Float:
        if found.field.name == "z":  # by definition; below the lowest level too
            return geopotential_at(self._preparation.heights, column.ground)
        block = read_at_pressures(found, operator.rows, operator.columns, column.pressure)
        return column.operator.apply(block)

    def _on_pressures(self, found: Found, operator: regrid.Operator) -> Float:
        wanted = 100.0 * np.asarray(PRESSURE_LEVELS)
        return read_at_pressures(found, operator.rows, operator.columns, wanted)

    def _column(
        self, time: np.datetime64, operator: regrid.Operator, source: RectilinearGrid
    ) -> _Column:
        surface = [self._block_on(name, time, operator, source)[1][0] for name in SURFACE_VARIABLES]
        pressure, z = self._block_on("z", time, operator, source)
        t = self._block_on("t", time, operator, source, pressure)[1]
        has_humidity = self._files.find("q", time, on_many_levels) is not None
        q = np.zeros_like(t)
        if has_humidity:
            q = self._block_on("q", time, operator, source, pressure)[1]
        ground = surface_geopotential(pressure, z, t, q, *surface)
        where = f"{self._files.path} at {time} UTC"
        heights = HeightOperator.build(
            self._preparation.heights, pressure, z, surface[0], ground, where
        )
        return _Column(pressure, heights, ground)

    def _block_on(
        self,
        name: str,
        time: np.datetime64,
        operator: regrid.Operator,
        source: RectilinearGrid,
        wanted: Float | None = None,
    ) -> tuple[Float, Float]:
        """Read a block, at all its levels or at some, finite and on the levels' points."""
        which = on_one_level if name in SURFACE_VARIABLES else on_many_levels
        found = self._files.require(name, time, which)
        grid = found.field.grid
        same = grid.shape == source.shape and np.allclose(grid.x, source.x, atol=1e-4)
        if not (same and np.allclose(grid.y, source.y, atol=1e-4)):
            msg = (
                f"Invalid area of {found.field.where}. Single and pressure levels must be on the "
                f"same points. Given {grid.shape} and {source.shape}. Request one area for both."
            )
            raise DataError(msg)
        where = operator.rows, operator.columns
        if wanted is not None:
            pressure, block = wanted, read_at_pressures(found, *where, wanted)
        elif which is on_many_levels:
            pressure, block = read_levels(found, *where)
        else:
            pressure, block = np.zeros(0), read_block(found, *where)
        if not np.isfinite(block).all():
            msg = (
                f"Invalid values of {found.field.where}. They must be finite. Given missing ones "
                f"at {time} UTC. Download the file again."
            )
            raise DataError(msg)
        return pressure, block

    def close(self) -> None:
        """Close the files."""
        self._files.close()


def _wind_pairs(variables: Sequence[Variable]) -> list[tuple[str, str]]:
    """Names of the components of each vector: eastward, northward."""
    vectors: dict[str, dict[str, str]] = {}
    for variable in variables:
        if variable.vector:
            vectors.setdefault(variable.vector, {})[variable.component] = variable.name
    for vector, parts in vectors.items():
        if set(parts) != {"x", "y"}:
            msg = (
                f"Invalid table of inputs. The vector {vector} must have components x and y. "
                f"Given {', '.join(sorted(parts))}. Turning a wind needs both."
            )
            raise ConfigurationError(msg)
    return [(parts["x"], parts["y"]) for parts in vectors.values()]


def _grouped(lacking: Mapping[str, Sequence[np.datetime64]]) -> list[str]:
    """One sentence for all variables that lack the same stamps."""
    by_stamps: dict[tuple[str, ...], list[str]] = {}
    for name, times in lacking.items():
        if times:
            by_stamps.setdefault(tuple(map(str, times)), []).append(name)
    return [
        f"ERA5 {', '.join(names)} at {_span(stamps)} UTC" for stamps, names in by_stamps.items()
    ]


def _span(stamps: Sequence[str]) -> str:
    return stamps[0] if len(stamps) == 1 else f"{stamps[0]} .. {stamps[-1]} ({len(stamps)} stamps)"
