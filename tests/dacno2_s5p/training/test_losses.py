"""SSIM against its oracle, the terms of Eqs. 1-3, their units and their sums."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pytorch_msssim import ssim
from torch.nn import functional

from dacno2_s5p.inputs.normalisation import TargetScaling
from dacno2_s5p.inputs.samples import Targets
from dacno2_s5p.training.losses import PHASE_WEIGHTS, LossWeights, Totals, loss_terms
from dacno2_s5p.training.similarity import dissimilarity, scale_slices, similarity

SCALING = TargetScaling((1.0, 0.8, 0.5, 0.2), 6.0)


def smooth(*shape, seed=0):
    """Return positive fields with structure, values about 0-1."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(*shape, generator=generator)
    return functional.avg_pool2d(noise, 5, stride=1, padding=2)


def gaussian_window(n_channel):
    """Return the oracle's window in float64."""
    offset = torch.arange(-5.0, 6.0).double()
    window = torch.exp(-(offset**2) / (2 * 1.5**2))
    return (window / window.sum()).repeat(n_channel, 1, 1, 1)


def batch(n=4, seed=0, stations=True):
    """Return predictions (n, 4, 64, 64) and targets, stations in odd samples only."""
    prediction = smooth(n, 4, 64, 64, seed=seed) * 3.0
    cams = SCALING.unscale(smooth(n, 4, 16, 16, seed=seed + 1) * 3.0)
    generator = torch.Generator().manual_seed(seed + 2)
    station = 20.0 * torch.rand(n, 64, 64, generator=generator)
    weight = (torch.rand(n, 64, 64, generator=generator) > 0.99).float() * stations
    weight[::2] = 0.0
    return prediction, Targets(cams, station, weight, smooth(n, 4, 16, 16, seed=seed + 3))


def totals_of(targets):
    return Totals(targets.station.shape[0], float(targets.station_weight.sum()))


def terms(prediction, targets, weights, totals=None):
    return loss_terms(prediction, targets, SCALING, weights, totals or totals_of(targets))


@pytest.mark.parametrize("shape", [(64, 64), (16, 16), (11, 24)])
def test_similarity_equals_the_oracle(shape):
    """Window, constants, valid region and covariance are those of pytorch-msssim."""
    a, b = smooth(3, 2, *shape).double(), smooth(3, 2, *shape, seed=1).double()
    oracle = ssim(a, b, data_range=1.0, win=gaussian_window(2))
    ours = similarity(a, b).mean()
    torch.testing.assert_close(ours, oracle, rtol=0.0, atol=1e-12)  # float64 round-off
    plain = ssim(a, b, data_range=1.0, win_size=11, win_sigma=1.5)
    # its own window is float32 and sums to 1 to 1e-7 only: 1e-5 of a variance
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-5)


def test_gradient_of_similarity_equals_the_oracle():
    """The gradient field is the oracle's, too."""
    a, b = smooth(2, 3, 32, 32).double(), smooth(2, 3, 32, 32, seed=1).double()
    a.requires_grad_()
    ours = torch.autograd.grad(similarity(a, b).mean(), a)[0]
    oracle = torch.autograd.grad(ssim(a, b, data_range=1.0, win=gaussian_window(3)), a)[0]
    torch.testing.assert_close(ours, oracle, rtol=0.0, atol=1e-12)  # float64 round-off


def test_similarity_of_equal_fields_is_one():
    """SSIM(x, x) = 1, so that the loss vanishes for a perfect prediction."""
    a = scale_slices(smooth(1, 2, 16, 16).double())
    torch.testing.assert_close(similarity(a, a), torch.ones(1, 2).double())


def test_structure_does_not_see_offset_and_scale():
    """Slices are scaled by their own extremes: a x + b has the structure of x, layer by layer."""
    a, b = smooth(2, 3, 16, 16).double(), smooth(2, 3, 16, 16, seed=1).double()
    factor = torch.tensor([0.1, 1.0, 30.0]).double().view(3, 1, 1)
    changed = dissimilarity(factor * a + 5.0, b, 0.0)
    torch.testing.assert_close(changed, dissimilarity(a, b, 0.0), rtol=1e-9, atol=0.0)


