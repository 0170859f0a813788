"""Choosing among candidates: ranks told, equals no rivals, the rest refused."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import AprioriError, DataError
from retrieval.files.candidates import (
    Candidate,
    Choices,
    Mark,
    choose,
    choose_each,
    choose_parts,
    listed,
    nearest,
    newest,
)

STAGES = ("validated", "interim")


def equal(one: float, other: float) -> bool:
    """Compare numbers."""
    return one == other


def test_a_lone_candidate_is_chosen() -> None:
    """Nothing is compared and nothing passed over."""
    choice = choose("t2m", [Candidate(1.0, "a.nc")], same=lambda *_: pytest.fail("compared"))
    assert (choice.chosen.value, choice.passed_over) == (1.0, ())


def test_the_first_mark_that_differs_decides() -> None:
    """A later version of an interim month is behind the validated one."""
    candidates = [
        Candidate(1.0, "a.nc", (listed("stage", "interim", STAGES), newest("version", "2", 2))),
        Candidate(2.0, "b.nc", (listed("stage", "validated", STAGES), newest("version", "1", 1))),
    ]
    choice = choose("no2", candidates, same=equal)
    assert choice.chosen.label == "b.nc"
    assert choice.passed_over == (("a.nc", "stage validated before interim"),)


@pytest.mark.parametrize(
    ("numbers", "first"),
    [
        (((6, 2), (4, 2)), 0),
        (((6,), (6, 2)), 1),  # 6 is 6.0
        (((5, 3), (5, 10)), 1),  # numbers, not text
    ],
)
def test_newest_compares_numbers(numbers: tuple[tuple[int, ...], ...], first: int) -> None:
    """Versions are numbers by parts, not text."""
    candidates = [
        Candidate(float(i), str(i), (newest("version", str(n), *n),)) for i, n in enumerate(numbers)
    ]
    assert choose("nox", candidates, same=equal).chosen.value == first


def test_nearest_prefers_the_year_asked_for_then_the_nearest() -> None:
    """Of two as far apart the earlier one is used."""

    def year_of(wanted: int, *years: int) -> float:
        candidates = [Candidate(float(y), str(y), (nearest("year", y, wanted),)) for y in years]
        return choose("light", candidates, same=equal).chosen.value

    assert year_of(2020, 2013, 2020) == 2020
    assert year_of(2019, 2013, 2020) == 2020
    assert year_of(2019, 2020, 2018) == 2018


def test_equal_values_are_no_rivals() -> None:
    """Copies are one."""
    choice = choose("t2m", [Candidate(280.0, "b.nc"), Candidate(280.0, "a.nc")], same=equal)
    assert (choice.chosen.label, choice.passed_over) == ("a.nc", ())


def test_unequal_values_that_nothing_ranks_are_refused_with_both_names() -> None:
    """The message has four parts and the time."""
    rank = (newest("version", "6.2", 6, 2),)
    candidates = [Candidate(1.0, "b.nc:nox", rank), Candidate(2.0, "a.nc:nox", rank)]
    with pytest.raises(
        AprioriError,
        match=r"^Two candidates for nox\. They must be equal or be ranked by version "
        r"\(6\.2 and 6\.2\)\. Given a\.nc:nox and b\.nc:nox, which differ at 2019-07\. Leave one",
    ):
        choose("nox", candidates, same=equal, at="2019-07", error=AprioriError)


def test_a_candidate_that_does_not_say_is_neither_before_nor_behind() -> None:
    """Against a stated version it is refused; with equal values it is no rival."""
    said, silent = newest("version", "6.2", 6, 2), newest("version", "")
    with pytest.raises(DataError, match=r"version \(6\.2 and unstated\)"):
        choose("nox", [Candidate(1.0, "a", (said,)), Candidate(2.0, "b", (silent,))], same=equal)
    assert choose(
        "nox", [Candidate(1.0, "a", (said,)), Candidate(1.0, "b", (silent,))], same=equal
    ).chosen.value == pytest.approx(1.0, abs=0.0)  # the value itself


def test_the_best_beats_what_two_rivals_behind_it_would_dispute() -> None:
    """Only the best must agree."""
    candidates = [
        Candidate(float(v), str(v), (newest("version", "", n),))
        for v, n in ((1, 3), (2, 1), (3, 1))
    ]
    choice = choose("nox", candidates, same=equal)
    assert choice.chosen.value == 1.0
    assert [p.label for p in choice.passed_over] == ["2", "3"]


def test_other_marks_and_no_candidates_are_faults_of_the_caller() -> None:
    """They are no fault of a file."""
    with pytest.raises(ValueError, match="There must be one"):
        choose("t2m", [], same=equal)
    one, other = Candidate(1.0, "a", (nearest("year", 1, 1),)), Candidate(1.0, "b")
    with pytest.raises(ValueError, match="the same marks"):
        choose("t2m", [one, other], same=equal)


places = st.one_of(st.none(), st.tuples(st.integers(0, 2)))


@given(
    items=st.lists(st.tuples(st.integers(0, 2), places, places), min_size=1, max_size=6),
    data=st.data(),
)
def test_the_order_of_candidates_never_changes_the_outcome(
    items: list[tuple[int, tuple[float, ...] | None, tuple[float, ...] | None]],
    data: st.DataObject,
) -> None:
    """Value, label, what was passed over, and whether it is refused are the same."""
    candidates = [
        Candidate(value, f"{i % 3}", (Mark("a", "", first), Mark("b", "", second)))
        for i, (value, first, second) in enumerate(items)
    ]
    shuffled = data.draw(st.permutations(candidates))

    def outcome(given_ones: list[Candidate[int]]) -> object:
        try:
            choice = choose("x", given_ones, same=equal)
        except DataError:
            return "refused"
        return choice.chosen.value, choice.chosen.label, sorted(choice.passed_over)

    assert outcome(candidates) == outcome(shuffled)


@given(
    items=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=6),
)
def test_with_ranks_that_all_say_the_winner_has_the_least_place(
    items: list[tuple[int, int]],
) -> None:
    """The oracle: sort by place; the best must agree."""
    candidates = [
        Candidate(value, str(i), (Mark("a", "", (place,)),))
        for i, (value, place) in enumerate(items)
    ]
    least = min(place for _, place in items)
    values = {value for value, place in items if place == least}
    if len(values) > 1:
        with pytest.raises(DataError, match="Two candidates"):
            choose("x", candidates, same=equal)
    else:
        assert choose("x", candidates, same=equal).chosen.value == values.pop()


def test_a_choice_is_told_once_and_kept_with_all_its_times(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Days of one kind are one line, and all in the record."""
    choices = Choices()
    for day in ("2019-07-02", "2019-07-01"):
        candidates = [
            Candidate(290.0, "final.nc", (listed("expver", "1", ("1", "5")),)),
            Candidate(280.0, "early.nc", (listed("expver", "5", ("1", "5")),)),
        ]
        with caplog.at_level(logging.WARNING):
            assert choices.choose("t2m of ERA5", candidates, same=equal, at=day) == 290.0
    assert caplog.messages == [
        "t2m of ERA5 is from final.nc, not from early.nc (expver 1 before 5)"
    ]
    assert choices.records() == [
        {
            "what": "t2m of ERA5",
            "chosen": "final.nc",
            "passed_over": [{"label": "early.nc", "why": "expver 1 before 5"}],
            "at": ["2019-07-01", "2019-07-02"],
        }
    ]


