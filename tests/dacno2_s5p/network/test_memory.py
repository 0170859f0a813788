"""Estimates of memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dacno2_s5p.inputs.grid import named_grid
from dacno2_s5p.inputs.variables import Preparation
from dacno2_s5p.network.dacno2 import NetworkConfig
from dacno2_s5p.network.memory import (
    available_bytes,
    machine_bytes,
    prediction_bytes,
    training_bytes,
)
from tests.builders.training_builders import make_days, make_info

GRID = named_grid("europe-2km")


def test_named_sizes_take_what_was_measured():
    """`small` and `full` with 24 steps and patches of 256 cells: within a factor of 1.5."""
    info = replace(make_info(make_days(n_day=2)), preparation=Preparation())
    # peaks of one patch, resident: 0.9-1.6 GB and 4.3-5.2 GB on an AMD EPYC
    for size, measured in (("small", 1.25e9), ("full", 4.75e9)):
        of_size = replace(info, network=NetworkConfig.of_size(size))
        ratio = prediction_bytes(of_size, GRID) / measured
        assert 1 / 1.5 < ratio < 1.5


def test_smaller_patches_and_fewer_steps_take_less():
    """What a user can change changes the estimate; a spread costs more."""
    info = replace(make_info(make_days(n_day=2)), preparation=Preparation())
    whole = prediction_bytes(info, GRID)
    assert prediction_bytes(info, GRID.with_patches(96)) < whole
    fewer = replace(info, preparation=Preparation(weather_steps=8, weather_step_hours=3))
    assert prediction_bytes(fewer, GRID) < whole
    assert prediction_bytes(info, GRID, with_spread=True) > whole


def test_training_takes_what_was_measured():
    """The packaged recipe's network, crops of 96 cells, four at once: within a factor of 1.5."""
    widths = (24, 16, 12, 8)
    network = NetworkConfig(
        single_widths=widths,
        multi_widths=widths,
        static_widths=(32, 24, 16, 12),
        decoder_widths=(64, 32, 24, 16),
        upsampling="coarse",
    )
    needed = training_bytes(network, 8, 96, 4)
    assert 1 / 1.5 < needed / 1.02e9 < 1.5  # peak in bfloat16 on an AMD EPYC (make bench)
    assert training_bytes(network, 8, 96, 2) < needed


def test_free_memory_is_a_size_or_unknown():
    """Positive where the system tells it."""
    free = available_bytes()
    assert free is None or 0.0 < free < (machine_bytes() or np.inf)


def test_memory_full_of_cached_files_is_available(tmp_path, monkeypatch):
    """What the kernel says can be had counts, not what is empty; elsewhere what is empty."""
    said = tmp_path / "meminfo"
    said.write_text("MemTotal: 9000 kB\nMemFree: 100 kB\nMemAvailable:    2048 kB\nCached: 1 kB\n")
    monkeypatch.setattr("dacno2_s5p.network.memory.MEMINFO", said)
    assert available_bytes() == 2048 * 1024
    monkeypatch.setattr("dacno2_s5p.network.memory.MEMINFO", tmp_path / "none")
    assert available_bytes() is None or available_bytes() > 0
