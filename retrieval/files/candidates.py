"""One way to choose among what holds the same quantity, time and place.

Folders hold more than one file that could serve: two versions of an inventory, preliminary and
final weather, verified and up-to-date measurements. What each says of itself, in its content, are
marks; marks make the rank, the first that differ decide. Equal values are no rivals. Unequal values
that no mark ranks are refused, both named. Neither names nor the order of a folder decide anything.

What was chosen is told once and kept (`Choices`), for the provenance of what is made of it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from itertools import combinations, zip_longest
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import numpy as np

from retrieval.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from retrieval.errors import RetrievalError

logger = logging.getLogger(__name__)

T = TypeVar("T")

UNSTATED = "unstated"
"""What a mark says where the content says nothing."""


@dataclass(frozen=True)
class Mark:
    """What a candidate's content says in one respect.

    Attributes
    ----------
    what : str
        The respect: `version`, `verification`, `year`.
    said : str
        What the content says, for messages.
    place : tuple of float, or None
        Lower comes first; missing entries count as 0. None where the content does not say: such a
        candidate is neither before nor behind one that does.
    """

    what: str
    said: str
    place: tuple[float, ...] | None


def listed(what: str, said: str, order: Sequence[str]) -> Mark:
    """Rank by a list of words, the best first; a word that is not on it ranks nowhere.

    Examples
    --------
    >>> listed("stage", "interim", ("validated", "interim")).place
    (1,)
    """
    return Mark(what, said or UNSTATED, (order.index(said),) if said in order else None)


def newest(what: str, said: str, *numbers: float) -> Mark:
    """Rank by a version or year, the highest first; without numbers it ranks nowhere.

    Examples
    --------
    >>> newest("version", "6.2", 6, 2).place
    (-6, -2)
    """
    return Mark(what, said or UNSTATED, tuple(-n for n in numbers) or None)


def nearest(what: str, said: float | None, wanted: float) -> Mark:
    """Rank by the distance from what is wanted, of two as far apart the lower first.

    Examples
    --------
    >>> nearest("year", 2018, wanted=2019).place < nearest("year", 2020, wanted=2019).place
    True
    """
    if said is None:
        return Mark(what, UNSTATED, None)
    return Mark(what, f"{said:g}", (abs(said - wanted), said))


@dataclass(frozen=True)
class Candidate(Generic[T]):
    """Something that could serve.

    Attributes
    ----------
    value : object
        What is chosen: a field, a path, an array.
    label : str
        File and variable, for messages; it ranks nothing.
    rank : tuple of Mark
        In the order in which they decide; all candidates for one thing have the same marks.
    """

    value: T
    label: str
    rank: tuple[Mark, ...] = ()


class PassedOver(NamedTuple):
    """A candidate that was not used, and why."""

    label: str
    why: str


@dataclass(frozen=True)
class Choice(Generic[T]):
    """What was chosen for `what`, and what was passed over."""

    what: str
    chosen: Candidate[T]
    passed_over: tuple[PassedOver, ...]


def choose(
    what: str,
    candidates: Iterable[Candidate[T]],
    *,
    same: Callable[[T, T], bool],
    at: str = "",
    error: type[RetrievalError] = DataError,
) -> Choice[T]:
    """Choose the one candidate that its content puts before all others.

    The order of the candidates never changes the outcome.

    Parameters
    ----------
    what : str
        The quantity, for messages: `t2m of ERA5`.
    candidates : iterable of Candidate
        At least one.
    same : callable
        Says whether two values are equal; asked only where no mark ranks, as it may read files.
        Among equals it does not matter which is returned: it is the first label's.
    at : str
        Time or place, for the error.
    error : type
        What to raise, of `RetrievalError`.

    Returns
    -------
    Choice

    Raises
    ------
    RetrievalError
        If two candidates differ and no mark ranks them, naming both.
    ValueError
        If there are no candidates, or their marks are not the same.
    """
    found = sorted(candidates, key=lambda candidate: candidate.label)
    if not found:
        msg = f"Invalid candidates for {what}. There must be one. Given none. Look for them first."
        raise ValueError(msg)
    best = [c for c in found if not any(_decisive(o, c) for o in found)]
    first = best[0]
    for other in best[1:]:
        if not same(first.value, other.value):
            raise error(_refusal(what, first, other, at))
    passed = [
        PassedOver(c.label, next(why for o in best if (why := _decisive(o, c))))
        for c in found
        if not any(c is o for o in best)
    ]
    return Choice(what, first, tuple(passed))


def choose_parts(
    what: str,
    candidates: Iterable[Candidate[T]],
    *,
    together: Callable[[T, T], bool],
    at: str = "",
    error: type[RetrievalError] = DataError,
) -> tuple[list[Candidate[T]], dict[str, list[PassedOver]]]:
    """Choose all candidates that are parts of one whole; of those that contradict, the better.

    Parameters
    ----------
    together : callable
        Says whether two values may both be used: parts that hold something else, or the same.
    what, candidates, at, error
        As of `choose`.

    Returns
    -------
    chosen : list of Candidate
        The best first.
    passed_over : dict
        From a chosen label to what was not used because of it.

    Raises
    ------
    RetrievalError
        If two contradict each other and no mark ranks them, naming both.
    """
    left = sorted(candidates, key=lambda candidate: candidate.label)
    rivals: set[tuple[int, int]] = set()
    for a, b in combinations(left, 2):
        if not together(a.value, b.value):
            rivals |= {(id(a), id(b)), (id(b), id(a))}
    chosen: list[Candidate[T]] = []
    passed: dict[str, list[PassedOver]] = {}
    while left:
        best = [c for c in left if not any(_decisive(o, c) for o in left)]
        chosen += best
        rest = []
        for c in left:
            others = [o for o in chosen if (id(o), id(c)) in rivals]
            before = next(((o, why) for o in others if (why := _decisive(o, c))), None)
            if others and before is None:
                one, other = sorted((others[0], c), key=lambda x: x.label)
                raise error(_refusal(what, one, other, at))
            if before is not None:
                passed.setdefault(before[0].label, []).append(PassedOver(c.label, before[1]))
            elif not any(c is o for o in best):
                rest.append(c)
        left = rest
    return chosen, passed


def _decisive(one: Candidate[T], other: Candidate[T]) -> str:
    """Say by which mark one comes before another; nothing where it does not."""
    if [m.what for m in one.rank] != [m.what for m in other.rank]:
        msg = (
            f"Invalid ranks of {one.label} and {other.label}. They must have the same marks. Given "
            f"{[m.what for m in one.rank]} and {[m.what for m in other.rank]}. Mark both alike."
        )
        raise ValueError(msg)
    for a, b in zip(one.rank, other.rank, strict=True):
        if a.place is None and b.place is None:
            continue
        if a.place is None or b.place is None:
            return ""
        pairs = list(zip_longest(a.place, b.place, fillvalue=0.0))
        ahead = next((x < y for x, y in pairs if x != y), None)
        if ahead is not None:
            return f"{a.what} {a.said} before {b.said}" if ahead else ""
    return ""


def _refusal(what: str, one: Candidate[T], other: Candidate[T], at: str) -> str:
    marks = [f"{m.what} ({m.said} and {o.said})" for m, o in zip(one.rank, other.rank, strict=True)]
    rule = f" or be ranked by {', '.join(marks)}" if marks else ""
    place = f" at {at}" if at else ""
    return (
        f"Two candidates for {what}. They must be equal{rule}. Given {one.label} and "
        f"{other.label}, which differ{place}. Leave one of them, and put the other elsewhere."
    )


@dataclass
class Choices:
    """The choices of a run: each is told once, and kept for provenance."""

    _made: dict[tuple[str, str, tuple[PassedOver, ...]], dict[str, None]] = field(
        default_factory=dict, repr=False
    )

    def choose(
        self,
        what: str,
        candidates: Iterable[Candidate[T]],
        *,
        same: Callable[[T, T], bool],
        at: str = "",
        error: type[RetrievalError] = DataError,
    ) -> T:
        """Choose as `choose` does, tell and keep it, and return the value."""
        choice = choose(what, candidates, same=same, at=at, error=error)
        self.keep(choice.what, choice.chosen.label, choice.passed_over, at)
        return choice.chosen.value

    def choose_parts(
        self,
        what: str,
        candidates: Iterable[Candidate[T]],
        *,
        together: Callable[[T, T], bool],
        at: str = "",
        error: type[RetrievalError] = DataError,
    ) -> list[T]:
        """Choose as `choose_parts` does, tell and keep it, and return the values."""
        chosen, passed = choose_parts(what, candidates, together=together, at=at, error=error)
        for label, others in passed.items():
            self.keep(what, label, others, at)
        return [candidate.value for candidate in chosen]

    def keep(
        self,
        what: str,
        label: str,
        passed_over: Sequence[PassedOver],
        at: str = "",
        *,
        tell: bool = True,
    ) -> None:
        """Keep a choice, and tell it the first time; one without others is none."""
        if not passed_over:
            return
        key = (what, label, tuple(passed_over))
        if key not in self._made:
            self._made[key] = {}
            others = "; ".join(f"{p.label} ({p.why})" for p in passed_over)
            if tell:
                logger.warning("%s is from %s, not from %s", what, label, others)
        if at:
            self._made[key][at] = None

    def restore(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take up what `records` returned in another run; it was told there."""
        for record in records:
            passed = tuple(PassedOver(**other) for other in record["passed_over"])
            key = (record["what"], record["chosen"], passed)
            self._made.setdefault(key, {}).update(dict.fromkeys(record["at"]))

    def records(self) -> list[dict[str, Any]]:
        """Return what was chosen as plain values, sorted, for provenance.

        Examples
        --------
        >>> Choices().records()
        []
        """
        return [
            {
                "what": what,
                "chosen": label,
                "passed_over": [p._asdict() for p in passed],
                "at": sorted(at),
            }
            for (what, label, passed), at in sorted(self._made.items())
        ]


