"""CAMS-GLOB-ANT emissions of NOx by sector, months, on the 2 km grid (docs/formats.md 5.3).

Sectors differ between versions of the inventory (refineries and commerce come with v5, split
fugitives with v6); which of them make an input is the row's list of names in the table of inputs,
where `*` stands for any ending. Those absent from a file are passed over if one is present.

A folder may hold other species, whose sectors have the same names, and several versions: a month is
of one version as a whole, the newest that has all inputs. Sectors that add up to more than the
inventory's own sum are an error; what they lack of it is said.
"""

from __future__ import annotations

import logging
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs import regrid
from dacno2_s5p.sources.checks import check_unit, check_values
from dacno2_s5p.sources.inventory_files import WANTED, is_yearly, species_of, version_of
from dacno2_s5p.sources.weather.found import Found, read_block
from dacno2_s5p.sources.weather.gridded import GriddedFiles
from retrieval.files.candidates import Candidate, Choices, PassedOver, listed, newest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import Variable
    from dacno2_s5p.sources.weather.gridded import Which
    from retrieval.apriori.formats.containers import NetcdfSource

logger = logging.getLogger(__name__)

TOTAL = "sum"
"""Name of the sum of all sectors."""

UNASSIGNED_SHARE = 0.01
"""More of the total outside of all inputs is said in a warning; that much beyond it is an error."""


