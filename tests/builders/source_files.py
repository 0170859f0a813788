"""Small source files in their real layouts, for a small grid south of Paris."""

from __future__ import annotations

import zipfile
from pathlib import Path

import netCDF4
import numpy as np

from dacno2_s5p.inputs.grid import ModelGrid
from dacno2_s5p.inputs.variables import InputTable

GRID = ModelGrid("test", "EPSG:3035", 3_760_000.0, 2_800_000.0, 2000.0, 64, 64, 64, 1, 1)
"""128 km wide, on the lattice of europe-2km."""

WEST, SOUTH, EAST, NORTH = 0.0, 46.5, 4.5, 49.5
"""A box that holds it [degree]."""

DAY = np.datetime64("2019-07-02", "D")

SINGLE = ("u10", "v10", "t2m", "d2m", "sp", "blh", "tcc", "tcwv")
ACCUMULATED = ("tp", "ssrd", "strd", "sshf", "slhf")
MULTI = ("u", "v", "w", "t", "q", "z", "vo", "d", "cc")
LEVELS = (1000, 950, 900, 850, 800, 700, 600, 500, 400)
HEIGHTS = (0, 50, 250, 500, 1000, 2000, 3000, 5000)
UNITS = {v.source_variables[0]: v.units for v in InputTable.default().variables}


def middle(name: str) -> tuple[float, float]:
    """Typical value and spread of a variable, well within its range."""
    table = {
        "sp": (99000.0, 400.0),
        "t2m": (290.0, 3.0),
        "d2m": (283.0, 3.0),
        "t": (280.0, 3.0),
        "blh": (900.0, 200.0),
        "tcc": (0.5, 0.1),
        "cc": (0.4, 0.1),
        "tcwv": (20.0, 3.0),
        "tp": (1e-3, 1e-4),
        "ssrd": (1e6, 1e5),
        "strd": (1e6, 5e4),
        "sshf": (-2e5, 3e4),
        "slhf": (-3e5, 3e4),
        "q": (6e-3, 5e-4),
        "vo": (0.0, 1e-5),
        "d": (0.0, 1e-5),
        "w": (0.0, 0.1),
    }
    return table.get(name, (2.0, 3.0))


