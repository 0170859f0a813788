"""The truth itself as a profile file (docs/formats.md 6): the perfect a-priori set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.air.profile import HEIGHTS, NETWORK_HEIGHTS
from dacno2_s5p.twin.land.world import as_day, stamp
from dacno2_s5p.twin.writers.cams_europe import OVERPASS_HOURS
from dacno2_s5p.twin.writers.variables import attributes
from retrieval.apriori.profile_file import Profiles, write_profile_file

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dacno2_s5p.twin.twin import Twin


def overpass_mean(
    twin: Twin,
    date: np.datetime64 | str,
    heights: Sequence[float] = NETWORK_HEIGHTS,
    hours: Sequence[int] = OVERPASS_HOURS,
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Mean true NO2 of some stamps of a day [mol m-3], shape (n_height, 720, 592)."""
    day = twin.day(date)
    total = day.concentration(hours[0], heights)
    for hour in hours[1:]:
        total += day.concentration(hour, heights)
    return np.asarray(total / np.float32(len(hours)))


def write_true_profiles(
    twin: Twin,
    folder: Path,
    date: np.datetime64 | str,
    *,
    dense: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write the true 11-13 UTC mean of a day as a profile file.

    Parameters
    ----------
    twin : Twin
        The world.
    folder : Path
        Where the file goes.
    date : datetime64 or str
        Day.
    dense : bool
        All heights of the truth up to 16 km (the perfect a priori) instead of the network's
        eight (the best a network of these heights can do).
    overwrite : bool
        Replace an existing file.
    """
    day = as_day(date)
    heights = HEIGHTS if dense else NETWORK_HEIGHTS
    return _write(twin, folder, day, overpass_mean(twin, day, heights), heights, dense, overwrite)


def write_moment(
    twin: Twin,
    folder: Path,
    time: np.datetime64 | str,
    heights: Sequence[float] = HEIGHTS,
    *,
    overwrite: bool = False,
) -> Path:
    """Write the truth of a moment, for pixels measured then, as a profile file of one time."""
    moment = np.datetime64(str(time)).astype("datetime64[s]")
    no2 = twin.day(as_day(moment)).concentration(moment, heights)
    folder.mkdir(parents=True, exist_ok=True)
    label = str(moment).replace("-", "").replace(":", "")
    profiles = Profiles(
        no2=no2[None],
        height=np.asarray(heights),
        grid=twin.grid,
        time=np.array([moment]).astype("datetime64[ms]"),
        attributes=attributes(twin, "True NO2 profiles of the twin world"),
    )
    return write_profile_file(folder / f"truth_{label}.nc", profiles, overwrite=overwrite)


def _write(
    twin: Twin,
    folder: Path,
    day: np.datetime64,
    no2: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    heights: Sequence[float],
    dense: bool,
    overwrite: bool,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    noon = stamp(day, 12)
    half = np.timedelta64(90 * 60, "s")
    profiles = Profiles(
        no2=no2[None],
        height=np.asarray(heights),
        grid=twin.grid,
        time=np.array([noon]).astype("datetime64[ms]"),
        time_bounds=np.array([[noon - half, noon + half]]).astype("datetime64[ms]"),
        attributes=attributes(twin, "True NO2 profiles of the twin world"),
    )
    kind = "truth" if dense else f"truth{len(heights)}"
    path = folder / f"{kind}_{str(day).replace('-', '')}.nc"
    return write_profile_file(path, profiles, overwrite=overwrite)
