"""Products of the EUMETSAT Data Store (Sentinel-4, Sentinel-5), by its own client `eumdac`.

The numbers of the NO2 collections are not known here: `--collection EO:EUM:DAT:...` names one. The
client searches and gives tokens; files come through the one downloader.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import FetchError
from retrieval.fetch.catalogue import Query, Remote
from retrieval.fetch.web import host

if TYPE_CHECKING:
    from retrieval.fetch.catalogue import Endpoints

CREDENTIALS = "~/.eumdac/credentials"
"""Key and secret, with a comma between: the client's own file."""


@dataclass
class EumetsatToken:
    """A token of the client, of one hour."""

    token: Any
    hosts: frozenset[str]

    def headers(self) -> dict[str, str]:
        """Return the header with the token, which the client renews by itself."""
        return {"Authorization": f"Bearer {self.token}"}

    def renew(self) -> bool:
        """Let the client ask for another one."""
        self.token._expiration = 0
        return True


def open_token(endpoints: Endpoints) -> tuple[EumetsatToken, Any]:
    """Return the token, and the client's addresses.

    Raises
    ------
    FetchError
        If the client is not installed, or there is no key.
    """
    try:
        from eumdac.token import AccessToken, URLs
    except ImportError as error:
        msg = (
            "Invalid installation for EUMETSAT. It needs eumdac. Given none. Install it: pip "
            "install 'dacno2-s5p[fetch]'."
        )
        raise FetchError(msg) from error
    base = endpoints["EUMETSAT"]
    urls = URLs()
    urls.set("DEFAULT", "api", base)
    token = AccessToken(_key(base), urls=urls)
    return EumetsatToken(token, frozenset({host(base)})), urls


def search(kind: str, query: Query, collection: str | None, endpoints: Endpoints) -> list[Remote]:
    """List the products of a collection.

    Raises
    ------
    FetchError
        If no collection is named, or the service refuses.
    """
    if not collection:
        msg = (
            f"Invalid request for {kind}. The collection of the EUMETSAT Data Store must be named. "
            "Given none. Look it up in its catalogue and give --collection EO:EUM:DAT:..."
        )
        raise FetchError(msg)
    from eumdac.datastore import DataStore

    token, urls = open_token(endpoints)
    first, last = (
        datetime.fromisoformat(str(x)).replace(tzinfo=UTC) for x in (query.first, query.last)
    )
    base = endpoints["EUMETSAT"]
    try:
        found = (
            DataStore(token.token)
            .get_collection(collection)
            .search(
                bbox=",".join(f"{x:g}" for x in query.box),
                dtstart=first,
                dtend=last + timedelta(days=1),
            )
        )
        names = [str(product) for product in found]
    except Exception as error:  # the client has a tree of errors of its own over requests'
        said = " ".join(str(error).split())[:200] or type(error).__name__
        msg = (
            f"Invalid answer of {host(base)}. It must list products of {collection}. Given: "
            f"{said}. Check the collection and your account."
        )
        raise FetchError(msg) from error
    return [
        Remote(
            kind,
            f"{name}.zip",
            urls.get(
                "datastore",
                "download product",
                vars={"collection_id": collection, "product_id": name},
            ),
            version=collection,
        )
        for name in names
    ]


def _key(base: str) -> tuple[str, str]:
    key, secret = os.environ.get("EUMDAC_KEY"), os.environ.get("EUMDAC_SECRET")
    if key and secret:
        return key, secret
    with suppress(OSError):
        found = Path(CREDENTIALS).expanduser().read_text("utf-8").strip().split(",")
        if len(found) == 2 and all(found):
            return found[0].strip(), found[1].strip()
    msg = (
        f"Invalid account for {host(base)}. There must be a consumer key and secret. Given none. "
        f"Set EUMDAC_KEY and EUMDAC_SECRET, or write 'KEY,SECRET' into {CREDENTIALS}; they are at "
        "https://api.eumetsat.int/api-key."
    )
    raise FetchError(msg)
