"""Tasks on other processes: order, errors, time limits, deaths, what stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import CancelledError
from pathlib import Path

import click
import pytest

from cli.main import main
from cli.workers.fanout import Failures, Workers, fan_out
from cli.workers.isolated import Isolated, Outcome
from tests.builders.fanout_tasks import (
    Numbered,
    die,
    die_once,
    hang_at_two,
    square,
    threads,
    unpack,
    unsendable,
)

ROOT = Path(__file__).resolve().parents[3]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def numbered(folder, count):
    return [Numbered(folder, number) for number in range(count)]


def run(function, folder, count, **workers):
    """Run tasks; return outcomes and what was reported as progress."""
    seen = []
    outcomes = list(
        fan_out(
            function,
            numbered(folder, count),
            Workers(**workers),
            lambda done, total: seen.append((done, total)),
        )
    )
    return outcomes, seen


@pytest.mark.parametrize("jobs", [None, 2])
def test_outcomes_come_in_the_order_of_tasks(tmp_path, jobs):
    """Whatever finishes first; an error is one line and stops nothing; progress reaches all."""
    outcomes, seen = run(square, tmp_path, 6, jobs=jobs)
    assert [outcome.value for outcome in outcomes] == [0, 1, 4, None, 16, 25]
    assert [outcome.error for outcome in outcomes if outcome.error] == ["three is odd"]
    assert "ValueError" in outcomes[3].traceback
    assert seen[-1][1] == 6
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    if jobs:
        assert seen[-1] == (6, 6)
        assert outcomes[4].messages == ("WARNING: number 4",)


def test_a_quiet_command_before_silences_no_worker(tmp_path, capsys):
    """Workers take the verbosity of the call they are of, not of one that this process had."""
    with pytest.raises(SystemExit):
        main(["inspect", "no such file", "-q"])
    capsys.readouterr()
    (outcome,), _ = run(square, tmp_path, 1, jobs=1)
    assert outcome.messages == ("WARNING: number 0",)


def test_workers_are_processes_of_one_thread(tmp_path):
    """Numerical libraries are told so before they are imported; this process stays as it is."""
    before = os.environ.get("OMP_NUM_THREADS")
    outcomes, _ = run(threads, tmp_path, 2, jobs=1)
    told = {outcome.value[0] for outcome in outcomes}
    processes = {outcome.value[1] for outcome in outcomes}
    assert told == {"1"}
    assert len(processes) == 1
    assert os.getpid() not in processes
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_a_task_that_hangs_is_ended_and_the_rest_is_done(tmp_path):
    """Even in a library that never gives the interpreter back; nothing half-written stays."""
    outcomes, _ = run(hang_at_two, tmp_path, 4, jobs=1, time_limit=4.0)
    assert [outcome.value for outcome in outcomes] == [0, 1, None, 3]
    assert "It took longer than 4 s (--time-limit)" in outcomes[2].error
    assert names(tmp_path) == ["0.txt", "1.txt", "3.txt"]
    assert {path.read_text() for path in tmp_path.iterdir()} == {"whole"}


def test_a_worker_that_is_killed_is_replaced_and_its_task_done(tmp_path):
    """A task is given to a second process; the first one's temporary file is removed."""
    outcomes, _ = run(die_once, tmp_path, 2, jobs=2)
    assert [outcome.value for outcome in outcomes] == [0, 1]
    assert [name for name in names(tmp_path) if not name.startswith("attempt")] == [
        "0.txt",
        "1.txt",
    ]


def test_a_worker_that_is_killed_while_idle_is_replaced(tmp_path):
    """The next task does not notice."""
    isolated = Isolated()
    try:
        first = isolated.run(threads, Numbered(tmp_path, 0)).value[1]
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: not is_alive(first))
        assert isolated.run(threads, Numbered(tmp_path, 1)).value[1] != first
    finally:
        isolated.stop()


