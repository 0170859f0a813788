"""Many tasks in this process, on worker processes, or on a dask cluster, behind one function.

`fan_out` gives outcomes in the order of the tasks, whatever finishes first, so that nothing that is
printed or written depends on timing.
"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import click
import rich_click

from cli.console import EXIT_DATA, note, verbosity
from cli.workers.isolated import AnyTask, Isolated, Outcome, guarded, parts_of
from retrieval.files.atomic import remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cli.console import Progress

    Command = TypeVar("Command", bound=Callable[..., Any])

TIME_LIMIT = 3600.0
"""Seconds a task may take on other processes, unless told otherwise."""


@dataclass(frozen=True)
class Workers:
    """Where tasks run.

    Attributes
    ----------
    jobs : int, optional
        Worker processes on this machine; None: this process.
    scheduler : str, optional
        Address of a dask scheduler, instead.
    time_limit : float, optional
        Seconds of a task; 0 for no limit; None: `TIME_LIMIT` on other processes.
    """

    jobs: int | None = None
    scheduler: str | None = None
    time_limit: float | None = None

    @classmethod
    def of(cls, given: dict[str, Any]) -> Workers:
        """Take the values of `worker_options`.

        Raises
        ------
        click.UsageError
            If both kinds of workers are asked for.
        """
        if given["jobs"] is not None and given["scheduler"] is not None:
            msg = "both --jobs and --scheduler are given. A cluster has its own workers."
            raise click.UsageError(msg)
        return cls(given["jobs"], given["scheduler"], given["time_limit"])

    @property
    def is_here(self) -> bool:
        """Whether tasks run in this process: nothing asks for another, which a limit needs."""
        return self.jobs is None and self.scheduler is None and not self.time_limit

    @property
    def limit(self) -> float | None:
        """Seconds of a task, None for no limit."""
        return TIME_LIMIT if self.time_limit is None else (self.time_limit or None)


def worker_options(command: Command) -> Command:
    """Add --jobs, --scheduler and --time-limit."""
    option = rich_click.option
    for decorate in (
        option(
            "--time-limit",
            type=click.FloatRange(min=0.0),
            metavar="SECONDS",
            help="End what takes longer than this for one file or day, report it, and go on; 0: "
            f"no limit.  [default: {TIME_LIMIT:.0f} with --jobs or --scheduler]",
        ),
        option(
            "--scheduler",
            metavar="ADDRESS",
            help="Work on a running dask cluster, for example tcp://node7:8786.",
        ),
        option(
            "-j",
            "--jobs",
            type=click.IntRange(min=1),
            metavar="N",
            help="Work on N processes of one thread each.  [default: in this one]",
        ),
    ):
        command = decorate(command)
    return command


def fan_out(
    function: Callable[..., Any],
    tasks: Sequence[AnyTask],
    workers: Workers,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Run a function on each task.

    Parameters
    ----------
    function : callable
        Of a module. Takes a task and, in this process only, a `progress` of that task.
    tasks : sequence of Task
    workers : Workers
    progress : callable, optional
        Called with tasks done, parts of them included, and all.

    Yields
    ------
    Outcome
        One for each task, in their order, as soon as all before are done.
    """
    if not tasks:
        return
    for folder in {task.folder for task in tasks}:
        remove_leftovers(folder)
    if workers.is_here:
        yield from _here(function, tasks, progress)
        return
    if workers.scheduler is None:
        finished = _on_processes(function, tasks, workers.jobs or 1, workers.limit)
    else:
        from cli.workers.cluster import on_cluster

        finished = on_cluster(function, tasks, workers.scheduler, workers.limit)
    early: dict[int, Outcome] = {}
    following = done = 0
    total = sum(map(parts_of, tasks))
    for number, outcome in finished:
        done += parts_of(tasks[number])
        if progress is not None:
            progress(done, total)
        early[number] = outcome
        while following in early:
            yield early.pop(following)
            following += 1


def _here(
    function: Callable[..., Any], tasks: Sequence[AnyTask], progress: Progress | None
) -> Iterator[Outcome]:
    before, all_parts = 0, sum(map(parts_of, tasks))
    for task in tasks:

        def part(done: float, total: float, first: int = before, own: int = parts_of(task)) -> None:
            if progress is not None:
                progress(first + own * done / max(total, 1), all_parts)

        part(0, 1)
        yield guarded(partial(function, progress=part), task)
        before += parts_of(task)


def _on_processes(
    function: Callable[..., Any], tasks: Sequence[AnyTask], jobs: int, limit: float | None
) -> Iterator[tuple[int, Outcome]]:
    """Give outcomes as they come, with the numbers of their tasks."""
    free: SimpleQueue[Isolated] = SimpleQueue()
    processes = [Isolated(verbosity()) for _ in range(min(jobs, len(tasks)))]
    for process in processes:
        free.put(process)
    is_stopped = threading.Event()

    def one(task: AnyTask) -> Outcome:
        if is_stopped.is_set():
            raise CancelledError
        process = free.get()
        try:
            return process.run(function, task, limit)
        finally:
            free.put(process)

    with ThreadPoolExecutor(len(processes)) as threads:
        try:
            numbers = {threads.submit(one, task): number for number, task in enumerate(tasks)}
            for future in as_completed(numbers):
                yield numbers[future], future.result()
        finally:
            is_stopped.set()
            for process in processes:
                with suppress(RuntimeError):
                    process.stop()


class Failures:
    """What went wrong with some of many files: counted, told at the end.

    Parameters
    ----------
    what : str
        What is counted, in the plural ("orbits").
    total : int
        How many there are.

    Attributes
    ----------
    errors : dict of str
        What went wrong, by name.
    """

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self.errors: dict[str, str] = {}
        self._lines: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._lines)

    def check(self, name: str, outcome: Outcome) -> bool:
        """Tell what a task logged; keep its error. True where there is none."""
        outcome.tell()
        if outcome.error:
            self.errors[name] = outcome.error
            where = f"{name}: " if self._total > 1 else ""
            self._lines.append(f"Error: {where}{outcome.error}")
        return not outcome.error

    def tell(self) -> int:
        """Print the errors; return the exit status."""
        for line in self._lines:
            click.echo(line, err=True)
        if self._lines and self._total > 1:
            note(f"{len(self._lines)} of {self._total} {self._what} failed")
        return EXIT_DATA if self._lines else 0
