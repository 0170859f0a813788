"""From the words of `fetch` to a list of wanted files, one function a kind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dacno2_s5p.sources.requests import TRANSPORT_BOX
from retrieval.errors import FetchError
from retrieval.fetch.collect import Wanted
from retrieval.fetch.web import host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np

    from dacno2_s5p.inputs.variables import InputTable, Preparation
    from dacno2_s5p.sources.orders import Held
    from retrieval.fetch.catalogue import Endpoints, Query, Remote
    from retrieval.fetch.data_stores import Order
    from retrieval.fetch.web import Token, Web

BY_REQUEST = ("cams", "cams-forecast", "cams-global", "era5", "emissions")
"""Kinds that a data store computes."""

WIDER = {"era5": TRANSPORT_BOX}
"""Kinds that more is asked for than lies under the grid: winds carry what the network sees."""

STATIC_FOLDERS = {"Copernicus_DSM": "merit", "JRC_1K_POP": "geostat"}
"""Folders that `prepare` reads terrain and population from, by how names begin."""


@dataclass(frozen=True)
class Wishes:
    """What was asked for on the command line.

    Attributes
    ----------
    query : Query
        Days and box.
    endpoints, web
        Addresses and session.
    way : str
        How orbits come: `account` (archives, by user and password), `s3` (files, by keys) or
        `mirror` (the open mirror).
    collection : str or None
        Another collection of NASA or EUMETSAT.
    sites : tuple of str
        Pandora sites.
    stage : str
        `auto`, or of CAMS: validated, interim, forecast, analysis.
    version : str
        Of the inventory.
    preparation, table
        What `prepare` needs, for requests to the data stores.
    held : Held or None
        Files of such requests that are there: days of theirs are not asked for.
    today : datetime64[D] or None
        With it preliminary weather is asked for again once it is final.
    """

    query: Query
    endpoints: Endpoints
    web: Web
    way: str = "account"
    collection: str | None = None
    sites: tuple[str, ...] = ()
    stage: str = "auto"
    version: str = "latest"
    preparation: Preparation | None = None
    table: InputTable | None = None
    record: str = field(default="")
    held: Held | None = None
    today: np.datetime64 | None = None


def list_wanted(kind: str, wishes: Wishes) -> list[Wanted]:
    """Return the files of a kind, as the services list them now.

    Raises
    ------
    FetchError
        If a service cannot be asked.
    """
    if kind in BY_REQUEST:
        return [Wanted(kind, orders=orders) for orders in _orders(kind, wishes)]
    return _LISTS[kind](wishes)


def _orders(kind: str, wishes: Wishes) -> Iterable[tuple[Order, ...]]:
    from dacno2_s5p.inputs.variables import InputTable, Preparation
    from dacno2_s5p.sources import orders

    preparation = wishes.preparation or Preparation()
    table = wishes.table or InputTable.default()
    query = wishes.query
    if kind == "era5":
        found = orders.weather_orders(table, preparation, query, wishes.held, wishes.today)
        return [(order,) for order in found]
    if kind == "emissions":
        return [(order,) for order in orders.inventory_orders(query, wishes.version)]
    if kind == "cams-global":
        return [(order,) for order in orders.global_orders(query, wishes.held)]
    if kind == "cams-forecast":
        stage = _stage(wishes.stage, {"auto": "forecast"}, ("forecast", "analysis"))
        found = orders.forecast_orders(preparation, query, stage, wishes.held)
        return [(order,) for order in found]
    names = {"validated": orders.VALIDATED, "interim": orders.INTERIM}
    stage = _stage(wishes.stage, names, ("auto", *names.values()))
    stages = tuple(names.values()) if stage == "auto" else (stage,)
    by_stage = [orders.reanalysis_orders(preparation, query, s) for s in stages]
    return list(zip(*by_stage, strict=True))


def _stage(given: str, names: dict[str, str], allowed: tuple[str, ...]) -> str:
    stage = names.get(given, given)
    if stage not in allowed:
        short = ", ".join(a.partition("_")[0] for a in allowed)
        msg = f"Invalid stage. It must be one of {short} for this kind. Given {given}. Choose one."
        raise FetchError(msg)
    return stage


def _orbits(wishes: Wishes) -> list[Wanted]:
    from retrieval.fetch.copernicus_dataspace import search_mirror, search_s3

    if wishes.way == "account":
        return _data_space("orbits", wishes)
    search = {"mirror": search_mirror, "s3": search_s3}[wishes.way]
    return _open("orbits", search(wishes.query, wishes.endpoints, wishes.web))


def _data_space(kind: str, wishes: Wishes) -> list[Wanted]:
    from retrieval.fetch.copernicus_dataspace import DataSpaceToken, search

    token = DataSpaceToken(wishes.endpoints, wishes.web)
    found = search(kind, wishes.query, wishes.endpoints, wishes.web)
    return [Wanted(kind, remote, token=token) for remote in found]


def _nasa(kind: str) -> Callable[[Wishes], list[Wanted]]:
    def listed(wishes: Wishes) -> list[Wanted]:
        from retrieval.fetch.earthdata import EarthdataToken, search

        found = search(
            kind, wishes.query, wishes.endpoints, wishes.web, collection=wishes.collection
        )
        hosts = frozenset(host(remote.url) for remote in found)
        token = EarthdataToken(wishes.endpoints, wishes.web, hosts)
        return [Wanted(kind, remote, token=token) for remote in found]

    return listed


def _eumetsat(kind: str) -> Callable[[Wishes], list[Wanted]]:
    def listed(wishes: Wishes) -> list[Wanted]:
        from retrieval.fetch.eumetsat import open_token, search

        found = search(kind, wishes.query, wishes.collection, wishes.endpoints)
        token: Token | None = open_token(wishes.endpoints)[0] if found else None
        return [Wanted(kind, remote, token=token) for remote in found]

    return listed


def _stations(wishes: Wishes) -> list[Wanted]:
    from retrieval.fetch.ground_networks import eea

    return _open("eea", eea(wishes.query, wishes.endpoints, wishes.web))


def _pandora(wishes: Wishes) -> list[Wanted]:
    from retrieval.fetch.ground_networks import pandora

    if not wishes.sites:
        msg = (
            "Invalid request for pandora. A site must be named. Given none. Write for example "
            "--site Cabauw; the network lists its sites at https://www.pandonia-global-network.org."
        )
        raise FetchError(msg)
    return _open("pandora", pandora(wishes.endpoints, wishes.web, wishes.sites))


def _flights(wishes: Wishes) -> list[Wanted]:
    from retrieval.fetch.open_data import flights

    return _open("flights", flights(wishes.query, wishes.endpoints))


def _published(wishes: Wishes) -> list[Wanted]:
    from retrieval.fetch.open_data import DACNO2_RECORD, zenodo

    record = wishes.record or DACNO2_RECORD
    return _open("dacno2", zenodo(record, wishes.endpoints, wishes.web))


def _static(wishes: Wishes) -> list[Wanted]:
    from retrieval.fetch.open_data import population, terrain_tiles

    found = terrain_tiles(wishes.query.box, wishes.endpoints, wishes.web)
    found.append(population(wishes.endpoints))
    return [
        Wanted(folder, remote)
        for remote in found
        for start, folder in STATIC_FOLDERS.items()
        if remote.name.startswith(start)
    ]


def _open(folder: str, found: Iterable[Remote]) -> list[Wanted]:
    return [Wanted(folder, remote) for remote in found]


_LISTS: dict[str, Callable[[Wishes], list[Wanted]]] = {
    "orbits": _orbits,
    "ctm": lambda wishes: _data_space("ctm", wishes),
    "eea": _stations,
    "flights": _flights,
    "pandora": _pandora,
    "tempo": _nasa("tempo"),
    "omi": _nasa("omi"),
    "sentinel4": _eumetsat("sentinel4"),
    "sentinel5": _eumetsat("sentinel5"),
    "dacno2": _published,
    "static": _static,
}
