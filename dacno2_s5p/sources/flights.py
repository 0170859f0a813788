"""Eurocontrol's daily airport traffic, summed over nine states (section 2.2.1).

Layout: docs/formats.md 5.5.
"""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.text_table import named_lines, plain_number, read_table
from retrieval.files.damage import content_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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

_LONGEST_HEADER = 2**16
MAX_SHEET_BYTES = 2**30
"""Workbooks that unpack to more are refused; ten years of traffic are a fifth of it."""

NEEDED = ("FLT_DATE", "STATE_NAME", "APT_ICAO")
"""Columns of every release, beside that which is summed."""

_ISO = re.compile(r"^(\d{4})-(\d{2})-(\d{2})(?!\d)", re.ASCII)
_DAY_FIRST = re.compile(r"^(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})$", re.ASCII)


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
            for row in _rows(file, column):
                if row["STATE_NAME"].strip() not in states:
                    continue
                day = parse_date(row, file)
                airport = row["APT_ICAO"].strip()
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

    A date is checked against `YEAR` and `MONTH_NUM` of its row.

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
    year, month = (row.get(name, "").strip() for name in ("YEAR", "MONTH_NUM"))
    try:
        day = np.datetime64(found or "", "D")
        of_day = str(day).split("-")
        if np.isnat(day) or not (_is_same(year, of_day[0]) and _is_same(month, of_day[1])):
            raise ValueError(text)
    except ValueError as error:
        msg = (
            f"Invalid traffic file {file}. FLT_DATE must be a date of its row's year and month. "
            f"Given {text[:40]!r} with YEAR {year[:40]!r} and MONTH_NUM {month[:40]!r}. Correct "
            "the file."
        )
        raise DataError(msg) from error
    return day


def _is_same(stated: str, of_date: str) -> bool:
    """Say whether a stated year or month is that of the date; years may have two digits."""
    return not stated or int(plain_number(stated)) in (int(of_date), int(of_date[-2:]))


def _number(row: Mapping[str, str], column: str, file: Path) -> float:
    text = row[column].strip()
    try:
        number = plain_number(text)
        if number < 0.0 or not number.is_integer():
            raise ValueError(text)
    except ValueError as error:
        msg = (
            f"Invalid traffic file {file}. {column} must be a number of flights. Given "
            f"{text[:40]!r} for {row['APT_ICAO'][:40]} on {row['FLT_DATE'][:40]}. Correct the file,"
            " or name another column in the table of inputs."
        )
        raise DataError(msg) from error
    return number


def _rows(file: Path, column: str) -> Iterator[dict[str, str]]:
    needed = (*NEEDED, column)
    if file.suffix.lower() == ".xlsx":
        yield from _sheet_rows(file, needed)
        return
    with file.open("rb") as stream:
        header = stream.readline(_LONGEST_HEADER).decode("utf-8", errors="replace")
    yield from read_table(
        file,
        needed,
        what="traffic file",
        separator=max(",;\t", key=header.count),
        advice="Use Eurocontrol's daily airport traffic, or download it again",
    )


def _sheet_rows(file: Path, needed: Sequence[str]) -> Iterator[dict[str, str]]:
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
        rule=f"be an XLSX workbook of at most {MAX_SHEET_BYTES >> 20} MiB unpacked with the "
        f"columns {', '.join(needed)}",
        advice="Download it again, or save the sheet as CSV",
    ):
        _check_unpacked(file)
        book = load_workbook(file, read_only=True, data_only=True)
        sheet = book["DATA"] if "DATA" in book.sheetnames else book.worksheets[0]
        lines = (
            ["" if v is None else str(v) for v in row] for row in sheet.iter_rows(values_only=True)
        )
        yield from named_lines(lines, needed, pad=True)


def _check_unpacked(file: Path) -> None:
    """Refuse a workbook, which is a ZIP archive, that unpacks to more than any real one."""
    with zipfile.ZipFile(file) as archive:
        size = sum(info.file_size for info in archive.infolist())
    if size > MAX_SHEET_BYTES:
        msg = f"one of {size >> 20} MiB"
        raise ValueError(msg)
