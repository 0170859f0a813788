"""Share and factor of a forecast that joins at the output: found where they are known."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dacno2_s5p.calibration import forecast as module
from dacno2_s5p.calibration.forecast import days_unseen, fit_forecast, with_forecast
from dacno2_s5p.errors import CheckpointError, DataError
from dacno2_s5p.inputs.samples import Inputs, Stations
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.network.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dacno2_s5p.training.sampling import SamplingRecipe, kept_back
from tests.builders.network_builders import random_network
from tests.builders.training_builders import make_days, make_info

DAYS = list(np.arange("2022-03-01", "2022-03-03", dtype="datetime64[D]"))
N_LEVEL, SHAPE = 3, (16, 16)


@dataclass
class Days:
    """Two days of uniform fields in memory."""

    forecast: list[float]
    truth: float = 6.0
    with_stations: bool = True
    table: InputTable = field(default_factory=lambda: InputTable.default(("cams",)))

    def index(self, day):
        return DAYS.index(day)

    def day_inputs(self, day):
        cams = torch.full((N_LEVEL, 4, 4), self.forecast[day])
        return Inputs(*[torch.zeros(1)] * 5, cams=cams)

    def cams_field(self, _day):
        return np.full((N_LEVEL, 4, 4), self.truth, np.float32)

    def stations(self, _day):
        n = 5 if self.with_stations else 0
        cells = np.arange(n)
        return Stations(cells, cells, np.full(n, self.truth), np.ones(n))


@pytest.fixture
def own(monkeypatch):
    """Predict twice the truth on the first day, half of it on the other."""
    fields = iter([12.0, 3.0])

    def predict(model, inputs, **_):
        assert inputs.cams is None
        return np.full((N_LEVEL, *SHAPE), next(fields), np.float32)

    monkeypatch.setattr(module, "predict_day", predict)
    info = SimpleNamespace(network=SimpleNamespace(n_level=N_LEVEL), recipe={})
    return SimpleNamespace(info=info)


def test_opposite_errors_of_one_size_share_equally(own):
    """2 and 1/2 times the truth on one day, the other way round on the next: 1/2, no factor.

    Uniform fields have a wide part alone: any near share is as good.
    """
    found = fit_forecast(own, Days([3.0, 12.0]), DAYS)
    assert found.wide[0] == 0.5
    assert found.n == 10
    errors = {(wide, near): error for wide, near, error in found.errors}
    # the geometric mean is the truth to roundings of float32
    assert errors[0.5, 0.0] == pytest.approx(0.0, abs=1e-5)
    assert found.amount[0] == pytest.approx(0.0, abs=1e-6)


def test_a_forecast_that_is_low_all_over_is_brought_up(own):
    """The same, the forecast a third of it on both days: 3^s_w is given back."""
    found = fit_forecast(own, Days([1.0, 4.0]), DAYS)
    assert found.wide[0] == 0.5
    assert found.amount[0] == pytest.approx(0.5 * log(3.0), rel=1e-5)  # powers in float32


def test_a_perfect_forecast_is_taken_alone(own):
    assert fit_forecast(own, Days([6.0, 6.0]), DAYS).wide[0] == 1.0


def test_aloft_the_network_counts_by_what_it_explains():
    """All of CAMS at the ground, half of its variance above, nothing at the top: 1/2, 3/4, 1.

    Days differ, cells do not: correlations are of days.
    """
    sums = module._Sums(3)
    one, other = np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0])
    own = np.exp(np.stack([one, one + other, one], axis=1))
    target = np.exp(np.stack([one, one, other], axis=1))
    stations = Stations(np.array([3]), np.array([3]), np.array([2.0]), np.ones(1))
    for i in range(4):
        field = np.ones((3, *SHAPE), np.float32) * own[i, :, None, None].astype(np.float32)
        cams = np.ones((3, 4, 4), np.float32) * target[i, :, None, None].astype(np.float32)
        # opposite errors at the ground, so that the shares there are halves
        opposite = torch.from_numpy((2.0 * target[i, 0]) ** 2 / field[:, ::4, ::4])
        value = stations._replace(values=np.full(1, 2.0 * target[i, 0]))
        sums.add(torch.from_numpy(field), opposite.float(), cams, value)
    found = sums.fit()
    # sums of squares in float64 of logarithms in float32
    np.testing.assert_allclose(found.explained, [1.0, 0.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(found.wide, 1.0 - (1.0 - found.wide[0]) * np.array([1.0, 0.5, 0.0]))


def test_stations_that_training_kept_back_count_alone(own):
    """Where the recipe says so, the others are left out of the fit."""
    own.info.recipe = {"seed": 3, "sampling": {"crop": 48, "validation_stations": 0.7}}
    seen = Days([3.0, 12.0])
    kept = kept_back(seen.stations(0), SamplingRecipe(crop=48, validation_stations=0.7), 3)
    assert 0 < kept.rows.size < 5
    assert fit_forecast(own, seen, DAYS).n == 2 * kept.rows.size


def test_without_stations_nothing_is_fitted(own):
    with pytest.raises(DataError, match="No station to fit the forecast's share"):
        fit_forecast(own, Days([6.0, 6.0], with_stations=False), DAYS)


@pytest.fixture
def plain(tmp_path):
    """Return a checkpoint without the forecast."""
    source = make_days(2)
    info = make_info(source, data_manifest="0" * 64)
    network = random_network(info.network)
    save_checkpoint(tmp_path / "plain.safetensors", network.state_dict(), info)
    return load_checkpoint(tmp_path / "plain.safetensors")


def test_the_network_is_kept_and_says_where_it_is_from(plain, tmp_path):
    """Weights, scaling and days stay; the group and the parent are new; it is read back whole."""
    store = SimpleNamespace(table=plain.info.inputs.with_groups(["cams"]))
    network, info = with_forecast(plain, store)
    assert info.network == replace(plain.info.network, cams=1, forecast="output")
    assert info.parent == plain.fingerprint
    assert info.inputs.groups == (*plain.info.inputs.groups, "cams")
    state = network.state_dict()
    assert all(torch.equal(state[name], t) for name, t in plain.network.state_dict().items())
    np.testing.assert_array_equal(network.blend.unit, info.scaling.units)
    n = info.network.n_level
    network.blend.set_constants([0.4] * n, [0.7] * n, [0.1] * n)
    save_checkpoint(tmp_path / "joined.safetensors", network.state_dict(), info)
    again = load_checkpoint(tmp_path / "joined.safetensors")
    assert isinstance(again, Checkpoint)
    assert all(
        torch.equal(again.network.state_dict()[n], t) for n, t in network.state_dict().items()
    )
    with pytest.raises(CheckpointError, match="Given a network that has one"):
        with_forecast(again, store)


def test_a_store_without_forecasts_is_refused(plain):
    with pytest.raises(CheckpointError, match="Given a store without forecasts"):
        with_forecast(plain, SimpleNamespace(table=plain.info.inputs))


def test_days_unseen_are_those_of_the_store_that_no_phase_trained_on(monkeypatch):
    monkeypatch.setattr(module, "held_out_days", lambda *_: [])
    store = SimpleNamespace(days=DAYS)
    assert days_unseen(store, SimpleNamespace(trained_days=("2022-03-01",)), "x") == DAYS[1:]
