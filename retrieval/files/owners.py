"""Names that say which process a file belongs to, so that files of dead processes can be told."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
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
