"""The training sources: small files in their real layouts, each in the folder of its name."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from tests.fuzz import source_structure as odd
from tests.fuzz import structure
from tests.fuzz.kinds import Change, Kind

HOURS = 24


def sources(folder: Path) -> list[Kind]:
    """Everything that C libraries take apart, ERA5 apart: rasters, netCDF, parquet, XLSX."""
    from tests.builders.source_files import SECTORS, write_inventory, write_static

    write_static(folder)
    _compress(folder)
    write_inventory(folder / "emissions", 2019, SECTORS, total=sum(SECTORS.values()))
    months, whole = _targets(folder)
    roads, packed = _roads(folder)
    tif = (odd.geotiff,)
    return [
        _kind("CAMS reanalysis, a level", months, (structure.hdf5,)),
        _kind("CAMS reanalysis, all levels", whole, (structure.hdf5,)),
        _kind("CAMS-GLOB-ANT", _only(folder / "emissions"), (structure.hdf5,)),
        _kind("EEA parquet", _parquet(folder), (odd.parquet,)),
        _kind("GRIP4", roads, (odd.ascii_grid,)),
        _kind("GRIP4, gzipped", packed),
        _kind("JRC-GEOSTAT", _only(folder / "geostat"), tif),
        _kind("VIIRS", _only(folder / "viirs"), tif),
        _kind("MERIT DEM", _only(folder / "merit"), tif),
        _kind("CORINE", _only(folder / "corine"), tif),
        _kind("Eurocontrol XLSX", _workbook(folder / "xlsx" / "flights")),
    ]


def tables(folder: Path) -> list[Kind]:
    """Return the sources that are tables of text."""
    from tests.builders.source_files import DAY, write_flights

    write_flights(folder / "flights", [DAY, DAY + 1])
    old = _old_csv(folder / "old" / "eea")
    _parquet(folder)
    stations = folder / "eea"
    kinds = [
        ("EEA old CSV", old, ","),
        ("EEA metadata", stations / "PanEuropean_metadata.csv", "\t"),
        ("list of stations", stations / "stations_assimilated_by_cams.csv", ","),
        ("Eurocontrol CSV", folder / "flights" / "Airport_Traffic.csv", ","),
    ]
    return [_kind(name, path, (odd.table(mark),)) for name, path, mark in kinds]


def _kind(name: str, path: Path, changes: tuple[Change, ...] = ()) -> Kind:
    """Return a kind whose copies lie in a folder of the source's name, with all else in it."""
    home = path.parent
    arguments = ("{folder}",)
    return Kind(name, path, "source", arguments, changes, beside=(home,), inside=home.name, share=4)


def _only(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def _compress(folder: Path) -> None:
    """Rewrite the rasters as the real ones are: tiled and compressed."""
    import rasterio

    for path in folder.rglob("*.tif"):
        with rasterio.open(path) as file:
            values, profile = file.read(1), file.profile
        profile.update(compress="deflate", tiled=True, blockxsize=128, blockysize=128)
        with rasterio.open(path, "w", **profile) as file:
            file.write(values, 1)


def _targets(folder: Path) -> tuple[Path, Path]:
    """Write the reanalysis in its two layouts; return a level and the file of all levels."""
    from tests.builders.source_files import DAY, as_one_file, smooth_cams, write_cams

    months, whole = folder / "cams", folder / "whole" / "cams"
    write_cams(months, str(DAY)[:7], [DAY], smooth_cams)
    whole.mkdir(parents=True)
    return sorted(months.iterdir())[3], as_one_file(months, whole / "july.nc")


def _roads(folder: Path) -> tuple[Path, Path]:
    """Return the ASCII grid, and another gzipped."""
    plain = _only(folder / "grip4")
    packed = folder / "packed" / "grip4" / f"{plain.name}.gz"
    packed.parent.mkdir(parents=True)
    packed.write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    return plain, packed


def _parquet(folder: Path) -> Path:
    from tests.builders.source_files import DAY, write_stations

    write_stations(folder / "eea", [DAY, DAY + 1])
    return folder / "eea" / "SPO-FR002.parquet"


def _workbook(folder: Path) -> Path:
    """Write the traffic as a workbook."""
    from openpyxl import Workbook

    from tests.builders.source_files import DAY, write_flights

    write_flights(folder, [DAY, DAY + 1])
    text = _only(folder)
    book = Workbook()
    for line in text.read_text().splitlines():
        book.active.append(line.split(","))
    book.active.title = "DATA"
    path = folder / "traffic.xlsx"
    book.save(path)
    text.unlink()
    return path


def _old_csv(folder: Path) -> Path:
    """Write two days of two stations as an E1a file, with the metadata."""
    from tests.builders.source_files import DAY, hours_of, write_metadata

    write_metadata(
        folder, [("FR001", "background", 10.5, 10.5), ("FR002", "background", 9.5, 40.5)]
    )
    uri = "http://dd.eionet.europa.eu/vocabulary/aq/pollutant/8"
    head = "Countrycode,SamplingPoint,AirPollutantCode,AveragingTime,Concentration,"
    lines = [head + "UnitOfMeasurement,DatetimeBegin,DatetimeEnd,Validity,Verification"]
    ends = np.concatenate([hours_of(DAY), hours_of(DAY + 1)]).astype("datetime64[s]")
    for i, code in enumerate(("FR001", "FR002")):
        for k, end in enumerate(ends + np.timedelta64(1, "h")):
            begin, stop = (
                f"{str(t).replace('T', ' ')} +01:00" for t in (end - np.timedelta64(1, "h"), end)
            )
            value = 10.0 * (i + 1) + k % HOURS
            lines.append(f"FR,SPO-{code},{uri},hour,{value},µg/m3,{begin},{stop},1,1")
    path = folder / "FR_8_2019_timeseries.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
