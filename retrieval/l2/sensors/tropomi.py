"""TROPOMI on Sentinel-5P: `L2__NO2___` of any processor version, whole, reduced or cropped.

Layer order is taken from the hybrid coefficients, not assumed. Names and conventions are those of
the product user manual (S5P-KNMI-L2-0021-MA).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import ProductError
from retrieval.l2.names import TROPOMI, TROPOSPHERIC_AMF, TROPOSPHERIC_COLUMN
from retrieval.l2.sensors.axes import (
    L2_ADVICE,
    TIME_UNITS,
    LayerOrder,
    layer_order,
    scanline_times,
    tropopause_at_layer,
)
from retrieval.l2.sensors.total_kernel import TotalKernelOrbit

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

    from retrieval.l2.pixels import Crop, Tropopause

PRODUCT_NAME = TROPOMI.product
STRATOSPHERE = (TROPOMI.fields["stratospheric_column"], TROPOMI.fields["amf_stratosphere"])
PRECISION_KERNEL = TROPOMI.fields["precision_kernel"]

REQUIRED = (
    "latitude",
    "longitude",
    "latitude_bounds",
    "longitude_bounds",
    "averaging_kernel",
    "air_mass_factor_total",
    TROPOSPHERIC_AMF,
    "tm5_tropopause_layer_index",
    "tm5_constant_a",
    "tm5_constant_b",
    "surface_pressure",
    TROPOSPHERIC_COLUMN,
    "time",
    "delta_time",
)
"""Variables without which no pixel can be re-retrieved."""

OPTIONAL = {
    "surface_altitude": "surface altitude taken from the standard atmosphere (warning bit 8)",
    "nitrogendioxide_stratospheric_column": "no summed total column, TM5 column or total AMF",
    "air_mass_factor_stratosphere": "no TM5 a-priori column and no total air mass factor",
    PRECISION_KERNEL: "no precisions of the new columns",
    "qa_value": "statistics without quality filter",
}
"""Variables that may be missing, and what their absence means."""


class Tropomi(TotalKernelOrbit):
    """An open TROPOMI L2 NO2 file."""

    names = TROPOMI
    required = REQUIRED
    needs = {  # noqa: RUF012
        "reretrieve": REQUIRED,
        "reretrieve with the pixel's own altitude": ("surface_altitude",),
        "summed total column, TM5 column, total kernel of --layout replace": STRATOSPHERE,
        "precisions of the new columns": (PRECISION_KERNEL,),
        "statistics, grid and maps of good pixels": ("qa_value",),
        "extract": ("latitude_bounds", "longitude_bounds", "time", "delta_time"),
        "HARP": ("processing_quality_flags",),
    }
    advice = L2_ADVICE

    @classmethod
    def matches(cls, dataset: netCDF4.Dataset) -> bool:
        """Tell whether a file has the groups of a Sentinel-5P product."""
        return bool({"PRODUCT", "METADATA"} & set(dataset.groups))

    @cached_property
    def layers(self) -> LayerOrder:
        """Hybrid coefficients brought to surface-first order.

        Raises
        ------
        ProductError
            If they do not give monotonic pressures.
        """
        return layer_order(self.raw("tm5_constant_a"), self.raw("tm5_constant_b"), self.path.name)

    def read_tropopause(self, crop: Crop) -> Tropopause:
        """Tropopause by index of a layer."""
        return tropopause_at_layer(self, crop, "tm5_tropopause_layer_index")

    def scanline_times(self, crop: Crop) -> NDArray[np.datetime64]:
        """Measurement time of each scanline, datetime64[ms] UTC, NaT where missing.

        Both styles of `delta_time` are read: plain milliseconds after `time`, and
        milliseconds since a date (docs/formats.md 1.4).
        """
        return scanline_times(self, crop, TIME_UNITS)

    def check(self) -> None:
        """Refuse another product, or a file without a required variable."""
        product = product_name(self.dataset)
        missing = [name for name in REQUIRED if name not in self.variables]
        is_other = bool(product) and PRODUCT_NAME not in product
        if missing or is_other:
            what = " is no NO2 product." if is_other else f" has no variable {missing[0]}."
            msg = f"{self.path.name}{what} {self.expectation()}"
            raise ProductError(msg)
        if self.variables["latitude"].ndim != 3 or self.variables["averaging_kernel"].ndim != 4:
            msg = (
                f"{self.path.name}: latitude and averaging_kernel must have the dimensions "
                "(time, scanline, ground_pixel[, layer]). "
                f"Given {self.variables['averaging_kernel'].dimensions}. {L2_ADVICE}"
            )
            raise ProductError(msg)
        for name in ("surface_pressure", "tm5_constant_a"):
            units = str(getattr(self.variables[name], "units", "Pa"))
            if units != "Pa":
                msg = f"{self.path.name}: {name} must be in Pa. Given {units!r}. {L2_ADVICE}"
                raise ProductError(msg)
        if not self.has("surface_altitude"):
            self.assumptions.append(OPTIONAL["surface_altitude"])
        self.assumptions += [
            f"{name} is missing: {meaning}"
            for name, meaning in OPTIONAL.items()
            if name != "surface_altitude" and not self.has(name)
        ]
        _ = self.layers

    def expectation(self) -> str:
        """Say what the file should have been, and what to do."""
        found = product_name(self.dataset)
        if PRODUCT_NAME in found:
            return (
                f"A re-retrieval needs it. Found an {PRODUCT_NAME} file without. Get the full file."
            )
        found = found or self.attribute("title") or "another kind of file"
        return (
            f"Expected an {PRODUCT_NAME} product with its averaging kernels; found {found}. "
            "Choose another file."
        )


def product_name(dataset: netCDF4.Dataset) -> str:
    """Short name of the product as the metadata say, empty where they do not."""
    try:
        group = dataset["METADATA/GRANULE_DESCRIPTION"]
        return str(getattr(group, "ProductShortName", ""))
    except (IndexError, KeyError):
        return ""


SENSOR = Tropomi
