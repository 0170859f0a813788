"""One process at a time on a folder or file, by locks of the system that die with their process."""

from __future__ import annotations

import errno
import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from retrieval.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

LOCK = ".lock"
POLL = 0.5
"""Seconds between two looks at a lock that is waited for."""
_HELD = {errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK}


@contextmanager
def alone_in(
    folder: Path,
    *,
    name: str = LOCK,
    rule: str = "One process at a time adds to it",
    wait: float = 0.0,
) -> Iterator[None]:
    """Let one process at a time work on a folder: two would each lose what the other does.

    The lock is the system's, so that none is left when a process dies; its empty file stays.

    Parameters
    ----------
    folder : Path
        An existing folder.
    name : str
        The lock's file in it; locks of different names do not exclude each other.
    rule : str
        What the message says is allowed.
    wait : float
        Seconds to wait for another process that holds the lock.

    Raises
    ------
    OutputError
        If another process holds the lock and does not give it up, or the folder is not writable.
    """
    try:
        lock = (folder / name).open("w")
    except OSError as error:
        msg = f"Invalid folder {folder}. It could not be written. Given the error: {error}."
        raise OutputError(msg) from error
    with lock:
        try:
            _take(lock, wait)
        except OSError as error:
            if error.errno not in _HELD:
                msg = (
                    f"Invalid folder {folder}. Its file system must have locks. Given the error: "
                    f"{error}. Choose a folder on another disk."
                )
                raise OutputError(msg) from error
            msg = (
                f"Invalid folder {folder}. {rule}. Given another one that is at work now. "
                "Wait for it, or choose another folder."
            )
            raise OutputError(msg) from error
        yield


def _take(lock: IO[str], wait: float) -> None:
    """Take a lock, trying again for some seconds where another holds it."""
    end = time.monotonic() + wait
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _HELD or time.monotonic() >= end:
                raise
        time.sleep(POLL)
