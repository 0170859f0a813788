"""Gridding of files: one mask for all products, and HARP's means of a re-retrieved orbit."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

from retrieval.files.fills import FILL_FLOAT
from retrieval.l2.product.write import Layout
from retrieval.l3.add import add_files
from retrieval.l3.cells import regular_grid
from retrieval.l3.days import DayStore, GridJob
from retrieval.l3.means import period_mean
from retrieval.l3.pixels import read_pixels
from retrieval.physics.geometry.footprint import footprint_weights
from retrieval.physics.geometry.grids import RectilinearGrid, cell_areas
from retrieval.substitution.job import Job
from retrieval.substitution.reretrieve import reretrieve

PRODUCTS = ("TM5", "DACNO2", "CAMS")
COLUMN = "PRODUCT/nitrogendioxide_tropospheric_column_DACNO2_apriori"


def _mean(folder: Path, path: Path, grid, products=PRODUCTS):
    add_files(DayStore.open(folder, GridJob(grid, products)), [path])
    return period_mean(folder)


def test_a_fill_of_one_product_takes_the_pixel_from_all(season, tmp_path):
    """I19: a column lost in one product is a pixel lost in all, as if it had bad quality."""
    grid = regular_grid(8000.0, (0.5, 47.0, 4.5, 50.5))
    lost = (slice(None), slice(3, 9), slice(2, None, 3))
    changed, masked = (
        Path(shutil.copy(season.outputs[0], tmp_path / f"{name}_{season.outputs[0].name}"))
        for name in ("fill", "quality")
    )
    with h5py.File(changed, "a") as file:
        file[COLUMN][lost] = np.float32(FILL_FLOAT)
    with h5py.File(masked, "a") as file:
        file["PRODUCT/qa_value"][lost] = 0
    one, other = _mean(tmp_path / "a", changed, grid), _mean(tmp_path / "b", masked, grid)
    whole = _mean(tmp_path / "c", season.outputs[0], grid)
    assert one.count.sum() < whole.count.sum()
    assert np.array_equal(one.count, other.count)
    assert np.array_equal(one.mean, other.mean, equal_nan=True)
    is_finite = np.isfinite(one.mean)
    assert (is_finite == is_finite[:1]).all()


def test_a_map_of_files_keeps_the_amount(season, tmp_path):
    """I15 from the file on: covered areas times means are what the pixels hold, each product."""
    grid = regular_grid(0.1, (0.0, 46.5, 6.0, 51.0), "EPSG:4326")  # holds the whole orbit
    l3 = _mean(tmp_path / "days", season.outputs[0], grid)
    pixels = read_pixels(season.outputs[0], grid, PRODUCTS)
    weights = footprint_weights(pixels.latitude_bounds, pixels.longitude_bounds, grid)
    np.testing.assert_allclose(weights.matrix.sum(axis=1), 1.0, rtol=1e-12)
    total = np.nansum(cell_areas(grid) * l3.coverage * l3.mean, axis=(1, 2))
    # float64 sums of some hundred pixels; overlaps below 1e-10 of a pixel are left out
    np.testing.assert_allclose(total, weights.area @ pixels.values, rtol=1e-8)


@pytest.mark.skipif(shutil.which("harpconvert") is None, reason="HARP is not installed")
def test_new_columns_agree_with_harp(season, tmp_path):
    """HARP reads the replace layout as any orbit, and its `bin_spatial` gives our means."""
    day = "2019-06-01"
    path = tmp_path / f"{season.originals[0].stem}_reduced.nc"
    sets = {name: season.folder / f"{name}_{day}.nc" for name in ("dacno2", "cams")}
    reretrieve(season.originals[0], Job(sets=sets, layout=Layout.REPLACE), path)
    grid = RectilinearGrid(np.linspace(0.0, 5.0, 51), np.linspace(47.0, 51.0, 41))
    column = "tropospheric_NO2_column_number_density"
    operations = f"{column}_validity>75;bin_spatial(41,47,0.1,51,0,0.1)"
    target = tmp_path / "harp.nc"
    subprocess.run(["harpconvert", "-a", operations, path, target], check=True)
    with netCDF4.Dataset(target) as file:
        expected = np.ma.filled(file[column][0], np.nan)
    found = _mean(tmp_path / "days", path, grid, ("DACNO2",))["DACNO2"]
    before = _mean(tmp_path / "tm5", season.originals[0], grid, ("TM5",))["TM5"]
    assert np.isfinite(found).sum() > 100
    assert np.array_equal(np.isfinite(found), np.isfinite(expected))
    scale = np.nanmean(np.abs(expected))
    # HARP clips with single precision near the corners of cells: 5e-7 seen
    np.testing.assert_allclose(found, expected, atol=5e-6 * scale)
    assert np.nanmax(np.abs(found - before)) > 1e-2 * scale  # not the operational columns
