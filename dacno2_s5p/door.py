"""What a notebook calls of the network: a day in, its profiles as one `xarray.Dataset` out."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from dacno2_s5p.network.checkpoint import Checkpoint, load_checkpoint
from dacno2_s5p.prediction import predict
from dacno2_s5p.prediction.days import DayInputs, FileDays, StoreDays
from dacno2_s5p.prediction.profile_files import profile_name, profiles_of_day
from dacno2_s5p.sources.paths import SourcePaths
from dacno2_s5p.store.chunks import MANIFEST
from dacno2_s5p.store.store import Store
from retrieval.apriori.profile_file import write_profile_file

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["predict_day"]


def predict_day(
    model: Checkpoint | str | Path,
    inputs: DayInputs | Store | str | Path,
    day: np.datetime64 | str,
    *,
    allow_synthetic: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Predict the NO2 profiles of a day.

    Parameters
    ----------
    model : Checkpoint or path
        The network.
    inputs : Store, path, or source of days
        A training store or its folder, or a workspace with the files that `prepare` asks for.
    day : datetime64 or str
        UTC date, "2023-06-01".
    allow_synthetic : bool
        Whether a network that was trained on the twin world may see real inputs.
    progress : callable, optional
        Called with patches done and to do.

    Returns
    -------
    xarray.Dataset
        What the command `predict` writes: `no2` [ug m-3] on (time, height, y, x), `latitude`,
        `longitude`, `time` with its bounds, provenance in `attrs`. `retrieval.substitute` takes
        it as an a-priori set.

    Raises
    ------
    CheckpointError
        If the network was not made for these inputs.
    DataError
        If an input is missing or not finite.
    """
    if not isinstance(model, Checkpoint):
        model = load_checkpoint(Path(model))
    date = np.datetime64(str(day), "D")
    source = _days(inputs, model)
    try:
        info = model.info
        model.require(grid=source.grid, inputs=info.inputs, preparation=info.preparation)
        model.require_origin(source.origin, allow_synthetic=allow_synthetic)
        grid = predict.as_trained(source.grid, info)
        field = predict.predict_day(model, source.read(date), grid, progress=progress)
        profiles = profiles_of_day(
            model,
            date,
            field,
            grid,
            input_files=source.names(date),
            inputs_origin=source.origin,
            history=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} dacno2_s5p.predict_day of {date}",
        )
    finally:
        if source is not inputs:
            source.close()
    with TemporaryDirectory() as scratch:
        path = write_profile_file(Path(scratch) / profile_name(date), profiles)
        with xr.open_dataset(path) as made:
            loaded: Any = made.load()
    return loaded  # type: ignore[no-any-return]


def _days(inputs: DayInputs | Store | str | Path, model: Checkpoint) -> DayInputs:
    if isinstance(inputs, Store):
        return StoreDays(inputs)
    if not isinstance(inputs, (str, Path)):
        return inputs
    folder = Path(inputs)
    if (folder / MANIFEST).is_file():
        return StoreDays(Store.open(folder))
    return FileDays(SourcePaths.in_folder(folder, {}), model.info, model.info.grid)
