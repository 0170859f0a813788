"""What a satellite would look at: truth, stratosphere, ground and clouds of one moment."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dacno2_s5p.twin.air.profile import HEIGHTS, partial_column
from dacno2_s5p.twin.air.truth import MARGIN
from dacno2_s5p.twin.land.geography import FOREST, WETLAND
from dacno2_s5p.twin.land.terrain import spectral_noise
from dacno2_s5p.twin.land.world import CRS, Points, as_day, child_seed, stamp
from dacno2_s5p.twin.twin import Twin
from dacno2_s5p.twin.weather.modes import smooth_noise
from dacno2_s5p.twin.weather.near_ground import summer
from retrieval.physics.constants import LAPSE_RATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SNOW_ALBEDO = 0.6
"""Albedo of snow at 440 nm."""

SNOW, LAND, OCEAN, COAST = 103, 0, 255, 252
"""Codes of the product's snow_ice_flag (NISE)."""

UNITS = {
    "no2": ("mol m-3", "concentration of NO2 at heights above ground"),
    "no2_tropospheric_column": ("mol m-2", "integral of no2, linear in height, to the tropopause"),
    "no2_stratospheric_column": ("mol m-2", "stratospheric column of NO2"),
    "surface_pressure": ("Pa", "surface pressure"),
    "surface_altitude": ("m", "mean terrain height of the cell"),
    "temperature": ("K", "air temperature at heights above ground"),
    "tropopause_height": ("m", "height of the tropopause above ground"),
    "tropopause_pressure": ("Pa", "pressure of the tropopause"),
    "surface_albedo": ("1", "Lambertian albedo at 440 nm without snow"),
    "scene_albedo": ("1", "Lambertian albedo at 440 nm with snow"),
    "snow_ice_flag": ("1", "0 land, 103 snow, 252 coast, 255 ocean"),
    "land_fraction": ("1", "share of land"),
    "cloud_fraction": ("1", "effective cloud fraction, for a cloud of albedo 0.8"),
    "cloud_pressure": ("Pa", "effective cloud pressure"),
    "eastward_wind": ("m s-1", "10 m wind to the east"),
    "northward_wind": ("m s-1", "10 m wind to the north"),
}
"""Unit and meaning of each variable of a scene."""


def build_scene(
    twin: Twin, time: np.datetime64 | str, heights: Sequence[float] = HEIGHTS
) -> xr.Dataset:
    """Describe the domain at a moment for the forward simulator.

    Parameters
    ----------
    twin : Twin
        The world.
    time : datetime64 or str
        A moment, UTC; concentrations are linear between hourly stamps.
    heights : sequence of float
        Heights above ground of `no2` and `temperature` [m]. Between them both are linear, which
        is what the true column integrates.

    Returns
    -------
    xarray.Dataset
        Dimensions (height, y, x), EPSG:3035, 2 km, axes ascending; `latitude`, `longitude`
        (y, x). Variables, units and meanings are those of `UNITS`.
    """
    moment = np.datetime64(str(time)).astype("datetime64[s]")
    date = as_day(moment)
    day = twin.day(date)
    hour = min(int((moment - stamp(date, 0)) / np.timedelta64(1, "h") + 0.5), 23)
    inside = slice(MARGIN, -MARGIN)
    around = twin.surroundings(date, hour, "nest").at(inside, inside)
    points = twin.points
    no2 = day.concentration(moment, heights)
    tropopause = twin.tropopause_height(date, hour)
    temperature = temperature_profile(around.temperature, tropopause, heights)
    weather = {
        name: _fine(twin, getattr(day.weather, name)[hour])
        for name in ("low_cloud", "mid_cloud", "high_cloud", "cloud", "temperature", "u10", "v10")
    }
    fraction, cloud_pressure = _clouds(twin, moment, weather, around.pressure)
    land = np.ascontiguousarray(twin.geography.land[twin.geography.frame.domain()])
    albedo = _albedo(twin, land)
    snow = _snow(moment, around.elevation, weather["temperature"], land)
    flag = np.where(land > 0.95, LAND, np.where(land < 0.05, OCEAN, COAST))
    values: dict[str, NDArray[np.floating] | NDArray[np.integer]] = {
        "no2": no2,
        "no2_tropospheric_column": partial_column(no2, heights, tropopause),
        "no2_stratospheric_column": twin.stratosphere.column(moment, points),
        "surface_pressure": around.pressure,
        "surface_altitude": around.elevation,
        "temperature": temperature,
        "tropopause_height": tropopause,
        "tropopause_pressure": pressure_at(around.pressure, around.temperature, tropopause),
        "surface_albedo": albedo,
        "scene_albedo": albedo + snow * (SNOW_ALBEDO - albedo),
        "snow_ice_flag": np.where(snow > 0.5, SNOW, flag).astype(np.uint8),
        "land_fraction": land,
        "cloud_fraction": fraction,
        "cloud_pressure": cloud_pressure,
    }
    values |= _eastward(twin, weather["u10"], weather["v10"])
    return _dataset(twin, points, values, heights, moment)


