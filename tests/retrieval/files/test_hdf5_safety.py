"""Files whose content is elsewhere, or contains itself, are refused before netCDF walks them."""

from __future__ import annotations

import shutil

import h5py
import netCDF4
import numpy as np
import pytest

from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError, ProductError
from retrieval.files.hdf5_safety import refuse_unsafe
from retrieval.l2.inspect import describe_l2
from retrieval.l2.open_orbit import open_orbit
from tests.builders.files import write_profiles
from tests.builders.orbit_builder import build_orbit

AMF = "PRODUCT/air_mass_factor_total"


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=4, n_ground_pixel=3).path


@pytest.fixture
def secret(tmp_path):
    """Return a file that no product may show, in another folder."""
    folder = tmp_path / "private"
    folder.mkdir()
    with h5py.File(folder / "secret.h5", "w") as file:
        file["x"] = np.full((1, 4, 3), 7.0, "f4")
    (folder / "secret.bin").write_bytes(np.full(12, 7.0, "f4").tobytes())
    return folder


def external(file, name, secret):
    del file[name]
    file[name] = h5py.ExternalLink(str(secret / "secret.h5"), "x")


def virtual(file, name, secret):
    del file[name]
    layout = h5py.VirtualLayout((1, 4, 3), "f4")
    layout[...] = h5py.VirtualSource(str(secret / "secret.h5"), "x", (1, 4, 3))
    file.create_virtual_dataset(name, layout)


def raw(file, name, secret):
    del file[name]
    file.create_dataset(name, (1, 4, 3), "f4", external=[(str(secret / "secret.bin"), 0, 48)])


def circle(file, name, _secret):
    group = file[name].parent
    group["again"] = file["/"]


def soft_circle(file, name, _secret):
    file[f"{file[name].parent.name}/again"] = h5py.SoftLink("/")


