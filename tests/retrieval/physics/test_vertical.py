"""Partial columns from profiles: exact integrals, conservation, nothing out of a set's range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from retrieval.physics.constants import AIR_COLUMN_PER_PASCAL, GAS_CONSTANT
from retrieval.physics.vertical import (
    columns_from_height_layers,
    columns_from_heights,
    columns_from_hybrid,
    columns_from_pressures,
    concentration,
    mole_fraction,
    uniform_columns,
)
from tests.builders.orbit_builder import TM5_A, TM5_B
from tests.builders.strategies import profiles, quick

HEIGHTS = np.array([0.0, 50, 250, 500, 1000, 2000, 3000, 5000])
PRESSURES = 100.0 * np.array([1000.0, 925, 850, 700, 500, 300, 200, 100])
TM5_HEIGHTS = np.array([[0.0, 66, 224, 470, 842, 1392, 1993, 2975, 3941, 5034, 6190, 7643]])
ROUND_OFF = {"rtol": 1e-12, "atol": 1e-18}


def tm5_edges(surface):
    return TM5_A + TM5_B * np.asarray(surface)[:, None]


def integral(function, low, high, breaks):
    """Scipy's quadrature, told where the kinks are."""
    inner = [b for b in breaks if low < b < high]
    return quad(function, low, high, points=inner or None, epsabs=0, epsrel=1e-11, limit=200)[0]


# --- heights ----------------------------------------------------------------------------------


@quick
@given(profiles(8), st.lists(st.floats(0.0, 9000.0), min_size=3, max_size=9, unique=True))
def test_heights_are_the_integral_of_the_interpolated_profile(profile, cuts):
    """Each layer holds the integral of np.interp over its height range, and nothing above 5 km."""
    edges = np.array([sorted(cuts)])
    found = columns_from_heights(profile, HEIGHTS, edges)[0]
    for low, high, x in zip(edges[0, :-1], edges[0, 1:], found, strict=True):
        low, high = min(low, 5000.0), min(high, 5000.0)
        expected = integral(lambda z: np.interp(z, HEIGHTS, profile[0]), low, high, HEIGHTS)
        assert x == pytest.approx(expected, rel=1e-9, abs=1e-9)  # of the quadrature, of 1e4


@quick
@given(profiles(8))
def test_identity_i5_heights_conserve_the_column(profile):
    """Identity I5: the layers sum to the trapezoid sum of the nodes, whatever the layers."""
    found = columns_from_heights(profile, HEIGHTS, TM5_HEIGHTS).sum()
    assert found == pytest.approx(np.trapezoid(profile[0], HEIGHTS), rel=1e-12)  # I5: eps64


def test_sampling_at_mid_heights_does_not_conserve_the_column():
    """Pitfall 3: point value times thickness misses the column of a real profile by over 0.3 %."""
    profile = np.array([10.08, 8.94, 4.65, 2.8, 1.15, 0.25, 0.05, 0.02])
    middle = 0.5 * (TM5_HEIGHTS[0, 1:] + TM5_HEIGHTS[0, :-1])
    sampled = np.interp(middle, HEIGHTS, profile, right=0.0) * np.diff(TM5_HEIGHTS[0])
    exact = np.trapezoid(profile, HEIGHTS)
    assert abs(sampled.sum() / exact - 1) > 3e-3
    assert columns_from_heights(profile[None], HEIGHTS, TM5_HEIGHTS).sum() == pytest.approx(exact)


def test_profiles_are_constant_below_their_lowest_height():
    """A set whose lowest value is at 30 m has that value down to the ground."""
    edges = np.array([[0.0, 10.0, 30.0, 130.0]])
    found = columns_from_heights(np.array([[3.0, 1.0]]), np.array([30.0, 130.0]), edges)
    np.testing.assert_allclose(found, [[30.0, 60.0, 200.0]], **ROUND_OFF)


def test_layers_on_the_nodes_are_trapezoids():
    """Where layers end on the nodes each holds its trapezoid."""
    profile = np.arange(8.0)[None] + 1.0
    found = columns_from_heights(profile, HEIGHTS, HEIGHTS[None])
    expected = 0.5 * (profile[:, 1:] + profile[:, :-1]) * np.diff(HEIGHTS)
    np.testing.assert_allclose(found, expected, **ROUND_OFF)


