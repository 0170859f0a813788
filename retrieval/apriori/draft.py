"""Write the TOML a file would need to be read, filled in as far as the file says (`inspect`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from retrieval.apriori.formats.containers import damage_as_error, list_sources
from retrieval.apriori.formats.coordinates import horizontal, roles, text_attribute
from retrieval.apriori.formats.field import Field, decode_values
from retrieval.apriori.formats.level_units import HEIGHT_UNITS, PRESSURE_UNITS
from retrieval.apriori.formats.levels import find_levels
from retrieval.apriori.formats.planes import find_plane
from retrieval.apriori.formats.time_axis import TimeAxis, time_axis
from retrieval.apriori.formats.units import parse_unit
from retrieval.apriori.locating import find_no2
from retrieval.apriori.sidecar import KEYS, LEVEL_KINDS
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from pathlib import Path

    from retrieval.apriori.formats.containers import NetcdfSource

OPEN = "?"
"""What stands where the file does not say it."""

_SHOWN = 8
_NO_GAS = {*PRESSURE_UNITS, *HEIGHT_UNITS, "k", "degc", "m s-1", "m/s", "kg m-3"}
"""Units, in lower case, of what is no NO2."""


@dataclass(frozen=True)
class _Line:
    key: str
    value: Any
    remark: str = ""

    def __str__(self) -> str:
        said = f"{self.key} = {json.dumps(self.value, ensure_ascii=False)}"
        return f"{said:<34} # {self.remark}" if self.remark else said


def draft(path: Path) -> str:
    """Return the text of a TOML, empty where the file holds no gridded field.

    What the file says by itself is left out; what stands as "?" needs an answer.

    Parameters
    ----------
    path : Path
        A file, a folder of files of one kind, or a ZIP archive; its first file is looked into.

    Raises
    ------
    AprioriError
        If it cannot be opened.
    """
    source = list_sources(path)[0]
    try:
        with damage_as_error(str(source)):
            lines = _lines(source)
    finally:
        source.close()
    if not lines:
        return ""
    name = "dacno2_s5p.toml in the folder" if path.is_dir() else f"{path.name}.toml beside it"
    head = f'# {name}; "{OPEN}" needs an answer (docs/formats.md 4.8)'
    return "\n".join([head, *map(str, lines)])


def _lines(source: NetcdfSource) -> list[_Line]:
    variable, others = _variable(source)
    if not variable:
        return []
    dataset = source.dataset()
    dimensions = dataset.variables[variable].dimensions
    sizes = ", ".join(f"{d} {dataset.dimensions[d].size}" for d in dimensions)
    beside = f"; or {', '.join(others[:_SHOWN])}" if others else ""
    lines = [_Line("variable", variable, f"{sizes}{beside}")]
    found = {role: name for name, role in roles(dataset, dimensions, {}).items()}
    plane = find_plane(dataset, variable)
    if plane is not None:
        found |= dict(zip(("y", "x"), plane.dimensions, strict=True))
    guessed = _by_place(dimensions, found)
    remark = "by its place: check"
    lines += [_Line(role, name, remark) for role, name in guessed.items()]
    found |= guessed
    lines += _unit(source, variable)
    lines += _levels(source, variable, found)
    lines += _times(source, variable, found)
    return lines + _places(source, variable, found)


def _variable(source: NetcdfSource) -> tuple[str, list[str]]:
    """Return the variable that is likely NO2, and the others that it could be."""
    dataset = source.dataset()
    numeric = [n for n, v in dataset.variables.items() if getattr(v.dtype, "kind", "O") in "iuf"]
    bounds = {text_attribute(v, "bounds") for v in dataset.variables.values()}
    fields = [
        n for n in numeric
        if dataset.variables[n].ndim >= 3 and n not in bounds
        and text_attribute(dataset.variables[n], "units").lower() not in _NO_GAS
    ]  # fmt: skip
    sure = find_no2(dataset)
    if sure is None:
        said = [
            n for n in fields
            if "no2" in (text := f"{n} {text_attribute(dataset.variables[n], 'long_name')}".lower())
            or "nitrogen" in text
        ]  # fmt: skip
        sure = next(iter([*said, *fields]), "")
    return sure, [n for n in fields if n != sure]


def _by_place(dimensions: tuple[str, ...], found: dict[str, str]) -> dict[str, str]:
    """Guess roles of dimensions that nothing tells: x last, y before it, then level, then time."""
    open_roles = [role for role in ("x", "y", "level", "time") if role not in found]
    free = [d for d in reversed(dimensions) if d not in found.values()]
    return dict(zip(open_roles, free, strict=False))


def _unit(source: NetcdfSource, variable: str) -> list[_Line]:
    stored = source.dataset().variables[variable]
    units = text_attribute(stored, "units")
    try:
        parse_unit(units or None, variable, text_attribute(stored, "standard_name"))
    except AprioriError:
        raw = np.asarray(stored[tuple(0 if n > 64 else slice(None) for n in stored.shape[:-2])])
        values = decode_values(raw, stored)
        low, high = (float(f(values)) if np.isfinite(values).any() else np.nan
                     for f in (np.nanmin, np.nanmax))  # fmt: skip
        said = f"the file says {units!r}" if units else "the file says none"
        return [_Line("unit", OPEN, f"{said}; values {low:.3g} to {high:.3g}, e.g. ug m-3, ppb")]
    return []


def _levels(source: NetcdfSource, variable: str, found: dict[str, str]) -> list[_Line]:
    level = found.get("level")
    if level is None:
        return [_Line("level", OPEN, "profiles are needed: this field has no level dimension")]
    dataset = source.dataset()
    stored = dataset.variables[variable]
    by_name = {name: role for role, name in found.items()}
    none = TimeAxis(np.empty(0, "datetime64[ms]"), tuple(_times_of(source, variable, found)),
                    np.empty((0, 0), np.int64))  # fmt: skip
    located = Field(source, variable, stored.dimensions, by_name, level, none, cast("Any", None))
    try:
        find_levels(located)
    except AprioriError:
        n = located.n_level
        named = [
            name for name, v in dataset.variables.items()
            if name != variable and any(dataset.dimensions[d].size in (n, n + 1) and
                                        d not in (found.get("x"), found.get("y"))
                                        for d in v.dimensions)
            and getattr(v.dtype, "kind", "O") in "iuf"
        ]  # fmt: skip
        kinds = ", ".join(LEVEL_KINDS)
        where = f"{n} of them; or level_variable = " if named else f"{n} of them"
        shown = ", ".join(f'"{name}"' for name in named[:_SHOWN])
        return [
            _Line("level_kind", OPEN, f"of {kinds}"),
            _Line("level_values", [OPEN], f"{where}{shown}"),
            _Line("level_unit", "m", "of level_values: m, km, Pa, hPa"),
        ]
    return []


def _times_of(source: NetcdfSource, variable: str, found: dict[str, str]) -> list[str]:
    places = (found.get("x"), found.get("y"), found.get("level"))
    return [d for d in source.dataset().variables[variable].dimensions if d not in places]


def _times(source: NetcdfSource, variable: str, found: dict[str, str]) -> list[_Line]:
    dataset = source.dataset()
    along = _times_of(source, variable, found)
    by_name = {name: role for role, name in found.items()}
    try:
        time_axis(dataset, variable, tuple(along), by_name, variable)
    except AprioriError:
        n = int(np.prod([dataset.dimensions[d].size for d in along]))
        name = found.get("time", "")
        lines = [_Line("times", [OPEN], f"{n}, UTC, as {KEYS['times'].example}; or time_of_day")]
        if name in dataset.variables:
            lines.append(_Line("time_unit", OPEN, f"in place of times, e.g. of {name}"))
        return lines
    return []


def _places(source: NetcdfSource, variable: str, found: dict[str, str]) -> list[_Line]:
    dataset = source.dataset()
    x, y = found.get("x", ""), found.get("y", "")
    try:
        plane = find_plane(dataset, variable)
        horizontal(dataset, variable, x, y, "", variable, plane=plane)
    except AprioriError:
        lines = []
        for key, dimension in (("longitude", x), ("latitude", y)):
            named = [n for n, v in dataset.variables.items()
                     if v.dimensions in ((dimension,), (y, x))]  # fmt: skip
            remark = f"of {', '.join(named[:_SHOWN])}" if named else "none in the file"
            lines.append(_Line(key, OPEN, remark))
        remark = "in place of both where x and y are in metres"
        return [*lines, _Line("crs", OPEN, remark)]
    return []
