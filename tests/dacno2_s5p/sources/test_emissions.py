"""The inventory: sectors by the table, months, conservation."""

from __future__ import annotations

import logging
from dataclasses import replace

import netCDF4
import numpy as np
import pytest

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.sources.emissions import Inventory
from tests.builders.source_files import GRID, SECTORS, put, write_inventory

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


def write_as(folder, name, value, *, names=SECTORS, year=2019, **attributes):
    """Write one value in all sectors under a name, with attributes."""
    write_inventory(folder, year, dict.fromkeys(names, value))
    made = folder / f"CAMS-GLOB-ANT_Glb_0.1x0.1_anthro_nox_v5.3_monthly_{year}.nc"
    path = made.rename(folder / name)
    with netCDF4.Dataset(path, "a") as file:
        file.setncatts(attributes)
        # the ramp and the months' factors of the builder would hide the number
        for sector in names:
            file[sector][:] = value
    return path


def value_of(folder, month=JULY):
    """All maps of a month hold one value."""
    inventory = Inventory(folder, ROWS, GRID)
    assert inventory.missing(month) == []
    maps = inventory.month(month)
    inventory.close()
    # float32 of the file
    np.testing.assert_allclose(maps, maps.ravel()[0], rtol=1e-6)
    return float(maps.ravel()[0]), inventory


PREFIX = "CAMS-GLOB-ANT_Glb_0.1x0.1_anthro"


@pytest.mark.parametrize(
    ("carbon", "nitrogen", "attributes"),
    [
        (f"{PREFIX}_co_v5.3_monthly_2019.nc", f"{PREFIX}_nox_v5.3_monthly_2019.nc", {}),
        ("CAMS-GLOB-ANT_v5.3_carbon-monoxide_2019.nc", "z_nitrogen-oxides_2019.nc", {}),
        ("a.nc", "b.nc", {"species": "CO"}),
        ("a.nc", "b.nc", {"title": "Anthropogenic emissions of carbon monoxide"}),
    ],
)
def test_another_species_is_no_candidate(tmp_path, carbon, nitrogen, attributes):
    """CO of 9e-10 beside NOx of 2e-11 with the same sectors: 2e-11; CO alone is refused."""
    write_as(tmp_path, carbon, 9e-10, **attributes)
    inventory = Inventory(tmp_path, ROWS, GRID)
    (sentence,) = inventory.missing(JULY)
    assert "nox_road" in sentence and "is of co, not of nox" in sentence
    with pytest.raises(DataError, match=r"in the inventory of nox .*is of co, not of nox"):
        inventory.month(JULY)
    write_as(tmp_path, nitrogen, 2e-11)
    assert value_of(tmp_path)[0] == pytest.approx(2e-11, rel=1e-6)  # float32


def test_a_month_is_of_one_version_as_a_whole(tmp_path, caplog):
    """4.2 and 6.2 in one folder: 6.2, also where only 4.2 has a sector of the row; said once."""
    write_as(tmp_path, f"{PREFIX}_nox_v4.2_monthly.nc", 3e-11, names=(*SECTORS, "agl", "slv"))
    write_as(tmp_path, f"{PREFIX}_nox_v6.2_monthly.nc", 2e-11)
    with caplog.at_level(logging.WARNING):
        value, inventory = value_of(tmp_path)
    assert value == pytest.approx(2e-11, rel=1e-6)  # float32
    assert len(caplog.messages) == 1 and "version 6.2 before 4.2" in caplog.messages[0]
    (record,) = inventory._choices.records()
    assert record["at"] == ["2019-07"] and "v6.2" in str(record["chosen"])


def test_a_version_that_lacks_an_input_is_behind_one_that_has_all(tmp_path):
    """6.2 without ships is not mixed with ships of 4.2: 4.2 as a whole."""
    write_as(tmp_path, f"{PREFIX}_nox_v4.2_monthly.nc", 3e-11)
    without = [name for name in SECTORS if name != "shp"]
    write_as(tmp_path, f"{PREFIX}_nox_v6.2_monthly.nc", 2e-11, names=without)
    assert value_of(tmp_path)[0] == pytest.approx(3e-11, rel=1e-6)  # float32


