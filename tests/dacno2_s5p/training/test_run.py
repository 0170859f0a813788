"""A run's phases as its recipe describes them."""

from __future__ import annotations

from dataclasses import replace

from dacno2_s5p.training.run import STATIONS_ONLY, onlyobs_recipe
from tests.builders.training_builders import make_recipe


def test_the_ablation_learns_its_own_batch_statistics():
    """Phase 2's recipe with stations alone; frozen statistics would be those of random weights."""
    recipe = make_recipe()
    phases = tuple(replace(phase, freeze_norm=True) for phase in recipe.phases)
    (phase,) = onlyobs_recipe(replace(recipe, phases=phases)).phases
    assert phase.phase == 2
    assert phase.weights == STATIONS_ONLY
    assert not phase.norm_is_frozen(phase.steps)
    assert phase.steps == recipe.phase(2).steps


def test_the_ablation_freezes_as_the_first_phase_does():
    """It starts from random weights as phase 1: statistics are learnt for as many steps."""
    recipe = make_recipe()
    first, *others = (replace(phase, freeze_norm=True) for phase in recipe.phases)
    phases = (replace(first, freeze_norm_after=3), *others)
    (phase,) = onlyobs_recipe(replace(recipe, phases=phases)).phases
    assert [phase.norm_is_frozen(step) for step in (0, 2, 3)] == [False, False, True]
