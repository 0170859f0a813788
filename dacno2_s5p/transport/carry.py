"""Two columns of NO2, mixed layer and layer above, carried for a day by their winds.

    dN_m/dt = E - k_m N_m - X,   dN_a/dt = -k_a N_a + X       along the path of each layer
    k_m = 1/t_n + S / (700 W m-2) / t_d,   k_a = 1/24 h + S / (700 W m-2) / (1.5 t_d)
    X dt = x [(0.04 + 0.75 max(-dh, 0)/h) N_m - (1 - exp(-max(dh, 0) / 700 m)) N_a]   in an hour

with E the emission, S the sunlight, h the depth of the mixed layer, dh its change, and the
constants t_n, t_d and x of `TransportConstants`. A layer that becomes shallower leaves NO2 aloft,
three quarters of its share, for it is denser below; one that grows takes NO2 in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from dacno2_s5p.transport.plane import Plane
from dacno2_s5p.transport.winds import layer_winds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from dacno2_s5p.transport.constants import TransportConstants
    from dacno2_s5p.transport.winds import HourlyWeather

HOUR = 3600.0

BRIGHT = 700.0
"""Sunlight of the lifetime by day [W m-2]."""

ALOFT_LIFETIME = 24.0 * HOUR
"""Lifetime in the layer above without sunlight [s]."""

ALOFT_SHARE = 1.5
"""Lifetime by day in the layer above over that in the mixed layer: it is cooler and drier."""

VENTED = 0.04
"""Share of the mixed layer that shallow clouds take up in an hour."""

DENSER_BELOW = 0.75
"""NO2 in the upper part of a layer over its share of the depth."""

ENTRAINMENT_DEPTH = 700.0
"""Growth of the mixed layer that takes in all but 1/e of the layer above [m]."""

MOST_EXCHANGED = 0.8
"""At most this share of a layer is exchanged in an hour."""

DISPERSION = 2000.0
"""Standard deviation of the spread of an hour [m]."""

SPIN_UP = 5.0 * HOUR
"""Emissions of so many hours, smoothed, are there at the start."""

SPIN_UP_WIDTH = 32_000.0
"""Width of their mean [m]."""


class Hour(NamedTuple):
    """State at the end of an hour, Tensors of shape (n_y, n_x).

    Attributes
    ----------
    lower, upper : Tensor
        Columns of the mixed layer and the layer above [amount m-2].
    source : Tensor
        Emission of the hour [amount m-2 s-1].
    depth : Tensor
        Depth of the mixed layer [m].
    """

    lower: Tensor
    upper: Tensor
    source: Tensor
    depth: Tensor


def carry(
    weather: HourlyWeather,
    emission: Callable[[int], Tensor],
    plane: Plane,
    constants: TransportConstants,
    wanted: Sequence[int],
) -> dict[int, Hour]:
    """Carry emissions through all hours of the weather.

    Parameters
    ----------
    weather : HourlyWeather
        Of T successive hours, on cells that fill the plane. The hour that ends at a stamp has
        the mean of its wind and of the one before, and its own sunlight.
    emission : callable
        From the index of an hour to its emission [amount m-2 s-1], shape (n_y, n_x).
    plane : Plane
    constants : TransportConstants
    wanted : sequence of int
        Indices of the hours whose end is wanted.

    Returns
    -------
    dict of int to Hour
    """
    winds = layer_winds(weather, constants.wind_height)
    light = weather.ssrd.clamp(min=0.0) / HOUR / BRIGHT
    by_day = constants.day_lifetime * HOUR
    lower_loss = 1.0 / (constants.night_lifetime * HOUR) + light / by_day
    upper_loss = 1.0 / ALOFT_LIFETIME + light / (ALOFT_SHARE * by_day)
    before = torch.cat([torch.stack(winds[:4])[:, :1], torch.stack(winds[:4])[:, :-1]], dim=1)
    means = 0.5 * (torch.stack(winds[:4]) + before)
    step = HOUR / constants.steps_an_hour
    found: dict[int, Hour] = {}
    lower = _spin_up(emission(0), plane)
    upper = 0.4 * lower
    depth_before: Tensor | None = None
    for i in range(max(wanted) + 1):
        rows = [*means[:, i], lower_loss[i], upper_loss[i], winds.depth[i]]
        fine = plane.fine(torch.stack(rows))
        lower_wind, upper_wind = plane.wind(fine[0], fine[1]), plane.wind(fine[2], fine[3])
        keep, upper_keep, depth = torch.exp(-step * fine[4]), torch.exp(-HOUR * fine[5]), fine[6]
        source = emission(i)
        # on average, what was emitted on the way lost half a step
        emitted = plane.emitted(source, lower_wind, step) * torch.exp(-0.5 * step * fine[4])
        up, down = _exchange(depth if depth_before is None else depth_before, depth, constants)
        upper = plane.carried(upper, upper_wind, HOUR) * upper_keep
        for _ in range(constants.steps_an_hour):
            lower = plane.carried(lower, lower_wind, step) * keep + emitted
            change = (up * lower - down * upper) / constants.steps_an_hour
            lower, upper = lower - change, upper + change
        lower, upper = plane.dispersed(lower, DISPERSION), plane.dispersed(upper, DISPERSION)
        depth_before = depth
        if i in wanted:
            found[i] = Hour(lower, upper, source, depth)
    return found


def _exchange(
    before: Tensor, depth: Tensor, constants: TransportConstants
) -> tuple[Tensor, Tensor]:
    """Return shares of the lower and of the upper column that are exchanged in an hour."""
    fall = ((before - depth) / before).clamp(min=0.0)
    growth = (depth - before).clamp(min=0.0)
    up = constants.exchange * (VENTED + DENSER_BELOW * fall)
    down = constants.exchange * (1.0 - torch.exp(-growth / ENTRAINMENT_DEPTH))
    return up.clamp(max=MOST_EXCHANGED), down.clamp(max=MOST_EXCHANGED)


def _spin_up(source: Tensor, plane: Plane) -> Tensor:
    width = max(round(SPIN_UP_WIDTH / plane.spacing), 1)
    n_y, n_x = (max(n // width, 1) for n in plane.shape)
    wide = torch.nn.functional.adaptive_avg_pool2d(source[None], (n_y, n_x))
    return plane.fine(wide)[0] * SPIN_UP
