"""Reading ahead: the right bytes are asked for, and nothing else changes."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dacno2_s5p.inputs.grid import Patch
from dacno2_s5p.inputs.samples import Crop
from dacno2_s5p.store import read_ahead
from dacno2_s5p.store.chunks import read_array
from dacno2_s5p.store.read_ahead import GAP_BYTES, expect, joined, parts
from dacno2_s5p.store.store import day_path, month_path
from tests.benchmarks.store_files import benchmark_store
from tests.builders.training_builders import make_days

CROPS = [Crop(1, Patch(8, 16, 48))]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return benchmark_store(tmp_path_factory.mktemp("stores"), tiny=True)


@pytest.mark.parametrize("name", ["multi", "single", "cams"])
def test_parts_are_the_bytes_of_the_window(store, name):
    """The parts of a chunk, put together, hold every value of the window and little else."""
    path = day_path(store.folder, store.days[1])
    window = CROPS[0].patch.slices(4 if name == "cams" else 8)
    array = read_ahead._layout(path)[name]
    content = path.read_bytes()
    maps = []
    for start, stop in parts(array, window):
        values = np.frombuffer(content[start:stop], np.float32)
        rows = window[0].stop - window[0].start
        width, n_x = window[1].stop - window[1].start, array.shape[-1]
        whole = np.concatenate([values, np.zeros(n_x - width, np.float32)])
        maps.append(whole.reshape(rows, n_x)[:, :width])
    expected = read_array(path, name, *window)
    np.testing.assert_array_equal(np.stack(maps).reshape(expected.shape), expected)


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 10**6)), max_size=20))
def test_joined_parts_cover_all_and_are_apart(found):
    """Nothing asked for is lost, and what is left is separated by the gap."""
    given_parts = [(start, start + length) for start, length in found]
    together = joined(given_parts)
    for start, stop in given_parts:
        assert any(first <= start and stop <= last for first, last in together)
    for (_, before), (after, _) in pairwise(together):
        assert after - before >= GAP_BYTES


def test_days_and_months_of_the_crops_are_asked_for(store, monkeypatch):
    """Both chunks of a crop are advised of, within their size."""
    asked = []

    def advise(descriptor, start, length, advice):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        assert advice == os.POSIX_FADV_WILLNEED
        assert start + length <= os.fstat(descriptor).st_size
        asked.append(path)

    monkeypatch.setattr(os, "posix_fadvise", advise)
    expect(store, CROPS)
    day = store.days[1]
    assert set(asked) == {p(store.folder, day).resolve() for p in (day_path, month_path)}


def test_samples_are_the_same_with_and_without(store):
    """Being told before changes no value."""
    before = store.inputs(*CROPS[0])
    expect(store, CROPS)
    after = store.inputs(*CROPS[0])
    assert torch.equal(before.multi, after.multi)
    assert torch.equal(before.emission, after.emission)


def test_days_in_memory_and_damaged_chunks_are_passed_over(store, tmp_path):
    """Where there is nothing to ask for, nothing happens: reading tells of what is wrong."""
    expect(make_days(n_day=2), CROPS)
    folder = tmp_path / "damaged"
    for path in (day_path, month_path):
        damaged = path(folder, store.days[1])
        damaged.parent.mkdir(parents=True)
        damaged.write_bytes(b"\xff" * 64)
    expect(type(store)(folder, store.grid, store.table, store.preparation, store.days, {}), CROPS)
