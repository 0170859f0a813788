"""Tables of text as services deliver them: whole lines with all their fields, and plain numbers.

A download that was cut, or a quotation mark too many, leaves lines with fewer fields than the
header has: they are refused, never taken for lines that concern something else.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from dacno2_s5p.errors import DataError
from retrieval.files.damage import content_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

_WORDS = {",": "commas", ";": "semicolons", "\t": "TABs"}

REPLACED = "\ufffd"
"""What takes the place of bytes that are no text."""


def plain_number(text: str) -> float:
    """Read a number of ASCII digits.

    Python reads more than that as one: `nan`, `1_0`, digits of all scripts.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> plain_number(" 12.5 ")
    12.5
    >>> plain_number("nan")
    Traceback (most recent call last):
    ValueError: 'nan' is no number
    """
    if not _NUMBER.fullmatch(text.strip()):
        msg = f"{text[:40]!r} is no number"
        raise ValueError(msg)
    return float(text)


def named_lines(
    lines: Iterable[Sequence[str]], needed: Sequence[str], *, pad: bool = False
) -> Iterator[dict[str, str]]:
    """Give each line the names of the header; blank lines are passed over.

    Parameters
    ----------
    lines : iterable of sequences of str
        The header first.
    needed : sequence of str
        Columns that must be there, once each.
    pad : bool
        Lines may be shorter than the header: workbooks leave out cells at the end.

    Raises
    ------
    ValueError
        If a column is absent or twice, or a line has not the fields of the header.
    """
    stream = iter(lines)
    names = [name.strip() for name in next(stream, [])]
    for words, wrong in (
        ("no column", [name for name in needed if name not in names]),
        ("several columns", [name for name in needed if names.count(name) > 1]),
    ):
        if wrong:
            msg = f"{words} {', '.join(wrong)}"
            raise ValueError(msg)
    for number, line in enumerate(stream, start=2):
        if not any(cell.strip() for cell in line):
            continue
        fields = [*line, *[""] * (len(names) - len(line))] if pad else line
        if len(fields) < len(names) or any(cell.strip() for cell in fields[len(names) :]):
            msg = f"{len(line)} fields of {len(names)} in line {number}"
            raise ValueError(msg)
        row = dict(zip(names, fields, strict=False))
        if any(REPLACED in row[name] for name in needed):
            msg = f"bytes in line {number} that are no text"
            raise ValueError(msg)
        yield row


def read_table(
    path: Path,
    needed: Sequence[str],
    *,
    what: str,
    advice: str,
    separator: str = ",",
    encoding: str = "utf-8-sig",
) -> Iterator[dict[str, str]]:
    """Read the lines of a table of text, by the names of its header.

    Bytes that are no text are accepted in columns that are not needed: names of places come in
    several encodings.

    Parameters
    ----------
    path : Path
    needed : sequence of str
        Columns that must be there, once each.
    what, advice : str
        For the error: what the file is, and what to do.
    separator : str
        Comma, semicolon or TAB.
    encoding : str

    Raises
    ------
    DataError
        If a column is absent, or a line has not the fields of the header.
    """
    rule = (
        f"have the columns {', '.join(needed)}, separated by {_WORDS[separator]}, and all fields "
        "in each line"
    )
    with (
        content_errors(path, DataError, what=what, rule=rule, advice=advice),
        path.open(encoding=encoding, newline="", errors="replace") as stream,
    ):
        yield from named_lines(csv.reader(stream, delimiter=separator), needed)
