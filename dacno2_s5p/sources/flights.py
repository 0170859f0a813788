"""Eurocontrol's daily airport traffic, summed over nine states (section 2.2.1).

Layout: docs/formats.md 5.5. Releases overlap: of an airport and day the count of the latest
release is used, and no airport counts twice. A state that is there on other days must be there on
each; states in another spelling are known by name or by the codes of their airports.
"""

from __future__ import annotations

import logging
import re
import zipfile
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.states import STATES, known_names, plain_name, state_of_airport
from dacno2_s5p.sources.text_table import named_lines, plain_number, read_table
from retrieval.apriori.formats.names import dates_in_name
from retrieval.files.candidates import Choices, PassedOver, choose_each
from retrieval.files.damage import content_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    Row = tuple[str, np.datetime64, str, float]

logger = logging.getLogger(__name__)

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
        States that are summed.
    choices : Choices, optional
        Where it is kept which release was used.

    Raises
    ------
    DataError
        If there are no files, a column is absent, a number is none, or releases differ and
        nothing tells which is the later.
    """

    def __init__(
        self,
        path: Path,
        column: str,
        states: Sequence[str] = STATES,
        choices: Choices | None = None,
    ) -> None:
        self._path, self._states = path, tuple(states)
        self._choices = Choices() if choices is None else choices
        counts = [_read_release(file, column, self._states) for file in traffic_files(path)]
        self._sums: dict[np.datetime64, float] = defaultdict(float)
        self._seen: dict[np.datetime64, set[str]] = defaultdict(set)
        for state, day, number in self._each(counts):
            self._sums[day] += number
            self._seen[day].add(state)
        self._ever = set().union(*self._seen.values()) if self._seen else set()
        self._tell(counts)

    def _each(self, releases: Sequence[Release]) -> Iterator[tuple[str, np.datetime64, float]]:
        """Give the flights of each airport and day once, of the latest release that has them."""
        rows = [(i, row) for i, release in enumerate(releases) for row in release.rows]
        place = _places(releases)
        keys = {key: n for n, key in enumerate(dict.fromkeys(row[:2] for _, row in rows))}
        each = choose_each(
            [keys[row[:2]] for _, row in rows],
            [place[i] for i, _ in rows],
            [row[3] for _, row in rows],
        )
        if len(each.rivals):
            one, other = (rows[i] for i in each.rivals[0])
            _refuse_rivals((releases[one[0]].file, one[1]), (releases[other[0]].file, other[1]))
        best = {rows[i][1][:2]: rows[i] for i in each.rows}
        passed: dict[tuple[int, int], int] = defaultdict(int)
        for i in each.passed_over:
            k, row = rows[i]
            winner, used = best[row[:2]]
            passed[winner, k] += row[3] != used[3]
        for (winner, loser), n in sorted(passed.items()):
            why = f"{n} counts differ; {_why(releases[winner], releases[loser])}"
            left = PassedOver(str(releases[loser].file), why)
            if n:
                self._choices.keep("Eurocontrol traffic", str(releases[winner].file), [left])
        for i in each.rows:
            _, day, state, number = rows[i][1]
            yield state, day, number

    def _tell(self, releases: Sequence[Release]) -> None:
        """Say which spellings were taken for which states, and which states there are not."""
        spelled = {pair: r.file for r in releases for pair in r.spellings}
        for (text, state), file in sorted(spelled.items()):
            logger.warning("%s: %r is taken for %s, by its airports", file, text, state)
        absent = [s for s in self._states if s not in self._ever]
        if absent and self._ever:
            share = f"{len(self._ever)} of {len(self._states)} states"
            logger.warning(
                "%s: the flights are of %s; there are none of %s",
                self._path,
                share,
                ", ".join(absent),
            )
            left = [PassedOver(state, "not in the files") for state in absent]
            self._choices.keep("Eurocontrol traffic", share, left, tell=False)

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks: all of it, or states that the files have on other days."""
        if day not in self._sums:
            return [f"Eurocontrol traffic of {day}"]
        absent = sorted(self._ever - self._seen[day])
        return [f"Eurocontrol traffic of {day} in {', '.join(absent)}"] if absent else []

    def day(self, day: np.datetime64) -> float:
        """Return the flights of a day.

        Raises
        ------
        DataError
            If the files do not hold it, or not all states that they hold on other days.
        """
        lacking = self.missing(day)
        if lacking:
            msg = (
                f"Missing input flights. The traffic files must hold the day in all states. Given "
                f"no {lacking[0]} in {self._path}. Add the release that holds it."
            )
            raise DataError(msg)
        return self._sums[day]


class Release(NamedTuple):
    """A file: its rows (airport, day, state, flights), and spellings of states that are others."""

    file: Path
    rows: list[Row]
    spellings: set[tuple[str, str]]

    @property
    def last(self) -> np.datetime64:
        """Last day held: a later release holds more."""
        return max(row[1] for row in self.rows)


def _read_release(file: Path, column: str, states: Sequence[str]) -> Release:
    found = Release(file, [], set())
    known = known_names(states)
    for row in _rows(file, column):
        text, airport = row["STATE_NAME"].strip(), row["APT_ICAO"].strip()
        state = known.get(plain_name(text))
        if state is None:
            state = state_of_airport(airport, states)
            if state is None:
                continue
            found.spellings.add((text, state))
        day = parse_date(row, file)
        found.rows.append((airport, day, state, _number(row, column, file)))
    return found


def _stated_dates(releases: Sequence[Release]) -> list[np.datetime64 | None]:
    """Return the day in each file's name, where it is one day."""
    days = [dates_in_name(r.file.name) for r in releases]
    return [d[-1][0] if d and d[-1][0] == d[-1][1] else None for d in days]


def _places(releases: Sequence[Release]) -> list[int]:
    """Return the rank of each release, 0 the latest: by its last day, then the day in its name."""
    lasts = [r.last if r.rows else np.datetime64("1900-01-01", "D") for r in releases]
    dates = _stated_dates(releases)
    keys = []
    for last, date in zip(lasts, dates, strict=True):
        others = [d for d, x in zip(dates, lasts, strict=True) if x == last]
        of_name = np.datetime64("1900-01-01", "D") if date is None or None in others else date
        keys.append((last, of_name))
    order = sorted(set(keys), reverse=True)
    return [order.index(key) for key in keys]


def _why(winner: Release, loser: Release) -> str:
    if winner.last != loser.last:
        return f"release to {winner.last} before {loser.last}"
    one, other = _stated_dates([winner, loser])
    return f"release of {one} before {other}"


def _refuse_rivals(*rivals: tuple[Path, Row]) -> None:
    (file, row), (other, other_row) = sorted(rivals, key=lambda r: (str(r[0]), r[1][3]))
    msg = (
        f"Two counts of {row[0]} on {row[1]}. They must be equal, or their releases end on other "
        f"days or have dates in their names. Given {row[3]:g} in {file} and {other_row[3]:g} in "
        f"{other}. Leave the later release, and put the other elsewhere."
    )
    raise DataError(msg)


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
