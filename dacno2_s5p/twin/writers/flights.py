"""Eurocontrol's daily airport traffic as CSV (docs/formats.md 5.5)."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dacno2_s5p.twin.air.calendar import flight_activity, holidays, to_date
from dacno2_s5p.twin.land.world import as_day, child_seed
from retrieval.files.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.twin.twin import Twin


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


COLUMNS = (
    *("YEAR", "MONTH_NUM", "MONTH_MON", "FLT_DATE", "APT_ICAO", "APT_NAME", "STATE_NAME"),
    *("FLT_DEP_1", "FLT_ARR_1", "FLT_TOT_1", "FLT_DEP_IFR_2", "FLT_ARR_IFR_2", "FLT_TOT_IFR_2"),
    "Pivot Label",
)
"""Columns, in the order of the real files."""

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def write_flights(
    twin: Twin,
    folder: Path,
    dates: Iterable[np.datetime64 | str],
    *,
    overwrite: bool = False,
) -> Path:
    """Write departures and arrivals of each airport and day into one CSV file.

    The last column of each row says synthetic; the counts of the airports' own operators are
    empty, as they often are.
    """
    days = sorted({as_day(date) for date in dates})
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "Airport_Traffic_synthetic.csv"
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for day in days:
            date = to_date(day)
            for airport, total in zip(AIRPORTS, daily_flights(day, twin.seed), strict=True):
                departures = int(total) // 2
                writer.writerow(
                    [
                        *(date.year, f"{date.month:02d}", MONTHS[date.month - 1]),
                        f"{date.isoformat()}T00:00:00Z",
                        *(airport.icao, airport.name, airport.state),
                        *(departures, int(total) - departures, int(total), "", "", ""),
                        f"{airport.name} ({airport.icao}), synthetic",
                    ]
                )
    return path
