"""Time axes of netCDF files as UTC `datetime64[ms]`, whatever style they are written in.

CF "unit since date" in any integer or float type, and the plain offsets of the CAMS European
forecasts, whose base date stands in words (docs/formats.md 4.1-4.3, 5.1).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    Times = NDArray[np.datetime64]

_MILLISECONDS = {
    "day": 86_400_000.0,
    "d": 86_400_000.0,
    "hour": 3_600_000.0,
    "hr": 3_600_000.0,
    "h": 3_600_000.0,
    "minute": 60_000.0,
    "min": 60_000.0,
    "second": 1000.0,
    "sec": 1000.0,
    "s": 1000.0,
    "millisecond": 1.0,
    "msec": 1.0,
    "ms": 1.0,
}
_REAL_CALENDARS = ("standard", "gregorian", "proleptic_gregorian")
_GREGORIAN_REFORM = np.datetime64("1582-10-15", "ms")
_SINCE = re.compile(
    r"^\s*(?P<unit>[a-z]+)\s+since\s+(?P<y>\d{1,4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"
    r"(?:[T\s]+(?P<H>\d{1,2})(?::(?P<M>\d{1,2}))?(?::(?P<S>\d{1,2}(?:\.\d*)?))?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)?\s*$",
    re.IGNORECASE,
)
_DATE_IN_WORDS = re.compile(
    r"(?<!\d)(?P<y>(?:19|20)\d{2})-?(?P<m>0[1-9]|1[0-2])-?(?P<d>0[1-9]|[12]\d|3[01])"
    r"(?:[T\s]?(?P<H>[01]\d|2[0-3])(?::?(?P<M>[0-5]\d))?)?(?!\d)"
)


def unit_milliseconds(unit: str) -> float | None:
    """Return the length of a unit of time [ms], None when it is not one of fixed length.

    Examples
    --------
    >>> unit_milliseconds("hours"), unit_milliseconds("months")
    (3600000.0, None)
    """
    word = unit.strip().lower()
    return _MILLISECONDS.get(word, _MILLISECONDS.get(word.removesuffix("s")))


def decode(values: ArrayLike, attributes: Mapping[str, object], where: str) -> Times:
    """Decode a CF time variable.

    Parameters
    ----------
    values : array
        Raw numbers, any integer or float type.
    attributes : mapping
        Attributes of the variable; `units` ("hours since 1900-01-01 00:00:00.0") and `calendar`.
    where : str
        Names variable and file in errors.

    Returns
    -------
    ndarray of datetime64[ms]
        UTC, same shape.

    Raises
    ------
    AprioriError
        If the unit is none of time, the calendar is not the real one, or a value is missing.

    Examples
    --------
    >>> decode([1043148], {"units": "hours since 1900-01-01"}, "time").tolist()
    [datetime.datetime(2019, 1, 1, 12, 0)]
    """
    check_calendar(str(attributes.get("calendar", "standard")), where)
    units = str(attributes.get("units", ""))
    match = _SINCE.match(units)
    length = unit_milliseconds(match["unit"]) if match else None
    if match is None or length is None:
        msg = (
            f"Invalid time unit of {where}. It must read like 'hours since 1900-01-01 00:00'. "
            f"Given {units!r}. Give the time in a TOML beside the file."
        )
        raise AprioriError(msg)
    try:
        base = _base(match)
    except ValueError as error:
        msg = (
            f"Invalid time unit of {where}. Its reference date must exist. Given {units!r}. "
            "Correct the attribute."
        )
        raise AprioriError(msg) from error
    calendar = str(attributes.get("calendar", "standard")).lower()
    if base < _GREGORIAN_REFORM and calendar != "proleptic_gregorian":
        offsets(values, length, where)  # refuses missing values
        return _decode_mixed_calendar(values, units)
    return base + offsets(values, length, where)


def check_calendar(calendar: str, where: str) -> None:
    """Refuse calendars whose days are not those of the satellite."""
    if calendar.lower() not in _REAL_CALENDARS:
        msg = (
            f"Invalid calendar of {where}. Times must be in the real calendar "
            f"({', '.join(_REAL_CALENDARS)}). Given {calendar!r}. Its days cannot be matched with "
            "an orbit; use a set with real dates."
        )
        raise AprioriError(msg)


def offsets(values: ArrayLike, milliseconds: float, where: str) -> NDArray[np.timedelta64]:
    """Return offsets in units of `milliseconds` as timedelta64[ms], exact for integers.

    Raises
    ------
    AprioriError
        If a value is missing or absurd (more than 100 000 years).
    """
    raw = np.asarray(values)
    if raw.dtype.kind == "m":
        return raw.astype("timedelta64[ms]")
    number = raw.astype(np.float64)
    with np.errstate(over="ignore"):
        count = np.round(number * milliseconds)
    if not (np.isfinite(count).all() and (np.abs(count) < 3.2e15).all()):
        msg = (
            f"Invalid times of {where}. Every time must be a number. Given missing or absurd "
            "values. The file is damaged or not filled yet."
        )
        raise AprioriError(msg)
    if raw.dtype.kind in "iu":
        return (raw.astype(np.int64) * int(milliseconds)).astype("timedelta64[ms]")
    return count.astype(np.int64).astype("timedelta64[ms]")


def base_date_in_words(*texts: object) -> np.datetime64 | None:
    """Return the date in the first text that has one ("FORECAST time from 20210715").

    Examples
    --------
    >>> str(base_date_in_words("Europe, 20210715+[0H_23H]"))
    '2021-07-15T00:00:00.000'
    """
    for text in texts:
        match = _DATE_IN_WORDS.search(str(text))
        if match:
            try:
                return np.datetime64(
                    f"{match['y']}-{match['m']}-{match['d']}T{match['H'] or '00'}:"
                    f"{match['M'] or '00'}",
                    "ms",
                )
            except ValueError:
                continue
    return None


def _base(match: re.Match[str]) -> np.datetime64:
    second = float(match["S"] or 0)
    base = np.datetime64(
        f"{int(match['y']):04d}-{int(match['m']):02d}-{int(match['d']):02d}T"
        f"{int(match['H'] or 0):02d}:{int(match['M'] or 0):02d}",
        "ms",
    ) + np.timedelta64(round(second * 1000), "ms")
    zone = match["zone"]
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        hours, minutes = (
            (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
        )
        shift = np.timedelta64((hours * 60 + minutes) * 60_000, "ms")
        base = base - shift if zone[0] == "+" else base + shift
    return base


def _decode_mixed_calendar(values: ArrayLike, units: str) -> Times:
    # before 1582 the standard calendar is Julian: 'days since 1-1-1' is two days off otherwise
    import cftime  # type: ignore[import-untyped]  # rarely needed

    number = np.asarray(values, dtype=np.float64)
    dates = cftime.num2date(number, units, calendar="standard", only_use_python_datetimes=False)
    texts = [date.isoformat() for date in np.atleast_1d(dates).ravel()]
    return np.array(texts, dtype="datetime64[ms]").reshape(number.shape)
