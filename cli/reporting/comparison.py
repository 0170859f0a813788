"""Tables of `compare`: all pixels of each set and way, and the relative difference of each kind."""

from __future__ import annotations

from cli.reporting.parts import Cell, Table, number
from cli.reporting.tables import COLUMN, DAYS_NOTE, bounded, fixed, read_records, value_of
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

WAYS = {"kernel": "as the instrument sees it", "apriori": "as a priori"}
ALL = "all"
_PMOLEC = 1e15 / MOLEC_CM2_PER_MOL_M2
_COLUMNS = (
    ("mean_model", f"model [{COLUMN}]", _PMOLEC, 3),
    ("mean_satellite", f"satellite [{COLUMN}]", _PMOLEC, 3),
    ("mean_difference", f"difference [{COLUMN}]", _PMOLEC, 3),
    ("relative_difference", "relative [%]", 1.0, 1),
    ("root_mean_square", f"RMS [{COLUMN}]", _PMOLEC, 3),
    ("pearson", "r", 1.0, 3),
    ("slope", "slope", 1.0, 2),
)
"""Statistics of the table of all pixels: name, header, unit, decimals."""

Scores = dict[tuple[str, str, str, str], dict[str, str]]


def comparison_tables(text: str, source: str) -> tuple[Table, Table]:
    """Return the table of all pixels, and that of each kind of pixel.

    Raises
    ------
    ValueError
        If it is no comparison.csv.
    """
    needed = ("scope", "apriori", "way", "statistic", "value", "low", "high", "n", "n_day")
    records = read_records(text, needed)
    found: Scores = {tuple(r[key] for key in needed[:4]): r for r in records}  # type: ignore[misc]
    kinds = list(dict.fromkeys(key[1:3] for key in found))
    scopes = list(dict.fromkeys(key[0] for key in found))
    if ALL not in scopes:
        msg = "without the scope all"
        raise ValueError(msg)
    whole = tuple(_whole(found, *kind) for kind in kinds)
    header = ("a priori", "compared", *(name for _, name, _, _ in _COLUMNS), "pixels", "days")
    note = f"Model minus, over or against satellite. {DAYS_NOTE}."
    first = Table("Models beside the instrument, all pixels", header, whole, 2, note, source)
    rows = [
        (Cell(scope.replace(":", " ")), *(_relative(found, scope, *kind) for kind in kinds))
        for scope in scopes
    ]
    shown, note = bounded(rows, f"Relative difference of the means [%]. {DAYS_NOTE}.")
    names = ("pixels of", *(f"{name}, {WAYS.get(way, way)}" for name, way in kinds))
    return first, Table("Models over satellite by kind of pixel", names, shown, 1, note, source)


def _whole(found: Scores, name: str, way: str) -> tuple[Cell, ...]:
    cells = [Cell(name), Cell(WAYS.get(way, way))]
    record: dict[str, str] = {}
    for statistic, _, unit, digits in _COLUMNS:
        record = found.get((ALL, name, way, statistic), {})
        cells.append(_cell(record, unit, digits, sign="difference" in statistic))
    return (*cells, number(record.get("n", "")), number(record.get("n_day", "")))


def _relative(found: Scores, scope: str, name: str, way: str) -> Cell:
    return _cell(found.get((scope, name, way, "relative_difference"), {}), 1.0, 1, sign=True)


def _cell(record: dict[str, str], unit: float, digits: int, *, sign: bool) -> Cell:
    value, low, high = (
        fixed(value_of(record.get(key, "")) / unit, digits, sign=sign)
        for key in ("value", "low", "high")
    )
    return number(value, interval=f"[{low}, {high}]" if low and high else "")
