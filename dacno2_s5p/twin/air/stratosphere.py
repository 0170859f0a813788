"""NO2 above the tropopause: a smooth column with seasons, and its place in pressure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from dacno2_s5p.twin.weather.modes import FieldSpec, TravellingFields
from dacno2_s5p.twin.weather.near_ground import summer
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.twin.land.world import Points

PEAK_PRESSURE = 2400.0
"""Pressure of the densest stratospheric NO2 [Pa] (20-30 hPa)."""

PEAK_WIDTH = 0.75
"""Width of the stratospheric profile in ln p, one sigma."""

WAVES = (FieldSpec(2500e3, 7000e3, 1.0, (14.0, 0.0), 60.0),)
"""Planetary-scale variability."""


class Stratosphere:
    """Stratospheric NO2 of a seed.

    Parameters
    ----------
    seed : int
        Seed of the world.
    """

    def __init__(self, seed: int) -> None:
        self._waves = TravellingFields(WAVES, seed, stream=3, n_wave=64, band=(2500e3, 7000e3))

    def column(self, time: np.datetime64, points: Points) -> NDArray[np.float32]:
        """Stratospheric column at a moment [mol m-2], shape of the points.

        2.3e15 molecules cm-2 in winter to 4e15 in summer, less to the south in summer, growing by
        2 % an hour through the day, with smooth variability of 4 %.
        """
        times = np.array([time]).astype("datetime64[s]")
        season = float(summer(times, -15.0)[0])
        north = (points.latitude - 48.0) / 10.0
        mean = 3.15 + 0.85 * season + north * (0.05 + 0.22 * season)
        hour = float((times[0] - times[0].astype("datetime64[D]")) / np.timedelta64(3600, "s"))
        local = hour + points.longitude / 15.0
        growth = 1.0 + 0.02 * (np.clip(local, 5.0, 20.0) - 13.0)
        wave = self._waves.evaluate([self._waves.amplitudes(0, times)], points)[0][0]
        column = mean * growth * (1.0 + 0.04 * wave) * 1e15 / MOLEC_CM2_PER_MOL_M2
        return np.asarray(column, np.float32)


def share_above(pressure: NDArray[np.floating]) -> NDArray[np.float64]:
    """Share of the stratospheric profile above a pressure [Pa]: a Gaussian in ln p."""
    position = np.log(np.maximum(pressure, 1e-3) / PEAK_PRESSURE) / PEAK_WIDTH
    return np.asarray(ndtr(position))


def in_layers(
    column: NDArray[np.floating],
    edges: NDArray[np.floating],
    tropopause_layer: NDArray[np.integer],
) -> NDArray[np.float64]:
    """Partial columns of the stratosphere in pressure layers.

    Parameters
    ----------
    column : ndarray, shape S
        Stratospheric column [mol m-2].
    edges : ndarray, shape (n_layer + 1, *S)
        Interfaces, surface first [Pa].
    tropopause_layer : ndarray of int, shape S
        Index of the highest layer that belongs to the troposphere.

    Returns
    -------
    ndarray, shape (n_layer, *S)
        [mol m-2]; zero up to the tropopause layer, summing to the column.
    """
    share = share_above(edges)
    layers = share[:-1] - share[1:]
    index = np.arange(layers.shape[0]).reshape(-1, *(1,) * np.ndim(column))
    layers = np.where(index > tropopause_layer, layers, 0.0)
    return np.asarray(column * layers / layers.sum(axis=0))
