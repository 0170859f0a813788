"""Which files are opened for a time: what their names say narrows the search, never hides data."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.sources.weather.gridded import FEW_FILES, GriddedFiles, may_hold
from tests.builders.source_files import DAY, axes, hours_of, new_era5, put

FAR = DAY + 3


def write(folder, name, days):
    """Write hourly wind of some days."""
    folder.mkdir(exist_ok=True)
    times = np.concatenate([hours_of(day) for day in days])
    x, y = axes()
    with new_era5(folder / name, times) as file:
        values = np.zeros((times.size, y.size, x.size), np.float32)
        put(file, "u10", ("valid_time", "latitude", "longitude"), values, units="m s**-1")


@pytest.mark.parametrize(
    "name",
    [
        "single_20190630-20190710.nc",
        "single_2019-06-30_2019-07-10.nc",
        "single_2019_downloaded_20240115.nc",
        "single_20190630_downloaded_20240115.nc",
        "single_2019-07_20240115.nc",
        "single.nc",
    ],
)
def test_days_within_a_range_of_a_name_are_found(tmp_path, name):
    """A second date is the end of a period, or of the download: the file is looked into."""
    folder = tmp_path / "era5"
    write(folder, name, [DAY, DAY + 1, FAR])
    for i in range(FEW_FILES):
        write(folder, f"single_{DAY + 40 + i}.nc", [DAY + 40 + i])
    files = GriddedFiles(folder, "ERA5")
    for day in (DAY, FAR):
        assert files.missing("u10", hours_of(day)) == []
        assert {path.name for path in files.paths("u10", hours_of(day))} == {name}
    files.close()


def test_few_files_are_looked_into_whatever_their_names(tmp_path):
    """A date of the download alone hides nothing in a folder of yearly files."""
    write(tmp_path / "era5", "single_downloaded_20240115.nc", [DAY])
    files = GriddedFiles(tmp_path / "era5", "ERA5")
    assert files.missing("u10", hours_of(DAY)) == []
    files.close()


def test_files_of_other_days_stay_closed(tmp_path, monkeypatch):
    """Of a folder of daily files only those of the day and beside it are opened."""
    days = [DAY + i for i in range(9)]
    for day in days:
        write(tmp_path / "era5", f"single_{day}.nc", [day])
    files = GriddedFiles(tmp_path / "era5", "ERA5")
    opened, really = set(), files._file
    monkeypatch.setattr(files, "_file", lambda path: opened.add(path.name) or really(path))
    assert files.missing("u10", hours_of(days[5])) == []
    assert opened <= {f"single_{day}.nc" for day in days[4:7]}
    files.close()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2019-07.nc", True),
        ("2019-08.nc", False),
        ("20190702T000000.nc", True),
        ("era5_2018_2018-07-02.nc", False),
        ("era5_2018.nc", True),
    ],
)
def test_dates_in_names(name, expected):
    """A month, a time; a year alone says nothing, beside a date it widens."""
    assert may_hold(name, DAY) == expected
