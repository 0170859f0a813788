"""The names of a described sensor, as the rooms beyond the sensors know them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.l2.description import TOTAL_KERNEL, WEIGHTS, Description
from retrieval.l2.names import SensorNames

if TYPE_CHECKING:
    from collections.abc import Callable


def sensor_names(
    described: Description, own: Callable[[str], str] = lambda name: name
) -> SensorNames:
    """Return the names of a description as the rooms beyond the sensors know them."""
    where, columns = described.geolocation, described.columns
    amf, weights = described.air_mass_factors, described.sensitivity
    summed, spread = own(columns.summed), own(columns.uncertainty)
    own_names: dict[str, str] = {}
    if summed:
        own_names["nitrogendioxide_summed_total_column"] = summed
        own_names["nitrogendioxide_summed_total_column_{S}_apriori"] = f"{summed}_{{S}}_apriori"
    if spread:
        precision = "nitrogendioxide_tropospheric_column_precision"
        own_names[precision] = spread
        own_names[f"{precision}_{{S}}_apriori"] = f"{spread}_{{S}}_apriori"
    recognised = described.recognise.variables
    path = next((one for one in recognised if one.endswith(columns.tropospheric)), "")
    found = {
        "surface_pressure": described.surface.pressure,
        "surface_altitude": described.surface.altitude,
        "column": columns.tropospheric,
        "precision_kernel": columns.uncertainty,
        "stratospheric_column": columns.stratospheric,
        "amf_total": amf.total,
        "amf_troposphere": amf.tropospheric,
        "amf_stratosphere": amf.stratospheric,
    }
    is_kernel = weights.kind == TOTAL_KERNEL
    return SensorNames(
        sensor=described.name,
        product=described.product,
        column=own(columns.tropospheric),
        amf=own(amf.tropospheric),
        group=path.strip("/").rpartition("/")[0] or "/",
        amf_group="",
        pixel_dimensions=("", ""),
        fields={field: own(name) for field, name in found.items()},
        kernel=own(weights.variable),
        quality=own(described.quality.percent),
        cloud=own(described.scenes.cloud),
        sun=own(described.scenes.sun),
        snow=own(described.scenes.snow),
        surface=own(described.scenes.surface),
        latitude=own(where.latitude),
        longitude=own(where.longitude),
        latitude_bounds=own(where.latitude_bounds),
        longitude_bounds=own(where.longitude_bounds),
        total_amf=own(amf.total) if is_kernel else "",
        not_recomputed=tuple(own(name) for name in described.not_recomputed),
        own_names=own_names,
        apriori=described.apriori,
        has_weights=weights.kind == WEIGHTS,
    )
