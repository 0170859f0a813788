"""Ready workspaces for tests of whole commands: one small orbit and the sets that go with it.

The orbit is 24 x 20 pixels near Orleans at 12:20 UTC of `DAY`; all sets hold the made-up NO2 of
`set_builders`, so that two sets of different kinds agree within their levels.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from retrieval.apriori.profile_file import Profiles, write_profile_file
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.geometry.grids import RectilinearGrid
from tests.builders.orbit_builder import build_orbit
from tests.builders.set_builders import (
    CAMS_HEIGHTS,
    concentration,
    mesh,
    temperature,
    write_cams_month,
    write_ctmana,
)

DAY = "2019-06-01"
SHAPE = (24, 20)
"""Scanlines and ground pixels of the orbit, which covers 1.3-2.7 E, 47.3-48.7 N."""
BOUNDS = (0.0, 46.0, 4.0, 50.0)
"""West, south, east, north of the sets [degrees]: the orbit and a margin."""
HEIGHTS = np.array([0.0, 50, 250, 500, 1000, 2000, 3000, 5000])


@dataclass(frozen=True)
class Workspace:
    """A folder as `--workspace` wants it, with an orbit beside the sets."""

    folder: Path
    orbit: Path

    @property
    def profiles(self) -> Path:
        return self.folder / "profiles"

    @property
    def cams(self) -> Path:
        return self.folder / "cams"

    @property
    def ctm(self) -> Path:
        return self.folder / "ctm"


def axis(first: float, last: float, step: float) -> np.ndarray:
    """Return cell centres between two edges."""
    return first + step * (np.arange(round((last - first) / step)) + 0.5)


def write_profiles(
    path: Path,
    *,
    day: str = DAY,
    bounds: tuple[float, float, float, float] = BOUNDS,
    step: float = 0.1,
    uncertainty: bool = False,
    compressed: bool = True,
    **attributes: str,
) -> Path:
    """Write one day of profiles in degrees, the made-up NO2 as mol m-3.

    `compressed=False` rewrites the file as classic netCDF, which has no checksums.
    """
    west, south, east, north = bounds
    grid = RectilinearGrid.from_centres(axis(west, east, step), axis(south, north, step))
    lat, lon = mesh(grid.y, grid.x)
    no2 = concentration(HEIGHTS[:, None, None], lat, lon) / 10.0 * MICROGRAM_M3_TO_MOL_M3
    needed = dict.fromkeys(("title", "institution", "history", "references"), "made for a test")
    time = np.array([f"{day}T12:00"], dtype="datetime64[ms]")
    written = write_profile_file(
        path,
        Profiles(
            no2=no2[None],
            height=HEIGHTS,
            grid=grid,
            time=time,
            time_bounds=np.stack([time - 90 * 60_000, time + 90 * 60_000], axis=-1),
            uncertainty=0.2 * no2[None] if uncertainty else None,
            attributes={**needed, "source": "made up", **attributes},
        ),
    )
    if not compressed:
        netcdf4 = shutil.move(written, written.with_suffix(".tmp"))
        to_classic(netcdf4, written)
        netcdf4.unlink()
    return written


def to_classic(source: Path, target: Path) -> Path:
    """Copy a flat netCDF-4 file into the classic format."""
    with (
        netCDF4.Dataset(source) as old,
        netCDF4.Dataset(target, "w", format="NETCDF3_CLASSIC") as new,
    ):
        old.set_auto_maskandscale(False)
        new.setncatts({name: old.getncattr(name) for name in old.ncattrs()})
        for name, dimension in old.dimensions.items():
            new.createDimension(name, len(dimension))
        for name, variable in old.variables.items():
            attributes = {key: variable.getncattr(key) for key in variable.ncattrs()}
            fill = attributes.pop("_FillValue", None)
            copy = new.createVariable(name, variable.dtype, variable.dimensions, fill_value=fill)
            copy.set_auto_maskandscale(False)
            copy.setncatts(attributes)
            copy[...] = variable[...]
    return target


def write_cams(folder: Path, *, day: str = DAY, **kwargs: object) -> Path:
    """Write the ten levels of a European reanalysis month that starts on `day`, one day of it."""
    folder.mkdir(parents=True, exist_ok=True)
    west, south, east, north = BOUNDS
    for level in CAMS_HEIGHTS:
        write_cams_month(
            folder,
            level,
            month=day[:7],
            n_time=24,
            latitude=axis(south, north, 0.1),
            longitude=axis(west, east, 0.1),
            **kwargs,
        )
    return folder


def write_era5(path: Path, *, day: str = DAY) -> Path:
    """Write temperatures on pressure levels, two hours, as the climate data store delivers them."""
    west, south, east, north = BOUNDS
    levels = np.array([1000.0, 925, 850, 700, 500, 400, 300, 250, 200, 150, 100])
    latitude, longitude = np.arange(north, south - 0.1, -0.25), np.arange(west, east + 0.1, 0.25)
    seconds = (np.datetime64(day) - np.datetime64("1970-01-01")).astype(int) * 86400
    seconds = seconds + np.array([12, 13]) * 3600
    lat, lon = mesh(latitude, longitude)
    values = [temperature(levels[:, None, None] * 100, lat, lon, hour) for hour in (12, 13)]
    with netCDF4.Dataset(path, "w") as ds:
        for name, coordinate, units in (
            ("valid_time", seconds, "seconds since 1970-01-01"),
            ("pressure_level", levels, "hPa"),
            ("latitude", latitude, "degrees_north"),
            ("longitude", longitude, "degrees_east"),
        ):
            ds.createDimension(name, coordinate.size)
            variable = ds.createVariable(name, coordinate.dtype, (name,))
            variable.units = units
            variable[:] = coordinate
        t = ds.createVariable("t", "f4", ("valid_time", "pressure_level", "latitude", "longitude"))
        t.units, t.standard_name = "K", "air_temperature"
        t[:] = np.stack(values)
    return Path(path)


def build_workspace(folder: Path) -> Workspace:
    """Build an orbit with profiles/, cams/ and ctm/ for it; some 5 MB in half a second."""
    for name in ("orbits", "profiles", "ctm"):
        (folder / name).mkdir(parents=True)
    orbit = build_orbit(
        folder / "orbits", n_scanline=SHAPE[0], n_ground_pixel=SHAPE[1], date=DAY, noise=0.2e15
    )
    write_profiles(folder / "profiles" / f"no2_{DAY}.nc")
    write_cams(folder / "cams")
    bounds = (-4.0, 42.0, 8.0, 54.0)
    write_ctmana(folder / "ctm" / "ctmana.nc", date=DAY, bounds=bounds)
    return Workspace(folder, orbit.path)
