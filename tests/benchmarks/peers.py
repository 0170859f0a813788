"""The peer's processes that stand beside ours, in the same turns on the same orbit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.measure import Settings

WHOLE, EUROPE = "cmaqsatproc cmaq_amf, whole orbit", "cmaqsatproc cmaq_amf, Europe"
BOX = ("-9.1", "40.8", "9.3", "55.0")
"""West, south, east, north of the 2 km grid [degree]: what our crop keeps."""

NOTE = (
    "cmaqsatproc reads kernel, AMF and surface pressure, interpolates the kernel to 20 layers and "
    "sums; its profile is given, the same for all pixels and already on them. It collocates "
    "nothing, conserves no column, stops at no tropopause and writes nothing; ours "
    "reads the set, averages it over footprints, makes columns, kernels, precisions, flags and "
    "statistics, and writes the orbit."
)


def commands(settings: Settings, orbit: Path) -> dict[str, list[str]]:
    """Command lines of the peer, none without its environment."""
    if settings.peers is None:
        return {}
    # absolute, but not resolved: the link of a virtual environment is what makes it one
    python, script = str(settings.peers.absolute()), str(Path(__file__).parent / "peers_job.py")
    job = [python, script, str(orbit)]
    return {WHOLE: job, EUROPE: [*job, *BOX]}
