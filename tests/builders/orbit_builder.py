"""A small orbit for tests: structurally a real L2 NO2 file, and consistent to round-off.

The forward simulator is not needed: geometry on a sphere, box air mass factors from a
closed form fitted to the light model, synthetic TM5-like a-priori profiles. Every definition that
ties the variables together (docs/formats.md 1.7) holds in float64 before storage, so that
identities can be tested at float32 precision.

    orbit = build_orbit(tmp_path, n_scanline=60, n_ground_pixel=50)
    orbit.path                        # the file, with its real name
    orbit.arrays["averaging_kernel"]  # what was stored, float64, NaN for fill
    orbit.apriori_partial_column      # x of the retrieval [mol m-2], not in the file
    orbit.true_partial_column         # what the slant column was made from
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.files.fills import FILL_INT
from retrieval.l2.quality import QaInputs, qa_percent
from retrieval.physics.constants import AIR_COLUMN_PER_PASCAL, MOLEC_CM2_PER_MOL_M2, PPT
from retrieval.simulate.l2_file.content import L2Content
from retrieval.simulate.l2_file.layout import VARIANTS, Variant, variables_of
from retrieval.simulate.l2_file.write import write_l2_file

EARTH_RADIUS = 6371.0e3
SATELLITE_ALTITUDE = 824.0e3
ALONG_TRACK = 5.5e3
TILT = 14.0
"""Heading of the ascending track west of north at mid latitudes [degree]."""

EUROPE = (-5.0, 42.0, 9.0, 54.0)

# docs/formats.md 1.5: interfaces of the 34 TM5 layers, surface first
# fmt: off
TM5_A = np.array([
    0.0, 22.835938, 424.41406, 1387.5469, 3057.2656, 5564.3828, 8163.375, 11901.34, 14898.453,
    17471.84, 19290.227, 20361.816, 20337.863, 19859.391, 19031.289, 18308.434, 17008.789,
    15508.257, 13881.331, 12766.873, 11116.662, 9562.6826, 8608.5254, 7311.8691, 6156.0742,
    4490.8174, 3381.7437, 2265.4316, 1423.7701, 823.96783, 427.5925, 191.33856, 69.520576,
    18.608931, 0.0,
])
TM5_B = np.array([
    1.0, 0.991984, 0.969513, 0.931881, 0.873929, 0.790717, 0.704669, 0.576692, 0.466003, 0.358254,
    0.263242, 0.168910, 0.111505, 0.077958, 0.051773, 0.038026, 0.022355, 0.011806, 0.005378,
    0.002857, 0.000890, 0.000199, 0.000059, *[0.0] * 12,
])
# fmt: on


@dataclass
class Orbit:
    """What `build_orbit` returns.

    Attributes
    ----------
    path : Path
        The file.
    arrays : dict of str to ndarray
        Variables by product name as given to the writer: (scanline, ground_pixel, ...), float64
        with NaN for fill, integers with their fill value, `qa_value` the unscaled byte.
    apriori_partial_column, true_partial_column : ndarray, shape (scanline, ground_pixel, layer)
        Partial columns [mol m-2] of the retrieval's own a priori, and of the truth that the slant
        column was made from.
    scanline_time : ndarray of datetime64[ms]
        Start of each scanline.
    content : L2Content
        As written.
    """

    path: Path
    arrays: dict[str, np.ndarray]
    apriori_partial_column: np.ndarray
    true_partial_column: np.ndarray
    scanline_time: np.ndarray
    content: L2Content

    @property
    def true_tropospheric_column(self) -> np.ndarray:
        """Sum of the truth to the tropopause layer, inclusive [mol m-2]; NaN without index."""
        return _sum_to_tropopause(
            self.true_partial_column, self.arrays["tm5_tropopause_layer_index"]
        )

    @property
    def apriori_tropospheric_column(self) -> np.ndarray:
        """Sum of the a priori to the tropopause layer, inclusive [mol m-2]."""
        return _sum_to_tropopause(
            self.apriori_partial_column, self.arrays["tm5_tropopause_layer_index"]
        )


def build_orbit(
    path: str | Path,
    *,
    n_scanline: int = 120,
    n_ground_pixel: int = 90,
    variant: str | Variant = "v2.4",
    seed: int = 0,
    area: tuple[float, float, float, float] = EUROPE,
    date: str = "2019-06-26",
    overpass: str = "12:20",
    noise: float = 0.55e15,
    dead_rows: tuple[int, ...] | None = None,
    first_scanline: int | None = None,
    orbit_number: int = 8822,
    overwrite: bool = False,
    scanline_chunk: int = 278,
) -> Orbit:
    """Write a small, consistent orbit and return it with its truth.

    Parameters
    ----------
    path : path
        A folder (the file gets its real name) or a file.
    n_scanline, n_ground_pixel : int
        Size. Pixels have their true size: 5.5 km along, 3.5 km at nadir to 14 km at the edge of
        450; 120 x 90 covers some 660 x 330 km.
    variant : str or Variant
        See `retrieval.simulate.l2_file.layout.VARIANTS`: v2.4, v1, reduced_eu, eu, nrti.
    seed : int
        Of everything random.
    area : tuple
        West, south, east, north [degree]; the orbit is centred on it.
    date, overpass : str
        Day, and time at which the orbit passes the centre, UTC.
    noise : float
        Standard deviation of the slant column [molec cm-2]; 0 switches it off.
    dead_rows : tuple of int
        Ground pixels without retrieval; two are chosen by default. Pass () for none.
    first_scanline : int, optional
        First index value; 1716 for reduced files, else 0.
    """
    delivery = VARIANTS[variant] if isinstance(variant, str) else variant
    rng = np.random.default_rng(seed)
    shape = (n_scanline, n_ground_pixel)
    if dead_rows is None:
        dead_rows = (n_ground_pixel // 7, n_ground_pixel - 2) if n_ground_pixel > 8 else ()
    if first_scanline is None:
        first_scanline = 0 if delivery.has_polynomials else 1716

    centre_time = np.datetime64(f"{date}T{overpass}", "ms")
    steps = np.arange(n_scanline) - n_scanline // 2
    scanline_time = centre_time + (steps * 840).astype("timedelta64[ms]")

    found = _geometry(shape, area)
    found |= _sun(found["latitude"], found["longitude"], scanline_time)
    found |= _scene(found, rng)
    edges = TM5_A + TM5_B * found["surface_pressure"][..., None]
    tropopause = _tropopause_index(found["latitude"])
    apriori, truth = _profiles(found, edges, tropopause)
    found |= _retrieve(found, edges, tropopause, apriori, truth, noise, rng)
    found |= _quality(found, delivery)
    _spoil(found, rng, dead_rows)
    for letter, values in (("a", TM5_A), ("b", TM5_B)):
        found[f"tm5_constant_{letter}"] = np.stack([values[:-1], values[1:]], axis=-1)
    if delivery.extra_variables:
        found["nitrogendioxide_tropospheric_column_CAMS_apriori_Europe"] = (
            1.15 * found["nitrogendioxide_tropospheric_column"]
        )
    found |= _cloud_group(found)
    wanted = {v.name for v in variables_of(delivery)}
    content = L2Content(
        variables={name: values for name, values in found.items() if name in wanted},
        scanline_time=scanline_time,
        orbit=orbit_number,
        scanline=np.arange(first_scanline, first_scanline + n_scanline),
        ground_pixel=np.arange(n_ground_pixel),
        window=(scanline_time[0], scanline_time[-1]) if delivery.is_granule else None,
        auxiliary_files={
            "Auxiliary CTM AUX_CTMANA model data": (_ctmana_name(date),),
            "Auxiliary ECMWF AUX_MET_2D Meteorological forecast data": ("none",),
        },
    )
    written = write_l2_file(
        path, content, variant=delivery, overwrite=overwrite, scanline_chunk=scanline_chunk
    )
    return Orbit(written, dict(content.variables), apriori, truth, scanline_time, content)


def _ctmana_name(date: str) -> str:
    day = np.datetime64(date, "D")
    start, end, made = (
        str(day + np.timedelta64(n, "D")).replace("-", "") + "T000000" for n in (0, 1, 9)
    )
    return f"S5P_OPER_AUX_CTMANA_{start}_{end}_{made}.nc"


def pixel_width_edges(n: int) -> np.ndarray:
    """Across-track edges [m], centred on 0: 3.5 km at the centre, 14 km at the edges of 450."""
    u = (np.arange(n) - (n - 1) / 2) / 224.5
    width = 3.5e3 + 10.5e3 * np.abs(u) ** 3
    edges = np.concatenate([[0.0], np.cumsum(width)])
    return edges - 0.5 * edges[-1]


def _on_sphere(
    along: np.ndarray, across: np.ndarray, longitude: float, latitude: float
) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of points along and to the right of a great circle [m]."""
    lon, lat, heading = np.deg2rad([longitude, latitude, -TILT])
    up = np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.cross(up, east)
    forward = np.cos(heading) * north + np.sin(heading) * east
    right = np.cross(forward, up)
    a, c = (along / EARTH_RADIUS)[..., None], (across / EARTH_RADIUS)[..., None]
    point = np.cos(c) * (np.cos(a) * up + np.sin(a) * forward) + np.sin(c) * right
    return (
        np.rad2deg(np.arctan2(point[..., 1], point[..., 0])),
        np.rad2deg(np.arcsin(np.clip(point[..., 2], -1.0, 1.0))),
    )


