"""A sensor as a file says it: names, units, epoch, corners, quality, all as data.

A description is a TOML file. Those of `retrieval/l2/sensors/data` are part of the package; a user's
own is given with `--sensor` (docs/sensors.md). A key that is not known is refused: a word that is
misspelt would else be taken for one that is missing.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from retrieval.errors import ProductError

if TYPE_CHECKING:
    from pathlib import Path

TOTAL_KERNEL, TROPOSPHERIC_KERNEL = "total kernel", "tropospheric kernel"
WEIGHTS = "scattering weights"
KINDS = (TOTAL_KERNEL, TROPOSPHERIC_KERNEL, WEIGHTS)
"""What a sensitivity may be (docs/equations.md 1)."""
INCLUDED, LEFT_OUT = "included", "left out"
"""Whether scattering weights have the temperature dependence of the absorption in them."""
LABEL = re.compile(r"[A-Z][A-Z0-9]*")
"""What the a priori of a product may be called, as part of names."""


@dataclass(frozen=True)
class Recognise:
    """How a file of the product is known; all that is given must hold."""

    variables: tuple[str, ...] = ()
    """Paths of variables or groups that the file has."""
    without: tuple[str, ...] = ()
    """Paths that it has not."""
    file_name: str = ""
    """Pattern of its name, `*` for anything."""


@dataclass(frozen=True)
class Geolocation:
    """Centres and corners. Without corners they lie halfway between centres."""

    latitude: str
    longitude: str
    latitude_bounds: str = ""
    longitude_bounds: str = ""
    latitude_corners: tuple[str, ...] = ()
    longitude_corners: tuple[str, ...] = ()
    """Four variables, going round the pixel, in place of one with four corners."""
    corner_order: tuple[int, ...] = (0, 1, 2, 3)
    """Which stored corner is first, second, ..., going round the pixel."""


@dataclass(frozen=True)
class Time:
    """When the scanlines were measured."""

    variable: str = ""
    units: str = ""
    """`seconds since 1993-01-01`, where the attribute `units` of the variable has no date."""
    leap_seconds: bool = False
    """Whether the count has the leap seconds in it (TAI, GPS)."""
    origin_attribute: str = ""
    """Global attribute with the days since `origin_date` that the count starts from."""
    origin_date: str = ""
    day_and_millisecond: str = ""
    """A variable with the fields `Day`, since `origin_date`, and `MillisecondOfDay`."""
    file_name: str = ""
    """Part of the name of the file with its time, `_%Y%m%d_%H%M_`, where nothing else says it."""


@dataclass(frozen=True)
class Columns:
    """Vertical columns."""

    tropospheric: str
    uncertainty: str = ""
    stratospheric: str = ""
    summed: str = ""
    """Sum of tropospheric and stratospheric column."""
    units: str = ""
    """`molecules cm-2` or `mol m-2`, where the columns' own attribute does not say."""


@dataclass(frozen=True)
class AirMassFactors:
    """Air mass factors."""

    tropospheric: str = ""
    stratospheric: str = ""
    total: str = ""


@dataclass(frozen=True)
class Surface:
    """The ground under the pixels."""

    pressure: str = ""
    altitude: str = ""
    """[m]."""


@dataclass(frozen=True)
class Sensitivity:
    """What is needed for another a priori: how the slant column depends on the layers."""

    kind: str = ""
    variable: str = ""
    temperature: str = INCLUDED
    nodes: str = ""
    """Pressures at which weights are given, the same for all pixels."""
    a: str = ""
    b: str = ""
    """Coefficients of the layers' interfaces, p = a + b p_surface."""
    pressure_units: str = "hPa"
    """Of surface, nodes, `a` and tropopause, where their own attributes do not say."""
    tropopause_pressure: str = ""
    tropopause_layer: str = ""
    """Index of the last layer of the troposphere, from 0, in the order of the file."""


@dataclass(frozen=True)
class Condition:
    """A pixel is good where a variable, or some of its bits, is so."""

    variable: str
    bits: int | None = None
    equals: float | None = None
    at_most: float | None = None
    at_least: float | None = None
    below: float | None = None
    above: float | None = None


@dataclass(frozen=True)
class Quality:
    """Rules of the product's guide; a pixel is good, or usable, where every condition holds."""

    percent: str = ""
    """A quality value of the product in percent, in place of conditions."""
    good: tuple[Condition, ...] = ()
    usable: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Scenes:
    """What tells kinds of pixels apart."""

    cloud: str = ""
    sun: str = ""
    snow: str = ""
    surface: str = ""


@dataclass(frozen=True)
class Description:
    """All that is said of a sensor's product."""

    name: str
    product: str
    geolocation: Geolocation
    time: Time
    columns: Columns
    recognise: Recognise = field(default_factory=Recognise)
    air_mass_factors: AirMassFactors = field(default_factory=AirMassFactors)
    surface: Surface = field(default_factory=Surface)
    sensitivity: Sensitivity = field(default_factory=Sensitivity)
    quality: Quality = field(default_factory=Quality)
    scenes: Scenes = field(default_factory=Scenes)
    apriori: str = "PRODUCT"
    """Label of the product's own a priori, in names: capitals and digits."""
    source: str = ""
    """Where the names are from, and whether a file has verified them."""
    not_recomputed: tuple[str, ...] = ()
    """What depends on the a priori and cannot be recomputed: fill in the replace layout."""


_PARTS = {
    "recognise": Recognise,
    "geolocation": Geolocation,
    "time": Time,
    "columns": Columns,
    "air_mass_factors": AirMassFactors,
    "surface": Surface,
    "sensitivity": Sensitivity,
    "quality": Quality,
    "scenes": Scenes,
}
_Part = TypeVar("_Part")


