"""The clocks of station files: hours ahead of UTC, or civil time, by country.

Times of parquet files carry no zone. One offset holds for all countries but those that are named:
theirs is another number of hours, or a zone of the tz database whose clocks change in spring and
autumn. What a changing clock leaves out in spring is no time of it; what it shows twice in autumn
is told apart by the order of the rows, and left out where there is only one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from dacno2_s5p.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

PARQUET_OFFSET_HOURS = 1
"""Hours by which the times of parquet files are ahead of UTC."""

HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True)
class Clocks:
    """Clocks of the countries.

    Attributes
    ----------
    offset_hours : int
        Hours ahead of UTC where nothing else is said.
    zones : mapping of str to str
        Of countries, by their code in sampling points (`IT`): hours ahead of UTC (`+1`, `0`) or a
        zone (`Europe/Rome`).

    Raises
    ------
    ConfigurationError
        If a zone is none.
    """

    offset_hours: int = PARQUET_OFFSET_HOURS
    zones: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for country, zone in self.zones.items():
            if self.hours_ahead(country) is None:
                _zone(zone, country)

    def hours_ahead(self, country: str) -> int | None:
        """Return how far a country's clocks are ahead of UTC; None where they change.

        Examples
        --------
        >>> clocks = Clocks(1, {"IT": "Europe/Rome", "PT": "0"})
        >>> clocks.hours_ahead("DE"), clocks.hours_ahead("PT"), clocks.hours_ahead("IT")
        (1, 0, None)
        """
        zone = self.zones.get(country)
        if zone is None:
            return self.offset_hours
        try:
            return int(zone)
        except ValueError:
            return None

    def to_utc(
        self, country: str, starts: NDArray[np.datetime64], groups: ArrayLike, where: str = ""
    ) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
        """Return times in UTC, and which of them are known.

        Parameters
        ----------
        country : str
        starts : ndarray of datetime64, shape (n,)
            Starts of hours as the clock shows them.
        groups : array_like, shape (n,)
            Rows of one group (point and verification) show an hour twice in autumn, the first
            before the clock changes.
        where : str
            For the error.

        Raises
        ------
        DataError
            If a time is one that the clock leaves out, or an hour is there more than twice.
        """
        hours = self.hours_ahead(country)
        if hours is not None:
            return starts - np.timedelta64(hours, "h"), np.ones(starts.size, dtype=bool)
        name = self.zones[country]
        seconds = starts.astype("datetime64[s]")
        first, second = (_offsets(name, country, seconds, fold) for fold in (0, 1))
        is_gap, is_double = first < second, first > second
        if is_gap.any():
            msg = (
                f"Invalid station times {where}. {name} leaves an hour out in spring. Given "
                f"{seconds[is_gap][0]} of {country}, which it does not show. Give another zone for "
                f"{country}."
            )
            raise DataError(msg)
        turn, count = _turns(np.asarray(groups), seconds, is_double)
        if count.max(initial=0) > 2:
            msg = (
                f"Invalid station times {where}. An hour of {name} may be there twice in autumn. "
                f"Given {seconds[count > 2][0]} of {country} {count.max()} times. Leave one file "
                "of these."
            )
            raise DataError(msg)
        ahead = np.where(is_double & (turn == 1), second, first)
        return seconds - ahead, ~(is_double & (count == 1))


def _turns(
    groups: NDArray[np.generic], times: NDArray[np.datetime64], chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the how manieth of its group and time a row is, and how many there are."""
    turn, count = np.zeros(times.size, np.int64), np.zeros(times.size, np.int64)
    place = np.flatnonzero(chosen)
    seen: dict[tuple[object, object], list[int]] = {}
    for i in place:
        seen.setdefault((groups[i], times[i]), []).append(int(i))
    for rows in seen.values():
        turn[rows] = np.arange(len(rows))
        count[rows] = len(rows)
    return turn, count


def _offsets(
    name: str, country: str, times: NDArray[np.datetime64], fold: int
) -> NDArray[np.timedelta64]:
    """Return how far a clock is ahead of UTC at the hours it shows."""
    years = times.astype("datetime64[Y]")
    ahead = np.zeros(times.size, dtype="timedelta64[s]")
    for year in np.unique(years):
        of_year = years == year
        table = _table(name, country, int(str(year)), fold)
        ahead[of_year] = table[((times[of_year] - year.astype("datetime64[s]")) // HOUR)]
    return ahead


@lru_cache(maxsize=64)
def _table(name: str, country: str, year: int, fold: int) -> NDArray[np.timedelta64]:
    zone, start = _zone(name, country), datetime(year, 1, 1, tzinfo=UTC)
    hours = (datetime(year + 1, 1, 1, tzinfo=UTC) - start) // timedelta(hours=1)
    shown = [(start + timedelta(hours=h)).replace(tzinfo=zone, fold=fold) for h in range(hours)]
    ahead = [(time.utcoffset() or timedelta()).total_seconds() for time in shown]
    return np.array(ahead, dtype=np.int64).astype("timedelta64[s]")


def _zone(name: str, country: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        msg = (
            f"Invalid clock of {country}. It must be hours ahead of UTC or a zone of the tz "
            f"database. Given {name!r}. Write for example IT=Europe/Rome or IT=+1."
        )
        raise ConfigurationError(msg) from error


def changes_of(year: int) -> tuple[np.datetime64, np.datetime64]:
    """Return when clocks change in the European Union, in UTC: in spring, and in autumn.

    Examples
    --------
    >>> [str(time) for time in changes_of(2019)]
    ['2019-03-31T01', '2019-10-27T01']
    """
    ends = (np.datetime64(f"{year}-{month}-31", "D") for month in ("03", "10"))
    # 1970-01-01 was a Thursday: days since the last Sunday
    spring, autumn = (end - (int(end.astype(np.int64)) + 4) % 7 for end in ends)
    return spring.astype("datetime64[h]") + 1, autumn.astype("datetime64[h]") + 1
