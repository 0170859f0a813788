"""Tables of integrated gradients, from the CSV file that `attribute` wrote."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from cli.reporting.parts import Cell, Table, number
from cli.reporting.tables import CONCENTRATION, bounded, fixed, read_records, short, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.reporting.tables import Record

    Key = tuple[str, str]

TOP = 8
"""Features shown of each target: those of the largest mean share."""
SHARES = (
    "Share of the sum of sizes of all attributions; in brackets the signed change of the RMSE "
    f"[{CONCENTRATION}] from the baseline to the inputs."
)


def attribution_tables(text: str, source: str) -> list[Table]:
    """Return groups, the first features and completeness, checkpoints side by side.

    Raises
    ------
    ValueError
        If it is no such file.
    """
    needed = ("target", "height_m", "level", "group", "feature", "metric", "set", "value")
    records = read_records(text, (*needed, "completeness_error", "completeness_share"))
    sets = list(dict.fromkeys(record["set"] for record in records))
    groups = _shares([r for r in records if r["level"] == "group"], "group", sets)
    features = _first(_shares([r for r in records if r["level"] == "feature"], "feature", sets))
    header = [f"{name} [%]" for name in sets]
    tables = [
        _table("Groups of inputs", ("target", "group", *header), groups, SHARES, source),
        _table(
            f"Features: the first {TOP} of each target",
            *(("target", "feature", *header), features, SHARES, source),
        ),
        _table(
            "Completeness: sum of the attributions minus difference of the target",
            ("target", *(f"{name} [{CONCENTRATION}]" for name in sets)),
            _completeness([r for r in records if r["level"] == "all"], sets),
            "In brackets the share of the sum of sizes of the features' attributions.",
            source,
            n_key=1,
        ),
    ]
    return [table for table in tables if table.rows]


def _table(
    caption: str,
    header: Sequence[str],
    rows: list[tuple[Cell, ...]],
    note: str,
    source: str,
    n_key: int = 2,
) -> Table:
    shown, note = bounded(rows, note)
    return Table(caption, tuple(header), shown, n_key, note, source)


def _target(record: Record) -> str:
    """Name a target as `attribute` does: stations, or the reference at a height."""
    height = value_of(record["height_m"])
    if record["target"] == "stations" or math.isnan(height):
        return record["target"]
    name = "CAMS" if record["target"] == "cams" else record["target"]
    return f"{name}, {height:g} m"


def _side_by_side(
    records: list[Record], key: str, metric: str, column: str = "value"
) -> dict[Key, dict[str, float]]:
    found: dict[Key, dict[str, float]] = {}
    for record in records:
        if record["metric"] == metric:
            place = (_target(record), record[key])
            found.setdefault(place, {})[record["set"]] = value_of(record[column])
    return found


def _shares(records: list[Record], key: str, sets: Sequence[str]) -> list[tuple[Cell, ...]]:
    shares = _side_by_side(records, key, "share")
    changes = _side_by_side(records, key, "attribution")
    return _rows(
        shares,
        sets,
        lambda place, name: number(
            fixed(shares[place].get(name, math.nan), 1),
            interval=_in_brackets(changes.get(place, {}).get(name, math.nan)),
        ),
    )


def _rows(
    places: dict[Key, dict[str, float]], sets: Sequence[str], cell: Callable[[Key, str], Cell]
) -> list[tuple[Cell, ...]]:
    return [
        (Cell(place[0]), Cell(place[1]), *(cell(place, name) for name in sets)) for place in places
    ]


def _in_brackets(value: float) -> str:
    text = short(value)
    return f"({'+' if value > 0 else ''}{text})" if text else ""


def _first(rows: list[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """Keep the features of the largest mean share of each target, largest first."""
    by_target: dict[str, list[tuple[Cell, ...]]] = {}
    for row in rows:
        by_target.setdefault(row[0].text, []).append(row)

    def share(row: tuple[Cell, ...]) -> float:
        return -sum(value_of(cell.text) for cell in row[2:] if cell.text)

    return [row for mine in by_target.values() for row in sorted(mine, key=share)[:TOP]]


def _completeness(records: list[Record], sets: Sequence[str]) -> list[tuple[Cell, ...]]:
    errors = _side_by_side(records, "group", "difference", "completeness_error")
    shares = _side_by_side(records, "group", "difference", "completeness_share")
    rows = _rows(
        errors,
        sets,
        lambda place, name: number(
            f"{errors[place].get(name, math.nan):.2g}".replace("nan", ""),
            interval=f"({100.0 * shares[place].get(name, math.nan):.2g} %)",
        ),
    )
    return [(row[0], *row[2:]) for row in rows]
