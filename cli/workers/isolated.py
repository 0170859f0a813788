"""A process of its own for one task after the other: it can be ended, and be replaced.

HDF5 may hang on a slow disk or crash on a damaged file, and nothing inside a process can end
that. So tasks run in a spawned child with one thread, whatever started it: `pebble` ends a child
that takes too long, replaces one that died, and says so.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
import traceback
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from cli.console import OneLine, one_line, print_traceback, set_verbosity
from retrieval.files.atomic import remove_leftovers
from retrieval.files.owners import remove_scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from pebble import ProcessFuture, ProcessPool

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What numerical libraries ask for their number of threads when they are first imported."""

ATTEMPTS = 2
"""A child that dies may have been killed for another's memory; one that dies again has a reason."""

GRACE = 3.0
"""Seconds a child has to remove its temporary file after its parent's death."""


class Task(Protocol):
    """The argument of a task: anything that can be pickled and says where it writes.

    One that stands for several files has their number as `parts`; the time limit is for each.
    """

    @property
    def folder(self) -> Path:
        """Folder of the output."""


AnyTask = TypeVar("AnyTask", bound=Task)
Given = TypeVar("Given")


def parts_of(task: Task) -> int:
    """Return the number of files that a task stands for."""
    return int(getattr(task, "parts", 1))


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    value : object
        What the function returned; None after an error.
    error : str
        One line; empty where there was none.
    traceback : str
        Of the error, for developers.
    messages : tuple of str
        Warnings and information that the task logged, one line each.
    """

    value: Any = None
    error: str = ""
    traceback: str = ""
    messages: tuple[str, ...] = ()

    def tell(self) -> None:
        """Print what the task logged, and at -vv the traceback, on stderr."""
        for line in self.messages:
            click.echo(line, err=True)
        print_traceback(self.traceback)


def guarded(function: Callable[[Given], Any], task: Given) -> Outcome:
    """Run a task; an error becomes an outcome."""
    try:
        return Outcome(function(task))
    except (click.ClickException, BrokenPipeError):
        raise
    except Exception as error:
        return Outcome(error=one_line(error), traceback=traceback.format_exc())


class Isolated:
    """A child process that runs tasks, one at a time.

    Parameters
    ----------
    level : int
        Verbosity of the log that comes back with outcomes.
    folder : str
        Current folder of the child; empty for that of this process.
    """

    def __init__(self, level: int = 0, folder: str = "") -> None:
        self._settings = (level, folder)
        self._pool = self._new_pool()
        self._running: ProcessFuture[Outcome] | None = None
        self._changes = threading.Lock()  # a child is started or ended, not both at once
        self._is_stopped = False

    def _new_pool(self) -> ProcessPool:
        from pebble import ProcessPool

        return ProcessPool(
            max_workers=1,
            initializer=_begin,
            initargs=self._settings,
            context=multiprocessing.get_context("spawn"),
        )

    def run(
        self, function: Callable[[AnyTask], Any], task: AnyTask, limit: float | None = None
    ) -> Outcome:
        """Run a task and wait for it.

        Parameters
        ----------
        function : callable
            Of a module, so that it can be sent to the child by name.
        task : Task
        limit : float, optional
            Seconds for each part after which the child is ended and replaced.

        Returns
        -------
        Outcome
            An error also where the child was ended, or died twice: once may be an accident.

        Raises
        ------
        CancelledError
            After `cancel` or `stop`.
        """
        from pebble import ProcessExpired

        error = ""
        limit = limit and limit * parts_of(task)
        for _ in range(ATTEMPTS):
            try:
                return self._schedule(function, task, limit).result()
            except CancelledError:
                raise
            except TimeoutError:
                remove_leftovers(task.folder)
                return Outcome(
                    error=f"It took longer than {limit:g} s (--time-limit), and its process was "
                    "ended. Give more time, or look whether the file or its disk is damaged."
                )
            except ProcessExpired as expired:
                error = (
                    f"Its process died twice ({_how(expired.exitcode)}), as it does when memory "
                    "runs out or a library crashes. Use fewer processes, or leave the file out."
                )
            except Exception as broken:  # the child died before it had the task
                error = f"Its process could not be used ({one_line(broken)}). Run again."
                self._renew()
            remove_leftovers(task.folder)
        return Outcome(error=error)

    def _schedule(
        self, function: Callable[[AnyTask], Any], task: AnyTask, limit: float | None
    ) -> ProcessFuture[Outcome]:
        with self._changes, _interrupts_blocked():  # the first task starts the child
            if self._is_stopped:
                raise CancelledError
            self._running = self._pool.schedule(_in_child, args=(function, task), timeout=limit)
            return self._running

    def _renew(self) -> None:
        with self._changes:
            if not self._is_stopped:
                self._end_pool()
                self._pool = self._new_pool()

    def _end_pool(self) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def cancel(self) -> None:
        """End the child if it is at a task: `run` raises CancelledError; the next has a new one."""
        if self._running is not None:
            self._running.cancel()  # type: ignore[no-untyped-call]

    def stop(self) -> None:
        """End the child, whatever it is doing."""
        with self._changes:
            self._is_stopped = True
            self.cancel()
            self._end_pool()


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Let no Ctrl-C reach a child before it can ignore it; threads and children inherit this.

    A terminal sends Ctrl-C to all processes. The parent alone takes it, after the block at the
    latest, and ends its children.
    """
    resource_tracker.ensure_running()  # it is started with the first child, and would unblock
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _how(code: int | None) -> str:
    return f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"


class _Collector(logging.Handler):
    """Keeps the log of a task as lines."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(OneLine())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.lines.append(self.format(record))


_collector = _Collector()
_is_busy = threading.Event()


def _in_child(function: Callable[[AnyTask], Any], task: AnyTask) -> Outcome:
    _is_busy.set()
    _collector.lines.clear()
    try:
        outcome = guarded(function, task)
    except KeyboardInterrupt:
        _leave(1)  # the temporary file is gone
    except Exception as error:
        outcome = Outcome(error=one_line(error), traceback=traceback.format_exc())
    finally:
        _is_busy.clear()
    return Outcome(outcome.value, outcome.error, outcome.traceback, tuple(_collector.lines))


def _begin(level: int, folder: str) -> None:
    """Make a child's settings, before anything numerical is imported."""
    if folder:
        os.chdir(folder)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    set_verbosity(level)
    logging.captureWarnings(capture=True)
    logging.getLogger().handlers[:] = [_collector]
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """End like Ctrl-C, so that no temporary file stays."""
    if _is_busy.is_set():
        raise KeyboardInterrupt
    _leave(0)


def _end_with_parent() -> None:
    """End when the parent is gone: what an orphan writes, another may be writing, too."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        _leave(1)


def _leave(status: int) -> None:
    """End at once, whatever threads and libraries are doing, without unpacked files."""
    remove_scratch()
    os._exit(status)
