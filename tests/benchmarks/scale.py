"""Many orbits: whether cost is linear, memory constant, and what a second worker gains.

A worker has threads beside it (deflate, checksums) that keep a second processor busy for a part of
the time, so what a second worker gains is told twice: against one worker that may use all
processors, and against one that has one processor, as each of the two then has.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
from typing import TYPE_CHECKING

from tests.benchmarks.measure import Section, in_turn, row_of, run_process
from tests.benchmarks.orbit_files import DAY, benchmark_files
from tests.benchmarks.processes import TOOL
from tests.builders.orbit_builder import build_orbit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.benchmarks.measure import Cost, Settings

ORBITS = 8
"""Orbits of all jobs but one, which takes half of them."""
SIZE, TINY = (600, 450), (12, 10)
"""Scanlines and ground pixels: all that an orbit has over Western Europe, and some more."""
HALF, HERE, ONE, ALONE, TWO = (
    "half of the orbits, --jobs 1",
    "all orbits, one process",
    "all orbits, --jobs 1",
    "all orbits, --jobs 1 on one processor",
    "all orbits, --jobs 2",
)
PINNED = [
    sys.executable,
    "-c",
    "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
    "from cli.main import main; main()",
]
"""The tool on one processor, children and threads included."""
WORKERS_BAR = 1.6
"""What two workers gain over one by wall time, a processor each, at least."""
LINEAR, MEMORY = 1.1, 1.05
"""What still counts as linear and constant: a tenth and a twentieth more for twice the orbits."""


def measure(settings: Settings) -> Section:
    """Run `reretrieve` on folders of orbits in turn; a row a job, and the gains by wall time."""
    files, orbits = benchmark_files(settings.files, tiny=settings.tiny), ORBITS
    if settings.tiny:
        orbits = 2
    folders = {
        name: _orbits(settings.files, name, count, tiny=settings.tiny)
        for name, count in (("all", orbits), ("half", orbits // 2))
    }

    def job(folder: str, *options: str, tool: list[str] = TOOL) -> Callable[[], Cost]:
        sets = ["-a", f"dacno2={files.profiles}", "-a", f"cams={files.cams}"]
        command = [*tool, "reretrieve", str(folders[folder]), *sets, *options]
        return lambda: _reretrieve(settings.scratch / "many", command)

    jobs = {
        HALF: job("half", "--jobs", "1"),
        HERE: job("all"),
        ONE: job("all", "--jobs", "1"),
        TWO: job("all", "--jobs", "2"),
    }
    if hasattr(os, "sched_setaffinity"):  # Linux
        jobs[ALONE] = job("all", "--jobs", "1", tool=PINNED)
    costs = in_turn(jobs, settings.repeat)
    count = dict.fromkeys(jobs, orbits) | {HALF: orbits // 2}
    size = TINY if settings.tiny else SIZE
    section = Section(f"many orbits: {orbits} of {size[0]} x {size[1]} pixels, two sets")
    for name, turns in costs.items():
        row = row_of(name, turns)
        row.rate = f"{(row.wall_s or 0.0) / count[name]:.3g} s an orbit"
        section.rows.append(row)
    section.numbers = gains(costs)
    section.notes = [_say(section.numbers)]
    return section


def gains(costs: dict[str, list[Cost]]) -> dict[str, float]:
    """Return medians over the turns: gains by wall time, growth of CPU time and of peak memory."""

    def median(of: Callable[[Cost, Cost], float], name: str, to: str) -> float:
        pairs = zip(costs[name], costs[to], strict=True)
        return round(statistics.median(of(a, b) for a, b in pairs), 3)

    alone = ALONE if ALONE in costs else ONE
    return {
        "two_workers_a_processor_each": median(lambda a, b: a.wall / b.wall, alone, TWO),
        "two_workers_over_one": median(lambda a, b: a.wall / b.wall, ONE, TWO),
        "two_workers_over_one_process": median(lambda a, b: a.wall / b.wall, HERE, TWO),
        "cpu_twice_the_orbits": median(lambda a, b: a.cpu / b.cpu, ONE, HALF),
        "cpu_two_workers": median(lambda a, b: a.cpu / b.cpu, TWO, ONE),
        "memory_twice_the_orbits": median(lambda a, b: a.peak / b.peak, ONE, HALF),
    }


def _say(numbers: dict[str, float]) -> str:
    gain, growth = numbers["two_workers_a_processor_each"], numbers["cpu_twice_the_orbits"]
    memory = numbers["memory_twice_the_orbits"]
    return (
        f"two workers are {gain:.2f} times as fast as one on one processor by wall time "
        f"({_verdict(gain >= WORKERS_BAR)}: at least {WORKERS_BAR} on two idle cores), "
        f"{numbers['two_workers_over_one']:.2f} times as one whose threads use both, "
        f"{numbers['two_workers_over_one_process']:.2f} times as no workers, for "
        f"{numbers['cpu_two_workers']:.2f} of the CPU time; twice the orbits take {growth:.2f} "
        f"times the CPU time ({_verdict(growth <= 2 * LINEAR)}: linear) and {memory:.2f} times the "
        f"memory ({_verdict(memory <= MEMORY)}: constant)"
    )


def _verdict(is_held: bool) -> str:
    return "ok" if is_held else "OVER"


def _orbits(files: Path, name: str, count: int, *, tiny: bool) -> Path:
    """Make a folder of orbits where it does not exist yet."""
    folder = (files / "tiny" if tiny else files) / f"orbits_{name}"
    if not folder.exists():
        part = folder.with_name(folder.name + ".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        n_scanline, n_ground_pixel = TINY if tiny else SIZE
        for i in range(count):
            build_orbit(
                part,
                n_scanline=n_scanline,
                n_ground_pixel=n_ground_pixel,
                date=DAY,
                seed=i,
                orbit_number=8000 + i,
            )
        part.rename(folder)
    return folder


def _reretrieve(output: Path, command: list[str]) -> Cost:
    shutil.rmtree(output, ignore_errors=True)
    return run_process([*command, "-o", str(output)])[0]
