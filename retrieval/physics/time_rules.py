"""Which fields of a set belong to which scanline, by one time rule.

NO2 near the ground follows the clock, so that a field of another hour is another profile: one rule
for all sets that are compared, nothing bridged that is missing (docs/equations.md 5; decision D8).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Times = NDArray[np.datetime64]
    _Found = tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.bool_]]

HOUR = np.timedelta64(3_600_000, "ms")
DAY = np.timedelta64(86_400_000, "ms")
OVERPASS_HOURS = (11, 12, 13)
"""UTC stamps whose mean is the overpass profile (the paper, section 4.3; decision D8)."""
OVERPASS_WINDOW = (10, 15)
"""UTC hours of the pixels that the overpass mean serves."""
DAILY_TOLERANCE = 3 * HOUR
"""A field that stands for a day serves pixels this near to its time."""
LARGEST_GAP = 6 * HOUR
"""Nothing is interpolated over more: NO2 at noon is not halfway between two midnights."""
FARTHEST_FIELD = 12 * HOUR
"""With no field nearer than this to any pixel, set and orbit do not belong together."""


class TimeRule(StrEnum):
    """How fields are brought to the time of a pixel (docs/equations.md 5)."""

    OVERPASS_MEAN = "overpass-mean"
    """Mean of the fields stamped 11, 12 and 13 UTC of the pixel's date."""
    LINEAR = "linear"
    """Linear between the two fields that enclose the pixel's time."""
    NEAREST = "nearest"
    """The field nearest in time."""
    DAILY = "daily"
    """One field a day, for pixels of that date within three hours of its time."""


@dataclass(frozen=True)
class TimeWeights:
    """Fields and weights of each scanline.

    Attributes
    ----------
    index : ndarray of int, shape (n_scanline, k)
        Indices into the set's times.
    weight : ndarray, shape (n_scanline, k)
        Weights, summing to 1 where `is_served`, else 0.
    is_served : ndarray of bool, shape (n_scanline,)
        False where the set has no field for the scanline (flag 6).
    """

    index: NDArray[np.intp]
    weight: NDArray[np.float64]
    is_served: NDArray[np.bool_]


def time_weights(times: Times, rule: TimeRule, scanline_times: Times) -> TimeWeights:
    """Apply a time rule to the scanlines of an orbit.

    Parameters
    ----------
    times : ndarray of datetime64[ms], shape (n_time,)
        Stamps of the set, ascending.
    rule : TimeRule
        The rule.
    scanline_times : ndarray of datetime64[ms], shape (n_scanline,)
        Measurement times, NaT where missing.

    Returns
    -------
    TimeWeights

    Examples
    --------
    >>> hours = np.array(["2023-06-01T11", "2023-06-01T12", "2023-06-01T13"], "datetime64[ms]")
    >>> orbit = np.array(["2023-06-01T11:15"], "datetime64[ms]")
    >>> time_weights(hours, TimeRule.LINEAR, orbit).weight.tolist()
    [[0.75, 0.25]]
    >>> time_weights(hours, TimeRule.OVERPASS_MEAN, orbit).weight.round(3).tolist()
    [[0.333, 0.333, 0.333]]
    """
    kernel = {
        TimeRule.OVERPASS_MEAN: _overpass_mean,
        TimeRule.LINEAR: _linear,
        TimeRule.NEAREST: _nearest,
        TimeRule.DAILY: _daily,
    }[rule]
    is_timed = ~np.isnat(scanline_times)
    index, weight, is_served = kernel(times, np.where(is_timed, scanline_times, times[0]))
    is_served &= is_timed
    return TimeWeights(index, np.where(is_served[:, None], weight, 0.0), is_served)


def fields_in_use(times: Times, rules: Iterable[TimeRule], scanline_times: Times) -> list[int]:
    """Return the indices of the fields that any scanline asks for by one of the rules."""
    used: set[int] = set()
    for rule in rules if times.size else ():
        found = time_weights(times, rule, scanline_times)
        used |= set(found.index[found.weight > 0].tolist())
    return sorted(used)


def nearest_distance(times: Times, scanline_times: Times) -> np.timedelta64:
    """Smallest distance in time between any field and any scanline."""
    valid = scanline_times[~np.isnat(scanline_times)]
    if valid.size == 0 or times.size == 0:
        return np.timedelta64("NaT", "ms")
    i, _ = _nearest_index(times, valid)
    distance: np.timedelta64 = np.abs(times[i] - valid).min()
    return distance


def _nearest_index(times: Times, at: Times) -> tuple[NDArray[np.intp], NDArray[np.timedelta64]]:
    right = np.clip(np.searchsorted(times, at), 1, max(times.size - 1, 1))
    left = right - 1
    right = np.minimum(right, times.size - 1)
    index = np.where(np.abs(times[right] - at) < np.abs(at - times[left]), right, left)
    return index, np.abs(times[index] - at)


def _typical_step(times: Times) -> np.timedelta64:
    if times.size < 2:
        return 2 * DAILY_TOLERANCE
    return np.timedelta64(int(np.median(np.diff(times).astype(np.int64))), "ms")


def _overpass_mean(times: Times, at: Times) -> _Found:
    day = at.astype("datetime64[D]").astype("datetime64[ms]")
    since_midnight = at - day
    is_served = (since_midnight >= OVERPASS_WINDOW[0] * HOUR) & (
        since_midnight <= OVERPASS_WINDOW[1] * HOUR
    )
    index = np.zeros((at.size, len(OVERPASS_HOURS)), dtype=np.intp)
    for k, hour in enumerate(OVERPASS_HOURS):
        wanted = day + hour * HOUR
        index[:, k] = np.minimum(np.searchsorted(times, wanted), times.size - 1)
        is_served &= times[index[:, k]] == wanted
    return index, np.full(index.shape, 1.0 / len(OVERPASS_HOURS)), is_served


def _linear(times: Times, at: Times) -> _Found:
    if times.size == 1:
        return np.zeros((at.size, 1), np.intp), np.ones((at.size, 1)), at == times[0]
    right = np.clip(np.searchsorted(times, at, side="right"), 1, times.size - 1)
    gap = times[right] - times[right - 1]
    fraction = (at - times[right - 1]) / gap
    # A missing field is not bridged: it leaves a gap of twice the usual step.
    is_served = (fraction >= 0) & (fraction <= 1)
    is_served &= (gap < 2 * _typical_step(times)) & (gap <= LARGEST_GAP)
    return (
        np.stack([right - 1, right], axis=1),
        np.stack([1.0 - fraction, fraction], axis=1),
        is_served,
    )


def _nearest(times: Times, at: Times) -> _Found:
    index, distance = _nearest_index(times, at)
    is_served = distance <= min(_typical_step(times) / 2, DAILY_TOLERANCE)
    return index[:, None], np.ones((at.size, 1)), is_served


def _daily(times: Times, at: Times) -> _Found:
    index, distance = _nearest_index(times, at)
    same_date = times[index].astype("datetime64[D]") == at.astype("datetime64[D]")
    return index[:, None], np.ones((at.size, 1)), same_date & (distance <= DAILY_TOLERANCE)
