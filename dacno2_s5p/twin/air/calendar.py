"""When people emit: hours, weekdays, holidays, seasons, the trend and the year 2020."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SECTORS = ("tro", "tnr", "shp", "ene", "ind", "ref", "res", "ags", "swd")
"""Road, off-road, ships, power, industry, refineries, homes, soils, waste: as CAMS-GLOB-ANT."""

ISLES = ("GB", "IE", "IM", "JE", "GG", "PT")
"""Countries on UTC in winter."""

DOMESTIC = ("tro", "tnr", "ene", "ind", "ref", "res", "ags", "swd")
"""Sectors on land."""

# fmt: off
_ROAD = (
    0.35, 0.22, 0.16, 0.16, 0.27, 0.62, 1.20, 1.75, 1.68, 1.28, 1.12, 1.13,
    1.17, 1.18, 1.22, 1.38, 1.66, 1.80, 1.58, 1.22, 0.92, 0.73, 0.62, 0.50,
)
_WORK = (
    0.35, 0.32, 0.30, 0.32, 0.42, 0.62, 0.95, 1.30, 1.55, 1.62, 1.62, 1.58,
    1.45, 1.52, 1.58, 1.55, 1.42, 1.20, 0.95, 0.78, 0.65, 0.55, 0.48, 0.42,
)
_HOME = (
    0.42, 0.38, 0.36, 0.38, 0.55, 1.00, 1.60, 1.72, 1.45, 1.18, 1.05, 1.00,
    1.00, 0.96, 0.94, 1.00, 1.20, 1.50, 1.68, 1.62, 1.40, 1.15, 0.85, 0.61,
)
_POWER = (
    0.80, 0.75, 0.73, 0.73, 0.77, 0.86, 0.98, 1.09, 1.15, 1.17, 1.17, 1.16,
    1.14, 1.12, 1.10, 1.08, 1.09, 1.13, 1.17, 1.15, 1.09, 1.02, 0.94, 0.86,
)
# fmt: on
_SOIL = tuple(1.0 + 0.7 * float(np.cos(2 * np.pi * (h - 14) / 24)) for h in range(24))
_FLAT = (1.0,) * 24
HOURLY = {
    "tro": _ROAD,
    "tnr": _WORK,
    "shp": _FLAT,
    "ene": _POWER,
    "ind": tuple(0.65 + 0.35 * value for value in _WORK),
    "ref": _FLAT,
    "res": _HOME,
    "ags": _SOIL,
    "swd": _FLAT,
}
"""Relative emission at each local hour; the mean over the day is made 1 where it is used."""

WEEKLY = {
    "tro": (1.05, 1.06, 1.07, 1.08, 1.10, 0.88, 0.76),
    "tnr": (1.12, 1.14, 1.14, 1.14, 1.12, 0.78, 0.56),
    "shp": (1.0,) * 7,
    "ene": (1.03, 1.04, 1.04, 1.04, 1.03, 0.93, 0.89),
    "ind": (1.04, 1.05, 1.05, 1.05, 1.04, 0.92, 0.85),
    "ref": (1.0,) * 7,
    "res": (0.99, 0.99, 0.99, 0.99, 1.0, 1.02, 1.02),
    "ags": (1.0,) * 7,
    "swd": (1.0,) * 7,
}
"""Factor of each weekday from Monday on."""

TREND = {
    "tro": -0.050,
    "tnr": -0.030,
    "shp": -0.015,
    "ene": -0.060,
    "ind": -0.020,
    "ref": -0.015,
    "res": -0.010,
    "ags": 0.0,
    "swd": -0.010,
}
"""Relative change per year, from 2019 on."""

SEASONAL = {"tro": -0.05, "tnr": 0.10, "shp": 0.06, "ene": -0.16, "ind": 0.0, "ref": 0.0}
"""Amplitude of the annual wave, positive for a summer maximum."""


def easter(year: int) -> dt.date:
    """Easter Sunday of the Gregorian calendar (anonymous algorithm).

    Examples
    --------
    >>> easter(2019), easter(2024)
    (datetime.date(2019, 4, 21), datetime.date(2024, 3, 31))
    """
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return dt.date(year, month, day + 1)


@lru_cache(maxsize=32)
def holidays(year: int) -> frozenset[dt.date]:
    """Public holidays that most of the region shares."""
    fixed = ((1, 1), (5, 1), (12, 25), (12, 26), (8, 15), (11, 1))
    moving = (-2, 1, 39, 50)
    sunday = easter(year)
    return frozenset(
        {dt.date(year, month, day) for month, day in fixed}
        | {sunday + dt.timedelta(days=offset) for offset in moving}
    )


def _ramp(date: dt.date, knots: tuple[tuple[dt.date, float], ...]) -> float:
    days = [knot.toordinal() for knot, _ in knots]
    return float(np.interp(date.toordinal(), days, [value for _, value in knots]))


_ACTIVITY_2020 = (
    (dt.date(2020, 3, 9), 1.0),
    (dt.date(2020, 3, 20), 0.45),
    (dt.date(2020, 4, 20), 0.45),
    (dt.date(2020, 5, 15), 0.68),
    (dt.date(2020, 7, 1), 0.92),
    (dt.date(2020, 9, 15), 0.97),
    (dt.date(2020, 10, 25), 0.92),
    (dt.date(2020, 11, 8), 0.76),
    (dt.date(2020, 12, 15), 0.86),
    (dt.date(2021, 1, 10), 0.80),
    (dt.date(2021, 4, 15), 0.86),
    (dt.date(2021, 7, 1), 0.98),
    (dt.date(2022, 1, 1), 1.0),
)
_FLIGHTS_2020 = (
    (dt.date(2020, 3, 5), 1.0),
    (dt.date(2020, 3, 28), 0.12),
    (dt.date(2020, 6, 10), 0.15),
    (dt.date(2020, 8, 10), 0.52),
    (dt.date(2020, 11, 15), 0.36),
    (dt.date(2021, 4, 15), 0.40),
    (dt.date(2021, 8, 1), 0.72),
    (dt.date(2022, 5, 1), 0.88),
    (dt.date(2023, 5, 1), 0.94),
    (dt.date(2024, 5, 1), 0.97),
)
_SENSITIVITY = {"tro": 1.0, "tnr": 0.6, "ene": 0.35, "ind": 0.4, "ref": 0.3, "shp": 0.25}


def activity(date: dt.date) -> float:
    """Road traffic relative to a normal year: below 1 from March 2020 into 2021."""
    return _ramp(date, _ACTIVITY_2020)


def flight_activity(date: dt.date) -> float:
    """Air traffic relative to 2019."""
    return _ramp(date, _FLIGHTS_2020)


def day_factor(sector: str, date: dt.date, heating: float = 1.0) -> float:
    """Emission of a day relative to the mean of 2019.

    Parameters
    ----------
    sector : str
        One of `SECTORS`.
    date : datetime.date
        Day.
    heating : float
        Factor of homes, from the temperature (see `emissions.heating_factor`).

    Returns
    -------
    float
        Weekday or holiday x season x trend x the dip of 2020.
    """
    factor = weekday_factor(sector, date)
    if sector == "res":
        factor *= heating
    if sector == "ags":
        factor *= _soil_season(date)
    wave = np.cos(2.0 * np.pi * (date.timetuple().tm_yday - 196) / 365.25)
    factor *= 1.0 + SEASONAL.get(sector, 0.0) * float(wave)
    if (date.month, date.day) >= (12, 24) and sector in ("tro", "tnr", "ind"):
        factor *= 0.82
    years = (date - dt.date(2019, 7, 1)).days / 365.25
    factor *= (1.0 + TREND[sector]) ** years
    dip = 1.0 - activity(date)
    return float(factor * (1.0 - _SENSITIVITY.get(sector, 0.0) * dip))


def weekday_factor(sector: str, date: dt.date) -> float:
    """Emission of a weekday, or of a holiday, relative to the mean of the week."""
    weekday = 6 if date in holidays(date.year) else date.weekday()
    return WEEKLY[sector][weekday]


def _soil_season(date: dt.date) -> float:
    """Soils after manuring in spring and in warm weather."""
    day = date.timetuple().tm_yday
    spring = np.exp(-(((day - 105) / 32.0) ** 2))
    warm = np.exp(-(((day - 195) / 60.0) ** 2))
    return float(0.30 + 1.5 * spring + 1.2 * warm)


def hour_factors(sector: str, utc_hour: int, date: dt.date) -> tuple[float, float]:
    """Relative emission at an hour of a day in the clocks of the continent and of the isles.

    Returns
    -------
    tuple of float
        (continent: UTC+1 or +2, British Isles and Portugal: UTC or +1).
    """
    offset = continental_offset(date)
    curve = np.asarray(HOURLY[sector], np.float64)
    curve = curve / curve.mean()
    return float(curve[(utc_hour + offset) % 24]), float(curve[(utc_hour + offset - 1) % 24])


def continental_offset(date: dt.date) -> int:
    """Hours by which the continent's clocks are ahead of UTC: 2 in summer, else 1."""
    is_summer = _last_sunday(date.year, 3) <= date < _last_sunday(date.year, 10)
    return 2 if is_summer else 1


def _last_sunday(year: int, month: int) -> dt.date:
    last = dt.date(year, month, 31)
    return last - dt.timedelta(days=(last.weekday() + 1) % 7)


def to_date(date: np.datetime64) -> dt.date:
    """Convert a numpy date."""
    return dt.date.fromisoformat(str(date.astype("datetime64[D]")))


def month_days(year: int, month: int) -> NDArray[np.datetime64]:
    """All dates of a month."""
    start = np.datetime64(f"{year:04d}-{month:02d}", "M")
    first, last = start.astype("datetime64[D]"), (start + 1).astype("datetime64[D]")
    return np.asarray(first + np.arange(int((last - first) / np.timedelta64(1, "D"))))
