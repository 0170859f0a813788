"""The vertical coordinate of a field: heights, hybrid layers or pressures, surface first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.formats.coordinates import text_attribute
from retrieval.apriori.formats.hybrid_tables import interfaces
from retrieval.apriori.formats.hybrid_terms import hybrid_terms
from retrieval.apriori.formats.level_units import HEIGHT_UNITS, PRESSURE_UNITS
from retrieval.apriori.formats.local_layers import (
    Below,
    Found,
    ReadLayers,
    candidates,
    local_layers,
    no_terrain_message,
)
from retrieval.apriori.formats.parametric import ln_pressures, parametric
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

_PRESSURE_NAMES = ("pressure_level", "isobaricinhpa", "plev", "pressure")
_HEIGHT_NAMES = ("height", "heights")
MODEL_LEVEL_NAMES = ("model_level", "hybrid")


@dataclass(frozen=True)
class Levels:
    """A vertical coordinate, and the file's index of each of its levels (surface first).

    `layers` reads where they are, for `LocalLayers`.
    """

    vertical: Vertical
    order: NDArray[np.int64]
    layers: ReadLayers | None = None


@dataclass(frozen=True)
class GivenLevels:
    """Level information given by the user; empty means: from the file.

    `kind`, `values` and `unit` of the levels; or `variable`, a field that says where they are in
    each cell, and what lies `below` (`local_layers`).
    """

    kind: str = ""
    values: tuple[float, ...] = ()
    unit: str = ""
    variable: str = ""
    below: Below = field(default_factory=Below)


def find_levels(
    located: Field, given: GivenLevels | None = None, *, is_height_first: bool = False
) -> Levels:
    """Understand the level dimension of a field.

    Coefficients and coordinates of the dimension go first, then fields that say where the levels
    are in each cell: heights before pressures where `is_height_first`, as concentrations want.

    Raises
    ------
    AprioriError
        If there is none, its kind cannot be told, or its values are not usable.
    """
    given = given or GivenLevels()
    if located.level is None:
        raise AprioriError(two_dimensional_message(located.where))
    dataset, name = located.source.dataset(), located.level
    where = f"{name} of {located.source}"
    if given.values and len(given.values) != located.n_level:
        msg = (
            f"Invalid level_values for {where}. Their number must be that of the levels, "
            f"{located.n_level}. Given {len(given.values)}. Correct the TOML."
        )
        raise AprioriError(msg)
    found = _by_formula_or_field(located, given, where, is_height_first=is_height_first)
    if found is not None:
        return found
    kind = given.kind or _kind(dataset, name)
    values = np.array(given.values) if given.values else _values(dataset, name, where)
    match kind:
        case "height":
            return _heights(dataset, name, values, given.unit, where)
        case "pressure":
            return _pressures(dataset, name, values, given.unit, where)
        case "model_level":
            return model_levels(values, where)
        case "altitude":
            raise AprioriError(no_terrain_message(where))
    msg = (
        f"Invalid levels {where}. Their kind must be told by units (m, hPa), standard name, or "
        f"hybrid coefficients. Given values {_short(values)} without any. Give level_kind = "
        "'height' or 'pressure' in a TOML beside the file."
    )
    raise AprioriError(msg)


def _by_formula_or_field(
    located: Field, given: GivenLevels, where: str, *, is_height_first: bool
) -> Levels | None:
    """Levels that are not an axis: coefficients of a formula, or a field that says where."""
    dataset, name = located.source.dataset(), located.level or ""
    if given.variable:
        return _named(located, given, where)
    if given.values or given.kind not in ("", "hybrid", "altitude"):
        return None
    hybrid = (
        None if given.kind == "altitude" else hybrid_terms(dataset, name, located.n_level, where)
    )
    if hybrid is not None:
        return _surface_first_hybrid(*hybrid, where)
    formula = parametric(located, given.below.terrain)
    if formula is not None:
        return _of_found(formula)
    if name in dataset.variables:
        values = np.asarray(dataset.variables[name][...], dtype=np.float64)
        pressure = ln_pressures(dataset, name, values)
        if pressure is not None:
            return _point_pressures(pressure, where)
        if given.kind or _kind(dataset, name):
            return None
    for variable, kind in candidates(located, is_height_first=is_height_first):
        return _of_found(local_layers(located, variable, kind, given.below))
    return None


def _named(located: Field, given: GivenLevels, where: str) -> Levels:
    dataset = located.source.dataset()
    if given.variable in dataset.variables and dataset.variables[given.variable].ndim == 1:
        return _named_axis(located, given, where)
    kind = given.kind or _kind(dataset, given.variable)
    if kind not in ("pressure", "height", "altitude"):
        raise AprioriError(_unknown_kind_message(given.variable, where))
    return _of_found(local_layers(located, given.variable, kind, given.below))


def _named_axis(located: Field, given: GivenLevels, where: str) -> Levels:
    """Levels of a variable that is no coordinate of their dimension: at them, or at interfaces."""
    dataset, name = located.source.dataset(), given.variable
    kind, n_level = given.kind or _kind(dataset, name), located.n_level
    values = np.asarray(dataset.variables[name][...], dtype=np.float64)
    if values.size not in (n_level, n_level + 1) or kind not in ("height", "pressure"):
        msg = (
            f"Invalid levels {where}. A variable in one dimension must be heights or pressures of "
            f"the {n_level} levels or their {n_level + 1} interfaces. Given {name} with "
            f"{values.size} values, {kind or 'of no kind'}. Give level_kind = 'height' or "
            "'pressure', or another level_variable."
        )
        raise AprioriError(msg)
    if values.size == n_level:
        build = _heights if kind == "height" else _pressures
        return build(dataset, name, values, given.unit, where)
    table = HEIGHT_UNITS if kind == "height" else PRESSURE_UNITS
    edges = values * _factor(dataset, name, given.unit, table, 1.0)
    if kind == "pressure":
        return _surface_first_hybrid(edges, np.zeros_like(edges), where)
    order = np.arange(n_level)[:: -1 if edges[0] > edges[-1] else 1]
    checked = height_levels(edges, where)
    return Levels(HeightLayers(np.sort(edges)), order[: checked.order.size - 1])


def _of_found(found: Found) -> Levels:
    return Levels(found.vertical, found.order, found.read)


def _unknown_kind_message(variable: str, where: str) -> str:
    return (
        f"Invalid levels {where}. The field {variable} must say what it is by its standard name or "
        "unit. Given neither. Give level_kind = 'pressure', 'height' or 'altitude' in a TOML "
        "beside the file."
    )


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
        return "altitude"
    if units in PRESSURE_UNITS or standard_name == "air_pressure" or lowered in _PRESSURE_NAMES:
        return "pressure"
    if units in HEIGHT_UNITS or standard_name == "height":
        return "height"
    if lowered in _HEIGHT_NAMES and not _is_counted(variable):
        return "height"
    is_numbered = lowered in MODEL_LEVEL_NAMES or standard_name == "model_level_number"
    return "model_level" if is_numbered else ""


def _is_counted(variable: netCDF4.Variable[Any]) -> bool:
    """Tell whether a coordinate without a unit numbers levels, 1, 2, 3, ...: no heights."""
    values = np.sort(np.asarray(variable[...], dtype=np.float64).ravel())
    return values.size > 2 and bool((values == np.arange(1.0, values.size + 1.0)).all())


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
    levels = _point_pressures(values * factor, where)
    bounds = _bounds(dataset, name)
    if bounds is None:
        return levels
    edges = _edges(bounds * factor, levels.order, where)
    return _surface_first_hybrid(edges, np.zeros_like(edges), where, order=levels.order)


def _point_pressures(pressure: Float, where: str) -> Levels:
    order = np.argsort(-pressure)
    descending = pressure[order]
    is_bad = not np.isfinite(pressure).all() or (np.diff(descending) >= 0).any()
    if is_bad or descending[-1] <= 0 or not 1e3 < descending[0] < 1.2e5:
        msg = (
            f"Invalid pressures {where}. They must be distinct, positive, and the largest between "
            f"10 and 1200 hPa. Given {_short(pressure)} Pa. Correct the units of the levels."
        )
        raise AprioriError(msg)
    return Levels(PressureLevels(descending), order)


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
