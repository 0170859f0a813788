"""The copy of a crop is bit-identical: values, fills, filters, attributes, dimensions, order."""

from __future__ import annotations

from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from h5py import h5a, h5s
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import ProductError
from retrieval.files.hdf5_copy import (
    blocks,
    chunk_shape,
    copy_cropped,
    dimension_paths,
    hdf5_errors,
)
from retrieval.files.hdf5_sink import open_target
from tests.builders.orbit_builder import build_orbit

CROP = {"/PRODUCT/scanline": slice(7, 31), "/PRODUCT/ground_pixel": slice(3, 20)}


@pytest.fixture(scope="module")
def orbit_path(tmp_path_factory):
    """Path of a small orbit with every variable of version 2.4."""
    folder = tmp_path_factory.mktemp("orbit")
    return build_orbit(folder, n_scanline=40, n_ground_pixel=25, scanline_chunk=16).path


def test_dimension_paths_are_the_same_once_known(orbit_path):
    """Paths found by a scale's address are those that HDF5 finds by searching the file."""
    known: dict[int, str] = {}
    with h5py.File(orbit_path, "r") as file:
        found = []
        file.visititems(lambda _, item: found.append(item) if hasattr(item, "dims") else None)
        variables = [item for item in found if isinstance(item, h5py.Dataset)]
        for variable in variables:
            assert dimension_paths(variable, known) == dimension_paths(variable)
    assert len(variables) > 100
    assert len(known) < 30  # one entry a dimension, not one a variable


def copy(source: Path, target: Path, crop: dict[str, slice]) -> Path:
    target.touch()
    with h5py.File(source, "r") as original, open_target(target) as file:
        copy_cropped(original, file, crop)
    return target


def raw_attributes(item):
    """Attributes as stored: name, type with its padding and character set, shape, bytes."""
    found = {}
    for i in range(h5a.get_num_attrs(item.id)):
        attribute = h5a.open(item.id, index=i)
        if attribute.name in {b"DIMENSION_LIST", b"REFERENCE_LIST"}:
            continue
        kind = attribute.get_type()
        if attribute.get_space().get_simple_extent_type() == h5s.NULL:
            found[attribute.name] = (kind.encode(), None)
            continue
        values = np.empty(attribute.shape, dtype=attribute.dtype)
        attribute.read(values, mtype=None if attribute.dtype.kind == "O" else kind)
        stored = values.tolist() if attribute.dtype.kind == "O" else values.tobytes()
        found[attribute.name] = (kind.encode(), attribute.shape, stored)
    return found


def assert_same(original, new, crop):
    """Compare two HDF5 trees as stored; return how many variables were compared."""
    assert raw_attributes(original) == raw_attributes(new), original.name
    if isinstance(original, h5py.Group):
        assert set(original) == set(new)
        return sum(assert_same(original[name], new[name], crop) for name in original)
    dimensions = dimension_paths(original)
    assert dimension_paths(new) == dimensions
    assert new.id.get_type().equal(original.id.get_type())
    filters = [p.id.get_create_plist() for p in (original, new)]
    assert len({p.get_nfilters() for p in filters}) == 1
    for i in range(filters[0].get_nfilters()):
        assert filters[0].get_filter(i) == filters[1].get_filter(i)
    part = tuple(crop.get(name, slice(None)) for name in dimensions)
    kept, copied = original[part], new[...]
    if original.dtype.kind == "O":
        assert kept.tolist() == copied.tolist()
    else:
        assert kept.tobytes() == copied.tobytes(), original.name
    return 1


@pytest.mark.parametrize("crop", [{}, CROP])
def test_copy_is_identical_as_stored(orbit_path, tmp_path, crop):
    """Every variable of the crop, every attribute, type, filter and dimension is the original's."""
    new = copy(orbit_path, tmp_path / "copy.nc", crop)
    with h5py.File(orbit_path) as a, h5py.File(new) as b:
        assert assert_same(a["/"], b["/"], crop) > 80


def test_real_scene_is_copied_as_stored(real_file, tmp_path):
    """The same holds for a real scene, whose text fills its length without a terminator."""
    source = real_file("S5P_RPRO*_reduced.nc")
    new = copy(source, tmp_path / "copy.nc", CROP)
    with h5py.File(source) as a, h5py.File(new) as b:
        assert assert_same(a["/"], b["/"], CROP) == 25


def test_real_metadata_is_copied_as_stored(real_file, tmp_path):
    """Nested groups named gmd:..., dotted attributes and dimensions without variables survive."""
    source = real_file("L2_NO2_header_and_metadata_only.nc")
    new = copy(source, tmp_path / "copy.nc", {})
    with h5py.File(source) as a, h5py.File(new) as b:
        assert_same(a["/"], b["/"], {})
    with netCDF4.Dataset(source) as a, netCDF4.Dataset(new) as b:
        assert list(a.groups["METADATA"].groups) == list(b.groups["METADATA"].groups)
        sizes = [{n: len(d) for n, d in f.groups["PRODUCT"].dimensions.items()} for f in (a, b)]
        assert sizes[0] == sizes[1]