def _geometry(shape: tuple[int, int], area: tuple[float, ...]) -> dict[str, np.ndarray]:
    """Centres, corners (counter-clockwise from the south-west) and view angles."""
    west, south, east, north = area
    centre = (0.5 * (west + east), 0.5 * (south + north))
    along = (np.arange(shape[0] + 1) - shape[0] / 2) * ALONG_TRACK
    across = pixel_width_edges(shape[1])
    corner_lon, corner_lat = _on_sphere(*np.meshgrid(along, across, indexing="ij"), *centre)
    middle = np.meshgrid(
        0.5 * (along[1:] + along[:-1]), 0.5 * (across[1:] + across[:-1]), indexing="ij"
    )
    longitude, latitude = _on_sphere(*middle, *centre)
    order = (np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, 1:], np.s_[1:, :-1])
    angle = np.abs(middle[1]) / EARTH_RADIUS
    view = np.arctan2(
        np.sin(angle), np.cos(angle) - EARTH_RADIUS / (EARTH_RADIUS + SATELLITE_ALTITUDE)
    )
    return {
        "longitude": longitude,
        "latitude": latitude,
        "longitude_bounds": np.stack([corner_lon[i] for i in order], axis=-1),
        "latitude_bounds": np.stack([corner_lat[i] for i in order], axis=-1),
        "viewing_zenith_angle": np.rad2deg(view),
        "viewing_azimuth_angle": np.where(middle[1] < 0, 90.0 - TILT, -90.0 - TILT),
    }


