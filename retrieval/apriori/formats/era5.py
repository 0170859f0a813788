"""The layouts of ERA5 files, legacy and new CDS (docs/formats.md 5.1): where profiles are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.apriori.formats.coordinates import role_of, text_attribute

if TYPE_CHECKING:
    import netCDF4

_PROFILES = {
    "temperature": (("t", "temperature", "ta"), "air_temperature"),
    "humidity": (("q", "specific_humidity", "hus"), "specific_humidity"),
}
"""Short names and CF standard name of what is read on levels."""


def find_profile(dataset: netCDF4.Dataset, what: str) -> str | None:
    """Return the variable that holds "temperature" or "humidity" on levels, None without one."""
    names, standard_name = _PROFILES[what]
    for name, variable in dataset.variables.items():
        is_named = name.lower() in names
        if not (is_named or text_attribute(variable, "standard_name") == standard_name):
            continue
        roles = {role_of(dataset, d) for d in variable.dimensions}
        if {"level", "x", "y"} <= roles:
            return name
    return None
