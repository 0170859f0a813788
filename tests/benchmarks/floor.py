"""The least that a job on compressed files can take: inflate what it needs, deflate what is new.

Both at zlib's own rate on the very bytes of the files, one thread, nothing else: no shuffling, no
checksums of chunks, no arithmetic. `python -m tests.benchmarks.floor ORBIT OUTPUT NAME...`.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
from h5py import h5z

if TYPE_CHECKING:
    from collections.abc import Iterator


def floor_of(orbit: Path, output: Path, needed: list[str]) -> dict[str, float]:
    """CPU seconds and bytes of inflating and deflating, each chunk once.

    Inflated are the chunks of the orbit that hold the output's scanlines, of the needed variables
    and of those that the output holds in another shape. Deflated are all chunks of the output but
    those that are copies of the orbit's as they are.

    Parameters
    ----------
    orbit, output : Path
        The file read and the file that was made of it.
    needed : list of str
        Paths of the variables that the computation reads.
    """
    total = dict.fromkeys(("inflate_s", "inflated_mb", "deflate_s", "deflated_mb"), 0.0)
    with h5py.File(orbit, "r") as source, h5py.File(output, "r") as made:
        first, last = (int(n) for n in made["PRODUCT"].attrs["apriori_crop_scanline"][:2])
        for name, dataset in _chunked(source):
            is_cropped = name in made and made[name].shape != dataset.shape
            if name in needed or is_cropped:
                _inflate(dataset, (first, last), total)
        for name, dataset in _chunked(made):
            if name not in source or source[name].shape != dataset.shape:
                _deflate(dataset, total)
    return {name: round(value, 4) for name, value in total.items()}


def _chunked(file: h5py.File) -> Iterator[tuple[str, h5py.Dataset]]:
    """Names and variables that are stored in deflated chunks."""
    found: list[tuple[str, h5py.Dataset]] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.chunks and item.compression == "gzip":
            found.append((name, item))

    file.visititems(visit)
    yield from found


def _inflate(dataset: h5py.Dataset, scanlines: tuple[int, int], total: dict[str, float]) -> None:
    axis = 1 if dataset.ndim > 1 else 0
    offsets: list[tuple[int, ...]] = []
    dataset.id.chunk_iter(lambda chunk: offsets.append(chunk.chunk_offset))
    for offset in offsets:
        if offset[axis] > scanlines[1] or offset[axis] + dataset.chunks[axis] <= scanlines[0]:
            continue
        data = _stored(dataset, offset)
        start = time.process_time()
        plain = zlib.decompress(data)
        total["inflate_s"] += time.process_time() - start
        total["inflated_mb"] += len(plain) / 1e6


def _deflate(dataset: h5py.Dataset, total: dict[str, float]) -> None:
    offsets: list[tuple[int, ...]] = []
    dataset.id.chunk_iter(lambda chunk: offsets.append(chunk.chunk_offset))
    for offset in offsets:
        plain = zlib.decompress(_stored(dataset, offset))
        start = time.process_time()
        zlib.compress(plain, dataset.compression_opts)
        total["deflate_s"] += time.process_time() - start
        total["deflated_mb"] += len(plain) / 1e6


def _stored(dataset: h5py.Dataset, offset: tuple[int, ...]) -> bytes:
    """A chunk as stored, without the checksum behind it."""
    _, data = dataset.id.read_direct_chunk(offset)
    filters = dataset.id.get_create_plist()
    codes = [filters.get_filter(i)[0] for i in range(filters.get_nfilters())]
    return data[:-4] if codes[-1] == h5z.FILTER_FLETCHER32 else data


def main() -> None:
    """Print the floor as JSON."""
    orbit, output, *needed = sys.argv[1:]
    print(json.dumps(floor_of(Path(orbit), Path(output), needed)))


if __name__ == "__main__":
    main()
