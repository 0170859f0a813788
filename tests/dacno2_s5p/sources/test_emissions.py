"""The inventory: sectors by the table, months, conservation."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.sources.emissions import Inventory
from tests.builders.source_files import GRID, SECTORS, write_inventory

ROWS = [v for v in InputTable.default().group("emission") if v.source == "cams-glob-ant"]
JULY = np.datetime64("2019-07", "M")


def test_sectors_are_summed_by_the_table(tmp_path):
    """Nine maps; a group with two sectors has their sum, others their own."""
    write_inventory(tmp_path, 2019, {**SECTORS, "com": 5e-11})
    maps = Inventory(tmp_path, ROWS, GRID).month(JULY)
    plain = Inventory(tmp_path, ROWS[:1], GRID).month(JULY)[0]
    assert maps.shape == (9, 64, 64)
    for row, field in zip(ROWS, maps, strict=True):
        first = row.source_variables[0]
        value = SECTORS[first] + (5e-11 if first == "res" else 0.0)
        np.testing.assert_allclose(field, plain * (value / SECTORS["tro"]), rtol=1e-5)  # float32


def test_the_month_is_that_of_the_day(tmp_path):
    """July is 7 % above the base of the test's inventory, January 1 %."""
    write_inventory(tmp_path, 2019, SECTORS)
    inventory = Inventory(tmp_path, ROWS, GRID)
    ratio = inventory.month(JULY) / inventory.month(np.datetime64("2019-01", "M"))
    np.testing.assert_allclose(ratio, 1.07 / 1.01, rtol=1e-5)  # float32


def test_missing_months_and_sectors_are_named(tmp_path):
    """A year that is not there, and a group none of whose sectors is."""
    without = {name: value for name, value in SECTORS.items() if name != "shp"}
    write_inventory(tmp_path, 2019, without)
    inventory = Inventory(tmp_path, ROWS, GRID)
    assert inventory.missing(JULY) == ["CAMS-GLOB-ANT of 2019-07 (nox_ships)"]
    assert "nox_road" in inventory.missing(np.datetime64("2020-07", "M"))[0]
    with pytest.raises(DataError, match="Missing input nox_ships"):
        inventory.month(JULY)


def test_emissions_in_no_input_are_said(tmp_path, caplog):
    """A sum that exceeds the table's sectors by 10 % is a warning."""
    write_inventory(tmp_path, 2019, SECTORS, total=1.1 * sum(SECTORS.values()))
    with caplog.at_level(logging.WARNING):
        Inventory(tmp_path, ROWS, GRID).month(JULY)
    assert any("9.1 % of its sum" in r.getMessage() for r in caplog.records)
