"""A service on the loopback, a session that does not really wait, no accounts."""

from __future__ import annotations

import pytest

from retrieval.fetch.web import Web
from tests.retrieval.fetch.server import running


@pytest.fixture
def service():
    """Return a running service."""
    with running() as found:
        yield found


@pytest.fixture
def waits():
    """Return the pauses that the session made."""
    return []


@pytest.fixture
def web(waits):
    """Return a session that notes its pauses instead of making them."""
    session = Web(sleep=waits.append, timeout=5.0)
    yield session
    session.session.close()


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    """Take away accounts, keys and proxies of the environment."""
    for name in (
        *("CDSE_USERNAME", "CDSE_PASSWORD", "EARTHDATA_TOKEN", "EARTHDATA_USERNAME"),
        *("EARTHDATA_PASSWORD", "ECMWF_DATASTORES_KEY", "CDSAPI_KEY", "EUMDAC_KEY", "CDSAPI_RC"),
        *("EUMDAC_SECRET", "ECMWF_DATASTORES_RC_FILE", "http_proxy", "HTTP_PROXY", "all_proxy"),
        *("CDSE_S3_ACCESS_KEY", "CDSE_S3_SECRET_KEY"),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
