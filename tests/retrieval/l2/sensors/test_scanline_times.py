"""Times of scanlines in every style that deliveries have."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.errors import ProductError
from retrieval.l2.sensors.axes import add_delta_time, date_after_since

NOON = np.datetime64("2023-06-01T12:00:00", "ms")
FILL = -2147483647


@pytest.mark.parametrize(
    "units",
    [
        "seconds since 2023-06-01 12:00:00",
        "milliseconds since 2023-06-01T12:00:00Z",
        "milliseconds since 2023-06-01 12:00:00 UTC",
    ],
)
def test_a_date_is_read_in_every_style(units):
    """Blank or T between date and clock, with or without a mark of UTC."""
    assert date_after_since(units, "orbit.nc") == NOON


def test_no_date_is_one_line():
    """Words where the date should be name the file and the unit."""
    with pytest.raises(ProductError, match=r"orbit.nc: cannot read a date .* 'days since noon'"):
        date_after_since("days since noon", "orbit.nc")


@pytest.mark.parametrize(("units", "factor"), [("milliseconds", 1), ("ms since x", 1), ("s", 1000)])
def test_offsets_are_added_in_their_unit(units, factor):
    """840 of a unit after noon; a fill is NaT, whatever its size."""
    found = add_delta_time(NOON, np.array([840, FILL]), FILL, units, "orbit.nc")
    assert found[0] == NOON + np.timedelta64(840 * factor, "ms")
    assert np.isnat(found[1])


def test_the_first_pixel_stands_for_its_scanline():
    """Files that keep the ground pixel dimension give one time a scanline."""
    delta = np.array([[0, 1], [840, 841], [FILL, 2]])
    found = add_delta_time(NOON, delta, FILL, "milliseconds", "orbit.nc")
    flat = add_delta_time(NOON, delta[:, 0], FILL, "milliseconds", "orbit.nc")
    np.testing.assert_array_equal(found, flat)


def test_an_unknown_unit_is_refused():
    """Hours are no unit of `delta_time`: nothing is guessed."""
    with pytest.raises(ProductError, match="unknown unit of delta_time 'hours'"):
        add_delta_time(NOON, np.array([1]), FILL, "hours", "orbit.nc")