def axes(step: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes ascending and latitudes descending, as ERA5 has them."""
    return np.arange(WEST, EAST + 1e-6, step), np.arange(NORTH, SOUTH - 1e-6, -step)


def hours_of(day: np.datetime64, hours=range(24)) -> np.ndarray:
    return day.astype("datetime64[h]") + np.array(list(hours), dtype=int)


def put(dataset, name, dims, values, **attributes):
    kind = values.dtype if values.dtype.kind != "f" or values.dtype == "f8" else "f4"
    variable = dataset.createVariable(name, kind, dims)
    variable.setncatts(attributes)
    variable[...] = values


def new_era5(path: Path, times: np.ndarray, levels=None, step: float = 0.25) -> netCDF4.Dataset:
    """Open a file of the new data store with its axes."""
    x, y = axes(step)
    dataset = netCDF4.Dataset(path, "w")
    sizes = {"valid_time": times.size, "latitude": y.size, "longitude": x.size}
    for name, size in sizes.items():
        dataset.createDimension(name, size)
    seconds = (times - np.datetime64("1970-01-01T00", "h")).astype("timedelta64[s]").astype("i8")
    put(dataset, "valid_time", ("valid_time",), seconds, units="seconds since 1970-01-01")
    put(dataset, "latitude", ("latitude",), y, units="degrees_north")
    put(dataset, "longitude", ("longitude",), x, units="degrees_east")
    if levels is not None:
        dataset.createDimension("pressure_level", len(levels))
        values = np.asarray(levels, "f8")
        put(dataset, "pressure_level", ("pressure_level",), values, units="hPa")
    return dataset


def geopotential(levels=LEVELS) -> np.ndarray:
    """Geopotential of an isothermal-like column: 0 m at 1000 hPa, 8 km scale height."""
    return 9.80665 * 8000.0 * np.log(1000.0 / np.asarray(levels, dtype=float))


def write_era5(folder: Path, day: np.datetime64, *, seed: int = 1, hours=range(24)) -> None:
    """Write a day of single levels (ZIP of instant and accum) and of pressure levels."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, int(day.astype(int))])
    times = hours_of(day, hours)
    x, y = axes()
    stamp = str(day).replace("-", "")
    archive = folder / f"era5_single_{stamp}.nc"  # a ZIP whatever it is called
    with zipfile.ZipFile(archive, "w") as packed:
        for kind, names in (("instant", SINGLE), ("accum", ACCUMULATED)):
            part = folder / f"data_stream-oper_stepType-{kind}.nc"
            with new_era5(part, times) as dataset:
                for name in names:
                    centre, spread = middle(name)
                    values = centre + spread * rng.uniform(-1, 1, (times.size, y.size, x.size))
                    dims = ("valid_time", "latitude", "longitude")
                    put(dataset, name, dims, values.astype("f4"), units=UNITS[name])
            packed.write(part, part.name)
            part.unlink()
    shape = (times.size, len(LEVELS), y.size, x.size)
    with new_era5(folder / f"era5_pressure_{stamp}.nc", times, LEVELS) as dataset:
        for name in MULTI:
            centre, spread = middle(name)
            values = centre + spread * rng.uniform(-1, 1, shape)
            if name == "z":
                values = np.broadcast_to(geopotential()[None, :, None, None], shape).copy()
            dims = ("valid_time", "pressure_level", "latitude", "longitude")
            put(dataset, name, dims, values.astype("f4"), units=UNITS[name])


def write_cams(
    folder: Path,
    month: str,
    days: list[np.datetime64],
    field,
    *,
    offset: float = 0.05,
    stage: str = "vra",
    hours=(11, 12, 13),
    heights=HEIGHTS,
) -> None:
    """Write a month of the reanalysis; `field(lon, lat, height, i_time)` in ug m-3.

    `offset` 0 gives the grid of 2019 and before (x.x0), 0.05 the present one (x.x5).
    """
    folder.mkdir(parents=True, exist_ok=True)
    x = np.round(np.arange(WEST, EAST, 0.1) + offset, 2)
    y = np.round(np.arange(SOUTH, NORTH, 0.1) + offset, 2)
    times = np.concatenate([hours_of(day, hours) for day in days])
    start = np.datetime64(f"{month}-01T00", "h")
    mesh = np.meshgrid(x, y)
    for height in heights:
        path = folder / f"cams.eaq.{stage}.ENSa.no2.l{height}.{month}.nc"
        with netCDF4.Dataset(path, "w") as dataset:
            for name, size in (("time", times.size), ("lat", y.size), ("lon", x.size)):
                dataset.createDimension(name, size)
            put(dataset, "lat", ("lat",), y.astype("f4"), units="degrees_north")
            put(dataset, "lon", ("lon",), x.astype("f4"), units="degrees_east")
            elapsed = (times - start).astype("f4")
            put(dataset, "time", ("time",), elapsed, units=f"hours since {month}-01 00:00:00")
            values = np.array([field(*mesh, height, i) for i in range(times.size)])
            values = values.reshape(times.size, y.size, x.size)
            put(dataset, "no2", ("time", "lat", "lon"), values.astype("f4"), units="µg/m3")


def as_one_file(folder: Path, target: Path, *, heights=HEIGHTS, scheme: str = "extract") -> Path:
    """Join per-level files of July 2019: an extract with `lev`, or an analysis of the store."""
    names = ("time", "lev", "lat", "lon")
    if scheme != "extract":
        names = ("time", "level", "latitude", "longitude")
    parts = [netCDF4.Dataset(folder / f"cams.eaq.vra.ENSa.no2.l{h}.2019-07.nc") for h in heights]
    y, x, times = (parts[0][n][:].data for n in ("lat", "lon", "time"))
    values = np.stack([part["no2"][:].data for part in parts], axis=1)
    for part in parts:
        part.close()
    if scheme != "extract":  # from the north, longitudes 0..360, hours of the day DAY, top first
        y, x, times, values = y[::-1], x % 360.0, times - 24.0, values[:, ::-1, ::-1]
        heights = heights[::-1]
    with netCDF4.Dataset(target, "w") as dataset:
        for name, size in zip(names, values.shape, strict=True):
            dataset.createDimension(name, size)
        if scheme != "extract":
            dataset.setncattr(scheme, "Europe, 20190702+[0H_23H]")
        since = "hours since 2019-07-01" if scheme == "extract" else "hours"
        put(
            dataset, "time", names[:1], times, units=since, long_name=f"{scheme} time from 20190702"
        )
        put(dataset, names[1], names[1:2], np.array(heights, "f4"))
        put(dataset, names[2], names[2:3], y, units="degrees_north")
        put(dataset, names[3], names[3:], x, units="degrees_east")
        put(dataset, "no2" if scheme == "extract" else "no2_conc", names, values, units="ug/m3")
    return target


def write_inventory(folder: Path, year: int, sectors: dict[str, float], *, total=None) -> None:
    """Write twelve months of sectors: a value [kg m-2 s-1] times 1 + month/100, varying in x."""
    folder.mkdir(parents=True, exist_ok=True)
    x, y = np.arange(WEST, EAST, 0.1) + 0.05, np.arange(SOUTH, NORTH, 0.1) + 0.05
    path = folder / f"CAMS-GLOB-ANT_Glb_0.1x0.1_anthro_nox_v5.3_monthly_{year}.nc"
    start = np.datetime64("1850-01-01", "D")
    months = np.array([np.datetime64(f"{year}-{m:02d}-01", "D") for m in range(1, 13)])
    with netCDF4.Dataset(path, "w") as dataset:
        for name, size in (("time", 12), ("lat", y.size), ("lon", x.size)):
            dataset.createDimension(name, size)
        days = (months - start).astype("f8")
        put(dataset, "time", ("time",), days, units="days since 1850-01-01")
        put(dataset, "lat", ("lat",), y, units="degrees_north")
        put(dataset, "lon", ("lon",), x, units="degrees_east")
        shape = (12, y.size, x.size)
        ramp = 1.0 + 0.1 * (x - x.mean())
        factor = (1.0 + np.arange(1, 13) / 100.0)[:, None, None] * np.broadcast_to(ramp, shape)
        for name, value in sectors.items():
            put(dataset, name, ("time", "lat", "lon"), value * factor, units="kg m-2 s-1")
        if total is not None:
            put(dataset, "sum", ("time", "lat", "lon"), total * factor, units="kg m-2 s-1")


SECTOR_NAMES = ("tro", "tnr", "shp", "ene", "ind", "ref", "res", "ags", "swd")
SECTORS = {name: 1e-11 * (i + 1) for i, name in enumerate(SECTOR_NAMES)}


IDLE = (
    ("EGLL", "United Kingdom"),
    ("EHAM", "Netherlands"),
    ("ELLX", "Luxembourg"),
    ("EDDF", "Germany"),
    ("LSZH", "Switzerland"),
    ("LIRF", "Italy"),
    ("LEMD", "Spain"),
)
"""Airports without flights: a sum must be of all states."""


def write_flights(folder: Path, days: list[np.datetime64], *, separator: str = ",") -> None:
    """Write two airports with flights, one without in each other of the states, one outside."""
    folder.mkdir(parents=True, exist_ok=True)
    head = "YEAR,MONTH_NUM,MONTH_MON,FLT_DATE,APT_ICAO,APT_NAME,STATE_NAME,FLT_DEP_1,FLT_ARR_1,"
    lines = [head + "FLT_TOT_1,FLT_TOT_IFR_2"]
    for i, day in enumerate(days):
        year, month, _ = str(day).split("-")
        for code, state, n in (("LFPG", "France", 1000), ("EBBR", "Belgium", 600)):
            row = f"{year},{month},X,{day}T00:00:00Z,{code},{code},{state},1,1,{n + 7 * i},NA"
            lines.append(row)
        for code, state in IDLE:
            lines.append(f"{year},{month},X,{day}T00:00:00Z,{code},{code},{state},0,0,0,NA")
        lines.append(f"{year},{month},X,{day}T00:00:00Z,EIDW,Dublin,Ireland,1,1,500,NA")
    text = "\n".join(lines).replace(",", separator) + "\n"
    (folder / "Airport_Traffic.csv").write_text(text, encoding="utf-8")


def write_tif(path: Path, values: np.ndarray, origin, step, crs: str, nodata=None) -> None:
    """Write rows from north to south with the north-western corner at `origin`.

    The step is one number, or the width and height of a cell.
    """
    import rasterio
    from rasterio import Affine

    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = step if isinstance(step, tuple) else (step, step)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=values.shape[0],
        width=values.shape[1],
        count=1,
        dtype=values.dtype.name,
        crs=crs,
        transform=Affine(width, 0.0, origin[0], 0.0, -height, origin[1]),
        nodata=nodata,
    ) as file:
        file.write(values, 1)


