"""What a network multiplies: the carried profile, the day's CAMS forecast, or both together.

With y the last convolution's output and c_k a gain of each height, NO2 = guess * exp(y + c), the
exponent within +-4. The guess is

- the profile p of the carried emissions (`transport.prior`), or
- the forecast f, made fine by bilinear interpolation, or
- with both, f^w (p / p8)^w p^(1 - w), where p8 is p's mean over the cells of the forecast: its fine
  structure is of p, its amount of a mean of f and p in the logarithm. The weight w of each height
  is learnt, and starts from one half; 1 is the forecast made finer alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dacno2_s5p.inputs.grid import CAMS_FACTOR
from dacno2_s5p.transport.prior import prior_profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dacno2_s5p.inputs.normalisation import TargetScaling
    from dacno2_s5p.inputs.samples import Inputs

LARGEST = 4.0
"""The logarithm of the factor on the guess stays within +- this."""

LEAST = 0.05
"""Added to scaled NO2 before its logarithm is an input [1]: less is no signal."""

FEATURES = 5
"""Maps made of the transported ones, beside the logarithm of the profile."""


def carried_features(transport: Tensor) -> Tensor:
    """Bring the transported maps to the order of 1: logarithms with fixed offsets.

    Parameters
    ----------
    transport : Tensor, shape (B, 4, H, W)
        As in `Inputs`.

    Returns
    -------
    Tensor, shape (B, 5, H, W)
    """
    mixed, above, fresh, depth = transport.unbind(1)
    maps = (
        torch.log1p(mixed) - 0.8,
        torch.log1p(4.0 * above) - 0.8,
        torch.log1p(fresh) - 0.5,
        1.4 * torch.log(depth.clamp(min=100.0) / 600.0),
        torch.log1p(1e-3 * mixed * depth) - 0.8,  # the column, not the concentration
    )
    return torch.stack(maps, dim=1)


class FirstGuess(nn.Module):
    """The guess in scaled units, and the maps that the network sees of it.

    Parameters
    ----------
    heights : sequence of float
        Of the output [m].
    transport, cams : bool
        What it is made of; at least one.

    Raises
    ------
    ValueError
        If there are no heights.
    """

    def __init__(self, heights: Sequence[float], *, transport: bool, cams: bool) -> None:
        super().__init__()
        if not heights:
            msg = (
                "Invalid network. A first guess needs the heights of the levels. Given none. Build "
                "the network from the data's heights."
            )
            raise ValueError(msg)
        self.heights = tuple(heights)
        self.transport, self.cams = transport, cams
        n_level = len(self.heights)
        self.gain = nn.Parameter(torch.zeros(n_level))
        self.register_buffer("unit", torch.ones(n_level))
        if transport and cams:
            self.share = nn.Parameter(torch.zeros(n_level))

    def set_scaling(self, scaling: TargetScaling) -> None:
        """Take over layer ratios and target scale: guesses are made in the output's units."""
        cast("Tensor", self.unit).copy_(scaling.units)

    @staticmethod
    def n_map(n_level: int, *, transport: bool, cams: bool) -> int:
        """Return the number of maps that the network sees."""
        return transport * (FEATURES + n_level) + cams * n_level

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Make guess and maps of a batch.

        Returns
        -------
        guess : Tensor, shape (B, n_level, H, W)
            Scaled NO2 [1], positive.
        maps : Tensor, shape (B, n_map, H, W)
        """
        unit = cast("Tensor", self.unit).view(-1, 1, 1)
        maps: list[Tensor] = []
        carried = forecast = None
        if inputs.transport is not None and self.transport:
            carried = prior_profile(inputs.transport, self.heights) / unit
            maps += [carried_features(inputs.transport), torch.log(carried + LEAST)]
        if inputs.cams is not None and self.cams:
            forecast = on_fine_cells(inputs.cams / unit).clamp(min=1e-4)
            maps.append(torch.log(forecast + LEAST))
        seen = torch.cat(maps, dim=1)
        if carried is None or forecast is None:
            guess = cast("Tensor", forecast if carried is None else carried)
            return guess, seen
        share = torch.sigmoid(self.share).view(-1, 1, 1)
        coarse = on_fine_cells(functional.avg_pool2d(carried, CAMS_FACTOR))
        return carried * (forecast / coarse) ** share, seen

    def factor(self, y: Tensor) -> Tensor:
        """Return the logarithm of what the guess is multiplied by, shape (B, n_level, H, W)."""
        return (y + self.gain.view(-1, 1, 1)).clamp(-LARGEST, LARGEST)


def on_fine_cells(x: Tensor) -> Tensor:
    """Interpolate (B, n_level, h, w) of CAMS cells bilinearly to fine cells."""
    return functional.interpolate(x, scale_factor=float(CAMS_FACTOR), mode="bilinear")
