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
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dacno2_s5p.errors import DataError
from dacno2_s5p.grid import CAMS_FACTOR
from dacno2_s5p.samples import GROUPS, Inputs, read_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.normalisation import Normaliser, TargetScaling
    from dacno2_s5p.samples import Crop, DaySource
    from dacno2_s5p.variables import InputTable

    Float = NDArray[np.floating]
    Progress = Callable[[int, int], None]

Kind = Literal["stations", "cams"]
"""What predictions are compared with."""

STEPS = 24
"""Points of the integral (Gauss-Legendre). For small trained networks eight missed up to 13 % of
the sum of sizes, 16 up to 1.1 %, 32 0.04 %."""

METHOD = "gausslegendre"

_CHANNEL_AXIS = {"temporal": 1, "emission": 1, "geography": 1, "single": 2, "multi": 2}
"""Axis of a batch's channels; of single and multi the first one is time."""


class ErrorTarget(NamedTuple):
    """A number whose change is attributed: the RMSE against stations, or a layer of CAMS.

    Attributes
    ----------
    kind : {"stations", "cams"}
    level : int
        Layer of the network's output; 0 for stations.
    height : float
        Of the layer above ground [m].
    """

    kind: Kind
    level: int
    height: float

    @property
    def column(self) -> int:
        """Place among the sums of `SquaredErrors`."""
        return 0 if self.kind == "stations" else 1 + self.level


def error_targets(
    heights: Sequence[float], kinds: Sequence[Kind] = ("stations", "cams")
) -> tuple[ErrorTarget, ...]:
    """Return the targets of the paper: stations at the surface, CAMS at each height.

    Examples
    --------
    >>> [(t.kind, t.height) for t in error_targets((0.0, 50.0))]
    [('stations', 0.0), ('cams', 0.0), ('cams', 50.0)]
    """
    layers = tuple(ErrorTarget("cams", i, height) for i, height in enumerate(heights))
    surface = (ErrorTarget("stations", 0, heights[0]),)
    return (surface if "stations" in kinds else ()) + (layers if "cams" in kinds else ())


class Observed(NamedTuple):
    """What a sample is compared with, tensors with a leading axis of 1.

    Attributes
    ----------
    station, station_weight : Tensor, shape (1, H, W)
        Station means [ug m-3] and the stations' weights, 0 without one.
    cams : Tensor, shape (1, n_level, H / 4, W / 4)
        CAMS NO2 [ug m-3]; zeros where there is none.
    cams_weight : Tensor, shape (1, 1)
        1, or 0 without CAMS.
    """

    station: Tensor
    station_weight: Tensor
    cams: Tensor
    cams_weight: Tensor

    def counts(self) -> Float:
        """Return the number of values compared, in the order of `SquaredErrors`."""
        n_level = self.cams.shape[1]
        of_layer = float(self.cams_weight) * self.cams[0, 0].numel()
        return np.array([float(self.station_weight.sum()), *[of_layer] * n_level])


class SquaredErrors(nn.Module):
    """Sums of squared errors of each sample: at stations, then against CAMS by layer.

    Parameters
    ----------
    network : Module
        From a batch of normalised `Inputs` to scaled NO2 (B, n_level, H, W).
    scaling : TargetScaling
    """

    def __init__(self, network: nn.Module, scaling: TargetScaling) -> None:
        super().__init__()
        self.network = network
        self.scaling = scaling

    def forward(self, *tensors: Tensor) -> Tensor:
        """Map the five groups and the four tensors of `Observed` to (B, 1 + n_level) [ug2 m-6]."""
        inputs, observed = Inputs(*tensors[: len(GROUPS)]), Observed(*tensors[len(GROUPS) :])
        predicted = self.scaling.unscale(self.network(inputs))
        at_stations = observed.station_weight * (predicted[:, 0] - observed.station) ** 2
        of_layers = (functional.avg_pool2d(predicted, CAMS_FACTOR) - observed.cams) ** 2
        layers = observed.cams_weight * of_layers.sum(dim=(2, 3))
        return torch.cat([at_stations.sum(dim=(1, 2))[:, None], layers], dim=1)


class PathRmse(nn.Module):
    """One scalar for each sample and target whose gradient is that of the joint RMSE.

    Parameters
    ----------
    errors : SquaredErrors
    nodes : ndarray, shape (n_step,)
        Places a on the path, 0 to 1.
    rmse : ndarray, shape (n_step, 1 + n_level)
        R(a) of all samples there [ug m-3].
    counts : ndarray, shape (1 + n_level,)
        Number of values compared, N.
    """

    def __init__(self, errors: SquaredErrors, nodes: Float, rmse: Float, counts: Float) -> None:
        super().__init__()
        self.errors = errors
        self.nodes = torch.tensor(nodes)[None, :]
        slope = 2.0 * counts * rmse
        # without an error there is no gradient either: 0 / inf, not 0 / 0
        self.divisor = torch.tensor(np.where(slope > 0.0, slope, np.inf))

    def forward(self, *tensors: Tensor) -> Tensor:
        """Map five groups, place on the path (B, 1), and `Observed` to (B, 1 + n_level)."""
        groups, place, observed = tensors[:5], tensors[5], tensors[6:]
        sums: Tensor = self.errors(*groups, *observed)
        node = (place.detach() - self.nodes).abs().argmin(dim=1)
        # captum asks for a gradient of all it varies: that of the place is nothing
        return sums / self.divisor[node].to(sums.dtype) + 0.0 * place


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
        return _ratio(size, total)

    @property
    def share(self) -> Float:
        """Magnitude of each feature over that of all, (n_target, n_feature) [1]."""
        return _ratio(self.magnitude, self.magnitude.sum(axis=1, keepdims=True))


