"""The vertical coordinate of a field: heights, hybrid layers or pressures, surface first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.formats.coordinates import text_attribute
from retrieval.apriori.formats.hybrid_tables import interfaces, interfaces_from_middles
from retrieval.errors import AprioriError
from retrieval.physics.levels import (
    HeightLayers,
    HeightLevels,
    HybridLayers,
    PressureLevels,
    Vertical,
)

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

    from retrieval.apriori.formats.field import Field

    Float = NDArray[np.float64]

PRESSURE_UNITS = {
    "pa": 1.0,
    "hpa": 100.0,
    "mbar": 100.0,
    "mb": 100.0,
    "millibar": 100.0,
    "millibars": 100.0,
    "hectopascal": 100.0,
    "hectopascals": 100.0,
}
HEIGHT_UNITS = {"m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0, "km": 1000.0}

_PRESSURE_NAMES = ("pressure_level", "isobaricinhpa", "plev", "pressure")
_HEIGHT_NAMES = ("height", "heights")
MODEL_LEVEL_NAMES = ("model_level", "hybrid")
_LARGEST_COEFFICIENT_HPA = 1100.0
"""Coefficients without a unit that exceed this cannot be in hPa, nor numbers: they are in Pa."""


@dataclass(frozen=True)
class Levels:
    """A vertical coordinate, and the file's index of each of its levels (surface first)."""

    vertical: Vertical
    order: NDArray[np.int64]


@dataclass(frozen=True)
class GivenLevels:
    """Level information given by the user: kind, values and unit; empty means: from the file."""

    kind: str = ""
    values: tuple[float, ...] = ()
    unit: str = ""


def find_levels(field: Field, given: GivenLevels | None = None) -> Levels:
    """Understand the level dimension of a field.

    Raises
    ------
    AprioriError
        If there is none, its kind cannot be told, or its values are not usable.
    """
    given = given or GivenLevels()
    if field.level is None:
        raise AprioriError(two_dimensional_message(field.where))
    dataset, name = field.source.dataset(), field.level
    where = f"{name} of {field.source}"
    n_level = field.n_level
    if given.values and len(given.values) != n_level:
        msg = (
            f"Invalid level_values for {where}. Their number must be that of the levels, "
            f"{n_level}. Given {len(given.values)}. Correct the TOML."
        )
        raise AprioriError(msg)
    hybrid = None if given.kind not in ("", "hybrid") else _hybrid(dataset, name, n_level, where)
    if hybrid is not None:
        return _surface_first_hybrid(*hybrid, where)
    kind = given.kind or _kind(dataset, name)
    values = np.array(given.values) if given.values else _values(dataset, name, where)
    match kind:
        case "height":
            return _heights(dataset, name, values, given.unit, where)
        case "pressure":
            return _pressures(dataset, name, values, given.unit, where)
        case "model_level":
            return model_levels(values, where)
    msg = (
        f"Invalid levels {where}. Their kind must be told by units (m, hPa), standard name, or "
        f"hybrid coefficients. Given values {_short(values)} without any. Give level_kind = "
        "'height' or 'pressure' in a TOML beside the file."
    )
    raise AprioriError(msg)


def two_dimensional_message(where: str) -> str:
    """Sentence for a field that has no vertical dimension."""
    return (
        f"Invalid a-priori field {where}. It must have levels: profiles are needed. Given a "
        "two-dimensional field. Use the three-dimensional field of the same model."
    )


def model_levels(numbers: Float, where: str) -> Levels:
    """Return the layers of ECMWF model levels given by number (1 at the top)."""
    whole = np.round(numbers).astype(np.int64)
    a, b = interfaces(whole.tolist(), where)
    return Levels(HybridLayers(a, b), np.argsort(-whole))


def height_levels(values: Float, where: str) -> Levels:
    """Return heights [m] above ground as levels.

    Raises
    ------
    AprioriError
        If heights repeat, are missing, negative or above 100 km.
    """
    order = np.argsort(values)
    ascending = values[order]
    is_bad = not np.isfinite(values).all() or (np.diff(ascending) <= 0).any()
    if is_bad or ascending[0] < 0 or ascending[-1] > 1e5:
        msg = (
            f"Invalid heights {where}. They must be distinct and within 0..100000 m above ground. "
            f"Given {_short(values)} m. Correct the level coordinate."
        )
        raise AprioriError(msg)
    return Levels(HeightLevels(ascending), order)


def _kind(dataset: netCDF4.Dataset, name: str) -> str:
    if name not in dataset.variables:
        return ""
    variable = dataset.variables[name]
    units = text_attribute(variable, "units").lower()
    standard_name = text_attribute(variable, "standard_name")
    lowered = name.lower()
    if standard_name == "altitude" or (
        lowered in ("altitude", "alt") and standard_name != "height"
    ):
        msg = (
            f"Invalid levels {name}. Heights must be above ground. Given altitudes above sea "
            "level. Convert them, or give level_kind = 'height' in a TOML if they are heights."
        )
        raise AprioriError(msg)
    if units in PRESSURE_UNITS or standard_name == "air_pressure" or lowered in _PRESSURE_NAMES:
        return "pressure"
    if units in HEIGHT_UNITS or standard_name == "height" or lowered in _HEIGHT_NAMES:
        return "height"
    is_numbered = lowered in MODEL_LEVEL_NAMES or standard_name == "model_level_number"
    return "model_level" if is_numbered else ""


