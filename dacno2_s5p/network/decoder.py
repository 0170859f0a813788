"""Temporal embedding, 3-D decoder with residual connections, and the non-negative head."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dacno2_s5p.network.blocks import Inception, upsample

if TYPE_CHECKING:
    from collections.abc import Sequence


class TemporalEmbedding(nn.Module):
    """MLP from day of week and flights to the channels of the coarsest stage."""

    def __init__(self, in_channels: int, hidden: int, out_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(in_channels, hidden), nn.SiLU(), nn.Linear(hidden, out_channels)
        )

    def forward(self, x: Tensor, n_level: int) -> Tensor:
        """Embed (B, C) and repeat it for all layers: (B * n_level, out_channels, 1, 1)."""
        embedded: Tensor = self.layers(x)
        return embedded.repeat_interleave(n_level, dim=0)[:, :, None, None]


class Decoder(nn.Module):
    """From the coarsest fused field up: x = up(conv(x)) + fused, then x + inception(x).

    Parameters
    ----------
    widths : sequence of int
        Channels of each stage, coarse first.
    n_level : int
        Layers, kept throughout.
    dropout : float
        Dropout of the inception modules.
    smooth : bool
        Interpolate bilinearly instead of repeating values.
    """

    def __init__(
        self, widths: Sequence[int], *, n_level: int, dropout: float = 0.0, smooth: bool = False
    ) -> None:
        super().__init__()
        self.smooth = smooth
        self.ascents = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths)
        )
        self.blocks = nn.ModuleList(
            Inception("cnn3d", width, width, n_level, dropout, smooth=smooth) for width in widths
        )

    def forward(self, fused: Sequence[Tensor], temporal: Tensor) -> Tensor:
        """Decode.

        Parameters
        ----------
        fused : sequence of Tensors, shape (B * n_level, widths[s], h 2^s, w 2^s)
            Fused features of each stage, coarse first.
        temporal : Tensor, shape (B * n_level, widths[0], 1, 1)
            Embedding, added at the coarsest stage only.

        Returns
        -------
        Tensor, shape (B * n_level, widths[-1], H, W)
        """
        x = fused[0] + temporal
        x = x + self.blocks[0](x)
        for ascent, block, skip in zip(self.ascents, self.blocks[1:], fused[1:], strict=True):
            # convolution before the upsampling: a quarter of the cost
            x = upsample(ascent(x), smooth=self.smooth) + skip
            x = x + block(x)
        decoded: Tensor = x
        return decoded


class Head(nn.Module):
    """1 x 1 x 1 convolution and softplus, so that concentrations are never negative.

    In float32 even where the network runs in bfloat16, whose 8 bits of mantissa are a
    concentration's third digit.

    Parameters
    ----------
    in_channels : int
    out_channels : int
        1 of folded levels, or the number of levels.
    positive : bool
        Without, no softplus: any number, of which a factor is made.
    """

    def __init__(self, in_channels: int, out_channels: int = 1, *, positive: bool = True) -> None:
        super().__init__()
        self.positive = positive
        self.conv = nn.Conv2d(in_channels, out_channels, 1)

    @torch.no_grad()
    def start_small(self) -> None:
        """Bring the weights near to 0: a factor starts from one."""
        self.conv.weight.mul_(0.1)
        nn.init.zeros_(cast("Tensor", self.conv.bias))

    def forward(self, x: Tensor, n_level: int) -> Tensor:
        """Map (B * n_level, C, H, W), or (B, C, H, W) of all levels, to (B, n_level, H, W)."""
        with torch.autocast(x.device.type, enabled=False):
            y: Tensor = self.conv(x.to(self.conv.weight.dtype))
            if self.positive:
                y = functional.softplus(y)
        return y.view(-1, n_level, *y.shape[2:]) if y.shape[1] == 1 else y
