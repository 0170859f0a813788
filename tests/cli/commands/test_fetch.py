"""`dacno2-s5p fetch` against services on the loopback."""

from __future__ import annotations

import hashlib
import json

import pytest
from click.testing import CliRunner

from cli.commands.fetch import KINDS, fetch
from tests.retrieval.fetch.server import Reply, running

CONTENT = b"\x89HDF\r\n\x1a\n" + bytes(200)


@pytest.fixture
def zenodo():
    """Return a service with two files of a record, of which the second can be spoilt."""
    with running() as service:
        files = [
            {
                "key": f"{name}.nc",
                "size": len(CONTENT),
                "checksum": f"md5:{hashlib.md5(CONTENT).hexdigest()}",
                "links": {"self": f"{service.url}/{name}.nc"},
            }
            for name in "ab"
        ]
        service.on("/api/records/16986854", Reply({"files": files}))
        for name in "ab":
            service.file(f"/{name}.nc", CONTENT)
        yield service


def run(service, tmp_path, *more):
    """Fetch the published fields into a workspace."""
    words = ["dacno2", "-w", str(tmp_path), "--endpoint", f"ZENODO={service.url}", *more]
    return CliRunner().invoke(fetch, words)


def test_files_come_once(zenodo, tmp_path):
    """The second call asks for the list and for no file."""
    first = run(zenodo, tmp_path)
    assert first.exit_code == 0, first.output
    assert sorted(first.stdout.split()) == [str(tmp_path / f"dacno2/{n}.nc") for n in "ab"]
    n = len(zenodo.asked)
    assert run(zenodo, tmp_path).exit_code == 0
    assert len(zenodo.asked) == n + 1
    lines = (tmp_path / "fetched.jsonl").read_text().splitlines()
    assert {json.loads(line)["name"] for line in lines} == {"a.nc", "b.nc"}


def test_a_dry_run_lists_and_brings_nothing(zenodo, tmp_path):
    """Names, what is there, sizes."""
    outcome = run(zenodo, tmp_path, "--dry-run")
    assert outcome.exit_code == 0, outcome.output
    assert "dacno2/a.nc\tto fetch\t208 B" in outcome.stdout
    assert list(tmp_path.iterdir()) == []


def test_one_that_fails_stops_no_other(zenodo, tmp_path):
    """Status 1, one line for what failed, the rest is there."""
    zenodo.on("/b.nc", Reply("<html>maintenance"))
    outcome = run(zenodo, tmp_path, "--json")
    assert outcome.exit_code == 1
    found = json.loads(outcome.stdout)
    assert (found["fetched"], found["failed"]) == (1, 1)
    assert outcome.stderr.count("Error: ") == 1
    assert "b.nc" in outcome.stderr
    assert (tmp_path / "dacno2" / "a.nc").read_bytes() == CONTENT


def test_an_empty_list_is_said(zenodo, tmp_path):
    """Nothing found is status 1 and a line: a night job must not take it for done."""
    zenodo.on("/api/records/16986854", Reply({"files": []}))
    outcome = run(zenodo, tmp_path)
    assert outcome.exit_code == 1
    assert "Nothing is listed" in outcome.stderr


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in {"static", "dacno2", "pandora"}])
def test_kinds_of_days_want_a_day(kind, tmp_path):
    """Usage error, before any service is asked."""
    outcome = CliRunner().invoke(fetch, [kind, "-w", str(tmp_path)])
    assert outcome.exit_code == 2
    assert "Give --start DATE" in outcome.output


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["orbits", "--start", "2023-06-02", "--end", "2023-06-01"], 1, "Exchange --start and"),
        (["orbits", "--start", "2023-06-02", "--bbox", "9", "1", "8", "2"], 1, "Split a box that"),
        (["dacno2", "--endpoint", "ZENODO"], 2, "is not SERVICE=URL"),
        (["dacno2", "--endpoint", "NOWHERE=http://x"], 1, "must be one of CDSE_CATALOGUE"),
        (["pandora"], 1, "Write for example --site Cabauw"),
        (["cams", "--start", "2023-06-01", "--stage", "forecast"], 1, "one of auto, validated"),
        (["sentinel4", "--start", "2026-06-01"], 1, "give --collection EO:EUM:DAT"),
    ],
)
def test_wrong_words_are_one_line(words, status, said, tmp_path):
    """What, rule, given, advice."""
    outcome = CliRunner().invoke(fetch, [*words, "-w", str(tmp_path)])
    given = outcome.output + str(outcome.exception)
    assert said in given
    assert outcome.exit_code == status


def test_an_account_that_is_missing_is_said_once(tmp_path, monkeypatch):
    """However many files it fails."""
    pytest.importorskip("ecmwf.datastores")
    for name in ("ECMWF_DATASTORES_KEY", "CDSAPI_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["cams", "--start", "2023-01-01", "--end", "2023-04-30", "-w", str(tmp_path)]
    outcome = CliRunner().invoke(fetch, [*words, "--stage", "validated"])
    assert outcome.exit_code == 1
    assert outcome.stderr.count("Error: ") == 1
    assert "Set ECMWF_DATASTORES_KEY" in outcome.stderr
    assert "(4 files)" in outcome.stderr
