"""Known numbers: a real pixel recomputed, and a twin column (docs/equations.md 8.2, 8.3)."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.physics import air_mass_factors as airmass
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3, MOLEC_CM2_PER_MOL_M2, PPT
from retrieval.physics.layers import StandardAtmosphere
from retrieval.physics.levels import HeightLevels, HybridLayers, Quantity
from retrieval.physics.partial_columns import PixelColumns, constant_above, set_columns
from tests.builders.orbit_builder import TM5_A, TM5_B

# --- the golden pixel: docs/equations.md 8.3, S5P_TEST orbit 9219, scanline 1751, ground pixel 270

SURFACE = np.array([100044.56])
M_TOTAL = 0.990514
# fmt: off
KERNEL = np.array([[
    *[0.0] * 13, 1.808804, 2.106014, 2.121879, 2.145198, 2.170269, 2.216133, 2.345942, 2.382961,
    2.369955, 2.338818, 2.285413, 2.220868, 2.175689, 2.132885, 2.082087, 2.044854, 2.000427,
    1.906931, 1.848998, 1.907173, 2.027797,
]])
NO2 = np.array([[
    3.508364e-09, 1.458355e-09, 9.649368e-10, 6.942686e-10, 3.471837e-10, 1.410046e-10,
    8.806150e-11, 7.398055e-11, 6.318440e-11, 6.269205e-11, 5.739326e-11, 8.020919e-11,
    1.333323e-10, 1.354873e-10, 1.245286e-10, 1.129390e-10, 1.040004e-10, 7.957392e-11,
    5.974251e-11, 4.016690e-11, 3.409794e-11, 5.648170e-11, 1.055186e-10, 2.524736e-10,
    6.156476e-10, 1.211927e-09, 2.074487e-09, 3.531067e-09, 5.349070e-09, 5.423934e-09,
    4.115530e-09, 1.515435e-09, 9.810937e-11, 1.514552e-12,
]])
# fmt: on


@pytest.fixture(scope="module")
def golden():
    """Partial columns of the pixel's own TM5 profile on its own layers."""
    edges = TM5_A + TM5_B * SURFACE[:, None]
    pixels = PixelColumns(SURFACE, edges, StandardAtmosphere(SURFACE, np.zeros(1)))
    layers = HybridLayers(TM5_A, TM5_B)
    return set_columns(NO2, layers, Quantity.MOLE_FRACTION, pixels)[0]


def golden_amfs(x, index, rule="inclusive"):
    """Tropospheric and stratospheric air mass factor of the pixel."""
    s = airmass.scattering_weights(KERNEL, np.array([M_TOTAL]))
    below = airmass.troposphere(np.array([index]), 34, rule)
    return airmass.air_mass_factor(s, x, below)[0], airmass.air_mass_factor(s, x, ~below)[0]


@pytest.mark.parametrize(
    ("index", "rule", "troposphere", "stratosphere"),
    [
        (21, "inclusive", 0.186178, 2.060378),
        (21, "exclusive", 0.180093, 2.061448),
        (22, "inclusive", 0.201106, 2.057943),
    ],
)
def test_golden_pixel_air_mass_factors(golden, index, rule, troposphere, stratosphere):
    """M_trop 0.186178, M_strat 2.060378 inclusive; 0.180093 and 2.061448 exclusive."""
    found = golden_amfs(golden, index, rule)
    assert found == pytest.approx((troposphere, stratosphere), abs=6e-7)  # six decimals printed


def test_golden_pixel_agrees_with_its_file_inclusive_only(golden):
    """The stored M_trop 0.186425 and M_strat 2.060376 decide: 0.13 % inclusive, 3.4 % exclusive."""
    stored = np.array([0.186425, 2.060376])
    inclusive = np.array(golden_amfs(golden, 21)) / stored - 1
    exclusive = np.array(golden_amfs(golden, 21, "exclusive")) / stored - 1
    assert (np.abs(inclusive) < [2e-3, 5e-6]).all()  # TM5 interpolation and rounding: 1e-3
    assert (np.abs(exclusive) > [3e-2, 5e-4]).all()


def test_golden_pixel_columns(golden):
    """Sums: x 1.199971e-4, A x / sum x 0.99882, sum to the tropopause 6.85735e-5 mol m-2."""
    total = golden.sum()
    assert total == pytest.approx(1.199971e-4, abs=6e-11)  # seven digits printed
    assert (KERNEL * golden).sum() / total == pytest.approx(0.99882, abs=6e-6)
    assert golden[0, :22].sum() == pytest.approx(6.85735e-5, abs=6e-11)


# --- the twin column: docs/equations.md 8.2 ----------------------------------------------------

