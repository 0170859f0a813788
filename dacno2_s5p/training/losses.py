"""The losses of the three phases, Eqs. 1-3, as sums that micro-batches can add up.

With p the prediction and c CAMS in scaled units (`TargetScaling`), p8 the mean of p over 4 x 4
cells, N the scaling of slices to 0-1, o the station values and m their weights:

- Eq. 1: L1 = MSE(p8, c) + w_s (1 - mean SSIM(N p8, N c))
- Eq. 2: L2 = L1 + w_e sum m (p_0 - o)^2 / sum m
- Eq. 3: L3 = w_e sum m (p_0 - o)^2 / sum m + w_r (1 - mean SSIM(N p8, N p8 of phase 2))

The paper adds the terms without weights. In micrograms per cubic metre the first is of the order
of 10 and the second of 0.3; with targets in units of their standard deviation a plain sum is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional

from dacno2_s5p.inputs.grid import CAMS_FACTOR
from dacno2_s5p.training.similarity import dissimilarity

if TYPE_CHECKING:
    from dacno2_s5p.inputs.normalisation import TargetScaling
    from dacno2_s5p.inputs.samples import Targets

FLAT_RANGE = 0.01
"""Reference slices that vary less [scaled units] have no structure to compare."""

CLEAN = 0.1
"""What is less counts by its absolute error [scaled units]."""


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms; all 1 is the paper's plain sum, 0 leaves a term out.

    Attributes
    ----------
    mean_square : float
        Against CAMS (Eqs. 1 and 2).
    structure : float
        SSIM against CAMS (Eqs. 1 and 2).
    station : float
        Against stations (Eqs. 2 and 3).
    regularisation : float
        SSIM against the frozen phase-2 network (Eq. 3).
    hold : float
        Square of the logarithm of the factor on the first guess, averaged over CAMS cells: the
        amount of the guess is kept unless the targets ask for another. No term of the paper.
    balance : float
        0: squares of all layers count alike, as in the paper. 1: each over the variance of its
        layer's targets, so that layers that vary little count; between, a mean of both.
    relative : float
        Of each square against CAMS so much more, over the square of the prediction, which is held
        fixed there (and at least 0.1): clean air is 1 % of a plain sum, and its amount follows
        whatever towns ask for. The minimum stays the mean of the targets.
    """

    mean_square: float = 0.0
    structure: float = 0.0
    station: float = 0.0
    regularisation: float = 0.0
    hold: float = 0.0
    balance: float = 0.0
    relative: float = 0.0

    @classmethod
    def of_phase(cls, phase: int) -> LossWeights:
        """Return the paper's weights of a phase (1, 2 or 3).

        Raises
        ------
        ValueError
            If there is no such phase.
        """
        if phase not in PHASE_WEIGHTS:
            msg = f"Invalid phase. It must be 1, 2 or 3. Given {phase}. Choose one of them."
            raise ValueError(msg)
        return PHASE_WEIGHTS[phase]


PHASE_WEIGHTS = {
    1: LossWeights(mean_square=1.0, structure=1.0),
    2: LossWeights(mean_square=1.0, structure=1.0, station=1.0),
    3: LossWeights(station=1.0, regularisation=1.0),
}
"""Eqs. 1, 2 and 3."""


@dataclass(frozen=True)
class Totals:
    """What the terms of a whole batch are divided by, known before its first micro-batch.

    Attributes
    ----------
    n_sample : int
        Samples of the batch.
    station_weight : float
        Summed weights of all stations of the batch; 0 where it has none.
    """

    n_sample: int
    station_weight: float