def pressure_at(
    surface_pressure: NDArray[np.floating],
    temperature: NDArray[np.floating],
    height: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Pressure [Pa] at a height above ground in air that cools by 6.5 K/km."""
    aloft = np.maximum(1.0 - LAPSE_RATE * height / temperature, 0.7)
    return np.asarray(surface_pressure * aloft**5.25588, np.float32)


def temperature_profile(
    ground: NDArray[np.floating], tropopause: NDArray[np.floating], heights: Sequence[float]
) -> NDArray[np.float32]:
    """Temperature [K] at heights: 6.5 K/km up to the tropopause, then constant."""
    levels = np.minimum(np.asarray(heights)[:, None, None], tropopause)
    return np.asarray(np.maximum(ground - LAPSE_RATE * levels, 200.0), np.float32)


def _fine(twin: Twin, field: NDArray[np.float32]) -> NDArray[np.float32]:
    inside = slice(MARGIN, -MARGIN)
    fine = twin.simulator.nest_forcing.fine(field).numpy()
    return np.ascontiguousarray(fine[inside, inside])


def _clouds(
    twin: Twin,
    moment: np.datetime64,
    weather: dict[str, NDArray[np.float32]],
    surface_pressure: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Effective fraction and pressure: broken at 2 km where the weather has half cover."""
    texture = cloud_texture(twin.seed, moment, weather["cloud"].shape)
    cover = weather["cloud"]
    broken = 1.0 / (1.0 + np.exp(-(9.0 * (cover - 0.62) + 1.9 * texture)))
    thick = 0.35 + 0.5 * weather["low_cloud"] + 0.45 * weather["mid_cloud"]
    fraction = np.clip(broken * np.clip(thick, 0.0, 1.05) * cover**0.5, 0.0, 1.0)
    low = 0.85 * weather["low_cloud"] + 0.02
    mid, high = 0.8 * weather["mid_cloud"], 0.25 * weather["high_cloud"]
    mean = (84e3 * low + 58e3 * mid + 32e3 * high) / (low + mid + high)
    pressure = np.minimum(mean * (1.0 + 0.03 * texture), 0.95 * surface_pressure)
    return fraction.astype(np.float32), pressure.astype(np.float32)


def cloud_texture(seed: int, moment: np.datetime64, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Cloud structure of 4-120 km that moves with 8 m/s and renews itself within hours."""
    hours = np.array([float((moment - np.datetime64("2018-01-01", "s")) / np.timedelta64(1, "h"))])
    count = 6
    weights = smooth_noise(hours, 3.0, count, seed, 71)[0]
    weights /= np.sqrt((weights**2).sum())
    total = np.zeros(shape, np.float32)
    shift = int(hours[0] * 3600.0 * 8.0 / 2000.0)
    for i in range(count):
        moved = np.roll(_texture(seed, i), (-(shift // 8) % 768, shift % 640), axis=(0, 1))
        total += np.float32(weights[i]) * moved[: shape[0], : shape[1]]
    return total


@lru_cache(maxsize=6)
def _texture(seed: int, i: int) -> NDArray[np.float32]:
    field = spectral_noise((768, 640), 2e3, (4e3, 120e3), 0.9, child_seed(seed, 72, i))
    return field.astype(np.float32)


def _albedo(twin: Twin, land: NDArray[np.float32]) -> NDArray[np.float32]:
    """0.03 at sea, 0.04-0.07 on land, up to 0.15 in dry and bright places."""
    window = twin.geography.frame.domain()
    cover = twin.geography.land_cover[window]
    latitude = twin.points.latitude
    noise = spectral_noise(land.shape, 2e3, (10e3, 200e3), 0.9, child_seed(twin.seed, 73))
    ground = 0.058 + 0.006 * noise + 0.012 * np.clip((46.0 - latitude) / 4.0, 0.0, 1.0)
    ground = ground + np.where(cover == FOREST, -0.014, 0.0) + np.where(cover == WETLAND, -0.01, 0)
    bright = np.clip(twin.geography.density[window] / 6000.0, 0.0, 1.0)
    ground = np.clip(ground + 0.03 * bright, 0.035, 0.15)
    return np.asarray(0.03 + land * (ground - 0.03), np.float32)


def _snow(
    moment: np.datetime64,
    elevation: NDArray[np.float32],
    temperature: NDArray[np.float32],
    land: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Share of a cell under snow: above a snow line that moves with season and temperature."""
    season = float(summer(np.array([moment]), 25.0)[0])
    line = 1950.0 + 1050.0 * season + 55.0 * (temperature + 0.0065 * elevation - 281.0)
    cover = 1.0 / (1.0 + np.exp(-(elevation - np.maximum(line, 250.0)) / 90.0))
    return np.asarray(cover * land, np.float32)


def _eastward(
    twin: Twin, u: NDArray[np.float32], v: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """Wind along the grid's axes turned to east and north."""
    angle = _fine(twin, twin.weather.frame.angle.astype(np.float32))
    cos, sin = np.cos(angle), np.sin(angle)
    return {"eastward_wind": u * cos + v * sin, "northward_wind": v * cos - u * sin}


def _dataset(
    twin: Twin,
    points: Points,
    values: dict[str, NDArray[np.floating] | NDArray[np.integer]],
    heights: Sequence[float],
    moment: np.datetime64,
) -> xr.Dataset:
    plane, space = ("y", "x"), ("height", "y", "x")
    variables = {
        name: (
            space if field.ndim == 3 else plane,
            field,
            {"units": UNITS[name][0], "long_name": UNITS[name][1]},
        )
        for name, field in values.items()
    }
    return xr.Dataset(
        variables,
        coords={
            "height": ("height", np.asarray(heights), {"units": "m", "positive": "up"}),
            "y": ("y", twin.grid.y, {"units": "m"}),
            "x": ("x", twin.grid.x, {"units": "m"}),
            "latitude": (plane, points.latitude, {"units": "degrees_north"}),
            "longitude": (plane, points.longitude, {"units": "degrees_east"}),
            "time": ((), moment.astype("datetime64[ns]")),
        },
        attrs={
            "title": "The twin world at one moment",
            "source": f"synthetic {twin.name}",
            "training_data": "synthetic",
            "crs": CRS,
        },
    )
