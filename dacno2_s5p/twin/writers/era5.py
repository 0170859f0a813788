"""ERA5 files as the new Climate Data Store delivers them (docs/formats.md 5.1)."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.land.site import Site
from dacno2_s5p.twin.land.world import BOX, Points, as_day, day_hours
from dacno2_s5p.twin.weather.near_ground import STEFAN_BOLTZMANN, summer
from dacno2_s5p.twin.weather.upper_air import LEVELS, UpperAir
from dacno2_s5p.twin.weather.weather import SurfaceWeather
from dacno2_s5p.twin.writers.variables import (
    attributes,
    create,
    dimensions,
    new_netcdf,
    put,
    seconds_since_1970,
)
from retrieval.files.atomic import atomic_output
from retrieval.physics.geometry.grids import RectilinearGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

    import netCDF4
    from numpy.typing import NDArray

    from dacno2_s5p.twin.twin import Twin

SPACING = 0.25
"""Grid of ERA5 [degree]."""

INSTANT = {
    "u10": ("m s**-1", "10 metre U wind component"),
    "v10": ("m s**-1", "10 metre V wind component"),
    "t2m": ("K", "2 metre temperature"),
    "d2m": ("K", "2 metre dewpoint temperature"),
    "sp": ("Pa", "Surface pressure"),
    "blh": ("m", "Boundary layer height"),
    "tcc": ("(0 - 1)", "Total cloud cover"),
    "tcwv": ("kg m**-2", "Total column vertically-integrated water vapour"),
}
"""Instantaneous single-level variables."""

ACCUMULATED = {
    "tp": ("m", "Total precipitation"),
    "ssrd": ("J m**-2", "Surface short-wave (solar) radiation downwards"),
    "strd": ("J m**-2", "Surface long-wave (thermal) radiation downwards"),
    "sshf": ("J m**-2", "Time-integrated surface sensible heat net flux"),
    "slhf": ("J m**-2", "Time-integrated surface latent heat net flux"),
}
"""Variables accumulated over the hour that ends at the stamp; fluxes positive downward."""

PRESSURE = {
    "u": ("m s**-1", "U component of wind"),
    "v": ("m s**-1", "V component of wind"),
    "w": ("Pa s**-1", "Vertical velocity"),
    "t": ("K", "Temperature"),
    "q": ("kg kg**-1", "Specific humidity"),
    "z": ("m**2 s**-2", "Geopotential"),
    "vo": ("s**-1", "Vorticity (relative)"),
    "d": ("s**-1", "Divergence"),
    "cc": ("(0 - 1)", "Fraction of cloud cover"),
}
"""Pressure-level variables."""

HOURS = tuple(range(24))


def era5_grid(box: tuple[float, float, float, float] = BOX) -> RectilinearGrid:
    """Build the 0.25 degree points of a box, edges included.

    Examples
    --------
    >>> era5_grid().shape
    (65, 81)
    """
    west, south, east, north = box
    return RectilinearGrid.from_centres(
        np.arange(west, east + 1e-6, SPACING), np.arange(south, north + 1e-6, SPACING)
    )


def write_era5_single(
    twin: Twin,
    folder: Path,
    date: np.datetime64 | str,
    hours: Sequence[int] = HOURS,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a day of the thirteen single-level variables: a ZIP of two netCDF files.

    The store answers a request of instantaneous and accumulated variables with such an archive,
    whatever the extension asked for.
    """
    day = as_day(date)
    site = _site(twin)
    weather = twin.reanalysis.surface(day_hours(day), site)
    fields = {**instant(weather, site), **accumulated(weather, site)}
    path = folder / f"era5_single_{str(day).replace('-', '')}.zip"
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as inner:
        parts = []
        for kind, table in (("instant", INSTANT), ("accum", ACCUMULATED)):
            part = Path(inner) / f"data_stream-oper_stepType-{kind}.nc"
            with new_netcdf(part, overwrite=False) as dataset:
                _axes(twin, dataset, weather.times[list(hours)], kind)
                for name, (unit, meaning) in table.items():
                    values = fields[name][list(hours)][:, ::-1].astype("f4")
                    _put_field(dataset, name, values, unit, meaning)
            parts.append(part)
        with (
            atomic_output(path, overwrite=overwrite) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
        ):
            for part in parts:
                # a fixed date, so that the same world gives the same archive
                info = zipfile.ZipInfo(part.name, (1980, 1, 1, 0, 0, 0))
                archive.writestr(info, part.read_bytes())
    return path


