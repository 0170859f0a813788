"""People's calendar: weeks, holidays, clocks, the trend and 2020."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from dacno2_s5p.sources.states import STATES
from dacno2_s5p.twin.air.calendar import (
    SECTORS,
    activity,
    day_factor,
    easter,
    flight_activity,
    holidays,
    hour_factors,
)
from dacno2_s5p.twin.air.emissions import heating_factor
from dacno2_s5p.twin.writers.flights import AIRPORTS, daily_flights


@pytest.mark.parametrize(
    ("year", "month", "day"), [(2019, 4, 21), (2020, 4, 12), (2022, 4, 17), (2023, 4, 9)]
)
def test_easter(year, month, day):
    """Known dates of Easter Sunday; its Monday is a holiday."""
    assert easter(year) == dt.date(year, month, day)
    assert dt.date(year, month, day) + dt.timedelta(days=1) in holidays(year)


def test_weekends_and_holidays_emit_less():
    """Road traffic: Sunday below Wednesday, and a holiday like a Sunday."""
    wednesday, sunday = dt.date(2019, 5, 15), dt.date(2019, 5, 19)
    first_of_may = dt.date(2019, 5, 1)  # a Wednesday
    assert day_factor("tro", sunday) < 0.8 * day_factor("tro", wednesday)
    assert day_factor("tro", first_of_may) == pytest.approx(day_factor("tro", sunday), rel=0.02)


def test_the_spring_of_2020_stands_out():
    """April 2020: roads below 60 % of April 2019, flights below 20 %; normal in 2023."""
    before, dip = dt.date(2019, 4, 10), dt.date(2020, 4, 8)
    assert day_factor("tro", dip) < 0.6 * day_factor("tro", before)
    assert flight_activity(dip) < 0.2
    assert activity(dt.date(2023, 4, 12)) == 1.0


def test_emissions_fall_over_the_years():
    """The same Wednesday in 2023 emits less than in 2019 in every sector that has a trend."""
    for sector in SECTORS:
        early, late = (
            day_factor(sector, dt.date(2019, 9, 11)),
            day_factor(sector, dt.date(2023, 9, 13)),
        )
        assert late < early or sector == "ags"


def test_clocks():
    """The rush hour comes an hour earlier in UTC in summer, and later on the isles."""

    def peak(date, isles):
        curve = [hour_factors("tro", hour, date)[isles] for hour in range(12)]
        return int(np.argmax(curve))

    winter, summer = dt.date(2019, 1, 15), dt.date(2019, 7, 16)
    assert peak(winter, 0) == peak(summer, 0) + 1
    assert peak(winter, 1) == peak(winter, 0) + 1


@pytest.mark.parametrize("sector", SECTORS)
def test_hours_of_a_day_average_to_one(sector):
    """Hours move emissions within the day and change no sum."""
    factors = [hour_factors(sector, hour, dt.date(2019, 3, 5)) for hour in range(24)]
    np.testing.assert_allclose(np.mean(factors, axis=0), 1.0, rtol=1e-12)


def test_cold_days_heat():
    """Homes emit more at 0 C than at 20 C, and about one on the annual mean."""
    assert heating_factor(273.15) > 2.0 > heating_factor(293.15)
    year = [heating_factor(284.0 + 8.2 * np.cos(2 * np.pi * i / 365)) for i in range(365)]
    assert np.mean(year) == pytest.approx(1.0, abs=0.25)


def test_flights_follow_the_calendar():
    """Flights of the nine states: thousands a day, a tenth in April 2020, repeatable."""
    normal, dip = daily_flights("2019-04-10", 3), daily_flights("2020-04-08", 3)
    nine = np.array([airport.state in STATES for airport in AIRPORTS])
    assert 8_000 < normal[nine].sum() < 20_000
    assert dip.sum() < 0.2 * normal.sum()
    np.testing.assert_array_equal(normal, daily_flights("2019-04-10", 3))
