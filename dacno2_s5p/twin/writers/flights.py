"""Eurocontrol's daily airport traffic as CSV (formats.md E.5)."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from dacno2_s5p.twin.air.calendar import to_date
from dacno2_s5p.twin.flights import AIRPORTS, daily_flights
from dacno2_s5p.twin.land.world import as_day
from retrieval.files.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np

    from dacno2_s5p.twin.twin import Twin

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