# SZA 45, albedo 0.05, nadir, standard atmosphere at 1013.25 hPa, tropopause layer 16 inclusive.
# The TM5-like profile is "urban 1 degree" of section 3.6 (the only one that gives 0.971); heights
# are the standard atmosphere's; 30 ppt stand above 5000 m; the stratosphere is 3e15 with
# M_strat 2.50, which is printed and taken as given.
# fmt: off
S = np.array([[0.65, 0.70, 0.77, 0.86, 0.99, 1.13, 1.30, 1.50, 1.68, 1.86, 2.04, 2.19, 2.30, 2.38,
               2.44, 2.47, 2.49]])
TWIN_HEIGHTS = np.array([0.0, 50, 100, 250, 500, 750, 1000, 2000, 3000, 5000])
TWIN = {
    "urban 2 km": [10.08, 8.94, 7.6, 4.65, 2.8, 1.75, 1.15, 0.25, 0.05, 0.02],
    "urban 10 km": [8.43, 7.15, 6.1, 3.63, 2.3, 1.5, 1.0, 0.25, 0.05, 0.02],
    "urban 1 deg": [4.5, 4.2, 4.0, 3.3, 2.4, 1.8, 1.3, 0.4, 0.12, 0.05],
    "background 1 deg": [1.6, 1.55, 1.5, 1.35, 1.1, 0.9, 0.7, 0.3, 0.12, 0.06],
    "background 10 km": [1.3, 1.25, 1.2, 1.0, 0.8, 0.6, 0.45, 0.15, 0.05, 0.02],
}
# fmt: on
M_STRAT, V_STRAT = 2.50, 3e15 / MOLEC_CM2_PER_MOL_M2


def twin_column(name, above=30.0):
    """Partial columns of a profile to layer 16, with a constant mole fraction above 5 km."""
    surface = np.array([101325.0])
    edges = (TM5_A + TM5_B * surface[:, None])[:, :18]
    pixels = PixelColumns(surface, edges, StandardAtmosphere(surface, np.zeros(1)))
    profile = np.array([TWIN[name]]) * MICROGRAM_M3_TO_MOL_M3
    levels = HeightLevels(TWIN_HEIGHTS)
    x, cut = set_columns(profile, levels, Quantity.CONCENTRATION, pixels)
    return x + constant_above(above * PPT, pixels, cut)


def twin_amf(name, above=30.0):
    x = twin_column(name, above)
    return airmass.air_mass_factor(S, x, np.ones((1, 17), bool))[0]


def twin_total_amf():
    apriori = twin_column("urban 1 deg").sum(axis=1)
    return airmass.total_air_mass_factor(
        np.array([twin_amf("urban 1 deg")]), apriori, np.array([M_STRAT]), np.array([V_STRAT])
    )[0]


def test_twin_column_air_mass_factors():
    """M_trop of the TM5-like profile 0.971; M_total with 3e15 of stratosphere 1.52."""
    assert twin_amf("urban 1 deg") == pytest.approx(0.971, abs=6e-4)  # three decimals printed
    assert twin_total_amf() == pytest.approx(1.52, abs=6e-3)  # two decimals printed


@pytest.mark.parametrize(("name", "ratio"), [("urban 2 km", 1.095), ("background 10 km", 0.893)])
def test_twin_column_ratios(name, ratio):
    """V'/V = 1.095 with the urban 2 km profile, 0.893 with the background 10 km profile."""
    v = 1e-4
    found = airmass.substituted_column(v, twin_amf("urban 1 deg"), twin_amf(name)) / v
    assert found == pytest.approx(ratio, abs=6e-4)  # three decimals printed


def test_forgetting_the_tropospheric_scaling_is_an_exciting_bug():
    """The total kernel used as if tropospheric gives V'/V = 1.72: docs/equations.md 9."""
    x, m_trop, m_total = twin_column("urban 2 km"), twin_amf("urban 1 deg"), twin_total_amf()
    kernel = S / m_total
    wrong_amf = m_trop * (kernel * x).sum() / x.sum()  # should be m_total
    assert m_trop / wrong_amf == pytest.approx(1.72, abs=6e-3)  # two decimals printed
    weights = airmass.scattering_weights(kernel, np.array([m_total]))
    right = airmass.air_mass_factor(weights, x, np.ones((1, 17), bool))[0]
    assert m_trop / right == pytest.approx(1.095, abs=6e-4)


def test_nothing_above_5_km_raises_the_column():
    """docs/equations.md 3.6: `none` against 30 ppt, +5.6 % at SZA 30, +7.4 % at 60, 45 between."""
    ratio = twin_amf("urban 2 km") / twin_amf("urban 2 km", above=0.0)
    assert 1.056 < ratio < 1.074


def test_free_troposphere_of_15_and_60_ppt():
    """docs/equations.md 3.6: 15 ppt +2.7..3.5 %, 60 ppt -4.7..-6.0 % against 30 (SZA 30..60)."""
    reference = twin_amf("urban 2 km")
    assert 1.027 < reference / twin_amf("urban 2 km", above=15.0) < 1.035
    assert 0.940 < reference / twin_amf("urban 2 km", above=60.0) < 0.953
