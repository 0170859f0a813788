"""Scores against a known truth."""

import numpy as np
import pytest

from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.validation.scores import classify, score, stratified_scores


@pytest.fixture
def truth():
    rng = np.random.default_rng(0)
    return rng.lognormal(np.log(3e-5), 1.0, 4000)


def test_the_truth_scores_perfectly(truth):
    """A product equal to the truth has no bias, no scatter and a slope of one."""
    valid = np.ones(truth.size, dtype=bool)
    got = score(truth, truth, valid)
    assert got.bias == 0.0 and got.rmse == 0.0
    assert got.slope == pytest.approx(1.0, rel=1e-12)  # float64 round-off
    assert got.hotspot_bias_percent == 0.0 and got.background_bias_percent == 0.0


def test_a_scaled_and_shifted_product_is_described_by_its_numbers(truth):
    """1.2 x + c has slope 1.2 and the bias that follows from the mean."""
    valid = np.ones(truth.size, dtype=bool)
    shift = 1e15 / MOLEC_CM2_PER_MOL_M2
    got = score(1.2 * truth + shift, truth, valid)
    mean = truth.mean() * MOLEC_CM2_PER_MOL_M2
    assert got.slope == pytest.approx(1.2, rel=1e-12)  # float64 round-off
    assert got.bias == pytest.approx(0.2 * mean + 1e15, rel=1e-12)  # float64 round-off


def test_only_valid_pixels_count(truth):
    """Nonsense in pixels outside of the mask changes nothing."""
    valid = np.arange(truth.size) % 2 == 0
    spoiled = np.where(valid, truth, 1e3)
    assert score(spoiled, truth, valid) == score(truth, truth, valid)


def test_hotspots_need_both_percentile_and_minimum():
    """A clean scene has no hotspot however its percentiles lie."""
    clean = np.linspace(1e-6, 2e-5, 100)
    assert not classify(clean, np.ones(100, dtype=bool)).is_hotspot.any()
    polluted = np.linspace(1e-4, 1e-3, 100)
    found = classify(polluted, np.ones(100, dtype=bool))
    assert found.is_hotspot.sum() == 5
    assert found.is_background.sum() == 50


def test_strata_use_the_hotspots_of_the_whole_scene(truth):
    """A stratum without a polluted pixel has no hotspot bias of its own making."""
    valid = np.ones(truth.size, dtype=bool)
    is_land = truth > np.median(truth)
    scores = stratified_scores(
        {"A": truth},
        truth,
        valid,
        cloud_radiance_fraction=np.zeros(truth.size),
        solar_zenith_angle=np.full(truth.size, 30.0),
        is_land=is_land,
    )
    assert np.isnan(scores["sea"]["A"].hotspot_bias_percent)
    assert scores["land"]["A"].hotspot_bias_percent == 0.0
    assert set(scores) == {
        "land",
        "sea",
        "cloud radiance fraction 0 to 0.1",
        "solar zenith angle 0 to 40",
    }
    assert scores["sea"]["A"].as_dict()["hotspot_bias_percent"] is None
