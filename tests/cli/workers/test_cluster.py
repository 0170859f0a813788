"""A real dask cluster of several worker processes, one of which is killed in mid-run."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.workers.cluster import run_isolated
from cli.workers.fanout import Workers, fan_out
from retrieval.files.provenance import package_version
from tests.builders.fanout_tasks import Numbered, hang_at_two, hang_but_first, slow, square
from tests.cli.conftest import contents, names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Outcome

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster():
    """Return a cluster of two worker processes with one thread each, and their nannies."""
    with (
        warnings.catch_warnings(),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as started,
    ):
        yield started


@pytest.fixture
def on_cluster(cluster):
    """Return a function that runs tasks there."""

    def call(function, folder, count, time_limit=None):
        tasks = [Numbered(folder, number) for number in range(count)]
        workers = Workers(scheduler=cluster.scheduler_address, time_limit=time_limit)
        return list(fan_out(function, tasks, workers))

    return call


def test_outcomes_are_those_of_one_process(on_cluster, tmp_path):
    """In the order of tasks, with what was logged and one line for an error."""
    outcomes = on_cluster(square, tmp_path, 5)
    assert [outcome.value for outcome in outcomes] == [0, 1, 4, None, 16]
    assert outcomes[3].error == "three is odd"
    assert outcomes[4].messages == ("WARNING: number 4",)


@contextmanager
def one_killed(cluster, folder: Path, enough: int) -> Iterator[None]:
    """Kill a worker of the cluster as soon as some files are done and one is being written."""
    victim = next(iter(cluster.workers.values())).pid
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(0.01):
            if len(list(folder.glob("[!.]*.*"))) >= enough and list(folder.glob(".*.part")):
                os.kill(victim, signal.SIGKILL)
                return

    killer = threading.Thread(target=watch)
    killer.start()
    try:
        yield
    finally:
        is_over.set()
        killer.join()
    assert not is_alive(victim)


def test_a_worker_killed_in_mid_run_costs_nothing(cluster, on_cluster, tmp_path):
    """Every task is done, none half-written; only what the dead worker had in hand is redone."""
    with one_killed(cluster, tmp_path, 2):
        outcomes = on_cluster(slow, tmp_path, 12)
    assert [outcome.error for outcome in outcomes] == [""] * 12
    assert [outcome.value for outcome in outcomes] == list(range(12))
    assert names(tmp_path) == sorted(["log", *(f"{number}.txt" for number in range(12))])
    assert {(tmp_path / f"{number}.txt").read_text() for number in range(12)} == {"whole"}
    begun = Counter((tmp_path / "log").read_text().split())
    assert len(begun) == 12
    assert sum(begun.values()) <= 13


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextmanager
def inodes(folder: Path) -> Iterator[dict[str, set[int]]]:
    """Collect the inodes that names of finished files have had: a file done twice has two."""
    seen: dict[str, set[int]] = {}
    is_over = threading.Event()

    def look() -> None:
        for path in folder.glob("[!.]*"):
            with suppress(FileNotFoundError):
                seen.setdefault(path.name, set()).add(path.stat().st_ino)

    def watch() -> None:
        while not is_over.wait(0.01):
            look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        is_over.set()
        watcher.join()
        look()


@dataclass(frozen=True)
class Killed:
    """What a call left on the cluster, one worker of which was killed while it ran."""

    done: Outcome
    inodes: dict[str, set[int]]


def with_a_worker_killed(cluster, folder: Path, call) -> Killed:
    """Run a call that writes into a folder; kill a worker after the first file, in mid-write."""
    folder.mkdir()
    with inodes(folder) as seen, one_killed(cluster, folder, 1):
        done = call("-o", folder, "--scheduler", cluster.scheduler_address, "-q")
    return Killed(done, seen)


def test_orbits_are_done_once_though_a_worker_is_killed(cluster, many, done_before, tmp_path):
    """None is missing, none done twice, none half-written; files are those of one process."""
    out = tmp_path / "out"
    killed = with_a_worker_killed(cluster, out, many)
    assert killed.done.status == 0, killed.done.err
    assert names(out) == names(done_before)
    once = dict.fromkeys(names(out), 1)
    assert {name: len(found) for name, found in killed.inodes.items()} == once
    for name in names(out):
        assert contents(out / name) == contents(done_before / name)
    again = many("-o", out, "--scheduler", cluster.scheduler_address, "-q")
    assert [line.split()[0] for line in again.out.splitlines()] == ["skipped"] * 4


N_DAY = 5


@pytest.fixture
def predict(run, tmp_path):
    """Return a function that predicts some days of a small store with a tiny network."""
    import torch

    from dacno2_s5p.network.checkpoint import save_checkpoint
    from tests.builders.network_builders import mini_config, random_network
    from tests.builders.training_builders import make_days, make_info, write_days

    days = make_days(n_day=N_DAY)
    write_days(tmp_path / "store", days, "2019-07-01")
    checkpoint = tmp_path / "tiny.safetensors"
    save_checkpoint(checkpoint, random_network(mini_config()).state_dict(), make_info(days))
    period = ("--start", "2019-07-01", "--end", f"2019-07-0{N_DAY}")
    given = ("predict", "--store", tmp_path / "store", "-c", checkpoint, *period)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as on the cluster: sums over threads are in another order
    yield lambda *args: run(*given, *args)
    torch.set_num_threads(threads)


def test_days_are_predicted_once_though_a_worker_is_killed(cluster, predict, tmp_path):
    """None is missing, none done twice, none half-written; files are those of one process."""
    out, here = tmp_path / "out", tmp_path / "here"
    assert predict("-o", here, "-q").status == 0
    killed = with_a_worker_killed(cluster, out, predict)
    assert killed.done.status == 0, killed.done.err
    assert names(out) == names(here) == [f"dacno2_2019070{day}.nc" for day in range(1, N_DAY + 1)]
    once = dict.fromkeys(names(out), 1)
    assert {name: len(found) for name, found in killed.inodes.items()} == once
    for name in names(out):
        assert contents(out / name) == contents(here / name)
    again = predict("-o", out, "--scheduler", cluster.scheduler_address, "-q")
    assert [line.split()[0] for line in again.out.splitlines()] == ["skipped"] * N_DAY


def test_a_map_is_that_of_one_process(cluster, run, season, tmp_path):
    """Days and means, bit by bit."""
    args = ("grid", *season.outputs, "--cell", "16km")
    assert run(*args, "-o", tmp_path / "here.nc").status == 0
    scheduler = ("--scheduler", cluster.scheduler_address, "-q")
    assert run(*args, "-o", tmp_path / "there.nc", *scheduler).status == 0
    for name in ("{}.nc", *(f"{{}}_days/sums_2019-06-0{day}.nc" for day in (1, 2, 3))):
        here, there = (tmp_path / name.format(which) for which in ("here", "there"))
        assert contents(here) == contents(there)


def test_the_time_limit_ends_a_task_there_too(on_cluster, tmp_path):
    """The worker of the cluster lives on and does the rest."""
    outcomes = on_cluster(hang_at_two, tmp_path, 4, time_limit=5.0)
    assert [outcome.value for outcome in outcomes] == [0, 1, None, 3]
    assert "--time-limit" in outcomes[2].error
    assert names(tmp_path) == ["0.txt", "1.txt", "3.txt"]


def wait_for(condition) -> None:
    """Look again until a condition holds; fail after a minute."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_interrupted_call_ends_its_tasks(cluster, on_cluster, tmp_path):
    """What runs on the workers is ended, what waits is not begun, and they serve the next call."""
    tasks = [Numbered(tmp_path, number) for number in range(4)]
    outcomes = fan_out(hang_but_first, tasks, Workers(scheduler=cluster.scheduler_address))
    assert next(outcomes).value == 0
    wait_for(lambda: len(list(tmp_path.glob("*.pid"))) == 2)
    with pytest.raises(KeyboardInterrupt):
        outcomes.throw(KeyboardInterrupt)
    begun = [int(path.read_text()) for path in tmp_path.glob("*.pid")]
    wait_for(lambda: not any(map(is_alive, begun)))
    assert [outcome.value for outcome in on_cluster(square, tmp_path, 3)] == [0, 1, 4]
    assert len(list(tmp_path.glob("*.pid"))) == 2


