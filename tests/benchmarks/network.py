"""The network of `predict` and `train` beside its plain implementation, one speed-up at a time."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dacno2_s5p.training.recipe import Recipe
from tests.benchmarks.measure import Cost, Row, Section, ratio_of, row_of, run_process
from tests.benchmarks.network_job import BFLOAT16, FAST, NEAREST, PLAIN
from tests.benchmarks.slow_forms import FORMS
from tests.builders.network_builders import MINI

if TYPE_CHECKING:
    from tests.benchmarks.measure import Settings

CONFIGURATION = Path(__file__).parents[2] / "configs" / "twin_paper.toml"
"""The recipe of the paper's form, whose network without a first guess, and crops, are measured."""

CALLS = 4
"""Forward passes of a timing; a gradient is timed once."""

BUSY = 1.5
"""Load of the last minute beyond which other work is running: this benchmark makes one of it."""


def measure(settings: Settings) -> Section:
    """Forward passes and gradients of all forms, then allocator and threads by themselves."""
    job = _job(settings)
    section = Section(
        f"network of {CONFIGURATION.name}, {job['size']} cells, {job['steps']} steps, 1 thread"
    )
    for kind, gradients in (("predict", False), ("train", True)):
        found = _run(settings, {**job, "gradients": gradients})
        _add_forms(section, kind, found["costs"], 1 if gradients else job["calls"])
        section.numbers[kind] = found
    _add_allocator(section, settings, job)
    _add_threads(section, settings, job)
    section.notes.append(
        "the ratio of a form is what it costs more without that speed-up; all are the same function"
        f" of the same weights to float32 round-off but {NEAREST} (another network) and {BFLOAT16}"
    )
    return section


def _job(settings: Settings) -> dict[str, Any]:
    recipe = Recipe.read(CONFIGURATION)
    network = recipe.network.to_dict() | {"transport": 0, "upsampling": "bilinear"}
    if settings.tiny:
        network |= {**MINI}
    return {
        "widths": network,
        "batch": 1,
        "size": 48 if settings.tiny else recipe.sampling.crop,
        "steps": 8,
        "forms": [FAST, PLAIN, *FORMS, NEAREST, BFLOAT16],
        "gradients": False,
        "calls": 1 if settings.tiny else CALLS,
        "repeat": settings.repeat,
        "allocator": True,
        "threads": 1,
    }


def _run(
    settings: Settings, job: dict[str, Any], env: dict[str, str] | None = None
) -> dict[str, Any]:
    path = settings.scratch / "job.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    command = [sys.executable, "-m", "tests.benchmarks.network_job", str(path)]
    cost, output = run_process(command, {"OMP_NUM_THREADS": str(job["threads"]), **(env or {})})
    found: dict[str, Any] = json.loads(output)
    found["costs"] = {k: [Cost(**turn) for turn in v] for k, v in found["costs"].items()}
    return {**found, "peak_mib": round(cost.peak)}


def _add_forms(section: Section, kind: str, costs: dict[str, list[Cost]], calls: int) -> None:
    for name, turns in costs.items():
        each = [Cost(c.wall / calls, c.user / calls, c.system / calls) for c in turns]
        what = name if name in (FAST, PLAIN, BFLOAT16) else f"but {name}"
        ratio = None if name == FAST else ratio_of(turns, costs[FAST])
        section.rows.append(
            row_of(f"{kind}: {what}", each, ratio=ratio, to="" if name == FAST else FAST)
        )


def _add_allocator(section: Section, settings: Settings, job: dict[str, Any]) -> None:
    """The same forward passes with glibc's own settings, process against process."""
    only = {**job, "forms": [FAST], "repeat": 1, "calls": 4 * job["calls"]}
    tuned, left = [], []
    for _ in range(settings.repeat):
        for allocator, turns in ((True, tuned), (False, left)):
            turns += _run(settings, {**only, "allocator": allocator})["costs"][FAST]
    each = [Cost(*(v / only["calls"] for v in (c.wall, c.user, c.system))) for c in left]
    row = row_of("predict: but allocator left alone", each, ratio=ratio_of(left, tuned), to=FAST)
    section.rows.append(row)


def _add_threads(section: Section, settings: Settings, job: dict[str, Any]) -> None:
    """Two threads against one, in wall time; on a busy machine they wait for each other."""
    if os.getloadavg()[0] > BUSY and not settings.tiny:
        section.notes.append("other work is running: two threads left out")
        return
    only = {**job, "forms": [FAST], "repeat": 1, "calls": 4 * job["calls"]}
    walls = []
    for _ in range(settings.repeat):
        one = _run(settings, only)["costs"][FAST][0]
        two = _run(settings, {**only, "threads": 2})["costs"][FAST][0]
        walls.append((one, two))
    speed = sorted(one.wall / two.wall for one, two in walls)[len(walls) // 2]
    each = [Cost(*(v / only["calls"] for v in (c.wall, c.user, c.system))) for _, c in walls]
    ones, twos = ([pair[i] for pair in walls] for i in (0, 1))
    row: Row = row_of("predict: two threads", each, ratio=ratio_of(twos, ones), to=FAST)
    row.note = f"{speed:.2f} times as fast in wall time"
    section.rows.append(row)
