"""A run's phases as its recipe describes them."""

from __future__ import annotations

from dataclasses import replace

from dacno2_s5p.network.checkpoint import read_info
from dacno2_s5p.training.run import STATIONS_ONLY, days_of_phase, onlyobs_recipe, run_phase
from tests.builders.training_builders import make_days, make_recipe, write_days


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


def test_a_run_names_the_days_of_its_phase_alone(tmp_path):
    """Of a store that reaches into a year the recipe leaves out, no day of that year is named."""
    store = write_days(tmp_path / "store", make_days(n_day=5), first="2019-12-29")
    recipe = replace(make_recipe(steps=1, validate_every=1), data={"years": [2019]})
    assert days_of_phase(store, recipe, 1).n_day == 3
    result = run_phase(store, recipe, 1, tmp_path / "run")
    trained = read_info(result.checkpoint).trained_days
    assert len(trained) == 2  # one of three validates
    assert all(day.startswith("2019") for day in trained)
