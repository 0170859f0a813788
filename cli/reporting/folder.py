"""What a folder holds: its regular files by relative name, in one order, never through a link."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST = 64_000_000
"""Files above this [bytes] are never read whole: no table or figure of ours comes near it."""


@dataclass(frozen=True)
class Folder:
    """Regular files below a folder.

    Attributes
    ----------
    root : Path
        The folder, links resolved.
    sizes : dict
        Relative names, with slashes and sorted, to sizes [bytes].
    passed_over : dict
        Relative names of what is not looked into, to the reason.
    """

    root: Path
    sizes: dict[str, int] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)

    @classmethod
    def scan(cls, root: Path) -> Folder:
        """List a folder; links, special files and what cannot be opened are passed over.

        Hidden names (a dot first) are temporary files or a tool's own, and no part of it.
        """
        root = root.resolve()
        found: dict[str, int] = {}
        passed: dict[str, str] = {}
        for entry, name in _entries(root, "", passed):
            reason = _reason(entry)
            if reason:
                passed[name] = reason
            else:
                found[name] = entry.stat(follow_symlinks=False).st_size
        return cls(root, dict(sorted(found.items())), dict(sorted(passed.items())))

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self.root / name

    def names_in(self, parent: str) -> list[str]:
        """Return the files directly in a folder, given by relative name ("" is the root)."""
        return [name for name in self.sizes if parent_of(name) == parent]

    def read(self, name: str) -> bytes:
        """Read a file whole.

        Raises
        ------
        OSError
            If it is larger than `LARGEST`, or a link by now, or cannot be read.
        """
        if self.sizes[name] > LARGEST:
            msg = f"larger than {LARGEST // 1_000_000} MB"
            raise OSError(msg)
        # a name that became a link since the scan must not lead out of the folder
        number = os.open(self.path(name), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(number, "rb") as stream:
            return stream.read(LARGEST)


def _entries(
    folder: Path, prefix: str, passed: dict[str, str]
) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield all entries below a folder that are no folders themselves."""
    try:
        with os.scandir(folder) as opened:
            entries = sorted(opened, key=lambda entry: entry.name)
    except OSError as error:
        passed[prefix.rstrip("/") or "."] = error.strerror or "cannot be opened"
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        name = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(folder / entry.name, f"{name}/", passed)
        else:
            yield entry, name


def _reason(entry: os.DirEntry[str]) -> str:
    """Say why an entry is passed over, empty for a regular file."""
    if entry.is_symlink():
        return "a link, not followed"
    return "" if entry.is_file(follow_symlinks=False) else "no regular file"


def parent_of(name: str) -> str:
    """Return the folder of a relative name.

    Examples
    --------
    >>> parent_of("maps/figure7.png"), parent_of("scores.csv")
    ('maps', '')
    """
    return name.rpartition("/")[0]


def checksum(data: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def clean(text: str) -> str:
    """Return text that can stand on a page: valid UTF-8 without control and direction signs.

    File names may hold any bytes; a sign that turns the direction of writing would let a name
    look like another one.

    Examples
    --------
    >>> clean("a\\x00b\\u202ecsv.png"), clean("\\udcff"), clean("two\\nlines")
    ('a\ufffdb\ufffdcsv.png', '\ufffd', 'two\\nlines')
    """
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Cn") and sign not in "\n\t"
        else sign
        for sign in text
    )


def size_text(n_byte: int) -> str:
    """Write a size as people read it.

    Examples
    --------
    >>> size_text(900), size_text(43_000), size_text(2_345_678)
    ('900 B', '43 kB', '2.3 MB')
    """
    if n_byte < 1000:
        return f"{n_byte} B"
    if n_byte < 1_000_000:
        return f"{n_byte / 1e3:.0f} kB"
    return f"{n_byte / 1e6:.1f} MB" if n_byte < 1e9 else f"{n_byte / 1e9:.1f} GB"
