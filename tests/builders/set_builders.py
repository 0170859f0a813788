"""Small files of every kind of a-priori set, true to the layouts of docs/formats.md.

All hold the same made-up NO2: `concentration(height, latitude, longitude)` for fields on heights,
`mole_fraction(pressure, ...)` for fields on pressures, so that a test knows every value.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import netCDF4
import numpy as np

from retrieval.apriori.formats.hybrid_tables import half_levels, tm5_half_levels

CAMS_HEIGHTS = (0, 50, 100, 250, 500, 750, 1000, 2000, 3000, 5000)


def concentration(height, latitude, longitude, hour=12.0):
    """Made-up NO2 [ug m-3], broadcast over its arguments; positive, smooth, all cells differ."""
    return (100.0 + 0.5 * np.asarray(latitude) + 0.2 * np.asarray(longitude) + 0.1 * hour) * np.exp(
        -np.asarray(height) / 1000.0
    )


def mole_fraction(pressure, latitude, longitude, hour=12.0):
    """Made-up NO2 [mol mol-1] on pressure [Pa]."""
    return concentration(0.0, latitude, longitude, hour) * 1e-10 * (np.asarray(pressure) / 1e5) ** 2


def mesh(latitude, longitude):
    """Latitudes and longitudes spread over (y, x)."""
    return np.asarray(latitude)[:, None], np.asarray(longitude)[None, :]


def _var(dataset, name, dims, values, kind=None, **attributes):
    values = np.asarray(values)
    fill = attributes.pop("_FillValue", None)
    variable = dataset.createVariable(name, kind or values.dtype, dims, fill_value=fill)
    variable.setncatts(attributes)
    variable.set_auto_maskandscale(False)
    variable[...] = values
    return variable


def _dims(dataset, **sizes):
    for name, size in sizes.items():
        dataset.createDimension(name, size)


def write_cams_month(
    folder,
    level,
    *,
    month="2019-06",
    latitude=None,
    longitude=None,
    stage="vra",
    model="ENS",
    n_time=48,
    subset="",
    units="µg/m3",
    time_units=None,
    values=None,
    format="NETCDF4",
):
    """One per-level month of the European reanalysis, by default two days of it.

    Layout: docs/formats.md 4.1.
    """
    latitude = np.arange(48.0, 50.05, 0.1) if latitude is None else np.asarray(latitude)
    longitude = np.arange(1.0, 3.05, 0.1) if longitude is None else np.asarray(longitude)
    token = f".{subset}" if subset else ""
    path = Path(folder) / f"cams.eaq.{stage}.{model}a.no2.l{level}.{month}{token}.nc"
    with netCDF4.Dataset(path, "w", format=format) as ds:
        _dims(ds, time=n_time, lat=latitude.size, lon=longitude.size)
        _var(ds, "lat", ("lat",), latitude.astype("f4"), units="degrees_north")
        _var(ds, "lon", ("lon",), longitude.astype("f4"), units="degrees_east")
        _var(
            ds,
            "time",
            ("time",),
            np.arange(n_time, dtype="f4"),
            units=time_units or f"hours since {month}-01 00:00:00",
        )
        if values is None:
            lat, lon = mesh(latitude, longitude)
            hours = np.arange(n_time)[:, None, None] % 24
            values = concentration(level, lat, lon, hours)
        attributes = {"units": units} if units else {}
        _var(ds, "no2", ("time", "lat", "lon"), values.astype("f4"), **attributes)
    return path


def write_cams_all_levels(
    path,
    *,
    units="ug/cm2",
    heights=(0, 50, 250, 500, 1000, 2000, 3000, 5000),
    corner=(48.0, 1.0),
    height_unit="",
):
    """Write the extract of the averaging-kernel tutorial: one day, 8 levels, a wrong unit.

    Layout: docs/formats.md 4.1.
    """
    latitude, longitude = (np.arange(start, start + 2.05, 0.1) for start in corner)
    with netCDF4.Dataset(path, "w") as ds:
        _dims(ds, time=24, lev=len(heights), lat=latitude.size, lon=longitude.size)
        _var(ds, "lat", ("lat",), latitude, units="degrees_north")
        _var(ds, "lon", ("lon",), longitude, units="degrees_east")
        attributes = {"units": height_unit, "positive": "up"} if height_unit else {}
        _var(ds, "lev", ("lev",), np.array(heights, "f4"), **attributes)
        _var(ds, "time", ("time",), np.arange(24.0), units="hours since 2018-07-01 00:00:00")
        lat, lon = mesh(latitude, longitude)
        values = concentration(
            np.array(heights)[:, None, None], lat, lon, np.arange(24)[:, None, None, None]
        )
        _var(ds, "no2", ("time", "lev", "lat", "lon"), values.astype("f4"), units=units)
    return Path(path)


def write_cams_forecast(path, *, kind="FORECAST", date="20210715", n_time=24):
    """Write a European forecast or analysis: `no2_conc`, plain hours, longitudes 359..2.

    Layout: docs/formats.md 4.2.
    """
    latitude = np.arange(49.95, 47.0, -0.1)
    longitude = np.concatenate([np.arange(358.05, 360, 0.1), np.arange(0.05, 2.0, 0.1)])
    heights = np.array(CAMS_HEIGHTS, "f4")
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as ds:
        ds.setncatts(
            {
                "title": "CAMS European air quality forecast",
                "institution": "Data produced by Meteo France",
                kind: f"Europe, {date}+[0H_23H]",
                "project": "MACC-RAQ",
            }
        )
        _dims(ds, longitude=longitude.size, latitude=latitude.size, level=10, time=n_time)
        _var(ds, "longitude", ("longitude",), longitude.astype("f4"), units="degrees_east")
        _var(ds, "latitude", ("latitude",), latitude.astype("f4"), units="degrees_north")
        _var(ds, "level", ("level",), heights, units="m", long_name="level")
        _var(
            ds,
            "time",
            ("time",),
            np.arange(n_time, dtype="f4"),
            units="hours",
            long_name=f"{kind} time from {date}",
        )
        lat, lon = mesh(latitude, (longitude + 180) % 360 - 180)
        hours = np.arange(n_time)[:, None, None, None]
        values = concentration(heights[:, None, None], lat, lon, hours)
        _var(
            ds,
            "no2_conc",
            ("time", "level", "latitude", "longitude"),
            values.astype("f4"),
            species="Nitrogen Dioxide",
            units="µg/m3",
            value="hourly values",
            standard_name="mass_concentration_of_nitrogen_dioxide_in_air",
            _FillValue=np.float32(-999.0),
        )
    return Path(path)


def write_ctmana(
    path,
    *,
    date="2019-06-30",
    spacing=2.0,
    n_time=48,
    units="1",
    bounds=(-180.0, -90.0, 180.0, 90.0),
    synthetic=False,
):
    """AUX_CTMANA (C): 34 layers surface first, half hours, `hyai`, `hybi`, cell centres."""
    west, south, east, north = bounds
    latitude = np.arange(south + spacing / 2, north, spacing)
    longitude = np.arange(west + spacing / 2, east, spacing)
    a, b = tm5_half_levels()
    half = np.arange(n_time) / 48.0
    day = (np.datetime64(date) - np.datetime64("1950-01-01")).astype(float)
    lat, lon = mesh(latitude, longitude)
    pressure = 0.5 * ((a + b * 1e5)[:-1] + (a + b * 1e5)[1:])[:, None, None]
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as ds:
        if synthetic:
            ds.source = "synthetic twin world"
        _dims(ds, time=n_time, lev=34, lat=latitude.size, lon=longitude.size, ilev=35)
        _var(ds, "lon", ("lon",), longitude, units="degrees_east")
        _var(ds, "lat", ("lat",), latitude, units="degrees_north")
        _var(ds, "lev", ("lev",), np.arange(1, 35, dtype="i4"))
        _var(ds, "time", ("time",), day + half, units="days since 1950-01-01 00:00:00")
        _var(ds, "hyai", ("ilev",), a, units="Pa")
        _var(ds, "hybi", ("ilev",), b, units="1")
        _var(ds, "hyam", ("lev",), 0.5 * (a[:-1] + a[1:]), units="Pa")
        _var(ds, "hybm", ("lev",), 0.5 * (b[:-1] + b[1:]), units="1")
        four, three = ("time", "lev", "lat", "lon"), ("time", "lat", "lon")
        no2 = np.stack([mole_fraction(pressure, lat, lon, 24 * h) for h in half])
        _var(
            ds,
            "no2",
            four,
            no2.astype("f4"),
            units=units,
            standard_name="mole_fraction_of_nitrogen_dioxide_in_air",
            moleweight_tracer=46.0055,
        )
        t = np.stack([temperature(pressure, lat, lon, 24 * h) for h in half])
        _var(ds, "t", four, t.astype("f4"), units="K")
        shape = (n_time, latitude.size, longitude.size)
        _var(ds, "ps", three, np.full(shape, 1e5, "f4"), units="Pa")
        _var(ds, "tropopause_layer_index", three, np.full(shape, 19, "i4"))
        _var(ds, "surface_altitude", ("lat", "lon"), np.full(shape[1:], 100.0, "f4"), units="m")
    return Path(path)


def temperature(pressure, latitude, longitude, hour=12.0):
    """Made-up temperature [K] on pressure [Pa]."""
    return (
        288.0
        + 20.0 * np.log(np.maximum(np.asarray(pressure), 1e3) / 1e5)
        + 0.1 * np.asarray(latitude)
        + 0.01 * np.asarray(longitude)
        + 0.05 * hour
    )


def write_cams_global(
    path,
    *,
    layout="new",
    levels="pressure",
    spacing=0.75,
    bounds=None,
    model_levels=None,
    level_descending=True,
):
    """CAMS global or EAC4 (docs/formats.md 4.3): kg kg-1, latitudes descending, longitudes 0..360.

    `layout` is "legacy" (int16, hours since 1900), "new" (valid_time) or "forecast" (run and
    lead time with a two-dimensional valid_time).
    """
    if bounds is None:
        latitude, longitude = np.arange(90, -90.01, -spacing), np.arange(0, 360, spacing)
    else:
        west, south, east, north = bounds
        latitude = np.arange(north, south - 1e-6, -spacing)
        longitude = np.arange(west, east + 1e-6, spacing)
    if levels == "pressure":
        numbers = np.array([1000.0, 925, 850, 700, 500, 300, 200, 100, 10])
        pressure = numbers * 100
    else:
        numbers = (
            np.arange(137, 110, -1.0) if model_levels is None else np.array(model_levels, float)
        )
        a, b = half_levels(int(numbers.max()))
        n = numbers.astype(int)
        pressure = 0.5 * ((a + b * 1e5)[n] + (a + b * 1e5)[n - 1])
    if not level_descending:
        numbers, pressure = numbers[::-1], pressure[::-1]
    lat, lon = mesh(latitude, (longitude + 180) % 360 - 180)
    hours = np.array([0.0, 3.0, 6.0])
    mmr = np.stack([mole_fraction(pressure[:, None, None], lat, lon, h) for h in hours])
    mmr *= 46.0055 / 28.9644
    if layout == "legacy":
        return _legacy_global(path, levels, numbers, latitude, longitude, hours, mmr)
    return _new_global(path, layout, levels, numbers, latitude, longitude, hours, mmr)


def _legacy_global(path, levels, numbers, latitude, longitude, hours, mmr):
    scale = (mmr.max() - mmr.min()) / 65000
    offset = 0.5 * (mmr.max() + mmr.min())
    packed = np.round((mmr - offset) / scale).astype("i2")
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as ds:
        _dims(ds, longitude=longitude.size, latitude=latitude.size, level=numbers.size, time=3)
        _var(ds, "longitude", ("longitude",), longitude.astype("f4"), units="degrees_east")
        _var(ds, "latitude", ("latitude",), latitude.astype("f4"), units="degrees_north")
        attributes = (
            {"units": "millibars", "long_name": "pressure_level"}
            if levels == "pressure"
            else {"long_name": "model_level_number"}
        )
        _var(ds, "level", ("level",), numbers.astype("i4"), **attributes)
        base = (np.datetime64("2019-06-30") - np.datetime64("1900-01-01")).astype(int) * 24
        time = (base + hours).astype("i4")
        _var(ds, "time", ("time",), time, units="hours since 1900-01-01 00:00:00.0")
        variable = ds.createVariable(
            "no2", "i2", ("time", "level", "latitude", "longitude"), fill_value=np.int16(-32767)
        )
        variable.set_auto_maskandscale(False)
        variable.setncatts(
            {
                "units": "kg kg**-1",
                "scale_factor": scale,
                "add_offset": offset,
                "missing_value": np.int16(-32767),
                "long_name": "Nitrogen dioxide mass mixing ratio",
            }
        )
        variable[:] = packed
    return Path(path)


def _new_global(path, layout, levels, numbers, latitude, longitude, hours, mmr):
    level = "pressure_level" if levels == "pressure" else "model_level"
    epoch = (np.datetime64("2019-06-30") - np.datetime64("1970-01-01")).astype(int) * 86400
    with netCDF4.Dataset(path, "w") as ds:
        ds.Conventions = "CF-1.7"
        _dims(ds, **{level: numbers.size}, latitude=latitude.size, longitude=longitude.size)
        units = {"units": "hPa"} if levels == "pressure" else {"units": "1"}
        _var(ds, level, (level,), numbers, **units)
        _var(ds, "latitude", ("latitude",), latitude, units="degrees_north")
        _var(ds, "longitude", ("longitude",), longitude, units="degrees_east")
        seconds = (epoch + hours * 3600).astype("i8")
        since = {"units": "seconds since 1970-01-01", "standard_name": "time"}
        space = (level, "latitude", "longitude")
        if layout == "forecast":
            _dims(ds, forecast_period=3, forecast_reference_time=1)
            _var(ds, "forecast_period", ("forecast_period",), hours, units="hours")
            reference = {
                "units": "seconds since 1970-01-01",
                "standard_name": "forecast_reference_time",
            }
            _var(
                ds,
                "forecast_reference_time",
                ("forecast_reference_time",),
                np.array([epoch], "i8"),
                **reference,
            )
            both = ("forecast_reference_time", "forecast_period")
            _var(ds, "valid_time", both, seconds[None], **since)
            dims, values = ("forecast_period", "forecast_reference_time", *space), mmr[:, None]
        else:
            _dims(ds, valid_time=3)
            _var(ds, "valid_time", ("valid_time",), seconds, **since)
            dims, values = ("valid_time", *space), mmr
        _var(
            ds,
            "no2",
            dims,
            values.astype("f4"),
            units="kg kg**-1",
            GRIB_paramId=210121,
            long_name="Nitrogen dioxide mass mixing ratio",
            _FillValue=np.float32(np.nan),
        )
    return Path(path)


def zip_files(path, files):
    """Pack files into an archive of any name."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, Path(file).name)
    return Path(path)
