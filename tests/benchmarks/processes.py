"""Whole processes of the commands, beside a raw read of the same orbit."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from tests.benchmarks import peers
from tests.benchmarks.measure import Section, in_turn, ratio_of, row_of, run_process
from tests.benchmarks.orbit_files import benchmark_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.measure import Cost, Settings

RAW_READ = """
import netCDF4, sys
names = sys.argv[2:]
d = netCDF4.Dataset(sys.argv[1]); d.set_auto_maskandscale(False)
for name in names: d[name][:]
"""
NEEDED = [
    "PRODUCT/averaging_kernel",
    "PRODUCT/latitude",
    "PRODUCT/longitude",
    "PRODUCT/nitrogendioxide_tropospheric_column",
    "PRODUCT/nitrogendioxide_tropospheric_column_precision_kernel",
    "PRODUCT/air_mass_factor_total",
    "PRODUCT/air_mass_factor_troposphere",
    "PRODUCT/tm5_tropopause_layer_index",
    "PRODUCT/qa_value",
    "PRODUCT/SUPPORT_DATA/GEOLOCATIONS/latitude_bounds",
    "PRODUCT/SUPPORT_DATA/GEOLOCATIONS/longitude_bounds",
    "PRODUCT/SUPPORT_DATA/INPUT_DATA/surface_pressure",
]
"""The twelve variables that the computation needs."""

TOOL = [sys.executable, "-c", "from cli.main import main; main()"]
RAW, TWO, ALL, HELP = (
    "raw read of 12 variables",
    "reretrieve, two European sets",
    "reretrieve --crop none, global set",
    "--help",
)


def commands(settings: Settings) -> dict[str, list[str]]:
    """Command lines of the jobs."""
    files, out = benchmark_files(settings.files, tiny=settings.tiny), settings.scratch
    base = [*TOOL, "reretrieve", str(files.orbit), "--overwrite"]
    two = [*base, "-a", f"dacno2={files.profiles}", "-a", f"cams={files.cams}"]
    every = [*base, "-a", f"tm5mp={files.ctmana}", "--crop", "none"]
    return {
        RAW: [sys.executable, "-c", RAW_READ, str(files.orbit), *NEEDED],
        TWO: [*two, "-o", str(out / "two.nc")],
        ALL: [*every, "-o", str(out / "all.nc")],
        HELP: [*TOOL, "--help"],
        **peers.commands(settings, files.orbit),
    }


def measure(settings: Settings) -> Section:
    """Wall, CPU and memory of whole processes, in turn."""

    def job(command: list[str]) -> Callable[[], Cost]:
        return lambda: run_process(command)[0]

    costs = in_turn(
        {name: job(command) for name, command in commands(settings).items()}, settings.repeat
    )
    raw = row_of(RAW, costs[RAW])
    bars = {
        TWO: (1.5 + 2 * (raw.wall_s or 0.0), 700.0),
        ALL: (30.0, 1536.0),
        HELP: (0.5, None),
    }
    section = Section("whole processes, one orbit", [raw])
    for name, (seconds, memory) in bars.items():
        ratio = ratio_of(costs[name], costs[RAW])
        row = row_of(name, costs[name], ratio=ratio, to="raw", bar_s=seconds, bar_mib=memory)
        section.rows.append(row)
    for name, ours in ((peers.WHOLE, ALL), (peers.EUROPE, TWO)):
        if name in costs:
            ratio = ratio_of(costs[name], costs[ours])
            section.rows.append(row_of(name, costs[name], ratio=ratio, to=ours))
    section.notes.append(peers.NOTE if settings.peers else "no --peers: cmaqsatproc left out")
    section.numbers = {name: [asdict(cost) for cost in turns] for name, turns in costs.items()}
    return section
