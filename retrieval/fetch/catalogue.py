"""What can be asked of any service, and what it answers: days and a box in, remote files out."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Box = tuple[float, float, float, float]
"""West, south, east, north [degrees]."""

SERVICES = {
    "CDSE_CATALOGUE": "https://catalogue.dataspace.copernicus.eu/odata/v1",
    "CDSE_DOWNLOAD": "https://download.dataspace.copernicus.eu/odata/v1",
    "CDSE_IDENTITY": (
        "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"
    ),
    "CDSE_S3": "https://eodata.dataspace.copernicus.eu",
    "S5P_MIRROR": "https://meeo-s5p.s3.amazonaws.com",
    "ADS": "https://ads.atmosphere.copernicus.eu/api",
    "CDS": "https://cds.climate.copernicus.eu/api",
    "EEA": "https://eeadmz1-downloads-api-appservice.azurewebsites.net",
    "PGN": "https://data.pandonia-global-network.org",
    "CMR": "https://cmr.earthdata.nasa.gov",
    "EARTHDATA": "https://urs.earthdata.nasa.gov",
    "EUMETSAT": "https://api.eumetsat.int",
    "ZENODO": "https://zenodo.org",
    "DEM": "https://copernicus-dem-90m.s3.amazonaws.com",
    "GISCO": "https://ec.europa.eu/eurostat/cache/GISCO/geodatafiles",
    "EUROCONTROL": "https://www.eurocontrol.int/performance/data/download/csv",
}
"""Where each service is; `DACNO2_S5P_ENDPOINT_<SERVICE>` or `--endpoint` puts another address."""

ENVIRONMENT = "DACNO2_S5P_ENDPOINT_"


@dataclass(frozen=True)
class Endpoints:
    """Addresses of the services, some of them set by the user.

    Examples
    --------
    >>> Endpoints({"ZENODO": "http://127.0.0.1:8000/"}, environment={})["ZENODO"]
    'http://127.0.0.1:8000'
    >>> Endpoints(environment={"DACNO2_S5P_ENDPOINT_CMR": "http://localhost:1"})["CMR"]
    'http://localhost:1'
    """

    given: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.given) - set(SERVICES))
        if unknown:
            msg = (
                f"Invalid endpoint. It must be one of {', '.join(SERVICES)}. Given "
                f"{', '.join(unknown)}. Write for example ADS=http://mirror/api."
            )
            raise FetchError(msg)

    def __getitem__(self, service: str) -> str:
        """Return the address of a service, without a slash at its end."""
        default = SERVICES[service]
        url = self.given.get(service) or self.environment.get(ENVIRONMENT + service) or default
        return url.rstrip("/")


@dataclass(frozen=True)
class Query:
    """Days and an area.

    Attributes
    ----------
    first, last : datetime64[D]
        Both are included.
    box : tuple of float
        West, south, east, north [degrees].

    Examples
    --------
    >>> query = Query(np.datetime64("2023-06-29"), np.datetime64("2023-07-02"))
    >>> [str(m) for m in query.months()], len(list(query.days()))
    (['2023-06', '2023-07'], 4)
    """

    first: np.datetime64
    last: np.datetime64
    box: Box = (-10.0, 40.0, 10.0, 56.0)

    def __post_init__(self) -> None:
        west, south, east, north = self.box
        if self.last < self.first:
            msg = (
                f"Invalid period. It must not end before it begins. Given {self.first} to "
                f"{self.last}. Exchange --start and --end."
            )
            raise FetchError(msg)
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            msg = (
                "Invalid box. West must be below east, south below north, within 180W-180E and "
                f"90S-90N. Given {west:g} {south:g} {east:g} {north:g}. Split a box that crosses "
                "180 degrees."
            )
            raise FetchError(msg)

    def days(self) -> Iterator[np.datetime64]:
        """Yield each day."""
        yield from np.arange(self.first, self.last + np.timedelta64(1, "D"))

    def months(self) -> Iterator[np.datetime64]:
        """Yield each month that the period touches."""
        first, last = (x.astype("datetime64[M]") for x in (self.first, self.last))
        yield from np.arange(first, last + np.timedelta64(1, "M"))

    def years(self) -> list[int]:
        """Return each calendar year that the period touches."""
        return list(range(int(str(self.first)[:4]), int(str(self.last)[:4]) + 1))

    def within(self, month: np.datetime64) -> Query:
        """Return the part of the period in a month."""
        start = month.astype("datetime64[D]")
        end = (month + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
        return Query(max(self.first, start), min(self.last, end), self.box)


_NAME = re.compile(r"[A-Za-z0-9_][\w .,+=@()\[\]-]{0,250}")


@dataclass(frozen=True)
class Remote:
    """One file of a service.

    Attributes
    ----------
    kind : str
        Word of the command: `orbits`, `ctm`, ...
    name : str
        Name on disk.
    url : str
        Where it is.
    size : int or None
        Bytes, where the catalogue says so.
    checksum : tuple of str, or None
        Algorithm (as `hashlib` has it) and hexadecimal digits.
    version : str
        What the catalogue says of its version, for the record.
    member : str
        Ending of the one member to keep where the file is a ZIP archive around it; empty to keep
        the file as it is. Size and checksum are then the archive's.
    is_size_exact : bool
        Whether another size is damage; some catalogues are known to be off.
    """

    kind: str
    name: str
    url: str
    size: int | None = None
    checksum: tuple[str, str] | None = None
    version: str = ""
    member: str = ""
    is_size_exact: bool = True

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or ".." in self.name:
            msg = (
                "Invalid name of a remote file. It must be a plain file name. Given "
                f"{self.name[:80]!r}. Nothing was written; report it to the service."
            )
            raise FetchError(msg)


def human(size: float) -> str:
    """Write a number of bytes for people.

    Examples
    --------
    >>> human(1536), human(2.5e9)
    ('1.54 kB', '2.5 GB')
    """
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
