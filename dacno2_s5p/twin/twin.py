"""The twin world as one object: the true world, and what two models make of it."""

from __future__ import annotations

from functools import cached_property

from dacno2_s5p.twin.models.cams_model import CamsModel
from dacno2_s5p.twin.models.tm5_model import Tm5Model
from dacno2_s5p.twin.true_world import TrueWorld


class Twin(TrueWorld):
    """The twin world of a seed, with its two models.

    Parameters
    ----------
    seed : int
        Seed of everything invented; the same seed is the same world.
    version : TwinVersion
        What is left between its truth and what a network sees of it.
    """

    @cached_property
    def cams(self) -> CamsModel:
        """The CAMS-like model."""
        return CamsModel(self)

    @cached_property
    def tm5(self) -> Tm5Model:
        """The TM5-like model."""
        return Tm5Model(self)
