"""Whether uncertainties cover the stations held out: shares within the 50 % and 90 % intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netCDF4
import numpy as np

from dacno2_s5p.calibration.factors import GAUSSIAN
from dacno2_s5p.evaluation.evaluate import Row, station_groups
from dacno2_s5p.evaluation.metrics import LEAST_UNITS, N_DRAW
from dacno2_s5p.evaluation.sets import is_netcdf
from dacno2_s5p.inputs.regrid import bilinear
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.geometry.curvilinear import rectilinear

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dacno2_s5p.evaluation.evidence import Evidence
    from retrieval.apriori.base import AprioriSet
    from retrieval.typing import Float


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


def uncertainty_rows(
    evidence: Evidence, opened: Mapping[str, AprioriSet], *, n_draw: int, seed: int
) -> tuple[list[Row], list[str]]:
    """Return the coverage of all sets that carry an uncertainty, and a note on each.

    Parameters
    ----------
    evidence : Evidence
    opened : mapping of str to AprioriSet
        The sets, open; those with several fields a day are left out.
    n_draw, seed : int
        Of the bootstraps.
    """
    rows: list[Row] = []
    notes = []
    for name, of in opened.items():
        sigma = _at_stations(evidence, name, of) if evidence.cells else None
        if sigma is None:
            continue
        text, intervals = _says(of)
        rows += coverage_rows(evidence, name, sigma, intervals, n_draw, seed)
        notes.append(f"uncertainty of {name}: {text}")
    return rows, notes


def _at_stations(evidence: Evidence, name: str, of: AprioriSet) -> NDArray[np.floating] | None:
    """One sigma [ug m-3] at the lowest level, (n_day, n_cell); None for sets without."""
    stamps = of.times.astype("datetime64[D]")
    is_daily = np.unique(stamps).size == stamps.size
    if not is_daily or of.read_uncertainty(0, slice(0, 1), slice(0, 1)) is None:
        return None
    operator = bilinear(rectilinear(of.grid, name), evidence.grid.cells(), name)
    place = ([c.row for c in evidence.cells], [c.column for c in evidence.cells])
    found = np.full((evidence.days.size, len(evidence.cells)), np.nan)
    for i, day in enumerate(evidence.days):
        index = int(np.flatnonzero(stamps == day)[0])
        block = of.read_uncertainty(index, operator.rows, operator.columns)
        if block is not None:
            lowest = np.asarray(block[:1], dtype=np.float64) / MICROGRAM_M3_TO_MOL_M3
            found[i] = operator.apply(lowest)[0][place]
    return found


def _says(of: AprioriSet) -> tuple[str, dict[str, float]]:
    """How an uncertainty was made, and half-widths [sigma]; without any those of a normal one."""
    if not is_netcdf(of.files[0]):
        return "not described", dict(GAUSSIAN)
    with netCDF4.Dataset(of.files[0]) as dataset:
        text = str(getattr(dataset, "uncertainty", "not described"))
        given = {k: getattr(dataset, f"uncertainty_interval_{k}", GAUSSIAN[k]) for k in GAUSSIAN}
    return text, {k: float(v) for k, v in given.items()}
