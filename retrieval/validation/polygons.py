"""References of an area: sub-pixels of aircraft, averaged within each satellite pixel.

A pixel counts that they cover to three quarters, in the time window; each weighs by the area it
shares with the pixel (as Tack et al., Atmos. Meas. Tech. 14, 615, 2021, doi
10.5194/amt-14-615-2021, and Judd et al., Atmos. Meas. Tech. 13, 6113, 2020, doi
10.5194/amt-13-6113-2020, average airborne columns).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from retrieval.typing import Float
    from retrieval.validation.ground_columns import GroundColumns

LEAST_COVERAGE = 0.75
"""Share of a pixel that sub-pixels must cover."""


def within_pixels(
    series: GroundColumns,
    corners: tuple[Float, Float],
    times: NDArray[np.datetime64],
    window: np.timedelta64,
) -> Iterator[tuple[tuple[int, int], GroundColumns, int]]:
    """Yield the pixels that a flight covers, each with its mean as one measurement.

    Parameters
    ----------
    series : GroundColumns
        With `footprints`.
    corners : tuple of ndarray, shape (scanline, ground_pixel, 4)
        Latitudes and longitudes of the pixels' corners.
    times : ndarray of datetime64, shape (scanline,)
    window : timedelta64
        Half width of the time window.

    Yields
    ------
    where : tuple of int
        Scanline and ground pixel of the crop.
    mean : GroundColumns
        One measurement at the pixel's centre and time.
    n : int
        Sub-pixels in it.
    """
    if series.footprints is None or len(series) == 0:
        return
    shapes = series.footprints[:, 0]
    tree = shapely.STRtree(shapes)
    latitude, longitude = corners
    is_whole = np.isfinite(latitude).all(axis=-1) & np.isfinite(longitude).all(axis=-1)
    for i, j in np.argwhere(is_whole):
        pixel = shapely.Polygon(np.stack([longitude[i, j], latitude[i, j]], axis=-1))
        near = tree.query(pixel, predicate="intersects") if pixel.is_valid else np.array([], int)
        near = near[np.abs(series.time[near] - times[i]) <= window]
        if near.size == 0:
            continue
        shared = shapely.area(shapely.intersection(shapes[near], pixel))
        if shared.sum() < LEAST_COVERAGE * pixel.area:
            continue
        weights = shared / shared.sum()
        chosen = series.take(near)
        one = replace(
            chosen.take(np.array([0])),
            latitude=float(latitude[i, j].mean()),
            longitude=float(longitude[i, j].mean()),
            time=np.array([times[i]]).astype("datetime64[ms]"),
            column=np.array([weights @ chosen.column]),
            uncertainty=np.array([weights @ chosen.uncertainty]),
            footprints=None,
        )
        yield (int(i), int(j)), one, int((shared > 0).sum())
