"""What becomes of NOx: lifetime, share of NO2, exchange between the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOUR = 3600.0
NIGHT_LIFETIME = 15.0 * HOUR
"""Lifetime of NOx without sun [s]: deposition, nitrate and its hydrolysis."""

BACKGROUND_SOURCE = 1.3e-10
"""Production of NOx from reservoirs in the boundary layer everywhere [mol m-2 s-1]."""

RESIDUAL_SOURCE = 3.0e-11
"""The same in the residual layer [mol m-2 s-1]."""

FRESH_TIME = 1100.0
"""Time for which emissions keep the shape of fresh ones [s]."""

GROUND_LIMIT = 52.0
"""Mean concentration of NO2 [ug m-3] at which half of it would lack ozone to form."""


def loss_rates(
    solar: NDArray[np.floating], temperature: NDArray[np.floating], rain: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Loss rates of NOx in the boundary layer and in the residual layer [s-1].

    Lifetimes of 2-3 h at a summer noon, 5-7 h at a winter noon, 15 h at night.
    """
    sun = solar / 800.0 * np.clip(1.0 + 0.012 * (temperature - 283.0), 0.6, 1.5)
    wet = 0.02 / HOUR * rain
    lower = 1.0 / NIGHT_LIFETIME + sun / (2.7 * HOUR) + wet
    upper = 1.0 / (22.0 * HOUR) + sun / (4.0 * HOUR) + wet
    return lower, upper


def no2_share(solar: NDArray[np.floating]) -> NDArray[np.floating]:
    """Share of NO2 in NOx away from sources: 0.93 at night, 0.7 at a summer noon."""
    return np.asarray(0.93 - 0.26 * np.clip(solar / 800.0, 0.0, 1.0))


def ozone_limited(
    column: NDArray[np.floating], depth: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Factor of NO2 where NOx is so dense that ozone runs out."""
    dense = column / depth / (GROUND_LIMIT * MICROGRAM_M3_TO_MOL_M3)
    return np.asarray(1.0 / (1.0 + dense))


def venting(solar: NDArray[np.floating], cloud: NDArray[np.floating]) -> NDArray[np.floating]:
    """Share of the boundary layer's column that turbulence and clouds lift out in an hour."""
    return np.asarray(0.02 + 0.05 * np.clip(solar / 600.0, 0.0, 1.0) * (0.5 + cloud))
