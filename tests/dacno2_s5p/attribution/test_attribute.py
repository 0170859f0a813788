"""Attributions: exact where the answer is known, complete everywhere, nothing where nothing is."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from torch import nn

from dacno2_s5p.attribution.attribute import (
    Attribution,
    ErrorTarget,
    SquaredErrors,
    attribute,
    by_feature,
    error_targets,
)
from dacno2_s5p.attribution.figures import figures
from dacno2_s5p.attribution.samples import draw_crops
from dacno2_s5p.attribution.tables import (
    feature_table,
    group_table,
    markdown,
    rows_of,
    select,
    top_features,
    write_csv,
)
from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.grid import Patch
from dacno2_s5p.inputs.normalisation import InputStatistics, Normaliser, TargetScaling
from dacno2_s5p.inputs.samples import GROUPS, NO_STATIONS, ArrayDays, Crop, Inputs, Stations
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.transport.prior import prior_profile
from tests.builders.network_builders import mini_config, random_network
from tests.builders.training_builders import GRID, TABLE, make_days, scaling_of, statistics_of

pytest.importorskip("captum")

SCALING = TargetScaling(tuple(np.linspace(1.0, 0.3, 8)), 2.0)
PATCH = Patch(16, 8, 32)
HEIGHTS = (0.0, 50.0, 250.0, 500.0, 1000.0, 2000.0, 3000.0, 5000.0)
STATIONS, *LAYERS = error_targets(HEIGHTS)
WEIGHTS = {
    group: torch.linspace(-0.5, 1.0, len(TABLE.channels(group))) / (1.0 + i)
    for i, group in enumerate(GROUPS)
}


class Linear(nn.Module):
    """Scaled NO2, the same in all cells and layers: weights times the mean of each channel."""

    def __init__(self, weights=WEIGHTS) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, inputs: Inputs) -> torch.Tensor:
        value = sum(
            (channel_means(getattr(inputs, group), group) * self.weights[group]).sum(dim=1)
            for group in GROUPS
        )
        return value[:, None, None, None].expand(-1, 8, *inputs.emission.shape[2:])


class GuessAlone(nn.Module):
    """Scaled NO2 of the carried emissions alone."""

    def forward(self, inputs: Inputs) -> torch.Tensor:
        # captum wants all inputs in the graph
        others = sum(values.flatten(1).sum(dim=1) for values in inputs.groups.values())
        return prior_profile(inputs.transport, HEIGHTS) / 10.0 + 0.0 * others.view(-1, 1, 1, 1)


def channel_means(values: torch.Tensor, group: str) -> torch.Tensor:
    """Return the mean of each channel of a batch, (B, C)."""
    axis = 2 if group in ("single", "multi") else 1
    return values.movedim(axis, 1).flatten(2).mean(dim=2) if values.ndim > 2 else values


def unit_normaliser() -> Normaliser:
    """Return one that leaves values as they are, but for the logarithms of the table."""
    shape = {
        g: (len(TABLE.channels(g)), 8) if g == "multi" else (len(TABLE.channels(g)),)
        for g in GROUPS
    }
    return Normaliser(
        TABLE,
        InputStatistics(
            {g: np.zeros(s) for g, s in shape.items()}, {g: np.ones(s) for g, s in shape.items()}
        ),
    )


def linear_terms(days: ArrayDays, day: int) -> np.ndarray:
    """Return weight times input of each feature for a day [scaled units], by a loop."""
    normalised = unit_normaliser().normalise(Inputs.stack([days.inputs(day, PATCH)]))
    total = dict.fromkeys((v.name for v in TABLE.variables), 0.0)
    for group in GROUPS:
        means = channel_means(getattr(normalised, group), group)[0]
        for channel, mean, weight in zip(TABLE.channels(group), means, WEIGHTS[group], strict=True):
            total[channel.variable] += float(mean) * float(weight)
    return np.array(list(total.values()))


def flat_days(offsets: dict[int, float]) -> ArrayDays:
    """Return days with one station and flat CAMS fields, so much above the linear network."""
    days = make_days(n_day=3)
    cams, stations = [], []
    for day in range(3):
        predicted = SCALING.unscale(torch.full((8, 16, 16), float(linear_terms(days, day).sum())))
        cams.append(predicted + offsets[day])
        value = np.array([float(predicted[0, 0, 0]) + offsets[day]])
        stations.append(Stations(np.array([20]), np.array([9]), value, np.ones(1)))
    return ArrayDays(days.grid, days.days, cams, stations)


@pytest.fixture(scope="module")
def days() -> ArrayDays:
    return make_days(n_day=3)


@pytest.fixture(scope="module")
def network(days):
    """Return a random network whose answers differ enough to have an error worth splitting."""
    network = random_network(mini_config())
    inputs = unit_normaliser().normalise(Inputs.stack([days.inputs(0, PATCH)]))
    with torch.no_grad():
        mean = network(inputs.map(torch.zeros_like)).mean().expm1().log()  # before softplus
        head = network.head.conv
        # random weights answer by hundredths: sixty times that, about 1
        head.bias.copy_(1.0 - 60.0 * (mean - head.bias))
        head.weight.mul_(60.0)
    return network


def run(network, days, crops=None, targets=(STATIONS,), **options):
    normaliser = Normaliser(TABLE, statistics_of(days))
    chosen = crops or [Crop(0, PATCH), Crop(2, PATCH)]
    return attribute(network, normaliser, scaling_of(days), days, chosen, targets, **options)


def run_linear(days, crops, targets=(STATIONS,), network=None, **options):
    network = (network or Linear()).eval()
    return attribute(network, unit_normaliser(), SCALING, days, crops, targets, **options)


@pytest.mark.parametrize("target", [STATIONS, LAYERS[0], LAYERS[6]])
def test_of_a_linear_network_they_are_weight_times_input(target):
    """With one value, or all of one error, the RMSE is linear on the path: exact at any step."""
    days = flat_days({0: 50.0, 1: 50.0, 2: 50.0})
    found = run_linear(days, [Crop(1, PATCH)], [target], steps=2)
    factor = SCALING.layer_ratio[target.level] * SCALING.target_scale
    # the error is observed minus predicted, positive on the whole path
    expected = -factor * linear_terms(days, 1)
    # float32 sums of 5e5 elements
    np.testing.assert_allclose(found.signed[0], expected, rtol=2e-5, atol=1e-5)
    assert found.difference[0] == pytest.approx(expected.sum(), rel=1e-5)  # float32


def test_samples_share_one_root():
    """Two samples of different errors: their attributions are those of the joint RMSE."""
    days = flat_days({0: 20.0, 1: 3.0, 2: 50.0})
    crops = [Crop(0, PATCH), Crop(2, PATCH)]
    found = run_linear(days, crops, steps=24)
    terms = np.array([SCALING.target_scale * linear_terms(days, c.day) for c in crops])
    predicted = terms.sum(axis=1)
    observed = np.array([days.stations(c.day).values[0] for c in crops])

    def slope(a: float, i: int) -> float:
        errors = a * predicted - observed
        return errors[i] / (2.0 * np.sqrt((errors**2).mean()))

    integrals = [quad(slope, 0.0, 1.0, args=(i,))[0] for i in (0, 1)]
    # 24 points of Gauss-Legendre and float32 sums
    np.testing.assert_allclose(
        found.signed[0], integrals @ terms, rtol=1e-4, atol=1e-4 * np.abs(terms).max()
    )
    assert found.n_value[0] == 2


def test_what_the_network_ignores_gets_nothing():
    """A feature without weight gets exactly 0, and so does its magnitude."""
    weights = {**WEIGHTS, "emission": torch.zeros(12)}
    found = run_linear(
        flat_days({0: 5.0, 1: 5.0, 2: 5.0}), [Crop(0, PATCH)], network=Linear(weights), steps=2
    )
    ignored = [v.group == "emission" for v in TABLE.variables]
    assert (found.signed[0, ignored] == 0.0).all()
    assert (found.magnitude[0, ignored] == 0.0).all()
    assert found.magnitude[0, ~np.array(ignored)].max() > 0.0


def test_a_perfect_network_has_no_gradient():
    """Where prediction and observation agree on the whole path there is 0, not 0 / 0."""
    weights = {group: torch.zeros_like(w) for group, w in WEIGHTS.items()}
    days = make_days(n_day=1)
    zero = Stations(np.array([20]), np.array([9]), np.zeros(1), np.ones(1))
    days = ArrayDays(days.grid, days.days, [torch.zeros(8, 16, 16)], [zero])
    found = run_linear(days, [Crop(0, PATCH)], (STATIONS, LAYERS[0]), Linear(weights), steps=2)
    assert (found.signed == 0.0).all()
    assert (found.share == 0.0).all()
    assert (found.completeness_share == 0.0).all()


def test_they_add_up_to_the_change_of_the_error(network, days):
    """Completeness: the sum is the difference, and more points come closer."""
    targets, crops = (STATIONS, LAYERS[4]), [Crop(0, PATCH)]
    coarse = run(network, days, crops, targets, steps=2)
    fine = run(network, days, crops, targets, steps=12)
    assert np.abs(fine.difference).min() > 0.01  # there is something to split [ug m-3]
    # twelve points on a path with the kinks of max-pooling
    assert (fine.completeness_share < 2e-3).all()
    assert np.abs(fine.completeness_error).sum() < 0.5 * np.abs(coarse.completeness_error).sum()


def test_ends_of_the_path_are_errors_of_predictions(network, days):
    """The RMSE at the inputs is the one computed without any path, at the baseline that of 0."""
    found = run(network, days, targets=(STATIONS, LAYERS[3]), steps=1)
    normaliser, scaling = Normaliser(TABLE, statistics_of(days)), scaling_of(days)
    at_stations, of_layer = [], []
    for day in (0, 2):
        inputs = normaliser.normalise(Inputs.stack([days.inputs(day, PATCH)]))
        with torch.no_grad():
            field = scaling.unscale(network(inputs))[0].double().numpy()
        there = days.stations(day).within(PATCH)
        at_stations += list(field[0, there.rows, there.columns] - there.values)
        means = field[3].reshape(8, 4, 8, 4).mean(axis=(1, 3))
        of_layer += list((means - days.cams(day, PATCH)[3].numpy()).ravel())
    expected = [np.sqrt(np.mean(np.square(errors))) for errors in (at_stations, of_layer)]
    np.testing.assert_allclose(found.at_inputs, expected, rtol=1e-5)  # float32 network
    assert found.n_value.tolist() == [len(at_stations), len(of_layer)]
    nothing = Inputs(*(torch.zeros_like(getattr(inputs, g)) for g in GROUPS))
    with torch.no_grad():
        field = scaling.unscale(network(nothing))[0].double().numpy()
    errors = np.concatenate(
        [
            field[3].reshape(8, 4, 8, 4).mean(axis=(1, 3)) - days.cams(d, PATCH)[3].numpy()
            for d in (0, 2)
        ]
    )
    assert found.at_baseline[1] == pytest.approx(np.sqrt((errors**2).mean()), rel=1e-5)  # float32


def test_batches_and_order_change_nothing(network, days):
    """Points computed together or one by one, samples in any order: the same numbers."""
    crops = [Crop(0, PATCH), Crop(2, PATCH)]
    one = run(network, days, crops, steps=3, batch=1)
    for other in (
        run(network, days, crops, steps=3, batch=2),
        run(network, days, crops[::-1], steps=3, batch=3),
    ):
        # convolutions of other batch sizes take other float32 sums
        tolerance = 1e-5 * np.abs(one.signed).max()
        np.testing.assert_allclose(other.signed, one.signed, atol=tolerance)
        np.testing.assert_allclose(other.magnitude, one.magnitude, rtol=1e-3, atol=tolerance)


def test_samples_of_a_batch_do_not_touch_each_other(network, days):
    """In eval mode a sample's error does not depend on what is beside it in the batch."""
    normaliser = Normaliser(TABLE, statistics_of(days))
    inputs = normaliser.normalise(Inputs.stack([days.inputs(d, PATCH) for d in (0, 1, 2)]))
    groups = tuple(getattr(inputs, g) for g in GROUPS)
    observed = (
        torch.full((3, 32, 32), 9.0),
        torch.ones(3, 32, 32),
        torch.full((3, 8, 8, 8), 7.0),
        torch.ones(3, 1),
    )
    errors = SquaredErrors(network, scaling_of(days))
    with torch.no_grad():
        together = errors(*groups, *observed)
        alone = errors(*(x[1:2] for x in (*groups, *observed)))
    torch.testing.assert_close(together[1:2], alone, rtol=1e-5, atol=0.0)  # float32 sums


