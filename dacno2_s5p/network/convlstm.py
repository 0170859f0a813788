"""Inception ConvLSTM on folded fields, 2-D with one level and 3-D with several.

gates = P(inception(x_t)) + W h_{t-1}; after Shi et al. (2015) input-to-state and state-to-state
have their own convolutions. The inception module acts on the input only, so that no batch
normalisation lies inside the recurrence, and P is a *linear* projection: SiLU is never below
-0.28, so gates taken from it directly could never close (a sigmoid of at least 0.43).
"""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from dacno2_s5p.network.blocks import Inception, VerticalConv, upsample

Gates = Literal["input", "both"]
"""Inception on the input, hoisted out of the time loop; or on input and state, inside it."""

Upsampling = Literal["nearest", "coarse", "bilinear", "state"]
"""Gates from the upsampled input; or on the coarse grid, made fine by a sub-pixel projection; or
on the coarse grid, interpolated (and whatever else is made finer in the network, too); or as the
latter with the states interpolated and not the gates, so that the recurrence is coarse."""


def lstm_cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Advance a ConvLSTM by one step.

    Parameters
    ----------
    gates : Tensor, shape (N, 4 h, H, W)
        Pre-activations of input, forget and output gate and of the candidate, the latter
        already doubled (`InceptionConvLSTM` folds the 2 of tanh(x) = 2 sigmoid(2 x) - 1 into
        its weights).
    cell : Tensor, shape (N, h, H, W)
        Cell state.

    Returns
    -------
    hidden, cell : Tensor, shape (N, h, H, W)
    """
    # One sigmoid over the whole channels_last tensor: on four slices of it, whose runs are 8 to 32
    # elements long, sigmoid and tanh are 3.5 times slower. (A hand-written backward step was no
    # faster than automatic differentiation of this form.)
    inlet, forget, outlet, candidate = torch.sigmoid(gates).chunk(4, dim=1)
    new_cell = torch.addcmul(forget * cell, inlet, 2.0 * candidate - 1.0)
    return outlet * torch.tanh(new_cell), new_cell


def first_cell(gates: Tensor) -> tuple[Tensor, Tensor]:
    """Advance an empty state by one step: as `lstm_cell`, with nothing to forget.

    Parameters
    ----------
    gates : Tensor, shape (N, 3 h, H, W)
        Pre-activations of input and output gate and of the doubled candidate.
    """
    inlet, outlet, candidate = torch.sigmoid(gates).chunk(3, dim=1)
    cell = inlet * (2.0 * candidate - 1.0)
    return outlet * torch.tanh(cell), cell


class InceptionConvLSTM(nn.Module):
    """A ConvLSTM whose input-to-state path is an inception module and a linear projection.

    Parameters
    ----------
    in_channels, hidden : int
        Channels of the input and of the state; `hidden` even.
    n_level : int
        Folded layers; with more than one the projection mixes neighbouring layers (3 x 1 x 1).
    gates : {"input", "both"}
        Where the inception module acts. `both` cannot be hoisted and is three times slower.
    coarse : bool
        The input is on a grid coarser by 2; the projection gives each coarse cell the gates of
        its four fine cells (sub-pixel convolution).
    smooth : bool
        With `coarse`, the gates are interpolated bilinearly instead: no freedom for a texture
        with the period of the coarse cells, and a quarter of the projection.
    state : bool
        With `coarse` and `smooth`, gates and states stay on the input's grid: the caller
        interpolates the states that it keeps.
    dropout : float
        Dropout of the inception module.
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int,
        *,
        n_level: int = 1,
        gates: Gates = "input",
        coarse: bool = False,
        smooth: bool = False,
        state: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.state = state
        self.hidden = hidden
        self.coarse = coarse
        self.smooth = smooth
        inputs = in_channels + (hidden if gates == "both" else 0)
        self.inception = Inception("lstm", inputs, 2 * hidden, n_level, dropout, smooth=smooth)
        self.subpixel = coarse and not smooth
        n_gate = 4 * hidden * (4 if self.subpixel else 1)
        self.project: nn.Conv2d = (
            VerticalConv(2 * hidden, n_gate, n_level)
            if n_level > 1
            else nn.Conv2d(2 * hidden, n_gate, 1)
        )
        self.recurrent = (
            nn.Conv2d(hidden, 4 * hidden, 3, padding=1, bias=False) if gates == "input" else None
        )
        slope = torch.tensor([1.0, 1.0, 1.0, 2.0]).repeat_interleave(hidden)
        self.register_buffer("_slope", slope, persistent=False)
        if self.project.bias is not None:  # remember by default (Jozefowicz et al., 2015)
            with torch.no_grad():
                self.project.bias[n_gate // 4 : n_gate // 2] += 1.0

    def input_gates(self, x: Tensor, *, of_empty: bool = False) -> Tensor:
        """Project (N, C, H, W) to the gates' pre-activations; twice finer if `coarse`.

        `of_empty` leaves the forget gate out, which an empty state has no use for.
        """
        features = self.inception(x)
        # The factor 2 of tanh costs nothing on the weights and a pass over memory on the gates.
        slope = cast("Tensor", self._slope)
        if self.subpixel:
            slope = slope.repeat_interleave(4)
        weight = self.project.weight * slope.view(-1, 1, 1, 1)
        bias = None if self.project.bias is None else self.project.bias * slope
        if of_empty:
            n = slope.numel() // 4
            weight = torch.cat([weight[:n], weight[2 * n :]])
            bias = None if bias is None else torch.cat([bias[:n], bias[2 * n :]])
        if isinstance(self.project, VerticalConv):
            gates = self.project.convolve(features, weight, bias)
        else:
            gates = functional.conv2d(features, weight, bias)
        if self.subpixel:
            return functional.pixel_shuffle(gates, 2)
        return upsample(gates, smooth=True) if self.coarse and not self.state else gates

    def forward(self, x: Tensor, n_step: int) -> list[Tensor]:
        """Run over a sequence.

        Parameters
        ----------
        x : Tensor, shape (n_step * N, C, H, W)
            Input, first step first, N = B * n_level folded; channels_last memory.
        n_step : int
            Number of steps.

        Returns
        -------
        list of n_step Tensors, shape (N, hidden, H, W)
            Hidden states; with `coarse` and without `state` of shape (N, hidden, 2 H, 2 W).
        """
        if self.recurrent is None:
            return self._run_inside(x, n_step)
        # One batch for all steps: only the 3 x 3 convolution of the state stays in the loop.
        h = self.hidden
        if n_step == 1:
            return [first_cell(self.input_gates(x, of_empty=True))[0]]
        hoisted = self.input_gates(x).chunk(n_step)
        weight = self.recurrent.weight * cast("Tensor", self._slope).view(-1, 1, 1, 1)
        gates = hoisted[0]
        hidden, cell = first_cell(torch.cat([gates[:, :h], gates[:, 2 * h :]], dim=1))
        states = [hidden]
        for gates in hoisted[1:]:
            of_state = functional.conv2d(hidden, weight, padding=1)
            hidden, cell = lstm_cell(of_state.add_(gates), cell)
            states.append(hidden)
        return states

    def _run_inside(self, x: Tensor, n_step: int) -> list[Tensor]:
        """Run with the inception module on input and state, step by step."""
        steps = x.chunk(n_step)
        hidden = cell = self._zeros(steps[0])
        states = []
        for step in steps:
            gates = self.input_gates(torch.cat([step, hidden], dim=1))
            hidden, cell = lstm_cell(gates, cell)
            states.append(hidden)
        return states

    def _zeros(self, like: Tensor) -> Tensor:
        """Return an empty state for inputs or gates of shape (N, any, H, W)."""
        state = like.new_zeros(like.shape[0], self.hidden, *like.shape[2:])
        return state.contiguous(memory_format=torch.channels_last)
