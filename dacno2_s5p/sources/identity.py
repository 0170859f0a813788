"""Which files something was read from, cheaply: by name, size and time of change.

Unlike the SHA-256 of whole files it can be asked for every day of a year of weather. Copying a file
without its time makes another file of it; a folder that moves as a whole does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    Identity = list[tuple[str, int, int]]


def identity_of(paths: Iterable[Path]) -> Identity:
    """Return name, size and time of change [ns] of files, each once, sorted."""
    found = set()
    for path in paths:
        state = path.stat()
        found.add((path.name, state.st_size, state.st_mtime_ns))
    return sorted(found)


def files_below(path: Path) -> list[Path]:
    """Return a file itself, or all files of a folder and its folders but hidden ones."""
    if not path.is_dir():
        return [path]
    return [p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")]
