"""Time rules: which fields serve which scanline, to the edges of every window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.physics.time_rules import TimeRule, fields_in_use, nearest_distance, time_weights
from tests.builders.array_sets import DAY, hours
from tests.builders.strategies import quick

MILLISECOND = np.timedelta64(1, "ms")
NAT = np.array([np.datetime64("NaT", "ms")])


def at(times, weights, i=0):
    """Weights of a scanline by hour of the test day."""
    stamps = (times - DAY) / np.timedelta64(3_600_000, "ms")
    found = {}
    for index, weight in zip(weights.index[i], weights.weight[i], strict=True):
        if weight > 0:
            found[float(stamps[index])] = found.get(float(stamps[index]), 0.0) + float(weight)
    return found


def weights(times, rule, *scanline_hours):
    return time_weights(times, rule, hours(*scanline_hours))


# --- overpass mean ----------------------------------------------------------------------------


def test_overpass_mean_is_the_mean_of_11_12_13():
    """docs/equations.md 5: the fields stamped 11:00, 12:00, 13:00 of the pixel's date, evenly."""
    times = hours(*range(24))
    found = weights(times, TimeRule.OVERPASS_MEAN, 12.7)
    assert at(times, found) == pytest.approx({11.0: 1 / 3, 12.0: 1 / 3, 13.0: 1 / 3})


@pytest.mark.parametrize(
    ("hour", "served"),
    [(9.99, False), (10.0, True), (12.0, True), (15.0, True), (15.01, False), (0.5, False)],
)
def test_overpass_mean_serves_pixels_from_10_to_15(hour, served):
    """The window is 10:00-15:00 UTC, both ends included."""
    found = weights(hours(*range(24)), TimeRule.OVERPASS_MEAN, hour)
    assert found.is_served[0] == served
    assert found.weight[0].sum() == pytest.approx(float(served))


@pytest.mark.parametrize("missing", [11, 12, 13])
def test_overpass_mean_needs_all_three_hours(missing):
    """One of the three fields missing: flag 6, not a mean of two."""
    times = hours(*(h for h in range(24) if h != missing))
    assert not weights(times, TimeRule.OVERPASS_MEAN, 12.5).is_served[0]


def test_overpass_mean_works_with_the_three_hours_alone():
    """A delivery cut to 11, 12, 13 UTC is enough."""
    assert weights(hours(11, 12, 13), TimeRule.OVERPASS_MEAN, 10.5).is_served[0]


def test_overpass_mean_takes_the_pixels_own_date():
    """With two days in the set each scanline gets its own day's fields."""
    times = hours(*range(48))
    found = weights(times, TimeRule.OVERPASS_MEAN, 12.5, 36.5)
    assert set(at(times, found, 0)) == {11.0, 12.0, 13.0}
    assert set(at(times, found, 1)) == {35.0, 36.0, 37.0}


def test_overpass_mean_of_another_day_serves_nothing():
    """Fields of the day before do not stand in."""
    assert not weights(hours(*range(24)), TimeRule.OVERPASS_MEAN, 36.5).is_served[0]


# --- linear -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "expected"),
    [
        (9.75, {9.0: 0.75, 12.0: 0.25}),
        (9.0, {9.0: 1.0}),
        (0.0, {0.0: 1.0}),
        (21.0, {21.0: 1.0}),
    ],
)
def test_linear_weights_enclose_the_pixel(hour, expected):
    """Three-hourly fields, weights by distance; on a stamp that field alone."""
    times = hours(*range(0, 24, 3))
    assert at(times, weights(times, TimeRule.LINEAR, hour)) == pytest.approx(expected)


@pytest.mark.parametrize("hour", [-0.01, 21.01])
def test_linear_does_not_extrapolate(hour):
    """Before the first and after the last field there is none."""
    assert not weights(hours(*range(0, 24, 3)), TimeRule.LINEAR, hour).is_served[0]


def test_linear_runs_into_the_next_day():
    """23:00 lies between 21:00 and 24:00 where the set holds the next day."""
    times = hours(*range(0, 48, 3))
    found = weights(times, TimeRule.LINEAR, 23.0)
    assert at(times, found) == pytest.approx({21.0: 1 / 3, 24.0: 2 / 3})


def test_linear_does_not_bridge_a_missing_field():
    """With 12:00 missing from three-hourly fields 10:30 has no field, 8:00 has."""
    found = weights(hours(0, 3, 6, 9, 15, 18, 21), TimeRule.LINEAR, 10.5, 8.0)
    assert found.is_served.tolist() == [False, True]


def test_linear_does_not_reach_over_more_than_six_hours():
    """Two midnights say nothing of noon; 6-hourly fields say something."""
    assert not weights(hours(0, 24, 48), TimeRule.LINEAR, 12.0, 1.0).is_served.any()
    assert not weights(hours(0, 12, 24), TimeRule.LINEAR, 13.0).is_served[0]
    assert weights(hours(0, 6, 12, 18), TimeRule.LINEAR, 13.0).is_served[0]


def test_nearest_does_not_reach_over_more_than_three_hours():
    """Fields of two midnights are half a step from noon and serve it no more than one does."""
    found = weights(hours(0, 24, 48), TimeRule.NEAREST, 12.0, 23.0, 3.1, 2.9)
    assert found.is_served.tolist() == [False, True, False, True]


