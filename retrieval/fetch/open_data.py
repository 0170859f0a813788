"""Files that need no account: the published DACNO2 fields (Zenodo), terrain, population.

And of those that do need one, or a hand in a browser: the page, the file and the folder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retrieval.errors import FetchError
from retrieval.fetch.catalogue import Box, Remote
from retrieval.fetch.web import host

if TYPE_CHECKING:
    from retrieval.fetch.catalogue import Endpoints, Query
    from retrieval.fetch.web import Web

DACNO2_RECORD = "16986854"
"""The fields that Sun et al. (2026) published on Zenodo."""


@dataclass(frozen=True)
class ByHand:
    """A file that is fetched in a browser.

    Attributes
    ----------
    folder, file, page : str
        Folder of the workspace, name of the file, where it is.
    why : str
        Why this cannot be done by a command.
    """

    folder: str
    file: str
    page: str
    why: str


BY_HAND = (
    ByHand(
        "viirs",
        "VNL_v2*_average_masked.tif",
        "https://eogdata.mines.edu/products/vnl/",
        "login in a browser",
    ),
    ByHand(
        "grip4",
        "grip4_total_dens_m_km2.asc",
        "https://www.globio.info/download-grip-dataset",
        "a form",
    ),
    ByHand(
        "corine",
        "U2018_CLC2018_V2020_20u1.tif",
        "https://land.copernicus.eu/en/products/corine-land-cover/clc2018",
        "login in a browser",
    ),
    ByHand(
        "merit",
        "nXXeYYY_dem.tif",
        "https://hydro.iis.u-tokyo.ac.jp/~yamadai/MERIT_DEM/",
        "registration; the open GLO-90 serves as well",
    ),
)
"""Static maps behind a login."""

POPULATION = "JRC_1K_POP_2018.tif"
"""The raster in the archive of Eurostat's 1 km population grid of 2018."""


def zenodo(record: str, endpoints: Endpoints, web: Web) -> list[Remote]:
    """List the files of a record, with their sizes and checksums.

    Raises
    ------
    FetchError
        If there is no such record.
    """
    url = f"{endpoints['ZENODO']}/api/records/{record}"
    found = web.get(url).json()
    files = found.get("files") if isinstance(found, dict) else None
    if not isinstance(files, list):
        msg = (
            f"Invalid answer of {host(url)}. It must list files. Given {str(found)[:80]!r}. Try "
            "again later."
        )
        raise FetchError(msg)
    version = str(found.get("metadata", {}).get("version", "")) or f"record {record}"
    return [_zenodo_file(item, version) for item in files]


def _zenodo_file(item: dict[str, object], version: str) -> Remote:
    algorithm, _, value = str(item.get("checksum", "")).partition(":")
    links = item["links"]
    if not isinstance(links, dict):
        msg = "Invalid answer of Zenodo. A file must have links. Given none. Try again later."
        raise FetchError(msg)
    size = item.get("size")
    return Remote(
        "dacno2",
        str(item["key"]),
        str(links["self"]),
        size=int(str(size)) if size else None,
        checksum=(algorithm, value.lower()) if value else None,
        version=version,
    )


def terrain_tiles(box: Box, endpoints: Endpoints, web: Web) -> list[Remote]:
    """List the tiles of the Copernicus DEM GLO-90 that meet a box; there are none at sea.

    Tiles are one degree wide, named by their south-west corner, and open without an account.
    """
    west, south, east, north = box
    base = endpoints["DEM"]
    names = [
        f"Copernicus_DSM_COG_30_{_degrees(y, 'NS', 2)}_00_{_degrees(x, 'EW', 3)}_00_DEM"
        for y in range(math.floor(south), math.ceil(north))
        for x in range(math.floor(west), math.ceil(east))
    ]
    on_land = set(web.get(f"{base}/tileList.txt").text.split())
    return [
        Remote("static", f"{name}.tif", f"{base}/{name}/{name}.tif", version="GLO-90")
        for name in names
        if name in on_land
    ]


def population(endpoints: Endpoints) -> Remote:
    """Return the population grid of 2018: one raster out of Eurostat's archive."""
    url = f"{endpoints['GISCO']}/JRC_GRID_2018.zip"
    return Remote("static", POPULATION, url, version="JRC-GEOSTAT 2018", member=POPULATION)


def flights(query: Query, endpoints: Endpoints) -> list[Remote]:
    """List the tables of daily traffic by airport, one a calendar year.

    They are written anew each month, so that the year that goes on is asked for each time.
    """
    return [
        Remote("flights", f"airport_traffic_{year}.csv", f"{base}/airport_traffic_{year}.csv")
        for base in (endpoints["EUROCONTROL"],)
        for year in query.years()
    ]


def _degrees(value: int, letters: str, digits: int) -> str:
    """Spell a corner.

    Examples
    --------
    >>> _degrees(-5, "EW", 3), _degrees(48, "NS", 2)
    ('W005', 'N48')
    """
    return f"{letters[value < 0]}{abs(value):0{digits}d}"
