"""The straight path from the baseline to all samples: errors along it, and their gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dacno2_s5p.attribution.errors_of_samples import Observed
from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.grid import CAMS_FACTOR
from dacno2_s5p.inputs.samples import Inputs, read_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from dacno2_s5p.attribution.errors_of_samples import ErrorTarget, PathRmse, SquaredErrors
    from dacno2_s5p.inputs.normalisation import Normaliser
    from dacno2_s5p.inputs.samples import Crop, DaySource
    from dacno2_s5p.inputs.variables import InputTable
    from retrieval.typing import Float

METHOD = "gausslegendre"
"""Rule of the integral, as captum names it; the nodes of `ErrorPath` are its own."""

_CHANNEL_AXIS = {"single": 2, "multi": 2}
"""Axis of a batch's channels where the first one is time; elsewhere it is 1."""


class Samples:
    """Normalised samples, read one by one whenever they are needed."""

    def __init__(
        self, source: DaySource, normaliser: Normaliser, n_level: int, crops: Sequence[Crop]
    ) -> None:
        self.source, self.normaliser = source, normaliser
        self.n_level, self.crops = n_level, crops

    def __iter__(self) -> Iterator[tuple[tuple[Tensor, ...], Observed]]:
        """Return the table's groups, each with a leading axis of 1, and what is observed."""
        for crop in self.crops:
            raw = Inputs.stack([self.source.inputs(crop.day, crop.patch)])
            inputs = self.normaliser.normalise(raw)
            targets = read_targets(self.source, [crop])
            size = crop.patch.size // CAMS_FACTOR
            has_cams = targets.cams is not None
            cams = torch.zeros(1, self.n_level, size, size)
            yield (
                tuple(inputs.groups.values()),
                Observed(
                    targets.station,
                    targets.station_weight,
                    cams if targets.cams is None else targets.cams,
                    torch.full((1, 1), float(has_cams)),
                ),
            )


class ErrorPath:
    """The straight path from the baseline to all samples, walked twice."""

    def __init__(self, errors: SquaredErrors, samples: Samples, steps: int, batch: int) -> None:
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
        return np.array(counts), np.sqrt(ratio(sums, n_value))

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
                    signed[i] += by_feature(parts[: len(groups)], table)
                    sizes = tuple(part.abs() for part in parts[: len(groups)])
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
    parts : sequence of Tensors
        A batch's values, shaped as the table's groups of `Inputs`.
    table : InputTable

    Returns
    -------
    ndarray, shape (n_feature,)
        In the order of the table's rows.
    """
    index = {variable.name: i for i, variable in enumerate(table.variables)}
    total = np.zeros(len(index))
    for group, values in zip(table.groups, parts, strict=True):
        moved = values.detach().movedim(_CHANNEL_AXIS.get(group, 1), 0).flatten(1)
        if group == "cams":  # all levels are one variable
            moved = moved.flatten()[None]
        of_channel = moved.double().sum(dim=1).numpy()
        for channel, value in zip(table.channels(group), of_channel, strict=True):
            total[index[channel.variable]] += value
    return total


def ratio(part: Float, total: Float) -> Float:
    """Divide, nothing by nothing being nothing."""
    zeros = np.zeros(np.broadcast(part, total).shape)
    return np.asarray(np.divide(part, total, out=zeros, where=total > 0.0))
