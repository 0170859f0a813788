"""TEMPO on Intelsat 40e: `TEMPO_NO2_L2` V03 and V04, standard and near real time.

The layout is that of a real V03 file's header; V04 has the same names. What is its own: time counts
GPS seconds, layer interfaces stand in attributes of the surface pressure, scattering weights lack
the temperature dependence of the absorption, and gaps are NaN as well as fill values. Names are
looked up whatever group they stand in, since versions moved some of them. The product does not tell
the profile's share of its uncertainty apart: all of it is scaled with the column.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import netCDF4
import numpy as np

from retrieval.errors import ProductError
from retrieval.l2.names import SensorNames
from retrieval.l2.orbit import Orbit
from retrieval.l2.pixels import Crop, Tropopause
from retrieval.l2.sensors.axes import LayerOrder, date_after_since, layer_order, leap_seconds
from retrieval.physics.air_mass_factors import temperature_correction
from retrieval.physics.constants import HPA_TO_PA, MOLEC_CM2_PER_MOL_M2
from retrieval.physics.layers import pressure_edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.typing import Float

PRODUCT_NAME = "TEMPO_NO2_L2"
COLUMN = "vertical_column_troposphere"
ADVICE = "Give a granule in the layout of the operational TEMPO product."

LARGEST = 1e29
"""Numbers as large as this, of either sign, are fill: files hold -1e30 and NaN."""

MOST_CLOUD, MOST_CLOUD_USABLE = 0.2, 0.5
"""Effective cloud fractions up to which columns are recommended, and usable with kernels."""

MOST_SUN, MOST_SUN_USABLE = 70.0, 80.0
"""Solar zenith angles up to which columns are recommended, and usable [degrees]."""

RECOMMENDED, USABLE = 100, 60
"""Quality of pixels in percent, on the scale of TROPOMI's: above 75 as recommended."""

NO_AMF = 2
"""Bit of `amf_diagnostic_flag`: there is no air mass factor."""

REQUIRED = (
    "latitude",
    "longitude",
    "latitude_bounds",
    "longitude_bounds",
    "time",
    COLUMN,
    "scattering_weights",
    "amf_troposphere",
    "surface_pressure",
    "tropopause_pressure",
    "temperature_profile",
)
"""Variables without which no pixel can be re-retrieved."""

NAMES = SensorNames(
    sensor="TEMPO",
    product=PRODUCT_NAME,
    column=COLUMN,
    amf="amf_troposphere",
    group="product",
    amf_group="support_data",
    pixel_dimensions=("/mirror_step", "/xtrack"),
    layer_dimension="/swt_level",
    fields={
        "surface_pressure": "surface_pressure",
        "surface_altitude": "terrain_height",
        "column": COLUMN,
        "precision_kernel": f"{COLUMN}_uncertainty",
        "stratospheric_column": "vertical_column_stratosphere",
        "amf_total": "amf_total",
        "amf_troposphere": "amf_troposphere",
        "amf_stratosphere": "amf_stratosphere",
    },
    kernel="scattering_weights",
    quality="main_data_quality_flag",
    cloud="amf_cloud_fraction",
    sun="solar_zenith_angle",
    snow="snow_ice_fraction",
    units="molecules/cm^2",
    per_mol_m2=MOLEC_CM2_PER_MOL_M2,
    total_amf="amf_total",
    total_column="vertical_column_total",
    apriori="GEOSCF",
    has_weights=True,
    not_recomputed=("vertical_column_total_uncertainty",),
    own_names={
        "nitrogendioxide_tropospheric_column_precision": f"{COLUMN}_uncertainty",
        "nitrogendioxide_tropospheric_column_precision_{S}_apriori": (
            f"{COLUMN}_uncertainty_{{S}}_apriori"
        ),
    },
)


