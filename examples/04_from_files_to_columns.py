"""From an empty folder to re-retrieved columns, every step a command.

The files of a few days of the twin world, in the layouts of ERA5, CAMS, EEA, the inventory, the
rasters and TROPOMI L2; `prepare` makes a training store of them, `train` goes through all three
phases (a few steps each: the machinery, no skill), `predict` writes profiles and `reretrieve`
takes them as a priori. Run: `python examples/04_from_files_to_columns.py FOLDER`; a few minutes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import netCDF4
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

DAYS = ("2023-06-02", "2023-06-04")
DAY_BEFORE = "2023-06-01"
"""Its weather leads to the first day's."""

RECIPE = """\
# Three phases in a minute: what each does can be seen, nothing is learnt.
name = "minute"

[network]
size = "tiny"

[sampling]
crop = 64
validation_share = 0.3
validation_samples = 4
"""
PHASE = """
[[phase]]
phase = {phase}
steps = {steps}
batch = 2
micro_batch = 2
warmup = 2
mean_decay = 0.8
validate_every = {steps}
"""


def command(*arguments: object) -> None:
    """Run `dacno2-s5p` with arguments, as a shell would."""
    words = [str(argument) for argument in arguments]
    print("dacno2-s5p", " ".join(words), flush=True)
    program = [sys.executable, "-c", "from cli.main import main; main()"]
    subprocess.run([*program, *words], check=True)


def write_files(folder: Path) -> Path:
    """Write the twin world's files and return the orbit of the last day."""
    kinds = "era5,cams,eea,flights,emissions,geography"
    command("twin", folder, "--start", DAY_BEFORE, "--end", DAYS[-1], "--files", kinds)
    command("twin", folder, "--start", DAYS[-1], "--files", "l2")
    return max((folder / "orbits").glob("*.nc"), key=lambda path: path.stat().st_size)


def write_recipe(folder: Path, steps: int) -> Path:
    """Write the recipe of a short run."""
    path = folder / "minute.toml"
    phases = [PHASE.format(phase=phase, steps=steps) for phase in (1, 2, 3)]
    path.write_text(RECIPE + "".join(phases), encoding="utf-8")
    return path


def files_to_columns(
    folder: Path, orbit: Path, days: tuple[str, str], grid: str = "europe-2km", steps: int = 10
) -> Path:
    """Run prepare, train, predict and reretrieve on the files of a workspace.

    Returns the re-retrieved orbit.
    """
    weather = ("--weather-steps", 8, "--weather-step-hours", 3)
    period = ("--start", days[0], "--end", days[-1])
    command("prepare", "-w", folder, *period, *weather, "--grid", grid)
    command("inspect", folder / "store")
    recipe = write_recipe(folder, steps)
    command("train", "-w", folder, "--recipe", recipe, "--threads", 1)
    checkpoint = folder / "runs" / "minute" / "phase3" / "best.safetensors"
    command("inspect", checkpoint)
    command("predict", "-w", folder, "--checkpoint", checkpoint, orbit)
    output = folder / "orbit_with_dacno2.nc"
    sets = ("-a", f"dacno2={folder / 'profiles'}")
    command("reretrieve", orbit, *sets, "--kernels", "-o", output)
    return output


def draw(folder: Path, output: Path) -> Path:
    """Draw the predicted surface layer and what it does to the air mass factors."""
    with netCDF4.Dataset(next(iter(sorted((folder / "profiles").glob("*.nc"))))) as profiles:
        field = profiles["no2"][0, 0]
    with netCDF4.Dataset(output) as orbit:
        product = orbit["PRODUCT"]
        change = product["relative_change_DACNO2_vs_TM5"][0].filled(np.nan)
        longitude, latitude = product["longitude"][0], product["latitude"][0]
    figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    drawn = axes[0].imshow(field, origin="lower", cmap="viridis")
    figure.colorbar(drawn, ax=axes[0], label="NO$_2$ at 0 m [µg m$^{-3}$]")
    axes[0].set(title="predicted after a few steps of training", xlabel="column", ylabel="row")
    points = axes[1].scatter(longitude, latitude, c=change, s=3, cmap="RdBu_r", vmin=-50, vmax=50)
    figure.colorbar(points, ax=axes[1], label="change of the column [%]")
    axes[1].set(title="re-retrieved against TM5", xlabel="longitude", ylabel="latitude")
    path = folder / "files_to_columns.png"
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def main(folder: Path) -> Path:
    """Do everything in a folder and return the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    orbit = write_files(folder)
    return draw(folder, files_to_columns(folder, orbit, DAYS))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Give the folder to work in.")
    print(main(Path(sys.argv[1])))
