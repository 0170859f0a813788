"""Hours, weekdays, clocks, and where an inventory's emissions are put."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.transport.emissions import HourlyInventory, refined
from dacno2_s5p.transport.hours import (
    EVEN,
    HABITS,
    continental_offset,
    factor,
    share_on_western_clock,
)

SHAPE = (64, 64)


def test_habits_are_of_rows_of_the_table():
    names = {v.name for v in InputTable.default().group("emission")}
    assert set(HABITS) <= names


@pytest.mark.parametrize("habit", HABITS.values())
def test_factors_have_the_mean_one(habit):
    """The published tables are rounded to two digits; soils' 24 hours add up to 24.2."""
    assert np.mean(habit.hours) == pytest.approx(1.0, abs=0.02)
    assert np.mean(habit.weekdays) == pytest.approx(1.0, abs=0.005)


def test_hours_and_days_are_those_of_the_local_clock():
    """The hour to 23 UTC of a Sunday is the first of Monday in a Central European summer."""
    road = HABITS["nox_road"]
    sunday = np.datetime64("2019-07-07T23")
    assert factor(road, sunday, 2) == road.hours[0] * road.weekdays[0]
    assert factor(road, sunday, 1) == road.hours[23] * road.weekdays[6]
    assert factor(EVEN, sunday, 2) == 1.0


@given(st.integers(0, 200_000))
def test_clocks_change_twice_a_year_on_sundays(hours):
    """The offset of an hour and of the next one differ only at 1 UTC of a Sunday."""
    time = np.datetime64("2010-01-01T00") + hours
    now, then = continental_offset(time), continental_offset(time + 1)
    if now != then:
        assert (int((time + 1).astype("datetime64[D]").astype(int)) + 3) % 7 == 6
        assert str(time + 1).endswith("T01")


def test_the_isles_are_an_hour_behind():
    places = {"London": (-0.1, 51.5), "Dublin": (-6.3, 53.3), "Calais": (1.9, 50.95)}
    places |= {"Paris": (2.3, 48.9), "Cherbourg": (-1.6, 49.6), "Madrid": (-3.7, 40.4)}
    shares = share_on_western_clock(*np.array(list(places.values())).T)
    assert dict(zip(places, shares, strict=True)) == {
        **dict.fromkeys(places, 0.0),
        "London": 1.0,
        "Dublin": 1.0,
    }


def test_an_hour_is_the_sum_of_its_sectors():
    ones = np.ones((2, 2), np.float32)
    western = np.array([[0.0, 1.0], [0.0, 1.0]], np.float32)
    sectors = {"nox_road": 2.0 * ones, "nox_ships": ones, "other": ones}
    time = np.datetime64("2019-01-07T07")  # a winter Monday: 7-8 h on the continent
    found = HourlyInventory(sectors, western).hour(time)
    road = HABITS["nox_road"]
    continent, isles = (2.0 + 2.0 * road.weekdays[0] * road.hours[h] for h in (7, 6))
    np.testing.assert_allclose(found, [[continent, isles]] * 2, rtol=1e-6)  # float32


def proxies(seed=0):
    rng = np.random.default_rng(seed)
    people = (1000.0 * rng.random((1, *SHAPE)) ** 6).astype(np.float32)
    return {
        "population_density": people,
        "road_density": people + 50.0,
        "night_light": 0.1 * people,
        "land_cover": (people > 300.0).astype(np.float32),
    }


def test_an_area_keeps_what_it_emits():
    """Means over 16 km stay to a tenth where 8 km are alike, the whole to 2 %."""
    fields = dict.fromkeys(("nox_road", "nox_residential"), np.ones(SHAPE, np.float32))
    for field in refined(fields, proxies()).values():
        assert float(field.mean()) == pytest.approx(1.0, abs=0.02)
        inner = gaussian_filter(field, 8.0)[16:-16, 16:-16]
        np.testing.assert_allclose(inner, 1.0, atol=0.1)
        assert float(field.std()) > 0.2
        assert float(field.min()) > 0.0


def test_sectors_without_proxy_stay():
    field = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    maps = proxies()
    found = refined({"nox_ships": field, "nox_road": field}, {"night_light": maps["night_light"]})
    np.testing.assert_array_equal(found["nox_ships"], field)
    np.testing.assert_array_equal(found["nox_road"], field)


def test_where_no_one_lives_emissions_stay():
    """A proxy of zeros tells nothing: no ratio of nothing to nothing."""
    empty = {name: np.zeros_like(field) for name, field in proxies().items()}
    found = refined({"nox_residential": np.ones(SHAPE, np.float32)}, empty)
    np.testing.assert_allclose(found["nox_residential"], 1.0, rtol=1e-5)
