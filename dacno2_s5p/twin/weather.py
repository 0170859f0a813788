"""Weather at the surface of the twin world: any hour of any year, coherent in space and time.

Pressure is a sum of travelling waves with troughs along the fronts of a travelling air-mass
field; winds are geostrophic in it and turned by friction, so they are nearly without divergence.
Temperature, cloud, rain and the boundary layer follow from air mass, pressure, sun and ground.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates, maximum_filter, uniform_filter

from dacno2_s5p.twin.modes import CENTRE, FieldSpec, TravellingFields
from dacno2_s5p.twin.sun import clear_sky_radiation, cos_zenith, day_angle
from dacno2_s5p.twin.world import (
    Points,
    as_day,
    block_mean,
    day_hours,
    frame_grid,
    meridian_angle,
)
from retrieval.constants import GAS_CONSTANT_DRY_AIR, GRAVITY, LAPSE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.twin.geography import Geography

CORIOLIS = 1.08e-4
"""Coriolis parameter of the whole plane [s-1] (48N): constant, so that winds do not diverge."""

AIR_DENSITY = 1.23
"""Density of air near the ground in the geostrophic relation [kg m-3]."""

FRONT_WIDTH = 0.30
"""Half width of a front in units of the air-mass field."""

STEFAN_BOLTZMANN = 5.670374e-8
"""[W m-2 K-4]."""

PRESSURE, AIR_MASS, CLOUD, HUMIDITY, WARMTH, LIFT, HIGH_CLOUD = range(7)
FIELDS = (
    FieldSpec(900e3, 7000e3, 1.7, (9.0, -1.0), 48.0),
    FieldSpec(600e3, 5000e3, 1.2, (9.5, -1.0), 36.0),
    FieldSpec(180e3, 1500e3, 0.7, (9.0, -1.0), 14.0),
    FieldSpec(300e3, 4000e3, 1.0, (8.0, -1.0), 24.0),
    FieldSpec(1500e3, 7000e3, 1.4, (4.0, 0.0), 90.0),
    FieldSpec(300e3, 3000e3, 0.8, (10.0, -1.0), 20.0),
    FieldSpec(200e3, 2500e3, 0.8, (16.0, -1.0), 18.0),
)
"""The travelling fields of the weather, by the constants above."""


@dataclass(frozen=True)
class Site:
    """Places and the ground under them; arrays share one shape.

    Attributes
    ----------
    points : Points
        Places.
    land : ndarray of float32
        Land fraction.
    elevation : ndarray of float32
        Terrain height [m].
    shelter : ndarray of float32
        Factor of the low wind, below 1 in valleys.
    angle : ndarray of float64
        Angle of true north from the grid's y axis [rad], counter-clockwise.
    """

    points: Points
    land: NDArray[np.float32]
    elevation: NDArray[np.float32]
    shelter: NDArray[np.float32]
    angle: NDArray[np.float64]

    @classmethod
    def of_frame(cls, geography: Geography, spacing: float = 16000.0) -> Site:
        """Return the frame's cells of a size that the 2 km cells nest in."""
        factor = round(spacing / 2000.0)
        points = Points.of_grid(frame_grid(spacing))
        height = block_mean(geography.elevation, factor)
        size = 2 * round(32e3 / spacing) + 1
        around = uniform_filter(maximum_filter(height, size), size)
        relief = np.maximum(around - height, 0.0)
        shelter = (1.0 / (1.0 + relief / 1100.0)).astype(np.float32)
        land = block_mean(geography.land, factor)
        angle = meridian_angle(points.longitude, points.latitude)
        return cls(points, land, height.astype(np.float32), shelter, angle)

    @classmethod
    def at(cls, frame: Site, points: Points) -> Site:
        """Sample a frame's site bilinearly at any points inside the frame."""
        x, y = frame.points.x[0], frame.points.y[:, 0]
        place = np.stack(
            [(points.y - y[0]) / (y[1] - y[0]), (points.x - x[0]) / (x[1] - x[0])]
        ).astype(np.float64)

        def sample(field: NDArray[np.float32]) -> NDArray[np.float32]:
            out = map_coordinates(field, place, order=1, mode="nearest")
            return np.asarray(out, np.float32)

        angle = meridian_angle(points.longitude, points.latitude)
        return cls(
            points, sample(frame.land), sample(frame.elevation), sample(frame.shelter), angle
        )


