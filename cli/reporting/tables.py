"""Tables of evaluations, maps, attributions and training runs, from the CSV files they wrote."""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from cli.reporting.parts import Cell, Table, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Record = dict[str, str]

MOST_ROWS = 400
"""A longer table is no reading; the page shows so many rows and says so."""
BEST_NOTE = "\N{BLACK STAR} best of its row."
DAYS_NOTE = "In brackets 95 % intervals from a bootstrap over days"
CONCENTRATION = "µg m⁻³"
COLUMN = "10¹⁵ molec cm⁻²"
_METRICS = {"rmse": f"RMSE [{CONCENTRATION}]", "bias": f"bias [{CONCENTRATION}]", "r2": "R²"}
_UNITS = {"[molec cm-2]": f"[{COLUMN}]", "[ug m-3]": f"[{CONCENTRATION}]"}


def read_records(text: str, needed: Iterable[str] = ()) -> list[Record]:
    """Read CSV with a header.

    Raises
    ------
    ValueError
        If it has no rows, a row too short or too long, or lacks a column.
    """
    try:
        lines = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        msg = f"not readable as CSV: {error}"
        raise ValueError(msg) from error
    lines = [line for line in lines if line]
    header = lines[0] if lines else []
    missing = [name for name in needed if name not in header]
    if missing or len(lines) < 2:
        msg = f"without the column {missing[0]}" if missing else "without any row"
        raise ValueError(msg)
    for i, line in enumerate(lines[1:], 2):
        if len(line) != len(header):
            msg = f"row {i} has {len(line)} cells, the header {len(header)}"
            raise ValueError(msg)
    return [dict(zip(header, line, strict=True)) for line in lines[1:]]