def test_the_network_is_left_as_it_was(network, days):
    """Its weights ask for gradients again, and have none."""
    run(network, days, steps=1)
    assert all(p.requires_grad and p.grad is None for p in network.parameters())
    assert not network.training


def test_samples_without_values_count_for_nothing(network, days):
    """A day without stations and CAMS adds nothing, and targets without any are left out."""
    mixed = ArrayDays(GRID, days.days, None, [days.stations(0), NO_STATIONS, days.stations(2)])
    targets = (STATIONS, LAYERS[0])
    found = attribute(
        network,
        Normaliser(TABLE, statistics_of(days)),
        scaling_of(days),
        mixed,
        [Crop(0, PATCH), Crop(1, PATCH)],
        targets,
        steps=2,
    )
    alone = run(network, days, [Crop(0, PATCH)], steps=2)
    assert found.targets == (STATIONS,)
    assert found.n_sample.tolist() == [1]
    np.testing.assert_allclose(found.signed, alone.signed, rtol=1e-6, atol=1e-9)  # same sums
    with pytest.raises(DataError, match=r"No value to compare.*1 samples without"):
        attribute(
            network,
            Normaliser(TABLE, statistics_of(days)),
            scaling_of(days),
            mixed,
            [Crop(1, PATCH)],
            targets,
        )


