"""Profiles hold the columns they were made from."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.twin.air.profile import (
    CAMS_HEIGHTS,
    HEIGHTS,
    NETWORK_HEIGHTS,
    ColumnState,
    air_density,
    concentration,
    free_troposphere,
    partial_column,
)

FINE = tuple(np.arange(0.0, 12_000.1, 5.0))


def state(**parts):
    zero = np.zeros((1, 3), np.float32)
    given = dict.fromkeys(("aged", "ground", "stacks", "residual"), zero)
    given |= {name: zero + np.float32(value) for name, value in parts.items()}
    return ColumnState(
        depth=np.array([[120.0, 600.0, 1700.0]], np.float32),
        free=np.zeros((2, 1, 3), np.float32),
        pressure=zero + np.float32(1e5),
        temperature=zero + np.float32(285.0),
        elevation=zero,
        **given,
    )


@pytest.mark.parametrize("part", ["aged", "ground", "stacks", "residual"])
def test_every_part_integrates_to_its_column(part):
    """Shallow, medium and deep boundary layers: the shape's integral is the column."""
    profile = concentration(state(**{part: 1e-5}), FINE)
    column = partial_column(profile, FINE, 12_000.0)
    # steps of 5 m over scales of 60 m; float32; 800 m tails end at 8 km
    np.testing.assert_allclose(column, 1e-5, rtol=0.003)


def test_dense_heights_hold_the_column_of_a_mixture():
    """Between the 27 heights profiles are nearly linear: the column is right to 3 per cent."""
    mixed = state(aged=3e-5, ground=6e-6, stacks=2e-6, residual=5e-6)
    dense = partial_column(concentration(mixed, HEIGHTS), HEIGHTS, 12_000.0)
    np.testing.assert_allclose(dense, 4.3e-5, rtol=0.03)


def test_the_networks_and_cams_heights_are_among_the_dense_ones():
    """A set cut to the network's or CAMS' heights has the truth's own values there."""
    assert set(NETWORK_HEIGHTS) <= set(HEIGHTS)
    assert set(CAMS_HEIGHTS) <= set(HEIGHTS)


def test_partial_column_is_exact_for_a_linear_profile():
    """N = 2 - z/1000 up to 1500 m: 2 z - z^2 / 2000."""
    heights = (0.0, 1000.0, 2000.0)
    profile = np.array([2.0, 1.0, 0.0]).reshape(3, 1, 1)
    np.testing.assert_allclose(partial_column(profile, heights, 1500.0), 1875.0, rtol=1e-12)


def test_free_troposphere_is_c_shaped_and_in_range():
    """20-60 ppt with the minimum near 5 km and the maximum near 11 km."""
    column = state()
    column = ColumnState(**{**column.__dict__, "free": np.ones((2, 1, 3), np.float32)})
    ppt = [
        float(
            free_troposphere(z, column)[0, 0]
            / air_density(z, column.pressure, column.temperature)[0, 0]
        )
        * 1e12
        for z in HEIGHTS
    ]
    assert min(ppt) > 15.0 and max(ppt) < 60.0
    assert 4000.0 <= HEIGHTS[int(np.argmin(ppt))] <= 6500.0
    assert 9000.0 <= HEIGHTS[int(np.argmax(ppt))] <= 12_000.0


def test_air_density_matches_the_standard_atmosphere():
    """42.29, 25.42, 10.73 mol m-3 at 0, 5, 12 geopotential km of the standard atmosphere."""
    p, t = np.array(101325.0), np.array(288.15)
    found = [float(air_density(z, p, t)) for z in (0.0, 5000.0, 12_000.0)]
    np.testing.assert_allclose(found, [42.29, 25.42, 10.73], rtol=2e-3)
