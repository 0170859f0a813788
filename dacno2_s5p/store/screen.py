"""Screening of targets: distributions by level and year, and the years that do not fit.

The paper leaves 2020 out of training because its reanalysis differs above 1000 m (section 4.4).
Here each year's distribution is compared with each other year's over the months both have: the
Kolmogorov-Smirnov distance of two distributions is the largest difference of their cumulative
shares. A year is named where its median distance to the others is large, and larger than the
others have among themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dacno2_s5p.store.store import Store

BINS = np.concatenate([[0.0], np.geomspace(1e-4, 1e3, 281)])
"""Edges of the histogram [ug m-3], 40 in a decade; lower values are in the first."""

LEAST_DISTANCE = 0.1
"""Smaller distances are weather."""

RATIO = 2.0
"""An outlier's distance is at least so many times the median among the other years."""

LEAST_YEARS = 3
"""With fewer years none can be told to be the odd one."""

QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class LevelYear:
    """Targets of a level in a year.

    Attributes
    ----------
    height : float
        Above ground [m].
    year, n_day : int
    mean : float
        Mean [ug m-3].
    quantiles : tuple of float
        5 %, median, 95 % [ug m-3], from the histogram.
    distance : float
        Median distance to the other years' distributions, NaN without any.
    is_outlier : bool
    """

    height: float
    year: int
    n_day: int
    mean: float
    quantiles: tuple[float, ...]
    distance: float
    is_outlier: bool


def screen(store: Store, progress: Callable[[int, int], None] | None = None) -> list[LevelYear]:
    """Compare the targets' distributions by level and year.

    Parameters
    ----------
    store : Store
        With targets.
    progress : callable, optional
        Called with days done and their number.

    Returns
    -------
    list of LevelYear
        By height, then year.
    """
    heights = store.preparation.heights
    n_level = len(heights)
    counts: dict[int, NDArray[np.int64]] = {}
    sums: dict[int, NDArray[np.float64]] = {}
    days: dict[int, int] = {}
    for i, day in enumerate(store.days):
        year, month = int(str(day)[:4]), int(str(day)[5:7])
        field = store.cams_field(i).reshape(n_level, -1)
        of_year = counts.setdefault(year, np.zeros((n_level, 12, BINS.size), np.int64))
        for level, values in enumerate(field):
            place = np.searchsorted(BINS, values, side="right") - 1
            of_year[level, month - 1] += np.bincount(place, minlength=BINS.size)
        sums[year] = sums.get(year, np.zeros(n_level)) + field.mean(axis=1, dtype=np.float64)
        days[year] = days.get(year, 0) + 1
        if progress is not None:
            progress(i + 1, store.n_day)
    return [
        row
        for level, height in enumerate(heights)
        for row in _level_rows(
            height,
            {year: count[level] for year, count in counts.items()},
            {year: float(sums[year][level] / days[year]) for year in counts},
            days,
        )
    ]


def _level_rows(
    height: float,
    counts: dict[int, NDArray[np.int64]],
    means: dict[int, float],
    days: dict[int, int],
) -> list[LevelYear]:
    years = sorted(counts)
    apart = {(a, b): distance(counts[a], counts[b]) for a in years for b in years if a != b}
    rows = []
    for year in years:
        own = _median([apart[year, b] for b in years if b != year])
        others = _median([d for (a, b), d in apart.items() if year not in (a, b)])
        is_outlier = len(years) >= LEAST_YEARS and own >= LEAST_DISTANCE and own >= RATIO * others
        rows.append(
            LevelYear(
                height,
                year,
                days[year],
                means[year],
                _quantiles(counts[year].sum(axis=0)),
                own,
                bool(is_outlier),
            )
        )
    return rows


def distance(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Kolmogorov-Smirnov distance of two years, shape (12, n_bin), over the months both have.

    Each month has the same weight in both; NaN without a common month.
    """
    both = (a.sum(axis=1) > 0) & (b.sum(axis=1) > 0)
    if not both.any():
        return float("nan")
    shares = [(c[both] / c[both].sum(axis=1, keepdims=True)).mean(axis=0) for c in (a, b)]
    return float(np.abs(np.cumsum(shares[0]) - np.cumsum(shares[1])).max())


def _median(values: list[float]) -> float:
    finite = [v for v in values if np.isfinite(v)]
    return float(np.median(finite)) if finite else float("nan")


def _quantiles(counts: NDArray[np.int64]) -> tuple[float, ...]:
    """Upper edges of the bins that hold the quantiles [ug m-3]."""
    cumulative = np.cumsum(counts) / counts.sum()
    places = [int(np.searchsorted(cumulative, q)) for q in QUANTILES]
    return tuple(float(BINS[min(p + 1, BINS.size - 1)]) for p in places)


def sentences(rows: list[LevelYear]) -> list[str]:
    """Say what was found, one line for each outlying year.

    Examples
    --------
    >>> rows = [
    ...     LevelYear(2000.0, year, 365, 0.2, (0.1, 0.2, 0.4), 0.4, year == 2020)
    ...     for year in (2019, 2020, 2021)
    ... ]
    >>> sentences(rows)
    ['2020 differs from the other years at 2000 m (distance 0.40)']
    """
    found: dict[int, list[LevelYear]] = {}
    for row in rows:
        if row.is_outlier:
            found.setdefault(row.year, []).append(row)
    years = {row.year for row in rows}
    if len(years) < LEAST_YEARS:
        return [f"{len(years)} year(s): at least {LEAST_YEARS} are needed to name an outlier"]
    return [
        f"{year} differs from the other years at "
        f"{', '.join(f'{r.height:g}' for r in of_year)} m (distance "
        f"{max(r.distance for r in of_year):.2f})"
        for year, of_year in sorted(found.items())
    ]
