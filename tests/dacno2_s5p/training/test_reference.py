"""The phase-2 fields of phase 3: those of the frozen network, kept where samples come again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dacno2_s5p.training.losses import Totals
from dacno2_s5p.training.phase import PhaseTrainer, new_network
from dacno2_s5p.training.reference import Reference
from tests.builders.training_builders import make_days, make_info, make_recipe


@pytest.fixture(scope="module")
def days():
    return make_days()


@pytest.fixture
def recipe():
    return make_recipe()


@pytest.fixture
def info(days):
    return make_info(days)


def test_the_reference_is_the_frozen_network(days, info, recipe, tmp_path):
    """At the start of phase 3 the regularisation is 0: the prediction is its own reference."""
    trainer = PhaseTrainer(new_network(recipe), days, info, recipe, 3, tmp_path / "run")
    crops = trainer.sampler.validation
    with torch.no_grad():
        terms = trainer._terms(trainer.network.eval(), crops, Totals(len(crops), 1.0))
    assert abs(float(terms.regularisation)) < 1e-3  # float16 of the cache
    assert isinstance(trainer.reference, Reference)
    assert len(trainer.reference._fields) == len(set(crops))
    with torch.no_grad():
        anew = [trainer._terms(trainer.network.eval(), crops[:1], Totals(1, 1.0)) for _ in "12"]
    assert torch.equal(anew[0].regularisation, anew[1].regularisation)


@pytest.mark.parametrize("crop", [48, 0])
def test_the_reference_keeps_what_comes_again_only(crop, days, info, recipe, tmp_path):
    """Random crops are not kept, or memory would grow with every step; patches are."""
    recipe = replace(recipe, sampling=replace(recipe.sampling, crop=crop))
    trainer = PhaseTrainer(new_network(recipe), days, info, recipe, 3, tmp_path / "run")
    trainer.run()
    kept = set(trainer.reference._fields)
    drawn = {c for step in range(6) for c in trainer.sampler.draw(step, 2)}
    validation = set(trainer.sampler.validation)
    assert kept == (validation if crop else validation | drawn)
    assert crop == 0 or drawn - validation
