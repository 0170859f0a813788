"""EEA measurements: one parquet file for each sampling point, and their metadata.

Layout: docs/formats.md 5.2.
"""

from __future__ import annotations

import csv
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.sources.stations.cells import METADATA_NAME
from dacno2_s5p.twin.land.world import as_day, child_seed, day_hours
from retrieval.files.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.twin.stations import Stations
    from dacno2_s5p.twin.twin import Twin

POLLUTANT = 8
"""EEA's code of NO2."""

OFFSET = np.timedelta64(3600, "s")
"""Files state times in UTC+01:00."""

DETECTION_LIMIT = 1.0
"""Values below are valid but flagged as such [ug m-3]."""


COLUMNS = (
    *("Countrycode", "Timezone", "Namespace", "AirQualityNetwork", "AirQualityStation"),
    *("AirQualityStationEoICode", "AirQualityStationNatCode", "SamplingPoint", "SamplingProces"),
    *("Sample", "AirPollutantCode", "ObservationDateBegin", "ObservationDateEnd", "Projection"),
    *("Longitude", "Latitude", "Altitude", "MeasurementType", "AirQualityStationType"),
    *("AirQualityStationArea", "EquivalenceDemonstrated", "MeasurementEquipment", "InletHeight"),
    *("BuildingDistance", "KerbDistance"),
)
"""Columns of the metadata file, in its order."""


def sampling_point(stations: Stations, i: int) -> str:
    """Name a station's NO2 monitor, without the country prefix of the parquet files."""
    return f"SPO-{stations.code[i]}_00008_100"


def write_eea(
    twin: Twin,
    folder: Path,
    dates: Iterable[np.datetime64 | str],
    *,
    overwrite: bool = False,
) -> list[Path]:
    """Write hourly NO2 of all stations as the parquet download service does.

    Missing hours are absent in about half of the cases and invalid (-1) in the others.

    Parameters
    ----------
    twin : Twin
        The world.
    folder : Path
        Where the files go.
    dates : iterable of dates
        Days.
    overwrite : bool
        Replace existing files.

    Returns
    -------
    list of Path
        One file for each sampling point, and the metadata last.
    """
    days = sorted({as_day(date) for date in dates})
    times = np.concatenate([day_hours(day) for day in days])
    values = np.concatenate([twin.observations(day) for day in days])
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i in range(twin.stations.size):
        path = folder / f"{sampling_point(twin.stations, i)}.parquet"
        table = _table(twin.stations, i, times, values[:, i])
        with atomic_output(path, overwrite=overwrite) as temporary:
            _write_parquet(temporary, table, f"synthetic {twin.version.kind}")
        paths.append(path)
    paths.append(write_eea_metadata(twin, folder, overwrite=overwrite))
    return paths


def _table(
    stations: Stations, i: int, times: NDArray[np.datetime64], values: NDArray[np.float32]
) -> dict[str, Any]:
    """Columns of one sampling point; hours end at the stamps of the twin world."""
    rng = child_seed(stations.seed, 91, i)
    missing = np.isnan(values)
    kept = ~(missing & (rng.random(times.size) < 0.5))
    times, values, missing = times[kept], values[kept], missing[kept]
    validity = np.where(missing, -1, np.where(values < DETECTION_LIMIT, 2, 1))
    n = times.size
    local = times + OFFSET
    return {
        "Samplingpoint": [f"{stations.country[i]}/{sampling_point(stations, i)}"] * n,
        "Pollutant": np.full(n, POLLUTANT, np.int32),
        "Start": (local - np.timedelta64(3600, "s")).astype("datetime64[ms]"),
        "End": local.astype("datetime64[ms]"),
        "Value": [
            None if bad else Decimal(f"{v:.6f}") for v, bad in zip(values, missing, strict=True)
        ],
        "Unit": ["ug.m-3"] * n,
        "AggType": ["hour"] * n,
        "Validity": validity.astype(np.int32),
        "Verification": np.ones(n, np.int32),
        "ResultTime": (local + np.timedelta64(86400, "s")).astype("datetime64[ms]"),
        "DataCapture": [None] * n,
        "FkObservationLog": ["synthetic"] * n,
    }


def _write_parquet(path: Path, table: dict[str, Any], source: str) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {
        "Value": pa.decimal128(38, 18),
        "DataCapture": pa.decimal128(38, 18),
        "Start": pa.timestamp("ms"),
        "End": pa.timestamp("ms"),
        "ResultTime": pa.timestamp("ms"),
    }
    arrays = {name: pa.array(column, type=kinds.get(name)) for name, column in table.items()}
    data = pa.table(arrays).replace_schema_metadata({"source": source})
    parquet.write_table(data, path)


def write_eea_metadata(twin: Twin, folder: Path, *, overwrite: bool = False) -> Path:
    """Write the TAB-separated metadata of all stations; the network's name says synthetic."""
    stations = twin.stations
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / METADATA_NAME
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        for i in range(stations.size):
            writer.writerow(_row(stations, i))
    return path


def _row(stations: Stations, i: int) -> dict[str, Any]:
    code, country = str(stations.code[i]), str(stations.country[i])
    return {
        "Countrycode": country,
        "Timezone": "http://dd.eionet.europa.eu/vocabulary/aq/timezone/UTC+01",
        "Namespace": f"{country}.synthetic",
        "AirQualityNetwork": f"NET-{country}-synthetic",
        "AirQualityStation": f"STA-{code}",
        "AirQualityStationEoICode": code,
        "AirQualityStationNatCode": code[2:],
        "SamplingPoint": sampling_point(stations, i),
        "SamplingProces": f"SPP-{code}_00008_100",
        "Sample": f"SAM-{code}_00008_100",
        "AirPollutantCode": "http://dd.eionet.europa.eu/vocabulary/aq/pollutant/8",
        "ObservationDateBegin": "2010-01-01 00:00:00",
        "ObservationDateEnd": "",
        "Projection": "EPSG:4979",
        "Longitude": f"{stations.longitude[i]:.6f}",
        "Latitude": f"{stations.latitude[i]:.6f}",
        "Altitude": f"{stations.altitude[i]:.0f}",
        "MeasurementType": "automatic",
        "AirQualityStationType": str(stations.kind[i]),
        "AirQualityStationArea": str(stations.area[i]),
        "EquivalenceDemonstrated": "",
        "MeasurementEquipment": "synthetic",
        "InletHeight": "3",
        "BuildingDistance": "",
        "KerbDistance": "4" if stations.kind[i] == "traffic" else "60",
    }


def write_station_lists(twin: Twin, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write the EoI codes of the stations assimilated by CAMS and of those held back.

    Returns
    -------
    list of Path
        `stations_assimilated_by_cams.csv` and `stations_evaluation.csv`.
    """
    stations = twin.stations
    folder.mkdir(parents=True, exist_ok=True)
    lists = {
        "stations_assimilated_by_cams.csv": stations.is_assimilated,
        "stations_evaluation.csv": stations.is_evaluation,
    }
    paths = []
    for name, chosen in lists.items():
        path = folder / name
        with atomic_output(path, overwrite=overwrite) as temporary:
            lines = ["AirQualityStationEoICode,AirQualityStationType,AirQualityStationArea"]
            lines += [
                f"{stations.code[i]},{stations.kind[i]},{stations.area[i]}"
                for i in np.flatnonzero(chosen)
            ]
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        paths.append(path)
    return paths
