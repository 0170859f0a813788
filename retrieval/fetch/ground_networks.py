"""Ground measurements: stations of the EEA, Pandora spectrometers of the Pandonia network.

Neither asks for an account. Both rewrite their files as data are checked: a file that is there is
asked for again when the period is fetched again, and replaced where it has changed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from retrieval.errors import FetchError
from retrieval.fetch.catalogue import Remote
from retrieval.fetch.web import host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retrieval.fetch.catalogue import Endpoints, Query
    from retrieval.fetch.web import Web

COUNTRIES = ("AD", "BE", "CH", "DE", "ES", "FR", "GB", "IE", "IT", "LU", "NL")
"""Countries with stations in the model's domain."""

NO2 = "http://dd.eionet.europa.eu/vocabulary/aq/pollutant/8"

VERIFIED, UP_TO_DATE = 2, 1
"""Data sets of the service: E1a (verified, until the year before last), E2a (up to date)."""

PANDORA_CODE = "rnv[sh]3"
"""Codes of NO2 columns, from the direct sun (s) and the sky (h), of the present retrieval."""

_LINK = re.compile(r'href="(?P<href>[^"?#]+)"', re.IGNORECASE)


def eea(
    query: Query, endpoints: Endpoints, web: Web, countries: Sequence[str] = COUNTRIES
) -> list[Remote]:
    """List the parquet files of hourly NO2, verified ones and up-to-date ones.

    Which of two values for one hour counts is decided by their `Verification` when they are read.

    Raises
    ------
    FetchError
        If the service cannot be read.
    """
    url = f"{endpoints['EEA']}/ParquetFile/urls"
    found: dict[str, Remote] = {}
    for dataset, word in ((VERIFIED, "E1a"), (UP_TO_DATE, "E2a")):
        body = {
            "countries": list(countries),
            "cities": [],
            "pollutants": [NO2],
            "dataset": dataset,
            "source": "API",
            "dateTimeStart": f"{query.first}T00:00:00Z",
            "dateTimeEnd": f"{query.last}T23:59:59Z",
            "aggregationType": "hour",
        }
        text = web.request("POST", url, json=body).text
        lines = [line.strip().strip('"') for line in text.splitlines()]
        if not lines or lines[0].startswith(("<", "{")):
            msg = (
                f"Invalid answer of {host(url)}. It must be a list of addresses. Given "
                f"{text[:60]!r}. Try again later."
            )
            raise FetchError(msg)
        for line in lines:
            if line.startswith("http"):
                # the files of both data sets may have one name
                name = f"{word}_{unquote(line).rpartition('/')[2]}"
                found[name] = Remote("eea", name, line, version=word)
    return [found[name] for name in sorted(found)]


def pandora(
    endpoints: Endpoints, web: Web, sites: Sequence[str], *, code: str = PANDORA_CODE
) -> list[Remote]:
    """List the L2 files of sites, through the folders that the network shows.

    Parameters
    ----------
    endpoints, web
        Addresses and session.
    sites : sequence of str
        Names of places as the network has them (`Cabauw`, `Brussels-Uccle`); none for all.
    code : str
        Pattern of the code in the file's name.

    Raises
    ------
    FetchError
        If a site is none of the network's.
    """
    base = endpoints["PGN"]
    known = [x.rstrip("/") for x in links(web, f"{base}/") if x.endswith("/")]
    unknown = sorted(set(sites) - set(known))
    if unknown:
        msg = (
            f"Invalid site. It must be one of the network's. Given {', '.join(unknown)}. Choose "
            f"among {', '.join(known[:12])}{', ...' if len(known) > 12 else ''}."
        )
        raise FetchError(msg)
    pattern = re.compile(rf"Pandora\d+s\d+_.*_L2_{code}.*\.txt")
    found = []
    for site in sites or known:
        for instrument in links(web, f"{base}/{site}/"):
            if not instrument.startswith("Pandora"):
                continue
            folder = f"{base}/{site}/{instrument.rstrip('/')}/L2/"
            names = [n for n in links(web, folder) if pattern.fullmatch(n)]
            found += [Remote("pandora", n, f"{folder}{n}", version=_code(n)) for n in names]
    return found


def links(web: Web, url: str) -> list[str]:
    """Return the names that a page of a folder links to, without what leads elsewhere."""
    text = web.get(url).text
    names = [unquote(m["href"]).removeprefix("./") for m in _LINK.finditer(text)]
    return sorted({n for n in names if "/" not in n.rstrip("/") and not n.startswith(("/", "."))})


def _code(name: str) -> str:
    return name.rpartition("_L2_")[2].removesuffix(".txt")
