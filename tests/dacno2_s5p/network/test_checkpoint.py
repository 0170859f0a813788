"""Checkpoints: complete, bit-equal after reading, and refused where they must be."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dacno2_s5p.errors import CheckpointError, ConfigurationError
from dacno2_s5p.inputs.grid import named_grid
from dacno2_s5p.inputs.samples import GROUPS
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.network.checkpoint import (
    load_checkpoint,
    package_versions,
    read_info,
    save_checkpoint,
)
from dacno2_s5p.network.tensor_file import (
    KEY,
    METADATA_HASH,
    hash_tensors,
    read_tensors,
    write_tensors,
)
from retrieval.errors import OutputError
from tests.builders.network_builders import mini_config, random_inputs, random_network
from tests.builders.training_builders import make_days, make_info


@pytest.fixture(scope="module")
def info():
    return make_info(make_days(n_day=2), metrics={"validation_loss": 0.25})


@pytest.fixture(scope="module")
def network():
    return random_network(mini_config())


@pytest.fixture
def path(tmp_path, network, info):
    target = tmp_path / "model.safetensors"
    save_checkpoint(target, network.state_dict(), info)
    return target


def rewrite(path, change_tensors=None, change_metadata=None):
    """Write the file again with other tensors or metadata, hashes put right."""
    tensors, metadata = read_tensors(path)
    metadata.pop("tensors_sha256")
    if change_tensors:
        change_tensors(tensors)
    if change_metadata:
        change_metadata(metadata)
    write_tensors(path, tensors, metadata)


def rewrite_text(path, change):
    """Change the metadata in the file itself, hashes left as they are."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    values = json.loads(header["__metadata__"][KEY])
    change(values)
    header["__metadata__"][KEY] = json.dumps(values)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[end:])


def test_weights_are_the_same_bits_after_reading(path, network):
    """Every weight and batch statistic, and so every prediction, is bit-equal."""
    loaded = load_checkpoint(path)
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor), name
    inputs = random_inputs(network.config)
    assert torch.equal(loaded.network(inputs), network(inputs))


def test_the_description_is_complete(path, info):
    """Configuration, table, grid, statistics, ratios, origin and metrics come back equal."""
    loaded = load_checkpoint(path).info
    assert loaded.to_dict() == info.to_dict()
    assert loaded.network == info.network
    assert loaded.inputs == info.inputs
    assert loaded.grid == info.grid
    assert loaded.scaling == info.scaling
    assert read_info(path).to_dict() == info.to_dict()


def test_channels_keep_their_order(path, info):
    """Land-cover classes come back in the table's order: it is the order of channels."""
    found, given = read_info(path).inputs, info.inputs
    assert found.channels("geography") == given.channels("geography")
    rows = given.to_dict()["variable"]
    cover = next(row for row in rows if row["classes"])
    cover["classes"] = dict(reversed(cover["classes"].items()))
    swapped = InputTable.from_dict({"variable": rows})
    assert swapped != given
    with pytest.raises(CheckpointError, match=r"the order land_cover_"):
        load_checkpoint(path).require(inputs=swapped)


def test_older_checkpoints_are_the_same_network(path, network):
    """Written before there were forms and first guesses, a file is read as the paper's form."""

    def age(metadata):
        for name in ("transport", "cams", "heights", "form", "fine_widths", "relief"):
            del metadata["network"][name]
        del metadata["layer_std"]

    rewrite(path, change_metadata=age)
    found = load_checkpoint(path)
    assert (found.info.network.form, found.info.network.has_guess) == ("paper", False)
    inputs = random_inputs(mini_config())
    with torch.no_grad():
        assert torch.equal(found.network(inputs), network(inputs))


def test_heights_of_a_first_guess_are_those_of_the_data(info):
    """A guess made for other heights than the targets' is refused."""
    inputs = InputTable.default(("transport",))
    config = mini_config(transport=4, heights=tuple(range(8)))
    with pytest.raises(ConfigurationError, match="heights must be that of inputs and heights"):
        replace(info, network=config, inputs=inputs)


def test_the_fingerprint_is_the_file_s_sha256(path, network, info, tmp_path):
    """Anybody can check it; the same content gives the same file."""
    fingerprint = load_checkpoint(path).fingerprint
    assert fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()
    again = save_checkpoint(tmp_path / "again.safetensors", network.state_dict(), info)
    assert again == fingerprint
    other = replace(info, step=1)
    assert save_checkpoint(tmp_path / "o.safetensors", network.state_dict(), other) != fingerprint


def test_the_normaliser_is_the_training_one(path, info):
    """A day's inputs are scaled with the checkpoint's statistics."""
    days = make_days(n_day=1)
    scaled = load_checkpoint(path).normaliser.normalise(days.days[0])
    index = [c.name for c in info.inputs.channels("single")].index("t2m")
    expected = (days.days[0].single[:, index] - info.statistics.mean["single"][index]) / (
        info.statistics.std["single"][index]
    )
    torch.testing.assert_close(scaled.single[:, index], expected.float(), rtol=1e-4, atol=1e-4)
    assert all(torch.isfinite(getattr(scaled, group)).all() for group in GROUPS)


