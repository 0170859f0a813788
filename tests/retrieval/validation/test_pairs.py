"""Pairs and their scores: the right pixel, window and stratosphere; statistics that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from retrieval.errors import RetrievalError
from retrieval.l2.columns import find_columns, read_column
from retrieval.l2.open_orbit import open_orbit
from retrieval.validation import pair_scores
from retrieval.validation.ground_columns import GroundColumns
from retrieval.validation.pair import Matching, PairOptions, Stratosphere
from retrieval.validation.pair_scores import PMOLEC, score_pairs
from retrieval.validation.pairs import distinct, make_pairs


@pytest.fixture(scope="module")
def scene(season):
    """Return path, arrays and a good pixel of a re-retrieved orbit."""
    path = season.outputs[0]
    with open_orbit(path) as orbit:
        crop = orbit.full
        latitude, longitude = orbit.read_centres(crop)
        columns = {p.label: read_column(orbit, p, crop) for p in find_columns(orbit)}
        quality, _ = orbit.read_quality(crop)
        stratosphere = orbit.read_fields(crop)["stratospheric_column"]
        times = orbit.scanline_times(crop)
    good = (quality > 75) & np.all([np.isfinite(c) for c in columns.values()], axis=0)
    where = tuple(np.argwhere(good)[len(np.argwhere(good)) // 2])
    return path, latitude, longitude, columns, stratosphere, times, where


def station(scene, minutes, columns, *, quantity="tropospheric", flags=None, name="S"):
    """Return ground columns at the good pixel, minutes after the overpass."""
    _, latitude, longitude, _, _, times, where = scene
    n = len(minutes)
    return GroundColumns(
        station=name,
        network="test",
        instrument="x",
        latitude=float(latitude[where]),
        longitude=float(longitude[where]),
        altitude=0.0,
        quantity=quantity,
        time=(times[where[0]] + np.array(minutes, dtype="timedelta64[m]")).astype("datetime64[ms]"),
        column=np.array(columns, dtype=float),
        uncertainty=np.full(n, 1e-5),
        flag=np.zeros(n, dtype=int) if flags is None else np.array(flags),
        stratosphere=np.full(n, 5e-5),
    )


def test_the_pixel_and_the_mean_of_the_window(scene):
    """The pixel that holds the station; references within 30 minutes and of good flags."""
    path, _, _, columns, stratosphere, times, where = scene
    ground = station(
        scene,
        [-31, -30, 0, 30, 31, 5],
        [9.0, 1e-4, 2e-4, 6e-4, 9.0, 9.0],
        flags=[0, 1, 10, 11, 0, 2],
    )
    (pair,) = make_pairs([path], [ground])
    assert pair.n_reference == 3
    assert pair.reference_column == pytest.approx(3e-4, rel=1e-12)  # float64 round-off
    assert pair.reference_spread == pytest.approx(np.std([1e-4, 2e-4, 6e-4], ddof=1))
    assert pair.time == times[where[0]]
    assert pair.contains_station
    assert set(pair.columns) == {"TM5", "DACNO2", "CAMS"}
    for name, values in columns.items():
        assert pair.columns[name] == float(values[where])
    assert pair.stratospheric_column == float(stratosphere[where])
    assert pair.sensor == "TROPOMI"


@pytest.mark.parametrize("how", list(Stratosphere))
def test_a_total_column_loses_a_stratosphere(scene, how):
    """The satellite's own, or the climatology of the file; which one is in the pair."""
    path, _, _, _, stratosphere, _, where = scene
    ground = station(scene, [0], [3e-4], quantity="total")
    (pair,) = make_pairs([path], [ground], PairOptions(stratosphere=how))
    taken = 5e-5 if how is Stratosphere.CLIMATOLOGY else float(stratosphere[where])
    assert pair.reference_column == pytest.approx(3e-4 - taken, rel=1e-12)
    assert pair.stratospheric_column == pytest.approx(taken, rel=1e-12)


def test_a_climatology_that_is_not_there_is_said(scene):
    """No silent zero."""
    ground = replace(station(scene, [0], [3e-4], quantity="total"), stratosphere=np.array([np.nan]))
    with pytest.raises(RetrievalError, match="Use --stratosphere satellite"):
        make_pairs([scene[0]], [ground], PairOptions(stratosphere=Stratosphere.CLIMATOLOGY))


def test_a_station_outside_has_no_pair(scene):
    """In place, in time, or below the quality."""
    path = scene[0]
    ground = station(scene, [0], [1e-4])
    assert make_pairs([path], [replace(ground, longitude=80.0)]) == []
    assert make_pairs([path], [station(scene, [90], [1e-4])]) == []
    assert make_pairs([path], [ground], PairOptions(qa=100)) == []
    assert make_pairs([path], []) == []


