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

from dacno2_s5p.twin.land.site import Site
from dacno2_s5p.twin.land.world import as_day, day_hours
from dacno2_s5p.twin.weather.modes import CENTRE, FieldSpec, TravellingFields
from dacno2_s5p.twin.weather.near_ground import (
    AIR_DENSITY,
    CORIOLIS,
    FRONT_WIDTH,
    Flow,
    air_mass_contrast,
    boundary_layer,
    clear_sky_radiation,
    clouds,
    cos_zenith,
    dew_point,
    friction,
    heat_low,
    precipitation,
    relative_humidity,
    saturation_pressure,
    summer,
    surface_pressure,
    temperatures,
    thermal_wind,
)
from retrieval.physics.constants import LAPSE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.twin.land.geography import Geography
    from dacno2_s5p.twin.land.world import Points

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
        cloud_noise, humid, warmth, lift_noise, high_noise = waves.evaluate(
            [waves.amplitudes(i, times) for i in (CLOUD, HUMIDITY, WARMTH, LIFT, HIGH_CLOUD)],
            site.points,
        )
        season = summer(times)[column].astype(np.float32)
        middle = times - np.timedelta64(1800, "s")
        cosine = cos_zenith(middle, site.points.longitude, site.points.latitude)
        low, mid, high, cloud = clouds(flow, cloud_noise, high_noise, season)
        mass_temperature = air_mass_contrast(season) * np.tanh(1.5 * flow.mass)
        sea_level, skin = temperatures(site, times, column, warmth, mass_temperature, cosine, cloud)
        temperature = sea_level + skin - np.float32(LAPSE_RATE) * site.elevation
        humidity = relative_humidity(flow, site, humid, skin, season)
        wind = (-flow.gradient_y + 1j * flow.gradient_x) / np.float32(AIR_DENSITY * CORIOLIS)
        night = np.clip(1.0 - cosine / 0.15, 0.0, 1.0) * site.land * (1.0 - 0.6 * cloud)
        surface = wind * friction(10.0, site.land) * site.shelter * (1.0 - 0.35 * night)
        blh_land, blh_sea = boundary_layer(
            site, middle, cosine, cloud, np.abs(surface) + 0.4, flow, mass_temperature, season
        )
        blh = blh_sea + site.land * (blh_land - blh_sea)
        shear_x, shear_y = thermal_wind(flow, season)
        sea_level_pressure = flow.mean_sea_level - heat_low(
            flow.mean_sea_level, sea_level, skin, blh
        )
        out = {
            "pressure": surface_pressure(sea_level_pressure, sea_level, site.elevation),
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
            "dew_point": dew_point(humidity * saturation_pressure(temperature)),
            "relative_humidity": humidity,
            "low_cloud": low,
            "mid_cloud": mid,
            "high_cloud": high,
            "cloud": cloud,
            "precipitation": precipitation(flow, cloud_noise, humid),
            "cosine": cosine,
            "solar": clear_sky_radiation(cosine) * (1.0 - 0.74 * cloud**2.2),
            "blh_land": blh_land,
            "blh_sea": blh_sea,
            "blh": blh,
            "front": flow.front,
            "lift": 0.11 * lift_noise - 0.28 * flow.front + 0.04 * flow.low + 0.10,
            "tropopause": 11750.0 + 450.0 * season + 750.0 * np.tanh(flow.mass) + 150.0 * warmth,
        }
        return SurfaceWeather(
            times=times, **{name: np.asarray(v, np.float32) for name, v in out.items()}
        )

    def _flow(
        self, times: NDArray[np.datetime64], points: Points, column: tuple[slice | None, ...]
    ) -> Flow:
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
        return Flow(
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
