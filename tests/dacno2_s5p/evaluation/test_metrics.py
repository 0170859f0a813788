"""Scores and intervals against numpy, scipy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dacno2_s5p.evaluation.metrics import (
    METRICS,
    bootstrap,
    centred,
    daily_consistency,
    pair_sums,
    scores,
    season_of,
    series_scores,
)

EXACT = 1e-12
"""Sums of a few thousand numbers of order 10 in float64."""


@pytest.fixture
def pairs():
    """Estimates and references of 40 days and 12 stations, a tenth missing in each."""
    rng = np.random.default_rng(1)
    reference = rng.gamma(2.0, 6.0, (40, 12))
    estimate = 0.7 * reference + 2.0 + rng.normal(0.0, 3.0, reference.shape)
    for values in (estimate, reference):
        values[rng.random(values.shape) < 0.1] = np.nan
    return estimate, reference


def test_scores_are_those_of_numpy_and_scipy(pairs):
    """All metrics equal independent formulas on the valid pairs."""
    m, o = pairs
    valid = np.isfinite(m) & np.isfinite(o)
    found = scores(pair_sums(m, o, axis=(0, 1)))
    m, o = m[valid], o[valid]
    assert found.n == m.size
    np.testing.assert_allclose(found.rmse, np.sqrt(np.mean((m - o) ** 2)), rtol=EXACT)
    np.testing.assert_allclose(found.bias, np.mean(m - o), rtol=1e-10)  # a small difference
    np.testing.assert_allclose(found.r, stats.pearsonr(m, o).statistic, rtol=EXACT)
    expected = 1.0 - ((m - o) ** 2).sum() / ((o - o.mean()) ** 2).sum()
    np.testing.assert_allclose(found.r2, expected, rtol=1e-11)


def test_r2_is_not_the_square_of_r():
    """A shifted copy correlates perfectly and has a negative R2."""
    o = np.array([1.0, 2.0, 3.0])
    found = scores(pair_sums(o + 5.0, o))
    assert float(found.r) == pytest.approx(1.0, abs=EXACT)
    assert float(found.r2) == pytest.approx(1.0 - 75.0 / 2.0, abs=1e-10)


@pytest.mark.parametrize("m", [[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]])
def test_a_constant_reference_has_no_correlation_and_no_r2(m):
    """Where SST is zero, r and R2 are undefined, RMSE and bias are not."""
    found = scores(pair_sums(m, [0.1, 0.1, 0.1]))
    assert np.isnan(found.r)
    assert np.isnan(found.r2)
    assert np.isfinite(found.rmse)


def test_no_pairs_give_nan():
    """A group without pairs has no scores and breaks nothing."""
    found = scores(pair_sums([np.nan], [1.0]))
    assert found.n == 0
    assert all(np.isnan(found.metric(name)) for name in METRICS)


def test_sums_add_up_over_days_and_stations(pairs):
    """Scoring day by day is scoring all at once."""
    whole = pair_sums(*pairs, axis=(0, 1))
    np.testing.assert_allclose(pair_sums(*pairs, axis=1).sum(axis=0), whole, rtol=EXACT)


def test_shapes_must_agree():
    """Nothing is broadcast silently."""
    with pytest.raises(ValueError, match="one shape"):
        pair_sums(np.zeros((2, 3)), np.zeros(3))


def test_centred_sums_are_the_sums_of_anomalies(pairs):
    """Taking means out of sums equals taking them out of values."""
    m, o = (np.where(np.isfinite(sum(pairs)), values, np.nan) for values in pairs)
    expected = pair_sums(m - np.nanmean(m), o - np.nanmean(o), axis=(0, 1))
    found = centred(pair_sums(m, o, axis=(0, 1)))
    # the expected sums of anomalies are round-off of sums of order 1e3
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-9)


def test_layer_means_make_a_correlation_that_anomalies_do_not_have():
    """Two unrelated fields with one mean profile: r near 1 pooled, near 0 without layer means."""
    rng = np.random.default_rng(2)
    profile = np.array([20.0, 10.0, 1.0])[:, None]
    m, o = (profile + rng.normal(size=(3, 500)) for _ in range(2))
    sums = pair_sums(m, o)
    assert float(scores(sums.sum(axis=0)).r) > 0.95
    # 1500 pairs: the standard error of r is 0.026
    assert abs(float(scores(centred(sums).sum(axis=0)).r)) < 0.1


def test_each_station_is_scored_on_its_own_series(pairs):
    """Station scores equal np.corrcoef of its days; short series have none."""
    m, o = (values.copy() for values in pairs)
    o[4:, 3] = np.nan
    found = series_scores(pair_sums(m[..., None], o[..., None]), least_days=5)
    valid = np.isfinite(m[:, 0]) & np.isfinite(o[:, 0])
    expected = np.corrcoef(m[valid, 0], o[valid, 0])[0, 1]
    np.testing.assert_allclose(found.r[0], expected, rtol=EXACT)
    assert np.isnan(found.r[3])
    assert np.isnan(found.r2[3])


def test_bootstrap_covers_the_normal_interval():
    """For a mean of independent values the interval is the known one."""
    rng = np.random.default_rng(3)
    m = rng.normal(0.0, 2.0, 400)
    found = bootstrap(pair_sums(m[:, None], np.zeros((400, 1))), n_draw=4000, seed=1)
    half = 1.96 * m.std() / np.sqrt(400)
    # percentiles of 4000 draws are known to about 3 % of the half width
    np.testing.assert_allclose(found["bias"], [m.mean() - half, m.mean() + half], atol=0.1 * half)


def test_bootstrap_repeats_with_its_seed_and_needs_five_units(pairs):
    """Same seed, same interval; four days give none."""
    sums = pair_sums(*pairs)
    assert bootstrap(sums, 50, seed=4) == bootstrap(sums, 50, seed=4)
    assert bootstrap(sums, 50, seed=4) != bootstrap(sums, 50, seed=5)
    assert bootstrap(sums[:4], 50) == {}


def test_bootstrap_of_anomalies_takes_means_of_each_draw(pairs):
    """The interval of centred layers contains the centred score and differs from the pooled."""
    sums = pair_sums(*(np.stack([v, v + 30.0], axis=1) for v in pairs))
    low, high = bootstrap(sums, 200, is_centred=True)["r"]
    centre = float(scores(centred(sums.sum(axis=0)).sum(axis=0)).r)
    assert low < centre < high < bootstrap(sums, 200)["r"][0]


def test_seasons_and_daily_means():
    """Winter holds December, January, February; a bias of one season stays in that season."""
    days = np.arange("2019-01-01", "2020-01-01", dtype="datetime64[D]")
    assert sorted(set(season_of(days))) == ["DJF", "JJA", "MAM", "SON"]
    rng = np.random.default_rng(5)
    o = rng.gamma(2.0, 5.0, (days.size, 3))
    m = o + np.where(season_of(days) == "JJA", 4.0, 0.0)[:, None]
    found = daily_consistency(pair_sums(m[..., None], o[..., None]), days)
    assert float(found["JJA"].bias) == pytest.approx(4.0, abs=1e-10)
    assert float(found["DJF"].bias) == pytest.approx(0.0, abs=1e-10)
    assert found["all days"].n == 365
    # January-February, spring, summer, autumn, December
    assert found["season means"].n == 5
    assert found["JJA"].n == 92
