"""Horizontal transport of columns: semi-Lagrangian, with emission smeared along the way.

Two columns of NOx are carried [mol m-2]: that of the boundary layer and that of the residual
layer above it. Steps of half an hour cross many 2 km cells, so the emission of a step is
integrated along each trajectory by doubling (8 and more sub-steps), not dropped at its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from dacno2_s5p.twin.air.chemistry import oh_factor

STEP = 1800.0
"""Time step [s]; two steps an hour."""

DISPERSION = 2000.0
"""Spread of the columns by eddies in an hour, one sigma [m]."""

DOUBLINGS = 4
"""Emission is integrated over 2 ** DOUBLINGS sub-steps of a step."""


@dataclass(frozen=True)
class HourOfFlow:
    """What acts on the columns during one hour; arrays of shape (n_y, n_x).

    Attributes
    ----------
    lower_x, lower_y : torch.Tensor
        Wind of the boundary layer along the grid [m s-1].
    upper_x, upper_y : torch.Tensor
        Wind of the residual layer [m s-1].
    lower_keep, upper_keep : torch.Tensor
        Share of each column that a step's loss leaves.
    lifted : torch.Tensor
        Share of the boundary layer's column left aloft during the hour.
    entrained : torch.Tensor
        Share of the residual column that the growing boundary layer takes in.
    source : torch.Tensor
        Emission into the boundary layer [mol m-2 s-1].
    upper_source : float
        Production in the residual layer [mol m-2 s-1].
    sunlit, depth : torch.Tensor, optional
        Loss rate by OH in typical air [s-1], which is in `lower_keep`, and boundary-layer height
        [m]: where given, the loss depends on the column (`chemistry.oh_factor`).
    """

    lower_x: torch.Tensor
    lower_y: torch.Tensor
    upper_x: torch.Tensor
    upper_y: torch.Tensor
    lower_keep: torch.Tensor
    upper_keep: torch.Tensor
    lifted: torch.Tensor
    entrained: torch.Tensor
    source: torch.Tensor
    upper_source: float
    sunlit: torch.Tensor | None = None
    depth: torch.Tensor | None = None

    def keep(self, lower: torch.Tensor) -> torch.Tensor:
        """Share of the boundary layer's column [mol m-2] that a step's loss leaves."""
        if self.sunlit is None or self.depth is None:
            return self.lower_keep
        change = oh_factor(lower / self.depth).sub_(1.0)
        return change.mul_(self.sunlit).mul_(-STEP).exp_().mul_(self.lower_keep)


class Plane:
    """A uniform grid on which columns are carried.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x).
    spacing : float
        Cell size [m].
    """

    def __init__(self, shape: tuple[int, int], spacing: float) -> None:
        self.shape = shape
        self.spacing = spacing
        n_y, n_x = shape
        y, x = torch.meshgrid(
            torch.arange(n_y, dtype=torch.float32),
            torch.arange(n_x, dtype=torch.float32),
            indexing="ij",
        )
        # grid_sample's own coordinate: -1 and 1 are the outer edges of the first and last cell
        self._base = torch.stack([(2 * x + 1) / n_x - 1, (2 * y + 1) / n_y - 1], dim=-1)[None]
        variance = (DISPERSION / spacing) ** 2
        # a pass with weight w on the mean of both neighbours adds the variance w
        self._passes = max(round(2.0 * variance), 1)
        self._spread = variance / self._passes
        self._per_metre = torch.tensor([2.0 / (n_x * spacing), 2.0 / (n_y * spacing)])

    def displacement(self, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Way per second of a wind [m s-1] in the coordinate of `sample`, shape (1, y, x, 2)."""
        return torch.stack([u * self._per_metre[0], v * self._per_metre[1]], dim=-1)[None]

    def departure(self, displacement: torch.Tensor, seconds: float) -> torch.Tensor:
        """Where air was `seconds` ago, in the coordinate of `sample`."""
        return torch.add(self._base, displacement, alpha=-seconds)

    @staticmethod
    def sample(field: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        """Field at departure points, bilinear; the outer cells' values beyond the edges."""
        out = functional.grid_sample(
            field[None, None], where, mode="bilinear", padding_mode="border", align_corners=False
        )
        return out[0, 0]

    def disperse(self, field: torch.Tensor) -> torch.Tensor:
        """Spread a field as eddies smaller than the wind's grid do in an hour."""
        w = self._spread
        for _ in range(self._passes):
            padded = functional.pad(field[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]
            across = torch.lerp(padded[:, 1:-1], 0.5 * (padded[:, :-2] + padded[:, 2:]), w)
            field = torch.lerp(across[1:-1], 0.5 * (across[:-2] + across[2:]), w)
        return field

    def along(self, source: torch.Tensor, displacement: torch.Tensor) -> torch.Tensor:
        """Integral of a source along the trajectories of one step [source unit x s].

        I(2 s) = I(s) + I(s) one s upstream, from I(STEP / 2 ** DOUBLINGS) = source x time.
        """
        seconds = STEP / 2**DOUBLINGS
        total: torch.Tensor = source * seconds
        for _ in range(DOUBLINGS):
            total = total + self.sample(total, self.departure(displacement, seconds))
            seconds *= 2.0
        return total


def advance_hour(
    plane: Plane, lower: torch.Tensor, upper: torch.Tensor, flow: HourOfFlow
) -> tuple[torch.Tensor, torch.Tensor]:
    """Carry both columns [mol m-2] through one hour.

    Parameters
    ----------
    plane : Plane
        Grid.
    lower, upper : torch.Tensor, shape (n_y, n_x)
        Columns of the boundary layer and of the residual layer at the hour's begin.
    flow : HourOfFlow
        Winds, losses, exchange and sources of the hour.

    Returns
    -------
    lower, upper : torch.Tensor
        Columns at the hour's end.

    Notes
    -----
    The upper layer, whose air moves more evenly, is carried in one step of an hour.
    """
    drift = plane.displacement(flow.lower_x, flow.lower_y)
    below = plane.departure(drift, STEP)
    above = plane.departure(plane.displacement(flow.upper_x, flow.upper_y), 2.0 * STEP)
    upper = plane.sample(upper, above)
    emitted = plane.along(flow.source, drift)
    emitted = emitted * (0.5 + 0.5 * flow.lower_keep)
    up, down = 0.5 * flow.lifted, 0.5 * flow.entrained
    for _ in range(2):
        lower = plane.sample(lower, below)
        lower = lower.mul_(flow.keep(lower)).add_(emitted)
        upper = upper.mul_(flow.upper_keep).add_(flow.upper_source * STEP)
        change = torch.addcmul(up * lower, down, upper, value=-1.0)
        lower = lower.sub_(change)
        upper = upper.add_(change)
    return plane.disperse(lower), plane.disperse(upper)


def refine(field: np.ndarray | torch.Tensor, factor: int) -> torch.Tensor:
    """Bilinear values of cell means (..., n_y, n_x) on cells `factor` times smaller."""
    tensor = torch.as_tensor(field, dtype=torch.float32)
    lead = tensor.shape[:-2]
    flat = tensor.reshape(1, -1, *tensor.shape[-2:])
    fine = functional.interpolate(flat, scale_factor=factor, mode="bilinear", align_corners=False)
    return fine.reshape(*lead, *fine.shape[-2:])
