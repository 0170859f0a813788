"""Sentinel products of the Copernicus Data Space (OData), and the open mirror of TROPOMI orbits.

The catalogue is open; downloads want a token of ten minutes, which is renewed while a list is
worked through. Products come as ZIP archives around one netCDF file, which alone is kept. Source:
the documentation of the Copernicus Data Space Ecosystem (OData, tokens, quotas).
"""

from __future__ import annotations

import netrc
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np

from retrieval.errors import FetchError
from retrieval.fetch.catalogue import Query, Remote
from retrieval.fetch.versions import best_days, best_orbits
from retrieval.fetch.web import host
from retrieval.files.names import parse_s5p

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrieval.fetch.catalogue import Box, Endpoints
    from retrieval.fetch.web import Web

PRODUCTS = {"orbits": "L2__NO2___", "ctm": "AUX_CTMANA"}
"""Product types by kind, exactly as the catalogue spells them."""

STREAMS = {"orbits": ("RPRO", "OFFL", "NRTI"), "ctm": ("OPER",)}

PAGE = 1000
"""Products a page; the catalogue gives no more."""

_ALGORITHMS = {"MD5": "md5", "SHA256": "sha256", "SHA3-256": "sha3_256"}
"""Checksums of the catalogue that can be verified; BLAKE3 stands beside MD5 and is passed over."""


@dataclass
class DataSpaceToken:
    """A token for downloads, from user and password of the environment or of netrc.

    `CDSE_USERNAME` and `CDSE_PASSWORD`, or the machine of the identity service in `~/.netrc`.
    """

    endpoints: Endpoints
    web: Web
    hosts: frozenset[str] = frozenset()
    _access: str = field(default="", repr=False)
    _refresh: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        names = ("CDSE_DOWNLOAD", "CDSE_CATALOGUE")
        self.hosts = frozenset(host(self.endpoints[name]) for name in names)

    def headers(self) -> dict[str, str]:
        """Return the header with the token, asked for when it is first needed."""
        if not self._access:
            self._ask(self._password_grant())
        return {"Authorization": f"Bearer {self._access}"}

    def renew(self) -> bool:
        """Renew by the refresh token, else by the password."""
        if self._refresh:
            grant = {"grant_type": "refresh_token", "refresh_token": self._refresh}
            with suppress(FetchError):
                self._ask({"client_id": "cdse-public", **grant})
                return True
        self._ask(self._password_grant())
        return True

    def _password_grant(self) -> dict[str, str]:
        user, password = account("CDSE", host(self.endpoints["CDSE_IDENTITY"]))
        return {
            "client_id": "cdse-public",
            "grant_type": "password",
            "username": user,
            "password": password,
        }

    def _ask(self, form: dict[str, str]) -> None:
        found = self.web.request("POST", self.endpoints["CDSE_IDENTITY"], data=form).json()
        self._access = str(found["access_token"])
        self._refresh = str(found.get("refresh_token", ""))


def account(name: str, machine: str) -> tuple[str, str]:
    """Return user and password: NAME_USERNAME and NAME_PASSWORD, else the machine of netrc.

    Raises
    ------
    FetchError
        If there is none.
    """
    user, password = (os.environ.get(f"{name}_{x}") for x in ("USERNAME", "PASSWORD"))
    if user and password:
        return user, password
    with suppress(OSError, netrc.NetrcParseError):
        found = netrc.netrc(os.environ.get("NETRC")).authenticators(machine.partition(":")[0])
        if found is not None and found[0] and found[2]:
            return found[0], found[2]
    msg = (
        f"Invalid account for {machine}. There must be a user and a password. Given none. Set "
        f"{name}_USERNAME and {name}_PASSWORD, or add the machine to ~/.netrc; register at "
        f"{_REGISTER.get(name, machine)}."
    )
    raise FetchError(msg)


_REGISTER = {
    "CDSE": "https://dataspace.copernicus.eu",
    "EARTHDATA": "https://urs.earthdata.nasa.gov",
}


def search(kind: str, query: Query, endpoints: Endpoints, web: Web) -> list[Remote]:
    """List the orbits (L2 NO2) that meet the box, or the AUX_CTMANA files, of the days.

    Raises
    ------
    FetchError
        If the catalogue cannot be read.
    """
    found = [
        _remote(kind, entry, endpoints)
        for month in query.months()
        for entry in _entries(kind, query.within(month), endpoints, web)
    ]
    return best_orbits(found) if kind == "orbits" else best_days(found)


