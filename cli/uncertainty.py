"""`no2_uncertainty` of `predict`: a raw spread, or one sigma where a calibration is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.console import note

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from dacno2_s5p.calibration.factors import Calibration
    from dacno2_s5p.inputs.samples import Inputs
    from dacno2_s5p.network.checkpoint import Checkpoint


def calibration_for(
    models: Sequence[Checkpoint], n_dropout: int, *, raw: bool
) -> Calibration | None:
    """Return the calibration beside the first checkpoint, None where there is none or it is off.

    Raises
    ------
    CheckpointError
        If it is of other checkpoints, of another kind of spread, or damaged.
    """
    from dacno2_s5p.calibration.file import calibration_path, read_calibration
    from dacno2_s5p.calibration.residuals import fingerprints, spread_text

    path = calibration_path(models[0].path)
    if raw or not path.exists():
        return None
    found = read_calibration(path)
    found.require(fingerprints(models), spread_text(len(models), n_dropout), str(path))
    note(f"uncertainty calibrated with {path}")
    return found


def uncertainty_of(
    day: np.datetime64,
    fields: tuple[NDArray[np.float32], NDArray[np.float32]],
    inputs: Inputs,
    models: Sequence[Checkpoint],
    n_dropout: int,
    calibration: Calibration | None,
) -> tuple[NDArray[np.float32], dict[str, str]]:
    """Return the uncertainty [ug m-3] of a day's NO2 and raw spread, and what to say of it."""
    from dacno2_s5p.calibration.residuals import population_of, spread_text

    no2, spread = fields
    how = spread_text(len(models), n_dropout)
    if calibration is None:
        return spread, {"uncertainty": f"raw {how}; not calibrated"}
    about = {
        "uncertainty": f"{how}; calibrated with stations on days held out, aloft as at the surface",
        "uncertainty_calibration_sha256": calibration.fingerprint,
    }
    about |= {f"uncertainty_interval_{k}": f"{v:.6g}" for k, v in calibration.intervals.items()}
    population = population_of(models[0].info.inputs, inputs)
    return calibration.sigma(spread, no2, day, population), about
