"""From columns to concentrations at heights: the vertical shape of NO2 in the twin world.

Aged NO2 fills the boundary layer, fresh NO2 clings to the ground or to the height of stacks, the
residual layer decays above the boundary layer, and the free troposphere has a C-shape.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from retrieval.physics.constants import (
    GAS_CONSTANT,
    GAS_CONSTANT_DRY_AIR,
    GRAVITY,
    LAPSE_RATE,
    PPT,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# fmt: off
HEIGHTS = (
    0.0, 25.0, 50.0, 100.0, 150.0, 200.0, 250.0, 375.0, 500.0, 625.0, 750.0, 875.0, 1000.0,
    1250.0, 1500.0, 1750.0, 2000.0, 2500.0, 3000.0, 4000.0, 5000.0, 6500.0, 8000.0, 10000.0,
    12000.0, 14000.0, 16000.0,
)
# fmt: on
"""Dense heights of the truth above ground [m]; the network's eight are among them."""

NETWORK_HEIGHTS = (0.0, 50.0, 250.0, 500.0, 1000.0, 2000.0, 3000.0, 5000.0)
"""The eight heights of the network [m]."""

CAMS_HEIGHTS = (0.0, 50.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2000.0, 3000.0, 5000.0)
"""The ten heights of the CAMS European reanalyses [m]."""

COLDEST = 216.65
"""Temperature of the model atmospheres above the tropopause [K]."""

AGED_DECAY = 1.1
"""Aged NO2 falls as exp(-AGED_DECAY z / h) in a boundary layer of height h."""

LID = 0.12
"""Width of the boundary layer's top relative to its height."""

RESIDUAL_SCALE = 800.0
"""Scale height of the residual layer [m]."""

STACK_WIDTH = 110.0
"""Half width of the plumes of stacks in the vertical [m]."""

_C_SHAPE_HEIGHT = np.array([0.0, 2.0, 3.5, 5.0, 7.0, 9.0, 11.0, 13.0, 16.0, 20.0]) * 1e3
_C_SHAPE_PPT = np.array([24.0, 24.0, 21.0, 19.0, 23.0, 37.0, 50.0, 46.0, 40.0, 40.0])


def _aged_norm() -> float:
    zeta = np.linspace(0.0, 4.0, 8001)
    shape = np.exp(-AGED_DECAY * zeta) / (1.0 + np.exp((zeta - 1.0) / LID))
    return float(np.trapezoid(shape, zeta))


_AGED_NORM = _aged_norm()


@dataclass(frozen=True)
class ColumnState:
    """NO2 of one moment by where it sits; arrays of shape (n_y, n_x).

    Attributes
    ----------
    aged, ground, stacks, residual : ndarray of float32
        Columns of NO2 [mol m-2].
    depth : ndarray of float32
        Boundary-layer height [m].
    free : ndarray of float32, shape (2, n_y, n_x)
        Factors of the free troposphere's mole fraction at 4 and at 11 km.
    pressure : ndarray of float32
        Surface pressure [Pa].
    temperature : ndarray of float32
        Free-air temperature at the ground [K].
    elevation : ndarray of float32
        Terrain height [m].
    """

    aged: NDArray[np.float32]
    ground: NDArray[np.float32]
    stacks: NDArray[np.float32]
    residual: NDArray[np.float32]
    depth: NDArray[np.float32]
    free: NDArray[np.float32]
    pressure: NDArray[np.float32]
    temperature: NDArray[np.float32]
    elevation: NDArray[np.float32]

    def window(self, rows: slice, columns: slice) -> ColumnState:
        """Return a block of cells."""
        return ColumnState(
            **{f.name: getattr(self, f.name)[..., rows, columns] for f in fields(self)}
        )


