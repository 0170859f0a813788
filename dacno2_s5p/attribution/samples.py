"""Which samples an attribution is of: days and patches of a store, drawn with a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.inputs.samples import Crop

if TYPE_CHECKING:
    from torch import Tensor

    from dacno2_s5p.inputs.grid import ModelGrid, Patch
    from dacno2_s5p.inputs.samples import Inputs, Stations
    from dacno2_s5p.store.store import Role, Store


@dataclass(frozen=True)
class WithStations:
    """A store whose stations are those trained on, those held back, or both.

    Attributes
    ----------
    store : Store
    role : {"training", "evaluation", "all"}
        The paper attributes the error at training stations.
    """

    store: Store
    role: Role = "training"

    @property
    def grid(self) -> ModelGrid:
        """The store's grid."""
        return self.store.grid

    @property
    def n_day(self) -> int:
        """Number of days."""
        return self.store.n_day

    def inputs(self, day: int, patch: Patch) -> Inputs:
        """Return one sample's inputs in the units of the table."""
        return self.store.inputs(day, patch)

    def cams(self, day: int, patch: Patch) -> Tensor | None:
        """Return CAMS NO2 [ug m-3] of a patch."""
        return self.store.cams(day, patch)

    def stations(self, day: int) -> Stations:
        """Return the day's stations of the role."""
        return self.store.stations(day, self.role)


def draw_crops(
    n_day: int, grid: ModelGrid, *, days: int = 0, patches: int = 0, seed: int = 0
) -> list[Crop]:
    """Draw days, and patches of each, without replacement and in order.

    Parameters
    ----------
    n_day : int
        Days there are.
    grid : ModelGrid
        With the patches to draw from.
    days, patches : int
        How many days, and patches of each; 0, or more than there are, for all.
    seed : int

    Returns
    -------
    list of Crop

    Examples
    --------
    >>> from dacno2_s5p.inputs.grid import named_grid
    >>> [crop.day for crop in draw_crops(365, named_grid("europe-2km"), days=3, patches=1)]
    [186, 231, 308]
    """
    generator = np.random.default_rng(seed)
    cut = grid.patches()
    chosen = _some(generator, n_day, days)
    return [Crop(day, cut[i]) for day in chosen for i in _some(generator, len(cut), patches)]


def _some(generator: np.random.Generator, n: int, wanted: int) -> list[int]:
    """Draw numbers below n, ascending; all of them where none or too many are wanted."""
    if not 0 < wanted < n:
        return list(range(n))
    return [int(i) for i in sorted(generator.choice(n, wanted, replace=False))]
