"""The day's CAMS forecast beside the network's own field, instead of in front of it.

CAMS targets share the forecast's errors: the emissions, winds and free troposphere of one model. A
network that sees the forecast learns from them that it need not be mended, and copies it. So in
this form the network does not see it. Its own field l and the forecast f, whose errors then have
little to do with each other, are joined at the end. With r = ln(f / l8) on the cells of the
forecast, l8 being l's means over them, and w a Gaussian mean of r over 64 km (one deviation):

    NO2 = l exp(b + s_w w + s_n (r - w))

with the sum interpolated to fine cells. Fine structure is of l; which amounts are whose is told by
scale: a forecast may err in a whole region's day and still know where a plume lies, and the other
way round. The shares s_w and s_n and b, the logarithm of a factor, are of each height, kept in the
checkpoint, and fitted after training to stations that neither has seen and to the mean amounts of
CAMS (`calibration.forecast`); no gradient changes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dacno2_s5p.inputs.grid import CAMS_FACTOR
from dacno2_s5p.network.first_guess import on_fine_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dacno2_s5p.inputs.normalisation import TargetScaling

LEAST = 1e-4
"""The forecast counts as at least this [scaled units]: it may be 0, and its logarithm is needed."""

WIDE = 8.0
"""Deviation of the Gaussian mean [cells of the forecast]: 64 km."""

REACH = 24
"""Cells from which on the Gaussian mean has no weight: three deviations."""


class Blend(nn.Module):
    """Joins own field and forecast; starts from equal shares and no factor.

    Parameters
    ----------
    n_level : int
        Heights.
    """

    def __init__(self, n_level: int) -> None:
        super().__init__()
        self.register_buffer("wide_share", torch.full((n_level,), 0.5))
        self.register_buffer("near_share", torch.full((n_level,), 0.5))
        self.register_buffer("amount", torch.zeros(n_level))
        self.register_buffer("unit", torch.ones(n_level))

    def set_scaling(self, scaling: TargetScaling) -> None:
        """Take over layer ratios and target scale: forecasts are brought to the output's units."""
        cast("Tensor", self.unit).copy_(scaling.units)

    def set_constants(
        self, wide: Sequence[float], near: Sequence[float], amount: Sequence[float]
    ) -> None:
        """Take over shares (0 to 1) and logarithms of the factor, one of each height."""
        for name, values in (("wide_share", wide), ("near_share", near), ("amount", amount)):
            cast("Tensor", getattr(self, name)).copy_(torch.tensor(values))

    def forward(self, own: Tensor, forecast: Tensor) -> Tensor:
        """Join.

        Parameters
        ----------
        own : Tensor, shape (B, n_level, H, W)
            Scaled NO2 [1], positive.
        forecast : Tensor, shape (B, n_level, H / 4, W / 4)
            The day's forecast [ug m-3].

        Returns
        -------
        Tensor, shape (B, n_level, H, W)
            Scaled NO2 [1], positive.
        """
        wide, near = self.parts(own, forecast)
        constants = (self.amount, self.wide_share, self.near_share)
        amount, of_wide, of_near = (cast("Tensor", x).view(-1, 1, 1) for x in constants)
        return own * torch.exp(on_fine_cells(amount + of_wide * wide + of_near * near))

    def parts(self, own: Tensor, forecast: Tensor) -> tuple[Tensor, Tensor]:
        """Return the wide and near parts of the logarithm of forecast over own field.

        Both of shape (B, n_level, H / 4, W / 4), on the cells of the forecast.
        """
        given = (forecast / cast("Tensor", self.unit).view(-1, 1, 1)).clamp(min=LEAST)
        ratio = torch.log(given / functional.avg_pool2d(own, CAMS_FACTOR))
        wide = smoothed(ratio)
        return wide, ratio - wide


def smoothed(field: Tensor) -> Tensor:
    """Return Gaussian means of fields (B, n_level, h, w); the edge goes on beyond itself."""
    offset = torch.arange(-REACH, REACH + 1, dtype=field.dtype)
    weight = torch.exp(-(offset**2) / (2.0 * WIDE**2))
    weight = weight / weight.sum()
    n_batch, n_level, height, width = field.shape
    single = field.reshape(n_batch * n_level, 1, height, width)
    single = functional.pad(single, (REACH,) * 4, mode="replicate")
    along = functional.conv2d(single, weight.view(1, 1, 1, -1))
    return functional.conv2d(along, weight.view(1, 1, -1, 1)).view(field.shape)