def _entries(kind: str, query: Query, endpoints: Endpoints, web: Web) -> Iterator[dict[str, Any]]:
    """Yield the entries of all pages; a month at a time, since the catalogue skips only so far."""
    url = f"{endpoints['CDSE_CATALOGUE']}/Products"
    options: dict[str, str] | None = {
        "$filter": odata_filter(kind, query),
        "$orderby": "ContentDate/Start",
        "$top": str(PAGE),
    }
    while url:
        page = web.get(url, params=options).json()
        if not isinstance(page, dict) or not isinstance(page.get("value"), list):
            msg = (
                f"Invalid answer of {host(url)}. It must list products. Given {str(page)[:80]!r}. "
                "Try again later."
            )
            raise FetchError(msg)
        yield from page["value"]
        url, options = page.get("@odata.nextLink", ""), None


def odata_filter(kind: str, query: Query) -> str:
    """Return the filter of the catalogue for days and box.

    Examples
    --------
    >>> query = Query(np.datetime64("2023-06-01"), np.datetime64("2023-06-01"))
    >>> odata_filter("orbits", query).split(" and ")[-1]
    "OData.CSC.Intersects(area=geography'SRID=4326;POLYGON((-10 40,10 40,10 56,-10 56,-10 40))')"
    """
    end = query.last + np.timedelta64(1, "D")
    # an orbit of the first day may have begun on the day before: a day is asked for more
    start = query.first - np.timedelta64(1, "D") if kind == "orbits" else query.first
    terms = [
        "Collection/Name eq 'SENTINEL-5P'",
        "Attributes/OData.CSC.StringAttribute/any(att:att/Name eq 'productType' and "
        f"att/OData.CSC.StringAttribute/Value eq '{PRODUCTS[kind]}')",
        f"ContentDate/End ge {query.first}T00:00:00.000Z",
        f"ContentDate/Start ge {start}T00:00:00.000Z",
        f"ContentDate/Start lt {end}T00:00:00.000Z",
    ]
    if kind == "orbits":
        west, south, east, north = (f"{x:g}" for x in query.box)
        ring = ((west, south), (east, south), (east, north), (west, north), (west, south))
        corners = ",".join(f"{x} {y}" for x, y in ring)
        area = f"geography'SRID=4326;POLYGON(({corners}))'"
        terms.append(f"OData.CSC.Intersects(area={area})")
    return " and ".join(terms)


def _remote(kind: str, entry: dict[str, Any], endpoints: Endpoints) -> Remote:
    name = str(entry["Name"])
    stem = re.sub(r"\.(nc|zip|SEN3)$", "", name)
    size = entry.get("ContentLength")
    return Remote(
        kind,
        f"{stem}.nc",
        f"{endpoints['CDSE_DOWNLOAD']}/Products({quote(str(entry['Id']))})/$value",
        size=int(size) if size else None,
        checksum=_checksum(entry.get("Checksum") or []),
        version=_version(stem),
        member=".nc",
        # some archives were packed again and have another size than the catalogue says
        is_size_exact=False,
    )


def _checksum(listed: list[dict[str, Any]]) -> tuple[str, str] | None:
    for item in listed:
        algorithm = _ALGORITHMS.get(str(item.get("Algorithm", "")).upper())
        if algorithm and item.get("Value"):
            return algorithm, str(item["Value"]).lower()
    return None


def _version(stem: str) -> str:
    name = parse_s5p(stem)
    return "" if name is None else f"{name.stream} {name.collection} {name.processor}"


def search_s3(query: Query, endpoints: Endpoints, web: Web) -> list[Remote]:
    """List the orbits of the days in the object store: single files instead of archives.

    The keys are those of the S3 key manager: `CDSE_S3_ACCESS_KEY` and `CDSE_S3_SECRET_KEY`.

    Raises
    ------
    FetchError
        If `boto3` is not installed, there are no keys, or the store does not have a file.
    """
    key, secret = (os.environ.get(f"CDSE_S3_{x}_KEY", "") for x in ("ACCESS", "SECRET"))
    if not key or not secret:
        msg = (
            "Invalid account for the object store. There must be an access key and a secret key. "
            "Given none. Set CDSE_S3_ACCESS_KEY and CDSE_S3_SECRET_KEY; they are made at "
            "https://eodata-s3keysmanager.dataspace.copernicus.eu."
        )
        raise FetchError(msg)
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        msg = (
            "Invalid installation for the object store. It needs boto3. Given none. Install it: "
            "pip install 'dacno2-s5p[fetch]'."
        )
        raise FetchError(msg) from error
    store = boto3.client(
        "s3",
        endpoint_url=endpoints["CDSE_S3"],
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        region_name="default",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": web.tries}),
    )
    entries = [
        entry
        for month in query.months()
        for entry in _entries("orbits", query.within(month), endpoints, web)
    ]
    paths = {_remote("orbits", e, endpoints).name: str(e.get("S3Path", "")) for e in entries}
    found = []
    for orbit in best_orbits([_remote("orbits", e, endpoints) for e in entries]):
        bucket, _, folder = paths[orbit.name].strip("/").partition("/")
        place = {"Bucket": bucket, "Key": f"{folder.rstrip('/')}/{orbit.name}"}
        try:
            about = store.head_object(**place)
            url = store.generate_presigned_url("get_object", Params=place, ExpiresIn=12 * 3600)
        except (BotoCoreError, ClientError) as error:
            msg = (
                f"Invalid answer of {host(endpoints['CDSE_S3'])} for {orbit.name}. It must have "
                f"the file. Given: {error}. Check the keys, or fetch it without --s3."
            )
            raise FetchError(msg) from error
        tag = str(about.get("ETag", "")).strip('"')
        found.append(
            Remote(
                "orbits",
                orbit.name,
                str(url),
                size=int(about["ContentLength"]),
                checksum=("md5", tag) if _MD5.fullmatch(tag) else None,
                version=orbit.version,
            )
        )
    return found


