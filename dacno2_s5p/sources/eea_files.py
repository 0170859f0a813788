"""Hourly NO2 of the European Environment Agency: parquet, old CSV, and metadata (E.2).

Parquet times carry no zone; by one source they are UTC+01:00, so the offset is an argument. Old
CSV files state theirs. An hour is known by its end, in UTC.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

POLLUTANT = 8
"""EEA's code of NO2."""

PARQUET_OFFSET_HOURS = 1
"""Hours by which the times of parquet files are ahead of UTC."""

VALID_RANGE = (-10.0, 2000.0)
"""Valid hourly values outside [ug m-3] are no NO2. Instruments write small negatives near zero,
which are kept: means would be biased without them."""

_UNITS = ("ug.m-3", "µg/m3", "ug/m3", "ug m-3")
_REQUIRED = ("SamplingPoint", "Longitude", "Latitude", "AirQualityStationType")


@dataclass(frozen=True)
class Station:
    """What the metadata say of a sampling point.

    Attributes
    ----------
    sampling_point, code : str
        Sampling point without country prefix, and EoI code of its station.
    longitude, latitude : float
        Degrees.
    kind, area : str
        `background`, `industrial` or `traffic`; `urban`, `suburban`, `rural` and variants.
    """

    sampling_point: str
    code: str
    longitude: float
    latitude: float
    kind: str
    area: str


@dataclass(frozen=True)
class Hours:
    """Valid hours of one sampling point: their ends [UTC] and values [ug m-3]."""

    sampling_point: str
    ends: NDArray[np.datetime64]
    values: NDArray[np.float64]


def read_metadata(path: Path) -> dict[str, Station]:
    """Read the TAB-separated metadata, by sampling point.

    A sampling point may have several rows (pollutants, processes); their first NO2 row counts.

    Raises
    ------
    DataError
        If it is no such table, or a place is no number.
    """
    with path.open(encoding="utf-8-sig", newline="", errors="replace") as stream:
        reader = csv.DictReader(stream, delimiter="\t")
        absent = [name for name in _REQUIRED if name not in (reader.fieldnames or ())]
        if absent:
            msg = (
                f"Invalid station metadata {path}. It must be TAB-separated with the columns "
                f"{', '.join(_REQUIRED)}. Given none named {', '.join(absent)}. Use EEA's "
                "PanEuropean_metadata.csv."
            )
            raise DataError(msg)
        stations: dict[str, Station] = {}
        for row in reader:
            point = bare_point(row["SamplingPoint"])
            if point not in stations and _is_no2(row.get("AirPollutantCode", "")):
                stations[point] = _station(row, point, path)
    return stations


def bare_point(text: str) -> str:
    """Return a sampling point without its country prefix.

    Examples
    --------
    >>> bare_point("PT/SPO-PT02022_00008_100")
    'SPO-PT02022_00008_100'
    """
    return text.strip().rsplit("/", 1)[-1]


def _is_no2(code: str) -> bool:
    """Say whether a pollutant (code, URI or name) is NO2; metadata without one pass."""
    return code.strip().rsplit("/", 1)[-1] in ("", str(POLLUTANT), "NO2")


def _station(row: dict[str, Any], point: str, path: Path) -> Station:
    try:
        longitude, latitude = float(row["Longitude"]), float(row["Latitude"])
    except (TypeError, ValueError) as error:
        msg = (
            f"Invalid station metadata {path}. Places must be numbers. Given "
            f"{row['Longitude']!r}, {row['Latitude']!r} for {point}. Correct the row."
        )
        raise DataError(msg) from error
    return Station(
        point,
        (row.get("AirQualityStationEoICode") or "").strip(),
        longitude,
        latitude,
        (row.get("AirQualityStationType") or "").strip().lower(),
        (row.get("AirQualityStationArea") or "").strip().lower(),
    )


def measurement_files(folder: Path) -> list[Path]:
    """Return parquet files and old CSV files of a folder (and of the folders in it)."""
    candidates = sorted(p for p in folder.rglob("*") if p.is_file())
    parquet = [p for p in candidates if p.suffix == ".parquet"]
    return parquet + [p for p in candidates if p.suffix.lower() == ".csv" and _is_old_csv(p)]