def value_of(text: str) -> float:
    """Return the number of a cell, NaN where it is empty or none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def fixed(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """Write a number with so many decimals, nothing where it is missing.

    Examples
    --------
    >>> fixed(1.005, 1), fixed(2.0, sign=True), fixed(float("nan"))
    ('1.0', '+2.00', '')
    """
    if not math.isfinite(value):
        return ""
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


def short(value: float) -> str:
    """Write a number so that it can be compared: two decimals, below 0.1 two digits.

    Examples
    --------
    >>> short(4.9912), short(0.01234), short(-231483.86), short(float("nan"))
    ('4.99', '0.012', '-2.31e+05', '')
    """
    if not math.isfinite(value):
        return ""
    if abs(value) >= 1e5:
        return f"{value:.2e}"
    if 1e-6 < abs(value) < 0.1:
        return f"{value:.2g}"
    return f"{round(value, 2) + 0.0:.2f}"  # no minus before zero


def bounded(
    rows: Sequence[tuple[Cell, ...]], note: str
) -> tuple[tuple[tuple[Cell, ...], ...], str]:
    """Return at most `MOST_ROWS` rows, and a note that says so."""
    if len(rows) > MOST_ROWS:
        note = f"The first {MOST_ROWS} of {len(rows)} rows. {note}".strip()
    return tuple(rows[:MOST_ROWS]), note


def scores_tables(text: str, source: str, titles: dict[str, str]) -> dict[str, Table]:
    """Return the tables of scores.csv by name: sets side by side, the best of a row marked.

    Parameters
    ----------
    text : str
        Contents of the file.
    source : str
        Its relative name.
    titles : dict
        Names of tables to captions, in order.

    Raises
    ------
    ValueError
        If it is no such file.
    """
    needed = ("table", "group", "height_m", "metric", "set", "value", "n", "is_best")
    records = read_records(text, (*needed, "low_days", "high_days", "low_stations"))
    tables = {}
    for name, title in titles.items():
        mine = [record for record in records if record["table"] == name]
        if mine:
            tables[name] = _side_by_side(mine, title, source)
    return tables


def _side_by_side(records: list[Record], title: str, source: str) -> Table:
    sets = list(dict.fromkeys(record["set"] for record in records))
    lines: dict[tuple[str, str], dict[str, Record]] = {}
    for record in records:
        lines.setdefault((_group(record), record["metric"]), {})[record["set"]] = record
    rows = []
    for (group, metric), of_set in lines.items():
        cells = [_score(of_set.get(name)) for name in sets]
        counts = {record["n"] for record in of_set.values()}
        n = number(counts.pop() if len(counts) == 1 else "")
        rows.append((Cell(group), Cell(_metric(metric)), *cells, n))
    has_interval = any(cell.interval for row in rows for cell in row)
    notes = [BEST_NOTE] if any(cell.is_best for row in rows for cell in row) else []
    if has_interval:
        notes.append(f"{DAYS_NOTE}; a second one is over stations.")
    shown, note = bounded(rows, " ".join(notes))
    return Table(title, ("group", "metric", *sets, "N"), shown, 2, note, source)


def _group(record: Record) -> str:
    """Group with its height, where the group does not say it itself."""
    height = value_of(record["height_m"])
    if math.isnan(height) or record["table"] == "layers":
        return record["group"]
    return f"{record['group']}, {height:g} m"


def _metric(metric: str) -> str:
    words = metric.split(" ")
    if words[-1] in _METRICS:
        return " ".join([*words[:-1], _METRICS[words[-1]]])
    for plain, shown in _UNITS.items():
        metric = metric.replace(plain, shown)
    return metric


def _score(record: Record | None) -> Cell:
    if record is None:
        return number("")
    scale = 1e-15 if "[molec cm-2]" in record["metric"] else 1.0
    pairs = (("low_days", "high_days"), ("low_stations", "high_stations"))
    intervals = [
        f"[{short(value_of(record[low]) * scale)}, {short(value_of(record[high]) * scale)}]"
        for low, high in pairs
        if record[low]
    ]
    return number(
        short(value_of(record["value"]) * scale),
        interval=" ".join(intervals),
        is_best=record["is_best"] == "1",
    )


def numbers_table(text: str, source: str, caption: str, *, area: str = "") -> Table | None:
    """Return the table of numbers.csv of `maps`, of one area where one is given.

    Raises
    ------
    ValueError
        If it is no such file.
    """
    records = read_records(text, ("area", "product", "reference", "n_cell", "ratio_of_means"))
    rows = [_area(record) for record in records if area in ("", record["area"])]
    has_interval = any(cell.interval for row in rows for cell in row)
    note = (
        "Columns are means over cells of the product and of its reference. Relative differences: "
        "ratio of means of the area; mean and median of the cells' own; 5 and 95 % of the cells."
    )
    header = (
        *("area", "pair", f"product [{COLUMN}]", f"reference [{COLUMN}]"),
        *("ratio of means [%]", "mean of cells [%]", "median [%]", "5 to 95 % [%]"),
        *(f"mean difference [{COLUMN}]", "cells"),
    )
    shown, note = bounded(rows, f"{note} {DAYS_NOTE}." if has_interval else note)
    return Table(caption, header, shown, 2, note, source) if rows else None


def _area(record: Record) -> tuple[Cell, ...]:
    def column(name: str) -> str:
        return fixed(value_of(record.get(name, "")) / 1e15, 3, sign="difference" in name)

    def percent(name: str) -> str:
        return fixed(value_of(record.get(name, "")), 1, sign=True)

    def with_interval(name: str) -> Cell:
        low, high = percent(f"{name}_low"), percent(f"{name}_high")
        return number(percent(name), interval=f"[{low}, {high}]" if low and high else "")

    low, high = percent("p5"), percent("p95")
    return (
        Cell(record["area"]),
        Cell(f"{record['product']} / {record['reference']}"),
        number(column("mean_product")),
        number(column("mean_reference")),
        with_interval("ratio_of_means"),
        with_interval("mean_of_cells"),
        number(percent("median")),
        number(f"{low} to {high}" if low and high else ""),
        number(column("mean_difference")),
        number(record["n_cell"]),
    )


def curves_row(text: str, phase: str, more: Sequence[str]) -> tuple[Cell, ...]:
    """Return one phase of a run as a row: steps, first and least validation loss.

    Raises
    ------
    ValueError
        If it is no file of curves.
    """
    records = read_records(text, ("step", "train_loss", "validation_loss"))
    losses = [(value_of(record["validation_loss"]), record) for record in records]
    finite = [(loss, record) for loss, record in losses if math.isfinite(loss)]
    if not finite:
        msg = "without any validation loss"
        raise ValueError(msg)
    least, best = min(finite, key=lambda pair: pair[0])
    return (
        Cell(phase),
        number(records[-1]["step"]),
        number(f"{finite[0][0]:.4g}"),
        number(f"{least:.4g}"),
        number(best["step"]),
        number(f"{value_of(best['train_loss']):.4g}"),
        *(Cell(text) for text in more),
    )


CURVES_HEADER = (
    *("phase", "steps", "first validation loss", "least validation loss", "at step"),
    *("training loss there", "training data", "checkpoint SHA-256"),
)
"""Columns of `curves_row`; losses are in scaled units."""