def write_static(folder: Path, *, seed: int = 2) -> None:
    """Write the five rasters."""
    rng = np.random.default_rng(seed)
    cells = int((EAST - WEST) * 12), int((NORTH - SOUTH) * 12)
    roads = rng.uniform(0, 800, cells[::-1])
    roads[0, 0] = -9999.0
    (folder / "grip4").mkdir(parents=True, exist_ok=True)
    header = f"ncols {cells[0]}\nnrows {cells[1]}\nxllcorner {WEST}\nyllcorner {SOUTH}\n"
    header += f"cellsize {1 / 12:.12f}\nNODATA_value -9999\n"
    body = "\n".join(" ".join(f"{v:.4f}" for v in row) for row in roads)
    (folder / "grip4" / "grip4_total_dens_m_km2.asc").write_text(header + body + "\n")
    west, north = GRID.x_origin - 16_000.0, GRID.y_origin + 128_000.0 + 16_000.0
    people = rng.integers(0, 500, (160, 160)).astype("f4")
    people[5] = -200.0
    path = folder / "geostat" / "JRC_1K_POP_2018.tif"
    write_tif(path, people, (west, north), 1000.0, "EPSG:3035", nodata=-200.0)
    n = int((EAST - WEST) * 60), int((NORTH - SOUTH) * 60)
    light = rng.uniform(0, 30, n[::-1]).astype("f4")
    name = "VNL_v2_npp_2020_global_vcmslcfg_c202102150000.average_masked.tif"
    write_tif(folder / "viirs" / name, light, (WEST, NORTH), 1 / 60, "EPSG:4326")
    height = rng.uniform(50, 400, n[::-1]).astype("f4")
    write_tif(folder / "merit" / "n45e000_dem.tif", height, (WEST, NORTH), 1 / 60, "EPSG:4326")
    codes = rng.integers(1, 45, (320, 320)).astype("u1")
    path = folder / "corine" / "U2018_CLC2018_V2020_20u1.tif"
    write_tif(path, codes, (west, north), 500.0, "EPSG:3035", nodata=48)


