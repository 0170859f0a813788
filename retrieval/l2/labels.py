"""Orbits and what was made of them as `xarray.Dataset`, with CF names, units and bounds.

The command line does not come here: xarray takes half a second to import. Names are those of
TROPOMI and columns in mol m-2 whatever the sensor, so that one recipe reads them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from retrieval.l2.names import COLUMN_UNITS, TROPOMI
from retrieval.l2.orbit import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Crop, Footprints
    from retrieval.l2.product.table import ProductTable

PIXEL = ("scanline", "ground_pixel")
LAYER, CORNER = "layer", "corner"
QA_VALUE = "qa_value"
_SKIPPED = ("_FillValue", "coordinates", "bounds", "valid_min", "valid_max", "DIMENSION_LIST")
"""Attributes that speak of the storage in the file."""


def orbit_dataset(
    orbit: Orbit,
    crop: Crop | None = None,
    *,
    variables: Iterable[str] | None = None,
    footprints: Footprints | None = None,
) -> xr.Dataset:
    """Return an orbit as a Dataset.

    Parameters
    ----------
    orbit : Orbit
        An open file.
    crop : Crop, optional
        The part of it; all by default.
    variables : iterable of str, optional
        Names in the file, on its pixels, with any further dimension; by default the columns, air
        mass factors, pressures and altitudes that the retrieval knows, under the names of TROPOMI.
    footprints : Footprints, optional
        Where the pixels are, where that is known already.

    Returns
    -------
    xarray.Dataset
        On (scanline, ground_pixel), with `latitude`, `longitude`, their `*_bounds`, `time`, and
        `qa_value` from 0 to 1 where the product has one. Float variables are NaN where missing.

    Raises
    ------
    ProductError
        If a variable is not in the file or not on its pixels.
    """
    crop = crop or orbit.full
    data: dict[str, Any] = {}
    if variables is None:
        for field, values in orbit.read_fields(crop).items():
            own = orbit.names.fields[field]
            attributes = _attributes(orbit, own)
            if field in COLUMNS:
                attributes["units"] = COLUMN_UNITS
            data[TROPOMI.fields[field]] = (PIXEL, values, attributes)
    else:
        for name in variables:
            values = _any_kind(orbit, name, crop)
            further = _further_dimensions(orbit, name, values.ndim)
            data[name] = ((*PIXEL, *further), values, _attributes(orbit, name))
    if orbit.has_quality and QA_VALUE not in data:
        data[QA_VALUE] = (PIXEL, *_quality(orbit, crop))
    made = xr.Dataset(data, _coordinates(orbit, crop, footprints))
    made.attrs |= {
        "sensor": orbit.names.sensor,
        "orbit_file": orbit.path.name,
        "processor_version": orbit.attribute("processor_version"),
        "assumptions": "; ".join(orbit.assumptions) or "none",
    }
    return made


def product_dataset(
    orbit: Orbit,
    crop: Crop,
    footprints: Footprints,
    table: ProductTable,
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """Return a re-retrieved orbit as a Dataset: its own columns and all that the table lists.

    Parameters
    ----------
    orbit, crop, footprints
        The open file, the part that was computed, and where its pixels are.
    table : ProductTable
        The new fields.
    attributes : mapping
        Provenance, for `attrs`.
    """
    made = orbit_dataset(orbit, crop, footprints=footprints)
    new: list[tuple[str, list[str]]] = []
    for apriori, variable, values in table.entries():
        name = variable.name_for(apriori, TROPOMI)
        found = {
            key: value
            for key, value in variable.attributes(apriori, TROPOMI).items()
            if key not in _SKIPPED
        }
        dimensions = (*PIXEL, LAYER) if variable.has_layers else PIXEL
        made[name] = (dimensions, values, found)
        new.append((name, variable.ancillary_for(apriori, TROPOMI)))
    sources = {one.name: one.attributes.get("profile_error_source") for one in table.sets}
    for apriori, variable, _ in table.entries():
        if variable.is_precision and sources.get(apriori):
            made[variable.name_for(apriori, TROPOMI)].attrs["profile_error_source"] = sources[
                apriori
            ]
    for name, ancillary in new:
        present = [one for one in ancillary if one in made]
        if present:
            made[name].attrs["ancillary_variables"] = " ".join(present)
    made.attrs |= dict(attributes)
    return made


def _coordinates(orbit: Orbit, crop: Crop, footprints: Footprints | None) -> dict[str, Any]:
    where = footprints or orbit.read_footprints(crop)
    parts = dict(zip(PIXEL, (crop.scanline, crop.ground_pixel), strict=True))
    found: dict[str, Any] = {
        name: (name, np.arange(part.start, part.stop), {"long_name": f"position of the {text}"})
        for (name, part), text in zip(parts.items(), ("scanline", "ground pixel"), strict=True)
    }
    for name, units in (("latitude", "degrees_north"), ("longitude", "degrees_east")):
        attributes = {"units": units, "standard_name": name, "bounds": f"{name}_bounds"}
        found[name] = (PIXEL, getattr(where, name), attributes)
        found[f"{name}_bounds"] = ((*PIXEL, CORNER), getattr(where, f"{name}_bounds"))
    times = orbit.scanline_times(crop)
    found["time"] = (PIXEL[0], times.astype("datetime64[ns]"), {"standard_name": "time"})
    return found


def _quality(orbit: Orbit, crop: Crop) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Quality from 0 to 1 in double precision, so that `> 0.75` means above 75 percent."""
    raw, is_valid = orbit.read_quality(crop)
    text = "data quality value, 0 to 1"
    return np.where(is_valid, raw / 100.0, np.nan), {"units": "1", "long_name": text}


def _any_kind(orbit: Orbit, name: str, crop: Crop) -> NDArray[Any]:
    variable = orbit.variables.get(name)
    if variable is not None and getattr(variable.dtype, "kind", "") in "iu":
        return orbit.read_integer(name, crop)[0]
    return orbit.read(name, crop)


def _further_dimensions(orbit: Orbit, name: str, n_dimension: int) -> tuple[str, ...]:
    names = orbit.variables[name].dimensions
    return tuple(names[-(n_dimension - 2) :]) if n_dimension > 2 else ()


def _attributes(orbit: Orbit, name: str) -> dict[str, Any]:
    variable = orbit.variables[name]
    return {key: variable.getncattr(key) for key in variable.ncattrs() if key not in _SKIPPED}
