"""The small TOML beside a set that says what its files do not (docs/formats.md 4.8).

For archives whose names and levels cannot be known beforehand, and for wrong unit attributes:
`FILE.toml` beside a file or archive, `dacno2_s5p.toml` in a folder. Every key is optional; `KEYS`
is the one list of them. `dacno2-s5p inspect FILE` writes a first one (`draft`).
"""

from __future__ import annotations

import datetime
import difflib
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.formats import cf_time
from retrieval.apriori.formats.field import Names
from retrieval.apriori.formats.level_units import HEIGHT_UNITS, PRESSURE_UNITS
from retrieval.apriori.formats.levels import GivenLevels
from retrieval.apriori.formats.local_layers import Below
from retrieval.apriori.formats.units import parse_unit
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FOLDER_NAME = "dacno2_s5p.toml"
"""The sidecar of a folder."""

LEVEL_KINDS = ("height", "altitude", "pressure", "hybrid", "model_level")
"""What `level_kind` may say: above ground, above sea level, ..., ECMWF's levels by number."""

_CLOCK = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)$")


TEXT, NUMBERS, TIMES, YES_NO = "text", "a list of numbers", "a list of times", "true or false"


@dataclass(frozen=True)
class Key:
    """A key of the TOML: what it says, what may stand there, and an example."""

    meaning: str
    kind: str
    example: str


KEYS = {
    "variable": Key("NO2 variable", TEXT, '"no2"'),
    "unit": Key("unit of its numbers, whatever the file says", TEXT, '"ug m-3"'),
    "uncertainty": Key("variable of one sigma, in the same unit", TEXT, '"no2_std"'),
    "level": Key("level dimension", TEXT, '"lev"'),
    "level_kind": Key("what its levels are", f"of {', '.join(LEVEL_KINDS)}", '"height"'),
    "level_values": Key("where they are, in the file's order", NUMBERS, "[0, 50, 250]"),
    "level_unit": Key("unit of these values", TEXT, '"m"'),
    "level_variable": Key("variable that says where they are", TEXT, '"zlev"'),
    "level_a": Key("first hybrid coefficient [Pa], p = a + b ps", TEXT, '"ap"'),
    "level_b": Key("second hybrid coefficient", TEXT, '"b"'),
    "terrain": Key("terrain [m], below altitudes", TEXT, '"topo"'),
    "surface_pressure": Key("surface pressure below pressures of middles", TEXT, '"ps"'),
    "time": Key("time dimension", TEXT, '"t"'),
    "time_unit": Key("unit of its numbers", TEXT, '"hours since 2019-01-01"'),
    "times": Key("its times, UTC", TIMES, '["2019-06-01T12:00"]'),
    "time_of_day": Key("UTC; the date is the file's, or in its name", TEXT, '"12:00"'),
    "x": Key("horizontal dimension from west to east", TEXT, '"easting"'),
    "y": Key("horizontal dimension from south to north", TEXT, '"northing"'),
    "longitude": Key("variable of the longitudes", TEXT, '"lons"'),
    "latitude": Key("variable of the latitudes", TEXT, '"lats"'),
    "crs": Key("plane of x and y", TEXT, '"EPSG:3035"'),
    "title": Key("for provenance", TEXT, '"DACNO2 archive"'),
    "synthetic": Key("made-up data", YES_NO, "false"),
}
"""Every key a TOML may have."""

_NOT_LAYOUT = ("unit", "uncertainty", "level_unit", "crs", "title", "synthetic")


@dataclass(frozen=True)
class Sidecar:
    """What the user says of a set; empty where there is no TOML."""

    path: Path | None = None
    keys: dict[str, Any] = field(default_factory=dict)

    def text(self, key: str) -> str:
        """Return a text key, empty where not given."""
        return str(self.keys.get(key, ""))

    @property
    def describes_layout(self) -> bool:
        """True where names or levels are given: the set is read as the TOML says."""
        return any(key in self.keys for key in KEYS if key not in _NOT_LAYOUT)

    @property
    def names(self) -> Names:
        """Names of dimensions, CRS and time of day."""
        roles = {role: self.text(role) for role in ("x", "y", "level", "time") if self.text(role)}
        clock = _CLOCK.match(self.text("time_of_day"))
        time_of_day = None
        if clock:
            minutes = int(clock[1]) * 60 + int(clock[2])
            time_of_day = np.timedelta64(minutes * 60_000, "ms")
        return Names(roles, self.text("crs"), time_of_day)

    @property
    def levels(self) -> GivenLevels:
        """Kind, values and unit of the levels."""
        values = tuple(float(v) for v in self.keys.get("level_values", ()))
        return GivenLevels(
            self.text("level_kind"), values, self.text("level_unit"), self.text("level_variable"),
            Below(self.text("terrain"), self.text("surface_pressure")),
        )  # fmt: skip


