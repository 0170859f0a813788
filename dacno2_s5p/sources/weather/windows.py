"""Hours of a day: the target's window, and the weather that leads to its end.

The S5P variant has the mean of 11-13 UTC as its target, the daily one the mean of the day. By
default the weather ends at the window's end: with the hours 00-23, the last slices, which reach
the fusion, would be night.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.inputs.variables import Preparation

HOURS_OF_DAY = 24

_RANGE = re.compile(r"^(?P<first>\d{1,2})(?:-(?P<last>\d{1,2}))?$")


def target_hours(window: str) -> tuple[int, ...]:
    """Return the stamps [UTC] a target is the mean of.

    Parameters
    ----------
    window : str
        `daily`, an hour, or a range of hours with both ends: `11-13`.

    Raises
    ------
    ConfigurationError
        If it is none of these, or the hours do not ascend within a day.

    Examples
    --------
    >>> target_hours("11-13"), target_hours("6"), len(target_hours("daily"))
    ((11, 12, 13), (6,), 24)
    """
    if window == "daily":
        return tuple(range(HOURS_OF_DAY))
    match = _RANGE.match(window)
    first = int(match["first"]) if match else -1
    last = int(match["last"] or first) if match else -1
    if not 0 <= first <= last < HOURS_OF_DAY:
        msg = (
            "Invalid target window. It must be daily, an hour, or a range of hours within a day. "
            f"Given {window!r}. Write for example 11-13."
        )
        raise ConfigurationError(msg)
    return tuple(range(first, last + 1))


def weather_times(preparation: Preparation, day: np.datetime64) -> NDArray[np.datetime64]:
    """Return the stamps [UTC] of a day's weather steps, ascending, shape (weather_steps,).

    Raises
    ------
    ConfigurationError
        If the target window is not possible.
    """
    window = target_hours(preparation.target_window)
    end = window[-1] if preparation.weather_end == "window" else HOURS_OF_DAY - 1
    back = preparation.weather_step_hours * np.arange(preparation.weather_steps)[::-1]
    midnight = day.astype("datetime64[D]").astype("datetime64[h]")
    return np.asarray(midnight + (end - back), dtype="datetime64[h]")


def hours_of_step(time: np.datetime64, step_hours: int) -> NDArray[np.datetime64]:
    """Return the stamps of the hourly accumulations that end within a step, its own last."""
    return np.asarray(time - np.arange(step_hours)[::-1], dtype="datetime64[h]")
