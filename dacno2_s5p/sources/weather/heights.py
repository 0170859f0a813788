"""From pressure levels to heights above ground, so that no air below the ground is used.

Levels whose pressure exceeds the surface pressure lie below the ground; their values are
extrapolations and are never touched. The height of the ground follows from the lowest level above
it by the hypsometric equation, so that no orography file is needed and heights are consistent
with the geopotential of the levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from retrieval.physics.constants import GAS_CONSTANT_DRY_AIR, GRAVITY, VIRTUAL_TEMPERATURE_FACTOR

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from retrieval.typing import Float


def lowest_above_ground(pressure: Float, surface_pressure: Float) -> NDArray[np.intp]:
    """Index of the lowest level above ground, shape (n_y, n_x); pressures [Pa] surface first."""
    return np.asarray((pressure[:, None, None] >= surface_pressure).sum(axis=0))


def surface_geopotential(
    pressure: Float,
    geopotential: Float,
    temperature: Float,
    humidity: Float,
    surface_pressure: Float,
    surface_temperature: Float,
) -> Float:
    """Geopotential of the ground [m2 s-2] by the hypsometric equation, shape (n_y, n_x).

    Parameters
    ----------
    pressure : ndarray, shape (n_level,)
        Pressures [Pa], surface first.
    geopotential, temperature, humidity : ndarray, shape (n_level, n_y, n_x)
        On the levels [m2 s-2, K, kg kg-1].
    surface_pressure, surface_temperature : ndarray, shape (n_y, n_x)
        Pressure at the ground [Pa] and temperature at 2 m [K].

    Notes
    -----
    z_s = z_k - R_d T_v ln(p_s / p_k), k the lowest level above ground, T_v the mean of its virtual
    temperature and that at the ground, for which the humidity of level k is taken.
    """
    lowest = np.minimum(lowest_above_ground(pressure, surface_pressure), pressure.size - 1)
    z, t, q = (
        np.take_along_axis(field, lowest[None], axis=0)[0]
        for field in (geopotential, temperature, humidity)
    )
    virtual = 0.5 * (t + surface_temperature) * (1.0 + VIRTUAL_TEMPERATURE_FACTOR * q)
    thickness = GAS_CONSTANT_DRY_AIR * virtual * np.log(surface_pressure / pressure[lowest])
    return np.asarray(z - thickness)


@dataclass(frozen=True)
class HeightOperator:
    """Linear interpolation in height between levels above ground.

    Attributes
    ----------
    lower, upper : ndarray of int, shape (n_height, n_y, n_x)
        Levels on either side; equal below the lowest level above ground, whose value is held.
    weight : ndarray, shape (n_height, n_y, n_x)
        Weight of the upper one.
    """

    lower: NDArray[np.intp]
    upper: NDArray[np.intp]
    weight: Float

    @classmethod
    def build(
        cls,
        heights: Sequence[float],
        pressure: Float,
        geopotential: Float,
        surface_pressure: Float,
        ground: Float,
        where: str = "the pressure levels",
    ) -> HeightOperator:
        """Build from heights above ground [m] and the state of the columns.

        Raises
        ------
        DataError
            If the levels end below the highest height, or their heights do not ascend.
        """
        above = (geopotential - ground) / GRAVITY
        first = lowest_above_ground(pressure, surface_pressure)
        level = np.arange(pressure.size)[:, None, None]
        above = np.where(level < first, -np.inf, above)
        _check_columns(above, level >= first, heights, where)
        lower, upper, weight = [], [], []
        for height in heights:
            below = (above <= height).sum(axis=0) - 1
            is_held = below < first
            low = np.where(is_held, first, below)
            high = np.where(is_held, first, np.minimum(below + 1, pressure.size - 1))
            h0, h1 = (np.take_along_axis(above, i[None], axis=0)[0] for i in (low, high))
            span = np.where(high > low, h1 - h0, 1.0)
            weight.append(np.where(high > low, (height - h0) / span, 0.0))
            lower.append(low)
            upper.append(high)
        return cls(np.stack(lower), np.stack(upper), np.stack(weight))

    def apply(self, field: Float) -> Float:
        """Interpolate (n_level, n_y, n_x) to (n_height, n_y, n_x)."""
        low = np.take_along_axis(field, self.lower, axis=0).astype(np.float64)
        high = np.take_along_axis(field, self.upper, axis=0)
        return np.asarray(low + self.weight * (high - low))


def geopotential_at(heights: Sequence[float], ground: Float) -> Float:
    """Geopotential at heights above ground [m2 s-2], shape (n_height, n_y, n_x)."""
    return np.asarray(ground + GRAVITY * np.asarray(heights, dtype=np.float64)[:, None, None])


def _check_columns(
    above: Float, is_above: NDArray[np.bool_], heights: Sequence[float], where: str
) -> None:
    top = float(above[-1].min())
    if not top >= heights[-1]:
        msg = (
            f"Invalid levels of {where}. They must reach {heights[-1]:g} m above ground everywhere."
            f" Given {top:.0f} m. Request more pressure levels (prepare --what-to-download)."
        )
        raise DataError(msg)
    both = is_above[1:] & is_above[:-1]
    if (np.diff(np.where(is_above, above, 0.0), axis=0)[both] <= 0.0).any():
        msg = (
            f"Invalid levels of {where}. Their heights must rise as pressure falls. Given heights "
            "that do not. Check that the geopotential is that of the same file."
        )
        raise DataError(msg)
