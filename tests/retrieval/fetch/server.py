"""A service on the loopback that answers as told: faults included, every request remembered."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """An answer; after `cut` bytes of it the connection breaks."""

    body: bytes | str | dict | list = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None

    @property
    def data(self) -> bytes:
        """The body as bytes."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass
class Service:
    """Answers by method and path; of several answers each is given once, the last for good."""

    url: str = ""
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def on(
        self, path: str, *answers: Reply | Callable[[Asked], Reply], method: str = "GET"
    ) -> None:
        """Say what is answered."""
        self.answers[method, path] = list(answers)

    def file(self, path: str, content: bytes, **headers: str) -> None:
        """Serve a file that can be asked for in part, as object stores do."""

        def serve(asked: Asked) -> Reply:
            return part_of(content, asked, {"ETag": '"one"', **headers})

        self.on(path, serve)

    def answer(self, asked: Asked) -> Reply:
        """Return the answer to a request."""
        self.asked.append(asked)
        found = self.answers.get((asked.method, asked.path))
        if found is None:
            return Reply({"detail": f"nothing at {asked.path}"}, 404)
        reply = found.pop(0) if len(found) > 1 else found[0]
        return reply(asked) if callable(reply) else reply

    def paths(self, method: str = "GET") -> list[str]:
        """Return what was asked for, in order."""
        return [a.path for a in self.asked if a.method == method]


def part_of(content: bytes, asked: Asked, headers: dict[str, str]) -> Reply:
    """Answer a request for the rest of a file, if it is still the same."""
    wanted = asked.headers.get("Range")
    if wanted and asked.headers.get("If-Range") == headers["ETag"]:
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(content):
            return Reply(b"", 416, headers)
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Reply(content[start:], 206, {**headers, "Content-Range": span})
    return Reply(content, 200, headers)


@contextmanager
def running() -> Iterator[Service]:
    """Run a service in a thread."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Be silent."""

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            query = dict(parse_qsl(parts.query))
            asked = Asked(self.command, parts.path, query, dict(self.headers.items()), body)
            reply = service.answer(asked)
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.data)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.data if reply.cut is None else reply.data[: reply.cut])
            if reply.cut is not None:
                self.close_connection = True

        do_GET = do_POST = do_DELETE = do_HEAD = _serve

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
