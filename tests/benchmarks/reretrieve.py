"""`reretrieve` step by step, and how far it is from the floor of its compression."""

from __future__ import annotations

import json
import statistics
import sys
from typing import TYPE_CHECKING

from tests.benchmarks.measure import Row, Section, run_process
from tests.benchmarks.orbit_files import benchmark_files
from tests.benchmarks.processes import NEEDED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.measure import Settings

WHOLE = "all but imports"


def measure(settings: Settings) -> Section:
    """Profile both jobs, the floor of each in turn with it."""
    files = benchmark_files(settings.files, tiny=settings.tiny)
    jobs = {
        "two European sets": (
            ["--crop", "primary"],
            {"dacno2": files.profiles, "cams": files.cams},
        ),
        "global set, whole orbit": (["--crop", "none"], {"tm5mp": files.ctmana}),
    }
    section = Section("reretrieve by step")
    for job, (options, sets) in jobs.items():
        turns, floors = [], []
        for _ in range(settings.repeat):
            output = settings.scratch / "steps.nc"
            turns.append(_profile(settings.scratch, files.orbit, output, sets, options))
            floors.append(_floor(files.orbit, output))
        _add(section, job, turns, floors)
    return section


def _profile(
    scratch: Path, orbit: Path, output: Path, sets: dict[str, Path], options: list[str]
) -> dict[str, tuple[float, float]]:
    report = scratch / "steps.json"
    named = [f"{name}={path}" for name, path in sets.items()]
    command = [sys.executable, "-m", "tests.benchmarks.steps", *options, str(report), str(orbit)]
    run_process([*command, str(output), *named])
    steps: dict[str, tuple[float, float]] = json.loads(report.read_text(encoding="utf-8"))
    return steps


def _floor(orbit: Path, output: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.floor", str(orbit), str(output), *NEEDED]
    found: dict[str, float] = json.loads(run_process(command)[1])
    return found


def _add(
    section: Section,
    job: str,
    turns: list[dict[str, tuple[float, float]]],
    floors: list[dict[str, float]],
) -> None:
    """Add one row a step: medians, and the share of the CPU time of the process."""
    whole = [turn["imports"][1] + turn[WHOLE][1] for turn in turns]
    shares = {}
    for step in turns[0]:
        if step == WHOLE:
            continue
        walls, cpus = zip(*(turn[step] for turn in turns), strict=True)
        share = statistics.median(c / w for c, w in zip(cpus, whole, strict=True))
        shares[step] = share
        section.rows.append(
            Row(f"{job}: {step}", statistics.median(walls), statistics.median(cpus),
                rate=f"{100 * share:.0f} % of the CPU time")
        )  # fmt: skip
    least = [floor["inflate_s"] + floor["deflate_s"] for floor in floors]
    above = statistics.median(w / f for w, f in zip(whole, least, strict=True))
    floor = floors[0]
    text = f"{floor['inflated_mb']:.0f} MB inflated, {floor['deflated_mb']:.0f} MB deflated"
    section.rows.append(Row(f"{job}: floor", user_s=round(statistics.median(least), 3), rate=text))
    section.rows.append(
        Row(f"{job}: all", user_s=round(statistics.median(whole), 3), ratio=round(above, 2),
            to="floor")
    )  # fmt: skip
    largest = sorted(shares, key=lambda step: -shares[step])[:3]
    text = ", ".join(f"{step} {100 * shares[step]:.0f} %" for step in largest)
    section.notes.append(f"{job}: {text}; {above:.1f} times the floor in CPU time")
    section.numbers[job] = {"steps": turns, "floor": floors}
