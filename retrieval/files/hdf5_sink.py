"""A file for HDF5 to write into that never tells HDF5 of a failed write.

HDF5 does not survive a full disk: it cannot close the file, prints errors when Python ends, and
may crash later. Here the first failure is kept, further bytes are dropped, HDF5 closes what it
takes for a good file, and the failure is raised afterwards. The caller throws the file away.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import h5py

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

CACHE_BYTES = 4 << 20
"""Chunk cache of a variable being written: some chunks of a mebibyte."""


class Sink:
    """The part of a binary file that h5py asks for, on an existing file.

    Attributes
    ----------
    error : OSError or None
        The first failure of writing; everything written after it is lost.
    """

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._file = io.FileIO(path, "r+")

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to an offset and return the position."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """Read bytes; h5py knows a file by this method, but calls `readinto`."""
        return self._file.read(size)

    def readinto(self, buffer: memoryview) -> int:
        """Read into a buffer and return the number of bytes; zeros stand for lost bytes."""
        n_read = 0
        while n_read < len(buffer):
            n_more = self._file.readinto(buffer[n_read:])
            if not n_more:
                break
            n_read += n_more
        buffer[n_read:] = bytes(len(buffer) - n_read)  # h5py does not look at the number
        return n_read

    def write(self, data: bytes | memoryview) -> int:
        """Write all bytes, or note the failure and pretend."""
        view = memoryview(data)
        n_written = 0
        try:
            while n_written < len(view) and self.error is None:
                n_written += self._file.write(view[n_written:])
        except OSError as error:
            self.error = error
        return len(view)

    def truncate(self, size: int) -> int:
        """Set the size of the file, or note the failure and pretend."""
        try:
            if self.error is None:
                self._file.truncate(size)
        except OSError as error:
            self.error = error
        return size

    def flush(self) -> None:
        """Nothing is buffered here."""


@contextmanager
def open_target(path: Path, mode: str = "w") -> Iterator[h5py.File]:
    """Open an existing file for writing with HDF5, so that any netCDF-4 library can read it.

    Parameters
    ----------
    path : Path
        An existing file.
    mode : {"w", "r+"}
        "w" starts an empty HDF5 file whose root tracks the creation order, as netCDF-4 needs;
        "r+" changes the file.

    Raises
    ------
    OSError
        The first failed write, after HDF5 has closed the file.
    """
    creation: dict[str, Any] = {"track_order": True} if mode == "w" else {}
    with Sink(path) as sink:
        if mode == "w":  # h5py does not empty a file that it is given open
            sink.truncate(0)
        try:
            with h5py.File(
                sink,
                mode,
                libver=("v108", "v110"),  # HDF5 1.10 is what current distributions have
                rdcc_nbytes=CACHE_BYTES,
                rdcc_w0=1.0,
                **creation,
            ) as file:
                yield file
        except Exception as error:
            if sink.error is None:
                raise
            raise sink.error from error
        if sink.error is not None:
            raise sink.error
