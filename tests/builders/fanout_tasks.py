"""Tasks that tests give to other processes: they are imported there by name."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from retrieval.files.atomic import atomic_output
from retrieval.files.owners import scratch_folder

logger = logging.getLogger("cli.tests")


@dataclass(frozen=True)
class Numbered:
    """A task with a number, which goes into the name of its output."""

    folder: Path
    number: int

    @property
    def target(self) -> Path:
        """Output."""
        return self.folder / f"{self.number}.txt"


def square(task, progress=None):
    """Return the square; the later, the faster, so that tasks finish out of order."""
    if progress is None:
        time.sleep(0.3 / (1 + task.number))
    if task.number == 3:
        msg = "three\nis odd"
        raise ValueError(msg)
    logger.warning("number %d", task.number)
    return task.number**2


def threads(_task):
    """Return what numerical libraries are told of threads, and the process."""
    return os.environ["OMP_NUM_THREADS"], os.getpid()


def unpack(task):
    """Unpack something that the process keeps for later tasks."""
    folder = scratch_folder(logger)
    (folder / "0.nc").write_bytes(b"unpacked")
    return folder.exists()


def hang_at_two(task):
    """Write a file; number 2 hangs in C with Python's lock held, as a library may."""
    with atomic_output(task.target) as temporary:
        temporary.write_text("half")
        if task.number == 2:
            ctypes.PyDLL(None).sleep(600)
        temporary.write_text("whole")
    return task.number


def hang_but_first(task):
    """Return at once for number 0; others note their process and hang."""
    if task.number:
        with atomic_output(task.folder / f"{task.number}.pid") as temporary:
            temporary.write_text(str(os.getpid()))
        time.sleep(600)
    return task.number


def die_once(task):
    """Kill the process at the first attempt, in mid-write."""
    marker = task.folder / f"attempt {task.number}"
    with atomic_output(task.target) as temporary:
        if not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        temporary.write_text("whole")
    return task.number


def die(_task):
    """Kill the process."""
    os.kill(os.getpid(), signal.SIGSEGV)


def unsendable(task):
    """Return what cannot be pickled, but for number 0."""
    return (lambda: None) if task.number else 0


def slow(task):
    """Note that the task began; write a file slowly, unless it is there."""
    if task.target.exists():
        return task.number
    with (task.folder / "log").open("a") as log:
        log.write(f"{task.number} ")
    with atomic_output(task.target) as temporary:
        temporary.write_text("half")
        time.sleep(600 if (task.folder / "wait").exists() else 0.2)
        temporary.write_text("whole")
    return task.number
