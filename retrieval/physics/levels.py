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


Vertical = HeightLevels | HeightLayers | HybridLayers | PressureLevels