def _is_old_csv(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(400)
    return b"DatetimeEnd" in head.replace(b"\x00", b"")


def read_hours(path: Path, offset_hours: int = PARQUET_OFFSET_HOURS) -> Iterator[Hours]:
    """Read the valid hourly NO2 of a file, one sampling point after the other.

    Raises
    ------
    DataError
        If the file is damaged, not in ug m-3, or has values that are no NO2.
    """
    is_parquet = path.suffix == ".parquet"
    columns = _read_parquet(path, offset_hours) if is_parquet else _read_csv(path)
    points, ends, values = columns
    if not (np.isfinite(values) & (values >= VALID_RANGE[0]) & (values <= VALID_RANGE[1])).all():
        msg = (
            f"Invalid station file {path}. Valid values must lie in {VALID_RANGE[0]:g} to "
            f"{VALID_RANGE[1]:g} ug m-3. Given {np.nanmin(values):.4g} to {np.nanmax(values):.4g}. "
            "Check its unit."
        )
        raise DataError(msg)
    for point in np.unique(points):
        chosen = points == point
        yield Hours(bare_point(str(point)), ends[chosen], values[chosen])


_Columns = tuple["NDArray[Any]", "NDArray[np.datetime64]", "NDArray[np.float64]"]


def _read_parquet(path: Path, offset_hours: int) -> _Columns:
    try:
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow import parquet
    except ImportError as error:
        msg = (
            f"Invalid station file {path}. Parquet needs pyarrow. Given none installed. Run pip "
            "install 'dacno2-s5p[data]'."
        )
        raise DataError(msg) from error
    try:
        wanted = ["Samplingpoint", "Pollutant", "End", "Value", "Unit", "AggType", "Validity"]
        table = parquet.read_table(path, columns=wanted)
        keep = pc.and_(pc.equal(table["Pollutant"], POLLUTANT), pc.equal(table["AggType"], "hour"))
        keep = pc.and_(keep, pc.greater(table["Validity"], 0))
        table = table.filter(pc.and_(keep, pc.is_valid(table["Value"])))
        ends = table["End"].cast(pa.timestamp("s")).to_numpy()
        values = table["Value"].cast(pa.float64()).to_numpy()
        points = table["Samplingpoint"].to_numpy()
    except (pa.ArrowException, OSError, KeyError) as error:
        msg = (
            f"Damaged station file {path}. It must be a parquet file of EEA's download service. "
            f"Given: {' '.join(str(error).split())[:200]}. Download it again."
        )
        raise DataError(msg) from error
    _check_units(table["Unit"].unique().to_pylist(), path)
    return points.astype(str), ends - np.timedelta64(offset_hours, "h"), values


def _read_csv(path: Path) -> _Columns:
    """Read an E1a or E2a file; times state their offset to UTC."""
    with path.open("rb") as file:
        encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    points, ends, values, units = [], [], [], set()
    with path.open(encoding=encoding, newline="") as stream:
        for row in csv.DictReader(stream):
            is_wanted = row["AveragingTime"] == "hour" and row["Validity"].lstrip("-").isdigit()
            if not is_wanted or int(row["Validity"]) <= 0 or not row["Concentration"]:
                continue
            if not _is_no2(row.get("AirPollutantCode", "")):
                continue
            points.append(row["SamplingPoint"])
            ends.append(_utc(row["DatetimeEnd"], path))
            values.append(float(row["Concentration"]))
            units.add(row["UnitOfMeasurement"])
    _check_units(sorted(units), path)
    times = np.array(ends, dtype="datetime64[s]")
    return np.array(points, dtype=str), times, np.array(values, dtype=np.float64)


def _utc(text: str, path: Path) -> np.datetime64:
    """Read `2018-01-01 01:00:00 +01:00`.

    Examples
    --------
    >>> from pathlib import Path
    >>> str(_utc("2018-01-01 01:00:00 +01:00", Path("a.csv")))
    '2018-01-01T00:00:00'
    """
    stamp, zone = text[:19], text[19:].strip()
    sign = -1 if zone.startswith("-") else 1
    digits = zone.lstrip("+-").replace(":", "")
    if len(digits) != 4 or not digits.isdigit():
        msg = (
            f"Invalid station file {path}. Times must state their offset to UTC. Given {text!r}. "
            "Use the parquet service, or add the offset (+01:00)."
        )
        raise DataError(msg)
    minutes = sign * (60 * int(digits[:2]) + int(digits[2:]))
    return np.datetime64(stamp, "s") - np.timedelta64(minutes, "m")


def _check_units(units: list[str], path: Path) -> None:
    wrong = [unit for unit in units if unit not in _UNITS]
    if wrong:
        msg = (
            f"Invalid station file {path}. NO2 must be in ug m-3. Given "
            f"{', '.join(map(str, wrong))}. Convert the file."
        )
        raise DataError(msg)
