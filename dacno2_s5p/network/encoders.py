"""Encoder branches: weather goes from coarse to fine, static maps from fine to coarse.

Both return one field for each stage, coarse first, on which `fusion` works. In the paper's
geometry the stages are 32, 64, 128 and 256 cells wide.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from dacno2_s5p.network.blocks import Block, Inception, upsample
from dacno2_s5p.network.convlstm import Gates, InceptionConvLSTM, Upsampling

if TYPE_CHECKING:
    from collections.abc import Sequence


class WeatherEncoder(nn.Module):
    """Inception ConvLSTMs at every stage; time is halved and the grid doubled between them.

    Parameters
    ----------
    in_channels : int
        Meteorological variables.
    widths : sequence of int
        Channels of the state at each stage, coarse first.
    n_level : int
        1 for single-level variables (ConvLSTM-2D), else the number of layers (ConvLSTM-3D).
    gates, upsampling, dropout
        As in `NetworkConfig`.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        *,
        n_level: int = 1,
        gates: Gates = "input",
        upsampling: Upsampling = "nearest",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.n_level = n_level
        self.stages = nn.ModuleList()
        for stage, width in enumerate(widths):
            coarse = stage > 0 and upsampling != "nearest"
            self.stages.append(
                InceptionConvLSTM(
                    in_channels if stage == 0 else widths[stage - 1],
                    width,
                    n_level=n_level,
                    gates=gates,
                    coarse=coarse,
                    smooth=upsampling in ("bilinear", "state"),
                    state=upsampling == "state",
                    dropout=dropout,
                )
            )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Encode the weather of a day.

        Parameters
        ----------
        x : Tensor, shape (B, T, C, n_level, h, w)
            Normalised variables on the coarse grid; T a multiple of 2^(stages - 1).

        Returns
        -------
        list of Tensors, shape (B * n_level, width, h 2^s, w 2^s)
            Last time slice of each stage s, coarse first.
        """
        n_step = x.shape[1]
        steps = x.permute(1, 0, 3, 2, 4, 5).flatten(0, 2)
        steps = steps.contiguous(memory_format=torch.channels_last)
        skips: list[Tensor] = []
        kept: list[Tensor] = []
        for stage in self.stages:
            if skips:
                steps, n_step = torch.cat(kept), len(kept)
                if not stage.coarse:
                    steps = upsample(steps, smooth=False)
            states = stage(steps, n_step)
            # seq[1::2], not [::2]: the last hour, nearest to the overpass, always survives
            kept = states[1::2] or states
            if stage.coarse and stage.state:  # only what is used later is made fine
                kept = list(upsample(torch.cat(kept), smooth=True).chunk(len(kept)))
            skips.append(kept[-1])
        return skips


class StaticEncoder(nn.Module):
    """2-D inception CNN from the fine grid down: emissions and proxies, or geography.

    Parameters
    ----------
    in_channels : int
        Maps of the group.
    widths : sequence of int
        Channels at each stage, coarse first.
    dropout : float
        Dropout of the inception modules.
    smooth : bool
        Interpolate bilinearly instead of repeating values.
    n_plain : int
        So many of the finest stages are plain `Block`s and not inception modules.
    average : bool
        Means and not maxima of 2 x 2 cells on the way down: what is emitted is kept.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int],
        dropout: float = 0.0,
        *,
        smooth: bool = False,
        n_plain: int = 0,
        average: bool = False,
    ) -> None:
        super().__init__()
        fine_first = [in_channels, *reversed(widths)]
        self.average = average
        self.stages = nn.ModuleList(
            Block(before, after)
            if i < n_plain
            else Inception("cnn2d", before, after, dropout=dropout, smooth=smooth)
            for i, (before, after) in enumerate(pairwise(fine_first))
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Encode normalised maps (B, C, H, W) to (B, width, H, W) of each stage, coarse first."""
        x = x.contiguous(memory_format=torch.channels_last)
        fields: list[Tensor] = []
        pool = functional.avg_pool2d if self.average else functional.max_pool2d
        for stage in self.stages:
            x = stage(pool(x, 2) if fields else x)
            fields.append(x)
        return fields[::-1]
