"""The whole chain on an orbit: modes above, sets side by side, blocks, precisions, bad pixels."""

from __future__ import annotations

import shutil

import netCDF4
import numpy as np
import pytest

from retrieval import collocate, footprint
from retrieval.apriori.base import HeightLevels, Quantity, TimeRule
from retrieval.assemble import ENSEMBLE, OWN_UNCERTAINTY
from retrieval.errors import AprioriError, NoOverlapError, NothingToDoError, ProductError
from retrieval.grids import RectilinearGrid
from retrieval.options import Above, Options
from retrieval.orbit import Orbit
from retrieval.results import SubstitutionFlag
from retrieval.substitute import check_names, substitute
from tests.array_sets import (
    HEIGHTS,
    RURAL,
    TM5_LAYERS,
    URBAN,
    array_set,
    box_grid,
    contrast_field,
    hours,
)
from tests.orbit_builder import build_orbit

BOX = (0.0, 46.0, 4.0, 50.0)
"""Holds the orbit, which is at 1.2-2.8 E, 47.2-48.8 N."""
SMALL = (1.5, 47.5, 2.5, 48.5)
"""Lies inside it."""
FINE, MIDDLE = box_grid(0.02, BOX), box_grid(0.1, BOX)
GLOBAL = RectilinearGrid.from_centres(np.arange(-179.5, 180.0), np.arange(-89.5, 90.0))
FLOAT32 = 3e-7
"""Results are written as float32: half a unit in the last place is 6e-8."""


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=30, n_ground_pixel=24)


def two_sets(**keywords):
    return {
        "dacno2": array_set(contrast_field(FINE, 1), grid=FINE, **keywords),
        "cams": array_set(contrast_field(MIDDLE, 2), grid=MIDDLE),
    }


def run(path, sets=None, upper=None, **options):
    with Orbit.open(path) as orbit:
        return substitute(orbit, sets or two_sets(), Options(**options), upper=upper)


def fields_of(path, *names, **keywords):
    with Orbit.open(path) as orbit:
        crop = keywords.get("crop", orbit.full)
        return [orbit.read(name, crop).astype(float) for name in names]


def changed(truth, path, edit):
    """Copy the orbit and edit its variables, raw, by name."""
    shutil.copyfile(truth.path, path)
    with netCDF4.Dataset(path, "r+") as file:
        file.set_auto_maskandscale(False)
        found = {}

        def walk(group):
            found.update(group.variables)
            for child in group.groups.values():
                walk(child)

        walk(file)
        edit(found)
    return path


def assert_same_bits(first, second):
    for one, two in zip(first.sets, second.sets, strict=True):
        for name, values in vars(one).items():
            if isinstance(values, np.ndarray):
                np.testing.assert_array_equal(getattr(two, name), values, err_msg=name)
    for pair, values in first.relative_change.items():
        np.testing.assert_array_equal(second.relative_change[pair], values)


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
    """V' = V M / M'; V' + V_strat; sigma M / M'; sqrt(that^2 + (e V')^2), contract section 4."""
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


# --- pixels and files that are bad ----------------------------------------------------------------


def test_flags_1_and_2_are_the_files_own(truth, tmp_path):
    """No kernel or AMF: 1; no tropopause index: 2; both: 1, the first reason."""
    at = {"kernel": (4, 8), "total": (4, 9), "amf": (4, 10), "index": (4, 11), "both": (4, 12)}

    def edit(found):
        fill = found["averaging_kernel"]._FillValue
        for key in ("kernel", "both"):
            found["averaging_kernel"][0, *at[key], 5] = fill
        found["air_mass_factor_total"][0, *at["total"]] = fill
        found["air_mass_factor_troposphere"][0, *at["amf"]] = 0.0
        for key in ("index", "both"):
            found["tm5_tropopause_layer_index"][0, *at[key]] = -2147483647

    path = changed(truth, tmp_path / "flags.nc", edit)
    fields = run(path, crop="none")[0].sets[0]
    flags = {key: int(fields.substitution_flag[pixel]) for key, pixel in at.items()}
    assert flags == {"kernel": 1, "total": 1, "amf": 1, "index": 2, "both": 1}
    assert all(np.isnan(fields.air_mass_factor_troposphere[pixel]) for pixel in at.values())


@pytest.mark.parametrize("index", [0, 34, 40, -1])
def test_impossible_tropopause_indices_are_missing(truth, tmp_path, index):
    """Indices outside of 1 .. 33 are not clipped into range: flag 2."""

    def edit(found):
        found["tm5_tropopause_layer_index"][0, 4, 8] = index

    fields = run(changed(truth, tmp_path / "index.nc", edit), crop="none")[0].sets[0]
    assert fields.substitution_flag[4, 8] == SubstitutionFlag.NO_TROPOPAUSE


