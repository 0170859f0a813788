"""CAMS global files on pressure levels as the new Atmosphere Data Store writes them.

Layout: docs/formats.md 4.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.land.world import BOX, as_day, stamp
from dacno2_s5p.twin.writers.variables import (
    attributes,
    create,
    dimensions,
    new_netcdf,
    put,
    seconds_since_1970,
)
from retrieval.physics.constants import MASS_TO_MOLE_FRACTION
from retrieval.physics.geometry.grids import RectilinearGrid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.twin.twin import Twin

LEVELS = (
    *(1000, 950, 925, 900, 850, 800, 700, 600, 500, 400, 300, 250, 200),
    *(150, 100, 70, 50, 30, 20, 10, 7, 5, 3, 2, 1),
)
"""The 25 pressure levels [hPa]."""

SPACING = 0.75
"""Grid of the global reanalysis [degree]."""

HOURS = (0, 3, 6, 9, 12, 15, 18, 21)
"""Stamps of a day."""


def global_grid(full: bool = False) -> RectilinearGrid:
    """Build the points inside the box around the domain, or those of the globe.

    Examples
    --------
    >>> global_grid().shape, global_grid(full=True).shape
    ((21, 27), (241, 480))
    """
    x = np.arange(480) * SPACING - 180.0
    y = np.arange(241) * SPACING - 90.0
    if not full:
        west, south, east, north = BOX
        x, y = x[(x >= west) & (x <= east)], y[(y >= south) & (y <= north)]
    return RectilinearGrid.from_centres(x, y)


def write_cams_global(
    twin: Twin,
    folder: Path,
    date: np.datetime64 | str,
    hours: Sequence[int] = HOURS,
    *,
    full: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a day of NO2 [kg kg-1] on 25 pressure levels, latitudes and levels descending.

    The fields are those of the TM5-like model on the finer grid. Below the ground and above the
    highest layer the nearest layer's value stands.

    Parameters
    ----------
    twin : Twin
        The world.
    folder : Path
        Where the file goes.
    date : datetime64 or str
        Day.
    hours : sequence of int
        Stamps [UTC].
    full : bool
        The whole globe (a clean profile outside the frame) instead of the box.
    overwrite : bool
        Replace an existing file.
    """
    day = as_day(date)
    grid = global_grid(full)
    longitude = grid.x % 360.0 if full else grid.x
    order = np.argsort(longitude, kind="stable")
    path = folder / f"cams_global_no2_{str(day).replace('-', '')}.nc"
    times = np.array([stamp(day, hour) for hour in hours])
    space = ("valid_time", "pressure_level", "latitude", "longitude")
    with new_netcdf(path, overwrite) as dataset:
        described = attributes(twin, "CAMS-global-like reanalysis of NO2")
        dataset.setncatts({**described, "Conventions": "CF-1.7", "GRIB_centre": "none"})
        dimensions(
            dataset,
            valid_time=times.size,
            pressure_level=len(LEVELS),
            latitude=grid.shape[0],
            longitude=grid.shape[1],
        )
        put(
            dataset,
            "valid_time",
            ("valid_time",),
            seconds_since_1970(times),
            units="seconds since 1970-01-01",
            standard_name="time",
            calendar="proleptic_gregorian",
        )
        levels = np.asarray(LEVELS, "f8")
        put(dataset, "pressure_level", ("pressure_level",), levels, units="hPa")
        put(dataset, "latitude", ("latitude",), grid.y[::-1], units="degrees_north")
        put(dataset, "longitude", ("longitude",), longitude[order], units="degrees_east")
        no2 = create(
            dataset,
            "no2",
            space,
            "f4",
            fill=np.nan,
            compress=True,
            units="kg kg**-1",
            long_name="Nitrogen dioxide mass mixing ratio",
            standard_name="mass_fraction_of_nitrogen_dioxide_in_air",
            GRIB_paramId=210121,
        )
        for i, hour in enumerate(hours):
            no2[i] = _on_levels(twin, day, hour, grid)[:, ::-1, order]
    return path


def _on_levels(
    twin: Twin, day: np.datetime64, hour: int, grid: RectilinearGrid
) -> NDArray[np.float32]:
    """Mass mixing ratio, linear in ln p between the layers' middles, (n_level, n_y, n_x)."""
    fields = twin.tm5.fields(day, 2 * hour, grid)
    a, b = twin.tm5.a[:, None, None], twin.tm5.b[:, None, None]
    edges = np.maximum(a + b * fields.surface_pressure, 1.0)
    middle = 0.5 * (np.log(edges[:-1]) + np.log(edges[1:]))
    target = np.log(np.asarray(LEVELS, np.float64) * 100.0)
    out = np.empty((target.size, *grid.shape), np.float32)
    for j, i in np.ndindex(*grid.shape):
        out[:, j, i] = np.interp(-target, -middle[:, j, i], fields.no2[:, j, i])
    return np.asarray(out / MASS_TO_MOLE_FRACTION, np.float32)
