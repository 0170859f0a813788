"""Constants are found again in what they made."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.grid import ModelGrid
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.store.transported import Transported, with_transport
from dacno2_s5p.transport import fit
from dacno2_s5p.transport.constants import TransportConstants
from dacno2_s5p.transport.fit import explained, features, fit_constants
from dacno2_s5p.transport.prior import prior_profile
from dacno2_s5p.transport.winds import HEIGHTS

GRID = ModelGrid("small", "EPSG:3035", 4.0e6, 3.0e6, 2000.0, 64, 64, 64)
TABLE = InputTable.default(["transport"])
DAYS = np.datetime64("2019-07-01") + np.arange(3)
LEVELS = (0.0, 500.0)


class Windy:
    """Two towns in winds that turn with height and from day to day; read once a day."""

    def __init__(self, table, preparation, grid):
        del table
        self.preparation, self.grid = preparation, grid
        self.read: list[np.datetime64] = []

    def month_maps(self, month):
        del month
        field = np.zeros((1, *self.grid.shape), np.float32)
        n_y, n_x = self.grid.shape
        field[:, n_y // 2, n_x // 2 - 9] = field[:, n_y // 2 + 12, n_x // 2 + 4] = 1e-8
        return {"nox_road": field}

    def day_arrays(self, day):
        self.read.append(day)
        n, shape = self.preparation.weather_steps, (self.grid.n_y // 8, self.grid.n_x // 8)
        hour, height = np.arange(n), np.array(HEIGHTS)
        angle = day.astype(int) + 0.05 * hour[:, None] + height / 800.0
        single, multi = np.zeros((n, 2, *shape)), np.zeros((n, 2, len(HEIGHTS), *shape))
        single[:, 0] = (300.0 + 700.0 * np.sin(np.pi * hour / n))[:, None, None]
        single[:, 1] = (2e6 * np.sin(np.pi * hour / n))[:, None, None]
        multi[:, 0] = (4.0 * np.cos(angle))[..., None, None]
        multi[:, 1] = (4.0 * np.sin(angle))[..., None, None]
        return {"single": single.astype(np.float32), "multi": multi.astype(np.float32)}


def fitting():
    made = []

    def make(*of):
        made.append(Windy(*of))
        return made[-1]

    found = Transported(make, dict, GRID, TABLE, with_transport(Preparation(), TABLE, {}))
    return found.fitting(list(DAYS)), made


def test_constants_are_found_in_what_they_made(monkeypatch):
    """Targets carried with other constants than the start's: the search finds these."""
    import torch

    tried = {"wind_height": (0.2, 0.5), "day_lifetime": (3.0, 6.0), "exchange": (1.0,)}
    monkeypatch.setattr(fit, "TRIED", {**tried, "night_lifetime": (15.0,)})
    monkeypatch.setattr(fit, "PASSES", 1)
    make, made = fitting()
    true = TransportConstants(wind_height=0.5, day_lifetime=6.0, factor=4)
    targets = {}
    for day in DAYS:
        maps = torch.from_numpy(make(true).day(day))[None]
        profile = prior_profile(maps, LEVELS)[0].numpy()
        aloft = np.random.default_rng(day.astype(int)).random((1, 16, 16))
        targets[day] = np.concatenate([profile.reshape(2, 16, 4, 16, 4).mean(axis=(2, 4)), aloft])
    told = []
    found = fit_constants(
        make, targets, (*LEVELS, 5000.0), progress=lambda *step: told.append(step)
    )
    assert (found.constants.wind_height, found.constants.day_lifetime) == (0.5, 6.0)
    assert found.heights == LEVELS
    assert found.constants.factor == TransportConstants().factor
    # the fields hold the surface but for shapes, so nearly all is explained
    assert found.explained[0] > 0.95
    assert found.curves["wind_height"][0][1] < found.curves["wind_height"][1][1]
    assert told[-1][0] == told[-1][1]
    # weather is read once a day, beside the first look at how far it reaches
    assert [len(source.read) for source in made] == [1 + len(DAYS)]
    assert tomllib.loads(found.toml())["transport"] == found.constants.to_dict()


def test_what_is_explained_is_that_of_days_left_out():
    """Exact fields explain all; fields of noise explain nothing of other days."""
    rng = np.random.default_rng(0)
    fields = {day: rng.random((64, 8)) for day in DAYS}
    weights = rng.random((8, 2))
    targets = {day: (fields[day] @ weights).T.reshape(2, 8, 8) for day in DAYS}
    # a ridge of 1e-3 of the variance takes a per cent at most
    assert explained(fields, targets).min() > 0.99
    noise = {day: rng.random((64, 8)) for day in DAYS}
    assert explained(noise, targets).max() < 0.05


def test_features_are_on_the_cells_of_cams():
    maps = np.ones((4, 16, 8), np.float32)
    assert features(maps).shape == (4 * 2, 8)


def test_two_days_are_too_few():
    targets = {day: np.zeros((2, 16, 16)) for day in DAYS[:2]}
    with pytest.raises(DataError, match=r"There must be 3\. Given 2"):
        fit_constants(fitting()[0], targets, LEVELS)
