"""Rows of an evaluation as tables: tidy CSV, and sets side by side with the best value marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.files.tables import markdown_table, number, write_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from dacno2_s5p.evaluation.rows import Row

HEADER = (
    *("table", "group", "height_m", "metric", "set", "value", "n"),
    *("low_days", "high_days", "low_stations", "high_stations", "is_best"),
)
"""Columns of the CSV."""

TITLES = {
    "stations": "Against held-out stations",
    "coverage": "Held-out stations within the intervals of no2_uncertainty",
    "station series": "Each station's own time series",
    "consistency": "Daily mean of all stations",
    "layers": "Against the reference on its own cells",
    "urbanisation": "Mean profiles over the reference's, by degree of urbanisation",
    "columns": "Layer-integrated columns of regional mean profiles",
    "profiles": "Regional mean profiles",
}
"""Titles of the tables, in their order."""

_LABELS = {"rmse": "RMSE", "r": "r", "r2": "R2", "bias": "bias"}


def _key(row: Row) -> tuple[str, str, float, str]:
    height = -1.0 if np.isnan(row.height) else row.height
    return row.table, row.group, height, row.metric


def best_rows(rows: Iterable[Row]) -> set[Row]:
    """Return the best row of each number that has one: bounds and single sets do not compete.

    RMSE: least; bias: least in size; r and R2: largest. Equal ones share the mark.
    """
    together: dict[tuple[str, str, float, str], list[Row]] = {}
    for row in rows:
        if not row.is_bound and np.isfinite(row.value):
            together.setdefault(_key(row), []).append(row)
    best: set[Row] = set()
    for (_, _, _, metric), members in together.items():
        last = metric.split()[-1]
        if last not in _LABELS or len(members) < 2:
            continue
        cost = [-row.value if last in ("r", "r2") else abs(row.value) for row in members]
        best |= {row for row, c in zip(members, cost, strict=True) if c == min(cost)}
    return best


def write_csv(path: Path, rows: Sequence[Row], *, overwrite: bool = False) -> None:
    """Write one number a line, six digits, empty where missing.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced.
    """
    best = best_rows(rows)
    lines = (
        [
            *(row.table, row.group, number(row.height), row.metric, row.set),
            *(number(row.value), row.n),
            *(number(v) for v in (*row.days, *row.stations)),
            int(row in best),
        ]
        for row in rows
    )
    write_lines(path, HEADER, lines, overwrite=overwrite)


def side_by_side(rows: Sequence[Row], table: str) -> tuple[list[str], list[list[str]]]:
    """Return header and cells of one table: sets are columns, the best value has a star.

    Intervals stand in brackets: over days, and after a semicolon over stations.
    """
    mine = [row for row in rows if row.table == table]
    best = best_rows(mine)
    sets = list(dict.fromkeys(row.set for row in mine))
    lines: dict[tuple[str, str, float, str], dict[str, Row]] = {}
    for row in mine:
        lines.setdefault(_key(row), {})[row.set] = row
    cells = []
    for of_set in lines.values():
        first = next(iter(of_set.values()))
        cells.append(
            [
                _group(first),
                _LABELS.get(first.metric, first.metric),
                *(_cell(of_set.get(name), best) for name in sets),
                str(first.n),
            ]
        )
    return ["group", "metric", *sets, "N"], cells


def _group(row: Row) -> str:
    if np.isnan(row.height) or row.table == "layers":
        return row.group
    return f"{row.group}, {row.height:g} m"


def _cell(row: Row | None, best: set[Row]) -> str:
    if row is None or np.isnan(row.value):
        return ""
    text = f"{row.value:.3g}" if "molec" in row.metric else _short(row.value)
    intervals = [
        f"{_short(low)}, {_short(high)}"
        for low, high in (row.days, row.stations)
        if np.isfinite(low)
    ]
    shown = f"{text} [{'; '.join(intervals)}]" if intervals else text
    return f"{shown} *" if row in best else shown


def _short(value: float) -> str:
    """Two decimals, and below 0.1, as aloft, two digits.

    Examples
    --------
    >>> _short(4.9912), _short(0.01234), _short(1e-15)
    ('4.99', '0.012', '0.00')
    """
    return f"{value:.2g}" if 1e-6 < abs(value) < 0.1 else f"{value:.2f}"


def markdown(rows: Sequence[Row], heading: str, notes: Sequence[str] = ()) -> str:
    """Return all tables as one Markdown page."""
    parts = [f"# {heading}", "", *(f"- {note}" for note in notes)]
    for table, title in TITLES.items():
        header, cells = side_by_side(rows, table)
        if not cells:
            continue
        parts += ["", f"## {title}", "", *markdown_table(header, cells)]
    parts += [
        "",
        "RMSE and bias in ug m-3; R2 = 1 - SSE / SST; * best of the row. In brackets 95 % "
        "intervals from a bootstrap over days; and over stations.",
        "",
    ]
    return "\n".join(parts)