class EachChoice(NamedTuple):
    """Which rows are used: sorted by key, one a key.

    Attributes
    ----------
    rows : ndarray of int
        The row that is used for each key.
    passed_over : ndarray of int
        Rows of a worse place than that of their key.
    rivals : ndarray of int, shape (n, 2)
        Pairs of rows of one key and place whose values differ: to be refused.
    """

    rows: NDArray[np.intp]
    passed_over: NDArray[np.intp]
    rivals: NDArray[np.intp]


def choose_each(
    key: ArrayLike, place: ArrayLike, value: ArrayLike, tolerance: float = 0.0
) -> EachChoice:
    """Choose a row for each key of a table: `choose` for millions of rows.

    Parameters
    ----------
    key : array_like, shape (n,)
        What a row is of: the number of its place and hour.
    place : array_like, shape (n,)
        Of its rank, lower first.
    value : array_like, shape (n,)
        Compared among rows of the best place; NaN equals NaN.
    tolerance : float
        Values as near as this to the least are equal; the least is used.

    Examples
    --------
    >>> each = choose_each([7, 7, 8, 8], [2, 1, 1, 1], [35.0, 20.0, 5.0, 5.0])
    >>> each.rows.tolist(), each.passed_over.tolist(), len(each.rivals)
    ([1, 2], [0], 0)
    """
    keys, places, values = np.asarray(key), np.asarray(place), np.asarray(value)
    order = np.lexsort((values, places, keys))
    keys, places, values = keys[order], places[order], values[order]
    _, start, owner = np.unique(keys, return_index=True, return_inverse=True)
    best = start[owner.ravel()]
    is_worse = places != places[best]
    is_nan = values != values
    is_equal = (is_nan & is_nan[best]) | (np.abs(values - values[best]) <= tolerance)
    differs = ~is_equal & ~is_worse
    rivals = np.stack([order[best[differs]], order[differs]], axis=1)
    return EachChoice(order[start], order[is_worse], rivals)
