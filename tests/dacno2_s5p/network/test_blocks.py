"""Inception modules, vertical convolution, the LSTM cell."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from dacno2_s5p.network.blocks import Inception, PoolBranch, VerticalConv, split_width
from dacno2_s5p.network.convlstm import InceptionConvLSTM, lstm_cell
from tests.builders.plain_network import inception

ROUND_OFF = {"rtol": 0.0, "atol": 1e-12}  # float64 round-off of sums of some hundred terms


@pytest.fixture(autouse=True)
def _double():
    """Compute in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def fold(x):
    """Fold (B, C, level, H, W) to (B * level, C, H, W) in channels_last memory."""
    folded = x.transpose(1, 2).flatten(0, 1)
    return folded.contiguous(memory_format=torch.channels_last)


def unfold(x, n_level):
    return x.unflatten(0, (-1, n_level)).transpose(1, 2)


def test_vertical_convolution_is_a_3x1x1_convolution():
    """On folded fields it equals Conv3d with kernel 3 x 1 x 1 and zero padding."""
    layer = VerticalConv(3, 5, n_level=8)
    x = normal(2, 3, 8, 4, 6)
    expected = functional.conv3d(x, layer.weight.unsqueeze(4), layer.bias, padding=(1, 0, 0))
    torch.testing.assert_close(unfold(layer(fold(x)), 8), expected, **ROUND_OFF)


def test_vertical_convolution_copies_nothing():
    """Input and output of the folded form are views of the convolution's own memory."""
    layer = VerticalConv(3, 5, n_level=8)
    x = fold(normal(2, 3, 8, 4, 6))
    columns = x.permute(0, 2, 3, 1).reshape(2, 8, 24, 3)
    assert columns.data_ptr() == x.data_ptr()
    assert layer(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", ["lstm", "cnn2d", "cnn3d"])
def test_merged_normalisation_equals_one_per_branch(kind, training):
    """One norm and SiLU after the concatenation are those of the paper's separate branches."""
    torch.manual_seed(0)
    n_level = 4 if kind == "cnn3d" else 1
    block = Inception(kind, 3, 12, n_level).train(training)
    nn.init.normal_(block.norm.weight)
    nn.init.normal_(block.norm.bias)
    if not training:
        nn.init.uniform_(block.norm.running_var, 0.5, 2.0)
        nn.init.normal_(block.norm.running_mean)
    x = normal(2, 3, n_level, 8, 8)
    torch.testing.assert_close(unfold(block(fold(x)), n_level), inception(x, block), **ROUND_OFF)


def test_inception_has_the_branches_of_the_paper():
    """Kernels 1, 3, 5, pool; 1, 3, 5, 1x7-7x1, pool; 1x1x1, 1x3x3, 3x1x1, pool."""

    def kernels(kind):
        found = []
        for branch in Inception(kind, 2, 10, 2).branches:
            layers = branch if isinstance(branch, nn.Sequential) else [branch]
            found.append(
                ["pool" if isinstance(layer, PoolBranch) else layer.kernel_size for layer in layers]
            )
        return found

    assert kernels("lstm") == [[(1, 1)], [(3, 3)], [(5, 5)], ["pool"]]
    assert kernels("cnn2d") == [[(1, 1)], [(3, 3)], [(5, 5)], [(1, 7), (7, 1)], ["pool"]]
    assert kernels("cnn3d") == [[(1, 1)], [(3, 3)], [(3, 1)], ["pool"]]


def test_widths_are_split_without_a_rest():
    """The branches' channels sum to the block's."""
    assert all(sum(split_width(n, 5)) == n for n in range(5, 40))


def test_cell_is_the_lstm_of_shi():
    """The cell with one sigmoid equals the textbook form, its tanh included."""
    raw = normal(2, 12, 3, 3)
    cell = normal(2, 3, 3, 3, seed=1)
    inlet, forget, outlet, candidate = raw.chunk(4, dim=1)
    expected = torch.sigmoid(forget) * cell + torch.sigmoid(inlet) * torch.tanh(candidate)
    doubled = torch.cat([inlet, forget, outlet, 2 * candidate], dim=1)
    hidden, new = lstm_cell(doubled, cell)
    torch.testing.assert_close(new, expected, **ROUND_OFF)
    torch.testing.assert_close(hidden, torch.sigmoid(outlet) * torch.tanh(expected), **ROUND_OFF)


def test_gradients_of_the_cell():
    """The backward step agrees with finite differences."""
    gates = normal(2, 8, 2, 3).requires_grad_()
    cell = normal(2, 2, 2, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lstm_cell, (gates, cell))


@pytest.mark.parametrize(
    "options", [{}, {"coarse": True}, {"coarse": True, "smooth": True}, {"gates": "both"}]
)
def test_gradients_of_the_convlstm(options):
    """Gradients through input, state and all weights agree with finite differences."""
    torch.manual_seed(0)
    lstm = InceptionConvLSTM(2, 2, n_level=2, **options).eval()
    x = fold(normal(2, 2, 2, 2, 2)).requires_grad_()

    def run(x, *_):
        return torch.stack(lstm(x, 2))

    assert torch.autograd.gradcheck(run, (x, *lstm.parameters()))


def test_gates_can_close():
    """The linear projection lets a gate go to 0; SiLU gates would stay above 0.43."""
    lstm = InceptionConvLSTM(2, 2).eval()
    with torch.no_grad():
        lstm.project.bias.fill_(-40.0)
        assert float(lstm(normal(4, 2, 4, 4), 4)[-1].abs().max()) < 1e-15


def test_state_remembers_by_default():
    """Forget gates start open: their bias is 1 above the others' range."""
    torch.manual_seed(0)
    lstm = InceptionConvLSTM(4, 8)
    inlet, forget, outlet, candidate = lstm.project.bias.detach().chunk(4)
    assert forget.min() > 0.7
    assert max(inlet.max(), outlet.max(), candidate.max()) < 0.3
