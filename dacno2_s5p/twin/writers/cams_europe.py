"""CAMS European files as the Atmosphere Data Store delivers them (docs/formats.md 4.1, 4.2)."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.twin.air.profile import CAMS_HEIGHTS
from dacno2_s5p.twin.land.world import BOX, as_day, stamp
from dacno2_s5p.twin.models.cams_model import cams_grid
from dacno2_s5p.twin.writers.variables import attributes, create, dimensions, new_netcdf, put

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from dacno2_s5p.twin.twin import Twin
    from retrieval.physics.geometry.grids import RectilinearGrid

OVERPASS_HOURS = (11, 12, 13)
"""Stamps of the overpass mean (docs/equations.md 5)."""

VALIDATED_UNTIL = 2021
"""Last year whose files come from the validated reanalysis, as in the paper."""


def write_cams_reanalysis(
    twin: Twin,
    folder: Path,
    dates: Iterable[np.datetime64 | str],
    hours: Sequence[int] = OVERPASS_HOURS,
    *,
    full: bool = False,
    heights: Sequence[float] = CAMS_HEIGHTS,
    overwrite: bool = False,
) -> list[Path]:
    """Write months of the CAMS European reanalysis, one file for each month and height.

    Parameters
    ----------
    twin : Twin
        The world.
    folder : Path
        Where the files go.
    dates : iterable of dates
        Days; those of a month share its files.
    hours : sequence of int
        Stamps of each day [UTC].
    full : bool
        The whole European grid instead of the box around the domain, as an area subset.
    heights : sequence of float
        Heights above ground [m], whole numbers.
    overwrite : bool
        Replace existing files.

    Returns
    -------
    list of Path
        The files, by month and height.
    """
    days = sorted({as_day(date) for date in dates})
    written: list[Path] = []
    for month, members in groupby(days, key=lambda day: str(day)[:7]):
        written += _write_month(twin, folder, month, list(members), hours, full, heights, overwrite)
    return written


def reanalysis_name(month: str, height: float, full: bool) -> str:
    """Name of a file of the reanalysis.

    Examples
    --------
    >>> reanalysis_name("2019-07", 50, full=True)
    'cams.eaq.vra.ENSa.no2.l50.2019-07.nc'
    """
    stage = "vra" if int(month[:4]) <= VALIDATED_UNTIL else "ira"
    west, south, east, north = (f"{edge:g}" for edge in BOX)
    token = "" if full else f".area-subset.{north}.{east}.{south}.{west}"
    return f"cams.eaq.{stage}.ENSa.no2.l{height:g}.{month}{token}.nc"


def _write_month(
    twin: Twin,
    folder: Path,
    month: str,
    days: list[np.datetime64],
    hours: Sequence[int],
    full: bool,
    heights: Sequence[float],
    overwrite: bool,
) -> list[Path]:
    grid = cams_grid(int(month[:4]), None if full else BOX)
    moments = [(day, hour) for day in days for hour in hours]
    times = np.array([stamp(day, hour) for day, hour in moments])
    paths = [folder / reanalysis_name(month, height, full) for height in heights]
    # all levels side by side: a month of Europe at once would not fit into memory
    with ExitStack() as stack:
        levels = []
        for path in paths:
            dataset = stack.enter_context(new_netcdf(path, overwrite))
            levels.append(_month_file(twin, dataset, month, grid, times))
        for i, (day, hour) in enumerate(moments):
            fields = twin.cams.on_grid(day, hour, grid, heights)
            for variable, field in zip(levels, fields, strict=True):
                variable[i] = field
    return paths


def _month_file(
    twin: Twin,
    dataset: netCDF4.Dataset,
    month: str,
    grid: RectilinearGrid,
    times: NDArray[np.datetime64],
) -> netCDF4.Variable[Any]:
    """Coordinates of a file of the reanalysis; returns its empty `no2`."""
    dataset.setncatts(attributes(twin, "CAMS-like European air quality reanalysis"))
    dimensions(dataset, time=times.size, lat=grid.shape[0], lon=grid.shape[1])
    put(dataset, "lat", ("lat",), grid.y.astype("f4"), units="degrees_north")
    put(dataset, "lon", ("lon",), grid.x.astype("f4"), units="degrees_east")
    start = np.datetime64(f"{month}-01T00:00:00", "s")
    elapsed = ((times - start) / np.timedelta64(1, "h")).astype("f4")
    unit = f"hours since {month}-01 00:00:00"
    put(dataset, "time", ("time",), elapsed, units=unit, calendar="standard")
    return create(
        dataset,
        "no2",
        ("time", "lat", "lon"),
        "f4",
        compress=True,
        units="µg/m3",
        standard_name="mass_concentration_of_nitrogen_dioxide_in_air",
    )


def write_cams_forecast(
    twin: Twin,
    folder: Path,
    date: np.datetime64 | str,
    hours: Sequence[int] = tuple(range(24)),
    *,
    full: bool = False,
    analysis: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write a day of the European forecast or analysis: `no2_conc` on ten heights.

    Longitudes run 0-360 with the wrap at Greenwich, latitudes descend, and the date stands only
    in the long name of the time, as in the real files. The forecast has seen no station of the
    day but at its start; in version 1 of the world both carry the analysed field.
    """
    day = as_day(date)
    kind = "ANALYSIS" if analysis else "FORECAST"
    grid = cams_grid(2020, None if full else BOX)
    # every file from 335.05 over 359.95 and 0.05 on, as the real ones
    longitude = grid.x % 360.0
    compact = str(day).replace("-", "")
    path = folder / f"cams_europe_{kind.lower()}_{compact}.nc"
    with new_netcdf(path, overwrite, "NETCDF3_64BIT_OFFSET") as dataset:
        span = f"Europe, {compact}+[{hours[0]}H_{hours[-1]}H]"
        described = attributes(twin, f"CAMS-like European air quality {kind.lower()}")
        described["institution"] = "none (real files: Data produced by Meteo France); synthetic"
        dataset.setncatts({**described, kind: span, "project": "MACC-RAQ (synthetic)"})
        dimensions(
            dataset,
            longitude=longitude.size,
            latitude=grid.shape[0],
            level=len(CAMS_HEIGHTS),
            time=len(hours),
        )
        _forecast_axes(dataset, longitude, grid.y[::-1], hours, kind, compact)
        variable = create(
            dataset,
            "no2_conc",
            ("time", "level", "latitude", "longitude"),
            "f4",
            fill=-999.0,
            species="Nitrogen Dioxide",
            units="µg/m3",
            value="hourly values",
            standard_name="mass_concentration_of_nitrogen_dioxide_in_air",
        )
        for i, hour in enumerate(hours):
            forecast = not analysis and twin.version.number > 1
            variable[i] = twin.cams.on_grid(day, hour, grid, forecast=forecast)[:, ::-1]
    return path


def _forecast_axes(
    dataset: netCDF4.Dataset,
    longitude: NDArray[np.floating],
    latitude: NDArray[np.floating],
    hours: Sequence[int],
    kind: str,
    compact: str,
) -> None:
    put(dataset, "longitude", ("longitude",), longitude.astype("f4"), units="degrees_east")
    put(dataset, "latitude", ("latitude",), latitude.astype("f4"), units="degrees_north")
    put(dataset, "level", ("level",), np.array(CAMS_HEIGHTS, "f4"), units="m", long_name="level")
    name = f"{kind} time from {compact}"
    put(dataset, "time", ("time",), np.array(hours, "f4"), units="hours", long_name=name)