def _values(dataset: netCDF4.Dataset, name: str, where: str) -> Float:
    if name not in dataset.variables:
        msg = (
            f"Invalid levels {where}. The level dimension must have a coordinate variable. Given "
            "none. Give level_kind and level_values in a TOML beside the file."
        )
        raise AprioriError(msg)
    return np.asarray(dataset.variables[name][:], dtype=np.float64).ravel()


def _factor(
    dataset: netCDF4.Dataset, name: str, unit: str, table: dict[str, float], default: float
) -> float:
    text = unit or (
        text_attribute(dataset.variables[name], "units") if name in dataset.variables else ""
    )
    return table.get(text.lower(), default)


def _bounds(dataset: netCDF4.Dataset, name: str) -> Float | None:
    if name not in dataset.variables:
        return None
    bounds = text_attribute(dataset.variables[name], "bounds")
    if bounds not in dataset.variables:
        return None
    values = np.asarray(dataset.variables[bounds][:], dtype=np.float64)
    return values if values.ndim == 2 and values.shape[1] == 2 else None


def _edges(bounds: Float, order: NDArray[np.int64], where: str) -> Float:
    """Join the bounds of layers, surface first, to interfaces; layers must touch."""
    bottom_top = bounds[order]
    if abs(bottom_top[0, 0] - bottom_top[-1, 1]) < abs(bottom_top[0, 1] - bottom_top[-1, 0]):
        bottom_top = bottom_top[:, ::-1]
    gaps = np.abs(bottom_top[:-1, 1] - bottom_top[1:, 0])
    if gaps.size and (gaps > 1e-6 * np.abs(bottom_top).max()).any():
        msg = (
            f"Invalid bounds of {where}. Layers must touch each other. Given a gap above layer "
            f"{int(np.argmax(gaps))}. Correct the bounds."
        )
        raise AprioriError(msg)
    return np.append(bottom_top[:, 0], bottom_top[-1, 1])


def _heights(dataset: netCDF4.Dataset, name: str, values: Float, unit: str, where: str) -> Levels:
    factor = _factor(dataset, name, unit, HEIGHT_UNITS, 1.0)
    levels = height_levels(values * factor, where)
    bounds = _bounds(dataset, name)
    if bounds is None:
        return levels
    edges = _edges(bounds * factor, levels.order, where)
    if not (np.diff(edges) > 0).all():
        msg = (
            f"Invalid bounds of {where}. Interfaces must ascend. Given {_short(edges)}. Correct "
            "the bounds."
        )
        raise AprioriError(msg)
    return Levels(HeightLayers(edges), levels.order)


def _pressures(dataset: netCDF4.Dataset, name: str, values: Float, unit: str, where: str) -> Levels:
    default = 100.0 if name.lower() in ("pressure_level", "isobaricinhpa") else 1.0
    factor = _factor(dataset, name, unit, PRESSURE_UNITS, default)
    pressure = values * factor
    order = np.argsort(-pressure)
    descending = pressure[order]
    is_bad = not np.isfinite(pressure).all() or (np.diff(descending) >= 0).any()
    if is_bad or descending[-1] <= 0 or not 1e3 < descending[0] < 1.2e5:
        msg = (
            f"Invalid pressures {where}. They must be distinct, positive, and the largest between "
            f"10 and 1200 hPa. Given {_short(pressure)} Pa. Correct the units of the levels."
        )
        raise AprioriError(msg)
    bounds = _bounds(dataset, name)
    if bounds is None:
        return Levels(PressureLevels(descending), order)
    edges = _edges(bounds * factor, order, where)
    return _surface_first_hybrid(edges, np.zeros_like(edges), where, order=order)


def _hybrid(
    dataset: netCDF4.Dataset, name: str, n_level: int, where: str
) -> tuple[Float, Float] | None:
    """Return interface coefficients in file order, (n_level + 1,), or None when not hybrid."""
    if "hyai" in dataset.variables and dataset.variables["hyai"].size == n_level + 1:
        a = _pressure_term(dataset, "hyai", _p0_beside(dataset, "hyai"), where)
        return a, np.asarray(dataset.variables["hybi"][:], dtype=np.float64)
    if name not in dataset.variables:
        return None
    variable = dataset.variables[name]
    bounds = text_attribute(variable, "bounds")
    holders = [bounds, name] if bounds in dataset.variables else [name]
    for holder in holders:
        terms = _formula_terms(dataset, holder, where)
        found = None if terms is None else _joined(*terms, n_level)
        if found is not None:
            return found
    middles = _formula_terms(dataset, name, where)
    return None if middles is None else interfaces_from_middles(*middles, where)


