"""What EEA's metadata say of sampling points: place, type, area.

Layout: docs/formats.md 5.2.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.text_table import plain_number, read_table
from retrieval.files.candidates import Candidate, choose, newest

if TYPE_CHECKING:
    from pathlib import Path

POLLUTANT = 8
"""EEA's code of NO2."""

_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)

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


def read_metadata(path: Path) -> dict[str, Station]:
    """Read the TAB-separated metadata, by sampling point.

    A sampling point may have several rows (pollutants, processes): of NO2 rows that differ the one
    whose observations began last counts.

    Raises
    ------
    DataError
        If it is no such table, a place is no number, or rows differ that began together.
    """
    found: dict[str, list[Candidate[Station]]] = {}
    advice = "Use EEA's PanEuropean_metadata.csv"
    for row in read_table(path, _REQUIRED, what="station metadata", separator="\t", advice=advice):
        point = bare_point(row["SamplingPoint"])
        if is_no2(row.get("AirPollutantCode", "")):
            begun = row.get("ObservationDateBegin", "")
            date = _DATE.match(begun.strip())
            numbers = [int(part) for part in date.groups()] if date else []
            rank = (newest("ObservationDateBegin", begun, *numbers),)
            station = _station(row, point, path)
            found.setdefault(point, []).append(Candidate(station, f"{station}", rank))
    return {
        point: choose(
            f"the place and type of {point} in {path}", rows, same=lambda one, other: one == other
        ).chosen.value
        for point, rows in found.items()
    }


def bare_point(text: str) -> str:
    """Return a sampling point without its country prefix.

    Examples
    --------
    >>> bare_point("PT/SPO-PT02022_00008_100")
    'SPO-PT02022_00008_100'
    """
    return text.strip().rsplit("/", 1)[-1]


def is_no2(code: str) -> bool:
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