def test_gradients_pass_through_the_extremes():
    """The gradient along offset and scale of a slice vanishes, as the loss does not see them."""
    a = smooth(1, 1, 16, 16).double().requires_grad_()
    b = smooth(1, 1, 16, 16, seed=1).double()
    gradient = torch.autograd.grad(dissimilarity(a, b, 0.0), a)[0]
    assert gradient.abs().sum() > 0.1
    assert abs(float(gradient.sum())) < 1e-12  # float64 round-off
    assert abs(float((gradient * a.detach()).sum())) < 1e-12


def test_a_constant_prediction_has_loss_one_and_finite_gradients():
    """The clamp of the range keeps a flat prediction finite; its structure is none."""
    a = torch.full((1, 1, 16, 16), 0.3, requires_grad=True)
    loss = dissimilarity(a, smooth(1, 1, 16, 16), 0.0)
    loss.backward()
    assert 0.9 < float(loss.detach()) <= 1.0
    assert bool(torch.isfinite(a.grad).all())


def test_flat_reference_slices_are_skipped():
    """A layer whose reference hardly varies adds nothing, whatever is predicted there."""
    a, b = smooth(1, 2, 16, 16), smooth(1, 2, 16, 16, seed=1)
    flat = b.clone()
    flat[0, 1] = 0.5 + 1e-4 * flat[0, 1]
    expected = dissimilarity(a[:, :1], b[:, :1], 0.01)
    torch.testing.assert_close(dissimilarity(a, flat, 0.01), expected)
    none = dissimilarity(a.requires_grad_(), torch.full_like(b, 0.5), 0.01)
    none.backward()
    assert float(none.detach()) == 0.0
    assert float(a.grad.abs().max()) == 0.0


def test_slices_smaller_than_the_window_are_refused():
    """A crop of less than 44 cells has no valid region."""
    with pytest.raises(ValueError, match=r"at least 11 x 11 cells. Given 8 x 16"):
        similarity(torch.zeros(1, 8, 16), torch.zeros(1, 8, 16))


def test_equation_one():
    """MSE in scaled units on the CAMS grid plus one minus the mean SSIM over layers."""
    prediction, targets = batch()
    on_grid = prediction.unflatten(2, (16, 4)).unflatten(4, (16, 4)).mean(dim=(3, 5))
    ratio = torch.tensor(SCALING.layer_ratio).view(4, 1, 1)
    cams = targets.cams / ratio / 6.0
    mean_square = ((on_grid - cams) ** 2).mean()

    def unit(x):
        return (x - x.amin((2, 3), True)) / (x.amax((2, 3), True) - x.amin((2, 3), True))

    structure = 1.0 - ssim(unit(on_grid), unit(cams), data_range=1.0)
    found = terms(prediction, targets, PHASE_WEIGHTS[1])
    torch.testing.assert_close(found.mean_square, mean_square)
    torch.testing.assert_close(found.structure, structure, rtol=1e-4, atol=1e-5)  # float32
    total = found.weighted(PHASE_WEIGHTS[1])
    torch.testing.assert_close(total, mean_square + structure, rtol=1e-4, atol=1e-5)


def test_equation_two_adds_the_stations():
    """The station term is the mean squared error over station cells of the surface layer."""
    prediction, targets = batch()
    found = terms(prediction, targets, PHASE_WEIGHTS[2])
    there = targets.station_weight > 0
    expected = ((prediction[:, 0] - targets.station / 6.0)[there] ** 2).mean()
    torch.testing.assert_close(found.station, expected)
    first = terms(prediction, targets, PHASE_WEIGHTS[1]).weighted(PHASE_WEIGHTS[1])
    torch.testing.assert_close(found.weighted(PHASE_WEIGHTS[2]), first + expected)


def test_equation_three_has_no_cams_term():
    """Stations and SSIM against the phase-2 field; CAMS may be absent."""
    prediction, targets = batch()
    found = terms(prediction, replace(targets, cams=None), PHASE_WEIGHTS[3])
    assert float(found.mean_square) == float(found.structure) == 0.0
    same = replace(targets, reference=functional.avg_pool2d(prediction, 4) * 2.0 + 1.0)
    assert abs(float(terms(prediction, same, PHASE_WEIGHTS[3]).regularisation)) < 1e-5  # float32
    assert float(found.regularisation) > 0.1


