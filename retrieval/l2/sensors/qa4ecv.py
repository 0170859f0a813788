"""QA4ECV NO2 v1.1 of OMI, GOME-2 and SCIAMACHY: the record before TROPOMI, in its manner.

Kernel, layers and tropopause are those of TROPOMI under other names. What is its own: time counts
from 1995, pressures are in hPa, columns in molecules cm-2 or what their attribute says, and quality
is a rule over several variables, not one number. Names and units are those of HARP's ingestion of
the product (docs/formats.md 11.1). The product does not tell the profile's share of its uncertainty
apart: all of it is scaled with the column.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from retrieval.l2.names import SensorNames
from retrieval.l2.sensors.axes import (
    L2_ADVICE,
    LayerOrder,
    layer_order,
    scanline_times,
    tropopause_at_layer,
)
from retrieval.l2.sensors.total_kernel import TotalKernelOrbit
from retrieval.physics.constants import HPA_TO_PA, MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from retrieval.files.archives import Content
    from retrieval.l2.pixels import Crop, Tropopause
    from retrieval.typing import Float

PRODUCT_NAME = "NO2"
COLUMN, PRESSURE = "tropospheric_no2_vertical_column", "tm5_surface_pressure"
TROPOPAUSE = "tm5_tropopause_layer_index"
STRATOSPHERE = ("stratospheric_no2_vertical_column", "amf_strat")
SUMMED = "summed_no2_total_vertical_column"
TIME_UNITS = "seconds since 1995-01-01 00:00:00"
"""Of `time`, where a file does not say."""

MOST_SUN, MOST_CLOUD, LEAST_AMF = 80.0, 0.5, 0.2
"""Limits of solar zenith angle [degrees], cloud radiance fraction and M_trop over M_geometric."""
MOST_SNOW, OCEAN = 10, 255
"""NISE codes below the first, and the second, are free of snow and ice."""

REQUIRED = (
    *("latitude", "longitude", "latitude_bounds", "longitude_bounds", "time", "delta_time"),
    *(COLUMN, "averaging_kernel", "amf_total", "amf_trop", PRESSURE, TROPOPAUSE),
    *("tm5_pressure_level_a", "tm5_pressure_level_b"),
)
"""Variables without which no pixel can be re-retrieved."""

QUALITY = (
    *("solar_zenith_angle", "viewing_zenith_angle"),
    *("snow_ice_flag", "cloud_radiance_fraction_no2"),
)
"""What the rule of quality looks at beside the error flag."""

NAMES = SensorNames(
    sensor="QA4ECV",
    product=PRODUCT_NAME,
    column=COLUMN,
    amf="amf_trop",
    group="PRODUCT",
    amf_group="PRODUCT",
    pixel_dimensions=("/PRODUCT/time", "/PRODUCT/scanline", "/PRODUCT/ground_pixel"),
    layer_dimension="/PRODUCT/layer",
    fields={
        "surface_pressure": PRESSURE,
        "surface_altitude": "surface_altitude",
        "column": COLUMN,
        "precision_kernel": f"{COLUMN}_uncertainty",
        "stratospheric_column": STRATOSPHERE[0],
        "amf_total": "amf_total",
        "amf_troposphere": "amf_trop",
        "amf_stratosphere": STRATOSPHERE[1],
    },
    kernel="averaging_kernel",
    quality="processing_error_flag",
    cloud=QUALITY[3],
    sun=QUALITY[0],
    snow=QUALITY[2],
    units="molecules cm-2",
    per_mol_m2=MOLEC_CM2_PER_MOL_M2,
    total_amf="amf_total",
    total_column="total_no2_vertical_column",
    not_recomputed=(f"{SUMMED}_uncertainty", "total_no2_vertical_column_uncertainty"),
    own_names={
        "nitrogendioxide_summed_total_column": SUMMED,
        "nitrogendioxide_summed_total_column_{S}_apriori": f"{SUMMED}_{{S}}_apriori",
        "nitrogendioxide_tropospheric_column_precision": f"{COLUMN}_uncertainty",
        "nitrogendioxide_tropospheric_column_precision_{S}_apriori": (
            f"{COLUMN}_uncertainty_{{S}}_apriori"
        ),
    },
)


class Qa4ecv(TotalKernelOrbit):
    """An open QA4ECV NO2 orbit of any of its instruments."""

    names = NAMES
    required = REQUIRED
    needs = {  # noqa: RUF012
        "reretrieve": REQUIRED,
        "summed total column, TM5 column": STRATOSPHERE,
        "precisions of the new columns": (f"{COLUMN}_uncertainty",),
        "statistics, grid and maps of good pixels": ("processing_error_flag", *QUALITY),
    }
    advice = L2_ADVICE

    def __init__(
        self, path: Path, dataset: netCDF4.Dataset, content: Content | None = None
    ) -> None:
        super().__init__(path, dataset, content)
        self.names = self.in_own_units(NAMES)

    @classmethod
    def matches(cls, dataset: netCDF4.Dataset) -> bool:
        """Tell whether a file has names in its PRODUCT that only QA4ECV's products have."""
        product = dataset.groups.get("PRODUCT")
        own = {COLUMN, "amf_trop", "tm5_pressure_level_a"}
        return product is not None and bool(own & set(product.variables))

    def check(self) -> None:
        """Refuse another product, or an orbit without what a re-retrieval needs."""
        self.check_required()
        self.check_units({PRESSURE: "hPa", "tm5_pressure_level_a": "Pa"})
        self.assumptions += [
            f"{name} is missing: quality does not look at it"
            for name in QUALITY
            if not self.has(name)
        ]
        _ = self.layers

    # --- values ---------------------------------------------------------------------------------

    def read_fields(self, crop: Crop) -> dict[str, Float]:
        """Read the numbers of a pixel in SI; the file's surface pressure is in hPa."""
        found = super().read_fields(crop)
        found["surface_pressure"] = found["surface_pressure"].astype(np.float64) * HPA_TO_PA
        return found

    @cached_property
    def layers(self) -> LayerOrder:
        """Hybrid coefficients of the layers [Pa] and [1], surface first."""
        a, b = (self.raw(f"tm5_pressure_level_{letter}") for letter in "ab")
        return layer_order(a, b, self.path.name, "tm5_pressure_level_a/b")

    def read_tropopause(self, crop: Crop) -> Tropopause:
        """Tropopause by index of the last layer that belongs to the troposphere."""
        return tropopause_at_layer(self, crop, TROPOPAUSE)

    def scanline_times(self, crop: Crop) -> NDArray[np.datetime64]:
        """Measurement time of each scanline, datetime64[ms] UTC, NaT where missing."""
        return scanline_times(self, crop, TIME_UNITS)

    def read_quality(self, crop: Crop) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
        """Quality in percent: 100 where the product's guide recommends a pixel, else 0.

        Recommended: no processing error, sun below 80 degrees, neither snow nor ice, M_trop more
        than a fifth of the geometric air mass factor, cloud radiance fraction up to 0.5.
        """
        flag, is_known = self.read_integer(self.names.quality, crop)
        good = flag == 0
        sun, view, snow, cloud = QUALITY
        if self.has(sun):
            good &= self.read(sun, crop) < MOST_SUN
        if self.has(sun, view):
            path = [1.0 / np.cos(np.radians(self.read(name, crop))) for name in (sun, view)]
            good &= self.read("amf_trop", crop) > LEAST_AMF * (path[0] + path[1])
        if self.has(snow):  # 255, ocean, may be the fill as well
            code, _ = self.read_integer(snow, crop)
            good &= (code < MOST_SNOW) | (code == OCEAN)
        if self.has(cloud):
            percent = 100.0 if self.units_of(cloud) in ("%", "percent") else 1.0
            good &= self.read(cloud, crop) <= MOST_CLOUD * percent
        return np.where(good, 100, 0).astype(np.int16), is_known


SENSOR = Qa4ecv
