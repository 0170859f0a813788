"""Cases run in child processes that may crash, hang, or use up their memory."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.fuzz.damage import Case

ROOT = Path(__file__).resolve().parents[2]
ADDRESS_SPACE = 8 << 30
"""Bytes of memory a child may ask for: a damaged size must not take the machine."""
PATIENCE = 30
"""Seconds of processor time after which the system ends a child that is still at one case: a loop
without end. A child that waits is ended after twenty times as long by the clock."""
HANGS = (-signal.SIGPROF, -signal.SIGALRM)
"""How a child ends that was ended so."""
UNFORESEEN = 3
"""Status of an action that raised what is no `RetrievalError`."""


@dataclass(frozen=True)
class Ending:
    """How a case ended: exit status (negative: the signal that killed it), output, stderr."""

    case: Case
    status: int
    stderr: str
    output: str = ""


@dataclass(frozen=True)
class Job:
    """An action on a case.

    Attributes
    ----------
    case : Case
    arguments : tuple of str
        Of the action, for `command` those of `dacno2-s5p`; `{case}` and `{folder}` in them stand
        for the damaged file and its folder.
    action : str
        A name of `tests.fuzz.actions.ACTIONS`.
    """

    case: Case
    arguments: tuple[str, ...]
    action: str = "command"

    @property
    def filled(self) -> list[str]:
        """Arguments with the names of the case."""
        folder = Path(self.case.path).parent
        return [argument.format(case=self.case.path, folder=folder) for argument in self.arguments]


def run_cases(cases: Sequence[Case], arguments: Sequence[object]) -> list[Ending]:
    """Run `dacno2-s5p` with arguments on each case, as `run_jobs`."""
    return run_jobs([Job(case, tuple(map(str, arguments))) for case in cases])


def run_jobs(
    jobs: Sequence[Job],
    *,
    patience: int = PATIENCE,
    finished: Callable[[Ending], None] | None = None,
) -> list[Ending]:
    """Run actions on cases, one after the other in one child process, and tell how each ended.

    A child that crashes or hangs is replaced; its case ends with the negative number of the
    signal.

    Parameters
    ----------
    jobs : sequence of Job
    patience : int
        Seconds a case may take.
    finished : callable, optional
        Called with each ending as it comes.
    """
    endings: list[Ending] = []
    while len(endings) < len(jobs):
        left = jobs[len(endings) :]
        message = {"jobs": [asdict(job) for job in left], "patience": patience}
        new, status, stderr = _run_child(message, left, finished)
        endings += new
        if len(new) < len(left):
            endings.append(Ending(left[len(new)].case, status or -signal.SIGKILL, stderr))
            if finished:
                finished(endings[-1])
    return endings


def run_here(jobs: Sequence[Job], **_limits: object) -> list[Ending]:
    """Run actions on cases in this process: for files that no C library reads."""
    from tests.fuzz.actions import ACTIONS

    endings = []
    for job in jobs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as the command line does
            status, output, stderr = _captured(ACTIONS[job.action], job.filled)
        endings.append(Ending(job.case, status, stderr, output))
    return endings


def _run_child(
    message: dict[str, object], jobs: Sequence[Job], finished: Callable[[Ending], None] | None
) -> tuple[list[Ending], int, str]:
    """Run one child to its end; return what it ended well, its own status and stderr."""
    endings: list[Ending] = []
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-c", "from tests.fuzz.children import child; child()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        ) as process,
    ):
        writer = threading.Thread(target=_send, args=(process.stdin, json.dumps(message)))
        writer.start()
        for job, line in zip(jobs, process.stdout or (), strict=False):
            endings.append(Ending(job.case, **json.loads(line)))
            if finished:
                finished(endings[-1])
        writer.join()
        status = process.wait()
        errors.seek(0)
        return endings, status, errors.read().decode(errors="replace")


def _send(stream: io.TextIOBase, text: str) -> None:
    with contextlib.suppress(BrokenPipeError), stream:
        stream.write(text)


def child() -> None:
    """Run the jobs of stdin in this process; one line of JSON each on stdout."""
    import resource

    from tests.fuzz.actions import ACTIONS

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    message = json.load(sys.stdin)
    answers, sys.stdout = sys.stdout, io.StringIO()  # only answers reach the parent
    warnings.simplefilter("ignore")  # as the command line does
    if logging.lastResort is not None:  # warnings of readers look as there
        logging.lastResort.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    for item in message["jobs"]:
        job = Job(Case(**item["case"]), item["arguments"], item["action"])
        # processor time, so that a busy machine is no hang; for what only waits, the clock
        signal.setitimer(signal.ITIMER_PROF, message["patience"])
        signal.alarm(20 * message["patience"])
        status, output, stderr = _captured(ACTIONS[job.action], job.filled)
        answer = {"status": status, "output": output, "stderr": stderr}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)


def _captured(action: Callable[[list[str]], str], arguments: list[str]) -> tuple[int, str, str]:
    """Run an action; what C libraries write to file descriptor 2 counts as stderr."""
    from retrieval.errors import RetrievalError

    status, output = 0, ""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        saved = os.dup(2)
        os.dup2(file.fileno(), 2)
        # Python's own stream may be another than the descriptor, as in pytest
        stream = open(file.fileno(), "w", closefd=False)  # noqa: SIM115
        python_stream, sys.stderr = sys.stderr, stream
        try:
            output = action(arguments)
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        except RetrievalError as error:
            status = 1
            sys.stderr.write(f"Error: {error}\n")
        except Exception:
            status = UNFORESEEN
            traceback.print_exc()
        finally:
            sys.stderr = python_stream
            stream.close()
            os.dup2(saved, 2)
            os.close(saved)
        file.seek(0)
        return status, output, file.read().decode(errors="replace")
