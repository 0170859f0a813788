"""Maps of mean columns with each a priori and of their relative differences, end to end.

Days of the twin world: TROPOMI orbits simulated over a known truth, the model files beside them.
Every orbit is re-retrieved with two sets, all are gridded with one pixel set, and the maps show
columns, differences and regions (Sun et al. 2026, Fig. 7). The true profiles at the network's
eight heights stand for DACNO2-S5P; `--profiles` takes a folder of your own.

Run: `python -m cli.evidence.difference_maps FOLDER`: three days, four minutes; with
`--days 60` a sample of the whole year. A later run goes on where an earlier one stopped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from retrieval.l3.add import add_files
from retrieval.l3.cells import parse_cell, regular_grid
from retrieval.l3.days import DayStore, GridJob
from retrieval.l3.differences import Sampling
from retrieval.l3.figure_data import map_data
from retrieval.l3.figures import figure7, save
from retrieval.l3.file import write_l3
from retrieval.l3.means import period_mean
from retrieval.l3.pixels import product_labels
from retrieval.substitution.job import Job
from retrieval.substitution.options import Above, Options
from retrieval.substitution.reretrieve import default_output, reretrieve

FIRST, EVERY = np.datetime64("2023-01-03"), 6
"""Sixty days from here span the year 2023 and all weekdays."""
SPREAD = 20
"""Fewer days are taken this many steps apart, so that three of them are of three seasons."""


def command(*arguments: object) -> None:
    """Run `dacno2-s5p` with arguments, as a shell would."""
    program = [sys.executable, "-c", "from cli.main import main; main()"]
    subprocess.run([*program, *(str(argument) for argument in arguments)], check=True)


def twin_days(folder: Path, n_day: int) -> list[Path]:
    """Write orbits, TM5-like, CAMS-like and true profile files of some days; return the orbits."""
    steps = [step for start in range(SPREAD) for step in range(start, 60, SPREAD)]
    for step in sorted(steps[:n_day]):
        command("twin", folder, "--start", FIRST + EVERY * step)
    return sorted((folder / "orbits").glob("S5P_*.nc"))


def new_columns(
    orbits: list[Path], sets: dict[str, Path], above: Above, upper: Path, folder: Path
) -> list[Path]:
    """Re-retrieve orbits with all sets and the same NO2 above their top."""
    folder.mkdir(parents=True, exist_ok=True)
    job = Job(sets, Options(above=above), upper=upper if above is Above.UPPER else None)
    targets = [default_output(orbit, sets, folder) for orbit in orbits]
    for orbit, target in zip(orbits, targets, strict=True):
        if not target.exists():
            summary = reretrieve(orbit, job, target)
            print(f"{orbit.name[20:35]}: {summary.n_common} pixels")
    return targets


def draw_maps(files: list[Path], folder: Path, cell: str) -> Path:
    """Grid re-retrieved files with one pixel set, and draw the means and their differences."""
    size, is_degrees = parse_cell(cell)
    grid = regular_grid(size, crs="EPSG:4326" if is_degrees else "EPSG:3035")
    store = DayStore.open(folder / f"days_{cell}", GridJob(grid, product_labels(files[0])))
    add_files(store, files)
    l3 = period_mean(store.folder)
    write_l3(folder / f"map_{cell}.nc", l3, overwrite=True)
    data = map_data(l3, sampling=Sampling.for_period(l3.n_day))
    for one in data.numbers:
        print(
            f"{one.area}: {one.product} / {one.reference} {one.ratio_of_means:+.1f} % "
            f"(mean of cells {one.mean_of_cells:+.1f} %)"
        )
    figure = folder / "relative_differences.png"
    save(figure7(data), figure)
    return figure


def main(arguments: list[str] | None = None) -> Path:
    """Run the example; returns the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--cell", default="8km", help="of the map: 4km, 8km, 0.1deg")
    parser.add_argument("--profiles", type=Path, help="of the fine set")
    parser.add_argument(
        "--above", type=Above, default=Above.UPPER, help="what stands above the sets' top"
    )
    given = parser.parse_args(arguments)
    folder: Path = given.folder
    orbits = twin_days(folder, given.days)
    sets = {"fine": given.profiles or folder / "truth8", "cams": folder / "cams"}
    new = folder / f"new_{given.above}"
    files = new_columns(orbits, sets, given.above, folder / "ctm", new)
    return draw_maps(files, new, given.cell)


if __name__ == "__main__":
    print(main())
