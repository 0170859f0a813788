"""Texts and tables as files that appear whole or not at all: pages, JSON, CSV."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

from retrieval.files.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def write_text(path: Path, text: str, *, overwrite: bool = False) -> None:
    """Write a text in UTF-8.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced, or cannot be written.
    """
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_lines(
    path: Path,
    header: Sequence[str],
    lines: Iterable[Sequence[object]],
    *,
    overwrite: bool = False,
) -> None:
    """Write a header and lines as CSV.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced, or cannot be written.
    """
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def number(value: float) -> str:
    """Write a number with six digits, a missing one empty.

    Examples
    --------
    >>> number(1.0 / 3.0), number(float("nan"))
    ('0.333333', '')
    """
    return "" if math.isnan(value) else f"{value:.6g}"


def cells(values: Iterable[object]) -> list[object]:
    """Return a line of a table: floats as `number` writes them, all else as it is.

    Examples
    --------
    >>> cells(["Alps", 12, 0.25])
    ['Alps', 12, '0.25']
    """
    return [number(value) if isinstance(value, float) else value for value in values]


def markdown_table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table in Markdown.

    Examples
    --------
    >>> markdown_table(["set", "RMSE"], [["CAMS", "4.1"]])
    ['| set | RMSE |', '| --- | --- |', '| CAMS | 4.1 |']
    """
    return ["| " + " | ".join(line) + " |" for line in (header, ["---"] * len(header), *lines)]
