"""Axes of files: any convention of longitudes, either direction, and the way back to the file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.apriori.formats.axes import longitude_axis, monotonic_axis
from retrieval.errors import AprioriError


def through(axis, stored, wanted):
    """Read `wanted` of the ascending axis from an array in the file's order."""
    parts = [stored[piece][:: -1 if axis.is_reversed else 1] for piece in axis.pieces(wanted)]
    return np.concatenate(parts)


@given(
    st.integers(0, 359),
    st.integers(2, 360),
    st.booleans(),
    st.sampled_from([0.0, -180.0]),
    st.data(),
)
def test_any_window_of_any_longitudes_comes_back_in_place(start, n, is_reversed, cut, data):
    """Whatever the wrap, direction and start, a window holds the values of its longitudes."""
    true = (start + 0.5 + np.arange(n)) % 360.0
    stored = (true - cut) % 360.0 + cut
    if data.draw(st.booleans()):
        stored = np.sort(stored)  # as a tool that sorts longitudes leaves them
    if is_reversed:
        stored = stored[::-1]
    axis = longitude_axis(stored, "longitude")
    assert (np.diff(axis.values) == 1.0).all()
    assert axis.values.size == n
    first = data.draw(st.integers(0, n - 1))
    last = data.draw(st.integers(first + 1, n))
    window = slice(first, last)
    got = through(axis, stored, window)
    np.testing.assert_allclose((got - axis.values[window]) % 360.0, 0.0, atol=1e-9)
    if n == 360:
        assert axis.values[0] == -179.5
    else:
        assert -180.0 <= 0.5 * (axis.values[0] + axis.values[-1]) < 180.0


def test_a_set_across_the_antimeridian_stays_contiguous():
    """170..190 E runs beyond 180 instead of being torn apart."""
    axis = longitude_axis([172.5, 177.5, -177.5, -172.5], "lon")
    assert axis.values.tolist() == [172.5, 177.5, 182.5, 187.5] or axis.values.tolist() == [
        -187.5,
        -182.5,
        -177.5,
        -172.5,
    ]
    assert through(axis, np.arange(4), slice(1, 3)).tolist() == [1, 2]


@pytest.mark.parametrize("ends", [(0.0, 360.0), (-180.0, 180.0)])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_repeated_meridian_counts_once(ends, is_reversed):
    """Files with both 0 and 360, or -180 and 180, have one column of it."""
    stored = np.linspace(*ends, 73)[:: -1 if is_reversed else 1]
    axis = longitude_axis(stored, "lon")
    assert axis.values.size == 72
    assert (axis.values[0], axis.values[-1]) == (-180.0, 175.0)
    got = through(axis, stored, slice(0, 72))
    np.testing.assert_allclose((got - axis.values) % 360.0, 0.0)


def test_float32_longitudes_of_the_european_forecasts_are_contiguous():
    """335.05..359.95, 0.05..44.95 in single precision becomes -24.95..44.95."""
    stored = np.concatenate([np.arange(335.05, 360, 0.1), np.arange(0.05, 45, 0.1)]).astype("f4")
    axis = longitude_axis(stored, "longitude")
    assert axis.values[[0, -1]] == pytest.approx([-24.95, 44.95], abs=1e-4)
    assert axis.values.size == 700


@pytest.mark.parametrize("build", [longitude_axis, monotonic_axis])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.0, 1.0, np.nan], "without missing values"),
        ([[0.0, 1.0], [0.0, 1.0]], "one-dimensional"),
        ([0.0, 2.0, 1.0, 3.0, 2.5, 4.0], "turn back at index"),
        ([1.0, 1.0, 2.0], "turn back at index 0"),
    ],
)
def test_coordinates_that_are_no_axis_are_refused(build, values, message):
    """Missing, two-dimensional and unsorted coordinates are errors."""
    with pytest.raises(AprioriError, match=message):
        build(values, "lon of x.nc")


def test_latitudes_are_turned_to_ascend():
    """A descending axis is reversed, and its pieces lead back."""
    axis = monotonic_axis([72.0, 71.0, 70.0, 69.0], "lat")
    assert axis.values.tolist() == [69.0, 70.0, 71.0, 72.0] and axis.is_reversed
    assert through(axis, np.arange(4), slice(1, 3)).tolist() == [2, 1]