def write_era5_pressure(
    twin: Twin,
    folder: Path,
    date: np.datetime64 | str,
    hours: Sequence[int] = HOURS,
    levels: Sequence[int] = LEVELS,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a day of the nine pressure-level variables as one netCDF file."""
    day = as_day(date)
    site = _site(twin)
    weather = twin.reanalysis.surface(day_hours(day), site)
    path = folder / f"era5_pressure_{str(day).replace('-', '')}.nc"
    with new_netcdf(path, overwrite) as dataset:
        _axes(twin, dataset, weather.times[list(hours)], "pressure", levels)
        space = ("valid_time", "pressure_level", "latitude", "longitude")
        variables = {
            name: create(
                dataset,
                name,
                space,
                "f4",
                fill=np.nan,
                compress=True,
                units=unit,
                long_name=meaning,
                GRIB_shortName=name,
            )
            for name, (unit, meaning) in PRESSURE.items()
        }
        for i, hour in enumerate(hours):
            air = eastward(twin.reanalysis.levels(weather, hour, site, levels), site)
            for name, variable in variables.items():
                variable[i] = getattr(air, name)[:, ::-1]
    return path


def eastward(air: UpperAir, site: Site) -> UpperAir:
    """Turn the wind from the grid's axes to east and north."""
    u, v = rotate(air.u, air.v, site)
    return air._replace(u=u, v=v)


def rotate(
    u: NDArray[np.float32], v: NDArray[np.float32], site: Site
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Eastward and northward components of winds along the grid's axes."""
    cos, sin = np.cos(site.angle), np.sin(site.angle)
    east, north = u * cos + v * sin, v * cos - u * sin
    return east.astype(np.float32), north.astype(np.float32)


def _site(twin: Twin) -> Site:
    return Site.at(twin.weather.frame, Points.of_grid(era5_grid(twin.geography.frame.box)))


def instant(weather: SurfaceWeather, site: Site) -> dict[str, NDArray[np.floating]]:
    """Return the instantaneous variables in the units of `INSTANT`, (n_time, *site)."""
    east, north = rotate(weather.u10, weather.v10, site)
    vapour = 611.2 * np.exp(17.62 * (weather.dew_point - 273.15) / (weather.dew_point - 30.03))
    # water vapour falls with a scale height of about 2.2 km
    column = vapour / (461.5 * weather.temperature) * 2200.0 * (1.0 + 0.25 * weather.mid_cloud)
    return {
        "u10": east,
        "v10": north,
        "t2m": weather.temperature,
        "d2m": weather.dew_point,
        "sp": weather.pressure,
        "blh": weather.blh,
        "tcc": weather.cloud,
        "tcwv": column,
    }


def accumulated(weather: SurfaceWeather, site: Site) -> dict[str, NDArray[np.floating]]:
    """Return the accumulations of the hour that ends at each stamp, as in `ACCUMULATED`."""
    t = weather.temperature
    vapour = 611.2 * np.exp(17.62 * (weather.dew_point - 273.15) / (weather.dew_point - 30.03))
    # clear-sky emissivity of Idso (1981), raised by clouds
    clear = 0.70 + 5.95e-7 * vapour * np.exp(1500.0 / t)
    emissivity = np.minimum(clear * (1.0 + 0.20 * weather.cloud**2), 1.0)
    down = emissivity * STEFAN_BOLTZMANN * t**4
    sensible, latent = _heat_fluxes(weather, site, down)
    return {
        "tp": weather.precipitation / 1000.0,
        "ssrd": weather.solar * 3600.0,
        "strd": down * 3600.0,
        "sshf": sensible * 3600.0,
        "slhf": latent * 3600.0,
    }


def _heat_fluxes(
    weather: SurfaceWeather, site: Site, down: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Sensible and latent heat [W m-2], positive downward, from the energy balance."""
    net = 0.80 * weather.solar + down - STEFAN_BOLTZMANN * weather.temperature**4
    season = summer(weather.times)[:, None, None]
    moist = 0.62 + 0.10 * season - 0.12 * np.clip(weather.skin_warming / 6.0, 0.0, 1.0)
    land_sensible = -np.where(net > 0.0, 0.85 * net * (1.0 - moist), 0.35 * net)
    land_latent = -np.where(net > 0.0, 0.85 * net * moist, 0.05 * net)
    speed = np.hypot(weather.u10, weather.v10)
    sea_sensible = -(1.6 * speed * (1.2 - 0.8 * weather.air_mass_temperature / 3.0))
    sea_latent = -(12.0 * speed * np.clip(1.15 - weather.relative_humidity, 0.1, 0.8))
    sensible = sea_sensible + site.land * (land_sensible - sea_sensible)
    latent = sea_latent + site.land * (land_latent - sea_latent)
    return sensible, latent


def _axes(
    twin: Twin,
    dataset: netCDF4.Dataset,
    times: NDArray[np.datetime64],
    kind: str,
    levels: Sequence[int] | None = None,
) -> None:
    """Coordinates of the new layout: valid_time, number, expver as text, axes descending."""
    grid = era5_grid(twin.geography.frame.box)
    described = attributes(twin, f"ERA5-like reanalysis, {kind}")
    dataset.setncatts(
        {**described, "Conventions": "CF-1.7", "GRIB_centre": "none", "GRIB_subCentre": 0}
    )
    sizes = {"valid_time": times.size}
    if levels is not None:
        sizes["pressure_level"] = len(levels)
    dimensions(dataset, **sizes, latitude=grid.shape[0], longitude=grid.shape[1])
    put(dataset, "number", (), np.array(0, "i8"), units="1", standard_name="realization")
    put(
        dataset,
        "valid_time",
        ("valid_time",),
        seconds_since_1970(times),
        units="seconds since 1970-01-01",
        standard_name="time",
        calendar="proleptic_gregorian",
    )
    if levels is not None:
        values = np.asarray(levels, "f8")
        put(dataset, "pressure_level", ("pressure_level",), values, units="hPa", positive="down")
    put(dataset, "latitude", ("latitude",), grid.y[::-1], units="degrees_north")
    put(dataset, "longitude", ("longitude",), grid.x, units="degrees_east")
    versions = dataset.createVariable("expver", str, ("valid_time",))
    for i in range(times.size):
        versions[i] = "0001"


def _put_field(
    dataset: netCDF4.Dataset,
    name: str,
    values: NDArray[np.float32],
    unit: str,
    meaning: str,
) -> None:
    put(
        dataset,
        name,
        ("valid_time", "latitude", "longitude"),
        values,
        fill=np.nan,
        compress=True,
        units=unit,
        long_name=meaning,
        GRIB_shortName=name,
    )