def test_nothing_is_left_beside_the_file(path):
    """The temporary file is renamed, not copied."""
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_matching_data_are_accepted(path, info):
    """Grid (or a window of it), inputs and preparation of the training data."""
    loaded = load_checkpoint(path)
    loaded.require(grid=info.grid, inputs=InputTable.default(), preparation=info.preparation)
    loaded.require(grid=info.grid.window(info.grid.patches()[1]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"heights": (0.0, 50.0, 100.0)},
            r"Its heights must be the data's. Given \[0.0, 50.0, 250",
        ),
        ({"target_window": "daily"}, r"Its target window must be the data's. Given 11-13 .* daily"),
        ({"weather_steps": 24}, r"Its weather steps must be the data's. Given 8 in .* 24 in"),
        ({"vertical": "pressure"}, r"Its vertical must be the data's. Given height .* pressure"),
    ],
)
def test_data_prepared_in_another_way_are_refused(path, info, changes, message):
    """Heights, windows and steps are compared one by one, and named."""
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(path).require(preparation=replace(info.preparation, **changes))


def test_inputs_of_another_twin_world_are_told(path):
    """Of its own world, of real inputs and for a network of real data there is nothing to say."""
    loaded = load_checkpoint(path)

    def knowing(**known):
        return replace(loaded, info=replace(loaded.info, **known))

    older = knowing(training_data="synthetic", world="", recipe={})
    second = knowing(training_data="synthetic", world="twin world, version 2")
    real = knowing(training_data="real", world="")
    assert older.note_world("twin world") == older.note_world("") == ""
    assert second.note_world("twin world, version 2") == real.note_world("twin world") == ""
    said = older.note_world("twin world, version 2")
    assert "inputs of 'twin world, version 2' for a network of 'twin world'." in said
    of_recipe = knowing(
        training_data="synthetic", world="", recipe={"data": {"twin": {"version": 2}}}
    )
    assert of_recipe.info.trained_world == "twin world, version 2"


def test_another_grid_is_refused(path):
    """The message names both grids."""
    with pytest.raises(CheckpointError, match=r"Its grid must be .*small world.*lonlat-0\.02"):
        load_checkpoint(path).require(grid=named_grid("lonlat-0.02"))


def test_other_inputs_are_refused_by_name(path, info):
    """A missing variable, another order, another unit: each is named."""
    loaded = load_checkpoint(path)
    rows = info.inputs.variables
    with pytest.raises(CheckpointError, match=r"Its inputs must be .* Given tcc in the checkpoint"):
        loaded.require(inputs=InputTable([v for v in rows if v.name != "tcc"]))
    with pytest.raises(CheckpointError, match=r"the order"):
        loaded.require(inputs=InputTable(rows[::-1]))
    other = [replace(v, units="km") if v.name == "blh" else v for v in rows]
    with pytest.raises(CheckpointError, match=r"Given 'm' in .* blh\.units = 'km' in the data"):
        loaded.require(inputs=InputTable(other))


def test_a_synthetic_checkpoint_never_passes_for_a_real_one(path):
    """Real inputs are refused unless it is allowed by name (docs/formats.md 6)."""
    loaded = load_checkpoint(path)
    loaded.require_origin("synthetic")
    loaded.require_origin("real", allow_synthetic=True)
    with pytest.raises(CheckpointError, match=r"trained on the twin world.*--allow-synthetic"):
        loaded.require_origin("real")


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.999])
def test_truncated_files_are_refused(path, keep):
    """Cut anywhere, the file is not half a checkpoint."""
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(CheckpointError, match=r"It must be a complete safetensors file") as error:
        load_checkpoint(path)
    assert "\n" not in str(error.value)


def test_a_flipped_bit_is_refused(path):
    """A weight that is not the one written is found by its hash."""
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match=r"the file is damaged"):
        load_checkpoint(path)


def test_pickles_are_never_opened(tmp_path, network):
    """What torch.save writes is refused before anything in it could run."""
    path = tmp_path / "model.pt"
    torch.save(network.state_dict(), path)
    with pytest.raises(CheckpointError, match=r"Given a pickle, which could run code"):
        load_checkpoint(path)


class Hostile:
    """What makes a file when it is unpickled."""

    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (self.canary,)


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("start", [b"", b"\x10" + bytes(7) + b"{"], ids=["plain", "disguised"])
def test_a_hostile_pickle_is_not_run(tmp_path, protocol, start):
    """A pickle of any protocol, also behind the first bytes of safetensors, does nothing."""
    path, canary = tmp_path / "model.safetensors", tmp_path / "it ran"
    path.write_bytes(start + pickle.dumps(Hostile(canary), protocol))
    for read in (load_checkpoint, read_info, read_tensors):
        with pytest.raises(CheckpointError, match=r"Invalid checkpoint"):
            read(path)
    assert not canary.exists()
    pickle.loads(path.read_bytes().removeprefix(start))
    assert canary.exists()  # it would have


