"""The wind of the mixed layer and of the layer above, from winds at heights."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dacno2_s5p.transport.prior import LEAST_DEPTH, RESIDUAL_SCALE

HEIGHTS = (0.0, 50.0, 250.0, 500.0, 1000.0, 2000.0, 3000.0)
"""Heights above ground the winds are asked for [m]."""

MOST_DEPTH = 3000.0
"""Mixed layers are not deeper [m]: above, the layer above would have no wind."""

LEAST_HEIGHT, MOST_HEIGHT = 60.0, 1500.0
"""Bounds of the height of the mixed layer's wind [m]: above roofs, below the free wind."""


class HourlyWeather(NamedTuple):
    """Weather of successive hours on the 16 km cells, winds along the axes of the grid.

    Attributes
    ----------
    u, v : Tensor, shape (T, n_height, h, w)
        Wind at `HEIGHTS` [m s-1].
    blh : Tensor, shape (T, h, w)
        Boundary-layer height [m].
    ssrd : Tensor, shape (T, h, w)
        Sunlight of the hour that ends at the stamp [J m-2].
    """

    u: Tensor
    v: Tensor
    blh: Tensor
    ssrd: Tensor


class LayerWinds(NamedTuple):
    """What carries, Tensors of shape (T, h, w).

    Attributes
    ----------
    lower_x, lower_y, upper_x, upper_y : Tensor
        Winds of the mixed layer and of the layer above [m s-1].
    depth : Tensor
        Depth of the mixed layer [m].
    """

    lower_x: Tensor
    lower_y: Tensor
    upper_x: Tensor
    upper_y: Tensor
    depth: Tensor


def layer_winds(weather: HourlyWeather, wind_height: float) -> LayerWinds:
    """Take the winds of the two layers.

    Parameters
    ----------
    weather : HourlyWeather
    wind_height : float
        Height of the mixed layer's wind over its depth [1]: the wind there, linear between
        heights, carries the layer. The layer above has the mean wind of what lies above the
        mixed layer, weighted by exp(-z / 800 m).
    """
    z = torch.tensor(HEIGHTS, dtype=weather.u.dtype)
    depth = weather.blh.clamp(LEAST_DEPTH, MOST_DEPTH)
    height = (wind_height * depth).clamp(LEAST_HEIGHT, MOST_HEIGHT)
    weight = _linear(height, z)
    edges = torch.cat([z[:1], 0.5 * (z[1:] + z[:-1]), z[-1:]])
    apart = z.view(1, -1, 1, 1) - depth[:, None]
    share = torch.sigmoid(apart / 150.0) * torch.exp(-apart.clamp(min=0.0) / RESIDUAL_SCALE)
    share = share * (edges[1:] - edges[:-1]).view(1, -1, 1, 1)
    share = share / share.sum(dim=1, keepdim=True)
    means = [(w * field).sum(dim=1) for w in (weight, share) for field in (weather.u, weather.v)]
    return LayerWinds(means[0], means[1], means[2], means[3], depth)


def _linear(height: Tensor, z: Tensor) -> Tensor:
    """Return weights of the levels that interpolate to a height, shape (T, n, h, w)."""
    above = torch.searchsorted(z, height.contiguous()).clamp(1, z.numel() - 1)
    part = (height - z[above - 1]) / (z[above] - z[above - 1])
    weight = torch.zeros(height.shape[0], z.numel(), *height.shape[1:], dtype=height.dtype)
    weight.scatter_(1, above[:, None], part[:, None])
    weight.scatter_(1, above[:, None] - 1, 1.0 - part[:, None])
    return weight