def test_wrong_arguments_are_refused(network, days):
    """Training mode, no step and no batch are errors that say what to do."""
    network.train()
    try:
        with pytest.raises(ValueError, match=r"eval mode.*network\.eval\(\)"):
            run(network, days)
    finally:
        network.eval()
    with pytest.raises(ValueError, match=r"Invalid steps\. .* Given 0"):
        run(network, days, steps=0)
    with pytest.raises(ValueError, match=r"Invalid batch\. .* Given 0"):
        run(network, days, batch=0)


def test_progress_counts_the_passes(network, days):
    """One pass a sample for the error on the path, one a sample and target for gradients."""
    told = []
    run(network, days, steps=1, progress=lambda *step: told.append(step))
    assert told[-1] == (4, 4)
    assert [done for done, _ in told] == [1, 2, 3, 4]


def test_elements_add_up_to_features():
    """Channels of a variable, times, heights and places are summed; nothing is lost."""
    rng = np.random.default_rng(0)
    shapes = {
        "temporal": (1, 3),
        "emission": (1, 12, 4, 4),
        "geography": (1, 6, 4, 4),
        "single": (1, 8, 13, 2, 2),
        "multi": (1, 8, 9, 8, 2, 2),
    }
    parts = [torch.tensor(rng.normal(size=shapes[group])) for group in GROUPS]
    found = by_feature(parts, TABLE)
    names = [v.name for v in TABLE.variables]
    assert found.sum() == pytest.approx(sum(float(p.sum()) for p in parts), rel=1e-12)  # float64
    assert found[names.index("day_of_week")] == pytest.approx(float(parts[0][0, :2].sum()))
    assert found[names.index("land_cover")] == pytest.approx(float(parts[2][0, 1:].sum()))
    assert found[names.index("blh")] == pytest.approx(float(parts[3][0, :, 5].sum()))
    assert found[names.index("q")] == pytest.approx(float(parts[4][0, :, 4].sum()))


