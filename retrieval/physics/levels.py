"""What the values of a profile are, and where they lie: at heights, in layers, at pressures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Quantity(StrEnum):
    """What the values of a set are, in SI."""

    CONCENTRATION = "concentration"
    """Amount per volume of air [mol m-3]."""
    MOLE_FRACTION = "mole_fraction"
    """Amount per amount of air [mol mol-1]."""
    PARTIAL_COLUMN = "partial_column"
    """Amount per area of a layer [mol m-2]; only on layers."""


@dataclass(frozen=True)
class HeightLevels:
    """Values at heights above ground [m], ascending; shape (n_level,)."""

    height: NDArray[np.float64]

    @property
    def n_level(self) -> int:
        """Number of values in a profile."""
        return self.height.size


@dataclass(frozen=True)
class HeightLayers:
    """Layer means between heights above ground [m], ascending; shape (n_level + 1,)."""

    height_edges: NDArray[np.float64]

    @property
    def n_level(self) -> int:
        """Number of values in a profile."""
        return self.height_edges.size - 1


@dataclass(frozen=True)
class HybridLayers:
    """Layer means between hybrid interfaces p = a + b p_surface, surface first.

    `a` [Pa] and `b` [1] have shape (n_level + 1,). Pure pressure layers have b = 0.
    """

    a: NDArray[np.float64]
    b: NDArray[np.float64]

    @property
    def n_level(self) -> int:
        """Number of values in a profile."""
        return self.a.size - 1


@dataclass(frozen=True)
class PressureLevels:
    """Values at pressures [Pa], surface first (descending); shape (n_level,)."""

    pressure: NDArray[np.float64]

    @property
    def n_level(self) -> int:
        """Number of values in a profile."""
        return self.pressure.size


@dataclass(frozen=True)
class LocalLayers:
    """Layer means between interfaces that differ from cell to cell and from time to time.

    Where the layers are is read with the values: a profile is its `n_layer` values, surface first,
    the thickness of each of these layers, and the coordinate at the top of the last. Averaged over
    a footprint they stay what they are, and thicknesses keep their digits in single precision.

    Attributes
    ----------
    n_layer : int
    is_pressure : bool
        The coordinate is a pressure [Pa], falling to the top; else a height above ground [m].
    """

    n_layer: int
    is_pressure: bool

    @property
    def n_level(self) -> int:
        """Number of values in a profile, the coordinates with them."""
        return 2 * self.n_layer + 1

    def split(
        self, profile: NDArray[np.floating]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Return the values (..., n_layer) and the interfaces (..., n_layer + 1), surface first.

        Examples
        --------
        >>> values, edges = LocalLayers(2, is_pressure=True).split(np.array([5.0, 4, 30, 20, 50]))
        >>> values.tolist(), edges.tolist()
        ([5.0, 4.0], [100.0, 70.0, 50.0])
        >>> LocalLayers(2, is_pressure=False).split(np.array([5.0, 4, 30, 20, 50]))[1].tolist()
        [0.0, 30.0, 50.0]
        """
        n = self.n_layer
        values, thickness, top = profile[..., :n], profile[..., n:-1], profile[..., -1:]
        above = np.cumsum(thickness[..., ::-1], axis=-1)[..., ::-1]
        below_top = np.concatenate([above, np.zeros_like(top)], axis=-1)
        return values, top + below_top if self.is_pressure else top - below_top


Vertical = HeightLevels | HeightLayers | HybridLayers | PressureLevels | LocalLayers
