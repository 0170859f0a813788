"""One day through every step; each step is skipped where its files are complete."""

from __future__ import annotations

import logging
import shutil
from functools import lru_cache
from typing import TYPE_CHECKING

from cli.evidence.retrieve import write_columns
from retrieval.files.provenance import file_checksum

if TYPE_CHECKING:
    from pathlib import Path

    from cli.evidence.season import DayFolder
    from dacno2_s5p.twin.twin import Twin

logger = logging.getLogger(__name__)

TM5_CUT = "tm5cut"
"""TM5-MP itself, of which only the part below the other sets' top is used: neither resolution nor
content differs from the operational a priori, only what is missing aloft."""
CUT_HEIGHT = 5000.0
"""Top of the European sets [m]."""
FINE = ("truth8", "dacno2")
"""Sets of 2 km that are also averaged to 10 km and 1 degree."""


@lru_cache(maxsize=1)
def twin_world(kind: str) -> Twin:
    """Build the world of a kind once a process: 7 CPU s, 11 on the wide frame."""
    from dacno2_s5p.twin.true_world import SEED
    from dacno2_s5p.twin.twin import Twin
    from dacno2_s5p.twin.version import TwinVersion

    return Twin(SEED, TwinVersion.named(kind))


def make_originals(day: DayFolder) -> None:
    """Write the twin's files of a day and simulate the orbit that sees most of the domain."""
    from cli.story.day import best_swath, simulate_day, write_day

    if day.has_originals:
        return
    shutil.rmtree(day.path, ignore_errors=True)  # what an interrupted run left
    twin, swath = twin_world(day.world), best_swath(day.date)
    files = write_day(twin, day.date, swath, day.path / "workspace")
    simulate_day(twin, swath, files, day.path / "orbits", None)
    day.note_originals(files)
    logger.info("%s: orbit simulated", day.date)


def retrieve_twin_sets(day: DayFolder) -> None:
    """Re-retrieve the day with the sets that the twin itself gives."""
    output, files = day.columns(), day.originals
    if not output.exists():
        averages = day.path / "averages"
        sets = files.sets | averaged("truth8", files.sets["truth8"], averages)
        write_columns(files.orbit, sets, files.ctm, output)
        shutil.rmtree(averages)
        logger.info("%s: retrieved with %s", day.date, ", ".join(sets))
    cut = day.columns(TM5_CUT)
    if not cut.exists():
        write_columns(files.orbit, {TM5_CUT: files.ctm}, files.ctm, cut, merge_height=CUT_HEIGHT)


def retrieve_network(day: DayFolder, checkpoint: Path) -> None:
    """Predict the day's DACNO2 profiles, and re-retrieve it with them and their averages."""
    from cli.story.day import DACNO2, DayFiles, predict_profiles

    key = network_key(checkpoint)
    output, files = day.columns(key), day.originals
    if output.exists():
        return
    folder = day.path / key
    predicted = DayFiles(files.ctm, {})
    predict_profiles(twin_world(day.world), day.date, predicted, folder, checkpoint)
    sets = predicted.sets | averaged(DACNO2, predicted.sets[DACNO2], folder)
    write_columns(files.orbit, sets, files.ctm, output)
    shutil.rmtree(folder)  # the checkpoint makes it again
    logger.info("%s: retrieved with %s", day.date, ", ".join(sets))


@lru_cache(maxsize=1)
def network_key(checkpoint: Path) -> str:
    """Name what comes from a checkpoint by its fingerprint: another one never meets its files."""
    return f"dacno2-{file_checksum(checkpoint)[:12]}"


def averaged(name: str, path: Path, folder: Path) -> dict[str, Path]:
    """Average a set to 10 km and 1 degree, as further sets."""
    from retrieval.apriori.coarsen import CAMS_CELLS, TM5_CELLS
    from retrieval.apriori.coarsen_files import coarsen_files

    found = {}
    for resolution in (CAMS_CELLS, TM5_CELLS):
        coarse = f"{name}at{resolution.label}"
        coarsen_files(path, folder / coarse, resolution, overwrite=True)
        found[coarse] = folder / coarse
    return found
