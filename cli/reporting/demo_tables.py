"""Tables of the demo from its summary.json."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cli.reporting.parts import Cell, Table, number
from cli.reporting.tables import BEST_NOTE, COLUMN, bounded, fixed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SCORES = ("bias", "rmse", "slope", "hotspot_bias_percent", "background_bias_percent", "n")
NO_CONTEST = ("TRUTH", "TRUTH8")
"""The truth in the network's or its own heights: a bound, never marked as best."""
HEADER = (
    f"bias [{COLUMN}]",
    f"RMSE [{COLUMN}]",
    "slope",
    "hotspots [%]",
    "background [%]",
    "pixels",
)


def modes_of(found: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the parts of a summary by mode above the sets' top, the headline first.

    Raises
    ------
    ValueError
        If it is no summary of the demo.
    """
    if not isinstance(found, dict) or not all(
        isinstance(found.get(name), kind)
        for name, kind in (("columns", dict), ("mode", str), ("modes", dict))
    ):
        msg = "no summary of the demo"
        raise ValueError(msg)
    return {found["mode"]: found, **found["modes"]}


def scores_table(modes: Mapping[str, Mapping[str, Any]], caption: str, source: str) -> Table:
    """Return each product of each mode against the truth, the best of a mode marked."""
    rows = []
    for mode, part in modes.items():
        products: Mapping[str, Any] = part["columns"]
        best = _best(products)
        rows += [
            (
                Cell(f"above the top: {mode}"),
                Cell(name),
                *_scores(one, [metric for metric in SCORES if (name, metric) in best]),
            )
            for name, one in products.items()
        ]
    note = (
        "Retrieved column minus the known truth. Hotspots and background: change of the mean "
        f"there. {BEST_NOTE.replace('row', 'mode')} TRUTH and TRUTH8 are bounds and do not compete."
    )
    return Table(caption, ("mode", "a priori", *HEADER), tuple(rows), 2, note, source)


def _best(products: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return product and metric of the values nearest to perfect, bounds left out."""
    found = set()
    for metric in SCORES[:-1]:
        perfect = 1.0 if metric == "slope" else 0.0
        miss = {
            name: abs(_value(one, metric) - perfect)
            for name, one in products.items()
            if name not in NO_CONTEST and math.isfinite(_value(one, metric))
        }
        if len(miss) > 1:
            found |= {(name, metric) for name, m in miss.items() if m == min(miss.values())}
    return found


def _value(one: Mapping[str, Any], metric: str) -> float:
    value = one.get(metric)
    return float(value) if isinstance(value, int | float) else math.nan


def _scores(one: Mapping[str, Any], best: Sequence[str]) -> Iterable[Cell]:
    shown = {
        "bias": fixed(_value(one, "bias") / 1e15, 3, sign=True),
        "rmse": fixed(_value(one, "rmse") / 1e15, 3),
        "slope": fixed(_value(one, "slope"), 3),
        "hotspot_bias_percent": fixed(_value(one, "hotspot_bias_percent"), 1, sign=True),
        "background_bias_percent": fixed(_value(one, "background_bias_percent"), 1, sign=True),
        "n": fixed(_value(one, "n"), 0),
    }
    return [number(shown[metric], is_best=metric in best) for metric in SCORES]


def strata_table(found: Mapping[str, Any], source: str) -> Table | None:
    """Return bias and RMSE by kind of pixel, products side by side."""
    strata: Mapping[str, Mapping[str, Any]] = found.get("strata", {})
    names = list(next(iter(strata.values()), {}))
    if not names:
        return None
    rows = []
    for stratum, products in strata.items():
        n = number(fixed(_value(products[names[0]], "n"), 0))
        for metric, label in (("bias", "bias"), ("rmse", "RMSE")):
            values = [_value(products.get(name, {}), metric) / 1e15 for name in names]
            cells = [number(fixed(value, 3, sign=metric == "bias")) for value in values]
            rows.append((Cell(stratum), Cell(f"{label} [{COLUMN}]"), *cells, n))
    caption = f"Against the truth by kind of pixel (above the top: {found['mode']})"
    return Table(caption, ("pixels", "metric", *names, "N"), tuple(rows), 2, "", source)


def changes_table(found: Mapping[str, Any], source: str) -> Table | None:
    """Return the relative differences of pairs by area, on cells of 0.1 degree."""
    pairs: Mapping[str, Mapping[str, Any]] = found.get("relative_change_percent", {})
    rows = []
    for pair, areas in pairs.items():
        for area, one in areas.items():
            values = [_value(one, key) for key in ("ratio_of_means", "mean_of_cells", "median")]
            low, high = (fixed(_value(one, key), 1, sign=True) for key in ("p5", "p95"))
            rows.append(
                (
                    Cell(pair.replace("_vs_", " / ")),
                    Cell(area),
                    *(number(fixed(value, 1, sign=True)) for value in values),
                    number(f"{low} to {high}" if low and high else ""),
                )
            )
    header = ("pair", "area", "ratio of means [%]", "mean of cells [%]", "median [%]")
    caption = f"Relative differences of gridded columns (above the top: {found['mode']})"
    note = "Cells of 0.1 degree; TRUE is the known column. 5 to 95 % are of the cells."
    shown, note = bounded(rows, note)
    return Table(caption, (*header, "5 to 95 % [%]"), shown, 2, note, source) if rows else None
