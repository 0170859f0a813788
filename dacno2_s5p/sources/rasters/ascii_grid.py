"""Whether an ESRI ASCII grid is whole: GDAL reads on where a number is broken or absent.

A point that became a blank makes two numbers of one and moves all that follow by a cell; of `12x4`
it takes the 12. So all numbers are counted before GDAL reads them.
"""

from __future__ import annotations

import warnings
from typing import IO

import numpy as np

HEADER = (
    *("ncols", "nrows", "xllcorner", "yllcorner", "xllcenter", "yllcenter", "cellsize"),
    *("dx", "dy", "nodata_value"),
)
"""Names of the header's lines, in small letters."""

BLOCK_BYTES = 2**22
_LONGEST_HEADER_LINE = 1000


def check_ascii_grid(file: IO[bytes]) -> None:
    r"""Refuse a grid that has not one number for each cell.

    Raises
    ------
    ValueError
        If the header is none, or the numbers are more or less than cells, or are none.

    Examples
    --------
    >>> from io import BytesIO
    >>> check_ascii_grid(BytesIO(b"ncols 2\nnrows 1\n1.5 2\n"))
    >>> check_ascii_grid(BytesIO(b"ncols 2\nnrows 1\n1 5 2\n"))
    Traceback (most recent call last):
    ValueError: 3 numbers for 2 cells
    """
    header, rest = _read_header(file)
    sides = [header.get(name, 0.0) for name in ("ncols", "nrows")]
    if not all(side > 0 and side.is_integer() for side in sides):
        msg = f"ncols and nrows of {sides[0]:g} and {sides[1]:g}"
        raise ValueError(msg)
    n_cell = int(sides[0]) * int(sides[1])
    n_number = _count(rest)
    while block := file.read(BLOCK_BYTES):
        n_number += _count(block + file.readline())
    if n_number != n_cell:
        msg = f"{n_number} numbers for {n_cell} cells"
        raise ValueError(msg)


def _read_header(file: IO[bytes]) -> tuple[dict[str, float], bytes]:
    """Return the header's entries and the first line of numbers."""
    header: dict[str, float] = {}
    while line := file.readline(_LONGEST_HEADER_LINE):
        words = line.split()
        if words and not words[0][:1].isalpha():
            return header, line if line.endswith(b"\n") else line + file.readline()
        name = words[0].decode("ascii", "replace").lower() if words else ""
        if len(words) != 2 or name not in HEADER or name in header:
            msg = f"{line[:40]!r} in the header"
            raise ValueError(msg)
        header[name] = float(words[1])
    return header, b""


def _count(block: bytes) -> int:
    """Count numbers, all of which must be whole."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            numbers = np.fromstring(block.decode("ascii"), sep=" ")
    except DeprecationWarning as error:
        msg = "numbers that cannot be read"
        raise ValueError(msg) from error
    if np.isinf(numbers).any():
        msg = "numbers that are not finite"
        raise ValueError(msg)
    return int(numbers.size)
