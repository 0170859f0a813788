"""Where tables and figures come from: `provenance.json` beside them, which `report` reads."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.console import command_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from retrieval.files.provenance import InputFile, Provenance

LEAF = "provenance.json"
"""Name of the file."""
PACKAGES = ("numpy", "xarray", "h5py", "netCDF4")
_UNSAID = frozenset({"overwrite", "update", "as_json", "sets", "checkpoints"})
"""Options that change no number, or name inputs."""


def origin_of(
    inputs: Iterable[InputFile], options: Mapping[str, Any], packages: Iterable[str] = PACKAGES
) -> Provenance:
    """Return the provenance of what the running command writes.

    Parameters
    ----------
    inputs : iterable of InputFile
        All that the numbers depend on.
    options : mapping
        The command's options by name. Those that change no number are left out, and paths: what
        was read from them is among the inputs, and where it lay says nothing.
    packages : iterable of str
        Installed packages whose versions matter.
    """
    from retrieval.files.provenance import Provenance, version_of

    versions = {name: version_of(name) for name in ("dacno2-s5p", *packages)}
    return Provenance(
        command=command_line(),
        created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        versions=versions,
        inputs=tuple(inputs),
        options={
            key: value
            for key, value in options.items()
            if key not in _UNSAID and not _is_path(value)
        },
    )


def _is_path(value: object) -> bool:
    """Tell paths, and tuples of them."""
    return isinstance(value, Path) or (
        isinstance(value, tuple) and any(isinstance(item, Path) for item in value)
    )


def input_file(path: Path, role: str) -> InputFile:
    """Return a file that was read, with the SHA-256 of its bytes."""
    from retrieval.files.provenance import InputFile, file_checksum

    return InputFile(path.name, role, file_checksum(path))


def input_folder(folder: Path, role: str) -> InputFile:
    """Return a folder with a checksum of the names and sizes of its files.

    For folders of which a command reads a part: their bytes may be many times what it read. Hidden
    files, locks and what is in the making, do not count.
    """
    files = [path for path in folder.rglob("[!.]*") if path.is_file()]
    return _by_size(
        folder.name, {path.relative_to(folder).as_posix(): path for path in files}, role
    )


def input_files(files: Sequence[Path], role: str) -> InputFile:
    """Return the files of a set: one with its SHA-256, several with one of names and sizes."""
    if len(files) == 1:
        return input_file(files[0], role)
    name = f"{len(files)} files of {files[0].parent.name}"
    return _by_size(name, {path.name: path for path in files}, role)


def _by_size(name: str, files: Mapping[str, Path], role: str) -> InputFile:
    from retrieval.files.provenance import InputFile

    lines = [f"{key} {files[key].stat().st_size}\n" for key in sorted(files)]
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    return InputFile(name, f"{role} (names and sizes)", digest)


def is_made_of(path: Path, origin: Provenance) -> bool:
    """Tell whether a `provenance.json` names the same inputs, options and software."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    wanted = origin.as_attributes()
    return isinstance(known, dict) and all(
        known.get(key) == wanted[key] for key in ("inputs", "options", "versions")
    )


def is_ours(path: Path) -> bool:
    """Tell whether a file is a `provenance.json` that a command of ours wrote."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(known, dict) and str(known.get("command", "")).startswith("dacno2-s5p")


def write_origin(
    path: Path,
    origin: Provenance,
    *,
    is_synthetic: bool = False,
    choices: Sequence[Mapping[str, Any]] = (),
    overwrite: bool = False,
) -> None:
    """Write the attributes of a provenance as JSON; synthetic data are said to be.

    Parameters
    ----------
    path : Path
    origin : Provenance
    is_synthetic : bool
    choices : sequence of mapping
        What of several candidates was used (`retrieval.files.candidates.Choices.records`).
    overwrite : bool

    Raises
    ------
    OutputError
        If the file exists and may not be replaced.
    """
    from retrieval.files.tables import write_text

    said: dict[str, Any] = origin.as_attributes() | ({"data": "synthetic"} if is_synthetic else {})
    said |= {"choices": list(choices)} if choices else {}
    write_text(path, json.dumps(said, indent=2) + "\n", overwrite=overwrite)
