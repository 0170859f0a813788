"""Kinds of pixels of an orbit, and means over them from daily sums."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from retrieval.l2.open_orbit import open_lenient
from retrieval.l2.quality import is_snow_or_ice
from retrieval.l2.strata import ALL, BARE, CLOUD, COAST, LAND, NAMES, SEA, SNOW, SUN, orbit_strata
from retrieval.l3.add import add_files
from retrieval.l3.cells import regular_grid
from retrieval.l3.days import DayStore, GridJob
from retrieval.l3.intervals import stratum_table
from retrieval.l3.pixels import PixelRange, read_pixels
from retrieval.l3.sums import Sums
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.footprint import footprint_weights
from tests.builders.orbit_builder import build_orbit

GRID = regular_grid(8000.0, (-2.0, 45.0, 7.0, 53.0))
SURFACE = "PRODUCT/SUPPORT_DATA/INPUT_DATA/surface_classification"
CODES = "PRODUCT/SUPPORT_DATA/INPUT_DATA/snow_ice_flag"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=24, n_ground_pixel=20)


def _strata(path: Path) -> dict[str, np.ndarray]:
    with open_lenient(path) as orbit:
        found = orbit_strata(orbit, orbit.full)
    return {name: found[..., i] for i, name in enumerate(NAMES)}


def _changed(built, tmp_path, change) -> Path:
    path = Path(shutil.copy(built.path, tmp_path))
    with h5py.File(path, "a") as file:
        change(file)
    return path


def test_every_pixel_is_in_one_class_of_each_kind(built):
    """Classes of one variable do not overlap and leave no pixel out."""
    found = _strata(built.path)
    known = np.isfinite(built.arrays["cloud_radiance_fraction_nitrogendioxide_window"])
    assert known.mean() > 0.5
    for kind in (
        [name for name in NAMES if name.startswith(CLOUD)],
        [name for name in NAMES if name.startswith(SUN)],
        [BARE, SNOW],
        [LAND, COAST, SEA],
    ):
        assert (np.sum([found[name] for name in kind], axis=0)[known] == 1).all(), kind
    assert found[ALL].all()


def test_classes_are_those_of_the_variables(built):
    """Cloud and sun by their limits, snow by its code, land by the mask of the file."""
    found = _strata(built.path)
    cloud = built.arrays["cloud_radiance_fraction_nitrogendioxide_window"]
    assert np.array_equal(found[f"{CLOUD} 0.1 to 0.3"], (cloud >= 0.1) & (cloud < 0.3))
    assert np.array_equal(found[SNOW], is_snow_or_ice(built.arrays["snow_ice_flag"]))
    assert np.array_equal(found[SEA], built.arrays["surface_classification"] == 1)
    assert found[SEA].any()
    assert found[LAND].any()


def test_only_the_mask_bits_tell_land(built, tmp_path):
    """Bits of the land cover class above the mask change nothing; 2 and 3 are coast."""

    def change(file):
        values = np.zeros(file[SURFACE].shape, dtype=np.uint8)
        values[:, ::4], values[:, 1::4], values[:, 2::4] = 1, 2, 3
        file[SURFACE][...] = values | 0b10101000

    found = _strata(_changed(built, tmp_path, change))
    assert found[SEA][::4].all()
    assert found[COAST][1::4].all()
    assert found[COAST][2::4].all()
    assert found[LAND][3::4].all()


def test_files_without_the_mask_tell_land_by_snow_and_ice(built, tmp_path, caplog):
    """255 is the ocean there, a value and not only the fill; sea ice lies on the sea."""

    def change(file):
        del file[SURFACE]
        codes = np.zeros(file[CODES].shape, dtype=np.uint8)
        codes[:, ::4], codes[:, 1::4], codes[:, 2::4] = 255, 252, 40
        file[CODES][...] = codes

    path = _changed(built, tmp_path, change)
    with caplog.at_level(logging.WARNING):
        found = _strata(path)
    assert found[SEA][::4].all()
    assert found[COAST][1::4].all()
    assert found[SEA][2::4].all()
    assert found[SNOW][2::4].all()
    assert found[LAND][3::4].all()
    assert "land and sea are told by snow_ice_flag" in caplog.text


def test_a_missing_variable_leaves_its_strata_empty(built, tmp_path, caplog):
    """No cloud fraction: no pixel is in a cloud class, and it is said."""
    name = "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS/cloud_radiance_fraction_nitrogendioxide_window"

    def change(file):
        del file[name]

    with caplog.at_level(logging.WARNING):
        found = _strata(_changed(built, tmp_path, change))
    assert not any(found[name].any() for name in NAMES if name.startswith(CLOUD))
    assert "is in no such stratum" in caplog.text or "are in no such stratum" in caplog.text


def test_land_and_water_can_be_asked_for(built):
    """`land_water` chooses pixels by the mask, the rest is the rest."""
    whole = read_pixels(built.path, GRID, ["TM5"])
    land = read_pixels(built.path, GRID, ["TM5"], where=[PixelRange.parse("land_water=0..0")])
    other = read_pixels(built.path, GRID, ["TM5"], where=[PixelRange.parse("land_water=1..3")])
    assert 0 < land.values.shape[0] < whole.values.shape[0]
    assert land.values.shape[0] + other.values.shape[0] == whole.values.shape[0]
    i_land = NAMES.index(LAND)
    assert land.strata[:, i_land].all()
    assert whole.strata[:, i_land].sum() == land.values.shape[0]


def test_means_of_strata_are_those_of_their_pixels(season, tmp_path):
    """By area on the grid, pooled over days: the same numbers as from the pixels at once."""
    grid = regular_grid(8000.0, (0.5, 47.0, 4.5, 49.0))  # cuts through the orbits
    products = ("TM5", "DACNO2", "CAMS")
    store = DayStore.open(tmp_path / "days", GridJob(grid, products))
    add_files(store, season.outputs)
    found = {(r.stratum, r.product): r for r in stratum_table(tmp_path / "days")}
    pixels = [read_pixels(path, grid, products) for path in season.outputs]
    weights = [footprint_weights(p.latitude_bounds, p.longitude_bounds, grid) for p in pixels]
    area = np.concatenate([w.area * w.matrix.sum(axis=1) for w in weights])
    values = np.concatenate([p.values for p in pixels])
    strata = np.concatenate([p.strata for p in pixels])
    assert {stratum for stratum, _ in found} == {
        name for i, name in enumerate(NAMES) if (strata[:, i] & (area > 0)).any()
    }
    for (stratum, product), row in found.items():
        mask = strata[:, NAMES.index(stratum)] & (area > 0)
        mean = np.average(values[mask], weights=area[mask], axis=0)
        assert row.n_pixel == mask.sum()
        i = products.index(product)
        # float64 sums of some hundred pixels
        assert row.mean_column == pytest.approx(mean[i] * MOLEC_CM2_PER_MOL_M2, rel=1e-10)
        assert row.ratio_of_means == pytest.approx(100 * (mean[i] / mean[0] - 1), abs=1e-8)
        assert np.isnan(row.ratio_of_means_low)  # three days have no interval


def test_strata_of_a_period_and_intervals(season, tmp_path):
    """A period takes its days only; with five days there is an interval round the number."""
    store = DayStore.open(tmp_path / "days", GridJob(GRID, ("TM5", "DACNO2")))
    add_files(store, season.outputs)
    day = store.days[1]
    (one, *_) = stratum_table(tmp_path / "days", (day, day))
    assert (one.stratum, one.n_day) == (ALL, 1)
    for i in range(5):  # the same five days under other dates
        target = tmp_path / "days" / f"sums_2020-01-0{i + 1}.nc"
        shutil.copy(store.path_of(store.days[i % 3]), target)
    rows = stratum_table(tmp_path / "days")
    for row in rows:
        if row.product == "DACNO2" and row.n_day >= 5:
            assert row.ratio_of_means_low <= row.ratio_of_means <= row.ratio_of_means_high
    assert any(row.ratio_of_means_low < row.ratio_of_means_high for row in rows)


def test_sums_need_their_strata():
    """Pixels without a truth value for each stratum are refused."""
    sums = Sums(GRID, ("TM5",), strata=("a", "b"))
    corners = np.array([[48.0, 48.0, 48.1, 48.1]]), np.array([[2.0, 2.1, 2.1, 2.0]])
    with pytest.raises(ValueError, match="Invalid strata"):
        sums.add(*corners, np.ones((1, 1)))
    sums.add(*corners, np.ones((1, 1)), np.array([[True, False]]))
    assert sums.stratum[:, 0].tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="They must have one grid"):
        sums.merge(Sums(GRID, ("TM5",)))
