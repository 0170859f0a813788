"""Where the time of a process goes: `python -m tests.benchmarks.steps OUT.json ORBIT OUTPUT ...`.

Functions of the package are wrapped from outside, so that the package itself has no timing in it.
Time is exclusive: a step that calls another one is stopped while that runs. CPU time is that of
the step's own thread; steps of helper threads (deflate, checksums) overlap in wall time.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter(), time.process_time()
"""Before anything is imported; the CPU time holds the start of Python itself."""

import argparse  # noqa: E402
import functools  # noqa: E402
import importlib  # noqa: E402
import inspect  # noqa: E402
import json  # noqa: E402
import threading  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING, Any  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

RETRIEVAL_STEPS = (
    ("read orbit", "retrieval.substitution.reretrieve", "open_orbit"),
    ("read orbit", "retrieval.l2.orbit", "Orbit.read"),
    ("read orbit", "retrieval.l2.orbit", "Orbit.raw"),
    ("read orbit", "retrieval.l2.sensors.tropomi", "Tropomi.scanline_times"),
    ("crop", "retrieval.substitution.substitute", "locate_pixels"),
    ("read sets", "retrieval.substitution.reretrieve", "open_sets"),
    ("read sets", "retrieval.substitution.collocate", "Collocator._field"),
    ("read sets", "retrieval.substitution.collocate", "Collocator._sigma"),
    ("blocks in double", "retrieval.l2.blocks", "OrbitBlocks.read"),
    ("blocks in double", "retrieval.l2.pixels", "Pixels.take"),
    ("footprint: weights", "retrieval.substitution.collocate", "Collocator.weights"),
    ("footprint: means", "retrieval.substitution.collocate", "Collocator.profiles"),
    ("vertical", "retrieval.substitution.substitute", "_Chain._pixel_columns"),
    ("vertical", "retrieval.substitution.recompute", "set_columns"),
    ("vertical", "retrieval.substitution.recompute", "part_above"),
    ("AMF, flags", "retrieval.substitution.substitute", "compute_set"),
    ("AMF, flags", "retrieval.substitution.assemble", "Assembly.store"),
    ("statistics", "retrieval.substitution.reretrieve", "summarise"),
    ("write: copy", "retrieval.l2.product.write", "_copy_part"),
    ("write: new", "retrieval.l2.product.write", "_add_results"),
    ("write: flush, rename", "retrieval.substitution.reretrieve", "write_product"),
    ("(thread) deflate", "retrieval.files.hdf5_chunks", "encode"),
    ("(thread) checksums", "retrieval.files.provenance", "file_checksum"),
)
"""Step, module and name of what is wrapped; a name that is gone fails the benchmark's test."""


class Steps:
    """Exclusive wall and CPU time of named steps."""

    def __init__(self) -> None:
        self.totals: dict[str, list[float]] = {}
        self._local = threading.local()
        self._lock = threading.Lock()

    def wrap(self, step: str, module: str, name: str) -> None:
        """Count the calls of a function or method to a step."""
        owner: Any = importlib.import_module(module)
        *classes, last = name.split(".")
        for part in classes:
            owner = getattr(owner, part)
        found = inspect.getattr_static(owner, last)
        if isinstance(found, classmethod):
            setattr(owner, last, classmethod(self._counted(step, found.__func__)))
        else:
            setattr(owner, last, self._counted(step, found))

    def add(self, step: str, wall: float, cpu: float) -> None:
        """Add time to a step."""
        with self._lock:
            total = self.totals.setdefault(step, [0.0, 0.0])
            total[0] += wall
            total[1] += cpu

    def _counted(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self._enter(step)
            try:
                return function(*args, **kwargs)
            finally:
                self._leave()

        return counted

    def _enter(self, step: str) -> None:
        stack = self._stack()
        self._close(stack)
        stack.append(step)

    def _leave(self) -> None:
        stack = self._stack()
        self._close(stack)
        stack.pop()

    def _stack(self) -> list[str]:
        if not hasattr(self._local, "stack"):
            self._local.stack, self._local.since = [], _now()
        stack: list[str] = self._local.stack
        return stack

    def _close(self, stack: list[str]) -> None:
        """Give the time since the last change to the step on top."""
        now, since = _now(), self._local.since
        if stack:
            self.add(stack[-1], now[0] - since[0], now[1] - since[1])
        self._local.since = now


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.thread_time()


def profile_reretrieve(orbit: Path, output: Path, sets: dict[str, Path], crop: str) -> Steps:
    """Re-retrieve an orbit as the command does, with its steps timed; imports first."""
    import retrieval.substitution.reretrieve as job
    from retrieval.substitution.options import Options

    steps = Steps()
    steps.add("imports", time.perf_counter() - STARTED[0], time.process_time())
    for step in RETRIEVAL_STEPS:
        steps.wrap(*step)
    start = time.perf_counter(), time.process_time()
    job.reretrieve(orbit, job.Job(sets, Options(crop=crop), overwrite=True), output)
    steps.add("all but imports", time.perf_counter() - start[0], time.process_time() - start[1])
    return steps


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the steps of one run as JSON: step to wall and CPU seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("orbit", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("sets", nargs="+", help="NAME=PATH")
    parser.add_argument("--crop", default="primary")
    given = parser.parse_args(arguments)
    sets = {name: Path(path) for name, path in (text.split("=", 1) for text in given.sets)}
    steps = profile_reretrieve(given.orbit, given.output, sets, given.crop)
    given.report.write_text(json.dumps(steps.totals), encoding="utf-8")


if __name__ == "__main__":
    main()
