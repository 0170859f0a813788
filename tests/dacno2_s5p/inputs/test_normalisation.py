"""Statistics, transforms, layer ratios."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.normalisation import (
    InputStatistics,
    Normaliser,
    StatisticsBuilder,
    TargetScaling,
    Welford,
)
from dacno2_s5p.inputs.samples import GROUPS, Inputs
from dacno2_s5p.inputs.variables import InputTable

TABLE = InputTable.default()


def physical_inputs(seed=0, n_step=4, size=16):
    """Return one sample with the magnitudes of real variables."""
    rng = np.random.default_rng(seed)
    coarse = size // 8
    level = np.arange(8).reshape(8, 1, 1)
    multi = rng.normal(size=(n_step, 9, 8, coarse, coarse))
    multi[:, 3] = 288.0 - 4.0 * level + 3.0 * multi[:, 3]
    multi[:, 5] = 5e3 * level + 200.0 * multi[:, 5]
    geography = np.concatenate(
        [800.0 * rng.random((1, size, size)), rng.integers(0, 2, (5, size, size))]
    )
    emission = 1e-10 * rng.random((12, size, size)) ** 8
    emission[9:] *= 1e12
    single = rng.random((n_step, 13, coarse, coarse)) * 10.0
    single[:, 4] = 1e5 + 500.0 * single[:, 4]
    single[:, 8] *= 1e-4
    groups = ([0.4, -0.9, 20_000.0 + 3000.0 * rng.random()], emission, geography, single, multi)
    return Inputs(*(torch.tensor(np.asarray(group), dtype=torch.float32) for group in groups))


def statistics_of(samples, table=TABLE):
    builder = StatisticsBuilder(table, 8)
    for sample in samples:
        for group in GROUPS:
            builder.add(group, getattr(sample, group).numpy())
    return builder.statistics()


def test_blocks_give_the_statistics_of_the_whole():
    """Welford's sums over blocks equal a two-pass computation, far from zero too."""
    rng = np.random.default_rng(0)
    values = 1e5 + rng.normal(size=(3, 1000))
    total = Welford((3,))
    for block in np.array_split(values, [1, 7, 300], axis=1):
        total.add(block, axis=1)
    np.testing.assert_allclose(total.mean, values.mean(axis=1), rtol=1e-14)  # float64 round-off
    np.testing.assert_allclose(total.std, values.std(axis=1), rtol=1e-9)  # 1e5 cancelled twice


def test_accumulators_merge():
    """Two accumulators of parts hold together what one of the whole holds."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2, 50))
    first, second, whole = Welford((2,)), Welford((2,)), Welford((2,))
    first.add(values[:, :20], axis=1)
    second.add(values[:, 20:], axis=1)
    whole.add(values, axis=1)
    first.merge(second)
    np.testing.assert_allclose(first.mean, whole.mean, rtol=1e-12)  # float64 round-off
    np.testing.assert_allclose(first.std, whole.std, rtol=1e-12)


def test_normalised_inputs_have_mean_zero_and_deviation_one():
    """Over the samples of the statistics, for every channel that is not encoded."""
    samples = [physical_inputs(seed) for seed in range(6)]
    normaliser = Normaliser(TABLE, statistics_of(samples))
    batch = normaliser.normalise(Inputs.stack(samples))
    for group in GROUPS:
        values = getattr(batch, group).double()
        axis = {"temporal": 1, "emission": 1, "geography": 1}.get(group, 2)
        for i, channel in enumerate(TABLE.channels(group)):
            if not channel.is_encoded:
                own = values.select(axis, i)
                assert abs(float(own.mean())) < 1e-3, channel.name  # float32 inputs near 1e5
                assert abs(float(own.std(correction=0)) - 1) < 1e-3, channel.name


def test_encoded_channels_stay_as_they_are():
    """Sine and cosine of the day and the classes of land cover are not scaled."""
    samples = [physical_inputs(seed) for seed in range(3)]
    normalised = Normaliser(TABLE, statistics_of(samples)).normalise(samples[0])
    torch.testing.assert_close(normalised.temporal[:2], samples[0].temporal[:2])
    torch.testing.assert_close(normalised.geography[1:], samples[0].geography[1:])


def test_a_sample_is_normalised_as_in_a_batch():
    """The leading axis makes no difference."""
    samples = [physical_inputs(seed) for seed in range(3)]
    normaliser = Normaliser(TABLE, statistics_of(samples))
    batch = normaliser.normalise(Inputs.stack(samples))
    alone = normaliser.normalise(samples[1])
    for group in GROUPS:
        torch.testing.assert_close(getattr(batch, group)[1], getattr(alone, group))


def test_logarithm_comes_before_the_score():
    """Emissions are normalised as log(1 + x / unit), in units in which it is not linear."""
    samples = [physical_inputs(seed) for seed in range(3)]
    statistics = statistics_of(samples)
    values = np.stack([sample.emission[0].double().numpy() for sample in samples])
    logged = np.log1p(values / 1e-12)
    np.testing.assert_allclose(statistics.mean["emission"][0], logged.mean(), rtol=1e-9)
    np.testing.assert_allclose(statistics.std["emission"][0], logged.std(), rtol=1e-9)
    assert logged.max() > 3.0


def test_heights_share_statistics_unless_the_table_says_level():
    """By default a variable's values tell the height; per level its mean is removed."""
    samples = [physical_inputs(seed) for seed in range(3)]
    shared = statistics_of(samples)
    assert np.ptp(shared.mean["multi"], axis=1).max() == 0.0
    temperature = np.stack([sample.multi[:, 3].double().numpy() for sample in samples])
    np.testing.assert_allclose(shared.mean["multi"][3], temperature.mean(), rtol=1e-9)
    np.testing.assert_allclose(shared.std["multi"][3], temperature.std(), rtol=1e-9)
    rows = TABLE.to_dict()
    for row in rows["variable"]:
        if row["group"] == "multi":
            row["statistics"] = "level"
    own = statistics_of(samples, InputTable.from_dict(rows))
    expected = temperature.mean(axis=(0, 1, 3, 4))
    np.testing.assert_allclose(own.mean["multi"][3], expected, rtol=1e-9)


