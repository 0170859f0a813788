"""Places where weather is evaluated, with the ground under them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import map_coordinates, maximum_filter, uniform_filter

from dacno2_s5p.twin.land.world import Points, block_mean, meridian_angle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.twin.land.geography import Geography


@dataclass(frozen=True)
class Site:
    """Places and the ground under them; arrays share one shape.

    Attributes
    ----------
    points : Points
        Places.
    land : ndarray of float32
        Land fraction.
    elevation : ndarray of float32
        Terrain height [m].
    shelter : ndarray of float32
        Factor of the low wind, below 1 in valleys.
    angle : ndarray of float64
        Angle of true north from the grid's y axis [rad], counter-clockwise.
    """

    points: Points
    land: NDArray[np.float32]
    elevation: NDArray[np.float32]
    shelter: NDArray[np.float32]
    angle: NDArray[np.float64]

    @classmethod
    def of_frame(cls, geography: Geography, spacing: float = 16000.0) -> Site:
        """Return the frame's cells of a size that the 2 km cells nest in."""
        factor = round(spacing / 2000.0)
        points = Points.of_grid(geography.frame.grid(spacing))
        height = block_mean(geography.elevation, factor)
        size = 2 * round(32e3 / spacing) + 1
        around = uniform_filter(maximum_filter(height, size), size)
        relief = np.maximum(around - height, 0.0)
        shelter = (1.0 / (1.0 + relief / 1100.0)).astype(np.float32)
        land = block_mean(geography.land, factor)
        angle = meridian_angle(points.longitude, points.latitude)
        return cls(points, land, height.astype(np.float32), shelter, angle)

    @classmethod
    def at(cls, frame: Site, points: Points) -> Site:
        """Sample a frame's site bilinearly at any points inside the frame."""
        x, y = frame.points.x[0], frame.points.y[:, 0]
        place = np.stack(
            [(points.y - y[0]) / (y[1] - y[0]), (points.x - x[0]) / (x[1] - x[0])]
        ).astype(np.float64)

        def sample(field: NDArray[np.float32]) -> NDArray[np.float32]:
            out = map_coordinates(field, place, order=1, mode="nearest")
            return np.asarray(out, np.float32)

        angle = meridian_angle(points.longitude, points.latitude)
        return cls(
            points, sample(frame.land), sample(frame.elevation), sample(frame.shelter), angle
        )
