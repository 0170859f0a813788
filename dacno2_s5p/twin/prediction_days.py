"""Days to predict from straight from the twin world, without files in between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dacno2_s5p.inputs.samples import Inputs
from dacno2_s5p.sources.day import FINE_GROUPS, group_maps
from dacno2_s5p.twin.network_days import TwinInputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.network.checkpoint import CheckpointInfo
    from dacno2_s5p.twin.twin import Twin


class SimulatedDays:
    """Days of the twin world, prepared as a checkpoint asks for; a `day_inputs.DayInputs`.

    Parameters
    ----------
    twin : Twin
        The world.
    info : CheckpointInfo
        Table of inputs and preparation of the checkpoint.
    grid : ModelGrid, optional
        Grid to prepare them on; by default the checkpoint's.

    Raises
    ------
    ValueError
        If the grid's cells are none of the twin world's, or the weather is wanted on other
        levels than heights above ground.
    """

    def __init__(self, twin: Twin, info: CheckpointInfo, grid: ModelGrid | None = None) -> None:
        self.grid = grid or info.grid
        self._twin = twin
        self._source = TwinInputs(twin, info.inputs, info.preparation, self.grid)
        self._static: dict[str, NDArray[np.float32]] | None = None

    @property
    def origin(self) -> str:
        """Nothing here is real."""
        return "synthetic"

    def missing(self, day: np.datetime64) -> list[str]:
        """No day lacks anything."""
        del day
        return []

    def read(self, day: np.datetime64) -> Inputs:
        """Return a day's inputs; rasters are made once."""
        if self._static is None:
            self._static = self._source.static_maps()
        source = self._source
        maps = {**self._static, **source.month_maps(day.astype("datetime64[M]"))}
        arrays = {
            **source.day_arrays(day),
            **{group: group_maps(source.table, group, maps) for group in FINE_GROUPS},
        }
        return Inputs(**{name: torch.from_numpy(values) for name, values in arrays.items()})

    def names(self, day: np.datetime64) -> list[str]:
        """Name the world and the day."""
        return [f"twin world, seed {self._twin.seed}, {day}"]

    def close(self) -> None:
        """Nothing is held open."""
