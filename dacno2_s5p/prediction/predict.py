"""Prediction of a day: patches through the network, merged with Hann weights."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from dacno2_s5p.errors import CheckpointError
from dacno2_s5p.inputs.grid import ModelGrid, PatchMerger
from dacno2_s5p.inputs.normalisation import Welford
from dacno2_s5p.inputs.samples import GROUP_FACTORS, Inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import Patch
    from dacno2_s5p.network.checkpoint import Checkpoint, CheckpointInfo


LEAN_PATCH, LEAN_OVERLAP = 400, 0.2
"""Patches of the lean form: four cover the shipped grid, under 2 GB of memory."""


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
        Run the network in bfloat16 (head and merging in float32): up to 1.5 times faster where
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
        If the grid is not the checkpoint's, or the prediction is not finite.
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
        batch = model.normaliser.normalise(Inputs.stack([day_inputs.cut(patch)]))
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            scaled = model.network(batch)[0]
        _check_finite(scaled, model)
        merger.add(patch, model.info.scaling.unscale(scaled.float()).numpy())
        if progress is not None:
            progress(done, len(pieces))
    return merger.merged()


def predict_spread(
    models: Sequence[Checkpoint],
    day_inputs: Inputs,
    grid: ModelGrid | None = None,
    *,
    bfloat16: bool = False,
    progress: Callable[[float, float], None] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Predict mean and spread of an ensemble's members.

    The spread is raw: factors that make intervals cover what they say come from calibration on
    held-out stations.

    Parameters
    ----------
    models : sequence of Checkpoint
        Members: runs with other weights and samples.
    day_inputs, grid, bfloat16
        As in `predict_day`.
    progress : callable, optional
        Told the members done, with fractions, and their number.

    Returns
    -------
    mean, spread : ndarray of float32, shape (n_level, n_y, n_x)
        NO2 and its standard deviation over the members (ddof 1) [ug m-3].

    Raises
    ------
    ValueError
        If there are fewer than two members.
    """
    n = len(models)
    if n < 2:
        msg = (
            f"Invalid ensemble. A spread needs at least two members. Given {n}. "
            "Give more checkpoints."
        )
        raise ValueError(msg)
    shape = (models[0].info.network.n_level, *(grid or models[0].info.grid).shape)
    total = Welford(shape)
    for i, model in enumerate(models):
        tell = None if progress is None else partial(_tell_member, progress, i, n)
        field = predict_day(model, day_inputs, grid, bfloat16=bfloat16, progress=tell)
        total.add(field[None], axis=0)
    spread = total.std * (n / (n - 1)) ** 0.5
    return total.mean.astype("float32"), spread.astype("float32")


def _tell_member(
    progress: Callable[[float, float], None], member: int, n: int, done: int, of: int
) -> None:
    progress(member + done / of, n)


def _check_finite(scaled: torch.Tensor, model: Checkpoint) -> None:
    """Refuse a prediction that is not finite, although all inputs are."""
    wrong = ~torch.isfinite(scaled)
    if not bool(wrong.any()):
        return
    weights = model.network.named_parameters()
    bad = next((name for name, w in weights if not bool(torch.isfinite(w).all())), "no weight")
    height = model.info.preparation.heights[int(wrong.flatten(1).any(dim=1).nonzero()[0])]
    msg = (
        f"Invalid prediction of {model.path}. It must be finite. Given {int(wrong.sum())} values "
        f"that are not, first at {height:g} m, and {bad} that is not. Use another checkpoint, or "
        "leave out --bfloat16."
    )
    raise CheckpointError(msg)


def as_trained(grid: ModelGrid, info: CheckpointInfo) -> ModelGrid:
    """Return the grid in patches of the size that a network was trained on, where they fit.

    A network of crops sees the borders of its input everywhere; larger patches than it knows
    would show it fewer. A network of the grid's own patches gets these. The lean form, which is
    given what the wind brings from outside, gets large ones: fewer cells are predicted twice.
    """
    if info.network.form == "lean":
        size = min(LEAN_PATCH, *(16 * (n // 16) for n in grid.shape))
        return grid if size == grid.patch_size else grid.with_patches(size, LEAN_OVERLAP)
    crop = int(info.recipe.get("sampling", {}).get("crop", 0))
    fits = crop and crop <= min(grid.shape)
    return grid.with_patches(crop) if fits and crop != grid.patch_size else grid


def check_day(inputs: Inputs, grid: ModelGrid) -> None:
    """Refuse inputs that do not lie on the grid.

    Raises
    ------
    ValueError
        Naming the group and both shapes.
    """
    found = inputs.groups
    for group, factor in GROUP_FACTORS.items():
        shape = (grid.n_y // factor, grid.n_x // factor)
        given = tuple(found[group].shape[-2:]) if group in found else shape
        if given != shape:
            msg = (
                f"Invalid inputs. The group {group} must be on the grid {grid.name}, {shape[0]} x "
                f"{shape[1]} cells. Given {given[0]} x {given[1]}. Prepare the day on this grid."
            )
            raise ValueError(msg)
