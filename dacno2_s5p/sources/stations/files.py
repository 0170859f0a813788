"""Hourly NO2 of the European Environment Agency: parquet and old CSV.

Layout: docs/formats.md 5.2.

Parquet times carry no zone (clocks.py); old CSV files state theirs. An hour is known by its end, in
UTC. Files hold verified and up-to-date values: each row says which it is.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.stations.clocks import HOUR, PARQUET_OFFSET_HOURS, Clocks
from dacno2_s5p.sources.stations.metadata import POLLUTANT, bare_point, is_no2
from dacno2_s5p.sources.text_table import plain_number, read_table
from retrieval.files.damage import CONTENT_ERRORS, describe_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

VERIFICATIONS = (1, 2, 3)
"""Codes of `Verification`, the best first: verified, preliminary, not verified."""

VALID_RANGE = (-10.0, 2000.0)
"""Valid hourly values outside [ug m-3] are no NO2. Instruments write small negatives near zero,
which are kept: means would be biased without them."""

_UNITS = ("ug.m-3", "µg/m3", "ug/m3", "ug m-3")


@dataclass(frozen=True)
class Hours:
    """Hours of one sampling point in a file.

    Attributes
    ----------
    sampling_point, country : str
        Without the country's prefix, and the prefix.
    ends : ndarray of datetime64
        Ends [UTC]; an hour may be there several times.
    values : ndarray of float64
        [ug m-3], NaN where the file says that they are not valid.
    verification : ndarray of int
        Codes of `Verification`, 0 where the file has none.
    """

    sampling_point: str
    country: str
    ends: NDArray[np.datetime64]
    values: NDArray[np.float64]
    verification: NDArray[np.int64]


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
    for hours in read_rows(path, Clocks(offset_hours)):
        kept = np.isfinite(hours.values)
        if kept.any():
            yield Hours(
                hours.sampling_point,
                hours.country,
                hours.ends[kept],
                hours.values[kept],
                hours.verification[kept],
            )


def read_rows(path: Path, clocks: Clocks) -> Iterator[Hours]:
    """Read the hourly NO2 of a file, one sampling point after the other.

    Raises
    ------
    DataError
        If the file is damaged, not in ug m-3, or has values that are no NO2 or times that are none.
    """
    is_parquet = path.suffix == ".parquet"
    rows = _read_parquet(path, clocks) if is_parquet else _read_csv(path)
    valid = rows.values[~np.isnan(rows.values)]
    if not ((valid >= VALID_RANGE[0]) & (valid <= VALID_RANGE[1])).all():
        msg = (
            f"Invalid station file {path}. Valid values must lie in {VALID_RANGE[0]:g} to "
            f"{VALID_RANGE[1]:g} ug m-3. Given {valid.min():.4g} to {valid.max():.4g}. "
            "Check its unit."
        )
        raise DataError(msg)
    for point in np.unique(rows.points):
        chosen = rows.points == point
        name = bare_point(str(point))
        columns = rows.ends[chosen], rows.values[chosen], rows.verification[chosen]
        yield Hours(name, country_of(str(point)), *columns)


def country_of(text: str) -> str:
    """Return the country's code of a sampling point, empty where there is none.

    Examples
    --------
    >>> country_of("PT/SPO-PT02022_00008_100"), country_of("SPO-A")
    ('PT', '')
    """
    country, separator, _ = text.strip().rpartition("/")
    return country if separator else ""


class _Rows(NamedTuple):
    """Columns of a file; values are NaN where they are not valid."""

    points: NDArray[Any]
    ends: NDArray[np.datetime64]
    values: NDArray[np.float64]
    verification: NDArray[np.int64]


def _read_parquet(path: Path, clocks: Clocks) -> _Rows:
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
            there = [name for name in _OPTIONAL if name in parquet.read_schema(file).names]
            table = parquet.read_table(
                file, columns=[*_COLUMNS, *there], page_checksum_verification=True
            )
        _check_columns(table, there)
        keep = pc.and_(pc.equal(table["Pollutant"], POLLUTANT), pc.equal(table["AggType"], "hour"))
        table = table.filter(keep)
        ends = table["End"].cast(pa.timestamp("s")).to_numpy()
        starts = table["Start"].cast(pa.timestamp("s")).to_numpy() if "Start" in there else None
        values = table["Value"].cast(pa.float64()).to_numpy(zero_copy_only=False).copy()
        values[table["Validity"].to_numpy() <= 0] = np.nan
        verification = np.zeros(values.size, dtype=np.int64)
        if "Verification" in there:
            verification = table["Verification"].cast(pa.int64()).to_numpy().copy()
        points = np.array(table["Samplingpoint"].to_pylist(), dtype=str)
        units = table["Unit"].filter(pc.greater(table["Validity"], 0)).unique().to_pylist()
    except (pa.ArrowException, *CONTENT_ERRORS) as error:
        msg = (
            f"Damaged station file {path}. It must be a parquet file of EEA's download service. "
            f"Given: {describe_fault(error)}. Download it again."
        )
        raise DataError(msg) from error
    _check_units(units, path)
    return _in_utc(_Rows(points, ends, values, verification), starts, clocks, path)


def _in_utc(
    rows: _Rows, starts: NDArray[np.datetime64] | None, clocks: Clocks, path: Path
) -> _Rows:
    """Bring ends to UTC by the clocks of the rows' countries; hours of which none is known go."""
    ends = rows.ends.copy()
    known = np.ones(ends.size, dtype=bool)
    names, number = np.unique(rows.points, return_inverse=True)
    countries = np.array([country_of(str(name)) for name in names], dtype=str)[number.ravel()]
    for country in np.unique(countries):
        chosen = countries == country
        # where a clock changes, the start of an hour says more than its end
        is_fixed = clocks.hours_ahead(country) is not None
        begun = rows.ends[chosen] - HOUR if starts is None or is_fixed else starts[chosen]
        groups = 10 * number.ravel()[chosen] + rows.verification[chosen]
        begun, is_known = clocks.to_utc(str(country), begun, groups, f"in {path}")
        ends[chosen], known[chosen] = begun + HOUR, is_known
    if not known.all():
        logger.warning(
            "%s: %d hours that the clock shows twice in autumn are there once; they are left out",
            path,
            (~known).sum(),
        )
    return _Rows(rows.points[known], ends[known], rows.values[known], rows.verification[known])


