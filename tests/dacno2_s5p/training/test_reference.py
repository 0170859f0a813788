"""The phase-2 fields of phase 3: those of the frozen network, once a day."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import avg_pool2d

from dacno2_s5p.network.checkpoint import Checkpoint
from dacno2_s5p.prediction.predict import predict_day
from dacno2_s5p.training.phase import PhaseTrainer, new_network
from dacno2_s5p.training.similarity import scale_slices
from tests.builders.training_builders import make_days, make_info, make_recipe


@pytest.fixture(scope="module")
def days():
    return make_days()


@pytest.fixture
def recipe():
    return make_recipe()


@pytest.fixture
def info(days):
    return make_info(days)


def test_the_reference_is_the_prediction_of_the_frozen_network(days, info, recipe, tmp_path):
    """Slices are those of the day as `predict` makes it, cut out and scaled to 0-1."""
    network = new_network(recipe)
    trainer = PhaseTrainer(network, days, info, recipe, 3, tmp_path / "run")
    trainer._prepare()
    crop = trainer.sampler.validation[0]
    frozen = Checkpoint(Path("here"), "", info, network.eval())
    field = predict_day(frozen, days.days[crop.day], days.grid.with_patches(48))
    scaled = info.scaling.scale(torch.from_numpy(field))
    cut = avg_pool2d(scaled, 4)[(..., *crop.patch.slices(4))]
    # float16 of the held inputs
    torch.testing.assert_close(
        trainer.reference.fields([crop])[0], scale_slices(cut), atol=5e-3, rtol=0
    )


def test_a_day_is_predicted_once(days, info, recipe, tmp_path):
    """However many crops are drawn, the reference is computed once a day that they are of."""
    trainer = PhaseTrainer(new_network(recipe), days, info, recipe, 3, tmp_path / "run")
    trainer.run()
    drawn = {c.day for step in range(6) for c in trainer.sampler.draw(step, 2)}
    assert set(trainer.reference._fields) == drawn | {c.day for c in trainer.sampler.validation}
