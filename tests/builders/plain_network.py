"""The plain formulation of the network: the obvious, slow form, as oracle of the fast one.

Fields are (B, C, level, H, W) and every convolution of theirs is a Conv3d; gates are computed step
by step and one by one; each inception branch has its own normalisation and activation; fusion
concatenates zero-filled tensors. Weights are taken from a `Dacno2`, which must be in eval mode
(in training the fast form normalises all time steps together, the plain one each alone).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from dacno2_s5p.inputs.samples import Inputs
from dacno2_s5p.network.blocks import Inception, PoolBranch, VerticalConv
from dacno2_s5p.network.convlstm import InceptionConvLSTM
from dacno2_s5p.network.dacno2 import Dacno2
from dacno2_s5p.network.encoders import StaticEncoder, WeatherEncoder
from dacno2_s5p.network.fusion import Fusion


def conv(x: Tensor, layer: nn.Conv2d, weight=None, bias=None) -> Tensor:
    """Apply a 2-D layer's weights as a Conv3d: 1 x k x k, or 3 x 1 x 1 for a vertical layer."""
    weight = layer.weight if weight is None else weight
    bias = layer.bias if bias is None else bias
    if isinstance(layer, VerticalConv):
        return functional.conv3d(x, weight.unsqueeze(4), bias, padding=(1, 0, 0))
    _, _, height, width = weight.shape
    padding = (0, height // 2, width // 2)
    return functional.conv3d(x, weight.unsqueeze(2), bias, padding=padding)


def finer(x: Tensor, *, smooth: bool) -> Tensor:
    """Make a field twice finer in the horizontal: repeated, or interpolated cell by cell."""
    if not smooth:
        return x.repeat_interleave(2, dim=3).repeat_interleave(2, dim=4)
    for axis in (3, 4):
        # the two halves of a cell lie a quarter of a cell off its centre; edges are repeated
        cells = list(x.unbind(axis))
        before, after = [cells[0], *cells[:-1]], [*cells[1:], cells[-1]]
        halves = []
        for low, cell, high in zip(before, cells, after, strict=True):
            halves += [0.25 * low + 0.75 * cell, 0.75 * cell + 0.25 * high]
        x = torch.stack(halves, dim=axis)
    return x


def branch_output(x: Tensor, branch: nn.Module) -> Tensor:
    """Apply one branch of an inception module."""
    if isinstance(branch, PoolBranch):
        pooled = functional.max_pool3d(x, (1, 2, 2))
        return conv(finer(pooled, smooth=branch.smooth), branch.conv)
    if isinstance(branch, nn.Sequential):
        for layer in branch:
            x = conv(x, layer)
        return x
    return conv(x, branch)


def inception(x: Tensor, block: Inception) -> Tensor:
    """Normalise and activate each branch by itself, then concatenate."""
    outputs = []
    first = 0
    for branch, width in zip(block.branches, block.widths, strict=True):
        own = slice(first, first + width)
        first += width
        normal = functional.batch_norm(
            branch_output(x, branch),
            None if block.training else block.norm.running_mean[own],
            None if block.training else block.norm.running_var[own],
            block.norm.weight[own],
            block.norm.bias[own],
            training=block.training,
            eps=block.norm.eps,
        )
        outputs.append(functional.silu(normal))
    return torch.cat(outputs, dim=1)


def conv_lstm(sequence: list[Tensor], lstm: InceptionConvLSTM) -> list[Tensor]:
    """Run step by step, each gate by itself, tanh as tanh."""
    hidden = cell = None
    states = []
    sub = 4 if lstm.coarse and not lstm.smooth else 1
    width = lstm.hidden
    for x in sequence:
        if hidden is None:
            size = [2 * n if lstm.coarse else n for n in x.shape[3:]]
            hidden = cell = x.new_zeros(x.shape[0], width, x.shape[2], *size)
        given = x if lstm.recurrent is not None else torch.cat([x, hidden], dim=1)
        features = inception(given, lstm.inception)
        gates = []
        for gate in range(4):
            own = slice(gate * width * sub, (gate + 1) * width * sub)
            value = conv(features, lstm.project, lstm.project.weight[own], lstm.project.bias[own])
            if lstm.coarse and lstm.smooth:
                value = finer(value, smooth=True)
            elif lstm.coarse:
                layers = [functional.pixel_shuffle(v, 2) for v in value.unbind(2)]
                value = torch.stack(layers, dim=2)
            if lstm.recurrent is not None:
                own = slice(gate * width, (gate + 1) * width)
                value = value + conv(hidden, lstm.recurrent, lstm.recurrent.weight[own])
            gates.append(value)
        inlet, forget, outlet = (torch.sigmoid(gate) for gate in gates[:3])
        cell = forget * cell + inlet * torch.tanh(gates[3])
        hidden = outlet * torch.tanh(cell)
        states.append(hidden)
    return states


def weather(x: Tensor, encoder: WeatherEncoder) -> list[Tensor]:
    """Encode (B, T, C, level, h, w)."""
    sequence = list(x.unbind(1))
    skips, states = [], []
    for stage in encoder.stages:
        if states:
            sequence = states[1::2]
            if not stage.coarse:
                sequence = [finer(s, smooth=False) for s in sequence]
        states = conv_lstm(sequence, stage)
        skips.append(states[-1])
    return skips


def static(x: Tensor, encoder: StaticEncoder) -> list[Tensor]:
    """Encode maps (B, C, H, W) as a 3-D field of one layer."""
    x = x.unsqueeze(2)
    outputs = []
    for stage in encoder.stages:
        x = inception(functional.max_pool3d(x, (1, 2, 2)) if outputs else x, stage)
        outputs.append(x)
    return outputs[::-1]


def fuse(emission, geography, single, multi, fusion: Fusion) -> Tensor:
    """Place the branches in tensors of zeros, concatenate all layers, mix."""
    part = fusion.mix.in_channels // 4
    n_batch, _, n_level, height, width = multi.shape
    placed = multi.new_zeros(n_batch, 4 * part, n_level, height, width)
    placed[:, :part, 0] = conv(emission, fusion.emission).squeeze(2)
    placed[:, part : 2 * part, 0] = conv(geography, fusion.geography).squeeze(2)
    lowest = conv(single, fusion.single).squeeze(2)
    lowest = lowest.reshape(n_batch, fusion.n_single, part, height, width).transpose(1, 2)
    placed[:, 2 * part : 3 * part, : fusion.n_single] = lowest
    placed[:, 3 * part :] = conv(multi, fusion.multi)
    return inception(conv(placed, fusion.mix), fusion.inception)


def plain_forward(network: Dacno2, inputs: Inputs) -> Tensor:
    """Predict (B, n_level, H, W) with the network's weights."""
    branches = zip(
        static(inputs.emission, network.emission),
        static(inputs.geography, network.geography),
        weather(inputs.single.unsqueeze(3), network.single),
        weather(inputs.multi, network.multi),
        network.fusions,
        strict=True,
    )
    fused = [fuse(*stage) for stage in branches]
    x = fused[0] + network.temporal.layers(inputs.temporal)[:, :, None, None, None]
    x = x + inception(x, network.decoder.blocks[0])
    ascents = zip(network.decoder.ascents, network.decoder.blocks[1:], fused[1:], strict=True)
    for ascent, block, skip in ascents:
        x = finer(conv(x, ascent), smooth=network.decoder.smooth) + skip
        x = x + inception(x, block)
    return functional.softplus(conv(x, network.head.conv)).squeeze(1)
