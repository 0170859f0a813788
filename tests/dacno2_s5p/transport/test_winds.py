"""Winds of the layers from winds at heights."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from dacno2_s5p.transport.winds import HEIGHTS, HourlyWeather, layer_winds

Z = torch.tensor(HEIGHTS).view(1, -1, 1, 1)


def weather(u: torch.Tensor, blh: float) -> HourlyWeather:
    depth = torch.full((1, 1, 1), blh)
    return HourlyWeather(u, -0.5 * u, depth, torch.zeros(1, 1, 1))


@given(st.floats(150.0, 2900.0), st.floats(0.05, 0.5))
def test_a_linear_wind_is_taken_where_it_is_asked_for(blh, share):
    """Interpolation is exact for a wind that grows linearly, to float32."""
    found = layer_winds(weather(2.0 + 0.01 * Z, blh), share)
    height = np.clip(share * blh, 60.0, 1500.0)
    np.testing.assert_allclose(found.lower_x, 2.0 + 0.01 * height, rtol=1e-5)
    np.testing.assert_allclose(found.lower_y, -1.0 - 0.005 * height, rtol=1e-5)


@given(st.floats(0.0, 6000.0))
def test_one_wind_carries_both_layers(blh):
    found = layer_winds(weather(torch.full_like(Z, 7.0), blh), 0.2)
    np.testing.assert_allclose(found.lower_x, 7.0, rtol=1e-5)
    np.testing.assert_allclose(found.upper_x, 7.0, rtol=1e-5)
    assert 100.0 <= float(found.depth) <= 3000.0


def test_the_layer_above_has_the_wind_above():
    """Wind above 1000 m only: nearly all of a layer above 900 m, nothing of what is below."""
    step = (Z > 900.0).float()
    found = layer_winds(weather(step, 900.0), 0.2)
    assert float(found.lower_x) == 0.0
    assert float(found.upper_x) > 0.95