def test_another_version_on_the_workers_is_refused(tmp_path):
    """Two versions may give two kinds of files."""
    outcome = run_isolated(square, Numbered(tmp_path, 1), None, 0, "0.0.1", str(tmp_path))
    assert f"version {package_version()} of dacno2-s5p, not 0.0.1" in outcome.error


def test_a_scheduler_that_is_not_there_is_a_wrong_call(run, monkeypatch, tmp_path):
    """One line that names the address."""
    monkeypatch.setattr("cli.workers.cluster.CONNECT_SECONDS", 1)
    (tmp_path / "orbit.nc").write_text("")
    done = run(
        "reretrieve", tmp_path / "orbit.nc", "-a", f"a={tmp_path}", "--scheduler",
        "tcp://127.0.0.1:9",
    )  # fmt: skip
    assert done.status == 2
    assert "--scheduler tcp://127.0.0.1:9 does not answer" in done.error


def test_without_dask_the_extra_is_named(run, monkeypatch, tmp_path):
    """One line says what to install."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    (tmp_path / "orbit.nc").write_text("")
    done = run("reretrieve", tmp_path / "orbit.nc", "-a", f"a={tmp_path}", "--scheduler", "x:1")
    assert done.status == 2
    assert "Install dacno2-s5p[cluster]" in done.error