def _terms(dataset: netCDF4.Dataset, holder: str) -> dict[str, str]:
    text = text_attribute(dataset.variables[holder], "formula_terms")
    return dict(re.findall(r"(\w+):\s*(\S+)", text))


def _formula_terms(dataset: netCDF4.Dataset, holder: str, where: str) -> tuple[Float, Float] | None:
    terms = _terms(dataset, holder)
    if {"sigma", "ptop"} <= terms.keys() and terms["ptop"] in dataset.variables:
        held = terms["sigma"] if terms["sigma"] in dataset.variables else holder
        sigma = np.asarray(dataset.variables[held][...], dtype=np.float64)
        top = float(np.ravel(_in_pascal(dataset.variables[terms["ptop"]]))[0])
        return (1.0 - sigma) * top, sigma  # p = ptop + sigma (ps - ptop), CF appendix D
    if "b" not in terms or not ("ap" in terms or "a" in terms):
        return None
    names = [terms.get("ap", terms.get("a", "")), terms["b"]]
    if any(n not in dataset.variables for n in names):
        return None
    p0 = terms.get("p0", "") if "ap" not in terms else ""
    a = _pressure_term(dataset, names[0], p0, where)
    return a, np.asarray(dataset.variables[names[1]][:], dtype=np.float64)


def _p0_beside(dataset: netCDF4.Dataset, a: str) -> str:
    """Return the reference pressure of a coefficient: of the formula it stands in, else by name."""
    for holder in dataset.variables:
        terms = _terms(dataset, holder)
        if a in (terms.get("a"), terms.get("ap")):
            return terms.get("p0", "") if terms.get("a") == a else ""
    return next((name for name in ("P0", "p0") if name in dataset.variables), "")


def _pressure_term(dataset: netCDF4.Dataset, name: str, p0: str, where: str) -> Float:
    """Return the first hybrid coefficient [Pa]: with a unit of pressure, or times p0 without one.

    CF appendix D has both: `ap` is a pressure, `a` a number that p0 makes one.

    Raises
    ------
    AprioriError
        If it is neither: without a unit, without p0, and too small to be in Pa.
    """
    variable = dataset.variables[name]
    units = text_attribute(variable, "units").lower()
    values = np.asarray(variable[...], dtype=np.float64)
    if units in PRESSURE_UNITS:
        return values * PRESSURE_UNITS[units]
    if p0 in dataset.variables:
        reference = float(np.ravel(_in_pascal(dataset.variables[p0]))[0])
        if 5e4 < reference < 1.2e5 and np.abs(values).max() <= 1.0:
            return values * reference
    elif np.abs(values).max() > _LARGEST_COEFFICIENT_HPA:
        return values
    msg = (
        f"Invalid hybrid levels {where}. The coefficient {name} must have a unit of pressure, or "
        f"none and a reference pressure p0 (CF appendix D). Given the largest, "
        f"{np.abs(values).max():g}, with unit {units or 'none'!r} and "
        f"{f'p0 = {p0}' if p0 else 'no p0'}. Correct its unit."
    )
    raise AprioriError(msg)


def _joined(a: Float, b: Float, n_level: int) -> tuple[Float, Float] | None:
    """Interfaces as (n + 1,), or as (n, 2) bounds joined; None for mid-levels."""
    if a.shape == b.shape == (n_level + 1,):
        return a, b
    if a.shape == b.shape == (n_level, 2):
        pressure = a + b * 101325.0
        is_top_first = n_level > 1 and pressure[0].mean() < pressure[1].mean()
        # which side comes first in file order: the top one where levels start at the top
        picked = (pressure.argmin(axis=1), pressure.argmax(axis=1))
        first, last = picked if is_top_first else picked[::-1]
        rows = np.arange(n_level)
        join = [np.append(v[rows, first], v[-1, last[-1]]) for v in (a, b)]
        return join[0], join[1]
    return None


def _in_pascal(variable: netCDF4.Variable[Any]) -> Float:
    factor = PRESSURE_UNITS.get(text_attribute(variable, "units").lower(), 1.0)
    return np.asarray(variable[...], dtype=np.float64) * factor


def _surface_first_hybrid(
    a: Float, b: Float, where: str, order: NDArray[np.int64] | None = None
) -> Levels:
    pressure = a + b * 101325.0
    is_top_first = pressure[0] < pressure[-1]
    if is_top_first:
        a, b, pressure = a[::-1], b[::-1], pressure[::-1]
    if not (np.isfinite(pressure).all() and (np.diff(pressure) < 0).all() and pressure[-1] >= 0):
        msg = (
            f"Invalid hybrid levels {where}. Pressure must fall from each interface to the next. "
            f"Given {_short(pressure)} Pa. Correct the coefficients or their units."
        )
        raise AprioriError(msg)
    n = a.size - 1
    if order is None:
        order = np.arange(n)[::-1] if is_top_first else np.arange(n)
    return Levels(HybridLayers(a, b), order)


def _short(values: Float) -> str:
    shown = ", ".join(f"{v:g}" for v in values[:4])
    return shown if values.size <= 4 else f"{shown}, ... {values[-1]:g} ({values.size} values)"
