"""Targets: by coordinates across the grid change, the window's mean, streams, gaps named."""

from __future__ import annotations

import logging

import h5py
import netCDF4
import numpy as np
import pytest

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs import regrid
from dacno2_s5p.inputs.variables import Preparation
from dacno2_s5p.sources.cams.fields import CamsTargets
from retrieval.errors import AprioriError
from retrieval.files.candidates import Choices
from tests.builders.source_files import DAY, GRID, HEIGHTS, as_one_file, smooth_cams, write_cams

PREPARATION = Preparation()


def smooth(longitude, latitude, height, i_time):
    """Gradients large enough that half a cell's shift would show."""
    return 20.0 + 4.0 * (longitude - 2.0) + 2.0 * (latitude - 48.0) + 0.0 * height + i_time


def test_the_grid_change_does_not_move_a_field(tmp_path):
    """The same field on centres x.x0 (2019) and x.x5 (2020) gives the same target."""
    targets = []
    for year, offset in ((2019, 0.0), (2020, 0.05)):
        day = np.datetime64(f"{year}-07-02", "D")
        write_cams(tmp_path, f"{year}-07", [day], smooth, offset=offset)
        targets.append(CamsTargets(tmp_path, PREPARATION, GRID).target(day).no2)
    # cells of 0.1 degree are steps: a mean over 8 km differs by a part of one; half a cell's shift
    # would be 0.3 everywhere
    np.testing.assert_allclose(targets[0], targets[1], atol=0.1)
    assert abs(targets[0].mean() - targets[1].mean()) < 0.01
    x, y = regrid.centres_in(GRID.cells(4), "EPSG:4326")
    np.testing.assert_allclose(targets[0][0], smooth(x, y, 0.0, 1.0), atol=0.2)


def test_the_target_is_the_mean_of_the_window(tmp_path):
    """11-13 UTC is the mean of three stamps, another window of its own."""
    write_cams(tmp_path, "2019-07", [DAY], smooth, hours=range(24))
    three = CamsTargets(tmp_path, PREPARATION, GRID).target(DAY).no2
    hourly = CamsTargets(tmp_path, Preparation(target_window="12"), GRID).target(DAY).no2
    daily = CamsTargets(tmp_path, Preparation(target_window="daily"), GRID).target(DAY).no2
    np.testing.assert_allclose(three, hourly, rtol=1e-6)  # float32, linear in time
    np.testing.assert_allclose(daily - hourly, -0.5, atol=1e-4)  # hours 0-23 average to 11.5


def test_validated_files_win_and_the_stream_is_recorded(tmp_path):
    """Where both streams are there the validated one is read."""
    write_cams(tmp_path, "2019-07", [DAY], smooth_cams, stage="ira")
    assert CamsTargets(tmp_path, PREPARATION, GRID).target(DAY).stream == "interim"
    write_cams(tmp_path, "2019-07", [DAY], smooth, stage="vra")
    choices = Choices()
    target = CamsTargets(tmp_path, PREPARATION, GRID, choices).target(DAY)
    assert target.stream == "validated"
    assert target.no2.mean() > 15.0
    (record,) = choices.records()
    assert (record["chosen"], record["at"]) == ("vra files", [str(DAY)])
    assert record["passed_over"] == [{"label": "ira files", "why": "validated before interim"}]


def test_gaps_are_named(tmp_path):
    """An absent level, hour or month is a sentence, and reading the day an error."""
    write_cams(tmp_path, "2019-07", [DAY], smooth, hours=(11, 12))
    targets = CamsTargets(tmp_path, PREPARATION, GRID)
    (sentence,) = targets.missing(DAY)
    assert "0, 50, 250" in sentence and "2019-07-02T13" in sentence
    assert targets.missing(np.datetime64("2020-01-01", "D")) == ["CAMS reanalysis of 2020-01"]
    with pytest.raises(DataError, match="Missing target of 2019-07-02"):
        targets.target(DAY)
    next(tmp_path.glob("*.l250.*")).unlink()
    sentences = CamsTargets(tmp_path, PREPARATION, GRID).missing(DAY)
    assert sentences == ["CAMS reanalysis of 2019-07 at 250 m"]


@pytest.mark.parametrize("value", [np.nan, 1e5, -5.0])
def test_a_value_that_is_no_no2_is_refused(tmp_path, value):
    """Missing, implausibly large and negative values stop the day."""
    write_cams(tmp_path, "2019-07", [DAY], smooth)
    with netCDF4.Dataset(tmp_path / "cams.eaq.vra.ENSa.no2.l500.2019-07.nc", "a") as dataset:
        dataset["no2"][1, 15:20, 20:30] = value
    with pytest.raises(DataError, match="l500"):
        CamsTargets(tmp_path, PREPARATION, GRID).target(DAY)


