"""References through kernels, and what sets say of a station and its pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from retrieval.apriori.base import ArraySet
from retrieval.apriori.in_memory import NAME as IN_MEMORY
from retrieval.l2.blocks import OrbitBlocks
from retrieval.l2.columns import find_columns, read_column
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.pixels import Crop
from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.physics.layers import StandardAtmosphere
from retrieval.physics.levels import HeightLevels, Quantity
from retrieval.physics.partial_columns import PixelColumns
from retrieval.physics.time_rules import TimeRule
from retrieval.validation.ground_columns import GroundColumns
from retrieval.validation.pair import DILUTED, Pair, PairOptions
from retrieval.validation.pair_scores import score_pairs
from retrieval.validation.pairs import make_pairs
from retrieval.validation.smoothing import Smooth
from retrieval.validation.station_sets import Place, read_values


@pytest.fixture(scope="module")
def profile(season):
    """Return an orbit, ground columns with a profile at a good pixel, and its tropospheric kernel.

    The layers are those of the retrieval, so that nothing is interpolated.
    """
    path = season.outputs[0]
    with open_orbit(path) as orbit:
        crop = orbit.full
        columns = [read_column(orbit, product, crop) for product in find_columns(orbit)]
        quality, _ = orbit.read_quality(crop)
        good = np.argwhere((quality > 75) & np.isfinite(columns).all(axis=0))
        i, j = good[len(good) // 2]
        one = Crop(slice(i, i + 1), slice(j, j + 1))
        pixel = OrbitBlocks(orbit, one).read(slice(0, 1))
        air = StandardAtmosphere(pixel.surface_pressure, pixel.surface_altitude)
        edges = orbit.pressure_edges(pixel.surface_pressure)
        heights = PixelColumns(pixel.surface_pressure, edges, air).height_edges[0]
        kernel = np.where(pixel.is_troposphere, pixel.weights, 0.0)[0] / pixel.amf_troposphere
        latitude, longitude = (float(x[i, j]) for x in orbit.read_centres(crop))
        time = orbit.scanline_times(crop)[i]
    n = int((heights < 12_000.0).sum()) - 1
    x = 1e-4 * np.exp(-heights[1 : n + 1] / 1000.0)
    ground = GroundColumns(
        *("S", "test", "x", latitude, longitude, 0.0, "tropospheric"),
        *(np.array([time]).astype("datetime64[ms]"), np.array([x.sum()])),
        *(np.array([1e-6]), np.array([0]), np.array([np.nan])),
        layer_edges=heights[None, : n + 1],
        partial_column=x[None],
    )
    is_in = np.arange(n) < pixel.is_troposphere.sum()
    return path, ground, float((kernel[:n] * x)[is_in].sum()), float(x[is_in].sum())


def only(path, ground, smooth) -> Pair:
    """Return the pair of an orbit and ground columns."""
    (pair,) = make_pairs([path], [ground], PairOptions(smooth=smooth))
    return pair


def test_the_reference_is_seen_through_the_kernel(profile):
    """For the file's own a priori sum(A x), by hand; raw columns and reference stay beside it."""
    path, ground, seen, _ = profile
    plain, pair = only(path, ground, Smooth.NONE), only(path, ground, Smooth.REFERENCE)
    assert pair.references["TM5"] == pytest.approx(seen, rel=1e-5)  # float32 kernels and columns
    assert pair.columns == plain.columns
    assert pair.reference_column == plain.reference_column
    assert pair.row()["reference_column_TM5"] == pair.references["TM5"]


def test_smoothed_relative_differences_do_not_know_the_a_priori(profile):
    """One number for all, and the same whichever side is smoothed."""
    path, ground, _, total = profile
    one, other = (only(path, ground, s) for s in (Smooth.REFERENCE, Smooth.SATELLITE))
    ratios = [pair.columns[n] / pair.reference_of(n) for pair in (one, other) for n in one.columns]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-6)  # float32 columns of the file
    assert other.reference_of("CAMS") == pytest.approx(total, rel=1e-9)
    assert len(set(other.columns.values())) == 1


def test_a_reference_without_a_profile_is_left_out_and_named(profile, caplog):
    """Smoothing needs one."""
    path, ground, _, _ = profile
    bare = replace(ground, layer_edges=None, partial_column=None)
    assert make_pairs([path], [bare], PairOptions(smooth=Smooth.REFERENCE)) == []
    assert "left out: S" in caplog.text
    assert len(make_pairs([path], [bare])) == 1


def test_a_fine_set_tells_dilution():
    """A cell of three times the rest at the station: a point sees 3, 5 x 5 cells see 27/25."""
    centres = np.arange(9.0) * 0.02
    grid = RectilinearGrid.from_centres(2.0 + centres, 48.0 + centres)
    field = np.ones((1, 2, 9, 9))
    field[:, :, 4, 4] = 3.0
    time = np.array(["2023-06-01T12:00"], dtype="datetime64[ms]")
    fine = ArraySet(
        IN_MEMORY, grid, HeightLevels(np.array([0.0, 2000.0])), Quantity.CONCENTRATION, time,
        TimeRule.NEAREST, [], values=1e-7 * field,
    )  # fmt: skip
    half = 0.05
    pixel = (
        48.08 + half * np.array([-1, -1, 1, 1]),
        2.08 + half * np.array([-1, 1, 1, -1]),
    )
    place = Place(48.08, 2.08, pixel, time[0], 101_325.0)
    found = read_values(fine, place, np.array([0.0, 500.0, 2000.0]))
    assert found.surface == pytest.approx(3e-7, rel=1e-9)
    assert found.dilution == pytest.approx(3.0 / (27.0 / 25.0), rel=1e-3)  # edges are no parallels
    np.testing.assert_allclose(found.at_station, [3e-7 * 500.0, 3e-7 * 1500.0], rtol=1e-9)
    late = replace(place, time=time[0] + np.timedelta64(20, "h"))
    assert read_values(fine, late) is None
    assert read_values(fine, replace(place, latitude=60.0, pixel=(pixel[0] + 12, pixel[1]))) is None


def test_diluted_references_are_scored_apart(profile):
    """The reference over the ratio, under names of their own."""
    path, ground, _, _ = profile
    pair = replace(only(path, ground, Smooth.NONE), dilution=2.0)
    pairs = [replace(pair, time=pair.time + np.timedelta64(i, "D")) for i in range(3)]
    spread = [one.diluted() for one in pairs]
    scores = {
        s.product: s for s in score_pairs(spread, n_draw=0) if s.statistic == "mean_difference"
    }
    assert set(scores) == {f"{name}{DILUTED}" for name in pair.columns}
    expected = pair.columns["CAMS"] - pair.reference_column / 2.0
    assert scores[f"CAMS{DILUTED}"].value == pytest.approx(expected)
