"""The leak of a random split: seen by scores on both kinds of days, without changing a run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.network.tensor_file import read_tensors
from dacno2_s5p.training.losses import TERMS
from dacno2_s5p.training.phase import PhaseTrainer, new_network
from dacno2_s5p.training.report import SplitScores
from dacno2_s5p.training.sampling import SamplingRecipe, make_sampler, validation_days
from dacno2_s5p.training.split_scores import require_blocks, split_scores, windows, write_scores
from tests.builders.network_builders import mini_config
from tests.builders.training_builders import make_days, make_info, make_recipe

BLOCKED = SamplingRecipe(
    split="blocked", block_days=2, validation_share=0.3, crop=48, validation_samples=4
)


@pytest.fixture(scope="module")
def days():
    return make_days(8)


def trainer_of(days, recipe, folder):
    info = make_info(days, recipe.network)
    return PhaseTrainer(new_network(recipe), days, info, recipe, 1, folder)


@pytest.mark.parametrize("crop", [48, 0])
def test_windows_are_of_days_seen_and_of_days_held_back(days, crop):
    """As many of each, of the size of the samples, and not the samples themselves."""
    recipe = replace(BLOCKED, crop=crop)
    held = validation_days(days.n_day, recipe, 7)
    seen, unseen = windows(days, recipe, 7, 12)
    assert not held[[c.day for c in seen]].any() and held[[c.day for c in unseen]].all()
    assert {c.patch.size for c in (*seen, *unseen)} == {48}
    assert len(seen) == len(unseen) == 12
    assert windows(days, recipe, 7, 12) == (seen, unseen)
    sampler = make_sampler(days, recipe, 7)
    drawn = {crop for step in range(3) for crop in sampler.draw(step, 4)}
    assert len(set(seen) - drawn) > 6


def test_scores_are_of_the_best_network_on_either_kind_of_days(days, tmp_path, monkeypatch):
    """With terms that the kind of day alone decides, the numbers are known."""
    recipe = make_recipe(mini_config(), BLOCKED, steps=2, validate_every=1)
    trainer = trainer_of(days, recipe, tmp_path / "run")
    result = trainer.run()
    held = validation_days(days.n_day, BLOCKED, trainer.seed)
    best, _ = read_tensors(result.checkpoint)

    def score(crops, weights):
        assert all(torch.equal(weights[name], t) for name, t in best.items())
        kinds = {bool(held[c.day]) for c in crops}
        assert len(crops) == 4 and len(kinds) == 1
        return {**dict.fromkeys(TERMS, 0.0), "mean_square": 2.0 if kinds.pop() else 0.5}

    monkeypatch.setattr(trainer, "score", score)
    found = split_scores(trainer, result.checkpoint)
    weight = trainer.recipe.weights.mean_square
    assert (found.random["loss"], found.blocked["loss"]) == (0.5 * weight, 2.0 * weight)
    assert found.difference == pytest.approx(0.75)
    write_scores(tmp_path / "splits.json", found)
    written = json.loads((tmp_path / "splits.json").read_text())
    assert written == {"random": found.random, "blocked": found.blocked, "n": 4, "difference": 0.75}


def test_comparing_leaves_the_run_as_it_is(days, tmp_path):
    """State, best network and the running mean are the same before and after."""
    recipe = make_recipe(mini_config(), BLOCKED, steps=2, validate_every=1)
    trainer = trainer_of(days, recipe, tmp_path)
    result = trainer.run()
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    mean = {name: t.clone() for name, t in trainer.mean.state.items()}
    found = split_scores(trainer, result.checkpoint)
    assert found == split_scores(trainer, result.checkpoint)
    assert found.random["loss"] > 0.0
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert all(torch.equal(mean[name], t) for name, t in trainer.mean.state.items())


def test_a_random_split_has_nothing_to_compare_with():
    """No block was held back: refused before any training."""
    with pytest.raises(ConfigurationError, match="Whole blocks of days must be held back"):
        require_blocks(SamplingRecipe(split="random"))


def test_the_difference_is_a_share_of_the_honest_loss():
    """0.45 against 0.5 is 10 % better."""
    assert SplitScores({"loss": 0.45}, {"loss": 0.5}, 8).difference == pytest.approx(0.1)
