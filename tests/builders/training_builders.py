"""Small worlds in memory and recipes for tests of training, checkpoints and prediction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from dacno2_s5p.inputs.grid import ModelGrid
from dacno2_s5p.inputs.normalisation import (
    InputStatistics,
    StatisticsBuilder,
    TargetScaling,
    Welford,
)
from dacno2_s5p.inputs.samples import GROUPS, ArrayDays, Inputs, Stations
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.network.checkpoint import CheckpointInfo
from dacno2_s5p.sources.cams.fields import Target
from dacno2_s5p.sources.day import MONTHLY
from dacno2_s5p.store.store import Store
from dacno2_s5p.store.write import StoreWriter
from dacno2_s5p.training.recipe import PhaseRecipe, Recipe
from dacno2_s5p.training.sampling import SamplingRecipe
from tests.builders.network_builders import mini_config

TABLE = InputTable.default()
GRID = ModelGrid("small world", "EPSG:3035", 3.6e6, 2.8e6, 2000.0, 64, 64, 48, 2, 2)
RATIO = np.array([1.0, 0.95, 0.85, 0.7, 0.5, 0.25, 0.15, 0.1])


def smooth(rng, *shape, cells=8):
    """Return noise of a few waves across the last two axes, values about 0-1."""
    n_y, n_x = shape[-2:]
    y, x = np.linspace(0, 1, n_y)[:, None], np.linspace(0, 1, n_x)[None, :]
    field = np.zeros(shape)
    for _ in range(cells):
        amplitude = rng.random(shape[:-2])[..., None, None]
        phase = rng.random(4)
        field += (
            amplitude * np.sin(2 * np.pi * (phase[0] * 3 * x + phase[1] * 3 * y + phase[2])) ** 2
        )
    return field / cells


def make_days(n_day=6, n_step=8, grid=GRID, n_station=30, seed=0, optional=()) -> ArrayDays:
    """Return days whose NO2 grows with emissions and falls with wind and height.

    The optional groups `transport` and `cams` are there where they are named.
    """
    rng = np.random.default_rng(seed)
    coarse = (grid.n_y // 8, grid.n_x // 8)
    emission = 1e-10 * smooth(rng, 12, *grid.shape) ** 4
    emission[9:] *= 1e12
    geography = np.concatenate(
        [500.0 * smooth(rng, 1, *grid.shape), rng.integers(0, 2, (5, *grid.shape))]
    )
    rows, columns = rng.integers(0, grid.n_y, n_station), rng.integers(0, grid.n_x, n_station)
    days, cams, stations = [], [], []
    for day in range(n_day):
        wind = 2.0 + 6.0 * rng.random()
        single = smooth(rng, n_step, 13, *coarse) + wind
        single[:, 8] *= 1e-4
        multi = smooth(rng, n_step, 9, 8, *coarse) * 10.0 + wind
        angle = 2 * np.pi * (day % 7) / 7
        temporal = np.array([np.sin(angle), np.cos(angle), 2e4 + 1e3 * rng.random()])
        groups = (temporal, emission, geography, single, multi)
        inputs = Inputs(*(torch.tensor(g, dtype=torch.float32) for g in groups))
        surface = 2.0 + 60.0 * (emission[:9].sum(axis=0) / emission[:9].sum(axis=0).max()) / wind
        profile = surface * RATIO[:, None, None]
        blocks = profile.reshape(8, grid.n_y // 4, 4, grid.n_x // 4, 4).mean(axis=(2, 4))
        cams.append(torch.tensor(blocks, dtype=torch.float32))
        if "transport" in optional:
            scale = np.array([1.0, 0.2, 0.1, 0.0])[:, None, None]
            maps = surface * scale + np.array([0.0, 0.0, 0.0, 400.0 + 100.0 * wind])[:, None, None]
            inputs = replace(inputs, transport=torch.tensor(maps, dtype=torch.float32))
        if "cams" in optional:
            forecast = cams[-1] * (0.8 + 0.4 * rng.random())
            inputs = replace(inputs, cams=forecast)
        days.append(inputs)
        values = surface[rows, columns] * 1.1
        stations.append(Stations(rows, columns, values, np.ones(n_station)))
    return ArrayDays(grid, days, cams, stations)


def statistics_of(days: ArrayDays) -> InputStatistics:
    """Return the statistics of all days."""
    builder = StatisticsBuilder(TABLE, 8)
    for inputs in days.days:
        for group in GROUPS:
            builder.add(group, getattr(inputs, group).numpy())
    return builder.statistics()


def scaling_of(days: ArrayDays) -> TargetScaling:
    """Return layer ratios and target scale of all days."""
    total = Welford((8,))
    for field in days.cams_fields:
        total.add(field.numpy().reshape(8, -1), axis=1)
    return TargetScaling.from_moments(total.mean.tolist(), total.std.tolist())


def make_info(days: ArrayDays, config=None, **changes) -> CheckpointInfo:
    """Return the description of a checkpoint trained on these days."""
    values = {
        "network": config or mini_config(),
        "inputs": TABLE,
        "grid": days.grid,
        "preparation": Preparation(weather_steps=8, weather_step_hours=3),
        "statistics": statistics_of(days),
        "scaling": scaling_of(days),
        "phase": 1,
        "step": 0,
        "training_data": "synthetic",
        "data_manifest": "0" * 64,
    }
    return CheckpointInfo(**{**values, **changes})


def make_recipe(config=None, sampling=None, **changes) -> Recipe:
    """Return a recipe of three short phases, `changes` applied to each."""
    values = {
        "steps": 6,
        "batch": 2,
        "micro_batch": 1,
        "warmup": 2,
        "learning_rate": 3e-3,
        "validate_every": 3,
        "mean_decay": 0.9,
    }
    phases = tuple(PhaseRecipe(phase, **{**values, **changes}) for phase in (1, 2, 3))
    given = {"crop": 48, "validation_samples": 2, "validation_share": 0.3}
    chosen = sampling or SamplingRecipe(**given)
    return Recipe("test", 1, config or mini_config(), chosen, phases)


def write_days(folder, days: ArrayDays, first="2019-07-01") -> Store:
    """Write days in memory as a finished store; every third station cell is held back."""
    preparation = Preparation(weather_steps=days.days[0].single.shape[0], weather_step_hours=3)
    table = InputTable.default(days.days[0].groups)
    writer = StoreWriter(folder, days.grid, table, preparation, origin="synthetic")
    fine = {
        variable.name: getattr(days.days[0], group).numpy()[list(channels)]
        for group in ("emission", "geography")
        for variable, channels in _channels(group)
    }
    monthly = {v.name for v in TABLE.variables if v.source == MONTHLY}
    writer.write_static({name: maps for name, maps in fine.items() if name not in monthly}, "")
    maps = {name: maps for name, maps in fine.items() if name in monthly}
    dates = np.datetime64(first, "D") + np.arange(days.n_day)
    for month in np.unique(dates.astype("datetime64[M]")):
        writer.write_month(month, maps, "")
    cells = [
        {"row": int(r), "column": int(c), "members": [f"P{i}"], "is_evaluation": i % 3 == 0}
        for i, (r, c) in enumerate(zip(*days.stations(0)[:2], strict=True))
    ]
    for i, date in enumerate(dates):
        arrays = {group: values.numpy() for group, values in days.days[i].groups.items()}
        target = Target(days.cams_fields[i].numpy(), "validated")
        writer.write_day(date, arrays, target, days.stations(i).values, "")
    more = {"stations": {first[:4]: cells}, "sources": {}}
    writer.finish(list(dates), [], {**more, "left_out": {}})
    return Store.open(folder)


def _channels(group):
    """Return each variable of a group with the numbers of its channels."""
    names = [channel.variable for channel in TABLE.channels(group)]
    return [(v, [i for i, n in enumerate(names) if n == v.name]) for v in TABLE.group(group)]
