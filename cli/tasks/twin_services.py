"""The services that `fetch` knows, on the loopback, for files of the twin world.

They speak the protocols of the mirror of orbits, the data stores (OGC API Processes), the EEA's
download service, the Pandonia network and the airports' table, as far as `fetch` does: so that a
recipe runs from downloads to a report without an account, a network, or a real measurement.
"""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from retrieval.files.names import parse_s5p

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

STORES = {
    "reanalysis-era5-single-levels": ("era5", "era5_single_{day}*"),
    "reanalysis-era5-pressure-levels": ("era5", "era5_pressure_{day}*"),
    "cams-europe-air-quality-reanalyses": ("cams", "*{month}*"),
    "cams-europe-air-quality-forecasts": ("cams_forecast", "*{day}*"),
    "cams-global-atmospheric-composition-forecasts": ("cams_global", "*{day}*"),
    "cams-global-emission-inventories": ("emissions", "*{year}*"),
}
"""Folder and names of the files of each data set."""

KEY = "twin"
"""Any key is taken."""


@dataclass
class TwinServices:
    """The files and the requests for them.

    Attributes
    ----------
    folder : Path
        As `dacno2-s5p twin` fills it; `pandora/` holds ground columns.
    url : str
        Where it answers.
    asked : list of str
        Method and path of each request.
    """

    folder: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)
    _jobs: dict[str, bytes] = field(default_factory=dict)

    @property
    def endpoints(self) -> dict[str, str]:
        """Addresses by service, as `--endpoint` takes them."""
        paths = {"S5P_MIRROR": "s3", "ADS": "api", "CDS": "api", "EEA": "eea", "PGN": "pgn"}
        return {name: f"{self.url}/{path}" for name, path in paths.items()} | {
            "EUROCONTROL": f"{self.url}/flights"
        }

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes) -> Any:
        """Return the answer to a request: bytes, text, or what becomes JSON; None for none."""
        self.asked.append(f"{method} {path}")
        service, _, rest = path.lstrip("/").partition("/")
        if service == "s3":
            return self._mirror(rest, query)
        if service == "api":
            return self._store(method, rest, body)
        if service == "eea":
            return self._stations(rest)
        if service == "pgn":
            return self._pandora(rest)
        return self._first("flights", "*.csv") if service == "flights" else None

    def _first(self, *where: str) -> bytes | None:
        folder, pattern = self.folder / where[0], where[1]
        found = sorted(folder.glob(pattern)) if folder.is_dir() else []
        return found[0].read_bytes() if found else None

    def _mirror(self, rest: str, query: dict[str, str]) -> Any:
        files = {}
        for path in sorted((self.folder / "orbits").glob("S5P_*.nc")):
            name = parse_s5p(path.name)
            if name is not None:
                day = str(name.start)[:10].replace("-", "/")
                files[f"{name.stream}/L2__NO2___/{day}/{path.name}"] = path
        if rest:
            path_of = files.get(unquote(rest))
            return None if path_of is None else path_of.read_bytes()
        listed = "".join(
            f"<Contents><Key>{key}</Key><Size>{path.stat().st_size}</Size></Contents>"
            for key, path in files.items()
            if key.startswith(query.get("prefix", ""))
        )
        return f"<ListBucketResult>{listed}</ListBucketResult>"

    def _store(self, method: str, rest: str, body: bytes) -> Any:
        """Answer as a data store does: a process is executed as a job, a job has results."""
        words = rest.split("/")
        if rest == "catalogue/v1/messages":
            return {"messages": []}
        if words[0] == "results":
            return self._jobs.get(words[1])
        if words[:2] != ["retrieve", "v1"]:
            return None
        kind, name, *more = words[2:]
        base = f"{self.url}/api/retrieve/v1"
        if kind == "processes" and method == "GET":
            href = f"{base}/processes/{name}"
            return {"id": name, "links": [{"rel": "self", "href": href}], "message": ""}
        if more == ["constraints"]:
            return {}
        if more == ["costing"]:
            return {"cost": 1.0, "limit": 1000.0}
        if more == ["execution"]:
            number = f"job{len(self._jobs) + 1}"
            self._jobs[number] = self._archive(name, json.loads(body)["inputs"])
            name = number
        if name not in self._jobs:
            return None
        if more == ["results"]:
            value = {
                "href": f"{self.url}/api/results/{name}",
                "type": "application/zip",
                "file:size": len(self._jobs[name]),
            }
            return {"asset": {"value": value}}
        own = f"{base}/jobs/{name}"
        links = [("monitor", own), ("self", own), ("results", f"{own}/results")]
        return {
            "jobID": name,
            "processID": "twin",
            "type": "process",
            "status": "successful",
            "created": "2023-01-01T00:00:00",
            "updated": "2023-01-01T00:00:00",
            "links": [{"rel": rel, "href": href} for rel, href in links],
        }

    def _archive(self, data_set: str, wanted: dict[str, Any]) -> bytes:
        """Put the files of the days asked for into one archive, those of archives unpacked."""
        folder, pattern = STORES[data_set]
        paths: dict[Path, None] = {}
        for day in _days(wanted):
            names = {"day": day.replace("-", ""), "month": day[:7], "year": day[:4]}
            paths |= dict.fromkeys(sorted((self.folder / folder).glob(pattern.format(**names))))
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for path in paths:
                if not zipfile.is_zipfile(path):
                    archive.write(path, path.name)
                    continue
                with zipfile.ZipFile(path) as inner:
                    for member in inner.namelist():
                        archive.writestr(f"{path.stem}_{member}", inner.read(member))
        return packed.getvalue()

    def _stations(self, rest: str) -> Any:
        if rest == "ParquetFile/urls":
            names = [path.name for path in sorted((self.folder / "eea").glob("*.parquet"))]
            return "\n".join(["ParquetFileUrl", *(f"{self.url}/eea/{name}" for name in names)])
        return self._first("eea", unquote(rest)) if rest.endswith(".parquet") else None

    @property
    def sites(self) -> list[str]:
        """Names of the places of spectrometers."""
        return sorted({site for _, site in self._spectrometers()[1]})

    def _spectrometers(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Return the names of files, and instrument and site of each."""
        names = [path.name for path in sorted((self.folder / "pandora").glob("Pandora*_L2_*.txt"))]
        found = [re.match(r"(Pandora\d+s\d+)_(.+)_L2_", name) for name in names]
        return names, [(one[1], one[2]) if one else ("", "") for one in found]

    def _pandora(self, rest: str) -> Any:
        """Show folders as the network does: site, instrument, L2, files."""
        names, parts = self._spectrometers()
        words = [word for word in unquote(rest).split("/") if word]
        if not words:
            shown = [f"{site}/" for _, site in parts]
        elif len(words) == 1:
            shown = [f"{instrument}/" for instrument, site in parts if site == words[0]]
        elif len(words) == 3:
            shown = [n for n, p in zip(names, parts, strict=True) if p == (words[1], words[0])]
        else:
            return self._first("pandora", words[-1])
        return "".join(f'<a href="{name}">{name}</a>\n' for name in dict.fromkeys(shown))


def _days(wanted: dict[str, Any]) -> list[str]:
    """Return the days that a request names, or the first of each month or year."""
    if "date" in wanted:
        import numpy as np

        first, _, last = wanted["date"][0].partition("/")
        days = np.arange(np.datetime64(first), np.datetime64(last or first) + 1)
        return [str(day) for day in days]
    return [
        f"{year}-{month}-{day}"
        for year in wanted["year"]
        for month in wanted.get("month", ["01"])
        for day in wanted.get("day", ["01"])
    ]


@contextmanager
def serving(folder: Path) -> Iterator[TwinServices]:
    """Answer on the loopback, in a thread, while the block runs."""
    services = TwinServices(folder)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Be silent."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = dict(parse_qsl(parts.query))
            found = services.answer(self.command, parts.path, query, body)
            self.send_response(404 if found is None else 200)
            data = b"{}" if found is None else found
            if isinstance(data, str):
                data = data.encode()
            if not isinstance(data, bytes):
                data = json.dumps(data).encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do_HEAD = _serve

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    services.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield services
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def recipe_text(services: TwinServices, first: date, last: date, *, kinds: list[str]) -> str:
    """Return a recipe that fetches from the services and goes on to the report."""
    has_sites = "pandora" in kinds
    endpoints = [f"{name}={url}" for name, url in services.endpoints.items()]
    return "\n".join(
        (
            f"[period]\nstart = {first}\nend = {last}",
            f'[fetch]\nkinds = {json.dumps(kinds)}\nway = "mirror"',
            f"endpoint = {json.dumps(endpoints)}",
            *([f"[fetch.pandora]\nsite = {json.dumps(services.sites)}"] if has_sites else []),
            "[predict]\n[reretrieve]",
            '[grid]\ncell = "8km"\n[maps]\nminimum-days = 1\n[validate]\n[report]\n',
        )
    )
