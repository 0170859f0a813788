"""What validates is the same in all phases, and what was trained on is not forgotten."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dacno2_s5p.calibration.residuals import held_out_days
from dacno2_s5p.errors import CheckpointError, ConfigurationError, TrainingError
from dacno2_s5p.network.checkpoint import CheckpointInfo, read_info
from dacno2_s5p.network.tensor_file import read_tensors, write_tensors
from dacno2_s5p.store.store import Store
from dacno2_s5p.training.run import (
    days_of_own,
    days_of_parent,
    days_of_phase,
    run_phase,
    starting_point,
)
from dacno2_s5p.training.sampling import (
    SamplingRecipe,
    make_sampler,
    training_days,
    validation_days,
)
from tests.builders.training_builders import make_days, make_info, make_recipe, write_days

BLOCKED = SamplingRecipe(
    split="blocked", block_days=1, crop=48, validation_samples=2, validation_share=0.4
)
BEST = "best.safetensors"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_days(tmp_path_factory.mktemp("days") / "store", make_days(10))


def recipe_of(seed, *phases, sampling=BLOCKED, **data):
    whole = make_recipe(sampling=sampling, steps=1, validate_every=1)
    chosen = tuple(phase for phase in whole.phases if phase.phase in phases)
    return replace(whole, seed=seed, phases=chosen, data=data)


@pytest.mark.parametrize("sampling", [SamplingRecipe(), BLOCKED, replace(BLOCKED, crop=0)])
def test_phases_validate_on_the_same_samples_in_other_orders(sampling):
    """The split is of the seed and the days, the order of the phase, too."""
    days = make_days(10)
    first, second = (make_sampler(days, sampling, 4, phase) for phase in (1, 2))
    assert first.validation == second.validation
    assert first.draw(0, 8) != second.draw(0, 8)
    assert make_sampler(days, sampling, 5, 1).validation != first.validation
    trains = training_days(10, sampling, 4)
    assert all(trains[crop.day] for step in range(20) for crop in first.draw(step, 8))


def test_all_phases_of_a_run_keep_the_same_days_back(store, tmp_path):
    """Phase 2 is selected on days that phase 1 has not seen, and calibrated on them."""
    recipe = recipe_of(1, 1, 2)
    for phase in (1, 2):
        run_phase(store, recipe, phase, tmp_path)
    held = validation_days(store.n_day, BLOCKED, 1)
    kept = [day for day, is_held in zip(store.days, held, strict=True) if is_held]
    for phase in (1, 2):
        info = read_info(tmp_path / f"phase{phase}" / BEST)
        assert info.trained_days == tuple(str(d) for d in store.days if d not in kept)
        assert held_out_days(store, info, "c") == kept


def test_days_of_a_parent_of_another_seed_are_not_held_out(store, tmp_path, caplog):
    """Its own split counts, and the child's loss on them is said to flatter."""
    run_phase(store, recipe_of(5, 1), 1, tmp_path / "a")
    parent = tmp_path / "a" / "phase1" / BEST
    run_phase(store, recipe_of(9, 2), 2, tmp_path / "b", parent=parent)
    held = {seed: validation_days(store.n_day, BLOCKED, seed) for seed in (5, 9)}
    both = [d for i, d in enumerate(store.days) if held[5][i] and held[9][i]]
    info = read_info(tmp_path / "b" / "phase2" / BEST)
    assert both and held_out_days(store, info, "c") == both
    seen = int((held[9] & ~held[5]).sum())
    assert f"trained on {seen} of the {int(held[9].sum())} days held back" in caplog.text


def test_a_parent_that_names_no_days_has_seen_all_of_its_years(store, tmp_path):
    """Which of them it kept back is not known of its phases; other years stay free."""
    run_phase(store, recipe_of(5, 1, years=[2019]), 1, tmp_path)
    path = tmp_path / "phase1" / BEST
    weights, metadata = read_tensors(path)
    del metadata["trained_days"]
    write_tensors(path, weights, metadata)
    recipe = recipe_of(5, 2)
    _, info = starting_point(days_of_phase(store, recipe, 2), recipe, path)
    assert info.trained_days == tuple(map(str, store.days))
    with pytest.raises(ConfigurationError, match="kept back in all phases"):
        held_out_days(store, replace(info, phase=2, recipe=recipe.to_dict()), "c")
    older = replace(read_info(path), recipe={"data": {"years": [2018]}})
    assert days_of_parent(store, older) == frozenset()


def test_phases_of_two_twin_worlds_are_refused(store, tmp_path, monkeypatch):
    """A store tells its world to the checkpoint, and another world's store is not gone on with."""
    monkeypatch.setattr(Store, "world", "twin world")
    run_phase(store, recipe_of(5, 1), 1, tmp_path)
    path = tmp_path / "phase1" / BEST
    assert read_info(path).world == "twin world"
    monkeypatch.setattr(Store, "world", "twin world, version 2")
    with pytest.raises(CheckpointError, match=r"one twin world\. Given .*version 2' after 'twin w"):
        starting_point(store, recipe_of(5, 2), path)


def test_a_run_of_the_older_split_is_not_resumed(store, tmp_path):
    """Its validation samples were others: one line says so."""
    recipe = recipe_of(1, 1)
    run_phase(store, recipe, 1, tmp_path)
    path = tmp_path / "phase1" / "state.safetensors"
    tensors, metadata = read_tensors(path)
    write_tensors(path, tensors, {**metadata, "format": 1})
    with pytest.raises(TrainingError, match=r"must be of format 3. Given 1, of another version"):
        run_phase(store, recipe, 1, tmp_path, resume=True)


def test_random_patches_are_of_every_day(store):
    """No day is free of them; with crops whole days are drawn."""
    random = SamplingRecipe(split="random", validation_share=0.4)
    assert len(days_of_own(store, recipe_of(1, 1, sampling=random))) == 10
    assert len(days_of_own(store, recipe_of(1, 1, sampling=replace(random, crop=48)))) == 6


def test_older_checkpoints_are_read():
    """Without the entry there are none."""
    info = make_info(make_days(2))
    values = replace(info, trained_days=("2019-07-01",)).to_dict()
    assert CheckpointInfo.from_dict(values).trained_days == ("2019-07-01",)
    del values["trained_days"]
    assert CheckpointInfo.from_dict(values).trained_days == ()
