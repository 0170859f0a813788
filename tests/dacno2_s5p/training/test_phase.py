"""The loop over the phases: it learns, resumes bit for bit, and stops where it must."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dacno2_s5p.errors import ConfigurationError, DataError, TrainingError
from dacno2_s5p.network.checkpoint import load_checkpoint
from dacno2_s5p.network.dacno2 import Dacno2
from dacno2_s5p.training.curves import plot_curves, read_rows
from dacno2_s5p.training.optimisation import learning_rate
from dacno2_s5p.training.phase import PhaseTrainer, _copy, new_network, train_phase
from dacno2_s5p.training.recipe import PhaseRecipe, Recipe
from dacno2_s5p.training.sampling import SamplingRecipe, kept_back
from tests.builders.network_builders import mini_config
from tests.builders.training_builders import make_days, make_info, make_recipe


@pytest.fixture(scope="module")
def days():
    return make_days()


@pytest.fixture(scope="module")
def info(days):
    return make_info(days, mini_config(dropout=0.1))


@pytest.fixture(scope="module")
def recipe():
    return make_recipe(mini_config(dropout=0.1))


def tensors_of(network):
    return {name: t.clone() for name, t in network.state_dict().items()}


def assert_equal_bits(first, second):
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def test_the_loss_falls_in_twenty_steps(days, tmp_path):
    """On a small world twenty steps bring the loss well below its start."""
    losses = []
    config = mini_config()
    recipe = make_recipe(config, steps=20, learning_rate=1e-2, validate_every=10)
    train_phase(
        new_network(recipe),
        days,
        make_info(days, config),
        recipe,
        1,
        tmp_path / "run",
        progress=lambda p: losses.append(p.loss),
    )
    assert len(losses) == 20
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:2])
    rows = read_rows(tmp_path / "run" / "curves.csv")
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"]


@pytest.mark.parametrize("phase", [1, 3])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(phase, days, info, recipe, tmp_path):
    """2 n steps equal n steps, a new process' objects, and n steps: weights, means, curves."""
    whole = new_network(recipe)
    train_phase(whole, days, info, recipe, phase, tmp_path / "whole")

    first = new_network(recipe)
    stopped = train_phase(first, days, info, recipe, phase, tmp_path / "parts", stop_after=4)
    assert (stopped.step, stopped.is_finished) == (4, False)
    torch.manual_seed(99)  # what ran in between does not matter
    second = new_network(recipe)
    resumed = train_phase(second, days, info, recipe, phase, tmp_path / "parts", resume=True)
    assert (resumed.step, resumed.is_finished) == (6, True)

    assert_equal_bits(tensors_of(second), tensors_of(whole))
    for name in ("state.safetensors", "best.safetensors", "curves.csv"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_rows_after_the_state_are_forgotten(days, info, recipe, tmp_path):
    """A run killed between curve and state does not leave a row twice."""
    train_phase(new_network(recipe), days, info, recipe, 1, tmp_path / "run", stop_after=3)
    curves = tmp_path / "run" / "curves.csv"
    lines = curves.read_text().splitlines()
    curves.write_text("\n".join([*lines, lines[-1].replace("1,3,", "1,5,", 1)]) + "\n")
    train_phase(new_network(recipe), days, info, recipe, 1, tmp_path / "run", resume=True)
    assert [row["step"] for row in read_rows(curves)] == [3, 6]


def test_micro_batches_do_not_change_the_step(days, tmp_path):
    """One batch of four and four of one give the same gradient where the norm is frozen."""
    config = mini_config()
    weights = []
    for micro in (4, 1):
        recipe = make_recipe(config, steps=1, batch=4, micro_batch=micro, freeze_norm=True)
        network = new_network(recipe)
        trainer = PhaseTrainer(
            network, days, make_info(days, config), recipe, 2, tmp_path / f"{micro}"
        )
        trainer.run()
        weights.append(
            torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
        )
    assert weights[0].abs().max() > 1e-3
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-3, atol=1e-5)  # float32 sums


