"""Your own orbits with your own CAMS files: what changes, and why a pixel was left as it is.

The figure shows the change of the column of the first orbit, and counts its pixels by flag. Run
`python examples/05_your_own_orbits.py FOLDER CAMS ORBIT...`; CAMS is a file or folder as the
archives deliver it. With FOLDER alone the packaged samples run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

import retrieval as rt
from retrieval.errors import RetrievalError


def new_columns(orbits: list[Path], cams: Path, folder: Path) -> list[Path]:
    """Re-retrieve the orbits; one that cannot be is named, and the others go on."""
    folder.mkdir(parents=True, exist_ok=True)
    done = []
    for orbit in orbits:
        target = folder / f"{orbit.stem}_CAMS.nc"
        try:
            summary = rt.reretrieve(orbit, rt.Job({"cams": cams}, overwrite=True), target)
            change = summary.products[-1].ratio_of_means
            print(f"{orbit.name}: {summary.n_common} pixels, mean column {change:+.1f} %")
            done.append(target)
        except RetrievalError as error:
            print(f"left out: {error}")
    return done


def draw(path: Path, figure: Path) -> Path:
    """Draw the change where it was computed, and how many pixels were not, by reason."""
    change, flag = "relative_change_CAMS_vs_TM5", "substitution_flag_CAMS"
    with rt.open_orbit(path) as orbit:
        new = orbit.to_xarray(variables=[change, flag])
    page, (left, right) = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    new[change].where(new.qa_value > 0.75).plot(x="longitude", y="latitude", center=0, ax=left)
    counts = {one.name: int((new[flag] == one).sum()) for one in rt.SubstitutionFlag}
    right.bar_label(right.barh(list(counts), list(counts.values())), padding=3)
    right.set(title=flag, xlabel="pixels")
    page.savefig(figure, dpi=120)
    return figure


def main(folder: Path, cams: Path | None = None, *orbits: Path) -> Path:
    """Run the example; return the figure."""
    files = new_columns(list(orbits) or [rt.sample("orbit")], cams or rt.sample("model"), folder)
    return draw(files[0], folder / "your_own_orbits.png") if files else sys.exit("no orbit is left")


if __name__ == "__main__":
    print(main(*map(Path, sys.argv[1:])))