def test_a_wrong_unit_attribute_is_said_and_not_believed(tmp_path, caplog):
    """A real file says ug/cm2 and holds ug m-3."""
    write_cams(tmp_path, "2019-07", [DAY], smooth)
    for path in tmp_path.iterdir():
        with netCDF4.Dataset(path, "a") as dataset:
            dataset["no2"].units = "ug/cm2"
    with caplog.at_level(logging.WARNING):
        target = CamsTargets(tmp_path, PREPARATION, GRID).target(DAY)
    assert 15.0 < target.no2.mean() < 30.0
    assert [r for r in caplog.records if "ug/cm2" in r.getMessage()]


@pytest.mark.parametrize("scheme", ["extract", "ANALYSIS"])
def test_all_levels_in_one_file_are_the_same_targets(tmp_path, scheme):
    """Of either layout, in either order of levels and latitudes."""
    write_cams(tmp_path / "months", "2019-07", [DAY], smooth_cams)
    (tmp_path / "whole").mkdir()
    as_one_file(tmp_path / "months", tmp_path / "whole" / "july.nc", scheme=scheme)
    expected = CamsTargets(tmp_path / "months", PREPARATION, GRID).target(DAY)
    targets = CamsTargets(tmp_path / "whole", PREPARATION, GRID)
    assert targets.missing(DAY) == []
    found = targets.target(DAY)
    # float32 latitudes and longitudes modulo 360 move edges by 1e-5 of a cell
    np.testing.assert_allclose(found.no2, expected.no2, rtol=1e-5)
    assert found.stream == "unstated"
    (sentence,) = targets.missing(DAY + 1)
    assert "no one file has 2019-07-03T11 .. 2019-07-03T13" in sentence


def test_a_mixture_is_read_where_one_layout_is_complete(tmp_path):
    """A complete layout is taken as a whole; what the other lacks or holds changes nothing."""
    write_cams(tmp_path, "2019-07", [DAY], smooth)
    expected = CamsTargets(tmp_path, PREPARATION, GRID).target(DAY)
    as_one_file(tmp_path, tmp_path / "july.nc")
    assert CamsTargets(tmp_path, PREPARATION, GRID).target(DAY).stream == "validated"
    next(tmp_path.glob("*.l250.*")).unlink()
    found = CamsTargets(tmp_path, PREPARATION, GRID).target(DAY)
    assert found.stream == "unstated"
    np.testing.assert_allclose(found.no2, expected.no2, rtol=1e-5)  # float32 coordinates


@pytest.mark.parametrize(
    ("stage", "whole", "used", "why"),
    [
        ("vra", "july.nc", 1.0, "stream validated before unstated"),
        ("ira", "july.nc", 1.0, "stream interim before unstated"),
        ("vra", "july_vra.nc", 1.0, "files of one level each before of all levels"),
        ("ira", "july_vra.nc", 2.0, "stream validated before interim"),
    ],
)
def test_two_complete_layouts_are_ranked_told_and_kept(tmp_path, caplog, stage, whole, used, why):
    """Files of all levels hold twice the values: what is used its stream says, whatever first."""
    write_cams(tmp_path / "vra", "2019-07", [DAY, DAY + 1], smooth)
    expected = CamsTargets(tmp_path / "vra", PREPARATION, GRID).target(DAY).no2
    folder = tmp_path / "folder"
    write_cams(folder, "2019-07", [DAY, DAY + 1], smooth, stage=stage)
    with netCDF4.Dataset(as_one_file(tmp_path / "vra", folder / whole), "a") as file:
        file["no2"][:] = 2.0 * file["no2"][:]
    choices = Choices()
    targets = CamsTargets(folder, PREPARATION, GRID, choices)
    for day in (DAY + 1, DAY):
        found = targets.target(day).no2
    assert ({p.name for p in targets.files(DAY)} == {whole}) == (used == 2.0)
    np.testing.assert_allclose(found, used * expected, rtol=1e-5)  # float32 values, coordinates
    (record,) = choices.records()
    assert record["at"] == [str(DAY), str(DAY + 1)]
    assert [p["why"] for p in record["passed_over"]] == [why]
    assert [m for m in caplog.messages if why in m] == caplog.messages
    assert len(caplog.messages) == 1