def test_statistics_survive_json():
    """Lists and back are the same arrays."""
    statistics = statistics_of([physical_inputs(seed) for seed in range(2)])
    again = InputStatistics.from_dict(statistics.to_dict())
    for group in GROUPS:
        np.testing.assert_array_equal(again.mean[group], statistics.mean[group])
        np.testing.assert_array_equal(again.std[group], statistics.std[group])


@pytest.mark.parametrize(
    ("group", "index", "name"),
    [
        ("temporal", 2, "flights"),
        ("emission", 3, "nox_power"),
        ("geography", 0, "elevation"),
        ("single", (2, 5), "blh"),
        ("multi", (1, 8, 3), "cc"),
    ],
)
def test_values_that_are_not_finite_are_refused_by_name(group, index, name):
    """A NaN never reaches the network; the message says in which variable it is."""
    samples = [physical_inputs(seed) for seed in range(2)]
    normaliser = Normaliser(TABLE, statistics_of(samples))
    getattr(samples[1], group)[index] = float("nan")
    with pytest.raises(DataError, match=f"Invalid input {name}. Its values must be finite"):
        normaliser.normalise(samples[1])
    with pytest.raises(DataError, match=f"Invalid input {name}. Its values must be finite"):
        normaliser.normalise(Inputs.stack(samples))


def test_negative_emissions_are_refused_by_name():
    """A logarithm of a negative number is not clipped to something."""
    samples = [physical_inputs(seed) for seed in range(2)]
    normaliser = Normaliser(TABLE, statistics_of(samples))
    samples[0].emission[9, 3, 3] = -1.0
    with pytest.raises(DataError, match=r"Invalid input road_density. .* non-negative. Given -1.0"):
        normaliser.normalise(samples[0])


def test_constant_variables_are_refused_by_name():
    """A variable that never varies would be divided by zero."""
    samples = [physical_inputs(seed) for seed in range(2)]
    for sample in samples:
        sample.single[:, 6] = 0.5
    with pytest.raises(DataError, match=r"Invalid input tcc. It must vary.* constant 0.5"):
        statistics_of(samples)


def test_statistics_of_another_table_are_refused():
    """The group and both numbers of channels are in the message."""
    statistics = statistics_of([physical_inputs(seed) for seed in range(2)])
    rows = TABLE.to_dict()
    rows["variable"] = [row for row in rows["variable"] if row["name"] != "tcc"]
    with pytest.raises(ValueError, match=r"group single must have 12 channels"):
        Normaliser(InputTable.from_dict(rows), statistics)


def test_inputs_are_not_changed_in_place():
    """Normalising twice gives the same: the source's arrays are left alone."""
    samples = [physical_inputs(seed) for seed in range(2)]
    normaliser = Normaliser(TABLE, statistics_of(samples))
    before = samples[0].emission.clone()
    normaliser.normalise(samples[0])
    assert torch.equal(samples[0].emission, before)


def test_targets_are_divided_by_ratio_and_scale_and_restored():
    """rho_k = mean_k / mean_0; scaling and its inverse are exact opposites."""
    scaling = TargetScaling.from_moments([8.0, 6.0, 2.0], [5.0, 3.0, 2.5])
    assert scaling.layer_ratio == (1.0, 0.75, 0.25)
    assert scaling.layer_std == pytest.approx((1.0, 0.8, 2.0))
    field = torch.rand(2, 3, 4, 4) * 30.0
    torch.testing.assert_close(scaling.unscale(scaling.scale(field)), field)
    torch.testing.assert_close(scaling.scale(field)[:, 2], field[:, 2] / 0.25 / 5.0)


@pytest.mark.parametrize("means", [[0.0, 1.0], [1.0, 0.0], [1.0, float("nan")]])
def test_ratios_that_are_not_positive_are_refused(means):
    """A layer without NO2 has no ratio."""
    with pytest.raises(ValueError, match=r"Layer ratios and scale must be positive"):
        TargetScaling.from_moments(means, [1.0, 1.0])
