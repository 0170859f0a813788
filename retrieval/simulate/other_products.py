"""A simulated orbit in the layout of another sensor's product.

What the instrument saw is TROPOMI's; names, groups, units, epochs, orders and fills are those of
the other product: TEMPO's by a real header, QA4ECV's, Sentinel-5's and Sentinel-4's by HARP's
ingestion, which no file at hand has verified. Sentinel-4's kernels have invented names. The files
say that they are simulated, and are written from the tables here, which know nothing of what reads
them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from retrieval.errors import ProductError
from retrieval.files.atomic import atomic_output
from retrieval.files.fills import FILL_INT
from retrieval.physics.air_mass_factors import temperature_correction
from retrieval.physics.constants import HPA_TO_PA, MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.simulate.simulate_orbit import SimulatedOrbit
    from retrieval.typing import Float

MOLEC, MOL = ("molecules/cm^2", MOLEC_CM2_PER_MOL_M2), ("mol m-2", 1.0)
ONE, PA, HPA = ("1", 1.0), ("Pa", 1.0), ("hPa", 1.0 / HPA_TO_PA)
DEGREE, METRE, KELVIN = ("degrees", 1.0), ("m", 1.0), ("K", 1.0)
GPS_MINUS_UTC = 18.0
"""Seconds that GPS time is ahead of UTC since 2017."""
LEAP_2017 = np.datetime64("2017-01-01", "ms")

SCENE, LAYERS, CORNERS = ("y", "x"), ("y", "x", "layer"), ("y", "x", "corner")


@dataclass(frozen=True)
class Row:
    """A variable: its path, what it holds, on which dimensions, as what type and unit."""

    path: str
    field: str
    axes: tuple[str, ...] = SCENE
    kind: str = "f4"
    unit: tuple[str, float] = ONE


@dataclass(frozen=True)
class Product:
    """Layout of a product's files.

    Attributes
    ----------
    sizes : dict of str to str
        Names of the dimensions by what they are: y, x, layer, level, corner, one.
    home : str
        Group of the dimensions.
    leading : bool
        Whether variables have a dimension of length one before the scanlines.
    fill : float
        Of floats.
    top_first : bool
        Whether layers are counted from the top.
    attributes : dict
        Global ones.
    rows : tuple of Row
    """

    sizes: dict[str, str]
    home: str
    leading: bool
    fill: float
    top_first: bool
    attributes: dict[str, str | int]
    rows: tuple[Row, ...]


_TEMPO = Product(
    sizes={"y": "mirror_step", "x": "xtrack", "layer": "swt_level", "corner": "corner"},
    home="/",
    leading=False,
    fill=-1e30,
    top_first=False,
    attributes={"collection_shortname": "TEMPO_NO2_L2", "processing_version": 3},
    rows=(
        Row("geolocation/time", "gps_seconds", ("y",), "f8", ("", 1.0)),
        Row("geolocation/latitude", "latitude", unit=("degrees_north", 1.0)),
        Row("geolocation/longitude", "longitude", unit=("degrees_east", 1.0)),
        Row("geolocation/latitude_bounds", "latitude_bounds", CORNERS),
        Row("geolocation/longitude_bounds", "longitude_bounds", CORNERS),
        Row("geolocation/solar_zenith_angle", "solar_zenith", unit=DEGREE),
        Row("geolocation/viewing_zenith_angle", "viewing_zenith", unit=DEGREE),
        Row("product/main_data_quality_flag", "quality_flag", kind="i2"),
        Row("product/vertical_column_troposphere", "column", kind="f8", unit=MOLEC),
        Row("product/vertical_column_troposphere_uncertainty", "sigma", kind="f8", unit=MOLEC),
        Row("product/vertical_column_stratosphere", "stratosphere", kind="f8", unit=MOLEC),
        Row("support_data/surface_pressure", "surface_pressure", unit=HPA),
        Row("support_data/tropopause_pressure", "tropopause_pressure", unit=HPA),
        Row("support_data/terrain_height", "altitude", kind="i2", unit=METRE),
        Row("support_data/scattering_weights", "cold_weights", LAYERS),
        Row("support_data/gas_profile", "apriori", LAYERS, unit=MOLEC),
        Row("support_data/temperature_profile", "temperature", LAYERS, unit=KELVIN),
        Row("support_data/amf_total", "amf_total"),
        Row("support_data/amf_troposphere", "amf"),
        Row("support_data/amf_stratosphere", "amf_stratosphere"),
        Row("support_data/eff_cloud_fraction", "cloud_fraction"),
    ),
)

_S5 = "nitrogen_dioxide"
_DETAILS, _WHERE, _INPUT = (
    f"SUPPORT_DATA/{name}" for name in ("DETAILED_RESULTS", "GEOLOCATIONS", "INPUT_DATA")
)


def _below(home: str, rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple(Row(f"{home}/{r.path}", r.field, r.axes, r.kind, r.unit) for r in rows)


_PLACE = (
    Row("latitude", "latitude", unit=("degrees_north", 1.0)),
    Row("longitude", "longitude", unit=("degrees_east", 1.0)),
)
_SIDES = (
    Row(f"{_WHERE}/latitude_bounds", "latitude_bounds", CORNERS),
    Row(f"{_WHERE}/longitude_bounds", "longitude_bounds", CORNERS),
    Row(f"{_WHERE}/solar_zenith_angle", "solar_zenith", unit=DEGREE),
    Row(f"{_WHERE}/viewing_zenith_angle", "viewing_zenith", unit=DEGREE),
)

_QA4ECV = Product(
    sizes={"one": "time", "y": "scanline", "x": "ground_pixel", "layer": "layer"}
    | {"corner": "corner", "pair": "nv"},
    home="PRODUCT",
    leading=True,
    fill=9.969209968386869e36,
    top_first=False,
    attributes={"title": "QA4ECV NO2 OMI Level 2"},
    rows=_below(
        "PRODUCT",
        (
            *_PLACE,
            Row("time", "day_1995", ("one",), "f8", ("seconds since 1995-01-01 00:00:00", 1.0)),
            Row("delta_time", "milliseconds", ("y",), "i4", ("milliseconds", 1.0)),
            Row("processing_error_flag", "failed", kind="u1"),
            Row("tropospheric_no2_vertical_column", "column", unit=MOLEC),
            Row("tropospheric_no2_vertical_column_uncertainty", "sigma", unit=MOLEC),
            Row("amf_trop", "amf"),
            Row("amf_total", "amf_total"),
            Row("averaging_kernel", "kernel", LAYERS),
            Row("tm5_pressure_level_a", "layer_a", ("layer", "pair"), unit=PA),
            Row("tm5_pressure_level_b", "layer_b", ("layer", "pair")),
            Row("tm5_surface_pressure", "surface_pressure", unit=HPA),
            Row("tm5_tropopause_layer_index", "index", kind="i4"),
            *_SIDES,
            Row(f"{_DETAILS}/stratospheric_no2_vertical_column", "stratosphere", unit=MOLEC),
            Row(f"{_DETAILS}/amf_strat", "amf_stratosphere"),
            Row(f"{_DETAILS}/cloud_radiance_fraction_no2", "cloud_fraction"),
            Row(f"{_INPUT}/surface_altitude", "altitude", unit=METRE),
        ),
    ),
)

_SENTINEL5 = Product(
    sizes={"one": "time", "y": "scanline", "x": "ground_pixel", "layer": "layer"}
    | {"level": "level", "corner": "corner"},
    home="data/PRODUCT",
    leading=False,
    fill=9.969209968386869e36,
    top_first=True,
    attributes={"product_name": "SN5-02-NO2_simulated"},
    rows=_below(
        "data/PRODUCT",
        (
            Row("time", "day_2020", ("one",), "f8", ("days since 2020-01-01", 1.0)),
            Row("delta_time", "milliseconds", ("y",), "f8", ("milliseconds", 1.0)),
            Row(f"{_S5}_tropospheric_column", "column", unit=MOL),
            Row(f"{_S5}_tropospheric_column_uncertainty", "sigma", unit=MOL),
            Row(f"{_S5}_tropospheric_column_air_mass_factor", "amf"),
            Row(f"{_S5}_total_column_air_mass_factor", "amf_total"),
            Row(f"{_S5}_total_column_averaging_kernel", "kernel", LAYERS),
            Row("qa_value", "percent", kind="u1", unit=("1", 1.0)),
            *(Row(f"{_WHERE}/{r.path}", r.field, r.axes, r.kind, r.unit) for r in _PLACE),
            *_SIDES,
            Row(f"{_DETAILS}/{_S5}_stratospheric_column", "stratosphere", unit=MOL),
            Row(f"{_DETAILS}/{_S5}_stratospheric_column_air_mass_factor", "amf_stratosphere"),
            Row(f"{_INPUT}/pressure_coefficient_a", "level_a", ("level",), "f8", PA),
            Row(f"{_INPUT}/pressure_coefficient_b", "level_b", ("level",), "f8"),
            Row(f"{_INPUT}/surface_pressure", "surface_pressure", unit=PA),
            Row(f"{_INPUT}/tropopause_pressure", "tropopause_pressure", unit=PA),
            Row(f"{_INPUT}/surface_altitude", "altitude", unit=METRE),
        ),
    ),
)

_SENTINEL4 = Product(
    sizes={"y": "scanline", "x": "ground_pixel", "layer": "layer", "level": "level"}
    | {"corner": "corner"},
    home="PRODUCT",
    leading=False,
    fill=9.969209968386869e36,
    top_first=False,
    attributes={"title": "Sentinel-4 UVN NO2, names of kernels and layers invented"},
    rows=_below(
        "PRODUCT",
        (
            *_PLACE,
            Row("delta_time", "pixel_milliseconds", SCENE, "f8", ("milliseconds", 1.0)),
            Row(f"{_S5}_tropospheric_column", "column", unit=MOL),
            Row(f"{_S5}_tropospheric_column_precision", "sigma", unit=MOL),
            Row(f"{_S5}_stratospheric_column", "stratosphere", unit=MOL),
            Row("qa_value", "percent", kind="u1", unit=("1", 1.0)),
            *_SIDES,
            Row(f"{_DETAILS}/{_S5}_tropospheric_air_mass_factor", "amf"),
            Row(f"{_DETAILS}/{_S5}_stratospheric_air_mass_factor", "amf_stratosphere"),
            Row(f"{_DETAILS}/invented_total_air_mass_factor", "amf_total"),
            Row(f"{_DETAILS}/invented_kernel", "kernel", LAYERS),
            Row(f"{_INPUT}/invented_a", "level_a", ("level",), "f8", PA),
            Row(f"{_INPUT}/invented_b", "level_b", ("level",), "f8"),
            Row(f"{_INPUT}/invented_surface_pressure", "surface_pressure", unit=PA),
            Row(f"{_INPUT}/invented_tropopause", "tropopause_pressure", unit=PA),
            Row(f"{_INPUT}/invented_altitude", "altitude", unit=METRE),
        ),
    ),
)
"""What no reader of others names - kernels, layers, surface, tropopause - is called `invented_`."""

PRODUCTS = {
    "TEMPO": _TEMPO,
    "QA4ECV": _QA4ECV,
    "Sentinel-5": _SENTINEL5,
    "Sentinel-4": _SENTINEL4,
}
"""Layouts by the name of the sensor."""


def write_as(
    simulated: SimulatedOrbit, sensor: str, path: str | Path, *, overwrite: bool = False
) -> Path:
    """Write a simulated orbit as the product of another sensor.

    Parameters
    ----------
    simulated : SimulatedOrbit
        Made with `keep_profiles`.
    sensor : str
        One of `PRODUCTS`.
    path : path
        The file.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file written. It appears under its name only when it is complete.

    Raises
    ------
    ValueError
        If the sensor is not known, or profiles were not kept.
    ProductError
        If TEMPO is asked for before 2017, whose count of seconds was another.
    OutputError
        If the file exists and may not be replaced, or its folder cannot be written.
    """
    if sensor not in PRODUCTS:
        msg = f"Invalid sensor {sensor!r}. It must be one of {', '.join(PRODUCTS)}. Choose one."
        raise ValueError(msg)
    if not simulated.profiles:
        msg = "Invalid orbit. Another product needs its profiles. Simulate with keep_profiles=True."
        raise ValueError(msg)
    target, product = Path(path), PRODUCTS[sensor]
    fields = _fields(simulated, top_first=product.top_first)
    if sensor == "TEMPO" and simulated.content.scanline_time[0] < LEAP_2017:
        msg = (
            f"Invalid day {simulated.content.scanline_time[0]}. TEMPO's count of seconds is known "
            "from 2017 on. Given an earlier one. Simulate a later day."
        )
        raise ProductError(msg)
    with (
        atomic_output(target, overwrite=overwrite) as partial,
        netCDF4.Dataset(partial, "w", format="NETCDF4") as file,
    ):
        file.setncatts({**product.attributes, "comment": "synthetic: simulated, TROPOMI's swath"})
        _write(file, product, fields)
        if sensor == "Sentinel-4":
            file.time_reference_days_since_1950 = np.int32(fields["day_1950"][0])
        if sensor == "TEMPO":
            file["geolocation/time"].units = "seconds since 1980-01-06T00:00:00Z"
            table = {"Eta_A": fields["level_a"] / HPA_TO_PA, "Eta_B": fields["level_b"]}
            file["support_data/surface_pressure"].setncatts(table)
    return target


def _write(file: netCDF4.Dataset, product: Product, fields: dict[str, NDArray[Any]]) -> None:
    n_y, n_x, n_layer = fields["kernel"].shape
    size = {"one": 1, "y": n_y, "x": n_x, "layer": n_layer, "level": n_layer + 1}
    size |= {"corner": 4, "pair": 2}
    home = file if product.home == "/" else file.createGroup(product.home)
    for what, name in product.sizes.items():
        home.createDimension(name, size[what])
        prefix = "" if product.home == "/" else f"{product.home}/"
        if what in ("y", "x", "layer"):
            file.createVariable(f"{prefix}{name}", "i4", (name,))[:] = np.arange(size[what])
    integers: dict[str, Callable[[], Any]] = {
        "i2": lambda: np.int16(-9999),
        "i4": lambda: np.int32(FILL_INT),
        "u1": lambda: np.uint8(255),
    }
    for row in product.rows:
        leads = product.leading and row.axes[0] == "y"
        axes = tuple(product.sizes[one] for one in (("one",) if leads else ()) + row.axes)
        fill = integers[row.kind]() if row.kind in integers else product.fill
        item = file.createVariable(
            row.path, row.kind, axes, zlib=len(row.axes) > 1, shuffle=True, fill_value=fill
        )
        item.set_auto_maskandscale(False)
        values = np.asarray(fields[row.field], dtype=np.float64) * row.unit[1]
        stored = np.where(np.isfinite(values), values, fill).astype(row.kind)
        item[:] = stored.reshape(item.shape)
        if row.unit[0]:
            item.units = row.unit[0]


def _fields(simulated: SimulatedOrbit, *, top_first: bool) -> dict[str, NDArray[Any]]:
    """Return what the instrument saw, by plain names, SI, NaN where missing."""
    given, profiles = simulated.content.variables, simulated.profiles
    layer_a, layer_b = given["tm5_constant_a"], given["tm5_constant_b"]
    level_a = np.append(layer_a[:, 0], layer_a[-1, 1])
    level_b = np.append(layer_b[:, 0], layer_b[-1, 1])
    index = np.asarray(given["tm5_tropopause_layer_index"]).astype(np.float64)
    has_index = (index > 0) & (index < layer_a.shape[0] - 1)
    top = np.where(has_index, index, 0).astype(int) + 1
    pressure = level_a[top] + level_b[top] * given["surface_pressure"]
    kernel = given["averaging_kernel"].astype(np.float64)
    weights = kernel * given["air_mass_factor_total"][..., None]
    temperature = profiles["temperature"]
    percent = np.asarray(given["qa_value"]).astype(np.float64)
    time = simulated.content.scanline_time.astype("datetime64[ms]")
    day = time[0].astype("datetime64[D]")
    gps = (time - np.datetime64("1980-01-06", "ms")) / np.timedelta64(1, "s") + GPS_MINUS_UTC
    milliseconds = (time - day.astype(time.dtype)) / np.timedelta64(1, "ms")
    pixel = np.arange(simulated.content.shape[1])
    turn = slice(None, None, -1 if top_first else 1)
    is_done = np.isfinite(given["air_mass_factor_troposphere"])
    return {
        "latitude": given["latitude"],
        "longitude": given["longitude"],
        "latitude_bounds": given["latitude_bounds"],
        "longitude_bounds": given["longitude_bounds"],
        "solar_zenith": given["solar_zenith_angle"],
        "viewing_zenith": given["viewing_zenith_angle"],
        "gps_seconds": gps,
        "day_1995": np.array([(day - np.datetime64("1995-01-01")) / np.timedelta64(1, "s")]),
        "day_2020": np.array([(day - np.datetime64("2020-01-01")) / np.timedelta64(1, "D")]),
        "day_1950": np.array([(day - np.datetime64("1950-01-01")) / np.timedelta64(1, "D")]),
        "milliseconds": milliseconds,
        # a scan takes time from pixel to pixel; the middle one has that of the scanline
        "pixel_milliseconds": milliseconds[:, None] + pixel - pixel.size // 2,
        "column": given["nitrogendioxide_tropospheric_column"],
        "sigma": given["nitrogendioxide_tropospheric_column_precision_kernel"],
        "stratosphere": given["nitrogendioxide_stratospheric_column"],
        "amf": given["air_mass_factor_troposphere"],
        "amf_total": given["air_mass_factor_total"],
        "amf_stratosphere": given["air_mass_factor_stratosphere"],
        "kernel": kernel[..., turn],
        "cold_weights": (weights / temperature_correction(temperature))[..., turn],
        "temperature": temperature[..., turn],
        "apriori": profiles["apriori_partial_column"][..., turn],
        "layer_a": layer_a[turn],
        "layer_b": layer_b[turn],
        "level_a": level_a[turn],
        "level_b": level_b[turn],
        "surface_pressure": given["surface_pressure"],
        "altitude": given["surface_altitude"],
        "tropopause_pressure": np.where(has_index, pressure, np.nan),
        "index": np.where(has_index, index, np.nan),
        "cloud_fraction": given["cloud_fraction_crb_nitrogendioxide_window"],
        "percent": percent,
        "failed": np.where(is_done, 0.0, 1.0),
        "quality_flag": _flag(percent),
    }


def _flag(percent: Float) -> Float:
    """0 normal, 1 suspicious, 2 bad."""
    return np.select([percent > 75.0, percent > 50.0], [0.0, 1.0], 2.0)
