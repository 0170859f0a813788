"""Run the benchmarks: `python -m tests.benchmarks [--keep FOLDER] [--repeat N]`.

Every figure is a whole process on files made for the purpose. Times are medians over repeats;
bars are ratios to a raw read in the same run, so that they hold on any machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.files import benchmark_files

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
"""The twelve variables that the computation needs (contract section 6)."""


def run(command: list[str]) -> tuple[float, float]:
    """Wall time [s] and peak memory [MiB] of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status != 0:
        text = process.stderr.read().decode() if process.stderr else ""
        msg = f"{' '.join(command[:3])} failed: {text}"
        raise RuntimeError(msg)
    return wall, usage.ru_maxrss / 1024


def measure(commands: dict[str, list[str]], repeat: int) -> dict[str, dict[str, float]]:
    """Run commands in turn, so that a busy moment hits all of them; medians and peaks."""
    walls: dict[str, list[float]] = {name: [] for name in commands}
    peaks: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeat):
        for name, command in commands.items():
            wall, peak = run(command)
            walls[name].append(wall)
            peaks[name].append(peak)
    return {
        name: {
            "median_s": round(statistics.median(walls[name]), 3),
            "min_s": round(min(walls[name]), 3),
            "peak_mib": round(max(peaks[name]), 1),
        }
        for name in commands
    }


def main() -> None:
    """Measure and print a table and the bars."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="folder for the files, made once")
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        files = benchmark_files(folder)
        out = Path(scratch)
        tool = [sys.executable, "-c", "from cli.main import main; main()"]
        base = [*tool, "reretrieve", str(files.orbit), "--overwrite"]
        commands = {
            "raw read of 12 variables": [
                sys.executable, "-c", RAW_READ, str(files.orbit), *NEEDED,
            ],
            "reretrieve, two European sets": [
                *base, "-a", f"dacno2={files.profiles}", "-a", f"cams={files.cams}",
                "-o", str(out / "two.nc"),
            ],
            "reretrieve --crop none, global set": [
                *base, "-a", f"tm5mp={files.ctmana}", "--crop", "none", "-o", str(out / "all.nc"),
            ],
            "--help": [*tool, "--help"],
        }  # fmt: skip
        result = measure(commands, given.repeat)
    raw = result["raw read of 12 variables"]["median_s"]
    bars = {
        "reretrieve, two European sets": (1.5 + 2 * raw, 700.0),
        "reretrieve --crop none, global set": (30.0, 1536.0),
        "--help": (0.5, float("inf")),
    }
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{'job':40s} {'median s':>9s} {'bar s':>7s} {'ratio to raw':>13s} {'peak MiB':>9s}")
    for name, values in result.items():
        bar, memory = bars.get(name, (float("nan"), float("inf")))
        ratio = values["median_s"] / raw
        verdict = (
            ""
            if name not in bars
            else ("ok" if values["median_s"] <= bar and values["peak_mib"] <= memory else "OVER")
        )
        print(
            f"{name:40s} {values['median_s']:9.2f} {bar:7.2f} {ratio:13.2f} "
            f"{values['peak_mib']:9.0f} {verdict}"
        )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
