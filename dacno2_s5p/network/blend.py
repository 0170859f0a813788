"""The day's CAMS forecast beside the network's own field, instead of in front of it.

CAMS targets share the forecast's errors: the emissions, winds and free troposphere of one model. A
network that sees the forecast learns from them that it need not be mended, and copies it. So in
this form the network does not see it. Its own field l and the forecast f, whose errors then have
little to do with each other, are joined at the end:

    NO2 = l (f e^b / l8)^s

with f on fine cells by bilinear interpolation, and l8 likewise from l's mean over the cells of the
forecast: fine structure is of l, amounts are a mean of both in the logarithm. The share s and the
logarithm b of the forecast's factor are of each height, kept in the checkpoint, and fitted after
training to stations, which neither has seen (`calibration.forecast`); no gradient changes them.
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


class Blend(nn.Module):
    """Joins own field and forecast; starts from equal shares and the forecast as it is.

    Parameters
    ----------
    n_level : int
        Heights.
    """

    def __init__(self, n_level: int) -> None:
        super().__init__()
        self.register_buffer("share", torch.full((n_level,), 0.5))
        self.register_buffer("amount", torch.zeros(n_level))
        self.register_buffer("unit", torch.ones(n_level))

    def set_scaling(self, scaling: TargetScaling) -> None:
        """Take over layer ratios and target scale: forecasts are brought to the output's units."""
        cast("Tensor", self.unit).copy_(scaling.units)

    def set_constants(self, share: Sequence[float], amount: Sequence[float]) -> None:
        """Take over shares (0 to 1) and logarithms of the forecast's factor, one of each height."""
        cast("Tensor", self.share).copy_(torch.tensor(share))
        cast("Tensor", self.amount).copy_(torch.tensor(amount))

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
        share, amount, unit = (
            cast("Tensor", x).view(-1, 1, 1) for x in (self.share, self.amount, self.unit)
        )
        given = on_fine_cells(forecast / unit).clamp(min=LEAST) * torch.exp(amount)
        return own * (given / on_fine_cells(functional.avg_pool2d(own, CAMS_FACTOR))) ** share