def read_description(path: Path) -> Description:
    """Read a sensor's description.

    Raises
    ------
    ProductError
        If it cannot be read, misses a key, or has one that is not known or of another kind.

    Examples
    --------
    See docs/sensors.md.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        words = " ".join(str(error).split())
        msg = (
            f"Invalid description {path}. It must be a readable TOML file. Given: {words}. "
            "See docs/sensors.md."
        )
        raise ProductError(msg) from error
    for key, part in _PARTS.items():
        if key in given:
            given[key] = _made(part, given[key], f"[{key}]", path)
    found = _made(Description, given, "the file", path)
    _check(found, path)
    return found


def _made(part: type[_Part], given: Any, where: str, path: Path) -> _Part:
    """Make a part of what its table says, refusing keys that it does not have."""
    if not isinstance(given, dict):
        raise _invalid(path, f"{where} must be a table", repr(given))
    known = {one.name: one for one in fields(part)}  # type: ignore[arg-type]
    for key, value in given.items():
        if key not in known:
            rule = f"{where} may have {', '.join(known)}"
            raise _invalid(path, rule, repr(key))
        given[key] = _value(value, str(known[key].type), f"{key} of {where}", path)
    needed = [
        name
        for name, one in known.items()
        if one.default is MISSING and one.default_factory is MISSING
    ]
    missing = [name for name in needed if name not in given]
    if missing:
        raise _invalid(path, f"{where} must have {', '.join(needed)}", f"none of {missing[0]}")
    return part(**given)


def _value(value: Any, kind: str, where: str, path: Path) -> Any:
    """Check a value against the kind of its field; tables of conditions become conditions."""
    if kind == "tuple[Condition, ...]" and isinstance(value, list):
        return tuple(_made(Condition, one, where, path) for one in value)
    if kind in _KINDS_OF_PARTS:
        return value
    is_text = kind == "str" and isinstance(value, str)
    is_flag = kind == "bool" and isinstance(value, bool)
    is_number = kind.startswith(("int", "float")) and isinstance(value, int | float)
    if is_text or is_flag or is_number:
        return value
    if isinstance(value, list) and _is_list_of(kind, value):
        return tuple(value)
    raise _invalid(path, f"{where} must be of the kind {kind}", repr(value))


def _is_list_of(kind: str, values: list[Any]) -> bool:
    """Tell whether a list is of texts, or an order of the four corners."""
    if kind == "tuple[str, ...]":
        return all(isinstance(one, str) for one in values)
    return kind == "tuple[int, ...]" and sorted(values) == [0, 1, 2, 3]


_KINDS_OF_PARTS = {part.__name__ for part in _PARTS.values()}


def _check(found: Description, path: Path) -> None:
    """Refuse words that mean nothing, and sensitivities that are said by halves."""
    weights = found.sensitivity
    one_of: dict[str, tuple[str, tuple[str, ...]]] = {
        "kind": (weights.kind, ("", *KINDS)),
        "temperature": (weights.temperature, (INCLUDED, LEFT_OUT)),
    }
    for key, (value, allowed) in one_of.items():
        if value not in allowed:
            rule = f"{key} of [sensitivity] must be one of {', '.join(filter(None, allowed))}"
            raise _invalid(path, rule, repr(value))
    if not LABEL.fullmatch(found.apriori):
        rule = "apriori must be capitals and digits, beginning with a capital"
        raise _invalid(path, rule, repr(found.apriori))
    rules = [found.time.variable, found.time.day_and_millisecond, found.time.file_name]
    if sum(map(bool, rules)) != 1:
        rule = "[time] must have one of variable, day_and_millisecond and file_name"
        raise _invalid(path, rule, ", ".join(filter(None, rules)) or "none")
    for condition in (*found.quality.good, *found.quality.usable):
        limits = ("equals", "at_most", "at_least", "below", "above")
        if all(getattr(condition, name) is None for name in limits):
            rule = f"a condition of [quality] must have one of {', '.join(limits)}"
            raise _invalid(path, rule, f"none for {condition.variable}")
    if weights.temperature == LEFT_OUT and not weights.nodes:
        rule = 'temperature = "left out" needs nodes: of layers no temperature is known'
        raise _invalid(path, rule, "none")
    if weights.kind and (lacking := missing_for_substitution(found)):
        raise _invalid(path, f"a sensitivity also needs {', '.join(lacking)}", "none")


def missing_for_substitution(found: Description) -> list[str]:
    """Return what a description lacks before another a priori can be put in, as key and table."""
    weights, amf = found.sensitivity, found.air_mass_factors
    needed = {
        "kind of [sensitivity]": weights.kind,
        "variable of [sensitivity]": weights.variable,
        "nodes, or a and b, of [sensitivity]": weights.nodes or (weights.a and weights.b),
        "tropopause_pressure or tropopause_layer of [sensitivity]": (
            weights.tropopause_pressure or weights.tropopause_layer
        ),
        "tropospheric of [air_mass_factors]": amf.tropospheric,
        "pressure of [surface]": found.surface.pressure,
    }
    if weights.kind == TOTAL_KERNEL:
        needed["total of [air_mass_factors]"] = amf.total
    return [what for what, given in needed.items() if not given]


def _invalid(path: Path, rule: str, given: str) -> ProductError:
    return ProductError(
        f"Invalid description {path.name}. In it, {rule}. Given {given}. See docs/sensors.md."
    )
