"""The phase-2 fields that phase 3 must keep the structure of, Eq. 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from dacno2_s5p.inputs.grid import CAMS_FACTOR, ModelGrid, PatchMerger
from dacno2_s5p.inputs.samples import Crop
from dacno2_s5p.training.losses import FLAT_RANGE
from dacno2_s5p.training.similarity import scale_slices

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from dacno2_s5p.inputs.samples import Inputs
    from dacno2_s5p.network.dacno2 import Dacno2


class Reference:
    """Structure of the frozen phase-2 network on the CAMS grid, computed once a day.

    The whole day's field is kept, 0.9 MB of it on the shipped grid, so that random crops cost
    nothing more: each is cut out and scaled to 0-1, as the loss compares slices. Flat slices
    become 0 and so stay flat.

    Parameters
    ----------
    network : Dacno2
        The phase-2 network; copied by the caller where it is trained on.
    grid : ModelGrid
        In patches of the size that is trained on, merged as a prediction is.
    read : callable
        Returns the batch of normalised inputs of crops.
    bfloat16 : bool
        Run the network in it.
    """

    def __init__(
        self,
        network: Dacno2,
        grid: ModelGrid,
        read: Callable[[Sequence[Crop]], Inputs],
        *,
        bfloat16: bool = False,
    ) -> None:
        self._network = network.eval()
        self._grid, self._read, self._bfloat16 = grid, read, bfloat16
        self._fields: dict[int, Tensor] = {}

    def fields(self, crops: Sequence[Crop]) -> Tensor:
        """Return slices (B, n_level, H / 4, W / 4), 0-1, of crops."""
        return torch.stack([self._slices(crop) for crop in crops])

    def _slices(self, crop: Crop) -> Tensor:
        if crop.day not in self._fields:
            self._fields[crop.day] = self._field(crop.day)
        cut = self._fields[crop.day][(..., *crop.patch.slices(CAMS_FACTOR))]
        flat = cut.amax((1, 2)) - cut.amin((1, 2)) <= FLAT_RANGE
        return scale_slices(cut).masked_fill(flat[:, None, None], 0)

    @torch.no_grad()
    def _field(self, day: int) -> Tensor:
        """Predict a whole day on the CAMS grid [scaled units]."""
        merger = PatchMerger(self._grid, self._network.config.n_level)
        for patch in self._grid.patches():
            inputs = self._read([Crop(day, patch)])
            with torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16):
                predicted = self._network(inputs)[0]
            merger.add(patch, predicted.float().numpy())
        return functional.avg_pool2d(torch.from_numpy(merger.merged()), CAMS_FACTOR)