@dataclass(frozen=True)
class SurfaceWeather:
    """Hourly weather; arrays of shape (n_time, *site), winds along the grid's axes.

    Attributes
    ----------
    times : ndarray of datetime64[s]
        Stamps, UTC.
    pressure : ndarray
        Surface pressure [Pa].
    mean_sea_level : ndarray
        Pressure reduced to sea level [Pa].
    wind_x, wind_y : ndarray
        Geostrophic wind at the ground [m s-1].
    shear_x, shear_y : ndarray
        Thermal wind: change of the geostrophic wind per height near the ground [s-1].
    u10, v10 : ndarray
        Wind at 10 m along the grid's axes [m s-1].
    vorticity : ndarray
        Of the geostrophic wind [s-1].
    sea_level_temperature : ndarray
        Free-air temperature extrapolated to sea level [K].
    air_mass_temperature : ndarray
        Its part that fades with height up to 11 km [K].
    skin_warming : ndarray
        Extra temperature at 2 m, positive by day, negative in clear nights [K].
    temperature : ndarray
        At 2 m [K].
    dew_point : ndarray
        At 2 m [K].
    relative_humidity : ndarray
        At 2 m [1].
    low_cloud, mid_cloud, high_cloud, cloud : ndarray
        Cover of three decks and of all [1].
    precipitation : ndarray
        Rate [mm h-1].
    cosine : ndarray
        Of the solar zenith angle, at the middle of the hour that ends at the stamp [1].
    solar : ndarray
        Downward solar radiation, mean of the hour that ends at the stamp [W m-2].
    blh_land, blh_sea, blh : ndarray
        Boundary-layer height over land and over sea in this weather, and at the site [m].
    front : ndarray
        1 on a front, 0 far from it.
    lift : ndarray
        Vertical velocity of the mid troposphere [Pa s-1], negative upward.
    tropopause : ndarray
        Height above sea level [m].
    """

    times: NDArray[np.datetime64]
    pressure: NDArray[np.float32]
    mean_sea_level: NDArray[np.float32]
    wind_x: NDArray[np.float32]
    wind_y: NDArray[np.float32]
    shear_x: NDArray[np.float32]
    shear_y: NDArray[np.float32]
    u10: NDArray[np.float32]
    v10: NDArray[np.float32]
    vorticity: NDArray[np.float32]
    sea_level_temperature: NDArray[np.float32]
    air_mass_temperature: NDArray[np.float32]
    skin_warming: NDArray[np.float32]
    temperature: NDArray[np.float32]
    dew_point: NDArray[np.float32]
    relative_humidity: NDArray[np.float32]
    low_cloud: NDArray[np.float32]
    mid_cloud: NDArray[np.float32]
    high_cloud: NDArray[np.float32]
    cloud: NDArray[np.float32]
    precipitation: NDArray[np.float32]
    cosine: NDArray[np.float32]
    solar: NDArray[np.float32]
    blh_land: NDArray[np.float32]
    blh_sea: NDArray[np.float32]
    blh: NDArray[np.float32]
    front: NDArray[np.float32]
    lift: NDArray[np.float32]
    tropopause: NDArray[np.float32]

    def hours(self, index: slice) -> SurfaceWeather:
        """Return some of the hours."""
        return SurfaceWeather(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


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


@dataclass(frozen=True)
class _Flow:
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


class Weather:
    """The weather of one seed.

    Parameters
    ----------
    geography : Geography
        The ground.
    seed : int
        Seed of the world.
    """

    def __init__(self, geography: Geography, seed: int) -> None:
        self.waves = TravellingFields(FIELDS, seed, stream=1)
        self.frame = Site.of_frame(geography)
        self._days: OrderedDict[np.datetime64, SurfaceWeather] = OrderedDict()

    def day(self, date: np.datetime64) -> SurfaceWeather:
        """Weather at the 24 hours of a date on the 16 km frame, kept for a few dates.

        The batch is always the whole day, so that a date gives the same numbers to the last bit
        whatever was computed before it.
        """
        date = as_day(date)
        if date not in self._days:
            self._days[date] = self.evaluate(day_hours(date), self.frame)
            while len(self._days) > 4:
                self._days.popitem(last=False)
        return self._days[date]

    def evaluate(self, times: NDArray[np.datetime64], site: Site) -> SurfaceWeather:
        """Weather at any times and places.

        Parameters
        ----------
        times : ndarray of datetime64, shape (n_time,)
            Stamps, UTC.
        site : Site
            Places.

        Returns
        -------
        SurfaceWeather
        """
        times = times.astype("datetime64[s]")
        column = (slice(None),) + (None,) * len(site.points.shape)
        flow = self._flow(times, site.points, column)
        waves = self.waves
        noise = waves.evaluate(
            [waves.amplitudes(i, times) for i in (CLOUD, HUMIDITY, WARMTH, LIFT, HIGH_CLOUD)],
            site.points,
        )
        cloud_noise, humid, warmth, lift_noise, high_noise = noise
        season = summer(times)[column].astype(np.float32)
        middle = times - np.timedelta64(1800, "s")
        cosine = cos_zenith(middle, site.points.longitude, site.points.latitude)
        low, mid, high, cloud = _clouds(flow, cloud_noise, high_noise, season)
        rain = (
            1.9
            * np.maximum(
                0.62 * flow.front + 0.3 * cloud_noise + 0.25 * humid - flow.low * 0.25 - 0.62, 0.0
            )
            ** 1.4
        )
        solar = clear_sky_radiation(cosine) * (1.0 - 0.74 * cloud**2.2)
        mass_temperature = (5.2 - 0.8 * season) * np.tanh(1.5 * flow.mass)
        sea_level, skin = _temperatures(
            site, times, column, warmth, mass_temperature, cosine, cloud
        )
        temperature = sea_level + skin - np.float32(LAPSE_RATE) * site.elevation
        humidity = np.clip(
            0.79
            - 0.07 * flow.low
            + 0.06 * humid
            + 0.07 * flow.front
            - 0.025 * skin
            - 0.05 * season * site.land,
            0.28,
            0.99,
        )
        vapour = humidity * saturation_pressure(temperature)
        wind = (-flow.gradient_y + 1j * flow.gradient_x) / np.float32(AIR_DENSITY * CORIOLIS)
        night = np.clip(1.0 - cosine / 0.15, 0.0, 1.0) * site.land * (1.0 - 0.6 * cloud)
        surface = wind * friction(10.0, site.land) * site.shelter * (1.0 - 0.35 * night)
        gustless = np.abs(surface) + 0.4
        blh_land, blh_sea = _boundary_layer(
            site, middle, cosine, cloud, gustless, flow, mass_temperature, season
        )
        heat_low = _heat_low(
            flow.mean_sea_level, sea_level, skin, blh_sea + site.land * (blh_land - blh_sea)
        )
        sea_level_pressure = flow.mean_sea_level - heat_low
        pressure = sea_level_pressure * (1.0 - LAPSE_RATE * site.elevation / sea_level) ** (
            GRAVITY / (GAS_CONSTANT_DRY_AIR * LAPSE_RATE)
        )
        thermal = np.float32(GRAVITY / (CORIOLIS * 275.0))
        slope = (5.2 - 0.8 * season) * 1.5 / np.cosh(1.5 * flow.mass) ** 2
        shear_x = -thermal * (slope * flow.mass_y - np.float32(6.0e-6))
        shear_y = thermal * slope * flow.mass_x
        out = {
            "pressure": pressure,
            "mean_sea_level": sea_level_pressure,
            "wind_x": wind.real,
            "wind_y": wind.imag,
            "shear_x": shear_x,
            "shear_y": shear_y,
            "u10": surface.real,
            "v10": surface.imag,
            "vorticity": flow.curvature / (AIR_DENSITY * CORIOLIS),
            "sea_level_temperature": sea_level,
            "air_mass_temperature": mass_temperature,
            "skin_warming": skin,
            "temperature": temperature,
            "dew_point": dew_point(vapour),
            "relative_humidity": humidity,
            "low_cloud": low,
            "mid_cloud": mid,
            "high_cloud": high,
            "cloud": cloud,
            "precipitation": rain,
            "cosine": cosine,
            "solar": solar,
            "blh_land": blh_land,
            "blh_sea": blh_sea,
            "blh": blh_sea + site.land * (blh_land - blh_sea),
            "front": flow.front,
            "lift": 0.11 * lift_noise - 0.28 * flow.front + 0.04 * flow.low + 0.10,
            "tropopause": 11750.0 + 450.0 * season + 750.0 * np.tanh(flow.mass) + 150.0 * warmth,
        }
        return SurfaceWeather(
            times=times, **{name: np.asarray(v, np.float32) for name, v in out.items()}
        )

    def _flow(
        self, times: NDArray[np.datetime64], points: Points, column: tuple[slice | None, ...]
    ) -> _Flow:
        """Pressure and air mass with their derivatives, by the chain rule across fronts."""
        waves = self.waves
        p, m = waves.amplitudes(PRESSURE, times), waves.amplitudes(AIR_MASS, times)
        pressure, p_x, p_y, p_lap, mass, m_x, m_y, m_lap = waves.evaluate(
            [p, *waves.gradient(p), waves.laplacian(p), m, *waves.gradient(m), waves.laplacian(m)],
            points,
        )
        season = summer(times)[column]
        swing = (640.0 - 190.0 * season).astype(np.float32)
        depth = np.float32(170.0)
        front = np.exp(-((mass / FRONT_WIDTH) ** 2))
        first = 2.0 * depth * mass / FRONT_WIDTH**2 * front
        second = 2.0 * depth / FRONT_WIDTH**2 * (1.0 - 2.0 * (mass / FRONT_WIDTH) ** 2) * front
        westerly = (2.9 - 0.9 * season).astype(np.float32)
        tilt = np.float32(AIR_DENSITY * CORIOLIS) * westerly
        y = (points.y - CENTRE[1]).astype(np.float32)
        return _Flow(
            low=pressure,
            mean_sea_level=101550.0 + swing * pressure - depth * front - tilt * y,
            gradient_x=swing * p_x + first * m_x,
            gradient_y=swing * p_y + first * m_y - tilt,
            curvature=swing * p_lap + second * (m_x**2 + m_y**2) + first * m_lap,
            mass=mass,
            mass_x=m_x,
            mass_y=m_y,
            front=np.exp(-((mass / (1.4 * FRONT_WIDTH)) ** 2)),
        )


def _clouds(
    flow: _Flow,
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


def _temperatures(
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


def _heat_low(
    pressure: NDArray[np.floating],
    temperature: NDArray[np.floating],
    skin: NDArray[np.floating],
    blh: NDArray[np.floating],
) -> NDArray[np.floating]:
    """Pressure that warm ground takes away [Pa], so that heights aloft do not feel it."""
    weight = GRAVITY / (GAS_CONSTANT_DRY_AIR * temperature**2)
    return np.asarray(pressure * weight * skin * skin_depth(blh))


def _boundary_layer(
    site: Site,
    times: NDArray[np.datetime64],
    cosine: NDArray[np.float32],
    cloud: NDArray[np.float32],
    speed: NDArray[np.floating],
    flow: _Flow,
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
