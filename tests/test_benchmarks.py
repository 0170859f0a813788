"""The code of the benchmarks runs, at the smallest sizes; nothing is timed here."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from dacno2_s5p.network.runtime import KEEP_ALLOCATOR
from tests.benchmarks import loading, loading_job, network, network_job, peers, prediction, scale
from tests.benchmarks import processes as whole
from tests.benchmarks import reretrieve as by_step
from tests.benchmarks.__main__ import SUBJECTS
from tests.benchmarks.floor import floor_of
from tests.benchmarks.measure import (
    Cost,
    Row,
    Section,
    Settings,
    in_turn,
    ratio_of,
    row_of,
    run_function,
    run_process,
    table_of,
    write_json,
)
from tests.benchmarks.network_job import BFLOAT16, FAST, NEAREST, PLAIN, Forms
from tests.benchmarks.orbit_files import benchmark_files
from tests.benchmarks.slow_forms import FORMS, slow_form
from tests.benchmarks.steps import RETRIEVAL_STEPS
from tests.builders.network_builders import MINI

COST = Cost(2.0, 1.0, 0.5, 100.0)


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """Tiny sizes, files shared by the tests."""
    folder = tmp_path_factory.mktemp("benchmarks")
    return Settings(folder / "files", folder, repeat=1, tiny=True)


@pytest.fixture
def _one_thread(monkeypatch):
    """One thread, as the jobs have, and the allocator of the tests left alone."""
    monkeypatch.setenv(KEEP_ALLOCATOR, "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_subject_is_a_module_that_measures(name):
    """The registry names modules of the package with `measure`."""
    assert callable(importlib.import_module(f"tests.benchmarks.{name}").measure)


def test_jobs_are_measured_in_turn():
    """A, B, A, B: a busy moment hits both, and a ratio is taken within a turn."""
    seen = []

    def job(name):
        return lambda: seen.append(name) or COST

    costs = in_turn({"a": job("a"), "b": job("b")}, 2)
    assert seen == ["a", "b", "a", "b"]
    slower = [Cost(9.0, 3.0, 0.0), Cost(9.0, 6.0, 3.0), Cost(9.0, 8.0, 0.0)]
    faster = [Cost(9.0, 1.0, 0.0), Cost(9.0, 2.0, 1.0), Cost(9.0, 2.0, 0.0)]
    assert ratio_of(slower, faster) == 3.0
    assert row_of("a", costs["a"]).peak_mib == 100.0


def test_a_process_is_measured_and_its_failure_told():
    """Output, memory above Python's own, and the last words of what fails."""
    cost, output = run_process([sys.executable, "-c", "print('done', end='')"])
    assert output == "done"
    assert 1.0 < cost.peak < 100.0  # MiB; the process started from does not count
    with pytest.raises(RuntimeError, match="no such thing"):
        run_process([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_a_function_is_measured():
    """Nothing is negative."""
    cost = run_function(lambda: sum(range(1000)))
    assert min(cost.wall, cost.cpu, cost.queued) >= 0.0
    assert Cost(9.0, 1.0, 0.5, queued=6.0).own == 3.0
    assert Cost(9.0, 1.0, 0.5, queued=9.5).own == 1.5


def test_bars_hold_by_wall_time_or_by_cpu_time():
    """Memory counts first; a busy machine does not break a bar that CPU time keeps."""
    row = Row("job", wall_s=9.0, user_s=1.0, system_s=0.5, peak_mib=50.0, bar_s=2.0, bar_mib=60.0)
    assert row.verdict == "ok by CPU"
    assert Row(**{**asdict(row), "wall_s": 1.0}).verdict == "ok"
    assert Row(**{**asdict(row), "user_s": 3.0}).verdict == "OVER"
    assert Row(**{**asdict(row), "bar_mib": 10.0}).verdict == "OVER (memory)"


def test_one_table_and_a_json(tmp_path):
    """Sections are told apart; everything is kept."""
    sections = {"a": Section("first", [row_of("job", [COST], note="n")])}
    table = table_of(sections)
    assert "| **first** |" in table
    assert "| job | 2 | 1 | 0.5 | 100 |" in table
    write_json(tmp_path / "b.json", {"cores": 2}, sections)
    kept = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    assert kept["sections"]["a"]["rows"][0]["job"] == "job"


def test_whole_processes_stand_beside_the_peer(settings, monkeypatch):
    """Each job has a row, ours against the raw read, the peer's against ours."""
    monkeypatch.setattr(whole, "run_process", lambda command: (COST, " ".join(command)))
    with_peer = Settings(**{**asdict(settings), "peers": Path("peers/bin/python")})
    section = whole.measure(with_peer)
    to = {row.job: row.to for row in section.rows}
    assert to == {
        whole.RAW: "",
        whole.TWO: "raw",
        whole.ALL: "raw",
        whole.HELP: "raw",
        peers.WHOLE: whole.ALL,
        peers.EUROPE: whole.TWO,
    }
    assert all(row.ratio in (None, 1.0) for row in section.rows)


def test_steps_of_a_reretrieval_add_up(settings):
    """Every wrapped function is there and called; the steps hold nearly all of the CPU time."""
    files = benchmark_files(settings.files, tiny=True)
    sets = {"dacno2": files.profiles, "cams": files.cams}
    output = settings.scratch / "steps.nc"
    options = ["--crop", "primary"]
    steps = by_step._profile(settings.scratch, files.orbit, output, sets, options)
    assert {step for step, *_ in RETRIEVAL_STEPS} <= set(steps)
    own = sum(cpu for step, (_, cpu) in steps.items() if step not in ("imports", by_step.WHOLE))
    assert 0.5 < own / steps[by_step.WHOLE][1] < 1.1
    floor = floor_of(files.orbit, output, whole.NEEDED)
    assert floor["inflated_mb"] > 0.1
    assert floor["deflated_mb"] > 0.1
    section = Section("steps")
    by_step._add(section, "job", [steps], [{**floor, "inflate_s": 1.0, "deflate_s": 1.0}])
    assert section.rows[-1].to == "floor"


def test_many_orbits_make_a_section(settings, monkeypatch):
    """Whole folders are re-retrieved, by one process and by workers; the bars are told."""
    written = []

    def run(command):
        measured = run_process(command)
        written.append(len(list((settings.scratch / "many").glob("*.nc"))))
        return measured

    monkeypatch.setattr(scale, "run_process", run)
    section = scale.measure(settings)
    jobs = [scale.HALF, scale.HERE, scale.ONE, scale.TWO]
    assert [row.job for row in section.rows][:4] == jobs
    assert written[:4] == [1, 2, 2, 2]
    assert written[4:] in ([], [2])  # on one processor, where the system can


def test_gains_of_workers_are_those_of_wall_time():
    """Cost of CPU says whether sharing out is free; medians are over the turns."""
    one, two, half = Cost(9.0, 8.0, 0.0, 90.0), Cost(5.0, 8.4, 0.0, 90.0), Cost(4.5, 4.0, 0.0, 90.0)
    costs = {scale.HALF: [half] * 3, scale.HERE: [one] * 3, scale.ONE: [one] * 3}
    costs |= {scale.TWO: [two, two, Cost(9.0, 8.0, 0.0, 90.0)], scale.ALONE: [half] * 3}
    numbers = scale.gains(costs)
    assert numbers["two_workers_over_one"] == 1.8
    assert numbers["two_workers_a_processor_each"] == 0.9
    assert numbers["cpu_two_workers"] == 1.05
    assert numbers["cpu_twice_the_orbits"] == 2.0
    assert numbers["memory_twice_the_orbits"] == 1.0
    assert "(OVER: at least 1.6" in scale._say(numbers)
    assert "(ok: at least 1.6" in scale._say({**numbers, "two_workers_a_processor_each": 1.7})


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.parametrize("upsampling", ["coarse", "bilinear"])
@pytest.mark.parametrize("name", [PLAIN, *FORMS])
def test_a_slow_form_is_the_same_function(name, upsampling):
    """Without one speed-up the network is what it is with it, and afterwards fast again."""
    torch.set_default_dtype(torch.float64)
    try:
        forms = Forms({**MINI, "upsampling": upsampling}, 1, 32, 8)
        with torch.inference_mode():
            torch.testing.assert_close(
                forms.forward(name)(),
                forms.forward(FAST)(),
                rtol=0.0,
                atol=1e-10,  # float64 round-off
            )
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", FORMS)
def test_a_slow_form_is_really_used(name, monkeypatch):
    """What the form replaces is called inside the block, the fast method outside."""
    owner, method, replacement = FORMS[name]
    fast = getattr(owner, method)
    with slow_form(Forms(MINI, 1, 32, 8).network, name):
        assert getattr(owner, method) is replacement
    assert getattr(owner, method) is fast


@pytest.mark.usefixtures("_one_thread")
def test_forms_of_the_network_make_a_section(settings, monkeypatch):
    """Forward passes and gradients of every form, in this process."""
    monkeypatch.setattr(network, "_add_threads", lambda *_: None)  # one thread is enough

    def here(command, env):
        job = json.loads(Path(command[-1]).read_text(encoding="utf-8"))
        return COST, json.dumps(network_job.run(job))

    monkeypatch.setattr(network, "run_process", here)
    section = network.measure(settings)
    names = [FAST, PLAIN, *FORMS, NEAREST, BFLOAT16]
    assert len(section.rows) == 2 * len(names) + 1
    differences = section.numbers["predict"]["differences"]
    assert all(differences[name] < 1e-5 for name in (PLAIN, *FORMS))  # float32 round-off
    assert 0.0 < differences[BFLOAT16] < 0.1


def test_a_predicted_day_makes_a_section(settings, monkeypatch):
    """An untrained checkpoint fits the small store; errors of bfloat16 are per layer."""
    monkeypatch.setattr(prediction, "run_process", lambda *_: (COST, ""))
    field = np.arange(128.0).reshape(8, 4, 4)
    monkeypatch.setattr(prediction, "_field", lambda _, folder: field + len(folder.name))
    section = prediction.measure(settings)
    assert [row.job for row in section.rows] == [prediction.FLOAT32, prediction.BFLOAT16]
    assert "MiB stated before" in section.rows[0].note
    difference = len(prediction.BFLOAT16) - len(prediction.FLOAT32)
    assert section.numbers["rms"] == [difference] * 8


@pytest.mark.usefixtures("_one_thread")
def test_loading_makes_a_section(settings, monkeypatch):
    """The store is read warm, cold, and told before; a step is taken."""

    def here(command, env):
        job = json.loads(Path(command[-1]).read_text(encoding="utf-8"))
        return COST, json.dumps(loading_job.run(job))

    monkeypatch.setattr(loading, "run_process", here)
    section = loading.measure(settings)
    jobs = [loading_job.COLD, loading_job.WARM, loading_job.AHEAD, loading_job.STEP]
    assert [row.job for row in section.rows] == jobs
    assert all("samples/s" in row.rate for row in section.rows)