_COLUMNS = ("Samplingpoint", "Pollutant", "End", "Value", "Unit", "AggType", "Validity")
_OPTIONAL = ("Start", "Verification")


def _check_columns(table: Any, there: Sequence[str]) -> None:
    """Refuse columns with gaps, where a row would be passed over, and kinds that mean others.

    Raises
    ------
    ValueError
        If one is not as the service writes it.
    """
    from pyarrow import types

    needed = [name for name in (*_COLUMNS, *there) if name != "Value"]
    gaps = [name for name in needed if table[name].null_count]
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


def _read_csv(path: Path) -> _Rows:
    """Read an E1a or E2a file; times state their offset to UTC."""
    with path.open("rb") as file:
        encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    points, ends, values, verification, units = [], [], [], [], set()
    advice = "Download it again"
    for row in read_table(
        path, _CSV_COLUMNS, what="station file", advice=advice, encoding=encoding
    ):
        if row["AveragingTime"] != "hour" or not is_no2(row.get("AirPollutantCode", "")):
            continue
        validity, concentration, verified = _numbers(row, path)
        is_valid = validity > 0.0 and concentration is not None
        points.append(row["SamplingPoint"])
        ends.append(_utc(row["DatetimeEnd"], path))
        values.append(concentration if is_valid else np.nan)
        verification.append(verified)
        if is_valid:
            units.add(row["UnitOfMeasurement"])
    _check_units(sorted(units), path)
    return _Rows(
        np.array(points, dtype=str),
        np.array(ends, dtype="datetime64[s]"),
        np.array(values, dtype=np.float64),
        np.array(verification, dtype=np.int64),
    )


def _numbers(row: dict[str, str], path: Path) -> tuple[float, float | None, int]:
    """Return validity, concentration (None where there is none), and verification."""
    text = row["Concentration"].strip()
    try:
        verification = int(plain_number(row.get("Verification", "").strip() or "0"))
        return plain_number(row["Validity"]), plain_number(text) if text else None, verification
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
