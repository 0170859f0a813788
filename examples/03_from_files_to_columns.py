"""From an empty folder to re-retrieved columns, every step a command.

Files of a few days of the twin world in their real layouts, a training store of them, three phases
of a few steps (no skill), profiles, columns: `python examples/03_from_files_to_columns.py FOLDER`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

import retrieval as rt

GRID, RECIPE = "europe-2km", Path(__file__).with_name("minute.toml")
DAYS, DAY_BEFORE = ("2023-06-02", "2023-06-04"), "2023-06-01"
CHANGE = "relative_change_DACNO2_vs_TM5"


def command(*arguments: object) -> None:
    """Run `dacno2-s5p` with arguments, as a shell would."""
    print("dacno2-s5p", *arguments, flush=True)
    program = [sys.executable, "-c", "from cli.main import main; main()"]
    subprocess.run([*program, *map(str, arguments)], check=True)


def files_to_columns(
    folder: Path, orbit: Path, days: tuple[str, str], grid: str = GRID, recipe: Path = RECIPE
) -> Path:
    """Run prepare, train, predict and reretrieve in a workspace; return the new orbit."""
    given = ("--start", days[0], "--end", days[-1], "--weather-steps", 8, "--grid", grid)
    command("prepare", "-w", folder, *given, "--weather-step-hours", 3)
    command("train", "-w", folder, "--recipe", recipe, "--threads", 1)
    checkpoint = folder / "runs/minute/phase3/best.safetensors"
    command("predict", "-w", folder, "--checkpoint", checkpoint, orbit)
    command("reretrieve", orbit, "-a", f"dacno2={folder / 'profiles'}", "-o", folder / "new.nc")
    return folder / "new.nc"


def draw(folder: Path, output: Path) -> Path:
    """Draw what the predicted profiles change."""
    plt.figure()
    with rt.open_orbit(output) as orbit:
        orbit.to_xarray(variables=[CHANGE])[CHANGE].plot(x="longitude", y="latitude", center=0)
    plt.savefig(path := folder / "files_to_columns.png", dpi=150)
    return path


if __name__ == "__main__":
    home = Path(sys.argv[1])
    kinds = ("--files", "era5,cams,eea,flights,emissions,geography")
    command("twin", home, "--start", DAY_BEFORE, "--end", DAYS[-1], *kinds)
    command("twin", home, "--start", DAYS[-1], "--files", "l2")
    largest = max((home / "orbits").glob("*.nc"), key=lambda path: path.stat().st_size)
    print(draw(home, files_to_columns(home, largest, DAYS)))
