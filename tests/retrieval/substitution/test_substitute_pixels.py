"""Pixels and files that are bad: each has its flag or its one line, and stops nothing else."""

from __future__ import annotations

import shutil

import netCDF4
import numpy as np
import pytest

from retrieval.errors import NoOverlapError, NothingToDoError, ProductError
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.product.results import SubstitutionFlag
from retrieval.physics.levels import HeightLevels
from retrieval.physics.time_rules import TimeRule
from retrieval.substitution.options import Options, check_names
from retrieval.substitution.substitute import substitute
from tests.builders.array_sets import (
    HEIGHTS,
    URBAN,
    array_set,
    box_grid,
    contrast_field,
    hours,
)
from tests.builders.orbit_builder import build_orbit
from tests.builders.substitution import (
    FLOAT32,
    MIDDLE,
    SMALL,
    changed,
    run,
    two_sets,
)


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=30, n_ground_pixel=24)


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
    with open_orbit(truth.path) as orbit:
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
