"""The packaged checkpoint: what it says of itself, and what it knows of its world."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.errors import CheckpointError
from dacno2_s5p.inputs.grid import ModelGrid, named_grid
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.network.checkpoint import (
    load_checkpoint,
    shipped_checkpoint,
    shipped_checkpoints,
)
from dacno2_s5p.prediction.predict import as_trained, predict_day
from dacno2_s5p.twin.network_days import SimulatedDays
from dacno2_s5p.twin.writers.profiles import overpass_mean
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3

from .conftest import SUMMER

BENELUX = ModelGrid("Benelux", "EPSG:3035", 3_840_000.0, 3_008_000.0, 2000.0, 128, 128, 128)


PACKAGED = (*shipped_checkpoints(), *shipped_checkpoints(cams=True))


@pytest.fixture(scope="module")
def model():
    path = shipped_checkpoint()
    assert path is not None
    return load_checkpoint(path)


def test_they_are_small_together():
    """All members stay a small download; there are networks with the forecast and without."""
    assert {"twin.safetensors", "twin-cams.safetensors"} <= {path.name for path in PACKAGED}
    assert sum(path.stat().st_size for path in PACKAGED) < 8e6


@pytest.mark.parametrize("path", PACKAGED, ids=lambda path: path.stem)
def test_members_are_alike_but_for_their_weights(path):
    """Members of an ensemble have one network, one split of stations, the same days held back."""
    own = load_checkpoint(path).info
    has_cams = path.stem.startswith("twin-cams")
    first = load_checkpoint(shipped_checkpoint(cams=has_cams)).info
    assert own.inputs == InputTable.default(("transport", "cams") if has_cams else ("transport",))
    assert own.network == first.network
    assert own.training_stations == first.training_stations
    assert own.trained_days == first.trained_days
    number = path.stem.rpartition("-m")[2] if "-m" in path.stem else "0"
    assert own.recipe["member"] == int(number)


def test_it_fits_the_package_and_says_what_it_is(model):
    """Phase 3, the shipped inputs and grid; synthetic, so that real inputs are refused."""
    assert model.info.phase == 3
    assert model.info.inputs == InputTable.default(("transport",))
    assert model.info.grid == named_grid("europe-2km")
    assert model.info.training_data == "synthetic"
    model.require_origin("synthetic")
    with pytest.raises(CheckpointError, match="twin world"):
        model.require_origin("real")


def test_no_evaluation_station_was_trained_on(model, twin):
    """The stations it names are the world's, and none of them was held back."""
    stations = twin.stations
    held = set(stations.code[stations.is_evaluation])
    trained = set(model.info.training_stations)
    assert len(trained) > 300
    assert trained <= set(stations.code)
    assert not trained & held


def test_it_knows_a_summer_day(model, twin, summer_day):
    """Profiles fall with height and lie where the sources are, on a day of another version."""
    del summer_day  # simulated once for all tests
    day = np.datetime64(SUMMER)
    source = SimulatedDays(twin, model.info, BENELUX)
    no2 = predict_day(model, source.read(day), as_trained(BENELUX, model.info))
    levels = no2.mean(axis=(1, 2))
    assert np.all(np.diff(levels) < 0.0)
    rows = slice(*(round((BENELUX.y_origin - 2_096_000.0) / 2000.0) + n for n in (0, 128)))
    columns = slice(*(round((BENELUX.x_origin - 3_072_000.0) / 2000.0) + n for n in (0, 128)))
    truth = overpass_mean(twin, day)[:, rows, columns] / MICROGRAM_M3_TO_MOL_M3
    # a map of sources alone reaches about 0.5 on a day; a network that is lost, none
    assert np.corrcoef(no2[0].ravel(), truth[0].ravel())[0, 1] > 0.6
    # the surface mean within a factor of 2: the network is of version 2 of the world and this day
    # of version 1, where people keep other hours and lifetimes do not follow NOx; units are 46 off
    assert 0.5 < levels[0] / truth[0].mean() < 2.0
