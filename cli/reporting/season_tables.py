"""Tables of the twin season (`make evidence`) and of means by kind of pixel (`grid`)."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from cli.reporting.parts import Cell, Table, number
from cli.reporting.tables import COLUMN, DAYS_NOTE, bounded, fixed, read_records, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.reporting.tables import Record

_RULE = re.compile(r"\|(?:\s*:?-+:?\s*\|)+")
_NUMBER = re.compile(r"([+-]?\d[\d.]*)(?: \(([^()]*)\))?")
_STRATUM = ("stratum", "product", "reference", "n_pixel", "n_day", "mean_column", "ratio_of_means")


def season_tables(text: str, source: str) -> list[Table]:
    """Return the tables of results.md, each with the heading above it as caption.

    Raises
    ------
    ValueError
        If a row has more or fewer cells than its header.
    """
    return [_table(caption, lines, source) for caption, lines in _pipes(text)]


def _pipes(text: str) -> Iterator[tuple[str, list[str]]]:
    """Give the lines of each Markdown table with the heading it stands below."""
    caption, lines = "", list[str]()
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            lines.append(line)
            continue
        if len(lines) > 2 and _RULE.fullmatch(lines[1]):
            yield caption, lines
        lines = []
        if line.startswith("#"):
            caption = line.lstrip("# ").replace("`", "")


def _table(caption: str, lines: list[str], source: str) -> Table:
    header, _, *body = (_cells(line) for line in lines)
    for i, cells in enumerate(body, 1):
        if len(cells) != len(header):
            msg = f"row {i} of {caption!r} has {len(cells)} cells, the header {len(header)}"
            raise ValueError(msg)
    n_key = min(2, len(header)) if len({cells[0] for cells in body}) < len(body) else 1
    columns = [
        [Cell(text) for text in column] if i < n_key else _values(column)
        for i, column in enumerate(zip(*body, strict=True))
    ]
    rows = list(zip(*columns, strict=True))
    shown, note = bounded(rows, "")
    return Table(caption, tuple(header), shown, n_key, note, source)


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("`", "") for cell in line.strip().strip("|").split("|")]


def _values(column: Sequence[str]) -> list[Cell]:
    """Return a column: numbers with intervals where all are, else words."""
    found = [_NUMBER.fullmatch(text) for text in column]
    if all(match or not text for match, text in zip(found, column, strict=True)):
        return [
            number(m[1], interval=f"[{m[2]}]" if m[2] else "") if m else Cell("") for m in found
        ]
    return [Cell(text) for text in column]


def pixels_table(text: str, source: str, caption: str) -> Table:
    """Return the means by kind of pixel that `grid` writes beside a map.

    Raises
    ------
    ValueError
        If it is no such file.
    """
    records = read_records(text, _STRATUM)
    rows = [_pixels(record) for record in records]
    has_interval = any(cell.interval for row in rows for cell in row)
    reference = records[0]["reference"]
    note = f"Means over pixels by area; changes are ratios of means to {reference}."
    header = ("pixels", "product", f"mean [{COLUMN}]", "change [%]", "number", "days")
    shown, note = bounded(rows, f"{note} {DAYS_NOTE}." if has_interval else note)
    return Table(caption, header, shown, 2, note, source)


def _pixels(record: Record) -> tuple[Cell, ...]:
    low, high = (value_of(record.get(f"ratio_of_means_{end}", "")) for end in ("low", "high"))
    is_known = math.isfinite(low) and math.isfinite(high)
    is_reference = record["product"] == record["reference"]
    change = "" if is_reference else fixed(value_of(record["ratio_of_means"]), 1, sign=True)
    interval = f"[{fixed(low, 1, sign=True)}, {fixed(high, 1, sign=True)}]"
    return (
        Cell(record["stratum"]),
        Cell(record["product"]),
        number(fixed(value_of(record["mean_column"]) / 1e15, 3)),
        number(change, interval=interval if change and is_known else ""),
        number(record["n_pixel"]),
        number(record["n_day"]),
    )
