"""The two columns: amounts, decay, and a slow oracle that follows each parcel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from dacno2_s5p.transport.carry import HOUR, SPIN_UP, carry
from dacno2_s5p.transport.constants import TransportConstants
from dacno2_s5p.transport.plane import Plane
from dacno2_s5p.transport.winds import HEIGHTS, HourlyWeather

N, WIDTH, HOURS = 32, 16_000.0, 12
PLANE = Plane((N, N), WIDTH)
STILL = TransportConstants(day_lifetime=1e9, night_lifetime=1e9, exchange=1e-9)


def weather(u=0.0, v=0.0, depth=800.0, light=0.0) -> HourlyWeather:
    """Return hours of one wind at all heights; each value may be a list of hours."""

    def hours(value) -> torch.Tensor:
        values = np.broadcast_to(np.asarray(value, np.float32), (HOURS,)).copy()
        return torch.from_numpy(values)[:, None, None].expand(HOURS, 4, 4)

    levels = [hours(x)[:, None].expand(HOURS, len(HEIGHTS), 4, 4) for x in (u, v)]
    return HourlyWeather(levels[0], levels[1], hours(depth), hours(light) * HOUR)


def last(found):
    return found[HOURS - 1]


def test_exchange_neither_makes_nor_loses():
    """Layers that grow and collapse keep what was emitted, but for the loss aloft of a day."""
    depth = [400, 300, 200, 200, 500, 900, 1400, 1500, 1000, 500, 300, 300]
    constants = TransportConstants(day_lifetime=1e9, night_lifetime=1e9)
    source = torch.rand(N, N, generator=torch.Generator().manual_seed(0))
    found = carry(weather(depth=depth), lambda _: source, PLANE, constants, range(HOURS))
    totals = [float((hour.lower + hour.upper).sum()) for hour in found.values()]
    emitted = HOUR * float(source.sum())
    for before, after, hour in zip(totals, totals[1:], found.values(), strict=False):
        lost = float(hour.upper.sum()) * (1.0 - np.exp(-1.0 / 24.0))
        assert after - before == pytest.approx(emitted - lost, rel=1e-4)  # float32 sums
    # a collapse leaves NO2 aloft, growth takes it in
    uppers = [float(hour.upper.sum()) for hour in found.values()]
    assert uppers[2] > uppers[0]
    assert uppers[6] < uppers[3]


def test_a_wind_carries_all_of_it():
    """Without loss and exchange, what a source in the middle emits is there, wherever."""
    source = torch.zeros(N, N)
    source[8:12, 5:9] = 1.0
    found = last(carry(weather(u=4.0, v=2.0), lambda _: source, PLANE, STILL, [HOURS - 1]))
    first = SPIN_UP * float(source.sum())
    emitted = HOURS * HOUR * float(source.sum())
    # the start is smoothed over two cells: nothing of it is near an edge; float32 sums
    assert float(found.lower.sum()) == pytest.approx(first + emitted, rel=1e-4)


@pytest.mark.parametrize("light", [0.0, 700.0])
def test_a_lifetime_is_a_lifetime(light):
    """Column under a uniform source: N0 exp(-t/T) + E T (1 - exp(-t/T)).

    Half a step of loss on what a step emitted is second order in step over lifetime: 1 % for
    0.5 h and 2.5 h.
    """
    constants = TransportConstants(night_lifetime=15.0, day_lifetime=3.0, exchange=1e-9)
    lifetime = HOUR / (1.0 / 15.0 + light / 700.0 / 3.0)
    source = torch.ones(N, N)
    found = last(carry(weather(light=light), lambda _: source, PLANE, constants, [HOURS - 1]))
    left = np.exp(-HOURS * HOUR / lifetime)
    expected = SPIN_UP * left + lifetime * (1.0 - left)
    np.testing.assert_allclose(found.lower, expected, rtol=0.01)


def oracle(source: np.ndarray, u: np.ndarray, v: np.ndarray, lifetime: float) -> np.ndarray:
    """Follow the parcel that ends in each cell back through the hours, by steps of a minute."""
    y, x = (a.astype(float) for a in np.mgrid[:N, :N])
    total, age = np.zeros((N, N)), 0.0
    for hour in reversed(range(HOURS)):
        before = max(hour - 1, 0)
        for _ in range(60):
            at = map_coordinates(source, [y, x], order=1, mode="nearest")
            total += 60.0 * at * np.exp(-age / lifetime)
            y -= 60.0 * 0.5 * (v[hour] + v[before]) / WIDTH
            x -= 60.0 * 0.5 * (u[hour] + u[before]) / WIDTH
            age += 60.0
    return total


def test_columns_are_those_of_parcels_followed_one_by_one():
    """A turning wind over smooth sources, against the slow oracle.

    Each of the steps since an emission spreads it by up to a quarter cell squared: 8 in a lifetime
    damp waves of 40 cells by 5 %: of the amplitude of half a lifetime of emissions.
    """
    y, x = np.mgrid[:N, :N]
    source = (1.0 + 0.5 * np.sin(2 * np.pi * x / 40) * np.cos(2 * np.pi * y / 40)).astype(
        np.float32
    )
    hours = np.arange(HOURS)
    u, v = 5.0 * np.cos(0.2 * hours), 5.0 * np.sin(0.2 * hours)
    constants = TransportConstants(night_lifetime=4.0, exchange=1e-9)
    found = last(
        carry(weather(u, v), lambda _: torch.from_numpy(source), PLANE, constants, [HOURS - 1])
    )
    expected = oracle(source, u, v, 4.0 * HOUR)
    # what was there at the start is not the oracle's: take off its mean, e ** -3 of it
    start = SPIN_UP * np.exp(-HOURS / 4.0)
    inner = (slice(10, -10), slice(10, -10))
    difference = found.lower.numpy()[inner] - start - expected[inner]
    assert np.abs(difference).max() < 0.05 * 0.5 * 4.0 * HOUR


def test_hours_that_are_wanted_are_given():
    found = carry(weather(), lambda _: torch.ones(N, N), PLANE, STILL, [9, 11])
    assert sorted(found) == [9, 11]
    assert float(found[11].lower.mean()) > float(found[9].lower.mean())