class Inventory:
    """The inventory files behind a path.

    Parameters
    ----------
    path : Path
        A file or a folder of them.
    variables : sequence of Variable
        Rows of the table of inputs.
    grid : ModelGrid
    choices : Choices, optional
        Where it is kept which version was used.

    Raises
    ------
    ConfigurationError
        If two rows have a sector in common.
    DataError
        If there are no files.
    """

    def __init__(
        self,
        path: Path,
        variables: Sequence[Variable],
        grid: ModelGrid,
        choices: Choices | None = None,
    ) -> None:
        self._other_species: dict[str, str] = {}
        self._choices = Choices() if choices is None else choices
        self._files = GriddedFiles(
            path, "CAMS-GLOB-ANT", accepts=self._is_wanted, choices=self._choices
        )
        self._variables = variables
        self._cells = grid.cells()
        self._operators: dict[tuple[bytes, str], regrid.Operator] = {}
        self._versions: dict[np.datetime64, str] = {}
        self._of_version: dict[str, Which] = {}
        self._shares: dict[np.datetime64, str] = {}

    def _is_wanted(self, source: NetcdfSource) -> bool:
        species = species_of(source)
        if species in ("", WANTED):
            return True
        self._other_species[str(source)] = species
        return False

    def missing(self, month: np.datetime64) -> list[str]:
        """Say what a month lacks."""
        month = month.astype("datetime64[M]")
        version = self._version(month)
        lacking = [v.name for v in self._variables if not self._sectors(v, month, version)]
        return [f"CAMS-GLOB-ANT of {month} ({', '.join(lacking)}){self._hint()}"] if lacking else []

    def _hint(self) -> str:
        """Say which files were passed over because they are of another species."""
        if not self._other_species:
            return ""
        file, species = next(iter(sorted(self._other_species.items())))
        return f"; {file} is of {species}, not of {WANTED}"

    def files(self, month: np.datetime64) -> set[Path]:
        """Return the files that a month is read from."""
        month = month.astype("datetime64[M]")
        version = self._version(month)
        return {
            found.field.source.path
            for variable in self._variables
            for found in self._sectors(variable, month, version)
        }

    def month(self, month: np.datetime64) -> NDArray[np.float32]:
        """Return the inputs of a month [kg m-2 s-1], shape (n_variable, n_y, n_x).

        Raises
        ------
        DataError
            If a sector group has no sector in the files, values are not emissions, two files
            differ that nothing ranks, or the sectors add up to more than the inventory's sum.
        """
        month = month.astype("datetime64[M]")
        version = self._version(month)
        self._look_at_sum(month, version)
        return np.stack([self._map(variable, month, version) for variable in self._variables])

    def _map(self, variable: Variable, month: np.datetime64, version: str) -> NDArray[np.float32]:
        found = self._sectors(variable, month, version)
        if not found:
            msg = (
                f"Missing input {variable.name}. One of {', '.join(variable.source_variables)} "
                f"must be in the inventory of {WANTED} of {month}. Given none in "
                f"{self._files.path}{self._hint()}. Add the monthly file, or change the row of the "
                "table of inputs."
            )
            raise DataError(msg)
        total = np.zeros(self._cells.shape)
        where = ""
        for sector in found:
            where = sector.field.where
            check_unit(sector.field.attribute("units"), variable, where)
            source = sector.field.grid
            key = (source.x_edges.tobytes() + source.y_edges.tobytes(), variable.resampling)
            if key not in self._operators:
                self._operators[key] = regrid.build(variable.resampling, source, self._cells, where)
            operator = self._operators[key]
            total += operator.apply(read_block(sector, operator.rows, operator.columns)[0])
        return check_values(total, variable, f"{where}, {month}")

    def _version(self, month: np.datetime64) -> str:
        """Return the version a month is read from, the newest that has all inputs."""
        if month in self._versions:
            return self._versions[month]
        firsts: dict[str, NetcdfSource] = {}
        for source in self._files.sources(month):
            firsts.setdefault(version_of(source), source)
        candidates = []
        for version, source in firsts.items():
            n_there = sum(bool(self._sectors(v, month, version)) for v in self._variables)
            if n_there:
                is_whole = n_there == len(self._variables)
                numbers = [int(part) for part in version.split(".") if part]
                rank = (
                    listed("inputs", "all" if is_whole else "some", ("all", "some")),
                    newest("version", version, *numbers),
                )
                candidates.append(Candidate(version, str(source), rank))
        if candidates:
            self._versions[month] = self._choices.choose(
                "CAMS-GLOB-ANT",
                candidates,
                same=lambda one, other: self._is_same(month, one, other),
                at=str(month),
            )
        return self._versions.get(month, "")

    def _is_same(self, month: np.datetime64, one: str, other: str) -> bool:
        return all(
            np.array_equal(self._map(v, month, one), self._map(v, month, other))
            for v in self._variables
        )

    def _sectors(self, variable: Variable, month: np.datetime64, version: str) -> list[Found]:
        """Fields of the sectors of a variable in a month; sums of sectors count once."""
        names = dict.fromkeys(
            name
            for source in self._files.sources(month)
            if version_of(source) == version
            for name in source.dataset().variables
            if name != TOTAL and any(fnmatch(name, p) for p in variable.source_variables)
        )
        which = self._which(version)
        found = {name: self._files.find_in(name, month, which) for name in names}
        there = {name: field for name, field in found.items() if field is not None}
        for name in list(there):
            parts = [n for n in there if n.startswith(f"{name}_")]
            if parts and _is_close(_sum(there[name]), sum(_sum(there[n]) for n in parts)):
                for part in parts:  # the sector is their sum
                    del there[part]
        return list(there.values())

    def _which(self, version: str) -> Which:
        if version not in self._of_version:
            self._of_version[version] = lambda found: (
                version_of(found.field.source) == version and not is_yearly(found.field)
            )
        return self._of_version[version]

    def _look_at_sum(self, month: np.datetime64, version: str) -> None:
        """Refuse sectors that exceed the inventory's sum, and say what they lack of it."""
        used: dict[str, str] = {}
        amount = 0.0
        for variable in self._variables:
            for found in self._sectors(variable, month, version):
                if found.field.name in used:
                    _refuse_shared(found.field.name, used[found.field.name], variable.name)
                used[found.field.name] = variable.name
                amount += _sum(found)
        whole = self._files.find_in(TOTAL, month, self._which(version))
        total = 0.0 if whole is None else _sum(whole)
        if whole is None or total <= 0.0:
            return
        share = 1.0 - amount / total
        if share < -UNASSIGNED_SHARE:
            msg = (
                f"Invalid sectors of {whole.field.source}. They must not add up to more than its "
                f"{TOTAL}. Given {100.0 * amount / total:.1f} % of it in {month} by "
                f"{', '.join(used)}. Correct the sectors in the table of inputs."
            )
            raise DataError(msg)
        if share > UNASSIGNED_SHARE:
            self._tell_share(month, f"{100.0 * share:.1f} %")

    def _tell_share(self, month: np.datetime64, share: str) -> None:
        if share not in self._shares.values():
            logger.warning(
                "CAMS-GLOB-ANT of %s: %s of its sum is in no input; add the sectors to the table "
                "of inputs",
                month,
                share,
            )
        self._shares[month] = share
        left = PassedOver(f"{share} of its sum", "in no input")
        self._choices.keep("CAMS-GLOB-ANT", "the inputs' sectors", [left], str(month), tell=False)

    def close(self) -> None:
        """Close the files."""
        self._files.close()


def _sum(found: Found) -> float:
    everything = slice(None), slice(None)
    return float(np.nansum(read_block(found, *everything), dtype=np.float64))


def _is_close(one: float, other: float) -> bool:
    return abs(one - other) <= UNASSIGNED_SHARE * max(abs(one), abs(other))


def _refuse_shared(sector: str, one: str, other: str) -> None:
    msg = (
        f"Invalid table of inputs. A sector must be in one input. Given {sector} in {one} and "
        f"{other}. Correct the rows."
    )
    raise ConfigurationError(msg)
