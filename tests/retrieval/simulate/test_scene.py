"""Ground and clouds come to the pixels as means over their polygons."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.physics.geometry.grids import domain_grid
from retrieval.simulate.scene import GRIDDED, OCEAN, SNOW, scene_on_swath, synthetic_scene
from tests.builders.simulation_builder import small_swath

COARSE = domain_grid(16000.0)


@pytest.fixture(scope="module")
def swath():
    return small_swath(6)


@pytest.fixture(scope="module")
def outside(swath):
    return synthetic_scene(swath, real_land=False)


def fields(**changes):
    """Return a constant scene on the grid with some fields changed."""
    constant = {
        "surface_altitude": 200.0,
        "surface_pressure": 99000.0,
        "surface_albedo": 0.05,
        "scene_albedo": 0.05,
        "snow_ice_flag": 0,
        "cloud_fraction": 0.5,
        "cloud_pressure": 80000.0,
        "eastward_wind": 3.0,
        "northward_wind": -1.0,
    }
    return {k: np.broadcast_to(v, COARSE.shape) for k, v in (constant | changes).items()}


def test_constant_fields_stay_constant(swath, outside):
    """Inside of the grid pixels have the grid's values, outside those of the other scene."""
    found = scene_on_swath(fields(), COARSE, swath, outside)
    is_inside = np.isclose(found.eastward_wind, 3.0, rtol=1e-12)
    assert 0.2 < is_inside.mean() < 0.9
    np.testing.assert_allclose(found.surface_pressure[is_inside], 99000.0, rtol=1e-12)
    np.testing.assert_allclose(found.cloud_pressure[is_inside], 80000.0, rtol=1e-12)
    np.testing.assert_allclose(found.scene_albedo[is_inside], 0.425, rtol=1e-12)
    for name in ("surface_pressure", "snow_ice_flag", "cloud_fraction"):
        np.testing.assert_array_equal(
            getattr(found, name)[~is_inside], getattr(outside, name)[~is_inside]
        )
    np.testing.assert_array_equal(found.aerosol_index, outside.aerosol_index)


def test_cloud_pressure_counts_clouds(swath, outside):
    """Clear cells do not take part in the mean cloud pressure; the flag is the nearest cell's."""
    is_odd = (np.indices(COARSE.shape).sum(axis=0) % 2).astype(bool)
    changed = fields(
        cloud_fraction=np.where(is_odd, 0.6, 0.0),
        cloud_pressure=np.where(is_odd, 70000.0, 20000.0),
        snow_ice_flag=np.where(is_odd, SNOW, OCEAN),
    )
    found = scene_on_swath(changed, COARSE, swath, outside)
    is_inside = np.isclose(found.eastward_wind, 3.0, rtol=1e-12)
    has_cloud = is_inside & (found.cloud_fraction > 0)
    np.testing.assert_allclose(found.cloud_pressure[has_cloud], 70000.0, rtol=1e-9)
    assert set(np.unique(found.snow_ice_flag[is_inside])) == {SNOW, OCEAN}


@pytest.mark.parametrize("name", GRIDDED)
def test_missing_fields_are_named(swath, outside, name):
    """A field that is missing, or on another grid, is refused by name."""
    without = {k: v for k, v in fields().items() if k != name}
    with pytest.raises(ValueError, match=rf"Invalid scene field {name}\."):
        scene_on_swath(without, COARSE, swath, outside)
    with pytest.raises(ValueError, match=r"\(90, 74\)"):
        scene_on_swath(without | {name: np.zeros((2, 2))}, COARSE, swath, outside)


def test_synthetic_scene_is_plausible(swath):
    """Fractions and albedos are such, clouds lie above the ground, the seed decides."""
    scene = synthetic_scene(swath, seed=3, real_land=False)
    assert scene.cloud_fraction.min() >= 0 and scene.cloud_fraction.max() <= 1
    assert scene.surface_albedo.min() > 0.02 and scene.scene_albedo.max() <= 0.81
    assert (scene.cloud_pressure < scene.surface_pressure).all()
    assert (scene.scene_pressure <= scene.surface_pressure).all()
    assert scene.surface_pressure.min() > 6e4 and scene.surface_pressure.max() < 1.06e5
    same, other = (synthetic_scene(swath, seed=s, real_land=False) for s in (3, 4))
    np.testing.assert_array_equal(scene.cloud_fraction, same.cloud_fraction)
    assert not np.array_equal(scene.cloud_fraction, other.cloud_fraction)
