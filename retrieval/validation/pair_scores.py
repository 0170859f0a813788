"""What pairs say of each a priori: medians, dispersions, slopes, with intervals over days.

The numbers are those of the S5P validation (Verhoelst et al., AMT 14, 481, 2021): the median
difference and the median relative difference, the dispersion as half of the 16-84 interpercentile
(IP68/2), correlations and slopes. Intervals draw days with replacement, since pairs of one day
share weather and retrieval errors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from retrieval.typing import Float
    from retrieval.validation.pair import Pair

PMOLEC = 1e15 / MOLEC_CM2_PER_MOL_M2
"""1e15 molecules cm-2 [mol m-2]."""

CLEAN, POLLUTED = 3.0 * PMOLEC, 14.0 * PMOLEC
"""Limits of the classes of pollution, by the reference [mol m-2]."""

LEAST = 3
"""Pairs that a statistic needs."""

SEASONS = ("DJF", "MAM", "JJA", "SON")


class Score(NamedTuple):
    """A row of `scores.csv`: a number with its 95 % interval; columns in mol m-2."""

    scope: str
    product: str
    statistic: str
    value: float
    low: float
    high: float
    n: int


def median_difference(satellite: Float, reference: Float) -> float:
    """Return the median of satellite minus reference."""
    return float(np.median(satellite - reference))


def median_relative_difference(satellite: Float, reference: Float) -> float:
    """Return the median difference over the median reference [%]."""
    return float(100.0 * np.median(satellite - reference) / np.median(reference))


def mean_difference(satellite: Float, reference: Float) -> float:
    """Return the mean of satellite minus reference."""
    return float(np.mean(satellite - reference))


def dispersion(satellite: Float, reference: Float) -> float:
    """Return half of the 16-84 interpercentile of the differences: one sigma if they are normal.

    Examples
    --------
    >>> x = np.linspace(-1.0, 1.0, 101)
    >>> round(dispersion(x, 0.0 * x), 2)
    0.68
    """
    low, high = np.percentile(satellite - reference, (16.0, 84.0))
    return float(0.5 * (high - low))


def root_mean_square(satellite: Float, reference: Float) -> float:
    """Return the root mean square of the differences."""
    return float(np.sqrt(np.mean((satellite - reference) ** 2)))


def pearson(satellite: Float, reference: Float) -> float:
    """Return the linear correlation, NaN where one of them does not vary."""
    if np.ptp(satellite) == 0.0 or np.ptp(reference) == 0.0:
        return float("nan")
    return float(np.corrcoef(satellite, reference)[0, 1])


def spearman(satellite: Float, reference: Float) -> float:
    """Return the correlation of ranks."""
    return pearson(stats.rankdata(satellite), stats.rankdata(reference))


def slope(satellite: Float, reference: Float) -> float:
    """Return the least-squares slope of satellite on reference, with intercept."""
    spread = reference - reference.mean()
    square = float(spread @ spread)
    return float(spread @ satellite) / square if square > 0.0 else float("nan")


def robust_slope(satellite: Float, reference: Float) -> float:
    """Return the Theil-Sen slope: the median slope of all pairs of points."""
    if np.ptp(reference) == 0.0:
        return float("nan")
    return float(stats.theilslopes(satellite, reference).slope)


STATISTICS: dict[str, Callable[[Float, Float], float]] = {
    "median_difference": median_difference,
    "median_relative_difference": median_relative_difference,
    "mean_difference": mean_difference,
    "dispersion": dispersion,
    "root_mean_square": root_mean_square,
    "pearson": pearson,
    "spearman": spearman,
    "slope": slope,
    "robust_slope": robust_slope,
}
"""By name, as in `scores.csv`; relative differences in percent, columns in mol m-2."""

SLOW = ("robust_slope",)
"""Not repeated for intervals: its cost grows with the square of the pairs."""


def score_pairs(pairs: Sequence[Pair], *, n_draw: int = 1000, seed: int = 0) -> list[Score]:
    """Score every a priori, in all and by station, season, class of pollution and version.

    Parameters
    ----------
    pairs : sequence of Pair
        Each with a column of every product.
    n_draw : int
        Draws of days for the intervals; 0 for none.
    seed : int
        Of the draws.
    """
    if not pairs:
        return []
    days = np.array([p.time for p in pairs]).astype("datetime64[D]")
    products = list(pairs[0].columns)
    found: list[Score] = []
    for scope, chosen in scopes(pairs):
        draws = list(_draws(days[chosen], n_draw, seed))
        for product in products:
            satellite = np.array([p.columns[product] for p in pairs])
            against = np.array([p.reference_of(product) for p in pairs])
            found += _scores(scope, product, satellite[chosen], against[chosen], draws)
    return found


def scopes(pairs: Sequence[Pair]) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield the groups of pairs that are scored: name and positions."""
    reference = np.array([p.reference_column for p in pairs])
    labels: dict[str, list[str]] = {
        "all": ["all"] * len(pairs),
        "station": [f"station:{p.station}" for p in pairs],
        "season": [f"season:{season(p.time)}" for p in pairs],
        "class": [
            f"class:{'clean' if r < CLEAN else 'polluted' if r > POLLUTED else 'moderate'}"
            for r in reference
        ],
        "version": [f"version:{p.version or 'unknown'}" for p in pairs],
    }
    for of_kind in labels.values():
        array = np.array(of_kind)
        for label in dict.fromkeys(of_kind):
            yield label, np.flatnonzero(array == label)


def season(time: np.datetime64) -> str:
    """Return the meteorological season.

    Examples
    --------
    >>> season(np.datetime64("2023-12-01T12:00")), season(np.datetime64("2023-06-30"))
    ('DJF', 'JJA')
    """
    month = int(str(time.astype("datetime64[M]"))[5:])
    return SEASONS[month % 12 // 3]


def _draws(days: NDArray[np.datetime64], n_draw: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """Yield positions of pairs of drawn days; nothing where there is one day only."""
    known = np.unique(days)
    if known.size < 2:
        return
    groups = [np.flatnonzero(days == day) for day in known]
    generator = np.random.default_rng(seed)
    for _ in range(n_draw):
        drawn = generator.integers(known.size, size=known.size)
        yield np.concatenate([groups[i] for i in drawn])


def _scores(
    scope: str,
    product: str,
    satellite: Float,
    reference: Float,
    draws: Sequence[NDArray[np.intp]],
) -> Iterator[Score]:
    n = satellite.size
    for name, statistic in STATISTICS.items():
        if n < LEAST:
            value, low, high = (float("nan"),) * 3
        else:
            value = statistic(satellite, reference)
            low, high = float("nan"), float("nan")
            if draws and name not in SLOW:
                repeated = [statistic(satellite[d], reference[d]) for d in draws]
                finite = np.array(repeated)[np.isfinite(repeated)]
                if finite.size:
                    low, high = (float(x) for x in np.percentile(finite, (2.5, 97.5)))
        yield Score(scope, product, name, value, low, high, n)
