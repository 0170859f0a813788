"""What a calibration may look at: days no gradient came from, training stations, whole fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from dacno2_s5p.calibration.residuals import collect_residuals, held_out_days, population_of
from dacno2_s5p.errors import CheckpointError, ConfigurationError, DataError
from dacno2_s5p.training.sampling import SamplingRecipe, make_sampler
from tests.builders.training_builders import TABLE, make_days, make_info, make_recipe

BLOCKED = SamplingRecipe(split="blocked", block_days=2, validation_share=0.3, crop=48)


@dataclass(frozen=True)
class Days:
    """A store in memory: days of two years."""

    source: object
    days: tuple
    folder: Path = Path("store")
    manifest_hash: str = "0" * 64
    table: object = TABLE

    @property
    def grid(self):
        return self.source.grid

    @property
    def n_day(self):
        return len(self.days)

    def select(self, *, split, years):
        assert split in ("training", "all")
        kept = tuple(day for day in self.days if int(str(day)[:4]) in years)
        return replace(self, days=kept)

    def index(self, day):
        return ALL_DAYS.index(day)

    def stations(self, day):
        return self.source.stations(day)

    def day_inputs(self, day):
        return self.source.days[day]


ALL_DAYS = [
    *np.arange("2022-03-01", "2022-03-11", dtype="datetime64[D]"),
    *np.arange("2023-03-01", "2023-03-11", dtype="datetime64[D]"),
]
FAR = {"years": [2022], "adaptation_years": [2023]}


@pytest.fixture(scope="module")
def store():
    return Days(make_days(20), tuple(ALL_DAYS))


def info_of(store, recipe, phase=3, **changes):
    return make_info(store.source, phase=phase, recipe=recipe.to_dict(), **changes)


def test_held_out_days_are_those_the_sampler_validates_on(store):
    """The last phase's own validation days, in the year that only it saw."""
    recipe = replace(make_recipe(sampling=BLOCKED), data=FAR)
    found = held_out_days(store, info_of(store, recipe), "c")
    assert found
    assert {str(day)[:4] for day in found} == {"2023"}
    own = store.select(split="all", years={2023})
    sampler = make_sampler(
        replace(store.source, days=store.source.days[10:], station_days=None),
        recipe.sampling,
        recipe.seed + 3000,
    )
    assert {own.days[crop.day] for crop in sampler.validation} == set(found)
    drawn = {own.days[c.day] for step in range(50) for c in sampler.draw(step, 4)}
    assert not drawn & set(found)


def test_days_that_an_earlier_phase_saw_are_not_held_out(store):
    """On one year for all phases, only what every phase kept back is left; or nothing."""
    same = {"years": [2022]}
    most = replace(BLOCKED, block_days=1, validation_share=0.7)
    recipe = replace(make_recipe(sampling=most), data=same)
    held = [held_out_days(store, info_of(store, recipe, phase=n), "c") for n in (1, 2, 3)]
    assert len(held[0]) == 7
    assert set(held[2]) < set(held[1]) < set(held[0])
    few = replace(make_recipe(sampling=replace(most, validation_share=0.1)), data=same)
    with pytest.raises(ConfigurationError, match="kept back in all phases"):
        held_out_days(store, info_of(store, few), "c")


def test_random_patches_keep_no_day_back(store):
    """The paper's split shows every day to the network."""
    random = SamplingRecipe(split="random", validation_share=0.3)
    recipe = replace(make_recipe(sampling=random), data=FAR)
    with pytest.raises(ConfigurationError, match="kept whole days back"):
        held_out_days(store, info_of(store, recipe), "c")


def test_another_store_is_refused(store):
    """Its days mean something else."""
    recipe = replace(make_recipe(sampling=BLOCKED), data=FAR)
    with pytest.raises(CheckpointError, match="must be the one c was trained on"):
        held_out_days(store, info_of(store, recipe, data_manifest="1" * 64), "c")


def test_residuals_are_of_the_stations_cells(store):
    """Each station meets field, spread and population of its cell, day by day."""
    shape = (8, *store.grid.shape)
    number = np.arange(np.prod(shape), dtype=float).reshape(shape)
    days = [ALL_DAYS[3], ALL_DAYS[12]]
    found = collect_residuals(store, days, lambda _: number, lambda _: 2.0 * number)
    stations = store.source.stations(12)
    second = found.days == ALL_DAYS[12]
    np.testing.assert_array_equal(found.observed[second], stations.values)
    np.testing.assert_array_equal(
        found.predicted[second], number[0, stations.rows, stations.columns]
    )
    np.testing.assert_array_equal(found.spread, 2.0 * found.predicted)
    people = (
        store.source.days[0]
        .emission[[v.name for v in TABLE.group("emission")].index("population_density")]
        .numpy()
    )
    np.testing.assert_array_equal(population_of(TABLE, store.source.days[0]), people)
    np.testing.assert_array_equal(found.population[second], people[stations.rows, stations.columns])


def test_fields_of_another_grid_or_with_gaps_are_refused(store):
    """A cut set, and one with a missing cell."""
    whole = np.ones((8, *store.grid.shape))
    for bad in (whole[:, :-8], np.where(np.arange(whole.shape[-1]) == 3, np.nan, whole)):
        with pytest.raises(DataError, match="must be finite and on the store's grid"):
            collect_residuals(store, ALL_DAYS[:1], lambda _, bad=bad: bad, lambda _: whole)