@dataclass(frozen=True)
class LossTerms:
    """The terms of a batch, or a micro-batch's share of them, each without its weight.

    Shares add up to the terms of the batch: each is already divided by the batch's totals, and
    not by its own. A mean of the micro-batches' means would weigh the stations of sparse patches
    up to tens of times more.
    """

    mean_square: Tensor
    structure: Tensor
    station: Tensor
    regularisation: Tensor
    hold: Tensor

    def weighted(self, weights: LossWeights) -> Tensor:
        """Return the loss."""
        return (
            weights.mean_square * self.mean_square
            + weights.structure * self.structure
            + weights.station * self.station
            + weights.regularisation * self.regularisation
            + weights.hold * self.hold
        )

    def values(self) -> dict[str, float]:
        """Return the terms as numbers, for logs."""
        return {name: float(getattr(self, name).detach()) for name in TERMS}


TERMS = ("mean_square", "structure", "station", "regularisation", "hold")
"""Names of the terms, in the order of `LossTerms`."""


def station_error(surface: Tensor, station: Tensor, weight: Tensor) -> Tensor:
    """Weighted sum of squared errors at stations: the numerator of the station term.

    Parameters
    ----------
    surface, station, weight : Tensor, shape (B, H, W)
        Predicted surface layer and station values [scaled units], and the stations' weights.

    Returns
    -------
    Tensor
        The sum; exactly 0, with zero gradient, without stations.
    """
    return (weight * (surface - station) ** 2).sum()


def loss_terms(
    prediction: Tensor,
    targets: Targets,
    scaling: TargetScaling,
    weights: LossWeights,
    totals: Totals,
    logarithm: Tensor | None = None,
) -> LossTerms:
    """Compute a micro-batch's share of the terms whose weight is not 0.

    Parameters
    ----------
    prediction : Tensor, shape (B, n_level, H, W)
        Network output [scaled units].
    targets : Targets
        Targets of the micro-batch.
    scaling : TargetScaling
        Layer ratios and target scale.
    weights : LossWeights
        Which terms are needed.
    totals : Totals
        Numbers of the batch the micro-batch belongs to.
    logarithm : Tensor, shape (B, n_level, H, W), optional
        Of the factor on the first guess, where the network has one.

    Returns
    -------
    LossTerms

    Raises
    ------
    ValueError
        If a term's target is absent.
    """
    on_cams_grid = functional.avg_pool2d(prediction, CAMS_FACTOR)
    zero = prediction.sum() * 0.0
    mean_square = structure = station = regularisation = zero
    n_slice = totals.n_sample * prediction.shape[1]
    if weights.mean_square or weights.structure:
        cams = scaling.scale(_given(targets.cams, "CAMS field", "CAMS term"))
        n_value = totals.n_sample * on_cams_grid[0].numel()
        squares = (on_cams_grid - cams) ** 2
        if weights.balance:
            squares = squares * scaling.layer_weights(weights.balance, squares)
        if weights.relative:
            # weights that follow the targets would favour low ones
            amount = on_cams_grid.detach() ** 2 + CLEAN**2
            squares = squares + weights.relative * (on_cams_grid - cams) ** 2 / amount
        mean_square = squares.sum() / n_value
        if weights.structure:
            structure = dissimilarity(on_cams_grid, cams, FLAT_RANGE) / n_slice
    if weights.station and totals.station_weight > 0.0:
        observed = targets.station / scaling.target_scale
        station = station_error(prediction[:, 0], observed, targets.station_weight)
        station = station / totals.station_weight
    if weights.regularisation:
        reference = _given(targets.reference, "phase-2 field", "regularisation term")
        regularisation = dissimilarity(on_cams_grid, reference, FLAT_RANGE) / n_slice
    hold = zero
    if weights.hold and logarithm is not None:
        means = functional.avg_pool2d(logarithm, CAMS_FACTOR)
        hold = (means**2).sum() / (totals.n_sample * means[0].numel())
    return LossTerms(mean_square, structure, station, regularisation, hold)


def _given(target: Tensor | None, what: str, term: str) -> Tensor:
    if target is None:
        msg = (
            f"Invalid targets. The {term} needs a {what}. Given none. "
            "Prepare it for these days, or set the term's weight to 0."
        )
        raise ValueError(msg)
    return target