def test_phases_chain(days, info, recipe, tmp_path):
    """Each phase starts from the best of the one before and says so in its checkpoint."""
    network = new_network(recipe)
    parent = ""
    for phase in (1, 2, 3):
        folder = tmp_path / f"phase{phase}"
        described = replace(info, parent=parent)
        result = train_phase(network, days, described, recipe, phase, folder)
        best = load_checkpoint(result.checkpoint)
        assert (best.info.phase, best.info.parent, best.info.step) == (
            phase,
            parent,
            result.best_step,
        )
        assert best.info.metrics["validation_loss"] == result.best_loss
        assert best.info.recipe == recipe.to_dict()
        network, parent = best.network, best.fingerprint
    rows = [read_rows(tmp_path / f"phase{phase}" / "curves.csv") for phase in (1, 2, 3)]
    assert all(row["validation_station"] == 0 for row in rows[0])
    assert all(row["validation_station"] > 0 for row in rows[1] + rows[2])
    assert all(row["validation_mean_square"] == 0 for row in rows[2])
    plot_curves([row for phase in rows for row in phase], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_the_best_is_selected_by_the_phase_s_own_validation_loss(days, info, recipe, tmp_path):
    """The checkpoint is the running mean at the step of the least validation loss."""
    result = train_phase(new_network(recipe), days, info, recipe, 2, tmp_path / "run")
    rows = read_rows(tmp_path / "run" / "curves.csv")
    best = min(rows, key=lambda row: row["validation_loss"])
    assert (result.best_loss, result.best_step) == (best["validation_loss"], best["step"])
    parts = ("mean_square", "structure", "station")
    total = sum(best[f"validation_{part}"] for part in parts)
    assert best["validation_loss"] == pytest.approx(total, rel=1e-12)  # sum of the terms


def test_phase_three_keeps_the_batch_statistics(days, info, recipe, tmp_path):
    """Frozen norms: running means and variances are those of phase 2; weights are not."""
    network = new_network(recipe)
    before = tensors_of(network)
    train_phase(network, days, info, recipe, 3, tmp_path / "run")
    after = tensors_of(network)
    for name in before:
        if "running" in name or "num_batches" in name:
            assert torch.equal(after[name], before[name]), name
    assert not torch.equal(after["head.conv.weight"], before["head.conv.weight"])
    train_phase(other := new_network(recipe), days, info, recipe, 1, tmp_path / "first")
    moved = [
        n
        for n in before
        if "running_mean" in n and not torch.equal(other.state_dict()[n], before[n])
    ]
    assert moved


def test_a_folder_with_a_run_needs_resume(days, info, recipe, tmp_path):
    """A run is neither overwritten nor silently continued."""
    train_phase(new_network(recipe), days, info, recipe, 1, tmp_path / "run", stop_after=1)
    with pytest.raises(TrainingError, match=r"It must be empty.*Give --resume"):
        train_phase(new_network(recipe), days, info, recipe, 1, tmp_path / "run")


@pytest.mark.parametrize("what", ["seed", "rate", "data", "start", "phase"])
def test_another_run_is_not_resumed(what, days, info, recipe, tmp_path):
    """Seed, recipe, data, starting weights and phase must be those of the state."""
    train_phase(new_network(recipe), days, info, recipe, 1, tmp_path / "run", stop_after=1)
    network, phase = new_network(recipe), 1
    if what == "seed":
        recipe = replace(recipe, seed=5)
    elif what == "rate":
        changed = tuple(replace(p, learning_rate=0.1) for p in recipe.phases)
        recipe = replace(recipe, phases=changed)
    elif what == "data":
        info = replace(info, data_manifest="1" * 64)
    elif what == "start":
        network = new_network(replace(recipe, seed=6))
    else:
        phase = 2
    with pytest.raises(TrainingError, match=r"same data, recipe and starting weights"):
        train_phase(network, days, info, recipe, phase, tmp_path / "run", resume=True)


NOT_FINITE = [
    ("temporal", 2, "flights"),
    ("emission", 3, "nox_power"),
    ("geography", 0, "elevation"),
    ("single", (2, 5), "blh"),
    ("multi", (3, 0, 2), "u"),
]
"""A channel of each group of inputs."""


@pytest.mark.parametrize(("group", "index", "name"), NOT_FINITE)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_inputs_that_are_not_finite_stop_the_run_by_name(
    group, index, name, value, info, recipe, tmp_path
):
    """One bad value of one variable of any group, and the message says which."""
    days = make_days()
    for inputs in days.days:
        getattr(inputs, group)[index] = value
    with pytest.raises(DataError, match=rf"Invalid input {name}\. Its values must be finite"):
        train_phase(new_network(recipe), days, info, recipe, 1, tmp_path / "run")


@pytest.mark.parametrize("name", ["CAMS NO2", "station NO2"])
def test_targets_that_are_not_finite_stop_the_run_by_name(name, info, recipe, tmp_path):
    """The message says which target, and of which day; the weights are not touched."""
    days = make_days()
    for field, stations in zip(days.cams_fields, days.station_days, strict=True):
        if name == "CAMS NO2":
            field[2, :] = float("nan")
        else:
            stations.values[:] = float("nan")
    network = new_network(recipe)
    before = tensors_of(network)
    with pytest.raises(DataError, match=rf"Invalid target {name}\. .* on day \d \(from 0\)"):
        train_phase(network, days, info, recipe, 1, tmp_path / "run")
    for key, parameter in network.named_parameters():
        assert torch.equal(parameter, before[key])


def test_weights_that_are_not_finite_stop_the_run_by_name(days, info, recipe, tmp_path):
    """The message names the terms of the loss and the weights; the step is not taken."""
    network = new_network(recipe)
    with torch.no_grad():
        network.head.conv.bias[0] = float("nan")
    before = tensors_of(network)
    named = r"mean_square.*\(the weights head\.conv\.bias, too\) not finite at step 0 of phase 1"
    with pytest.raises(TrainingError, match=named):
        train_phase(network, days, info, recipe, 1, tmp_path / "run")
    key = "head.conv.weight"
    assert torch.equal(network.state_dict()[key], before[key])


def test_a_gradient_that_is_not_finite_stops_the_run_by_name(days, info, recipe, tmp_path):
    """A loss that is a number may have a gradient that is none: the weights of it are named."""
    network = new_network(recipe)
    network.head.conv.weight.register_hook(lambda g: g * float("inf"))
    with pytest.raises(TrainingError, match=r"the gradient of head\.conv\.weight not finite"):
        train_phase(network, days, info, recipe, 1, tmp_path / "run")


def test_progress_tells_step_and_time_left(days, info, recipe, tmp_path):
    """The callback hears of every step, of the validation, and of an estimate that ends at 0."""
    heard = []
    train_phase(new_network(recipe), days, info, recipe, 1, tmp_path / "run", progress=heard.append)
    assert [(p.step, p.steps) for p in heard] == [(i, 6) for i in range(1, 7)]
    assert heard[1].validation_loss is None
    assert heard[2].validation_loss is not None
    assert heard[-1].seconds_left == 0.0
    assert all(p.seconds_left >= 0.0 for p in heard)


def test_seeds_make_the_weights():
    """The same seed gives the same network; the caller's random numbers are left alone."""
    recipe = make_recipe()
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    first = new_network(recipe)
    assert torch.equal(torch.rand(3), expected)
    assert_equal_bits(tensors_of(first), tensors_of(new_network(recipe)))
    other = new_network(replace(recipe, seed=2))
    assert not torch.equal(other.head.conv.weight, first.head.conv.weight)


def test_bfloat16_trains(days, tmp_path):
    """A step in bfloat16 leaves float32 weights that are finite."""
    config = mini_config()
    recipe = make_recipe(config, steps=2, validate_every=2, precision="bfloat16")
    network = new_network(recipe)
    train_phase(network, days, make_info(days, config), recipe, 2, tmp_path / "run")
    for tensor in network.parameters():
        assert tensor.dtype == torch.float32
        assert bool(torch.isfinite(tensor).all())


def test_a_network_of_another_configuration_is_refused(days, info, recipe, tmp_path):
    """Network and description are built from one recipe."""
    with pytest.raises(
        ConfigurationError, match=r"must be the one of the checkpoint's description"
    ):
        PhaseTrainer(Dacno2(mini_config()), days, info, recipe, 1, tmp_path)


def test_a_recipe_is_read_from_toml(tmp_path):
    """A file describes network, sampling and phases, epochs or steps."""
    path = tmp_path / "twin.toml"
    path.write_text(
        """
        seed = 7
        [network]
        size = "tiny"
        dropout = 0.05
        [data]
        years_excluded = [2020]
        [sampling]
        split = "blocked"
        crop = 64
        [[phase]]
        phase = 1
        epochs = 200
        [[phase]]
        phase = 3
        steps = 50
        loss = { station = 1.0, regularisation = 0.5 }
        """,
        encoding="utf-8",
    )
    recipe = Recipe.read(path)
    assert (recipe.name, recipe.seed, recipe.sampling.crop) == ("twin", 7, 64)
    assert recipe.network.multi_widths == (12, 8, 8, 4)
    assert recipe.phase(1).in_steps(10_512).steps == 37_543  # 80 % of 13 140, batch 56
    assert recipe.phase(3).weights.regularisation == 0.5
    assert recipe.phase(3).norm_is_frozen(0)
    assert recipe.data == {"years_excluded": [2020]}
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    with pytest.raises(ConfigurationError, match=r"The recipe twin must have it. Given 2"):
        recipe.phase(2)


def test_statistics_are_learnt_and_then_frozen():
    """With `freeze_norm_after` the first steps move the statistics, the others do not."""
    recipe = PhaseRecipe(phase=1, steps=5, freeze_norm=True, freeze_norm_after=2)
    assert [recipe.norm_is_frozen(step) for step in range(4)] == [False, False, True, True]
    with pytest.raises(ConfigurationError, match="freeze_norm_after must be at least 0, and 0"):
        PhaseRecipe(phase=1, steps=5, freeze_norm_after=2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"phase": [{"phase": 4, "steps": 1}]}, r"phase must be 1, 2 or 3. Given 4"),
        ({"phase": [{"phase": 1}]}, r"steps must be at least 1 where epochs is not given"),
        ({"phase": [{"phase": 1, "steps": 5, "epochs": 2}]}, r"where epochs is not given"),
        ({"phase": [{"phase": 1, "steps": 5, "rate": 2}]}, r"phase section .* Given rate"),
        ({"phase": [{"phase": 1, "steps": 5, "loss": {"mse": 2}}]}, r"loss section .* Given mse"),
        ({"phase": [{"steps": 5}]}, r"phase section .* missing"),
        ({"sampling": {"crop": 40}}, r"crop must be 0, or a multiple of 16 and at least 48"),
        ({"sampling": {"split": "years"}}, r"split must be random or blocked"),
        ({"network": {"size": "huge"}}, r"Invalid network size"),
        ({"epochs": 3}, r"recipe section .* Given epochs"),
    ],
)
def test_recipes_that_cannot_be(values, message):
    """A wrong entry is refused by its section and name."""
    with pytest.raises(ConfigurationError, match=message):
        Recipe.from_dict(values)


