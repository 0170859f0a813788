"""One set on a block of pixels: the part above, every flag and warning, the set's own error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retrieval.l2.product.results import SubstitutionFlag, SubstitutionWarning
from retrieval.physics import air_mass_factors as airmass
from retrieval.physics.constants import AIR_COLUMN_PER_PASCAL
from retrieval.physics.layers import StandardAtmosphere
from retrieval.physics.levels import HeightLevels, HybridLayers, PressureLevels, Quantity
from retrieval.physics.partial_columns import set_columns
from retrieval.substitution.options import Above, Options
from retrieval.substitution.recompute import UpperPart, compute_set
from tests.builders.array_sets import (
    HEIGHTS,
    RURAL,
    TM5_LAYERS,
    URBAN,
    array_set,
    columns_of,
    make_block,
    make_profiles,
)
from tests.builders.orbit_builder import TM5_A, TM5_B

PRECISION = {"rtol": 1e-12}  # float64 round-off of sums over 34 layers
HEIGHT_SET = array_set(URBAN)


def compute(profiles, block=None, options=None, upper=None, apriori=HEIGHT_SET):
    n = profiles.value.shape[0]
    block = block or make_block(n)
    return compute_set(apriori, profiles, block, columns_of(block), options or Options(), upper)


def hybrid_upper(v=5e-11, vertical=TM5_LAYERS, **changes):
    """Build a global set of one mole fraction on one pixel."""
    apriori = array_set(
        np.full(vertical.n_level, v), vertical=vertical, quantity=Quantity.MOLE_FRACTION
    )
    return UpperPart(apriori, make_profiles(np.full(vertical.n_level, v), **changes))


# --- above ------------------------------------------------------------------------------------


def test_none_adds_nothing_and_says_so():
    """Mode none: all of x comes from the set, fraction above 0."""
    found = compute(make_profiles(URBAN), options=Options(above=Above.NONE))
    assert found.fraction_above[0] == 0.0
    assert found.column[0] == pytest.approx(np.trapezoid(URBAN, HEIGHTS), rel=1e-12)


@pytest.mark.parametrize("ppt", [0.0, 15.0, 30.0, 60.0])
def test_constant_mole_fraction_above_the_set(ppt):
    """Mode constant-vmr adds v dp / (g M) from 5 km to the tropopause and reports its share."""
    block = make_block()
    columns = columns_of(block)
    found = compute(make_profiles(URBAN), block, Options(above_vmr=ppt))
    cut = columns.atmosphere.pressure_at(np.array([[5000.0]]))[0, 0]
    above = ppt * 1e-12 * (cut - columns.pressure_edges[0, 17]) * AIR_COLUMN_PER_PASCAL
    below = np.trapezoid(URBAN, HEIGHTS)
    assert found.column[0] == pytest.approx(above + below, **{"rel": 1e-12})
    assert found.fraction_above[0] == pytest.approx(above / (above + below), rel=1e-11)


def test_thirty_ppt_is_the_default():
    """constant-vmr with 30 ppt."""
    default = compute(make_profiles(URBAN))
    given = compute(make_profiles(URBAN), options=Options(above=Above.CONSTANT_VMR, above_vmr=30.0))
    assert default.amf[0] == given.amf[0]


def test_merge_height_moves_the_border():
    """With 3000 m the set ends there and the part above begins there."""
    block = make_block()
    columns = columns_of(block)
    found = compute(make_profiles(URBAN), block, Options(merge_height=3000.0))
    cut = columns.atmosphere.pressure_at(np.array([[3000.0]]))[0, 0]
    above = 30e-12 * (cut - columns.pressure_edges[0, 17]) * AIR_COLUMN_PER_PASCAL
    below = np.trapezoid(URBAN[:7], HEIGHTS[:7])
    assert found.column[0] == pytest.approx(above + below, rel=1e-12)
    assert found.fraction_above[0] == pytest.approx(above / (above + below), rel=1e-11)


def test_upper_set_takes_over_at_the_merge_height():
    """Mode upper, 3 km (Douros RG): the global mole fraction on dp above, the set below."""
    block = make_block()
    columns = columns_of(block)
    options = Options(above=Above.UPPER, merge_height=3000.0)
    found = compute(make_profiles(URBAN), block, options, hybrid_upper(5e-11))
    cut = columns.atmosphere.pressure_at(np.array([[3000.0]]))[0, 0]
    above = 5e-11 * (cut - columns.pressure_edges[0, 17]) * AIR_COLUMN_PER_PASCAL
    below = np.trapezoid(URBAN[:7], HEIGHTS[:7])
    assert found.flag[0] == 0
    assert found.column[0] == pytest.approx(above + below, rel=1e-11)  # small parts of sums
    assert found.fraction_above[0] == pytest.approx(above / (above + below), rel=1e-10)


def test_upper_with_the_constant_is_the_constant():
    """A global set of 30 ppt everywhere is mode constant-vmr with 30 ppt."""
    constant = compute(make_profiles(URBAN))
    upper = compute(
        make_profiles(URBAN), options=Options(above=Above.UPPER), upper=hybrid_upper(30e-12)
    )
    assert upper.amf[0] == pytest.approx(constant.amf[0], **{"rel": 1e-11})


@pytest.mark.parametrize("n", [17, 20, 34])
def test_a_set_to_the_tropopause_needs_no_part_above(n):
    """Sets that end on or above the tropopause are not added to, nor flagged without an upper."""
    layers = HybridLayers(TM5_A[: n + 1], TM5_B[: n + 1])
    v = np.full(n, 1e-10)
    whole = array_set(v, vertical=layers, quantity=Quantity.MOLE_FRACTION)
    missing = hybrid_upper(is_served=np.zeros(1, bool))
    for options, upper in (
        (Options(), None),
        (Options(above=Above.NONE), None),
        (Options(above=Above.UPPER), missing),
    ):
        found = compute(make_profiles(v), options=options, upper=upper, apriori=whole)
        assert (found.flag[0], found.fraction_above[0]) == (0, 0.0)


def test_upper_mode_without_an_upper_set_is_the_callers_mistake():
    """Mode upper needs a global set: ValueError, not zeros."""
    with pytest.raises(ValueError, match="Mode upper needs a global set"):
        compute(make_profiles(URBAN), options=Options(above=Above.UPPER))


# --- flags ------------------------------------------------------------------------------------

YES, NO = np.ones(1, bool), np.zeros(1, bool)
UPPER = Options(above=Above.UPPER)
FLAG_CASES = {
    SubstitutionFlag.DONE: {},
    SubstitutionFlag.BAD_CORNERS: {"is_bad": YES},
    SubstitutionFlag.OUTSIDE_SET: {"is_outside": YES, "coverage": np.zeros(1)},
    SubstitutionFlag.LOW_COVERAGE: {"coverage": np.array([0.9899])},
    SubstitutionFlag.NO_FIELD_IN_TIME: {"is_served": NO},
    SubstitutionFlag.EMPTY_PROFILE: {"value": np.zeros((1, 8))},
}


@pytest.mark.parametrize("flag", FLAG_CASES, ids=lambda flag: flag.name)
def test_flags_of_profiles(flag):
    """Flags 0, 3, 4, 5, 6, 7 from what the set has to say of the pixel."""
    profiles = replace(make_profiles(URBAN), **FLAG_CASES[flag])
    found = compute(profiles, options=Options(above=Above.NONE))
    assert found.flag[0] == flag
    assert np.isfinite(found.amf[0]) == (flag is SubstitutionFlag.DONE)


def test_coverage_of_exactly_99_percent_is_enough():
    """A coverage < 0.99 is flagged."""
    assert compute(make_profiles(URBAN, coverage=np.array([0.99]))).flag[0] == 0


@pytest.mark.parametrize("weights", [0.0, -1.0, np.nan, np.inf])
def test_flag_8_for_an_impossible_air_mass_factor(weights):
    """M' of zero (opaque cloud above all NO2, identity I17), negative or not finite: no number."""
    block = make_block(1, weights=np.full((1, 34), weights))
    found = compute(make_profiles(URBAN), block)
    assert found.flag[0] == SubstitutionFlag.BAD_AMF
    assert np.isnan([found.amf[0], found.column[0], found.kernel_column[0]]).all()


