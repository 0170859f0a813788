"""Profiles of a-priori sets beside measured ones: by height, hour and season.

A measured profile is that of an hour: the mean of what lies in it. A set is read at the station, at
the middle of the hour, in the layers of the measurement, and smoothed with its kernel where the
file has one, x_a + A (x - x_a) (Rodgers and Connor, J. Geophys. Res. 108, 4116, 2003, doi
10.1029/2002JD002299), so that the difference does not hold what the instrument cannot see.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from retrieval.validation.pair_scores import season
from retrieval.validation.station_sets import DaySets, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from retrieval.typing import Float
    from retrieval.validation.ground_columns import GroundColumns

CORNERS = 0.005 * np.array([-1.0, -1.0, 1.0, 1.0]), 0.005 * np.array([-1.0, 1.0, 1.0, -1.0])
"""A small quadrilateral where there is no pixel [degree]."""

LEAST = 3
"""Profiles that a correlation needs."""


@dataclass(frozen=True)
class ProfilePair:
    """The profile of an hour at a station, measured and of each set [mol m-2 in a layer].

    Attributes
    ----------
    hour : datetime64[h]
        Begin of the hour, UTC.
    n : int
        Measurements in it.
    edges : ndarray, shape (layer + 1,)
        Above ground [m].
    reference : ndarray, shape (layer,)
    sets : dict of str to ndarray, shape (layer,)
    is_smoothed : bool
        Whether the sets went through the measurement's kernel.
    """

    station: str
    network: str
    hour: np.datetime64
    n: int
    edges: Float
    reference: Float
    sets: dict[str, Float]
    is_smoothed: bool


class LayerScore(NamedTuple):
    """Numbers of a layer: means [mol m-2], relative difference [%], correlation."""

    scope: str
    product: str
    height_low: float
    height_high: float
    n: int
    mean_reference: float
    mean_difference: float
    relative_difference: float
    pearson: float


def pair_profiles(ground: Sequence[GroundColumns], sets: Mapping[str, Path]) -> list[ProfilePair]:
    """Pair the hours of measured profiles with the sets that serve them, all of them.

    Parameters
    ----------
    ground : sequence of GroundColumns
        Usable measurements; those without a profile do not count.
    sets : mapping of str to Path
        Files or folders by name.
    """
    return [pair for series in ground for pair in _of_series(series, sets)]


def _of_series(series: GroundColumns, sets: Mapping[str, Path]) -> Iterator[ProfilePair]:
    if series.partial_column is None or series.layer_edges is None:
        return
    whole = series.take(np.flatnonzero(np.isfinite(series.partial_column).all(axis=1)))
    hours = whole.time.astype("datetime64[h]")
    for day in np.unique(hours.astype("datetime64[D]")):
        with closing(DaySets(sets)) as opened:
            for hour in np.unique(hours[hours.astype("datetime64[D]") == day]):
                chosen = whole.take(np.flatnonzero(hours == hour))
                pair = _of_hour(chosen, hour, opened, tuple(sets))
                if pair is not None:
                    yield pair


def _of_hour(
    series: GroundColumns, hour: np.datetime64, opened: DaySets, names: tuple[str, ...]
) -> ProfilePair | None:
    if series.partial_column is None or series.layer_edges is None:
        return None
    latitude, longitude = CORNERS
    place = Place(
        series.latitude,
        series.longitude,
        (series.latitude + latitude, series.longitude + longitude),
        hour.astype("datetime64[ms]") + np.timedelta64(30, "m"),
        float("nan"),
    )
    edges = series.layer_edges[0]
    found = opened.at(place, edges)
    if set(found) != set(names):
        return None
    kernel, apriori = series.profile_kernel, series.apriori
    is_smoothed = kernel is not None and apriori is not None
    profiles = {name: values.at_station for name, values in found.items()}
    if kernel is not None and apriori is not None:
        a, x_a = kernel.mean(axis=0), apriori.mean(axis=0)
        profiles = {name: x_a + a @ (x - x_a) for name, x in profiles.items()}
    reference = series.partial_column.mean(axis=0)
    return ProfilePair(
        *(series.station, series.network, hour, len(series), edges, reference, profiles),
        is_smoothed,
    )


def score_profiles(pairs: Sequence[ProfilePair]) -> list[LayerScore]:
    """Score each set by layer: in all, by hour of the day, by season and by station.

    Only profiles on the layers of the first are scored together.
    """
    found: list[LayerScore] = []
    for edges in {tuple(p.edges.round(1)): p.edges for p in pairs}.values():
        alike = [p for p in pairs if p.edges.shape == edges.shape and np.allclose(p.edges, edges)]
        groups: dict[str, list[ProfilePair]] = {}
        for pair in alike:
            for scope in (
                "all",
                f"hour:{str(pair.hour)[11:13]}",
                f"season:{season(pair.hour)}",
                f"station:{pair.station}",
            ):
                groups.setdefault(scope, []).append(pair)
        for scope, chosen in groups.items():
            reference = np.array([p.reference for p in chosen])
            for name in chosen[0].sets:
                values = np.array([p.sets[name] for p in chosen])
                found += _layers(scope, name, edges, values, reference)
    return found


def _layers(
    scope: str, name: str, edges: Float, values: Float, reference: Float
) -> Iterator[LayerScore]:
    for k in range(edges.size - 1):
        x, y = values[:, k], reference[:, k]
        difference, mean = float((x - y).mean()), float(y.mean())
        varies = x.size >= LEAST and np.ptp(x) > 0 and np.ptp(y) > 0
        yield LayerScore(
            *(scope, name, float(edges[k]), float(edges[k + 1]), x.size, mean, difference),
            100.0 * difference / mean if mean else float("nan"),
            float(np.corrcoef(x, y)[0, 1]) if varies else float("nan"),
        )
