"""Files of a set that hold fields of the same times: which is used, and when that is an error."""

from __future__ import annotations

import shutil
from contextlib import closing

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from tests.builders.files import DAY, write_profiles
from tests.builders.set_builders import (
    write_cams_forecast,
    write_cams_global,
    write_ctmana,
    zip_files,
)

ALL = slice(None)
NOON = np.datetime64(f"{DAY}T12:30")


def shifted(source, target, variable, by):
    """Copy a file with its times moved, in their unit."""
    shutil.copy(source, target)
    with netCDF4.Dataset(target, "a") as file:
        file[variable][:] = file[variable][:] + by
    return target


@pytest.mark.parametrize("around", [None, NOON])
def test_two_different_files_of_one_time_are_refused(tmp_path, around):
    """Which is meant cannot be told, on one grid or on two; copies are no question."""
    first = write_profiles(tmp_path / "a.nc")
    shutil.copy(first, tmp_path / "copy.nc")
    open_apriori(tmp_path, around).close()
    write_profiles(tmp_path / "b.nc", bounds=(0.0, 46.0, 4.1, 50.0))
    with pytest.raises(
        AprioriError, match=r"(Two candidates|one horizontal grid).*a\.nc and .*b\.nc"
    ):
        open_apriori(tmp_path, around)
    (tmp_path / "copy.nc").unlink()
    with netCDF4.Dataset(shutil.copy(first, tmp_path / "b.nc"), "a") as file:
        file["no2"][:] *= 2.0
    with pytest.raises(AprioriError, match=r"Two candidates for .*a\.nc and .*b\.nc, which differ"):
        open_apriori(tmp_path, around)


def test_members_of_an_archive_are_rivals_too(tmp_path):
    """Two files of one time in a ZIP."""
    files = [write_profiles(tmp_path / "a.nc"), tmp_path / "b.nc"]
    with netCDF4.Dataset(shutil.copy(*files), "a") as file:
        file["no2"][:] *= 2.0
    archive = zip_files(tmp_path / "set.zip", files)
    with pytest.raises(AprioriError, match="Two candidates for"):
        open_apriori(archive)


def test_files_may_meet_at_midnight_and_not_overlap(tmp_path):
    """The last field of a day may be the first of the next; more in common is refused."""
    day = write_cams_global(tmp_path / "a.nc", spacing=5.0)  # 0, 3 and 6 UTC
    shifted(day, tmp_path / "b.nc", "valid_time", 6 * 3600)
    with closing(open_apriori(tmp_path)) as opened:
        assert opened.times.size == 5
    folder = tmp_path / "generic"
    folder.mkdir()
    for name, hours in (("a.nc", 0), ("b.nc", 3)):
        path = shifted(day, folder / name, "valid_time", hours * 3600)
        with netCDF4.Dataset(path, "a") as file:
            file["no2"].units = "mol mol-1"  # no CAMS file
    with pytest.raises(
        AprioriError, match=r"Given .*a\.nc and .*b\.nc, which differ at 2019-06-30T03:00"
    ):
        open_apriori(folder)


def test_global_runs_with_one_start_are_refused(tmp_path):
    """A reanalysis and a forecast that begin at the same time: the lead does not tell."""
    write_cams_global(tmp_path / "a.nc", spacing=5.0)
    with netCDF4.Dataset(shutil.copy(tmp_path / "a.nc", tmp_path / "b.nc"), "a") as file:
        file["no2"][:] *= 2.0
    with pytest.raises(AprioriError, match="Two candidates for"):
        open_apriori(tmp_path)


def test_tm5_files_without_versions_are_refused(tmp_path):
    """Names say which version is the later one; without them nothing does."""
    name = "S5P_OPER_AUX_CTMANA_20190630T000000_20190701T000000_201907{}T000000.nc"
    for number, file_name in enumerate((name.format("09"), name.format("10"))):
        path = write_ctmana(tmp_path / file_name, spacing=10.0)
        with netCDF4.Dataset(path, "a") as file:
            file["no2"][:] *= 1.0 + number
    open_apriori(tmp_path).close()
    for path, short in zip(sorted(tmp_path.glob("*.nc")), ("a.nc", "b.nc"), strict=True):
        path.rename(tmp_path / short)
    with pytest.raises(AprioriError, match="Two candidates for"):
        open_apriori(tmp_path)


def test_of_european_forecasts_the_later_run_is_used(tmp_path):
    """The second day of yesterday's run begins when today's run does."""
    today = write_cams_forecast(tmp_path / "b.nc")
    with netCDF4.Dataset(shutil.copy(today, tmp_path / "a.nc"), "a") as file:
        file["time"].long_name = "FORECAST time from 20210714"
        file.FORECAST = "Europe, 20210714+[24H_47H]"
        file["time"][:] = file["time"][:] + 24.0
        file["no2_conc"][:] *= 2.0
    with closing(open_apriori(today)) as wanted, closing(open_apriori(tmp_path)) as found:
        assert found.times.tolist() == wanted.times.tolist()
        np.testing.assert_array_equal(found.read(12, ALL, ALL), wanted.read(12, ALL, ALL))


def test_files_named_by_their_download_are_found_by_content(tmp_path):
    """Six of them, one by chance named for the day that is wanted, with another day in it."""
    first = write_cams_global(tmp_path / "first", spacing=10.0)
    folder = tmp_path / "set"
    folder.mkdir()
    for i in range(6):
        name = f"{DAY}.nc" if i == 5 else f"2024-01-1{i}.nc"
        shifted(first, folder / name, "valid_time", (i - 2) * 86400)
    wanted = np.datetime64(f"{DAY}T04:30")
    with closing(open_apriori(first)) as opened:
        day_apart = opened.times.min().astype("datetime64[D]") - wanted.astype("datetime64[D]")
    with closing(open_apriori(folder, wanted + day_apart)) as opened:
        assert np.abs(opened.times - (wanted + day_apart)).min() <= np.timedelta64(90, "m")
