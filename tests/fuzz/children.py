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


def run_cases(
    cases: Sequence[Case],
    arguments: Sequence[object],
    *,
    action: str = "command",
    patience: int = PATIENCE,
    finished: Callable[[Ending], None] | None = None,
) -> list[Ending]:
    """Run an action on each case, several in one child process, and tell how each ended.

    `{case}` and `{folder}` in an argument stand for the damaged file and its folder. A child
    that crashes or hangs is replaced; its case ends with the negative number of the signal.

    Parameters
    ----------
    cases : sequence of Case
    arguments : sequence
        Of the action; for `command` those of `dacno2-s5p`.
    action : str
        A name of `tests.fuzz.actions.ACTIONS`.
    patience : int
        Seconds a case may take.
    finished : callable, optional
        Called with each ending as it comes.
    """
    endings: list[Ending] = []
    while len(endings) < len(cases):
        left = cases[len(endings) :]
        message = {
            "cases": [asdict(case) for case in left],
            "arguments": [*map(str, arguments)],
            "action": action,
            "patience": patience,
        }
        new, status, stderr = _run_child(message, left, finished)
        endings += new
        if len(new) < len(left):
            case = left[len(new)]
            endings.append(Ending(case, status or -signal.SIGKILL, stderr))
            if finished:
                finished(endings[-1])
    return endings


def run_here(
    cases: Sequence[Case], arguments: Sequence[object], *, action: str, **_limits: object
) -> list[Ending]:
    """Run an action on each case in this process: for files that no C library reads."""
    from tests.fuzz.actions import ACTIONS

    endings = []
    for case in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as the command line does
            filled = _filled([*map(str, arguments)], case)
            status, output, stderr = _captured(ACTIONS[action], filled)
        endings.append(Ending(case, status, stderr, output))
    return endings


def _filled(arguments: Sequence[str], case: Case) -> list[str]:
    folder = Path(case.path).parent
    return [argument.format(case=case.path, folder=folder) for argument in arguments]


def _run_child(
    message: dict[str, object], cases: Sequence[Case], finished: Callable[[Ending], None] | None
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
        for case, line in zip(cases, process.stdout or (), strict=False):
            endings.append(Ending(case, **json.loads(line)))
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
    """Run the cases of stdin in this process; one line of JSON each on stdout."""
    import resource

    from tests.fuzz.actions import ACTIONS

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    message = json.load(sys.stdin)
    action = ACTIONS[message["action"]]
    answers, sys.stdout = sys.stdout, io.StringIO()  # only answers reach the parent
    warnings.simplefilter("ignore")  # as the command line does
    if logging.lastResort is not None:  # warnings of readers look as there
        logging.lastResort.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    for case in (Case(**item) for item in message["cases"]):
        arguments = _filled(message["arguments"], case)
        # processor time, so that a busy machine is no hang; for what only waits, the clock
        signal.setitimer(signal.ITIMER_PROF, message["patience"])
        signal.alarm(20 * message["patience"])
        status, output, stderr = _captured(action, arguments)
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
