"""The layouts of CAMS global and EAC4 files (docs/formats.md 4.3): what their levels are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.formats.coordinates import role_of, text_attribute
from retrieval.apriori.formats.hybrid_tables import MODEL_LEVELS
from retrieval.apriori.formats.levels import MODEL_LEVEL_NAMES, PRESSURE_UNITS

if TYPE_CHECKING:
    import netCDF4

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
