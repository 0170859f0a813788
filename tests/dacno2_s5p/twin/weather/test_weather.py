"""The weather is the same however it is asked for, balanced, and like that of the region."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.twin.weather.near_ground import dew_point, saturation_pressure
from dacno2_s5p.twin.weather.upper_air import LEVELS, pressure_levels
from dacno2_s5p.twin.weather.weather import Weather
from retrieval.physics.constants import GAS_CONSTANT_DRY_AIR, VIRTUAL_TEMPERATURE_FACTOR

SUMMER, WINTER = np.datetime64("2021-07-14"), np.datetime64("2021-01-14")


@pytest.fixture(scope="module")
def weather(twin):
    return twin.weather


def test_a_date_is_the_same_whatever_was_computed_before(twin, weather):
    """A fresh weather asked for one day only gives it to the last bit."""
    for offset in range(3):
        weather.day(WINTER - np.timedelta64(offset, "D"))
    fresh = Weather(twin.geography, twin.seed).day(WINTER)
    known = weather.day(WINTER)
    for name in ("pressure", "u10", "temperature", "blh", "cloud", "precipitation"):
        np.testing.assert_array_equal(getattr(known, name), getattr(fresh, name))


def test_days_join_at_midnight(weather):
    """From 23 to 00 UTC nothing changes more than within the day."""
    one, two = weather.day(SUMMER), weather.day(SUMMER + np.timedelta64(1, "D"))
    for name in ("pressure", "wind_x", "cloud", "sea_level_temperature"):
        a, b = getattr(one, name), getattr(two, name)
        within = np.abs(np.diff(a[12:], axis=0)).mean(axis=(1, 2)).max()
        assert np.abs(b[0] - a[-1]).mean() < 1.5 * within


def test_the_wind_hardly_diverges(weather):
    """The geostrophic wind's divergence is a per cent of its vorticity."""
    day = weather.day(WINTER)
    u, v = day.wind_x[12], day.wind_y[12]
    divergence = np.gradient(u, 16e3, axis=1) + np.gradient(v, 16e3, axis=0)
    vorticity = np.gradient(v, 16e3, axis=1) - np.gradient(u, 16e3, axis=0)
    inner = (slice(2, -2), slice(2, -2))
    # finite differences of fields without divergence leave a rest at sharp fronts
    assert divergence[inner].std() < 0.05 * vorticity[inner].std()
    # central differences smooth fronts by a few per cent
    error = (vorticity - day.vorticity[12])[inner]
    assert error.std() < 0.15 * day.vorticity[12][inner].std()


def test_seasons_and_days_look_like_western_europe(weather):
    """Temperature, boundary layer, radiation and wind lie in the ranges of the region."""
    land = weather.frame.land > 0.9
    sea = weather.frame.land < 0.05
    summer, winter = weather.day(SUMMER), weather.day(WINTER)
    assert 286 < summer.temperature[14][land].mean() < 303
    assert 264 < winter.temperature[14][land].mean() < 288
    assert 800 < summer.blh[13][land].mean() < 1800
    assert 400 < winter.blh[13][land].mean() < 1100
    assert summer.blh[2][land].mean() < 0.35 * summer.blh[13][land].mean()
    for day in (summer, winter):
        speed = np.hypot(day.u10, day.v10)
        assert 1.0 < speed[:, land].mean() < 6.0
        assert speed[:, sea].mean() > 1.5 * speed[:, land].mean()
        assert (day.solar[0] == 0.0).all()
        assert 0.2 < day.cloud.mean() < 0.95
        assert (day.dew_point <= day.temperature + 1e-3).all()
    assert summer.solar[12][land].mean() > 1.8 * winter.solar[12][land].mean()
    assert summer.tropopause.min() > 10_000 and summer.tropopause.max() < 14_000


def test_mountains_lower_pressure_and_temperature(weather):
    """Surface pressure falls with terrain as in an atmosphere of 6.5 K/km."""
    day = weather.day(SUMMER)
    height = weather.frame.elevation
    high = height > 1500.0
    assert high.any()
    scale = -height[high] / np.log(day.pressure[6][high] / day.mean_sea_level[6][high])
    # R T / g between 265 and 300 K
    assert (scale > 7700).all() and (scale < 8900).all()


def test_levels_are_hydrostatic(weather):
    """Thickness of every pressure layer equals R Tv / g ln(p1 / p2) with the mean Tv."""
    air = pressure_levels(weather.day(WINTER), 12, weather.frame)
    virtual = air.t.astype(np.float64) * (1 + VIRTUAL_TEMPERATURE_FACTOR * air.q)
    ratio = np.log(np.array(LEVELS[:-1]) / np.array(LEVELS[1:]))[:, None, None]
    expected = GAS_CONSTANT_DRY_AIR * 0.5 * (virtual[:-1] + virtual[1:]) * ratio
    # float32 geopotential of 1.5e5 is known to 0.015 in steps of 2000 and more
    np.testing.assert_allclose(np.diff(air.z, axis=0), expected, rtol=1e-4)


def test_wind_aloft_is_geostrophic_in_the_heights(weather):
    """At 500 hPa the wind is the one that the slopes of the geopotential call for."""
    air = pressure_levels(weather.day(WINTER), 6, weather.frame)
    k = LEVELS.index(500)
    slope_y, slope_x = np.gradient(air.z[k] / 1.08e-4, 16e3)
    assert np.corrcoef(air.u[k].ravel(), -slope_y.ravel())[0, 1] > 0.8
    assert np.corrcoef(air.v[k].ravel(), slope_x.ravel())[0, 1] > 0.8


def test_mass_continuity_of_vertical_motion(weather):
    """Divergence is minus the pressure derivative of the vertical velocity."""
    levels = tuple(range(900, 300, -5))
    air = pressure_levels(weather.day(SUMMER), 12, weather.frame, levels)
    slope = np.gradient(air.w.astype(np.float64), np.array(levels) * 100.0, axis=0)
    low = weather.day(SUMMER).pressure[12] > 95_000.0
    # central differences over 10 hPa of a sine over 800 hPa
    np.testing.assert_allclose(
        air.d[1:-1][:, low], -slope[1:-1][:, low], atol=2e-3 * np.abs(air.d).max()
    )


def test_dew_point_inverts_the_vapour_pressure():
    """Dew point of saturated air is its temperature."""
    t = np.linspace(240.0, 310.0, 15)
    np.testing.assert_allclose(dew_point(saturation_pressure(t)), t, rtol=1e-12)
