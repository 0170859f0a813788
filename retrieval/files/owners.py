"""Which process a file or a temporary folder belongs to, so that those of dead ones can go."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import shutil
import tempfile
import weakref
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")
_TAG_LENGTH = 16
_NAME = re.compile(rf"(?P<tag>[0-9a-f]{{{_TAG_LENGTH}}})-(?P<pid>\d+)-[0-9a-f]{{8}}")


def numbering_tag() -> str:
    """Return a short name of what numbers this process: machine, its start, its container.

    Two processes with one tag have one set of process numbers, so that one can ask whether the
    other is alive. Host names do not tell that: containers share them.
    """
    boot = namespace = ""
    try:
        boot = _BOOT_ID.read_text().strip()
        namespace = str(_PID_NAMESPACE.readlink())
    except OSError:  # not Linux: the host's name is all there is
        pass
    parts = (platform.node(), boot, namespace)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_TAG_LENGTH]


def unique_name() -> str:
    """Return a name of this process that no other call gets.

    Examples
    --------
    >>> owner_is_dead(unique_name())
    False
    """
    return f"{numbering_tag()}-{os.getpid()}-{secrets.token_hex(4)}"


def owner_is_dead(name: str) -> bool:
    """Say whether a name of `unique_name` is of a process that has ended.

    False also where that cannot be known: other names, other machines or containers, and from
    before the machine was started anew.
    """
    match = _NAME.fullmatch(name)
    if match is None or match["tag"] != numbering_tag():
        return False
    try:
        os.kill(int(match["pid"]), 0)
    except ProcessLookupError:
        return True
    except OSError:  # another user's
        pass
    return False


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
