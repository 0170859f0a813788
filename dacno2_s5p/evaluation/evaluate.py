"""The paper's tables from what was compared: rows of numbers, one number a row.

Stations by area and type, each station's own series, daily and seasonal consistency; layers
against the reference; profile ratios by degree of urbanisation, columns and mean profiles of
regions. Tables 2, 3, S1; Figs. 6, S3-S7, S10, S11. Scores are of all days together and, where
there are several years, of each. `evaluate_tables` writes them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dacno2_s5p.evaluation.layers import layer_rows, temporal_rows
from dacno2_s5p.evaluation.metrics import N_DRAW
from dacno2_s5p.evaluation.regions import (
    BOXES,
    column_rows,
    profile_rows,
    region_masks,
    urbanisation_rows,
)
from dacno2_s5p.evaluation.rows import Row
from dacno2_s5p.evaluation.stations import (
    consistency_rows,
    series_rows,
    station_groups,
    station_rows,
    year_rows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dacno2_s5p.evaluation.evidence import Evidence
    from retrieval.typing import Float

__all__ = ["Row", "evaluate", "station_groups"]


def evaluate(
    evidence: Evidence,
    *,
    population: Float | None = None,
    boxes: Mapping[str, tuple[float, float, float, float]] | None = None,
    n_draw: int = N_DRAW,
    seed: int = 0,
) -> list[Row]:
    """Compute all rows that the evidence allows.

    Parameters
    ----------
    evidence : Evidence
    population : ndarray, shape (n_y, n_x), optional
        People per km2 on the model grid, for profile ratios by urbanisation.
    boxes : mapping of str to (west, south, east, north), optional
        Regions of columns and profiles [degree]; by default `BOXES`.
    n_draw : int
        Draws of the bootstraps; 0 for none.
    seed : int
        Seed of the draws.
    """
    rows = _scores(evidence, n_draw, seed)
    years = evidence.years
    if len(years) > 1:
        rows += year_rows(evidence)
        for year in years:
            of_year = _scores(evidence.of_year(year), n_draw, seed)
            rows += [replace(row, group=f"{row.group}, {year}", year=year) for row in of_year]
    regions = region_masks(evidence.grid, BOXES if boxes is None else boxes)
    rows += [*profile_rows(evidence, regions), *column_rows(evidence, regions)]
    if population is not None:
        rows += urbanisation_rows(evidence, population)
    return rows


def _scores(evidence: Evidence, n_draw: int, seed: int) -> list[Row]:
    """Score days against stations and the reference."""
    return [
        *station_rows(evidence, n_draw, seed),
        *series_rows(evidence),
        *consistency_rows(evidence),
        *layer_rows(evidence, n_draw, seed),
        *temporal_rows(evidence),
    ]
