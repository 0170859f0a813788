"""CAMS European sets: levels from names, both grids, all layouts of docs/formats.md 4.1 and 4.2."""

from __future__ import annotations

import logging
from contextlib import closing

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.levels import HeightLevels, Quantity
from retrieval.physics.time_rules import TimeRule
from tests.builders.files import write_cams
from tests.builders.set_builders import (
    CAMS_HEIGHTS,
    concentration,
    mesh,
    write_cams_all_levels,
    write_cams_forecast,
    write_cams_month,
    zip_files,
)

ALL = slice(None)
FLOAT32 = 2e-6  # float32 values computed in another order, float32 coordinates


def expected(opened, hour, heights=CAMS_HEIGHTS):
    lat, lon = mesh(opened.grid.y, opened.grid.x)
    height = np.array(heights, float)[:, None, None]
    return concentration(height, lat, lon, hour) * MICROGRAM_M3_TO_MOL_M3


def test_months_of_single_levels_make_one_field_on_heights(tmp_path):
    """Levels come from the file names and values in SI, lowest first."""
    for level in reversed(CAMS_HEIGHTS):
        write_cams_month(tmp_path, level)
    opened = open_apriori(tmp_path)
    assert opened.kind == "CAMS European reanalysis"
    assert opened.quantity is Quantity.CONCENTRATION
    assert opened.time_rule is TimeRule.OVERPASS_MEAN
    assert isinstance(opened.vertical, HeightLevels)
    assert opened.vertical.height.tolist() == list(CAMS_HEIGHTS)
    assert opened.times[12] == np.datetime64("2019-06-01T12:00")
    np.testing.assert_allclose(opened.read(12, ALL, ALL), expected(opened, 12), rtol=FLOAT32)


def test_a_block_is_what_the_whole_field_has_there(tmp_path):
    """Reading rows and columns gives that part of the field."""
    for level in (0, 50):
        write_cams_month(tmp_path, level, latitude=np.arange(50.0, 47.95, -0.1))
    opened = open_apriori(tmp_path)
    whole = opened.read(3, ALL, ALL)
    rows, columns = slice(2, 9), slice(5, 6)
    assert np.array_equal(opened.read(3, rows, columns), whole[:, rows, columns])


@pytest.mark.parametrize("step", [0.1, -0.1])
def test_latitudes_may_ascend_or_descend(tmp_path, step):
    """The grid ascends and values stay with their cells, whatever the order in the file."""
    latitude = np.arange(48.0, 50.05, 0.1)[:: int(np.sign(step))]
    write_cams_month(tmp_path, 0, latitude=latitude)
    opened = open_apriori(tmp_path)
    assert (np.diff(opened.grid.y) > 0).all()
    np.testing.assert_allclose(opened.read(5, ALL, ALL), expected(opened, 5, (0,)), rtol=FLOAT32)


@pytest.mark.parametrize("name", ["download.zip", "download.nc", "download"])
def test_an_archive_of_any_name_is_read_as_its_files(tmp_path, name):
    """The first bytes tell an archive, not its extension."""
    files = [write_cams_month(tmp_path, level) for level in (0, 50, 100)]
    opened = open_apriori(zip_files(tmp_path / name, files))
    np.testing.assert_allclose(
        opened.read(0, ALL, ALL), expected(opened, 0, (0, 50, 100)), rtol=FLOAT32
    )


def test_forecasts_unwrap_longitudes_and_take_their_date_from_words(tmp_path):
    """Longitudes 358..2, descending latitudes and plain hours come out in order."""
    opened = open_apriori(write_cams_forecast(tmp_path / "f.nc"))
    assert opened.kind == "CAMS European forecast"
    assert opened.times[0] == np.datetime64("2021-07-15T00:00")
    assert (np.diff(opened.grid.x) > 0).all() and opened.grid.x[0] < 0 < opened.grid.x[-1]
    np.testing.assert_allclose(opened.read(11, ALL, ALL), expected(opened, 11), rtol=1e-5)


def test_analyses_are_preferred_to_forecasts_of_the_same_hour(tmp_path):
    """Two files of one day make one time axis, and the analysis serves it."""
    write_cams_forecast(tmp_path / "a_forecast.nc")
    write_cams_forecast(tmp_path / "b_analysis.nc", kind="ANALYSIS")
    opened = open_apriori(tmp_path)
    assert opened.times.size == 24
    assert "analysis" in str(opened.slabs[opened.places[0][0]].fields()[0].source)


