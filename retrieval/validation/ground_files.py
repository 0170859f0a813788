"""Ground columns by content: Pandora text, GEOMS, or a plain table of columns with places."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from retrieval.errors import RetrievalError
from retrieval.files.damage import content_errors
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.validation.geoms import is_geoms, read_geoms
from retrieval.validation.ground_columns import GroundColumns
from retrieval.validation.pandora import is_pandora, read_pandora

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TABLE = ("station", "time", "latitude", "longitude")
"""Columns that a table must have, besides one of `TABLE_COLUMNS`."""

POLYGON = "polygon"
"""Column with the outline that a measurement is the mean of: well-known text, longitude first."""

POLYGON_TABLE = ("station", "time", POLYGON)
"""Columns of a table of outlines, instead of `TABLE`."""

TABLE_COLUMNS = {
    "column_mol_m2": 1.0,
    "column_molec_cm2": 1.0 / MOLEC_CM2_PER_MOL_M2,
    "column_pmolec_cm2": 1e15 / MOLEC_CM2_PER_MOL_M2,
}
"""Tropospheric columns and their factor to mol m-2; `uncertainty_...` has the same units."""


def read_ground(paths: Iterable[Path]) -> list[GroundColumns]:
    """Read files of any known kind; the series of one instrument in several files are joined.

    Raises
    ------
    RetrievalError
        If a file is of no known kind, or damaged.
    """
    found: dict[tuple[str, ...], list[GroundColumns]] = {}
    for path in paths:
        for one in read_file(path):
            key = (one.station, one.network, one.instrument, one.quantity)
            found.setdefault(key, []).append(one)
    return [joined(parts) for parts in found.values()]


def read_file(path: Path) -> list[GroundColumns]:
    """Read one file, by what it holds."""
    if is_pandora(path):
        return [read_pandora(path)]
    if is_geoms(path):
        return [read_geoms(path)]
    return read_table(path)


def joined(parts: list[GroundColumns]) -> GroundColumns:
    """Put the files of one instrument together; profiles stay where all have the same layers."""
    first = parts[0]
    if len(parts) == 1:
        return first
    names = ["time", "column", "uncertainty", "flag", "stratosphere"]
    optional = (
        "layer_edges",
        "partial_column",
        "apriori",
        "kernel",
        "profile_kernel",
        "footprints",
    )
    shapes = {
        name: {None if (v := getattr(p, name)) is None else v.shape[1] for p in parts}
        for name in optional
    }
    whole = [name for name in optional if None not in shapes[name] and len(shapes[name]) == 1]
    values: dict[str, Any] = {
        name: np.concatenate([getattr(p, name) for p in parts]) for name in (*names, *whole)
    }
    values |= dict.fromkeys(set(optional) - set(whole))
    remarks = tuple(dict.fromkeys(r for p in parts for r in p.remarks))
    return replace(first, remarks=remarks, **values).in_order(distinct=first.footprints is None)


def read_table(path: Path) -> list[GroundColumns]:
    """Read a CSV of tropospheric columns: aircraft, mobile or any other measurements.

    Columns: station, time (ISO 8601, UTC), latitude, longitude, one of `column_mol_m2`,
    `column_molec_cm2`, `column_pmolec_cm2`; and if there are, `uncertainty_...` in the same unit,
    altitude_m, flag. Each station (with its place) becomes a series of its own.

    Raises
    ------
    RetrievalError
        If a column or number is missing, with the line.
    """
    with content_errors(
        path,
        RetrievalError,
        what="file of ground columns",
        rule="be a Pandora text, a GEOMS file, or a CSV of columns",
        advice="See docs/validation.md for the columns of a table",
    ):
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    header = set(rows[0]) if rows else set()
    column = next((name for name in TABLE_COLUMNS if name in header), None)
    needed = POLYGON_TABLE if POLYGON in header else TABLE
    lacking = [name for name in needed if name not in header]
    if column is None or lacking:
        wanted = ", ".join([*TABLE, f"one of {', '.join(TABLE_COLUMNS)}"])
        msg = (
            f"Invalid file of ground columns {path.name}. It must be a Pandora text, a GEOMS file, "
            f"or a CSV with {wanted}. Given {', '.join(sorted(map(str, header))) or 'no row'}. See "
            "docs/validation.md."
        )
        raise RetrievalError(msg)
    groups: dict[tuple[str, ...], list[tuple[int, dict[str, str]]]] = {}
    for line, row in enumerate(rows, 2):
        names = ("station",) if POLYGON in header else (*TABLE, "altitude_m")
        key = tuple(row.get(n, "") for n in names if n != "time")
        groups.setdefault(key, []).append((line, row))
    return [_series(path, group, column) for group in groups.values()]


def _series(path: Path, rows: list[tuple[int, dict[str, str]]], column: str) -> GroundColumns:
    scale = TABLE_COLUMNS[column]
    error = column.replace("column", "uncertainty")
    times, values, errors, flags, shapes = [], [], [], [], []
    for line, row in rows:
        try:
            times.append(np.datetime64(row["time"].strip().rstrip("Z"), "ms"))
            values.append(float(row[column]) * scale)
            errors.append(float(row.get(error) or "nan") * scale)
            flags.append(int(row.get("flag") or 0))
            if row.get(POLYGON):
                shapes.append(_outline(row[POLYGON]))
            place = [float(row.get(n) or 0.0) for n in ("latitude", "longitude", "altitude_m")]
        except (ValueError, TypeError, AttributeError) as fault:
            msg = (
                f"Invalid file of ground columns {path.name}. Each row must hold a time and "
                f"numbers. Given line {line}: {fault}. Correct it."
            )
            raise RetrievalError(msg) from fault
    outlines = None
    if shapes:
        outlines = np.empty((len(shapes), 1), dtype=object)
        outlines[:, 0] = shapes
        centre = shapely.MultiPoint([shape.centroid for shape in shapes]).centroid
        place = [centre.y, centre.x, place[2]]
    return GroundColumns(
        station=rows[0][1]["station"],
        network="table",
        instrument=path.stem,
        latitude=place[0],
        longitude=place[1],
        altitude=place[2],
        quantity="tropospheric",
        time=np.array(times),
        column=np.array(values),
        uncertainty=np.array(errors),
        flag=np.array(flags, dtype=np.int64),
        stratosphere=np.full(len(times), np.nan),
        footprints=outlines,
    ).in_order(distinct=outlines is None)


def _outline(text: str) -> shapely.Polygon:
    """Read an outline.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        shape = shapely.from_wkt(text)
    except shapely.errors.ShapelyError as error:
        raise ValueError(str(error).partition("\n")[0]) from error
    if shape.geom_type != "Polygon" or not shape.is_valid or shape.area == 0.0:
        msg = f"{text[:60]!r} is no simple polygon"
        raise ValueError(msg)
    return shape
