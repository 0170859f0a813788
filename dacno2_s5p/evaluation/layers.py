"""Sets against the reference, layer by layer on its own cells: in all pairs, and in time.

Lower panels of Tables 2 and 3; Fig. S6 of the paper.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.evaluation.metrics import LEAST_DAYS, N_DRAW, bootstrap, centred, pair_sums, scores
from dacno2_s5p.evaluation.rows import Row, score_rows

if TYPE_CHECKING:
    from dacno2_s5p.evaluation.evidence import Evidence
    from retrieval.typing import Float

ALL_LAYERS = "all layers"
ANOMALIES = "all layers, layer means removed"


def layer_rows(evidence: Evidence, n_draw: int = N_DRAW, seed: int = 0) -> list[Row]:
    """Score sets against the reference on its own cells (lower panel of Table 2).

    All layers are pooled as the paper does, and again with each layer's means removed: the
    decline with height alone correlates any two models.
    """
    rows: list[Row] = []
    for name, sums in evidence.layers.items():
        for k, height in enumerate(evidence.layer_heights[name]):
            found = scores(sums[:, k].sum(axis=0))
            days = bootstrap(sums[:, k], n_draw, seed)
            rows += score_rows(
                evidence, "layers", f"{height:g} m", name, found, days, height=height
            )
        if sums.shape[1] < 2:
            continue
        total = sums.sum(axis=0)
        for group, pooled, is_centred in (
            (ALL_LAYERS, total, False),
            (ANOMALIES, centred(total), True),
        ):
            days = bootstrap(sums, n_draw, seed, is_centred=is_centred)
            found = scores(pooled.sum(axis=0))
            rows += [
                row
                for row in score_rows(evidence, "layers", group, name, found, days)
                if not (is_centred and row.metric == "bias")  # zero by construction
            ]
    return rows


def temporal_rows(evidence: Evidence) -> list[Row]:
    """Correlate each layer in time: of the regional means, and of each cell (Fig. S6)."""
    rows: list[Row] = []
    for name, sums in evidence.layers.items():
        cells = cell_correlations(evidence, name)
        for k, height in enumerate(evidence.layer_heights[name]):
            values = {}
            regional = regional_scores(sums[:, k])
            if regional is not None:
                values["regional mean in time: r"] = regional
            if cells is not None and np.isfinite(cells[k]).any():
                values["cells in time: median r"] = (
                    float(np.nanmedian(cells[k])),
                    int(np.isfinite(cells[k]).sum()),
                )
            rows += [
                Row("layers", f"{height:g} m", metric, name, value, n, height=height,
                    is_bound=name in evidence.bounds)
                for metric, (value, n) in values.items()
            ]  # fmt: skip
    return rows


def regional_scores(sums: Float) -> tuple[float, int] | None:
    """Correlation in time of a layer's means over all cells, and days; None for too few days.

    Parameters
    ----------
    sums : ndarray, shape (n_day, 7)
        Sums of pairs of a layer.
    """
    some = sums[sums[:, 0] > 0]
    if some.shape[0] < LEAST_DAYS:
        return None
    found = scores(pair_sums(some[:, 1] / some[:, 0], some[:, 2] / some[:, 0]))
    return float(found.r), some.shape[0]


def cell_correlations(evidence: Evidence, name: str) -> Float | None:
    """Correlation in time of each cell of the reference, (n_layer, n_y, n_x).

    NaN where a cell was not compared; None where single cells were not kept (one year of
    several) or there are too few days.
    """
    sums = evidence.cell_sums.get(name)
    if sums is None or evidence.days.size < LEAST_DAYS:
        return None
    return scores(sums).r
