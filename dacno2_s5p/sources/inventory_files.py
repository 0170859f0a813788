"""What a file of an emission inventory is of: species, version, months or years.

Attributes speak first; what they leave open the name says (docs/formats.md 5.3), of which the
tokens of species and version are part of the product's own naming. The spelling of attributes is
not verified on files of all versions: the words looked for are below.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.apriori.formats.field import Field

WANTED = "nox"
"""The species of the inputs."""

SPECIES = {
    "nox": ("nox", "nitrogen oxides"),
    "co": ("co", "carbon monoxide"),
    "co2": ("co2", "carbon dioxide"),
    "ch4": ("ch4", "methane"),
    "so2": ("so2", "sulphur dioxide", "sulfur dioxide"),
    "nh3": ("nh3", "ammonia"),
    "nmvoc": ("nmvoc", "nmvocs", "non methane vocs"),
    "bc": ("bc", "black carbon"),
    "oc": ("oc", "organic carbon"),
    "pm2.5": ("pm25", "pm2p5", "pm2.5"),
    "pm10": ("pm10",),
}
"""Words for each species, in attributes and names; blanks stand for dashes and underscores, too."""

STATED = ("species", "pollutant", "substance", "compound", "molecule", "tracer", "variable_name")
"""Attributes that say nothing but the species."""

DESCRIBED = ("title", "summary", "description", "product", "id")
"""Attributes with the species or version in a sentence."""

VERSIONS = ("product_version", "inventory_version", "dataset_version", "version")
"""Attributes that say nothing but the version."""

FREQUENCIES = ("frequency", "time_frequency", "temporal_resolution", "time_coverage_resolution")
"""Attributes that say how long a stamp lasts."""

_VERSION = re.compile(r"(?<![a-z0-9])v(?:ersion)?[ _-]?(\d+(?:\.\d+)*)", re.IGNORECASE)
_NUMBER = re.compile(r"v?(\d+(?:\.\d+)*)", re.IGNORECASE)
_YEARLY = re.compile(
    r"(?<![a-z])(yearly|annual|yr|p1y|1 ?year|12 ?months?)(?![a-z])", re.IGNORECASE
)

LONGEST_MONTH = np.timedelta64(45, "D")
"""Stamps farther apart, or with longer bounds, are not of months."""


def species_of(source: NetcdfSource) -> str:
    """Return the species a file is of, empty where nothing names one alone."""
    dataset = source.dataset()
    texts = [_text(dataset, name) for name in STATED], [_text(dataset, name) for name in DESCRIBED]
    of_variables = [
        _text(variable, name)
        for variable in dataset.variables.values()
        if variable.ndim > 2
        for name in (*STATED, "standard_name", "long_name")
    ]
    for group in (*texts, of_variables, [source.name]):
        found = {species for text in group for species in species_in(text)}
        if len(found) == 1:
            return found.pop()
    return ""


def species_in(text: str) -> set[str]:
    """Return the species that a text names.

    Examples
    --------
    >>> species_in("CAMS-GLOB-ANT_Glb_0.1x0.1_anthro_co_v5.3_monthly_2019.nc")
    {'co'}
    >>> species_in("anthropogenic NOx emissions"), species_in("CAMS-GLOB-ANT_v4.2_carbon-monoxide")
    ({'nox'}, {'co'})
    """
    words = f" {re.sub(r'[^a-z0-9.]+', ' ', text.lower())} "
    return {
        species for species, names in SPECIES.items() if any(f" {name} " in words for name in names)
    }


def version_of(source: NetcdfSource) -> str:
    """Return the version of the inventory as digits with points, empty where nothing says it."""
    dataset = source.dataset()
    for name in VERSIONS:
        stated = _NUMBER.match(_text(dataset, name))
        if stated:
            return stated[1]
    for text in (*(_text(dataset, name) for name in DESCRIBED), source.name):
        found = _VERSION.search(text)
        if found:
            return found[1]
    return ""


def is_yearly(field: Field) -> bool:
    """Say whether the stamps of a field are of years: one of them is no January."""
    dataset = field.source.dataset()
    if field.times.size > 1:
        return bool(np.median(np.diff(field.times)) > LONGEST_MONTH)
    for name in field.time.dimensions:
        bounds = dataset.variables.get(_text(dataset.variables.get(name), "bounds"))
        units = _text(dataset.variables.get(name), "units")
        if bounds is not None and bounds.ndim == 2 and units.startswith("days since"):
            ends = np.asarray(bounds[...], dtype=np.float64)
            return bool((ends[:, 1] - ends[:, 0]).max() > LONGEST_MONTH / np.timedelta64(1, "D"))
    said = [_text(dataset, name) for name in (*FREQUENCIES, "title")] + [field.source.name]
    return any(_YEARLY.search(text.replace("_", " ")) for text in said)


def _text(holder: object, name: str) -> str:
    return str(getattr(holder, name, "") or "").strip()
