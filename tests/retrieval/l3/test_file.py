"""Period means and their file: periods, months, round trip, conventions."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import xarray as xr

from retrieval.errors import OutputError, ProductError
from retrieval.l2.names import COLUMN_STANDARD_NAME
from retrieval.l3.add import add_files
from retrieval.l3.cells import regular_grid
from retrieval.l3.day_file import DayRecord, write_day
from retrieval.l3.days import DayStore, GridJob
from retrieval.l3.file import read_l3, write_l3
from retrieval.l3.means import period_mean
from retrieval.l3.sums import Sums
from retrieval.physics.geometry.grids import RectilinearGrid, same_grid

NOT_ERRORS = "found in same group|does not cross 1582"
"""What the checker says of good links and times."""
GRID = RectilinearGrid(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0]))
SETTINGS = {"products": ["TM5"], "qa_threshold": 75, "weighting": "overlap",
            "further_products": [], "where": []}  # fmt: skip


@pytest.fixture(scope="module", params=["plane", "degrees"])
def l3(request, season, tmp_path_factory):
    box = (0.5, 47.0, 4.5, 50.5)
    grids = {"plane": regular_grid(8000.0, box), "degrees": regular_grid(0.1, box, "EPSG:4326")}
    store = DayStore.open(
        tmp_path_factory.mktemp("days"), GridJob(grids[request.param], ("TM5", "DACNO2", "CAMS"))
    )
    assert add_files(store, season.outputs).failed == []
    return period_mean(store.folder)


def _write_day(folder, day, value, weight=1.0):
    sums = Sums(GRID, ("TM5",))
    sums.weight += weight
    sums.weighted += weight * value
    sums.count += 1
    sums.coverage += 0.5
    record = DayRecord(np.datetime64(day), GRID, SETTINGS, units={"TM5": "mol m-2"})
    write_day(folder / f"sums_{day}.nc", sums, record)


def test_a_period_is_its_days(tmp_path):
    """Only days from first to last count, both included; the weighted mean is that by hand."""
    _write_day(tmp_path, "2019-06-01", 1.0)
    _write_day(tmp_path, "2019-06-02", 2.0, weight=3.0)
    _write_day(tmp_path, "2019-06-03", 9.0)
    first, last = np.datetime64("2019-06-01"), np.datetime64("2019-06-02")
    found = period_mean(tmp_path, (first, last))
    assert found["TM5"][0, 0] == pytest.approx((1 + 3 * 2) / 4)
    assert found.days[0, 0] == found.n_day == 2
    assert found.coverage[0, 0] == 0.5
    assert found.period == (first, last)
    with pytest.raises(ProductError, match="none from 2020-01-01"):
        period_mean(tmp_path, (np.datetime64("2020-01-01"), np.datetime64("2020-01-02")))


def test_mean_of_months_takes_out_the_many_days_of_summer(tmp_path):
    """Three days of June and one of July: pooled 3:1, by months 1:1."""
    for day in ("2019-06-01", "2019-06-02", "2019-06-03"):
        _write_day(tmp_path, day, 1.0)
    _write_day(tmp_path, "2019-07-01", 5.0)
    assert period_mean(tmp_path)["TM5"][0, 0] == pytest.approx(2.0)
    by_months = period_mean(tmp_path, average="months")
    assert by_months["TM5"][0, 0] == pytest.approx(3.0)
    assert by_months.attributes["average"].startswith("months")


def test_files_come_back(l3, tmp_path):
    """What is written is read: grid, means to float32, counts, period, attributes."""
    found = read_l3(write_l3(tmp_path / "l3.nc", l3))
    assert same_grid(found.grid, l3.grid)
    assert found.products == l3.products
    np.testing.assert_allclose(found.mean, l3.mean, rtol=1e-7)  # float32 on disk
    assert np.array_equal(found.count, l3.count)
    assert np.array_equal(found.days, l3.days)
    np.testing.assert_allclose(found.weight, l3.weight)
    assert found.period == l3.period
    assert found.n_day == l3.n_day == 3
    assert found.retrieved == ("TM5", "DACNO2", "CAMS")
    with pytest.raises(OutputError, match="not replaced"):
        write_l3(tmp_path / "l3.nc", l3)


def test_files_open_in_xarray(l3, tmp_path):
    """Decoded by xarray: time, coordinates, fills, without being told anything."""
    with xr.open_dataset(write_l3(tmp_path / "l3.nc", l3)) as data:
        column = data["tropospheric_column_DACNO2"].isel(time=0)
        assert column.attrs["standard_name"] == COLUMN_STANDARD_NAME
        assert column.attrs["units"] == "mol m-2"
        np.testing.assert_allclose(column.values, l3["DACNO2"].astype("f4"))
        assert {"latitude", "longitude"} <= set(data.coords)
        assert str(data["time"].values[0])[:10] == "2019-06-02"
        assert np.ptp(data["time_bnds"].values) == np.timedelta64(3, "D")


def test_files_keep_to_the_conventions(l3, tmp_path):
    """The CF 1.11 checker has nothing to say."""
    pytest.importorskip("compliance_checker", reason="compliance-checker is not installed")
    path = write_l3(tmp_path / "l3.nc", l3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checker's dependencies
        from compliance_checker.runner import CheckSuite

        suite = CheckSuite()
        suite.load_all_available_checkers()
        dataset = suite.load_dataset(str(path))
        groups, failed = suite.run_all(dataset, ["cf:1.11"])["cf:1.11"]
        dataset.close()
    assert not failed

    def messages(result):
        own = [f"{result.name}: {text}" for text in result.msgs or []]
        return own + [text for child in result.children or [] for text in messages(child)]

    found = [text for group in groups for text in messages(group)]
    assert [text for text in found if not re.search(NOT_ERRORS, text)] == []


def test_what_was_done_stands_in_the_file(l3, season, tmp_path):
    """Versions, filter, weights, options, files and the synthetic mark are attributes."""
    found = read_l3(write_l3(tmp_path / "l3.nc", l3, history="2026 made")).attributes
    assert "qa_value > 75" in found["pixel_filter"]
    assert found["weighting"].startswith("overlap")
    assert re.search("constant-vmr", found["reretrieval_options"])
    assert all(path.name in found["input_files"] for path in season.outputs)
    assert found["processor_versions"].startswith("2") or found["processor_versions"][0] == "0"
    assert found["history"] == "2026 made"


def test_other_files_are_refused(season, tmp_path):
    """A file that is no gridded file says where to get one."""
    with pytest.raises(ProductError, match="Make one with the command grid"):
        read_l3(season.outputs[0])
    (tmp_path / "text.nc").write_text("no netCDF")
    with pytest.raises(ProductError, match="must be a readable netCDF file"):
        read_l3(tmp_path / "text.nc")