def test_other_metadata_than_those_written_are_refused(path):
    """A digit of a statistic that changes on a disk is found by the hash of the metadata."""
    rewrite_text(path, lambda values: values.update(target_scale=values["target_scale"] + 1e-9))
    with pytest.raises(CheckpointError, match=r"Its metadata must be those that were written"):
        load_checkpoint(path)


def test_files_without_the_hash_of_metadata_are_read(path):
    """Checkpoints written before there was one stay valid."""
    before = read_info(path).to_dict()
    rewrite_text(path, lambda values: values.pop(METADATA_HASH))
    assert read_info(path).to_dict() == before


def test_a_checkpoint_of_impossible_size_is_refused_without_making_it(path):
    """A description of a network larger than any memory is compared, not built."""

    def change(metadata):
        metadata["network"]["static_widths"] = [2**20, 2**20, 2**20, 2**20]

    rewrite(path, change_metadata=change)
    with pytest.raises(CheckpointError, match=r"Its weights must be those of its configuration"):
        load_checkpoint(path)


def test_an_absent_file_is_one_line(tmp_path):
    """The path is in the message."""
    with pytest.raises(CheckpointError, match=r"none\.safetensors\. It must be"):
        load_checkpoint(tmp_path / "none.safetensors")


def test_a_file_of_another_program_is_refused(tmp_path):
    """Weights without our metadata."""
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match=r"must carry DACNO2-S5P metadata"):
        load_checkpoint(path)


def test_weights_that_are_not_finite_are_refused_on_writing_and_reading(path, network, info):
    """The tensor is named."""
    weights = {name: t.clone() for name, t in network.state_dict().items()}
    weights["head.conv.bias"][0] = float("inf")
    with pytest.raises(CheckpointError, match=r"NaN or infinity in head\.conv\.bias"):
        save_checkpoint(path, weights, info)
    rewrite(path, change_tensors=lambda t: t["head.conv.weight"].fill_(float("nan")))
    with pytest.raises(CheckpointError, match=r"NaN or infinity in head\.conv\.weight"):
        load_checkpoint(path)


def test_weights_of_another_architecture_are_refused(path):
    """A configuration that does not fit the weights is a sentence, not a shape error."""

    def widen(metadata):
        metadata["network"]["decoder_widths"] = [8, 8, 4, 8]

    rewrite(path, change_metadata=widen)
    with pytest.raises(CheckpointError, match=r"weights must be those of its configuration"):
        load_checkpoint(path)


@pytest.mark.parametrize("key", ["network", "inputs", "grid", "statistics", "layer_ratio", "phase"])
def test_incomplete_metadata_are_refused(path, key):
    """Each part of the description is needed, and named."""
    rewrite(path, change_metadata=lambda metadata: metadata.pop(key))
    with pytest.raises(
        CheckpointError, match=rf"metadata must be complete. Given the fault no entry '{key}'"
    ):
        load_checkpoint(path)


@pytest.mark.parametrize("key", ["recipe", "metrics", "versions"])
@pytest.mark.parametrize("value", [0, "9999-99-99", None, [1]], ids=str)
def test_tables_in_the_metadata_are_tables(path, key, value):
    """Their entries are asked for by name, by `inspect` for one."""
    rewrite(path, change_metadata=lambda metadata: metadata.update({key: value}))
    with pytest.raises(CheckpointError, match=rf"metadata must be complete.*{key} .*no table"):
        read_info(path)


def test_a_later_format_is_refused(path):
    """What this version cannot know is not guessed."""
    rewrite(path, change_metadata=lambda metadata: metadata.update(format=2))
    with pytest.raises(CheckpointError, match=r"Its format must be 1. Given 2"):
        read_info(path)


def test_a_description_must_agree_with_itself(info):
    """Widths follow from inputs and heights; the origin is real or synthetic."""
    with pytest.raises(ConfigurationError, match=r"Its single must be .* 13. Given 12"):
        replace(info, network=mini_config(single=12))
    with pytest.raises(ConfigurationError, match=r"Its n_level must be .* 2. Given 8"):
        replace(info, preparation=Preparation(heights=(0.0, 50.0)))
    with pytest.raises(ConfigurationError, match=r"must be one of real, synthetic. Given 'twin'"):
        replace(info, training_data="twin")


def test_versions_are_those_of_the_packages():
    """Version of the package and of torch are written."""
    versions = package_versions()
    assert versions["torch"] == torch.__version__.split("+")[0] or versions["torch"].startswith("2")
    assert set(versions) == {"python", "dacno2-s5p", "torch", "numpy", "safetensors"}


def test_the_metadata_are_readable_by_any_safetensors_reader(path):
    """One JSON text under one key; plain load_file finds the weights."""
    header = path.read_bytes()[8 : 8 + int.from_bytes(path.read_bytes()[:8], "little")]
    values = json.loads(json.loads(header)["__metadata__"][KEY])
    assert values["training_data"] == "synthetic"
    assert values["tensors_sha256"] == hash_tensors(load_file(path))


def test_an_unwritable_folder_is_one_line(tmp_path, network, info):
    """The message says where and why."""
    with pytest.raises(OutputError, match=r"Invalid output .* Its folder must exist"):
        save_checkpoint(tmp_path / "none" / "model.safetensors", network.state_dict(), info)
