"""Muon for the kernels of convolutions, AdamW for all else, as one optimiser.

A kernel (out, in, k, k) is a matrix (out, in k k). Its momentum is replaced by the nearest
semi-orthogonal matrix, by five Newton-Schulz steps, so that all directions are learnt at the same
pace [1]. Half of AdamW's steps give the same score here (docs/decisions.md).

References
----------
.. [1] Jordan, K., et al.: Muon: an optimizer for hidden layers in neural networks, 2024,
   https://kellerjordan.github.io/posts/muon/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration in [1]: singular values go to 0.7 to 1.2 in five steps."""

STEPS = 5
MOMENTUM = 0.95

RATE = 2.0
"""Muon's rate over AdamW's."""

FEWEST = 9
"""Kernels of fewer output channels stay with AdamW: so few rows are no matrix to speak of."""


def orthogonalise(matrix: Tensor) -> Tensor:
    """Return about the nearest semi-orthogonal matrix (rows, columns).

    Examples
    --------
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch...>
    >>> values = torch.linalg.svdvals(orthogonalise(torch.randn(8, 20)))
    >>> bool((values > 0.6).all() and (values < 1.3).all())
    True
    """
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if is_tall else matrix
    x = x / (x.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(STEPS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if is_tall else x


def is_matrix(parameter: Tensor) -> bool:
    """Say whether Muon takes a parameter: kernels with enough output channels."""
    return parameter.ndim == 4 and parameter.shape[0] >= FEWEST


class MuonAdamW(torch.optim.AdamW):
    """AdamW whose groups with `muon=True` step by Muon.

    The rate of those groups is `RATE` times the group's, and a kernel's step is scaled by
    sqrt(max(1, rows / columns)), as in [1].
    """

    def __init__(self, groups: list[dict[str, Any]], lr: float) -> None:
        super().__init__([{"muon": False, **group} for group in groups], lr=lr)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take a step, with the gradients that are there."""
        groups = self.param_groups
        self.param_groups = [group for group in groups if not group["muon"]]
        try:
            super().step(closure)
        finally:
            self.param_groups = groups
        for group in groups:
            if group["muon"]:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._advance(parameter, group["lr"], group["weight_decay"])

    def _advance(self, kernel: Tensor, rate: float, decay: float) -> None:
        state = self.state[kernel]
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
            state["step"] = torch.zeros(())  # AdamW looks for it when a state is loaded
        momentum, gradient = state["momentum"], kernel.grad
        assert gradient is not None
        momentum.lerp_(gradient, 1.0 - MOMENTUM)
        ahead = torch.lerp(gradient, momentum, MOMENTUM).flatten(1)
        step = orthogonalise(ahead)
        size = max(1.0, step.shape[0] / step.shape[1]) ** 0.5
        kernel.mul_(1.0 - rate * decay)
        kernel.add_(step.view_as(kernel), alpha=-rate * RATE * size)