METADATA_COLUMNS = (
    "Countrycode\tSamplingPoint\tAirQualityStationEoICode\tAirPollutantCode\tLongitude\tLatitude\t"
    "AirQualityStationType\tAirQualityStationArea"
)


def place(row: float, column: float) -> tuple[float, float]:
    """Longitude and latitude of a point of the grid, in cells from its corner."""
    from pyproj import Transformer

    back = Transformer.from_crs("EPSG:3035", "EPSG:4326", always_xy=True)
    x, y = GRID.x_origin + 2000.0 * column, GRID.y_origin + 2000.0 * row
    return back.transform(x, y)


def write_metadata(folder: Path, stations: list[tuple[str, str, float, float]]) -> None:
    """Write metadata of (code, type, row, column)."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [METADATA_COLUMNS]
    for code, kind, row, column in stations:
        longitude, latitude = place(row, column)
        lines.append(
            f"FR\tSPO-{code}\t{code}\thttp://dd.eionet.europa.eu/vocabulary/aq/pollutant/8\t"
            f"{longitude:.6f}\t{latitude:.6f}\t{kind}\turban"
        )
    (folder / "PanEuropean_metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_parquet(folder: Path, code: str, ends_utc, values, validity=None, offset: int = 1):
    """Write a sampling point as the download service does, its times ahead of UTC."""
    from decimal import Decimal

    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    n = len(values)
    ends = (np.asarray(ends_utc) + np.timedelta64(offset, "h")).astype("datetime64[ms]")
    columns = {
        "Samplingpoint": [f"FR/SPO-{code}"] * n,
        "Pollutant": np.full(n, 8, "i4"),
        "Start": ends - np.timedelta64(3_600_000, "ms"),
        "End": ends,
        "Value": [Decimal(f"{v:.4f}") for v in values],
        "Unit": ["ug.m-3"] * n,
        "AggType": ["hour"] * n,
        "Validity": np.ones(n, "i4") if validity is None else np.asarray(validity, "i4"),
        "Verification": np.ones(n, "i4"),
    }
    kinds = {"Value": pa.decimal128(38, 18), "Start": pa.timestamp("ms"), "End": pa.timestamp("ms")}
    arrays = {name: pa.array(column, type=kinds.get(name)) for name, column in columns.items()}
    parquet.write_table(pa.table(arrays), folder / f"SPO-{code}.parquet")


def write_stations(folder: Path, days: list[np.datetime64]) -> None:
    """Write four background stations (two cells for training, one held back) and one of traffic."""
    stations = [
        ("FR001", "background", 10.5, 10.5),
        ("FR002", "background", 30.5, 20.5),
        ("FR003", "background", 50.5, 40.5),
        ("FR004", "traffic", 20.5, 50.5),
    ]
    write_metadata(folder, stations)
    ends = np.concatenate([hours_of(day) for day in days])
    for i, (code, *_rest) in enumerate(stations):
        write_parquet(folder, code, ends, 10.0 * (i + 1) + np.arange(ends.size) % 24)
    (folder / "stations_assimilated_by_cams.csv").write_text(
        "AirQualityStationEoICode\nFR001\nFR002\n"
    )


def smooth_cams(longitude, latitude, height, i_time):
    """NO2 that falls with height and grows with time."""
    pattern = 5.0 + np.sin(3 * longitude) + np.cos(2 * latitude) + 0.1 * i_time
    return pattern * np.exp(-height / 1000.0)


def write_all(folder: Path, days: list[np.datetime64]) -> None:
    """Write everything `prepare` reads for some days of one month, the day before included."""
    for day in [days[0] - 1, *days]:
        write_era5(folder / "era5", day)
    write_cams(folder / "cams", str(days[0])[:7], days, smooth_cams)
    write_inventory(folder / "emissions", int(str(days[0])[:4]), SECTORS)
    write_flights(folder / "flights", days)
    write_static(folder)
    write_stations(folder / "eea", days)
