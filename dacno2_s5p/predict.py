"""Prediction of a day: patches through the network, merged with Hann weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from dacno2_s5p.grid import COARSE_FACTOR, ModelGrid, PatchMerger
from dacno2_s5p.samples import Inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from dacno2_s5p.checkpoint import Checkpoint
    from dacno2_s5p.grid import Patch


def predict_day(
    model: Checkpoint,
    day_inputs: Inputs,
    grid: ModelGrid | None = None,
    *,
    patches: Sequence[Patch] | None = None,
    bfloat16: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Predict NO2 on the whole grid, one patch in memory at a time (section 2.2.3).

    Parameters
    ----------
    model : Checkpoint
        The network and its scalings.
    day_inputs : Inputs
        One day on the whole grid, in the units of the table: no leading batch axis.
    grid : ModelGrid, optional
        Grid of the inputs; by default the checkpoint's.
    patches : sequence of Patch, optional
        Patches that cover the grid, in any order; by default the grid's own.
    bfloat16 : bool
        Run the network in bfloat16 (head and merging in float32): about 1.5 times faster where
        the processor has it.
    progress : callable, optional
        Told the patches done and their number.

    Returns
    -------
    ndarray of float32, shape (n_level, n_y, n_x)
        NO2 [ug m-3], surface first, rows south to north.

    Raises
    ------
    CheckpointError
        If the grid is not the checkpoint's.
    DataError
        If an input is not finite; names the variable.
    ValueError
        If inputs are not on the grid.
    """
    grid = grid or model.info.grid
    model.require(grid=grid)
    check_day(day_inputs, grid)
    pieces = grid.patches() if patches is None else patches
    merger = PatchMerger(grid, model.info.network.n_level)
    for done, patch in enumerate(pieces, start=1):
        batch = Inputs.stack([day_inputs.cut(patch)])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            scaled = model.network(model.normaliser.normalise(batch))[0]
        merger.add(patch, model.info.scaling.unscale(scaled.float()).numpy())
        if progress is not None:
            progress(done, len(pieces))
    return merger.merged()


def check_day(inputs: Inputs, grid: ModelGrid) -> None:
    """Refuse inputs that do not lie on the grid.

    Raises
    ------
    ValueError
        Naming the group and both shapes.
    """
    coarse = (grid.n_y // COARSE_FACTOR, grid.n_x // COARSE_FACTOR)
    expected = {
        "emission": grid.shape,
        "geography": grid.shape,
        "single": coarse,
        "multi": coarse,
    }
    for group, shape in expected.items():
        given = tuple(getattr(inputs, group).shape[-2:])
        if given != shape:
            msg = (
                f"Invalid inputs. The group {group} must be on the grid {grid.name}, {shape[0]} x "
                f"{shape[1]} cells. Given {given[0]} x {given[1]}. Prepare the day on this grid."
            )
            raise ValueError(msg)
