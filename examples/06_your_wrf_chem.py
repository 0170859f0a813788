"""Your WRF-Chem run as the a priori: profiles at their own resolution, columns on their own.

The figure shows the model's column over the pixels, and what its profiles change in the retrieval.
Run `python examples/06_your_wrf_chem.py FOLDER WRFOUT [ORBIT]`; WRFOUT is a file of the model or a
folder of its hours. Without an orbit the packaged one over Paris is taken.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import xarray as xr

import retrieval as rt


def with_the_model(orbit: Path, wrfout: Path) -> xr.Dataset:
    """Re-retrieve an orbit with the model's profiles; nothing needs to be said of its files."""
    print(rt.open_apriori(wrfout))
    new = rt.substitute(orbit, {"wrf": wrfout})
    done = int((new.substitution_flag_WRF == rt.SubstitutionFlag.DONE).sum())
    print(f"{done} of {new.substitution_flag_WRF.size} pixels have a new column")
    return new


def draw(new: xr.Dataset, figure: Path) -> Path:
    """Draw what the model has, what the instrument would see of it, and what changes."""
    page, axes = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    names = ("apriori_tropospheric_column_WRF", "apriori_tropospheric_column_WRF_kernel")
    titles = ("model's column", "as the instrument sees it")
    scale = {"vmin": 0.0, "vmax": 1e6 * float(new[names[0]].max()), "cmap": "viridis"}
    for ax, name, title in zip(axes[:2], names, titles, strict=True):
        micromole = (1e6 * new[name]).assign_attrs(units="umol m-2", long_name="NO2")
        micromole.plot(x="longitude", y="latitude", ax=ax, **scale)
        ax.set_title(title)
    change = new.relative_change_WRF_vs_TM5.where(new.qa_value > 0.75)
    change.plot(x="longitude", y="latitude", center=0.0, cmap="RdBu_r", ax=axes[2])
    axes[2].set_title("change of TROPOMI's column")
    page.savefig(figure, dpi=120)
    return figure


def main(folder: Path, wrfout: Path, orbit: Path | None = None) -> Path:
    """Run the example; return the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    new = with_the_model(orbit or rt.sample("orbit"), wrfout)
    return draw(new, folder / "your_wrf_chem.png")


if __name__ == "__main__":
    print(main(*map(Path, sys.argv[1:])))