def test_optional_groups_are_features_too():
    """Maps of the transport are a feature each; all levels of CAMS are one."""
    rng = np.random.default_rng(0)
    table = InputTable.default(("transport", "cams"))
    shapes = [(3,), (12, 8, 8), (6, 8, 8), (8, 13, 1, 1), (8, 9, 8, 1, 1), (4, 8, 8), (8, 2, 2)]
    parts = [torch.tensor(rng.normal(size=(1, *shape))) for shape in shapes]
    found = by_feature(parts, table)
    index = {v.name: i for i, v in enumerate(table.variables)}
    # float64 sums
    assert found[index["fresh_no2"]] == pytest.approx(float(parts[5][0, 2].sum()), rel=1e-12)
    assert found[index["cams_forecast"]] == pytest.approx(float(parts[6].sum()), rel=1e-12)


def test_a_first_guess_is_attributed_to_its_group():
    """Of a network that is its first guess alone, all change is that of the carried emissions."""
    days = make_days(n_day=2, n_step=8, optional=["transport"])
    table = InputTable.default(["transport"])
    network = GuessAlone().eval()
    normaliser = Normaliser(table, statistics_of(days))
    crops = [Crop(day, Patch(8, 8, 32)) for day in (0, 1)]
    found = attribute(network, normaliser, scaling_of(days), days, crops, error_targets(HEIGHTS))
    of_group = np.array([v.group == "transport" for v in found.table.variables])
    np.testing.assert_array_equal(found.signed[:, ~of_group], 0.0)
    # the documented precision of 24 points
    np.testing.assert_allclose(found.signed.sum(axis=1), found.difference, rtol=0.02, atol=1e-4)