def test_a_recipe_file_that_is_no_toml(tmp_path):
    """The message names the file."""
    with pytest.raises(ConfigurationError, match=r"Invalid recipe .*none\.toml"):
        Recipe.read(tmp_path / "none.toml")


def test_phase_recipe_defaults_are_the_paper_s_where_it_has_any():
    """Batch 56 by accumulation."""
    assert PhaseRecipe(1, steps=1).batch == 56


def test_a_worse_network_does_not_replace_the_best(days, info, recipe, tmp_path):
    """A validation with a larger loss leaves the checkpoint and its step alone."""
    trainer = PhaseTrainer(new_network(recipe), days, info, recipe, 1, tmp_path / "run")
    result = trainer.run(stop_after=3)
    before = result.checkpoint.read_bytes()
    for tensor in trainer.mean.state.values():
        tensor.zero_()
    trainer.state.step = 4
    trainer._validate()
    assert trainer.state.validation_loss > result.best_loss
    assert (trainer.state.best_loss, trainer.state.best_step) == (result.best_loss, 3)
    assert result.checkpoint.read_bytes() == before


def test_scores_of_any_samples(days, info, recipe, tmp_path):
    """The loss terms can be asked for other samples than the validation part."""
    trainer = PhaseTrainer(new_network(recipe), days, info, recipe, 2, tmp_path / "run")
    terms = trainer.score(trainer.sampler.draw(0, 2))
    assert terms["mean_square"] > 0.0
    assert terms["station"] > 0.0
    assert terms["regularisation"] == 0.0


