"""The truth: reproducible day by day, near reality in its statistics, falling with height."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.twin.air.profile import HEIGHTS, NETWORK_HEIGHTS, partial_column
from dacno2_s5p.twin.land.world import block_mean, to_plane
from dacno2_s5p.twin.twin import Twin
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3, MOLEC_CM2_PER_MOL_M2
from tests.builders.refinement import FINE_HEIGHTS, fine_window
from tests.dacno2_s5p.twin.conftest import SUMMER

PINNED = [3.07654e08, 1.29184e02, 2.89232e02, 9.54760e-01, 1.85882e-05]
"""People, mean height [m], mean temperature [K], surface NO2 [ug m-3], column [mol m-2]."""


def cell(longitude, latitude):
    x, y = to_plane(longitude, latitude)
    return int((y - 2_096_000) // 2000), int((x - 3_072_000) // 2000)


def test_a_day_is_the_same_alone_and_after_others(twin, winter_day, summer_day):
    """A world asked for one day only gives it to the last bit."""
    alone = Twin(twin.seed).day(SUMMER)
    np.testing.assert_array_equal(alone.domain.lower, summer_day.domain.lower)
    np.testing.assert_array_equal(
        alone.concentration(12, (0.0, 500.0)), summer_day.concentration(12, (0.0, 500.0))
    )


def test_surface_values_are_near_reality(winter_day, summer_day):
    """Domain means of a few ug m-3, Paris far above the cleanest tenth, nothing negative."""
    for day, low, high in ((winter_day, 3.0, 11.0), (summer_day, 1.5, 6.0)):
        mean = np.mean([day.surface(hour) for hour in range(1, 24, 4)], axis=0)
        assert low < mean.mean() < high
        assert 10.0 < mean[cell(2.34, 48.86)] < 70.0
        assert np.quantile(mean, 0.1) < 0.15 * mean[cell(2.34, 48.86)]
        assert mean.min() >= 0.0
    assert winter_day.surface(12).mean() > 1.3 * summer_day.surface(12).mean()


def test_columns_are_near_reality(winter_day, summer_day):
    """Tropospheric columns at the overpass: 0.3 to 60e15 molecules cm-2, a few on average."""
    for day in (winter_day, summer_day):
        column = day.tropospheric_column(12) * MOLEC_CM2_PER_MOL_M2 / 1e15
        assert 0.8 < column.mean() < 5.0
        assert column.min() > 0.2
        assert 5.0 < column.max() < 80.0


def test_layer_means_fall_with_height(summer_day, winter_day):
    """Means at the network's heights fall all the way, to about 0.05 at 3 km and 0.02 at 5 km."""
    for day in (summer_day, winter_day):
        mean = day.concentration(12, NETWORK_HEIGHTS).mean(axis=(1, 2)) / MICROGRAM_M3_TO_MOL_M3
        assert (np.diff(mean) < 0.0).all()
        assert 0.02 < mean[6] < 0.12
        assert 0.01 < mean[7] < 0.04


def test_nights_differ_from_days(summer_day):
    """In summer, cities hold more at night, under a shallow layer, than at noon."""
    at = cell(2.34, 48.86)
    assert summer_day.surface(4)[at] > summer_day.surface(12)[at]


def test_moments_between_stamps_are_linear(summer_day):
    """12:30 is the mean of 12 and 13; a whole hour is its stamp; other days are refused."""
    noon, one = (summer_day.concentration(h, (0.0,)) for h in (12, 13))
    half = summer_day.concentration(np.datetime64("2019-07-10T12:30"), (0.0,))
    np.testing.assert_allclose(half, 0.5 * (noon + one), rtol=1e-5)
    with pytest.raises(ValueError, match="Invalid time"):
        summer_day.concentration(np.datetime64("2019-07-11T00:30"))


def test_unknown_years_are_refused(twin):
    """Outside its calendar the twin world does not exist."""
    with pytest.raises(ValueError, match="lives from"):
        twin.day("1999-01-01")


def test_the_frame_shows_the_domain_inside(summer_day):
    """The coarse observers see, inside the domain, block means of the fine truth."""
    state = summer_day.frame_state(12)
    fine = summer_day.state(12)
    inside = (slice(30, 210), slice(60, 208))
    np.testing.assert_allclose(
        state.residual[inside].mean(), block_mean(fine.residual, 4).mean(), rtol=0.02
    )


def test_the_budget_of_the_domain_closes(twin, summer_day):
    """Burden over emission is a lifetime between those of noon and night."""
    source = np.mean(
        [
            sum(part.mean() for part in twin.simulator.emission("nest", summer_day.date, h))
            for h in range(24)
        ]
    )
    burden = (summer_day.domain.lower + summer_day.domain.upper).mean()
    lifetime = burden / source / 3600.0
    # 2.5 h at noon to 15 h at night, and inflow
    assert 3.0 < lifetime < 14.0


def test_a_finer_truth_has_the_same_column(summer_day, twin):
    """1 km and 50 m against 2 km and 27 heights over a city: within 1 per cent in the mean."""
    row, column = cell(2.34, 48.86)
    rows, columns = slice(row - 10, row + 10), slice(column - 10, column + 10)
    window = fine_window(twin, f"{SUMMER}T12:00", rows, columns)
    top = np.full((40, 40), 11_000.0)
    fine = partial_column(window.no2.values, FINE_HEIGHTS, top)
    coarse = partial_column(
        summer_day.concentration(12, HEIGHTS)[:, rows, columns], HEIGHTS, top[:20, :20]
    )
    assert abs(fine.mean() / coarse.mean() - 1.0) < 0.01
    np.testing.assert_allclose(block_mean(fine, 2), coarse, rtol=0.02)


def test_the_world_of_the_default_seed_is_pinned(twin, summer_day):
    """The shipped checkpoint was trained on this world: a change of it must be a decision."""
    g = twin.geography
    found = [
        g.population.sum(dtype=np.float64),
        g.elevation.mean(dtype=np.float64),
        summer_day.weather.temperature.mean(dtype=np.float64),
        summer_day.surface(12).mean(dtype=np.float64),
        summer_day.tropospheric_column(12).mean(),
    ]
    # transcendental functions of other libraries and processors differ in the last bits
    np.testing.assert_allclose(found, PINNED, rtol=1e-3)
