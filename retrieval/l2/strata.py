"""Kinds of pixels in which results are told apart: cloud, sun, snow and ice, land and sea.

A mean over all valid pixels mixes scenes in which the a priori matters differently: under clouds
and at a low sun it matters more, over snow hardly (docs/equations.md 2.5, 2.6). Means of each kind
say which pixels a difference comes from.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from retrieval.l2.quality import is_snow_or_ice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Crop
    from retrieval.typing import Float

    Bool = NDArray[np.bool_]

logger = logging.getLogger(__name__)

CLOUD_CLASSES = ((0.0, 0.1), (0.1, 0.3), (0.3, 0.5))
"""Classes of cloud radiance fraction in which results are stratified (docs/equations.md 2.5)."""
CLOUDIER = (0.5, 1.0)
"""What `qa_value > 0.75` leaves out, for lower thresholds."""
SUN_CLASSES = ((0.0, 40.0), (40.0, 60.0), (60.0, 90.0))
"""Classes of solar zenith angle [degrees]."""
CLOUD, SUN = "cloud radiance fraction", "solar zenith angle"
ALL = "all pixels"
SNOW, BARE = "snow or ice", "no snow or ice"
LAND, SEA, COAST = "land", "sea", "coast"

LAND_WATER_BITS = 3
"""Lowest two bits of `surface_classification`: 0 land, 1 water, 2 some water, 3 coastline."""
OCEAN_CODE, COAST_CODE = 255, 252
"""NISE codes of `snow_ice_flag`; 255 is a value there, not only the fill."""


def class_name(what: str, low: float, high: float) -> str:
    """Name of a class of values.

    Examples
    --------
    >>> class_name("solar zenith angle", 0.0, 40.0)
    'solar zenith angle 0 to 40'
    """
    return f"{what} {low:g} to {high:g}"


def classes(what: str, values: Float, limits: tuple[tuple[float, float], ...]) -> dict[str, Bool]:
    """Tell which values lie in each class, lower limit included; NaN in none.

    Examples
    --------
    >>> found = classes("x", np.array([0.0, 0.5, np.nan]), ((0.0, 0.5), (0.5, 1.0)))
    >>> {name: mask.tolist() for name, mask in found.items()}
    {'x 0 to 0.5': [True, False, False], 'x 0.5 to 1': [False, True, False]}
    """
    with np.errstate(invalid="ignore"):
        return {
            class_name(what, low, high): np.asarray((values >= low) & (values < high))
            for low, high in limits
        }


NAMES = (
    ALL,
    *(class_name(CLOUD, *limits) for limits in (*CLOUD_CLASSES, CLOUDIER)),
    *(class_name(SUN, *limits) for limits in SUN_CLASSES),
    *(BARE, SNOW),
    *(LAND, COAST, SEA),
)
"""Strata of an orbit, in the order of tables."""


def orbit_strata(orbit: Orbit, crop: Crop) -> Bool:
    """Tell which pixels of a crop are in each stratum.

    Parameters
    ----------
    orbit : Orbit
        An L2 NO2 file. Strata of a variable that it lacks are empty, with a warning.
    crop : Crop

    Returns
    -------
    ndarray of bool, shape (scanline, ground_pixel, stratum)
        In the order of `NAMES`.
    """
    nowhere = np.zeros(crop.shape, dtype=bool)
    found = {ALL: ~nowhere}
    cloud = _read(orbit, crop, orbit.names.cloud, CLOUD)
    if cloud is not None:
        # the last class includes its upper limit: a whole cloud
        found |= classes(
            CLOUD, np.where(cloud == 1.0, 1.0 - 1e-9, cloud), (*CLOUD_CLASSES, CLOUDIER)
        )
    sun = _read(orbit, crop, orbit.names.sun, SUN)
    if sun is not None:
        found |= classes(SUN, sun, SUN_CLASSES)
    if _has(orbit, orbit.names.snow, SNOW):
        code, _ = orbit.read_integer(orbit.names.snow, crop)
        found[SNOW] = is_snow_or_ice(code)
        found[BARE] = ~found[SNOW]
    land_water = read_land_water(orbit, crop)
    if land_water is not None:
        found |= {LAND: land_water == 0, SEA: land_water == 1, COAST: land_water >= 2}
    return np.stack([found.get(name, nowhere) for name in NAMES], axis=-1)


def read_land_water(orbit: Orbit, crop: Crop) -> NDArray[np.integer] | None:
    """Read what is under the pixels: 0 land, 1 water, 2 some water, 3 coastline, -1 not known.

    From `surface_classification`, where lakes are water, too; in files without it from
    `snow_ice_flag`, which knows the ocean and its coast. None where there is neither.
    """
    surface, snow = orbit.names.surface, orbit.names.snow
    if surface and orbit.has(surface):
        values, is_valid = orbit.read_integer(surface, crop)
        return np.where(is_valid, values & LAND_WATER_BITS, -1)
    if not _has(orbit, snow, SNOW):
        return None
    logger.warning("%s: land and sea are told by %s", orbit.path.name, snow)
    code, _ = orbit.read_integer(snow, crop)
    found = np.zeros(code.shape, dtype=np.int64)
    found[code == OCEAN_CODE] = 1
    found[code == COAST_CODE] = 3
    # sea ice, 1 to 100 %, is on the sea
    found[(code >= 1) & (code <= 100)] = 1
    return found


def _has(orbit: Orbit, variable: str, what: str) -> bool:
    if variable and orbit.has(variable):
        return True
    shown = variable or what
    logger.warning("%s has no %s: its pixels are in no such stratum", orbit.path.name, shown)
    return False


def _read(orbit: Orbit, crop: Crop, variable: str, what: str) -> Float | None:
    return orbit.read(variable, crop) if _has(orbit, variable, what) else None