def _ratio(part: Float, total: Float) -> Float:
    """Divide, nothing by nothing being nothing."""
    zeros = np.zeros(np.broadcast(part, total).shape)
    return np.asarray(np.divide(part, total, out=zeros, where=total > 0.0))


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
        samples = _Samples(source, normaliser, len(scaling.layer_ratio), crops)
        path = _Path(SquaredErrors(network, scaling), samples, steps, batch)
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


class _Samples:
    """Normalised samples, read one by one whenever they are needed."""

    def __init__(
        self, source: DaySource, normaliser: Normaliser, n_level: int, crops: Sequence[Crop]
    ) -> None:
        self.source, self.normaliser = source, normaliser
        self.n_level, self.crops = n_level, crops

    def __iter__(self) -> Iterator[tuple[tuple[Tensor, ...], Observed]]:
        """Return the five groups, each with a leading axis of 1, and what is observed."""
        for crop in self.crops:
            raw = Inputs.stack([self.source.inputs(crop.day, crop.patch)])
            inputs = self.normaliser.normalise(raw)
            targets = read_targets(self.source, [crop])
            size = crop.patch.size // CAMS_FACTOR
            has_cams = targets.cams is not None
            cams = torch.zeros(1, self.n_level, size, size)
            yield (
                tuple(getattr(inputs, group) for group in GROUPS),
                Observed(
                    targets.station,
                    targets.station_weight,
                    cams if targets.cams is None else targets.cams,
                    torch.full((1, 1), float(has_cams)),
                ),
            )


class _Path:
    """The straight path from the baseline to all samples, walked twice."""

    def __init__(self, errors: SquaredErrors, samples: _Samples, steps: int, batch: int) -> None:
        self.errors, self.samples = errors, samples
        self.steps, self.batch = steps, batch
        self.nodes = (1.0 + np.polynomial.legendre.leggauss(steps)[0]) / 2.0

    @torch.no_grad()
    def walk(self, count: Callable[[], None]) -> tuple[Float, Float]:
        """Return counts (n_sample, n_sum) and the joint RMSE (2 + steps, n_sum), ends included."""
        places = torch.tensor([0.0, *self.nodes, 1.0], dtype=torch.float32)
        counts, sums = [], np.zeros((places.numel(), 1 + self.samples.n_level))
        for groups, observed in self.samples:
            counts.append(observed.counts())
            sums += np.concatenate([self._sums(p, groups, observed) for p in self._parts(places)])
            count()
        n_value = np.sum(counts, axis=0)
        return np.array(counts), np.sqrt(_ratio(sums, n_value))

    def _parts(self, places: Tensor) -> list[Tensor]:
        return [places[i : i + self.batch] for i in range(0, places.numel(), self.batch)]

    def _sums(self, places: Tensor, groups: tuple[Tensor, ...], observed: Observed) -> Float:
        """Return sums of squared errors at places of the path (n_place, n_sum)."""
        n = places.numel()
        scaled = [places.view(-1, *[1] * (x.ndim - 1)) * x for x in groups]
        repeated = [x.expand(n, *x.shape[1:]) for x in observed]
        sums: Tensor = self.errors(*scaled, *repeated)
        return sums.double().numpy()

    def integrate(
        self,
        joint: PathRmse,
        targets: Sequence[ErrorTarget],
        counts: Float,
        count: Callable[[], None],
    ) -> tuple[Float, Float]:
        """Return attributions of all samples by target and feature, and their magnitudes."""
        gradients = _captum()(joint)
        table = self.samples.normaliser.table
        shape = (len(targets), len(table.variables))
        signed, magnitude = np.zeros(shape), np.zeros(shape)
        for (groups, observed), n_value in zip(self.samples, counts, strict=True):
            for i, target in enumerate(targets):
                if n_value[target.column] > 0.0:
                    parts = gradients.attribute(
                        (*groups, torch.ones(1, 1)),
                        target=target.column,
                        additional_forward_args=tuple(observed),
                        n_steps=self.steps,
                        method=METHOD,
                        internal_batch_size=self.batch,
                    )
                    signed[i] += by_feature(parts[: len(GROUPS)], table)
                    sizes = tuple(part.abs() for part in parts[: len(GROUPS)])
                    magnitude[i] += by_feature(sizes, table)
                count()
        return signed, magnitude


def _captum() -> Any:
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        msg = (
            "Missing package captum. Integrated gradients need it. Given none installed. Run pip "
            "install 'dacno2-s5p[explain]'."
        )
        raise DataError(msg) from error
    return IntegratedGradients


def by_feature(parts: Sequence[Tensor], table: InputTable) -> Float:
    """Add up the elements of each feature: place, time, height, and the channels of a variable.

    Parameters
    ----------
    parts : sequence of five Tensors
        A batch's values, shaped as the groups of `Inputs`.
    table : InputTable

    Returns
    -------
    ndarray, shape (n_feature,)
        In the order of the table's rows.
    """
    index = {variable.name: i for i, variable in enumerate(table.variables)}
    total = np.zeros(len(index))
    for group, values in zip(GROUPS, parts, strict=True):
        moved = values.detach().movedim(_CHANNEL_AXIS[group], 0).flatten(1)
        of_channel = moved.double().sum(dim=1).numpy()
        for channel, value in zip(table.channels(group), of_channel, strict=True):
            total[index[channel.variable]] += value
    return total