def test_draws_follow_the_seed():
    """Days and patches come in order, each once, the same for a seed, and others for another."""
    grid = replace(GRID, patches_y=3, patches_x=3, patch_size=48)
    crops = draw_crops(100, grid, days=5, patches=2, seed=3)
    assert crops == draw_crops(100, grid, days=5, patches=2, seed=3)
    assert crops != draw_crops(100, grid, days=5, patches=2, seed=4)
    assert len(set(crops)) == 10
    assert [crop.day for crop in crops] == sorted(crop.day for crop in crops)
    assert len(draw_crops(3, grid)) == 27
    assert len(draw_crops(3, grid, days=7, patches=1)) == 3


def invented(targets, seed) -> Attribution:
    """Return an attribution of random numbers."""
    rng = np.random.default_rng(seed)
    magnitude = rng.lognormal(size=(len(targets), len(TABLE.variables)))
    signed = magnitude * rng.uniform(-1.0, 0.5, magnitude.shape)
    baseline = rng.uniform(50.0, 90.0, len(targets))
    at_inputs = baseline + signed.sum(axis=1) + 0.01
    number = np.full(len(targets), 7)
    return Attribution(TABLE, targets, signed, magnitude, at_inputs, baseline, 4.0 * number, number)


@pytest.fixture(scope="module")
def rows():
    """Rows of two checkpoints, of which the second knows stations only."""
    both = invented((STATIONS, LAYERS[0], LAYERS[4]), 1)
    return [
        *rows_of("phase 1", both, "a" * 64),
        *rows_of("phase 2", invented((STATIONS,), 2), "b" * 64),
    ]