def test_the_wrong_unit_of_the_tutorial_file_is_an_error_with_both_readings(tmp_path):
    """`ug/cm2` on heights names what it would mean and what it must be."""
    path = write_cams_all_levels(tmp_path / "ak3.nc")
    with pytest.raises(AprioriError, match=r"ug/cm2.*mol m-2, impossible; read as ug m-3"):
        open_apriori(path)


def test_a_toml_beside_the_file_corrects_the_unit(tmp_path):
    """With the unit given, the same file is read."""
    path = write_cams_all_levels(tmp_path / "ak3.nc")
    (tmp_path / "ak3.nc.toml").write_text('unit = "ug m-3"\n')
    opened = open_apriori(path)
    heights = (0, 50, 250, 500, 1000, 2000, 3000, 5000)
    np.testing.assert_allclose(opened.read(7, ALL, ALL), expected(opened, 7, heights), rtol=FLOAT32)


@pytest.mark.parametrize(
    ("unit", "corner", "kind"),
    [
        ("ug m-3", (48.0, 1.0), "CAMS European"),
        ("ug m-3", (48.0, 358.0), "CAMS European"),
        ("ug m-3", (-27.0, 28.0), "CF field"),
        ("ug m-3", (48.0, 44.0), "CF field"),
        ("mol m-3", (48.0, 1.0), "CF field"),
        ("ppb", (48.0, 1.0), "CF field"),
    ],
)
def test_a_field_laid_out_alike_is_not_taken_for_cams(tmp_path, unit, corner, kind):
    """Elsewhere or in other units, 0.1 degree and the store's heights are a field of its own."""
    path = write_cams_all_levels(tmp_path / "own.nc", units=unit, corner=corner, height_unit="m")
    opened = open_apriori(path)
    assert opened.kind == kind
    assert opened.vertical.height[1] == 50.0


def test_validated_months_are_preferred_to_interim_ones(tmp_path, caplog):
    """Of vra and ira the validated one is used, and that is logged."""
    write_cams_month(tmp_path, 0, stage="ira")
    write_cams_month(tmp_path, 0, stage="vra")
    with caplog.at_level(logging.INFO, logger="retrieval"):
        opened = open_apriori(tmp_path)
    assert [file.name.split(".")[2] for file in opened.files] == ["vra"]
    assert "validated files are used" in caplog.text


def test_both_grids_in_a_folder_are_chosen_by_time(tmp_path):
    """The 2019 grid (centres at x.0) and the 2020 grid (x.05) serve their own years."""
    write_cams_month(tmp_path, 0, month="2019-12")
    shifted = np.arange(48.05, 50.0, 0.1), np.arange(1.05, 3.0, 0.1)
    write_cams_month(tmp_path, 0, month="2020-01", latitude=shifted[0], longitude=shifted[1])
    old = open_apriori(tmp_path, np.datetime64("2019-12-01T12:00"))
    new = open_apriori(tmp_path, np.datetime64("2020-01-02T12:00"))
    assert old.grid.y[0] == pytest.approx(48.0, abs=1e-5)
    assert new.grid.y[0] == pytest.approx(48.05, abs=1e-5)
    with pytest.raises(AprioriError, match="must share one horizontal grid"):
        open_apriori(tmp_path)


def test_a_month_that_mixes_grids_is_refused(tmp_path):
    """Levels on different grids are never stacked."""
    write_cams_month(tmp_path, 0)
    write_cams_month(tmp_path, 50, latitude=np.arange(48.05, 50.1, 0.1))
    opened = open_apriori(tmp_path)
    with pytest.raises(AprioriError, match="must share one grid"):
        opened.read(0, ALL, ALL)


def test_mixed_models_are_refused(tmp_path):
    """Two models in a folder are no set."""
    write_cams_month(tmp_path, 0, model="ENS")
    write_cams_month(tmp_path, 0, model="CHIMERE", month="2019-07")
    with pytest.raises(AprioriError, match=r"set is of one model. Given CHIMERE, ENS"):
        open_apriori(tmp_path)


def test_a_level_that_is_there_twice_is_refused(tmp_path):
    """Two areas of one month and level are named."""
    write_cams_month(tmp_path, 0)
    write_cams_month(tmp_path, 0, subset="area-subset.54.9.42.-5")
    with pytest.raises(AprioriError, match="must hold each level once"):
        open_apriori(tmp_path)


