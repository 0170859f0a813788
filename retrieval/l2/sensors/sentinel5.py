"""Sentinel-5 UVNS: `SN5_02_NO2`, TROPOMI's successor on Metop-SG.

No file was at hand: names are those of HARP's ingestion, *unverified* (docs/formats.md 11.2), and
what it leaves open is taken from the file: the place of `PRODUCT`, dimensions, units, the epoch of
`time`, the order of layers. What is its own: kernels on the 137 layers of the CAMS model, stored
top first, whose 138 half levels are coefficients in one dimension, and a tropopause by pressure.
The profile's share of the uncertainty is not told apart: all of it is scaled with the column.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import ProductError
from retrieval.l2.names import SensorNames
from retrieval.l2.pixels import Tropopause
from retrieval.l2.sensors.axes import L2_ADVICE, LayerOrder, layer_order, scanline_times
from retrieval.l2.sensors.total_kernel import TotalKernelOrbit
from retrieval.l2.sensors.tree import group_at, scale_path

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from retrieval.files.archives import Content
    from retrieval.l2.pixels import Crop

PRODUCT_NAME = "SN5_02_NO2"
COLUMN = "nitrogen_dioxide_tropospheric_column"
KERNEL = "nitrogen_dioxide_total_column_averaging_kernel"
AMF, TOTAL_AMF = f"{COLUMN}_air_mass_factor", "nitrogen_dioxide_total_column_air_mass_factor"
STRATOSPHERE = (
    "nitrogen_dioxide_stratospheric_column",
    "nitrogen_dioxide_stratospheric_column_air_mass_factor",
)
SUMMED = "nitrogen_dioxide_summed_total_column"
TOTAL = "nitrogen_dioxide_total_column"
TROPOPAUSE = "tropopause_pressure"
HALF_LEVELS = ("pressure_coefficient_a", "pressure_coefficient_b")
GROUPS = ("data/PRODUCT", "PRODUCT")
"""Where the product may stand: of simulated files, and as announced."""

REQUIRED = (
    *("latitude", "longitude", "latitude_bounds", "longitude_bounds", "time", "delta_time"),
    *(COLUMN, KERNEL, AMF, TOTAL_AMF, "surface_pressure", TROPOPAUSE, *HALF_LEVELS),
)
"""Variables without which no pixel can be re-retrieved."""

NAMES = SensorNames(
    sensor="Sentinel-5",
    product=PRODUCT_NAME,
    column=COLUMN,
    amf=AMF,
    group=GROUPS[0],
    amf_group=GROUPS[0],
    pixel_dimensions=("/data/PRODUCT/scanline", "/data/PRODUCT/ground_pixel"),
    layer_dimension="/data/PRODUCT/layer",
    fields={
        "surface_pressure": "surface_pressure",
        "surface_altitude": "surface_altitude",
        "column": COLUMN,
        "precision_kernel": f"{COLUMN}_uncertainty",
        "stratospheric_column": STRATOSPHERE[0],
        "amf_total": TOTAL_AMF,
        "amf_troposphere": AMF,
        "amf_stratosphere": STRATOSPHERE[1],
    },
    kernel=KERNEL,
    quality="qa_value",
    cloud="cloud_radiance_fraction",
    sun="solar_zenith_angle",
    snow="snow_ice_flag",
    total_amf=TOTAL_AMF,
    total_column=TOTAL,
    apriori="CAMSGLOBAL",
    not_recomputed=(f"{SUMMED}_uncertainty", f"{TOTAL}_uncertainty"),
    own_names={
        "nitrogendioxide_summed_total_column": SUMMED,
        "nitrogendioxide_summed_total_column_{S}_apriori": f"{SUMMED}_{{S}}_apriori",
        "nitrogendioxide_tropospheric_column_precision": f"{COLUMN}_uncertainty",
        "nitrogendioxide_tropospheric_column_precision_{S}_apriori": (
            f"{COLUMN}_uncertainty_{{S}}_apriori"
        ),
    },
)


class Sentinel5(TotalKernelOrbit):
    """An open Sentinel-5 L2 NO2 file."""

    names = NAMES
    required = REQUIRED
    needs = {  # noqa: RUF012
        "reretrieve": REQUIRED,
        "summed total column": STRATOSPHERE,
        "precisions of the new columns": (f"{COLUMN}_uncertainty",),
        "statistics, grid and maps of good pixels": ("qa_value",),
    }
    advice = L2_ADVICE

    def __init__(
        self, path: Path, dataset: netCDF4.Dataset, content: Content | None = None
    ) -> None:
        super().__init__(path, dataset, content)
        self.names = self.in_own_units(NAMES)
        if self.has(COLUMN, KERNEL):
            column, kernel = self.variables[COLUMN], self.variables[KERNEL]
            group = column.group().path.strip("/")
            paths = [scale_path(dimension) for dimension in kernel.get_dims()]
            self.names = replace(
                self.names,
                group=group,
                amf_group=group,
                pixel_dimensions=tuple(paths[:-1]),
                layer_dimension=paths[-1],
            )

    @classmethod
    def matches(cls, dataset: netCDF4.Dataset) -> bool:
        """Tell whether a file says that it is of Sentinel-5, or has the name of its kernel."""
        groups = [group_at(dataset, path) for path in GROUPS]
        if "SN5_02" in _product_name(dataset) or groups[0] is not None:
            return True
        return groups[1] is not None and KERNEL in groups[1].variables

    def check(self) -> None:
        """Refuse another product, or a file without what a re-retrieval needs."""
        self.check_required()
        pascal = dict.fromkeys(("surface_pressure", TROPOPAUSE, HALF_LEVELS[0]), "Pa")
        self.check_units(pascal)
        if "since" not in self.units_of("time") + self.units_of("delta_time"):
            msg = (
                f"{self.path.name}: time must have a unit with its epoch. Given "
                f"{self.units_of('time')!r}. {L2_ADVICE}"
            )
            raise ProductError(msg)
        _ = self.layers

    def expectation(self) -> str:
        """Say what the file should have been, and what to do."""
        found = _product_name(self.dataset) or self.attribute("title") or "another kind of file"
        return (
            f"Expected an {PRODUCT_NAME} product with its averaging kernels; found {found}. "
            "Choose another file."
        )

    @cached_property
    def layers(self) -> LayerOrder:
        """Hybrid coefficients of the layers [Pa] and [1], surface first."""
        a, b = (self.raw(name) for name in HALF_LEVELS)
        return layer_order(a, b, self.path.name, "pressure_coefficient_a/b")

    def read_tropopause(self, crop: Crop) -> Tropopause:
        """Tropopause by pressure: layers whose middle lies below it count."""
        pressure = self.read(TROPOPAUSE, crop).astype(np.float64)
        return Tropopause(np.isfinite(pressure) & (pressure > 0.0), pressure=pressure)

    def scanline_times(self, crop: Crop) -> NDArray[np.datetime64]:
        """Measurement time of each scanline, datetime64[ms] UTC, NaT where missing."""
        return scanline_times(self, crop, "")


def _product_name(dataset: netCDF4.Dataset) -> str:
    """Name of the product as the file gives it, with underscores; empty where it does not."""
    described = group_at(dataset, "METADATA/GRANULE_DESCRIPTION")
    short = getattr(described, "ProductShortName", "") or getattr(dataset, "product_name", "")
    return str(short).replace("-", "_")


SENSOR = Sentinel5
