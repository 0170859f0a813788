"""Scores of estimates against a reference, from sums that can be added, and their intervals.

Everything is computed from seven sums of pairs, so that a year is scored day by day in constant
memory, groups are sums over their members, and a bootstrap draws sums instead of values. R2 is
1 - SSE / SST (section 3.1 of the paper: negative where the reference's own mean is better), not
the square of the correlation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from retrieval.typing import Float

METRICS = ("rmse", "r", "r2", "bias")
"""The paper's metrics, in the order of its tables."""

N_SUM = 7
"""Sums of pairs: number, m, o, m m, o o, m o, (m - o)^2."""

N_DRAW = 1000
"""Draws of a bootstrap."""

INTERVAL = (2.5, 97.5)
"""Percentiles of an interval: 95 %."""

LEAST_UNITS = 5
"""Fewer days or stations say nothing of the scatter between them."""

LEAST_DAYS = 5
"""Days a station's own series needs for a correlation."""

SEASONS = {"DJF": (12, 1, 2), "MAM": (3, 4, 5), "JJA": (6, 7, 8), "SON": (9, 10, 11)}
"""Months of the meteorological seasons."""


@dataclass(frozen=True)
class Scores:
    """Scores of one or many groups of pairs; all arrays have one shape, NaN where undefined.

    Attributes
    ----------
    n : ndarray
        Pairs.
    rmse, bias : ndarray
        Root mean square difference, and mean of estimate minus reference, in the values' unit.
    r : ndarray
        Pearson correlation.
    r2 : ndarray
        1 - SSE / SST.
    """

    n: Float
    rmse: Float
    r: Float
    r2: Float
    bias: Float

    def metric(self, name: str) -> Float:
        """Return one of `METRICS`."""
        return np.asarray(getattr(self, name))


def pair_sums(estimate: ArrayLike, reference: ArrayLike, axis: int | tuple[int, ...] = -1) -> Float:
    """Sum pairs along axes; pairs in which either value is NaN do not count.

    Parameters
    ----------
    estimate, reference : array_like
        Values in one unit, of one shape.
    axis : int or tuple of int
        Axes that are summed.

    Returns
    -------
    ndarray, shape (..., 7)
        Number of pairs and sums of m, o, m m, o o, m o, (m - o)^2; they add up over groups.

    Raises
    ------
    ValueError
        If shapes differ.
    """
    m, o = np.asarray(estimate, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if m.shape != o.shape:
        msg = (
            f"Invalid pairs. Estimate and reference must have one shape. Given {m.shape} and "
            f"{o.shape}. Bring both to the same places and days."
        )
        raise ValueError(msg)
    valid = np.isfinite(m) & np.isfinite(o)
    m, o = np.where(valid, m, 0.0), np.where(valid, o, 0.0)
    terms = (valid.astype(np.float64), m, o, m * m, o * o, m * o, (m - o) ** 2)
    return np.stack([term.sum(axis=axis) for term in terms], axis=-1)


def scores(sums: ArrayLike) -> Scores:
    """Turn sums of pairs into scores.

    Parameters
    ----------
    sums : array_like, shape (..., 7)
        As `pair_sums` gives them.

    Examples
    --------
    >>> found = scores(pair_sums([1.0, 2.0, 4.0], [1.0, 2.0, 3.0]))
    >>> float(found.r2), round(float(found.bias), 3)
    (0.5, 0.333)
    """
    n, m, o, mm, oo, mo, dd = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        var_m, var_o = mm - m * m / n, oo - o * o / n
        # differences of sums of squares: what is below their round-off is no variance
        var_m, var_o = (
            np.where(var > 1e-12 * raw, var, np.nan) for var, raw in ((var_m, mm), (var_o, oo))
        )
        r = np.clip((mo - m * o / n) / np.sqrt(var_m * var_o), -1.0, 1.0)
        return Scores(n, np.sqrt(dd / n), r, 1.0 - dd / var_o, (m - o) / n)


def centred(sums: ArrayLike) -> Float:
    """Take each group's own means out of its sums: the pairs of its anomalies.

    Added over layers, they score what is left when the mean profile, which any model gets right,
    is removed.
    """
    n, m, o, mm, oo, mo, dd = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    k = np.maximum(n, 1.0)
    zero = np.zeros_like(n)
    terms = [n, zero, zero, mm - m * m / k, oo - o * o / k, mo - m * o / k, dd - (m - o) ** 2 / k]
    return np.stack(terms, axis=-1)


def bootstrap(
    sums: ArrayLike, n_draw: int = N_DRAW, seed: int = 0, *, is_centred: bool = False
) -> dict[str, tuple[float, float]]:
    """Return 95 % intervals of the metrics over units drawn with replacement.

    Parameters
    ----------
    sums : array_like, shape (n_unit, 7) or (n_unit, n_layer, 7)
        Sums of pairs of each day or station; layers are added after drawing.
    n_draw : int
        Draws.
    seed : int
        Seed of the draws.
    is_centred : bool
        Take the means of each layer out of every draw first (`centred`).

    Returns
    -------
    dict of str to (low, high)
        For each of `METRICS`; empty with fewer than five units that have pairs.

    Notes
    -----
    Neighbouring days are correlated: intervals over days are a lower bound of the uncertainty.
    """
    units = np.asarray(sums, dtype=np.float64)
    units = units.reshape(units.shape[0], -1, N_SUM)
    units = units[units[..., 0].sum(axis=1) > 0]
    n_unit = units.shape[0]
    if n_unit < LEAST_UNITS or not n_draw:
        return {}
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n_unit, np.full(n_unit, 1.0 / n_unit), size=n_draw)
    drawn = np.einsum("du,ulk->dlk", draws.astype(np.float64), units)
    found = scores((centred(drawn) if is_centred else drawn).sum(axis=1))
    return {name: _interval(found.metric(name)) for name in METRICS}


