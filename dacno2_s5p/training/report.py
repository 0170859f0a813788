"""What a training phase tells: where it is after every step, and what it ended with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """Where a run is, given to the callback after every step.

    Attributes
    ----------
    phase, step, steps : int
        Steps done of those of the phase.
    loss : float
        Training loss of the step.
    validation_loss : float or None
        Loss of the latest validation.
    seconds_left : float
        Estimate from the steps of this call.
    """

    phase: int
    step: int
    steps: int
    loss: float
    validation_loss: float | None
    seconds_left: float


@dataclass(frozen=True)
class PhaseResult:
    """What a phase ended with.

    Attributes
    ----------
    checkpoint : Path
        The best network of the phase; absent before the first validation.
    best_loss : float
        Its validation loss.
    best_step, step : int
        Step of the best network, and steps done.
    is_finished : bool
        False where the run was stopped early.
    splits : SplitScores, optional
        Loss on days trained on and on days held back, where it was asked for.
    """

    checkpoint: Path
    best_loss: float
    best_step: int
    step: int
    is_finished: bool
    splits: SplitScores | None = None


@dataclass(frozen=True)
class SplitScores:
    """Loss and its unweighted terms of one network on both kinds of days.

    Attributes
    ----------
    random, blocked : dict of str to float
        On windows of days trained on, and of days held back.
    n : int
        Windows of each.
    """

    random: dict[str, float]
    blocked: dict[str, float]
    n: int

    @property
    def difference(self) -> float:
        """How much less the loss of the random split is, as a share of the blocked one."""
        return 1.0 - self.random["loss"] / self.blocked["loss"]
