"""Your own orbits with your own CAMS files: what changes, and why a pixel was left as it is.

Every orbit is re-retrieved with the CAMS set. The figure shows, for the one with most pixels, the
change of the column where it was computed, and counts the pixels that were not, by reason. Run:

    python examples/07_your_own_orbits.py FOLDER --cams CAMS ORBIT...

CAMS is a file or folder as the archives deliver it (European reanalysis, forecast, analysis; CAMS
global). Without orbits, an orbit and CAMS-like files of the twin world are made: synthetic.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from retrieval.errors import RetrievalError
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.product.results import SubstitutionFlag
from retrieval.l3.figures import save
from retrieval.maps.axes import draw_pixels, new_figure
from retrieval.maps.colours import percent_scale
from retrieval.maps.layout import colour_bar, map_row
from retrieval.substitution.reretrieve import default_output, reretrieve

TWIN_DAY = "2023-06-01"
RECOMMENDED = 75
"""Pixels with a stored quality value above this are shown."""


def twin_files(folder: Path) -> tuple[list[Path], Path]:
    """Write an orbit and CAMS-like files of the twin world, where they are not there yet."""
    program = [sys.executable, "-c", "from cli.main import main; main()"]
    options = ["--start", TWIN_DAY, "--files", "l2,cams"]
    subprocess.run([*program, "twin", str(folder), *options], check=True)
    orbits = sorted((folder / "orbits").glob("S5P_*.nc"), key=lambda path: path.stat().st_size)
    return orbits[-1:], folder / "cams"


def new_columns(orbits: list[Path], cams: Path, folder: Path) -> list[Path]:
    """Re-retrieve the orbits; one that cannot be is named, and the others go on."""
    folder.mkdir(parents=True, exist_ok=True)
    done = []
    for orbit in orbits:
        target = default_output(orbit, {"cams": cams}, folder)
        target.unlink(missing_ok=True)
        try:
            summary = reretrieve(orbit, {"cams": cams}, target)
        except RetrievalError as error:
            print(f"left out: {error}")
            continue
        new = summary.products[-1]
        print(
            f"{orbit.name}: {summary.n_common} pixels, mean column {new.ratio_of_means:+.1f} %, "
            f"with {100 * (new.mean_fraction_above or 0):.0f} % of the a priori above its top"
        )
        done.append((summary.n_common, target))
    if not done:
        sys.exit("no orbit could be re-retrieved: the reasons are above")
    return [target for _, target in sorted(done, reverse=True)]


def draw(path: Path, figure: Path) -> Path:
    """Draw the change of the column, and how many pixels were not computed, by reason."""
    with open_orbit(path) as orbit:
        crop = orbit.full
        change = orbit.read("relative_change_CAMS_vs_TM5", crop)
        flag, _ = orbit.read_integer("substitution_flag_CAMS", crop)
        quality, _ = orbit.read_integer("qa_value", crop)
        bounds = [orbit.read(f"{name}_bounds", crop) for name in ("latitude", "longitude")]
        latitude, longitude = (orbit.read(name, crop) for name in ("latitude", "longitude"))
        note = "SYNTHETIC DATA" if orbit.is_synthetic else "modified Copernicus Sentinel data"
    shown = np.where((quality > RECOMMENDED) & (flag == SubstitutionFlag.DONE), change, np.nan)
    area = tuple(
        float(f(values)) for f in (np.nanmin, np.nanmax) for values in (longitude, latitude)
    )
    page = new_figure(18.0, 10.0)
    left, right = np.ravel(page.subfigures(1, 2, width_ratios=[1.35, 1.0]))
    (panel,) = map_row(left, ["column with CAMS / operational column \N{MINUS SIGN} 1"], area)
    scale = percent_scale(shown, label="Change")
    image = draw_pixels(panel, *bounds, shown, scale)
    colour_bar(left, image, [panel], scale, location="bottom")
    axes = right.subplots()
    found = [one for one in SubstitutionFlag if (flag == one).any()]
    names = [f"{int(one)}  {one.name.lower().replace('_', ' ')}" for one in found]
    counts = [int((flag == one).sum()) for one in found]
    axes.barh(names, counts, color="#2166ac")
    axes.bar_label(axes.containers[0], padding=3, fontsize=7)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.4 * max(counts))
    axes.set_title("substitution_flag_CAMS", fontsize=8)
    axes.set_xlabel("pixels", fontsize=7)
    axes.tick_params(labelsize=7)
    page.suptitle(f"{path.name[:31]}; {note}", fontsize=9)
    save(page, figure)
    return figure


def main(arguments: list[str] | None = None) -> Path:
    """Run the example; returns the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("orbits", type=Path, nargs="*", metavar="ORBIT")
    parser.add_argument("--cams", type=Path)
    given = parser.parse_intermixed_args(arguments)  # orbits may come after --cams
    orbits, cams = given.orbits, given.cams
    if not orbits:
        print("no orbits given: an orbit of the twin world is made (synthetic)")
        orbits, cams = twin_files(given.folder)
    if cams is None:
        parser.error("--cams PATH is needed with orbits of your own")
    files = new_columns(orbits, cams, given.folder / "new")
    return draw(files[0], given.folder / "your_own_orbits.png")


if __name__ == "__main__":
    print(main())
