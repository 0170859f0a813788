"""What descriptions say of time and quality, carried out on plain arrays."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import ProductError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from retrieval.l2.description import Condition, Quality, Time
    from retrieval.typing import Float

GOOD, USABLE = 100, 60
"""Quality of pixels in percent, on the scale of TROPOMI's: above 75 as recommended."""

_COMPARED: dict[str, Callable[[Any, float], Any]] = {
    "equals": lambda values, limit: values == limit,
    "at_most": lambda values, limit: values <= limit,
    "at_least": lambda values, limit: values >= limit,
    "below": lambda values, limit: values < limit,
    "above": lambda values, limit: values > limit,
}


def percent_of(
    rule: Quality, read: Callable[[str, int | None], Float], shape: tuple[int, int]
) -> NDArray[np.int16]:
    """Quality in percent: 100 where good, 60 where usable, else 0.

    Parameters
    ----------
    rule : Quality
        Conditions; without any for usable pixels, those are the good ones.
    read : callable
        Gives a variable of the given name on the pixels, or those of its bits that are asked for.
    shape : tuple of int
        Of the pixels.
    """
    good = _all_hold(rule.good, read, shape)
    usable = _all_hold(rule.usable, read, shape) if rule.usable else good
    return np.where(good, GOOD, np.where(usable, USABLE, 0)).astype(np.int16)


def _all_hold(
    conditions: tuple[Condition, ...],
    read: Callable[[str, int | None], Float],
    shape: tuple[int, int],
) -> NDArray[np.bool_]:
    found = np.ones(shape, dtype=bool)
    for one in conditions:
        values = read(one.variable, one.bits)
        for key, holds in _COMPARED.items():
            limit = getattr(one, key)
            if limit is not None:
                found &= holds(values, limit)  # NaN holds nowhere
    return found


def times_unit(rule: Time, units: str, origin: str) -> str:
    """Return the unit of times with the date that they count from.

    Parameters
    ----------
    rule : Time
    units : str
        As the variable says.
    origin : str
        As the global attribute says that the rule names; empty without.

    Examples
    --------
    >>> from retrieval.l2.description import Time
    >>> times_unit(Time("Time", "seconds since 1993-01-01"), "s", "")
    'seconds since 1993-01-01'
    >>> days = Time("delta_time", origin_attribute="day", origin_date="1950-01-01")
    >>> times_unit(days, "milliseconds", "27000")
    'milliseconds since 2023-12-04T00:00:00.000'
    """
    if rule.origin_attribute:
        start = np.datetime64(rule.origin_date, "ms")
        days = float(origin.strip("[] ") or "nan")
        if np.isfinite(days):
            start = start + np.timedelta64(round(days * 86.4e6), "ms")
        return f"{units.split()[0] if units else 'seconds'} since {start}"
    return rule.units if "since" not in units and rule.units else units


def of_scanlines(counts: Float, shape: tuple[int, int]) -> Float:
    """Return one time a scanline: the middle one, where each pixel has its own.

    Parameters
    ----------
    counts : ndarray
        Any leading dimensions of length one, scanlines, perhaps ground pixels.
    shape : tuple of int
        Scanlines and ground pixels.
    """
    while counts.ndim > 1 and counts.shape[0] == 1 != shape[0]:
        counts = counts[0]
    return counts[:, counts.shape[1] // 2] if counts.ndim == 2 else counts


_PARTS = {"Y": r"\d{4}", "m": r"\d\d", "d": r"\d\d", "H": r"\d\d", "M": r"\d\d", "S": r"\d\d"}


def time_of_name(name: str, pattern: str) -> np.datetime64:
    """Return the time that a file's name says, datetime64[ms].

    Raises
    ------
    ProductError
        If the name has no such part.

    Examples
    --------
    >>> str(time_of_name("GK2_GEMS_L2_20240601_0345_NO2_FW.nc", "_%Y%m%d_%H%M_"))
    '2024-06-01T03:45:00.000'
    """
    expression = re.escape(pattern)
    for letter, digits in _PARTS.items():
        expression = expression.replace(f"%{letter}", f"(?P<{letter}>{digits})")
    found = re.search(expression, name)
    if found is None:
        msg = (
            f"Invalid name {name}. The time of this product is in it, as {pattern}. Given a name "
            "without. Give the file its original name."
        )
        raise ProductError(msg)
    part = {"Y": "1970", "m": "01", "d": "01", "H": "00", "M": "00", "S": "00"} | found.groupdict()
    try:
        return np.datetime64("{Y}-{m}-{d}T{H}:{M}:{S}".format(**part), "ms")
    except ValueError as error:
        msg = (
            f"Invalid name {name}. It must hold a time as {pattern}. Given {found[0]}. Give the "
            "file its original name."
        )
        raise ProductError(msg) from error


def day_and_millisecond(values: NDArray[Any], origin: str, where: str) -> NDArray[np.datetime64]:
    """Return times that are days and milliseconds in one compound.

    Parameters
    ----------
    values : ndarray
        As stored, with the fields `Day` and `MillisecondOfDay`.
    origin : str
        Day 0.
    where : str
        File and variable, for messages.

    Returns
    -------
    ndarray of datetime64[ms], shape (n,)

    Raises
    ------
    ProductError
        If it has other fields.

    Examples
    --------
    >>> one = np.array([(1, 2)], dtype=[("Day", "i4"), ("MillisecondOfDay", "i4")])
    >>> str(day_and_millisecond(one, "1950-01-01", "a.h5")[0])
    '1950-01-02T00:00:00.002'
    """
    fields = values.dtype.names or ()
    if not {"Day", "MillisecondOfDay"} <= set(fields):
        msg = (
            f"{where} must have the fields Day and MillisecondOfDay. Given "
            f"{', '.join(fields) or values.dtype}. Mend [time] of the description."
        )
        raise ProductError(msg)
    values = np.ravel(values)
    days = values["Day"].astype("timedelta64[D]").astype("timedelta64[ms]")
    milliseconds = values["MillisecondOfDay"].astype("timedelta64[ms]")
    return np.asarray(np.datetime64(origin, "ms") + days + milliseconds)