def test_flag_8_for_an_atmosphere_that_is_missing():
    """No temperature, so no heights: M' is not finite (8), which is not an empty profile (7)."""

    class Missing(StandardAtmosphere):
        def height_at(self, pressure):
            return np.full_like(pressure, np.nan)

    block = make_block()
    air = Missing(block.surface_pressure, block.surface_altitude)
    columns = replace(columns_of(block), atmosphere=air)
    found = compute_set(HEIGHT_SET, make_profiles(URBAN), block, columns, Options())
    assert found.flag[0] == SubstitutionFlag.BAD_AMF
    assert np.isnan(found.amf[0])


def test_flag_9_has_an_air_mass_factor_and_columns():
    """No L2 column: flagged 9, but AMF and a-priori columns are written."""
    found = compute(make_profiles(URBAN), make_block(1, column=np.nan))
    assert found.flag[0] == SubstitutionFlag.NO_COLUMN
    assert np.isfinite([found.amf[0], found.column[0], found.kernel_column[0]]).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"is_served": NO},
        {"value": np.full((1, 34), np.nan), "coverage": np.zeros(1)},
        {"coverage": np.array([0.5])},
    ],
    ids=["no field in time", "outside", "half missing"],
)
def test_flag_10_for_a_pixel_without_upper_profile(changes):
    """The upper set has nothing for the pixel: flag 10, never zeros above."""
    upper = hybrid_upper()
    upper = UpperPart(upper.apriori, replace(upper.profiles, **changes))
    found = compute(make_profiles(URBAN), options=UPPER, upper=upper)
    assert found.flag[0] == SubstitutionFlag.NO_UPPER_PROFILE
    assert np.isnan(found.amf[0])


