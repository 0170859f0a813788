"""A granule of any sensor with your model: the same lines for TEMPO, OMI, Sentinel-4 or your own.

The figure shows its columns as they are and with the model's profiles, on one scale. Run `python
examples/09_any_sensor.py FOLDER GRANULE MODEL [SENSOR.toml]`; the description is for products that
the package does not know, or whose kernels it cannot name (docs/sensors.md).
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

COLUMN = "nitrogendioxide_tropospheric_column"


def with_the_model(granule: Path, model: Path, sensor: Path | None) -> xr.Dataset:
    """Re-retrieve a granule; names are TROPOMI's and columns mol m-2, whatever the sensor."""
    with rt.open_orbit(granule, sensor=sensor) as orbit:
        print(orbit)
        return rt.substitute(orbit, {"MODEL": model})


def draw(new: xr.Dataset, figure: Path) -> Path:
    """Draw both columns where the product's guide recommends them."""
    good = new.where(new.qa_value > 0.75) if "qa_value" in new else new
    columns = {
        f"{new.attrs['sensor']}, its own a priori": 1e6 * good[COLUMN],
        "with the model's profiles": 1e6 * good[f"{COLUMN}_MODEL_apriori"],
    }
    top = float(np.nanpercentile(np.stack(list(columns.values())), 98))
    page, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained", sharey=True)
    for axis, (title, values) in zip(axes, columns.items(), strict=True):
        shown = axis.scatter(new.longitude, new.latitude, c=values, vmin=0, vmax=top, s=30)
        axis.set(title=title, xlabel="longitude [degrees]")
    axes[0].set_ylabel("latitude [degrees]")
    page.colorbar(shown, ax=axes, label="tropospheric NO2 [umol m-2]")
    page.savefig(figure, dpi=120)
    old, changed = (float(values.mean()) for values in columns.values())
    print(f"mean column {100 * (changed / old - 1):+.1f} %")
    return figure


def main(folder: Path, granule: Path, model: Path, sensor: Path | None = None) -> Path:
    """Run the example; return the figure."""
    folder.mkdir(parents=True, exist_ok=True)
    return draw(with_the_model(granule, model, sensor), folder / "any_sensor.png")


if __name__ == "__main__":
    print(main(*map(Path, sys.argv[1:])))
