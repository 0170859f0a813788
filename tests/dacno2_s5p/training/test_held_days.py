"""Days in memory give the bits of days that are read; what of a network phase 3 may change."""

from __future__ import annotations

import pytest
import torch

from dacno2_s5p.inputs.normalisation import Normaliser, TargetScaling
from dacno2_s5p.inputs.samples import Targets
from dacno2_s5p.network.dacno2 import Dacno2
from dacno2_s5p.training.held_days import HeldDays
from dacno2_s5p.training.losses import LossWeights, Totals, loss_terms
from dacno2_s5p.training.optimisation import free_only_fine
from dacno2_s5p.training.phase import new_network
from dacno2_s5p.training.precision import measured_precision
from dacno2_s5p.training.sampling import make_sampler
from tests.builders.network_builders import mini_config
from tests.builders.training_builders import make_days, make_info, make_recipe


@pytest.fixture(scope="module")
def days():
    return make_days(n_day=3)


def test_held_days_are_those_that_are_read(days):
    """With memory for all days and with none the batches are bit-equal."""
    info = make_info(days)
    normaliser = Normaliser(info.inputs, info.statistics)
    sampler = make_sampler(days, make_recipe().sampling, 1)
    held, read = HeldDays(days, normaliser), HeldDays(days, normaliser, budget=0)
    for step in range(3):
        crops = sampler.draw(step, 2)
        first, second = (source.batch(crops).groups for source in (held, read))
        assert first.keys() == second.keys()
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_rounding_is_below_what_bfloat16_drops(days):
    """Held values differ from the exact ones by at most float16's half of a last digit."""
    info = make_info(days)
    normaliser = Normaliser(info.inputs, info.statistics)
    crops = make_sampler(days, make_recipe().sampling, 1).draw(0, 1)
    exact = normaliser.normalise(days.inputs(crops[0].day, crops[0].patch)).groups
    for name, values in HeldDays(days, normaliser).batch(crops).groups.items():
        torch.testing.assert_close(values[0], exact[name], rtol=2**-11, atol=2**-24)


def test_the_precision_is_one_of_two():
    """Whatever the processor, there is an answer."""
    assert measured_precision() in ("float32", "bfloat16")


def test_members_differ_in_weights_and_samples_and_hold_the_same_days_back(days):
    """Of two members of a recipe nothing is alike but what validates."""
    recipe = make_recipe()
    first, second = (make_sampler(days, recipe.sampling, recipe.seed, 1 + 10 * m) for m in (0, 1))
    assert first.validation == second.validation
    assert first.draw(0, 4) != second.draw(0, 4)
    weights = [
        new_network(type(recipe)(**{**vars(recipe), "member": m})).head.conv.weight for m in (0, 1)
    ]
    assert not torch.equal(*weights)


@pytest.mark.parametrize("form", ["paper", "lean"])
def test_only_the_finest_stage_is_free(form):
    """Weather branches stay as they are; the head changes."""
    lean = {
        "form": "lean",
        "single_widths": (4, 2),
        "multi_widths": (4, 2),
        "static_widths": (5, 5, 5, 5),
        "decoder_widths": (8, 4),
        "fine_widths": (6, 5),
    }
    network = Dacno2(mini_config(**(lean if form == "lean" else {})))
    free_only_fine(network)
    free = {name for name, p in network.named_parameters() if p.requires_grad}
    assert "head.conv.weight" in free
    assert not any(name.startswith(("single.", "multi.", "temporal.")) for name in free)
    assert any(name.startswith("emission.stages.0.") for name in free)
    assert not any(name.startswith("emission.stages.1.") for name in free)


def terms(prediction, cams, scaling, weights, logarithm=None):
    n = len(prediction)
    targets = Targets(cams, torch.zeros(n, 8, 8), torch.zeros(n, 8, 8))
    return loss_terms(prediction, targets, scaling, weights, Totals(n, 0.0), logarithm)


def test_balance_weighs_layers_by_one_over_their_variance():
    """With balance 1 the same error in deviations counts the same in each layer."""
    scaling = TargetScaling((1.0, 0.5), 2.0, (1.0, 0.1))
    cams = scaling.unscale(torch.ones(1, 2, 2, 2))
    found = []
    for layer, deviation in ((0, 1.0), (1, 0.1)):
        prediction = torch.ones(1, 2, 8, 8)
        prediction[:, layer] += deviation
        weights = LossWeights(mean_square=1.0, balance=1.0)
        found.append(float(terms(prediction, cams, scaling, weights).mean_square))
    assert found[0] == pytest.approx(found[1], rel=1e-4)  # float32


def test_relative_squares_count_clean_air_as_much_as_towns():
    """An error of a tenth costs 0.01 more at 0.5 and at 5 alike, and no more below 0.1."""
    scaling, weights = TargetScaling((1.0,), 1.0), LossWeights(mean_square=1.0, relative=1.0)
    for amount, more in ((5.0, 0.01), (0.5, 0.01), (1e-4, 1e-8)):
        prediction = torch.full((1, 1, 8, 8), amount)
        cams = torch.full((1, 1, 2, 2), 0.9 * amount)
        found = float(terms(prediction, cams, scaling, weights).mean_square) - (0.1 * amount) ** 2
        # + 0.1 squared in what is divided by, 4 % at 0.5; differences of float32
        assert found == pytest.approx(more, rel=0.05, abs=1e-6)


def test_relative_squares_leave_the_mean_of_the_targets_the_best():
    """Targets 0.5 and 1.5 alike: the gradient vanishes at 1, not at their geometric mean."""
    cams = torch.tensor([0.5, 1.5]).view(2, 1, 1, 1).expand(2, 1, 2, 2)
    prediction = torch.ones(2, 1, 8, 8, requires_grad=True)
    scaling, weights = TargetScaling((1.0,), 1.0), LossWeights(mean_square=1.0, relative=1.0)
    terms(prediction, cams, scaling, weights).mean_square.backward()
    assert float(prediction.grad.sum()) == pytest.approx(0.0, abs=1e-6)  # sums of float32


def test_hold_counts_the_mean_over_a_cell_of_cams():
    """Structure within a cell is free, an amount of ln 2 costs its square."""
    scaling = TargetScaling((1.0,), 1.0)
    cams = torch.ones(1, 1, 2, 2)
    stripes = torch.tensor([1.0, -1.0]).repeat(4).expand(1, 1, 8, 8)
    weights = LossWeights(hold=1.0)
    flat = torch.full((1, 1, 8, 8), 0.6931)
    for logarithm, expected in ((stripes, 0.0), (flat, 0.4804)):
        held = terms(torch.ones(1, 1, 8, 8), cams, scaling, weights, logarithm)
        assert float(held.weighted(weights)) == pytest.approx(expected, abs=1e-4)
