"""The layout of a TROPOMI L2 NO2 file as one declared table: every variable, its place and type.

Names, types, dimensions, order and attributes follow real files (PUM S5P-KNMI-L2-0021-MA; a full
print of group PRODUCT, the variable list of processor 2.4.0). What differs between processors is
declared (`since`), and what differs between deliveries (reprocessed, near real time, cropped
"reduced" files, the European product of KNMI) is a `Variant`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from retrieval.constants import FILL_FLOAT, FILL_INT, FILL_UBYTE

AttributeValue = str | int | float | np.generic

DeltaTimeStyle = Literal["milliseconds", "milliseconds since"]

PRODUCT = "PRODUCT"
GEOLOCATIONS = "PRODUCT/SUPPORT_DATA/GEOLOCATIONS"
DETAILED_RESULTS = "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS"
INPUT_DATA = "PRODUCT/SUPPORT_DATA/INPUT_DATA"
O22CLD = f"{DETAILED_RESULTS}/O22CLD"
FRESCO = f"{DETAILED_RESULTS}/FRESCO"

SWATH = ("time", "scanline", "ground_pixel")
TRACK = ("time", "scanline")

FILL: dict[str, Any] = {
    "f4": np.float32(FILL_FLOAT),
    "i4": np.int32(FILL_INT),
    "u4": np.uint32(4294967295),
    "u1": np.uint8(FILL_UBYTE),
    "str": "",
}
"""Fill value of each stored type; strings have an empty one that netCDF does not store."""

COLUMN_FACTOR = np.float32(6.02214e19)
PRECISION_FACTOR = np.float32(6.022141e19)
"""The files carry two conversion factors that differ in the seventh digit."""

_FACTOR = "multiplication_factor_to_convert_to_molecules_percm2"


@dataclass(frozen=True)
class Variable:
    """One variable: where it lives, how it is stored, what its attributes say.

    Attributes
    ----------
    group, name : str
        Group path without leading slash, and the product's own name.
    dtype : {"f4", "i4", "u4", "u1", "str"}
        Stored type.
    dimensions : tuple of str
        Dimension names, defined in group PRODUCT.
    attributes : dict
        Attributes in file order, without `_FillValue`.
    since : tuple of int
        First processor version (major, minor) that writes it.
    """

    group: str
    name: str
    dtype: str
    dimensions: tuple[str, ...]
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    since: tuple[int, int] = (1, 0)

    @property
    def path(self) -> str:
        """Full path inside the file."""
        return f"{self.group}/{self.name}"


@dataclass(frozen=True)
class Variant:
    """What distinguishes one kind of delivery from another.

    Attributes
    ----------
    stream : str
        `OFFL`, `RPRO` or `NRTI`, the second field of the file name.
    collection, processor_version, algorithm_version, product_version : str
        Identification of the processing; `processor_version` is not zero padded ("2.4.0").
    product_format_version : int
        Stored in GRANULE_DESCRIPTION.
    doi : str
        Global attribute `identifier_product_doi`.
    delta_time : {"milliseconds", "milliseconds since"}
        Plain offsets to `time`, or a CF time unit of its own.
    has_polynomials : bool
        False in reduced files: the two polynomial dimensions and their variables are dropped.
    extra_variables : tuple of Variable
        Added at the end of their group.
    suffix : str
        Appended to the 83-character stem of the file name.
    """

    stream: str = "RPRO"
    collection: str = "03"
    processor_version: str = "2.4.0"
    algorithm_version: str = "1.5.0"
    product_version: str = "2.4.0"
    product_format_version: int = 20000
    doi: str = "10.5270/S5P-9bnp8q8"
    delta_time: DeltaTimeStyle = "milliseconds since"
    has_polynomials: bool = True
    extra_variables: tuple[Variable, ...] = ()
    suffix: str = ""

    @property
    def version(self) -> tuple[int, int]:
        """Processor version as (major, minor)."""
        major, minor, *_ = self.processor_version.split(".")
        return int(major), int(minor)

    @property
    def has_collection_identifier(self) -> bool:
        """True from collection 02 on, which names itself in GRANULE_DESCRIPTION."""
        return self.version >= (2, 0)

    @property
    def is_granule(self) -> bool:
        """True for near-real-time granules of five minutes."""
        return self.stream == "NRTI"


def _swath(
    group: str,
    name: str,
    units: str,
    long_name: str,
    *,
    dtype: str = "f4",
    dimensions: tuple[str, ...] = SWATH,
    since: tuple[int, int] = (1, 0),
    **attributes: AttributeValue,
) -> Variable:
    """Declare a variable of the swath; outside PRODUCT the coordinates are named by path."""
    prefix = "" if group == PRODUCT else "/PRODUCT/"
    coordinates = f"{prefix}longitude {prefix}latitude"
    found: dict[str, AttributeValue] = {"units": units, "long_name": long_name}
    found.update(attributes)
    if dimensions[:3] == SWATH:
        found["coordinates"] = coordinates
    return Variable(group, name, dtype, dimensions, found, since)


def _column(
    group: str, name: str, long_name: str, *, factor: np.float32 = COLUMN_FACTOR, **extra: Any
) -> Variable:
    """Declare a column [mol m-2] with its conversion factor."""
    extra[_FACTOR] = factor
    return _swath(group, name, "mol m-2", long_name, **extra)


def _column_pair(group: str, name: str, long_name: str, **extra: Any) -> list[Variable]:
    """Declare a column and its precision."""
    precision = _column(
        group, f"{name}_precision", f"Precision of the {long_name.lower()}", factor=PRECISION_FACTOR
    )
    return [_column(group, name, long_name, **extra), precision]


def _pair(
    group: str, name: str, units: str, long_name: str, since: tuple[int, int] = (1, 0)
) -> list[Variable]:
    """Declare a swath variable and its precision."""
    return [
        _swath(group, name, units, long_name, since=since),
        _swath(group, f"{name}_precision", units, f"Precision of the {long_name}", since=since),
    ]


def _axis(name: str, long_name: str, **attributes: AttributeValue) -> Variable:
    """Declare an integer coordinate variable of group PRODUCT."""
    return Variable(
        PRODUCT, name, "i4", (name,), {"units": "1", "long_name": long_name, **attributes}
    )


def _coordinates() -> list[Variable]:
    """Coordinate variables and geolocation of group PRODUCT, in file order."""
    coefficients = "/PRODUCT/SUPPORT_DATA/DETAILED_RESULTS"
    layer = _axis(
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
        _axis("scanline", "along-track dimension index", axis="Y", comment="index starts at 0"),
        _axis(
            "ground_pixel",
            "across-track dimension index",
            axis="X",
            comment="from west to east; index starts at 0",
        ),
        reference,
        _axis(
            "corner",
            "pixel corner index",
            comment="counter-clockwise, starting from south-western corner of the pixel in "
            "ascending part of the orbit; index starts at 0",
        ),
        _axis(
            "polynomial_exponents",
            "exponents of the DOAS polynomial",
            ancillary_variables=f"{coefficients}/polynomial_coefficients",
        ),
        _axis(
            "intensity_offset_polynomial_exponents",
            "exponents of the intensity offset polynomial",
            ancillary_variables=f"{coefficients}/intensity_offset_coefficients",
        ),
        layer,
        _axis("vertices", "TM5 atmospheric layer upper and lower bound indices"),
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
    qa = _swath(
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
    column = _column(
        PRODUCT,
        name,
        long_name,
        standard_name=standard,
        ancillary_variables=f"{name}_precision air_mass_factor_troposphere air_mass_factor_total "
        "averaging_kernel",
    )
    precision = _column(
        PRODUCT,
        f"{name}_precision",
        f"Precision of the {long_name.lower()}",
        factor=PRECISION_FACTOR,
        standard_name=f"{standard} standard_error",
    )
    precision_kernel = _column(
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
        _swath(
            PRODUCT,
            "air_mass_factor_troposphere",
            "1",
            "Tropospheric air mass factor",
            ancillary_variables="tm5_tropopause_layer_index",
        ),
        _swath(PRODUCT, "air_mass_factor_total", "1", "Total air mass factor"),
        _swath(
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
            _swath(
                GEOLOCATIONS,
                f"{body}_zenith_angle",
                "degree",
                f"{body} zenith angle",
                standard_name="solar_zenith_angle" if body == "solar" else "platform_zenith_angle",
                comment="Measured from the vertical at the ground pixel location on the ellipsoid",
                **zenith,
            ),
            _swath(
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
        _swath(
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
        _swath(
            group,
            "processing_quality_flags",
            "1",
            "Processing quality flags",
            dtype="u4",
            comment="Error code in bits 0-7, warnings in bits 8-30",
        ),
        _swath(
            group,
            "number_of_spectral_points_in_retrieval",
            "1",
            "Number of spectral points used in the retrieval",
            dtype="i4",
        ),
        _swath(group, "number_of_iterations", "1", "Number of iterations", dtype="i4"),
    ]
    for what, units in (("offset", "nm"), ("stretch", "1")):
        found += _pair(group, f"wavelength_calibration_{what}", units, f"wavelength {what}")
    found.append(
        _swath(group, "wavelength_calibration_chi_square", "1", "Wavelength calibration chi square")
    )
    found += _pair(group, "ozone_slant_column_density", "mol m-2", "ozone slant column density")
    found += _pair(
        group, "oxygen_oxygen_dimer_slant_column_density", "mol2 m-5", "O2-O2 slant column density"
    )
    found += _pair(group, "water_slant_column_density", "mol m-2", "water vapour slant column")
    found += _pair(group, "water_liquid_slant_column_density", "m", "liquid water slant path")
    found += _pair(group, "ring_coefficient", "1", "Ring coefficient")
    for name, dimensions in (
        ("polynomial_coefficients", polynomial),
        ("intensity_offset_coefficients", offset),
    ):
        long_name = name.replace("_", " ")
        found += [
            _swath(group, name, "1", long_name, dimensions=dimensions),
            _swath(
                group, f"{name}_precision", "1", f"Precision of {long_name}", dimensions=dimensions
            ),
        ]
    found += [
        _swath(group, "chi_square", "1", "Chi squared of the fit"),
        _swath(group, "root_mean_square_error_of_fit", "1", "Root mean square error of the fit"),
        _swath(group, "degrees_of_freedom", "1", "Degrees of freedom of the fit"),
    ]
    return found


def _detailed_results() -> list[Variable]:
    """Group DETAILED_RESULTS: the fit, the columns, the air mass factors, the cloud fractions."""
    group = DETAILED_RESULTS
    no2 = "nitrogendioxide"
    found = _spectral_fit()
    found += _column_pair(
        group,
        f"{no2}_stratospheric_column",
        "Stratospheric vertical column of nitrogen dioxide",
        standard_name="stratosphere_mole_content_of_nitrogen_dioxide",
    )
    found += _column_pair(
        group,
        f"{no2}_total_column",
        "Total vertical column of nitrogen dioxide",
        standard_name="atmosphere_mole_content_of_nitrogen_dioxide",
    )
    found.append(
        _column(
            group,
            f"{no2}_total_column_precision_kernel",
            "Precision of the total column when applying the averaging kernel",
            factor=PRECISION_FACTOR,
        )
    )
    found += _column_pair(
        group,
        f"{no2}_summed_total_column",
        "Sum of the tropospheric and stratospheric vertical columns",
    )
    found += _column_pair(group, f"{no2}_slant_column_density", "Slant column density of NO2")
    window = "nitrogendioxide_window"
    radiation: dict[str, Any] = {
        "radiation_wavelength": np.float32(440.0),
        "assumed_cloud_albedo": np.float32(0.8),
        "ancillary_variables": "/PRODUCT/SUPPORT_DATA/INPUT_DATA/cloud_pressure_crb",
    }
    found += [
        _swath(group, f"cloud_fraction_crb_{window}", "1", "Effective cloud fraction", **radiation),
        _swath(
            group, f"cloud_radiance_fraction_{window}", "1", "Cloud radiance fraction", **radiation
        ),
        _swath(group, "air_mass_factor_stratosphere", "1", "Stratospheric air mass factor"),
        _swath(
            group,
            "air_mass_factor_cloudy",
            "1",
            "Air mass factor for the cloud-covered part of the scene",
        ),
        _swath(
            group,
            "air_mass_factor_clear",
            "1",
            "Air mass factor for the cloud-free part of the scene",
        ),
        _column(group, f"{no2}_ghost_column", "Ghost column of NO2 below the cloud"),
        _swath(group, "cloud_selection_flag", "1", "Cloud product selection", dtype="u1"),
        # written by newer processors only; the version of the change is not documented
        replace(_column(group, f"{no2}_geometric_column", "Geometric column of NO2"), since=(2, 7)),
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
        found += _pair(O22CLD, f"o22cld_{name}", units, long_name, since)
    for name, units, long_name in (
        ("cloud_albedo_crb", "1", "cloud albedo"),
        ("surface_albedo", "1", "surface albedo"),
        ("chi_square", "1", "chi square"),
    ):
        found.append(_swath(O22CLD, f"o22cld_{name}", units, long_name, since=since))
    found += _pair(
        O22CLD,
        "o22cld_oxygen_oxygen_dimer_slant_column_density",
        "mol2 m-5",
        "O2-O2 slant column density",
        since,
    )
    found += [
        _swath(FRESCO, f"fresco_{name}", units, long_name, since=since)
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
        *_pair(group, "surface_altitude", "m", "surface altitude"),
        _swath(
            group,
            "surface_classification",
            "1",
            "Land-water mask and surface classification",
            dtype="u1",
        ),
        Variable(group, "instrument_configuration_identifier", "i4", TRACK, {"units": "1"}),
        Variable(group, "instrument_configuration_version", "i4", TRACK, {"units": "1"}),
        _swath(group, "scaled_small_pixel_variance", "1", "scaled variance of the small pixels"),
        _swath(
            group,
            "eastward_wind",
            "m s-1",
            "Eastward wind at 10 m",
            since=(1, 3),
            standard_name="eastward_wind",
        ),
        _swath(
            group,
            "northward_wind",
            "m s-1",
            "Northward wind at 10 m",
            since=(1, 3),
            standard_name="northward_wind",
        ),
        _swath(
            group,
            "surface_pressure",
            "Pa",
            "surface_air_pressure",
            standard_name="surface_air_pressure",
        ),
        _swath(
            group,
            "surface_albedo_nitrogendioxide_window",
            "1",
            "Surface albedo in the NO2 fit window",
            **window,
        ),
        _swath(group, "surface_albedo", "1", "Surface albedo in the cloud fit window"),
        _swath(
            group,
            "cloud_pressure_crb",
            "Pa",
            "Cloud optical centroid pressure",
            proposed_standard_name="air_pressure_at_cloud_optical_centroid",
        ),
        _swath(group, "cloud_fraction_crb", "1", "Effective cloud fraction"),
        _swath(group, "cloud_albedo_crb", "1", "Cloud albedo"),
        _swath(group, "scene_albedo", "1", "Scene albedo"),
        _swath(group, "apparent_scene_pressure", "Pa", "Apparent scene pressure"),
        _swath(
            group,
            "snow_ice_flag",
            "1",
            "Snow-ice mask",
            dtype="u1",
            comment="NISE codes: 0 snow-free land, 1-100 sea ice in percent, 101 permanent ice, "
            "103 snow, 255 ocean",
        ),
        _swath(group, "aerosol_index_354_388", "1", "Aerosol index from 388 and 354 nm"),
        _swath(group, "land_fraction", "1", "Land fraction", since=(2, 9)),
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

CAMS_EUROPE_COLUMN = _column(
    PRODUCT,
    "nitrogendioxide_tropospheric_column_CAMS_apriori_Europe",
    "Tropospheric vertical column of nitrogen dioxide with the CAMS a-priori profile",
)
"""The field that KNMI's European product adds to the official file."""