class Tempo(Orbit):
    """An open TEMPO L2 NO2 granule: mirror steps are its scanlines, xtrack its ground pixels."""

    names = NAMES
    required = REQUIRED
    timing = ("time",)
    needs = {  # noqa: RUF012
        "reretrieve": REQUIRED,
        "summed total column, column of the product's a priori": (
            "vertical_column_stratosphere",
            "amf_stratosphere",
        ),
        "statistics, grid and maps of good pixels": (
            "main_data_quality_flag",
            "eff_cloud_fraction",
            "solar_zenith_angle",
        ),
        "the file's own a priori": ("gas_profile",),
    }
    advice = ADVICE

    @classmethod
    def matches(cls, dataset: netCDF4.Dataset) -> bool:
        """Tell whether a file has the groups and dimensions of a TEMPO product."""
        return {"product", "support_data"} <= set(dataset.groups) and (
            "mirror_step" in dataset.dimensions
        )

    def check(self) -> None:
        """Refuse another product, or a granule without what a re-retrieval needs."""
        missing = [name for name in REQUIRED if name not in self.variables]
        if missing:
            msg = f"{self.path.name} has no variable {missing[0]}. {self.expectation()}"
            raise ProductError(msg)
        self._check_units("surface_pressure", "hPa")
        self._check_units("tropopause_pressure", "hPa")
        self._check_units(COLUMN, "molecules/cm^2")
        _ = self.layers
        if not np.isfinite(self.read(COLUMN, self.full)).any():
            msg = (
                f"{self.path.name} holds no measurement: every {COLUMN} is missing. Expected a "
                f"{PRODUCT_NAME} granule with columns. Choose another granule, or another subset."
            )
            raise ProductError(msg)

    def _check_units(self, name: str, expected: str) -> None:
        units = str(getattr(self.variables[name], "units", expected))
        if units != expected:
            msg = f"{self.path.name}: {name} must be in {expected}. Given {units!r}. {ADVICE}"
            raise ProductError(msg)

    def expectation(self) -> str:
        """Say what the file should have been, and what to do."""
        found = self.attribute("title") or "another kind of file"
        return (
            f"Expected a {PRODUCT_NAME} granule with scattering weights; found {found}. Choose "
            "another file; subsets must keep the group support_data."
        )

    # --- values ---------------------------------------------------------------------------------

    def read(self, name: str, crop: Crop) -> NDArray[np.floating]:
        """Read a variable, whole numbers too, NaN where it is fill, NaN or far off."""
        if name in self.variables and self.variables[name].dtype.kind in "iu":
            whole, is_valid = self.read_integer(name, crop)
            return np.where(is_valid, whole, np.nan)
        values = super().read(name, crop)
        with np.errstate(invalid="ignore"):
            return np.where(np.abs(values) >= LARGEST, np.nan, values).astype(values.dtype)

    def read_fields(self, crop: Crop) -> dict[str, Float]:
        """Read the numbers of a pixel in SI; the file's pressures are in hPa."""
        found = super().read_fields(crop)
        found["surface_pressure"] = found["surface_pressure"].astype(np.float64) * HPA_TO_PA
        return found

    @cached_property
    def layers(self) -> LayerOrder:
        """Hybrid coefficients of the layers, surface first, from attributes of surface_pressure."""
        variable = self.variables["surface_pressure"]
        found = [getattr(variable, name, None) for name in ("Eta_A", "Eta_B")]
        if any(value is None for value in found):
            msg = (
                f"{self.path.name}: surface_pressure has no Eta_A and Eta_B, the interfaces of its "
                f"layers. {ADVICE}"
            )
            raise ProductError(msg)
        a, b = (np.asarray(value, dtype=np.float64) for value in found)
        return layer_order(a * HPA_TO_PA, b, self.path.name)

    @property
    def n_layer(self) -> int:
        """Number of layers."""
        return self.layers.n_layer

    @property
    def is_reversed(self) -> bool:
        """True where the file counts layers from the top."""
        return self.layers.is_reversed

    def pressure_edges(self, surface_pressure: Float) -> Float:
        """Interfaces p = Eta_A + Eta_B p_surface [Pa], surface first."""
        return pressure_edges(self.layers.a, self.layers.b, surface_pressure)

    def read_tropopause(self, crop: Crop) -> Tropopause:
        """Tropopause by pressure: layers whose middle lies below it count."""
        pressure = self.read("tropopause_pressure", crop).astype(np.float64) * HPA_TO_PA
        return Tropopause(np.isfinite(pressure) & (pressure > 0.0), pressure=pressure)

    def read_kernel(self, crop: Crop) -> Float:
        """Scattering weights times the temperature factor of the absorption, surface first."""
        return super().read_kernel(crop) * self.temperature_factor(crop)

    def temperature_factor(self, crop: Crop) -> Float:
        """Absorption at the layers' temperatures over that of the weights, surface first."""
        temperature = self.read("temperature_profile", crop)
        return temperature_correction(temperature[..., ::-1] if self.is_reversed else temperature)

    @property
    def own_apriori(self) -> str:
        """Partial columns of GEOS-CF, where the granule has them."""
        return "its own gas_profile" if self.has("gas_profile") else ""

    def weights(self, kernel: Float, amf_total: Float | None) -> Float:
        """Sensitivity s = w alpha(T): what `read_kernel` gives."""
        del amf_total
        return kernel

    def read_apriori(self, crop: Crop) -> Float:
        """Read the file's own a-priori partial columns [mol m-2], surface first."""
        profile = self.read("gas_profile", crop).astype(np.float64) / MOLEC_CM2_PER_MOL_M2
        return profile[..., ::-1] if self.is_reversed else profile

    def scanline_times(self, crop: Crop) -> NDArray[np.datetime64]:
        """Measurement time of each mirror step, datetime64[ms] UTC, NaT where missing.

        The file counts seconds without leap seconds from the epoch in its unit; those inserted
        since then are taken off.
        """
        with self.reading("time"):
            variable = self.variables["time"]
            seconds = np.asarray(variable[crop.scanline], dtype=np.float64)
            epoch = date_after_since(str(variable.units), self.path.name)
        is_valid = np.isfinite(seconds) & (np.abs(seconds) < LARGEST)
        milliseconds = np.round(np.where(is_valid, seconds, 0.0) * 1000.0)
        count = epoch + milliseconds.astype("timedelta64[ms]")
        times = count - leap_seconds(epoch, count)
        return np.where(is_valid, times, np.datetime64("NaT", "ms"))

    def read_quality(self, crop: Crop) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
        """Quality in percent: 100 where columns are recommended, 60 where usable, else 0.

        Recommended: flag 0, effective cloud fraction up to 0.2, sun up to 70 degrees. Usable:
        flag 0 or 1, 0.5, 80 degrees. Flag 2 is bad, and so is a pixel without air mass factor.
        """
        flag, is_known = self.read_integer(self.names.quality, crop)
        cloud = self._optional("eff_cloud_fraction", crop)
        sun = self._optional("solar_zenith_angle", crop)
        has_amf = np.ones(crop.shape, dtype=bool)
        if self.has("amf_diagnostic_flag"):
            diagnostic, _ = self.read_integer("amf_diagnostic_flag", crop)
            has_amf = (diagnostic & NO_AMF) == 0
        with np.errstate(invalid="ignore"):
            usable = has_amf & (flag <= 1) & (cloud <= MOST_CLOUD_USABLE) & (sun <= MOST_SUN_USABLE)
            best = usable & (flag == 0) & (cloud <= MOST_CLOUD) & (sun <= MOST_SUN)
        quality = np.where(best, RECOMMENDED, np.where(usable, USABLE, 0))
        return quality.astype(np.int16), is_known

    def _optional(self, name: str, crop: Crop) -> NDArray[np.floating]:
        """Read a variable; zeros, which exclude nothing, where the file has none."""
        return self.read(name, crop) if self.has(name) else np.zeros(crop.shape)


SENSOR = Tempo
