"""Profile files: units, times, where they come from."""

from __future__ import annotations

from dataclasses import replace

import netCDF4
import numpy as np
import pytest

from dacno2_s5p.network.checkpoint import Checkpoint
from dacno2_s5p.prediction.profile_files import (
    made_by,
    profile_name,
    profiles_of_day,
    window_bounds,
)
from retrieval.apriori.profile_file import write_profile_file
from retrieval.apriori.registry import open_apriori
from tests.builders.network_builders import random_network
from tests.builders.training_builders import GRID, make_days, make_info

DAY = np.datetime64("2023-06-01")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    info = make_info(make_days(n_day=2))
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    return Checkpoint(path, "ab" * 32, info, random_network(info.network))


@pytest.fixture
def field():
    rng = np.random.default_rng(3)
    return rng.uniform(0.1, 30.0, (8, *GRID.shape)).astype(np.float32)


def test_a_file_gives_back_field_heights_and_time(model, field, tmp_path):
    """What is written in ug m-3 is read as the same concentration, at 12 UTC, surface first."""
    path = tmp_path / profile_name(DAY)
    write_profile_file(path, profiles_of_day(model, DAY, field, spread=0.1 * field))
    opened = open_apriori(tmp_path, DAY)
    assert [str(t)[:16] for t in opened.times] == ["2023-06-01T12:00"]
    assert opened.is_synthetic
    opened.close()
    with netCDF4.Dataset(path) as dataset:
        assert dataset["no2"].dimensions == ("time", "height", "y", "x")
        # two roundings to float32
        np.testing.assert_allclose(dataset["no2"][0], field, rtol=3e-7)
        np.testing.assert_allclose(dataset["no2_uncertainty"][0], 0.1 * field, rtol=3e-7)
        assert dataset["height"][:].tolist() == list(model.info.preparation.heights)


def test_where_it_comes_from_is_in_the_file(model, field, tmp_path):
    """Fingerprint, inputs and the word synthetic are attributes; the fingerprint is found again."""
    path = tmp_path / "profiles.nc"
    profiles = profiles_of_day(model, DAY, field, input_files=["era5: a.nc, b.nc"])
    write_profile_file(path, profiles)
    assert profiles.attributes["input_files"] == "era5: a.nc, b.nc"
    assert profiles.attributes["training_data"] == "synthetic"
    assert "synthetic" in profiles.attributes["source"]
    assert made_by(path) == model.fingerprint
    (tmp_path / "other.nc").write_bytes(b"no netCDF")
    assert made_by(tmp_path / "other.nc") == ""


def test_real_data_are_not_called_synthetic(model, field):
    """A real checkpoint on real inputs says nothing of training data; on synthetic ones it does."""
    real = replace(model, info=replace(model.info, training_data="real"))
    plain = profiles_of_day(real, DAY, field)
    assert "synthetic" not in " ".join(plain.attributes.values())
    twin = profiles_of_day(real, DAY, field, inputs_origin="synthetic")
    assert twin.attributes["training_data"] == "synthetic"


def test_bounds_follow_the_window():
    """Half an hour before the first stamp to half an hour after the last."""
    first, last = window_bounds("6", DAY)
    assert (str(first)[11:16], str(last)[11:16]) == ("05:30", "06:30")
    first, last = window_bounds("daily", DAY)
    assert last - first == np.timedelta64(24, "h")