VARIANTS: dict[str, Variant] = {
    "v2.4": Variant(),
    "v1": Variant(
        stream="OFFL",
        collection="01",
        processor_version="1.3.2",
        algorithm_version="1.3.0",
        product_version="1.1.0",
        product_format_version=10100,
        doi="10.5270/S5P-s4ljg54",
        delta_time="milliseconds",
    ),
    "reduced_eu": Variant(has_polynomials=False, suffix="_reduced_eu"),
    "eu": Variant(extra_variables=(CAMS_EUROPE_COLUMN,), suffix="_eu"),
    "nrti": Variant(
        stream="NRTI",
        collection="02",
        processor_version="2.2.0",
        product_version="2.0.0",
        doi="N/A",
    ),
}
"""Kinds of delivery by name; `dataclasses.replace` makes others (say, another delta_time)."""


def variables_of(variant: Variant) -> list[Variable]:
    """Return the variables that a file of this variant holds, in file order.

    Examples
    --------
    >>> names = [v.name for v in variables_of(VARIANTS["v1"])]
    >>> "o22cld_cloud_fraction_crb" in names, "eastward_wind" in names
    (False, True)
    """
    found = [v for v in VARIABLES if v.since <= variant.version]
    if not variant.has_polynomials:
        found = [v for v in found if not any("polynomial" in d for d in v.dimensions)]
    return found + list(variant.extra_variables)
