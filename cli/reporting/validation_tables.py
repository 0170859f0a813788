"""Tables of a validation on the page: every a priori on the same pairs, in all and in groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.reporting.parts import Cell, Table, number
from cli.reporting.tables import COLUMN, DAYS_NOTE, bounded, fixed, read_records, value_of
from retrieval.validation.pair_scores import PMOLEC

if TYPE_CHECKING:
    from cli.reporting.tables import Record

SHOWN = {
    "median_difference": (f"median difference [{COLUMN}]", PMOLEC, 2),
    "median_relative_difference": ("median relative difference [%]", 1.0, 1),
    "dispersion": (f"dispersion [{COLUMN}]", PMOLEC, 2),
    "pearson": ("r", 1.0, 2),
    "slope": ("slope", 1.0, 2),
}
"""Statistics of `scores.csv`: title, unit, digits."""

GROUPS = {
    "": ("headline", "All pairs"),
    "class": ("columns", "By pollution of the reference"),
    "season": ("columns", "By season"),
    "version": ("columns", "By processor version"),
    "station": ("stations", "By station"),
}
"""Kinds of scopes: section of the page and caption."""

NOTE = "Satellite minus ground, on the same pairs for every a priori; dispersion is IP68/2."


def validation_tables(text: str, source: str) -> list[tuple[str, Table]]:
    """Return the tables of a validation's scores, each with the section it stands in.

    Raises
    ------
    ValueError
        If it is no such file.
    """
    records = read_records(text, ("scope", "product", "statistic", "value", "low", "high", "n"))
    by_row: dict[tuple[str, str], dict[str, Record]] = {}
    for record in records:
        by_row.setdefault((record["scope"], record["product"]), {})[record["statistic"]] = record
    found = []
    for kind, (section, caption) in GROUPS.items():
        rows = [
            _row(scope, product, scores)
            for (scope, product), scores in by_row.items()
            if scope.partition(":")[0] == (kind or "all")
        ]
        names = {row[0].text for row in rows}
        if not rows or (kind in ("season", "version") and len(names) < 2):
            continue
        has_interval = any(cell.interval for row in rows for cell in row)
        shown, note = bounded(rows, f"{NOTE} {DAYS_NOTE}." if has_interval else NOTE)
        header = ("pairs of", "a priori", *(title for title, _, _ in SHOWN.values()), "pairs")
        found.append(
            (section, Table(f"{caption}: satellite beside ground", header, shown, 2, note, source))
        )
    return found


def _row(scope: str, product: str, scores: dict[str, Record]) -> tuple[Cell, ...]:
    cells = []
    for name, (_, unit, digits) in SHOWN.items():
        record = scores.get(name, {})
        value, low, high = (
            fixed(value_of(record.get(key, "")) / unit, digits, sign="difference" in name)
            for key in ("value", "low", "high")
        )
        cells.append(number(value, interval=f"[{low}, {high}]" if low and high else ""))
    n = next(iter(scores.values()))["n"]
    return (Cell(scope.partition(":")[2] or "all"), Cell(product), *cells, number(n))
