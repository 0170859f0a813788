"""Calibration: the quantile rule, coverage of known residuals, and what it must refuse."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dacno2_s5p.calibration.factors import (
    ALL,
    AREAS,
    GAUSSIAN,
    Calibration,
    Residuals,
    conformal_quantile,
    coverage,
    fit,
    halves,
    report,
)
from dacno2_s5p.calibration.file import calibration_path, read_calibration, write_calibration
from dacno2_s5p.errors import CheckpointError, DataError

SPREAD = "standard deviation over 2 checkpoints"
DENSITY = {"urban": 4000.0, "suburban": 500.0, "rural": 20.0}
YEAR = np.arange("2023-01-01", "2024-01-01", 5, dtype="datetime64[D]")


def residuals(noise, *, n_station=120, shrunk=(0.5, 0.5, 0.5), seed=0) -> Residuals:
    """Return stations whose raw spread is a share of the true one, `noise` of unit variance."""
    rng = np.random.default_rng(seed)
    names = [name for name, _ in AREAS]
    kind = np.arange(n_station) % 3
    station, day = (a.ravel() for a in np.meshgrid(np.arange(n_station), YEAR, indexing="ij"))
    true = rng.uniform(2.0, 8.0, station.size)
    predicted = rng.uniform(5.0, 40.0, station.size)
    return Residuals(
        observed=predicted + true * noise(rng, station.size),
        predicted=predicted,
        spread=true * np.array(shrunk)[kind[station]],
        days=day,
        population=np.array([DENSITY[name] for name in names])[kind[station]],
        station=station,
    )


def normal(rng, n):
    return rng.standard_normal(n)


def laplace(rng, n):
    return rng.laplace(0.0, np.sqrt(0.5), n)


def sampling_error(share, n_test, n_fit):
    """Four standard deviations of a coverage: binomial in the test, and of the fitted quantile."""
    return 4.0 * np.sqrt(share * (1.0 - share) * (1.0 / n_test + 1.0 / n_fit))


@given(
    st.lists(st.integers(-1000, 1000), min_size=12, max_size=40, unique=True),
    st.sampled_from((0.5, 0.6827, 0.9)),
)
def test_the_quantile_covers_one_more_value_exactly(values, level):
    """Each of n + 1 values left out in turn: the rule covers ceil((n + 1) level) of them."""
    sample = np.array(values, float)
    inside = [v <= conformal_quantile(np.delete(sample, i), level) for i, v in enumerate(sample)]
    assert sum(inside) == int(np.ceil(sample.size * level - 1e-9))


def test_too_few_values_have_no_bound():
    """Nine values are the least for 90 %."""
    assert conformal_quantile(np.arange(9.0), 0.9) == 8.0
    assert conformal_quantile(np.arange(8.0), 0.9) == np.inf


def test_normal_residuals_of_known_spread_are_covered():
    """A raw spread of half the truth covers too little; calibrated it covers 50 % and 90 %."""
    own, others = halves(residuals(normal), 0)
    found = fit(own, ("a" * 64,), SPREAD)
    n = others.observed.size, own.observed.size
    raw, calibrated = coverage(others), coverage(others, found)
    for name, share in (("50", 0.5), ("90", 0.9)):
        assert abs(calibrated[name] - share) < sampling_error(share, *n)
        assert raw[name] < share - 0.2
    # every factor is the reciprocal of 0.5, to the sampling error of a quantile of 400 values
    assert all(abs(f - 2.0) < 0.35 for f in found.factors.values())
    # half-widths are those of a normal distribution, to 4 deviations of quantiles of 4000 values
    assert found.intervals == pytest.approx(GAUSSIAN, rel=0.1)


def test_residuals_of_another_shape_are_covered_too():
    """Heavy tails change the half-widths, not the coverage."""
    own, others = halves(residuals(laplace), 0)
    found = fit(own, ("a" * 64,), SPREAD)
    for name, share in coverage(others, found).items():
        wanted = float(name) / 100.0
        assert abs(share - wanted) < sampling_error(wanted, others.observed.size, own.observed.size)
    one_sigma = -np.log(1.0 - 0.6827)
    exact = {"50": np.log(2.0) / one_sigma, "90": np.log(10.0) / one_sigma}
    # quantiles of 4000 values, four deviations
    assert found.intervals == pytest.approx(exact, rel=0.1)


def test_classes_that_miss_different_shares_have_factors_of_their_own():
    """Towns too narrow, country too wide: each class is covered, not only their mean."""
    own, others = halves(residuals(normal, shrunk=(0.25, 1.0, 2.0)), 0)
    found = fit(own, ("a" * 64,), SPREAD)
    assert [round(found.factor("JJA", name)) for name in ("urban", "suburban")] == [4, 1]
    for name, numbers in report(others, found).items():
        n_fit = own.observed.size / (1 if name == ALL else 3)
        for level, share in numbers["calibrated"].items():
            wanted = float(level) / 100.0
            # a class is a third of the data, and its seasons have 400 residuals each
            assert abs(share - wanted) < 2.0 * sampling_error(wanted, numbers["n"], n_fit)
    assert report(others, found)["urban"]["raw"]["50"] < 0.2


def test_groups_of_few_residuals_take_the_next_larger(tmp_path):
    """A season of 60 residuals has no factor of its own; one class alone has that of all."""
    few = residuals(normal, n_station=120)
    short = few.of(np.isin(few.days, YEAR[:3]))  # 3 days of winter, 120 of each class
    found = fit(short.of(short.station < 60), ("a" * 64,), SPREAD)
    assert set(found.factors) == {ALL}
    assert found.factor("DJF", "urban") == found.factors[ALL]


def test_halves_share_no_station_and_each_class_is_in_both():
    """The same seed gives the same halves; another gives others."""
    given_ = residuals(normal, n_station=31)
    own, others = halves(given_, 3)
    assert not set(own.station) & set(others.station)
    assert own.observed.size + others.observed.size == given_.observed.size
    assert set(own.population) == set(others.population) == set(DENSITY.values())
    np.testing.assert_array_equal(halves(given_, 3)[0].station, own.station)
    assert set(halves(given_, 4)[0].station) != set(own.station)
    with pytest.raises(DataError, match="Either half of the stations must have 20"):
        halves(given_.of(given_.days == YEAR[0]), 3)


def test_a_spread_of_zero_becomes_a_positive_sigma():
    """Members that agree by chance are not certain; raw they cover nothing."""
    flat = replace(residuals(normal), spread=np.zeros(120 * YEAR.size))
    own, others = halves(flat, 0)
    found = fit(own, ("a" * 64,), SPREAD)
    assert coverage(others) == {"50": 0.0, "90": 0.0}
    share = coverage(others, found)["90"]
    assert abs(share - 0.9) < sampling_error(0.9, others.observed.size, own.observed.size)
    field = np.zeros((2, 1, 3), "f4")
    sigma = found.sigma(field, field, YEAR[0], np.array([[0.0, 400.0, 4000.0]]))
    assert (sigma > 0.0).all() and np.isfinite(sigma).all()


def test_sigma_of_a_field_takes_season_and_class_of_each_cell():
    """Cells of towns and of the country have their factors, at all heights."""
    factors = {"JJA urban": 3.0, "urban": 2.0, ALL: 1.5}
    found = Calibration(("a" * 64,), SPREAD, factors, dict(GAUSSIAN))
    spread, people = np.full((2, 1, 2), 4.0), np.array([[3000.0, 10.0]])
    summer, winter = (np.datetime64(day, "D") for day in ("2023-07-01", "2023-01-01"))
    no2 = np.full_like(spread, 10.0)
    assert found.sigma(spread, no2, summer, people)[1].tolist() == [[12.0, 6.0]]
    assert found.sigma(spread, no2, winter, people)[0].tolist() == [[8.0, 6.0]]


def test_the_file_brings_back_the_same_calibration(tmp_path):
    """Written and read; damaged ones are refused in a line."""
    own, others = halves(residuals(normal), 0)
    found = fit(own, ("a" * 64, "b" * 64), SPREAD)
    found.report.update(test=report(others, found))
    path = calibration_path(tmp_path / "best.safetensors")
    assert path.name == "best.calibration.json"
    write_calibration(path, found)
    assert read_calibration(path) == found
    assert read_calibration(path).fingerprint == found.fingerprint
    whole = json.loads(path.read_text())
    for damage in ({"format": 9}, {"factors": {"urban": 1.0}}, {"intervals": {"50": 0.7}}):
        path.write_text(json.dumps({**whole, **damage}))
        with pytest.raises(CheckpointError, match=r"Invalid calibration .* written by calibrate"):
            read_calibration(path)
    path.write_text("{")
    with pytest.raises(CheckpointError, match="written by calibrate"):
        read_calibration(path)


def test_it_is_of_its_checkpoints_and_spread_alone():
    """Another network, another order, another number of samples: refused."""
    found = Calibration(("a" * 64, "b" * 64), SPREAD, {ALL: 1.0}, dict(GAUSSIAN))
    found.require(("a" * 64, "b" * 64), SPREAD, "x.json")
    with pytest.raises(CheckpointError, match=r"x\.json\. It must be of the checkpoints"):
        found.require(("c" * 64, "b" * 64), SPREAD, "x.json")
    with pytest.raises(CheckpointError, match="must be of the same kind of spread"):
        found.require(("a" * 64, "b" * 64), SPREAD.replace("2", "3"), "x.json")
