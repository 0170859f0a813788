"""The equations of the substitution as kernels: air mass factors, kernels, errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from retrieval.physics import air_mass_factors as airmass
from tests.builders.array_sets import weights_of
from tests.builders.strategies import profiles, quick

TROPOSPHERE = np.arange(34)[None] <= 16


def test_air_mass_factor_is_the_weighted_mean_by_hand():
    """(0.5 x 3 + 1.5 x 1) / 4 = 0.75; the layer above does not count."""
    s, x = np.array([[0.5, 1.5, 9.0]]), np.array([[3.0, 1.0, 7.0]])
    assert airmass.air_mass_factor(s, x, np.array([[True, True, False]]))[0] == 0.75


@pytest.mark.parametrize("x", [[0.0, 0.0], [1.0, -1.0], [-2.0, 1.0], [np.nan, 1.0]])
def test_no_positive_column_gives_no_air_mass_factor(x):
    """sum(x) <= 0 or missing: NaN, neither zero nor infinity."""
    s, layers = np.array([[1.0, 2.0]]), np.ones((1, 2), bool)
    assert np.isnan(airmass.air_mass_factor(s, np.array([x]), layers)[0])


def test_values_above_the_tropopause_may_be_missing():
    """Fills in layers that do not count do no harm."""
    s, x = np.array([[1.0, np.nan]]), np.array([[2.0, np.nan]])
    assert airmass.air_mass_factor(s, x, np.array([[True, False]]))[0] == 1.0


def test_scattering_weights_are_total_air_mass_factor_times_kernel():
    """Layer by layer s = M_total A (docs/equations.md 2.2)."""
    found = airmass.scattering_weights(np.array([[0.5, 2.0]]), np.array([1.5]))
    assert found.tolist() == [[0.75, 3.0]]


@pytest.mark.parametrize(("rule", "n"), [("inclusive", 17), ("exclusive", 16)])
def test_tropopause_layer_counts_by_rule(rule, n):
    """Index 16: 17 layers inclusive (the default), 16 exclusive."""
    assert airmass.troposphere(np.array([16]), 34, rule).sum() == n
    assert airmass.troposphere(np.array([16]), 34).sum() == 17


def test_unknown_tropopause_rule_is_refused():
    """A misspelt rule is an error, not the default."""
    with pytest.raises(ValueError, match="Invalid tropopause rule"):
        airmass.troposphere(np.array([16]), 34, "Inclusive")


def test_smoothed_column_is_the_sum_of_the_tropospheric_kernel():
    """Douros Eq. 3: sum(A_trop x) with A_trop = (M_total / M_trop) A below the tropopause."""
    rng = np.random.default_rng(0)
    kernel, x = rng.uniform(0.2, 2, (3, 34)), rng.uniform(0, 1, (3, 34))
    m_total, m_trop = np.array([2.0, 1.8, 2.2]), np.array([1.1, 0.9, 1.4])
    s, layers = airmass.scattering_weights(kernel, m_total), np.repeat(TROPOSPHERE, 3, 0)
    expected = ((m_total / m_trop)[:, None] * kernel * x * layers).sum(axis=1)
    found = airmass.smoothed_column(s, m_trop, x, layers)
    np.testing.assert_allclose(found, expected, rtol=1e-14)  # order of factors


def test_total_air_mass_factor_mixes_troposphere_and_stratosphere():
    """M'_tot (V'_apr + V_strat) = M' V'_apr + M_strat V_strat (docs/equations.md 2.3)."""
    found = airmass.total_air_mass_factor(
        np.array([0.8]), np.array([3.0]), np.array([2.4]), np.array([1.0])
    )
    assert found[0] == pytest.approx((0.8 * 3 + 2.4) / 4, rel=1e-15)


def test_total_air_mass_factor_needs_a_positive_column():
    """A negative stratosphere larger than the troposphere gives NaN."""
    found = airmass.total_air_mass_factor(
        np.array([0.8]), np.array([1.0]), np.array([2.4]), np.array([-1.0])
    )
    assert np.isnan(found[0])


def test_tm5_column_follows_from_the_air_mass_factors():
    """M_total of a known troposphere and stratosphere gives the troposphere back."""
    v_trop, v_strat, m_trop, m_strat = 4e-5, 5e-5, 0.97, 2.5
    m_total = (m_trop * v_trop + m_strat * v_strat) / (v_trop + v_strat)
    found = airmass.tm5_apriori_column(
        *(np.array([v]) for v in (m_total, m_trop, m_strat, v_strat))
    )
    assert found[0] == pytest.approx(v_trop, rel=1e-13)  # two differences of numbers near 1


def test_tm5_column_is_missing_without_a_stratosphere_in_the_factor():
    """M_total = M_trop: the equation has no solution, so NaN and not infinity."""
    one = np.ones(1)
    assert np.isnan(airmass.tm5_apriori_column(one, one, 2 * one, one)[0])


def test_profile_error_is_numpys_relative_standard_deviation():
    """Standard deviation (ddof 1) over mean of 1/M' of three members."""
    inverse = 1.0 / np.random.default_rng(0).uniform(0.5, 2, (3, 10))
    expected = inverse.std(axis=0, ddof=1) / inverse.mean(axis=0)
    np.testing.assert_allclose(airmass.profile_error(inverse), expected, rtol=1e-13)


def test_profile_error_leaves_missing_members_out():
    """Two of three members finite: their spread; one alone: NaN."""
    inverse = np.array([[1.0, 1.0], [np.nan, np.nan], [1.2, np.nan]])
    found = airmass.profile_error(inverse)
    assert found[0] == pytest.approx(np.std([1.0, 1.2], ddof=1) / 1.1, rel=1e-13)
    assert np.isnan(found[1])


def test_equal_members_have_no_spread():
    """The same air mass factor in all sets: e = 0."""
    assert airmass.profile_error(np.full((3, 2), 0.5)).tolist() == [0.0, 0.0]


@quick
@given(profiles(34), profiles(34))
def test_amf_sensitivity_is_the_finite_difference(x, dx):
    """dM'/dn from its formula agrees with a small change of the profile."""
    s = weights_of(1)
    amf = airmass.air_mass_factor(s, x, TROPOSPHERE)
    column = (x * TROPOSPHERE).sum(axis=1)
    slope = airmass.amf_sensitivity(s, amf, column, dx, TROPOSPHERE)[0]
    step = 1e-6 * column[0] / dx.sum()
    up = airmass.air_mass_factor(s, x + step * dx, TROPOSPHERE)[0]
    down = airmass.air_mass_factor(s, x - step * dx, TROPOSPHERE)[0]
    # central difference of 1e-6: errors 1e-12 of curvature and 1e-16 / 1e-6 of round-off
    scale = s.max() * dx.sum() / column[0]
    assert (up - down) / (2 * step) == pytest.approx(slope, abs=1e-8 * scale)
