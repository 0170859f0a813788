"""The file of a calibration, beside the checkpoint it is of."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING

from dacno2_s5p.calibration.factors import ALL, GAUSSIAN, Calibration
from dacno2_s5p.calibration.residuals import fingerprints, population_of, spread_text
from dacno2_s5p.errors import CheckpointError
from retrieval.files.tables import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from dacno2_s5p.inputs.samples import Inputs
    from dacno2_s5p.network.checkpoint import Checkpoint


FORMAT = 1
"""Version of the file."""

ENDING = ".calibration.json"
"""After the checkpoint's name without its suffix."""


def calibration_path(checkpoint: Path) -> Path:
    """Return the name of the file beside a checkpoint."""
    return checkpoint.with_name(checkpoint.stem + ENDING)


def write_calibration(path: Path, calibration: Calibration, *, overwrite: bool = False) -> None:
    """Write the file.

    Raises
    ------
    OutputError
        If it exists and may not be replaced.
    """
    text = json.dumps({"format": FORMAT, **asdict(calibration)}, indent=1)
    write_text(path, text + "\n", overwrite=overwrite)


def read_calibration(path: Path) -> Calibration:
    """Read the file.

    Raises
    ------
    CheckpointError
        If it is damaged or of another version.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        version = values.pop("format")
        values["checkpoints"] = tuple(values["checkpoints"])
        found = Calibration(**values)
        numbers = [*found.factors.values(), *(found.intervals[name] for name in GAUSSIAN)]
        is_whole = version == FORMAT and ALL in found.factors
        fault = "" if is_whole and all(0.0 < n < math.inf for n in numbers) else "its numbers"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(_message(path, repr(error))) from error
    if fault:
        raise CheckpointError(_message(path, fault))
    return found


def _message(path: Path, fault: str) -> str:
    return (
        f"Invalid calibration {path}. It must be a file written by calibrate. Given the fault "
        f"{fault}. Calibrate again, or give --raw-uncertainty."
    )


def calibration_for(models: Sequence[Checkpoint], *, raw: bool) -> Calibration | None:
    """Return the calibration beside the first checkpoint, None where there is none or it is off.

    It is of an ensemble as a whole: with the first members only there is none.

    Raises
    ------
    CheckpointError
        If it is of other checkpoints, of another kind of spread, or damaged.
    """
    path = calibration_path(models[0].path)
    if raw or not path.exists():
        return None
    found = read_calibration(path)
    if len(models) < len(found.checkpoints) and found.checkpoints[: len(models)] == fingerprints(
        models
    ):
        return None  # some members of those it is of: their spread is another
    found.require(fingerprints(models), spread_text(len(models)), str(path))
    return found


def uncertainty_of(
    day: np.datetime64,
    fields: tuple[NDArray[np.float32], NDArray[np.float32]],
    inputs: Inputs,
    models: Sequence[Checkpoint],
    calibration: Calibration | None,
) -> tuple[NDArray[np.float32], dict[str, str]]:
    """Return the uncertainty [ug m-3] of a day's NO2 and raw spread, and what to say of it."""
    no2, spread = fields
    how = spread_text(len(models))
    if calibration is None:
        return spread, {"uncertainty": f"raw {how}; not calibrated"}
    about = {
        "uncertainty": f"{how}; calibrated with stations on days held out, aloft as at the surface",
        "uncertainty_calibration_sha256": calibration.fingerprint,
    }
    about |= {f"uncertainty_interval_{k}": f"{v:.6g}" for k, v in calibration.intervals.items()}
    population = population_of(models[0].info.inputs, inputs)
    return calibration.sigma(spread, no2, day, population), about
