"""The whole chain on an orbit: modes above, sets side by side, blocks, precisions, bad pixels."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.errors import AprioriError, NoOverlapError
from retrieval.l2.product.results import SubstitutionFlag
from retrieval.physics.geometry import footprint
from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.physics.levels import Quantity
from retrieval.physics.time_rules import TimeRule
from retrieval.substitution import collocate
from retrieval.substitution.assemble import ENSEMBLE as SPREAD
from retrieval.substitution.assemble import OWN_UNCERTAINTY
from retrieval.substitution.options import Above
from tests.builders.array_sets import (
    RURAL,
    TM5_LAYERS,
    URBAN,
    array_set,
    contrast_field,
    hours,
)
from tests.builders.orbit_builder import build_orbit
from tests.builders.substitution import (
    FINE,
    FLOAT32,
    GLOBAL,
    MIDDLE,
    assert_same_bits,
    fields_of,
    run,
    two_sets,
)

ENSEMBLE = SPREAD.format(own="TM5")


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=30, n_ground_pixel=24)


# --- side by side -------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_the_block_size_does_not_change_a_bit(truth, block):
    """Blocks bound the memory and nothing else."""
    expected, _ = run(truth.path, kernels=True, profiles=True)
    found, _ = run(truth.path, kernels=True, profiles=True, block=block)
    assert_same_bits(expected, found)


def test_a_second_set_does_not_change_the_first(truth):
    """Except in the precision, whose profile error is the spread of the sets."""
    alone, _ = run(truth.path, {"dacno2": two_sets()["dacno2"]})
    both, _ = run(truth.path)
    for name, values in vars(alone.sets[0]).items():
        if isinstance(values, np.ndarray) and name != "tropospheric_column_precision":
            np.testing.assert_array_equal(getattr(both.sets[0], name), values)


def test_sets_on_one_grid_share_their_weights(truth, monkeypatch):
    """Two sets on the same grid: footprints are computed once a block."""
    calls = []

    def counting(*args):
        calls.append(1)
        return footprint.weights_for(*args)

    monkeypatch.setattr(collocate, "weights_for", counting)
    same = {"a": array_set(URBAN, grid=MIDDLE), "b": array_set(RURAL, grid=MIDDLE)}
    run(truth.path, same, block=1000)
    assert len(calls) == 1
    run(truth.path, two_sets(), block=1000)
    assert len(calls) == 3


def test_equal_edges_in_two_projections_are_two_grids(truth):
    """Weights are not shared between sets whose numbers agree but whose planes do not."""
    x, y = 3_700_000.0 + 2000.0 * np.arange(31), 2_750_000.0 + 2000.0 * np.arange(31)
    shifted = "+proj=laea +lat_0=52 +lon_0=10 +x_0=4341000 +y_0=3210000 +ellps=GRS80"
    grids = [RectilinearGrid(x, y, crs) for crs in ("EPSG:3035", shifted)]
    sets = {f"s{i}": array_set(URBAN, grid=grid) for i, grid in enumerate(grids)}
    found, _ = run(truth.path, sets, crop="none")
    one, two = (fields.footprint_coverage for fields in found.sets)
    assert ((one > 0.5) & (two == 0)).any()
    assert ((one == 0) & (two > 0.5)).any()


def test_relative_changes_come_from_air_mass_factors(truth):
    """100 (M_trop / M'_S - 1) and 100 (M'_R / M'_P - 1): also where the column is fill."""
    found, crop = run(truth.path)
    (amf,) = fields_of(truth.path, "air_mass_factor_troposphere", crop=crop)
    first, second = found.sets
    for fields in found.sets:
        expected = 100.0 * (amf / fields.air_mass_factor_troposphere - 1.0)
        # 1e-4 %: percents of factors rounded to float32
        np.testing.assert_allclose(
            found.relative_change[fields.name, "TM5"], expected, rtol=1e-5, atol=2e-4
        )
    expected = 100.0 * (
        second.air_mass_factor_troposphere.astype(float) / first.air_mass_factor_troposphere - 1.0
    )
    np.testing.assert_allclose(
        found.relative_change["DACNO2", "CAMS"], expected, rtol=1e-5, atol=2e-4
    )
    assert set(found.relative_change) == {("DACNO2", "TM5"), ("CAMS", "TM5"), ("DACNO2", "CAMS")}
    no_column = first.substitution_flag == SubstitutionFlag.NO_COLUMN
    assert no_column.any()
    assert np.isfinite(found.relative_change["DACNO2", "TM5"][no_column]).all()


def test_columns_totals_and_precisions_by_their_definitions(truth):
    """V' = V M / M'; V' + V_strat; sigma M / M'; sqrt(that^2 + (e V')^2) (docs/equations.md 2)."""
    found, crop = run(truth.path)
    no2 = "nitrogendioxide_tropospheric_column"
    v, amf, strat, sigma = fields_of(
        truth.path,
        no2,
        "air_mass_factor_troposphere",
        "nitrogendioxide_stratospheric_column",
        f"{no2}_precision_kernel",
        crop=crop,
    )
    inverse = 1.0 / np.stack(
        [amf] + [fields.air_mass_factor_troposphere.astype(float) for fields in found.sets]
    )
    e = inverse.std(axis=0, ddof=1) / inverse.mean(axis=0)
    for fields in found.sets:
        done = fields.substitution_flag == 0
        everywhere = np.all([f.substitution_flag == 0 for f in found.sets], axis=0)
        assert everywhere.sum() > 300
        new = v * amf / fields.air_mass_factor_troposphere
        kernel = sigma * amf / fields.air_mass_factor_troposphere
        for name, expected, where in (
            ("tropospheric_column", new, done),
            ("summed_total_column", new + strat, done),
            ("tropospheric_column_precision_kernel", kernel, done),
            ("tropospheric_column_precision", np.hypot(kernel, e * new), everywhere),
        ):
            values = getattr(fields, name)
            scale = np.abs(expected[where]).max()
            np.testing.assert_allclose(
                values[where], expected[where], rtol=1e-5, atol=FLOAT32 * scale, err_msg=name
            )
        assert fields.attributes["profile_error_source"] == ENSEMBLE


def test_the_sets_own_uncertainty_is_added_in_quadrature(truth):
    """With `no2_uncertainty` the precision grows, and the attribute says why."""
    plain, _ = run(truth.path)
    sigma = 0.5 * contrast_field(FINE, 1)
    sure, _ = run(truth.path, two_sets(uncertainty=sigma))
    done = plain.sets[0].substitution_flag == 0
    old, new = (r.sets[0].tropospheric_column_precision[done] for r in (plain, sure))
    assert (new >= old).all()
    assert np.median(new / old) > 1.005
    assert sure.sets[0].attributes["profile_error_source"] == f"{ENSEMBLE}; {OWN_UNCERTAINTY}"
    assert sure.sets[1].attributes["profile_error_source"] == ENSEMBLE
    np.testing.assert_array_equal(
        plain.sets[1].tropospheric_column_precision, sure.sets[1].tropospheric_column_precision
    )


def test_the_precision_variable_with_the_tm5_error_is_not_carried_over(truth):
    """Pitfall 14: the file's `precision` (with TM5's profile error) has no part in the new one."""
    found, _ = run(truth.path, crop="none")
    (old,) = fields_of(truth.path, "nitrogendioxide_tropospheric_column_precision")
    fields = found.sets[0]
    done = fields.substitution_flag == 0
    scaled = (
        old
        * fields.tropospheric_column
        / fields_of(truth.path, "nitrogendioxide_tropospheric_column")[0]
    )
    assert np.nanmedian(np.abs(fields.tropospheric_column_precision / scaled - 1)[done]) > 1e-3


# --- above --------------------------------------------------------------------------------------


def global_set(v=5e-11, **keywords):
    """CTMANA-like: half-hourly fields of 1 degree on the 34 TM5 layers."""
    keywords = {"times": hours(12.0, 12.5), "rule": TimeRule.NEAREST, "grid": GLOBAL} | keywords
    return array_set(
        np.full(34, v), vertical=TM5_LAYERS, quantity=Quantity.MOLE_FRACTION, **keywords
    )


def test_modes_above_are_ordered(truth):
    """More NO2 aloft means larger M' and smaller V': none > 30 ppt > 50 ppt (upper)."""
    none, constant, upper = (
        run(truth.path, upper=u, above=mode)[0].sets[0]
        for mode, u in ((Above.NONE, None), (Above.CONSTANT_VMR, None), (Above.UPPER, global_set()))
    )
    done = upper.substitution_flag == 0
    assert done.sum() > 300
    factors = [f.air_mass_factor_troposphere[done] for f in (none, constant, upper)]
    assert (factors[0] < factors[1]).all()
    assert (factors[1] < factors[2]).all()
    assert (none.apriori_fraction_above_top[done] == 0).all()
    assert (constant.apriori_fraction_above_top[done] > 0.01).all()
    assert (
        upper.apriori_fraction_above_top[done] > constant.apriori_fraction_above_top[done]
    ).all()


def test_upper_of_thirty_ppt_is_the_constant(truth):
    """Mode upper with 30 ppt everywhere gives mode constant-vmr, to the global field's float32."""
    upper, _ = run(truth.path, upper=global_set(30e-12), above=Above.UPPER)
    constant, _ = run(truth.path)
    for one, two in zip(upper.sets, constant.sets, strict=True):
        np.testing.assert_allclose(one.tropospheric_column, two.tropospheric_column, rtol=FLOAT32)


def test_merge_height_3000_takes_the_set_out_above(truth):
    """Douros RG: what the set says at 5 km is without effect at a merge height of 3 km."""
    field = contrast_field(MIDDLE)
    other = field.copy()
    other[7] *= 50.0
    sets = {"a": array_set(field, grid=MIDDLE), "b": array_set(other, grid=MIDDLE)}
    merged = run(truth.path, sets, global_set(), above=Above.UPPER, merge_height=3000.0)[0].sets
    np.testing.assert_array_equal(merged[0].tropospheric_column, merged[1].tropospheric_column)
    plain = run(truth.path, sets, global_set(), above=Above.UPPER)[0].sets
    done = plain[0].substitution_flag == 0
    change = plain[0].tropospheric_column[done] / plain[1].tropospheric_column[done]
    assert (np.abs(change - 1) > 1e-3).any()


def test_pixels_without_an_upper_profile_get_flag_10(truth):
    """A global set that ends at 48 N serves the pixels south of it only."""
    grid = RectilinearGrid.from_centres(np.arange(-179.5, 180.0), np.arange(30.5, 48.1))
    found, crop = run(truth.path, upper=global_set(grid=grid), above=Above.UPPER)
    (lat,) = fields_of(truth.path, "latitude", crop=crop)
    fields = found.sets[0]
    done, missing = fields.substitution_flag == 0, fields.substitution_flag == 10
    assert done.any()
    assert missing.any()
    assert lat[done].max() <= 47.5 < lat[missing].min()


def test_an_upper_set_that_misses_the_hour_is_an_error(truth):
    """An upper set of the morning serves no pixel: told, not zeros."""
    with pytest.raises(NoOverlapError, match="no upper profile"):
        run(truth.path, upper=global_set(times=hours(6.0, 6.5)), above=Above.UPPER)


def test_upper_sets_must_reach_the_tropopause(truth):
    """A regional set on heights as upper set is refused by name."""
    with pytest.raises(AprioriError, match="must reach the tropopause"):
        run(truth.path, upper=array_set(URBAN), above=Above.UPPER)
    with pytest.raises(ValueError, match="Mode upper needs a global set"):
        run(truth.path, above=Above.UPPER)


def test_the_exclusive_rule_is_at_hand(truth):
    """`--tropopause exclusive` changes M' by some permille of 30 ppt in one layer."""
    one, two = (run(truth.path, tropopause=rule)[0].sets[0] for rule in ("inclusive", "exclusive"))
    done = one.substitution_flag == 0
    ratio = two.air_mass_factor_troposphere[done] / one.air_mass_factor_troposphere[done]
    assert (ratio < 1).all()
    assert (ratio > 0.95).all()
