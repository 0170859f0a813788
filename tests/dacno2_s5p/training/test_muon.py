"""Muon beside AdamW: orthogonal steps, who takes what, prolonged runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dacno2_s5p.training.muon import MuonAdamW, is_matrix, orthogonalise
from dacno2_s5p.training.optimisation import learning_rate, make_optimiser
from dacno2_s5p.training.phase import PhaseTrainer, new_network
from dacno2_s5p.training.recipe import PhaseRecipe
from tests.builders.training_builders import make_days, make_info, make_recipe


@pytest.mark.parametrize("shape", [(9, 40), (40, 9), (16, 16)])
def test_steps_are_nearly_orthogonal(shape):
    """Singular values go to 0.7 to 1.2 (Jordan et al., 2024), the median's bound a little wider."""
    matrix = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrix))
    assert float(values.max()) < 1.3
    assert float(values.median()) > 0.6


def test_a_scaled_gradient_gives_the_same_step():
    """The size of a gradient is no size of a step."""
    made = []
    for size in (1.0, 100.0):
        torch.manual_seed(0)
        kernel = torch.nn.Parameter(torch.randn(12, 3, 3, 3))
        optimiser = MuonAdamW([{"params": [kernel], "muon": True, "weight_decay": 0.0}], 1e-2)
        kernel.grad = size * torch.randn(12, 3, 3, 3, generator=torch.Generator().manual_seed(1))
        optimiser.step()
        made.append(kernel.detach().clone())
    torch.testing.assert_close(made[0], made[1], rtol=1e-4, atol=1e-6)  # float32 iterations


def test_kernels_go_to_muon_and_all_else_to_adamw():
    network = new_network(make_recipe())
    optimiser = make_optimiser(network, PhaseRecipe(1, steps=1, optimiser="muon"))
    muon = [p for g in optimiser.param_groups if g["muon"] for p in g["params"]]
    others = [p for g in optimiser.param_groups if not g["muon"] for p in g["params"]]
    assert {id(p) for p in muon + others} == {id(p) for p in network.parameters()}
    assert all(is_matrix(p) for p in muon)
    assert not any(is_matrix(p) for p in others)


def test_the_linear_end_does_not_change_what_comes_before():
    """Up to the descent the rate of a prolonged run is that of the shorter one."""
    short = PhaseRecipe(1, steps=100, learning_rate=1.0, warmup=10, end_share=0.2)
    long = replace(short, steps=200)
    assert [learning_rate(i, short) for i in range(80)] == [
        learning_rate(i, long) for i in range(80)
    ]
    assert learning_rate(90, short) == pytest.approx(0.5)
    assert learning_rate(99, short) == pytest.approx(0.05)


@pytest.fixture(scope="module")
def days():
    return make_days(n_day=3)


def test_a_prolonged_run_is_the_longer_one(days, tmp_path):
    """Resumed with more steps a run takes its descent back, and ends bit for bit as the long."""
    info = make_info(days)

    def run(steps, folder, **options):
        recipe = make_recipe(steps=steps, end_share=0.5, optimiser="muon", validate_every=2)
        network = new_network(recipe)
        trainer = PhaseTrainer(network, days, info, recipe, 1, tmp_path / folder)
        trainer.run(**options)
        return network.state_dict()

    run(2, "a")
    prolonged = run(4, "a", resume=True)
    whole = run(4, "b")
    assert all(torch.equal(prolonged[name], whole[name]) for name in whole)


def test_minutes_stop_a_run_ready_to_be_resumed(days, tmp_path):
    """No time at all: one step is taken, and its state is there."""
    recipe = make_recipe(steps=3)
    info = make_info(days)
    trainer = PhaseTrainer(new_network(recipe), days, info, recipe, 1, tmp_path)
    result = trainer.run(minutes=0.0)
    assert (result.step, result.is_finished) == (1, False)
    again = PhaseTrainer(new_network(recipe), days, info, recipe, 1, tmp_path)
    assert again.run(resume=True).is_finished
