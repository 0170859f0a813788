"""What becomes of NOx: lifetime, share of NO2, exchange between the layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

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

NOX_OF_MOST_OH = 8.2e-8
"""NOx at which there is most OH [mol m-3]: 2 ppb at 298 K."""

UNCONCERNED = 0.5
"""Share of the loss by day that does not depend on NOx."""

TYPICAL_OH = 0.8
"""Value of the curve in the air of an average day, so that the mean lifetime stays."""

GROUND_LIMIT = 52.0
"""Mean concentration of NO2 [ug m-3] at which half of it would lack ozone to form."""


def loss_rates(
    solar: NDArray[np.floating], temperature: NDArray[np.floating], rain: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Loss rates of NOx in the boundary layer and in the residual layer [s-1].

    Lifetimes of 2-3 h at a summer noon, 5-7 h at a winter noon, 15 h at night.
    """
    sun = _sun(solar, temperature)
    wet = 0.02 / HOUR * rain
    lower = 1.0 / NIGHT_LIFETIME + sun / (2.7 * HOUR) + wet
    upper = 1.0 / (22.0 * HOUR) + sun / (4.0 * HOUR) + wet
    return lower, upper


def sunlit_rate(
    solar: NDArray[np.floating], temperature: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Part of the boundary layer's loss rate that OH makes [s-1]."""
    return np.asarray(_sun(solar, temperature) / (2.7 * HOUR))


def _sun(solar: NDArray[np.floating], temperature: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(solar / 800.0 * np.clip(1.0 + 0.012 * (temperature - 283.0), 0.6, 1.5))


def oh_factor(nox: torch.Tensor) -> torch.Tensor:
    """OH in air of a NOx concentration over that in typical air.

    Parameters
    ----------
    nox : torch.Tensor
        Mean of the boundary layer [mol m-3].

    Returns
    -------
    torch.Tensor
        From 0.6 in clean air over 1.25 at `NOX_OF_MOST_OH` to 0.63 in the densest plumes.

    Notes
    -----
    HOx is made at a constant rate and lost with NO2 (HNO3) and with itself (peroxides), of which
    HO2 is OH over NO times a constant; so P = a n OH + b (OH / n) ** 2, whose root is
    OH ~ 3 n / (n ** 2 + sqrt(n ** 4 + 3)) with n in units of the NOx where it has its maximum, 1
    [1]_. That NOx is lost faster or slower by it is seen from space in plumes of cities [2]_. Half
    of the loss is taken as not concerned (organic nitrates, recycled OH), so that it is moderate.

    References
    ----------
    .. [1] Valin, L. C., A. R. Russell, R. C. Hudman and R. C. Cohen (2011), Effects of model
       resolution on the interpretation of satellite NO2 observations, Atmospheric Chemistry and
       Physics 11, 11647-11655, doi:10.5194/acp-11-11647-2011.
    .. [2] Laughner, J. L. and R. C. Cohen (2019), Direct observation of changing NOx lifetime in
       North American cities, Science 366, 723-727, doi:10.1126/science.aax6832.

    Examples
    --------
    >>> oh_factor(NOX_OF_MOST_OH * torch.tensor([0.0, 1.0, 100.0])).numpy().round(2)
    array([0.62, 1.25, 0.63], dtype=float32)
    """
    n = nox / NOX_OF_MOST_OH
    square = n * n
    curve = 3.0 * n / (square + torch.sqrt(square * square + 3.0))
    return (UNCONCERNED + (1.0 - UNCONCERNED) * curve) / TYPICAL_OH


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
