"""Networks that multiply a first guess, in both forms; faster forms against plain ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from dacno2_s5p.inputs.normalisation import TargetScaling
from dacno2_s5p.inputs.samples import Inputs
from dacno2_s5p.network.blocks import Inception
from dacno2_s5p.network.convlstm import InceptionConvLSTM, first_cell, lstm_cell
from dacno2_s5p.network.dacno2 import Dacno2, NetworkConfig
from dacno2_s5p.network.first_guess import LARGEST, FirstGuess
from dacno2_s5p.network.lean import relief
from dacno2_s5p.transport.prior import prior_profile
from tests.builders.network_builders import mini_config, random_inputs, random_network

HEIGHTS = (0.0, 50.0, 250.0, 500.0, 1000.0, 2000.0, 3000.0, 5000.0)
LEAN = {
    "form": "lean",
    "single_widths": (4, 2),
    "multi_widths": (4, 2),
    "static_widths": (5, 5, 5, 5),
    "decoder_widths": (8, 4),
    "fine_widths": (6, 5),
    "upsampling": "state",
    "relief": 1,
}
GUESSES = [{"transport": 4}, {"cams": 1}, {"transport": 4, "cams": 1}]


def lean_config(**changes) -> NetworkConfig:
    return mini_config(**{**LEAN, **changes})


def with_groups(inputs: Inputs, config: NetworkConfig) -> Inputs:
    """Add optional groups to random inputs: amounts, never negative."""
    generator = torch.Generator().manual_seed(3)
    n_batch, _, *shape = inputs.emission.shape
    scale = torch.tensor([8.0, 2.0, 5.0, 1000.0]).view(4, 1, 1)
    maps = scale * (0.1 + torch.rand(n_batch, 4, *shape, generator=generator))
    coarse = [n // 4 for n in shape]
    cams = 0.5 + 5.0 * torch.rand(n_batch, config.n_level, *coarse, generator=generator)
    return replace(
        inputs,
        transport=maps if config.transport else None,
        cams=cams if config.cams else None,
    )


@pytest.mark.parametrize("form", ["paper", "lean"])
@pytest.mark.parametrize("groups", GUESSES)
def test_a_factor_of_one_gives_the_guess(form, groups):
    """With a head of zeros the prediction is the first guess, whatever the form."""
    given = {**groups, "heights": HEIGHTS}
    config = lean_config(**given) if form == "lean" else mini_config(**given)
    network = random_network(config)
    nn.init.zeros_(network.head.conv.weight)
    nn.init.zeros_(network.head.conv.bias)
    inputs = with_groups(random_inputs(config), config)
    with torch.no_grad():
        prediction, logarithm = network.factored(inputs)
        guess, _ = network.guess(inputs)
    assert torch.equal(prediction, guess)
    assert torch.equal(logarithm, torch.zeros_like(logarithm))


def test_the_guess_is_the_carried_profile_in_scaled_units():
    """Unscaled, the guess is the profile that the transport room makes."""
    guess = FirstGuess(HEIGHTS, transport=True, cams=False)
    scaling = TargetScaling((1.0, 0.9, 0.8, 0.6, 0.4, 0.2, 0.1, 0.05), 4.0)
    guess.set_scaling(scaling)
    config = lean_config(transport=4, heights=HEIGHTS)
    inputs = with_groups(random_inputs(config), config)
    made, maps = guess(inputs)
    expected = prior_profile(inputs.transport, HEIGHTS)
    torch.testing.assert_close(scaling.unscale(made), expected, rtol=1e-5, atol=0)  # float32
    assert maps.shape[1] == FirstGuess.n_map(8, transport=True, cams=False)


def test_the_forecast_alone_keeps_its_amount_and_takes_the_carried_structure():
    """At weight 1 the guess is the forecast times the profile over its mean of the cell."""
    guess = FirstGuess(HEIGHTS, transport=True, cams=True)
    nn.init.constant_(guess.share, 50.0)
    config = lean_config(transport=4, cams=1, heights=HEIGHTS)
    inputs = with_groups(random_inputs(config), config)
    profile = prior_profile(inputs.transport, HEIGHTS)
    flat = replace(inputs, cams=torch.full_like(inputs.cams, 2.0))
    made, _ = guess(flat)
    coarse = functional.interpolate(
        functional.avg_pool2d(profile, 4), scale_factor=4.0, mode="bilinear"
    )
    torch.testing.assert_close(made, 2.0 * profile / coarse, rtol=1e-4, atol=0)  # float32 powers
    nn.init.constant_(guess.share, -50.0)
    torch.testing.assert_close(guess(flat)[0], profile, rtol=1e-4, atol=0)


def test_the_factor_is_bounded():
    """Whatever a network says, NO2 stays within exp(+-4) of the guess."""
    guess = FirstGuess(HEIGHTS, transport=True, cams=False)
    y = torch.tensor([-1e3, 0.0, 1e3]).view(3, 1, 1, 1).expand(3, 8, 1, 1)
    assert guess.factor(y)[:, 0].flatten().tolist() == [-LARGEST, 0.0, LARGEST]


@pytest.mark.parametrize("form", ["paper", "lean"])
def test_without_a_guess_both_forms_are_positive(form):
    config = lean_config() if form == "lean" else mini_config()
    with torch.no_grad():
        made, logarithm = random_network(config).factored(random_inputs(config))
    assert made.shape == (2, 8, 32, 32)
    assert bool((made > 0).all())
    assert logarithm is None


def test_a_group_that_is_not_there_is_named():
    config = lean_config(transport=4, heights=HEIGHTS)
    with pytest.raises(ValueError, match=r"group transport must have shape .*Given \(\)"):
        random_network(config)(random_inputs(config))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"fine_widths": (), "static_widths": (5, 5)}, "fine_widths must be"),
        ({"transport": 3}, "transport must be"),
        ({"transport": 4, "heights": (0.0,)}, "heights must be"),
        ({"form": "other"}, "form must be"),
        ({"static_widths": (5, 5)}, "static_widths must be"),
    ],
)
def test_impossible_forms_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        lean_config(**changes)


@pytest.mark.parametrize("kind", ["lstm", "cnn2d", "cnn3d"])
def test_a_frozen_inception_is_the_joined_one(kind):
    """Norms inside the weights and branches added are the same function as joined branches."""
    torch.manual_seed(0)
    block = Inception(kind, 6, 13, 2, smooth=True).eval()
    norm = block.norm
    nn.init.normal_(norm.running_mean, std=0.3)
    nn.init.uniform_(norm.running_var, 0.5, 2.0)
    nn.init.uniform_(norm.weight, 0.5, 2.0)
    nn.init.normal_(norm.bias, std=0.3)
    x = torch.randn(4, 6, 16, 16).contiguous(memory_format=torch.channels_last)
    joined = torch.cat([branch(x) for branch in block.branches], dim=1)
    expected = functional.silu(norm(joined))
    torch.testing.assert_close(block(x), expected, rtol=1e-4, atol=1e-5)  # float32 sums


def test_a_first_step_has_nothing_to_forget():
    """The cell of an empty state is that of a state of zeros."""
    gates = torch.randn(2, 12, 4, 4, generator=torch.Generator().manual_seed(0))
    empty = torch.cat([gates[:, :3], gates[:, 6:]], dim=1)
    hidden, cell = lstm_cell(gates, torch.zeros(2, 3, 4, 4))
    for made, expected in zip(first_cell(empty), (hidden, cell), strict=True):
        torch.testing.assert_close(made, expected, rtol=1e-6, atol=1e-7)  # float32


def test_states_interpolated_are_near_to_gates_interpolated():
    """On a smooth field, where both interpolate little, the two forms agree to a few per cent."""
    torch.manual_seed(0)
    options = {"coarse": True, "smooth": True}
    by_gates = InceptionConvLSTM(3, 4, **options).eval()
    by_state = InceptionConvLSTM(3, 4, **options, state=True).eval()
    by_state.load_state_dict(by_gates.state_dict())
    x = torch.ones(2, 3, 8, 8).contiguous(memory_format=torch.channels_last)
    fine, coarse = by_gates(x, 2)[-1], by_state(x, 2)[-1]
    assert coarse.shape[2:] == (8, 8)
    # away from the border a constant field is constant in both
    torch.testing.assert_close(fine[:, :, 7, 7], coarse[:, :, 3, 3], rtol=0.05, atol=0.005)


def test_relief_of_a_plane_is_its_slope():
    """On a plane the slope is the same everywhere, and the middle lies at the mean of its cells."""
    row = torch.arange(32.0).expand(1, 1, 32, 32)
    made = relief(row)
    inner = made[..., 8:-8, 8:-8]
    torch.testing.assert_close(inner[:, 1], torch.full_like(inner[:, 1], 3.0), rtol=1e-4, atol=0)
    assert float(inner[:, 0].abs().max()) < 1e-4  # bilinear means of a plane are the plane


def test_steps_of_weather_follow_from_the_stages():
    """The lean form halves time once: any even number of steps is one."""
    assert lean_config().step_multiple == 2
    assert lean_config().refinement == 8
    assert isinstance(Dacno2(lean_config()), nn.Module)
