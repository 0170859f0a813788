"""The default sets of a workspace: those of its folders that hold the day of an orbit."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError, NoOverlapError
from retrieval.l2.open_orbit import open_orbit
from retrieval.physics.time_rules import FARTHEST_FIELD, nearest_distance
from retrieval.substitution.job import orbit_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)


def sets_of_day(orbit: Path, folders: Mapping[str, Path]) -> dict[str, Path]:
    """Choose the sets that hold an orbit's day.

    Parameters
    ----------
    orbit : Path
        A TROPOMI L2 NO2 file.
    folders : mapping of str to Path
        Folders of sets by name, the primary first.

    Returns
    -------
    dict
        Those with a field within 12 hours of the orbit. Folders that cannot be read are left out
        with a warning.

    Raises
    ------
    NoOverlapError
        If none holds the day.
    ProductError
        If the orbit cannot be read.
    """
    with open_orbit(orbit) as opened:
        times = opened.scanline_times(opened.full)
        around = orbit_time(opened)
    found = {
        name: folder for name, folder in folders.items() if _holds_day(name, folder, times, around)
    }
    if not found:
        shown = " and ".join(str(folder) for folder in folders.values())
        msg = (
            f"No a-priori set for {orbit.name}. The workspace must hold its day. Given {shown}, "
            f"without a field within 12 hours of {_day(around)}. Give -a NAME=PATH."
        )
        raise NoOverlapError(msg)
    return found


def _day(time: np.datetime64) -> str:
    return str(time.astype("datetime64[D]"))


def _holds_day(
    name: str, folder: Path, times: NDArray[np.datetime64], around: np.datetime64
) -> bool:
    try:
        apriori = open_apriori(folder, around)
    except AprioriError as error:
        logger.warning("Set %s is left out: %s", name, error)
        return False
    distance = nearest_distance(apriori.times, times)
    apriori.close()
    is_near = bool(distance <= FARTHEST_FIELD)
    if not is_near:
        logger.info("Set %s is left out: %s holds no field of %s", name, folder, _day(around))
    return is_near
