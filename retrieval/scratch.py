"""Temporary folders for what is unpacked, removed when their owner, or the process, is gone."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from retrieval.files.owners import owner_is_dead, unique_name

_PREFIX = "dacno2-s5p-"
_folders: set[Path] = set()


def scratch_folder(owner: object) -> Path:
    """Make a folder, under TMPDIR, that goes when `owner` is collected or the process exits.

    What killed processes of this machine left there is removed, too: unpacked archives are large.

    Raises
    ------
    OSError
        If the temporary folder is not writable.
    """
    root = Path(tempfile.gettempdir())
    for path in root.glob(f"{_PREFIX}*"):
        if owner_is_dead(path.name.removeprefix(_PREFIX)):
            shutil.rmtree(path, ignore_errors=True)
    folder = root / f"{_PREFIX}{unique_name()}"
    folder.mkdir(mode=0o700)
    _folders.add(folder)
    weakref.finalize(owner, _remove, folder)
    return folder


def remove_scratch() -> None:
    """Remove all folders of this process; for one that ends without leaving Python."""
    for folder in list(_folders):
        _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _folders.discard(folder)
