"""The small TOML beside a set that says what its files do not.

For archives whose names and levels cannot be known beforehand, and for wrong unit attributes:
`FILE.toml` beside a file or archive, `dacno2_s5p.toml` in a folder. Every key is optional::

    variable = "no2"            # name of the NO2 variable
    unit = "ug m-3"             # unit of its numbers, whatever the file says
    uncertainty = "no2_std"     # name of the 1-sigma variable, same unit
    level = "lev"               # name of the level dimension
    level_kind = "height"       # height (above ground), pressure, or model_level
    level_values = [0, 50, 250] # in the file's order
    level_unit = "m"
    time = "t"                  # name of the time dimension
    time_of_day = "12:00"       # UTC; the date from the file's time or its name (YYYYMMDD)
    x = "easting"               # names of the horizontal dimensions
    y = "northing"
    crs = "EPSG:3035"
    title = "DACNO2 archive"    # for provenance
    synthetic = false
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.formats.field import Names
from retrieval.apriori.formats.level_units import HEIGHT_UNITS, PRESSURE_UNITS
from retrieval.apriori.formats.levels import GivenLevels
from retrieval.apriori.formats.units import parse_unit
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from pathlib import Path

FOLDER_NAME = "dacno2_s5p.toml"
"""The sidecar of a folder."""

LEVEL_KINDS = ("height", "pressure", "model_level")
"""What `level_kind` may say."""

_TEXT_KEYS = (
    *("variable", "unit", "uncertainty", "level", "level_kind", "level_unit"),
    *("time", "time_of_day", "x", "y", "crs", "title"),
)
_LAYOUT_KEYS = ("variable", "level", "level_kind", "level_values", "time", "time_of_day", "x", "y")
_CLOCK = re.compile(r"^([01]?\d|2[0-3]):([0-5]\d)$")


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
        return any(key in self.keys for key in _LAYOUT_KEYS)

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
        return GivenLevels(self.text("level_kind"), values, self.text("level_unit"))


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
        keys = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = " ".join(str(error).split())
        msg = f"Invalid TOML {path}. It must be readable TOML. Given: {reason}. Correct it."
        raise AprioriError(msg) from error
    known = (*_TEXT_KEYS, "level_values", "synthetic")
    unknown = sorted(set(keys) - set(known))
    if unknown:
        raise _error(path, f"Keys must be of {', '.join(known)}", f"{', '.join(unknown)}")
    _check_values(path, keys)
    return Sidecar(path, keys)


def _check_values(path: Path, keys: dict[str, Any]) -> None:
    for key in _TEXT_KEYS:
        if key in keys and not (isinstance(keys[key], str) and keys[key].strip()):
            raise _error(path, f"{key} must be text", repr(keys[key]))
    if not isinstance(keys.get("synthetic", False), bool):
        raise _error(path, "synthetic must be true or false", repr(keys["synthetic"]))
    values = keys.get("level_values", [0.0])
    is_numbers = isinstance(values, list) and all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in values
    )
    if not is_numbers or not values:
        raise _error(path, "level_values must be a list of numbers", repr(values))
    if keys.get("level_kind", "height") not in LEVEL_KINDS:
        raise _error(path, f"level_kind must be of {', '.join(LEVEL_KINDS)}", keys["level_kind"])
    level_units = (*HEIGHT_UNITS, *PRESSURE_UNITS)
    if str(keys.get("level_unit", "m")).lower() not in level_units:
        raise _error(path, f"level_unit must be of {', '.join(level_units)}", keys["level_unit"])
    if "time_of_day" in keys and not _CLOCK.match(keys["time_of_day"]):
        raise _error(path, "time_of_day must be 'HH:MM' in UTC", repr(keys["time_of_day"]))
    if "unit" in keys:
        parse_unit(keys["unit"], str(path))
    if "crs" in keys:
        _check_crs(path, keys["crs"])


def _check_crs(path: Path, crs: str) -> None:
    import pyproj  # a fifth of a second, needed by few

    try:
        pyproj.CRS.from_user_input(crs)
    except pyproj.exceptions.CRSError as error:
        raise _error(path, "crs must be known, such as EPSG:3035", repr(crs)) from error


def _error(path: Path, rule: str, given: str) -> AprioriError:
    return AprioriError(f"Invalid TOML {path}. {rule}. Given {given}. Correct it.")
