"""A thousand small orbits through one process: memory and cost per orbit on the way."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tests.benchmarks.measure import Section, row_of, run_process

if TYPE_CHECKING:
    from tests.benchmarks.measure import Settings

ORBITS, EARLY = 1000, 100
"""Orbits in all, and after how many memory should not grow any more."""
GROWTH_MIB = 20.0
"""Growth from the early to the last orbit that still counts as flat."""


def measure(settings: Settings) -> Section:
    """Run the soak in a process of its own; a row, and the numbers on the way."""
    total, early = (20, 5) if settings.tiny else (ORBITS, EARLY)
    folder = settings.scratch / "soak"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.benchmarks.soak_job", str(folder)]
    cost, text = run_process([*command, str(total), str(early)])
    found = json.loads(text.splitlines()[-1])
    growth = found["last_mib"] - found["early_mib"]
    flat = "flat" if growth <= GROWTH_MIB else "GROWS"
    job = f"{total} small orbits, one process"
    return Section(
        "soak",
        [row_of(job, [cost], rate=f"{total / cost.cpu:.3g} orbits a CPU second", note=flat)],
        [
            f"resident {found['early_mib']:.0f} MiB after {early} orbits, "
            f"{found['last_mib']:.0f} MiB after {total}; CPU time of the last tenth over that of "
            f"the second {found['slowdown']:.2f}; open files {found['open_files']}",
        ],
        found,
    )
