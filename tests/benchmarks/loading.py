"""Reading samples must not hold up the network: the store alone against a training step."""

from __future__ import annotations

import json
import statistics
import sys
from typing import TYPE_CHECKING, Any

from tests.benchmarks.loading_job import COLD, STEP
from tests.benchmarks.measure import Cost, Section, row_of, run_process
from tests.benchmarks.network import CONFIGURATION
from tests.benchmarks.store_files import benchmark_store
from tests.builders.network_builders import MINI

if TYPE_CHECKING:
    from tests.benchmarks.measure import Settings

LEAST = 5.0
"""Times faster than a training step that the store must be."""


def measure(settings: Settings) -> Section:
    """Samples per second of store and step, in turn; memory stated and taken."""
    store = benchmark_store(settings.files, tiny=settings.tiny)
    job = {
        "store": str(store.folder),
        "recipe": str(CONFIGURATION),
        "scratch": str(settings.scratch / "run"),
        "network": {**MINI} if settings.tiny else {},
        "sampling": {"crop": 48, "block_days": 1} if settings.tiny else {"block_days": 1},
        "repeat": settings.repeat,
    }
    path = settings.scratch / "loading.json"
    path.write_text(json.dumps(job), encoding="utf-8")
    command = [sys.executable, "-m", "tests.benchmarks.loading_job", str(path)]
    found: dict[str, Any] = json.loads(run_process(command, {"OMP_NUM_THREADS": "1"})[1])
    costs = {name: [Cost(**turn) for turn in turns] for name, turns in found["costs"].items()}
    batch, steps = found["batch"], costs[STEP]
    section = Section(f"training of {CONFIGURATION.name}, {batch} samples a step, 1 thread")
    for name, turns in costs.items():
        speed = statistics.median(step.own / c.own for c, step in zip(turns, steps, strict=True))
        rate = f"{batch / statistics.median(c.own for c in turns):.1f} samples/s"
        note = "" if name == STEP else f"{speed:.1f} times a step"
        if name == COLD:
            note += f", {statistics.median(found['disk_mb']):.1f} MB a sample from the disk"
        section.rows.append(row_of(name, turns, rate=rate, note=note))
    section.rows[-1].peak_mib = round(found["peak_mib"])
    section.rows[-1].note = f"{found['stated_mib']:.0f} MiB stated before"
    section.notes.append(
        f"the store must be at least {LEAST:.0f} times as fast as a step; samples a second without "
        "the time in the queue for a processor, waiting for the disk included"
    )
    section.numbers = found
    return section