@pytest.mark.parametrize("integrate", [columns_from_heights, columns_from_height_layers])
def test_missing_heights_give_missing_columns(integrate):
    """A pixel without heights has NaN columns, alone in its block or not; never zeros."""
    edges = np.repeat(TM5_HEIGHTS, 2, 0)
    edges[1] = np.nan
    nodes = HEIGHTS if integrate is columns_from_heights else np.append(HEIGHTS, 6000.0)
    together = integrate(np.ones((2, 8)), nodes, edges)
    alone = integrate(np.ones((1, 8)), nodes, edges[1:])
    assert np.isfinite(together[0]).all()
    assert np.isnan(together[1]).any()
    assert np.isnan(alone).any()


def test_pixels_are_independent():
    """Every pixel has its own layers; a block of pixels is the same as one by one."""
    rng = np.random.default_rng(0)
    edges = np.sort(rng.uniform(0, 9000, (20, 12)), axis=1)
    profile = rng.uniform(0, 5, (20, 8))
    together = columns_from_heights(profile, HEIGHTS, edges)
    for i in range(20):
        alone = columns_from_heights(profile[i : i + 1], HEIGHTS, edges[i : i + 1])
        np.testing.assert_array_equal(together[i], alone[0])


@quick
@given(profiles(4), st.lists(st.floats(0.0, 2500.0), min_size=2, max_size=7, unique=True))
def test_height_layers_are_overlaps(profile, cuts):
    """Layer means count by their overlap with each layer; the sum is conserved."""
    bounds = np.array([0.0, 100.0, 400.0, 1000.0, 2000.0])
    edges = np.array([sorted(cuts)])
    expected = np.zeros(edges.size - 1)
    for j in range(edges.size - 1):
        for k in range(4):
            low, high = max(edges[0, j], bounds[k]), min(edges[0, j + 1], bounds[k + 1])
            expected[j] += profile[0, k] * max(high - low, 0.0)
    found = columns_from_height_layers(profile, bounds, edges)
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-8)  # differences of sums of 1e4


# --- hybrid -----------------------------------------------------------------------------------


def test_hybrid_layers_on_themselves_are_the_identity():
    """Identity I1, vertical part: a set on the retrieval's layers gives v dp / (g M)."""
    edges = tm5_edges([101325.0, 93000.0])
    v = np.random.default_rng(0).uniform(0, 1e-8, (2, 34))
    expected = v * -np.diff(edges, axis=1) * AIR_COLUMN_PER_PASCAL
    found = columns_from_hybrid(v, edges, edges)
    # 1e-11: the top layers of 20 Pa are differences of sums of 1e5 Pa
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12 * expected.max())


@quick
@given(profiles(6, high=5.0), st.floats(6e4, 1.05e5))
def test_hybrid_layers_overlap_in_pressure(v, surface):
    """A coarse set on fine layers, and the reverse, by explicit overlaps; the column is kept."""
    coarse = np.linspace(surface, 0.0, 7)[None]
    fine = tm5_edges([surface])
    found = columns_from_hybrid(v, coarse, fine)[0]
    expected = np.zeros(34)
    for j in range(34):
        for k in range(6):
            high, low = min(fine[0, j], coarse[0, k]), max(fine[0, j + 1], coarse[0, k + 1])
            expected[j] += v[0, k] * max(high - low, 0.0) * AIR_COLUMN_PER_PASCAL
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * expected.sum())  # differences
    total = (v * -np.diff(coarse)).sum() * AIR_COLUMN_PER_PASCAL
    assert found.sum() == pytest.approx(total, rel=1e-12)  # I5: eps64


def test_hybrid_blocks_give_the_bits_of_single_pixels():
    """Which pixels share a block does not change a bit, though only touched layers are visited."""
    rng = np.random.default_rng(3)
    surface = rng.uniform(6e4, 1.04e5, 30)
    source = np.stack([np.linspace(p, 0.0, 20) ** 1.2 / p**0.2 for p in surface])
    v, target = rng.uniform(0, 1, (30, 19)), tm5_edges(surface)
    together = columns_from_hybrid(v, source, target)
    for i in range(30):
        alone = columns_from_hybrid(v[i : i + 1], source[i : i + 1], target[i : i + 1])
        np.testing.assert_array_equal(together[i], alone[0])