@pytest.mark.parametrize(
    "vertical",
    [
        HybridLayers(TM5_A[:12], TM5_B[:12]),
        PressureLevels(100.0 * np.array([1000.0, 700, 500, 300])),
    ],
    ids=["hybrid to 375 hPa", "pressures to 300 hPa"],
)
def test_flag_10_for_an_upper_set_below_the_tropopause(vertical):
    """An upper set that ends below the tropopause is not stretched or padded: flag 10."""
    found = compute(make_profiles(URBAN), options=UPPER, upper=hybrid_upper(vertical=vertical))
    assert found.flag[0] == SubstitutionFlag.NO_UPPER_PROFILE


def test_the_first_reason_that_holds_is_given():
    """Everything wrong at once, then one reason after the other taken away."""
    order = [
        ({"is_bad": YES}, SubstitutionFlag.BAD_CORNERS),
        ({"is_outside": YES}, SubstitutionFlag.OUTSIDE_SET),
        ({"coverage": np.zeros(1)}, SubstitutionFlag.LOW_COVERAGE),
        ({"is_served": NO}, SubstitutionFlag.NO_FIELD_IN_TIME),
        ({"value": np.zeros((1, 8))}, SubstitutionFlag.EMPTY_PROFILE),
    ]
    block = make_block(1, column=np.nan, weights=np.zeros((1, 34)))
    for first in range(len(order)):
        changes = {k: v for change, _ in order[first:] for k, v in change.items()}
        found = compute(replace(make_profiles(URBAN), **changes), block, Options(above=Above.NONE))
        assert found.flag[0] == order[first][1]
    found = compute(make_profiles(URBAN), block)
    assert found.flag[0] == SubstitutionFlag.BAD_AMF


# --- warnings ---------------------------------------------------------------------------------


def warning(profiles=None, block=None):
    found = compute(profiles or make_profiles(URBAN), block)
    assert found.flag[0] == 0  # warned pixels are computed
    return int(found.warning[0])


def test_no_warning_for_an_ordinary_pixel():
    """M' near M_trop, terrain known and alike: nothing to warn of."""
    profiles = make_profiles(URBAN, surface_altitude=np.array([300.0]))
    amf = compute(profiles).amf[0]
    assert warning(profiles, make_block(1, amf=amf)) == 0


def test_warning_1_for_a_small_air_mass_factor():
    """M' < 0.1."""
    block = make_block(1, weights=np.full((1, 34), 0.099), amf=0.099)
    assert warning(block=block) == SubstitutionWarning.SMALL_AMF
    assert warning(block=make_block(1, weights=np.full((1, 34), 0.101), amf=0.101)) == 0


@pytest.mark.parametrize(("ratio", "warned"), [(0.39, 1), (0.41, 0), (2.99, 0), (3.01, 1)])
def test_warning_2_for_a_large_change(ratio, warned):
    """V'/V outside of 0.4 to 3."""
    block = make_block(1, weights=np.ones((1, 34)), amf=ratio)
    assert warning(block=block) == warned * SubstitutionWarning.LARGE_CHANGE


