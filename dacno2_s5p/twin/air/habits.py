"""When people really emit: hours that differ by country and city, which no table has.

Inventories and what is made from them spread the emissions of a day by one curve a sector. Here
rush hours come earlier in some countries than in others, cities have broader ones, and Saturdays,
Sundays and holidays have none in the morning. The curves and delays are the twin world's own: they
are invented in the sense of time-use surveys (Eurostat's HETUS: people in Spain do everything an
hour later than in Germany), and belong to no published table of emissions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.air.calendar import ISLES, continental_offset, holidays

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from dacno2_s5p.twin.land.geography import Geography

DELAY = {
    **{"DE": -0.6, "CH": -0.6, "AT": -0.7, "DK": -0.6, "NO": -0.6, "CZ": -1.0, "NL": -0.2},
    **{"BE": -0.1, "LU": -0.2, "FR": 0.3, "IT": 0.4, "GB": 0.1, "IE": 0.4, "ES": 1.3, "PT": 0.6},
}
"""How much later than by the continent's common habits a country lives, by its own clock [h]."""

CITY_DENSITY = 2500.0
"""People per km2 at which a cell is for the most part a city."""

LEVELS = 4
"""Degrees of being a city, from none to all."""

_HOURS = np.arange(0.0, 24.0, 0.25)


def _hump(hour: NDArray[np.float64], centre: float, width: float) -> NDArray[np.float64]:
    away = (hour - centre + 12.0) % 24.0 - 12.0
    return np.asarray(np.exp(-0.5 * (away / width) ** 2))


def _road(hour: NDArray[np.float64], is_free: bool, is_city: bool) -> NDArray[np.float64]:
    if is_free:
        return 0.30 + 1.25 * _hump(hour, 14.0, 3.6) + 0.45 * _hump(hour, 19.0, 2.6)
    if is_city:
        rush = 0.75 * _hump(hour, 8.4, 1.7) + 0.85 * _hump(hour, 18.0, 2.4)
        return 0.25 + 0.95 * _hump(hour, 13.0, 4.6) + rush + 0.25 * _hump(hour, 22.0, 1.8)
    rush = 1.30 * _hump(hour, 7.5, 1.0) + 1.15 * _hump(hour, 16.8, 1.5)
    return 0.22 + 1.00 * _hump(hour, 12.5, 3.6) + rush


def _machines(hour: NDArray[np.float64], is_free: bool, is_city: bool) -> NDArray[np.float64]:
    del is_free, is_city
    shift = 1.0 / (1.0 + np.exp(-(hour - 6.8) / 0.5)) / (1.0 + np.exp((hour - 16.6) / 0.7))
    return 0.15 + shift * (1.0 - 0.35 * _hump(hour, 12.3, 0.6))


def _homes(hour: NDArray[np.float64], is_free: bool, is_city: bool) -> NDArray[np.float64]:
    del is_city
    morning = 0.7 * _hump(hour, 9.2, 2.0) if is_free else 0.9 * _hump(hour, 6.8, 1.3)
    return 0.45 + morning + 0.95 * _hump(hour, 20.0, 2.6) + 0.25 * _hump(hour, 13.0, 2.5)


def _works(hour: NDArray[np.float64], is_free: bool, is_city: bool) -> NDArray[np.float64]:
    return 0.7 + 0.4 * _machines(hour, is_free, is_city)


CURVES = {"tro": _road, "tnr": _machines, "res": _homes, "ind": _works}
"""Sectors with hours of their own; the others keep those of `calendar.HOURLY`."""


def hour_factors(
    sector: str, utc_hour: int, date: dt.date, countries: tuple[str, ...]
) -> NDArray[np.float32]:
    """Relative emission of the hour that begins at `utc_hour` for each kind of place.

    Parameters
    ----------
    sector : str
        One of `CURVES`.
    utc_hour : int
        Hour of the day, UTC.
    date : datetime.date
        Day.
    countries : tuple of str
        ISO codes.

    Returns
    -------
    ndarray of float32, shape (n_country * LEVELS,)
        In the order of `kinds_of_place`; the mean over a day is 1.
    """
    is_free = date.weekday() >= 5 or date in holidays(date.year)
    behind = np.array([DELAY.get(code, 0.0) + (code in ISLES) for code in countries])
    local = (utc_hour + 0.5 + continental_offset(date) - behind) % 24.0
    curve = CURVES[sector]
    country, city = (
        curve(local, is_free, is_city) / curve(_HOURS, is_free, is_city).mean()
        for is_city in (False, True)
    )
    share = np.arange(LEVELS) / (LEVELS - 1)
    mixed = country[:, None] * (1.0 - share) + city[:, None] * share
    return np.asarray(mixed.ravel(), np.float32)


def kinds_of_place(geography: Geography) -> NDArray[np.intp]:
    """Return a number for each cell by country and degree of being a city, shape (n_y, n_x)."""
    city = 1.0 - np.exp(-geography.density / np.float32(CITY_DENSITY))
    level = np.rint(city * (LEVELS - 1)).astype(np.intp)
    return np.asarray(geography.country * LEVELS + level, np.intp)
