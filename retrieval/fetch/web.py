"""One polite session for all services: retries, waiting as asked, tokens, redirects, plain words.

The rules: 429, 5xx and broken connections are tried again, with growing pauses or as long as
Retry-After says; 401 renews the token once; 400, 403, 404 are final. A token goes only to hosts of
its own service, also after a redirect.
"""

from __future__ import annotations

import email.utils
import html
import logging
import re
import time
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urljoin, urlsplit

from retrieval.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

logger = logging.getLogger(__name__)

AGAIN = frozenset({429, 500, 502, 503, 504})
MOVED = frozenset({301, 302, 303, 307, 308})
MOST_REDIRECTS = 10
LONGEST_WAIT = 600.0
"""Seconds: a service that asks for more is left alone and said."""
_LONGEST_WORDS = 300


class Token(Protocol):
    """What proves who asks."""

    hosts: frozenset[str]
    """Hosts that may see it."""

    def headers(self) -> dict[str, str]:
        """Return the headers to send."""

    def renew(self) -> bool:
        """Get another one; False where that is not possible."""


@dataclass
class Web:
    """A session.

    Attributes
    ----------
    tries : int
        Attempts at one request.
    pause : float
        First pause between them [s]; each is twice as long as the one before.
    timeout : float
        Seconds without a byte.
    sleep : callable
        Waits; tests hand in another.
    """

    tries: int = 6
    pause: float = 1.0
    timeout: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    _session: requests.Session | None = field(default=None, repr=False)

    @property
    def session(self) -> requests.Session:
        """The session below, made when it is first needed."""
        if self._session is None:
            import requests

            self._session = requests.Session()
            self._session.trust_env = True
            self._session.headers["User-Agent"] = "dacno2-s5p"
            # netrc is read where a service says so, never for any host by chance
            self._session.auth = _no_auth
        return self._session

    def get(self, url: str, **options: Any) -> requests.Response:
        """Ask for a page or file; see `request`."""
        return self.request("GET", url, **options)

    def request(
        self,
        method: str,
        url: str,
        *,
        token: Token | None = None,
        also: frozenset[int] = frozenset(),
        **options: Any,
    ) -> requests.Response:
        """Ask until there is an answer that is final.

        Parameters
        ----------
        method, url : str
        token : Token, optional
        also : frozenset of int
            Statuses beside 2xx that the caller understands.
        **options
            For `requests.Session.request` (params, json, data, headers, stream).

        Raises
        ------
        FetchError
            If the service refuses, or does not answer.
        """
        import requests

        is_renewed = False
        for attempt in range(1, self.tries + 1):
            try:
                response = self._follow(method, url, token, options)
            except requests.RequestException as error:
                if attempt == self.tries:
                    raise FetchError(_unreachable(url, error)) from error
                self._wait(url, attempt, None)
                continue
            if response.ok or response.status_code in also:
                return response
            if response.status_code == 401 and token is not None and not is_renewed:
                is_renewed = True
                response.close()
                if token.renew():
                    continue
            elif response.status_code in AGAIN and attempt < self.tries:
                self._wait(url, attempt, response)
                response.close()
                continue
            raise FetchError(_refusal(url, response))
        raise FetchError(_refusal(url, response))

    def _follow(
        self, method: str, url: str, token: Token | None, options: dict[str, Any]
    ) -> requests.Response:
        """Send, and follow redirects; the token goes to its own hosts only."""
        import requests

        options = {"timeout": self.timeout, **options}
        headers = options.pop("headers", {})
        for _ in range(MOST_REDIRECTS):
            proof = {}
            if token is not None and urlsplit(url).netloc in token.hosts:
                proof = token.headers()
            response = self.session.request(
                method, url, headers={**headers, **proof}, allow_redirects=False, **options
            )
            where = response.headers.get("Location")
            if response.status_code not in MOVED or where is None:
                return response
            response.close()
            url = urljoin(url, where)
            options.pop("params", None)
            if response.status_code == 303:
                method = "GET"
                options.pop("data", None)
                options.pop("json", None)
        msg = f"more than {MOST_REDIRECTS} redirects"
        raise requests.TooManyRedirects(msg)

    def _wait(self, url: str, attempt: int, response: requests.Response | None) -> None:
        asked = None if response is None else _retry_after(response.headers.get("Retry-After"))
        if response is not None and asked is not None and asked > LONGEST_WAIT:
            raise FetchError(_refusal(url, response))
        # the pauses of many clients must not coincide; the same ones in every run
        jitter = (zlib.crc32(f"{url} {attempt}".encode()) % 1000) / 4000
        pause = asked if asked is not None else self.pause * 2 ** (attempt - 1) * (1 + jitter)
        status = "no answer" if response is None else f"status {response.status_code}"
        logger.info("%s: %s; trying again in %.1f s", host(url), status, pause)
        self.sleep(min(pause, LONGEST_WAIT))


def _no_auth(request: Any) -> Any:
    return request


def host(url: str) -> str:
    """Return the host (and port) of an address.

    Examples
    --------
    >>> host("https://zenodo.org/api/records/1?token=x")
    'zenodo.org'
    """
    return urlsplit(url).netloc


def without_secrets(url: str) -> str:
    """Drop user, query and fragment of an address: they may hold keys.

    Examples
    --------
    >>> without_secrets("https://me:pw@a.org/b.nc?X-Amz-Signature=1#c")
    'https://a.org/b.nc'
    """
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{place}{parts.path}"


def _retry_after(value: str | None) -> float | None:
    """Read seconds or a date."""
    if not value:
        return None
    with suppress(ValueError):
        return max(0.0, float(value))
    with suppress(TypeError, ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return None


def _unreachable(url: str, error: Exception) -> str:
    said = str(error).splitlines()[0][:_LONGEST_WORDS] if str(error) else type(error).__name__
    said = re.sub(r"(?<=\?)\S+", "...", said)
    return (
        f"Invalid answer of {host(url)}. It must be reachable. Given: {said}. Check the "
        "network, or try again later; what is there stays and is not asked for again."
    )


_ADVICE = {
    400: "Check days, box and names",
    401: "Check user, password or key in the environment or netrc",
    403: "Accept the licence or ask for the right in your account there",
    404: "Check the address, or whether the service has the product",
    429: "Wait and run the command again: what is there is not asked for again",
}


def _refusal(url: str, response: requests.Response) -> str:
    """Say what a service refused, in its own words."""
    advice = _ADVICE.get(response.status_code, "Try again later")
    return (
        f"Invalid answer of {host(url)} for {urlsplit(url).path[:80]}. Its status must be 200. "
        f"Given {response.status_code} {words(response)}. {advice}."
    )


def words(response: requests.Response) -> str:
    """Return what a page or a JSON error says, on one line, without its mark-up."""
    try:
        body = response.content[:20000].decode("utf-8", "replace")
    except Exception:
        return str(response.reason)
    with suppress(ValueError):
        found = response.json()
        if isinstance(found, dict):
            said = [
                str(found[key])
                for key in ("title", "detail", "error_description", "message", "error")
                if isinstance(found.get(key), str)
            ]
            body = ": ".join(said) or body
    plain = html.unescape(re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", body, flags=re.S))
    line = " ".join(plain.split())[:_LONGEST_WORDS].rstrip(". ")
    return f"({line})" if line else str(response.reason)
