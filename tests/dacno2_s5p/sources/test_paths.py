"""Whether sources are synthetic: all files are asked, and those of one source must agree."""

from __future__ import annotations

import zipfile

import netCDF4
import numpy as np
import pytest

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.paths import PEEK_BYTES, SourcePaths, training_data_of

SAYING = "Synthetic twin world, version 2, seed 7"


def write(path, source="", *, form="NETCDF4", size=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    with netCDF4.Dataset(path, "w", format=form) as file:
        file.createDimension("x", size)
        file.createVariable("t", "f8", ("x",))[:] = np.random.default_rng(0).uniform(size=size)
        file.source = source
    return path


def packed(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.write(member, member.name)
            member.unlink()


def test_files_without_a_word_are_real(tmp_path):
    """Absent folders, GRIB and what is no data say nothing."""
    assert training_data_of(SourcePaths.in_folder(tmp_path)) == "real"
    write(tmp_path / "era5" / "a.nc", "ERA5")
    (tmp_path / "era5" / "b.grib").write_bytes(b"GRIB" + bytes(100))
    (tmp_path / "era5" / "notes.txt").write_text(SAYING)
    assert training_data_of(SourcePaths.in_folder(tmp_path)) == "real"


@pytest.mark.parametrize("form", ["NETCDF4", "NETCDF3_CLASSIC"])
@pytest.mark.parametrize("name", ["a.nc", "c.nc"])
def test_one_source_of_both_kinds_is_refused(tmp_path, name, form):
    """Wherever in the folder the synthetic file stands, both are named."""
    write(tmp_path / "era5" / "b.nc", "ERA5")
    write(tmp_path / "era5" / name, SAYING, form=form)
    with pytest.raises(DataError, match=rf"of era5.*Given {name}, which says.*and b\.nc"):
        training_data_of(SourcePaths.in_folder(tmp_path))


def test_members_of_archives_are_asked_without_unpacking(tmp_path):
    """The second of two archives: the word stands in the first part of a member, however long."""
    large = PEEK_BYTES // 4
    folder = tmp_path / "era5"
    packed_from = [write(folder / "instant.nc", SAYING, size=large), write(folder / "accum.nc")]
    packed(folder / "b.nc", *packed_from)
    assert training_data_of(SourcePaths.in_folder(tmp_path)) == "synthetic"
    packed(folder / "a.nc", write(folder / "instant.nc", "ERA5", size=large))
    with pytest.raises(DataError, match=r"Given b\.nc, which says that it is, and a\.nc"):
        training_data_of(SourcePaths.in_folder(tmp_path))


def test_two_sources_of_unlike_kinds_are_told(tmp_path, caplog):
    """Synthetic targets beside real weather: the whole counts as synthetic."""
    write(tmp_path / "era5" / "a.nc", "ERA5")
    write(tmp_path / "cams" / "a.nc", SAYING)
    assert training_data_of(SourcePaths.in_folder(tmp_path)) == "synthetic"
    (message,) = caplog.messages
    assert message.startswith("cams: the files say") and "those of era5 do not" in message