_MD5 = re.compile(r"[0-9a-f]{32}")
"""The tag of a file that came in one piece is its MD5."""


def search_mirror(query: Query, endpoints: Endpoints, web: Web) -> list[Remote]:
    """List the orbits of the days in the open mirror, which needs no account.

    The mirror knows no areas: orbits are taken whose name's times may bring them over the box
    (`may_see`), which is more than do.
    """
    found: list[Remote] = []
    for stream in ("RPRO", "OFFL", "NRTI"):
        for day in query.days():
            prefix = f"{stream}/L2__NO2___/{str(day).replace('-', '/')}/"
            listed = list(_listing(prefix, endpoints["S5P_MIRROR"], web))
            found += [remote for remote in listed if may_see(remote.name, query.box)]
    return best_orbits(found)


EAST_OF_NODE, WEST_OF_NODE = 35.0, 55.0
"""Degrees of longitude about the ascending node that a day-side half orbit of Sentinel-5P may see:
a swath of 2600 km is 12 degrees to each side at the equator and 35 at 70 N, and the track bends
20 degrees to the west between 0 and 56 N."""

NODE_HOUR = 13.5
"""Local solar time of the ascending node [h]."""


def may_see(name: str, box: Box) -> bool:
    """Tell by the times in its name whether an orbit may see a box by day.

    The ascending node is about in the middle of the orbit's times, at 13:30 local solar time, thus
    at the longitude 15 (13.5 - UTC) degrees. Names that are none of an orbit may see everything.

    Examples
    --------
    >>> name = "S5P_RPRO_L2__NO2____20210725T110715_20210725T124844_19594_03_020400_20221104T141836"
    >>> may_see(name, (-10, 40, 10, 56)), may_see(name, (100, 20, 120, 40))
    (True, False)
    """
    parsed = parse_s5p(name)
    if parsed is None:
        return True
    middle = parsed.start + (parsed.end - parsed.start) / 2
    hours = (middle - middle.astype("datetime64[D]")) / np.timedelta64(1, "h")
    node = 15.0 * (NODE_HOUR - hours)
    west, east = box[0] - node, box[2] - node
    # the box, moved by whole turns, meets the range
    return any(
        west + turn <= EAST_OF_NODE and east + turn >= -WEST_OF_NODE
        for turn in (-360.0, 0.0, 360.0)
    )


def _listing(prefix: str, base: str, web: Web) -> Iterator[Remote]:
    """Yield the files below a prefix of a bucket (ListObjectsV2)."""
    options = {"list-type": "2", "prefix": prefix}
    while True:
        text = web.get(base, params=options).text
        try:
            root = ElementTree.fromstring(re.sub(r'\sxmlns="[^"]+"', "", text, count=1))
        except ElementTree.ParseError as error:
            msg = (
                f"Invalid answer of {host(base)}. It must be a listing in XML. Given "
                f"{text[:60]!r}. Try again later."
            )
            raise FetchError(msg) from error
        for item in root.iter("Contents"):
            key = item.findtext("Key", "")
            tag = item.findtext("ETag", "").strip('"')
            if not key.endswith(".nc"):
                continue
            name = key.rpartition("/")[2]
            checksum = ("md5", tag) if _MD5.fullmatch(tag) else None
            yield Remote(
                "orbits",
                name,
                f"{base}/{quote(key)}",
                size=int(item.findtext("Size", "0")) or None,
                checksum=checksum,
                version=_version(name),
            )
        following = root.findtext("NextContinuationToken")
        if not following:
            return
        options["continuation-token"] = following