def _interval(values: Float) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = np.percentile(finite, INTERVAL)
    return float(low), float(high)


def series_scores(sums: ArrayLike, least_days: int = LEAST_DAYS) -> Scores:
    """Score each station's own time series.

    Parameters
    ----------
    sums : array_like, shape (n_day, n_station, 7)
    least_days : int
        Stations with fewer days have NaN.

    Returns
    -------
    Scores
        Arrays of shape (n_station,).
    """
    found = scores(np.asarray(sums).sum(axis=0))
    enough = found.n >= least_days
    r, r2, rmse, bias = (
        np.where(enough, found.metric(name), np.nan) for name in ("r", "r2", "rmse", "bias")
    )
    return Scores(found.n, rmse, r, r2, bias)


def network_means(sums: ArrayLike) -> tuple[Float, Float]:
    """Mean of estimate and reference over the stations of each day, (n_day,), NaN without any."""
    total = np.asarray(sums, dtype=np.float64).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return total[:, 1] / total[:, 0], total[:, 2] / total[:, 0]


def season_of(days: NDArray[np.datetime64]) -> NDArray[np.str_]:
    """Name the meteorological season of each day.

    Examples
    --------
    >>> season_of(np.array(["2019-12-31", "2019-07-10"], "datetime64[D]")).tolist()
    ['DJF', 'JJA']
    """
    month = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    names = np.empty(days.shape, dtype="<U3")
    for name, months in SEASONS.items():
        names[np.isin(month, months)] = name
    return names


def daily_consistency(sums: ArrayLike, days: NDArray[np.datetime64]) -> dict[str, Scores]:
    """Score the network's mean of each day: over all days, and within each season (Fig. S4).

    Parameters
    ----------
    sums : array_like, shape (n_day, n_station, 7)
    days : ndarray of datetime64, shape (n_day,)

    Returns
    -------
    dict of str to Scores
        `all days`, the seasons that occur, and `season means`, in which each season of each year
        is one pair.
    """
    estimate, reference = network_means(sums)
    season = season_of(days)
    found = {"all days": scores(pair_sums(estimate, reference))}
    for name in SEASONS:
        if (season == name).any():
            of_season = np.where(season == name, estimate, np.nan)
            found[name] = scores(pair_sums(of_season, reference))
    _, means, expected = season_means(estimate, reference, days)
    found["season means"] = scores(pair_sums(means, expected))
    return found


def season_means(
    estimate: ArrayLike, reference: ArrayLike, days: NDArray[np.datetime64]
) -> tuple[NDArray[np.datetime64], Float, Float]:
    """Average pairs over each season of each year.

    Parameters
    ----------
    estimate, reference : array_like, shape (n_day,)
        Days on which either is NaN do not count.
    days : ndarray of datetime64[D], shape (n_day,)

    Returns
    -------
    middle : ndarray of datetime64[D], shape (n_season,)
        Fifteenth of the season's middle month.
    estimate, reference : ndarray, shape (n_season,)
        Means; NaN where no day counts.
    """
    estimate, reference = (np.asarray(one, dtype=np.float64) for one in (estimate, reference))
    # December belongs to the winter of the next year
    month = days.astype("datetime64[M]").astype(np.int64)
    seasons, owner = np.unique((month + 1) // 3, return_inverse=True)
    valid = np.isfinite(estimate) & np.isfinite(reference)
    count = np.bincount(owner[valid], minlength=seasons.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        means, expected = (
            np.bincount(owner[valid], values[valid], minlength=seasons.size) / count
            for values in (estimate, reference)
        )
    first = np.asarray(3 * seasons, dtype="datetime64[M]").astype("datetime64[D]")
    middle = (first + np.timedelta64(14, "D")).astype("datetime64[D]")
    return np.asarray(middle), means, expected
