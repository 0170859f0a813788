"""Instruments on the ground in known fields: what rays, lines of sight and kernels make of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.simulate.ground import Field, MaxDoas, direct_sun
from retrieval.simulate.ground_files import write_direct_sun, write_max_doas
from retrieval.validation.ground_columns import GroundColumns
from retrieval.validation.ground_files import read_file

HEIGHTS = np.array([0.0, 1000.0, 2000.0, 10_000.0])
GRID = RectilinearGrid.from_centres(4.0 + 0.01 * np.arange(61.0), 50.0 + 0.01 * np.arange(61.0))
PLACE = (50.3, 4.3)
EDGES = np.linspace(0.0, 4000.0, 21)


def field(no2):
    """Return a field of concentrations that broadcast to (level, y, x), a known air above it."""
    shape = (HEIGHTS.size, *GRID.shape)
    flat = np.zeros(GRID.shape)
    return Field(GRID, HEIGHTS, np.broadcast_to(no2, shape), flat + 4e-5, flat + 10_000.0)


def test_a_field_without_structure_looks_the_same_from_everywhere():
    """Zenith, slant and line of sight: the integral of the profile."""
    profile = np.array([4e-8, 2e-8, 0.0, 0.0])
    known = field(profile[:, None, None])
    expected = 0.5 * (4e-8 + 2e-8) * 1000 + 0.5 * 2e-8 * 1000
    assert known.column_over(PLACE) == pytest.approx(expected, rel=1e-12)
    for zenith, azimuth in ((0.0, 0.0), (60.0, 200.0), (75.0, 90.0)):
        along, above = direct_sun(known, PLACE, zenith, azimuth)
        assert (along, above) == (pytest.approx(expected, rel=1e-12), 4e-5)
    assert MaxDoas(EDGES).true_layers(known, PLACE, 45.0).sum() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("azimuth", "sign"), [(90.0, 1.0), (270.0, -1.0), (0.0, 0.0), (180.0, 0.0)]
)
def test_the_ray_sees_the_side_of_the_sun(azimuth, sign):
    """NO2 grows to the east: the air at 2 km is 2 km tan(60) away, seen from all of its height."""
    x = (GRID.x - PLACE[1]) * 1e-7
    profile = np.array([0.0, 0.0, 1.0, 0.0])
    known = field(1e-7 + profile[:, None, None] * x[None, None, :] * 10)
    along, _ = direct_sun(known, PLACE, 60.0, azimuth)
    distance = 2000.0 * np.tan(np.deg2rad(60.0)) / (111_195.0 * np.cos(np.deg2rad(50.3)))
    thickness = 0.5 * (1000.0 + 8000.0)  # a triangle of 1 to 10 km
    expected = 1e-7 * 10_000.0 + sign * distance * 1e-6 * thickness
    cell = 0.5 * 0.01 * 1e-6 * thickness  # half a cell: the nearest one is taken
    assert abs(along - expected) <= cell


def test_a_perfect_kernel_gives_the_truth_and_none_the_a_priori():
    """Layers of a narrow, tireless instrument; and of one that sees nothing."""
    true = 1e-5 * np.exp(-EDGES[1:] / 800.0)
    perfect = MaxDoas(EDGES, sensitivity_height=1e12, width=1.0, widening=0.0)
    np.testing.assert_allclose(perfect.retrieve(true), true, rtol=1e-6)  # of exp(-100 / 1e12)
    blind = MaxDoas(EDGES, sensitivity_height=1e-3)
    np.testing.assert_allclose(blind.retrieve(true), blind.apriori)
    assert blind.apriori.sum() == pytest.approx(1.3285e-4 * (1 - np.exp(-4.0)), rel=1e-3)


def test_the_column_kernel_is_the_derivative_of_the_column():
    """Numerically, layer by layer."""
    instrument = MaxDoas(EDGES)
    true = 1e-5 * np.exp(-EDGES[1:] / 800.0)
    step = 1e-7
    changed = [instrument.retrieve(true + step * one).sum() for one in np.eye(true.size)]
    derivative = (np.array(changed) - instrument.retrieve(true).sum()) / step
    np.testing.assert_allclose(derivative, instrument.column_kernel, rtol=1e-6)  # round-off
    noisy = [instrument.retrieve(true, np.random.default_rng(i)).sum() for i in range(400)]
    relative = np.std(noisy) / instrument.retrieve(true).sum()
    assert relative == pytest.approx(instrument.noise, rel=0.15)  # four sigma of 400 draws


def series(**changes):
    """Return two measurements with layers."""
    n = 2
    instrument = MaxDoas(EDGES)
    layers = np.outer([1.0, 2.0], 1e-5 * np.exp(-EDGES[1:] / 800.0))
    times = np.array(["2023-06-01T11:00:00", "2023-06-01T11:10:00"], dtype="datetime64[ms]")
    whole = GroundColumns(
        *("Site", "twin", "X", 48.5, 2.5, 120.0, "tropospheric", times, layers.sum(axis=1)),
        *(np.full(n, 1e-6), np.zeros(n, int), np.full(n, 5e-5)),
        layer_edges=np.tile(EDGES, (n, 1)),
        partial_column=layers,
        apriori=np.tile(instrument.apriori, (n, 1)),
        kernel=np.tile(instrument.column_kernel, (n, 1)),
    )
    return replace(whole, **changes)


def test_what_is_written_is_read(tmp_path):
    """Both layouts through the readers of real files."""
    given = series()
    write_max_doas(tmp_path / "m.h5", given)
    (found,) = read_file(tmp_path / "m.h5")
    assert (found.station, found.quantity, found.altitude) == ("Site", "tropospheric", 120.0)
    for name in ("column", "partial_column", "apriori", "kernel", "layer_edges"):
        np.testing.assert_allclose(getattr(found, name), getattr(given, name), rtol=1e-9, atol=1e-9)
    assert np.array_equal(found.time, given.time)
    write_direct_sun(tmp_path / "p.txt", series(quantity="total"), 7)
    (found,) = read_file(tmp_path / "p.txt")
    assert (found.station, found.quantity) == ("Site", "total")
    np.testing.assert_allclose(found.column, given.column, rtol=1e-6)  # seven digits
    np.testing.assert_allclose(found.stratosphere, 5e-5, rtol=1e-6)
    assert any("synthetic" in remark for remark in found.remarks)
    with pytest.raises(ValueError, match="must have layers"):
        write_max_doas(tmp_path / "n.h5", series(layer_edges=None))