def _sun(latitude: np.ndarray, longitude: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
    """Solar angles from the day of the year; good to a degree, enough for tests."""
    day = (times - times.astype("datetime64[Y]")) / np.timedelta64(1, "D")
    hours = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    declination = np.deg2rad(-23.44) * np.cos(2 * np.pi * (day + 10.0) / 365.25)
    hour = np.deg2rad(15.0 * (hours[:, None] - 12.0) + longitude)
    lat, dec = np.deg2rad(latitude), declination[:, None]
    cosine = np.sin(lat) * np.sin(dec) + np.cos(lat) * np.cos(dec) * np.cos(hour)
    azimuth = np.arctan2(
        -np.cos(dec) * np.sin(hour),
        np.cos(lat) * np.sin(dec) - np.sin(lat) * np.cos(dec) * np.cos(hour),
    )
    return {
        "solar_zenith_angle": np.rad2deg(np.arccos(cosine)),
        "solar_azimuth_angle": np.rad2deg(azimuth),
    }


def _waves(lon: np.ndarray, lat: np.ndarray, rng: np.random.Generator, scale: float) -> np.ndarray:
    """Sum a few random plane waves: a smooth field with mean near 0, values about -1 to 1."""
    total = np.zeros_like(lon)
    for _ in range(4):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        k = 2 * np.pi / (scale * rng.uniform(0.7, 1.6))
        total += np.sin(k * (np.cos(angle) * lon + 1.4 * np.sin(angle) * lat) + phase)
    return total / 2.5


def _scene(found: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Terrain, surface pressure, albedo, clouds."""
    lon, lat = found["longitude"], found["latitude"]
    altitude = np.maximum(0.0, 250.0 + 350.0 * _waves(lon, lat, rng, 3.0))
    is_sea = altitude == 0.0
    sea_level = 101325.0 + 600.0 * _waves(lon, lat, rng, 15.0)
    pressure = sea_level * (1.0 - altitude / 44330.77) ** (1 / 0.190263)
    albedo = np.where(is_sea, 0.035, 0.055 + 0.015 * _waves(lon, lat, rng, 1.5).clip(-1, 1))
    cloud = np.clip(0.9 * _waves(lon, lat, rng, 4.0), 0.0, 1.0)
    cloud = np.where(rng.random(lon.shape) < 0.1, np.minimum(1.0, cloud + 0.08), cloud)
    cloud_pressure = np.clip(
        78000.0 + 16000.0 * _waves(lon, lat, rng, 5.0), 25000.0, pressure - 1000.0
    )
    snow = np.where(altitude > 900.0, 103, np.where(is_sea, 255, 0)).astype(np.uint8)
    return {
        "surface_altitude": altitude,
        "surface_altitude_precision": np.full_like(altitude, 20.0),
        "surface_pressure": pressure,
        "surface_albedo_nitrogendioxide_window": albedo,
        "surface_albedo": albedo,
        "surface_classification": np.where(is_sea, 1, 0).astype(np.uint8),
        "snow_ice_flag": snow,
        "cloud_fraction_crb": cloud,
        "cloud_fraction_crb_nitrogendioxide_window": cloud,
        "cloud_pressure_crb": cloud_pressure,
        "cloud_albedo_crb": np.full_like(cloud, 0.8),
        "scene_albedo": albedo + cloud * (0.8 - albedo),
        "apparent_scene_pressure": pressure + cloud * (cloud_pressure - pressure),
        "eastward_wind": 5.0 + 2.0 * _waves(lon, lat, rng, 10.0),
        "northward_wind": 2.0 * _waves(lon, lat, rng, 10.0),
        "aerosol_index_354_388": -0.5 + 0.5 * _waves(lon, lat, rng, 8.0),
    }


def _tropopause_index(latitude: np.ndarray) -> np.ndarray:
    """Layers 14 to 17, falling to the north."""
    return np.clip(np.rint(17.0 - (latitude - 40.0) / 5.0), 13, 21).astype(np.int32)


def _profiles(
    found: dict[str, np.ndarray], edges: np.ndarray, tropopause: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """TM5-like a priori, smooth over degrees, and a truth with plumes; partial columns."""
    lon, lat = found["longitude"][..., None], found["latitude"][..., None]
    air = (edges[..., :-1] - edges[..., 1:]) * AIR_COLUMN_PER_PASCAL
    middle = 0.5 * (edges[..., :-1] + edges[..., 1:])
    height = -7400.0 * np.log(np.maximum(middle, 1.0) / edges[..., :1])
    is_troposphere = np.arange(34) <= tropopause[..., None]
    free = 35 * PPT * (1.0 + 0.4 * np.tanh((height - 7000.0) / 2500.0))
    ozone_layer = 6e-9 * np.exp(-(((np.log(np.maximum(middle, 1.0)) - np.log(1200.0)) / 1.2) ** 2))

    def mixing_ratio(surface: np.ndarray, depth: float) -> np.ndarray:
        troposphere = free + surface * np.exp(-height / depth)
        return np.where(is_troposphere, troposphere, ozone_layer)

    smooth = 1.2e-9 * (1.0 + 0.6 * np.sin(0.7 * lon) * np.cos(0.5 * lat))
    plumes = sum(
        amplitude * np.exp(-((lon - x) ** 2 * 0.45 + (lat - y) ** 2) / width**2)
        for x, y, amplitude, width in (
            (2.35, 48.86, 9e-9, 0.15),
            (4.4, 51.2, 8e-9, 0.2),
            (1.7, 47.9, 6e-9, 0.1),
            (2.6, 48.2, 5e-9, 0.12),
        )
    )
    apriori = mixing_ratio(smooth, 1000.0) * air
    truth = mixing_ratio(0.6 * smooth + plumes, 500.0) * air
    # one stratosphere for both: the tropospheric identity then needs no stratospheric error term
    truth = np.where(is_troposphere, truth, apriori)
    return apriori, truth


def _box_amf(
    found: dict[str, np.ndarray], pressure: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clear and cloudy box air mass factors and the cloud radiance fraction (method, App. A)."""
    mu0 = np.cos(np.deg2rad(found["solar_zenith_angle"]))[..., None]
    mu = np.cos(np.deg2rad(found["viewing_zenith_angle"]))[..., None]
    albedo = found["surface_albedo_nitrogendioxide_window"][..., None]
    geometric = 1.0 / mu0 + 1.0 / mu
    ts = 0.248 * found["surface_pressure"][..., None] / 101325.0
    t = 0.248 * pressure / 101325.0
    phase = 3.0 / 8.0 * ((3.0 - mu**2) + (3.0 * mu**2 - 1.0) * mu0**2)
    scale = (1.0 + 19.88 * ts) * phase / (4.0 * (mu + mu0))

    def rayleigh(depth: np.ndarray) -> np.ndarray:
        return scale * (np.exp(-0.323 * geometric * depth) - np.exp(-0.323 * geometric * ts))

    def transmission(u: np.ndarray) -> np.ndarray:
        return ((2 / 3 + u) + (2 / 3 - u) * np.exp(-ts / u)) / (4 / 3 + ts)

    sphere = 0.75 * ts / (1.0 + 0.75 * ts)
    surface = albedo * transmission(mu) * transmission(mu0) / (1.0 - albedo * sphere)
    share = (rayleigh(t) + surface) / (rayleigh(0.0 * t) + surface)
    path = (1 - np.exp(-t / mu0)) * (8.193 - 1 / mu0) + (1 - np.exp(-t / mu)) * (8.193 - 1 / mu)
    clear = share * (geometric + 0.619 * path - 1.414 * albedo * t / ts)
    reflectance_clear = (rayleigh(0.0 * ts) + surface)[..., 0]

    cloud = found["cloud_fraction_crb"]
    ratio = pressure / found["cloud_pressure_crb"][..., None]
    cloudy = np.where(ratio < 1.0, geometric * (1.0 + 0.28 * ratio), 0.0)
    radiance_fraction = cloud * 0.8 / (cloud * 0.8 + (1.0 - cloud) * reflectance_clear)
    return clear, cloudy, radiance_fraction


def _temperature_factor(height_pressure: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """c(T) with a standard lapse rate up to 216.65 K."""
    ratio = height_pressure / surface[..., None]
    temperature = np.maximum(288.15 * ratio**0.190263, 216.65)
    d = temperature - 220.0
    return 1.0 - 0.00316 * d + 3.39e-6 * d**2


def _sum_to_tropopause(partial: np.ndarray, tropopause: np.ndarray) -> np.ndarray:
    keep = np.arange(partial.shape[-1]) <= tropopause[..., None]
    total = np.where(keep, partial, 0.0).sum(axis=-1)
    return np.where(tropopause == FILL_INT, np.nan, total)


def _retrieve(
    found: dict[str, np.ndarray],
    edges: np.ndarray,
    tropopause: np.ndarray,
    apriori: np.ndarray,
    truth: np.ndarray,
    noise: float,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Air mass factors, kernel and columns by their definitions (docs/formats.md 1.7)."""
    middle = 0.5 * (edges[..., :-1] + edges[..., 1:])
    clear, cloudy, w = _box_amf(found, middle)
    correction = _temperature_factor(middle, found["surface_pressure"])
    s_clear, s_cloudy = clear * correction, cloudy * correction
    s = w[..., None] * s_cloudy + (1.0 - w[..., None]) * s_clear
    keep = np.arange(34) <= tropopause[..., None]

    def amf(weights: np.ndarray, layers: np.ndarray) -> np.ndarray:
        x = np.where(layers, apriori, 0.0)
        return (weights * x).sum(axis=-1) / x.sum(axis=-1)

    everywhere = np.ones_like(keep)
    m_total, m_trop, m_strat = amf(s, everywhere), amf(s, keep), amf(s, ~keep)
    stratosphere = np.where(keep, 0.0, truth).sum(axis=-1)
    sigma = noise / MOLEC_CM2_PER_MOL_M2
    slant = (s * truth).sum(axis=-1) + sigma * rng.standard_normal(m_total.shape)
    column = (slant - m_strat * stratosphere) / m_trop
    sigma_slant = np.full_like(slant, 0.55e15 / MOLEC_CM2_PER_MOL_M2)
    sigma_stratosphere = 0.2e15 / MOLEC_CM2_PER_MOL_M2
    kernel_precision = np.sqrt(
        (sigma_slant / m_trop) ** 2
        + (m_strat * sigma_stratosphere / m_trop) ** 2
        + (0.2 * column) ** 2
    )
    below_cloud = np.where(cloudy > 0.0, 0.0, apriori) * keep
    no2 = "nitrogendioxide"
    return {
        "averaging_kernel": s / m_total[..., None],
        "air_mass_factor_total": m_total,
        "air_mass_factor_troposphere": m_trop,
        "air_mass_factor_stratosphere": m_strat,
        "air_mass_factor_clear": amf(s_clear, keep),
        "air_mass_factor_cloudy": amf(s_cloudy, keep),
        "tm5_tropopause_layer_index": tropopause,
        f"{no2}_slant_column_density": slant,
        f"{no2}_slant_column_density_precision": sigma_slant,
        f"{no2}_stratospheric_column": stratosphere,
        f"{no2}_stratospheric_column_precision": np.full_like(slant, sigma_stratosphere),
        f"{no2}_tropospheric_column": column,
        f"{no2}_tropospheric_column_precision_kernel": kernel_precision,
        f"{no2}_tropospheric_column_precision": np.hypot(kernel_precision, 0.1 * column),
        f"{no2}_total_column": slant / m_total,
        f"{no2}_total_column_precision": sigma_slant / m_total,
        f"{no2}_total_column_precision_kernel": sigma_slant / m_total,
        f"{no2}_summed_total_column": column + stratosphere,
        f"{no2}_summed_total_column_precision": np.hypot(kernel_precision, sigma_stratosphere),
        f"{no2}_ghost_column": below_cloud.sum(axis=-1),
        f"cloud_radiance_fraction_{no2}_window": w,
    }


def _cloud_group(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Copy the cloud of INPUT_DATA into subgroup O22CLD, where it comes from."""
    names = ("cloud_fraction_crb", "cloud_pressure_crb", "cloud_albedo_crb", "scene_albedo")
    copied = {f"o22cld_{n}": found[n] for n in (*names, "apparent_scene_pressure")}
    return copied | {"o22cld_surface_albedo": found["surface_albedo"]}


def _quality(found: dict[str, np.ndarray], variant: Variant) -> dict[str, np.ndarray]:
    """Warning flags and qa_value by the recipe of the files (docs/formats.md 1.11)."""
    mu0, mu = (np.cos(np.deg2rad(found[f"{n}_zenith_angle"])) for n in ("solar", "viewing"))
    glint = (found["snow_ice_flag"] == 255) & (found["viewing_zenith_angle"] < 4.0)
    flags = np.where(glint, 1 << 11, 0) + np.where(found["snow_ice_flag"] == 103, 1 << 14, 0)
    flags = flags.astype(np.uint32)
    inputs = QaInputs(
        processing_quality_flags=flags,
        cloud_radiance_fraction=found["cloud_radiance_fraction_nitrogendioxide_window"],
        snow_ice_flag=found["snow_ice_flag"],
        scene_pressure=found["apparent_scene_pressure"],
        surface_pressure=found["surface_pressure"],
        surface_albedo=found["surface_albedo_nitrogendioxide_window"],
        solar_zenith_angle=found["solar_zenith_angle"],
        slant_column_precision=found["nitrogendioxide_slant_column_density_precision"],
        amf_ratio=found["air_mass_factor_troposphere"] / (1.0 / mu0 + 1.0 / mu),
        has_scene_mode=variant.version >= (2, 2),
    )
    return {
        "processing_quality_flags": flags,
        "qa_value": qa_percent(inputs),
        "geolocation_flags": np.where(glint, 2, 0).astype(np.uint8),
    }


_KEPT_WHEN_FAILED = {
    "latitude",
    "longitude",
    "latitude_bounds",
    "longitude_bounds",
    "solar_zenith_angle",
    "solar_azimuth_angle",
    "viewing_zenith_angle",
    "viewing_azimuth_angle",
    "surface_altitude",
    "surface_altitude_precision",
    "surface_pressure",
}


def _spoil(
    found: dict[str, np.ndarray], rng: np.random.Generator, dead_rows: tuple[int, ...]
) -> None:
    """Failed pixels and dead rows: retrieval floats fill, qa 0, an error code; geolocation stays.

    Some pixels keep kernel and air mass factors and lack only the column (flag 9);
    in some the tropopause index is fill.
    """
    shape = found["latitude"].shape
    failed = rng.random(shape) < 0.01
    failed[:, list(dead_rows)] = True
    for name, values in found.items():
        if values.dtype.kind == "f" and name not in _KEPT_WHEN_FAILED:
            values[failed] = np.nan
    found["tm5_tropopause_layer_index"][failed] = FILL_INT
    found["qa_value"][failed] = 0
    code = np.where(rng.random(shape) < 0.5, 36, 41).astype(np.uint32)
    flags = found["processing_quality_flags"]
    flags[failed] = (flags[failed] & np.uint32(0xFFFFFF00)) | code[failed]

    no_column = ~failed & (rng.random(shape) < 0.004)
    for name in ("", "_precision", "_precision_kernel"):
        found[f"nitrogendioxide_tropospheric_column{name}"][no_column] = np.nan
    found["nitrogendioxide_summed_total_column"][no_column] = np.nan
    found["qa_value"][no_column] = 0
    no_index = ~failed & ~no_column & (rng.random(shape) < 0.002)
    found["tm5_tropopause_layer_index"][no_index] = FILL_INT
