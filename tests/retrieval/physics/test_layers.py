"""Pressure and height of layers: standard atmosphere, hypsometric sum, hybrid interfaces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from retrieval.physics.constants import GAS_CONSTANT_DRY_AIR, GRAVITY
from retrieval.physics.layers import (
    MINIMUM_PRESSURE,
    LayeredAtmosphere,
    StandardAtmosphere,
    pressure_edges,
    standard_altitude,
)
from tests.builders.orbit_builder import TM5_A, TM5_B
from tests.builders.strategies import quick

# docs/equations.md 8.4: heights of the lower interfaces in the standard atmosphere at 1013.25 hPa
HEIGHTS = [0, 66, 224, 470, 842, 1392, 1993, 2975, 3941, 5034, 6190, 7643, 8807, 9680, 10552]
HEIGHTS += [11133, 12019, 12926, 13856, 14488, 15457]
PRESSURES = [1013, 1005, 987, 958, 916, 857, 796, 703, 621, 538, 460, 375, 316, 278, 243, 222]
PRESSURES += [193, 167, 144, 131, 112]


def coefficients():
    """(layer, 2) as the L2 file stores them."""
    return (np.stack([c[:-1], c[1:]], axis=1) for c in (TM5_A, TM5_B))


def standard(pressure=101325.0, altitude=0.0):
    return StandardAtmosphere(np.array([pressure]), np.array([altitude]))


def test_pressure_edges_are_a_plus_b_surface_pressure():
    """35 interfaces of 34 layers, the lowest at the surface, the highest at 0, for any shape."""
    a, b = coefficients()
    surface = np.array([[101325.0, 90000.0, 60000.0]])
    edges = pressure_edges(a, b, surface)
    assert edges.shape == (1, 3, 35)
    np.testing.assert_array_equal(edges[..., 0], surface)
    assert (edges[..., -1] == 0).all()
    assert (np.diff(edges) < 0).all()
    np.testing.assert_allclose(edges[0, 1], TM5_A + TM5_B * 90000.0, rtol=1e-15)  # one operation


def test_interfaces_in_the_standard_atmosphere_are_the_printed_ones():
    """docs/equations.md 8.4 prints heights in m and pressures in hPa: equal as printed."""
    a, b = coefficients()
    edges = pressure_edges(a, b, np.array([101325.0]))
    np.testing.assert_allclose(edges[0, :21] / 100, PRESSURES, atol=0.51)  # printed to 1 hPa
    found = standard().height_at(edges)[0, :21]
    np.testing.assert_allclose(found, HEIGHTS, atol=1.0)  # printed to 1 m


@pytest.mark.parametrize(
    ("pressure", "height"), [(101325.0, 0.0), (89874.6, 1000.0), (50000.0, 5574.0), (22632.0, 11e3)]
)
def test_standard_atmosphere_tables(pressure, height):
    """ISA tables: 898.746 hPa at 1000 m, 500 hPa at 5574 m, 226.32 hPa at 11 000 m."""
    found = standard().height_at(np.array([[pressure]]))[0, 0]
    assert found == pytest.approx(height, abs=0.6)  # tables in whole metres, 22632.06 Pa


@pytest.mark.parametrize(("pressure", "altitude"), [(101325.0, 0.0), (71000.0, 2900.0)])
def test_closed_form_is_the_hydrostatic_integral(pressure, altitude):
    """Integrating dp/dz = -p g / (R T(z)) gives the same pressures, over mountains too."""
    z = np.linspace(0.0, 18e3, 40)

    def slope(height, p):
        temperature = 288.15 - 6.5e-3 * min(height + altitude, 11e3)
        return -p * GRAVITY / (GAS_CONSTANT_DRY_AIR * temperature)

    expected = solve_ivp(slope, (0, 18e3), [pressure], t_eval=z, rtol=1e-10, max_step=100.0).y[0]
    found = standard(pressure, altitude).pressure_at(z[None])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-7)  # of the integrator


@quick
@given(st.floats(5e4, 1.08e5), st.floats(-400.0, 5000.0), st.floats(0.0, 4e4))
def test_height_and_pressure_are_inverse(surface, altitude, height):
    """height_at(pressure_at(z)) = z in the troposphere and above 11 km."""
    air = standard(surface, altitude)
    back = air.height_at(air.pressure_at(np.array([[height]])))[0, 0]
    assert back == pytest.approx(height, abs=1e-7)  # ln p of 10 times 7 km times 1e-16


def test_temperature_falls_to_11_km_above_sea_level():
    """6.5 K/km up to 11 km above sea level, not above ground; then 216.65 K."""
    found = standard(80000.0, 2000.0).temperature_at(np.array([[0.0, 1000.0, 9000.0, 15000.0]]))
    np.testing.assert_allclose(found[0], [275.15, 268.65, 216.65, 216.65], rtol=1e-14)


def test_the_top_interface_of_zero_pressure_is_finite():
    """Zero pressure counts as 1e-3 Pa where a logarithm is taken."""
    air = standard()
    top = air.height_at(np.array([[0.0]]))[0, 0]
    assert top == air.height_at(np.array([[MINIMUM_PRESSURE]]))[0, 0]
    assert 80e3 < top < 130e3


def test_standard_altitude_inverts_the_standard_pressure():
    """The formula with printed constants agrees with the closed form to its printed constants."""
    altitude = np.array([0.0, 250.0, 1500.0, 3000.0])
    pressure = standard().pressure_at(altitude[None])[0]
    np.testing.assert_allclose(
        standard_altitude(pressure), altitude, atol=0.05
    )  # 44330.77, 0.190263


def layered(n=3, seed=0):
    rng = np.random.default_rng(seed)
    a, b = coefficients()
    edges = pressure_edges(a, b, rng.uniform(8e4, 1.03e5, n))
    temperature = rng.uniform(200.0, 300.0, (n, 34))
    return edges, temperature, LayeredAtmosphere(edges, temperature)


def test_layered_heights_are_the_hypsometric_sum():
    """z_{l+1} = z_l + R T_l / g ln(p_l / p_{l+1}), by a loop."""
    edges, temperature, air = layered()
    for i in range(edges.shape[0]):
        z, expected = 0.0, [0.0]
        for layer in range(33):
            ratio = np.log(edges[i, layer] / edges[i, layer + 1])
            z += GAS_CONSTANT_DRY_AIR * temperature[i, layer] / GRAVITY * ratio
            expected.append(z)
        np.testing.assert_allclose(
            air.height_edges[i, :34], expected, rtol=1e-12
        )  # ln p of 11 minus ln p
        np.testing.assert_allclose(air.height_at(edges)[i], air.height_edges[i], rtol=1e-12)


def test_layered_interpolation_is_linear_in_log_pressure():
    """Within a layer heights are np.interp in ln p, and pressures the inverse."""
    edges, _, air = layered()
    rng = np.random.default_rng(1)
    pressure = np.exp(rng.uniform(np.log(1.0), np.log(edges[:, :1]), (3, 50)))
    found = air.height_at(pressure)
    for i in range(3):
        log_p = -np.log(np.maximum(edges[i], MINIMUM_PRESSURE))
        expected = np.interp(-np.log(pressure[i]), log_p, air.height_edges[i])
        np.testing.assert_allclose(found[i], expected, rtol=1e-10)  # slopes in another order
    np.testing.assert_allclose(air.pressure_at(found), pressure, rtol=1e-9)


def test_layered_temperature_is_that_of_the_layer():
    """Each height has the temperature of the layer that holds it."""
    _, temperature, air = layered()
    middle = 0.5 * (air.height_edges[:, 1:] + air.height_edges[:, :-1])
    np.testing.assert_array_equal(air.temperature_at(middle), temperature)


def test_isothermal_layers_are_the_barometric_formula():
    """With one temperature everywhere, p = p_s exp(-g z / (R T))."""
    edges, _, _ = layered(1)
    air = LayeredAtmosphere(edges, np.full((1, 34), 250.0))
    z = np.array([[0.0, 100.0, 5000.0, 20000.0]])
    expected = edges[0, 0] * np.exp(-z * GRAVITY / (GAS_CONSTANT_DRY_AIR * 250.0))
    np.testing.assert_allclose(air.pressure_at(z), expected, rtol=1e-11)  # exponent of some 3
