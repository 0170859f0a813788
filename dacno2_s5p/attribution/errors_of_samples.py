"""What an attribution is of: squared errors of samples, and the joint RMSE they make.

A target is the RMSE against stations at the surface, or against a layer of CAMS on the 8 km grid.
`SquaredErrors` gives the sums of all targets for each sample; `PathRmse` makes of them one number
for each sample whose gradient is that of the RMSE of all samples together (`attribution`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dacno2_s5p.inputs.grid import CAMS_FACTOR
from dacno2_s5p.inputs.samples import GROUPS, Inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dacno2_s5p.inputs.normalisation import TargetScaling
    from retrieval.typing import Float

Kind = Literal["stations", "cams"]
"""What predictions are compared with."""


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
    groups : sequence of str
        Groups of the network's inputs, in the order of `Inputs`.
    """

    def __init__(
        self, network: nn.Module, scaling: TargetScaling, groups: Sequence[str] = GROUPS
    ) -> None:
        super().__init__()
        self.network = network
        self.scaling = scaling
        self.groups = tuple(groups)

    def forward(self, *tensors: Tensor) -> Tensor:
        """Map the groups and the four tensors of `Observed` to (B, 1 + n_level) [ug2 m-6]."""
        n = len(self.groups)
        inputs = Inputs(**dict(zip(self.groups, tensors[:n], strict=True)))
        observed = Observed(*tensors[n:])
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
        """Map the groups, place on the path (B, 1), and `Observed` to (B, 1 + n_level)."""
        n = len(self.errors.groups)
        groups, place, observed = tensors[:n], tensors[n], tensors[n + 1 :]
        sums: Tensor = self.errors(*groups, *observed)
        node = (place.detach() - self.nodes).abs().argmin(dim=1)
        # captum asks for a gradient of all it varies: that of the place is nothing
        return sums / self.divisor[node].to(sums.dtype) + 0.0 * place
