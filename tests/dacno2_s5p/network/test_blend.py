"""A forecast that joins at the output: limits, amounts, and a network that does not see it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from dacno2_s5p.inputs.normalisation import TargetScaling
from dacno2_s5p.network.blend import Blend
from dacno2_s5p.network.dacno2 import Dacno2, NetworkConfig
from tests.builders.network_builders import random_network
from tests.dacno2_s5p.network.test_first_guess import (
    HEIGHTS,
    lean_config,
    random_inputs,
    with_groups,
)


def fields(seed=0):
    generator = torch.Generator().manual_seed(seed)
    own = 0.2 + torch.rand(2, 3, 24, 16, generator=generator)
    return own, 0.5 + 4.0 * torch.rand(2, 3, 6, 4, generator=generator)


def blend_of(share, amount=(0.0, 0.0, 0.0)):
    blend = Blend(3)
    blend.set_scaling(TargetScaling((1.0, 0.5, 0.25), 4.0))
    blend.set_constants([share] * 3, amount)
    return blend


def test_a_share_of_zero_is_the_network_alone():
    """Whatever the forecast and its factor."""
    own, forecast = fields()
    assert torch.equal(blend_of(0.0, (0.3, -0.2, 1.0))(own, forecast), own)


def test_equal_amounts_are_left_alone():
    """A forecast of the own field's amount, both without structure, changes nothing."""
    own = torch.full((1, 3, 8, 8), 0.7)
    forecast = (own[..., ::4, ::4] * torch.tensor([4.0, 2.0, 1.0]).view(3, 1, 1)).contiguous()
    # some roundings of float32
    torch.testing.assert_close(blend_of(0.6)(own, forecast), own, rtol=1e-6, atol=0.0)


def test_a_share_of_one_has_the_amount_of_the_forecast_times_its_factor():
    """Of a uniform own field nothing but the interpolated forecast is left, times e^b."""
    _, forecast = fields()
    joined = blend_of(1.0, (0.2, 0.0, -0.1))(torch.full((2, 3, 24, 16), 0.4), forecast)
    unit = torch.tensor([4.0, 2.0, 1.0]).view(3, 1, 1)
    fine = functional.interpolate(forecast / unit, scale_factor=4.0, mode="bilinear")
    expected = fine * torch.exp(torch.tensor([0.2, 0.0, -0.1])).view(3, 1, 1)
    torch.testing.assert_close(joined, expected, rtol=1e-5, atol=0.0)  # powers in float32


def test_a_factor_on_the_forecast_is_a_power_of_it_on_the_result():
    """Logarithms are shared: twice the forecast is 2^s times the field."""
    own, forecast = fields()
    once, twice = (blend_of(0.3)(own, n * forecast) for n in (1.0, 2.0))
    torch.testing.assert_close(twice, 2.0**0.3 * once, rtol=1e-5, atol=0.0)  # powers in float32


def test_a_forecast_of_nothing_is_no_division_by_zero():
    own, forecast = fields()
    joined = blend_of(0.5)(own, 0.0 * forecast)
    assert bool(torch.isfinite(joined).all())
    assert float(joined.min()) > 0.0


@pytest.mark.parametrize("transport", [0, 4])
def test_the_network_itself_does_not_see_the_forecast(transport):
    """With the forecast at the output the rest is, weight by weight, the network without."""
    plain = lean_config(transport=transport, heights=HEIGHTS if transport else ())
    joined = replace(plain, cams=1, forecast="output")
    own, both = random_network(plain), Dacno2(joined).eval()
    both.load_state_dict({**both.state_dict(), **own.state_dict()})
    inputs = with_groups(random_inputs(joined), joined)
    with torch.no_grad():
        alone = own(replace(inputs, cams=None))
        expected = both.blend(alone, inputs.cams)
        np.testing.assert_array_equal(both(inputs), expected)
        both.blend.set_constants([0.0] * plain.n_level, [0.0] * plain.n_level)
        np.testing.assert_array_equal(both(inputs), alone)


def test_a_forecast_joins_only_where_there_is_one():
    with pytest.raises(ValueError, match=r"forecast must be one of .* 'guess' without cams"):
        NetworkConfig(forecast="output")
    with pytest.raises(ValueError, match="forecast must be"):
        NetworkConfig(cams=1, forecast="middle")


def test_descriptions_from_before_have_the_forecast_in_the_guess():
    """Checkpoints that do not say where it joins are read as they were meant."""
    old = lean_config(cams=1, heights=HEIGHTS).to_dict()
    del old["forecast"]
    assert NetworkConfig.from_dict(old).guesses_forecast