def with_a_name(path: Path) -> Path:
    """Resolve `.` and `..`, which have no name that others could be made of.

    Examples
    --------
    >>> from pathlib import Path
    >>> with_a_name(Path("cams/2023")).name, with_a_name(Path("/data/cams/..")).name
    ('2023', 'data')
    """
    return path.resolve() if path.name in ("", "..") else path


def find_sidecar(path: Path) -> Sidecar:
    """Read the TOML of a file, archive or folder; an empty `Sidecar` where there is none.

    Raises
    ------
    AprioriError
        If the TOML cannot be read, has unknown keys, or values of a wrong kind.
    """
    path = with_a_name(path)
    if path.is_dir():
        places = [path / FOLDER_NAME, path.with_name(path.name + ".toml")]
    else:
        places = [
            path.with_name(path.name + ".toml"),
            path.with_suffix(".toml"),
            path.parent / FOLDER_NAME,
        ]
    found = next((place for place in places if place.is_file()), None)
    return Sidecar() if found is None else _load(found)


def _load(path: Path) -> Sidecar:
    try:
        written = path.read_text(encoding="utf-8")
        keys = tomllib.loads(written)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = " ".join(str(error).split())
        msg = f"Invalid TOML {path}. It must be readable TOML. Given: {reason}. Correct it."
        raise AprioriError(msg) from error
    for key, value in keys.items():
        fault = _fault(key, value)
        if fault is not None:
            rule, remedy = fault
            given = repr(value) if key in KEYS else key
            line = _line_of(written, key)
            msg = f"Invalid TOML {path}, line {line}. {rule}. Given {given}. {remedy}."
            raise AprioriError(msg)
    return Sidecar(path, keys)


def _line_of(written: str, key: str) -> int:
    """Return the line on which a key stands, counted from 1."""
    begins = re.compile(rf"""\s*\[?\s*["']?{re.escape(key)}["']?\s*[=.\]]""")
    lines = written.splitlines()
    return next((i for i, line in enumerate(lines, 1) if begins.match(line)), 1)


def _fault(key: str, value: Any) -> tuple[str, str] | None:
    """Return the rule that a key or value breaks, and what to do; None where it is well."""
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, n=1)
        return f"Keys must be of {', '.join(KEYS)}", f"Write {near[0]}" if near else "Correct it"
    kind, remedy = KEYS[key].kind, f"Write, for example, {key} = {KEYS[key].example}"
    if not _is_of(kind, value):
        return f"{key} must be {kind}", remedy
    rule = _RULES.get(key)
    return None if rule is None or rule[1](value) else (f"{key} must be {rule[0]}", remedy)


def _is_of(kind: str, value: Any) -> bool:
    if kind == YES_NO:
        return isinstance(value, bool)
    if kind in (NUMBERS, TIMES):
        wanted = (int, float) if kind == NUMBERS else (str, datetime.datetime, datetime.date)
        return isinstance(value, list) and bool(value) and all(
            isinstance(v, wanted) and not isinstance(v, bool) for v in value
        )  # fmt: skip
    if not (isinstance(value, str) and value.strip()):
        return False
    return kind == TEXT or value in LEVEL_KINDS


def _is_unit(value: str) -> bool:
    try:
        parse_unit(value, "the TOML")
    except AprioriError:
        return False
    return True


def _are_times(values: list[Any]) -> bool:
    try:
        as_times(values)
    except ValueError:
        return False
    return True


def as_times(values: list[Any]) -> NDArray[np.datetime64]:
    """Return times given as texts or TOML dates, UTC.

    Raises
    ------
    ValueError
        If one is none.

    Examples
    --------
    >>> as_times(["2019-06-01T12:00", "2019-06-02 12:00Z"]).astype(str).tolist()
    ['2019-06-01T12:00:00.000', '2019-06-02T12:00:00.000']
    """
    texts = []
    for value in values:
        if isinstance(value, datetime.datetime) and value.tzinfo is not None:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        texts.append(str(value).strip().removesuffix("Z"))
    return np.array(texts, dtype="datetime64[ms]")


def _is_time_unit(value: str) -> bool:
    return " since " in value and cf_time.unit_milliseconds(value.split(" since ")[0]) is not None


def _is_crs(value: str) -> bool:
    import pyproj  # a fifth of a second, needed by few

    try:
        pyproj.CRS.from_user_input(value)
    except pyproj.exceptions.CRSError:
        return False
    return True


_LEVEL_UNITS = (*HEIGHT_UNITS, *PRESSURE_UNITS)
_RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "unit": ("a concentration, mixing ratio or column of NO2", _is_unit),
    "level_unit": (f"of {', '.join(_LEVEL_UNITS)}", lambda v: v.lower() in _LEVEL_UNITS),
    "time_unit": ("a unit and a date, 'UNIT since DATE'", _is_time_unit),
    "times": ("times as 2019-06-01T12:00", _are_times),
    "time_of_day": ("'HH:MM' in UTC", lambda v: _CLOCK.match(v) is not None),
    "crs": ("known, such as EPSG:3035", _is_crs),
}
"""What may stand at keys that are more than text."""
