"""The Atmosphere and Climate Data Stores: requests that are computed, waited for, then downloaded.

A job goes on at the service when the command ends; its number is remembered beside the files, so
that the next call finds it again. The client is `ecmwf-datastores-client` (an extra, imported when
it is used), results come through the one downloader, which checks what that client does not.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import FetchError
from retrieval.fetch.catalogue import Remote
from retrieval.fetch.transfer import download
from retrieval.files.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retrieval.fetch.catalogue import Endpoints
    from retrieval.fetch.transfer import Ledger, Progress
    from retrieval.fetch.web import Web

logger = logging.getLogger(__name__)

JOBS = ".jobs.json"
"""Jobs that were asked for and not yet fetched, in the folder of their files."""

LONGEST_SLEEP = 120.0
"""Seconds between two looks at a job, at most."""

PAGES = {
    "ADS": "https://ads.atmosphere.copernicus.eu/datasets",
    "CDS": "https://cds.climate.copernicus.eu/datasets",
}
"""Where licences are accepted, by store."""

VARIABLES = ("ECMWF_DATASTORES_KEY", "CDSAPI_KEY")
FILES = ("~/.ecmwfdatastoresrc", "~/.cdsapirc")


@dataclass(frozen=True)
class Order:
    """One request to a store, and the file that it becomes.

    Attributes
    ----------
    kind, name : str
        As of `Remote`.
    store : str
        `ADS` or `CDS`.
    collection : str
        Data set.
    body : dict
        The request.
    since : str
        A file that was fetched before this time is of the same request, but not what the store has
        now: ISO 8601 in UTC; empty for no such time.
    """

    kind: str
    name: str
    store: str
    collection: str
    body: Mapping[str, Any] = field(default_factory=dict)
    since: str = ""

    @property
    def key(self) -> str:
        """A number of the content: the same request has the same."""
        text = json.dumps([self.collection, dict(self.body)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def remote(self) -> Remote:
        """The file before anything is known of it."""
        url = f"{PAGES[self.store]}/{self.collection}"
        return Remote(self.kind, self.name, url, version=f"request {self.key}")


def is_ordered(order: Order, folder: Path, record: Mapping[str, object] | None) -> bool:
    """Tell whether the file of an order is there, whole, and of this very request."""
    path = folder / order.name
    if record is None or not path.is_file():
        return False
    return (
        record.get("size") == path.stat().st_size
        and record.get("version") == order.remote.version
        and str(record.get("time", "")) >= order.since
    )


@dataclass
class DataStore:
    """One store.

    Attributes
    ----------
    name : str
        `ADS` or `CDS`.
    endpoints, web
        Addresses and session.
    """

    name: str
    endpoints: Endpoints
    web: Web
    _client: Any = field(default=None, repr=False)

    @property
    def client(self) -> Any:
        """The client, made when it is first needed.

        Raises
        ------
        FetchError
            If it is not installed, or there is no key.
        """
        if self._client is None:
            try:
                from ecmwf.datastores import Client
            except ImportError as error:
                msg = (
                    f"Invalid installation for {self.name}. It needs "
                    "ecmwf-datastores-client. Given none. Install it: pip install "
                    "'dacno2-s5p[fetch]'."
                )
                raise FetchError(msg) from error
            key = store_key(self.name)
            with warnings.catch_warnings():
                # it asks for the service's news at once; without them the request says what is
                warnings.simplefilter("ignore", UserWarning)
                self._client = Client(
                    url=self.endpoints[self.name],
                    key=key,
                    progress=False,
                    cleanup=False,  # the job must outlive this process
                    maximum_tries=self.web.tries,
                    retry_after=self.web.pause,
                    sleep_max=min(LONGEST_SLEEP, 120 * self.web.pause),
                )
        return self._client

    def cost(self, order: Order) -> str:
        """Ask what a request costs, and whether it is one that the store takes.

        Returns
        -------
        str
            In words; empty where the store does not say.

        Raises
        ------
        FetchError
            If the cost is over the store's limit, or a value is none of the data set's.
        """
        with self._words(order):
            valid = self.client.apply_constraints(order.collection, dict(order.body))
            found = self.client.estimate_costs(order.collection, dict(order.body))
        for name, values in order.body.items():
            allowed = valid.get(name)
            given = [str(v) for v in (values if isinstance(values, list) else [values])]
            bad = [] if not allowed else [v for v in given if v not in map(str, allowed)]
            if bad and name not in _FREE:
                msg = (
                    f"Invalid request to {self.name} for {order.collection}. {name} must be one of "
                    f"{_short(allowed)}. Given {_short(bad)}. Choose other days, or wait until the "
                    "store has them."
                )
                raise FetchError(msg)
        cost, limit = found.get("cost"), found.get("limit")
        if cost is None:
            return ""
        if limit is not None and cost > limit:
            msg = (
                f"Invalid request to {self.name} for {order.collection}. Its cost must be at most "
                f"{limit:g}. Given {cost:g} for {order.name}. Ask for fewer days or a smaller box."
            )
            raise FetchError(msg)
        return f"cost {cost:g} of {limit:g}" if limit is not None else f"cost {cost:g}"

    def fetch(
        self, order: Order, folder: Path, ledger: Ledger, progress: Progress | None = None
    ) -> Path:
        """Submit an order, or find its job again; wait; download.

        Raises
        ------
        FetchError
            If the store refuses or the job fails.
        """
        folder.mkdir(parents=True, exist_ok=True)
        jobs = Jobs(folder / JOBS)
        number = jobs.read().get(order.key)
        job = self._find(number) if number else None
        if job is None:
            self.cost(order)
            with self._words(order):
                job = self.client.submit(order.collection, dict(order.body))
            jobs.put(order.key, job.request_id)
            logger.info("%s: job %s asked for (%s)", self.name, job.request_id, order.name)
        try:
            with self._words(order):
                results = job.get_results()
                asset = results.asset
            checksum = str(asset.get("file:checksum") or "").lower()
            is_md5 = len(checksum) == 32 and set(checksum) <= set("0123456789abcdef")
            remote = Remote(
                order.kind,
                order.name,
                str(asset["href"]),
                size=int(asset["file:size"]) if asset.get("file:size") else None,
                checksum=("md5", checksum) if is_md5 else None,
                version=order.remote.version,
            )
        except FetchError:
            jobs.drop(order.key)  # a job that failed will not do better
            raise
        path = download(remote, folder, self.web, ledger, progress=progress)
        jobs.drop(order.key)
        return path

    def _find(self, number: str) -> Any:
        """Return a job of before; None where the store has forgotten it or it had failed."""
        import requests

        try:
            job = self.client.get_remote(number)
            return None if job.status in {"failed", "rejected"} else job
        except (requests.RequestException, KeyError):
            logger.info("%s: job %s is no more; it is asked for again", self.name, number)
            return None

    def _words(self, order: Order) -> _Words:
        return _Words(self, order)


_FREE = frozenset({"area", "date", "data_format", "download_format"})
"""Entries of requests whose lists of valid values are patterns, no lists."""


def _short(values: Any) -> str:
    shown = [str(v) for v in list(values)[:6]]
    return ", ".join(shown) + (", ..." if len(list(values)) > 6 else "")


class _Words:
    """Turn what the client raises into one line, with what to do."""

    def __init__(self, store: DataStore, order: Order) -> None:
        self.store, self.order = store, order

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, FetchError) or not isinstance(error, Exception):
            return
        said = " ".join(str(error).split())[:300]
        low = said.lower()
        page = f"{PAGES[self.store.name]}/{self.order.collection}"
        if "licence" in low or "license" in low or "403" in low:
            advice = f"Accept the licence at {page}?tab=download#manage-licences"
        elif "401" in low or "authent" in low:
            advice = f"Set {VARIABLES[0]}, or write it into {FILES[0]}"
        elif "cost" in low or "too large" in low:
            advice = "Ask for fewer days or a smaller box"
        elif "404" in low:
            advice = f"Look at {page}: the data set may have another name now"
        else:
            advice = "Try again later; the job is remembered where one was made"
        msg = (
            f"Invalid answer of {self.store.name} to the request for {self.order.name}. It must be "
            f"a result. Given: {said.rstrip('.') or type(error).__name__}. {advice}."
        )
        raise FetchError(msg) from error


@dataclass(frozen=True)
class Jobs:
    """Numbers of jobs by the content of their request."""

    path: Path

    def read(self) -> dict[str, str]:
        """Return what is remembered; a damaged memory is none."""
        with suppress(OSError, ValueError):
            found = json.loads(self.path.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return {str(k): str(v) for k, v in found.items()}
        return {}

    def put(self, key: str, number: str) -> None:
        """Remember a job."""
        self._write(self.read() | {key: number})

    def drop(self, key: str) -> None:
        """Forget a job."""
        self._write({k: v for k, v in self.read().items() if k != key})

    def _write(self, jobs: dict[str, str]) -> None:
        with atomic_output(self.path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(jobs), encoding="utf-8")


def store_key(store: str) -> str:
    """Return the personal access token: from the environment, or the clients' own files.

    Raises
    ------
    FetchError
        If there is none.
    """
    for variable in VARIABLES:
        if os.environ.get(variable):
            return os.environ[variable]
    files = [os.environ.get("ECMWF_DATASTORES_RC_FILE"), os.environ.get("CDSAPI_RC"), *FILES]
    for file in files:
        with suppress(OSError, UnicodeDecodeError):
            lines = Path(file).expanduser().read_text("utf-8").splitlines() if file else []
            for line in lines:
                name, _, value = line.partition(":")
                if name.strip() == "key" and value.strip():
                    return value.strip()
    msg = (
        f"Invalid account for {store}. There must be a personal access token. Given none. Set "
        f"{VARIABLES[0]}, or write 'key: TOKEN' into {FILES[0]}; it is on your profile page at "
        f"{PAGES[store].removesuffix('/datasets')}."
    )
    raise FetchError(msg)
