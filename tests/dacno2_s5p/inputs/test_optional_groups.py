"""Groups of inputs that a network may have: carried by all that touches inputs, or not there."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from dacno2_s5p.errors import CheckpointError, DataError
from dacno2_s5p.inputs.grid import Patch
from dacno2_s5p.inputs.normalisation import Normaliser
from dacno2_s5p.inputs.samples import ALL_GROUPS, GROUPS, Crop, Inputs
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.network.checkpoint import load_checkpoint, save_checkpoint
from dacno2_s5p.prediction.days import inputs_checksum
from dacno2_s5p.store.chunks import has_array
from dacno2_s5p.store.read_ahead import expect
from dacno2_s5p.store.store import day_path
from tests.builders.network_builders import mini_config, random_network
from tests.builders.training_builders import make_days, make_info, statistics_of, write_days

OPTIONAL = ("transport", "cams")
PATCH = Patch(8, 16, 48)


@pytest.fixture(scope="module")
def days():
    return make_days(n_day=2, optional=OPTIONAL)


@pytest.fixture(scope="module")
def store(days, tmp_path_factory):
    return write_days(tmp_path_factory.mktemp("store"), days)


def test_the_order_of_the_groups_is_that_of_the_inputs():
    assert [field.name for field in fields(Inputs)] == list(ALL_GROUPS)


def test_samples_are_cut_and_stacked(days):
    """Transport lies on the fine cells, CAMS on cells of four."""
    sample = days.inputs(0, PATCH)
    np.testing.assert_array_equal(sample.transport, days.days[0].transport[:, 8:56, 16:64])
    np.testing.assert_array_equal(sample.cams, days.days[0].cams[:, 2:14, 4:16])
    batch = Inputs.stack([sample, days.inputs(1, PATCH)])
    assert batch.transport.shape == (2, 4, 48, 48)
    assert batch.cams.shape == (2, 8, 12, 12)
    np.testing.assert_array_equal(batch.sample(0).cams[0], sample.cams)
    doubled = batch.map(lambda values: 2.0 * values)
    np.testing.assert_array_equal(doubled.transport, 2.0 * batch.transport)


def test_without_optional_groups_there_is_none():
    plain = make_days(n_day=1)
    sample = Inputs.stack([plain.inputs(0, PATCH)]).map(lambda values: values)
    assert sample.transport is None
    assert sample.cams is None
    assert tuple(sample.groups) == GROUPS


def test_a_batch_of_unlike_samples_is_refused(days):
    sample = days.inputs(0, PATCH)
    with pytest.raises(DataError, match="Given cams in some only"):
        Inputs.stack([sample, replace(sample, cams=None)])


def test_the_table_names_the_groups():
    """Without rows a group is not there; widths and fingerprint of the 38 inputs stay."""
    table = InputTable.default(OPTIONAL)
    assert table.groups == ALL_GROUPS
    assert table.widths == {**InputTable.default().widths, "transport": 4, "cams": 1}
    assert table.select(()) == InputTable.default()
    assert table.select(["cams"]).groups == (*GROUPS, "cams")


def test_optional_groups_are_not_normalised(days):
    """The five are; a table without the group leaves it out, and one with it needs it."""
    statistics = statistics_of(days)
    batch = Inputs.stack([days.inputs(0, PATCH)])
    changed = Normaliser(InputTable.default(OPTIONAL), statistics).normalise(batch)
    assert changed.transport is batch.transport
    assert changed.cams is batch.cams
    plain = Normaliser(InputTable.default(), statistics).normalise(batch)
    assert tuple(plain.groups) == GROUPS
    np.testing.assert_array_equal(plain.single, changed.single)
    without = replace(batch, transport=None)
    with pytest.raises(DataError, match="Missing inputs mixed_layer_no2"):
        Normaliser(InputTable.default(OPTIONAL), statistics).normalise(without)


@pytest.mark.parametrize(
    ("group", "value", "message"),
    [
        ("transport", float("nan"), "Invalid input fresh_no2. Its values must be finite"),
        ("transport", -1.0, "Invalid input fresh_no2. Its values must be non-negative"),
        ("cams", -1.0, "Invalid input cams_forecast. Its values must be non-negative"),
    ],
)
def test_impossible_amounts_are_named(days, group, value, message):
    batch = Inputs.stack([days.inputs(0, PATCH)])
    wrong = getattr(batch, group).clone()
    wrong[0, 2, 3, 4] = value
    normaliser = Normaliser(InputTable.default(OPTIONAL), statistics_of(days))
    with pytest.raises(DataError, match=message):
        normaliser.normalise(replace(batch, **{group: wrong}))


def test_a_store_keeps_them_as_half_floats(days, store):
    """What is read back differs by the rounding of 11 bits at most."""
    read, whole = store.inputs(1, PATCH), store.day_inputs(1)
    for group in OPTIONAL:
        expected = getattr(days.inputs(1, PATCH), group)
        found = getattr(read, group)
        assert found.dtype == torch.float32
        np.testing.assert_allclose(found, expected, rtol=2.0**-11)
        np.testing.assert_array_equal(found, getattr(whole.cut(PATCH), group))
    # the forecast is no target
    np.testing.assert_allclose(store.cams_field(1), days.cams_fields[1], rtol=1e-6)
    expect(store, [Crop(1, PATCH)])


def test_a_store_without_them_reads_as_before(tmp_path):
    store = write_days(tmp_path, make_days(n_day=2))
    assert tuple(store.day_inputs(0).groups) == GROUPS
    assert not has_array(day_path(store.folder, store.days[0]), "transport")


def test_the_checksum_is_of_all_groups(days):
    inputs = days.days[0]
    plain = replace(inputs, transport=None, cams=None)
    checksums = {inputs_checksum(i) for i in (inputs, plain, replace(inputs, cams=None))}
    assert len(checksums) == 3


def test_a_network_passes_over_groups_it_does_not_know(days, tmp_path):
    """A store with more than the five serves an older network, never the other way round."""
    path = tmp_path / "network.safetensors"
    save_checkpoint(path, random_network(mini_config()).state_dict(), make_info(days))
    model = load_checkpoint(path)
    model.require(inputs=InputTable.default(OPTIONAL))
    with pytest.raises(CheckpointError, match="inputs must be the data's"):
        model.require(inputs=InputTable(InputTable.default().variables[:-1]))
