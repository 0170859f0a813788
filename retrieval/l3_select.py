"""Which files make a map: one an orbit, of one processor generation."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from retrieval.errors import ProductError
from retrieval.l3.pixels import identify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STREAMS = ("RPRO", "OFFL", "NRTI")
"""Best first: reprocessed, offline, near real time."""


def one_file_an_orbit(paths: Sequence[Path]) -> tuple[list[Path], list[tuple[Path, Path]]]:
    """Choose one file of each orbit: reprocessed before offline before near real time.

    Near-real-time granules of an orbit are different measurements; all of them stay unless a
    whole orbit is there.

    Parameters
    ----------
    paths : sequence of Path
        L2 NO2 files.

    Returns
    -------
    chosen : list of Path
        In the order of orbit numbers.
    passed_over : list of (Path, Path)
        Files left out, each with the one taken instead.

    Raises
    ------
    ProductError
        If an orbit is there twice in one stream: which one is meant, only the user knows.
    """
    groups: dict[str, list[tuple[int, str, Path]]] = {}
    for path in paths:
        found = identify(path)
        rank = STREAMS.index(found.stream) if found.stream in STREAMS else len(STREAMS)
        groups.setdefault(found.number, []).append((rank, found.orbit, path))
    chosen, passed_over = [], []
    for number in sorted(groups):
        group = sorted(groups[number], key=lambda item: item[:2])
        best = [item for item in group if item[0] == group[0][0]]
        for one, other in pairwise(best):
            if one[1] == other[1]:
                raise ProductError(_twice(number, one[2], other[2]))
        chosen += [item[2] for item in best]
        passed_over += [(item[2], best[0][2]) for item in group[len(best) :]]
    return chosen, passed_over


def _twice(number: str, one: Path, other: Path) -> str:
    return (
        f"Invalid files. An orbit may be in a map once, else it has double weight. Given orbit "
        f"{number} as {one} and {other}. Leave one of them out."
    )


def check_one_generation(paths: Sequence[Path]) -> None:
    """Refuse to mix processor versions 1 and 2: clouds and quality values differ.

    See docs/equations.md 2.6.

    Raises
    ------
    ProductError
        If the files are of several generations.
    """
    found: dict[str, Path] = {}
    for path in paths:
        found.setdefault(identify(path).major_version, path)
    if len(found) > 1:
        given = " and ".join(f"{version} ({path.name})" for version, path in sorted(found.items()))
        msg = (
            "Invalid files. Processor versions 1 and 2 have different clouds and quality values "
            f"and do not mix. Given versions {given}. Use reprocessed files, or --allow-mixed."
        )
        raise ProductError(msg)
