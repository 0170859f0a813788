"""Vertical coordinates of CF appendix D that end in a height or in a fixed pressure.

Those that end in a pressure over the surface, hybrid and sigma, are in `levels`: they are evaluated
at the pixel's own surface pressure. Here are

    ln pressure     p = p0 exp(-lev)                               fixed pressures
    hybrid height   z = a + b orog                                 above sea level
    SLEVE           z = a ztop + b1 zsurf1 + b2 zsurf2             above sea level

and a plain axis of altitudes. Heights above ground are z less the terrain: (b - 1) orog + a. The
coordinates of the middles are in the file; the interfaces are those of its bounds, else midway.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.formats.coordinates import text_attribute
from retrieval.apriori.formats.level_units import HEIGHT_UNITS, PRESSURE_UNITS
from retrieval.apriori.formats.local_layers import (
    TERRAIN,
    Found,
    beside,
    edges_midway,
    packed,
)
from retrieval.errors import AprioriError
from retrieval.physics.levels import LocalLayers

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

    from retrieval.apriori.formats.field import Field

    Float = NDArray[np.float64]


def formula_terms(dataset: netCDF4.Dataset, holder: str) -> dict[str, str]:
    """Return the terms of a parametric coordinate, empty where it has none."""
    if holder not in dataset.variables:
        return {}
    text = text_attribute(dataset.variables[holder], "formula_terms")
    return dict(re.findall(r"(\w+):\s*(\S+)", text))


def parametric(field: Field, terrain: str = "") -> Found | None:
    """Build the layers of a level coordinate above sea level; None where it is none.

    Parameters
    ----------
    field : Field
        On levels.
    terrain : str
        The user's name of the terrain, for a plain axis of altitudes.

    Raises
    ------
    AprioriError
        If a term of the formula is missing, or on the wrong dimensions.
    """
    name = field.level or ""
    dataset = field.source.dataset()
    terms = formula_terms(dataset, name)
    where = f"{name} of {field.source}"
    if {"tau", "eta"} <= terms.keys() or "depth" in terms:
        return None  # of the ocean
    if {"a", "b", "orog"} <= terms.keys():
        parts, surfaces = ["a", "b"], ["orog"]
    elif {"a", "b1", "b2", "ztop", "zsurf1", "zsurf2"} <= terms.keys():
        parts, surfaces = ["a", "b1", "b2"], ["zsurf1", "zsurf2"]
    elif _is_altitude(dataset, name):
        below = _terrain(field, terrain)
        if below is None:
            return None
        heights = [_column(dataset, name, name, field.n_level, where)]
        return _above_sea(field, heights, [below], where, is_terrain_following=False)
    else:
        return None
    absent = [t for t in (*parts, *surfaces) if terms[t] not in dataset.variables]
    if absent:
        msg = (
            f"Invalid levels {where}. The terms of their formula must be variables of the file. "
            f"Given no {', '.join(terms[t] for t in absent)}. Add them."
        )
        raise AprioriError(msg)
    bounds = formula_terms(dataset, text_attribute(dataset.variables[name], "bounds"))
    columns = []
    for part in parts:
        held = bounds.get(part, "")
        held = held if held in dataset.variables else terms[part]
        columns.append(_column(dataset, held, terms[part], field.n_level, where))
    if len({c.size for c in columns}) > 1:  # only some of the coefficients have bounds
        columns = [_column(dataset, terms[p], terms[p], field.n_level, where) for p in parts]
    if "ztop" in terms:
        columns[0] = columns[0] * float(np.ravel(dataset.variables[terms["ztop"]][...])[0])
    return _above_sea(
        field, columns, [terms[s] for s in surfaces], where, is_terrain_following=True
    )


def ln_pressures(dataset: netCDF4.Dataset, name: str, values: Float) -> Float | None:
    """Return the pressures [Pa] of levels of -ln(p / p0); None where the formula is another."""
    terms = formula_terms(dataset, name)
    if not {"p0", "lev"} <= terms.keys() or terms["p0"] not in dataset.variables:
        return None
    p0 = dataset.variables[terms["p0"]]
    factor = PRESSURE_UNITS.get(text_attribute(p0, "units").lower(), 1.0)
    return np.asarray(float(np.ravel(p0[...])[0]) * factor * np.exp(-values))


def _is_altitude(dataset: netCDF4.Dataset, name: str) -> bool:
    if name not in dataset.variables:
        return False
    variable = dataset.variables[name]
    standard_name = text_attribute(variable, "standard_name")
    units = text_attribute(variable, "units").lower()
    is_said = standard_name in ("altitude", "height_above_mean_sea_level")
    is_named = name.lower() in ("altitude", "alt") and standard_name != "height"
    return units in HEIGHT_UNITS and variable.ndim == 1 and (is_said or is_named)


def _terrain(field: Field, given: str) -> str | None:
    variables = field.source.dataset().variables
    if given:
        return given if given in variables else None
    said = [n for n, v in variables.items() if text_attribute(v, "standard_name") in TERRAIN]
    return said[0] if len(said) == 1 else None


def _column(dataset: netCDF4.Dataset, held: str, middle: str, n_level: int, where: str) -> Float:
    """Return a coefficient at interfaces (n + 1,) where it has bounds, else at middles (n,)."""
    values = np.asarray(dataset.variables[held][...], dtype=np.float64)
    if held == middle:
        bounds = text_attribute(dataset.variables[held], "bounds")
        if bounds in dataset.variables:
            values = np.asarray(dataset.variables[bounds][...], dtype=np.float64)
    unit = text_attribute(dataset.variables[middle], "units").lower()
    values = values * HEIGHT_UNITS.get(unit, 1.0)
    if values.shape == (n_level, 2):
        touching = np.abs(values[:-1, 1] - values[1:, 0]).sum()
        first, last = (0, 1) if touching <= np.abs(values[:-1, 0] - values[1:, 1]).sum() else (1, 0)
        return np.append(values[:, first], values[-1, last])
    if values.shape not in ((n_level,), (n_level + 1,)):
        msg = (
            f"Invalid levels {where}. Coefficients must have one value for each of the {n_level} "
            f"levels. Given {held} of shape {values.shape}. Correct the file."
        )
        raise AprioriError(msg)
    return values


def _above_sea(
    field: Field,
    columns: list[Float],
    surfaces: list[str],
    where: str,
    *,
    is_terrain_following: bool,
) -> Found:
    """Layers of z = c0 + c1 s1 + c2 s2 less the terrain, which is the sum of the surfaces."""
    grounds = [beside(field, name) for name in surfaces]
    bad = [g.name for g in grounds if g.level is not None]
    if bad:
        msg = (
            f"Invalid levels {where}. The terrain must be a variable on the grid of the field. "
            f"Given {', '.join(bad)} with further dimensions. Correct the TOML or the file."
        )
        raise AprioriError(msg)
    is_top_first = bool(columns[0][0] > columns[0][-1])
    turn = slice(None, None, -1 if is_top_first else 1)
    ordered = [c[turn] for c in columns]

    def read(i_time: int, rows: slice, columns_: slice) -> Float:
        terrain = [g.read(i_time, rows, columns_)[0].astype(np.float64) for g in grounds]
        z = np.repeat(ordered[0][:, None, None], terrain[0].shape[0], axis=1)
        z = np.repeat(z, terrain[0].shape[1], axis=2)
        if is_terrain_following:
            for coefficient, surface in zip(ordered[1:], terrain, strict=True):
                z = z + coefficient[:, None, None] * surface
        z = z - sum(terrain[1:], terrain[0])
        edges = z if z.shape[0] == field.n_level + 1 else edges_midway(z, is_pressure=False)
        return packed(edges, is_pressure=False, where=where)

    order = np.arange(field.n_level)[turn]
    return Found(LocalLayers(field.n_level, is_pressure=False), order, read)
