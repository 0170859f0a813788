"""Statistics of some days of a store: those of these days alone, from what the chunks keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.samples import ArrayDays
from dacno2_s5p.store.chunks import read_about, write_chunk
from dacno2_s5p.store.moments import scaling_of_days
from dacno2_s5p.store.store import day_path
from dacno2_s5p.training.run import days_of_phase, starting_point
from tests.builders.training_builders import (
    make_days,
    make_recipe,
    scaling_of,
    statistics_of,
    write_days,
)


@pytest.fixture
def days():
    """Return three days of 2019, and three of 2020 with ten times the NO2 aloft."""
    days = make_days(n_day=6)
    for field in days.cams_fields[3:]:
        field[4:] *= 10.0
    for inputs in days.days[3:]:
        inputs.single.add_(2.0)
    return days


@pytest.fixture
def store(days, tmp_path):
    return write_days(tmp_path / "store", days, first="2019-12-29")


@pytest.mark.parametrize("data", [{"years": [2019]}, {"excluded_years": [2020]}])
def test_a_network_is_scaled_by_the_years_it_trains_on(days, store, data):
    """A year the recipe leaves out is neither in the inputs' statistics nor in the ratios."""
    recipe = replace(make_recipe(), data=data)
    _, info = starting_point(days_of_phase(store, recipe, 1), recipe, None)
    first = ArrayDays(days.grid, days.days[:3], days.cams_fields[:3])
    expected, scaling = statistics_of(first), scaling_of(first)
    np.testing.assert_allclose(info.scaling.layer_ratio, scaling.layer_ratio, rtol=1e-9)  # float64
    assert info.scaling.target_scale == pytest.approx(scaling.target_scale, rel=1e-9)
    for group, mean in expected.mean.items():
        np.testing.assert_allclose(info.statistics.mean[group], mean, rtol=1e-6)
        np.testing.assert_allclose(info.statistics.std[group], expected.std[group], rtol=1e-6)
    assert not np.allclose(info.scaling.layer_ratio, store.scaling.layer_ratio)


def test_of_all_days_they_are_the_manifest_s(store):
    """Bit for bit, so that runs on whole stores go on as they were."""
    assert scaling_of_days(store) == (store.statistics, store.scaling)


def test_a_chunk_without_moments_is_one_line(store):
    """It is asked for where some of the days are trained on."""
    path = day_path(store.folder, store.days[0])
    about = read_about(path)
    write_chunk(path, {"temporal": np.zeros(3, np.float32)}, {**about, "moments": {}})
    with pytest.raises(DataError, match="must keep moments in its chunks"):
        scaling_of_days(store.select(years=[2019]))
    path.unlink()
    with pytest.raises(DataError, match="must be a whole file of the store"):
        scaling_of_days(store.select(years=[2019]))
