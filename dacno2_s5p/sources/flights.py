"""Eurocontrol's daily airport traffic, summed over nine states (E.5; section 2.2.1)."""

from __future__ import annotations

import csv
import re
import zipfile
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from retrieval.reading import content_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

STATES = (
    "France",
    "United Kingdom",
    "Netherlands",
    "Belgium",
    "Luxembourg",
    "Germany",
    "Switzerland",
    "Italy",
    "Spain",
)
"""The states of the domain. The paper says nine and does not name them: these have land in it."""

MAX_SHEET_BYTES = 2**30
"""Workbooks that unpack to more are refused; ten years of traffic are a fifth of it."""

_ISO = re.compile(r"^(\d{4})-(\d{2})-(\d{2})")
_DAY_FIRST = re.compile(r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})$")


class Flights:
    """Flights a day.

    Parameters
    ----------
    path : Path
        A CSV (or XLSX) file, or a folder of them.
    column : str
        Column that is summed: `FLT_TOT_1`, departures and arrivals as the Network Manager has
        them.
    states : sequence of str
        States that are summed, as `STATE_NAME` has them.

    Raises
    ------
    DataError
        If there are no files, a column is absent, or a number is none.
    """

    def __init__(self, path: Path, column: str, states: Sequence[str] = STATES) -> None:
        self._path = path
        sums: dict[np.datetime64, float] = defaultdict(float)
        seen: dict[np.datetime64, set[str]] = defaultdict(set)
        for file in traffic_files(path):
            for row in _rows(file):
                if row.get("STATE_NAME", "").strip() not in states:
                    continue
                day = parse_date(row, file)
                airport = row.get("APT_ICAO", "").strip()
                if airport in seen[day]:  # releases overlap; the first file read counts
                    continue
                seen[day].add(airport)
                sums[day] += _number(row, column, file)
        self._sums = dict(sums)

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks."""
        return [] if day in self._sums else [f"Eurocontrol traffic of {day}"]

    def day(self, day: np.datetime64) -> float:
        """Return the flights of a day.

        Raises
        ------
        DataError
            If the files do not hold it.
        """
        if day not in self._sums:
            msg = (
                f"Missing input flights. The traffic files must hold the day. Given none of {day} "
                f"in {self._path}. Add the release that holds it."
            )
            raise DataError(msg)
        return self._sums[day]


def traffic_files(path: Path) -> list[Path]:
    """Return the CSV and XLSX files behind a path, by name.

    Raises
    ------
    DataError
        If there are none.
    """
    candidates = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [p for p in candidates if p.suffix.lower() in (".csv", ".xlsx") and p.is_file()]
    if not files:
        msg = (
            f"Invalid traffic files {path}. They must be CSV or XLSX. Given none. Give the folder "
            "with Eurocontrol's daily airport traffic."
        )
        raise DataError(msg)
    return files


def parse_date(row: Mapping[str, str], file: Path) -> np.datetime64:
    """Read `FLT_DATE`, whose form changes between releases: ISO, or day first.

    A day-first date is checked against `YEAR` and `MONTH_NUM` of its row.

    Raises
    ------
    DataError
        If it is no date, or contradicts its row.

    Examples
    --------
    >>> from pathlib import Path
    >>> str(parse_date({"FLT_DATE": "2019-07-01T00:00:00Z"}, Path("a.csv")))
    '2019-07-01'
    >>> str(parse_date({"FLT_DATE": "01-07-19", "MONTH_NUM": "7"}, Path("a.csv")))
    '2019-07-01'
    """
    text = row.get("FLT_DATE", "").strip()
    iso, european = _ISO.match(text), _DAY_FIRST.match(text)
    found = None
    if iso:
        found = f"{iso[1]}-{iso[2]}-{iso[3]}"
    elif european:
        year = european[3] if len(european[3]) == 4 else f"20{european[3]}"
        found = f"{year}-{int(european[2]):02d}-{int(european[1]):02d}"
    month = row.get("MONTH_NUM", "").strip()
    try:
        day = np.datetime64(found or "", "D")
        if np.isnat(day) or (month and int(month) != int(str(day)[5:7])):
            raise ValueError(text)
    except ValueError as error:
        msg = (
            f"Invalid traffic file {file}. FLT_DATE must be a date of its row's month. Given "
            f"{text!r} with MONTH_NUM {month!r}. Correct the file."
        )
        raise DataError(msg) from error
    return day


def _number(row: Mapping[str, str], column: str, file: Path) -> float:
    text = row.get(column, "").strip()
    try:
        return float(text)
    except ValueError as error:
        msg = (
            f"Invalid traffic file {file}. {column} must be a number. Given {text!r} for "
            f"{row.get('APT_ICAO', '')} on {row.get('FLT_DATE', '')}. Correct the file, or name "
            "another column in the table of inputs."
        )
        raise DataError(msg) from error


def _rows(file: Path) -> Iterator[dict[str, str]]:
    if file.suffix.lower() == ".xlsx":
        yield from _sheet_rows(file)
        return
    with file.open(encoding="utf-8-sig", newline="", errors="replace") as stream:
        header = stream.readline()
        separator = max(",;\t", key=header.count)
        stream.seek(0)
        yield from _named(csv.reader(stream, delimiter=separator), file)


def _sheet_rows(file: Path) -> Iterator[dict[str, str]]:
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        msg = (
            f"Invalid traffic file {file}. XLSX needs openpyxl. Given none installed. Run pip "
            "install 'dacno2-s5p[data]', or save the sheet as CSV."
        )
        raise DataError(msg) from error
    with content_errors(
        file,
        DataError,
        what="traffic file",
        rule=f"be an XLSX workbook of at most {MAX_SHEET_BYTES >> 20} MiB unpacked",
        advice="Download it again, or save the sheet as CSV",
    ):
        _check_unpacked(file)
        book = load_workbook(file, read_only=True, data_only=True)
        sheet = book["DATA"] if "DATA" in book.sheetnames else book.worksheets[0]
        lines = (
            ["" if v is None else str(v) for v in row] for row in sheet.iter_rows(values_only=True)
        )
        yield from _named(lines, file)


def _check_unpacked(file: Path) -> None:
    """Refuse a workbook, which is a ZIP archive, that unpacks to more than any real one."""
    with zipfile.ZipFile(file) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > MAX_SHEET_BYTES:
        msg = f"one of {size >> 20} MiB"
        raise ValueError(msg)


def _named(lines: Iterable[Sequence[str]], file: Path) -> Iterator[dict[str, str]]:
    """Give each line the names of the header."""
    stream = iter(lines)
    names = [name.strip() for name in next(stream, [])]
    wanted = ("FLT_DATE", "STATE_NAME", "APT_ICAO")
    absent = [name for name in wanted if name not in names]
    if absent:
        msg = (
            f"Invalid traffic file {file}. Its columns must be {', '.join(wanted)} and others. "
            f"Given none named {', '.join(absent)}. Use Eurocontrol's daily airport traffic."
        )
        raise DataError(msg)
    for line in stream:
        if any(cell.strip() for cell in line):
            yield dict(zip(names, line, strict=False))
