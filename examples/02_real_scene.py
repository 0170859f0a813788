"""A made-up field on a real scene: what substitution does to real kernels, in both layouts.

The profiles are a clean background and one plume that drifts south-west of the Matimba power
plant: no estimate of anything. Run: `python examples/02_real_scene.py SCENE.nc [FOLDER]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import retrieval as rt

COLUMN, PLANT = "nitrogendioxide_tropospheric_column", (27.61, -23.67)
NAMES = [COLUMN, f"{COLUMN}_PLUME_apriori", "relative_change_PLUME_vs_TM5"]
HEIGHTS = [0.0, 50, 250, 500, 1000, 2000, 3000, 5000]
BACKGROUND = np.array([0.8, 0.75, 0.7, 0.6, 0.5, 0.3, 0.1, 0.03])[:, None, None]
PLUME = np.array([6, 7, 9, 8, 5, 1.5, 0.2, 0.05])[:, None, None]


def illustrative_profiles(day: str) -> xr.Dataset:
    """Return a background and a plume [ug m-3] at 0.02 degree; any CF field is a set."""
    x, y = np.arange(24.01, 31.5, 0.02), np.arange(-26.99, -20.3, 0.02)[:, None]
    away = np.clip(PLANT[0] - x, 0, None)
    shape = np.exp(-((y - PLANT[1] + 0.5 * away) ** 2) / (2 * (0.05 + 0.12 * away) ** 2))
    no2 = BACKGROUND + PLUME * np.where(x > PLANT[0] + 0.04, 0.0, shape * np.exp(-away / 1.2))
    return xr.Dataset(
        {"no2": (("time", "height", "latitude", "longitude"), no2[None], {"units": "ug m-3"})},
        {"time": [np.datetime64(f"{day}T12:00", "ns")], "latitude": y[:, 0], "longitude": x,
         "height": ("height", HEIGHTS, {"units": "m"})},
        {"source": "synthetic: analytic plume"},
    )  # fmt: skip


def main(scene: Path, folder: Path) -> Path:
    """Write both layouts, draw old and new columns and the change; return the figure."""
    illustrative_profiles("2021-07-25").to_netcdf(folder / "profiles.nc")
    for layout in ("extend", "replace"):
        job = rt.Job({"plume": folder / "profiles.nc"}, layout=layout, overwrite=True)
        print(layout, rt.reretrieve(scene, job, folder / f"{layout}_reduced.nc").products[1])
    with rt.open_orbit(folder / "extend_reduced.nc") as orbit:
        new = orbit.to_xarray(variables=NAMES)
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
    for axis, name, top in zip(axes, NAMES, (2e-4, 2e-4, 60), strict=True):
        new[name].where(new.qa_value > 0.75).plot(x="longitude", y="latitude", vmax=top, ax=axis)
        axis.plot(*PLANT, "k^")
    figure.savefig(path := folder / "real_scene.png", dpi=120)
    return path


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), Path(*sys.argv[2:3])))
