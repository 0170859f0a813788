"""How much a random split flatters: one network on days it never saw, and on days it did.

Samples of a random split (the paper's) share their days, and most of their cells, with samples
that are trained on. The same is true of fresh windows of training days, so that the loss there is
what a random split would report of this network; the loss on days held back as blocks is honest.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.network.tensor_file import read_tensors
from dacno2_s5p.training.report import SplitScores
from dacno2_s5p.training.sampling import CropSampler, SamplingRecipe, validation_days
from retrieval.files.tables import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from dacno2_s5p.inputs.samples import Crop, DaySource
    from dacno2_s5p.training.phase import PhaseTrainer


_WINDOWS = 201
"""Stream of random numbers of the windows; no sampler has it."""


def require_blocks(recipe: SamplingRecipe) -> None:
    """Refuse a split that holds no blocks of days back.

    Raises
    ------
    ConfigurationError
        If it is random.
    """
    if recipe.split != "blocked":
        msg = (
            "Invalid split to compare. Whole blocks of days must be held back. Given split = "
            "'random': this network has seen the neighbours of every day. Train with split = "
            "'blocked'; its loss on fresh windows of training days is then the random one."
        )
        raise ConfigurationError(msg)


def windows(
    source: DaySource, recipe: SamplingRecipe, seed: int, n: int
) -> tuple[list[Crop], list[Crop]]:
    """Draw windows of days trained on and of days held back, both in one way.

    They have the size of the samples: the grid's patches, or crops around stations as trained.
    """
    size = recipe.crop or source.grid.patch_size
    around = recipe.around_stations if recipe.crop else 0.0
    drawer = CropSampler(source, replace(recipe, crop=size, around_stations=around), seed)
    held = validation_days(source.n_day, recipe, seed)
    generator = np.random.default_rng([seed, _WINDOWS])
    seen, unseen = (
        drawer.at_random(generator, np.resize(generator.permutation(np.flatnonzero(days)), n))
        for days in (~held, held)
    )
    return seen, unseen


def split_scores(trainer: PhaseTrainer, checkpoint: Path) -> SplitScores:
    """Score a phase's best network on both kinds of windows, as many as validate.

    Every process of a run calls this.
    """
    weights, _ = read_tensors(checkpoint)
    n = len(trainer.sampler.validation)
    both = windows(trainer.source, trainer.sampling, trainer.seed, n)
    found = [trainer.score(crops, weights) for crops in both]
    total = trainer.recipe.weights
    random, blocked = (
        {"loss": float(sum(getattr(total, k) * v for k, v in terms.items())), **terms}
        for terms in found
    )
    return SplitScores(random, blocked, n)


def write_scores(path: Path, scores: SplitScores) -> None:
    """Write the numbers as JSON, replacing older ones."""
    text = json.dumps({**asdict(scores), "difference": scores.difference}, indent=1)
    write_text(path, text + "\n", overwrite=True)
