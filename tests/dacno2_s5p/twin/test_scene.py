"""The scene that the simulator looks at is complete, consistent and plausible."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.twin.air.profile import HEIGHTS, partial_column
from dacno2_s5p.twin.scene import UNITS, build_scene, cloud_texture

from .conftest import SUMMER


@pytest.fixture(scope="module")
def scene(twin, summer_day):
    return build_scene(twin, f"{SUMMER}T12:20")


def test_every_variable_has_its_unit(scene, twin):
    """All variables of the table are there, with units, on the 2 km grid, and say synthetic."""
    assert set(scene.data_vars) == set(UNITS)
    for name, (unit, _) in UNITS.items():
        assert scene[name].attrs["units"] == unit
        assert np.isfinite(scene[name]).all()
    np.testing.assert_array_equal(scene.x, twin.grid.x)
    assert "synthetic" in scene.attrs["source"]


def test_the_column_is_the_integral_of_the_profile(scene):
    """Tropospheric column = exact integral of the piecewise linear profile to the tropopause."""
    column = partial_column(scene.no2.values, HEIGHTS, scene.tropopause_height.values)
    np.testing.assert_allclose(scene.no2_tropospheric_column, column, rtol=1e-12)


def test_values_are_those_of_the_region(scene):
    """Albedo, clouds, pressures and flags within their ranges; sea dark and flat."""
    sea = scene.land_fraction.values < 0.01
    assert (scene.surface_albedo.values[sea] < 0.0301).all()
    assert (scene.surface_altitude.values[sea] == 0.0).all()
    assert (scene.snow_ice_flag.values[sea] == 255).all()
    land = scene.surface_albedo.values[scene.land_fraction.values > 0.99]
    assert 0.04 < land.mean() < 0.08
    assert land.max() <= 0.15
    fraction = scene.cloud_fraction.values
    assert fraction.min() >= 0.0 and fraction.max() <= 1.0
    assert 0.05 < (fraction > 0.2).mean() < 0.98
    assert (scene.cloud_pressure < scene.surface_pressure).all()
    assert (scene.tropopause_pressure > 13_000).all() and (scene.tropopause_pressure < 26_000).all()


def test_cloud_texture_moves_and_has_unit_variance():
    """A minute later at most a cell further, a day later another; the same at every call."""
    start = np.datetime64("2019-07-10T12:00", "s")
    shape = (720, 592)
    one = cloud_texture(1, start, shape)
    np.testing.assert_array_equal(one, cloud_texture(1, start, shape))
    soon = cloud_texture(1, start + np.timedelta64(60, "s"), shape)
    later = cloud_texture(1, start + np.timedelta64(86_400, "s"), shape)
    assert np.corrcoef(one.ravel(), soon.ravel())[0, 1] > 0.5
    assert abs(np.corrcoef(one.ravel(), later.ravel())[0, 1]) < 0.3
    assert 0.7 < one.std() < 1.3
