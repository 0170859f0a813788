"""Building blocks: inception modules on folded tensors.

A 3-D field of `n_level` layers is stored *folded*, with shape (N * n_level, C, H, W) and
channels_last memory, that is (N, n_level, H, W, C) in memory. Then

- a 1 x k x k convolution is a plain 2-D convolution, and
- a 3 x 1 x 1 convolution is a 2-D convolution with kernel (3, 1) on the view (N, C, level, H * W),

both without a copy. This is not a matter of taste: for few channels torch runs conv3d on a slow
fallback and max_pool3d several times slower than max_pool2d; folded, the network is 1.8 times
faster. The same classes serve 2-D branches, with one level.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Kind = Literal["lstm", "cnn2d", "cnn3d"]
"""Sets of branches, section 2.3.2: ConvLSTM, 2-D CNN and 3-D CNN."""

_KERNELS: dict[Kind, tuple[int, ...]] = {"lstm": (1, 3, 5), "cnn2d": (1, 3, 5), "cnn3d": (1, 3)}


def split_width(channels: int, parts: int) -> list[int]:
    """Split channels over branches as evenly as possible, the first ones wider.

    Examples
    --------
    >>> split_width(12, 5)
    [3, 3, 2, 2, 2]
    """
    return [channels // parts + (i < channels % parts) for i in range(parts)]


def vertical_convolution(x: Tensor, weight: Tensor, bias: Tensor | None, n_level: int) -> Tensor:
    """Convolve along the layers, zero-padded, horizontally point by point.

    Parameters
    ----------
    x : Tensor, shape (N * n_level, C, H, W)
        Folded field; channels_last memory, or it is copied.
    weight : Tensor, shape (C_out, C, 3, 1)
        Kernel over the layer below, the layer itself, the layer above.
    bias : Tensor, shape (C_out,), optional
    n_level : int
        Number of layers folded into the first axis, surface first.

    Returns
    -------
    Tensor, shape (N * n_level, C_out, H, W)
    """
    height, width = x.shape[2:]
    columns = x.permute(0, 2, 3, 1).reshape(-1, n_level, height * width, x.shape[1])
    mixed = functional.conv2d(columns.permute(0, 3, 1, 2), weight, bias, padding=(1, 0))
    folded = mixed.permute(0, 2, 3, 1).reshape(-1, height, width, weight.shape[0])
    return folded.permute(0, 3, 1, 2)


class VerticalConv(nn.Conv2d):
    """A 3 x 1 x 1 convolution on folded fields."""

    def __init__(
        self, in_channels: int, out_channels: int, n_level: int, *, bias: bool = True
    ) -> None:
        super().__init__(in_channels, out_channels, (3, 1), bias=bias)
        self.n_level = n_level

    def convolve(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Convolve with other weights than the module's own."""
        return vertical_convolution(x, weight, bias, self.n_level)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (N * n_level, C, H, W) along its layers."""
        return self.convolve(x, self.weight, self.bias)


def upsample(x: Tensor, *, smooth: bool) -> Tensor:
    """Make (N, C, H, W) twice finer: each value four times, or bilinear where `smooth`.

    Bilinear interpolation leaves no edges at the borders of coarse cells, from which a regular
    texture of the fine field could be learnt that no target on the coarse grid sees.
    """
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear" if smooth else "nearest")


class PoolBranch(nn.Module):
    """Max-pool 2 x 2 with stride 2, a 1 x 1 convolution on the coarse grid, upsampling.

    Section 2.3.2 calls the branch a spatial downsampling that gives a coarse-scale summary.
    The convolution is on the coarse grid because it commutes with the upsampling and costs a
    quarter there.
    """

    def __init__(self, in_channels: int, out_channels: int, *, smooth: bool = False) -> None:
        super().__init__()
        self.smooth = smooth
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Summarise (N, C, H, W) with even H and W to (N, C_out, H, W)."""
        return upsample(self.conv(functional.max_pool2d(x, 2)), smooth=self.smooth)


