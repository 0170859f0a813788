"""How long a classic netCDF file must be, from its own header.

The netCDF library reads zeros beyond the end of a cut classic file and says nothing. These files
carry no checksums either, so their length is the one thing that can be checked.
Layout: "NetCDF Classic Format Specification" (Unidata), versions 1, 2 and 5.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

_DIMENSION, _VARIABLE, _ATTRIBUTE = 10, 11, 12
_TYPE_SIZE = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
_MAX_HEADER_ITEMS = 100_000


class ClassicHeaderError(ValueError):
    """The header of a classic netCDF file is damaged."""


@dataclass(frozen=True)
class _Variable:
    n_bytes: int
    begin: int
    is_record: bool


class _Header:
    """A cursor over a classic header; counts are 4 bytes wide, 8 in version 5."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        magic = self._take(4)
        self.version = magic[3]
        if magic[:3] != b"CDF" or self.version not in (1, 2, 5):
            msg = f"unknown magic {magic!r}"
            raise ClassicHeaderError(msg)

    def _take(self, n: int) -> bytes:
        data = self.file.read(n)
        if len(data) != n:
            msg = "header ends early"
            raise ClassicHeaderError(msg)
        return data

    def integer(self) -> int:
        return int(struct.unpack(">i", self._take(4))[0])

    def count(self) -> int:
        wide = self.version == 5
        return int(struct.unpack(">q" if wide else ">i", self._take(8 if wide else 4))[0])

    def offset(self) -> int:
        wide = self.version != 1
        return int(struct.unpack(">q" if wide else ">i", self._take(8 if wide else 4))[0])

    def skip(self, n_bytes: int) -> None:
        if n_bytes < 0:
            msg = f"negative length {n_bytes}"
            raise ClassicHeaderError(msg)
        self.file.seek(_padded(n_bytes), 1)

    def list_length(self, tag: int) -> int:
        found, n = self.integer(), self.count()
        if found not in (0, tag) or not 0 <= n <= _MAX_HEADER_ITEMS:
            msg = f"unexpected list tag {found} with {n} items"
            raise ClassicHeaderError(msg)
        return n if found == tag else 0

    def type_size(self) -> int:
        number = self.integer()
        if number not in _TYPE_SIZE:
            msg = f"unknown type {number}"
            raise ClassicHeaderError(msg)
        return _TYPE_SIZE[number]

    def skip_attributes(self) -> None:
        for _ in range(self.list_length(_ATTRIBUTE)):
            self.skip(self.count())
            size = self.type_size()
            self.skip(self.count() * size)

    def dimensions(self) -> list[int]:
        lengths = []
        for _ in range(self.list_length(_DIMENSION)):
            self.skip(self.count())
            lengths.append(self.count())
        return lengths

    def variable(self, dimensions: list[int]) -> _Variable:
        self.skip(self.count())
        ids = [self.count() for _ in range(self.count())]
        self.skip_attributes()
        n_bytes = self.type_size()
        self.count()  # vsize: redundant, and wrong by design for variables over 4 GiB
        if any(not 0 <= i < len(dimensions) for i in ids):
            msg = "dimension number out of range"
            raise ClassicHeaderError(msg)
        lengths = [dimensions[i] for i in ids]
        is_record = bool(lengths) and lengths[0] == 0
        for length in lengths[1:] if is_record else lengths:
            n_bytes *= length
        return _Variable(n_bytes, self.offset(), is_record)


def _padded(n_bytes: int) -> int:
    return (n_bytes + 3) // 4 * 4


def expected_size(file: BinaryIO) -> int:
    """Return the least number of bytes of a whole file with this header.

    Parameters
    ----------
    file : binary file
        A classic netCDF file (versions 1, 2, 5), at its start.

    Raises
    ------
    ClassicHeaderError
        If the header cannot be understood or ends early.
    """
    header = _Header(file)
    n_record = header.count()
    dimensions = header.dimensions()
    header.skip_attributes()
    variables = [header.variable(dimensions) for _ in range(header.list_length(_VARIABLE))]
    size = file.tell()
    records = [v for v in variables if v.is_record]
    for v in variables:
        if not v.is_record:
            size = max(size, v.begin + v.n_bytes)
    if records and n_record > 0:
        # a lone record variable is stored without padding between its records
        padded = [_padded(v.n_bytes) for v in records] if len(records) > 1 else [records[0].n_bytes]
        size = max(size, records[-1].begin + (n_record - 1) * sum(padded) + records[-1].n_bytes)
    return size
