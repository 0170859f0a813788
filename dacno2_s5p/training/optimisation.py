"""Optimiser, learning rate, running mean of the weights, frozen norms; weights not finite."""

from __future__ import annotations

from math import cos, pi
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dacno2_s5p.training.muon import MuonAdamW, is_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dacno2_s5p.network.dacno2 import Dacno2
    from dacno2_s5p.training.recipe import PhaseRecipe


def learning_rate(step: int, recipe: PhaseRecipe) -> float:
    """Return the rate of a step (from 0): linear warm-up, then a cosine to the final share.

    With `end_share` the rate stays after the warm-up, and goes down along a line in that last
    share of the steps: up to there it does not depend on how many are to come.

    A function of the step alone, so that nothing of a schedule has to be restored.

    Examples
    --------
    >>> from dacno2_s5p.training.recipe import PhaseRecipe
    >>> recipe = PhaseRecipe(1, steps=100, learning_rate=1.0, warmup=10, final_share=0.0)
    >>> [round(learning_rate(step, recipe), 3) for step in (0, 9, 10, 55, 99)]
    [0.1, 1.0, 1.0, 0.5, 0.0]
    """
    if step < recipe.warmup:
        return recipe.learning_rate * (step + 1) / recipe.warmup
    if recipe.end_share:
        left = (recipe.steps - step) / max(recipe.steps - descent_begins(recipe), 1)
        return recipe.learning_rate * min(left, 1.0)
    done = (step - recipe.warmup) / max(recipe.steps - recipe.warmup, 1)
    share = 0.5 * (1.0 + cos(pi * min(done, 1.0)))
    return recipe.learning_rate * (recipe.final_share + (1.0 - recipe.final_share) * share)


def descent_begins(recipe: PhaseRecipe) -> int:
    """Return the step at which the linear descent begins, `steps` where there is none.

    Examples
    --------
    >>> from dacno2_s5p.training.recipe import PhaseRecipe
    >>> descent_begins(PhaseRecipe(1, steps=100, end_share=0.15))
    85
    """
    return recipe.steps - round(recipe.end_share * recipe.steps)


def make_optimiser(network: nn.Module, recipe: PhaseRecipe) -> torch.optim.AdamW:
    """Return AdamW, or Muon for kernels beside it; biases and normalisation are not decayed."""
    free = [p for p in network.parameters() if p.requires_grad]
    decayed = [p for p in free if p.ndim > 1]
    others = [p for p in free if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate)
    kernels = [p for p in decayed if is_matrix(p)]
    groups[0]["params"] = [p for p in decayed if not is_matrix(p)]
    groups.append({"params": kernels, "weight_decay": recipe.weight_decay, "muon": True})
    return MuonAdamW(groups, lr=recipe.learning_rate)


def free_only_fine(network: Dacno2) -> None:
    """Let gradients change the finest stage and what follows it only.

    In the lean form the last block, the static branches' finest stages and head; in the paper's the
    decoder's last stage, the finest static stages and fusion. The gain of a first guess stays free.
    """
    n = len(network.config.static_widths)
    finest = [f"{branch}.stages.0." for branch in ("emission", "geography")]
    if network.config.form == "lean":
        last = len(network.config.fine_widths) - 1
        finest += [f"fine.narrow.{last}.", f"fine.blocks.{last}."]
    else:
        finest += [f"fusions.{n - 1}.", f"decoder.blocks.{n - 1}.", f"decoder.ascents.{n - 2}."]
    finest += ["head.", "guess."]
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(tuple(finest)))


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's state as named tensors."""
    return {
        f"{index}.{name}": torch.as_tensor(value)
        for index, state in optimiser.state_dict()["state"].items()
        for name, value in state.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put named tensors back as the optimiser's state."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state, "param_groups": groups})


class RunningMean:
    """Exponential mean of weights and of batch statistics, the network that is evaluated.

    Parameters
    ----------
    network : nn.Module
        Where it starts from.
    decay : float
        Share kept in a step; early on less, (1 + n) / (10 + n) after n steps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: t.detach().clone() for name, t in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the network after a step (from 0)."""
        keep = min(self.decay, (1.0 + step) / (10.0 + step))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                self.state[name].lerp_(tensor, 1.0 - keep)
            else:  # number of batches seen
                self.state[name].copy_(tensor)


def training_mode(network: nn.Module, *, freeze_norm: bool) -> None:
    """Set training mode; with frozen norms the batch statistics stay as they are.

    In phase 3 only the surface sees observations; statistics that moved would move all layers.
    """
    network.train()
    if freeze_norm:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def first_not_finite(network: nn.Module, *, of_gradients: bool = False) -> str:
    """Name the first parameter that is not finite (or whose gradient is not), empty for none."""
    for name, parameter in network.named_parameters():
        values = parameter.grad if of_gradients else parameter
        if values is not None and not bool(torch.isfinite(values).all()):
            return name
    return ""
