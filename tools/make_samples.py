"""Make the packaged samples: a tiny simulated orbit over Paris and a model field under it.

Run `dacno2-s5p twin FOLDER --start 2023-06-01 --files l2,cams`, then
`python tools/make_samples.py FOLDER`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

import retrieval as rt
from retrieval.door import SAMPLES
from retrieval.l2.names import TROPOMI as NAMES
from retrieval.l2.sensors.tropomi import OPTIONAL, REQUIRED

ROWS, COLUMNS = slice(193, 205), slice(179, 191)
"""Pixels of orbit 29185 whose middle is Paris."""
AREA = (0.5, 47.9, 4.2, 49.9)
"""Of the model field: west, south, east, north [degree]."""


KEPT = {
    *(*REQUIRED, *OPTIONAL, *NAMES.fields.values(), NAMES.cloud, NAMES.sun, NAMES.snow),
    *(NAMES.surface, "nitrogendioxide_tropospheric_column_precision"),
    *("scanline", "ground_pixel", "corner", "layer", "vertices", "processing_quality_flags"),
}
"""Variables of the sample: what the retrieval, maps and strata use."""
PARTS = {"scanline": ROWS, "ground_pixel": COLUMNS}


def _copy(source: netCDF4.Dataset, target: netCDF4.Dataset) -> None:
    """Copy a group, cropped, with the variables that are kept."""
    target.setncatts({key: source.getncattr(key) for key in source.ncattrs()})
    for name, dimension in source.dimensions.items():
        part = PARTS.get(name, slice(0, len(dimension)))
        target.createDimension(name, part.stop - part.start)
    for name, variable in source.variables.items():
        if name not in KEPT:
            continue
        variable.set_auto_maskandscale(False)
        given = {key: variable.getncattr(key) for key in variable.ncattrs()}
        new = target.createVariable(
            name, variable.dtype, variable.dimensions, compression="zlib", complevel=9,
            shuffle=True, fill_value=given.pop("_FillValue", None),
        )  # fmt: skip
        new.set_auto_maskandscale(False)
        new.setncatts(given)
        new[...] = variable[tuple(PARTS.get(one, slice(None)) for one in variable.dimensions)]
    for name, group in source.groups.items():
        if name not in ("QA_STATISTICS", "ALGORITHM_SETTINGS", "ESA_METADATA", "ISO_METADATA"):
            _copy(group, target.createGroup(name))


def main(folder: Path) -> None:
    """Write both samples."""
    orbit = next((folder / "orbits").glob("*_29185_*.nc"))
    SAMPLES["orbit"].parent.mkdir(exist_ok=True)
    with (
        netCDF4.Dataset(orbit) as source,
        netCDF4.Dataset(SAMPLES["orbit"], "w", format="NETCDF4") as target,
    ):
        _copy(source, target)
    opened = rt.open_apriori(folder / "cams")
    west, south, east, north = AREA
    x, y = opened.grid.x, opened.grid.y
    columns = slice(int(np.searchsorted(x, west)), int(np.searchsorted(x, east)))
    rows = slice(int(np.searchsorted(y, south)), int(np.searchsorted(y, north)))
    hours = [np.datetime64(f"2023-06-01T{hour}:00", "ms") for hour in (11, 12, 13)]
    fields = [opened.read(int(np.flatnonzero(opened.times == t)[0]), rows, columns) for t in hours]
    micrograms = np.stack(fields) * np.float32(46.0055e6)  # from mol m-3
    concentration = {
        "units": "ug m-3",
        "standard_name": "mass_concentration_of_nitrogen_dioxide_in_air",
    }
    made = xr.Dataset(
        {"no2": (("time", "height", "latitude", "longitude"), micrograms, concentration)},
        {
            "time": np.array(hours, "datetime64[ns]"),
            "height": ("height", opened.vertical.height, {"units": "m", "axis": "Z"}),
            "latitude": ("latitude", y[rows], {"units": "degrees_north"}),
            "longitude": ("longitude", x[columns], {"units": "degrees_east"}),
        },
        {"title": "a model field over Paris", "source": "synthetic: the CAMS of the twin world"},
    )
    made.to_netcdf(SAMPLES["model"], encoding={"no2": {"zlib": True, "complevel": 9}})
    for path in SAMPLES.values():
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
