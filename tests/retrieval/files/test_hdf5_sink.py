"""Failed writes are kept and raised when HDF5 has closed its file."""

from __future__ import annotations

import errno
import io

import h5py
import numpy as np
import pytest

from retrieval.files.hdf5_sink import Sink, open_target


class FullDisk(io.FileIO):
    """A file that has room for a number of bytes."""

    room = 3000

    def write(self, data):
        if self.tell() + len(data) > self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.fixture
def small_disk(monkeypatch):
    """Let every sink run out of space after 3000 bytes."""
    monkeypatch.setattr("retrieval.files.hdf5_sink.io.FileIO", FullDisk)


def test_first_failure_is_kept_and_hidden(tmp_path, small_disk):
    """Writing beyond the room pretends to succeed; the first error stays."""
    path = tmp_path / "x"
    path.touch()
    with Sink(path) as sink:
        assert sink.write(b"a" * 2000) == 2000
        assert sink.error is None
        assert sink.write(b"b" * 2000) == 2000
        first = sink.error
        assert first is not None and first.errno == errno.ENOSPC
        assert sink.write(b"c") == 1
        assert sink.truncate(5000) == 5000
        assert sink.error is first
    assert path.stat().st_size == 2000


def test_lost_bytes_are_read_as_zeros(tmp_path, small_disk):
    """HDF5 reads back what it wrote, and takes whatever is in its buffer for it."""
    path = tmp_path / "x"
    path.touch()
    with Sink(path) as sink:
        sink.write(b"a" * 2000)
        sink.write(b"b" * 2000)
        sink.seek(1990)
        buffer = bytearray(b"?" * 100)
        assert sink.readinto(memoryview(buffer)) == 10
        assert bytes(buffer) == b"a" * 10 + bytes(90)


def test_full_disk_is_raised_after_hdf5_has_closed(tmp_path, small_disk):
    """HDF5 closes the file as if all were well; then comes the system's own error."""
    path = tmp_path / "x.h5"
    path.touch()
    with pytest.raises(OSError, match="No space left") as raised:
        write_noise(path)
    assert raised.value.errno == errno.ENOSPC
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == 0


def write_noise(path):
    with open_target(path) as file:
        for i in range(5):
            file[f"x{i}"] = np.random.default_rng(i).random(1000)


def test_other_errors_pass(tmp_path):
    """Errors of the block itself are not mistaken for failed writes."""
    path = tmp_path / "x.h5"
    path.touch()
    with pytest.raises(KeyError, match="mine"), open_target(path):
        raise KeyError("mine")


def test_file_is_emptied_and_changed(tmp_path):
    """Mode w starts afresh on an existing file, r+ goes on."""
    path = tmp_path / "x.h5"
    path.write_bytes(b"x" * 10_000)
    with open_target(path) as file:
        file["a"] = np.arange(3)
    with open_target(path) as file:
        file["b"] = np.arange(3)
    with open_target(path, "r+") as file:
        file["c"] = np.arange(3)
    with h5py.File(path) as file:
        assert sorted(file) == ["b", "c"]
