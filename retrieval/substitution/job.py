"""What an output is made of: the files whose fields an orbit asks for, and their checksums."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.apriori.sidecar import find_sidecar
from retrieval.files.provenance import InputFile, checksum
from retrieval.physics.time_rules import TimeRule, fields_in_use
from retrieval.substitution.substitute import rule_of

if TYPE_CHECKING:
    from pathlib import Path

    from retrieval.l2.orbit import Orbit
    from retrieval.substitution.reretrieve import Job, OpenedSets


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
