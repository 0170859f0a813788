"""Tell the system which parts of a store are read next, so that the disk works while we compute.

A crop needs a corner of each map of a day. Read through the page cache as it comes, each miss
waits for the disk; told one step before, the system has read it by then. Nothing is held in this
process' memory, and what is read does not change: only how long it takes.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from dacno2_s5p.inputs.grid import CAMS_FACTOR
from dacno2_s5p.inputs.samples import GROUP_FACTORS
from dacno2_s5p.sources.day import FINE_GROUPS, MONTHLY
from dacno2_s5p.store.store import STORED_NAMES, Store, day_path, month_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from dacno2_s5p.inputs.samples import Crop, DaySource

    Window = tuple[slice, slice]

GAP_BYTES = 128 << 10
"""Parts of a file nearer than this are asked for as one: fewer and longer reads."""

HEADER_BYTES = 16 << 20
"""Longer headers are none of ours."""


class Stored(NamedTuple):
    """Where an array lies in a chunk: offset [bytes], shape, bytes of a value."""

    offset: int
    shape: tuple[int, ...]
    itemsize: int


def expect(source: DaySource, crops: Iterable[Crop]) -> None:
    """Ask the system to read the inputs and targets of crops, without waiting for it.

    Nothing happens where there are no files, or the system takes no advice. A damaged chunk is
    told of when it is read.
    """
    if not isinstance(source, Store) or not hasattr(os, "posix_fadvise"):
        return
    monthly = [v.name for g in FINE_GROUPS for v in source.table.group(g) if v.source == MONTHLY]
    for crop in crops:
        day, patch = source.days[crop.day], crop.patch
        of_day = {"cams": patch.slices(CAMS_FACTOR)}
        for group, factor in GROUP_FACTORS.items():
            if group not in FINE_GROUPS:
                of_day[STORED_NAMES.get(group, group)] = patch.slices(factor)
        of_month = dict.fromkeys(monthly, patch.slices())
        with suppress(OSError, ValueError, KeyError, TypeError):
            _advise(day_path(source.folder, day), of_day)
            _advise(month_path(source.folder, day), of_month)


def _advise(path: Path, windows: Mapping[str, Window]) -> None:
    if not windows:
        return
    arrays = _layout(path)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = [
            part for name, w in windows.items() if name in arrays for part in parts(arrays[name], w)
        ]
        for start, stop in joined(found):
            os.posix_fadvise(descriptor, start, stop - start, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(descriptor)


def parts(array: Stored, window: Window) -> list[tuple[int, int]]:
    """Return first and last byte (exclusive) of a window in each map of an array."""
    n_y, n_x = array.shape[-2:]
    rows, columns = (range(*w.indices(n)) for w, n in zip(window, (n_y, n_x), strict=True))
    first = array.offset + array.itemsize * (rows[0] * n_x + columns[0])
    length = array.itemsize * ((len(rows) - 1) * n_x + len(columns))
    step = array.itemsize * n_y * n_x
    return [(first + i * step, first + i * step + length) for i in range(prod(array.shape[:-2]))]


def joined(found: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join parts of a file that are near each other.

    Examples
    --------
    >>> joined([(900_000, 900_010), (0, 10), (20, 30)])
    [(0, 30), (900000, 900010)]
    """
    together: list[tuple[int, int]] = []
    for start, stop in sorted(found):
        if together and start - together[-1][1] < GAP_BYTES:
            together[-1] = (together[-1][0], max(stop, together[-1][1]))
        else:
            together.append((start, stop))
    return together


@lru_cache(maxsize=4096)
def _layout(path: Path) -> dict[str, Stored]:
    """Return where the arrays of a chunk lie (safetensors: length, JSON, bytes)."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > HEADER_BYTES:
            msg = f"a header of {length} bytes"
            raise ValueError(msg)
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        start, stop = entry["data_offsets"]
        shape = tuple(entry["shape"])
        found[name] = Stored(8 + length + start, shape, (stop - start) // max(prod(shape), 1))
    return found
