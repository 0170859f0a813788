"""Hybrid and sigma coefficients as files hold them: by name, in formulas, at middles or bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.formats.coordinates import text_attribute
from retrieval.apriori.formats.hybrid_tables import interfaces_from_middles
from retrieval.apriori.formats.level_units import PRESSURE_UNITS
from retrieval.apriori.formats.parametric import formula_terms
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

    Float = NDArray[np.float64]

_LARGEST_COEFFICIENT_HPA = 1100.0
"""Coefficients without a unit that exceed this cannot be in hPa, nor numbers: they are in Pa."""


def hybrid_terms(
    dataset: netCDF4.Dataset, name: str, n_level: int, where: str
) -> tuple[Float, Float] | None:
    """Return the interface coefficients of a level dimension, None where it is not hybrid.

    Parameters
    ----------
    dataset : netCDF4.Dataset
    name : str
        The level dimension.
    n_level : int
    where : str
        Names it in errors.

    Returns
    -------
    (ndarray, ndarray), shapes (n_level + 1,)
        a [Pa] and b [1] in the order of the file.

    Raises
    ------
    AprioriError
        If the first coefficient has neither a unit nor a reference pressure.
    """
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


def _formula_terms(dataset: netCDF4.Dataset, holder: str, where: str) -> tuple[Float, Float] | None:
    terms = formula_terms(dataset, holder)
    if {"sigma", "ptop"} <= terms.keys() and terms["ptop"] in dataset.variables:
        held = terms["sigma"] if terms["sigma"] in dataset.variables else holder
        sigma = np.asarray(dataset.variables[held][...], dtype=np.float64)
        top = float(np.ravel(_in_pascal(dataset.variables[terms["ptop"]]))[0])
        return (1.0 - sigma) * top, sigma  # p = ptop + sigma (ps - ptop), CF appendix D
    if "orog" in terms or "b" not in terms or not ("ap" in terms or "a" in terms):
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
        terms = formula_terms(dataset, holder)
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
