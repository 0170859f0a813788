"""What the readers of all kinds share: find the NO2 variable, its levels and its unit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.file_set import Candidate, one_file
from retrieval.apriori.formats.coordinates import text_attribute
from retrieval.apriori.formats.field import Field, find_field
from retrieval.apriori.formats.levels import Levels, find_levels, two_dimensional_message
from retrieval.apriori.formats.models import models
from retrieval.apriori.formats.units import Unit, check_fits_levels, parse_unit
from retrieval.apriori.sidecar import Sidecar
from retrieval.errors import AprioriError
from retrieval.physics.levels import HeightLayers, HybridLayers, LocalLayers, Quantity

if TYPE_CHECKING:
    import netCDF4

    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.files.candidates import Mark

_STANDARD_NAMES = (
    "mass_concentration_of_nitrogen_dioxide_in_air",
    "mole_concentration_of_nitrogen_dioxide_in_air",
    "number_concentration_of_nitrogen_dioxide_molecules_in_air",
    "mole_fraction_of_nitrogen_dioxide_in_air",
    "mass_fraction_of_nitrogen_dioxide_in_air",
    "mole_content_of_nitrogen_dioxide",
    "mass_content_of_nitrogen_dioxide",
)
_NAMES = ("no2", "no2_conc", "nitrogen_dioxide", "nitrogendioxide", "no2_vmr", "no2_mmr")
_UNCERTAINTY_NAMES = ("{}_uncertainty", "{}_error", "{}_std")


@dataclass(frozen=True)
class Request:
    """How a set is to be opened.

    Attributes
    ----------
    sidecar : Sidecar
        What the user says of it.
    around : datetime64 or None
        The time it is wanted for; tells which files to use where they differ in grid or levels.
    """

    sidecar: Sidecar = field(default_factory=Sidecar)
    around: np.datetime64 | None = None

    def unit(self, source: NetcdfSource, variable: str) -> Unit:
        """Return the unit of a variable: the user's, else the file's.

        Raises
        ------
        AprioriError
            If there is none, or none of NO2.
        """
        where = f"{variable} of {source}"
        if self.sidecar.text("unit"):
            return parse_unit(self.sidecar.text("unit"), where)
        stored = source.dataset().variables[variable]
        units = text_attribute(stored, "units") or None
        return parse_unit(units, where, text_attribute(stored, "standard_name"))


def find_no2(dataset: netCDF4.Dataset, given: str = "") -> str | None:
    """Return the name of the NO2 variable: the given one, by standard name, else by name.

    Of several, the one with the most dimensions: profiles, not surface fields beside them.
    """
    if given:
        return given if given in dataset.variables else None
    numeric = [n for n, v in dataset.variables.items() if getattr(v.dtype, "kind", "O") in "iuf"]
    by_standard_name = [
        n
        for n in numeric
        if text_attribute(dataset.variables[n], "standard_name").endswith(_STANDARD_NAMES)
    ]
    of_models = {name for model in models() for name in model.no2}
    by_name = [n for n in numeric if n.lower() in _NAMES or n in of_models]
    for names in (by_standard_name, by_name):
        if names:
            return max(names, key=lambda n: (dataset.variables[n].ndim, n in by_name))
    return None


def locate(
    source: NetcdfSource,
    variable: str,
    request: Request,
    *,
    levels: Levels | None = None,
    unit: Unit | None = None,
    surface_altitude: str | None = None,
    rank: tuple[Mark, ...] = (),
) -> Candidate:
    """Locate the field of one file that holds all levels; reads coordinates only.

    Parameters
    ----------
    levels, unit : optional
        What the kind of file already tells; else read from the file (the user's TOML wins).
    rank : tuple of Mark
        Its preference among the files of a set (`Candidate`).

    Raises
    ------
    AprioriError
        If the field is two-dimensional, or its axes, levels, times or unit cannot be understood.
    """
    located = find_field(source, variable, request.sidecar.names)
    if located.level is None:
        raise AprioriError(two_dimensional_message(located.where))
    if unit is None or request.sidecar.text("unit"):
        unit = request.unit(source, variable)
    by_height = unit.quantity is Quantity.CONCENTRATION
    levels = levels or find_levels(located, request.sidecar.levels, is_height_first=by_height)
    is_layers = isinstance(levels.vertical, HeightLayers | HybridLayers | LocalLayers)
    check_column_unit(located, unit, is_layers=is_layers)
    uncertainty = _uncertainty(located, unit, request)
    surface_altitude = surface_altitude or _terrain(located, request)
    humidity = _humidity(located) if unit.is_dry else None
    slab = one_file(
        located, levels.order, unit, uncertainty, surface_altitude, levels.layers, humidity
    )
    return Candidate(slab, located, levels.vertical, rank)


def check_column_unit(located: Field, unit: Unit, *, is_layers: bool) -> None:
    """Refuse a column unit on point levels, quoting a value of the file (`formats.units`)."""
    if unit.quantity == "partial_column" and not is_layers:
        values = located.read(0, slice(None), slice(None))
        largest = float(np.nanmax(values)) if np.isfinite(values).any() else np.nan
        check_fits_levels(unit, is_layers, largest, located.where)


_HUMIDITY = {"specific_humidity": False, "humidity_mixing_ratio": True}


def _humidity(located: Field) -> tuple[str, bool] | None:
    """Return the water vapour on the dimensions of a field, None where the file has none."""
    for name, variable in located.source.dataset().variables.items():
        said = text_attribute(variable, "standard_name")
        if said in _HUMIDITY and variable.dimensions == located.dimensions:
            return name, _HUMIDITY[said]
    return None


def _terrain(located: Field, request: Request) -> str | None:
    """Return the model's orography [m] on its grid: the user's, else by its standard name."""
    plane = {d for d in located.dimensions if located.roles.get(d) in ("x", "y")}
    variables = located.source.dataset().variables
    found = [
        name
        for name, variable in variables.items()
        if set(variable.dimensions) == plane
        and text_attribute(variable, "units").lower() in ("m", "metre", "meter")
        and text_attribute(variable, "standard_name") == "surface_altitude"
    ]
    given = request.sidecar.text("terrain")
    return given or next(iter(found), None)


def _uncertainty(located: Field, unit: Unit, request: Request) -> tuple[str, Unit] | None:
    variables = located.source.dataset().variables
    given = request.sidecar.text("uncertainty")
    if given and given not in variables:
        msg = (
            f"Invalid TOML {request.sidecar.path}. uncertainty must name a variable of the file. "
            f"Given {given!r}, not in {located.source}. Correct it."
        )
        raise AprioriError(msg)
    names = [given] if given else [p.format(located.name) for p in _UNCERTAINTY_NAMES]
    name = next((n for n in names if n in variables), None)
    if name is None:
        return None
    if variables[name].dimensions != located.dimensions:
        msg = (
            f"Invalid uncertainty {name} of {located.source}. It must have the dimensions of "
            f"{located.name}. Given {', '.join(variables[name].dimensions)}. Rename or remove it."
        )
        raise AprioriError(msg)
    own = unit
    if not request.sidecar.text("unit"):
        own = parse_unit(
            text_attribute(variables[name], "units") or None, f"{name} of {located.source}"
        )
    if own.quantity is not unit.quantity:
        msg = (
            f"Invalid uncertainty {name} of {located.source}. It must be the same quantity as "
            f"{located.name}. Given {own.text!r}. Correct its unit."
        )
        raise AprioriError(msg)
    return name, own
