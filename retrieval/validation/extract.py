"""Columns, air mass factors and flags at stations or points, as rows of a time series."""

from __future__ import annotations

import csv
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from retrieval.errors import RetrievalError
from retrieval.l2.columns import is_replaced, reretrieved_sets
from retrieval.l2.open_orbit import open_lenient
from retrieval.l2.orbit import Orbit
from retrieval.l2.pixels import Crop
from retrieval.validation.locate import Location, Rule, locate_points

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Value = str | int | float
Row = dict[str, Value]

MARGIN = 1.0
"""Pixels with centres this near to a point are looked at [degree of latitude]."""

QA_SCALE = 0.01
"""Scale of qa_value (docs/formats.md 1.4)."""

WANTED = (
    "nitrogendioxide_tropospheric_column",
    "nitrogendioxide_tropospheric_column_precision",
    "nitrogendioxide_tropospheric_column_precision_kernel",
    "air_mass_factor_troposphere",
    "air_mass_factor_total",
    "cloud_radiance_fraction_nitrogendioxide_window",
    "processing_quality_flags",
    "surface_pressure",
)
"""Variables of the L2 file that go along, where present."""

PLACE = (
    "name",
    "point_latitude [degrees_north]",
    "point_longitude [degrees_east]",
    "time [UTC]",
    "file",
    "orbit",
    "scanline",
    "ground_pixel",
    "distance [m]",
    "is_inside",
    "standard_names_apriori",
)
"""Columns that every table has, in this order."""

_NEW = re.compile(
    r"(nitrogendioxide|air_mass_factor|averaging_kernel)_\w*apriori\w*"
    r"|apriori_\w+|relative_change_\w+|footprint_coverage_\w+|substitution_(flag|warning)_\w+"
)
_NAMES = ("name", "station", "station_name", "id", "site")
_LATITUDES = ("lat", "latitude")
_LONGITUDES = ("lon", "longitude", "lng", "long")


@dataclass(frozen=True)
class Point:
    """A place of interest: name, latitude and longitude [degrees]."""

    name: str
    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if not (-90.0 <= self.latitude <= 90.0 and -180.0 <= self.longitude <= 360.0):
            msg = (
                f"Invalid point {self.name!r}. Latitude must lie in -90 to 90 and longitude in "
                f"-180 to 360 degrees. Given {self.latitude}, {self.longitude}. "
                "Check the order of the columns."
            )
            raise RetrievalError(msg)


def extract_points(
    files: Iterable[str | Path],
    points: Sequence[Point],
    *,
    rule: Rule | str = Rule.CONTAINS,
    max_distance: float = 20_000.0,
) -> Iterator[Row]:
    """Read each file's pixel at each point, as rows in the order of files and points.

    Parameters
    ----------
    files : iterable of path
        Original or re-retrieved L2 NO2 files; one is open at a time.
    points : sequence of Point
        Where to look.
    rule : {"contains", "nearest"}
        The pixel that contains the point, or the one with the nearest centre.
    max_distance : float
        Farthest centre that `nearest` accepts [m].

    Yields
    ------
    dict
        Values by column name; the unit stands in brackets. Fill values are empty text. Points
        outside a file give no row.

    Raises
    ------
    RetrievalError
        If a file cannot be read or lacks the pixel corners.
    """
    for file in files:
        with open_lenient(Path(file)) as orbit:
            yield from _extract_one(orbit, points, Rule(rule), max_distance)


def column_names(file: str | Path) -> list[str]:
    """Name the columns that a file's rows have, whether or not any point lies in it.

    Raises
    ------
    RetrievalError
        If the file cannot be read.
    """
    with open_lenient(Path(file)) as orbit:
        first = Crop(slice(0, 1), orbit.full.ground_pixel)
        return [*PLACE, *_read_fields(orbit, first)]


