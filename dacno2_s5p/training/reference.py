"""The phase-2 fields that phase 3 must keep the structure of, Eq. 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from dacno2_s5p.inputs.grid import CAMS_FACTOR
from dacno2_s5p.training.losses import FLAT_RANGE
from dacno2_s5p.training.similarity import scale_slices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from dacno2_s5p.inputs.samples import Crop, Inputs
    from dacno2_s5p.network.dacno2 import Dacno2


class Reference:
    """Structure of the frozen phase-2 network on the CAMS grid, computed once for fixed samples.

    Random crops, which hardly come again, are computed anew. Slices are kept scaled to 0-1, as the
    loss compares them, in float16: 290 MB for the 12 x 365 samples of a year. Unscaled, float16
    would be noise where a layer varies little about a large mean. Flat slices are kept as 0 and so
    stay flat.

    Parameters
    ----------
    network : Dacno2
        The phase-2 network; copied by the caller where it is trained on.
    is_fixed : callable
        Says of a sample whether it comes again, and is to be kept.
    """

    def __init__(self, network: Dacno2, is_fixed: Callable[[Crop], bool]) -> None:
        self._network = network.eval()
        self._is_fixed = is_fixed
        self._fields: dict[Crop, Tensor] = {}

    @torch.no_grad()
    def fields(self, crops: Sequence[Crop], inputs: Inputs) -> Tensor:
        """Return slices (B, n_level, H / 4, W / 4), 0-1, for a batch of normalised inputs."""
        found = []
        for i, crop in enumerate(crops):
            field = self._fields.get(crop)
            if field is None:
                # one by one: the same bits however samples are put together, as resuming asks for
                field = self._compute(inputs.sample(i))
                if self._is_fixed(crop):
                    self._fields[crop] = field
            found.append(field)
        return torch.stack(found).float()

    def _compute(self, inputs: Inputs) -> Tensor:
        pooled = functional.avg_pool2d(self._network(inputs)[0], CAMS_FACTOR)
        flat = pooled.amax((1, 2)) - pooled.amin((1, 2)) <= FLAT_RANGE
        return scale_slices(pooled).masked_fill(flat[:, None, None], 0).half()
