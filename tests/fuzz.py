"""Damaged copies of files, and commands run on them in child processes that may crash.

Damage is what disks, networks and interrupted downloads do: flipped bytes, lost ends, blocks of
zeros, blocks in the wrong place. Everything is seeded.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BLOCK = 512
"""Bytes of a block: a sector of a disk."""
ADDRESS_SPACE = 8 << 30
"""Bytes of memory a child may ask for: a damaged size must not take the machine."""
PATIENCE = 30
"""Seconds after which the system ends a child that is still at one case: a loop without end."""


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


@dataclass(frozen=True)
class Ending:
    """How a command ended: exit status (negative: the signal that killed it) and stderr."""

    case: Case
    status: int
    stderr: str


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
    """Exchange two sectors."""
    n_block = len(data) // BLOCK
    one, other = (BLOCK * int(i) for i in rng.choice(n_block, 2, replace=False))
    first, second = data[one : one + BLOCK], data[other : other + BLOCK]
    data[one : one + BLOCK], data[other : other + BLOCK] = second, first
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


def run_cases(cases: Sequence[Case], arguments: Sequence[object]) -> list[Ending]:
    """Run `dacno2-s5p` on each case, several in one child process, and tell how each ended.

    `{case}` and `{folder}` in an argument stand for the damaged file and its folder. A child
    that crashes or hangs is replaced; its case ends with the negative number of the signal.
    """
    endings: list[Ending] = []
    while len(endings) < len(cases):
        left = cases[len(endings) :]
        message = {"cases": [asdict(case) for case in left], "arguments": [*map(str, arguments)]}
        child = subprocess.run(
            [sys.executable, "-c", "from tests.fuzz import child; child()"],
            input=json.dumps(message),
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            check=False,
        )
        lines = child.stdout.splitlines()
        for case, line in zip(left, lines, strict=False):
            endings.append(Ending(case, **json.loads(line)))
        if len(lines) < len(left):
            status = child.returncode or -signal.SIGKILL  # an early end is never a good one
            endings.append(Ending(left[len(lines)], status, child.stderr))
    return endings


def child() -> None:
    """Run the cases of stdin in this process; one line of JSON each on stdout."""
    import resource

    from cli.main import main

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    message = json.load(sys.stdin)
    for case in (Case(**item) for item in message["cases"]):
        folder = Path(case.path).parent
        arguments = [a.format(case=case.path, folder=folder) for a in message["arguments"]]
        signal.alarm(PATIENCE)
        status, stderr = _captured(main, arguments)
        sys.stdout.write(json.dumps({"status": status, "stderr": stderr}) + "\n")
        sys.stdout.flush()


def _captured(main: Callable[[list[str]], None], arguments: list[str]) -> tuple[int, str]:
    """Run the command line; what C libraries write to file descriptor 2 counts as stderr."""
    status = -1
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                main(arguments)
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
        file.seek(0)
        return status, file.read().decode(errors="replace")