def air_density(
    height: float, pressure: NDArray[np.floating], temperature: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Amount of air [mol m-3] at a height above ground: 6.5 K/km to 220 K, then isothermal."""
    aloft = np.maximum(temperature - LAPSE_RATE * height, COLDEST)
    bend = (temperature - aloft) / LAPSE_RATE
    exponent = GRAVITY / (GAS_CONSTANT_DRY_AIR * LAPSE_RATE)
    p = pressure * (aloft / temperature) ** exponent
    p = p * np.exp(-(height - bend) * GRAVITY / (GAS_CONSTANT_DRY_AIR * aloft))
    return np.asarray(p / (GAS_CONSTANT * aloft))


def free_troposphere(height: float, state: ColumnState) -> NDArray[np.float32]:
    """Concentration of the free troposphere's NO2 [mol m-3] at a height above ground [m]."""
    altitude = height + state.elevation
    base = np.interp(altitude, _C_SHAPE_HEIGHT, _C_SHAPE_PPT).astype(np.float32)
    upper = np.clip((altitude - 4000.0) / 7000.0, 0.0, 1.0)
    factor = state.free[0] ** (1.0 - upper) * state.free[1] ** upper
    air = air_density(height, state.pressure, state.temperature)
    return np.asarray(PPT * base * factor * air, np.float32)


def concentration(state: ColumnState, heights: Sequence[float]) -> NDArray[np.float32]:
    """Concentration of NO2 at heights above ground.

    Parameters
    ----------
    state : ColumnState
        Columns of shape (n_y, n_x).
    heights : sequence of float
        Heights above ground [m].

    Returns
    -------
    ndarray of float32, shape (n_height, n_y, n_x)
        [mol m-3]. The shapes of all parts integrate to their columns from the ground to infinity.
    """
    depth = state.depth
    inverse = 1.0 / depth
    ground_scale = np.clip(80.0 + 0.10 * depth, 90.0, 240.0)
    centre = np.clip(170.0 + 0.12 * depth, 180.0, 330.0)
    aged = state.aged * inverse / np.float32(_AGED_NORM)
    fresh = state.ground / ground_scale
    # a Gaussian of which a few per cent lie below the ground, and are given back
    cut = ndtr(centre / np.float32(STACK_WIDTH))
    stacks = state.stacks / (STACK_WIDTH * np.float32(np.sqrt(2.0 * np.pi)) * cut)
    residual = state.residual / (RESIDUAL_SCALE + depth / 3.0)
    out = np.empty((len(heights), *depth.shape), np.float32)
    for i, height in enumerate(heights):
        n = free_troposphere(height, state)
        if height <= 8000.0:
            zeta = height * inverse
            lid = 1.0 + np.exp(np.minimum((zeta - 1.0) / LID, 60.0))
            n += aged * np.exp(-AGED_DECAY * zeta) / lid
            above = np.exp(-np.maximum(height - depth, 0.0) / RESIDUAL_SCALE)
            n += residual * above * np.minimum(zeta, 1.0) ** 2
            n += fresh * np.exp(-height / ground_scale)
        if height <= 1000.0:
            n += stacks * np.exp(-0.5 * ((height - centre) / STACK_WIDTH) ** 2)
        out[i] = n
    return out


def partial_column(
    profile: NDArray[np.floating], heights: Sequence[float], top: NDArray[np.floating] | float
) -> NDArray[np.float64]:
    """Exact integral of a piecewise linear profile from the ground to a height.

    Parameters
    ----------
    profile : ndarray, shape (n_height, n_y, n_x)
        Concentration [mol m-3].
    heights : sequence of float
        Ascending heights above ground [m], the first 0.
    top : ndarray or float
        Upper limit [m above ground].

    Returns
    -------
    ndarray of float64, shape (n_y, n_x)
        Column [mol m-2].
    """
    total = np.zeros(profile.shape[1:])
    for i in range(len(heights) - 1):
        low, high = heights[i], heights[i + 1]
        share = np.clip((np.asarray(top) - low) / (high - low), 0.0, 1.0)
        slope = profile[i + 1].astype(np.float64) - profile[i]
        total += (high - low) * share * (profile[i] + 0.5 * share * slope)
    return total
