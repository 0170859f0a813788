"""Files of the training sources with one odd thing in them: rasters and tables."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.structure import ODD_NUMBERS

ODD_CELLS: tuple[str, ...] = (
    "", " ", "nan", "inf", "-inf", "1e400", "-1", "1e30", "text", "\x00", '"', "'", "é", "\ufffd",
    "12x", "0x10", "1_0", "١٢", "1,5", "9999-99-99", "2918-01-01T00:00:00Z", "x" * 200_000,
)  # fmt: skip
"""What a cell of a table may hold in a file that is wrong."""


def _pick(rng: np.random.Generator, items: Any) -> Any:
    return items[int(rng.integers(len(items)))]


def table(separator: str) -> Callable[[Path, np.random.Generator], str]:
    """Return a change of a table of text: a cell, a line, a column, or the whole."""

    def change(path: Path, rng: np.random.Generator) -> str:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        way = _pick(rng, _TABLE_WAYS)
        said = _change_lines(lines, separator, way, rng)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")
        return f"{way} {said}"

    return change


_TABLE_WAYS = (
    *("cell", "cell", "cell", "cell", "name", "column", "short line", "long line"),
    *("line gone", "line twice", "quote", "no head", "head only", "nothing", "other separator"),
    *("half", "half"),
)


def _change_lines(lines: list[str], separator: str, way: str, rng: np.random.Generator) -> str:
    i = int(rng.integers(1, len(lines)))
    cells = lines[i].split(separator)
    j = int(rng.integers(len(cells)))
    if way == "cell":
        cells[j] = _pick(rng, ODD_CELLS)
        lines[i] = separator.join(cells)
        return f"{i}, {j}: {cells[j][:20]!r}"
    if way == "quote":
        cells[j] = '"' + cells[j]
        lines[i] = separator.join(cells)
    elif way == "short line":
        lines[i] = separator.join(cells[:-1] if rng.random() < 0.5 else cells[:j])
    elif way == "long line":
        cells.insert(j, "1")
        lines[i] = separator.join(cells)
    elif way == "half":
        lines[i:] = [lines[i][: int(rng.integers(len(lines[i])))]]
    elif way in ("name", "column"):
        head = lines[0].split(separator)
        j = int(rng.integers(len(head)))
        if way == "name":
            lines[0] = separator.join([*head[:j], f"odd {head[j]}", *head[j + 1 :]])
        else:
            rows = [line.split(separator) for line in lines]
            lines[:] = [separator.join([*row[:j], *row[j + 1 :]]) for row in rows]
        return head[j]
    else:
        _change_all(lines, i, separator, way)
    return f"{i}, {j}"


def _change_all(lines: list[str], i: int, separator: str, way: str) -> None:
    if way == "line gone":
        del lines[i]
    elif way == "line twice":
        lines.insert(i, lines[i])
    elif way == "no head":
        del lines[0]
    elif way == "head only":
        del lines[1:]
    elif way == "nothing":
        lines.clear()
    else:
        other = "|" if separator == "," else ","
        lines[:] = [line.replace(separator, other) for line in lines]


def parquet(path: Path, rng: np.random.Generator) -> str:
    """Rewrite a parquet file with one column that is absent, odd, or of another kind."""
    import pyarrow as pa
    from pyarrow import parquet as files

    whole = files.read_table(path)
    way = _pick(rng, ("gone", "nulls", "null", "text", "type", "values", "zone", "none", "twice"))
    name = str(_pick(rng, whole.column_names))
    i = whole.column_names.index(name)
    column = whole[name]
    if way == "gone":
        whole = whole.remove_column(i)
    elif way == "none":
        whole = whole.slice(0, 0)
    elif way == "twice":
        whole = pa.concat_tables([whole, whole])
    elif way == "zone":
        i = whole.column_names.index("End")
        stamps = whole["End"].cast(pa.timestamp("ms", "Europe/Paris"))
        whole = whole.set_column(i, "End", stamps)
    else:
        whole = whole.set_column(i, name, _odd_column(column, way, rng))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        files.write_table(whole, path)
    return f"{name} {way}"


def _odd_column(column: Any, way: str, rng: np.random.Generator) -> Any:
    import pyarrow as pa

    n = len(column)
    if way == "nulls":
        return pa.nulls(n, column.type)
    if way == "null":
        values = column.to_pylist()
        values[int(rng.integers(n))] = None
        return pa.array(values, type=column.type)
    if way == "text":
        return pa.array([_pick(rng, ODD_CELLS[:-1])] * n)
    if way == "type":
        kind = _pick(rng, ("i2", "f4", "f8", "u1", "?"))
        return pa.array(rng.integers(0, 2, n).astype(kind))
    return pa.array(np.full(n, _pick(rng, ODD_NUMBERS)))


def geotiff(path: Path, rng: np.random.Generator) -> str:
    """Rewrite a GeoTIFF with other values, another place, type, mark of no data, or no bands."""
    import rasterio

    with rasterio.open(path) as file:
        values, profile = file.read(1), file.profile
    way = _pick(rng, ("place", "place", "crs", "type", "nodata", "values", "values", "size"))
    said = _GEOTIFF[way](values, profile, rng)
    if way in ("values", "size"):
        values, said = said
    values = values.astype(profile["dtype"], copy=False)
    profile.update(height=values.shape[0], width=values.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path, "w", **profile) as file:
            file.write(values, 1)
    return f"{way} {str(said)[:60]}"


def _place(_values: Any, profile: dict[str, Any], rng: np.random.Generator) -> str:
    from rasterio import Affine

    old = profile["transform"]
    changes = [
        Affine(old.a, 1e-3, old.c, 0.0, old.e, old.f),
        Affine(-old.a, 0.0, old.c, 0.0, old.e, old.f),
        Affine(old.a, 0.0, old.c, 0.0, -old.e, old.f),
        Affine(np.nan, 0.0, old.c, 0.0, old.e, old.f),
        Affine(old.a, 0.0, np.inf, 0.0, old.e, old.f),
        Affine(old.a * 1e30, 0.0, old.c, 0.0, old.e * 1e30, old.f),
        Affine(old.a * 1e-30, 0.0, old.c, 0.0, old.e, old.f),
        Affine(old.a * 10, 0.0, old.c - 100 * old.a, 0.0, old.e * 10, old.f - 100 * old.e),
        Affine(old.a, 0.0, old.c + 1e9, 0.0, old.e, old.f),
        Affine.identity(),
    ]
    profile["transform"] = _pick(rng, changes)
    return str(tuple(profile["transform"])[:6])


def _crs(_values: Any, profile: dict[str, Any], rng: np.random.Generator) -> str:
    profile["crs"] = _pick(rng, (None, "EPSG:3857", "EPSG:32601", "EPSG:4978", "EPSG:2000",
                                 "EPSG:4326", "EPSG:3035", "EPSG:5070"))  # fmt: skip
    return str(profile["crs"])


def _type(_values: Any, profile: dict[str, Any], rng: np.random.Generator) -> str:
    profile["dtype"] = _pick(rng, ("u1", "i2", "f8", "c8", "f4", "u4"))
    kinds = {"u1": "uint8", "i2": "int16", "f8": "float64", "c8": "complex64", "f4": "float32"}
    profile["dtype"] = kinds.get(profile["dtype"], "uint32")
    profile["nodata"] = None
    return str(profile["dtype"])


def _nodata(values: Any, profile: dict[str, Any], rng: np.random.Generator) -> str:
    profile["nodata"] = _pick(rng, (None, 0, 1, 255, values.flat[values.size // 2]))
    return str(profile["nodata"])


def _odd_values(values: Any, _profile: dict[str, Any], rng: np.random.Generator) -> tuple[Any, str]:
    number = _pick(rng, ODD_NUMBERS)
    values = values.copy()
    rows = _pick(rng, (slice(None), slice(0, 1), slice(None, None, 7)))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values[rows] = np.array([number]).astype(values.dtype)[0]
    return values, f"{number} in {rows}"


def _size(values: Any, profile: dict[str, Any], rng: np.random.Generator) -> tuple[Any, str]:
    for name in ("tiled", "blockxsize", "blockysize"):
        profile.pop(name, None)
    cut = _pick(rng, (values[:1], values[:, :1], values[:-3], values[::2, ::2], values.T[:50]))
    return np.ascontiguousarray(cut), str(cut.shape)


_GEOTIFF: dict[str, Callable[..., Any]] = {
    "place": _place, "crs": _crs, "type": _type, "nodata": _nodata, "values": _odd_values,
    "size": _size,
}  # fmt: skip


def ascii_grid(path: Path, rng: np.random.Generator) -> str:
    """Change a line of the header or a number of an ESRI ASCII grid."""
    lines = path.read_text().splitlines()
    way = _pick(rng, ("head", "head", "head gone", "number", "number", "split", "joined", "line"))
    i = int(rng.integers(0, 6)) if way.startswith("head") else int(rng.integers(6, len(lines)))
    cells = lines[i].split()
    j = int(rng.integers(len(cells)))
    if way == "head":
        cells[1] = _pick(rng, ("0", "-1", "1", "nan", "inf", "1e400", "text", "", "2147483647"))
    elif way == "number":
        cells[j] = _pick(rng, (*ODD_CELLS[:-1], "1.2.3", "12-3", "1#4"))
    elif way == "split":
        cells[j] = f"{cells[j][:1]} {cells[j][1:]}"
    elif way == "joined":
        cells[j - 1 :] = [cells[j - 1] + cells[j], *cells[j + 1 :]]
    lines[i] = " ".join(cells)
    if way in ("head gone", "line"):
        del lines[i]
    path.write_text("\n".join(lines) + "\n")
    return f"{way} in line {i + 1}: {' '.join(cells)[:40] if i < 6 else cells[j : j + 1]}"
