"""The session: what is tried again, what is final, who sees a token."""

from __future__ import annotations

import pytest

from retrieval.errors import FetchError
from retrieval.fetch.web import Web, host
from tests.retrieval.fetch.server import Reply


class Token:
    """A token that can be renewed once."""

    def __init__(self, *urls):
        self.hosts = frozenset(host(url) for url in urls)
        self.number = 1

    def headers(self):
        """Return the present one."""
        return {"Authorization": f"Bearer {self.number}"}

    def renew(self):
        """Make another."""
        self.number += 1
        return True


def test_a_busy_service_is_waited_for_as_long_as_it_says(service, web, waits):
    """429 with Retry-After, then 503 twice with growing pauses, then the answer."""
    service.on(
        "/a",
        Reply(status=429, headers={"Retry-After": "7"}),
        Reply(status=503),
        Reply(status=503),
        Reply("yes"),
    )
    assert web.get(f"{service.url}/a").text == "yes"
    assert waits[0] == 7.0
    # pauses double, with at most a quarter more
    assert 2.0 <= waits[1] <= 2.5
    assert 4.0 <= waits[2] <= 5.0


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, {"title": "Bad", "detail": "no day 31"}, r"400 \(Bad: no day 31\). Check days"),
        (
            403,
            "<h1>Licence</h1><script>x</script> not accepted",
            r"\(Licence not accepted\). Accept",
        ),
        (404, {"detail": "none"}, r"404 \(none\). Check the address"),
        (503, "", "503 .*Try again later"),
    ],
)
def test_a_refusal_is_one_line_in_the_service_s_words(service, web, status, body, said):
    """Without mark-up, with what to do."""
    service.on("/a", Reply(body, status))
    with pytest.raises(FetchError, match=said) as error:
        web.get(f"{service.url}/a")
    assert "\n" not in str(error.value)


def test_final_refusals_are_not_repeated(service, web, waits):
    """400, 403 and 404 would be the same again."""
    for status in (400, 403, 404):
        service.on("/a", Reply(status=status))
        with pytest.raises(FetchError):
            web.get(f"{service.url}/a")
    assert len(service.asked) == 3
    assert not waits


def test_a_service_that_asks_for_an_hour_is_left_alone(service, web, waits):
    """The user hears it instead of waiting without a word."""
    service.on("/a", Reply("come back", 429, {"Retry-After": "3600"}))
    with pytest.raises(FetchError, match=r"429 \(come back\)"):
        web.get(f"{service.url}/a")
    assert not waits


def test_an_expired_token_is_renewed_once(service, web):
    """401, renewed, answered; a second 401 is final."""
    service.on(
        "/a",
        lambda a: Reply(
            "ok" if a.headers["Authorization"] == "Bearer 2" else "",
            200 if a.headers["Authorization"] == "Bearer 2" else 401,
        ),
    )
    assert web.get(f"{service.url}/a", token=Token(service.url)).text == "ok"
    service.on("/b", Reply(status=401))
    with pytest.raises(FetchError, match="401"):
        web.get(f"{service.url}/b", token=Token(service.url))
    assert service.paths() == ["/a", "/a", "/b", "/b"]


def test_a_token_goes_to_its_own_hosts_only(service, web):
    """Another host that a redirect leads to does not see it; one of the service's own does."""
    elsewhere = service.url.replace("127.0.0.1", "localhost")
    service.on("/a", Reply(status=302, headers={"Location": f"{elsewhere}/b"}))
    service.on("/b", Reply("data"))
    web.get(f"{service.url}/a", token=Token(service.url))
    assert "Authorization" in service.asked[0].headers
    assert "Authorization" not in service.asked[1].headers
    web.get(f"{service.url}/a", token=Token(service.url, elsewhere))
    assert "Authorization" in service.asked[3].headers


def test_redirects_without_end_are_left(service, web, waits):
    """A circle is one line."""
    service.on("/a", Reply(status=302, headers={"Location": "/a"}))
    with pytest.raises(FetchError, match=r"must be reachable. Given: more than 10 redirects"):
        web.get(f"{service.url}/a")
    assert len(waits) == web.tries - 1


def test_no_network_is_one_line_without_secrets(waits):
    """The address's query may hold a key: it is not repeated."""
    web = Web(sleep=waits.append, tries=2)
    with pytest.raises(FetchError, match=r"must be reachable.*Check the network") as error:
        web.get("http://127.0.0.1:9/a?key=secret")
    assert "secret" not in str(error.value)
    assert len(waits) == 1