def test_copies_are_no_rivals_and_differing_files_of_one_version_are_refused(tmp_path):
    """Nothing tells which of 2e-11 and 3e-11 is meant."""
    write_as(tmp_path, f"{PREFIX}_nox_v5.3_monthly.nc", 2e-11)
    copy = write_as(tmp_path, f"copy_{PREFIX}_nox_v5.3_monthly.nc", 2e-11)
    value, inventory = value_of(tmp_path)
    assert value == pytest.approx(2e-11, rel=1e-6)  # float32
    assert inventory._choices.records() == []
    copy.unlink()
    write_as(tmp_path, f"other_{PREFIX}_nox_v5.3_monthly.nc", 3e-11)
    with pytest.raises(DataError, match=r"Two candidates for tro of CAMS-GLOB-ANT.*monthly\.nc"):
        Inventory(tmp_path, ROWS, GRID).month(JULY)
    write_as(tmp_path, "unnamed.nc", 3e-11)
    (tmp_path / f"other_{PREFIX}_nox_v5.3_monthly.nc").unlink()
    with pytest.raises(DataError, match=r"version \(5\.3 and unstated\)"):
        Inventory(tmp_path, ROWS, GRID).month(JULY)


def as_years(path, *, bounds=False, stamps=1):
    """Keep the first stamps of a file and let them mean years."""
    with netCDF4.Dataset(path) as file:
        x, y = file["lon"][:].data, file["lat"][:].data
        values = {name: file[name][:stamps].data for name in SECTORS}
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("time", stamps), ("lat", y.size), ("lon", x.size), ("nv", 2)):
            file.createDimension(name, size)
        days = 61_727.0 + 365.0 * np.arange(stamps)  # 2019-01-01
        extra = {"bounds": "time_bnds"} if bounds else {}
        put(file, "time", ("time",), days, units="days since 1850-01-01", **extra)
        if bounds:
            put(file, "time_bnds", ("time", "nv"), np.stack([days, days + 365.0], axis=1))
        put(file, "lat", ("lat",), y, units="degrees_north")
        put(file, "lon", ("lon",), x, units="degrees_east")
        for name, field in values.items():
            put(file, name, ("time", "lat", "lon"), field, units="kg m-2 s-1")
    return path


@pytest.mark.parametrize(
    ("name", "how"),
    [
        (f"{PREFIX}_nox_v5.3_yearly.nc", {}),
        ("nox.nc", {"stamps": 3}),
        ("nox.nc", {"bounds": True}),
    ],
)
def test_a_stamp_of_a_year_is_not_taken_for_january(tmp_path, name, how):
    """By its name, by years between stamps, or by bounds."""
    january = np.datetime64("2019-01", "M")
    as_years(write_as(tmp_path, name, 9e-11), **how)
    assert Inventory(tmp_path, ROWS, GRID).missing(january) != []
    write_as(tmp_path, f"{PREFIX}_nox_v5.3_monthly_2019.nc", 2e-11)
    assert value_of(tmp_path, january)[0] == pytest.approx(2e-11, rel=1e-6)  # float32


def test_a_file_of_one_month_is_of_that_month(tmp_path):
    """A lone stamp without bounds or another word is a month, as it was."""
    as_years(write_as(tmp_path, "nox.nc", 2e-11))
    january = np.datetime64("2019-01", "M")
    assert value_of(tmp_path, january)[0] == pytest.approx(2e-11, rel=1e-6)  # float32


def test_sectors_that_exceed_the_sum_are_refused(tmp_path):
    """45 sectors' worth where the inventory's sum says 40."""
    write_inventory(tmp_path, 2019, SECTORS, total=40e-11)
    with pytest.raises(DataError, match=r"not add up to more than its sum\. Given 112\.5 %"):
        Inventory(tmp_path, ROWS, GRID).month(JULY)


def test_a_sector_and_the_parts_it_is_the_sum_of_count_once(tmp_path):
    """Fugitives as a whole and split by fuel: 3e-11, not 6e-11."""
    split = {**SECTORS, "fef": 3e-11, "fef_gas": 1e-11, "fef_coal": 2e-11}
    split.pop("ref")
    write_inventory(tmp_path, 2019, split)
    maps = Inventory(tmp_path, ROWS, GRID).month(JULY)
    place = [row.name for row in ROWS].index("nox_refineries")
    # float32: 3e-11 against road transport's 1e-11
    np.testing.assert_allclose(maps[place], 3.0 * maps[0], rtol=1e-5)


def test_a_sector_in_two_inputs_is_refused(tmp_path):
    """It would count twice."""
    write_inventory(tmp_path, 2019, SECTORS)
    twice = [ROWS[0], replace(ROWS[0], name="nox_twice"), *ROWS[1:]]
    with pytest.raises(ConfigurationError, match="Given tro in nox_road and nox_twice"):
        Inventory(tmp_path, twice, GRID).month(JULY)


def test_what_no_input_holds_is_kept(tmp_path):
    """The share is in the record, month by month."""
    write_inventory(tmp_path, 2019, SECTORS, total=1.1 * sum(SECTORS.values()))
    inventory = Inventory(tmp_path, ROWS, GRID)
    inventory.month(JULY)
    (record,) = inventory._choices.records()
    assert record["passed_over"] == [{"label": "9.1 % of its sum", "why": "in no input"}]