def test_fields_in_use_are_those_of_any_scanline_and_rule():
    """Of half-hourly fields round two scanlines; none where there is no field."""
    times = hours(*np.arange(10.0, 16.0, 0.5))
    scanlines = hours(12.1, 13.4)
    found = fields_in_use(times, [TimeRule.NEAREST], scanlines)
    assert times[found].tolist() == hours(12.0, 13.5).tolist()
    found = fields_in_use(times, [TimeRule.NEAREST, TimeRule.LINEAR], scanlines)
    assert times[found].tolist() == hours(12.0, 12.5, 13.0, 13.5).tolist()
    assert fields_in_use(times[:0], [TimeRule.DAILY], scanlines) == []


def test_linear_with_one_field_serves_its_own_time_only():
    """One field: nothing to interpolate."""
    assert weights(hours(12), TimeRule.LINEAR, 12.0, 12.1).is_served.tolist() == [True, False]


@quick
@given(st.floats(0.0, 21.0))
def test_linear_interpolation_of_time_is_time(hour):
    """The weighted mean of the stamps is the pixel's own time."""
    times = hours(*range(0, 24, 3))
    found = weights(times, TimeRule.LINEAR, hour)
    mean = sum(stamp * weight for stamp, weight in at(times, found).items())
    assert mean == pytest.approx(round(hour * 3600e3) / 3600e3, abs=1e-9)  # round-off of hours


# --- nearest ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "expected"), [(11.7, 11.5), (11.76, 12.0), (0.1, 0.0), (23.7, 23.5), (11.75, 11.5)]
)
def test_nearest_takes_the_nearest_half_hour(hour, expected):
    """CTMANA: the nearest of the half-hourly fields, the earlier one of two equally near."""
    times = hours(*np.arange(0, 24, 0.5))
    assert at(times, weights(times, TimeRule.NEAREST, hour)) == {expected: 1.0}


@pytest.mark.parametrize(
    ("n_day", "hour", "served"),
    [(1, 23.74, True), (1, 23.75, True), (1, 23.76, False), (2, 23.76, True), (1, -0.3, False)],
)
def test_nearest_at_the_end_of_the_day(n_day, hour, served):
    """Past 23:45 the nearest field is the next day's 00:00: used if there, else flag 6."""
    times = hours(*np.arange(0, 24 * n_day, 0.5))
    found = weights(times, TimeRule.NEAREST, hour)
    assert found.is_served[0] == served
    if hour == 23.76 and served:
        assert at(times, found) == {24.0: 1.0}


def test_nearest_with_one_field_serves_three_hours():
    """A single field has no step of its own: it serves pixels within three hours."""
    found = weights(hours(12), TimeRule.NEAREST, 9.0, 15.0, 15.01)
    assert found.is_served.tolist() == [True, True, False]


def test_nearest_does_not_reach_over_a_gap():
    """With the fields from 10 to 14 missing, noon is not served by 9:30."""
    times = hours(*np.arange(0, 10, 0.5), *np.arange(14, 24, 0.5))
    assert not weights(times, TimeRule.NEAREST, 12.0).is_served[0]


# --- daily ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hour", "served"), [(8.99, False), (9.0, True), (12.0, True), (15.0, True), (15.01, False)]
)
def test_daily_fields_serve_three_hours(hour, served):
    """A field at 12:00 serves 9:00 to 15:00 of its date, both ends included."""
    assert weights(hours(12), TimeRule.DAILY, hour).is_served[0] == served


def test_daily_fields_serve_their_own_date_only():
    """A field stamped 23:00 does not serve 01:00 of the next day, two hours later."""
    assert weights(hours(23), TimeRule.DAILY, 22.0, 25.0).is_served.tolist() == [True, False]


def test_daily_fields_of_two_days_are_told_apart():
    """Two orbits two days, each with its day's field."""
    times = hours(12, 36)
    found = weights(times, TimeRule.DAILY, 11.0, 37.0)
    assert (at(times, found, 0), at(times, found, 1)) == ({12.0: 1.0}, {36.0: 1.0})


# --- all rules --------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", list(TimeRule))
def test_scanlines_without_a_time_are_not_served(rule):
    """NaT: not served, weight 0, and its neighbours unharmed."""
    times = hours(*range(24))
    lines = np.concatenate([NAT, hours(12.0)])
    found = time_weights(times, rule, lines)
    assert found.is_served.tolist() == [False, True]
    assert found.weight[0].sum() == 0.0


@pytest.mark.parametrize("rule", list(TimeRule))
@quick
@given(scanlines=st.lists(st.floats(-30.0, 60.0), min_size=1, max_size=8))
def test_weights_sum_to_one_where_served(rule, scanlines):
    """Non-negative weights, 1 in sum where served and 0 elsewhere, indices in range."""
    times = hours(*range(24))
    found = weights(times, rule, *scanlines)
    assert (found.weight >= 0).all()
    np.testing.assert_allclose(found.weight.sum(axis=1), found.is_served, rtol=0, atol=1e-12)
    assert ((found.index >= 0) & (found.index < 24)).all()


def test_distance_to_the_nearest_field():
    """The smallest distance of any scanline counts; none without times."""
    times = hours(0, 12)
    assert nearest_distance(times, hours(30.0, 20.0)) == np.timedelta64(8 * 3_600_000, "ms")
    assert np.isnat(nearest_distance(times, NAT))
    assert nearest_distance(times, hours(12.0) + MILLISECOND) == MILLISECOND
