"""Weather on pressure levels: wind, temperature, humidity, geopotential, vorticity, cloud.

Temperature falls 6.5 K/km from the free-air value at sea level to the tropopause; the air-mass
part of it fades linearly to 11 km, and the wind has the thermal shear that belongs to it.
Geopotential is summed upward from the mean-sea-level pressure with virtual temperatures, so the
fields are hydrostatic level by level. Levels below the ground are extrapolated, as in ERA5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dacno2_s5p.twin.land.site import Site
from dacno2_s5p.twin.weather.near_ground import friction, saturation_pressure, skin_depth
from dacno2_s5p.twin.weather.weather import SurfaceWeather
from retrieval.physics.constants import (
    GAS_CONSTANT_DRY_AIR,
    GRAVITY,
    LAPSE_RATE,
    VIRTUAL_TEMPERATURE_FACTOR,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

LEVELS = (
    *(1000, 975, 950, 925, 900, 875, 850, 800, 750, 700, 650),
    *(600, 550, 500, 450, 400, 350, 300, 250, 200, 150, 100),
)
"""Pressure levels [hPa] that are written by default: enough for heights to 5 km above the Alps."""

FADE_HEIGHT = 11_000.0
"""Height above sea level where air masses no longer differ [m]."""

LID_PRESSURE = 2.0e4
"""Pressure where the large-scale vertical motion ends [Pa]."""

VAPOUR_RATIO = 0.622
"""Molar mass of water over that of air."""


class UpperAir(NamedTuple):
    """One time on pressure levels; arrays of shape (n_level, *site), winds along the grid.

    Attributes
    ----------
    u, v : ndarray
        Wind along the grid's axes [m s-1].
    w : ndarray
        Vertical velocity [Pa s-1].
    t : ndarray
        Temperature [K].
    q : ndarray
        Specific humidity [kg kg-1].
    z : ndarray
        Geopotential [m2 s-2].
    vo : ndarray
        Relative vorticity [s-1].
    d : ndarray
        Divergence [s-1].
    cc : ndarray
        Cloud fraction [1].
    """

    u: NDArray[np.float32]
    v: NDArray[np.float32]
    w: NDArray[np.float32]
    t: NDArray[np.float32]
    q: NDArray[np.float32]
    z: NDArray[np.float32]
    vo: NDArray[np.float32]
    d: NDArray[np.float32]
    cc: NDArray[np.float32]


def temperature_at(
    altitude: NDArray[np.floating], weather: SurfaceWeather, hour: int, site: Site
) -> NDArray[np.float64]:
    """Temperature [K] at heights above sea level [m]."""
    fade = np.clip(1.0 - altitude / FADE_HEIGHT, 0.0, 1.0)
    mass = weather.air_mass_temperature[hour].astype(np.float64)
    base = weather.sea_level_temperature[hour] - mass
    low = np.minimum(altitude, weather.tropopause[hour])
    above_ground = np.maximum(altitude - site.elevation, 0.0)
    fading = np.exp(-above_ground / skin_depth(weather.blh[hour]))
    skin = np.where(altitude >= site.elevation - 1.0, weather.skin_warming[hour] * fading, 0.0)
    return np.asarray(np.maximum(base + mass * fade - LAPSE_RATE * low, 200.0) + skin)


def humidity_at(
    altitude: NDArray[np.floating],
    pressure: float,
    temperature: NDArray[np.floating],
    weather: SurfaceWeather,
    hour: int,
    site: Site,
) -> NDArray[np.float64]:
    """Specific humidity [kg kg-1]: drier above the boundary layer, moist in clouds and fronts."""
    above = np.maximum(altitude - site.elevation - weather.blh[hour], 0.0)
    ground = weather.relative_humidity[hour]
    aloft = 0.30 + 0.45 * weather.mid_cloud[hour] + 0.1 * weather.front[hour]
    relative = aloft + (ground - aloft) * np.exp(-above / 1400.0)
    relative = relative * np.exp(-np.maximum(altitude - 9000.0, 0.0) / 2000.0)
    vapour = np.minimum(relative, 1.0) * saturation_pressure(np.maximum(temperature, 205.0))
    vapour = np.minimum(vapour, 0.2 * pressure)
    specific = VAPOUR_RATIO * vapour / (pressure - (1.0 - VAPOUR_RATIO) * vapour)
    return np.asarray(np.maximum(specific, 2e-6))


def pressure_levels(
    weather: SurfaceWeather, hour: int, site: Site, levels: Sequence[int] = LEVELS
) -> UpperAir:
    """Weather of one hour on pressure levels.

    Parameters
    ----------
    weather : SurfaceWeather
        Surface weather of a day at the site.
    hour : int
        Index of the hour in it.
    site : Site
        Places.
    levels : sequence of int
        Pressures [hPa], descending.

    Returns
    -------
    UpperAir
    """
    altitude, warmth, moisture = _hydrostatic(weather, hour, site, levels)
    pressure = np.asarray(levels, np.float64)[:, None, None] * 100.0
    above = np.maximum(altitude - site.elevation, 10.0)
    # height integral of the fading temperature contrast: the thermal wind between 0 and z
    reach = np.clip(altitude, 0.0, FADE_HEIGHT)
    reach = reach - reach**2 / (2.0 * FADE_HEIGHT)
    wind = weather.wind_x[hour] + 1j * weather.wind_y[hour]
    shear = weather.shear_x[hour] + 1j * weather.shear_y[hour]
    turned = (wind + reach * shear) * friction(above, site.land)
    low = np.where(above < 1500.0, site.shelter + (1.0 - site.shelter) * above / 1500.0, 1.0)
    turned = turned * low
    lift, divergence = _vertical_motion(weather, hour, pressure)
    vorticity = weather.vorticity[hour] * np.clip(1.0 + reach / 25e3, 1.0, 1.3)
    fields = (
        turned.real,
        turned.imag,
        lift,
        warmth,
        moisture,
        altitude * GRAVITY,
        vorticity,
        divergence,
        _cloud(weather, hour, pressure),
    )
    return UpperAir(*(np.asarray(field, np.float32) for field in fields))


def _hydrostatic(
    weather: SurfaceWeather, hour: int, site: Site, levels: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Heights above sea level, temperature and humidity of the levels, from the sea level up.

    Between two levels dz = R Tv / g ln(p1 / p2) with the mean of their virtual temperatures;
    three rounds make temperature and height of a level agree.
    """
    shape = (len(levels), *site.points.shape)
    altitude, warmth, moisture = (np.empty(shape) for _ in range(3))
    below = weather.mean_sea_level[hour].astype(np.float64)
    height = np.zeros(site.points.shape)
    t = temperature_at(height, weather, hour, site)
    virtual = t * (
        1.0 + VIRTUAL_TEMPERATURE_FACTOR * humidity_at(height, 1e5, t, weather, hour, site)
    )
    for k, level in enumerate(levels):
        pressure = 100.0 * level
        step = GAS_CONSTANT_DRY_AIR / GRAVITY * np.log(below / pressure)
        upper = height + step * virtual
        for _ in range(3):
            t = temperature_at(upper, weather, hour, site)
            q = humidity_at(upper, pressure, t, weather, hour, site)
            new_virtual = t * (1.0 + VIRTUAL_TEMPERATURE_FACTOR * q)
            upper = height + step * 0.5 * (virtual + new_virtual)
        altitude[k], warmth[k], moisture[k] = upper, t, q
        height, virtual, below = upper, new_virtual, np.full_like(below, pressure)
    return altitude, warmth, moisture


def _vertical_motion(
    weather: SurfaceWeather, hour: int, pressure: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Vertical velocity and the divergence that mass continuity gives with it."""
    depth = weather.pressure[hour].astype(np.float64) - LID_PRESSURE
    phase = np.pi * np.clip((weather.pressure[hour] - pressure) / depth, 0.0, 1.0)
    strength = weather.lift[hour]
    inside = (phase > 0.0) & (phase < np.pi)
    divergence = np.where(inside, strength * np.pi / depth * np.cos(phase), 0.0)
    return strength * np.sin(phase), divergence


def _cloud(
    weather: SurfaceWeather, hour: int, pressure: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cloud fraction: three decks around 880, 620 and 350 hPa."""
    hectopascal = pressure / 100.0
    decks = ((weather.low_cloud, 880.0, 70.0), (weather.mid_cloud, 620.0, 90.0))
    cover = weather.high_cloud[hour] * np.exp(-(((hectopascal - 350.0) / 90.0) ** 2))
    for deck, centre, width in decks:
        cover = np.maximum(cover, deck[hour] * np.exp(-(((hectopascal - centre) / width) ** 2)))
    return np.asarray(np.where(cover < 0.02, 0.0, cover))
