"""Fields of several files on one axis of time: of two for one time their content decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import AprioriError
from retrieval.files.candidates import Candidate, Choices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from retrieval.files.candidates import Mark

    Times = NDArray[np.datetime64]
    Place = tuple[int, int]
    """Which file, and which of its times."""


def join_times(
    what: str,
    times: Sequence[Times],
    labels: Sequence[str],
    *,
    rank: Callable[[int, int], tuple[Mark, ...]],
    same: Callable[[Place, Place], bool],
) -> tuple[Times, list[Place]]:
    """Join the times of files to one ascending axis (docs/candidates.md).

    The last time of a file may be the first of the next one, days from midnight to midnight: they
    are no rivals there, and the file that begins is used.

    Parameters
    ----------
    what : str
        For messages.
    times : sequence of ndarray of datetime64
        Of each file, ascending.
    labels : sequence of str
        Files, for messages.
    rank : callable
        Returns the marks of a field.
    same : callable
        Says whether two fields are equal; asked only where no mark ranks them.

    Returns
    -------
    times : ndarray of datetime64[ms]
    places : list of (int, int)
        For each time, which file and where in it.

    Raises
    ------
    AprioriError
        If two fields of one time differ and nothing in them says which is meant.
    """
    numbers = np.concatenate([np.full(part.size, i) for i, part in enumerate(times)])
    inner = np.concatenate([np.arange(part.size) for part in times])
    joined = np.concatenate(list(times))
    order = np.argsort(joined, kind="stable")
    unique, first, counts = np.unique(joined[order], return_index=True, return_counts=True)
    choices = Choices()
    places: list[Place] = []
    for time, start, count in zip(unique, first, counts, strict=True):
        held = [(int(numbers[i]), int(inner[i])) for i in order[start : start + count]]
        if count > 1:
            held = _without_ends(held, times, rank)
        if len(held) == 1:
            places += held
            continue
        candidates = [Candidate(place, labels[place[0]], rank(*place)) for place in held]
        at = str(time.astype("datetime64[m]"))
        places.append(choices.choose(what, candidates, same=same, at=at, error=AprioriError))
    return unique.astype("datetime64[ms]"), places


def _without_ends(
    held: list[Place], times: Sequence[Times], rank: Callable[[int, int], tuple[Mark, ...]]
) -> list[Place]:
    """Of two files that only meet, keep the field of the one that begins."""
    if len(held) != 2 or rank(*held[0]) != rank(*held[1]):
        return held
    begins = [place for place in held if place[1] == 0]
    ends = [place for place in held if place[1] == times[place[0]].size - 1]
    has_others = all(times[i].size > 1 for i, _ in held)
    share_one = np.intersect1d(times[held[0][0]], times[held[1][0]]).size == 1
    if has_others and share_one and len(begins) == len(ends) == 1 and begins != ends:
        return begins
    return held
