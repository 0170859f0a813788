"""The process of the soak: FOLDER TOTAL EARLY; one line of JSON."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path

from retrieval.substitution.job import Job
from retrieval.substitution.reretrieve import reretrieve
from tests.builders.files import DAY, write_cams, write_profiles
from tests.builders.orbit_builder import build_orbit

KINDS = 4
"""Different orbits, so that no cache serves all of them."""


def resident_mib() -> float:
    """Memory of this process that is in use [MiB]."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def soak(folder: Path, total: int, early: int) -> dict[str, float]:
    """Re-retrieve the orbits again and again; memory and CPU time on the way."""
    orbits = [
        build_orbit(
            folder, n_scanline=8 + i, n_ground_pixel=6, date=DAY, seed=i, orbit_number=8000 + i
        ).path
        for i in range(KINDS)
    ]
    job = Job(
        {"dacno2": write_profiles(folder / "p.nc"), "cams": write_cams(folder / "cams")},
        overwrite=True,
    )
    seconds, memory, early_mib = [], [], 0.0
    for i in range(total):
        start = time.process_time()
        reretrieve(orbits[i % KINDS], job, folder / "out.nc")
        seconds.append(time.process_time() - start)
        if (i + 1) % max(1, total // 20) == 0 or i + 1 == early:
            gc.collect()
            memory.append([i + 1, round(resident_mib(), 1)])
            early_mib = memory[-1][1] if i + 1 == early else early_mib
    tenth = max(1, total // 10)
    return {
        "early_mib": early_mib,
        "last_mib": memory[-1][1],
        "slowdown": sum(seconds[-tenth:]) / sum(seconds[tenth : 2 * tenth]),
        "open_files": sum(1 for _ in Path("/proc/self/fd").iterdir()),
        "memory_mib": memory,
    }


if __name__ == "__main__":
    print(json.dumps(soak(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
