"""Whether uncertainties cover the stations held out: shares within the 50 % and 90 % intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.evaluation.evaluate import Row, station_groups
from dacno2_s5p.evaluation.metrics import LEAST_UNITS, N_DRAW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dacno2_s5p.evaluation.evidence import Evidence

    Float = NDArray[np.floating]

TABLE = "coverage"


def coverage_rows(
    evidence: Evidence,
    name: str,
    sigma: Float,
    intervals: Mapping[str, float],
    n_draw: int = N_DRAW,
    seed: int = 0,
) -> list[Row]:
    """Return the share [%] of station means within each interval, and the mean sigma.

    Parameters
    ----------
    evidence : Evidence
    name : str
        The set.
    sigma : ndarray, shape (n_day, n_cell)
        Its one-sigma uncertainty at the stations [ug m-3].
    intervals : mapping of str to float
        Half-widths of the intervals [sigma] by their per cent.
    n_draw, seed : int
        Of the bootstraps over days and over stations.
    """
    residual = np.abs(evidence.observed - evidence.surface[name])
    valid = np.isfinite(residual) & np.isfinite(sigma)
    rows = []
    for group, mask in station_groups(evidence.cells).items():
        chosen = valid & mask
        n = int(chosen.sum())
        if not n:
            continue
        measures = {
            f"share within {level} % [%]": np.where(chosen, residual <= width * sigma, 0.0) * 100.0
            for level, width in intervals.items()
        }
        measures["mean sigma"] = np.where(chosen, sigma, 0.0)
        for metric, values in measures.items():
            rows.append(
                Row(
                    TABLE,
                    group,
                    metric,
                    name,
                    float(values.sum() / n),
                    n,
                    _interval(values, chosen, 1, n_draw, seed),
                    _interval(values, chosen, 0, n_draw, seed),
                    is_bound=name in evidence.bounds,
                )
            )
    return rows


def _interval(
    values: Float, chosen: NDArray[np.bool_], axis: int, n_draw: int, seed: int
) -> tuple[float, float]:
    """95 % interval of the mean over units drawn with replacement: days (axis 1), stations (0)."""
    total, count = values.sum(axis=axis), chosen.sum(axis=axis).astype(np.float64)
    total, count = total[count > 0], count[count > 0]
    if count.size < LEAST_UNITS or not n_draw:
        return (float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(count.size, np.full(count.size, 1.0 / count.size), size=n_draw)
    low, high = np.percentile((draws @ total) / (draws @ count), [2.5, 97.5])
    return float(low), float(high)
