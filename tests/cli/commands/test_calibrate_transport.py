"""`calibrate --transport`: constants and curves from a store and the files it was made of."""

from __future__ import annotations

import json
import tomllib

import numpy as np
import pytest

from cli.tasks import transport
from dacno2_s5p.store.transported import Transported
from dacno2_s5p.transport import fit
from dacno2_s5p.transport.winds import HEIGHTS
from tests.builders.training_builders import make_days, write_days


@pytest.fixture
def store(tmp_path):
    return write_days(tmp_path / "store", make_days(n_day=3))


class Calm:
    """An even wind over even emissions."""

    def __init__(self, table, preparation, grid):
        del table
        self.preparation, self.grid = preparation, grid

    def month_maps(self, month):
        del month
        return {"nox_road": np.full((1, *self.grid.shape), 1e-10, np.float32)}

    def day_arrays(self, day):
        del day
        n, shape = self.preparation.weather_steps, (self.grid.n_y // 8, self.grid.n_x // 8)
        return {
            "single": np.full((n, 2, *shape), 900.0, np.float32),
            "multi": np.full((n, 2, len(HEIGHTS), *shape), 3.0, np.float32),
        }


def test_files_that_are_not_there_are_told(run, store, tmp_path):
    """A store of files needs their hourly weather again; nothing is written without."""
    told = run("calibrate", "--transport", "-w", tmp_path, "--store", store.folder)
    assert told.status == 1
    assert "ERA5" in told.error or "era5" in told.error or "emissions" in told.error
    assert not (tmp_path / "transport.toml").exists()


def test_a_network_or_the_transport_is_asked_for(run, tmp_path):
    told = run("calibrate", "-w", tmp_path)
    assert told.status == 2
    assert "--transport" in told.err


def test_constants_are_written_with_their_curves(run, store, tmp_path, monkeypatch):
    """A TOML that prepare takes, and a figure beside it; never over what is there."""
    few = {"wind_height": (0.1, 0.2), "day_lifetime": (3.0,), "exchange": (1.0,)}
    monkeypatch.setattr(fit, "TRIED", {**few, "night_lifetime": (15.0,)})

    def carried(store, paths, twin):
        del paths, twin
        table = store.table.with_groups(["transport"])
        return Transported(Calm, dict, store.grid, table, store.preparation)

    monkeypatch.setattr(transport, "_transported", carried)
    args = ("calibrate", "--transport", "-w", tmp_path, "--store", store.folder)
    told = run(*args, "--json")
    assert told.status == 0, told.err
    report = json.loads(told.out)
    written = tomllib.loads((tmp_path / "transport.toml").read_text())["transport"]
    assert written == report["constants"]
    assert written["wind_height"] in (0.1, 0.2)
    assert len(report["curves"]["wind_height"]) == 2
    assert np.isfinite(list(report["explained"].values())).all()
    assert (tmp_path / "transport.png").stat().st_size > 1000
    assert "--overwrite" in run(*args).error
