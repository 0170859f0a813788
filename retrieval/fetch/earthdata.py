"""NASA granules (TEMPO, OMI): the open catalogue CMR, and downloads with an Earthdata token.

`earthaccess` cannot be pointed to another server, so that nothing of it could be tested here; this
is the same protocol by hand (CMR's search interface, a bearer token on the archive's hosts).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrieval.errors import FetchError
from retrieval.fetch.catalogue import Query, Remote
from retrieval.fetch.copernicus_dataspace import account
from retrieval.fetch.web import host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrieval.fetch.catalogue import Endpoints
    from retrieval.fetch.web import Web

COLLECTIONS = {"tempo": "C3685896872-LARC_CLOUD", "omi": "C1239966842-GES_DISC"}
"""Concepts of TEMPO_NO2_L2 V04 and of OMNO2 v003 in CMR; `--collection` takes another one."""

PAGE = 200

_ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256", "SHA256": "sha256", "SHA-512": "sha512"}


@dataclass
class EarthdataToken:
    """`EARTHDATA_TOKEN`, or one that is asked for with user and password."""

    endpoints: Endpoints
    web: Web
    hosts: frozenset[str]
    _token: str = ""

    def headers(self) -> dict[str, str]:
        """Return the header with the token."""
        if not self._token:
            self._token = os.environ.get("EARTHDATA_TOKEN", "") or self._ask()
        return {"Authorization": f"Bearer {self._token}"}

    def renew(self) -> bool:
        """Ask for another one, where user and password are known."""
        if os.environ.get("EARTHDATA_TOKEN"):
            return False
        self._token = self._ask()
        return True

    def _ask(self) -> str:
        base = self.endpoints["EARTHDATA"]
        proof = account("EARTHDATA", host(base))
        answer = self.web.request("POST", f"{base}/api/users/find_or_create_token", auth=proof)
        return str(answer.json()["access_token"])


def search(
    kind: str, query: Query, endpoints: Endpoints, web: Web, *, collection: str | None = None
) -> list[Remote]:
    """List the granules of the days that meet the box.

    Raises
    ------
    FetchError
        If the catalogue cannot be read.
    """
    return [
        remote
        for granule in _granules(collection or COLLECTIONS[kind], query, endpoints, web)
        if (remote := _remote(kind, granule)) is not None
    ]


def _granules(
    collection: str, query: Query, endpoints: Endpoints, web: Web
) -> Iterator[dict[str, Any]]:
    url = f"{endpoints['CMR']}/search/granules.umm_json"
    options = {
        "collection_concept_id": collection,
        "temporal": f"{query.first}T00:00:00Z,{query.last}T23:59:59Z",
        "bounding_box": ",".join(f"{x:g}" for x in query.box),
        "page_size": str(PAGE),
        "sort_key": "start_date",
    }
    after: dict[str, str] = {}
    while True:
        answer = web.get(url, params=options, headers=after)
        items = answer.json().get("items")
        if not isinstance(items, list):
            msg = (
                f"Invalid answer of {host(url)}. It must list granules. Given "
                f"{answer.text[:80]!r}. Try again later."
            )
            raise FetchError(msg)
        yield from items
        following = answer.headers.get("CMR-Search-After")
        if not items or not following:
            return
        after = {"CMR-Search-After": following}


def _remote(kind: str, granule: dict[str, Any]) -> Remote | None:
    """Take the address, size and checksum of a granule; None where it has no file."""
    umm = granule["umm"]
    urls = [
        str(link["URL"])
        for link in umm.get("RelatedUrls", [])
        if link.get("Type") == "GET DATA" and str(link["URL"]).startswith("http")
    ]
    if not urls:
        return None
    name = urls[0].rpartition("/")[2].partition("?")[0]
    size, checksum = None, None
    for about in umm.get("DataGranule", {}).get("ArchiveAndDistributionInformation", []):
        if about.get("Name") not in {name, None} and len(urls) > 1:
            continue
        size = int(about["SizeInBytes"]) if about.get("SizeInBytes") else size
        given = about.get("Checksum", {})
        algorithm = _ALGORITHMS.get(str(given.get("Algorithm", "")).upper())
        checksum = (algorithm, str(given["Value"]).lower()) if algorithm else checksum
    version = str(umm.get("CollectionReference", {}).get("Version", ""))
    return Remote(kind, name, urls[0], size=size, checksum=checksum, version=version)
