"""Learning rate, running mean, optimiser state, frozen norms; the shipped recipe."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from dacno2_s5p.training.optimisation import (
    RunningMean,
    learning_rate,
    make_optimiser,
    optimiser_tensors,
    restore_optimiser,
    training_mode,
)
from dacno2_s5p.training.recipe import PhaseRecipe, Recipe
from dacno2_s5p.training.sampling import PatchSampler
from tests.builders.training_builders import make_days

RECIPE = PhaseRecipe(1, steps=100, learning_rate=1.0, warmup=10, final_share=0.1)
PAPER = Path(__file__).resolve().parents[3] / "configs" / "paper.toml"


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))


def test_the_rate_rises_then_falls_to_its_final_share():
    """Linear warm-up, highest at its end, never rising after, a tenth at the end."""
    rates = [learning_rate(step, RECIPE) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (i + 1) for i in range(10)])
    assert max(rates) == rates[9] == rates[10] == 1.0
    assert all(a >= b for a, b in pairwise(rates[10:]))
    assert 0.1 < rates[-1] < 0.101


def test_without_warm_up_the_first_rate_is_the_largest():
    """No division by zero steps."""
    assert learning_rate(0, PhaseRecipe(1, steps=1, learning_rate=0.5, warmup=0)) == 0.5


def test_the_running_mean_holds_weights_and_batch_statistics():
    """After a step at full decay both have moved by 1 - decay of the way."""
    network = small_network()
    mean = RunningMean(network, 0.9)
    before = {name: t.clone() for name, t in mean.state.items()}
    network(torch.randn(4, 2, 5, 5) + 3.0)  # moves the batch statistics
    with torch.no_grad():
        network[0].weight += 1.0
    mean.update(network, 10_000)
    for name in ("0.weight", "1.running_mean", "1.running_var"):
        now = network.state_dict()[name]
        torch.testing.assert_close(mean.state[name], before[name] + 0.1 * (now - before[name]))
    assert int(mean.state["1.num_batches_tracked"]) == 1


def test_the_running_mean_forgets_its_random_start():
    """In the first steps it follows the network: 0.9 of the way in the very first."""
    network = small_network()
    mean = RunningMean(network, 0.999)
    before = mean.state["0.weight"].clone()
    with torch.no_grad():
        network[0].weight += 1.0
    mean.update(network, 0)
    torch.testing.assert_close(mean.state["0.weight"], before + 0.9)


def test_the_optimiser_goes_on_where_it_stopped():
    """Its state as tensors and back gives the same next step, bit for bit."""
    steps = []
    for restored in (False, True):
        network = small_network()
        optimiser = make_optimiser(network, RECIPE)
        for step in range(4):
            if restored and step == 2:
                tensors = optimiser_tensors(optimiser)
                optimiser = make_optimiser(network, RECIPE)
                restore_optimiser(optimiser, tensors)
            torch.manual_seed(step)
            optimiser.zero_grad()
            network(torch.randn(4, 2, 5, 5)).square().mean().backward()
            optimiser.step()
        steps.append(network.state_dict())
    for name, tensor in steps[0].items():
        assert torch.equal(tensor, steps[1][name]), name


def test_biases_and_norms_are_not_decayed():
    """Only kernels shrink."""
    decayed, others = make_optimiser(small_network(), RECIPE).param_groups
    assert [p.ndim for p in decayed["params"]] == [4]
    assert [p.ndim for p in others["params"]] == [1, 1, 1]
    assert others["weight_decay"] == 0.0 < decayed["weight_decay"]


def test_frozen_norms_use_and_keep_their_statistics():
    """In training mode with frozen norms the statistics neither move nor come from the batch."""
    network = small_network()
    training_mode(network, freeze_norm=True)
    x = torch.randn(4, 2, 5, 5) + 3.0
    alone, together = network(x[:1]), network(x)[:1]
    torch.testing.assert_close(alone, together)
    assert torch.equal(network[1].running_mean, torch.zeros(3))
    training_mode(network, freeze_norm=False)
    network(x)
    assert not torch.equal(network[1].running_mean, torch.zeros(3))


def test_the_paper_s_recipe():
    """200, 200, 100 epochs, batch 56, random 80/20 split of 12 patches a day (section 2.4)."""
    recipe = Recipe.read(PAPER)
    assert [phase.epochs for phase in recipe.phases] == [200, 200, 100]
    assert {phase.batch for phase in recipe.phases} == {56}
    assert 2020 not in recipe.data["years"]
    assert recipe.phase(2).learning_rate < recipe.phase(1).learning_rate
    days = make_days(n_day=5)  # of 4 patches, not 12
    assert PatchSampler(days, recipe.sampling, recipe.seed).n_train == 16
