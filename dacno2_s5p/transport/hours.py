"""When sectors emit: factors of the hour and of the weekday, and whose clock counts.

References
----------
.. [1] Denier van der Gon, H., C. Hendriks, J. Kuenen, A. Segers and A. Visschedijk (2011),
   Description of current temporal emission patterns and sensitivity of predicted AQ for temporal
   emission patterns, TNO report, EU FP7 MACC deliverable D_D-EMIS_1.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOURS_OF_DAY = 24

# fmt: off
_POWER = (  # SNAP 1
    0.79, 0.72, 0.72, 0.71, 0.74, 0.80, 0.92, 1.08, 1.19, 1.22, 1.21, 1.21,
    1.17, 1.15, 1.14, 1.13, 1.10, 1.07, 1.04, 1.02, 1.02, 1.01, 0.96, 0.88,
)
_RESIDENTIAL = (  # SNAP 2
    0.38, 0.36, 0.36, 0.36, 0.37, 0.50, 1.19, 1.53, 1.57, 1.56, 1.35, 1.16,
    1.07, 1.06, 1.00, 0.98, 0.99, 1.12, 1.41, 1.52, 1.39, 1.35, 1.00, 0.42,
)
_INDUSTRY = (  # SNAP 3
    0.75, 0.75, 0.78, 0.82, 0.88, 0.95, 1.02, 1.09, 1.16, 1.22, 1.28, 1.30,
    1.22, 1.24, 1.25, 1.16, 1.08, 1.01, 0.95, 0.90, 0.85, 0.81, 0.78, 0.75,
)
_ROAD = (  # SNAP 7 and 8
    0.19, 0.09, 0.06, 0.05, 0.09, 0.22, 0.86, 1.84, 1.86, 1.41, 1.24, 1.20,
    1.32, 1.44, 1.45, 1.59, 2.03, 2.08, 1.51, 1.06, 0.74, 0.62, 0.61, 0.44,
)
_SOIL = (  # SNAP 10
    0.60, 0.60, 0.60, 0.60, 0.60, 0.65, 0.75, 0.90, 1.10, 1.35, 1.45, 1.60,
    1.65, 1.75, 1.70, 1.55, 1.35, 1.10, 0.90, 0.75, 0.65, 0.60, 0.60, 0.60,
)
# fmt: on
_EVEN = (1.0,) * HOURS_OF_DAY
_WORKING_WEEK = (1.08, 1.08, 1.08, 1.08, 1.08, 0.80, 0.80)
_EVEN_WEEK = (1.0,) * 7


class Habit(NamedTuple):
    """Factors of a sector, each with the mean 1 to a per cent.

    Attributes
    ----------
    hours : tuple of float
        Of the 24 hours by the local clock; the first is 0-1 h.
    weekdays : tuple of float
        From Monday on.
    """

    hours: tuple[float, ...]
    weekdays: tuple[float, ...]


EVEN = Habit(_EVEN, _EVEN_WEEK)
"""Sectors that are not named."""

HABITS = {
    "nox_road": Habit(_ROAD, (1.02, 1.06, 1.08, 1.10, 1.14, 0.81, 0.79)),
    # machinery: SNAP 8 has the hours of road traffic, and stands still at weekends as industry
    "nox_off_road": Habit(_ROAD, _WORKING_WEEK),
    "nox_power": Habit(_POWER, (1.06, 1.06, 1.06, 1.06, 1.06, 0.85, 0.85)),
    "nox_industry": Habit(_INDUSTRY, _WORKING_WEEK),
    "nox_residential": Habit(_RESIDENTIAL, _WORKING_WEEK),
    "nox_agricultural_soils": Habit(_SOIL, _EVEN_WEEK),
}
"""By row of the table of inputs [1]_; ships, refineries and waste are even. Homes do not rest on
Saturdays, but offices do, and SNAP 2 is both."""


def continental_offset(time: np.datetime64) -> int:
    """Return the hours of Central Europe's clock ahead of UTC: 2 in summer, else 1.

    Examples
    --------
    >>> [continental_offset(np.datetime64(t)) for t in ("2019-03-31T00", "2019-03-31T01")]
    [1, 2]
    >>> [continental_offset(np.datetime64(t)) for t in ("2019-10-27T00", "2019-10-27T01")]
    [2, 1]
    """
    year = int(str(time)[:4])
    start, end = (_last_sunday(year, month) + np.timedelta64(1, "h") for month in (3, 10))
    return 2 if start <= time.astype("datetime64[h]") < end else 1


def _last_sunday(year: int, month: int) -> np.datetime64:
    last = np.datetime64(f"{year}-{month + 1:02d}-01", "D") - np.timedelta64(1, "D")
    # 1970-01-01 was a Thursday
    after_sunday = (int(last.astype(np.int64)) + 4) % 7
    sunday: np.datetime64 = (last - np.timedelta64(after_sunday, "D")).astype("datetime64[h]")
    return sunday


def factor(habit: Habit, time: np.datetime64, offset: int) -> float:
    """Return the emission of the hour that ends at a stamp over the mean one.

    Parameters
    ----------
    habit : Habit
    time : datetime64
        End of the hour [UTC].
    offset : int
        Of the local clock against UTC [h].

    Examples
    --------
    >>> factor(HABITS["nox_road"], np.datetime64("2019-07-01T06"), 2)  # Monday, 7-8 h
    1.8768
    """
    begin = time.astype("datetime64[h]") + np.timedelta64(offset - 1, "h")
    day = begin.astype("datetime64[D]")
    hour = int((begin - day) / np.timedelta64(1, "h"))
    weekday = (int(day.astype(np.int64)) + 3) % 7
    return habit.hours[hour] * habit.weekdays[weekday]


def share_on_western_clock(
    longitude: NDArray[np.floating], latitude: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Say which places have the clock of the British Isles, an hour behind the continent's.

    North of 50 N and west of 1.5 E: all of the isles but a few towns of East Anglia, nothing of
    the continent.
    """
    return ((latitude > 50.0) & (longitude < 1.5)).astype(np.float32)
