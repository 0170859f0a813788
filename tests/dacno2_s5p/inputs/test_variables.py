"""The table of inputs."""

from __future__ import annotations

import json

import pytest

from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.inputs.samples import GROUPS
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.network.dacno2 import NetworkConfig

TABLE = InputTable.default()


def changed(which, **columns):
    """Return the table's plain values with one row changed."""
    rows = TABLE.to_dict()
    for row in rows["variable"]:
        if row["name"] == which:
            row.update(columns)
    return rows


def test_the_38_inputs_of_the_paper():
    """Two temporal, twelve emission, two geography, 13 single-level, nine multi-level sets."""
    assert [len(TABLE.group(group)) for group in GROUPS] == [2, 12, 2, 13, 9]


def test_channels_are_the_network_s_default_widths():
    """Day of week has two channels and land cover five, so that there are 43."""
    config = NetworkConfig(**TABLE.widths)
    assert config == NetworkConfig()
    names = [channel.name for channel in TABLE.channels("geography")]
    assert names == [
        "elevation",
        "land_cover_artificial",
        "land_cover_agricultural",
        "land_cover_forest",
        "land_cover_wetland",
        "land_cover_water",
    ]


def test_corine_s_44_classes_are_each_in_one_of_five():
    """Grid codes 1-44 are covered without overlap (section 2.2.1)."""
    codes = [c for low, high in TABLE["land_cover"].classes.values() for c in range(low, high + 1)]
    assert sorted(codes) == list(range(1, 45))


def test_heavy_tailed_inputs_are_logged():
    """All emissions and proxies and precipitation; everything else is as in the paper's text."""
    logged = {v.name for v in TABLE.variables if v.transform == "log1p"}
    assert logged == {v.name for v in TABLE.group("emission")} | {"tp"}


def test_accumulated_fields_are_known():
    """Radiation, fluxes and precipitation end at their stamp."""
    accumulated = {v.name for v in TABLE.variables if v.accumulated}
    assert accumulated == {"tp", "ssrd", "strd", "sshf", "slhf"}


def test_winds_have_both_components():
    """Vectors that are turned to the grid's axes come in pairs."""
    pairs = {}
    for variable in TABLE.variables:
        if variable.vector:
            pairs.setdefault(variable.vector, []).append(variable.component)
    assert pairs == {"wind_10m": ["x", "y"], "wind": ["x", "y"]}


def test_a_table_survives_json():
    """Rows, channels and fingerprint are the same after plain values."""
    again = InputTable.from_dict(json.loads(json.dumps(TABLE.to_dict())))
    assert again == TABLE
    assert again.fingerprint == TABLE.fingerprint


def test_the_fingerprint_sees_every_column():
    """A changed unit is another table."""
    assert InputTable.from_dict(changed("blh", units="km")).fingerprint != TABLE.fingerprint


def test_another_set_of_inputs_needs_no_code(tmp_path):
    """A file with fewer rows gives narrower groups."""
    path = tmp_path / "inputs.toml"
    rows = []
    for group in GROUPS:
        rows.append(
            f'[[variable]]\nname = "{group}_1"\ngroup = "{group}"\nsource = "calendar"\n'
            'source_variables = ["x"]\nunits = "1"\nresampling = "none"\nvalid_range = [0, 1]\n'
        )
    path.write_text("\n".join(rows), encoding="utf-8")
    assert InputTable.read(path).widths == dict.fromkeys(GROUPS, 1)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed("blh", transform="root"), r"Invalid input blh. transform must be one of none"),
        (changed("blh", group="weather"), r"group must be one of temporal"),
        (changed("blh", valid_range=[5, 1]), r"valid_range must be \[least, largest\]"),
        (changed("blh", transform="log1p", valid_range=[-1, 1]), r"non-negative for log1p"),
        (changed("blh", transform="one_hot"), r"classes must be given for one_hot"),
        (changed("blh", source_variables=[]), r"source_variables must be at least one name"),
        (changed("blh", name="sp"), r"names must differ. Given sp"),
        (
            changed("blh", colour="red"),
            r"must be those of inputs/data/inputs.toml. Given colour",
        ),
        ({"variable": [{"name": "x"}]}, r"Invalid input x. Its columns must be"),
        ({}, r"groups must not be empty. Given temporal, emission, geography, single, multi"),
    ],
)
def test_rows_that_cannot_be(rows, message):
    """A wrong row is refused by its name."""
    with pytest.raises(ConfigurationError, match=message):
        InputTable.from_dict(rows)


def test_a_file_that_is_no_toml(tmp_path):
    """The message names the file."""
    path = tmp_path / "inputs.toml"
    path.write_text("name: blh", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"inputs\.toml\. It must be a TOML file"):
        InputTable.read(path)


def test_preparation_survives_json():
    """Heights and windows are the same after plain values."""
    made = Preparation(target_window="daily", weather_steps=8, weather_step_hours=3)
    assert Preparation.from_dict(json.loads(json.dumps(made.to_dict()))) == made


@pytest.mark.parametrize(
    "wrong",
    [
        {"weather_steps": 12},
        {"weather_steps": float("inf")},
        {"weather_steps": "8"},
        {"weather_step_hours": 0},
        {"weather_step_hours": True},
        {"weather_end": "noon"},
        {"vertical": "depth"},
        {"target_window": 11},
    ],
    ids=str,
)
def test_impossible_preparations_are_refused(wrong):
    """The encoder halves the steps three times; words are those that are known."""
    name = next(iter(wrong))
    with pytest.raises(ConfigurationError, match=f"Invalid preparation. {name} must be"):
        Preparation(**wrong)


def test_heights_ascend():
    """Layers are surface first."""
    with pytest.raises(ConfigurationError, match=r"must ascend from 0 m or above"):
        Preparation(heights=(50.0, 0.0))
