"""Write chunked HDF5 variables with the compression done in threads.

HDF5 compresses one chunk after the other, which is most of the time that writing an orbit takes.
Here chunks are encoded with the variable's own filters by zlib, which lets other threads run, and
handed to HDF5 ready-made. What a variable needs that is not known here, HDF5 does itself.
"""

from __future__ import annotations

import os
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import h5py
import numpy as np
from h5py import h5z
from numcodecs.fletcher32 import Fletcher32

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    Array = NDArray[np.generic]

N_THREADS = min(4, os.cpu_count() or 1)
"""More threads gain little: one thread reads and writes for all of them."""


class ChunkQueue:
    """Chunks on their way through the encoding threads, written in the order they came.

    Leaving the block writes all that is left, or drops it where the block failed.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(N_THREADS, thread_name_prefix="encode")
        self._pending: deque[tuple[h5py.Dataset, tuple[int, ...], Future[bytes]]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._store(n_left=0)
        finally:
            self._pending.clear()
            self._pool.shutdown(cancel_futures=True)

    def put(self, dataset: h5py.Dataset, offset: tuple[int, ...], values: Array) -> None:
        """Encode a chunk in a thread; write earlier ones when too many are under way."""
        encoded = self._pool.submit(
            _encode_padded, values, dataset.chunks, dataset.fillvalue, filters_of(dataset)
        )
        self._pending.append((dataset, offset, encoded))
        self._store(n_left=3 * N_THREADS)

    def _store(self, n_left: int) -> None:
        while len(self._pending) > n_left:
            dataset, offset, encoded = self._pending.popleft()
            dataset.id.write_direct_chunk(offset, encoded.result())


class RowWriter:
    """Takes a variable's values in pieces along one axis, in order, and cuts them into chunks.

    The variable must be chunked in whole rows of that axis and use no other filters than deflate,
    shuffle and fletcher32; see `can_write`.
    """

    def __init__(self, dataset: h5py.Dataset, axis: int, queue: ChunkQueue) -> None:
        self._dataset = dataset
        self._axis = axis
        self._queue = queue
        self._rows = dataset.chunks[axis]
        self._n_put = 0
        self._n_taken = 0
        self._waiting: list[Array] = []

    @staticmethod
    def can_write(dataset: h5py.Dataset, axis: int) -> bool:
        """Tell whether a variable has the chunks and filters that this class knows."""
        if dataset.chunks is None or dataset.dtype.kind not in "iuf":
            return False
        others = [i for i in range(dataset.ndim) if i != axis]
        is_whole = all(dataset.chunks[i] == dataset.shape[i] for i in others)
        codes = {code for code, _ in filters_of(dataset)}
        known = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}
        return is_whole and h5z.FILTER_DEFLATE in codes and codes <= known

    def write(self, values: Array) -> None:
        """Take the next rows, in any type that the variable's own can hold.

        Raises
        ------
        ValueError
            If the rows do not have the size of the variable's, or are too many.
        """
        self._n_taken += values.shape[self._axis]
        expected = list(self._dataset.shape)
        expected[self._axis] = values.shape[self._axis]
        if list(values.shape) != expected or self._n_taken > self._dataset.shape[self._axis]:
            self._refuse(values.shape)
        self._waiting.append(values.astype(self._dataset.dtype, copy=False))
        if sum(piece.shape[self._axis] for piece in self._waiting) >= self._rows:
            self._put_waiting(is_last=False)

    def finish(self) -> None:
        """Take no more rows; it is an error when some are missing."""
        if self._n_taken != self._dataset.shape[self._axis]:
            self._refuse((self._n_taken,))
        self._put_waiting(is_last=True)

    def _refuse(self, given: tuple[int, ...]) -> None:
        msg = (
            f"Invalid values of {self._dataset.name}. They must fill its shape "
            f"{self._dataset.shape}. Given {given} along axis {self._axis}. Give all rows once."
        )
        raise ValueError(msg)

    def _put_waiting(self, *, is_last: bool) -> None:
        """Cut what is waiting into chunks; rows short of a chunk wait on until the last."""
        if not self._waiting:
            return
        values = self._waiting[0]
        if len(self._waiting) > 1:
            # the type is given, because joining would turn the other byte order into our own
            values = np.concatenate(self._waiting, axis=self._axis, dtype=self._dataset.dtype)
        n_rows = values.shape[self._axis]
        n_whole = n_rows if is_last else n_rows - n_rows % self._rows
        for first in range(0, n_whole, self._rows):
            part = _take(values, self._axis, first, min(first + self._rows, n_whole))
            offset = tuple(self._n_put if i == self._axis else 0 for i in range(values.ndim))
            self._queue.put(self._dataset, offset, part)
            self._n_put += self._rows
        rest = _take(values, self._axis, n_whole, n_rows)
        self._waiting = [rest] if rest.shape[self._axis] else []


def _encode_padded(
    values: Array,
    chunks: tuple[int, ...],
    fill: object,
    filters: tuple[tuple[int, int], ...],
) -> bytes:
    """Fill a chunk up to its full size and encode it."""
    missing = [(0, full - size) for full, size in zip(chunks, values.shape, strict=True)]
    if any(after for _, after in missing):
        values = np.pad(values, missing, constant_values=fill)  # type: ignore[call-overload]
    return encode(values, filters)


def encode(values: Array, filters: tuple[tuple[int, int], ...]) -> bytes:
    """Apply HDF5 filters in their order: (code, parameter) pairs.

    Parameters
    ----------
    values : ndarray
        A whole chunk in the variable's own type.
    filters : tuple of (int, int)
        Codes of deflate (parameter: level), shuffle (parameter: bytes of a value), fletcher32.
    """
    data = np.ascontiguousarray(values).tobytes()
    for code, parameter in filters:
        if code == h5z.FILTER_SHUFFLE:
            data = shuffle(data, parameter)
        elif code == h5z.FILTER_FLETCHER32:
            data = bytes(Fletcher32().encode(data))
        else:
            data = zlib.compress(data, parameter)
    return data


def shuffle(data: bytes, itemsize: int) -> bytes:
    """Put the first bytes of all values first, then the second ones, and so on.

    Examples
    --------
    >>> shuffle(b"aAbBcCx", 2)
    b'abcABCx'
    """
    n_values = len(data) // itemsize
    if itemsize <= 1 or n_values < 2:
        return data
    whole = np.frombuffer(data, np.uint8, n_values * itemsize).reshape(n_values, itemsize)
    return whole.T.tobytes() + data[n_values * itemsize :]


def filters_of(dataset: h5py.Dataset) -> tuple[tuple[int, int], ...]:
    """Return code and first parameter of each filter of a variable, in order of writing."""
    properties = dataset.id.get_create_plist()
    found = [properties.get_filter(i) for i in range(properties.get_nfilters())]
    sizes = {h5z.FILTER_SHUFFLE: dataset.dtype.itemsize}
    return tuple(
        (code, sizes.get(code, parameters[0] if parameters else 0))
        for code, _, parameters, _ in found
    )


def _take(values: Array, axis: int, first: int, last: int) -> Array:
    """Return the rows first to last of an axis."""
    return values[(slice(None),) * axis + (slice(first, last),)]
