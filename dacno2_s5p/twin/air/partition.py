"""From columns of NOx to columns of NO2 by where they sit: aged, fresh, residual."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.air import chemistry
from dacno2_s5p.twin.air.profile import ColumnState

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Surroundings:
    """Fields of one hour on a grid that turn columns of NOx into NO2 at heights.

    Attributes
    ----------
    depth, pressure, temperature, elevation, solar : ndarray of float32, shape (n_y, n_x)
        Boundary-layer height [m], surface pressure [Pa], free-air temperature at the ground [K],
        terrain [m], solar radiation [W m-2].
    free : ndarray of float32, shape (2, n_y, n_x)
        Factors of the free troposphere.
    """

    depth: NDArray[np.float32]
    pressure: NDArray[np.float32]
    temperature: NDArray[np.float32]
    elevation: NDArray[np.float32]
    solar: NDArray[np.float32]
    free: NDArray[np.float32]

    def with_depth(self, depth: NDArray[np.float32]) -> Surroundings:
        """Return a copy with another boundary-layer height [m]."""
        return replace(self, depth=depth)

    def at(
        self, rows: slice | NDArray[np.int64], columns: slice | NDArray[np.int64]
    ) -> Surroundings:
        """Return a block of cells, or single cells by row and column numbers."""
        return Surroundings(
            **{f.name: getattr(self, f.name)[..., rows, columns] for f in fields(self)}
        )


def column_state(
    lower: NDArray[np.float32],
    upper: NDArray[np.float32],
    ground: NDArray[np.float32],
    stacks: NDArray[np.float32],
    around: Surroundings,
) -> ColumnState:
    """Split columns of NOx into aged, fresh and residual NO2.

    Parameters
    ----------
    lower, upper : ndarray, shape (n_y, n_x)
        NOx of the boundary layer and the residual layer [mol m-2].
    ground, stacks : ndarray, shape (n_y, n_x)
        Emission of the hour [mol m-2 s-1].
    around : Surroundings
        Weather and ground of the hour.

    Returns
    -------
    ColumnState
    """
    share = chemistry.no2_share(around.solar).astype(np.float32)
    fresh_ground = ground * np.float32(chemistry.FRESH_TIME)
    fresh_stacks = stacks * np.float32(chemistry.FRESH_TIME)
    whole = lower + fresh_ground + fresh_stacks
    no2 = lower * share
    no2 = no2 * chemistry.ozone_limited(no2, around.depth).astype(np.float32)
    return ColumnState(
        aged=no2 * lower / whole,
        ground=no2 * fresh_ground / whole,
        stacks=no2 * fresh_stacks / whole,
        residual=upper * share,
        depth=around.depth,
        free=around.free,
        pressure=around.pressure,
        temperature=around.temperature,
        elevation=around.elevation,
    )
