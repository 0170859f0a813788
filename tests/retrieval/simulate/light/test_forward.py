"""The forward model without an orbit: reference column, snow, glint, the instrument's response."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retrieval.physics.air_mass_factors import temperature_correction
from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.physics.layers import StandardAtmosphere, pressure_edges
from retrieval.physics.levels import HeightLevels, Quantity
from retrieval.physics.partial_columns import PixelColumns, set_columns
from retrieval.simulate.l2_file.layout import VARIANTS
from retrieval.simulate.light.forward import Sky, scattering_weights
from retrieval.simulate.options import quality
from retrieval.simulate.response import response_weights
from retrieval.simulate.scene import synthetic_scene
from tests.builders.orbit_builder import TM5_A, TM5_B
from tests.builders.simulation_builder import small_swath


def test_temperature_correction_is_that_of_the_real_pixel():
    """c(T) at the ground and the tropopause of the golden pixel (docs/equations.md 8.3)."""
    found = temperature_correction(np.array([305.85657, 195.94649]))
    assert found == pytest.approx([0.753682, 1.077971], abs=1e-6)  # printed digits


def test_weights_of_the_reference_column():
    """SZA 45, albedo 0.05, nadir, standard atmosphere: s_0..s_16 of docs/equations.md 8.2."""
    # fmt: off
    expected = [
        0.65, 0.70, 0.77, 0.86, 0.99, 1.13, 1.30, 1.50, 1.68, 1.86, 2.04, 2.19, 2.30, 2.38, 2.44,
        2.47, 2.49,
    ]
    # fmt: on
    edges, weights, _ = reference_column()
    # printed digits; the reference has values at the middle of the layers, not their means
    np.testing.assert_allclose(weights[0, :17], expected, atol=0.012)
    assert edges.shape == (1, 35)


def test_air_mass_factors_of_the_reference_column():
    """M_trop of the TM5-like urban profile 0.971, V'/V 1.095 for the 2 km profile (8.2)."""
    _, weights, pixels = reference_column()
    heights = np.array([0, 50, 100, 250, 500, 750, 1000, 2000, 3000, 5000], dtype=float)
    profiles = {
        "tm5": [4.5, 4.2, 4.0, 3.3, 2.4, 1.8, 1.3, 0.4, 0.12, 0.05],
        "urban": [10.08, 8.94, 7.6, 4.65, 2.8, 1.75, 1.15, 0.25, 0.05, 0.02],
    }
    amf = {}
    for name, values in profiles.items():
        concentrations = 2.17365e-8 * np.array([values])
        x, cut = set_columns(concentrations, HeightLevels(heights), Quantity.CONCENTRATION, pixels)
        x += (
            30e-12
            * 35206.0
            / 100.0
            * -np.diff(np.minimum(pixels.pressure_edges, cut[:, None]), axis=1)
            / 100.0
        )
        amf[name] = (weights * x)[0, :17].sum() / x[0, :17].sum()
    # three printed digits, and box air mass factors from another discretisation
    assert amf["tm5"] == pytest.approx(0.971, abs=0.005)
    assert amf["tm5"] / amf["urban"] == pytest.approx(1.095, abs=0.004)


def test_snow_is_seen_as_one_bright_surface():
    """In scene mode all weights are those of the scene's albedo and pressure, whatever w is."""
    edges, _, pixels = reference_column()
    middle = 0.5 * (pixels.height_edges[:, 1:] + pixels.height_edges[:, :-1])
    temperature = pixels.atmosphere.temperature_at(middle)
    sky = reference_sky(
        cloud_fraction=0.1, scene_albedo=0.6, scene_pressure=101325.0, is_scene_mode=True
    )
    found = scattering_weights(sky, edges, temperature)
    bright = scattering_weights(reference_sky(albedo=0.6), edges, temperature)
    np.testing.assert_allclose(found.mixed, bright.clear, rtol=1e-12)
    assert 0.2 < found.radiance_fraction[0] < 0.6  # as the file shows it


def test_sun_glints_in_the_mirror_direction():
    """Over water the warning is where sun and satellite stand opposite each other."""
    swath = small_swath(1)
    scene = synthetic_scene(swath, real_land=False)
    water = replace(scene, snow_ice_flag=np.full(swath.shape, 255, dtype=np.uint8))
    azimuth = np.broadcast_to(np.linspace(-180.0, 180.0, 450), swath.shape)
    found = {
        "solar_zenith_angle": np.full(swath.shape, 30.0),
        "viewing_zenith_angle": np.full(swath.shape, 30.0),
        "solar_azimuth_angle": azimuth,
        "viewing_azimuth_angle": np.zeros(swath.shape),
        "longitude_bounds": swath.longitude_bounds,
        "satellite_latitude": swath.satellite_latitude,
    }
    nothing = np.zeros(swath.shape, dtype=np.uint32)
    flags = quality(
        found, water, nothing, np.ones(swath.shape), 0.0, VARIANTS["v2.4"], np.random.default_rng(0)
    )["processing_quality_flags"]
    # at 30 degree zenith 18 degree of arc are 36 degree of azimuth
    np.testing.assert_array_equal((flags & 2048) != 0, np.abs(azimuth) > 180.0 - 36.5)


def test_response_weights_sum_to_one_and_turn_with_the_pixel():
    """All weight lies in a large grid; its centre of mass is the pixel's centre."""
    grid = RectilinearGrid.from_centres(np.arange(0.005, 4, 0.01), np.arange(45.005, 49, 0.01))
    lon = np.array([[1.9, 2.0, 1.98, 1.88]])
    lat = np.array([[47.0, 47.02, 47.08, 47.06]])
    weights = response_weights(lat, lon, grid)
    assert weights.matrix.sum() == pytest.approx(1.0, abs=1e-12)
    n_y, n_x = grid.shape
    field = weights.matrix.toarray().reshape(n_y, n_x)
    # cells of 0.01 degree
    assert (field.sum(axis=0) * grid.x).sum() == pytest.approx(lon.mean(), abs=2e-3)
    assert (field.sum(axis=1) * grid.y).sum() == pytest.approx(lat.mean(), abs=2e-3)


def reference_column():
    """Return layers, clear scattering weights and air of the reference column."""
    one = np.ones(1)
    coefficients = (np.stack([v[:-1], v[1:]], axis=-1) for v in (TM5_A, TM5_B))
    edges = pressure_edges(*coefficients, 101325.0 * one)
    atmosphere = StandardAtmosphere(101325.0 * one, 0.0 * one)
    pixels = PixelColumns(101325.0 * one, edges, atmosphere)
    middle = 0.5 * (pixels.height_edges[:, 1:] + pixels.height_edges[:, :-1])
    weights = scattering_weights(reference_sky(), edges, atmosphere.temperature_at(middle))
    return edges, weights.mixed, pixels


def reference_sky(**changes):
    """Return the light path of the reference column with some values changed."""
    reference = {
        "solar_zenith": 45.0,
        "viewing_zenith": 0.0,
        "albedo": 0.05,
        "surface_pressure": 101325.0,
        "cloud_fraction": 0.0,
        "cloud_pressure": 8e4,
        "scene_albedo": 0.05,
        "scene_pressure": 101325.0,
        "is_scene_mode": False,
    }
    return Sky(**{name: np.array([value]) for name, value in (reference | changes).items()})