def test_every_step_has_its_own_rate(days, info, recipe, tmp_path):
    """The optimiser's rate is that of the schedule, step by step."""
    trainer = PhaseTrainer(new_network(recipe), days, info, recipe, 1, tmp_path / "run")
    rates = []
    trainer.run(
        stop_after=4, progress=lambda _: rates.append(trainer.optimiser.param_groups[0]["lr"])
    )
    assert rates == [learning_rate(step, trainer.recipe) for step in range(4)]
    assert len(set(rates)) > 2


def test_stations_kept_back_say_when_to_stop_and_nothing_else(days, tmp_path):
    """Other values there leave every weight as it was, and change the validation loss."""
    sampling = SamplingRecipe(
        crop=48, validation_samples=2, validation_share=0.3, validation_stations=0.4
    )
    recipe = make_recipe(sampling=sampling, steps=3)
    network = new_network(recipe)
    found = []
    for more in (0.0, 100.0):
        changed = []
        for stations in days.station_days:
            kept = kept_back(stations, sampling, recipe.seed)
            places, of_kept = (s.rows * 10_000 + s.columns for s in (stations, kept))
            is_kept = np.isin(places, of_kept)
            changed.append(stations._replace(values=stations.values + more * is_kept))
        source = replace(days, station_days=changed)
        trainer = PhaseTrainer(
            _copy(network), source, make_info(days), recipe, 2, tmp_path / str(more)
        )
        trainer.run()
        found.append((tensors_of(trainer.network), trainer.state.validation_loss))
    assert_equal_bits(found[0][0], found[1][0])
    assert found[1][1] > found[0][1] + 1.0
