"""The demo's numbers: scores against the truth, relative changes, the table and summary.json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from cli.story.day import HEADLINE
from retrieval.files.tables import write_text
from retrieval.l2.names import TM5
from retrieval.l3.cells import regular_grid
from retrieval.l3.differences import area_masks, area_numbers, default_pairs
from retrieval.l3.means import L3
from retrieval.l3.sums import Sums
from retrieval.maps.regions import DOMAIN, REGIONS
from retrieval.validation.scores import Score, score, stratified_scores

if TYPE_CHECKING:
    from pathlib import Path

    from cli.story.day import Columns
    from retrieval.substitution.options import Above

CELL = 0.1
"""Cells of the relative changes [degree]: the standard choice of docs/equations.md 7.1."""
WHY_UPPER = (
    "The headline is mode `upper`. With nothing, or one guess, above 5 km the error is that of "
    "what is missing aloft and no longer that of the set: `none` raises every column, most where "
    "there is little NO2 below, and a set with a wrong gradient can win by cancelling it. Only "
    "`upper` ranks the sets by their own profiles (the truth's own profiles reach the tropopause "
    "and need nothing above)."
)


def scores(columns: Columns) -> dict[str, Score]:
    """Score every product of one mode on the pixels they share."""
    return {
        name: score(values, columns.truth, columns.valid)
        for name, values in columns.products.items()
    }


def gridded(columns: Columns, day: str) -> L3:
    """Grid products and truth of one orbit to 0.1 degree, one mask for all."""
    names = (*columns.products, "TRUE")
    grid = regular_grid(CELL, DOMAIN.box, "EPSG:4326")
    sums = Sums(grid, names)
    keep = columns.valid
    values = np.stack([v[keep] for v in (*columns.products.values(), columns.truth)], axis=1)
    sums.add(columns.latitude_bounds[keep], columns.longitude_bounds[keep], values)
    date = np.datetime64(day, "D")
    return L3(
        grid=grid,
        products=names,
        mean=sums.mean,
        weight=sums.weight,
        coverage=sums.coverage,
        count=sums.count,
        days=(sums.count > 0).astype(np.int16),
        period=(date, date),
        n_day=1,
        attributes={"data": "synthetic"},
    )


def relative_changes(l3: L3) -> dict[str, dict[str, dict[str, float]]]:
    """Relative changes of each pair of products for the domain and the regions.

    Returns
    -------
    dict
        "A_vs_B" to area to ratio_of_means, mean_of_cells, median, p5, p95 [%].
    """
    products = [name for name in l3.products if name != "TRUE"]
    pairs = default_pairs(products)
    pairs += [(name, "TRUE") for name in products]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for one in area_numbers(l3, pairs, area_masks(l3.grid, (DOMAIN, *REGIONS))):
        numbers = {
            "ratio_of_means": one.ratio_of_means,
            "mean_of_cells": one.mean_of_cells,
            "median": one.median,
            "p5": one.p5,
            "p95": one.p95,
        }
        found.setdefault(f"{one.product}_vs_{one.reference}", {})[one.area] = {
            key: round(value, 3) for key, value in numbers.items()
        }
    return found


def strata(columns: Columns) -> dict[str, dict[str, dict[str, float]]]:
    """Scores by cloud radiance fraction, sun angle, land and sea."""
    found = stratified_scores(
        columns.products,
        columns.truth,
        columns.valid,
        cloud_radiance_fraction=columns.cloud_radiance_fraction,
        solar_zenith_angle=columns.solar_zenith_angle,
        is_land=columns.is_land,
    )
    return {
        stratum: {name: one.as_dict() for name, one in products.items()}
        for stratum, products in found.items()
    }


def summary(modes: dict[Above, Columns], day: str) -> dict[str, Any]:
    """Everything that `summary.json` holds: the headline mode on top, the others below it."""

    def one(columns: Columns) -> dict[str, Any]:
        return {
            "columns": {name: s.as_dict() for name, s in scores(columns).items()},
            "relative_change_percent": relative_changes(gridded(columns, day)),
            "strata": strata(columns),
        }

    headline = one(modes[HEADLINE])
    others = {str(mode): one(columns) for mode, columns in modes.items() if mode is not HEADLINE}
    return {
        "data": "synthetic",
        "date": day,
        "mode": str(HEADLINE),
        "units": {
            "bias, rmse": "molecules cm-2",
            "relative changes": "percent, cells of 0.1 degree",
        },
        "why": WHY_UPPER,
        **headline,
        "modes": others,
    }


HEADER = (
    "a priori",
    "bias [1e15]",
    "RMSE [1e15]",
    "slope",
    "hotspots [%]",
    "background [%]",
    "pixels",
)


def table_rows(columns: Columns) -> list[list[str]]:
    """Rows of the table against the truth for one mode."""
    return [
        [
            name,
            f"{one.bias / 1e15:+.3f}",
            f"{one.rmse / 1e15:.3f}",
            f"{one.slope:.3f}",
            f"{one.hotspot_bias_percent:+.1f}",
            f"{one.background_bias_percent:+.1f}",
            str(one.n),
        ]
        for name, one in scores(columns).items()
    ]


def write_summary(path: Path, found: dict[str, Any]) -> None:
    """Write summary.json."""
    write_text(path, json.dumps(found, indent=2) + "\n", overwrite=True)


def _strata_lines(columns: Columns) -> list[str]:
    """Bias and RMSE of the headline mode by cloud, sun, land and sea, as Markdown."""
    names = list(columns.products)
    lines = [f"## --above {HEADLINE}, by kind of pixel: bias / RMSE [1e15]", ""]
    lines += ["| pixels | n | " + " | ".join(names) + " |", "|" + "---|" * (len(names) + 2)]
    for stratum, products in strata(columns).items():
        cells = [
            f"{one['bias'] / 1e15:+.3f} / {one['rmse'] / 1e15:.3f}" for one in products.values()
        ]
        lines.append(f"| {stratum} | {products[names[0]]['n']} | " + " | ".join(cells) + " |")
    return lines


def write_table(path: Path, modes: dict[Above, Columns], legend: dict[str, str]) -> None:
    """Write the table of all modes as Markdown."""
    lines = ["# Retrieved columns against the known truth (synthetic)", "", WHY_UPPER, ""]
    for mode, columns in modes.items():
        lines += [f"## --above {mode}", "", "| " + " | ".join(HEADER) + " |"]
        lines.append("|" + "---|" * len(HEADER))
        lines += ["| " + " | ".join(row) + " |" for row in table_rows(columns)]
        lines.append("")
    lines += _strata_lines(modes[HEADLINE])
    lines += ["", *[f"- **{name}**: {text}" for name, text in legend.items()], ""]
    write_text(path, "\n".join(lines), overwrite=True)


LEGEND = {  # one line each, for table.md
    TM5: "the operational a priori, 1 degree",
    "CAMS": "a CAMS-like regional model, 10 km, ten heights, mean of 11-13 UTC",
    "DACNO2": "DACNO2-S5P predicted by the shipped checkpoint, 2 km, eight heights",
    "TRUTH8": "the true profiles, mean of 11-13 UTC, at the network's eight heights: the floor of "
    "any DACNO2",
    "TRUTH": "the true profiles of the overpass on dense heights: what remains is slant noise",
}
