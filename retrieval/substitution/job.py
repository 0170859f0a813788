"""What is asked of an orbit: the sets by name, the choices, the files that answer."""

from __future__ import annotations

import re
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.registry import open_apriori
from retrieval.apriori.sidecar import find_sidecar
from retrieval.files.provenance import InputFile, checksum
from retrieval.l2.names import TM5
from retrieval.l2.product.write import Layout
from retrieval.l2.quality import QA_RECOMMENDED
from retrieval.physics.time_rules import TimeRule, fields_in_use
from retrieval.substitution.options import Above, Options, check_names, rule_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retrieval.apriori.base import AprioriSet
    from retrieval.apriori.meteorology import Meteo
    from retrieval.l2.orbit import Orbit

SET_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,15}")
"""What a set may be called, once `-` is `_`."""


@dataclass(frozen=True)
class Job:
    """Everything that `reretrieve` needs besides the orbit.

    Attributes
    ----------
    sets : mapping of str to Path
        A-priori sets by name, the primary first.
    options : Options
        Choices of the computation.
    layout : Layout
        `extend` or `replace`.
    upper, meteo : Path, optional
        Global set for mode `upper`; temperatures for layer heights.
    decided : str
        Why what stands above the sets was chosen, where it was not asked for; changes nothing.
    overwrite : bool
        Whether existing outputs may be replaced.
    qa_threshold : int
        For the statistics: stored quality values above it take part.
    command : str
        What `history` says was run.
    """

    sets: Mapping[str, Path]
    options: Options = field(default_factory=Options)
    layout: Layout = Layout.EXTEND
    upper: Path | None = None
    meteo: Path | None = None
    decided: str = ""
    overwrite: bool = False
    qa_threshold: int = QA_RECOMMENDED
    command: str = ""

    def __post_init__(self) -> None:
        for name in self.sets:
            check_set_name(name)
        check_names(self.sets)
        stored = {name.replace("-", "_"): path for name, path in self.sets.items()}
        object.__setattr__(self, "sets", stored)


def check_set_name(name: str) -> None:
    """Check the name of a set.

    Raises
    ------
    ValueError
        If it is not a letter followed by up to 15 letters, digits or `_` (`-` counts as one), or
        is TM5.
    """
    if not SET_NAME.fullmatch(name.replace("-", "_")) or name.upper() == TM5:
        msg = (
            f"Invalid set name {name!r}. A name is a letter and up to 15 more letters, digits "
            "or _, not TM5 (the operational a priori)."
        )
        raise ValueError(msg)


@dataclass
class OpenedSets:
    """Sets opened for one orbit."""

    sets: dict[str, AprioriSet]
    upper: AprioriSet | None = None
    meteo: Meteo | None = None

    def by_role(self) -> dict[str, AprioriSet | Meteo]:
        """Return all that is there, sets under their names in capitals."""
        named: dict[str, AprioriSet | Meteo] = {k.upper(): v for k, v in self.sets.items()}
        named |= {"upper": self.upper} if self.upper is not None else {}
        return named | ({"meteo": self.meteo} if self.meteo is not None else {})


def open_sets(orbit: Orbit, job: Job, stack: ExitStack) -> OpenedSets:
    """Open the sets of a job for the day of an orbit; the stack closes them."""
    around = orbit_time(orbit)

    def one(path: Path) -> AprioriSet:
        return stack.enter_context(closing(open_apriori(path, around)))

    found = OpenedSets({name: one(path) for name, path in job.sets.items()})
    if job.options.above is Above.UPPER and job.upper is not None:
        found.upper = one(job.upper)
    if job.meteo is not None:
        from retrieval.apriori.meteorology import open_meteo  # only with --meteo

        found.meteo = stack.enter_context(closing(open_meteo(job.meteo, around)))
    return found


def orbit_time(orbit: Orbit) -> np.datetime64:
    """Middle of the measurement times of an orbit.

    Raises
    ------
    NoOverlapError
        If no scanline has a time.
    """
    return orbit.time


def set_files(job: Job, found: OpenedSets) -> list[Path]:
    """Return all files that are open: none of them may be written."""
    files = [path for one in found.sets.values() for path in one.files]
    files += found.upper.files if found.upper is not None else []
    files += found.meteo.files if found.meteo is not None else []
    return files + list(_sidecars(job, found).values())


def input_paths(orbit: Orbit, job: Job, found: OpenedSets) -> list[tuple[str, Path]]:
    """Return what the output is made of: the orbit, and the files whose fields it asks for.

    The times are those of the whole orbit, whatever the crop, so that this is told without it.
    Files of other days beside them, which come and go, do not count.
    """
    times = orbit.scanline_times(orbit.full)
    paths = [("orbit", orbit.path)]
    for name, apriori in found.sets.items():
        used = fields_in_use(apriori.times, [rule_of(apriori, job.options)], times)
        paths += [(name.upper(), path) for path in apriori.files_of(used)]
    if found.upper is not None:
        used = fields_in_use(found.upper.times, [found.upper.time_rule], times)
        paths += [("upper", path) for path in found.upper.files_of(used)]
    if found.meteo is not None:
        rules = {found.meteo.time_rule, TimeRule.NEAREST}  # a crop decides which
        used = fields_in_use(found.meteo.times, rules, times)
        paths += [("meteo", path) for path in found.meteo.files_of(used)]
    return paths + [(f"{role} TOML", path) for role, path in _sidecars(job, found).items()]


def _sidecars(job: Job, found: OpenedSets) -> dict[str, Path]:
    named = {name.upper(): path for name, path in job.sets.items()}
    named |= {"upper": job.upper} if job.upper and found.upper else {}
    beside = {role: find_sidecar(path).path for role, path in named.items()}
    return {role: path for role, path in beside.items() if path}


def input_file(role: str, path: Path) -> InputFile:
    """Return a file with its checksum."""
    return InputFile(path.name, role, checksum(path))
