"""A file as the TOML beside it describes it: coordinates under other names, times, coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.formats.coordinates import roles
from retrieval.apriori.formats.translation import Described, Made, TranslatedSource
from retrieval.apriori.locating import find_no2
from retrieval.apriori.sidecar import as_times
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    import netCDF4

    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.apriori.sidecar import Sidecar

_DEGREES = {"longitude": ("x", "degrees_east"), "latitude": ("y", "degrees_north")}
_SECONDS = "seconds since 1970-01-01 00:00:00"
_SAID = ("longitude", "latitude", "time_unit", "times", "level_a", "level_b")


def as_described(source: NetcdfSource, sidecar: Sidecar) -> NetcdfSource:
    """Show a file as its TOML describes it; the file itself where nothing of it changes.

    Raises
    ------
    AprioriError
        When it is read: if what the TOML names is not there, or does not fit.
    """
    if not any(key in sidecar.keys for key in _SAID):
        return source
    return TranslatedSource.of(source, lambda original: _variables(original, sidecar))


def _variables(source: NetcdfSource, sidecar: Sidecar) -> dict[str, Any]:
    dataset = source.dataset()
    for key in ("longitude", "latitude", "level_a", "level_b", "variable"):
        _check(sidecar, key, dataset.variables, "variable", source)
    for key in ("level", "time", "x", "y"):
        _check(sidecar, key, dataset.dimensions, "dimension", source)
    variable = find_no2(dataset, sidecar.text("variable"))
    if variable is None:
        return {}
    made: dict[str, Any] = {}
    made |= _places(dataset, sidecar, variable)
    made |= _times(dataset, sidecar, variable, source)
    return made | _coefficients(dataset, sidecar, variable, source)


def _check(sidecar: Sidecar, key: str, there: Any, what: str, source: NetcdfSource) -> None:
    name = sidecar.text(key)
    if name and name not in there:
        shown = ", ".join(list(there)[:12])
        msg = (
            f"Invalid TOML {sidecar.path}. {key} must name a {what} of {source}, of {shown}. Given "
            f"{name!r}. Correct it."
        )
        raise AprioriError(msg)


def _places(dataset: netCDF4.Dataset, sidecar: Sidecar, variable: str) -> dict[str, Any]:
    """Longitudes and latitudes with the attributes that tell them, on axes under their names."""
    made: dict[str, Any] = {}
    for key, (role, unit) in _DEGREES.items():
        name = sidecar.text(key)
        if not name:
            continue
        stored = dataset.variables[name]
        attributes: dict[str, Any] = {"units": unit, "standard_name": key}
        made[name] = Described(stored, **attributes)
        if stored.ndim == 1:
            axis = sidecar.text(role) or stored.dimensions[0]
            made[axis] = Made((axis,), np.asarray(stored[...]), **attributes)
    if len(made) == 2 and all(dataset.variables[n].ndim == 2 for n in made):
        made[variable] = Described(dataset.variables[variable], coordinates=" ".join(made))
    return made


def _times(
    dataset: netCDF4.Dataset, sidecar: Sidecar, variable: str, source: NetcdfSource
) -> dict[str, Any]:
    dimensions = dataset.variables[variable].dimensions
    found = {role: name for name, role in roles(dataset, dimensions, sidecar.names.roles).items()}
    along = sidecar.text("time") or found.get("time", "")
    if sidecar.text("time_unit"):
        name = along or "time"
        if name not in dataset.variables:
            msg = (
                f"Invalid TOML {sidecar.path}. time_unit is of the numbers of a variable. Given "
                f"none {name!r} in {source}. Give times = [...] instead."
            )
            raise AprioriError(msg)
        return {name: Described(dataset.variables[name], units=sidecar.text("time_unit"))}
    if "times" not in sidecar.keys:
        return {}
    times = as_times(sidecar.keys["times"]).astype("datetime64[s]").astype(np.int64)
    n = dataset.dimensions[along].size if along else 1
    if times.size != n:
        msg = (
            f"Invalid TOML {sidecar.path}. times must be one for each of the {n} fields of "
            f"{source}. Given {times.size}. Correct it."
        )
        raise AprioriError(msg)
    attributes: dict[str, Any] = {"units": _SECONDS, "standard_name": "time"}
    if along:
        return {along: Made((along,), times, **attributes)}
    return {"time": Made((), times[0], **attributes)}


def _coefficients(
    dataset: netCDF4.Dataset, sidecar: Sidecar, variable: str, source: NetcdfSource
) -> dict[str, Any]:
    names = sidecar.text("level_a"), sidecar.text("level_b")
    if not any(names):
        return {}
    dimensions = dataset.variables[variable].dimensions
    found = {role: name for name, role in roles(dataset, dimensions, sidecar.names.roles).items()}
    level = found.get("level", "")
    if not (all(names) and level):
        msg = (
            f"Invalid TOML {sidecar.path}. level_a and level_b go together, with level for the "
            f"dimension. Given {', '.join(n for n in (*names, level) if n)} for {source}. Give all."
        )
        raise AprioriError(msg)
    n = dataset.dimensions[level].size
    terms = f"ap: {names[0]} b: {names[1]} ps: {sidecar.text('surface_pressure') or 'ps'}"
    return {level: Made((level,), np.arange(n, dtype=np.float64), formula_terms=terms, axis="Z")}
