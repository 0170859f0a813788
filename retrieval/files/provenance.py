"""Where a file comes from: inputs with checksums, versions, options and the command."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import h5py

from retrieval.errors import RetrievalError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ATTRIBUTE_BYTES = 60_000
"""HDF5 keeps attributes of up to 64 KiB; longer text is shortened, and says so."""


@dataclass(frozen=True)
class InputFile:
    """Name, role ("orbit", "DACNO2", "meteo") and SHA-256 of a file that was read."""

    name: str
    role: str
    sha256: str


@dataclass(frozen=True)
class Provenance:
    """What was run on what, for `history` and attributes.

    Attributes
    ----------
    command : str
        The command line, or the call.
    created : str
        Time of processing, ISO 8601 in UTC ("2026-11-22T15:00:00Z").
    versions : mapping
        Name to version of the software that took part, `dacno2-s5p` first.
    inputs : tuple of InputFile
        Every file read, the orbit first.
    options : mapping
        All options with their values, defaults included.
    fingerprint : str
        Of everything the numbers depend on (`fingerprint`).
    """

    command: str
    created: str
    versions: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[InputFile, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    fingerprint: str = ""

    @property
    def history(self) -> str:
        """One line for the `history` attribute.

        Examples
        --------
        >>> Provenance("dacno2-s5p demo", "2026-11-22T15:00:00Z", {"dacno2-s5p": "0.1"}).history
        '2026-11-22T15:00:00Z dacno2-s5p 0.1: dacno2-s5p demo'
        """
        software = " ".join(next(iter(self.versions.items()), ("dacno2-s5p", "")))
        return f"{self.created} {software.strip()}: {self.command}"

    def as_attributes(self) -> dict[str, str]:
        """Return the texts that go into the attributes of a file, one per subject."""
        return {
            "command": self.command,
            "created": self.created,
            "versions": "; ".join(f"{name} {version}" for name, version in self.versions.items()),
            "inputs": self._inputs_text(),
            "options": json.dumps(dict(self.options), default=str, sort_keys=True),
            "fingerprint": self.fingerprint,
        }

    def _inputs_text(self) -> str:
        """One line per input; a list too long for an attribute ends in its own checksum."""
        lines = [f"{item.role}: {item.name} sha256:{item.sha256}" for item in self.inputs]
        text = "\n".join(lines)
        if len(text.encode()) <= ATTRIBUTE_BYTES:
            return text
        n_kept = ATTRIBUTE_BYTES // (1 + max(len(line.encode()) for line in lines))
        digest = hashlib.sha256(text.encode()).hexdigest()
        last = f"and {len(lines) - n_kept} more; sha256 of the whole list:{digest}"
        return "\n".join([*lines[:n_kept], last])


def fingerprint(kind: str, **depends: object) -> str:
    """Return one checksum of everything an output depends on.

    Parameters
    ----------
    kind : str
        What is made, such as "reretrieve".
    **depends
        Checksums of the contents read, options and settings, as plain types; never names or
        times of files. The version of the package is added.

    Returns
    -------
    str
        SHA-256 in hexadecimal.

    Examples
    --------
    >>> fingerprint("map", cell=2, qa=75) == fingerprint("map", qa=75, cell=2)
    True
    >>> fingerprint("map", cell=2) == fingerprint("map", cell=8)
    False
    """
    known = {"kind": kind, "version": package_version(), **depends}
    return hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()


def stored_fingerprint(path: Path) -> str:
    """Return the fingerprint that a file carries; empty where it has none or is none of ours."""
    try:
        with h5py.File(path, "r") as file:
            product = file.get("PRODUCT", file)
            found = product.attrs.get("apriori_fingerprint", file.attrs.get("fingerprint", ""))
    except (OSError, RuntimeError, KeyError, AttributeError):
        return ""
    return found.decode() if isinstance(found, bytes) else str(found)


@lru_cache(maxsize=32)
def version_of(package: str) -> str:
    """Return the version of a package, `unknown` where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def package_version() -> str:
    """Return the version of this package."""
    return version_of("dacno2-s5p")


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, computed once a process: monthly files serve many orbits."""
    stat = path.stat()
    return _cached_checksum(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _cached_checksum(path: Path, _size: int, _mtime: int) -> str:
    return file_checksum(path)


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Raises
    ------
    RetrievalError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        msg = (
            f"Invalid file {path}. It must be readable. Given: {error.strerror}. "
            "Check its name and rights."
        )
        raise RetrievalError(msg) from error
