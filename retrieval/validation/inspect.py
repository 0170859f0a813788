"""Say what a file of ground columns is: whose, where, when, how many rows of which quality."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.validation.geoms import is_geoms
from retrieval.validation.ground_columns import USED_FLAGS, GroundColumns
from retrieval.validation.ground_files import POLYGON_TABLE, TABLE, TABLE_COLUMNS, read_file
from retrieval.validation.pandora import is_pandora

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {"Pandora": is_pandora, "GEOMS": is_geoms}


def looks_like_ground(path: Path) -> bool:
    """Tell whether a file holds columns measured from the ground or the air."""
    return path.is_file() and bool(_kind(path))


def describe_ground(path: Path) -> dict[str, Any]:
    """Describe a file of ground columns.

    Parameters
    ----------
    path : Path
        Pandora text, GEOMS, or a table.

    Returns
    -------
    dict
        Plain values: kind, station, latitude, longitude, altitude_m, quantity, rows, period, rows
        by quality flag, and `median_column` of the rows that the default flags keep [mol m-2]. A
        table with several places has them in `series`.

    Raises
    ------
    RetrievalError
        If it is damaged.
    """
    series = read_file(path)
    head = {"file": path.name, "kind": f"{_kind(path)} file of ground columns"}
    if len(series) == 1:
        return head | _series(series[0])
    total = {"stations": len(series), "rows": sum(len(one) for one in series)}
    return head | total | {"series": {_name(one): _series(one) for one in series}}


def _kind(path: Path) -> str:
    for word, fits in KINDS.items():
        if fits(path):
            return word
    if path.suffix.lower() != ".csv":
        return ""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header = set(next(csv.reader(stream), []))
    except (OSError, UnicodeDecodeError, csv.Error):
        return ""
    has_places = header >= set(TABLE) or header >= set(POLYGON_TABLE)
    return "CSV" if has_places and header & set(TABLE_COLUMNS) else ""


def _name(one: GroundColumns) -> str:
    return f"{one.station} {one.latitude:.4f} {one.longitude:.4f}"


def _series(one: GroundColumns) -> dict[str, Any]:
    used = one.usable(USED_FLAGS)
    flags, counts = np.unique(one.flag, return_counts=True)
    ends = [f"{time.astype('datetime64[s]')}Z" for time in one.time[[0, -1]]] if len(one) else []
    return {
        "station": one.station,
        "network": one.network,
        "instrument": one.instrument,
        "latitude": one.latitude,
        "longitude": one.longitude,
        "altitude_m": one.altitude,
        "quantity": f"{one.quantity} column",
        "rows": len(one),
        "period": ends,
        "rows_by_flag": {str(f): int(n) for f, n in zip(flags, counts, strict=True)},
        "rows_used": len(used),
        "median_column": float(np.median(used.column)) if len(used) else None,
        "layers": None if one.partial_column is None else int(one.partial_column.shape[1]),
        "has_kernel": one.kernel is not None,
        "remarks": list(one.remarks),
    }
