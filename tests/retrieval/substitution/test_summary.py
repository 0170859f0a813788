"""Statistics of an orbit: one mask for all products, the stored quality integer, KNMI's column."""

from __future__ import annotations

import json
import shutil

import netCDF4
import numpy as np
import pytest

from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.quality import QA_RECOMMENDED
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.substitution.options import Options
from retrieval.substitution.substitute import substitute
from retrieval.substitution.summary import common_pixels, further_columns, summarise
from tests.builders.array_sets import array_set, box_grid, contrast_field
from tests.builders.orbit_builder import build_orbit

COLUMN = "nitrogendioxide_tropospheric_column"
KNMI = "nitrogendioxide_tropospheric_column_CAMS_apriori_Europe"


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orbit")
    return build_orbit(folder, n_scanline=24, n_ground_pixel=20, variant="eu")


@pytest.fixture(scope="module")
def outcome(truth):
    return run(truth.path)


def sets():
    wide = box_grid(0.05, (0.0, 46.0, 4.0, 50.0))
    small = box_grid(0.1, (1.6, 47.6, 4.0, 50.0))  # covers a part of the orbit
    return {
        "dacno2": array_set(contrast_field(wide), grid=wide),
        "cams": array_set(contrast_field(small, 2), grid=small),
    }


def run(path):
    with open_orbit(path) as orbit:
        return substitute(orbit, sets(), Options(crop="none"))


def edited(truth, path, edit):
    shutil.copyfile(truth.path, path)
    with netCDF4.Dataset(path, "r+") as file:
        file.set_auto_maskandscale(False)
        edit(file["PRODUCT"])
    return path


def test_quality_is_compared_as_the_stored_integer(truth, outcome, tmp_path):
    """`qa_value > 0.75`: stored 76 takes part, 75 does not, although float32 0.75 may round up."""
    result, crop = outcome
    done = result.sets[0].substitution_flag == 0

    def edit(product):
        qa = product["qa_value"]
        values = np.full(qa.shape, 75, "u1")
        values[0, :, ::2] = 76
        qa[:] = values

    with open_orbit(edited(truth, tmp_path / "qa.nc", edit)) as orbit:
        mask = common_pixels(orbit, crop, result)
        everything = common_pixels(orbit, crop, result, qa_threshold=74)
        nothing = common_pixels(orbit, crop, result, qa_threshold=76)
    assert mask[:, ::2].any()
    assert not mask[:, 1::2].any()
    assert everything[:, 1::2].any()
    assert not nothing.any()
    assert not mask[~done].any()
    assert QA_RECOMMENDED == 75


def test_quality_fill_is_not_good_quality(truth, outcome, tmp_path):
    """Fill 255 is above 75 as a number and must not pass."""
    result, crop = outcome

    def edit(product):
        product["qa_value"][:] = product["qa_value"]._FillValue

    with open_orbit(edited(truth, tmp_path / "fill.nc", edit)) as orbit:
        assert not common_pixels(orbit, crop, result).any()


def test_files_without_quality_are_not_filtered(truth, outcome, tmp_path):
    """No `qa_value`: every pixel that all products have."""
    result, crop = outcome

    def edit(product):
        product.renameVariable("qa_value", "no_qa")

    with open_orbit(edited(truth, tmp_path / "noqa.nc", edit)) as orbit:
        mask = common_pixels(orbit, crop, result)
    expected = np.all([np.isfinite(s.tropospheric_column) for s in result.sets], axis=0)
    np.testing.assert_array_equal(mask, expected)


def test_one_mask_serves_all_products(truth, outcome):
    """A pixel that one set cannot serve counts for none (identity I19's spirit, decision D9)."""
    result, crop = outcome
    with open_orbit(truth.path) as orbit:
        mask = common_pixels(orbit, crop, result)
        found = summarise(orbit, crop, result)
    wide, small = result.sets
    only_wide = np.isfinite(wide.tropospheric_column) & ~np.isfinite(small.tropospheric_column)
    assert only_wide.any()
    assert not mask[only_wide].any()
    assert found.n_common == mask.sum() > 50
    column = truth.arrays[COLUMN].astype("f4").astype(float)
    expected = [column[mask].mean()] + [
        s.tropospheric_column[mask].astype(float).mean() for s in result.sets
    ]
    means = [p.mean_column / MOLEC_CM2_PER_MOL_M2 for p in found.products[:3]]
    np.testing.assert_allclose(means, expected, rtol=1e-6)  # sums of float32 columns


def test_changes_are_those_of_the_air_mass_factors(truth, outcome):
    """Median and 5-95 % of 100 (M/M' - 1); the ratio of means is of the columns."""
    result, crop = outcome
    with open_orbit(truth.path) as orbit:
        mask = common_pixels(orbit, crop, result)
        found = summarise(orbit, crop, result)
        column = orbit.read(COLUMN, crop).astype(float)
    for product, fields in zip(found.products[1:], result.sets, strict=False):
        change = result.relative_change[fields.name, "TM5"][mask]
        assert product.name == fields.name
        assert product.median_change == pytest.approx(np.median(change), rel=1e-6)
        assert product.p5_change < product.median_change < product.p95_change
        ratio = fields.tropospheric_column[mask].astype(float).mean() / column[mask].mean()
        assert product.ratio_of_means == pytest.approx(100 * (ratio - 1), rel=1e-6)
        assert sum(product.flags.values()) == fields.substitution_flag.size


def test_the_column_of_knmis_european_product_is_a_further_product(truth, outcome):
    """`_eu` files: found by name pattern, 15 % above TM5 as stored, on the same pixels."""
    result, crop = outcome
    with open_orbit(truth.path) as orbit:
        assert further_columns(orbit) == {"CAMS_Europe": KNMI}
        found = summarise(orbit, crop, result)
    assert [p.name for p in found.products] == ["TM5", "DACNO2", "CAMS", "CAMS_Europe"]
    assert found.products[-1].ratio_of_means == pytest.approx(15.0, abs=1e-3)  # float32 columns


def test_precisions_of_further_columns_are_no_columns(truth, tmp_path):
    """A `..._precision_...apriori...` variable is not offered as a product."""

    def edit(product):
        dims = product[KNMI].dimensions
        product.createVariable(f"{COLUMN}_precision_CAMS_apriori_Europe", "f4", dims)

    with open_orbit(edited(truth, tmp_path / "p.nc", edit)) as orbit:
        assert list(further_columns(orbit)) == ["CAMS_Europe"]


def test_plain_orbits_have_no_further_product(tmp_path):
    """An operational file holds TM5 only."""
    truth = build_orbit(tmp_path, n_scanline=4, n_ground_pixel=9)
    with open_orbit(truth.path) as orbit:
        assert further_columns(orbit) == {}


def test_no_common_pixel_is_no_crash(truth, outcome):
    """A quality threshold of 100 leaves nothing: counts of 0, means NaN, no warning."""
    result, crop = outcome
    with open_orbit(truth.path) as orbit:
        found = summarise(orbit, crop, result, qa_threshold=100)
    assert found.n_common == 0
    assert np.isnan(found.products[0].mean_column)


def test_summaries_are_plain_types(truth, outcome):
    """Ready for JSON, numbers of scanlines and assumptions included."""
    result, crop = outcome
    with open_orbit(truth.path) as orbit:
        found = summarise(orbit, crop, result, "out.nc").as_dict()
    again = json.loads(json.dumps(found))
    assert again["scanlines"] == [0, 24]
    assert again["output"] == "out.nc"
    assert again["products"][1]["flags"]["done"] > 0
