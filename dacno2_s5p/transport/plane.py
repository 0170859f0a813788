"""Semi-Lagrangian steps on a plane of square cells.

A value is where its air was: c(x, t + dt) = c(x - u dt, t), bilinear between the centres of cells,
those of the edge beyond it. In a uniform wind amounts are kept exactly away from edges; a wind
without divergence keeps them to the error of the interpolation.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

DOUBLINGS = 3
"""Emissions along a path are added up in 2 ** 3 parts of a step."""


class Plane:
    """Cells of a plane.

    Parameters
    ----------
    shape : tuple of int
        Cells (n_y, n_x).
    spacing : float
        Width of a cell [m].
    """

    def __init__(self, shape: tuple[int, int], spacing: float) -> None:
        self.shape, self.spacing = shape, spacing
        n_y, n_x = shape
        y, x = torch.meshgrid(
            (2.0 * torch.arange(n_y, dtype=torch.float32) + 1.0) / n_y - 1.0,
            (2.0 * torch.arange(n_x, dtype=torch.float32) + 1.0) / n_x - 1.0,
            indexing="ij",
        )
        self._base = torch.stack([x, y], dim=-1)[None]
        self._scale = torch.tensor([2.0 / (n_x * spacing), 2.0 / (n_y * spacing)])

    def fine(self, fields: Tensor) -> Tensor:
        """Bring fields (n, h, w) of wider cells that fill the plane to its cells, bilinear."""
        size = list(self.shape)
        found: Tensor = functional.interpolate(
            fields[None], size=size, mode="bilinear", align_corners=False
        )
        return found[0]

    def wind(self, x: Tensor, y: Tensor) -> Tensor:
        """Return winds (n_y, n_x) [m s-1] in the plane's own units, for `carried`."""
        return (torch.stack([x, y], dim=-1) * self._scale)[None]

    def carried(self, field: Tensor, wind: Tensor, seconds: float) -> Tensor:
        """Carry a field (n_y, n_x) by a wind of `wind` for some time."""
        found: Tensor = functional.grid_sample(
            field[None, None],
            torch.add(self._base, wind, alpha=-seconds),
            mode="bilinear",
            padding_mode="border",
            align_corners=False,
        )
        return found[0, 0]

    def emitted(self, rate: Tensor, wind: Tensor, seconds: float) -> Tensor:
        """Integrate a rate along the paths that arrive after some time, which is carried on.

        By doubling: what was emitted in two successive parts is the sum of the later one and of
        the earlier one carried. Parts of an eighth of the step are emitted where they are.
        """
        part = seconds / 2**DOUBLINGS
        total: Tensor = rate * part
        for _ in range(DOUBLINGS):
            total = total + self.carried(total, wind, part)
            part *= 2.0
        return total

    def dispersed(self, field: Tensor, sigma: float) -> Tensor:
        """Spread a field by a Gaussian of a standard deviation [m], amounts kept."""
        variance = (sigma / self.spacing) ** 2
        passes = max(round(2.0 * variance), 1)
        share = variance / passes
        for _ in range(passes):
            for axis in (0, 1):
                n = field.shape[axis]
                first, last = field.narrow(axis, 0, 1), field.narrow(axis, n - 1, 1)
                before = torch.cat([first, field.narrow(axis, 0, n - 1)], dim=axis)
                after = torch.cat([field.narrow(axis, 1, n - 1), last], dim=axis)
                field = torch.lerp(field, 0.5 * (before + after), share)
        return field
