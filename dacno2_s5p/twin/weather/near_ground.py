"""What sun, ground and friction make of the flow: temperature, cloud, rain, boundary layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.constants import GAS_CONSTANT_DRY_AIR, GRAVITY, LAPSE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.twin.land.site import Site


SOLAR_CONSTANT = 1361.0
"""Irradiance at the mean distance of the sun [W m-2]."""


def day_angle(times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Angle of the day in the year [rad]: 0 on 1 January, 00 UTC."""
    times = times.astype("datetime64[s]")
    start = times.astype("datetime64[Y]").astype("datetime64[s]")
    return np.asarray((times - start) / np.timedelta64(1, "D") * (2.0 * np.pi / 365.25))


def cos_zenith(
    times: NDArray[np.datetime64],
    longitude: NDArray[np.floating],
    latitude: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Cosine of the solar zenith angle, negative at night (Spencer 1971).

    Parameters
    ----------
    times : ndarray of datetime64, shape (n_time,)
        UTC.
    longitude, latitude : ndarray, any shape S
        Places [degree].

    Returns
    -------
    ndarray of float32, shape (n_time, *S)
    """
    angle = day_angle(times)
    declination = (
        0.006918
        - 0.399912 * np.cos(angle)
        + 0.070257 * np.sin(angle)
        - 0.006758 * np.cos(2 * angle)
        + 0.000907 * np.sin(2 * angle)
    )
    equation = 229.18 * (
        0.000075
        + 0.001868 * np.cos(angle)
        - 0.032077 * np.sin(angle)
        - 0.014615 * np.cos(2 * angle)
        - 0.040849 * np.sin(2 * angle)
    )
    seconds = (times.astype("datetime64[s]") - times.astype("datetime64[D]")) / np.timedelta64(
        1, "s"
    )
    minutes = seconds / 60.0 + equation
    column = (slice(None),) + (None,) * np.ndim(longitude)
    hour_angle = np.deg2rad((minutes[column] - 720.0) / 4.0 + longitude[None])
    phi = np.deg2rad(latitude)[None]
    cosine = np.sin(phi) * np.sin(declination)[column] + np.cos(phi) * np.cos(declination)[
        column
    ] * np.cos(hour_angle)
    return np.asarray(cosine, np.float32)


def clear_sky_radiation(cosine: NDArray[np.floating]) -> NDArray[np.float32]:
    """Downward solar radiation at the ground under a clear sky [W m-2] (Haurwitz 1945)."""
    mu = np.maximum(cosine, 1e-3)
    flux = 0.82 * SOLAR_CONSTANT * mu * np.exp(-0.057 / mu)
    return np.where(cosine > 1e-3, flux, 0.0).astype(np.float32)


CORIOLIS = 1.08e-4
"""Coriolis parameter of the whole plane [s-1] (48N): constant, so that winds do not diverge."""

AIR_DENSITY = 1.23
"""Density of air near the ground in the geostrophic relation [kg m-3]."""

FRONT_WIDTH = 0.30
"""Half width of a front in units of the air-mass field."""

MEAN_COOLING = np.float32(6.0e-6)
"""Mean decrease of temperature toward the north [K m-1]."""

STEFAN_BOLTZMANN = 5.670374e-8
"""[W m-2 K-4]."""


@dataclass(frozen=True)
class Flow:
    """Pressure, winds and air mass of some hours, before ground and sun act on them."""

    low: NDArray[np.float32]
    mean_sea_level: NDArray[np.float32]
    gradient_x: NDArray[np.float32]
    gradient_y: NDArray[np.float32]
    curvature: NDArray[np.float32]
    mass: NDArray[np.float32]
    mass_x: NDArray[np.float32]
    mass_y: NDArray[np.float32]
    front: NDArray[np.float32]


def _sigmoid(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))


def saturation_pressure(temperature: NDArray[np.floating]) -> NDArray[np.floating]:
    """Saturation vapour pressure over water [Pa] (Magnus form of WMO-No. 8)."""
    celsius = temperature - 273.15
    return np.asarray(611.2 * np.exp(17.62 * celsius / (243.12 + celsius)))


def dew_point(vapour_pressure: NDArray[np.floating]) -> NDArray[np.floating]:
    """Dew point [K] of a vapour pressure [Pa]; the inverse of `saturation_pressure`."""
    ratio = np.log(vapour_pressure / 611.2)
    return np.asarray(273.15 + 243.12 * ratio / (17.62 - ratio))


def summer(times: NDArray[np.datetime64], lag_days: float = 0.0) -> NDArray[np.float64]:
    """Season as a wave: 1 in the middle of July, -1 in the middle of January, plus a lag."""
    return np.cos(day_angle(times) - 2.0 * np.pi * (196.0 + lag_days) / 365.25)


def friction(
    height: NDArray[np.floating] | float, land: NDArray[np.floating], depth: float = 260.0
) -> NDArray[np.complex64]:
    """Factor (complex: scale and turning) of the geostrophic wind at a height above ground [m].

    An Ekman-like spiral: 0.42 and 28 degrees toward low pressure at the ground over land, 0.75
    and 12 degrees over the sea, 1 far above.
    """
    ground = 0.75 * np.exp(0.21j) + (0.42 * np.exp(0.49j) - 0.75 * np.exp(0.21j)) * land
    return np.asarray(1.0 - (1.0 - ground) * np.exp(-np.asarray(height) / depth), np.complex64)


def clouds(
    flow: Flow,
    noise: NDArray[np.float32],
    high_noise: NDArray[np.float32],
    season: NDArray[np.float32],
) -> tuple[NDArray[np.float32], ...]:
    """Low, mid and high decks and the total cover, overlapping at random."""
    high_pressure = flow.low
    low = _sigmoid(
        2.3 * (0.95 * noise - 0.35 * high_pressure - 0.25 * season + 0.5 * flow.front - 0.35)
    )
    mid = _sigmoid(
        3.0 * (1.5 * flow.front + 0.45 * noise + 0.35 * high_noise - 0.35 * high_pressure - 1.15)
    )
    high = _sigmoid(2.6 * (1.0 * flow.front + 0.9 * high_noise - 0.2 * high_pressure - 0.75))
    cloud = 1.0 - (1.0 - low) * (1.0 - mid) * (1.0 - 0.7 * high)
    return tuple(np.asarray(deck, np.float32) for deck in (low, mid, high, cloud))


def temperatures(
    site: Site,
    times: NDArray[np.datetime64],
    column: tuple[slice | None, ...],
    warmth: NDArray[np.float32],
    mass_temperature: NDArray[np.float32],
    cosine: NDArray[np.float32],
    cloud: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Free-air temperature at sea level and the extra of the ground [K]."""
    land_wave = 8.2 * summer(times, 5.0)[column]
    sea_wave = 5.0 * summer(times, 32.0)[column]
    # the free air knows no coasts; what land and sea add to it stays near the ground
    annual = 0.5 * (land_wave + sea_wave)
    contrast = (site.land - 0.5) * (land_wave - sea_wave)
    north = (site.points.latitude - 48.0).astype(np.float32)
    sea_level = 285.4 - 0.62 * north + annual + 1.2 * warmth + mass_temperature
    # two hours after the sun: the mean of the day is taken off by the clear-night cooling
    late = times - np.timedelta64(9000, "s")
    lagged = np.maximum(cos_zenith(late, site.points.longitude, site.points.latitude), 0.0)
    clear = 1.0 - 0.72 * cloud
    day = 9.5 * lagged * clear
    night = (
        -3.4 * clear * np.clip(1.0 - lagged / 0.12, 0.0, 1.0) * np.clip(1.0 - cosine / 0.1, 0, 1)
    )
    skin = (contrast + site.land * (day + night - 1.2)).astype(np.float32)
    return sea_level.astype(np.float32), skin


def skin_depth(blh: NDArray[np.floating]) -> NDArray[np.floating]:
    """Scale height [m] with which the ground's extra temperature fades."""
    return np.asarray(np.maximum(0.6 * blh, 120.0))


def heat_low(
    pressure: NDArray[np.floating],
    temperature: NDArray[np.floating],
    skin: NDArray[np.floating],
    blh: NDArray[np.floating],
) -> NDArray[np.floating]:
    """Pressure that warm ground takes away [Pa], so that heights aloft do not feel it."""
    weight = GRAVITY / (GAS_CONSTANT_DRY_AIR * temperature**2)
    return np.asarray(pressure * weight * skin * skin_depth(blh))


def boundary_layer(
    site: Site,
    times: NDArray[np.datetime64],
    cosine: NDArray[np.float32],
    cloud: NDArray[np.float32],
    speed: NDArray[np.floating],
    flow: Flow,
    mass_temperature: NDArray[np.floating],
    season: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boundary-layer height over land and sea [m]: sun with a lag, wind, subsidence."""
    before = times - np.timedelta64(5400, "s")
    lagged = cos_zenith(before, site.points.longitude, site.points.latitude)
    up = np.sqrt(np.clip(lagged - 0.06, 0.0, None)) * np.clip(cosine / 0.18, 0.0, 1.0)
    lid = np.clip(1.0 - 0.14 * flow.low - 0.02 * mass_temperature * (season < 0), 0.6, 1.4)
    convective = 1780.0 * up * (1.0 - 0.5 * cloud**2) * lid
    mechanical = 65.0 + 48.0 * speed
    land = np.sqrt(convective**2 + mechanical**2)
    sea = np.clip(240.0 + 52.0 * speed * lid - 14.0 * mass_temperature, 150.0, None)
    return land.astype(np.float32), sea.astype(np.float32)


def precipitation(
    flow: Flow, cloud_noise: NDArray[np.floating], humid: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Rain [mm h-1]: along fronts, in lows, where clouds and moisture are dense."""
    wet = 0.62 * flow.front + 0.3 * cloud_noise + 0.25 * humid - 0.25 * flow.low - 0.62
    return np.asarray(1.9 * np.maximum(wet, 0.0) ** 1.4)


def relative_humidity(
    flow: Flow,
    site: Site,
    humid: NDArray[np.floating],
    skin: NDArray[np.floating],
    season: NDArray[np.floating],
) -> NDArray[np.floating]:
    """Relative humidity at 2 m [1]: low in highs and over warm ground."""
    base = 0.79 - 0.07 * flow.low + 0.06 * humid + 0.07 * flow.front
    return np.asarray(np.clip(base - 0.025 * skin - 0.05 * season * site.land, 0.28, 0.99))


def surface_pressure(
    sea_level_pressure: NDArray[np.floating],
    temperature: NDArray[np.floating],
    elevation: NDArray[np.floating],
) -> NDArray[np.floating]:
    """Pressure [Pa] at the terrain in air of `temperature` at sea level that cools by 6.5 K/km."""
    exponent = GRAVITY / (GAS_CONSTANT_DRY_AIR * LAPSE_RATE)
    return np.asarray(sea_level_pressure * (1.0 - LAPSE_RATE * elevation / temperature) ** exponent)


def thermal_wind(
    flow: Flow, season: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Change of the geostrophic wind per height [s-1] in the contrast of air masses.

    The mean cooling toward the north adds a westerly shear.
    """
    thermal = np.float32(GRAVITY / (CORIOLIS * 275.0))
    slope = air_mass_contrast(season) * 1.5 / np.cosh(1.5 * flow.mass) ** 2
    return -thermal * (slope * flow.mass_y - MEAN_COOLING), thermal * slope * flow.mass_x


def air_mass_contrast(season: NDArray[np.floating]) -> NDArray[np.floating]:
    """Half the difference between warm and cold air masses [K]."""
    return np.asarray(5.2 - 0.8 * season)
