"""The state of a training run on disk: complete, or refused."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from dacno2_s5p.errors import TrainingError
from dacno2_s5p.network.tensor_file import hash_tensors, read_tensors, write_tensors
from dacno2_s5p.training.losses import TERMS
from dacno2_s5p.training.optimisation import optimiser_tensors, restore_optimiser

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from torch import Tensor, nn

    from dacno2_s5p.network.checkpoint import CheckpointInfo
    from dacno2_s5p.training.recipe import PhaseRecipe

FORMAT = 3
"""Version of the state's metadata; in 1 each phase drew for itself what validates, in 2 there was
no precision, and samples were not rounded."""


@dataclass
class RunState:
    """Numbers of a run beside its tensors.

    Attributes
    ----------
    identity : str
        Hash of everything the run depends on.
    step : int
        Optimiser steps done.
    best_loss : float
        Least validation loss so far.
    best_step : int
        Its step.
    validation_loss : float or None
        The latest.
    steps : int
        Steps of the recipe that the state was written under.
    precision : str
        `float32` or `bfloat16`: what was given or measured at the start; empty before.
    sums : dict of str to float
        Training loss and terms summed since the last row of the curves.
    count : int
        Steps in these sums.
    """

    identity: str
    step: int = 0
    best_loss: float = float("inf")
    best_step: int = 0
    validation_loss: float | None = None
    steps: int = 0
    precision: str = ""
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(("loss", *TERMS), 0.0))
    count: int = 0

    def add(self, terms: dict[str, float], loss: float) -> None:
        """Count a step's loss and terms."""
        for name, value in {"loss": loss, **terms}.items():
            self.sums[name] += value
        self.count += 1

    def means(self) -> dict[str, float]:
        """Return mean loss and terms since the last row."""
        return {name: value / max(self.count, 1) for name, value in self.sums.items()}

    def start_anew(self) -> None:
        """Begin the sums of the next row."""
        self.sums = dict.fromkeys(self.sums, 0.0)
        self.count = 0


def identity(info: CheckpointInfo, recipe: PhaseRecipe, network: nn.Module) -> str:
    """Hash what a run depends on: data, recipe, and the weights it starts from."""
    values = info.to_dict()
    # other versions of torch may differ in the last bit; that is not another run
    for name in ("versions", "metrics", "step"):
        values.pop(name)
    # what the recipe says of other phases may change while this one runs
    values["recipe"] = {k: v for k, v in values["recipe"].items() if k not in ("phase", "name")}
    values["phase_recipe"] = asdict(recipe)
    if recipe.end_share:  # it can be prolonged
        values["phase_recipe"].pop("steps")
    values["start"] = hash_tensors(network.state_dict())
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def write_state(
    path: Path,
    state: RunState,
    network: nn.Module,
    mean: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
) -> None:
    """Write the state, replacing the older one."""
    tensors = {f"network.{name}": t for name, t in network.state_dict().items()}
    tensors |= {f"mean.{name}": t for name, t in mean.items()}
    tensors |= {f"optimiser.{name}": t for name, t in optimiser_tensors(optimiser).items()}
    write_tensors(path, tensors, {"format": FORMAT, "state": asdict(state)})


def read_state(
    path: Path,
    expected: str,
    network: nn.Module,
    mean: dict[str, Tensor],
    optimiser: torch.optim.Optimizer,
) -> RunState:
    """Restore network, running mean and optimiser in place and return the numbers.

    Raises
    ------
    TrainingError
        If the state is of another run or incomplete.
    CheckpointError
        If the file is damaged.
    """
    tensors, metadata = read_tensors(path)
    try:
        state = RunState(**metadata["state"])
    except (KeyError, TypeError) as error:
        msg = (
            f"Invalid run {path.parent}. Its state must be complete. Given the fault {error!r}. "
            "Start the phase again in another folder."
        )
        raise TrainingError(msg) from error
    if metadata.get("format") != FORMAT:
        msg = (
            f"Invalid run {path.parent}. Its state must be of format {FORMAT}. Given "
            f"{metadata.get('format')!r}, of another version of the package. Finish the run with "
            "that version, or start the phase again in another folder."
        )
        raise TrainingError(msg)
    if state.identity != expected:
        msg = (
            f"Invalid run {path.parent}. It must be of the same data, recipe and starting weights. "
            "Given the state of another run. Resume with its own recipe, or choose another folder."
        )
        raise TrainingError(msg)
    parts: dict[str, dict[str, Any]] = {"network": {}, "mean": {}, "optimiser": {}}
    for key, tensor in tensors.items():
        part, _, name = key.partition(".")
        parts[part][name] = tensor
    network.load_state_dict(parts["network"])
    for name, tensor in mean.items():
        tensor.copy_(parts["mean"][name])
    restore_optimiser(optimiser, parts["optimiser"])
    return state
