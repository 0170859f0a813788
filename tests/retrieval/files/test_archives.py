"""Orbits as the data space delivers them: a ZIP with a folder and one netCDF file in it."""

from __future__ import annotations

import shutil
import zipfile

import netCDF4
import numpy as np
import pytest

from cli.options.orbits import find_orbits
from retrieval.errors import ProductError
from retrieval.files import archives
from retrieval.l2.columns import OrbitKind, orbit_kind
from retrieval.l2.identity import identify
from retrieval.l2.inspect import describe_l2
from retrieval.l2.open_orbit import looks_like_l2, open_orbit
from retrieval.substitution.reretrieve import reretrieve
from tests.builders.files import build_workspace

COLUMN = "nitrogendioxide_tropospheric_column_CAMS_apriori"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return build_workspace(tmp_path_factory.mktemp("workspace"))


def packed(orbit, path, members=None):
    """Pack an orbit into an archive, in a folder of its name, beside other members."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(orbit, f"{orbit.stem}/{orbit.name}")
        for name, content in (members or {}).items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("ending", [".zip", ".nc"])
def test_an_orbit_in_an_archive_is_that_orbit(workspace, tmp_path, ending):
    """Whatever the archive is called: the same columns, flags and attributes, to the bit."""
    orbit = packed(workspace.orbit, (tmp_path / workspace.orbit.name).with_suffix(ending))
    outputs = []
    for i, one in enumerate((workspace.orbit, orbit)):
        target = tmp_path / f"out{i}.nc"
        reretrieve(one, {"cams": workspace.cams}, target)
        with netCDF4.Dataset(target) as file:
            file.set_auto_mask(False)
            outputs.append(file["PRODUCT"][COLUMN][:])
    assert np.isfinite(outputs[0]).any()
    assert np.array_equal(*outputs, equal_nan=True)
    assert (
        looks_like_l2(orbit) and describe_l2(orbit)["kind"] == describe_l2(workspace.orbit)["kind"]
    )
    assert identify(orbit).orbit == identify(workspace.orbit).orbit


def test_archives_in_a_folder_of_orbits_are_found(workspace, tmp_path):
    """Beside plain files and sets; one that is delivered as such is not unpacked to be told."""
    shutil.copy(workspace.orbit, tmp_path / "plain.nc")
    packed(workspace.orbit, tmp_path / "other.zip")
    with zipfile.ZipFile(tmp_path / "sets.zip", "w") as archive:
        archive.writestr("a.nc", b"CDF")
        archive.writestr("b.nc", b"CDF")
    found = find_orbits([tmp_path], originals=True)
    assert [path.name for path in found.paths] == ["other.zip", "plain.nc"]
    assert orbit_kind(tmp_path / "other.zip") is OrbitKind.ORIGINAL


def test_a_licence_beside_the_orbit_is_no_orbit(workspace, tmp_path):
    """Members that are no data do not count."""
    path = packed(workspace.orbit, tmp_path / "a.zip", {"LICENCE": "text", "manifest.xml": "<a/>"})
    with open_orbit(path) as orbit:
        assert orbit.path == path and orbit.content != path


def test_what_is_unpacked_is_bounded(workspace, tmp_path, monkeypatch):
    """The oldest of the unpacked orbits goes when another one comes."""
    monkeypatch.setattr(archives, "ARCHIVES_KEPT", 1)
    first, second = (packed(workspace.orbit, tmp_path / f"{name}.zip") for name in "ab")
    content = archives.orbit_content(first)
    assert archives.orbit_content(first) is content
    archives.orbit_content(second)
    path = content.path
    assert path.exists()  # while somebody holds it
    del content
    assert not path.exists()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"b.nc": b"CDF"}, "It must hold one orbit. Given 2 files of data"),
        ({"../b.nc": b"CDF"}, "Its members must stay inside"),
    ],
)
def test_archives_that_are_no_orbit_are_refused(workspace, tmp_path, members, message):
    """Two orbits in one, and names that leave the folder."""
    with pytest.raises(ProductError, match=message):
        open_orbit(packed(workspace.orbit, tmp_path / "a.zip", members))


def test_a_damaged_archive_is_one_line(workspace, tmp_path):
    """Cut short."""
    path = packed(workspace.orbit, tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ProductError, match="must be a whole ZIP archive") as error:
        open_orbit(path)
    assert "\n" not in str(error.value)
    assert orbit_kind(path) is OrbitKind.DAMAGED
