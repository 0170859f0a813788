"""A list of wanted files, worked through: what is there is skipped, a failure stops no other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from retrieval.errors import FetchError, RetrievalError
from retrieval.fetch.data_stores import DataStore, Order, is_ordered
from retrieval.fetch.transfer import LEDGER, Ledger, download, is_there
from retrieval.files.locks import alone_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from retrieval.fetch.catalogue import Endpoints, Remote
    from retrieval.fetch.web import Token, Web

LOCK = ".fetch.lock"
MOST_AT_ONCE = 4
"""Connections that the services allow an account (Copernicus Data Space: 4)."""


@dataclass(frozen=True)
class Wanted:
    """A file and where it shall be.

    Attributes
    ----------
    folder : str
        Of the workspace.
    remote : Remote or None
        A file that is there to be downloaded; or
    orders : tuple of Order
        requests to a data store, the first that the store takes.
    token : Token or None
        What proves who asks.
    """

    folder: str
    remote: Remote | None = None
    orders: tuple[Order, ...] = ()
    token: Token | None = None

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.remote.name if self.remote else self.orders[0].name


@dataclass(frozen=True)
class Outcome:
    """How one file ended: `there`, `fetched` or `failed`, with the path or the reason."""

    wanted: Wanted
    status: Literal["there", "fetched", "failed"]
    path: Path | None = None
    reason: str = ""


class Collector:
    """The workspace, the services, the record.

    Parameters
    ----------
    workspace : Path
        Folders are made below it.
    endpoints, web
        Addresses and session.
    """

    def __init__(self, workspace: Path, endpoints: Endpoints, web: Web) -> None:
        self.workspace, self.endpoints, self.web = workspace, endpoints, web
        self.ledger = Ledger(workspace / LEDGER)
        self.stores = {name: DataStore(name, endpoints, web) for name in ("ADS", "CDS")}

    def found(self, wanted: Wanted) -> Path | None:
        """Return the file where it is there, whole and the one that is wanted.

        Raises
        ------
        FetchError
            If the record is damaged.
        """
        records = self.ledger.read()
        folder = self.workspace / wanted.folder
        if wanted.remote is not None:
            record = records.get((wanted.remote.kind, wanted.remote.name))
            there = is_there(wanted.remote, folder, record)
            return folder / wanted.remote.name if there else None
        for order in wanted.orders:
            if is_ordered(order, folder, records.get((order.kind, order.name))):
                return folder / order.name
        return None

    def cost(self, wanted: Wanted) -> str:
        """Say what a file will cost: its size, or what the data store says.

        Raises
        ------
        FetchError
            If the store takes none of the requests.
        """
        if wanted.remote is not None:
            return "" if wanted.remote.size is None else str(wanted.remote.size)
        order = self._accepted(wanted)
        return self.stores[order.store].cost(order)

    def run(
        self,
        wanted: Sequence[Wanted],
        *,
        jobs: int = 1,
        progress: Callable[[Wanted, int, int | None], None] | None = None,
    ) -> Iterator[Outcome]:
        """Bring the files, several at once, and yield each outcome as it is known.

        Raises
        ------
        OutputError
            If another process fetches into one of the folders.
        """
        self.workspace.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            for folder in sorted({item.folder for item in wanted}):
                path = self.workspace / folder
                path.mkdir(parents=True, exist_ok=True)
                rule = "One process at a time fetches into it"
                stack.enter_context(alone_in(path, name=LOCK, rule=rule))
            pool = stack.enter_context(ThreadPoolExecutor(min(jobs, MOST_AT_ONCE)))
            futures = [pool.submit(self._one, item, progress) for item in wanted]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()

    def _one(
        self, wanted: Wanted, progress: Callable[[Wanted, int, int | None], None] | None
    ) -> Outcome:
        def tell(done: int, total: int | None) -> None:
            if progress is not None:
                progress(wanted, done, total)

        folder = self.workspace / wanted.folder
        try:
            if (path := self.found(wanted)) is not None and not self._has_better(wanted, path):
                return Outcome(wanted, "there", path)
            if wanted.remote is not None:
                path = download(
                    wanted.remote, folder, self.web, self.ledger, token=wanted.token, progress=tell
                )
            else:
                order = self._accepted(wanted)
                path = self.stores[order.store].fetch(order, folder, self.ledger, tell)
        except RetrievalError as error:
            return Outcome(wanted, "failed", reason=str(error))
        return Outcome(wanted, "fetched", path)

    def _has_better(self, wanted: Wanted, path: Path) -> bool:
        """Tell whether a store takes a request now that comes before the one that is there."""
        names = [order.name for order in wanted.orders]
        if path.name not in names[1:]:
            return False
        return names.index(self._accepted(wanted).name) < names.index(path.name)

    def _accepted(self, wanted: Wanted) -> Order:
        """Return the first request that its store takes: validated data before interim ones."""
        for order in wanted.orders[:-1]:
            try:
                self.stores[order.store].cost(order)
            except FetchError:
                continue
            return order
        return wanted.orders[-1]
