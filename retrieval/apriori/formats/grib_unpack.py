"""The process that unpacks GRIB: `python grib_unpack.py GRIB NETCDF`, started by grib.py.

It imports nothing of this package. Fields are laid out by the time they are valid at: the steps of
ERA5's accumulations (docs/formats.md 5.1) need no knowledge of their forecast. Each variable keeps
its own times and levels, so that nothing is filled up.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FIELDS_AT_ONCE = 24
"""Times decoded together: a day of hours."""

_TIME = "valid_time"
_GRID = ("latitude", "longitude")
_KEPT = ("units", "long_name", "standard_name", "GRIB_paramId", "GRIB_stepType")


def unpack(grib: str, target: str) -> None:
    """Write every variable of a GRIB file into a netCDF file.

    Raises
    ------
    Exception
        Whatever eccodes and cfgrib raise on damage; `ValueError` for what is on no plain grid.
    """
    import cfgrib

    # an empty indexpath: no index file beside the user's data
    stream = cfgrib.FileStream(grib, errors="raise")
    index = cfgrib.dataset.open_fileindex(stream, "", cfgrib.compute_index_keys((_TIME,)))
    kinds = [(int(p), str(t)) for p in index["paramId"] for t in index["typeOfLevel"]]
    with netCDF4.Dataset(target, "w") as dataset:
        for number, type_of_level in kinds:
            part = index.subindex(paramId=number, typeOfLevel=type_of_level)
            if part.field_ids_index:
                opened = cfgrib.open_from_index(part, time_dims=(_TIME,), errors="raise")
                _write(dataset, opened.variables)


def _write(dataset: netCDF4.Dataset, variables: Mapping[str, Any]) -> None:
    """Write what cfgrib found for one parameter; its coordinates are shared where equal."""
    name = next(n for n, v in variables.items() if "GRIB_paramId" in v.attributes)
    stored = variables[name]
    names = tuple(dict.fromkeys((_TIME, *stored.dimensions)))
    if not {*_GRID, *names} <= variables.keys() or name in dataset.variables:
        given = "twice" if name in dataset.variables else f"along {', '.join(stored.dimensions)}"
        msg = f"{name} is there {given}"
        raise ValueError(msg)
    coordinates = {n: np.atleast_1d(np.asarray(variables[n].data)) for n in names}
    axes = {
        n: _axis(dataset, n, values, variables[n].attributes) for n, values in coordinates.items()
    }
    target = dataset.createVariable(name, "f4", tuple(axes[n] for n in names), fill_value=np.nan)
    target.setncatts({k: v for k, v in stored.attributes.items() if k in _KEPT})
    _copy_values(stored, target, _TIME in stored.dimensions)


def _copy_values(stored: Any, target: netCDF4.Variable[Any], has_time: bool) -> None:
    everything = (slice(None),) * (target.ndim - 1)
    if not has_time:
        target[0] = stored.data[everything]
        return
    axis = stored.dimensions.index(_TIME)
    for start in range(0, target.shape[0], FIELDS_AT_ONCE):
        chosen = slice(start, min(start + FIELDS_AT_ONCE, target.shape[0]))
        item = (*everything[:axis], chosen, *everything[axis:])
        target[chosen] = np.moveaxis(stored.data[item], axis, 0)


def _axis(
    dataset: netCDF4.Dataset, name: str, values: NDArray[Any], attributes: Mapping[str, Any]
) -> str:
    """Return the dimension with these coordinates, made under a free name where there is none."""
    free = name
    number = 1
    while free in dataset.dimensions:
        held = dataset.variables[free]
        if held.shape == values.shape and np.array_equal(held[:], values):
            return free
        number += 1
        free = f"{name}_{number}"
    dataset.createDimension(free, values.size)
    coordinate = dataset.createVariable(free, values.dtype, (free,))
    coordinate.setncatts(
        {k: v for k, v in attributes.items() if k in ("units", "calendar", "standard_name")}
    )
    coordinate[:] = values
    return free


if __name__ == "__main__":
    try:
        unpack(*sys.argv[1:])
    except Exception as error:
        sys.stdout.write(str(error) or type(error).__name__)
        sys.exit(1)
