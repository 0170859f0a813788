"""Hours of countries and cities: one day's emission in all, at other times than in tables."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import pytest

from dacno2_s5p.twin.air import habits
from dacno2_s5p.twin.air.calendar import hour_factors
from dacno2_s5p.twin.air.emissions import CLASSES, HourlyEmissions

MONDAY, SUNDAY = dt.date(2023, 6, 5), dt.date(2023, 6, 4)
COUNTRIES = ("DE", "ES", "GB")


def day_of(sector, date):
    hours = [habits.hour_factors(sector, hour, date, COUNTRIES) for hour in range(24)]
    return np.stack(hours).reshape(24, len(COUNTRIES), habits.LEVELS)


@pytest.mark.parametrize("sector", habits.CURVES)
@pytest.mark.parametrize("date", [MONDAY, SUNDAY])
def test_a_day_emits_what_it_emits(sector, date):
    """The mean over 24 hours is 1, wherever and whenever."""
    # hourly samples of a smooth curve whose mean is taken at quarters of an hour
    np.testing.assert_allclose(day_of(sector, date).mean(axis=0), 1.0, atol=0.02)


def test_rush_hours_differ_by_country_city_and_day():
    """Spain is later than Germany by the clock, Britain by its zone; Sundays have no morning."""
    road = day_of("tro", MONDAY)
    morning = [int(road[:12, i, 0].argmax()) for i in range(3)]
    assert morning[0] < morning[1]  # UTC hours of the rush
    assert morning[0] < morning[2]
    assert road[:, 0, 0].max() > road[:, 0, -1].max()  # broader in a city
    assert day_of("tro", SUNDAY)[:, 0, 0].argmax() >= 9


def test_no_sector_keeps_the_hours_of_the_table():
    """A table that knew the twin's first hours would be wrong in the second version."""
    for sector in habits.CURVES:
        table = np.array([hour_factors(sector, hour, MONDAY)[0] for hour in range(24)])
        found = day_of(sector, MONDAY)[:, 0, 0]
        # 5 per cent of the mean emission; works run day and night and differ least
        assert np.abs(found - table).mean() > 0.05


def test_places_are_numbered_by_country_and_city():
    """A town in the second country has the second country's city hours."""
    ground = SimpleNamespace(
        country=np.array([[0, 1], [1, 2]], np.int16),
        density=np.array([[0.0, 0.0], [1e5, 2000.0]], np.float32),
    )
    places = habits.kinds_of_place(ground)
    assert places.tolist() == [[0, 4], [7, 10]]
    fields = tuple(np.full((2, 2), float(names == ("tro",)), np.float32) for names in CLASSES)
    table = HourlyEmissions(fields, np.zeros((2, 2), np.float32))
    own = HourlyEmissions(fields, table.isles, places, COUNTRIES)
    date = np.datetime64("2023-06-05")
    found, shared = (e.hour(date, 6)[0] for e in (own, table))
    factors = habits.hour_factors("tro", 6, MONDAY, COUNTRIES)
    # the same day's emission, spread over other hours; float32
    np.testing.assert_allclose(found / shared, factors[places] / hour_factors("tro", 6, MONDAY)[0],
                               rtol=1e-5)  # fmt: skip