def test_groups_are_sums_of_features(rows):
    """Of each target and metric, features add up to groups and groups to the whole."""
    for metric in ("attribution", "magnitude"):
        for whole in select(rows, "all", metric):
            mine = [
                r for r in rows if (r.set, r.target, r.metric) == (whole.set, whole.target, metric)
            ]
            groups = {r.group: r.value for r in mine if r.level == "group"}
            assert sum(groups.values()) == pytest.approx(whole.value, rel=1e-9)  # float64
            for group, value in groups.items():
                features = [r.value for r in mine if (r.level, r.group) == ("feature", group)]
                assert sum(features) == pytest.approx(value, rel=1e-9, abs=1e-15)  # float64
    for level in ("group", "feature"):
        share = [r.value for r in select(rows, level, "share") if r.set == "phase 2"]
        assert sum(share) == pytest.approx(100.0)


def test_the_csv_has_one_number_a_line(rows, tmp_path):
    """All rows come back, each with the completeness error of its target and the checkpoint."""
    path = tmp_path / "attribution.csv"
    write_csv(path, rows)
    with path.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == len(rows) == 4 * (5 + 3 * 5 + 3 * 38)
    chosen = [line for line in lines if line["set"] == "phase 1" and line["target"] == "stations"]
    whole = {r["metric"]: float(r["value"]) for r in chosen if r["level"] == "all"}
    # six digits of numbers up to a hundred
    assert whole["difference"] == pytest.approx(whole["rmse"] - whole["rmse_baseline"], abs=3e-4)
    (error,) = {float(line["completeness_error"]) for line in chosen}
    assert error == pytest.approx(whole["attribution"] - whole["difference"], abs=3e-4)
    assert {line["checkpoint"] for line in chosen} == {"a" * 64}


def test_tables_set_checkpoints_side_by_side(rows):
    """A target that a checkpoint lacks leaves its column empty; the largest features lead."""
    header, cells = group_table(rows)
    assert header == ["target", "group", "phase 1", "phase 2"]
    assert [line[0] for line in cells[::5]] == ["stations", "CAMS, 0 m", "CAMS, 1000 m"]
    assert cells[0][3]
    assert cells[5][3] == ""
    header, cells = feature_table(rows, 3)
    assert [line[1] for line in cells[:3]] == top_features(rows, STATIONS, 3)
    assert len(cells) == 9
    page = markdown(rows, 3, ["a note"], {"command": "one\ntwo"})
    assert "- a note" in page
    assert "- command: two" in page
    assert "| stations | temporal |" in page


def test_figures_show_all_targets(rows):
    """Groups and features have a panel for each target, the heat map one for each checkpoint."""
    drawn = figures(rows, 5, "three days")
    assert list(drawn) == ["groups", "group_changes", "features", "heat_map"]
    titles = [axes.get_title() for axes in drawn["groups"].axes]
    assert titles == ["stations", "CAMS, 0 m", "CAMS, 1000 m"]
    heights = {round(bar.get_height(), 6) for bar in drawn["groups"].axes[0].patches}
    share = {r.value for r in select(rows, "group", "share") if r.target == STATIONS}
    assert heights == {round(value, 6) for value in share}
    features = [tick.get_text() for tick in drawn["features"].axes[0].get_yticklabels()]
    assert features == top_features(rows, STATIONS, 5)
    panels = [a for a in drawn["heat_map"].axes if a.get_title()]
    assert [a.get_title() for a in panels] == ["phase 1", "phase 2"]
    assert panels[0].images[0].get_array().shape == (38, 3)


def test_targets_can_be_of_one_kind():
    """Stations alone, CAMS alone."""
    assert error_targets(HEIGHTS, ["stations"]) == (ErrorTarget("stations", 0, 0.0),)
    assert [t.level for t in error_targets(HEIGHTS, ["cams"])] == list(range(8))
