"""Sets against held-out stations: Table 2's upper panel, each station's series, network means.

Upper panels of Tables 2 and 3; Figs. S3-S5, S7 of the paper.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.evaluation.metrics import (
    LEAST_UNITS,
    N_DRAW,
    bootstrap,
    daily_consistency,
    pair_sums,
    scores,
    series_scores,
)
from dacno2_s5p.evaluation.rows import Row, score_rows
from dacno2_s5p.sources.stations.cells import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.evaluation.evidence import Evidence
    from dacno2_s5p.sources.stations.cells import StationCell
    from retrieval.typing import Float

    Bool = NDArray[np.bool_]

AREAS = ("urban", "suburban", "rural")
"""Areas of stations; EEA's variants of rural (`rural-regional`, ...) count as rural."""

STATIONS = "stations"
"""Name of the measurements beside the sets."""


def station_groups(cells: Sequence[StationCell]) -> dict[str, Bool]:
    """Cells of each group of Table 2, shape (n_cell,); groups without any are left out."""
    area = np.array([cell.area.split("-")[0] for cell in cells])
    kind = np.array([cell.kind for cell in cells])
    found = {"all": np.ones(len(cells), dtype=bool)}
    found |= {name: area == name for name in AREAS}
    found |= {name: kind == name for name in KINDS}
    return {name: mask for name, mask in found.items() if mask.any()}


def station_sums(evidence: Evidence) -> dict[str, Float]:
    """Sum each set's pairs with stations, (n_day, n_cell, 7): the same pairs for all sets."""
    valid = np.isfinite(evidence.observed)
    for values in evidence.surface.values():
        valid &= np.isfinite(values)
    observed = np.where(valid, evidence.observed, np.nan)[..., None]
    return {
        name: pair_sums(values[..., None], observed) for name, values in evidence.surface.items()
    }


def station_rows(evidence: Evidence, n_draw: int = N_DRAW, seed: int = 0) -> list[Row]:
    """Score sets against stations (upper panel of Table 2), with both intervals."""
    rows: list[Row] = []
    groups = station_groups(evidence.cells)
    for name, sums in station_sums(evidence).items():
        for group, mask in groups.items():
            of_group = sums[:, mask]
            over_days = bootstrap(of_group.sum(axis=1), n_draw, seed)
            over_stations = bootstrap(of_group.sum(axis=0), n_draw, seed)
            found = scores(of_group.sum(axis=(0, 1)))
            rows += score_rows(evidence, "stations", group, name, found, over_days, over_stations)
    return rows


def series_rows(evidence: Evidence) -> list[Row]:
    """Mean and median over stations of the scores of each station's own series (Fig. S3)."""
    rows = []
    groups = station_groups(evidence.cells)
    for name, sums in station_sums(evidence).items():
        found = series_scores(sums)
        for group, mask in groups.items():
            for metric in ("r", "r2"):
                values = found.metric(metric)[mask]
                values = values[np.isfinite(values)]
                if not values.size:
                    continue
                for how, of in (("mean", np.mean), ("median", np.median)):
                    rows.append(
                        Row(
                            "station series",
                            group,
                            f"{how} {metric}",
                            name,
                            float(of(values)),
                            values.size,
                            is_bound=name in evidence.bounds,
                        )
                    )
    return rows


def consistency_rows(evidence: Evidence) -> list[Row]:
    """Score the network's daily means, overall and by season (Figs. S4, S5); five days at least."""
    rows: list[Row] = []
    for name, sums in station_sums(evidence).items():
        if not evidence.cells:
            break
        for group, found in daily_consistency(sums, evidence.days).items():
            if found.n >= LEAST_UNITS:
                rows += score_rows(evidence, "consistency", group, name, found)
    return rows


def year_rows(evidence: Evidence) -> list[Row]:
    """Mean of each year and season at the stations that have all years (Fig. S7).

    Of stations that come and go a change of the mean would be a change of the network: only
    cells with pairs in every year are averaged.
    """
    if not evidence.cells:
        return []
    years = evidence.years
    of_day = evidence.days.astype("datetime64[Y]").astype(int) + 1970
    rows = []
    for name, sums in station_sums(evidence).items():
        by_year = {year: sums[of_day == year].sum(axis=0) for year in years}
        lasting = np.all([of_year[:, 0] > 0 for of_year in by_year.values()], axis=0)
        for year, of_year in by_year.items():
            n, estimate, observed = of_year[lasting, :3].sum(axis=0)
            if not n:
                continue
            is_bound = name in evidence.bounds
            row = Row("consistency", f"{year}, stations of all years", "mean [ug m-3]", name,
                      float(estimate / n), int(n), is_bound=is_bound, year=year)  # fmt: skip
            rows.append(row)
            if name == next(iter(evidence.surface)):
                rows.append(replace(row, set=STATIONS, value=float(observed / n), is_bound=True))
    return rows
