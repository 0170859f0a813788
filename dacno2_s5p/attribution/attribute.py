"""Integrated gradients of the network's error, by input (section 4.1, Figs. 5 and S9).

What is attributed is the RMSE of all samples together [ug m-3], R = sqrt(S / N), with S the sum of
squared errors and N the number of values compared: at stations for the surface, on the 8 km grid
for each layer of CAMS. It is the number that tables of evaluations hold. All samples go from the
baseline to their inputs together, x(a) = a x, so that

    R(1) - R(0) = sum over samples s and elements i of x_si * integral_0^1 dR/dx_si(a x) da,
    dR/dx_si = dS_s/dx_si / (2 N R(a)).

R(a) is known after a first pass without gradients; the second pass gives captum a network with
one scalar for each sample, S_s / (2 N R(a)), so that samples go through one by one in constant
memory and their attributions add up.

The baseline is zero in normalised inputs: the training mean of each variable (of its logarithm
where the table of inputs says log1p). For encoded channels, the day of the week and land cover,
it is no day and no class at all, a state that no sample has.

Measured on one core for the network of `configs/twin.toml` (0.3 M weights, eight weather steps), in
float32: a point of the path takes 0.12 s without gradients and 0.4 s for each target, so that a
patch of 96 x 96 cells with nine targets and 24 points takes 1.5 minutes and 0.5 GB; one of
256 x 256 cells eight minutes and 1.7 GB. Points computed at once save little time.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.attribution.errors_of_samples import (
    ErrorTarget,
    PathRmse,
    SquaredErrors,
    error_targets,
)
from dacno2_s5p.attribution.path import ErrorPath, Samples, by_feature, ratio
from dacno2_s5p.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import nn

    from dacno2_s5p.inputs.normalisation import Normaliser, TargetScaling
    from dacno2_s5p.inputs.samples import Crop, DaySource
    from dacno2_s5p.inputs.variables import InputTable
    from retrieval.typing import Float

    Progress = Callable[[int, int], None]

__all__ = [
    "Attribution",
    "ErrorTarget",
    "SquaredErrors",
    "attribute",
    "by_feature",
    "error_targets",
]

STEPS = 24
"""Points of the integral (Gauss-Legendre). For small trained networks eight missed up to 13 % of
the sum of sizes, 16 up to 1.1 %, 32 0.04 %."""


@dataclass(frozen=True)
class Attribution:
    """Integrated gradients by target and feature.

    Attributes
    ----------
    table : InputTable
        Features (its rows, in order) and their groups.
    targets : tuple of ErrorTarget
        Those with values to compare.
    signed : ndarray, shape (n_target, n_feature)
        Change of the RMSE due to each feature [ug m-3]; negative where it lowers the error.
        They add up to the difference, to the error of the integral.
    magnitude : ndarray, shape (n_target, n_feature)
        Sum of the sizes of the attributions of all elements of a feature [ug m-3]: nothing
        cancels.
    at_inputs, at_baseline : ndarray, shape (n_target,)
        RMSE at both ends of the path [ug m-3].
    n_value : ndarray, shape (n_target,)
        Values compared: stations (their weights) and days, or cells and days.
    n_sample : ndarray of int, shape (n_target,)
        Samples with any.
    """

    table: InputTable
    targets: tuple[ErrorTarget, ...]
    signed: Float
    magnitude: Float
    at_inputs: Float
    at_baseline: Float
    n_value: Float
    n_sample: NDArray[np.integer]

    @property
    def difference(self) -> Float:
        """R(1) - R(0) [ug m-3], what the attributions must add up to."""
        return self.at_inputs - self.at_baseline

    @property
    def completeness_error(self) -> Float:
        """Sum of attributions minus difference [ug m-3]."""
        return np.asarray(self.signed.sum(axis=1) - self.difference)

    @property
    def completeness_share(self) -> Float:
        """Size of the completeness error over the sum of the features' sizes.

        The difference itself may be next to nothing, where a network is no better than its
        baseline, and would make any error look large.
        """
        total = np.abs(self.signed).sum(axis=1)
        size = np.abs(self.completeness_error)
        return ratio(size, total)

    @property
    def share(self) -> Float:
        """Magnitude of each feature over that of all, (n_target, n_feature) [1]."""
        return ratio(self.magnitude, self.magnitude.sum(axis=1, keepdims=True))


def attribute(
    network: nn.Module,
    normaliser: Normaliser,
    scaling: TargetScaling,
    source: DaySource,
    crops: Sequence[Crop],
    targets: Sequence[ErrorTarget],
    *,
    steps: int = STEPS,
    batch: int = 1,
    progress: Progress | None = None,
) -> Attribution:
    """Attribute the RMSE of samples to the features of their inputs.

    Parameters
    ----------
    network : Module
        In eval mode; from normalised `Inputs` to scaled NO2 (B, n_level, H, W).
    normaliser : Normaliser
    scaling : TargetScaling
        Of the network's checkpoint.
    source : DaySource
        Inputs, CAMS and stations of the samples.
    crops : sequence of Crop
        Samples. Where they overlap, a value counts as often as it is in one.
    targets : sequence of ErrorTarget
        Those without any value to compare are left out.
    steps : int
        Points of the integral.
    batch : int
        Points computed at once: memory grows with it, the result is the same.
    progress : callable, optional
        Told the passes done and their number.

    Returns
    -------
    Attribution

    Raises
    ------
    ValueError
        If the network is in training mode, or a number is not positive.
    DataError
        If no target has any value, or captum is not installed.
    """
    _check(network, steps, batch)
    with _frozen(network):
        groups = normaliser.table.groups
        samples = Samples(source, normaliser, len(scaling.layer_ratio), crops)
        path = ErrorPath(SquaredErrors(network, scaling, groups), samples, steps, batch)
        n_pass = len(crops) * (1 + len(targets))
        counts, rmse = path.walk(_counter(progress, 0, n_pass))
        kept = tuple(t for t in targets if counts[:, t.column].sum() > 0.0)
        if not kept:
            msg = (
                "No value to compare. Samples must have stations or CAMS. Given "
                f"{len(crops)} samples without. Choose other days or more patches."
            )
            raise DataError(msg)
        joint = PathRmse(path.errors, path.nodes, rmse[1:-1], counts.sum(axis=0))
        tell = _counter(progress, len(crops), len(crops) * (1 + len(kept)))
        signed, magnitude = path.integrate(joint, kept, counts, tell)
    columns = [t.column for t in kept]
    return Attribution(
        table=normaliser.table,
        targets=kept,
        signed=signed,
        magnitude=magnitude,
        at_inputs=rmse[-1, columns],
        at_baseline=rmse[0, columns],
        n_value=counts.sum(axis=0)[columns],
        n_sample=(counts[:, columns] > 0.0).sum(axis=0),
    )


def _check(network: nn.Module, steps: int, batch: int) -> None:
    if any(module.training for module in network.modules()):
        msg = (
            "Invalid network. It must be in eval mode: batch statistics would mix the points of "
            "the path, dropout would add noise. Given training mode. Call network.eval()."
        )
        raise ValueError(msg)
    for name, value in (("steps", steps), ("batch", batch)):
        if value < 1:
            msg = f"Invalid {name}. It must be at least 1. Given {value}. Choose a larger one."
            raise ValueError(msg)


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Ask for no gradient of weights, so that what only they need is not kept: half the memory."""
    asked = [p for p in network.parameters() if p.requires_grad]
    for parameter in asked:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in asked:
            parameter.requires_grad_(True)


def _counter(progress: Progress | None, done: int, total: int) -> Callable[[], None]:
    """Return what counts a pass."""
    state = [done]

    def count() -> None:
        state[0] += 1
        if progress is not None:
            progress(state[0], total)

    return count
