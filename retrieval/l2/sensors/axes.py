"""Measurement times of an L2 file's scanlines, in both styles of `delta_time`.

Plain milliseconds after `time`, and milliseconds (or seconds) since a date (formats.md A.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import ProductError
from retrieval.layer_order import L2_ADVICE

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIME_UNITS = "seconds since 2010-01-01 00:00:00"
"""Of `time`, where a file does not say."""

_STEPS = {"milliseconds": 1.0, "ms": 1.0, "seconds": 1000.0, "s": 1000.0}


def date_after_since(units: str, where: str) -> np.datetime64:
    """Return the date of a unit of time as datetime64[ms].

    Raises
    ------
    ProductError
        If there is none.

    Examples
    --------
    >>> str(date_after_since("milliseconds since 2023-06-01 00:00:00 UTC", "orbit.nc"))
    '2023-06-01T00:00:00.000'
    """
    text = units.split("since", 1)[-1].strip().replace(" UTC", "").rstrip("Z")
    try:
        return np.datetime64(text.replace(" ", "T"), "ms")
    except ValueError as error:
        msg = f"{where}: cannot read a date from the time unit {units!r}. {L2_ADVICE}"
        raise ProductError(msg) from error


def add_delta_time(
    origin: np.datetime64, delta: NDArray[Any], fill: Any, units: str, where: str
) -> NDArray[np.datetime64]:
    """Add `delta_time` to its origin.

    Parameters
    ----------
    origin : datetime64
        The date in the units, or that of `time`.
    delta : ndarray, shape (n_scanline,) or (n_scanline, n_ground_pixel)
        As stored; some files keep the ground pixel dimension.
    fill : number
        Marks missing values.
    units : str
        Of `delta`; what follows its first word is passed over.
    where : str
        Name of the file, for messages.

    Returns
    -------
    ndarray of datetime64[ms], shape (n_scanline,)
        UTC, NaT where missing.

    Raises
    ------
    ProductError
        If the unit is unknown.
    """
    step = _STEPS.get(units.partition(" ")[0].lower())
    if step is None:
        msg = f"{where}: unknown unit of delta_time {units!r}. {L2_ADVICE}"
        raise ProductError(msg)
    is_valid = delta != fill
    if delta.ndim == 2:
        delta, is_valid = delta[:, 0], is_valid[:, 0]
    milliseconds = np.round(np.where(is_valid, delta, 0).astype(np.float64) * step)
    times = origin.astype("datetime64[ms]") + milliseconds.astype("timedelta64[ms]")
    return np.where(is_valid, times, np.datetime64("NaT", "ms"))