def test_the_mean_of_a_radius_is_that_of_its_pixels(scene):
    """All good pixels with centres within 15 km, by haversine distances (an independent form)."""
    path, latitude, longitude, columns, _, _, where = scene
    ground = station(scene, [0], [1e-4])
    options = PairOptions(matching=Matching.RADIUS, radius=15_000.0, qa=-1)
    (pair,) = make_pairs([path], [ground], options)
    a, b = np.radians(latitude), np.radians(longitude)
    d = (
        np.sin((a - a[where]) / 2) ** 2
        + np.cos(a) * np.cos(a[where]) * np.sin((b - b[where]) / 2) ** 2
    )
    near = 2 * 6_371_008.8 * np.arcsin(np.sqrt(d)) <= 15_000.0
    near &= np.all([np.isfinite(c) for c in columns.values()], axis=0)
    assert near.sum() > 3
    for name, values in columns.items():
        assert pair.columns[name] == pytest.approx(float(values[near].mean()), rel=1e-6)  # float32


def test_a_station_far_above_its_pixel_is_marked(scene):
    """More than 200 m between station and ground."""
    ground = replace(station(scene, [0], [1e-4]), altitude=3000.0)
    (pair,) = make_pairs([scene[0]], [ground])
    assert pair.flags == "altitude"


def test_overlapping_orbits_count_a_reference_once(scene):
    """Two overpasses within the window: the nearer centre stays, whichever comes first."""
    (pair,) = make_pairs([scene[0]], [station(scene, [0], [1e-4])])
    later = replace(pair, time=pair.time + np.timedelta64(5, "m"), distance_km=pair.distance_km + 1)
    other_day = replace(pair, time=pair.time + np.timedelta64(1, "D"))
    options = PairOptions()
    assert distinct([later, pair, other_day], options) == [pair, other_day]
    assert distinct([pair, later], options) == [pair]


FLOATS = st.floats(-1e-3, 1e-3).map(lambda x: round(x, 7))
TWO = arrays(float, (2, 12), elements=FLOATS)


@given(TWO)
def test_statistics_are_those_of_other_forms(values):
    """SciPy's and NumPy's own, by other roads."""
    x, y = values
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return
    regression = stats.linregress(y, x)
    # differences of the order of round-off over the spread
    assert pair_scores.slope(x, y) == pytest.approx(regression.slope, rel=1e-6, abs=1e-9)
    assert pair_scores.pearson(x, y) == pytest.approx(regression.rvalue, rel=1e-6, abs=1e-7)
    expected = stats.spearmanr(x, y).statistic
    assert pair_scores.spearman(x, y) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    difference = np.sort(x - y)
    assert pair_scores.median_difference(x, y) == pytest.approx(
        0.5 * (difference[5] + difference[6])
    )


@given(TWO, st.floats(-5e-4, 5e-4))
def test_a_constant_added_moves_medians_and_nothing_else(values, shift):
    """Bias and dispersion are apart."""
    x, y = values
    moved = pair_scores.median_difference(x + shift, y) - pair_scores.median_difference(x, y)
    assert moved == pytest.approx(shift, abs=1e-15)
    assert pair_scores.dispersion(x + shift, y) == pytest.approx(
        pair_scores.dispersion(x, y), abs=1e-15
    )


def many(scene, n=40):
    """Return pairs of many days with a known relation: TM5 low by 30 %, DACNO2 by 5 %."""
    (pair,) = make_pairs([scene[0]], [station(scene, [0], [1e-4])])
    generator = np.random.default_rng(0)
    found = []
    for i in range(n):
        reference = PMOLEC * generator.uniform(1.0, 20.0)
        found.append(
            replace(
                pair,
                station="ABC"[i % 3],
                time=np.datetime64("2023-01-15T12:00") + np.timedelta64(9 * i, "D"),
                reference_column=reference,
                columns={"TM5": 0.7 * reference, "DACNO2": 0.95 * reference},
            )
        )
    return found


def test_scores_find_what_was_put_in(scene):
    """Relative differences of -30 and -5 %, slopes 0.7 and 0.95, in every group."""
    scores = score_pairs(many(scene), n_draw=50)
    found = {(s.scope, s.product, s.statistic): s for s in scores}
    for product, factor in (("TM5", 0.7), ("DACNO2", 0.95)):
        slope = found["all", product, "slope"]
        assert slope.value == pytest.approx(factor, rel=1e-9)
        assert slope.low == pytest.approx(factor, rel=1e-9)
        assert found["all", product, "robust_slope"].value == pytest.approx(factor, rel=1e-9)
        bias = found["all", product, "mean_difference"]
        assert bias.low < bias.value < bias.high < 0.0
    scopes = {s.scope for s in scores}
    assert {"station:A", "season:DJF", "season:JJA", "class:clean", "class:polluted"} <= scopes
    assert (
        sum(found[f"class:{c}", "TM5", "slope"].n for c in ("clean", "moderate", "polluted")) == 40
    )
    assert found["all", "TM5", "slope"].n == 40


def test_few_pairs_have_no_statistics(scene):
    """Two pairs: counted, not scored; none: no rows."""
    scores = score_pairs(many(scene, 2))
    assert {s.n for s in scores if s.scope == "all"} == {2}
    assert all(np.isnan(s.value) for s in scores)
    assert score_pairs([]) == []
