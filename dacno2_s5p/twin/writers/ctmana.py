"""AUX_CTMANA files of a TM5-like model (docs/formats.md 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.land.world import BOX, as_day
from dacno2_s5p.twin.models.tm5_model import STEPS, ctmana_grid
from dacno2_s5p.twin.writers.variables import attributes, create, dimensions, new_netcdf, put

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import netCDF4

    from dacno2_s5p.twin.twin import Twin
    from retrieval.physics.geometry.grids import RectilinearGrid

OVERPASS_STEPS = tuple(range(20, 31))
"""Half hours from 10:00 to 15:00 UTC, those of European overpasses."""

CREATED = "T060000"
"""Clock of the creation time in names; its date is the next day, so that names repeat."""


def ctmana_name(date: np.datetime64) -> str:
    """Name of the file of a day.

    Examples
    --------
    >>> ctmana_name(np.datetime64("2019-07-10"))
    'S5P_OPER_AUX_CTMANA_20190710T000000_20190711T000000_20190711T060000.nc'
    """
    day = str(date).replace("-", "")
    following = str(date + np.timedelta64(1, "D")).replace("-", "")
    return f"S5P_OPER_AUX_CTMANA_{day}T000000_{following}T000000_{following}{CREATED}.nc"


def write_ctmana(
    twin: Twin,
    folder: Path,
    date: np.datetime64 | str,
    steps: Sequence[int] | None = None,
    *,
    full: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a day of 1 degree profiles on TM5's 34 layers.

    Parameters
    ----------
    twin : Twin
        The world.
    folder : Path
        Where the file goes.
    date : datetime64 or str
        Day.
    steps : sequence of int, optional
        Half hours (0-47); by default those of European overpasses, with `full` all.
    full : bool
        The whole globe instead of the cells around the domain.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
    """
    day = as_day(date)
    grid = ctmana_grid(None if full else BOX)
    chosen = tuple(steps) if steps is not None else tuple(range(STEPS)) if full else OVERPASS_STEPS
    path = folder / ctmana_name(day)
    with new_netcdf(path, overwrite, "NETCDF3_64BIT_OFFSET") as dataset:
        dataset.setncatts(attributes(twin, "TM5-MP-like NO2 profiles"))
        dimensions(dataset, time=len(chosen), lev=34, lat=grid.shape[0], lon=grid.shape[1], ilev=35)
        _axes(twin, dataset, day, grid, chosen)
        _fields(twin, dataset, day, grid, chosen)
    return path


def _axes(
    twin: Twin,
    dataset: netCDF4.Dataset,
    day: np.datetime64,
    grid: RectilinearGrid,
    steps: Sequence[int],
) -> None:
    a, b = twin.tm5.a, twin.tm5.b
    start = float((day - np.datetime64("1950-01-01", "D")) / np.timedelta64(1, "D"))
    put(dataset, "lon", ("lon",), grid.x, units="degrees_east")
    put(dataset, "lat", ("lat",), grid.y, units="degrees_north")
    put(dataset, "lev", ("lev",), np.arange(1, 35, dtype="i4"), units="1")
    time = start + np.asarray(steps) / STEPS
    put(dataset, "time", ("time",), time, units="days since 1950-01-01 00:00:00")
    put(dataset, "hyai", ("ilev",), a, units="Pa")
    put(dataset, "hybi", ("ilev",), b, units="1")
    put(dataset, "hyam", ("lev",), 0.5 * (a[:-1] + a[1:]), units="Pa")
    put(dataset, "hybm", ("lev",), 0.5 * (b[:-1] + b[1:]), units="1")
    altitude = twin.tm5.surface_altitude(grid)
    put(dataset, "surface_altitude", ("lat", "lon"), altitude, units="m")


def _fields(
    twin: Twin,
    dataset: netCDF4.Dataset,
    day: np.datetime64,
    grid: RectilinearGrid,
    steps: Sequence[int],
) -> None:
    four, three = ("time", "lev", "lat", "lon"), ("time", "lat", "lon")
    name = "mole_fraction_of_nitrogen_dioxide_in_air"
    no2 = create(
        dataset, "no2", four, "f4", units="1", standard_name=name, moleweight_tracer=46.0055
    )
    t = create(dataset, "t", four, "f4", units="K")
    ps = create(dataset, "ps", three, "f4", units="Pa")
    layer = create(dataset, "tropopause_layer_index", three, "i4", units="1")
    for i, step in enumerate(steps):
        fields = twin.tm5.fields(day, step, grid)
        no2[i], t[i] = fields.no2, fields.temperature
        ps[i], layer[i] = fields.surface_pressure, fields.tropopause_layer
