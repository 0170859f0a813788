"""Profiles of transported NO2: amounts, signs, gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dacno2_s5p.transport.prior import BACKGROUND, BACKGROUND_SCALE, prior_profile, residual_depth

Z = torch.arange(0.0, 12000.0, 5.0, dtype=torch.float64)


def maps(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).view(1, 4, 1, 1)


def column(transport: torch.Tensor) -> float:
    """Integrate the profile above its background [ug m-2]."""
    profile = prior_profile(transport, Z)[0, :, 0, 0] - BACKGROUND * torch.exp(
        -Z / BACKGROUND_SCALE
    )
    return float(torch.trapezoid(profile, Z))


@pytest.mark.parametrize("depth", [150.0, 600.0, 2500.0])
def test_columns_are_kept(depth):
    """A layer's profile has the amount of its column.

    The mixed layer to 2 %: its factor 1.6 is a round number. The layer above exactly: (z/h)^2
    below h is a third of h.
    """
    assert column(maps(10.0, 0.0, 0.0, depth)) == pytest.approx(10.0 * depth, rel=0.02)
    above = 2.0 * float(residual_depth(torch.tensor(depth)))
    assert column(maps(0.0, 2.0, 0.0, depth)) == pytest.approx(above, rel=1e-3)  # the trapezoids


def test_fresh_emissions_are_a_thousand_seconds_old():
    """1 ug m-3 h-1 over 900 m is 0.25 ug m-2 s-1; trapezoids of 5 m are good to 1e-3."""
    assert column(maps(0.0, 0.0, 1.0, 900.0)) == pytest.approx(250.0, rel=1e-3)


def test_nothing_transported_leaves_the_background():
    profile = prior_profile(maps(0.0, 0.0, 0.0, 500.0), [0.0, 8000.0])
    np.testing.assert_allclose(profile.flatten(), [0.03, 0.03 / np.e], rtol=1e-12)


def test_gradients_reach_all_maps():
    transport = torch.rand(
        2, 4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    transport = (transport + 0.5) * torch.tensor([10.0, 2.0, 1.0, 800.0]).view(1, 4, 1, 1)
    transport.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda t: prior_profile(t, [0.0, 250.0, 1000.0, 3000.0]), transport
    )


def test_shallow_layers_stay_positive():
    profile = prior_profile(maps(5.0, 1.0, 2.0, 0.0), Z)
    assert bool(torch.isfinite(profile).all())
    assert float(profile.min()) > 0.0
