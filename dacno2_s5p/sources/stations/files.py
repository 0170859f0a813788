"""Hourly NO2 of the European Environment Agency: parquet, old CSV, and metadata.

Layout: docs/formats.md 5.2.

Parquet times carry no zone; by one source they are UTC+01:00, so the offset is an argument. Old
CSV files state theirs. An hour is known by its end, in UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.text_table import plain_number, read_table
from retrieval.files.damage import CONTENT_ERRORS, describe_fault

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
STATION_TYPES = ("background", "industrial", "traffic")
"""What stations are there for. Another word is damage: its station would be left out unseen."""

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
    stations: dict[str, Station] = {}
    advice = "Use EEA's PanEuropean_metadata.csv"
    for row in read_table(path, _REQUIRED, what="station metadata", separator="\t", advice=advice):
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


def _station(row: dict[str, str], point: str, path: Path) -> Station:
    kind = row["AirQualityStationType"].strip().lower()
    try:
        longitude, latitude = plain_number(row["Longitude"]), plain_number(row["Latitude"])
        is_known = bool(point) and kind in STATION_TYPES
        if not (is_known and abs(longitude) <= 180.0 and abs(latitude) <= 90.0):
            raise ValueError(point)
    except ValueError as error:
        msg = (
            f"Invalid station metadata {path}. Places must be degrees, types one of "
            f"{', '.join(STATION_TYPES)}. Given {row['Longitude'][:40]!r}, "
            f"{row['Latitude'][:40]!r}, {kind[:40]!r} for {point[:40]!r}. Correct the row."
        )
        raise DataError(msg) from error
    code, area = (row.get(f"AirQualityStation{name}", "") for name in ("EoICode", "Area"))
    return Station(point, code.strip(), longitude, latitude, kind, area.strip().lower())


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
            f"{VALID_RANGE[1]:g} ug m-3. Given {values.min():.4g} to {values.max():.4g}. "
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
        with path.open("rb") as file:  # a path in messages of pyarrow may end in its own words
            table = parquet.read_table(
                file, columns=list(_COLUMNS), page_checksum_verification=True
            )
        _check_columns(table)
        keep = pc.and_(pc.equal(table["Pollutant"], POLLUTANT), pc.equal(table["AggType"], "hour"))
        keep = pc.and_(keep, pc.greater(table["Validity"], 0))
        table = table.filter(pc.and_(keep, pc.is_valid(table["Value"])))
        ends = table["End"].cast(pa.timestamp("s")).to_numpy()
        values = table["Value"].cast(pa.float64()).to_numpy()
        points = np.array(table["Samplingpoint"].to_pylist(), dtype=str)
        units = table["Unit"].unique().to_pylist()
    except (pa.ArrowException, *CONTENT_ERRORS) as error:
        msg = (
            f"Damaged station file {path}. It must be a parquet file of EEA's download service. "
            f"Given: {describe_fault(error)}. Download it again."
        )
        raise DataError(msg) from error
    _check_units(units, path)
    return points, ends - np.timedelta64(offset_hours, "h"), values


_COLUMNS = ("Samplingpoint", "Pollutant", "End", "Value", "Unit", "AggType", "Validity")


def _check_columns(table: Any) -> None:
    """Refuse columns with gaps, where a row would be passed over, and kinds that mean others.

    Raises
    ------
    ValueError
        If one is not as the service writes it.
    """
    from pyarrow import types

    gaps = [name for name in _COLUMNS if name != "Value" and table[name].null_count]
    if gaps:
        msg = f"missing entries in {', '.join(gaps)}"
        raise ValueError(msg)
    value, end = table["Value"].type, table["End"].type
    if not (types.is_decimal(value) or types.is_floating(value) or types.is_integer(value)):
        msg = f"values of type {value}"
        raise ValueError(msg)
    if not types.is_timestamp(end) or end.tz is not None:
        msg = f"End of type {end}, not times without a zone"
        raise ValueError(msg)


_CSV_COLUMNS = (
    *("SamplingPoint", "AveragingTime", "Concentration", "UnitOfMeasurement", "DatetimeEnd"),
    "Validity",
)


def _read_csv(path: Path) -> _Columns:
    """Read an E1a or E2a file; times state their offset to UTC."""
    with path.open("rb") as file:
        encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    points, ends, values, units = [], [], [], set()
    advice = "Download it again"
    for row in read_table(
        path, _CSV_COLUMNS, what="station file", advice=advice, encoding=encoding
    ):
        if row["AveragingTime"] != "hour" or not _is_no2(row.get("AirPollutantCode", "")):
            continue
        validity, concentration = _numbers(row, path)
        if validity <= 0.0 or concentration is None:
            continue
        points.append(row["SamplingPoint"])
        ends.append(_utc(row["DatetimeEnd"], path))
        values.append(concentration)
        units.add(row["UnitOfMeasurement"])
    _check_units(sorted(units), path)
    times = np.array(ends, dtype="datetime64[s]")
    return np.array(points, dtype=str), times, np.array(values, dtype=np.float64)


def _numbers(row: dict[str, str], path: Path) -> tuple[float, float | None]:
    """Return validity and concentration, None where there is none."""
    text = row["Concentration"].strip()
    try:
        return plain_number(row["Validity"]), plain_number(text) if text else None
    except ValueError as error:
        msg = (
            f"Invalid station file {path}. Validity and Concentration must be numbers. Given "
            f"{row['Validity'][:40]!r}, {text[:40]!r} for {row['SamplingPoint'][:40]} at "
            f"{row['DatetimeEnd'][:40]}. Download it again."
        )
        raise DataError(msg) from error


_TIME = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d) ?([+-])(0\d|1[0-4]):?([0-5]\d)", re.ASCII)


def _utc(text: str, path: Path) -> np.datetime64:
    """Read `2018-01-01 01:00:00 +01:00`.

    Examples
    --------
    >>> from pathlib import Path
    >>> str(_utc("2018-01-01 01:00:00 +01:00", Path("a.csv")))
    '2018-01-01T00:00:00'
    """
    parts = _TIME.fullmatch(text.strip())
    try:
        if parts is None:
            raise ValueError(text)
        stamp = np.datetime64(parts[1], "s")
    except ValueError as error:
        msg = (
            f"Invalid station file {path}. Times must be dates that state their offset to UTC. "
            f"Given {text[:40]!r}. Use the parquet service, or add the offset (+01:00)."
        )
        raise DataError(msg) from error
    minutes = 60 * int(parts[3]) + int(parts[4])
    return stamp - np.timedelta64(-minutes if parts[2] == "-" else minutes, "m")


def _check_units(units: list[str], path: Path) -> None:
    wrong = [unit for unit in units if unit not in _UNITS]
    if wrong:
        msg = (
            f"Invalid station file {path}. NO2 must be in ug m-3. Given "
            f"{', '.join(str(unit)[:40] for unit in wrong[:3])}. Convert the file."
        )
        raise DataError(msg)
