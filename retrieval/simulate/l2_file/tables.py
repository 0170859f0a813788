"""Every variable of a TROPOMI L2 NO2 file, as one declared table in file order.

Names, types, dimensions, order and attributes follow real files (PUM S5P-KNMI-L2-0021-MA; a full
print of group PRODUCT, the variable list of processor 2.4.0). What newer processors added says
`since`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from retrieval.simulate.l2_file.variables import (
    DETAILED_RESULTS,
    FRESCO,
    GEOLOCATIONS,
    INPUT_DATA,
    O22CLD,
    PRECISION_FACTOR,
    PRODUCT,
    SWATH,
    TRACK,
    Variable,
    axis_variable,
    column_variable,
    column_variables,
    swath_variable,
    variable_pair,
)


def _coordinates() -> list[Variable]:
    """Coordinate variables and geolocation of group PRODUCT, in file order."""
    coefficients = "/PRODUCT/SUPPORT_DATA/DETAILED_RESULTS"
    layer = axis_variable(
        "layer",
        "TM5 atmospheric layer numbers",
        standard_name="atmosphere_hybrid_sigma_pressure_coordinate",
        axis="Z",
        positive="down",
        formula_terms="ap: tm5_constant_a b: tm5_constant_b ps: "
        "/PRODUCT/SUPPORT_DATA/INPUT_DATA/surface_pressure",
        comment="p(t,k,j,i,l)=ap(k,l)+b(k,l)*ps(t,j,i); k from surface to top of atmosphere; "
        "l=0 base of layer, l=1 top of layer",
    )
    reference = Variable(
        PRODUCT,
        "time",
        "i4",
        ("time",),
        {
            "units": "seconds since 2010-01-01 00:00:00",
            "standard_name": "time",
            "axis": "T",
            "long_name": "reference time for the measurements",
            "comment": "The time in this variable corresponds to the time in the time_reference "
            "global attribute",
        },
    )
    return [
        axis_variable(
            "scanline", "along-track dimension index", axis="Y", comment="index starts at 0"
        ),
        axis_variable(
            "ground_pixel",
            "across-track dimension index",
            axis="X",
            comment="from west to east; index starts at 0",
        ),
        reference,
        axis_variable(
            "corner",
            "pixel corner index",
            comment="counter-clockwise, starting from south-western corner of the pixel in "
            "ascending part of the orbit; index starts at 0",
        ),
        axis_variable(
            "polynomial_exponents",
            "exponents of the DOAS polynomial",
            ancillary_variables=f"{coefficients}/polynomial_coefficients",
        ),
        axis_variable(
            "intensity_offset_polynomial_exponents",
            "exponents of the intensity offset polynomial",
            ancillary_variables=f"{coefficients}/intensity_offset_coefficients",
        ),
        layer,
        axis_variable("vertices", "TM5 atmospheric layer upper and lower bound indices"),
        _geolocation("latitude", "degrees_north", 90.0),
        _geolocation("longitude", "degrees_east", 180.0),
    ]


def _geolocation(name: str, units: str, limit: float) -> Variable:
    """Declare a pixel-centre coordinate."""
    return Variable(
        PRODUCT,
        name,
        "f4",
        SWATH,
        {
            "long_name": f"pixel center {name}",
            "units": units,
            "standard_name": name,
            "valid_min": np.float32(-limit),
            "valid_max": np.float32(limit),
            "bounds": f"/PRODUCT/SUPPORT_DATA/GEOLOCATIONS/{name}_bounds",
        },
    )


def _product() -> list[Variable]:
    """Measured quantities of group PRODUCT, in file order."""
    qa = swath_variable(
        PRODUCT,
        "qa_value",
        "1",
        "data quality value",
        dtype="u1",
        scale_factor=np.float32(0.01),
        add_offset=np.float32(0.0),
        valid_min=np.uint8(0),
        valid_max=np.uint8(100),
        comment="A continuous quality descriptor, varying between 0 (no data) and 1 (full quality "
        "data). Recommend to ignore data with qa_value < 0.5",
    )
    name = "nitrogendioxide_tropospheric_column"
    long_name = "Tropospheric vertical column of nitrogen dioxide"
    standard = "troposphere_mole_content_of_nitrogen_dioxide"
    column = column_variable(
        PRODUCT,
        name,
        long_name,
        standard_name=standard,
        ancillary_variables=f"{name}_precision air_mass_factor_troposphere air_mass_factor_total "
        "averaging_kernel",
    )
    precision = column_variable(
        PRODUCT,
        f"{name}_precision",
        f"Precision of the {long_name.lower()}",
        factor=PRECISION_FACTOR,
        standard_name=f"{standard} standard_error",
    )
    precision_kernel = column_variable(
        PRODUCT,
        f"{name}_precision_kernel",
        f"Precision of the {long_name.lower()} when applying the averaging kernel",
        factor=PRECISION_FACTOR,
        standard_name=f"{standard} standard_error",
    )
    kernel = Variable(
        PRODUCT,
        "averaging_kernel",
        "f4",
        (*SWATH, "layer"),
        {
            "units": "1",
            "long_name": "Averaging kernel",
            "coordinates": "/PRODUCT/longitude /PRODUCT/latitude",
            "ancillary_variables": "tm5_constant_a tm5_constant_b tm5_tropopause_layer_index "
            "/PRODUCT/SUPPORT_DATA/INPUT_DATA/surface_pressure",
        },
    )
    return [
        Variable(PRODUCT, "delta_time", "i4", TRACK),
        Variable(
            PRODUCT,
            "time_utc",
            "str",
            TRACK,
            {"long_name": "Time of observation as ISO 8601 date-time string"},
        ),
        qa,
        column,
        precision,
        precision_kernel,
        kernel,
        swath_variable(
            PRODUCT,
            "air_mass_factor_troposphere",
            "1",
            "Tropospheric air mass factor",
            ancillary_variables="tm5_tropopause_layer_index",
        ),
        swath_variable(PRODUCT, "air_mass_factor_total", "1", "Total air mass factor"),
        swath_variable(
            PRODUCT,
            "tm5_tropopause_layer_index",
            "1",
            "TM5 layer index of the highest layer in the tropopause",
            dtype="i4",
        ),
        _coefficient("a", "Pa"),
        _coefficient("b", "1"),
    ]


def _coefficient(letter: str, units: str) -> Variable:
    """Declare the hybrid coefficients of the layer interfaces."""
    return Variable(
        PRODUCT,
        f"tm5_constant_{letter}",
        "f4",
        ("layer", "vertices"),
        {
            "units": units,
            "long_name": f"TM5 hybrid {letter.upper()} coefficient at upper and lower interface "
            "levels",
        },
    )


def _geolocations() -> list[Variable]:
    """Group GEOLOCATIONS."""
    found = [
        Variable(GEOLOCATIONS, "satellite_latitude", "f4", TRACK, {"units": "degrees_north"}),
        Variable(GEOLOCATIONS, "satellite_longitude", "f4", TRACK, {"units": "degrees_east"}),
        Variable(GEOLOCATIONS, "satellite_altitude", "f4", TRACK, {"units": "m"}),
        Variable(GEOLOCATIONS, "satellite_orbit_phase", "f4", TRACK, {"units": "1"}),
    ]
    for body in ("solar", "viewing"):
        zenith: dict[str, Any] = {"valid_min": np.float32(0.0), "valid_max": np.float32(180.0)}
        azimuth: dict[str, Any] = {"valid_min": np.float32(-180.0), "valid_max": np.float32(180.0)}
        found += [
            swath_variable(
                GEOLOCATIONS,
                f"{body}_zenith_angle",
                "degree",
                f"{body} zenith angle",
                standard_name="solar_zenith_angle" if body == "solar" else "platform_zenith_angle",
                comment="Measured from the vertical at the ground pixel location on the ellipsoid",
                **zenith,
            ),
            swath_variable(
                GEOLOCATIONS,
                f"{body}_azimuth_angle",
                "degree",
                f"{body} azimuth angle",
                comment="Clockwise from the North (East = +90, South = -+180, West = -90)",
                **azimuth,
            ),
        ]
    corner = (*SWATH, "corner")
    found += [
        Variable(GEOLOCATIONS, "latitude_bounds", "f4", corner, {"units": "degrees_north"}),
        Variable(GEOLOCATIONS, "longitude_bounds", "f4", corner, {"units": "degrees_east"}),
        swath_variable(
            GEOLOCATIONS,
            "geolocation_flags",
            "1",
            "ground pixel quality flag",
            dtype="u1",
            flag_masks="0, 1, 2, 4, 8, 16, 128",
            flag_meanings="no_error solar_eclipse sun_glint_possible descending night "
            "geo_boundary_crossing geolocation_error",
        ),
    ]
    return found


def _spectral_fit() -> list[Variable]:
    """Results of the DOAS fit in DETAILED_RESULTS that do not enter any air mass factor."""
    group = DETAILED_RESULTS
    polynomial = (*SWATH, "polynomial_exponents")
    offset = (*SWATH, "intensity_offset_polynomial_exponents")
    found = [
        swath_variable(
            group,
            "processing_quality_flags",
            "1",
            "Processing quality flags",
            dtype="u4",
            comment="Error code in bits 0-7, warnings in bits 8-30",
        ),
        swath_variable(
            group,
            "number_of_spectral_points_in_retrieval",
            "1",
            "Number of spectral points used in the retrieval",
            dtype="i4",
        ),
        swath_variable(group, "number_of_iterations", "1", "Number of iterations", dtype="i4"),
    ]
    for what, units in (("offset", "nm"), ("stretch", "1")):
        found += variable_pair(group, f"wavelength_calibration_{what}", units, f"wavelength {what}")
    found.append(
        swath_variable(
            group, "wavelength_calibration_chi_square", "1", "Wavelength calibration chi square"
        )
    )
    found += variable_pair(
        group, "ozone_slant_column_density", "mol m-2", "ozone slant column density"
    )
    found += variable_pair(
        group, "oxygen_oxygen_dimer_slant_column_density", "mol2 m-5", "O2-O2 slant column density"
    )
    found += variable_pair(
        group, "water_slant_column_density", "mol m-2", "water vapour slant column"
    )
    found += variable_pair(
        group, "water_liquid_slant_column_density", "m", "liquid water slant path"
    )
    found += variable_pair(group, "ring_coefficient", "1", "Ring coefficient")
    for name, dimensions in (
        ("polynomial_coefficients", polynomial),
        ("intensity_offset_coefficients", offset),
    ):
        long_name = name.replace("_", " ")
        found += [
            swath_variable(group, name, "1", long_name, dimensions=dimensions),
            swath_variable(
                group, f"{name}_precision", "1", f"Precision of {long_name}", dimensions=dimensions
            ),
        ]
    found += [
        swath_variable(group, "chi_square", "1", "Chi squared of the fit"),
        swath_variable(
            group, "root_mean_square_error_of_fit", "1", "Root mean square error of the fit"
        ),
        swath_variable(group, "degrees_of_freedom", "1", "Degrees of freedom of the fit"),
    ]
    return found


def _detailed_results() -> list[Variable]:
    """Group DETAILED_RESULTS: the fit, the columns, the air mass factors, the cloud fractions."""
    group = DETAILED_RESULTS
    no2 = "nitrogendioxide"
    found = _spectral_fit()
    found += column_variables(
        group,
        f"{no2}_stratospheric_column",
        "Stratospheric vertical column of nitrogen dioxide",
        standard_name="stratosphere_mole_content_of_nitrogen_dioxide",
    )
    found += column_variables(
        group,
        f"{no2}_total_column",
        "Total vertical column of nitrogen dioxide",
        standard_name="atmosphere_mole_content_of_nitrogen_dioxide",
    )
    found.append(
        column_variable(
            group,
            f"{no2}_total_column_precision_kernel",
            "Precision of the total column when applying the averaging kernel",
            factor=PRECISION_FACTOR,
        )
    )
    found += column_variables(
        group,
        f"{no2}_summed_total_column",
        "Sum of the tropospheric and stratospheric vertical columns",
    )
    found += column_variables(group, f"{no2}_slant_column_density", "Slant column density of NO2")
    window = "nitrogendioxide_window"
    radiation: dict[str, Any] = {
        "radiation_wavelength": np.float32(440.0),
        "assumed_cloud_albedo": np.float32(0.8),
        "ancillary_variables": "/PRODUCT/SUPPORT_DATA/INPUT_DATA/cloud_pressure_crb",
    }
    found += [
        swath_variable(
            group, f"cloud_fraction_crb_{window}", "1", "Effective cloud fraction", **radiation
        ),
        swath_variable(
            group, f"cloud_radiance_fraction_{window}", "1", "Cloud radiance fraction", **radiation
        ),
        swath_variable(group, "air_mass_factor_stratosphere", "1", "Stratospheric air mass factor"),
        swath_variable(
            group,
            "air_mass_factor_cloudy",
            "1",
            "Air mass factor for the cloud-covered part of the scene",
        ),
        swath_variable(
            group,
            "air_mass_factor_clear",
            "1",
            "Air mass factor for the cloud-free part of the scene",
        ),
        column_variable(group, f"{no2}_ghost_column", "Ghost column of NO2 below the cloud"),
        swath_variable(group, "cloud_selection_flag", "1", "Cloud product selection", dtype="u1"),
        # written by newer processors only; the version of the change is not documented
        replace(
            column_variable(group, f"{no2}_geometric_column", "Geometric column of NO2"),
            since=(2, 7),
        ),
    ]
    return found


def _cloud_groups() -> list[Variable]:
    """Subgroups O22CLD and FRESCO, from processor 2.2 on."""
    since = (2, 2)
    found: list[Variable] = []
    for name, units, long_name in (
        ("cloud_fraction_crb", "1", "effective cloud fraction"),
        ("cloud_pressure_crb", "Pa", "cloud pressure"),
        ("cloud_height_crb", "m", "cloud height"),
        ("scene_albedo", "1", "scene albedo"),
        ("apparent_scene_pressure", "Pa", "apparent scene pressure"),
    ):
        found += variable_pair(O22CLD, f"o22cld_{name}", units, long_name, since)
    for name, units, long_name in (
        ("cloud_albedo_crb", "1", "cloud albedo"),
        ("surface_albedo", "1", "surface albedo"),
        ("chi_square", "1", "chi square"),
    ):
        found.append(swath_variable(O22CLD, f"o22cld_{name}", units, long_name, since=since))
    found += variable_pair(
        O22CLD,
        "o22cld_oxygen_oxygen_dimer_slant_column_density",
        "mol2 m-5",
        "O2-O2 slant column density",
        since,
    )
    found += [
        swath_variable(FRESCO, f"fresco_{name}", units, long_name, since=since)
        for name, units, long_name in (
            ("cloud_fraction_crb", "1", "effective cloud fraction"),
            ("cloud_pressure_crb", "Pa", "cloud pressure"),
            ("scene_albedo", "1", "scene albedo"),
            ("apparent_scene_pressure", "Pa", "apparent scene pressure"),
            ("cloud_albedo_crb", "1", "cloud albedo"),
            ("surface_albedo", "1", "surface albedo"),
        )
    ]
    return found


def _input_data() -> list[Variable]:
    """Group INPUT_DATA."""
    group = INPUT_DATA
    window: dict[str, Any] = {"radiation_wavelength": np.float32(440.0)}
    return [
        *variable_pair(group, "surface_altitude", "m", "surface altitude"),
        swath_variable(
            group,
            "surface_classification",
            "1",
            "Land-water mask and surface classification",
            dtype="u1",
        ),
        Variable(group, "instrument_configuration_identifier", "i4", TRACK, {"units": "1"}),
        Variable(group, "instrument_configuration_version", "i4", TRACK, {"units": "1"}),
        swath_variable(
            group, "scaled_small_pixel_variance", "1", "scaled variance of the small pixels"
        ),
        swath_variable(
            group,
            "eastward_wind",
            "m s-1",
            "Eastward wind at 10 m",
            since=(1, 3),
            standard_name="eastward_wind",
        ),
        swath_variable(
            group,
            "northward_wind",
            "m s-1",
            "Northward wind at 10 m",
            since=(1, 3),
            standard_name="northward_wind",
        ),
        swath_variable(
            group,
            "surface_pressure",
            "Pa",
            "surface_air_pressure",
            standard_name="surface_air_pressure",
        ),
        swath_variable(
            group,
            "surface_albedo_nitrogendioxide_window",
            "1",
            "Surface albedo in the NO2 fit window",
            **window,
        ),
        swath_variable(group, "surface_albedo", "1", "Surface albedo in the cloud fit window"),
        swath_variable(
            group,
            "cloud_pressure_crb",
            "Pa",
            "Cloud optical centroid pressure",
            proposed_standard_name="air_pressure_at_cloud_optical_centroid",
        ),
        swath_variable(group, "cloud_fraction_crb", "1", "Effective cloud fraction"),
        swath_variable(group, "cloud_albedo_crb", "1", "Cloud albedo"),
        swath_variable(group, "scene_albedo", "1", "Scene albedo"),
        swath_variable(group, "apparent_scene_pressure", "Pa", "Apparent scene pressure"),
        swath_variable(
            group,
            "snow_ice_flag",
            "1",
            "Snow-ice mask",
            dtype="u1",
            comment="NISE codes: 0 snow-free land, 1-100 sea ice in percent, 101 permanent ice, "
            "103 snow, 255 ocean",
        ),
        swath_variable(group, "aerosol_index_354_388", "1", "Aerosol index from 388 and 354 nm"),
        swath_variable(group, "land_fraction", "1", "Land fraction", since=(2, 9)),
    ]


VARIABLES: tuple[Variable, ...] = (
    *_coordinates(),
    *_product(),
    *_geolocations(),
    *_detailed_results(),
    *_cloud_groups(),
    *_input_data(),
)
"""Every variable of every processor version, in file order."""

CAMS_EUROPE_COLUMN = column_variable(
    PRODUCT,
    "nitrogendioxide_tropospheric_column_CAMS_apriori_Europe",
    "Tropospheric vertical column of nitrogen dioxide with the CAMS a-priori profile",
)
"""The field that KNMI's European product adds to the official file."""
