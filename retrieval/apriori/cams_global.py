"""CAMS global forecasts and the EAC4 reanalysis, on pressure or model levels.

Layout: docs/formats.md 4.3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.file_set import Candidate, FileSet, build_set, provenance
from retrieval.apriori.formats.coordinates import role_of, text_attribute
from retrieval.apriori.formats.hybrid_tables import MODEL_LEVELS
from retrieval.apriori.formats.level_units import PRESSURE_UNITS
from retrieval.apriori.formats.levels import MODEL_LEVEL_NAMES, Levels, model_levels
from retrieval.apriori.generic import no2_of
from retrieval.apriori.locating import Request, locate
from retrieval.files.candidates import newest
from retrieval.physics.time_rules import TimeRule

if TYPE_CHECKING:
    import netCDF4

    from retrieval.apriori.formats.containers import NetcdfSource


_PRESSURE_NAMES = ("pressure_level", "isobaricinhpa", "plev")
_MASS_FRACTION_UNITS = ("kgkg**-1", "kgkg-1", "kg/kg", "kgkg^-1")


def level_kind(dataset: netCDF4.Dataset, dimension: str) -> str:
    """Return "pressure", "model_level", or "" where the level dimension is neither.

    Legacy files call both kinds `level`: pressures have the unit millibars, model levels none,
    and are whole numbers down to 60 or 137.
    """
    lowered = dimension.lower()
    if dimension not in dataset.variables:
        return ""
    variable = dataset.variables[dimension]
    units = text_attribute(variable, "units").lower()
    if lowered in _PRESSURE_NAMES or units in PRESSURE_UNITS:
        return "pressure"
    words = text_attribute(variable, "long_name") + text_attribute(variable, "standard_name")
    if lowered in MODEL_LEVEL_NAMES or "model_level" in words or "model level" in words:
        return "model_level"
    values = np.asarray(variable[:], dtype=np.float64)
    is_numbered = bool((values == np.round(values)).all() and values.max() in MODEL_LEVELS)
    return "model_level" if is_numbered and units in ("", "1", "~", "level") else ""


def level_dimension(dataset: netCDF4.Dataset, variable: str) -> str | None:
    """Return the level dimension of a variable, None where it has none."""
    dimensions = dataset.variables[variable].dimensions
    return next((d for d in dimensions if role_of(dataset, d) == "level"), None)


def is_cams_global(dataset: netCDF4.Dataset, variable: str) -> bool:
    """Tell whether a variable is a mass mixing ratio on pressure or model levels."""
    stored = dataset.variables[variable]
    units = text_attribute(stored, "units").replace(" ", "")
    level = level_dimension(dataset, variable)
    return units in _MASS_FRACTION_UNITS and level is not None and bool(level_kind(dataset, level))


KIND = "CAMS global"
PRIORITY = 40


def matches(source: NetcdfSource, variable: str) -> bool:
    """Tell whether a file has NO2 in kg kg-1 on pressure or model levels."""
    return is_cams_global(source.dataset(), variable)


def open_set(sources: list[NetcdfSource], request: Request) -> FileSet:
    """Open a file, an archive or a folder of files; reads coordinates only.

    Model levels get the coefficients of L60 or L137, told by the number of the lowest level, and
    must be contiguous from the surface up. Of several runs with one valid time the shortest lead
    is used.

    Raises
    ------
    AprioriError
        If levels have gaps, files differ in grid or levels, or a file is damaged.
    """
    candidates = [_candidate(source, request) for source in sources]
    attributes = provenance(sources[0])
    rule = TimeRule.LINEAR
    return build_set(KIND, candidates, rule, sources, attributes, around=request.around)


def _candidate(source: NetcdfSource, request: Request) -> Candidate:
    variable = no2_of(source, request)
    located = locate(source, variable, request, levels=_model_levels(source, variable))
    times = located.slab.times
    # the later run first: its lead is the shorter one
    started = [int(times[0].astype(int))] if times.size else []
    return replace(located, rank=(newest("run", str(times[0]) if started else "", *started),))


def _model_levels(source: NetcdfSource, variable: str) -> Levels | None:
    """Layers of model levels; None for levels that speak for themselves."""
    dataset = source.dataset()
    dimension = level_dimension(dataset, variable)
    if dimension is None or level_kind(dataset, dimension) != "model_level":
        return None
    if text_attribute(dataset.variables[dimension], "bounds"):
        return None  # with the coefficients of their own
    numbers = np.asarray(dataset.variables[dimension][:], dtype=np.float64)
    return model_levels(numbers, f"{dimension} of {source}")
