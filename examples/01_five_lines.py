"""An orbit and a model in, new columns out: five lines, and a picture of what they change.

Run: `python examples/01_five_lines.py`; the orbit and the model field come with the package. Both
are synthetic: some pixels over Paris of a simulated orbit, and the CAMS of the twin world.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import xarray as xr

import retrieval as rt

COLUMN = "nitrogendioxide_tropospheric_column"
UNIT = 6.02214e19 / 1e15
"""From mol m-2 to 1e15 molecules cm-2."""


def new_columns() -> xr.Dataset:
    """Re-retrieve the sample orbit with the sample model, which xarray has open."""
    orbit = rt.open_orbit(rt.sample("orbit"))
    model = xr.open_dataset(rt.sample("model"))
    print(orbit)
    new = rt.substitute(orbit, {"mymodel": model})
    return new.where(new.qa_value > 0.75)


def main(folder: Path = Path()) -> Path:
    """Draw the column before and after, and the change; return the figure."""
    new = new_columns()
    panels = {
        "with the TM5 a priori": new[COLUMN] * UNIT,
        "with the model's": new[f"{COLUMN}_MYMODEL_apriori"] * UNIT,
        "change [%]": new.relative_change_MYMODEL_vs_TM5,
    }
    top = float(max(panel.max() for panel in list(panels.values())[:2]))
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    for axis, (title, values) in zip(axes, panels.items(), strict=True):
        is_change = "%" in title
        scale = {"cmap": "RdBu_r", "center": 0.0} if is_change else {"vmin": 0.0, "vmax": top}
        label = "%" if is_change else "1e15 molecules cm-2"
        values.plot(x="longitude", y="latitude", ax=axis, cbar_kwargs={"label": label}, **scale)
        axis.set_title(title)
    path = folder / "five_lines.png"
    figure.savefig(path, dpi=120)
    return path


if __name__ == "__main__":
    print(main(Path(*sys.argv[1:2])))
