"""Splits and samplers: reproducible, disjoint, on the lattice, near stations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.inputs.grid import Patch
from dacno2_s5p.inputs.samples import Crop, Stations, read_targets, station_weight
from dacno2_s5p.training.sampling import (
    CropSampler,
    PatchSampler,
    SamplingRecipe,
    kept_back,
    trained_on,
    validation_days,
)
from tests.builders.training_builders import GRID, make_days


@pytest.fixture(scope="module")
def days():
    return make_days(n_day=21, n_station=12)


def test_an_epoch_has_every_training_patch_once(days):
    """Samples of an epoch are a permutation; the next epoch's is another."""
    sampler = PatchSampler(days, SamplingRecipe(), seed=0)
    first = [c for step in range(sampler.n_train) for c in sampler.draw(step, 1)]
    assert len(set(first)) == sampler.n_train == 21 * 4 - round(0.2 * 21 * 4)
    second = sampler.draw(1, sampler.n_train)
    assert set(second) == set(first)
    assert second != first


@pytest.mark.parametrize("crop", [0, 48])
@pytest.mark.parametrize("split", ["random", "blocked"])
def test_draws_follow_from_seed_and_step(days, split, crop):
    """The same seed draws the same; order of calls does not matter; other seeds differ."""
    recipe = SamplingRecipe(split=split, crop=crop)
    kind = CropSampler if crop else PatchSampler
    first, second = kind(days, recipe, 3), kind(days, recipe, 3)
    later = [first.draw(step, 5) for step in (0, 9, 30)]
    assert [second.draw(step, 5) for step in (30, 9, 0)] == later[::-1]
    assert first.validation == second.validation
    assert kind(days, recipe, 4).draw(0, 5) != later[0]


@pytest.mark.parametrize("kind", [PatchSampler, CropSampler])
def test_blocked_validation_is_whole_weeks_never_trained_on(days, kind):
    """No day trains and validates, and validation days come in blocks of seven."""
    recipe = SamplingRecipe(split="blocked", crop=48 if kind is CropSampler else 0)
    sampler = kind(days, recipe, seed=0)
    held = {c.day for c in sampler.validation}
    assert held in [set(range(7 * i, 7 * i + 7)) for i in range(3)]
    trained = {c.day for step in range(40) for c in sampler.draw(step, 8)}
    assert not trained & held
    assert trained == set(range(21)) - held


def test_random_validation_is_of_samples_not_days(days):
    """As in the paper: a day can have patches in both parts, none in both."""
    sampler = PatchSampler(days, SamplingRecipe(), seed=0)
    trained = set(sampler.draw(0, sampler.n_train))
    assert not trained & set(sampler.validation)
    assert {c.day for c in trained} & {c.day for c in sampler.validation}
    assert len(sampler.validation) == round(0.2 * 84)


def test_crops_lie_on_the_lattice_inside_the_grid(days):
    """Corners at multiples of 8, so that CAMS and weather cells are whole."""
    sampler = CropSampler(days, SamplingRecipe(crop=48), seed=0)
    crops = [c for step in range(50) for c in sampler.draw(step, 4)]
    for _, patch in crops:
        assert patch.size == 48
        assert patch.row % 8 == patch.column % 8 == 0
        assert 0 <= patch.row <= GRID.n_y - 48
        assert 0 <= patch.column <= GRID.n_x - 48
    assert len({patch for _, patch in crops}) == 9


def test_crops_around_stations_have_stations():
    """Drawn around stations, crops of a sparse world hold one; drawn anywhere, often none."""
    days = make_days(n_day=4, n_station=1)
    corner = days.station_days[0]._replace(rows=np.array([2]), columns=np.array([61]))
    days = replace(days, station_days=[corner] * 4)

    def share(around):
        sampler = CropSampler(days, SamplingRecipe(crop=48, around_stations=around), seed=0)
        crops = [c for step in range(50) for c in sampler.draw(step, 4)]
        return np.mean([station_weight(days, [c]) for c in crops])

    assert share(1.0) == 1.0
    assert share(0.0) < 0.3
    assert share(0.0) < share(0.5) < 1.0


