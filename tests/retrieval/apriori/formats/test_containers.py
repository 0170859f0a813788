"""Files as they come: kinds by first bytes, archives, damage, always one line."""

from __future__ import annotations

import shutil
import zipfile
from contextlib import closing

import h5py
import netCDF4
import numpy as np
import pytest

from retrieval.apriori.formats import containers
from retrieval.apriori.formats.classic import expected_size
from retrieval.apriori.formats.containers import FileKind, list_sources, sniff
from retrieval.apriori.profile_file import write_profile_file
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.files import archives
from retrieval.files.archives import Archive
from tests.builders.set_builders import (
    write_cams_forecast,
    write_cams_month,
    write_ctmana,
    zip_files,
)
from tests.retrieval.apriori.test_profile_file import DEGREES, profiles

ALL = slice(None)


def open_set(path):
    return closing(open_apriori(path))


def one_line(error):
    return "\n" not in str(error.value) and str(error.value).count(". ") >= 2


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04....", FileKind.ZIP),
        (b"CDF\x01....", FileKind.CLASSIC),
        (b"CDF\x05....", FileKind.CLASSIC),
        (b"\x89HDF\r\n\x1a\n", FileKind.HDF5),
        (b"GRIB....", FileKind.GRIB),
        (b"<html>..", FileKind.UNKNOWN),
        (b"", FileKind.UNKNOWN),
    ],
)
def test_first_bytes_tell_the_kind(tmp_path, head, kind):
    """The name of the file does not matter."""
    path = tmp_path / "file.nc"
    path.write_bytes(head)
    assert sniff(path) is kind


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"GRIB\x00\x00\x00\x02", "Given GRIB"),
        (b"<html>error</html>", "first bytes are neither"),
        (b"", "first bytes are neither"),
        (b"CDF\x01\x00\x00", "header that cannot be read"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "Damaged file"),
        (b"PK\x03\x04" + bytes(100), "Damaged file"),
    ],
)
@pytest.mark.parametrize("in_folder", [False, True])
def test_files_that_are_no_netcdf_give_one_line(tmp_path, head, message, in_folder):
    """GRIB, web pages, empty and cut files say what they look like."""
    path = tmp_path / "file.nc"
    path.write_bytes(head)
    with pytest.raises(AprioriError, match="Given" if in_folder else message) as error:
        open_apriori(tmp_path if in_folder else path)
    assert one_line(error)


def test_empty_folders_and_missing_paths_have_sentences(tmp_path):
    """Nothing there is told apart from nothing usable there."""
    with pytest.raises(AprioriError, match=r"Invalid folder .* Given 0 file\(s\)"):
        open_apriori(tmp_path)
    (tmp_path / "README").write_text("files to come")
    with pytest.raises(AprioriError, match=r"Given 1 file\(s\), none of either kind"):
        open_apriori(tmp_path)
    with pytest.raises(AprioriError, match="does not exist"):
        open_apriori(tmp_path / "absent")


def test_a_year_of_files_does_not_use_up_descriptors(tmp_path, monkeypatch):
    """Files beyond the limit are closed, and opened again when read."""
    monkeypatch.setattr(containers, "MAX_OPEN_FILES", 2)
    for day in range(1, 7):
        name = f"2019-06-0{day}"
        write_profile_file(tmp_path / f"no2_{name}.nc", profiles(DEGREES, days=(name,)))
    with open_set(tmp_path) as opened:
        fields = [opened.read(i, ALL, ALL) for i in (0, 5, 0)]
        assert sum(source._dataset is not None for source in opened.sources) <= 2
    assert np.array_equal(fields[0], fields[2], equal_nan=True)
    assert not any(source._dataset is not None for source in opened.sources)


@pytest.mark.parametrize("name", ["../evil.nc", "/etc/evil.nc", "a/../../evil.nc", "C:\\evil.nc"])
def test_members_never_leave_their_folder(tmp_path, name):
    """An archive that would write elsewhere is refused whole."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"CDF\x01")
    with pytest.raises(AprioriError, match="must stay inside the folder"):
        open_apriori(path)
    with pytest.raises(AprioriError, match="must stay inside the folder"):
        Archive(path).extract(name)


def test_archives_without_netcdf_and_too_large_ones_are_refused(tmp_path, monkeypatch):
    """What is in an archive and how much is checked before anything is unpacked."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(AprioriError, match="must hold netCDF files"):
        open_apriori(path)
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 3)
    with pytest.raises(AprioriError, match="may hold at most"):
        open_apriori(path)


def test_a_compression_bomb_is_refused_before_unpacking(tmp_path, monkeypatch):
    """A large member that grows a thousandfold is no netCDF; small ones may be all fills."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.nc", b"CDF\x01" + bytes(2**20))
    assert Archive(path).members() == ["a.nc"]
    monkeypatch.setattr(archives, "LARGE_MEMBER_BYTES", 2**19)
    with pytest.raises(AprioriError, match=r"may grow at most 200 times. Given 'a.nc'"):
        open_apriori(path)


def test_a_member_that_is_longer_than_it_says_is_damage(tmp_path):
    """The size in the directory is a limit: what a forged one hides is never unpacked."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.nc", b"CDF\x01" + bytes(2**16))
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (100).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    with pytest.raises(AprioriError, match="Damaged file") as error:
        Archive(path).extract("a.nc")
    assert one_line(error)


