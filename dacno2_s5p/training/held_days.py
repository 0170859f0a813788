"""Days of training, normalised once and held in memory where they fit.

A crop read from the store and normalised costs a tenth to a half of a step of a lean network. Held
as float16, whose 11 bits are more than the network's own where it runs in bfloat16, a day with
eight weather steps takes some 13 MB. What is held and what is not gives the same bits: crops of
days that do not fit are rounded in the same way.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch

from dacno2_s5p.inputs.grid import Patch
from dacno2_s5p.inputs.samples import GROUP_FACTORS, Inputs
from dacno2_s5p.sources.day import FINE_GROUPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from dacno2_s5p.inputs.normalisation import Normaliser
    from dacno2_s5p.inputs.samples import Crop, DaySource

logger = logging.getLogger(__name__)

BUDGET = 6 << 30
"""Bytes that held days may take."""


class HeldDays:
    """Normalised crops of a source's days.

    Parameters
    ----------
    source : DaySource
    normaliser : Normaliser
    budget : int
        Bytes; days are held in the order they are asked for until it is used up.
    """

    def __init__(self, source: DaySource, normaliser: Normaliser, budget: int = BUDGET) -> None:
        self._source, self._normaliser, self._left = source, normaliser, budget
        self._days: dict[int, dict[str, Tensor]] = {}
        self._maps: dict[tuple[str, bytes], Tensor] = {}

    def batch(self, crops: Sequence[Crop]) -> Inputs:
        """Return normalised crops as a batch of float32."""
        return Inputs.stack([self._crop(crop) for crop in crops])

    def _crop(self, crop: Crop) -> Inputs:
        day = self._days.get(crop.day)
        if day is None and self._left > 0:
            day = self._hold(crop.day)
        if day is None:
            raw = Inputs.stack([self._source.inputs(crop.day, crop.patch)])
            cut = {k: rounded(v[0]) for k, v in self._normaliser.normalise(raw).groups.items()}
        else:
            cut = {
                group: values[(..., *crop.patch.slices(GROUP_FACTORS[group]))]
                if group in GROUP_FACTORS
                else values
                for group, values in day.items()
            }
        return Inputs(**{group: values.float() for group, values in cut.items()})

    def _hold(self, day: int) -> dict[str, Tensor] | None:
        """Normalise a whole day and keep it, None where it does not fit."""
        grid = self._source.grid
        whole = getattr(self._source, "day_inputs", None)
        if whole is None:  # days in memory have patches only: those of one size
            if grid.n_y != grid.n_x:
                return None
            raw = self._source.inputs(day, Patch(0, 0, grid.n_y))
        else:
            raw = whole(day)
        normalised = self._normaliser.normalise(Inputs.stack([raw])).groups
        held = {}
        for group, values in normalised.items():
            held[group] = self._shared(group, rounded(values[0]))
        self._days[day] = held
        self._left -= sum(v.nbytes for k, v in held.items() if k not in FINE_GROUPS)
        if self._left <= 0:
            logger.info("%d days held in memory; the others are read as they come", len(self._days))
        return held

    def _shared(self, group: str, values: Tensor) -> Tensor:
        """Return maps of a month or of all days only once."""
        if group not in FINE_GROUPS:
            return values
        key = group, values.sum(dim=(1, 2), dtype=torch.float64).numpy().tobytes()
        if key not in self._maps:
            self._maps[key] = values
            self._left -= values.nbytes
        return self._maps[key]


def rounded(values: Tensor) -> Tensor:
    """Return the values as float16, within its range: deviations are some tens at most."""
    return values.clamp(-6e4, 6e4).half()
