"""Quality of a TROPOMI NO2 pixel: error codes, warning bits, and the recipe of `qa_value`.

The recipe is the one that the files themselves carry in METADATA/ALGORITHM_SETTINGS
(`qa_value.*`), identical in processors 1.3.2 and 2.2.0: start at 100 percent, multiply by a factor
for each condition that holds, 0 where the retrieval failed. Later processors changed some factors
(2.5.0 over snow and ice, 2.7 in general), hence `QaSettings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Crop

QA_RECOMMENDED = 75
"""`qa_value > 0.75` on the stored integer, as the product user manual recommends."""

ERROR_NAMES = [
    "radiance_missing",
    "irradiance_missing",
    "input_spectrum_missing",
    "reflectance_range_error",
    "ler_range_error",
    "snr_range_error",
    "sza_range_error",
    "vza_range_error",
    "lut_range_error",
    "ozone_range_error",
    "wavelength_offset_error",
    "initialization_error",
    "memory_error",
    "assertion_error",
    "io_error",
    "numerical_error",
    "lut_error",
    "ISRF_error",
    "convergence_error",
    "cloud_filter_convergence_error",
    "max_iteration_convergence_error",
    "aot_lower_boundary_convergence_error",
    "other_boundary_convergence_error",
    "geolocation_error",
    "ch4_noscat_zero_error",
    "h2o_noscat_zero_error",
    "max_optical_thickness_error",
    "aerosol_boundary_error",
    "boundary_hit_error",
    "chi2_error",
    "svd_error",
    "dfs_error",
    "radiative_transfer_error",
    "optimal_estimation_error",
    "profile_error",
    "cloud_error",
    "model_error",
    "number_of_input_data_points_too_low_error",
    "cloud_pressure_spread_too_low_error",
    "cloud_too_low_level_error",
    "generic_range_error",
    "generic_exception",
    "input_spectrum_alignment_error",
    "abort_error",
    "wrong_input_type_error",
    "wavelength_calibration_error",
    "coregistration_error",
    "slant_column_density_error",
    "airmass_factor_error",
    "vertical_column_density_error",
    "signal_to_noise_ratio_error",
    "configuration_error",
    "key_error",
    "saturation_error",
]
"""Error codes 1, 2, ... in order."""

FILTER_NAMES = [
    "solar_eclipse_filter",
    "cloud_filter",
    "altitude_consistency_filter",
    "altitude_roughness_filter",
    "sun_glint_filter",
    "mixed_surface_type_filter",
    "snow_ice_filter",
    "aai_filter",
    "cloud_fraction_fresco_filter",
    "aai_scene_albedo_filter",
    "small_pixel_radiance_std_filter",
    "cloud_fraction_viirs_filter",
    "cirrus_reflectance_viirs_filter",
    "cf_viirs_swir_ifov_filter",
    "cf_viirs_swir_ofova_filter",
    "cf_viirs_swir_ofovb_filter",
    "cf_viirs_swir_ofovc_filter",
    "cf_viirs_nir_ifov_filter",
    "cf_viirs_nir_ofova_filter",
    "cf_viirs_nir_ofovb_filter",
    "cf_viirs_nir_ofovc_filter",
    "refl_cirrus_viirs_swir_filter",
    "refl_cirrus_viirs_nir_filter",
    "diff_refl_cirrus_viirs_filter",
    "ch4_noscat_ratio_filter",
    "ch4_noscat_ratio_std_filter",
    "h2o_noscat_ratio_filter",
    "h2o_noscat_ratio_std_filter",
    "diff_psurf_fresco_ecmwf_filter",
    "psurf_fresco_stdv_filter",
    "ocean_filter",
    "time_range_filter",
    "pixel_or_scanline_index_filter",
    "geographic_region_filter",
]
"""Filters in the order of the counters; their numeric codes are not verified."""

WARNING_NAMES = [
    "input_spectrum_warning",
    "wavelength_calibration_warning",
    "extrapolation_warning",
    "sun_glint_warning",
    "south_atlantic_anomaly_warning",
    "sun_glint_correction",
    "snow_ice_warning",
    "cloud_warning",
    "aai_warning",
    "pixel_level_input_data_missing",
    "data_range_warning",
    "low_cloud_fraction_warning",
    "altitude_consistency_warning",
    "signal_to_noise_ratio_warning",
    "deconvolution_warning",
    "so2_volcanic_origin_likely_warning",
    "so2_volcanic_origin_certain_warning",
    "interpolation_warning",
    "saturation_warning",
    "high_sza_warning",
    "cloud_retrieval_warning",
    "cloud_inhomogeneity_warning",
]
"""Warnings of bits 8, 9, ... in order."""

FIRST_WARNING_BIT = 8


class ErrorCode(IntEnum):
    """Error codes (low byte of `processing_quality_flags`) that occur in NO2 files."""

    NONE = 0
    SZA_RANGE = 7
    CLOUD = 36
    MODEL = 37
    GENERIC_RANGE = 41
    SATURATION = 54


class WarningBit(IntFlag):
    """Warning bits of `processing_quality_flags` that occur in NO2 files."""

    SUN_GLINT = 1 << 11
    SOUTH_ATLANTIC_ANOMALY = 1 << 12
    SNOW_ICE = 1 << 14
    PIXEL_LEVEL_INPUT_DATA_MISSING = 1 << 17
    INTERPOLATION = 1 << 25


@dataclass(frozen=True)
class QaSettings:
    """Thresholds and factors [percent] of the qa_value recipe, named as in the files."""

    cloud_radiance_fraction_threshold: float = 0.5
    cloud_radiance_fraction_modification_percent: float = 74.0
    snow_ice_max_threshold: float = 1.0
    snow_ice_max_modification_percent: float = 73.0
    snow_ice_nocloud_pressure_ratio: float = 0.96
    snow_ice_nocloud_snow_fraction: float = 80.0
    snow_ice_nocloud_modification_percent: float = 88.0
    surface_albedo_threshold: float = 0.3
    surface_albedo_modification_percent: float = 20.0
    sza_max_1_threshold: float = 81.2
    sza_max_1_modification_percent: float = 30.0
    sza_max_2_threshold: float = 84.5
    sza_max_2_modification_percent: float = 10.0
    no2_scd_precision_threshold: float = 33.0e-6
    no2_scd_precision_modification_percent: float = 15.0
    amf_trop_geo_ratio_threshold: float = 0.1
    amf_trop_geo_ratio_modification_percent: float = 45.0
    minimum_scene_pressure_threshold: float = 30000.0
    minimum_scene_pressure_modification_percent: float = 25.0
    maximum_aerosol_index_threshold: float = 1.0e10
    maximum_aerosol_index_modification_percent: float = 40.0
    interpolation_warning: float = 90.0
    pixel_level_input_data_missing: float = 90.0
    south_atlantic_anomaly_warning: float = 95.0
    sun_glint_warning: float = 93.0


@dataclass(frozen=True)
class QaInputs:
    """What the recipe looks at; arrays of one common shape, SI, NaN where missing.

    `snow_ice_flag` holds NISE codes (0 land, 1-100 sea ice percent, 101 permanent ice, 103 snow,
    255 ocean); `processing_quality_flags` the error code and the warning bits.
    """

    processing_quality_flags: NDArray[np.uint32]
    cloud_radiance_fraction: NDArray[np.floating]
    snow_ice_flag: NDArray[np.uint8]
    scene_pressure: NDArray[np.floating]
    surface_pressure: NDArray[np.floating]
    surface_albedo: NDArray[np.floating]
    solar_zenith_angle: NDArray[np.floating]
    slant_column_precision: NDArray[np.floating]
    amf_ratio: NDArray[np.floating]
    """M_trop over the geometric air mass factor."""
    has_scene_mode: bool = True
    """False before processor 2.2, which kept no snow scene."""


def qa_percent(inputs: QaInputs, settings: QaSettings | None = None) -> NDArray[np.uint8]:
    """Apply the recipe: the unscaled byte of `qa_value`, 0 to 100.

    Parameters
    ----------
    inputs : QaInputs
        Conditions, arrays of one shape.
    settings : QaSettings, optional
        Thresholds and factors; those of processors 1.3 to 2.4 by default.

    Returns
    -------
    ndarray of uint8, shape of the inputs
        Rounded percentage; 0 where the error code is set.
    """
    s = settings or QaSettings()
    flags = inputs.processing_quality_flags
    sza = inputs.solar_zenith_angle
    share = np.where(
        inputs.cloud_radiance_fraction > s.cloud_radiance_fraction_threshold,
        s.cloud_radiance_fraction_modification_percent / 100.0,
        1.0,
    )
    share *= _snow_factor(inputs, s)
    for condition, percent in (
        (
            inputs.surface_albedo > s.surface_albedo_threshold,
            s.surface_albedo_modification_percent,
        ),
        (sza > s.sza_max_1_threshold, s.sza_max_1_modification_percent),
        (sza > s.sza_max_2_threshold, s.sza_max_2_modification_percent),
        (
            inputs.slant_column_precision > s.no2_scd_precision_threshold,
            s.no2_scd_precision_modification_percent,
        ),
        (
            inputs.amf_ratio < s.amf_trop_geo_ratio_threshold,
            s.amf_trop_geo_ratio_modification_percent,
        ),
        (
            inputs.scene_pressure < s.minimum_scene_pressure_threshold,
            s.minimum_scene_pressure_modification_percent,
        ),
        (flags & WarningBit.INTERPOLATION, s.interpolation_warning),
        (flags & WarningBit.PIXEL_LEVEL_INPUT_DATA_MISSING, s.pixel_level_input_data_missing),
        (flags & WarningBit.SOUTH_ATLANTIC_ANOMALY, s.south_atlantic_anomaly_warning),
        (flags & WarningBit.SUN_GLINT, s.sun_glint_warning),
    ):
        share *= np.where(np.asarray(condition, dtype=bool), percent / 100.0, 1.0)
    has_failed = (flags & 0xFF) != 0
    # products like 0.74 * 0.93 sit just above or below a half: round after removing float noise
    rounded = np.rint(np.round(100.0 * share, 9))
    return np.where(has_failed, 0, rounded).astype(np.uint8)


def is_snow_or_ice(snow_ice_flag: ArrayLike, threshold: float = 1.0) -> NDArray[np.bool_]:
    """Tell where the NISE code says sea ice above `threshold` percent, permanent ice, or snow.

    Examples
    --------
    >>> is_snow_or_ice([0, 1, 40, 101, 103, 255]).tolist()
    [False, False, True, True, True, False]
    """
    code = np.asarray(snow_ice_flag)
    found: NDArray[np.bool_] = ((code > threshold) & (code <= 100)) | np.isin(code, (101, 103))
    return found


def _snow_factor(inputs: QaInputs, s: QaSettings) -> NDArray[np.float64]:
    """Factor of snow and ice: higher where the scene looks cloud-free.

    That 88 percent replaces 73 percent (instead of multiplying it) is inferred from the names of
    the settings.
    """
    code = inputs.snow_ice_flag
    is_snow = is_snow_or_ice(code, s.snow_ice_max_threshold)
    looks_clear = (
        inputs.scene_pressure > s.snow_ice_nocloud_pressure_ratio * inputs.surface_pressure
    ) & (code > s.snow_ice_nocloud_snow_fraction)
    percent = np.where(
        looks_clear & inputs.has_scene_mode,
        s.snow_ice_nocloud_modification_percent,
        s.snow_ice_max_modification_percent,
    )
    return np.where(is_snow, percent / 100.0, 1.0)


def occurrences(flags: NDArray[np.uint32]) -> dict[str, int]:
    """Count each error and warning, as the attributes of METADATA/QA_STATISTICS do.

    Examples
    --------
    >>> found = occurrences(np.array([0, 7, 7 + 2048, 16384], dtype=np.uint32))
    >>> found["sza_range_error"], found["sun_glint_warning"], found["snow_ice_warning"]
    (2, 1, 1)
    """
    codes = np.bincount((flags & 0xFF).ravel(), minlength=256)
    found = {name: int(codes[1 + i]) for i, name in enumerate(ERROR_NAMES)}
    found.update(dict.fromkeys(FILTER_NAMES, 0))
    for i, name in enumerate(WARNING_NAMES):
        found[name] = int(np.count_nonzero(flags & np.uint32(1 << (FIRST_WARNING_BIT + i))))
    return found


def common_pixels_of_file(
    orbit: Orbit,
    crop: Crop,
    columns: Iterable[NDArray[np.floating]],
    qa_threshold: int = QA_RECOMMENDED,
) -> NDArray[np.bool_]:
    """One mask for all columns: quality above the threshold and every column finite.

    The quality value is compared as the stored whole number; float32 0.75 is not safe (PUM,
    `qa_value`). Files without one are not filtered.
    """
    mask = np.ones(crop.shape, dtype=bool)
    if orbit.has_quality:
        raw, is_valid = orbit.read_quality(crop)
        mask &= is_valid & (raw > qa_threshold)
    for column in columns:
        mask &= np.isfinite(column)
    return mask
