"""Where a file comes from: inputs with checksums, versions, options and the command."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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
    """

    command: str
    created: str
    versions: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[InputFile, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)

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