def test_netcdf_library_reads_and_extends_the_copy(orbit_path, tmp_path):
    """The copy is netCDF-4 in the netCDF library's own eyes: order, sizes, values, appending."""
    new = copy(orbit_path, tmp_path / "copy.nc", CROP)
    with netCDF4.Dataset(orbit_path) as a, netCDF4.Dataset(new) as b:
        product = b["PRODUCT"]
        assert list(product.variables) == list(a["PRODUCT"].variables)
        assert product.dimensions["scanline"].size == 24
        assert product["averaging_kernel"].dimensions[-1] == "layer"
        assert product["scanline"][0] == 7  # the index values of the original are kept
        assert list(product["time_utc"][0]) == list(a["PRODUCT"]["time_utc"][0, 7:31])
    with netCDF4.Dataset(new, "a") as b:
        b["PRODUCT"].createVariable("added", "f4", ("scanline",))[:] = 1.0


def test_unusual_attributes_and_dimensions_survive(tmp_path):
    """Empty text, text of variable length, odd names, unlimited and cropped bare dimensions."""
    source = tmp_path / "odd.nc"
    with netCDF4.Dataset(source, "w") as file:
        product = file.createGroup("PRODUCT")
        product.createDimension("scanline", None)
        product.createDimension("ground_pixel", 5)
        variable = product.createVariable("packed", "i2", ("scanline", "ground_pixel"))
        variable[:] = np.arange(40).reshape(8, 5)
        variable.setncattr("empty", "")
        variable.setncattr_string("texts", ["a", "böc", ""])
        variable.setncattr("input.1.count", np.int16(3))
        product.createVariable("scalar", "f8", ())[...] = 2.5
        file.createGroup("gmd:source#1").setncattr("gmx:FileName", "x" * 300)
    crop = {"/PRODUCT/scanline": slice(2, 5), "/PRODUCT/ground_pixel": slice(1, 3)}
    new = copy(source, tmp_path / "copy.nc", crop)
    with netCDF4.Dataset(source) as a, netCDF4.Dataset(new) as b:
        sizes = {name: len(d) for name, d in b["PRODUCT"].dimensions.items()}
        assert sizes == {"scanline": 3, "ground_pixel": 2}
        np.testing.assert_array_equal(b["PRODUCT/packed"][:], a["PRODUCT/packed"][2:5, 1:3])
        variable = b["PRODUCT/packed"]
        assert variable.getncattr("empty") == ""
        assert variable.getncattr("texts") == ["a", "böc", ""]
        assert variable.getncattr("input.1.count").dtype == np.int16
        assert float(b["PRODUCT/scalar"][...]) == 2.5
        assert b["gmd:source#1"].getncattr("gmx:FileName") == "x" * 300


def test_flipped_byte_in_a_chunk_is_found(orbit_path, tmp_path):
    """A kernel whose checksum fails is an error of one line, never copied."""
    with h5py.File(orbit_path) as file:
        chunk = file["PRODUCT/averaging_kernel"].id.get_chunk_info(0)
    data = bytearray(orbit_path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    broken = tmp_path / "broken.nc"
    broken.write_bytes(data)
    target = tmp_path / "copy.nc"
    with (
        pytest.raises(ProductError, match=r"broken\.nc\. It must be a whole, undamaged") as raised,
        hdf5_errors(broken, target),
    ):
        copy(broken, target, CROP)
    assert "\n" not in str(raised.value)


@given(
    st.integers(1, 60).flatmap(
        lambda n: st.tuples(st.just(n), st.integers(0, n - 1), st.integers(1, n), st.integers(1, n))
    )
)
def test_blocks_cover_a_selection_once(case):
    """Blocks are disjoint, in order, cover the selection, and end where chunks end."""
    _, start, stop, chunk = case
    stop = max(stop, start + 1)

    class Stub:
        """Only what `blocks` asks of a dataset."""

        chunks = (1, chunk, 1000)
        dtype = np.dtype("f4")

    selection = (slice(0, 1), slice(start, stop), slice(0, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("retrieval.files.hdf5_copy.BLOCK_BYTES", 4 * 7)  # seven values
        parts = list(blocks(Stub(), selection))
    read = [i for source, _ in parts for i in range(source[1].start, source[1].stop)]
    written = [i for _, target in parts for i in range(target[1].start, target[1].stop)]
    assert read == list(range(start, stop))
    assert written == list(range(stop - start))
    assert all(source[1].stop % chunk == 0 for source, _ in parts[:-1])


def test_memory_of_a_block_is_bounded(monkeypatch):
    """A selection larger than a block is divided."""
    monkeypatch.setattr("retrieval.files.hdf5_copy.BLOCK_BYTES", 4 * 450 * 34 * 10)

    class Stub:
        """Only what `blocks` asks of a dataset."""

        chunks = (1, 3, 450, 34)
        dtype = np.dtype("f4")

    selection = (slice(0, 1), slice(5, 100), slice(0, 450), slice(0, 34))
    heights = [source[1].stop - source[1].start for source, _ in blocks(Stub(), selection)]
    assert sum(heights) == 95
    assert max(heights) <= 9


def test_chunks_stay_below_a_mebibyte():
    """Chunks never exceed the array nor the size that default chunk caches hold."""
    assert chunk_shape((1, 4172, 450, 34), 4) == (1, 17, 450, 34)
    assert chunk_shape((1, 20, 30), 4) == (1, 20, 30)
    assert chunk_shape((5,), 4) == (5,)