def test_days_without_stations_are_still_drawn():
    """A day without a valid station gives a crop anywhere."""
    days = replace(make_days(n_day=3), station_days=None)
    sampler = CropSampler(days, SamplingRecipe(crop=48, around_stations=1.0), seed=0)
    assert station_weight(days, sampler.draw(0, 8)) == 0.0


def test_station_maps_hold_the_stations_of_the_patch(days):
    """Values and weights stand in their cells; the denominator is the sum of the weights."""
    crop = Crop(3, Patch(8, 16, 48))
    targets = read_targets(days, [crop])
    stations = days.stations(3)
    inside = [
        (r - 8, c - 16, v)
        for r, c, v in zip(stations.rows, stations.columns, stations.values, strict=True)
        if 8 <= r < 56 and 16 <= c < 64
    ]
    assert station_weight(days, [crop]) == float(targets.station_weight.sum()) == len(inside)
    for row, column, value in inside:
        assert float(targets.station[0, row, column]) == pytest.approx(value, rel=1e-6)  # float32
    assert targets.cams.shape == (1, 8, 12, 12)


def test_a_part_of_the_validation_may_be_asked_for(days):
    """At most so many samples, the same ones every time."""
    sampler = PatchSampler(days, SamplingRecipe(validation_samples=5), seed=0)
    assert len(sampler.validation) == 5
    assert set(sampler.validation) <= set(PatchSampler(days, SamplingRecipe(), 0).validation)


def test_too_few_days_to_split_are_refused():
    """One block cannot both train and validate."""
    with pytest.raises(ConfigurationError, match=r"at least two blocks of 7 days. Given 7 days"):
        validation_days(7, SamplingRecipe(split="blocked"), 0)


def test_a_crop_larger_than_the_grid_is_refused(days):
    """Both numbers are in the message."""
    with pytest.raises(ConfigurationError, match=r"at most the grid's 64 cells. Given 80"):
        CropSampler(days, SamplingRecipe(crop=80), 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_share": 1.0}, r"validation_share must be between 0 and 1"),
        ({"block_days": 0}, r"block_days must be at least 1"),
        ({"around_stations": 1.5}, r"around_stations must be between 0 and 1"),
        ({"validation_samples": -1}, r"validation_samples must be at least 0"),
        ({"validation_stations": 1.0}, r"validation_stations must be at least 0 and below 1"),
    ],
)
def test_sampling_that_cannot_be(changes, message):
    """A wrong entry is refused by name."""
    with pytest.raises(ConfigurationError, match=message):
        SamplingRecipe(**changes)


def test_stations_are_kept_back_by_their_place():
    """The two parts make the whole, whatever else there is that day; about the share of cells."""
    rows, columns = np.divmod(np.arange(2000), 50)
    every = Stations(rows, columns, np.arange(2000.0), np.ones(2000))
    recipe = SamplingRecipe(validation_stations=0.2)
    kept, trained = kept_back(every, recipe, 5), trained_on(every, recipe, 5)
    assert sorted([*kept.values, *trained.values]) == list(range(2000))
    # five deviations of a binomial
    assert abs(kept.values.size - 400) < 5 * np.sqrt(2000 * 0.2 * 0.8)
    few = every.chosen(every.values % 3 == 0)
    assert set(kept_back(few, recipe, 5).values) == {v for v in kept.values if v % 3 == 0}
    assert set(kept_back(every, recipe, 6).values) != set(kept.values)


def test_without_a_share_all_stations_train_and_validate():
    every = Stations(np.arange(3), np.arange(3), np.arange(3.0), np.ones(3))
    for of in (kept_back, trained_on):
        assert of(every, SamplingRecipe(), 1).values.tolist() == [0.0, 1.0, 2.0]
