"""Your CMAQ or CAMx run as the a priori: where its layers are, and what its profiles change.

The figure shows the model's mean profile against the sensitivity of the retrieval, and the new
columns against the old. Run `python examples/07_your_cmaq.py FOLDER RUN [ORBIT]`; RUN is a file or
a folder of the model, with METCRO3D and METCRO2D in it where you have them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import xarray as xr

import retrieval as rt

SET = "CMAQ"


def with_the_model(orbit: Path, run: Path) -> xr.Dataset:
    """Re-retrieve an orbit, with the profiles and kernels that were used."""
    print(rt.open_apriori(run))
    return rt.substitute(orbit, {SET: run}, rt.Options(profiles=True, kernels=True))


def draw(new: xr.Dataset, figure: Path) -> Path:
    """Draw the mean profile beside the mean kernel, and new columns over old ones."""
    page, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    pixels = ("scanline", "ground_pixel")
    amount = 1e6 * new[f"apriori_partial_column_{SET}"].mean(pixels)
    layer = range(1, amount.size + 1)
    left.barh(layer, amount, color="tab:orange")
    left.set(xlabel="model's NO2 [umol m-2]", ylabel="layer of the retrieval, from the ground up")
    kernel = new[f"averaging_kernel_troposphere_{SET}_apriori"].mean(pixels)
    left.twiny().plot(kernel, layer, color="tab:blue", label="kernel, top axis")
    left.figure.legend(loc="upper left", bbox_to_anchor=(0.25, 0.8))
    good = new.where(new.qa_value > 0.75)
    old_name = "nitrogendioxide_tropospheric_column"
    old, changed = (1e6 * good[name] for name in (old_name, f"{old_name}_{SET}_apriori"))
    right.scatter(old, changed, s=12)
    right.axline((0.0, 0.0), slope=1.0, color="grey", lw=1)
    right.set(xlabel="with TM5's profiles [umol m-2]", ylabel="with the model's [umol m-2]")
    page.savefig(figure, dpi=120)
    print(f"mean column {float(100 * (changed.mean() / old.mean() - 1)):+.1f} %")
    return figure


def main(folder: Path, run: Path, orbit: Path | None = None) -> Path:
    """Run the example; return the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    return draw(with_the_model(orbit or rt.sample("orbit"), run), folder / "your_cmaq.png")


if __name__ == "__main__":
    print(main(*map(Path, sys.argv[1:])))
