"""Texts and tables appear whole, as they were given, and replace nothing unasked."""

from __future__ import annotations

import csv

import pytest

from retrieval.errors import OutputError
from retrieval.files.tables import cells, number, write_lines, write_text


def test_a_text_is_kept_to_the_letter(tmp_path):
    """Letters beyond ASCII and line ends come back as they were written."""
    write_text(tmp_path / "page.md", "NO₂ [µg m⁻³]\r\n")
    assert (tmp_path / "page.md").read_bytes() == "NO₂ [µg m⁻³]\r\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


@pytest.mark.parametrize(
    "write",
    [
        lambda path, **options: write_text(path, "new", **options),
        lambda path, **options: write_lines(path, ["a"], [["new"]], **options),
    ],
    ids=["text", "table"],
)
def test_nothing_is_replaced_unasked(tmp_path, write):
    """An existing file stays without `overwrite`, and is replaced with it."""
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(OutputError, match=r"existing file is not replaced.*--overwrite"):
        write(path)
    assert path.read_text() == "old"
    write(path, overwrite=True)
    assert "new" in path.read_text()


def test_a_table_is_read_back(tmp_path):
    """Commas and quotes in words survive; numbers have six digits, missing ones are empty."""
    line = cells(['Po valley, "south"', 12, 1.0 / 3.0, float("nan")])
    write_lines(tmp_path / "t.csv", ["area", "cells", "share", "bias"], [line])
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == [
            ["area", "cells", "share", "bias"],
            ['Po valley, "south"', "12", "0.333333", ""],
        ]


def test_infinity_is_a_number():
    """Only what is missing is empty: an infinite value shows."""
    assert number(float("inf")) == "inf"
