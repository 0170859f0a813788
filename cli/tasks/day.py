"""One day of `dacno2-s5p predict`: skip it or do it; on any process."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rich_click as click

from cli.console import note
from cli.options.network import named_paths
from dacno2_s5p.calibration.file import calibration_for, calibration_path, uncertainty_of
from dacno2_s5p.network.checkpoint import Checkpoint, load_checkpoint
from dacno2_s5p.network.runtime import tune_allocator
from dacno2_s5p.prediction.days import DayInputs, FileDays, StoreDays, inputs_checksum
from dacno2_s5p.prediction.predict import as_trained, predict_day, predict_spread
from dacno2_s5p.prediction.profile_files import profile_name, profiles_of_day
from dacno2_s5p.sources.paths import SourcePaths
from dacno2_s5p.store.store import Store
from retrieval.apriori.profile_file import write_profile_file
from retrieval.errors import OutputError
from retrieval.files.atomic import check_output, make_folder
from retrieval.files.provenance import fingerprint, stored_fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable

    from dacno2_s5p.calibration.factors import Calibration
    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.samples import Inputs


@dataclass(frozen=True)
class Prediction:
    """What all days of a call have in common: the options of the command.

    Attributes
    ----------
    history : str
        Time and command of the call, for the files.
    """

    checkpoints: tuple[Path, ...]
    workspace: Path
    folder: Path
    history: str
    sources: tuple[str, ...] = ()
    store: Path | None = None
    raw_uncertainty: bool = False
    patch_size: int | None = None
    bfloat16: bool = False
    allow_synthetic: bool = False
    overwrite: bool = False
    update: bool = False

    @property
    def wants_spread(self) -> bool:
        """Whether no2_uncertainty is written."""
        return len(self.checkpoints) > 1

    def path(self, day: np.datetime64) -> Path:
        """File of a day."""
        return self.folder / profile_name(day)


@dataclass(frozen=True)
class DayTask:
    """A day of a call."""

    prediction: Prediction
    day: np.datetime64
    dry_run: bool = False

    @property
    def folder(self) -> Path:
        """Folder of the output."""
        return self.prediction.folder


@dataclass(frozen=True)
class DayDone:
    """What became of a day."""

    path: Path
    is_skipped: bool = False


@dataclass(frozen=True)
class Opened:
    """Networks, source of inputs, and grid of a call."""

    models: list[Checkpoint]
    source: DayInputs
    grid: ModelGrid
    calibration: Calibration | None


@lru_cache(maxsize=1)
def opened(prediction: Prediction) -> Opened:
    """Open what a call needs, once a process; its `history` tells calls apart.

    Raises
    ------
    CheckpointError
        If the checkpoints were not made for these inputs.
    """
    tune_allocator()
    models = [load_checkpoint(path) for path in prediction.checkpoints]
    source = _source(models, prediction)
    grid = patches_of(source.grid, models[0], prediction.patch_size)
    calibration = None
    if prediction.wants_spread:
        calibration = calibration_for(models, raw=prediction.raw_uncertainty)
    if calibration is not None:
        note(f"uncertainty calibrated with {calibration_path(models[0].path)}")
    return Opened(models, source, grid, calibration)


def patches_of(grid: ModelGrid, model: Checkpoint, size: int | None) -> ModelGrid:
    """Cut the grid into patches of the size the network was trained on, or that asked for."""
    if size is None:
        return as_trained(grid, model.info)
    if size > min(grid.shape):
        msg = f"--patch must be at most {min(grid.shape)}, the grid's width. Given {size}."
        raise click.UsageError(msg)
    return grid if size == grid.patch_size else grid.with_patches(size)


def _source(models: list[Checkpoint], prediction: Prediction) -> DayInputs:
    """Open what the days come from, and refuse what the checkpoints were not made for."""
    own = models[0].info
    source: DayInputs
    if prediction.store is not None:
        if prediction.sources:
            msg = "both --store and --source are given. The days come from one of them."
            raise click.UsageError(msg)
        store = Store.open(prediction.store)
        models[0].require(grid=store.grid, inputs=store.table, preparation=store.preparation)
        source = StoreDays(store)
    else:
        paths = SourcePaths.in_folder(prediction.workspace, named_paths(prediction.sources))
        source = FileDays(paths, own, own.grid)
    for model in models:
        model.require(grid=source.grid, inputs=own.inputs, preparation=own.preparation)
        model.require_origin(source.origin, allow_synthetic=prediction.allow_synthetic)
        said = model.note_world(source.world)
        if said:
            logging.getLogger(__name__).warning("%s", said)
    return source


def do_day(task: DayTask, progress: Callable[[float, float], None] | None = None) -> DayDone:
    """Predict a day and write its file, unless it is done.

    A file is done when it carries the fingerprint of the same networks, inputs as the network sees
    them, and options.

    Raises
    ------
    DataError
        If an input is missing or not finite.
    OutputError
        If the file is there and made otherwise, or cannot be written.
    """
    prediction = task.prediction
    path = prediction.path(task.day)
    if not prediction.overwrite and path.exists() and not stored_fingerprint(path):
        check_output(path)
    if task.dry_run and (prediction.overwrite or not path.exists()):
        return DayDone(path)
    use = opened(prediction)
    inputs = use.source.read(task.day)
    made = _fingerprint(task, use, inputs)
    if not prediction.overwrite and path.exists():
        if stored_fingerprint(path) == made:
            return DayDone(path, is_skipped=True)
        if not prediction.update:
            raise OutputError(_made_otherwise(path))
    if not task.dry_run:
        make_folder(prediction.folder)
        try:
            _write(task, use, inputs, made, progress)
        except OutputError:
            if prediction.overwrite or stored_fingerprint(path) != made:
                raise
            return DayDone(path, is_skipped=True)  # another process was faster
    return DayDone(path)


def _fingerprint(task: DayTask, use: Opened, inputs: Inputs) -> str:
    prediction = task.prediction
    return fingerprint(
        "predict",
        day=str(task.day),
        checkpoints=[model.fingerprint for model in use.models],
        inputs=inputs_checksum(inputs),
        origin=use.source.origin,
        grid=[use.grid.name, *use.grid.shape, use.grid.patch_size],
        bfloat16=prediction.bfloat16,
        calibration=use.calibration and use.calibration.fingerprint,
    )


def _write(
    task: DayTask,
    use: Opened,
    inputs: Inputs,
    made: str,
    progress: Callable[[float, float], None] | None,
) -> None:
    prediction, models = task.prediction, use.models
    spread = None
    about: dict[str, str] = {}
    if prediction.wants_spread:
        field, spread = predict_spread(
            models, inputs, use.grid, bfloat16=prediction.bfloat16, progress=progress
        )
        spread, about = uncertainty_of(task.day, (field, spread), inputs, models, use.calibration)
    else:
        field = predict_day(
            models[0], inputs, use.grid, bfloat16=prediction.bfloat16, progress=progress
        )
    profiles = profiles_of_day(
        models[0],
        task.day,
        field,
        use.grid,
        spread=spread,
        members=models[1:],
        attributes=about | {"fingerprint": made},
        input_files=use.source.names(task.day),
        inputs_origin=use.source.origin,
        history=prediction.history,
    )
    write_profile_file(
        prediction.path(task.day), profiles, overwrite=prediction.overwrite or prediction.update
    )


def _made_otherwise(path: Path) -> str:
    return (
        f"Invalid output {path}. It must be new, or of the same checkpoint, inputs and options. "
        "Given one with other inputs or options, or of another version. Give --overwrite to "
        "replace it, or -o with another folder."
    )