@pytest.mark.parametrize(("altitude", "warned"), [(349.0, 0), (351.0, 1), (-151.0, 1)])
def test_warning_4_for_terrain_that_differs(altitude, warned):
    """The model's surface and the pixel's (100 m) differ by more than 250 m, either way."""
    profiles = make_profiles(URBAN, surface_altitude=np.array([altitude]))
    assert warning(profiles) == warned * SubstitutionWarning.TERRAIN_MISMATCH


def test_warning_8_for_an_assumed_altitude():
    """No surface_altitude: standard altitude used; no terrain warning is based on it."""
    block = replace(make_block(), assumed_altitude=YES)
    profiles = make_profiles(URBAN, surface_altitude=np.array([900.0]))
    assert warning(profiles, block) == SubstitutionWarning.ASSUMED_ALTITUDE


def test_warning_16_for_clipped_negatives():
    """Negative values of the set in the footprint were counted as zero."""
    profiles = make_profiles(URBAN, has_negatives=YES)
    assert warning(profiles) == SubstitutionWarning.NEGATIVES_CLIPPED


def test_warnings_are_a_bit_mask():
    """All five at once sum to 31."""
    block = make_block(1, weights=np.full((1, 34), 0.05), amf=1.0)
    profiles = make_profiles(URBAN, has_negatives=YES, surface_altitude=np.array([900.0]))
    assert warning(profiles, block) == 1 + 2 + 4 + 16
    assert warning(profiles, replace(block, assumed_altitude=YES)) == 1 + 2 + 8 + 16


def test_pixels_that_are_not_computed_have_no_warning():
    """Warnings belong to numbers."""
    profiles = make_profiles(URBAN, has_negatives=YES, is_bad=YES)
    assert compute(profiles).warning[0] == 0


# --- the set's own uncertainty ------------------------------------------------------------------


def test_relative_error_is_the_finite_difference_in_quadrature():
    """It is dM' = sqrt(sum over heights (dM'/dn sigma)^2), by differences of the whole chain."""
    block = make_block(3)
    sigma = np.array([0.3, 0.25, 0.2, 0.2, 0.3, 0.4, 0.5, 1.0]) * RURAL
    profiles = make_profiles(np.stack([URBAN, RURAL, URBAN + RURAL]))
    profiles = replace(profiles, uncertainty=np.repeat(sigma[None], 3, 0))
    found = compute(profiles, block)
    variance = np.zeros(3)
    for k in range(8):
        amf = []
        for sign in (-1.0, 1.0):
            value = profiles.value.copy()
            value[:, k] += sign * 1e-5 * sigma[k]
            amf.append(compute(replace(profiles, value=value, uncertainty=None), block).amf)
        variance += ((amf[1] - amf[0]) / 2e-5) ** 2
    # steps of 1e-5 sigma: curvature 1e-10, round-off 1e-16 / 1e-5 of M'
    np.testing.assert_allclose(found.relative_error, np.sqrt(variance) / found.amf, rtol=1e-7)


def test_no_uncertainty_no_relative_error():
    """A set without `no2_uncertainty` has no error of its own."""
    assert compute(make_profiles(URBAN)).relative_error is None


def test_partial_columns_end_at_the_tropopause():
    """Partial columns to the tropopause layer, fill above; its sum is the a-priori column."""
    block = make_block(2, tropopause=np.array([14, 16]))
    found = compute(make_profiles(np.stack([URBAN, RURAL])), block)
    assert np.isfinite(found.partial_column).sum(axis=1).tolist() == [15, 17]
    np.testing.assert_allclose(np.nansum(found.partial_column, axis=1), found.column, **PRECISION)
    x, _ = set_columns(
        np.stack([URBAN, RURAL]), HeightLevels(HEIGHTS), Quantity.CONCENTRATION, columns_of(block)
    )
    np.testing.assert_allclose(found.partial_column[:, :8], x[:, :8], **PRECISION)


def test_kernel_column_is_the_column_as_the_instrument_sees_it():
    """sum(A_trop x) = M' sum(x) / M_trop (Douros Eq. 4)."""
    block = make_block(2, amf=np.array([0.9, 1.3]))
    found = compute(make_profiles(np.stack([URBAN, RURAL])), block)
    expected = found.amf * found.column / block.amf_troposphere
    np.testing.assert_allclose(found.kernel_column, expected, **PRECISION)
    np.testing.assert_allclose(
        found.amf,
        airmass.air_mass_factor(
            block.weights, np.nan_to_num(found.partial_column), block.is_troposphere
        ),
        **PRECISION,
    )
