"""ECMWF and TM5 half levels against the printed tables."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.apriori.formats.hybrid_tables import half_levels, interfaces, tm5_half_levels
from retrieval.errors import AprioriError

TM5_AT_1013 = (
    *(1013.2500, 1005.3561, 986.6032, 958.1039, 916.0812, 856.8378, 795.6396, 703.3466),
    *(621.1621, 537.7193, 459.6322, 374.7662, 316.3611, 277.5849, 242.7719, 221.6142),
    *(192.7391, 167.0450, 144.2626, 130.5636, 112.0684, 95.8285, 86.1450, 73.1187),
    *(61.5607, 44.9082, 33.8174, 22.6543, 14.2377, 8.2397, 4.2759, 1.9134, 0.6952, 0.1861, 0.0),
)
"""Pressures of the 35 interfaces at 1013.25 hPa (docs/formats.md 1.5) [hPa]."""


def test_tm5_interfaces_have_the_printed_pressures():
    """The subset of L137 is the table of docs/formats.md 1.5."""
    a, b = tm5_half_levels()
    pressure = (a + b * 101325.0) / 100.0
    np.testing.assert_allclose(pressure, TM5_AT_1013, atol=1e-4)  # printed to four decimals


@pytest.mark.parametrize("n", [60, 137])
def test_pressure_rises_from_top_to_surface(n):
    """Both tables run from 0 to the surface pressure, at low and high surfaces."""
    a, b = half_levels(n)
    assert a.size == b.size == n + 1
    for surface_pressure in (101325.0, 60000.0):
        pressure = a + b * surface_pressure
        assert pressure[0] == 0.0 and pressure[-1] == surface_pressure
        assert (np.diff(pressure) > 0).all()


def test_tables_cannot_be_changed_by_a_caller():
    """The cached arrays are read-only."""
    a, _ = half_levels(60)
    with pytest.raises(ValueError, match="read-only"):
        a[0] = 1.0


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_interfaces_enclose_the_levels_asked_for(order):
    """Levels 58 to 60 of L60 have the four lowest half levels, in either order."""
    a, b = interfaces(np.array([58, 59, 60])[order], "x.nc")
    whole_a, whole_b = half_levels(60)
    assert a.tolist() == whole_a[[60, 59, 58, 57]].tolist()
    assert b.tolist() == whole_b[[60, 59, 58, 57]].tolist()


@pytest.mark.parametrize(
    ("levels", "given"),
    [([137, 135], "135, 137"), ([100, 101], "100-101"), ([1, 2, 60], "1-2, 60")],
)
def test_other_selections_are_refused(levels, given):
    """Gaps and levels that do not reach the surface are named."""
    with pytest.raises(AprioriError, match=f"Given {given}"):
        interfaces(levels, "x.nc")


def test_unknown_tables_are_refused():
    """Only L60 and L137 are known."""
    with pytest.raises(ValueError, match="Given 91"):
        half_levels(91)
