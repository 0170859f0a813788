"""The network as a whole: oracle, shapes, placement, sizes, gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dacno2_s5p.inputs.samples import GROUPS
from dacno2_s5p.network.dacno2 import SIZES, Dacno2, NetworkConfig, count_parameters
from dacno2_s5p.network.fusion import Fusion, StageWidths
from tests.builders.network_builders import mini_config, random_inputs, random_network
from tests.builders.plain_network import fuse, plain_forward


@pytest.fixture
def _double():
    """Compute in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


OPTIONS = [
    {},
    {"upsampling": "coarse"},
    {"upsampling": "bilinear"},
    {"gates": "both"},
    {"n_level": 3, "n_single": 2},
]


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_fast_form_equals_the_plain_one(options):
    """Folded, hoisted, merged and without zero layers, the network is the same function."""
    config = mini_config(**options)
    network = random_network(config)
    inputs = random_inputs(config)
    with torch.no_grad():
        fast, plain = network(inputs), plain_forward(network, inputs)
    assert fast.std() > 1e-3  # not a comparison of constants
    torch.testing.assert_close(fast, plain, rtol=0.0, atol=1e-10)  # float64 round-off


def pattern(field, period):
    """Return the variance within the mean of all blocks of a field: what repeats."""
    height, width = field.shape
    blocks = field.reshape(height // period, period, width // period, period)
    return float(blocks.mean(dim=(0, 2)).var())


def test_interpolated_gates_make_no_texture_of_their_own():
    """Inputs the same everywhere give a flat field; sub-pixel gates print a pattern on it."""
    patterns = {}
    for upsampling in ("nearest", "coarse", "bilinear"):
        config = mini_config(upsampling=upsampling)
        network = random_network(config)
        inputs = random_inputs(config, n_batch=1, size=128)
        flat = inputs.map(lambda x: x.flatten()[0].expand_as(x))
        with torch.no_grad():
            inner = network(flat)[0, 0, 56:72, 56:72]  # far from the padded edges
        patterns[upsampling] = pattern(inner, 8)
    # what is left of the edges is 1e-3 of the pattern, squared here
    assert patterns["nearest"] < 1e-4 * patterns["coarse"]
    assert patterns["bilinear"] < 1e-4 * patterns["coarse"]


@pytest.mark.usefixtures("_double")
def test_fast_form_has_the_gradients_of_the_plain_one():
    """Every parameter gets the same gradient from both formulations."""
    config = mini_config()
    network = random_network(config)
    # 16 steps: with 8 the last stage has one, and its state-to-state weights no gradient
    inputs = random_inputs(config, n_batch=1, n_step=16, size=16)
    fast = torch.autograd.grad(network(inputs).square().sum(), list(network.parameters()))
    plain = torch.autograd.grad(
        plain_forward(network, inputs).square().sum(), list(network.parameters())
    )
    for a, b in zip(fast, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)  # float64 round-off, summed


@pytest.mark.parametrize("n_step", [8, 16, 24])
def test_any_number_of_steps_that_is_a_multiple_of_eight(n_step):
    """The output has the eight layers and the fine grid whatever the number of weather steps."""
    config = mini_config()
    predicted = random_network(config)(random_inputs(config, n_step=n_step))
    assert predicted.shape == (2, 8, 32, 32)
    assert bool((predicted > 0).all())


def test_stage_sequences_are_halved_and_widened():
    """24, 12, 6, 3 steps on grids of 1, 2, 4, 8 times the cells (section 2.3.1)."""
    config = mini_config()
    network = random_network(config)
    seen = []
    for lstm in network.multi.stages:
        lstm.register_forward_hook(
            lambda _, args, states: seen.append((args[1], len(states), tuple(states[0].shape)))
        )
    network(random_inputs(config, n_batch=1, n_step=24, size=16))
    widths = config.multi_widths
    assert seen == [
        (24, 24, (8, widths[0], 2, 2)),
        (12, 12, (8, widths[1], 4, 4)),
        (6, 6, (8, widths[2], 8, 8)),
        (3, 3, (8, widths[3], 16, 16)),
    ]


def test_last_hour_always_survives():
    """Between stages the states 1, 3, 5, ... are kept, so that the last is never dropped."""
    network = random_network(mini_config())
    seen = []
    network.single.stages[0].register_forward_hook(lambda _, __, states: seen.append(states))
    network.single.stages[1].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    network(random_inputs(network.config))
    states, kept = seen
    kept = kept.unflatten(0, (4, -1))[..., ::2, ::2]  # undo the nearest upsampling
    for step, state in zip((1, 3, 5, 7), kept, strict=True):
        assert torch.equal(state, states[step])


@pytest.mark.usefixtures("_double")
def test_fusion_places_each_branch_in_its_layers():
    """Emission and geography enter the surface layer, single-level the lowest five, multi all."""
    torch.manual_seed(0)
    fusion = Fusion(StageWidths(5, 4, 4, 8), n_level=8, n_single=5)
    shapes = {"emission": (1, 5, 4, 4), "geography": (1, 5, 4, 4), "single": (1, 4, 4, 4)}
    branches = {name: torch.randn(*shape) for name, shape in shapes.items()}
    branches["multi"] = torch.randn(8, 4, 4, 4)
    base = fusion.place(**branches)
    reached = {}
    for name, value in branches.items():
        changed = fusion.place(**{**branches, name: value + 1.0})
        reached[name] = (changed != base).flatten(1).any(dim=1).tolist()
    assert reached["emission"] == reached["geography"] == [True] + 7 * [False]
    assert reached["single"] == 5 * [True] + 3 * [False]
    assert reached["multi"] == 8 * [True]


@pytest.mark.usefixtures("_double")
def test_fusion_without_zero_layers_equals_the_zero_filled_form():
    """The slab form and the concatenation of zero-filled tensors agree."""
    torch.manual_seed(0)
    fusion = Fusion(StageWidths(5, 4, 4, 8), n_level=8, n_single=5).eval()
    emission, geography = torch.randn(2, 2, 5, 4, 4)
    single, multi = torch.randn(2, 4, 4, 4), torch.randn(16, 4, 4, 4)
    fast = fusion(emission, geography, single, multi).unflatten(0, (2, 8)).transpose(1, 2)
    layers = multi.unflatten(0, (2, 8)).transpose(1, 2)
    plain = fuse(emission.unsqueeze(2), geography.unsqueeze(2), single.unsqueeze(2), layers, fusion)
    torch.testing.assert_close(fast, plain, rtol=0.0, atol=1e-12)  # float64 round-off


@pytest.mark.usefixtures("_double")
def test_an_emission_cell_reaches_its_surroundings_and_the_lower_layers_only():
    """One cell's emission acts within 100 cells, and not above the sixth layer.

    Each of the five 3-D inception modules on its way up passes on one layer.
    """
    config = mini_config()
    network = random_network(config)
    inputs = random_inputs(config, n_batch=1, size=224)
    emission = inputs.emission.clone()
    emission[0, :, 112, 112] += 100.0
    with torch.no_grad():
        changed = (network(inputs) != network(replace(inputs, emission=emission)))[0]
    assert changed.flatten(1).any(dim=1).tolist() == 6 * [True] + 2 * [False]
    rows, columns = changed.any(dim=0).nonzero(as_tuple=True)
    assert 12 <= rows.min() <= rows.max() <= 212
    assert 12 <= columns.min() <= columns.max() <= 212
    assert bool(changed[0, 104:120, 104:120].all())


def test_every_group_matters():
    """A change of any group of inputs changes the prediction."""
    config = mini_config()
    network = random_network(config)
    inputs = random_inputs(config)
    base = network(inputs)
    for group in GROUPS:
        changed = network(replace(inputs, **{group: getattr(inputs, group) + 1.0}))
        assert bool((changed != base).any()), group


def test_temporal_embedding_enters_at_the_coarsest_stage_only():
    """It is added once, to the channels of the coarsest fused field, equally everywhere."""
    config = mini_config()
    network = random_network(config)
    inputs = random_inputs(config)
    seen = []
    network.decoder.register_forward_hook(lambda _, args, __: seen.append(args))
    network(inputs)
    network(replace(inputs, temporal=inputs.temporal + 1.0))
    (fused, temporal), (fused_after, temporal_after) = seen
    assert temporal.shape == (16, config.decoder_widths[0], 1, 1)
    assert not torch.equal(temporal, temporal_after)
    assert all(torch.equal(a, b) for a, b in zip(fused, fused_after, strict=True))


@pytest.mark.parametrize(
    ("size", "parameters", "gigaflop"),
    [("tiny", 0.09e6, 24.0), ("small", 0.36e6, 91.0)],
)
def test_named_sizes_cost_what_the_table_says(size, parameters, gigaflop):
    """Parameters and operations for a 256 x 256 patch with 24 steps agree with the design."""
    config = NetworkConfig.of_size(size)
    network = Dacno2(config).train()  # in eval mode the kernels are padded with zeros, and added
    assert abs(count_parameters(network) / parameters - 1) < 0.02  # two digits are given
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(random_inputs(config, n_batch=1, n_step=24, size=16))
    flop = counter.get_total_flops() * (256 / 16) ** 2  # convolutions scale with the area
    assert abs(flop / gigaflop / 1e9 - 1) < 0.02  # two digits are given


@pytest.mark.parametrize("size", list(SIZES))
def test_sizes_survive_json(size):
    """A configuration is the same after its plain values."""
    config = NetworkConfig.of_size(size, dropout=0.1)
    assert NetworkConfig.from_dict(config.to_dict()) == config


def test_bfloat16_is_close_and_its_head_float32():
    """Under autocast the output is float32 and within a percent of the float32 network."""
    config = mini_config()
    network = random_network(config)
    inputs = random_inputs(config)
    with torch.no_grad():
        exact = network(inputs)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(inputs)
    assert rough.dtype == torch.float32
    # eight bits of mantissa are 0.4 %; a wide network averages, this one hardly does
    torch.testing.assert_close(rough, exact, rtol=0.02, atol=0.0)


def test_dropout_masks_in_training_only():
    """With dropout two training passes differ and two evaluations do not."""
    network = random_network(mini_config(dropout=0.5))
    inputs = random_inputs(network.config)
    assert torch.equal(network(inputs), network(inputs))
    network.train()
    assert not torch.equal(network(inputs), network(inputs))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"multi_widths": (3, 4, 4, 4)}, "multi_widths must be widths of at least 2, multiples"),
        ({"decoder_widths": (8, 8, 6, 4)}, "decoder_widths must be .* multiples of 4"),
        ({"static_widths": (5, 5, 4, 5)}, "static_widths must be widths of at least 5"),
        ({"single_widths": (4, 4, 4)}, "one width for each stage"),
        ({"gates": "all"}, "gates must be one of"),
        ({"gates": "both", "upsampling": "coarse"}, "nearest where gates is 'both'"),
        ({"n_single": 9}, "n_single must be between 1 and n_level"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"emission": 0}, "emission must be at least 1"),
        ({"depth": 3}, "keys must be those of NetworkConfig. Given \\['depth'\\]"),
        (
            {"size": "huge"},
            "Invalid network size. It must be one of tiny, small, lean, medium, full",
        ),
    ],
)
def test_configurations_that_are_no_network(changes, message):
    """A wrong configuration is refused by the name of its entry."""
    with pytest.raises(ValueError, match=message):
        NetworkConfig.from_dict(changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 24}, "sides must be multiples of 16 cells. Given 24 x 24"),
        ({"n_step": 12}, "number of steps must be a multiple of 8. Given 12"),
    ],
)
def test_batches_that_do_not_fit(changes, message):
    """A wrong patch or number of steps is refused by a sentence, not by a shape error."""
    network = random_network(mini_config())
    with pytest.raises(ValueError, match=message):
        network(random_inputs(network.config, **changes))


def test_a_group_with_other_channels_is_named():
    """Inputs of another table are refused with the group's name and both shapes."""
    network = random_network(mini_config())
    with pytest.raises(ValueError, match=r"group single must have shape \(2, 8, 13, 4, 4\)"):
        network(random_inputs(mini_config(single=12)))
