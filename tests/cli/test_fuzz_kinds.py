"""A few hundred damaged files of every kind; `make fuzz` runs ten thousand."""

from __future__ import annotations

import pytest

from tests.fuzz.groups import GROUPS
from tests.fuzz.kinds import is_clear
from tests.fuzz.outcomes import BAD, run_kinds

pytest.importorskip("pyarrow")
pytest.importorskip("rasterio")

SHARES = {
    "texts": 10,
    "networks": 10,
    "stores": 6,
    "maps": 6,
    "sets": 6,
    "orbits": 6,
    "sensors": 6,
    "archives": 6,
    "tables": 16,
    "sources": 8,
}
"""Damaged files of each kind in a group; those that are quick to read are more."""
HERE = {"texts", "tables", "networks", "stores"}
"""Groups whose files no C library takes apart: they are read in this process."""


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_damage_ends_in_one_clear_line_or_in_possible_numbers(group, tmp_path):
    """No traceback, no crash, and nothing that a checksum covers is taken for good."""
    kinds = GROUPS[group](tmp_path / "files")
    outcomes = run_kinds(
        kinds, tmp_path / "cases", SHARES[group], seed=1, patience=20, here=group in HERE
    )
    found = [f"{kind.name}: {outcome}" for kind, outcome in outcomes if outcome.what in BAD]
    assert not found


@pytest.mark.parametrize(
    ("line", "clear"),
    [
        ("Error: Invalid file a.nc. It must hold NO2. Given O3. Choose another file.", True),
        ("Error: 'days'", False),
        ("Error: NetCDF: HDF error", False),
        ("Error: index 3 is out of bounds. for axis 0", False),
    ],
)
def test_a_clear_line_is_what_rule_given_and_advice(line, clear):
    """The fuzzer tells a sentence of ours from what a library said."""
    assert is_clear(line) is clear
