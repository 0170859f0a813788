"""Blocks of scanlines: what is handed to the kernels, and how the kernel is read."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.l2 import blocks as blocks_module
from retrieval.l2.blocks import OrbitBlocks
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.orbit import Orbit
from retrieval.l2.pixels import Crop
from tests.builders.orbit_builder import build_orbit

CROP = Crop(slice(3, 29), slice(2, 15))


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orbit")
    return build_orbit(folder, n_scanline=32, n_ground_pixel=16, scanline_chunk=5)


@pytest.fixture
def orbit(truth):
    with open_orbit(truth.path) as opened:
        yield opened


def test_a_block_is_double_and_surface_first(orbit, truth):
    """Values of the file in float64, s = M_total A, layers to the tropopause."""
    block = OrbitBlocks(orbit, CROP).read(slice(4, 9))
    part = (slice(7, 12), CROP.ground_pixel)
    arrays = truth.arrays
    total = arrays["air_mass_factor_total"][part].astype("f4").astype(float).ravel()
    kernel = arrays["averaging_kernel"][part].astype("f4").astype(float).reshape(-1, 34)
    np.testing.assert_array_equal(block.weights, total[:, None] * kernel)
    index = arrays["tm5_tropopause_layer_index"][part].ravel()
    valid = index >= 0
    np.testing.assert_array_equal(block.has_tropopause, valid)
    np.testing.assert_array_equal(block.is_troposphere.sum(axis=1)[valid], index[valid] + 1)
    assert block.weights.dtype == np.float64
    assert block.geometry.scanline.tolist() == np.repeat(np.arange(4, 9), 13).tolist()


def test_kernels_are_needed_whole(orbit, truth):
    """Pixels with fills in kernel or air mass factors have none; all others have."""
    block = OrbitBlocks(orbit, CROP).read(slice(0, 26))
    part = (CROP.scanline, CROP.ground_pixel)
    expected = np.isfinite(truth.arrays["averaging_kernel"][part]).all(axis=-1).ravel()
    np.testing.assert_array_equal(block.has_kernel, expected)
    assert 0.5 < expected.mean() < 1.0


@pytest.mark.parametrize("limit", [1, 13 * 34 * 4 * 7, 2**27])
@pytest.mark.parametrize("step", [1, 4, 26])
def test_slabs_change_nothing_and_read_each_chunk_once(orbit, truth, monkeypatch, limit, step):
    """Whatever the slab and the block: the same kernels, and no chunk inflated twice."""
    monkeypatch.setattr(blocks_module, "SLAB_BYTES", limit)
    read = []
    original = Orbit.read_kernel

    def counting(self, crop):
        read.append((crop.scanline.start, crop.scanline.stop))
        return original(self, crop)

    monkeypatch.setattr(Orbit, "read_kernel", counting)
    reader = OrbitBlocks(orbit, CROP)
    rows = [slice(i, min(i + step, 26)) for i in range(0, 26, step)]
    found = np.concatenate([reader.read(row).weights for row in rows])
    part = (CROP.scanline, CROP.ground_pixel)
    total = truth.arrays["air_mass_factor_total"][part].astype("f4").astype(float)
    expected = total[..., None] * truth.arrays["averaging_kernel"][part].astype("f4").astype(float)
    np.testing.assert_array_equal(found, expected.reshape(-1, 34))
    assert read[0][0] == 3
    assert read[-1][1] == 29
    if step <= 5:  # blocks within a chunk: slabs end on the file's chunks of five scanlines
        chunks = [i for start, stop in read for i in range(start // 5, (stop - 1) // 5 + 1)]
        shared = len(chunks) - len(set(chunks))
        assert shared == 0 or step == 4  # a block of four may lie across a border


def test_pixels_can_be_taken_from_a_block(orbit):
    """`take` selects in every field."""
    block = OrbitBlocks(orbit, CROP).read(slice(0, 4))
    index = np.array([0, 7, 30])
    part = block.take(index)
    for name, values in vars(block).items():
        if isinstance(values, np.ndarray):
            np.testing.assert_array_equal(getattr(part, name), values[index], err_msg=name)
    for name, values in vars(block.geometry).items():
        np.testing.assert_array_equal(getattr(part.geometry, name), values[index], err_msg=name)


def test_missing_altitudes_are_assumed_pixel_by_pixel(orbit, monkeypatch):
    """Fill in `surface_altitude`: the standard atmosphere's altitude, marked."""
    original = Orbit.read

    def with_a_hole(self, name, crop):
        values = original(self, name, crop)
        if name == "surface_altitude":
            values[0, 0] = np.nan
        return values

    monkeypatch.setattr(Orbit, "read", with_a_hole)
    block = OrbitBlocks(orbit, CROP).read(slice(0, 2))
    assert np.flatnonzero(block.assumed_altitude).tolist() == [0]
    assert np.isfinite(block.surface_altitude).all()
