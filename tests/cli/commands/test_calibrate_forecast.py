"""`calibrate --forecast`: a checkpoint that joins the forecast, fitted on days kept back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dacno2_s5p.network.checkpoint import load_checkpoint, save_checkpoint
from dacno2_s5p.training.sampling import SamplingRecipe
from tests.builders.network_builders import mini_config, random_network
from tests.builders.training_builders import make_days, make_info, make_recipe, write_days


@pytest.fixture
def case(tmp_path):
    """Write a store with forecasts of six days, two not trained on, and a network without."""
    source = make_days(6, optional=("cams",))
    store = write_days(tmp_path / "store", source)
    blocked = SamplingRecipe(split="blocked", block_days=2, validation_share=0.4, crop=48)
    recipe = make_recipe(sampling=blocked)
    info = make_info(
        make_days(6),
        phase=2,
        recipe={**recipe.to_dict(), "data": {"years": [2019]}},
        data_manifest=store.manifest_hash,
        trained_days=tuple(str(day) for day in store.days[:4]),
        preparation=store.preparation,
    )
    path = tmp_path / "lean.safetensors"
    save_checkpoint(path, random_network(mini_config()).state_dict(), info)
    return path, store


def test_the_share_goes_into_a_checkpoint_of_its_own(run, case, tmp_path):
    """Beside the other by default, of one share at all heights; never over what is there."""
    path, store = case
    told = run("calibrate", "--forecast", "-c", path, "--store", store.folder, "--json")
    assert told.status == 0, told.err
    found = json.loads(told.out)
    target = tmp_path / "lean-cams.safetensors"
    assert found["file"] == str(target)
    assert found["days"] == [str(day) for day in store.days[4:]]
    joined = load_checkpoint(target)
    for name in ("wide", "near"):
        share = getattr(joined.network.blend, f"{name}_share")
        np.testing.assert_allclose(share, found[name], rtol=1e-6)  # float32
    np.testing.assert_allclose(joined.network.blend.amount, found["amount"], rtol=1e-6)
    again = run("calibrate", "--forecast", "-c", path, "--store", store.folder)
    assert again.status == 1
    assert "lean-cams.safetensors" in again.error


def test_days_are_told_without_fitting(run, case, tmp_path):
    path, store = case
    told = run("calibrate", "--forecast", "-c", path, "--store", store.folder, "--dry-run")
    assert told.out.split() == [str(day) for day in store.days[4:]]
    assert not (tmp_path / "lean-cams.safetensors").exists()


def test_one_network_and_one_thing_at_a_time(run, case):
    path, store = case
    given = ("--store", store.folder, "-c", path)
    for extra, said in ((("-c", path), "one network at a time"), (("--transport",), "Give one of")):
        told = run("calibrate", "--forecast", *given, *extra)
        assert told.status == 2
        assert said in told.err
