"""Tasks on a running dask cluster.

The cluster shares tasks out, and gives those of a worker that is lost to another one. Each of its
threads runs them in a process of its own (`Isolated`), because HDF5 must not be used from several
threads, and because only a process can be ended after a time limit.
"""

from __future__ import annotations

import multiprocessing
import secrets
import threading
from concurrent.futures import CancelledError
from multiprocessing import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import note, one_line, verbosity
from cli.workers.isolated import AnyTask, Isolated, Outcome
from retrieval.files.provenance import package_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed import Client

CONNECT_SECONDS = 30
"""Time to find the scheduler."""

_of_thread = threading.local()
_at_work: dict[Isolated, str] = {}
"""On a worker: processes that are at a task, and the call that it is of."""
_ended: set[str] = set()
"""On a worker: calls that were interrupted, of which a task may still come."""
ENDED = Outcome(error="It was ended with the call that wanted it.")


def on_cluster(
    function: Callable[..., Any], tasks: Sequence[AnyTask], address: str, limit: float | None
) -> Iterator[tuple[int, Outcome]]:
    """Give outcomes as they come, with the numbers of their tasks.

    Raises
    ------
    click.UsageError
        If dask is not installed, or there is no scheduler at the address.
    """
    with _connect(address) as client:
        from distributed import as_completed

        run = secrets.token_hex(8)
        keys = {f"{function.__name__}-{run}-{i}": i for i in range(len(tasks))}
        futures = [
            client.submit(
                run_isolated,
                function,
                task,
                limit,
                verbosity(),
                package_version(),
                str(Path.cwd()),
                run,
                key=key,
                pure=False,
            )
            for key, task in zip(keys, tasks, strict=True)
        ]
        waiting = as_completed(futures, loop=client.loop)  # type: ignore[no-untyped-call]
        # a result that is held would be made again if its worker were lost
        del futures
        try:
            for future in waiting:
                try:
                    outcome = future.result()
                except Exception as error:
                    outcome = Outcome(error=f"The cluster gave it up. {one_line(error)}")
                number = keys[future.key]
                future.release()
                yield number, outcome
        except BaseException:  # interrupted: dask forgets what waits, not what runs
            client.run(end_run, run, on_error="ignore")
            raise


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        msg = "--scheduler needs dask. Install dacno2-s5p[cluster]."
        raise click.UsageError(msg) from error
    try:
        client = Client(  # type: ignore[no-untyped-call]
            address, timeout=CONNECT_SECONDS, set_as_default=False
        )
    except (OSError, ValueError) as error:
        msg = f"--scheduler {address} does not answer ({one_line(error)}). Check the address."
        raise click.UsageError(msg) from error
    if not client.nthreads():  # type: ignore[no-untyped-call]
        note("the cluster has no workers yet: waiting for them")
    return client


def run_isolated(
    function: Callable[[AnyTask], Any],
    task: AnyTask,
    limit: float | None,
    level: int,
    version: str,
    folder: str,
    run: str = "",
) -> Outcome:
    """Run a task on a worker of the cluster, in this thread's own process.

    Parameters
    ----------
    function, task, limit
        As `Isolated.run` takes them.
    level : int
        Verbosity of the log.
    version : str
        Version of this package where the tasks come from.
    folder : str
        Current folder there, which relative paths start from.
    run : str
        Name of the call, for `end_run`.
    """
    if not Path(folder).is_dir():
        return Outcome(
            error=f"The worker does not see {folder}. It must have the same file system."
        )
    if version != package_version():
        return Outcome(
            error=f"The worker has version {package_version()} of dacno2-s5p, not {version}. "
            "Install the same version everywhere."
        )
    process = _process_of_thread(level, folder)
    _at_work[process] = run
    try:
        return ENDED if run in _ended else process.run(function, task, limit)
    except CancelledError:
        return ENDED
    finally:
        del _at_work[process]


def end_run(run: str) -> None:
    """End the processes of this worker that are at a task of a call, and begin no other of it."""
    _ended.add(run)
    for process, wanted in list(_at_work.items()):
        if wanted == run:
            process.cancel()


def _process_of_thread(level: int, folder: str) -> Isolated:
    """Return this thread's process, which serves many tasks and many calls."""
    process: Isolated | None = getattr(_of_thread, "process", None)
    if process is not None:
        if _of_thread.settings == (level, folder):
            return process
        process.stop()
    current = multiprocessing.current_process()
    if current.daemon:  # dask's workers are; multiprocessing lets daemons have no children
        current.daemon = False
    process = Isolated(level, folder)
    _of_thread.process, _of_thread.settings = process, (level, folder)
    util.Finalize(None, process.stop, exitpriority=100)
    return process
