"""A training store straight from the twin world."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.inputs.grid import CAMS_FACTOR, ModelGrid
from dacno2_s5p.twin.network_days import SimulatedDays, TwinInputs
from dacno2_s5p.twin.training_store import TwinDays, write_twin_store

GRID = ModelGrid("Benelux", "EPSG:3035", 3_840_000.0, 3_008_000.0, 2000.0, 128, 128, 128)
# 1 January and 10 July: the second is the summer day of the other tests
CHOICE = TwinDays((2019,), every=190, weather_steps=8, weather_step_hours=3, groups=("transport",))


@pytest.fixture(scope="module")
def store(twin, tmp_path_factory):
    return write_twin_store(tmp_path_factory.mktemp("store"), CHOICE, grid=GRID, twin=twin)


def test_days_are_those_of_the_world(twin, store):
    """Inputs and target of a day come back as the world gives them."""
    day = store.days[1]
    assert str(day) == "2019-07-10"
    source = TwinInputs(twin, store.table, store.preparation, GRID)
    arrays, inputs = source.day_arrays(day), store.day_inputs(1)
    for name in ("temporal", "single", "multi"):
        np.testing.assert_array_equal(getattr(inputs, name), arrays[name])
    target = source.target(day).no2
    assert target.shape == (8, GRID.n_y // CAMS_FACTOR, GRID.n_x // CAMS_FACTOR)
    np.testing.assert_array_equal(store.cams_field(1), target)
    assert store.training_data == "synthetic"


def test_a_day_to_predict_from_is_the_stores(twin, store):
    """Inputs without files in between equal those that went through a store."""
    info = SimpleNamespace(inputs=store.table, preparation=store.preparation, grid=GRID)
    days = SimulatedDays(twin, info)
    day, stored = store.days[1], store.day_inputs(1)
    assert days.missing(day) == []
    given = days.read(day)
    for name in ("temporal", "emission", "geography", "single", "multi"):
        np.testing.assert_array_equal(getattr(given, name), getattr(stored, name))
    # as half floats in the store
    np.testing.assert_allclose(stored.transport, given.transport, rtol=2.0**-11)
    assert float(given.transport[0].std()) > 0.0
    assert days.origin == "synthetic"
    assert days.names(day) == [f"twin world, seed {twin.seed}, 2019-07-10"]


def test_stations_lie_in_their_cells(twin, store):
    """Single background stations of the window keep place, split and mean."""
    stations = twin.stations
    means = TwinInputs(twin, store.table, store.preparation, GRID).station_means(store.days[1])
    x = (stations.column * 2000.0 + 3_072_000.0 - GRID.x_origin) / 2000.0
    y = (stations.row * 2000.0 + 2_096_000.0 - GRID.y_origin) / 2000.0
    place = {code: i for i, code in enumerate(stations.code)}
    found, compared = store.stations(1, "all"), 0
    by_cell = {(c["row"], c["column"]): c for c in store.station_cells(1)}
    for row, column, value in zip(found.rows, found.columns, found.values, strict=True):
        cell = by_cell[int(row), int(column)]
        if len(cell["members"]) > 1:
            continue
        i = place[cell["members"][0]]
        assert (x[i], y[i]) == (column, row)
        assert cell["is_evaluation"] == bool(stations.is_evaluation[i])
        assert value == pytest.approx(float(means[i]), rel=1e-6)
        compared += 1
    assert compared > 20
    assert 0 < store.stations(1).values.size < found.values.size


def test_a_second_call_writes_nothing_again(store, twin):
    """Chunks that are there stay; progress still counts them."""
    before = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.safetensors")}
    heard = []
    write_twin_store(store.folder, CHOICE, lambda i, n: heard.append((i, n)), grid=GRID, twin=twin)
    after = {path: path.stat().st_mtime_ns for path in store.folder.rglob("*.safetensors")}
    assert before == after
    assert heard == [(1, 2), (2, 2)]


def test_days_of_two_worlds_are_not_mixed(store, twin):
    """A store names its world, and is not completed with days of another."""
    assert store.world == twin.version.kind == "twin world"
    other = replace(CHOICE, version=2, exact_winds=True)
    with pytest.raises(
        ConfigurationError, match=r"one world\. Given one of twin world, seed 20190 f"
    ):
        write_twin_store(store.folder, other, grid=GRID)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"years": [2019], "every": 7}, "no multiple of 7. Given 7"),
        ({"years": [2019], "evry": 4}, "evry"),
        ({"every": 4}, "years"),
        ({"years": [2019], "shared_hours": True}, "Given shared hours with version 1"),
    ],
)
def test_sections_that_cannot_be(values, named):
    """Weekdays are never lost silently, nor entries misspelt."""
    with pytest.raises(ConfigurationError, match=named):
        TwinDays.from_dict(values)
