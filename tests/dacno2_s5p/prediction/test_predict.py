"""Prediction of a day: streaming, merging, units, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dacno2_s5p.errors import CheckpointError, DataError
from dacno2_s5p.inputs.grid import ModelGrid, named_grid
from dacno2_s5p.network.checkpoint import Checkpoint
from dacno2_s5p.prediction.predict import as_trained, predict_day, predict_spread
from tests.builders.network_builders import random_network
from tests.builders.training_builders import make_days, make_info
from tests.dacno2_s5p.training.test_phase import NOT_FINITE

GRID = ModelGrid("three by two", "EPSG:3035", 3.6e6, 2.8e6, 2000.0, 64, 48, 32, 3, 2)


@pytest.fixture(scope="module")
def days():
    return make_days(n_day=2, grid=GRID)


@pytest.fixture(scope="module")
def model(days, tmp_path_factory):
    info = make_info(days)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    return Checkpoint(path, "0" * 64, info, random_network(info.network))


def test_a_day_is_the_whole_grid_in_float32(model, days):
    """Eight layers on all cells, positive, finite."""
    field = predict_day(model, days.days[0])
    assert field.shape == (8, 64, 48)
    assert field.dtype == np.float32
    assert np.isfinite(field).all()
    assert field.min() > 0.0


def test_patches_may_come_in_any_order(model, days):
    """The merged field is the same to round-off."""
    forward = predict_day(model, days.days[0])
    backward = predict_day(model, days.days[0], patches=GRID.patches()[::-1])
    np.testing.assert_allclose(forward, backward, rtol=1e-6)  # float32 on output


def test_a_grid_of_one_patch_is_the_network_itself(model, days):
    """Without neighbours the window cancels: scaling, network and inverse scaling remain."""
    patch = GRID.patches()[3]
    window = GRID.window(patch)
    inputs = days.days[1].cut(patch)
    with torch.no_grad():
        batch = model.normaliser.normalise(inputs).map(lambda x: x.unsqueeze(0))
        expected = model.info.scaling.unscale(model.network(batch))[0]
    field = predict_day(model, inputs, window)
    np.testing.assert_allclose(field, expected.numpy(), rtol=1e-6)  # float32 on output


def test_output_is_in_micrograms_with_the_layer_ratios(model, days):
    """Doubling the target scale doubles the field; a layer's ratio multiplies that layer."""
    scaling = model.info.scaling
    doubled = replace(scaling, target_scale=2.0 * scaling.target_scale)
    other = replace(model, info=replace(model.info, scaling=doubled))
    first, second = predict_day(model, days.days[0]), predict_day(other, days.days[0])
    np.testing.assert_allclose(second, 2.0 * first, rtol=1e-6)  # float32 on output
    ratio = (*scaling.layer_ratio[:-1], 3.0 * scaling.layer_ratio[-1])
    other = replace(model, info=replace(model.info, scaling=replace(scaling, layer_ratio=ratio)))
    third = predict_day(other, days.days[0])
    np.testing.assert_allclose(third[-1], 3.0 * first[-1], rtol=1e-6)
    np.testing.assert_array_equal(third[:-1], first[:-1])


@pytest.mark.parametrize(("group", "index", "name"), NOT_FINITE)
def test_inputs_that_are_not_finite_are_refused_by_name(model, group, index, name):
    """One bad value of one variable of any group stops the day."""
    inputs = make_days(n_day=1, grid=GRID).days[0]
    getattr(inputs, group)[index] = float("nan")
    with pytest.raises(DataError, match=rf"Invalid input {name}\. Its values must be finite"):
        predict_day(model, inputs)


def test_a_prediction_that_is_not_finite_is_refused(model, days):
    """Weights that went bad in memory are named; no field with gaps is merged."""
    network = random_network(model.info.network)
    with torch.no_grad():
        network.head.conv.bias[0] = float("nan")
    with pytest.raises(CheckpointError, match=r"first at 0 m, and head\.conv\.bias that is not"):
        predict_day(replace(model, network=network), days.days[0])


def test_progress_counts_the_patches(model, days):
    """The callback hears of every patch."""
    heard = []
    predict_day(model, days.days[0], progress=lambda done, of: heard.append((done, of)))
    assert heard == [(i, 6) for i in range(1, 7)]


def test_a_missing_value_is_refused_by_name(model, days):
    """A NaN in one variable of one hour stops the day."""
    single = days.days[0].single.clone()
    single[5, 2, 1, 1] = float("nan")
    with pytest.raises(DataError, match=r"Invalid input t2m"):
        predict_day(model, replace(days.days[0], single=single))


def test_another_grid_is_refused(model, days):
    """The checkpoint's lattice is needed."""
    with pytest.raises(CheckpointError, match=r"Its grid must be the data's"):
        predict_day(model, days.days[0], named_grid("lonlat-0.02"))


def test_inputs_off_the_grid_are_refused(model, days):
    """The group and both shapes are in the message."""
    cut = days.days[0].cut(GRID.patches()[0])
    with pytest.raises(
        ValueError, match=r"group emission must be on the grid three by two, 64 x 48"
    ):
        predict_day(model, cut)


def test_the_spread_of_an_ensemble(model, days):
    """Mean and standard deviation over the members' own predictions."""
    members = [
        replace(model, network=random_network(model.info.network, seed)) for seed in (0, 1, 2)
    ]
    fields = np.stack([predict_day(member, days.days[0]) for member in members])
    mean, spread = predict_spread(members, days.days[0])
    np.testing.assert_allclose(mean, fields.mean(axis=0), rtol=1e-6)  # float32 on output
    np.testing.assert_allclose(spread, fields.std(axis=0, ddof=1), rtol=1e-4, atol=1e-6)


def test_a_spread_needs_members(model, days):
    """One prediction has none."""
    with pytest.raises(ValueError, match=r"at least two members. Given 1"):
        predict_spread([model], days.days[0])


def test_bfloat16_is_close(model, days):
    """Halving the mantissa moves the field by less than a percent of its size."""
    exact = predict_day(model, days.days[0])
    rough = predict_day(model, days.days[0], bfloat16=True)
    np.testing.assert_allclose(rough, exact, rtol=0.02)  # eight bits, as in test_network
    assert np.sqrt(np.mean((rough - exact) ** 2)) < 0.01 * exact.mean()


def test_patches_are_those_a_network_was_trained_on():
    """Crops of the recipe where they fit the grid; a network of whole patches keeps them."""
    info = make_info(make_days(n_day=2))
    europe = named_grid("europe-2km")
    assert as_trained(europe, info) == europe
    crops = replace(info, recipe={"sampling": {"crop": 96}})
    assert as_trained(europe, crops).patch_size == 96
    assert as_trained(info.grid, replace(info, recipe={"sampling": {"crop": 512}})) == info.grid