def test_bad_corners_are_flag_3_in_any_block(truth, tmp_path):
    """One crossing, one flat, one missing quadrilateral: flagged, alone in a block or not."""

    def edit(found):
        for name in ("latitude_bounds", "longitude_bounds"):
            variable = found[name]
            variable[0, 4, 8] = variable[0, 4, 8][[0, 1, 3, 2]]
            variable[0, 5, 8] = variable[0, 5, 8][0]
            variable[0, 6, 8, 2] = variable._FillValue
        # scanline 4 has no other usable pixel: a block of it alone is all crossing
        others = np.arange(24) != 8
        found["tm5_tropopause_layer_index"][0, 4, others] = -2147483647

    path = changed(truth, tmp_path / "corners.nc", edit)
    for block in (1, 64):
        flag = run(path, crop="none", block=block)[0].sets[0].substitution_flag
        assert flag[4:7, 8].tolist() == [SubstitutionFlag.BAD_CORNERS] * 3


def test_corners_in_z_order_are_an_error_of_the_file(truth, tmp_path):
    """All corners of a file in the order 0 1 3 2: one line, no results."""

    def edit(found):
        for name in ("latitude_bounds", "longitude_bounds"):
            found[name][:] = found[name][:][..., [0, 1, 3, 2]]

    with pytest.raises(ProductError, match="must run round the pixel"):
        run(changed(truth, tmp_path / "z.nc", edit))


@pytest.mark.parametrize("order", [[3, 2, 1, 0], [1, 2, 3, 0], [2, 3, 0, 1]])
def test_any_corner_order_round_the_pixel_is_the_same(truth, tmp_path, order):
    """Descending orbits and other writers: clockwise, or another first corner."""

    def edit(found):
        for name in ("latitude_bounds", "longitude_bounds"):
            found[name][:] = found[name][:][..., order]

    found = run(changed(truth, tmp_path / "order.nc", edit))[0].sets[0]
    expected = run(truth.path)[0].sets[0]
    np.testing.assert_array_equal(found.substitution_flag, expected.substitution_flag)
    np.testing.assert_allclose(
        found.tropospheric_column, expected.tropospheric_column, rtol=FLOAT32
    )


def test_flags_4_and_5_at_the_rim_of_the_set(truth):
    """Outside: 4; partly outside: 5, with the share in `footprint_coverage`; inside: 1."""
    small = box_grid(0.02, SMALL)
    sets = {"a": array_set(contrast_field(small), grid=small)}
    fields = run(truth.path, sets, crop="none")[0].sets[0]
    flag, coverage = fields.substitution_flag, fields.footprint_coverage
    assert (coverage[flag == 4] == 0).all()
    assert (coverage[flag == 5] < 0.99).all()
    assert (coverage[flag == 0] >= 0.99).all()
    assert (flag == 4).any()
    assert (flag == 5).any()
    inside = coverage[flag == 0]
    assert (inside == 1).mean() > 0.9


def test_scanlines_out_of_the_window_get_flag_6(truth, tmp_path):
    """Scanlines before 10:00 UTC in an overpass-mean set; NaT scanlines, too."""

    def edit(found):
        delta = found["delta_time"]
        delta[0, 3] -= int(2.5 * 3600e3)
        delta[0, 4] = delta._FillValue

    sets = {
        "cams": array_set(URBAN, grid=MIDDLE, times=hours(*range(24)), rule=TimeRule.OVERPASS_MEAN)
    }
    path = changed(truth, tmp_path / "times.nc", edit)
    fields = run(path, sets, crop="none")[0].sets[0]
    usable = np.isin(fields.substitution_flag[[2, 3, 4, 5]], (0, 6, 9))
    six = fields.substitution_flag[[2, 3, 4, 5]] == 6
    assert not six[[0, 3]].any()
    assert six[[1, 2]][usable[[1, 2]]].all()
    assert six[1].any()


def test_warnings_of_the_set_reach_the_result(truth, caplog):
    """Negatives in a tenth of the cells and a model at 2 km: bits 16 and 4, counted."""
    field = contrast_field(MIDDLE)
    field[2, ::10] = -1e-9
    terrain = np.full(MIDDLE.shape, 2000.0)
    sets = {"a": array_set(field, grid=MIDDLE, surface_altitude=terrain)}
    fields = run(truth.path, sets)[0].sets[0]
    done = fields.substitution_flag == 0
    warnings = fields.substitution_warning[done]
    assert (warnings & 4 == 4).mean() > 0.9
    assert 0 < (warnings & 16 == 16).mean() < 0.9
    assert fields.attributes["negative_values_counted_as_zero"] > 0
    assert "negative values counted as 0" in caplog.text


def test_the_time_rule_of_a_daily_set_stays(truth):
    """`--time-rule` changes sets with several fields a day; a daily set has one choice."""
    found, _ = run(truth.path, time_rule=TimeRule.LINEAR)
    assert found.sets[0].attributes["time_rule"] == "daily"