def read_points(path: Path) -> list[Point]:
    """Read points from a table with columns for name, latitude and longitude.

    Parameters
    ----------
    path : Path
        Comma-, semicolon- or tab-separated, with a header: `name` (or station, id, site), `lat`
        (latitude), `lon` (longitude), in any order and case. Other columns are ignored.

    Raises
    ------
    RetrievalError
        If a column or a number is missing, with the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"Invalid points {path}. It must be a readable text file. Given: {error}. Check it."
        raise RetrievalError(msg) from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    header = [cell.strip().lower() for cell in lines[0].split(delimiter)] if lines else []
    places = [_position(header, names) for names in (_NAMES, _LATITUDES, _LONGITUDES)]
    if None in places or len(lines) < 2:
        msg = (
            f"Invalid points {path.name}. It needs a header with name, lat and lon, and rows. "
            f"Given {', '.join(header) or 'no line'}. Add them."
        )
        raise RetrievalError(msg)
    rows = csv.reader(lines[1:], delimiter=delimiter)
    return [_point(row, places, path, i + 2) for i, row in enumerate(rows)]


def write_rows(rows: Iterable[Row], stream: TextIO, columns: Iterable[str] = PLACE) -> int:
    """Write rows as CSV and return their number; columns are those of all rows together.

    Parameters
    ----------
    rows : iterable of dict
        As `extract_points` gives them.
    stream : text file
        Where to write.
    columns : iterable of str
        These come first, also where there is no row.
    """
    kept = list(rows)
    header = dict.fromkeys(columns)
    for row in kept:
        header.update(dict.fromkeys(row))
    writer = csv.DictWriter(stream, list(header), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(kept)
    return len(kept)


def _extract_one(
    orbit: Orbit, points: Sequence[Point], rule: Rule, max_distance: float
) -> Iterator[Row]:
    """Rows of one file."""
    latitudes = np.array([point.latitude for point in points])
    longitudes = np.array([point.longitude for point in points])
    margin = max(MARGIN, max_distance / 100_000.0)
    crop = _crop_around(orbit, latitudes, margin)
    found: list[Location] = []
    if crop is not None:
        names = ("latitude", "longitude", "latitude_bounds", "longitude_bounds")
        found = locate_points(
            latitudes,
            longitudes,
            *(orbit.read(name, crop) for name in names),
            rule=rule,
            max_distance=max_distance,
        )
    logger.info("%s: %d of %d points", orbit.path.name, len(found), len(points))
    if crop is None or not found:
        return
    fields = _read_fields(orbit, crop)
    indices = _indices(orbit, crop)
    times = orbit.scanline_times(crop) if orbit.has("time", "delta_time") else None
    for location in found:
        point, where = points[location.point], (location.scanline, location.ground_pixel)
        place: tuple[Value, ...] = (
            point.name,
            point.latitude,
            point.longitude,
            "" if times is None else _time_text(times[location.scanline]),
            orbit.path.name,
            orbit.attribute("orbit").strip("[]"),
            int(indices[0][location.scanline]),
            int(indices[1][location.ground_pixel]),
            round(location.distance, 1),
            int(location.is_inside),
            _standard_apriori(orbit),
        )
        row = dict(zip(PLACE, place, strict=True))
        row.update({name: _cell(values[where]) for name, values in fields.items()})
        yield row


def _crop_around(orbit: Orbit, latitudes: NDArray[np.float64], margin: float) -> Crop | None:
    """Return the scanlines whose centres come near to any point in latitude, or None."""
    latitude = orbit.read("latitude", orbit.full)
    lowest, highest = latitudes.min() - margin, latitudes.max() + margin
    with np.errstate(invalid="ignore"):
        near = np.flatnonzero(((latitude >= lowest) & (latitude <= highest)).any(axis=1))
    if near.size == 0:
        return None
    return Crop(slice(int(near[0]), int(near[-1]) + 1), orbit.full.ground_pixel)


def _read_fields(orbit: Orbit, crop: Crop) -> dict[str, NDArray[np.generic]]:
    """Read everything that goes along, by column name, on (scanline, ground_pixel)."""
    fields: dict[str, NDArray[np.generic]] = {
        "pixel_latitude [degrees_north]": orbit.read("latitude", crop),
        "pixel_longitude [degrees_east]": orbit.read("longitude", crop),
    }
    if orbit.has("qa_value"):
        qa, is_valid = orbit.read_integer("qa_value", crop)
        fields["qa_value"] = np.where(is_valid, np.round(qa * QA_SCALE, 2), np.nan)
    new = [name for name in orbit.variables if _NEW.fullmatch(name) and name not in WANTED]
    for name in (*WANTED, *new):
        variable = orbit.variables.get(name)
        if variable is None or variable.ndim != 3:
            continue
        units = str(getattr(variable, "units", "1"))
        title = name if units in {"1", ""} else f"{name} [{units}]"
        if variable.dtype.kind == "f":
            fields[title] = orbit.read(name, crop)
        else:
            values, is_valid = orbit.read_integer(name, crop)
            fields[title] = np.ma.masked_where(~is_valid, values)
    return fields


def _indices(orbit: Orbit, crop: Crop) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Index values of scanlines and ground pixels in the original orbit; positions if absent."""
    parts = (("scanline", crop.scanline), ("ground_pixel", crop.ground_pixel))
    first, second = (
        orbit.raw(name, part) if orbit.has(name) else np.arange(part.start, part.stop)
        for name, part in parts
    )
    return first, second


def _standard_apriori(orbit: Orbit) -> str:
    """Name the a priori behind the standard names of a file."""
    return reretrieved_sets(orbit)[0] if is_replaced(orbit) else orbit.names.apriori


def _cell(value: object) -> Value:
    """Return a value for the table: empty for fill, seven digits for float32."""
    if value is np.ma.masked:
        return ""
    if isinstance(value, np.integer):
        return int(value)
    number = float(value)  # type: ignore[arg-type]
    return float(f"{number:.7g}") if np.isfinite(number) else ""


def _time_text(time: np.datetime64) -> str:
    """Return a time as ISO 8601 with Z, empty where missing."""
    return "" if np.isnat(time) else f"{time}Z"


def _position(header: list[str], names: tuple[str, ...]) -> int | None:
    """Position of the first column with one of the names."""
    return next((i for i, cell in enumerate(header) if cell in names), None)


def _point(row: list[str], places: list[int | None], path: Path, line: int) -> Point:
    """Return the point of a row, or say which line is wrong."""
    try:
        name, latitude, longitude = (row[i].strip() for i in places if i is not None)
        return Point(name, float(latitude), float(longitude))
    except (ValueError, IndexError) as error:
        msg = (
            f"Invalid points {path.name}. Each row needs a name and two numbers in degrees. "
            f"Given row {line}: {', '.join(row)}. Correct it."
        )
        raise RetrievalError(msg) from error
