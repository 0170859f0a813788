"""Fusion of the four mapped branches at one stage, each in the layers it can speak for.

Section 2.3.1: emission and geography features go to the surface layer, single-level features
to the lowest five layers, multi-level features to all; everything else is zero; the branches are
concatenated and mixed by a 3-D CNN.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dacno2_s5p.network.blocks import Inception


@dataclass(frozen=True)
class StageWidths:
    """Channels that meet in the fusion of one stage.

    Attributes
    ----------
    static, single, multi : int
        Channels of the emission and geography branches (each), of the single-level and of the
        multi-level branch.
    decoder : int
        Channels of the fused field; a quarter of it comes from each branch.
    """

    static: int
    single: int
    multi: int
    decoder: int

    @property
    def transition(self) -> int:
        """Channels of each branch after its transition layer."""
        return self.decoder // 4


class Fusion(nn.Module):
    """Transition layers, placement by height, 1 x 1 x 1 mix, 3-D inception.

    The zero layers are never made. The mix is linear, so that with W = (W_e, W_g, W_s, W_m) it is
    y = W_m m + b everywhere, plus W_s s in the lowest five layers, plus W_e e + W_g g in the
    surface layer: the same function as the zero-filled form, which is the reference in the tests,
    with half of the multiplications of the mix.

    Parameters
    ----------
    widths : StageWidths
        Channels of this stage.
    n_level : int
        Layers of the fused field.
    n_single : int
        Layers the single-level features are placed in, from the surface up.
    dropout : float
        Dropout of the inception module.
    smooth : bool
        Interpolate bilinearly instead of repeating values.
    """

    def __init__(
        self,
        widths: StageWidths,
        *,
        n_level: int,
        n_single: int,
        dropout: float = 0.0,
        smooth: bool = False,
    ) -> None:
        super().__init__()
        part = widths.transition
        self.n_level = n_level
        self.n_single = n_single
        self.emission = nn.Conv2d(widths.static, part, 3, padding=1)
        self.geography = nn.Conv2d(widths.static, part, 3, padding=1)
        self.single = nn.Conv2d(widths.single, n_single * part, 3, padding=1)
        self.multi = nn.Conv2d(widths.multi, part, 3, padding=1)
        self.mix = nn.Conv2d(4 * part, widths.decoder, 1)
        self.inception = Inception(
            "cnn3d", widths.decoder, widths.decoder, n_level, dropout, smooth=smooth
        )

    def place(self, emission: Tensor, geography: Tensor, single: Tensor, multi: Tensor) -> Tensor:
        """Mix the branches, each in its layers; shapes as in `forward`."""
        part = self.mix.in_channels // 4
        weight = self.mix.weight
        of_surface, of_lowest, of_all = (
            weight[:, : 2 * part],
            weight[:, 2 * part : 3 * part],
            weight[:, 3 * part :],
        )
        mixed = functional.conv2d(self.multi(multi), of_all, self.mix.bias)
        height, width = mixed.shape[2:]
        # (B, 5 part, H, W) to one field for each of the five layers, folded
        lowest = self.single(single).reshape(-1, part, height, width)
        lowest = functional.conv2d(lowest.contiguous(memory_format=torch.channels_last), of_lowest)
        surface = torch.cat([self.emission(emission), self.geography(geography)], dim=1)
        of_ground = _by_layer(functional.conv2d(surface, of_surface), 1)
        # split and joined, not added in place: its gradient copies once, not once a sum
        n_low, n_high = self.n_single - 1, self.n_level - self.n_single
        ground, low, high = torch.split(_by_layer(mixed, self.n_level), [1, n_low, n_high], dim=1)
        to_ground, to_low = torch.split(_by_layer(lowest, self.n_single), [1, n_low], dim=1)
        layers = torch.cat([ground + to_ground + of_ground, low + to_low, high], dim=1)
        return layers.flatten(0, 1).permute(0, 3, 1, 2)

    def forward(self, emission: Tensor, geography: Tensor, single: Tensor, multi: Tensor) -> Tensor:
        """Fuse the features of one stage.

        Parameters
        ----------
        emission, geography : Tensor, shape (B, static, H, W)
        single : Tensor, shape (B, single, H, W)
        multi : Tensor, shape (B * n_level, multi, H, W)

        Returns
        -------
        Tensor, shape (B * n_level, decoder, H, W)
        """
        fused: Tensor = self.inception(self.place(emission, geography, single, multi))
        return fused


def _by_layer(x: Tensor, n_level: int) -> Tensor:
    """View fields (B * n_level, C, H, W) in channels-last order as (B, n_level, H, W, C)."""
    _, channels, height, width = x.shape
    return x.permute(0, 2, 3, 1).reshape(-1, n_level, height, width, channels)
