"""The twin world's files, each kind in its folder: what a user's own downloads would look like."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.land.world import as_day
from dacno2_s5p.twin.writers.cams_europe import write_cams_forecast, write_cams_reanalysis
from dacno2_s5p.twin.writers.cams_global import write_cams_global
from dacno2_s5p.twin.writers.ctmana import write_ctmana
from dacno2_s5p.twin.writers.eea import write_eea, write_station_lists
from dacno2_s5p.twin.writers.era5 import write_era5_pressure, write_era5_single
from dacno2_s5p.twin.writers.flights import write_flights
from dacno2_s5p.twin.writers.inventory import write_inventory
from dacno2_s5p.twin.writers.profiles import write_true_profiles
from dacno2_s5p.twin.writers.rasters import (
    write_grip4,
    write_land_cover,
    write_night_light,
    write_population,
    write_terrain,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dacno2_s5p.twin.twin import Twin

logger = logging.getLogger(__name__)


def write_day(
    twin: Twin,
    folder: Path,
    date: np.datetime64 | str,
    *,
    full: bool = False,
    overwrite: bool = False,
) -> list[Path]:
    """Write what re-retrieving a day needs, into the folders of a workspace.

    Parameters
    ----------
    twin : Twin
        The world.
    folder : Path
        The workspace: gets `cams/`, `ctm/`, `era5/` and `truth/`.
    date : datetime64 or str
        Day.
    full : bool
        Whole files (Europe, globe, all hours) instead of the box and the overpass hours.
    overwrite : bool
        Replace existing files.

    Returns
    -------
    list of Path
    """
    day = as_day(date)
    logger.info("twin world of %s", day)
    hours = tuple(range(24)) if full else (10, 11, 12, 13, 14, 15)
    cams_hours = tuple(range(24)) if full else (11, 12, 13)
    cams = write_cams_reanalysis(
        twin, folder / "cams", [day], cams_hours, full=full, overwrite=overwrite
    )
    return [
        *cams,
        write_ctmana(twin, folder / "ctm", day, full=full, overwrite=overwrite),
        write_era5_pressure(twin, folder / "era5", day, hours, overwrite=overwrite),
        write_true_profiles(twin, folder / "truth", day, dense=True, overwrite=overwrite),
        write_true_profiles(twin, folder / "truth8", day, overwrite=overwrite),
    ]


def write_training_files(
    twin: Twin,
    folder: Path,
    dates: Iterable[np.datetime64 | str],
    *,
    hours: tuple[int, ...] = tuple(range(24)),
    overwrite: bool = False,
) -> list[Path]:
    """Write what `prepare` reads for some days: weather, CAMS, stations, flights, inventories.

    Parameters
    ----------
    twin : Twin
        The world.
    folder : Path
        Gets `era5/`, `cams/`, `eea/`, `flights/` and `emissions/`.
    dates : iterable of dates
        Days.
    hours : tuple of int
        Stamps of CAMS; the weather has all 24.
    overwrite : bool
        Replace existing files; without it, weather files that exist are left as they are, so that
        an interrupted run goes on where it stopped.

    Returns
    -------
    list of Path
    """
    days = sorted({as_day(date) for date in dates})
    paths: list[Path] = []
    for day in days:
        paths += _weather_files(twin, folder / "era5", day, overwrite)
    paths += write_cams_reanalysis(twin, folder / "cams", days, hours, overwrite=overwrite)
    paths += write_eea(twin, folder / "eea", days, overwrite=overwrite)
    paths += write_station_lists(twin, folder / "eea", overwrite=overwrite)
    paths.append(write_flights(twin, folder / "flights", days, overwrite=overwrite))
    for year in sorted({int(str(day)[:4]) for day in days}):
        paths.append(write_inventory(twin, folder / "emissions", year, overwrite=overwrite))
    return paths


def _weather_files(twin: Twin, folder: Path, day: np.datetime64, overwrite: bool) -> list[Path]:
    compact = str(day).replace("-", "")
    expected = [folder / f"era5_single_{compact}.zip", folder / f"era5_pressure_{compact}.nc"]
    if not overwrite and all(path.exists() for path in expected):
        return expected
    return [
        write_era5_single(twin, folder, day, overwrite=True),
        write_era5_pressure(twin, folder, day, overwrite=True),
    ]


def write_static(twin: Twin, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write the static rasters: roads, night light, population, land cover, terrain."""
    return [
        *write_grip4(twin, folder / "grip4", overwrite=overwrite),
        write_night_light(twin, folder / "viirs", overwrite=overwrite),
        write_population(twin, folder / "geostat", overwrite=overwrite),
        write_land_cover(twin, folder / "corine", overwrite=overwrite),
        *write_terrain(twin, folder / "merit", overwrite=overwrite),
    ]


def write_other_layouts(
    twin: Twin, folder: Path, date: np.datetime64 | str, *, overwrite: bool = False
) -> list[Path]:
    """Write a day of the sets that the headline comparison does not need: forecast and global."""
    day = as_day(date)
    return [
        write_cams_forecast(twin, folder / "cams_forecast", day, overwrite=overwrite),
        write_cams_global(twin, folder / "cams_global", day, overwrite=overwrite),
    ]