def test_a_file_of_another_month_than_its_name_is_refused(tmp_path):
    """The name gives level and month; the times must agree."""
    write_cams_month(tmp_path, 0, time_units="hours since 2018-02-01 00:00:00")
    with pytest.raises(AprioriError, match="Given times of 2018-02"):
        open_apriori(tmp_path)


def test_a_single_level_without_its_name_is_a_two_dimensional_field(tmp_path):
    """Renamed away from its level, a month cannot be read."""
    path = write_cams_month(tmp_path, 0).rename(tmp_path / "june.nc")
    with pytest.raises(AprioriError, match="two-dimensional field"):
        open_apriori(path)


def test_missing_units_are_refused(tmp_path):
    """Without a units attribute nothing is assumed."""
    write_cams_month(tmp_path, 0, units=None)
    with pytest.raises(AprioriError, match=r"must say its unit. Given none.*TOML"):
        open_apriori(tmp_path)


def test_values_impossible_in_their_unit_are_refused_on_reading(tmp_path):
    """Micrograms labelled kg m-3 give an error with both readings, not numbers."""
    write_cams_month(tmp_path, 0, units="kg m-3")
    opened = open_apriori(tmp_path)
    with pytest.raises(AprioriError, match=r"'kg m-3': as declared .* read as ug m-3"):
        opened.read(0, ALL, ALL)


def test_one_field_a_day_follows_the_daily_rule(tmp_path):
    """docs/equations.md 5: months that hold noon alone serve three hours round it."""
    folder = write_cams(tmp_path / "cams")
    with closing(open_apriori(folder)) as opened:
        assert opened.time_rule is TimeRule.OVERPASS_MEAN
    for path in folder.iterdir():
        with netCDF4.Dataset(path, "a") as file:
            file["time"][:] = 12.0 + 24.0 * np.arange(24)
    assert open_apriori(folder).time_rule is TimeRule.DAILY


def warnings_of(caplog):
    return [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("validated", "interim", "used"),
    [
        ((0, 50, 100), CAMS_HEIGHTS, CAMS_HEIGHTS),
        ((0, 50, 250, 500, 1000, 2000, 3000, 5000), CAMS_HEIGHTS, None),
        (tuple(h for h in CAMS_HEIGHTS if h != 2000), (0, 2000), None),
    ],
    ids=["stray", "optional", "worse"],
)
def test_the_more_complete_stage_of_a_month_is_used(tmp_path, caplog, validated, interim, used):
    """Stray validated files do not hide an interim month; optional levels do not decide."""
    for stage, levels in (("vra", validated), ("ira", interim)):
        for level in levels:
            write_cams_month(tmp_path, level, stage=stage)
    for _ in range(2):
        with closing(open_apriori(tmp_path)) as opened:
            assert opened.vertical.height.tolist() == list(used or validated)
    said = [line for line in warnings_of(caplog) if "validated files" in line]
    assert len(said) == 1
    assert f"; {'ira' if used else 'vra'} is used" in said[0]


def test_missing_levels_are_told_once(tmp_path, caplog):
    """Files that were not downloaded are heights that the profile has not."""
    for month in ("2019-05", "2019-06", "2019-07"):
        for level in (0, 50, 100, 250, 1000, 5000):
            write_cams_month(tmp_path, level, month=month)
    for around in ("2019-05-01T12:00", "2019-06-02T12:00"):
        open_apriori(tmp_path, np.datetime64(around)).close()
    (warning,) = warnings_of(caplog)
    assert f"{tmp_path} lacks the heights 500, 2000, 3000 m" in warning
    assert "it has 0, 50, 100, 250, 1000, 5000 m" in warning


def test_another_months_gaps_are_not_told(tmp_path, caplog):
    """The set of an orbit is that of its month."""
    for level in CAMS_HEIGHTS:
        write_cams_month(tmp_path, level, month="2019-06")
    write_cams_month(tmp_path, 0, month="2019-07")
    open_apriori(tmp_path, np.datetime64("2019-06-02T12:00")).close()
    assert not warnings_of(caplog)


def test_files_with_all_levels_may_lack_some_too(tmp_path, caplog):
    """Of an extract that ends at 1000 m the heights above are missed."""
    path = write_cams_all_levels(tmp_path / "e.nc", units="ug/m3", heights=(0, 50, 250, 500, 1000))
    open_apriori(path).close()
    (warning,) = warnings_of(caplog)
    assert f"{path} lacks the heights 2000, 3000, 5000 m" in warning
