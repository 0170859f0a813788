"""The TOML that `inspect` writes for a field that does not say all: answered, it opens the file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from retrieval.apriori.draft import draft
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from tests.builders.model_files import Field, write_cf
from tests.retrieval.apriori.test_sidecar import write_archive, write_unknown


def answered(path, **answers):
    """Put the draft beside a file with some keys answered and the other open ones taken out."""
    lines = []
    for line in draft(path).splitlines():
        key = line.split(" = ")[0]
        if key in answers:
            lines.append(f"{key} = {answers[key]}")
        elif "?" not in line.split("#")[0]:
            lines.append(line)
    Path(f"{path}.toml").write_text("\n".join(lines))


def test_a_file_that_says_nothing(tmp_path):
    """All four roles by their place, everything else open, candidates named; answered, it opens."""
    path = write_archive(tmp_path / "archive.nc")
    text = draft(path)
    found = tomllib.loads(text)
    assert found["variable"] == "field"
    assert {k: found[k] for k in ("x", "y", "level", "time")} == {
        "x": "d3", "y": "d2", "level": "d1", "time": "d4",
    }  # fmt: skip
    for key in ("unit", "level_kind", "longitude", "latitude"):
        assert found[key] == "?"
    assert 'level_variable = "h", "edges"' in text
    assert "values 38.1 to " in text
    answered(
        path, unit='"ug m-3"', level_kind='"height"', level_values="[0, 100, 1000]",
        times="[2019-06-29T12:00:00, 2019-06-30T12:00:00]", longitude='"b"', latitude='"a"',
    )  # fmt: skip
    with open_apriori(path) as opened:
        assert opened.times.size == 2


def test_what_the_file_says_is_left_out(tmp_path):
    """Roles by names, nothing of times where they are there; a plain CF file needs nothing."""
    path = write_unknown(tmp_path / "a.nc", with_time=True)
    found = tomllib.loads(draft(path))
    assert found["variable"] == "conc"
    assert not {"times", "time", "x", "y"} & found.keys()
    answered(path, unit='"ug m-3"', level_kind='"height"', level_values="[0, 9, 99]",
             crs='"EPSG:3035"')  # fmt: skip
    with open_apriori(path) as opened:
        assert opened.grid.crs == "EPSG:3035"
    assert list(tomllib.loads(draft(write_cf(tmp_path / "cf.nc", Field(n=4))))) == ["variable"]


def test_an_open_answer_is_asked_for(tmp_path):
    """A draft put beside the file as it is names the first key that stands open, and its line."""
    path = write_archive(tmp_path / "archive.nc")
    Path(f"{path}.toml").write_text(draft(path))
    with pytest.raises(AprioriError, match=r"toml, line 7\. unit must be .* Given '\?'\. Write"):
        open_apriori(path)
