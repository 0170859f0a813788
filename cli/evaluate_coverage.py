"""Uncertainties of sets at the stations of an evaluation, as their files say them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netCDF4
import numpy as np

from cli.evaluate_sets import is_netcdf
from dacno2_s5p.calibration.coverage import coverage_rows
from dacno2_s5p.calibration.factors import GAUSSIAN
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.regrid import bilinear

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dacno2_s5p.evaluation.evaluate import Row
    from dacno2_s5p.evaluation.evidence import Evidence
    from retrieval.apriori.base import AprioriSet


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
    operator = bilinear(of.grid, evidence.grid.cells(), name)
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
