"""Units of NO2 fields: what a unit string measures, its factor to SI, and whether it can be true.

Unit attributes are wrong often enough (docs/formats.md 4.1 has concentrations labelled `ug/cm2`)
that every unit is checked twice: its dimension must fit the levels, and the values of the lowest
level must be NO2 one can meet near the ground. An error names both readings of the numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import AprioriError
from retrieval.physics.constants import (
    AVOGADRO,
    DOBSON_UNIT_TO_MOL_M2,
    MASS_TO_MOLE_FRACTION,
    MICROGRAM_M3_TO_MOL_M3,
    MOLAR_MASS_NO2,
)
from retrieval.physics.levels import Quantity

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PREFIX = {
    "": 1.0,
    "P": 1e15,
    "k": 1e3,
    "c": 1e-2,
    "m": 1e-3,
    "u": 1e-6,
    "micro": 1e-6,
    "n": 1e-9,
    "p": 1e-12,
}
_BASE = {
    # kind, size in kg, mol, m
    "g": ("mass", 1e-3),
    "gram": ("mass", 1e-3),
    "mol": ("amount", 1.0),
    "mole": ("amount", 1.0),
    "molec": ("amount", 1.0 / AVOGADRO),
    "molecule": ("amount", 1.0 / AVOGADRO),
    "m": ("length", 1.0),
}
_WORDS = {
    "ppm": 1e-6,
    "ppb": 1e-9,
    "ppt": 1e-12,
    "ppmv": 1e-6,
    "ppbv": 1e-9,
    "pptv": 1e-12,
    "vmr": 1.0,
    "v/v": 1.0,
}
_DRY = re.compile(r"[\s(_-]*\b(dry|moist|wet)[\s_-]*(air)?\)?\s*$", re.I)
_TOKEN = re.compile(r"^(?P<name>[A-Za-z]+?)(?:\^|\*\*)?(?P<power>[+-]?\d+)?$")
_NUMBER = re.compile(r"^(?:\d+(?:\.\d*)?|\.\d+)?(?:[eE][+-]?\d+)?$|^10\^[+-]?\d+$")

PLAUSIBLE = {
    # smallest and largest maximum of the lowest level over an area, SI
    Quantity.CONCENTRATION: (1e-3 * MICROGRAM_M3_TO_MOL_M3, 3e3 * MICROGRAM_M3_TO_MOL_M3),
    Quantity.MOLE_FRACTION: (5e-13, 2e-6),
    Quantity.PARTIAL_COLUMN: (1e-11, 2e-2),
}
"""Bounds of the largest value near the ground: 0.001-3000 ug m-3, 0.5 ppt-2 ppm,
1e-11-0.02 mol m-2. The cleanest ocean air has some ppt; hourly values in streets stay below
1000 ug m-3; the largest columns seen from space are near 2e-3 mol m-2."""

MIN_CELLS_FOR_LOWER_BOUND = 100
"""Fewer cells may all be clean: only the upper bound is applied to them."""

_ALTERNATIVES = ("ug m-3", "mol mol-1", "kg kg-1", "ppb", "kg m-3", "molec cm-3", "mol m-2")


@dataclass(frozen=True)
class Unit:
    """A unit of an NO2 field: `factor` times the number gives `quantity` in SI.

    `is_dry` where it says that a ratio is of dry air.
    """

    text: str
    quantity: Quantity
    factor: float
    is_dry: bool = False


def parse_unit(text: str | None, where: str, standard_name: str = "") -> Unit:
    """Understand the unit of an NO2 field.

    Parameters
    ----------
    text : str or None
        The `units` attribute: mass concentration ("ug m-3", "µg/m3"), number density
        ("molec cm-3", "mol m-3"), mole fraction ("mol mol-1", "ppb"), mass fraction ("kg kg**-1"),
        column ("mol m-2", "molec cm-2", "kg m-2", "DU"); "1" with a standard name that tells.
    where : str
        Names variable and file in errors.
    standard_name : str
        CF standard name; decides what a dimensionless unit means and must not contradict.

    Raises
    ------
    AprioriError
        If there is no unit, or it is none of an NO2 field.

    Examples
    --------
    >>> unit = parse_unit("µg/m3", "no2")
    >>> str(unit.quantity), f"{unit.factor:.6g}"
    ('concentration', '2.17365e-08')
    >>> parse_unit("kg kg**-1", "no2").quantity.value
    'mole_fraction'
    """
    if "expressed_as" in standard_name:
        msg = (
            f"Invalid quantity of {where}. Masses must be those of NO2, not of nitrogen. Given "
            f"standard_name {standard_name!r}. Convert the field to mass of NO2."
        )
        raise AprioriError(msg)
    if text is None or not text.strip():
        msg = (
            f"Invalid unit of {where}. The variable must say its unit. Given none. "
            "Give unit = '...' in a TOML beside the file."
        )
        raise AprioriError(msg)
    said = _DRY.search(text)
    if said is not None and _DRY.sub("", text).strip():
        unit = parse_unit(_DRY.sub("", text), where, standard_name)
        is_dry = said[1].lower() == "dry" and unit.quantity is Quantity.MOLE_FRACTION
        return Unit(text, unit.quantity, unit.factor, is_dry)
    cleaned = _clean(text)
    if cleaned in ("DU", "Dobson"):
        return Unit(text, Quantity.PARTIAL_COLUMN, DOBSON_UNIT_TO_MOL_M2)
    if cleaned.lower() in _WORDS:
        ratio = Unit(text, Quantity.MOLE_FRACTION, _WORDS[cleaned.lower()])
        return _agreeing(ratio, standard_name, where)
    reduced = _reduce(cleaned)
    found = None if reduced is None else _classify(text, *reduced, standard_name)
    if found is None:
        msg = (
            f"Invalid unit of {where}. It must be a concentration, number density, mixing ratio or "
            f"column of NO2. Given {text!r}. Give unit = '...' in a TOML beside the file."
        )
        raise AprioriError(msg)
    return _agreeing(found, standard_name, where)


def is_mass(text: str) -> bool:
    """Tell whether a unit is a mass in a volume or on an area.

    Examples
    --------
    >>> is_mass("µg/m3"), is_mass("ug/cm2"), is_mass("mol m-3"), is_mass("ppb")
    (True, True, False, False)
    """
    reduced = _reduce(_clean(text))
    return reduced is not None and set(reduced[1]) == {"mass"} and set(reduced[2]) == {"length"}


def check_fits_levels(unit: Unit, is_layers: bool, largest: float, where: str) -> None:
    """Refuse a column unit on levels that are points: its numbers cannot be per layer.

    Parameters
    ----------
    largest : float
        Largest value of the lowest level, in the declared unit; NaN where unknown.

    Raises
    ------
    AprioriError
        Naming both readings: the declared unit, and one that would make sense.
    """
    if unit.quantity is Quantity.PARTIAL_COLUMN and not is_layers:
        msg = (
            f"Invalid unit of {where}. Values at levels cannot be columns. Given {unit.text!r}: "
            f"{_two_readings(unit, largest, Quantity.CONCENTRATION)}"
        )
        raise AprioriError(msg)


def check_plausible(values: NDArray[np.floating], unit: Unit, where: str) -> None:
    """Refuse a field whose lowest level is no NO2 one can meet, in the declared unit.

    Parameters
    ----------
    values : ndarray, shape (n_level, n_y, n_x)
        In SI, surface first, NaN where missing.
    unit : Unit
        The declared unit.

    Raises
    ------
    AprioriError
        Naming both readings of the numbers.
    """
    lowest = values[0]
    n_finite = int(np.isfinite(lowest).sum())
    if n_finite == 0:
        return
    smallest, largest = float(np.nanmin(values)), float(np.nanmax(lowest))
    low, high = PLAUSIBLE[unit.quantity]
    top = float(np.nanmax(values))
    is_too_small = 0.0 < largest < low and n_finite >= MIN_CELLS_FOR_LOWER_BOUND
    if is_too_small or largest > high:
        msg = (
            f"Implausible values of {where}. The lowest level must peak between {low:.2g} and "
            f"{high:.2g} {_SI_NAME[unit.quantity]}. Given {unit.text!r}: "
            f"{_two_readings(unit, largest / unit.factor, None)}"
        )
        raise AprioriError(msg)
    if smallest < -0.1 * high or top > 10.0 * high or not np.isfinite([smallest, top]).all():
        msg = (
            f"Implausible values of {where}. No level may leave {-0.1 * high:.2g} to "
            f"{10.0 * high:.2g} {_SI_NAME[unit.quantity]}. Given {smallest:.3g} to {top:.3g}. "
            "The file is damaged, or its fill value is not declared."
        )
        raise AprioriError(msg)


_SI_NAME = {
    Quantity.CONCENTRATION: "mol m-3",
    Quantity.MOLE_FRACTION: "mol mol-1",
    Quantity.PARTIAL_COLUMN: "mol m-2",
}


def _two_readings(unit: Unit, largest: float, wanted: Quantity | None) -> str:
    si = largest * unit.factor
    declared = f"as declared the maximum {largest:.3g} means {si:.3g} {_SI_NAME[unit.quantity]}"
    other = next(
        (a for a in _ALTERNATIVES if _would_fit(a, largest, wanted) and a != unit.text), None
    )
    if other is None:
        return f"{declared}, impossible. Give unit = '...' in a TOML beside the file."
    return (
        f"{declared}, impossible; read as {other} the same number is plausible. "
        f"If that is meant, give unit = '{other}' in a TOML beside the file."
    )


def _would_fit(text: str, largest: float, wanted: Quantity | None) -> bool:
    unit = parse_unit(text, "alternative")
    low, high = PLAUSIBLE[unit.quantity]
    return low <= largest * unit.factor <= high and wanted in (None, unit.quantity)


def _clean(text: str) -> str:
    replaced = text.strip().replace("µ", "u").replace("μ", "u").replace("mcg", "ug")
    for superscript, digit in zip("⁻⁰¹²³⁴", "-01234", strict=True):
        replaced = replaced.replace(superscript, digit)
    return replaced


def _reduce(text: str) -> tuple[float, dict[str, int], dict[str, int]] | None:
    """Return (factor, powers above, powers below the line) by kind of base unit."""
    factor = 1.0
    above: dict[str, int] = {}
    below: dict[str, int] = {}
    for i_part, part in enumerate(text.split("/")):
        sign = 1 if i_part == 0 else -1
        for token in re.split(r"[\s·]+|(?<!\*)\*(?!\*)|\.(?=[A-Za-z])", part.strip("() ")):
            if not token:
                continue
            if _NUMBER.match(token):
                factor *= float(token.replace("10^", "1e")) ** sign
                continue
            found = _token(token)
            if found is None:
                return None
            kind, size, power = found
            power *= sign
            factor *= size**power
            side = above if power > 0 else below
            side[kind] = side.get(kind, 0) + abs(power)
    return factor, above, below


def _token(token: str) -> tuple[str, float, int] | None:
    match = _TOKEN.match(token)
    if match is None:
        return None
    power = int(match["power"] or 1)
    name = match["name"]
    for candidate in (name, name.removesuffix("s")):
        for prefix, scale in _PREFIX.items():
            base = (
                _BASE.get(candidate.removeprefix(prefix)) if candidate.startswith(prefix) else None
            )
            if base is not None:
                return base[0], base[1] * scale, power
    return None


def _classify(
    text: str, factor: float, above: dict[str, int], below: dict[str, int], standard_name: str
) -> Unit | None:
    match (above, below):
        case ({"mass": 1}, {"length": 3}) if _plain(above, below):
            return Unit(text, Quantity.CONCENTRATION, factor / MOLAR_MASS_NO2)
        case ({"amount": 1}, {"length": 3}) if _plain(above, below):
            return Unit(text, Quantity.CONCENTRATION, factor)
        case ({"mass": 1}, {"length": 2}) if _plain(above, below):
            return Unit(text, Quantity.PARTIAL_COLUMN, factor / MOLAR_MASS_NO2)
        case ({"amount": 1}, {"length": 2}) if _plain(above, below):
            return Unit(text, Quantity.PARTIAL_COLUMN, factor)
        case ({"mass": 1}, {"mass": 1}) if _plain(above, below):
            return Unit(text, Quantity.MOLE_FRACTION, factor * MASS_TO_MOLE_FRACTION)
        case ({"amount": 1}, {"amount": 1}) | ({"length": 3}, {"length": 3}) if _plain(
            above, below
        ):
            return Unit(text, Quantity.MOLE_FRACTION, factor)
    return _bare(text, factor, above, below, standard_name)


def _plain(above: dict[str, int], below: dict[str, int]) -> bool:
    return len(above) == 1 and len(below) == 1


def _bare(
    text: str, factor: float, above: dict[str, int], below: dict[str, int], standard_name: str
) -> Unit | None:
    """Units without a name for what is counted: "cm-3", "m-2", "1"."""
    if above:
        return None
    if below == {"length": 3}:
        return Unit(text, Quantity.CONCENTRATION, factor / AVOGADRO)
    if below == {"length": 2}:
        return Unit(text, Quantity.PARTIAL_COLUMN, factor / AVOGADRO)
    if not below and standard_name.startswith("mole_fraction"):
        return Unit(text, Quantity.MOLE_FRACTION, factor)
    if not below and standard_name.startswith("mass_fraction"):
        return Unit(text, Quantity.MOLE_FRACTION, factor * MASS_TO_MOLE_FRACTION)
    return None


_NAMES = (
    ("mole_fraction", Quantity.MOLE_FRACTION),
    ("mass_fraction", Quantity.MOLE_FRACTION),
    ("mass_concentration", Quantity.CONCENTRATION),
    ("mole_concentration", Quantity.CONCENTRATION),
    ("number_concentration", Quantity.CONCENTRATION),
)


def _agreeing(unit: Unit, standard_name: str, where: str) -> Unit:
    """Refuse a unit that contradicts the standard name."""
    says = next((q for start, q in _NAMES if standard_name.startswith(start)), None)
    is_mass_ratio = standard_name.startswith("mass_fraction")
    is_mole_ratio = standard_name.startswith("mole_fraction")
    per_mass = "g" in _clean(unit.text) and unit.quantity is Quantity.MOLE_FRACTION
    contradicts = (says is not None and says is not unit.quantity) or (
        (is_mole_ratio and per_mass)
        or (is_mass_ratio and unit.quantity is Quantity.MOLE_FRACTION and "mol" in unit.text)
    )
    # a column on levels has its own, clearer error, with both readings
    if contradicts and unit.quantity is not Quantity.PARTIAL_COLUMN:
        msg = (
            f"Invalid unit of {where}. It must agree with the standard name. Given {unit.text!r} "
            f"({unit.quantity}) and {standard_name!r}. Give unit = '...' in a TOML beside the file."
        )
        raise AprioriError(msg)
    return unit