def _branches(
    kind: Kind, in_channels: int, widths: Sequence[int], n_level: int, *, smooth: bool
) -> list[nn.Module]:
    """Return the parallel convolutions of a kind; none has a bias, as normalisation follows."""
    kernels = _KERNELS[kind]
    branches: list[nn.Module] = [
        nn.Conv2d(in_channels, width, k, padding=k // 2, bias=False)
        for k, width in zip(kernels, widths, strict=False)
    ]
    width = widths[len(kernels)]
    if kind == "cnn2d":
        row = nn.Conv2d(in_channels, width, (1, 7), padding=(0, 3), bias=False)
        column = nn.Conv2d(width, width, (7, 1), padding=(3, 0), bias=False)
        branches.append(nn.Sequential(row, column))
    elif kind == "cnn3d":
        branches.append(VerticalConv(in_channels, width, n_level, bias=False))
    return [*branches, PoolBranch(in_channels, widths[-1], smooth=smooth)]


def _convolve_placed(branch: nn.Module, x: Tensor, placed: Callable[[Tensor], Tensor]) -> Tensor:
    """Convolve as a branch does, with the weights of its last convolution placed among all."""
    if isinstance(branch, VerticalConv):
        return branch.convolve(x, placed(branch.weight), None)
    if isinstance(branch, PoolBranch):
        coarse = functional.conv2d(functional.max_pool2d(x, 2), placed(branch.conv.weight))
        return upsample(coarse, smooth=branch.smooth)
    row, column = cast("nn.Sequential", branch)
    weight = placed(cast("Tensor", column.weight))
    return functional.conv2d(row(x), weight, padding=(3, 0))


class Inception(nn.Module):
    """Parallel convolutions, then one normalisation, SiLU and dropout for all of them.

    The paper gives each branch its own batch normalisation, activation and dropout. All three
    act on each channel or element alone, so once after the concatenation is the same function
    with the same parameters, and a quarter of the small kernels (tested against that form).

    Parameters
    ----------
    kind : {"lstm", "cnn2d", "cnn3d"}
        Branches 1, 3, 5, pool; or 1, 3, 5, 7 (as 1 x 7 and 7 x 1), pool; or 1 x 1 x 1,
        1 x 3 x 3, 3 x 1 x 1, pool.
    in_channels, out_channels : int
        Channels in, and of all branches together out.
    n_level : int
        Layers folded into the batch axis.
    dropout : float
        Probability of masking an activation while training.
    smooth : bool
        The pooled branch is made fine by bilinear interpolation.
    """

    def __init__(
        self,
        kind: Kind,
        in_channels: int,
        out_channels: int,
        n_level: int = 1,
        dropout: float = 0.0,
        *,
        smooth: bool = False,
    ) -> None:
        super().__init__()
        n_branch = len(_KERNELS[kind]) + (1 if kind == "lstm" else 2)
        self.widths = split_width(out_channels, n_branch)
        self.branches = nn.ModuleList(
            _branches(kind, in_channels, self.widths, n_level, smooth=smooth)
        )
        self.norm = nn.BatchNorm2d(out_channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N * n_level, C, H, W) to (N * n_level, out_channels, H, W), H and W even."""
        if self.norm.training:
            normed = self.norm(torch.cat([branch(x) for branch in self.branches], dim=1))
        else:
            normed = self._folded(x)
        activated: Tensor = self.dropout(functional.silu(normed))
        return activated

    def _folded(self, x: Tensor) -> Tensor:
        """Return all branches with the frozen norm inside their weights, added and not joined.

        A norm that learns nothing is a factor and a shift of each channel. The square kernels
        become one, the smaller ones with zeros around them; each other branch writes its channels
        and zeros elsewhere. Joining runs of 2 to 6 channels costs more than the multiplications
        by zero: a training step is 1.3 times faster (tested against the joined form).
        """
        norm = self.norm
        assert norm.running_var is not None and norm.running_mean is not None
        factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * factor
        gain = factor.view(-1, 1, 1, 1)
        total = sum(self.widths)

        def placed(weight: Tensor, first: int) -> Tensor:
            behind = total - first - weight.shape[0]
            return functional.pad(weight, (0, 0, 0, 0, 0, 0, first, behind)) * gain

        squares = [b for b in self.branches if type(b) is nn.Conv2d]
        size = max(b.kernel_size[0] for b in squares)
        padded = [functional.pad(b.weight, [(size - b.kernel_size[0]) // 2] * 4) for b in squares]
        y = functional.conv2d(x, placed(torch.cat(padded), 0), shift, padding=size // 2)
        first = sum(self.widths[: len(squares)])
        for branch, width in zip(
            self.branches[len(squares) :], self.widths[len(squares) :], strict=True
        ):
            y = y + _convolve_placed(branch, x, partial(placed, first=first))
            first += width
        return y


class Block(nn.Module):
    """Two 3 x 3 convolutions beside a 1 x 1 one, SiLU; 2-D, levels among the channels."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.second = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.beside = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, out_channels, H, W)."""
        return functional.silu(self.beside(x) + self.second(functional.silu(self.first(x))))