def test_a_link_in_an_archive_is_a_plain_file(tmp_path):
    """A member that is a symbolic link on Unix is unpacked as its text, and followed nowhere."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"CDF\x01 secret")
    info = zipfile.ZipInfo("link.nc")
    info.external_attr = 0o120777 << 16
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(info, str(secret))
    held = Archive(path)  # what it unpacked goes with it
    unpacked = held.extract("link.nc")
    assert not unpacked.is_symlink()
    assert unpacked.read_bytes() == str(secret).encode()


@pytest.mark.parametrize("name", ["a\\b.nc", "x" * 300 + ".nc", "a/b/c.nc", "a.nc ", "CON.nc"])
def test_names_of_members_never_become_paths(tmp_path, name):
    """What is unpacked has a name of ours, whatever the archive calls it."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, b"CDF\x01")
    held = Archive(path)
    (member,) = held.members()
    assert held.extract(member).name == "0.nc"


def test_a_full_disk_is_told_before_unpacking(tmp_path, monkeypatch):
    """Too little room in the temporary folder is an error that says so."""
    path = zip_files(tmp_path / "x.zip", [write_cams_month(tmp_path, 0)])
    usage = shutil.disk_usage(tmp_path)._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(AprioriError, match="Set TMPDIR elsewhere"):
        open_apriori(path)


def test_the_temporary_folder_goes_with_the_set(tmp_path, monkeypatch):
    """Nothing unpacked stays behind."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    path = zip_files(tmp_path / "x.zip", [write_cams_month(tmp_path, 0)])
    (source,) = list_sources(path)
    source.dataset()
    assert list(scratch.iterdir())
    source.close()
    del source
    assert not list(scratch.iterdir())


@pytest.mark.parametrize(
    "file_format", ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]
)
@pytest.mark.parametrize("n_record_variables", [0, 1, 3])
def test_the_length_of_classic_files_is_known(tmp_path, file_format, n_record_variables):
    """The header's length is that of the file, for every version, with and without records."""
    path = tmp_path / "c.nc"
    with netCDF4.Dataset(path, "w", format=file_format) as ds:
        ds.createDimension("time", None)
        ds.createDimension("x", 7)
        ds.title = "attributes are skipped"
        ds.createVariable("fixed", "i2", ("x",))[:] = np.arange(7)
        for i in range(n_record_variables):
            variable = ds.createVariable(f"r{i}", "i2", ("time", "x"))
            variable.units = "1"
            variable[:5] = np.arange(35).reshape(5, 7)
    with path.open("rb") as file:
        size = expected_size(file)
    # a last odd int16 may be padded to four bytes
    assert 0 <= path.stat().st_size - size <= 2


def test_a_cut_classic_file_is_refused(tmp_path):
    """Twenty lengths of a cut file are twenty errors, never zeros."""
    path = write_cams_forecast(tmp_path / "f.nc", n_time=2)
    whole = path.read_bytes()
    for n in np.random.default_rng(0).integers(8, len(whole) - 8, 20):
        path.write_bytes(whole[:n])
        with pytest.raises(AprioriError, match="Damaged file") as error:
            open_apriori(path)
        assert one_line(error)


def test_damaged_copies_give_an_error_or_the_same_numbers(tmp_path):
    """Bits flipped in a file with checksums: one line, or values that are all unharmed."""
    path = write_profile_file(tmp_path / "p.nc", profiles(DEGREES))
    with open_set(path) as opened:
        whole = opened.read(0, ALL, ALL)
    data = path.read_bytes()
    rng = np.random.default_rng(2)
    n_error = lines = 0
    for i in range(20):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] ^= 1 << int(rng.integers(8))
        copy = tmp_path / f"damaged{i}.nc"  # HDF5 caches by file: each copy needs its own name
        copy.write_bytes(bytes(damaged))
        try:
            with open_set(copy) as opened:
                values = opened.read(0, ALL, ALL)
        except AprioriError as error:
            lines += str(error).count("\n") + 1
            n_error += 1
        else:
            assert np.array_equal(values, whole, equal_nan=True)
    assert n_error > 5 and lines == n_error


def test_a_chunk_with_a_bad_checksum_gives_no_number(tmp_path):
    """A flipped bit in the field's own chunk is an error on reading."""
    path = write_profile_file(tmp_path / "p.nc", profiles(DEGREES))
    with h5py.File(path) as file:
        info = file["no2"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[info.byte_offset + info.size // 2] ^= 1
    path.write_bytes(bytes(data))
    message = r"Damaged file .* valid checksums"
    with open_set(path) as opened, pytest.raises(AprioriError, match=message) as error:
        opened.read(0, ALL, ALL)
    assert one_line(error)


def test_flipped_bits_without_checksums_are_refused_where_implausible(tmp_path):
    """In a classic file a wild number is refused on reading."""
    path = write_ctmana(tmp_path / "c.nc", spacing=30.0, n_time=1)
    with netCDF4.Dataset(path, "a") as ds:
        ds["no2"][0, 20, 3, 3] = 3.0e7
    message = r"Implausible values of no2 .* Given .* to 3e\+07"
    with open_set(path) as opened, pytest.raises(AprioriError, match=message):
        opened.read(0, ALL, ALL)
