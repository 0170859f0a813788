"""Chunks encoded here are what HDF5 itself would have written, or it could not read them."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.files.hdf5_chunks import ChunkQueue, RowWriter, encode, filters_of
from retrieval.files.hdf5_copy import chunk_shape, write_blocks

DTYPES = ["f4", "f8", ">f4", "u1", "i2", "i4", ">i8"]


def make(file, values, chunks, **filters):
    return file.create_dataset(
        "x", values.shape, values.dtype, chunks=chunks, fillvalue=7, **filters
    )


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_hdf5_reads_what_was_written_in_pieces(data):
    """Any type, shape, chunk height, filters and division into pieces come back bit by bit."""
    n_rows = data.draw(st.integers(1, 40))
    shape = (1, n_rows, *data.draw(st.lists(st.integers(1, 7), max_size=2)))
    dtype = np.dtype(data.draw(st.sampled_from(DTYPES)))
    rows = data.draw(st.integers(1, n_rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, n_rows), max_size=4)))
    seed = data.draw(st.integers(0, 1000))
    size = int(np.prod(shape)) * dtype.itemsize
    values = np.frombuffer(np.random.default_rng(seed).bytes(size), dtype).reshape(shape)
    filters = {
        "compression": "gzip",
        "compression_opts": data.draw(st.integers(1, 9)),
        "shuffle": data.draw(st.booleans()),
        "fletcher32": data.draw(st.booleans()),
    }
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as file:
        dataset = make(file, values, (1, rows, *shape[2:]), **filters)
        assert RowWriter.can_write(dataset, 1)
        with ChunkQueue() as queue:
            writer = RowWriter(dataset, 1, queue)
            for first, last in zip([0, *cuts], [*cuts, n_rows], strict=True):
                writer.write(values[:, first:last])
            writer.finish()
        assert dataset[...].tobytes() == values.tobytes()


@pytest.mark.parametrize("n", [1, 2, 3, 4095, 4096, 100_001])
@pytest.mark.parametrize("byte", [0, 1, 255])
def test_checksum_is_that_of_hdf5(n, byte):
    """The checksum equals the one HDF5 appends to a chunk, for odd lengths and extreme bytes."""
    values = np.full(n, byte, dtype=np.uint8)
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as file:
        dataset = file.create_dataset("x", data=values, chunks=(n,), fletcher32=True)
        stored = dataset.id.read_direct_chunk((0,))[1]
        assert encode(values, filters_of(dataset)) == stored


def test_sizes_on_disk_are_those_of_hdf5(tmp_path):
    """Threads do not cost compression: the chunk is as long as HDF5's own, to a few bytes."""
    values = np.sin(np.arange(200_000) / 500).astype("f4").reshape(1, 400, 500)
    filters = {"compression": "gzip", "compression_opts": 3, "shuffle": True, "fletcher32": True}
    sizes = []
    for is_ours in (False, True):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            dataset = make(file, values, chunk_shape(values.shape, 4), **filters)
            if is_ours:
                with ChunkQueue() as queue:
                    write_blocks(dataset, [((slice(None),) * 3, values)], queue)
            else:
                dataset[...] = values
            sizes.append(dataset.id.get_storage_size())
    # both are zlib at the same level; versions of zlib differ slightly
    np.testing.assert_allclose(sizes[1], sizes[0], rtol=0.02)


def test_variables_of_other_kinds_are_left_to_hdf5():
    """Contiguous, uncompressed, text and oddly chunked variables are written all the same."""
    values = np.arange(60, dtype="i4").reshape(1, 10, 6)
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as file:
        kinds = {
            "contiguous": file.create_dataset("a", values.shape, "i4"),
            "uncompressed": file.create_dataset("b", values.shape, "i4", chunks=(1, 5, 6)),
            "odd chunks": file.create_dataset(
                "c", values.shape, "i4", chunks=(1, 5, 4), compression="gzip"
            ),
            "lzf": file.create_dataset(
                "d", values.shape, "i4", chunks=(1, 5, 6), compression="lzf"
            ),
        }
        with ChunkQueue() as queue:
            for kind, dataset in kinds.items():
                assert not RowWriter.can_write(dataset, 1), kind
                parts = [
                    ((slice(0, 1), slice(i, i + 2), slice(0, 6)), values[:, i : i + 2])
                    for i in range(0, 10, 2)
                ]
                write_blocks(dataset, parts, queue)
        for dataset in kinds.values():
            np.testing.assert_array_equal(dataset[...], values)
        text = file.create_dataset("t", (1, 4), h5py.string_dtype(), chunks=(1, 2))
        assert not RowWriter.can_write(text, 1)


def test_wrong_rows_are_refused():
    """Too few, too many or too narrow rows never make a damaged variable."""
    values = np.zeros((1, 10, 6), dtype="f4")
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as file:
        dataset = make(file, values, (1, 4, 6), compression="gzip")
        for wrong in (values[:, :9], values[..., :5], np.zeros((1, 11, 6), dtype="f4")):
            with ChunkQueue() as queue, pytest.raises(ValueError, match="must fill its shape"):
                write_blocks(dataset, [((), wrong)], queue)


def test_other_types_are_converted():
    """Values of another type are stored in the variable's own."""
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as file:
        dataset = make(file, np.zeros((1, 3), dtype="u1"), (1, 3), compression="gzip")
        with ChunkQueue() as queue:
            write_blocks(dataset, [((), np.array([[1, 2, 3]], dtype=np.int64))], queue)
        assert dataset[0].tolist() == [1, 2, 3]
