"""From predicted fields to the profile file (docs/formats.md 6), with where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import netCDF4
import numpy as np

from dacno2_s5p.network.checkpoint import package_versions
from dacno2_s5p.sources.weather.windows import target_hours
from retrieval.apriori.profile_file import Profiles
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.network.checkpoint import Checkpoint

REFERENCES = (
    "Sun et al. (2026), DACNO2; https://doi.org/10.5281/zenodo.16986854 (data of the paper)"
)
"""`references` of a profile file."""

HALF_HOUR = np.timedelta64(30, "m")
"""A field stamped with an hour stands for half an hour before and after."""


def profile_name(day: np.datetime64) -> str:
    """Return the name of a day's profile file.

    Examples
    --------
    >>> profile_name(np.datetime64("2023-06-01"))
    'dacno2_20230601.nc'
    """
    return f"dacno2_{str(day.astype('datetime64[D]')).replace('-', '')}.nc"


def window_bounds(window: str, day: np.datetime64) -> NDArray[np.datetime64]:
    """Return begin and end of a day's target window [UTC], shape (2,).

    Examples
    --------
    >>> [str(time)[11:16] for time in window_bounds("11-13", np.datetime64("2023-06-01"))]
    ['10:30', '13:30']
    """
    hours = target_hours(window)
    midnight = day.astype("datetime64[D]").astype("datetime64[ms]")
    ends = np.array([hours[0], hours[-1]]) * np.timedelta64(1, "h")
    return np.asarray(midnight + ends + np.array([-HALF_HOUR, HALF_HOUR]))


def profiles_of_day(
    model: Checkpoint,
    day: np.datetime64,
    no2: NDArray[np.floating],
    grid: ModelGrid | None = None,
    *,
    spread: NDArray[np.floating] | None = None,
    members: Sequence[Checkpoint] = (),
    attributes: Mapping[str, str] | None = None,
    input_files: Sequence[str] = (),
    inputs_origin: str = "real",
    history: str = "dacno2-s5p predict",
) -> Profiles:
    """Make the contents of a day's profile file from a predicted field.

    Parameters
    ----------
    model : Checkpoint
        The network that predicted.
    day : datetime64
    no2 : ndarray, shape (n_height, n_y, n_x)
        As `predict_day` returns it [ug m-3].
    grid : ModelGrid, optional
        Grid of the field; by default the checkpoint's.
    spread : ndarray, shape of `no2`, optional
        1 sigma [ug m-3].
    members : sequence of Checkpoint
        Further members of an ensemble.
    attributes : mapping of str to str, optional
        Further ones, as how `spread` was made.
    input_files : sequence of str
        Names of what was read.
    inputs_origin : {"real", "synthetic"}
        What the inputs are.
    history : str
        The command and when it ran.

    Returns
    -------
    Profiles
        One time: the middle of the target window, with its bounds; concentrations in mol m-3.
    """
    info = model.info
    bounds = window_bounds(info.preparation.target_window, day)
    used = (model, *members)
    origins = {member.info.training_data for member in used}
    about = {
        "title": f"DACNO2-S5P NO2 profiles of {day}",
        "institution": "dacno2-s5p",
        "source": _source(model, origins, inputs_origin),
        "history": history,
        "references": REFERENCES,
        "checkpoint": ", ".join(member.path.name for member in used),
        "checkpoint_sha256": ", ".join(member.fingerprint for member in used),
        "checkpoint_phase": str(info.phase),
        "input_files": ", ".join(input_files),
        "software": ", ".join(f"{name} {number}" for name, number in package_versions().items()),
    }
    if "synthetic" in {*origins, inputs_origin}:
        about["training_data"] = "synthetic"
    if spread is not None:
        about["uncertainty"] = "standard deviation of an ensemble"
    return Profiles(
        no2=_concentration(no2)[None],
        height=np.asarray(info.preparation.heights, dtype=np.float64),
        grid=(grid or info.grid).cells(),
        time=np.array([bounds[0] + (bounds[1] - bounds[0]) // 2]),
        time_bounds=bounds[None],
        uncertainty=None if spread is None else _concentration(spread)[None],
        attributes={**about, **(attributes or {})},
    )


def _source(model: Checkpoint, origins: set[str], inputs_origin: str) -> str:
    """Say what made the field; the word synthetic is never lost on the way."""
    world = model.info.trained_world or "twin world"
    data = f"synthetic data ({world})" if "synthetic" in origins else "real data"
    return (
        f"DACNO2-S5P network of phase {model.info.phase}, trained on {data}; "
        f"{inputs_origin} inputs; mean of {model.info.preparation.target_window} UTC"
    )


def _concentration(field: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(field * np.float32(MICROGRAM_M3_TO_MOL_M3))


def made_by(path: Path) -> str:
    """Return the fingerprints in a profile file, empty where it is none of ours."""
    try:
        with netCDF4.Dataset(path) as dataset:
            return str(getattr(dataset, "checkpoint_sha256", ""))
    except OSError:
        return ""