def test_an_incomplete_mixture_is_refused(tmp_path):
    """Levels that only both layouts together hold are not put together; both gaps are said."""
    write_cams(tmp_path, "2019-07", [DAY], smooth)
    as_one_file(tmp_path, tmp_path / "july.nc", heights=HEIGHTS[:4])
    next(tmp_path.glob("*.l250.*")).unlink()
    targets = CamsTargets(tmp_path, PREPARATION, GRID)
    of_months, of_whole = targets.missing(DAY)
    assert of_months == "CAMS reanalysis of 2019-07 at 250 m"
    assert of_whole == ("CAMS reanalysis of 2019-07-02 at 1000 m, 2000 m, 3000 m, 5000 m (july.nc)")
    with pytest.raises(DataError, match=r"files of one layout\. Given none of .*250 m; .*july\.nc"):
        targets.target(DAY)


def test_forecasts_and_doubles_are_no_targets(tmp_path):
    """A forecast is refused by what it says of itself; of two files that differ, both are named."""
    write_cams(tmp_path / "months", "2019-07", [DAY], smooth)
    for folder in ("forecast", "double"):
        (tmp_path / folder).mkdir()
    as_one_file(tmp_path / "months", tmp_path / "forecast" / "f.nc", scheme="FORECAST")
    with pytest.raises(DataError, match="Given a forecast"):
        CamsTargets(tmp_path / "forecast", PREPARATION, GRID).missing(DAY)
    for name in ("a.nc", "b.nc"):
        as_one_file(tmp_path / "months", tmp_path / "double" / name)
    copies = CamsTargets(tmp_path / "double", PREPARATION, GRID)
    assert copies.target(DAY).no2.min() > 0.0
    copies.close()
    with netCDF4.Dataset(tmp_path / "double" / "b.nc", "a") as file:
        file["no2"][:] = 2.0 * file["no2"][:]
    with pytest.raises(DataError, match=r"Two candidates for CAMS reanalysis.*a\.nc and .*b\.nc"):
        CamsTargets(tmp_path / "double", PREPARATION, GRID).target(DAY)


@pytest.mark.parametrize("order", [("a", "z"), ("z", "a")])
def test_validated_files_with_all_levels_win_over_interim_ones(tmp_path, order):
    """Whatever comes first in the folder: the stream that the name says."""
    folder = tmp_path / "double"
    folder.mkdir()
    write_cams(tmp_path / "months", "2019-07", [DAY], smooth)
    as_one_file(tmp_path / "months", folder / f"{order[0]}_vra.nc")
    interim = as_one_file(tmp_path / "months", folder / f"{order[1]}_ira.nc")
    with netCDF4.Dataset(interim, "a") as file:
        file["no2"][:] = 2.0 * file["no2"][:]
    choices = Choices()
    found = CamsTargets(folder, PREPARATION, GRID, choices).target(DAY)
    expected = CamsTargets(tmp_path / "months", PREPARATION, GRID).target(DAY)
    np.testing.assert_allclose(found.no2, expected.no2, rtol=1e-6)  # float32
    assert found.stream == "validated"
    assert choices.records()[0]["passed_over"][0]["why"] == "stream validated before interim"


def test_coordinates_that_are_no_numbers_are_one_line(tmp_path):
    """A file of all levels whose latitudes are records is damaged, not another kind of file."""
    write_cams(tmp_path / "months", "2019-07", [DAY], smooth_cams)
    (tmp_path / "whole").mkdir()
    path = as_one_file(tmp_path / "months", tmp_path / "whole" / "july.nc")
    with h5py.File(path, "r+") as file:
        attributes = dict(file["lat"].attrs)
        values = np.zeros(file["lat"].shape, [("a", "f4"), ("b", "i4")])
        del file["lat"]
        file["lat"] = values
        file["lat"].make_scale("lat")
        file["lat"].attrs["units"] = attributes["units"]
        file["no2"].dims[2].attach_scale(file["lat"])
    with pytest.raises(AprioriError, match=r"Damaged file .* Download it again"):
        CamsTargets(tmp_path / "whole", PREPARATION, GRID).target(DAY)


def test_a_month_without_times_is_one_line(tmp_path):
    """A file that was opened and never filled has no hour to look at."""
    write_cams(tmp_path, "2019-07", [DAY], smooth_cams, hours=())
    with pytest.raises(AprioriError, match="Given no times"):
        CamsTargets(tmp_path, PREPARATION, GRID).target(DAY)
