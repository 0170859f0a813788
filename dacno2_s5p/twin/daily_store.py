"""Days of the twin world in files: the truth at the overpass and what the stations measured.

A year is a run over its days; a day that has its file is skipped, so that a run goes on where it
stopped, and days may be shared out among processes: each is independent of all others.

Measured on one core of an AMD EPYC (Zen 4), torch on one thread: 7 CPU s to build a world, then
2.0 CPU s a day for the truth, 0.5 for the CAMS-like field at three stamps, 1.0 for 24 hours of
weather on pressure levels.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.air.profile import NETWORK_HEIGHTS
from dacno2_s5p.twin.land.world import CRS, as_day
from dacno2_s5p.twin.writers.profiles import overpass_mean
from dacno2_s5p.twin.writers.variables import attributes, dimensions, new_netcdf, put
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from dacno2_s5p.twin.twin import Twin

logger = logging.getLogger(__name__)


def days_between(start: np.datetime64 | str, end: np.datetime64 | str) -> list[np.datetime64]:
    """Dates from `start` to `end`, both included.

    Raises
    ------
    ValueError
        If the end lies before the start.
    """
    first, last = as_day(start), as_day(end)
    if last < first:
        msg = (
            "Invalid period. The end must not lie before the start. "
            f"Given {first} to {last}. Swap them."
        )
        raise ValueError(msg)
    count = int((last - first) / np.timedelta64(1, "D")) + 1
    return [first + np.timedelta64(i, "D") for i in range(count)]


def day_path(folder: Path, date: np.datetime64) -> Path:
    """File of a day."""
    return folder / f"twin_{str(date).replace('-', '')}.nc"


def simulate_days(
    twin: Twin,
    start: np.datetime64 | str,
    end: np.datetime64 | str,
    folder: Path,
) -> Iterator[Path]:
    """Simulate days and keep one file for each; those that exist are not simulated again.

    Parameters
    ----------
    twin : Twin
        The world.
    start, end : datetime64 or str
        First and last day.
    folder : Path
        Where the files go.

    Yields
    ------
    Path
        The file of each day in turn: true NO2 at the network's heights as the mean of 11-13 UTC
        and as the mean of the day [ug m-3], the stations' hourly values and their cells' truth.
    """
    for day in days_between(start, end):
        path = day_path(folder, day)
        if not path.exists():
            _write_day(twin, path, day)
            logger.info("simulated %s", day)
        yield path


def daily_mean(twin: Twin, date: np.datetime64, every: int = 3) -> NDArray[np.float32]:
    """Mean of a day [mol m-3] at the network's heights from stamps `every` hours apart."""
    return np.asarray(overpass_mean(twin, date, NETWORK_HEIGHTS, tuple(range(1, 24, every))))


def _write_day(twin: Twin, path: Path, day: np.datetime64) -> None:
    twin.day(day)
    unit = np.float32(MICROGRAM_M3_TO_MOL_M3)
    with new_netcdf(path, overwrite=False) as dataset:
        dataset.setncatts({**attributes(twin, "A day of the twin world"), "crs": CRS})
        _axes(twin, dataset)
        space = ("height", "y", "x")
        what = {"no2_overpass": overpass_mean(twin, day), "no2_day": daily_mean(twin, day)}
        for name, values in what.items():
            variable = dataset.createVariable(
                name, "f4", space, compression="zlib", complevel=1, significant_digits=4
            )
            variable.units = "ug m-3"
            variable[...] = values / unit
        hourly = ("hour", "station")
        observed, truth = twin.observations(day), twin.station_truth(day)
        put(dataset, "station_no2", hourly, observed, compress=True, units="ug m-3")
        put(dataset, "station_truth", hourly, truth, compress=True, units="ug m-3")


def _axes(twin: Twin, dataset: netCDF4.Dataset) -> None:
    n_y, n_x = twin.grid.shape
    heights = np.asarray(NETWORK_HEIGHTS)
    dimensions(dataset, height=heights.size, y=n_y, x=n_x, hour=24, station=twin.stations.size)
    put(dataset, "height", ("height",), heights, units="m", positive="up")
    put(dataset, "y", ("y",), twin.grid.y, units="m")
    put(dataset, "x", ("x",), twin.grid.x, units="m")
