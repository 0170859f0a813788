"""The choices of a simulation in one checked value."""

from __future__ import annotations

from dataclasses import dataclass, field

from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.simulate.options import Failures

POLYGON, SUPER_GAUSSIAN = "polygon", "super-gaussian"
STANDARD, MODEL = "standard", "model"


@dataclass(frozen=True)
class SimulationOptions:
    """Choices of a simulation.

    Attributes
    ----------
    slant_noise : float
        Standard deviation of the slant column [mol m-2]; 0.55e15 molec cm-2 by default, 0 switches
        it off (the precisions in the file stay).
    stratosphere_error : float
        Standard deviation of a smooth error of the assimilated stratosphere [mol m-2].
    response : {"polygon", "super-gaussian"}
        How a pixel weighs the truth under it.
    heights : {"standard", "model"}
        Atmosphere that tells the heights of layers: the standard one, as the retrieval takes it
        without meteorology, or the model's temperatures, as with them. The same choice in both
        makes the retrieval exact.
    failures : Failures
        Rates of failed pixels, dead rows, missing scanlines; `Failures.none()` for none.
    seed : int
        Of noise, failures and the stratosphere's error, together with the orbit number.
    block : int
        Scanlines computed at once; bounds memory, changes nothing else.
    keep_profiles : bool
        Keep the true and the a-priori partial columns in memory (for tests and figures).

    Raises
    ------
    ValueError
        If a choice is unknown.
    """

    slant_noise: float = 0.55e15 / MOLEC_CM2_PER_MOL_M2
    stratosphere_error: float = 0.0
    response: str = POLYGON
    heights: str = STANDARD
    failures: Failures = field(default_factory=Failures)
    seed: int = 0
    block: int = 64
    keep_profiles: bool = False

    def __post_init__(self) -> None:
        for name, allowed in (
            ("response", (POLYGON, SUPER_GAUSSIAN)),
            ("heights", (STANDARD, MODEL)),
        ):
            if getattr(self, name) not in allowed:
                msg = (
                    f"Invalid {name}. It must be one of {', '.join(allowed)}. "
                    f"Given {getattr(self, name)!r}. Choose one of them."
                )
                raise ValueError(msg)
