"""Daily flights of airports, for the temporal predictor."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dacno2_s5p.twin.air.calendar import flight_activity, holidays, to_date
from dacno2_s5p.twin.land.world import as_day, child_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Airport(NamedTuple):
    """ICAO code, name, state as Eurocontrol writes it, and daily flights of 2019."""

    icao: str
    name: str
    state: str
    flights: float


AIRPORTS = (
    Airport("LFPG", "Paris-Charles-de-Gaulle", "France", 1365),
    Airport("LFPO", "Paris-Orly", "France", 605),
    Airport("LFMN", "Nice-Cote d'Azur", "France", 395),
    Airport("LFLL", "Lyon-Saint-Exupery", "France", 315),
    Airport("LFBO", "Toulouse-Blagnac", "France", 260),
    Airport("EGLL", "London - Heathrow", "United Kingdom", 1305),
    Airport("EGKK", "London - Gatwick", "United Kingdom", 780),
    Airport("EGCC", "Manchester", "United Kingdom", 555),
    Airport("EGBB", "Birmingham", "United Kingdom", 300),
    Airport("EHAM", "Amsterdam - Schiphol", "Netherlands", 1395),
    Airport("EHEH", "Eindhoven", "Netherlands", 110),
    Airport("EBBR", "Brussels", "Belgium", 625),
    Airport("EBCI", "Charleroi", "Belgium", 160),
    Airport("ELLX", "Luxembourg", "Luxembourg", 200),
    Airport("EDDF", "Frankfurt", "Germany", 1405),
    Airport("EDDL", "Dusseldorf", "Germany", 615),
    Airport("EDDK", "Cologne-Bonn", "Germany", 385),
    Airport("LSZH", "Zurich", "Switzerland", 740),
    Airport("LSGG", "Geneva", "Switzerland", 510),
    Airport("LIMC", "Milan - Malpensa", "Italy", 640),
    Airport("LIMF", "Turin", "Italy", 120),
    Airport("LEBL", "Barcelona", "Spain", 945),
    Airport("LEBB", "Bilbao", "Spain", 135),
    Airport("EIDW", "Dublin", "Ireland", 650),
)
"""Larger airports of the nine states and of Ireland."""


def daily_flights(date: np.datetime64 | str, seed: int) -> NDArray[np.int64]:
    """Flights of each of `AIRPORTS` on a day, shape (n_airport,).

    A summer maximum, fewer on Saturdays, the collapse of 2020, and a few per cent of noise.
    """
    day = as_day(date)
    calendar = to_date(day)
    season = 1.0 + 0.17 * np.cos(2.0 * np.pi * (calendar.timetuple().tm_yday - 205) / 365.25)
    week = (1.03, 0.99, 0.99, 1.03, 1.06, 0.89, 1.01)[calendar.weekday()]
    if calendar in holidays(calendar.year):
        week *= 0.88
    base = np.array([airport.flights for airport in AIRPORTS])
    noise = child_seed(seed, 81, int(day.astype(np.int64))).standard_normal(base.size)
    flights = base * season * week * flight_activity(calendar) * (1.0 + 0.03 * noise)
    return np.asarray(np.maximum(np.rint(flights), 0.0), np.int64)
