"""One value for each hour of a sampling point, from all files that have one.

The same hour comes in verified and in up-to-date files, in parquet and in CSV, and repeatedly in
one file. A better `Verification` is used before a worse one, also where it says that the hour is
not valid; of one verification a valid value before none. Equal values are one. Values that differ
and that nothing ranks are refused.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.stations.clocks import HOUR, changes_of
from dacno2_s5p.sources.stations.files import VERIFICATIONS, Hours
from retrieval.files.candidates import PassedOver, choose_each

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.files.candidates import Choices

SAME_VALUE = 1e-3
"""Values of one hour are equal to this [ug m-3]: files print them with different digits."""

_NONE = 255
"""Place of an hour that no file has."""

_WORDS = ("verified", "preliminary", "not verified")


@dataclass
class _Layer:
    """Hours of a point: value, place of its rank, and the file it is from."""

    values: NDArray[np.float32]
    places: NDArray[np.uint8]
    files: NDArray[np.int16]

    @classmethod
    def empty(cls, n_hour: int) -> _Layer:
        values = np.full(n_hour, np.nan, np.float32)
        return cls(values, np.full(n_hour, _NONE, np.uint8), np.zeros(n_hour, np.int16))


class Double(NamedTuple):
    """Two files (or one) with different values of one rank for an hour of a point."""

    point: str
    hour: int
    files: tuple[int, int]
    values: tuple[float, float]


@dataclass
class YearSeries:
    """The hours of a year, filled file by file; the order of the files changes nothing.

    Attributes
    ----------
    year : int
    countries : dict of str to str
        Country of each point.
    """

    year: int
    countries: dict[str, str] = field(default_factory=dict)
    _files: list[Path] = field(default_factory=list)
    _stated: dict[str, _Layer] = field(default_factory=dict)
    _unstated: dict[str, _Layer] = field(default_factory=dict)
    _doubles: dict[tuple[str, int, int], Double] = field(default_factory=dict)
    _passed: dict[tuple[int, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    _n_passed: dict[tuple[int, int], int] = field(default_factory=lambda: defaultdict(int))

    @property
    def start(self) -> np.datetime64:
        """First hour."""
        return np.datetime64(f"{self.year}-01-01T00", "h")

    @property
    def n_hour(self) -> int:
        """Hours of the year."""
        return int((np.datetime64(f"{self.year + 1}-01-01T00", "h") - self.start) / HOUR)

    def add(self, file: Path, hours: Hours) -> None:
        """Add what a file has of a point."""
        index = (hours.ends - self.start).astype("timedelta64[h]").astype(np.int64)
        inside = (index >= 0) & (index < self.n_hour)
        if not inside.any():
            return
        if file not in self._files:
            self._files.append(file)
        self.countries[hours.sampling_point] = hours.country
        number = self._files.index(file)
        is_stated = np.isin(hours.verification, VERIFICATIONS)
        for layers, chosen in (
            (self._stated, inside & is_stated),
            (self._unstated, inside & ~is_stated & np.isfinite(hours.values)),
        ):
            if chosen.any():
                empty = _Layer.empty(self.n_hour)
                layer = layers.setdefault(hours.sampling_point, empty)
                rank = np.where(is_stated, hours.verification - 1, 0)[chosen]
                values = hours.values[chosen]
                places = 2 * rank + np.isnan(values)
                self._merge(layer, hours.sampling_point, number, index[chosen], places, values)

    def _merge(
        self,
        layer: _Layer,
        point: str,
        number: int,
        index: NDArray[np.int64],
        places: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> None:
        each = choose_each(index, places, values, SAME_VALUE)
        for one, other in each.rivals:
            self._double(point, int(index[one]), int(places[one]), (number, number),
                         (values[one], values[other]))  # fmt: skip
        self._count(point, values[each.passed_over], index[each.passed_over], number, number)
        hour, place, value = index[each.rows], places[each.rows], values[each.rows]
        held, held_place, held_file = layer.values[hour], layer.places[hour], layer.files[hour]
        differs = np.abs(held - value) > SAME_VALUE
        for i in np.flatnonzero((place == held_place) & differs):
            files, pair = (int(held_file[i]), number), (float(held[i]), float(value[i]))
            self._double(point, int(hour[i]), int(place[i]), files, pair)
        is_better, is_worse = place < held_place, place > held_place
        for i in np.flatnonzero(is_better & np.isfinite(held) & differs):
            self._count(point, held[[i]], hour[[i]], number, int(held_file[i]))
        for i in np.flatnonzero(is_worse & np.isfinite(value)):
            self._count(point, value[[i]], hour[[i]], int(held_file[i]), number)
        layer.values[hour[is_better]] = value[is_better]
        layer.places[hour[is_better]] = place[is_better]
        layer.files[hour[is_better]] = number

    def _count(
        self,
        point: str,
        values: NDArray[np.floating],
        _hours: NDArray[np.int64],
        winner: int,
        loser: int,
    ) -> None:
        n = int(np.isfinite(values).sum())
        if n:
            self._passed[winner, loser].add(point)
            self._n_passed[winner, loser] += n

    def _double(
        self, point: str, hour: int, place: int, files: tuple[int, int], pair: tuple[float, float]
    ) -> None:
        self._doubles.setdefault((point, hour, place), Double(point, hour, files, pair))

    def values(self, choices: Choices) -> dict[str, NDArray[np.float32]]:
        """Return the hours of each point, NaN where there is no valid value.

        Raises
        ------
        DataError
            If two values of an hour differ and nothing ranks them.
        """
        self._refuse_doubles()
        for point, layer in self._unstated.items():
            if point not in self._stated:
                self._stated[point] = layer
                continue
            stated = self._stated[point]
            both = (stated.places < _NONE) & (layer.places < _NONE)
            differs = both & ~(np.abs(stated.values - layer.values) <= SAME_VALUE)
            if differs.any():
                hour = int(np.flatnonzero(differs)[0])
                files = int(stated.files[hour]), int(layer.files[hour])
                pair = float(stated.values[hour]), float(layer.values[hour])
                self._refuse(Double(point, hour, files, pair))
            fresh = (stated.places == _NONE) & (layer.places < _NONE)
            stated.values[fresh] = layer.values[fresh]
        self._tell(choices)
        return {point: layer.values for point, layer in self._stated.items()}

    def _tell(self, choices: Choices) -> None:
        n_hour = sum(self._n_passed.values())
        if not n_hour:
            return
        pairs = sorted({tuple(self._files[i].name for i in pair) for pair in self._passed})
        points = set().union(*self._passed.values())
        shown = ", ".join(f"{loser} by {winner}" for winner, loser in pairs[:3])
        rest = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
        left = PassedOver(
            f"{n_hour} hours of {len(points)} points that are less so", f"{shown}{rest}"
        )
        what = f"NO2 of EEA in {self.year}"
        choices.keep(what, f"the best verified values ({' before '.join(_WORDS)})", [left])

    def _refuse_doubles(self) -> None:
        for (point, hour, place), double in sorted(self._doubles.items()):
            layers = (self._stated.get(point), self._unstated.get(point))
            if any(layer is not None and layer.places[hour] == place for layer in layers):
                self._refuse(double)

    def _refuse(self, double: Double) -> None:
        end = self.start + double.hour
        one, other = sorted(
            zip((self._files[i] for i in double.files), double.values, strict=True), key=str
        )
        country = self.countries.get(double.point, "")
        hint = "Leave one file of these."
        if country and self._is_change(end):
            hint = (
                f"Clocks go back that night: give the zone of {country} "
                f"(--station-zone {country}=ZONE), if its times are civil ones."
            )
        msg = (
            f"Two values of NO2 of {double.point} for one hour. They must be equal, or be ranked "
            f"by Verification. Given {one[1]:g} in {one[0]} and {other[1]:g} in {other[0]} for the "
            f"hour to {end} UTC. {hint}"
        )
        raise DataError(msg)

    def _is_change(self, end: np.datetime64) -> bool:
        _, autumn = changes_of(self.year)
        return bool(abs(end - autumn) <= 3 * HOUR)

    def civil_times(self, fixed: set[str]) -> Iterator[str]:
        """Say which countries, read as if at a fixed offset, seem to have civil times.

        All of their points that have the hours around lack the one that clocks leave out in spring.
        """
        spring = int((changes_of(self.year)[0] - self.start) / HOUR)
        by_country: dict[str, list[NDArray[np.bool_]]] = defaultdict(list)
        for point, layer in self._stated.items():
            there = layer.places < _NONE
            if point in self._unstated:
                there |= self._unstated[point].places < _NONE
            by_country[self.countries[point]].append(there)
        for country in sorted(fixed & set(by_country)):
            there = np.stack(by_country[country])
            # ends of hours; clocks east and west of Greenwich leave out another one of the UTC day
            for hour in range(spring - 1, spring + 4):
                around = there[:, hour - 1] & there[:, hour + 1]
                if around.any() and not (there[:, hour] & around).any():
                    whose = country or "files without a country"
                    yield (
                        f"the hour to {self.start + hour} UTC is missing at all {around.sum()} "
                        f"points of {whose}, as clocks of civil time have it: give its zone "
                        f"(--station-zone {country or 'COUNTRY'}=ZONE) if its times are civil ones"
                    )
                    break