# --- pressure levels --------------------------------------------------------------------------


def profile_in_log_p(p, v, surface):
    """docs/equations.md 3.4 by np.interp: linear in ln p, constant below the lowest level."""
    above = surface >= PRESSURES
    return np.interp(np.log(p), np.log(PRESSURES[above][::-1]), v[above][::-1])


@quick
@given(profiles(8, high=5.0), st.floats(5.5e4, 1.05e5))
def test_pressure_levels_are_the_integral_in_pressure(v, surface):
    """Each layer holds the integral of np.interp in ln p over dp, levels below ground ignored."""
    edges = np.linspace(surface, 1e4, 12)[None]
    found = columns_from_pressures(v, PRESSURES, edges, np.array([surface]))[0]
    for high, low, x in zip(edges[0, :-1], edges[0, 1:], found, strict=True):
        value = integral(lambda p: profile_in_log_p(p, v[0], surface), low, high, PRESSURES)
        assert x == pytest.approx(value * AIR_COLUMN_PER_PASCAL, rel=1e-7)  # of the quadrature


def test_levels_below_ground_do_not_count():
    """Values at 1000 and 925 hPa are without effect where the ground is at 900 hPa."""
    edges = np.linspace(9e4, 1e4, 12)[None]
    v = np.ones((2, 8))
    v[1, :2] = 1e6
    found = columns_from_pressures(v, PRESSURES, np.repeat(edges, 2, 0), np.full(2, 9e4))
    np.testing.assert_array_equal(found[0], found[1])


def test_a_level_on_the_ground_counts():
    """A level exactly at the surface pressure is not below ground: the profile starts from it."""
    v = np.ones((1, 8))
    v[0, 0] = 3.0
    found = columns_from_pressures(v, PRESSURES, np.array([[1e5, 92500.0]]), np.array([1e5]))
    value = integral(lambda p: profile_in_log_p(p, v[0], 1e5), 92500.0, 1e5, [])
    assert found[0, 0] == pytest.approx(value * AIR_COLUMN_PER_PASCAL, rel=1e-9)


def test_no_level_above_ground_is_missing_not_zero():
    """Ground at 80 hPa, levels to 100 hPa: there is no profile, so NaN."""
    found = columns_from_pressures(
        np.ones((1, 8)), PRESSURES, np.array([[8e3, 5e3, 0.0]]), np.array([8e3])
    )
    assert np.isnan(found).all()


# --- constant above, units --------------------------------------------------------------------


def test_uniform_columns_cut_their_layer():
    """Mode constant-vmr: v dp / (g M) above the cut, the layer with the cut in part."""
    edges = tm5_edges([101325.0])
    found = uniform_columns(30e-12, edges, np.array([54000.0]))[0]
    assert (found[:8] == 0).all()
    assert found[8] == pytest.approx(30e-12 * (54000.0 - edges[0, 9]) * AIR_COLUMN_PER_PASCAL)
    whole = -np.diff(edges[0])[9:] * AIR_COLUMN_PER_PASCAL * 30e-12
    np.testing.assert_allclose(found[9:], whole, **ROUND_OFF)


def test_thirty_ppt_from_5_km_to_12_km():
    """docs/equations.md 3.6: 30 ppt from 5 to 12 km are 2.21e14 molecules cm-2."""
    edges = np.array([[54020.0, 19330.0]])
    found = uniform_columns(30e-12, edges, np.array([54020.0]))[0, 0] * 6.02214076e19
    assert found == pytest.approx(2.21e14, abs=5e11)  # three digits printed


@quick
@given(st.floats(1e-13, 1e-7), st.floats(1e3, 1.1e5), st.floats(180.0, 330.0))
def test_mole_fraction_and_concentration_are_inverse(v, p, t):
    """It is c = v p / (R T) and back."""
    c = concentration(np.float64(v), np.float64(p), np.float64(t))
    assert c == pytest.approx(v * p / (GAS_CONSTANT * t), rel=1e-14)
    assert mole_fraction(c, np.float64(p), np.float64(t)) == pytest.approx(v, rel=1e-14)
