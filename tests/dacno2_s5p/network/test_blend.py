"""A forecast that joins at the output: limits, amounts, and a network that does not see it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dacno2_s5p.inputs.normalisation import TargetScaling
from dacno2_s5p.network.blend import WIDE, Blend, smoothed
from dacno2_s5p.network.dacno2 import Dacno2, NetworkConfig
from dacno2_s5p.network.first_guess import on_fine_cells
from tests.builders.network_builders import random_network
from tests.dacno2_s5p.network.test_first_guess import (
    HEIGHTS,
    lean_config,
    random_inputs,
    with_groups,
)

UNIT = torch.tensor([4.0, 2.0, 1.0]).view(3, 1, 1)


def fields(seed=0):
    generator = torch.Generator().manual_seed(seed)
    own = 0.2 + torch.rand(2, 3, 24, 16, generator=generator)
    return own, 0.5 + 4.0 * torch.rand(2, 3, 6, 4, generator=generator)


def blend_of(wide, near, amount=(0.0, 0.0, 0.0)):
    blend = Blend(3)
    blend.set_scaling(TargetScaling((1.0, 0.5, 0.25), 4.0))
    blend.set_constants([wide] * 3, [near] * 3, amount)
    return blend


def test_shares_of_zero_leave_the_network_times_the_factor():
    """Whatever the forecast."""
    own, forecast = fields()
    assert torch.equal(blend_of(0.0, 0.0)(own, forecast), own)
    factor = torch.tensor([0.2, 0.0, -0.1])
    expected = own * torch.exp(factor).view(3, 1, 1)
    joined = blend_of(0.0, 0.0, factor.tolist())(own, forecast)
    torch.testing.assert_close(joined, expected, rtol=1e-6, atol=0.0)  # roundings of float32


def test_whole_shares_have_the_means_of_the_forecast():
    """With an own field that is even, nothing but the forecast is left in the cells' middles."""
    _, forecast = fields()
    joined = blend_of(1.0, 1.0)(torch.full((2, 3, 24, 16), 0.4), forecast)
    logarithm = on_fine_cells(torch.log(forecast / UNIT / 0.4))
    torch.testing.assert_close(joined, 0.4 * torch.exp(logarithm), rtol=1e-5, atol=0.0)  # float32


def test_an_even_factor_of_the_forecast_is_of_the_wide_part():
    """Three times the forecast is 3^s_w times the field, whatever the near share."""
    own, forecast = fields()
    once, thrice = (blend_of(0.3, 0.8)(own, n * forecast) for n in (1.0, 3.0))
    torch.testing.assert_close(thrice, 3.0**0.3 * once, rtol=1e-5, atol=0.0)  # powers in float32


def test_the_wide_part_is_a_gaussian_mean():
    """Of a wave of 512 km exp(-(k sigma)^2 / 2) is left, of one of 64 km nothing."""
    x = torch.arange(512.0, dtype=torch.float64)
    for length, left in ((64.0, float(np.exp(-((2 * np.pi * WIDE / 64.0) ** 2) / 2))), (8.0, 0.0)):
        wave = torch.cos(2 * np.pi * x / length).expand(1, 2, 8, 512)
        inner = slice(64, 448)  # away from the edges
        expected = left * wave[..., inner]
        # the mean ends at three deviations, where 0.3 % of a Gaussian are left
        torch.testing.assert_close(smoothed(wave)[..., inner], expected, rtol=0.0, atol=5e-3)


def test_a_wide_part_of_a_constant_is_the_constant():
    field = torch.full((1, 2, 5, 7), 1.7, dtype=torch.float64)
    torch.testing.assert_close(smoothed(field), field, rtol=1e-12, atol=0.0)  # float64 round-off


def test_a_forecast_of_nothing_is_no_division_by_zero():
    own, forecast = fields()
    joined = blend_of(0.5, 0.5)(own, 0.0 * forecast)
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
        none = [0.0] * plain.n_level
        both.blend.set_constants(none, none, none)
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