def test_copies_are_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """Equal values were no choice."""
    choices = Choices()
    choices.choose("t2m", [Candidate(1.0, "a"), Candidate(1.0, "b")], same=equal)
    assert (caplog.messages, choices.records()) == ([], [])


rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from([1.0, 2.0, np.nan])),
    max_size=12,
)


@given(table=rows)
def test_choosing_each_row_agrees_with_choosing_one(table: list[tuple[int, int, float]]) -> None:
    """The oracle: `choose` for each key."""
    key, place, value = (np.array([row[i] for row in table]) for i in range(3))
    each = choose_each(key, place, value)
    used = dict(zip(key[each.rows].tolist(), value[each.rows].tolist(), strict=True))
    refused = {int(key[i]) for pair in each.rivals for i in pair}
    for wanted in set(key.tolist()):
        candidates = [
            Candidate(repr(float(v)), str(i), (Mark("place", "", (int(p),)),))
            for i, (k, p, v) in enumerate(table)
            if k == wanted
        ]
        try:
            choice = choose("x", candidates, same=lambda a, b: a == b)
        except DataError:
            assert wanted in refused
            continue
        assert wanted not in refused
        assert repr(used[wanted]) == choice.chosen.value
        passed = {str(i) for i in each.passed_over if key[i] == wanted}
        assert passed == {p.label for p in choice.passed_over}


def agree(one: dict[int, float], other: dict[int, float]) -> bool:
    """Compare what two columns have in common."""
    return all(one[level] == other[level] for level in one.keys() & other.keys())


def test_parts_that_agree_are_all_chosen_and_the_others_are_ranked() -> None:
    """Two parts of one column, and an older one that contradicts the first of them."""
    candidates = [
        Candidate({1: 10.0, 2: 20.0}, "b", (newest("version", "2", 2),)),
        Candidate({2: 20.0, 3: 30.0}, "c", (newest("version", "1", 1),)),
        Candidate({1: 11.0}, "a", (newest("version", "1", 1),)),
    ]
    chosen, passed = choose_parts("t", candidates, together=agree)
    assert [c.label for c in chosen] == ["b", "c"]
    assert passed == {"b": [("a", "version 2 before 1")]}
    choices = Choices()
    assert choices.choose_parts("t", candidates, together=agree, at="now") == [
        candidates[0].value,
        candidates[1].value,
    ]
    assert [record["passed_over"][0]["label"] for record in choices.records()] == ["a"]


def test_parts_that_contradict_without_a_rank_are_refused() -> None:
    """The better part ranks neither of the two behind it."""
    candidates = [
        Candidate({3: 30.0}, "c", (newest("version", "2", 2),)),
        Candidate({1: 10.0}, "a", (newest("version", "1", 1),)),
        Candidate({1: 11.0}, "b", (newest("version", "1", 1),)),
    ]
    with pytest.raises(DataError, match=r"Given a and b, which differ at noon"):
        choose_parts("t", candidates, together=agree, at="noon")


@given(st.permutations("abcd"), st.lists(st.integers(0, 2), min_size=4, max_size=4))
def test_parts_do_not_depend_on_the_order(order: list[str], versions: list[int]) -> None:
    """Nor does a refusal."""
    values = {"a": {1: 1.0}, "b": {1: 2.0, 2: 3.0}, "c": {2: 3.0}, "d": {2: 4.0, 3: 5.0}}
    ranks = {n: (newest("version", str(v), v),) for n, v in zip("abcd", versions, strict=True)}

    def outcome(names: list[str]) -> object:
        found = [Candidate(values[n], n, ranks[n]) for n in names]
        try:
            chosen, passed = choose_parts("t", found, together=agree)
        except DataError as error:
            return str(error)
        return [c.label for c in chosen], passed

    assert outcome(order) == outcome(list("abcd"))