def test_the_target_scale_sets_the_balance_of_the_terms():
    """With s in place of 1, MSE falls by s squared and SSIM stays: the sum is one of equals."""
    prediction, targets = batch()
    literal = TargetScaling(SCALING.layer_ratio, 1.0)
    scaled = terms(prediction, targets, PHASE_WEIGHTS[2])
    plain = loss_terms(prediction * 6.0, targets, literal, PHASE_WEIGHTS[2], totals_of(targets))
    torch.testing.assert_close(plain.mean_square, scaled.mean_square * 36.0)
    torch.testing.assert_close(plain.station, scaled.station * 36.0)
    torch.testing.assert_close(plain.structure, scaled.structure, rtol=1e-4, atol=1e-5)  # float32


@pytest.mark.parametrize("phase", [1, 2, 3])
def test_micro_batches_add_up_to_the_batch(phase):
    """However a batch is cut, the shares sum to its terms, stations weighted by their count."""
    prediction, targets = batch()
    whole = terms(prediction, targets, PHASE_WEIGHTS[phase])
    parts = []
    for i in range(4):
        own = slice(i, i + 1)
        part = Targets(
            targets.cams[own],
            targets.station[own],
            targets.station_weight[own],
            targets.reference[own],
        )
        parts.append(terms(prediction[own], part, PHASE_WEIGHTS[phase], totals_of(targets)))
    for name, value in whole.values().items():
        # float32 sums in another order
        assert sum(part.values()[name] for part in parts) == pytest.approx(value, rel=1e-5)


def test_without_stations_the_term_is_zero():
    """Neither an empty micro-batch nor an empty batch gives NaN, in value or gradient."""
    prediction, targets = batch(stations=False)
    prediction.requires_grad_()
    for station_total in (0.0, 12.0):
        found = terms(prediction, targets, PHASE_WEIGHTS[2], Totals(4, station_total))
        assert float(found.station.detach()) == 0.0
        gradient = torch.autograd.grad(found.station, prediction)[0]
        assert float(gradient.abs().max()) == 0.0


def test_station_weights_are_weights():
    """Doubling a station's weight counts it twice; values where the weight is 0 do not matter."""
    prediction, targets = batch()
    weight = targets.station_weight.clone()
    weight[1] *= 2.0
    station = targets.station + 1e3 * (weight == 0)
    found = terms(
        prediction,
        replace(targets, station=station, station_weight=weight),
        LossWeights(station=1.0),
    )
    error = (prediction[:, 0] - targets.station / 6.0) ** 2
    expected = (2 * error[1][weight[1] > 0].sum() + error[3][weight[3] > 0].sum()) / weight.sum()
    torch.testing.assert_close(found.station, expected)


def test_a_missing_target_is_named():
    """A term without its target is an error, not a zero."""
    prediction, targets = batch()
    with pytest.raises(ValueError, match=r"CAMS term needs a CAMS field. Given none"):
        terms(prediction, replace(targets, cams=None), PHASE_WEIGHTS[1])
    with pytest.raises(ValueError, match=r"regularisation term needs a phase-2 field"):
        terms(prediction, replace(targets, reference=None), PHASE_WEIGHTS[3])


def test_gradients_of_the_whole_loss():
    """All terms together agree with finite differences."""
    generator = torch.Generator().manual_seed(0)
    prediction = torch.rand(1, 2, 44, 44, generator=generator).double().requires_grad_()
    weight = torch.zeros(1, 44, 44).double()
    weight[0, 5, 7] = 1.0
    targets = Targets(
        torch.rand(1, 2, 11, 11, generator=generator).double(),
        torch.rand(1, 44, 44, generator=generator).double(),
        weight,
        torch.rand(1, 2, 11, 11, generator=generator).double(),
    )
    weights = LossWeights(1.0, 1.0, 1.0, 1.0)
    scaling = TargetScaling((1.0, 0.5), 2.0)

    def loss(x):
        return loss_terms(x, targets, scaling, weights, Totals(1, 1.0)).weighted(weights)

    gradient = torch.autograd.grad(loss(prediction), prediction)[0]
    step = torch.randn(prediction.shape, generator=generator).double()
    with torch.no_grad():
        change = (loss(prediction + 1e-6 * step) - loss(prediction - 1e-6 * step)) / 2e-6
    assert float((gradient * step).sum()) == pytest.approx(float(change), rel=1e-5)


def test_phases_are_one_two_three():
    """There is no phase 4."""
    with pytest.raises(ValueError, match=r"must be 1, 2 or 3. Given 4"):
        LossWeights.of_phase(4)
