"""Steps on a plane: exact where they can be, near the analytic rotation elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dacno2_s5p.transport.plane import Plane

N, WIDTH = 48, 4000.0
PLANE = Plane((N, N), WIDTH)
Y, X = np.meshgrid(WIDTH * (np.arange(N) + 0.5), WIDTH * (np.arange(N) + 0.5), indexing="ij")


def blob(x: float, y: float, width: float = 16_000.0) -> torch.Tensor:
    """Return a Gaussian around a place [m]."""
    return torch.tensor(
        np.exp(-0.5 * ((X - x) ** 2 + (Y - y) ** 2) / width**2), dtype=torch.float32
    )


def uniform(u: float, v: float) -> torch.Tensor:
    return PLANE.wind(torch.full((N, N), u), torch.full((N, N), v))


def test_whole_cells_are_exact():
    """Two cells east and one north in 1000 s, to float32."""
    moved = PLANE.carried(blob(8e4, 8e4), uniform(8.0, 4.0), 1000.0)
    inner = (slice(4, None), slice(4, None))
    np.testing.assert_allclose(moved[inner], blob(8.8e4, 8.4e4)[inner], atol=3e-6)


@pytest.mark.parametrize("u", [0.0, 3.3, -7.1])
def test_a_uniform_wind_keeps_amounts(u):
    """Weights of the four neighbours add up to one wherever nothing reaches the edge."""
    field = blob(9.6e4, 9.6e4, 8000.0)
    moved = PLANE.carried(field, uniform(u, 0.5 * u), 1800.0)
    assert float(moved.sum()) == pytest.approx(float(field.sum()), rel=1e-5)  # float32 sums


def test_a_quarter_turn_is_that_of_the_wheel():
    """A wheel's wind turns a blob by 90 degrees in ten steps.

    Bilinear interpolation spreads it by at most a quarter cell squared a step: 10 / 4 x 16 km2 are
    16 % of its variance, so the peak falls by that at most; the amount stays to a per cent.
    """
    centre = 0.5 * N * WIDTH
    rate = 0.5 * np.pi / 10 / 1800.0
    # the wind of a step is a chord's: tan, not the angle
    slope = np.tan(rate * 1800.0) / 1800.0
    x, y = (torch.tensor(a - centre, dtype=torch.float32) for a in (X, Y))
    wind = PLANE.wind(-slope * y, slope * x)
    field = start = blob(centre + 4e4, centre)
    for _ in range(10):
        field = PLANE.carried(field, wind, 1800.0)
    # each chord is longer than its arc by 1 / cos: the blob spirals inwards
    radius = 4e4 * np.cos(rate * 1800.0) ** 10
    peak = np.unravel_index(int(field.argmax()), (N, N))
    assert abs(X[peak] - centre) <= WIDTH
    assert abs(Y[peak] - centre - radius) <= WIDTH
    shrunk = np.cos(rate * 1800.0) ** 20
    assert float(field.sum()) == pytest.approx(float(start.sum()) * shrunk, rel=0.01)
    assert 0.84 < float(field.max()) <= 1.0


def test_emission_on_the_way_is_the_integral_along_it():
    """A uniform wind over a slope: the mean of the way, half of it back, in float32."""
    rate = torch.tensor(X / WIDTH, dtype=torch.float32)
    total = PLANE.emitted(rate, uniform(4.0, 0.0), 1800.0)
    # what is emitted in one of eight parts is not carried within it: 1/16 of the way is missing
    way = 4.0 * 1800.0 / WIDTH * (0.5 - 1.0 / 16.0)
    inner = (slice(8, -8), slice(8, -8))
    np.testing.assert_allclose(total[inner] / 1800.0, (rate - way)[inner], rtol=1e-5)


def test_dispersion_spreads_and_keeps():
    """The variance grows by that of the Gaussian; nothing is lost, edges included."""
    field = blob(9.6e4, 9.6e4, 8000.0)
    spread = PLANE.dispersed(field, 6000.0)
    assert float(spread.sum()) == pytest.approx(float(field.sum()), rel=1e-5)  # float32 sums
    variances = [
        float((f * torch.tensor((X - 9.6e4) ** 2)).sum() / f.sum()) for f in (field, spread)
    ]
    assert variances[1] - variances[0] == pytest.approx(6000.0**2, rel=1e-3)
    ones = torch.ones(N, N)
    np.testing.assert_allclose(PLANE.dispersed(ones, 6000.0), ones, rtol=1e-6)
