"""Forward simulator: what TROPOMI and its processor would make of a known truth.

The slant column is made from the true profile, averaged over the pixel and brought to its layers
by the very functions of the retrieval, with box air mass factors of the pixel's own light path;
the retrieval then is the operational one, with the model's a priori. The result is an L2 file in
the real layout and, apart from it, a file with the truth of every pixel.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retrieval.simulate.chain import Simulation
from retrieval.simulate.l2_file.layout import VARIANTS, Variant
from retrieval.simulate.l2_file.write import SCANLINE_CHUNK, write_l2_file
from retrieval.simulate.options import SimulationOptions
from retrieval.simulate.truth_file import write_truth_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from retrieval.apriori.base import AprioriSet
    from retrieval.physics.time_rules import TimeRule
    from retrieval.simulate.l2_file.content import L2Content
    from retrieval.simulate.scene import SurfaceScene
    from retrieval.simulate.swath import Swath
    from retrieval.simulate.tm5 import OperationalModel
    from retrieval.typing import Float

__all__ = ["SimulatedOrbit", "SimulationOptions", "simulate_orbit"]

logger = logging.getLogger(__name__)


@dataclass
class SimulatedOrbit:
    """A simulated orbit, in memory.

    Attributes
    ----------
    content : L2Content
        What the L2 file holds.
    variant : Variant
        The delivery it was made for.
    truth : dict of str to ndarray
        What the side file holds, shape (scanline, ground_pixel), float64.
    profiles : dict of str to ndarray
        With `keep_profiles`: `true_partial_column` and `apriori_partial_column` [mol m-2], and
        `temperature` [K], shape (scanline, ground_pixel, layer), NaN where there is no retrieval.
    """

    content: L2Content
    variant: Variant
    truth: dict[str, Float]
    profiles: dict[str, Float] = field(default_factory=dict)

    def write(
        self,
        path: str | Path,
        *,
        overwrite: bool = False,
        scanline_chunk: int = SCANLINE_CHUNK,
        truth_folder: str | Path | None = None,
    ) -> tuple[Path, Path]:
        """Write the L2 file and, beside it or elsewhere, the file with the truth.

        Returns
        -------
        tuple of Path
            The L2 file and the side file, `STEM_truth.nc`.
        """
        written = write_l2_file(
            path,
            self.content,
            variant=self.variant,
            scanline_chunk=scanline_chunk,
            overwrite=overwrite,
        )
        side = write_truth_file(
            written, self.content, self.truth, folder=truth_folder, overwrite=overwrite
        )
        return written, side


def simulate_orbit(
    truth: AprioriSet,
    model: OperationalModel,
    scene: SurfaceScene,
    swath: Swath,
    options: SimulationOptions | None = None,
    *,
    variant: Variant | str = "v2.4",
    time_rule: TimeRule | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SimulatedOrbit:
    """Simulate one orbit.

    Parameters
    ----------
    truth : AprioriSet
        True NO2 of the troposphere. Above its top, and in pixels that it does not cover, the
        model's a priori stands for the truth; the stratosphere always is the model's.
    model : OperationalModel
        TM5-MP: a priori, temperature, tropopause.
    scene : SurfaceScene
        Ground and clouds on the pixels of the swath.
    swath : Swath
        Pixels and times.
    options : SimulationOptions, optional
        Choices.
    variant : Variant or str
        The delivery to simulate.
    time_rule : TimeRule, optional
        How the truth is brought to the pixels' times; the rule of the set by default.
    progress : callable, optional
        Called with scanlines done and to do.

    Returns
    -------
    SimulatedOrbit

    Raises
    ------
    NoOverlapError
        If truth or model do not meet the orbit in place or time.
    """
    delivery = VARIANTS[variant] if isinstance(variant, str) else variant
    chain = Simulation(truth, model, scene, swath, options or SimulationOptions(), time_rule)
    n_scanline = swath.shape[0]
    step = chain.options.block
    for start in range(0, n_scanline, step):
        rows = slice(start, min(start + step, n_scanline))
        chain.compute(rows)
        if progress is not None:
            progress(rows.stop, n_scanline)
    content, columns, profiles = chain.finish(delivery)
    logger.info("simulated orbit %d: %d x %d pixels", swath.orbit, *swath.shape)
    return SimulatedOrbit(content, delivery, columns, profiles)
