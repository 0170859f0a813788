"""All that writes files, as calls that take a folder: for disks that are full."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

Write = Callable[[Path], object]


def profiles() -> Write:
    """Return the writing of a day of profiles."""
    from tests.builders.files import write_profiles

    return lambda folder: write_profiles(folder / "profiles.nc")


def orbit() -> Write:
    """Return the writing of a synthetic orbit."""
    from tests.builders.orbit_builder import build_orbit

    return lambda folder: build_orbit(folder / "orbit.nc", n_scanline=8, n_ground_pixel=6)


def checkpoint() -> Write:
    """Return the writing of a checkpoint."""
    from dacno2_s5p.network.checkpoint import save_checkpoint
    from tests.builders.network_builders import mini_config, random_network
    from tests.builders.training_builders import make_days, make_info

    network, info = random_network(mini_config()), make_info(make_days(n_day=2))
    weights = network.state_dict()
    return lambda folder: save_checkpoint(folder / "best.safetensors", weights, info)


def chunk() -> Write:
    """Return the writing of a part of a store."""
    from dacno2_s5p.store.chunks import write_chunk

    values = {"a": np.zeros((64, 64), np.float32)}
    return lambda folder: write_chunk(folder / "day.safetensors", values, {"mark": "0"})


def day() -> Write:
    """Return the writing of a day's sums."""
    from retrieval.l3.day_file import DayRecord, write_day
    from retrieval.l3.sums import Sums, Weighting

    grid = _grid()
    zeros = np.random.default_rng(0).random(grid.shape)
    sums = Sums(grid, ("TM5",), Weighting.OVERLAP)
    sums.weighted[:] = zeros
    record = DayRecord(np.datetime64("2019-06-01"), grid, {"products": ["TM5"]})
    return lambda folder: write_day(folder / "day.nc", sums, record)


def period() -> Write:
    """Return the writing of means of a period."""
    from retrieval.l3.file import write_l3
    from retrieval.l3.means import L3

    grid = _grid()
    values = np.random.default_rng(0).random(grid.shape)
    days = (np.datetime64("2019-06-01"), np.datetime64("2019-06-30"))
    found = L3(
        grid=grid, products=("TM5",), mean=values[None], weight=values, coverage=values,
        count=np.ones(grid.shape, int), days=np.ones(grid.shape, int), period=days, n_day=1,
    )  # fmt: skip
    return lambda folder: write_l3(folder / "june.nc", found)


def _grid():
    from retrieval.physics.geometry.grids import RectilinearGrid

    return RectilinearGrid.from_centres(np.arange(0.05, 5.0, 0.1), np.arange(45.05, 50.0, 0.1))


WRITERS: dict[str, Callable[[], Write]] = {
    write.__name__: write for write in (profiles, orbit, checkpoint, chunk, day, period)
}
"""Writers by name."""