def test_workers_leave_no_unpacked_files(tmp_path, monkeypatch):
    """What they keep unpacked for later tasks goes when they are ended."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    tasks = [Numbered(tmp_path / "out", number) for number in range(3)]
    assert [one.value for one in fan_out(unpack, tasks, Workers(jobs=2))] == [True] * 3
    assert list(tmp_path.glob("dacno2-s5p-*")) == []


def test_what_cannot_be_sent_is_an_error_of_its_task(tmp_path):
    """And of no other."""
    outcomes, _ = run(unsendable, tmp_path, 2, jobs=1)
    assert outcomes[0].value == 0
    assert outcomes[1].error


def test_a_task_that_kills_its_process_is_reported(tmp_path):
    """It dies twice, and is an error that names the signal."""
    outcomes, _ = run(die, tmp_path, 1, jobs=1)
    assert f"signal {signal.SIGSEGV:d}" in outcomes[0].error


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_process_that_started_them(tmp_path, how):
    """Killed or interrupted, it leaves neither a worker nor a half-written file."""
    (tmp_path / "wait").touch()
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from cli.workers.fanout import Workers, fan_out\n"
        "from tests.builders.fanout_tasks import Numbered, slow\n"
        "if __name__ == '__main__':\n"
        "    tasks = [Numbered(Path(sys.argv[1]), number) for number in range(3)]\n"
        "    list(fan_out(slow, tasks, Workers(jobs=1)))\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
        # what is started in the background of a shell inherits that interrupts are ignored
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for(lambda: list(tmp_path.glob(".*.part")))
    worker = int(next(tmp_path.glob(".*.part")).name.split("-")[-2])
    parent.send_signal(how)
    assert parent.wait(60) != 0
    wait_for(lambda: not list(tmp_path.glob(".*.part")) and not is_alive(worker))
    assert names(tmp_path) == ["log", "script.py", "wait"]
    assert (tmp_path / "log").read_text() == "0 "


EARLY = """
import sys, time
from pathlib import Path

if __name__ == "__main__":
    from cli.workers.fanout import Workers, fan_out
    from tests.builders.fanout_tasks import Numbered, square
    tasks = [Numbered(Path(sys.argv[1]), number) for number in range(3)]
    try:
        list(fan_out(square, tasks, Workers(jobs=2)))
    except KeyboardInterrupt:
        sys.exit(7)
else:
    (Path(sys.argv[1]) / "started").touch()
    time.sleep(60)  # it is ended with the call, long before
"""
"""A worker imports the script that started it, before anything else: here it takes its time."""


def test_an_interrupt_while_workers_start_is_told_by_no_worker(tmp_path):
    """Ctrl-C goes to all processes of a terminal; those that have just begun leave it alone."""
    script = tmp_path / "script.py"
    script.write_text(EARLY)
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for((tmp_path / "started").exists)
    os.killpg(parent.pid, signal.SIGINT)
    _, told = parent.communicate(timeout=60)
    assert (parent.returncode, told) == (7, "")


def test_a_process_that_was_stopped_starts_no_other(tmp_path):
    """A task that another thread gives to it late is cancelled."""
    process = Isolated()
    process.stop()
    with pytest.raises(CancelledError):
        process.run(threads, Numbered(tmp_path, 0))


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition):
    """Wait until something holds; a test that hangs fails by itself."""
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen within a minute")


def test_both_kinds_of_workers_at_once_are_a_wrong_call():
    """A cluster has its own workers."""
    given = {"jobs": 2, "scheduler": "tcp://127.0.0.1:1", "time_limit": None}
    with pytest.raises(click.UsageError, match="both --jobs and --scheduler"):
        Workers.of(given)


def test_a_limit_needs_another_process():
    """Nothing can end this one; 0 is no limit; others have one by default."""
    assert Workers().is_here
    assert Workers(time_limit=0.0).is_here
    assert not Workers(time_limit=60.0).is_here
    assert Workers(jobs=2).limit == 3600.0
    assert Workers(jobs=2, time_limit=0.0).limit is None


def test_failures_are_told_at_the_end(capsys):
    """What was logged comes at once, errors last, with the name of the file; status 1."""
    failures = Failures("orbits", 2)
    assert failures.check("a.nc", Outcome(1, messages=("WARNING: odd",)))
    assert not failures.check("b.nc", Outcome(error="It is damaged."))
    assert capsys.readouterr().err == "WARNING: odd\n"
    assert failures.tell() == 1
    assert capsys.readouterr().err == "Error: b.nc: It is damaged.\n"
