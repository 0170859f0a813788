"""The lean form's finest stages: levels as channels of 2-D blocks, joined with the static maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from dacno2_s5p.inputs.grid import COARSE_FACTOR
from dacno2_s5p.network.blocks import Block, upsample

if TYPE_CHECKING:
    from collections.abc import Sequence


class FineStages(nn.Module):
    """From the decoded field at 8 km to 2 km: x = block(join(up(1 x 1 (x)), static maps)).

    On processors with matrix units dense 3 x 3 convolutions of some 50 channels are many times
    cheaper a weight than narrow branches at each level; weather has no more to say at these grids,
    and every level sees all others at once.

    Parameters
    ----------
    in_channels : int
        Levels times channels of the decoded field.
    widths : sequence of int
        Channels of each stage, coarse first.
    static : sequence of int
        Channels of each static branch at each stage.
    """

    def __init__(self, in_channels: int, widths: Sequence[int], static: Sequence[int]) -> None:
        super().__init__()
        before = (in_channels, *widths)
        self.narrow = nn.ModuleList(
            nn.Conv2d(wide, width, 1) for wide, width in zip(before, widths, strict=False)
        )
        self.blocks = nn.ModuleList(
            Block(width + 2 * of_maps, width) for width, of_maps in zip(widths, static, strict=True)
        )

    def forward(self, x: Tensor, n_level: int, static: Sequence[Tensor]) -> Tensor:
        """Refine.

        Parameters
        ----------
        x : Tensor, shape (B * n_level, C, h, w)
            Folded field.
        n_level : int
        static : sequence of Tensors, shape (B, channels, h 2^(s + 1), w 2^(s + 1))
            Features of both static branches at each stage.

        Returns
        -------
        Tensor, shape (B, widths[-1], H, W)
        """
        folded, channels, height, width = x.shape
        n_batch = folded // n_level
        # channels-last memory: (B, level, h, w, C) to (B, h, w, level, C)
        levels = x.permute(0, 2, 3, 1).reshape(n_batch, n_level, height, width, channels)
        joined = levels.permute(0, 2, 3, 1, 4).reshape(n_batch, height, width, n_level * channels)
        y = joined.permute(0, 3, 1, 2)
        for narrow, block, maps in zip(self.narrow, self.blocks, static, strict=True):
            # 1 x 1 before the interpolation, which commutes with it: a quarter of the cost
            y = block(torch.cat([upsample(narrow(y), smooth=True), maps], dim=1))
        return y


def relief(elevation: Tensor) -> Tensor:
    """Return slope and height above the 16 km mean, (B, 2, H, W), of normalised elevation.

    Both in the deviations of the elevation; the slope over one fine cell. In valleys NO2 piles up,
    on ridges above them it does not reach.
    """
    mean = functional.avg_pool2d(elevation, COARSE_FACTOR)
    above = elevation - functional.interpolate(mean, size=elevation.shape[2:], mode="bilinear")
    wide = functional.pad(elevation, (1, 1, 1, 1), mode="replicate")
    along = 0.5 * (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2])
    across = 0.5 * (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1])
    return torch.cat([3.0 * above, 3.0 * torch.sqrt(along**2 + across**2 + 1e-8)], dim=1)