def test_a_set_that_serves_no_pixel_is_an_error(truth):
    """A second set elsewhere in time: its name, the reasons and what to do, in one line."""
    sets = two_sets() | {"late": array_set(URBAN, grid=MIDDLE, times=hours(20.0))}
    with pytest.raises(NoOverlapError, match="Set LATE serves no pixel") as error:
        run(truth.path, sets)
    assert "no field in time" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_orbit_of_invalid_pixels_is_an_error(truth, tmp_path):
    """All tropopause indices fill: told as the file's own state."""

    def edit(found):
        found["tm5_tropopause_layer_index"][:] = -2147483647

    with pytest.raises(NothingToDoError, match="valid in the orbit itself"):
        run(changed(truth, tmp_path / "none.nc", edit))


def test_missing_values_over_the_whole_set_are_not_zero(truth):
    """A set of NaN: coverage 0, flag 5 everywhere, told as an error."""
    nan = array_set(np.full((8, *MIDDLE.shape), np.nan), grid=MIDDLE)
    with pytest.raises(NoOverlapError, match="low coverage") as error:
        run(truth.path, {"a": nan})
    assert not isinstance(error.value, NothingToDoError)


def test_valid_pixels_at_the_edge_of_a_set_only_are_nothing_to_do(truth, tmp_path):
    """Dark where the set is and lit beside it: the orbit's state, not a fault of the set."""

    def edit(found):
        lat, lon = found["latitude"][0], found["longitude"][0]
        is_near = (lat > 47.4) & (lat < 48.6) & (lon > 1.4) & (lon < 2.6)
        kernel = found["averaging_kernel"]
        kernel[:] = np.where(is_near[None, ..., None], kernel.getncattr("_FillValue"), kernel[:])

    small = box_grid(0.1, SMALL)
    with pytest.raises(NothingToDoError, match="outside set"):
        run(
            changed(truth, tmp_path / "dark.nc", edit),
            {"a": array_set(contrast_field(small, 1), grid=small)},
        )


def test_orbits_without_optional_variables_are_computed(truth, tmp_path):
    """Without altitude, stratosphere and precision: columns, AMFs, warning bit 8, no totals."""
    names = (
        "surface_altitude",
        "nitrogendioxide_stratospheric_column",
        "air_mass_factor_stratosphere",
        "nitrogendioxide_tropospheric_column_precision_kernel",
    )
    path = tmp_path / "short.nc"
    shutil.copyfile(truth.path, path)
    with netCDF4.Dataset(path, "r+") as file:
        for group in (file["PRODUCT"], *file["PRODUCT/SUPPORT_DATA"].groups.values()):
            for name in names:
                if name in group.variables:
                    group.renameVariable(name, f"no_{name}")
    found, _ = run(path)
    fields = found.sets[0]
    done = fields.substitution_flag == 0
    assert done.sum() > 300
    assert (fields.substitution_warning[done] & 8 == 8).all()
    assert found.apriori_tropospheric_column_tm5 is None
    assert fields.summed_total_column is None
    assert fields.air_mass_factor_total is None
    assert fields.tropospheric_column_precision is None
    full, _ = run(truth.path)
    ratio = fields.tropospheric_column[done] / full.sets[0].tropospheric_column[done]
    np.testing.assert_allclose(ratio, 1.0, atol=2e-3)  # T differs by some K where p is not ISA's


def test_crop_keeps_the_pixels_of_the_primary_set(truth):
    """Values on the crop are those of the whole orbit."""
    grid = box_grid(0.1, SMALL)
    sets = {"a": array_set(contrast_field(grid), grid=grid), "b": two_sets()["cams"]}
    small, crop = run(truth.path, sets)
    whole, full = run(truth.path, sets, crop="none")
    assert crop.shape < full.shape
    for one, two in zip(small.sets, whole.sets, strict=True):
        np.testing.assert_array_equal(
            one.tropospheric_column, two.tropospheric_column[crop.scanline, crop.ground_pixel]
        )


def test_progress_is_told_by_scanlines(truth):
    """Called after each block with scanlines done and to do."""
    told = []
    with Orbit.open(truth.path) as orbit:
        substitute(
            orbit,
            two_sets(),
            Options(crop="none", block=12),
            progress=lambda *args: told.append(args),
        )
    assert told == [(12, 30), (24, 30), (30, 30)]


def test_names_are_upper_cased_and_unique():
    """`cams` and `CAMS` are one name; at least one set is needed."""
    one = array_set(URBAN, vertical=HeightLevels(HEIGHTS))
    assert check_names({"dacno2": one, "Cams": one}) == ["DACNO2", "CAMS"]
    with pytest.raises(ValueError, match="CAMS twice"):
        check_names({"cams": one, "CAMS": one})
    with pytest.raises(ValueError, match="At least one"):
        check_names({})
