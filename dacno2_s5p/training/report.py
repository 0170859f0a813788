"""What a training phase tells: where it is after every step, and what it ended with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from dacno2_s5p.training.split_scores import SplitScores


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