FAULTS = {
    external: "an external link at",
    virtual: "a virtual dataset at",
    raw: "values in another file at",
    circle: "a second way to a group at",
    soft_circle: "a second way to a group at",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_an_orbit_is_all_in_its_own_file(orbit, secret, tmp_path, fault):
    """Links out of the file and in a circle are refused by all that opens orbits."""
    path = shutil.copy(orbit, tmp_path / "orbit.nc")
    with h5py.File(path, "r+") as file:
        fault(file, AMF, secret)
    message = rf"must be in the file itself. Given {FAULTS[fault]}"
    with pytest.raises(ProductError, match=message):
        open_orbit(path)
    with pytest.raises(ProductError, match=message):
        describe_l2(path)


@pytest.mark.parametrize("fault", [external, virtual, raw], ids=lambda fault: fault.__name__)
def test_a_set_is_all_in_its_own_file(secret, tmp_path, fault):
    """A set shows no other file's numbers either."""
    path = write_profiles(tmp_path / "p.nc")
    with h5py.File(path, "r+") as file:
        fault(file, "no2", secret)
    with pytest.raises(AprioriError, match=FAULTS[fault]):
        open_apriori(path)


def test_netcdf_itself_would_follow(orbit, secret, tmp_path):
    """The library reads the other file: without the check its numbers would be taken."""
    path = shutil.copy(orbit, tmp_path / "orbit.nc")
    with h5py.File(path, "r+") as file:
        raw(file, AMF, secret)
    with netCDF4.Dataset(path) as file:
        assert float(file["PRODUCT"].variables["air_mass_factor_total"][...].max()) == 7.0


def test_plain_files_pass(orbit, tmp_path):
    """An orbit, a set, a link between variables, a classic file and text are not refused."""
    linked = shutil.copy(orbit, tmp_path / "linked.nc")
    with h5py.File(linked, "r+") as file:
        file["PRODUCT/other_name"] = h5py.SoftLink(f"/{AMF}")
        file["PRODUCT/third_name"] = file[AMF]
    text = tmp_path / "text.nc"
    text.write_text("no netCDF")
    classic = write_profiles(tmp_path / "classic.nc", compressed=False)
    for path in (orbit, linked, write_profiles(tmp_path / "p.nc"), classic, text):
        refuse_unsafe(tmp_path / path, ProductError)


@pytest.mark.parametrize("target", ["/nowhere", "/broken"])
def test_links_that_lead_nowhere_are_damage(orbit, tmp_path, target):
    """A link to nothing, or to itself, is one line."""
    path = shutil.copy(orbit, tmp_path / "orbit.nc")
    with h5py.File(path, "r+") as file:
        file["broken"] = h5py.SoftLink(target)
    with pytest.raises(ProductError, match="Its links and data descriptions must be readable"):
        open_orbit(path)


@pytest.mark.parametrize(
    "value", ["text", np.bytes_(b"x"), np.arange(3), 1], ids=["text", "bytes", "numbers", "number"]
)
def test_dimensions_that_are_no_references_are_refused(orbit, tmp_path, value):
    """NetCDF would take the bytes of a text for addresses, and the process would end there."""
    path = shutil.copy(orbit, tmp_path / "orbit.nc")
    with h5py.File(path, "r+") as file:
        attributes = file[AMF].attrs
        assert attributes["DIMENSION_LIST"].shape == (3,)
        del attributes["DIMENSION_LIST"]
        attributes["DIMENSION_LIST"] = value
    with pytest.raises(ProductError, match=r"must be readable.* that is no list of references"):
        refuse_unsafe(path, ProductError)


def test_a_list_of_too_many_dimensions_is_refused(orbit, tmp_path):
    """HDF5 reads as many entries as the list has into the room of one for each axis."""
    path = shutil.copy(orbit, tmp_path / "orbit.nc")
    with h5py.File(path, "r+") as file:
        attributes = file[AMF].attrs
        lists = attributes["DIMENSION_LIST"]
        more = np.concatenate([lists, lists])
        del attributes["DIMENSION_LIST"]
        attributes.create("DIMENSION_LIST", more, dtype=lists.dtype)
    with pytest.raises(ProductError, match=r"must be readable.* that is no list of references"):
        refuse_unsafe(path, ProductError)


@pytest.mark.parametrize("name", ["_Netcdf4Dimid", "_Netcdf4Coordinates"])
@pytest.mark.parametrize("value", [2**40, -1, [1, 2, 3, 4], "text", np.zeros(0)], ids=str)
def test_numbers_that_no_dimension_has_are_refused(tmp_path, name, value):
    """NetCDF keeps as much memory as the largest number asks for, or ends."""
    path = tmp_path / "a.nc"
    with netCDF4.Dataset(path, "w") as file:
        for n in ("time", "lat", "lon"):
            file.createDimension(n, 2)
            file.createVariable(n, "f4", (n,))
        file.createVariable("no2", "f4", ("time", "lat", "lon"))
    refuse_unsafe(path, ProductError)
    with h5py.File(path, "r+") as file:
        file["time" if name == "_Netcdf4Dimid" else "no2"].attrs[name] = value
    with pytest.raises(ProductError, match="that is no number of a dimension"):
        refuse_unsafe(path, ProductError)


@pytest.mark.parametrize("kind", ["f2", np.longdouble], ids=["half", "long"])
@pytest.mark.parametrize("name", ["lat", "no2"])
def test_floats_that_netcdf_does_not_know_are_refused(tmp_path, name, kind):
    """NetCDF reads them into the room of others, and the process ends there or later."""
    path = tmp_path / "a.nc"
    with h5py.File(path, "w") as file:
        for n in ("lat", "no2"):
            file.create_dataset(n, data=np.ones(5, kind if n == name else "f4"))
        file["lat"].make_scale("lat")
        file["no2"].dims[0].attach_scale(file["lat"])
    with pytest.raises(ProductError, match=rf"floats of (2|16) bytes in {name}"):
        refuse_unsafe(path, ProductError)


@pytest.mark.parametrize("where", ["/", "group", "group/no2"])
@pytest.mark.parametrize("value", [["m", "s"], "m"], ids=["several", "one"])
def test_texts_that_cannot_be_read_are_refused(tmp_path, where, value):
    """NetCDF frees what it could not read, and the process ends some time later."""
    path = tmp_path / "a.nc"
    with h5py.File(path, "w") as file:
        file.create_group("group")["no2"] = np.ones(5)
        file[where].attrs.create("units", value, dtype=h5py.string_dtype())
    refuse_unsafe(path, ProductError)
    content = path.read_bytes()
    assert content.count(b"GCOL") == 1  # HDF5's heap, where texts of any length are kept
    path.write_bytes(content.replace(b"GCOL", b"gone"))
    with pytest.raises(ProductError, match="must be readable"):
        refuse_unsafe(path, ProductError)


def test_lists_of_dimensions_that_cannot_be_read_are_refused(orbit, tmp_path):
    """They are kept in the same heap, in every netCDF file."""
    path = tmp_path / "orbit.nc"
    content = orbit.read_bytes()
    assert b"GCOL" in content
    path.write_bytes(content.replace(b"GCOL", b"gone"))
    with pytest.raises(ProductError, match="must be readable"):
        refuse_unsafe(path, ProductError)
