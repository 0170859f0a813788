"""From the four transported maps to a profile of NO2: the first guess a network multiplies.

    c(z) = c_m 1.6 exp(-z/h) s((h - z) / 0.12 h)            mixed layer of depth h
         + q t_f / d exp(-z/d),  d = 80 m + 0.1 h            emitted within t_f = 1000 s
         + c_a exp(-max(z - h, 0) / 800 m) min(z/h, 1)^2     layer above
         + 0.03 ug m-3 exp(-z / 8 km)                        what is everywhere

with s the logistic function, c_m and c_a the concentrations of the layers and q the emission of
the column. 1.6 keeps the amount of the mixed layer, to 2 %. Shapes are generic: what they lack is
the network's factor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

MAPS = ("mixed", "above", "fresh", "depth")
"""The maps of the group `transport`, in their order."""

LEAST_DEPTH = 100.0
"""Mixed layers are at least so deep [m]: shallower ones say nothing of roofs and chimneys."""

RESIDUAL_SCALE = 800.0
"""Decay of the layer above with height [m]."""

FRESH_SECONDS = 1000.0
"""Age up to which emissions are still near the ground [s]."""

BACKGROUND, BACKGROUND_SCALE = 0.03, 8000.0
"""NO2 that is everywhere [ug m-3], and its decay with height [m]."""


def residual_depth(depth: Tensor) -> Tensor:
    """Depth over which the column above the mixed layer is a concentration [m]."""
    return RESIDUAL_SCALE + depth / 3.0


def prior_profile(transport: Tensor, heights: Sequence[float] | Tensor) -> Tensor:
    """Put transported NO2 on heights.

    Parameters
    ----------
    transport : Tensor, shape (B, 4, H, W)
        NO2 of the mixed layer and of the layer above [ug m-3], emission over depth
        [ug m-3 h-1], depth of the mixed layer [m]; in plain units.
    heights : sequence of float, shape (n_level,)
        Above ground [m].

    Returns
    -------
    Tensor, shape (B, n_level, H, W)
        NO2 [ug m-3], positive, differentiable.

    Examples
    --------
    >>> maps = torch.tensor([10.0, 2.0, 0.0, 1000.0]).view(1, 4, 1, 1)
    >>> [round(c, 2) for c in prior_profile(maps, [0.0, 500.0, 3000.0]).flatten().tolist()]
    [16.03, 10.08, 0.18]
    """
    mixed, above, fresh, depth = (transport[:, i : i + 1] for i in range(len(MAPS)))
    z = torch.as_tensor(heights, dtype=transport.dtype, device=transport.device).view(1, -1, 1, 1)
    h = depth.clamp(min=LEAST_DEPTH)
    aged = 1.6 * mixed * torch.exp(-z / h) * torch.sigmoid((h - z) / (0.12 * h))
    near = 80.0 + 0.1 * h
    young = fresh / 3600.0 * depth * (FRESH_SECONDS / near) * torch.exp(-z / near)
    residual = above * torch.exp(-(z - h).clamp(min=0.0) / RESIDUAL_SCALE)
    background = BACKGROUND * torch.exp(-z / BACKGROUND_SCALE)
    return aged + young + residual * (z / h).clamp(max=1.0) ** 2 + background
