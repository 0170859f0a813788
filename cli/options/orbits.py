"""Which orbits a command takes: files, folders, globs, and the days between two dates.

A file that is named is taken at its word. What is found by looking into folders or by a glob must
be an orbit of the kind that is wanted, so that outputs beside the originals do no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from cli.console import NothingToDo, note
from cli.options.shared import ALLOW_EMPTY

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

ENDINGS = (".nc", ".nc4", ".h5", ".he5")
SEARCHED = (*ENDINGS, ".zip")
"""Of files that are looked for in folders."""


def check_order(first: datetime | None, last: datetime | None) -> None:
    """Refuse days in the wrong order.

    Raises
    ------
    click.UsageError
        If the last day lies before the first.
    """
    if first is not None and last is not None and last < first:
        msg = f"--end {last:%Y-%m-%d} lies before --start {first:%Y-%m-%d}. Change one of them."
        raise click.UsageError(msg)


@dataclass(frozen=True)
class Orbits:
    """Orbits of a call.

    Attributes
    ----------
    paths : tuple of Path
        In the order given; what was looked for, by name.
    are_many : bool
        Whether the call may mean several, however many there are.
    named : frozenset of Path
        Those of the paths that were named one by one, not looked for.
    """

    paths: tuple[Path, ...]
    are_many: bool
    named: frozenset[Path]


def find_orbits(
    given: Iterable[Path],
    first: datetime | None = None,
    last: datetime | None = None,
    *,
    originals: bool,
) -> Orbits:
    """Find the files behind names, folders and globs.

    Parameters
    ----------
    given : iterable of Path
        Files, folders (searched to all depths) and globs (`**` for all depths).
    first, last : datetime, optional
        Leave out orbits of other UTC days.
    originals : bool
        Of what is looked for, take original orbits only; else re-retrieved ones where there are
        any, and originals where there are none.

    Raises
    ------
    click.UsageError
        If nothing is found.
    NothingToDo
        The same under --allow-empty.
    """
    check_order(first, last)
    arguments = [Path(path) for path in given]
    named = {path.absolute() for path in arguments if not _is_searched(path)}
    found: list[Path] = []
    seen = set(named)
    for argument in arguments:
        if not _is_searched(argument):
            found.append(argument)
            continue
        fresh = [path for path in _search(argument) if path.absolute() not in seen]
        seen |= {path.absolute() for path in fresh}
        found += fresh
    chosen = _wanted(found, named, originals=originals)
    if first is not None or last is not None:
        chosen = [path for path in chosen if _is_between(path, first, last)]
    if not chosen:
        text = _nothing(arguments, first, last)
        context = click.get_current_context(silent=True)
        if context is not None and context.meta.get(ALLOW_EMPTY):
            raise NothingToDo(text)
        raise click.UsageError(text)
    is_one = len(arguments) == 1 and not _is_searched(arguments[0])
    by_name = frozenset(path for path in chosen if path.absolute() in named)
    return Orbits(tuple(chosen), not is_one, by_name)


def _is_searched(path: Path) -> bool:
    return path.is_dir() or (has_magic(str(path)) and not path.exists())


def _search(path: Path) -> list[Path]:
    found = (
        path.rglob("*")
        if path.is_dir()
        else Path(path.anchor).glob(str(path.relative_to(path.anchor)))
    )
    return sorted(
        one
        for one in found
        if one.suffix.lower() in SEARCHED and not one.name.startswith(".") and one.is_file()
    )


def _wanted(found: list[Path], named: set[Path], *, originals: bool) -> list[Path]:
    """Of what was looked for, leave out what is no orbit of the kind wanted, and say so."""
    searched = [path for path in found if path.absolute() not in named]
    if not searched:
        return found
    from retrieval.l2.columns import OrbitKind, orbit_kind

    kinds = {path: orbit_kind(path) for path in searched}
    has_ours = not originals and OrbitKind.RERETRIEVED in kinds.values()
    # a damaged file is reported like any other failure
    wanted = (OrbitKind.RERETRIEVED if has_ours else OrbitKind.ORIGINAL, OrbitKind.DAMAGED)
    left_out = {path for path, kind in kinds.items() if kind not in wanted}
    for path in sorted(left_out):
        note(f"{path} is left out: {kinds[path]}")
    return [path for path in found if path not in left_out]


def _is_between(path: Path, first: datetime | None, last: datetime | None) -> bool:
    day = _day_of(path)
    return day is None or (
        (first is None or day >= first.date()) and (last is None or day <= last.date())
    )


def _day_of(path: Path) -> date | None:
    """UTC day of an orbit: by its name, else by its content; None, to be reported, for neither."""
    from retrieval.errors import RetrievalError
    from retrieval.files.names import parse_s5p

    name = parse_s5p(path.name)
    if name is not None:
        middle = name.start + (name.end - name.start) // 2
        return date.fromisoformat(str(middle)[:10])
    from retrieval.l2.open_orbit import open_orbit
    from retrieval.substitution.job import orbit_time

    try:
        with open_orbit(path) as orbit:
            return date.fromisoformat(str(orbit_time(orbit))[:10])
    except RetrievalError:
        return None


def _nothing(arguments: list[Path], first: datetime | None, last: datetime | None) -> str:
    shown = ", ".join(str(path) for path in arguments[:3]) + (", ..." if arguments[3:] else "")
    days = f" from {first:%Y-%m-%d}" if first else ""
    days += f" to {last:%Y-%m-%d}" if last else ""
    return f"there is no orbit{days} in {shown}. Check folders, globs and dates."
