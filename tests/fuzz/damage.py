"""Damaged bytes.

Damage is what disks, networks and interrupted downloads do: flipped bytes, lost ends, blocks of
zeros, blocks in the wrong place. Everything is seeded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

BLOCK = 512
"""Bytes of a block: a sector of a disk."""


@dataclass(frozen=True)
class Case:
    """A damaged copy.

    Attributes
    ----------
    path : str
        The copy.
    damage : str
        What was done to it.
    """

    path: str
    damage: str


Damage = Callable[[bytearray, np.random.Generator], str]


def flip_bytes(data: bytearray, rng: np.random.Generator) -> str:
    """Change one to eight bytes anywhere."""
    places = sorted(int(p) for p in rng.integers(0, len(data), rng.integers(1, 9)))
    for place in places:
        data[place] ^= int(rng.integers(1, 256))
    return f"bytes {places} changed"


def flip_bit(data: bytearray, rng: np.random.Generator) -> str:
    """Change one bit anywhere."""
    place = int(rng.integers(0, len(data)))
    data[place] ^= 1 << int(rng.integers(0, 8))
    return f"a bit of byte {place} changed"


def flip_in_head(data: bytearray, rng: np.random.Generator) -> str:
    """Change a byte of the first kilobytes, where formats keep their structure."""
    place = int(rng.integers(0, min(len(data), 4096)))
    data[place] ^= int(rng.integers(1, 256))
    return f"byte {place} changed"


def cut(data: bytearray, rng: np.random.Generator) -> str:
    """Cut the end off."""
    size = int(rng.integers(0, len(data)))
    del data[size:]
    return f"cut to {size} bytes"


def zero_block(data: bytearray, rng: np.random.Generator) -> str:
    """Put zeros in the place of a sector."""
    place = int(rng.integers(0, max(1, len(data) - BLOCK)))
    size = min(BLOCK, len(data) - place)
    data[place : place + size] = bytes(size)
    return f"{size} zeros at {place}"


def swap_blocks(data: bytearray, rng: np.random.Generator) -> str:
    """Exchange two sectors, or two quarters of a file that has not two."""
    size = max(1, min(BLOCK, len(data) // 4))
    one, other = (size * int(i) for i in rng.choice(len(data) // size, 2, replace=False))
    first, second = data[one : one + size], data[other : other + size]
    data[one : one + size], data[other : other + size] = second, first
    return f"blocks at {one} and {other} swapped"


DAMAGES: tuple[Damage, ...] = (flip_bytes, flip_bit, flip_in_head, cut, zero_block, swap_blocks)


def flip_in_chunks(chunks: Sequence[tuple[str, int, int]]) -> Damage:
    """Return a damage that changes a byte inside the stored chunk of one variable."""

    def damage(data: bytearray, rng: np.random.Generator) -> str:
        name, offset, size = chunks[int(rng.integers(len(chunks)))]
        place = offset + int(rng.integers(0, size))
        data[place] ^= int(rng.integers(1, 256))
        return f"byte {place} changed, in a chunk of {name}"

    return damage


def stored_chunks(path: Path) -> list[tuple[str, int, int]]:
    """List (variable, offset, bytes) of every chunk stored in an HDF5 file."""
    found: list[tuple[str, int, int]] = []

    def collect(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.chunks is not None:
            infos = (item.id.get_chunk_info(i) for i in range(item.id.get_num_chunks()))
            found.extend((name, info.byte_offset, info.size) for info in infos)

    with h5py.File(path, "r") as file:
        file.visititems(collect)
    return found


def damaged_copies(
    path: Path, folder: Path, damages: Iterable[Damage], seed: int = 0
) -> list[Case]:
    """Write one copy of a file for each damage, under the file's own name in numbered folders."""
    original = path.read_bytes()
    cases = []
    for number, damage in enumerate(damages):
        data = bytearray(original)
        text = damage(data, np.random.default_rng([seed, number]))
        copy = folder / str(number) / path.name
        copy.parent.mkdir(parents=True)
        copy.write_bytes(data)
        cases.append(Case(str(copy), f"{number}: {text}"))
    return cases
