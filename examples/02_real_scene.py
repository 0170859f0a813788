"""Re-retrieve a real TROPOMI scene with an illustrative profile file, both layouts, and draw it.

The profiles are made up: a clean background and one plume that drifts south-west of the Matimba
power plant, well mixed up to 1 km. They show what substitution does to real kernels and are no
estimate of anything. Run: `python examples/02_real_scene.py SCENE.nc [FOLDER]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.collections import PolyCollection

from retrieval.apriori.profile_file import Profiles, write_profile_file
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.product.write import Layout
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3, MOLEC_CM2_PER_MOL_M2
from retrieval.physics.grids import RectilinearGrid
from retrieval.substitution.job import Job
from retrieval.substitution.reretrieve import reretrieve

PLANT = (27.61, -23.67)
HEIGHTS = np.array([0, 50, 250, 500, 1000, 2000, 3000, 5000.0])
BACKGROUND = np.array([0.8, 0.75, 0.7, 0.6, 0.5, 0.3, 0.1, 0.03])
PLUME = np.array([6, 7, 9, 8, 5, 1.5, 0.2, 0.05])
COLUMN = "nitrogendioxide_tropospheric_column"


def illustrative_profiles(path: Path, day: str) -> Path:
    """Write a profile file with a background and a plume [ug m-3] at 0.02 degree."""
    grid = RectilinearGrid.from_centres(
        np.arange(24.01, 31.5, 0.02), np.arange(-26.99, -20.3, 0.02)
    )
    x, y = np.meshgrid(grid.x, grid.y)
    distance = np.clip(PLANT[0] - x, 0, None)
    width = 0.05 + 0.12 * distance
    shape = np.exp(-((y - PLANT[1] + 0.5 * distance) ** 2) / (2 * width**2) - distance / 1.2)
    shape[x > PLANT[0] + 0.04] = 0.0
    no2 = BACKGROUND[:, None, None] + PLUME[:, None, None] * shape
    profiles = Profiles(
        no2[None] * MICROGRAM_M3_TO_MOL_M3,
        HEIGHTS,
        grid,
        np.array([f"{day}T12:00"], dtype="datetime64[ms]"),
        attributes={
            "title": "Illustrative NO2 profiles: background and one plume",
            "institution": "dacno2-s5p examples",
            "source": "synthetic: analytic plume",
            "history": "written by examples/02_real_scene.py",
            "references": "none",
        },
    )
    return write_profile_file(path, profiles, overwrite=True)


def draw(path: Path, figure: Path) -> None:
    """Draw the old column, the new one and the change of a re-retrieved file."""
    with open_orbit(path) as orbit:
        crop = orbit.full
        lat, lon = orbit.read("latitude_bounds", crop), orbit.read("longitude_bounds", crop)
        old = orbit.read(COLUMN, crop) * MOLEC_CM2_PER_MOL_M2 / 1e15
        new = orbit.read(f"{COLUMN}_PLUME_apriori", crop) * MOLEC_CM2_PER_MOL_M2 / 1e15
        change = orbit.read("relative_change_PLUME_vs_TM5", crop)
        raw, _ = orbit.read_integer("qa_value", crop)
    keep = (raw > 75) & np.isfinite(new)
    corners = np.stack([lon[keep], lat[keep]], axis=-1)
    figure_, axes = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
    panels = (
        ("TM5 a priori (operational)", old, "viridis", (-1, 12), "10$^{15}$ molec cm$^{-2}$"),
        ("illustrative a priori", new, "viridis", (-1, 12), "10$^{15}$ molec cm$^{-2}$"),
        ("change of the column", change, "RdBu_r", (-60, 60), "%"),
    )
    for axis, (title, values, colours, limits, unit) in zip(axes, panels, strict=True):
        pixels = PolyCollection(
            corners, array=values[keep], cmap=colours, edgecolors="face", linewidths=0.2
        )
        pixels.set_clim(*limits)
        axis.add_collection(pixels)
        axis.plot(*PLANT, "k^", markersize=6)
        axis.annotate("Matimba", PLANT, textcoords="offset points", xytext=(6, 6))
        axis.autoscale_view()
        axis.set_aspect(1 / np.cos(np.deg2rad(PLANT[1])))
        axis.set(title=title, xlabel="longitude [degrees east]", ylabel="latitude [degrees north]")
        figure_.colorbar(pixels, ax=axis, label=unit, extend="both", shrink=0.9)
    figure_.suptitle("TROPOMI NO$_2$, 25 July 2021 (contains modified Copernicus Sentinel data)")
    figure_.savefig(figure, dpi=120)
    plt.close(figure_)


def main(scene: Path, folder: Path) -> Path:
    """Run the example; returns the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    profiles = illustrative_profiles(folder / "profiles.nc", "2021-07-25")
    for layout in Layout:
        job = Job({"plume": profiles}, layout=layout, overwrite=True)
        summary = reretrieve(scene, job, folder / f"{layout}_reduced.nc")
        column = summary.products[1]
        print(f"{layout}: {summary.n_common} pixels, mean change {column.ratio_of_means:+.1f} %")
    figure = folder / "real_scene.png"
    draw(folder / "extend_reduced.nc", figure)
    return figure


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print(main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "real_scene")))
