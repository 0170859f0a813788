"""Days to predict from: a store, or the users' files read as they are."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.day import InputSources
from dacno2_s5p.sources.paths import training_data_of, world_of
from dacno2_s5p.store.store import day_path
from dacno2_s5p.store.transported import TransportedFiles

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.samples import Inputs
    from dacno2_s5p.network.checkpoint import CheckpointInfo
    from dacno2_s5p.sources.paths import SourcePaths
    from dacno2_s5p.store.store import Store


class DayInputs(Protocol):
    """Inputs of whole days."""

    @property
    def grid(self) -> ModelGrid:
        """Grid of the inputs."""

    @property
    def origin(self) -> str:
        """`real` or `synthetic`."""

    @property
    def world(self) -> str:
        """Kind of twin world, empty for real inputs (`sources.paths.world_named`)."""

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks, nothing where it is complete."""

    def read(self, day: np.datetime64) -> Inputs:
        """Return a day's inputs on the whole grid, in the units of the table."""

    def names(self, day: np.datetime64) -> list[str]:
        """Name what a day is read from."""

    def close(self) -> None:
        """Close files."""


def inputs_checksum(inputs: Inputs) -> str:
    """Return the SHA-256 of a day's inputs as the network sees them.

    Whatever files they were read from, equal inputs have equal checksums.
    """
    checksum = hashlib.sha256()
    for group, tensor in inputs.groups.items():
        values = tensor.contiguous().numpy()
        checksum.update(f"{group} {values.dtype} {values.shape}".encode())
        checksum.update(values.data)
    return checksum.hexdigest()


class StoreDays:
    """Days of a store.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @property
    def grid(self) -> ModelGrid:
        """Grid of the store."""
        return self.store.grid

    @property
    def origin(self) -> str:
        """What the store's source files say."""
        return self.store.training_data

    @property
    def world(self) -> str:
        """Kind of twin world of the store's days."""
        return self.store.world

    def missing(self, day: np.datetime64) -> list[str]:
        """Say that the store does not hold a day."""
        try:
            self.store.index(day)
        except DataError as error:
            return [str(error)]
        return []

    def read(self, day: np.datetime64) -> Inputs:
        """Return a day's inputs."""
        return self.store.day_inputs(self.store.index(day))

    def names(self, day: np.datetime64) -> list[str]:
        """Name the chunk of the day."""
        return [f"{self.store.folder.name}/{day_path(self.store.folder, day).name}"]

    def close(self) -> None:
        """Nothing is held open."""


class FileDays:
    """Days straight from the users' files, prepared as a checkpoint asks for.

    Parameters
    ----------
    paths : SourcePaths
    info : CheckpointInfo
        Table of inputs and preparation of the checkpoint.
    grid : ModelGrid
        Grid to prepare them on.

    Raises
    ------
    DataError
        If rasters are missing: they concern every day.
    """

    def __init__(self, paths: SourcePaths, info: CheckpointInfo, grid: ModelGrid) -> None:
        self._paths = paths
        self.grid = grid
        self._sources = InputSources(paths, info.inputs, info.preparation, grid)
        self._has_forecast = "cams" in info.inputs.groups
        self._static: dict[str, NDArray[np.float32]] | None = None
        self._carried = TransportedFiles(
            paths, self._rasters, grid, info.inputs, info.preparation, self._sources
        )
        lacking = self._sources.missing_static()
        if lacking:
            msg = (
                "Missing rasters. All must be in the workspace. Given none of "
                f"{'; '.join(lacking)}. Put them there or name them by --source NAME=PATH; "
                "dacno2-s5p prepare --what-to-download says where they are from."
            )
            raise DataError(msg)

    @property
    def origin(self) -> str:
        """What the files say."""
        return training_data_of(self._paths)

    @property
    def world(self) -> str:
        """Kind of twin world that the files name."""
        return world_of(self._paths)

    def missing(self, day: np.datetime64) -> list[str]:
        """Say what a day lacks."""
        return self._sources.missing(day) + self._carried.missing(day)

    def read(self, day: np.datetime64) -> Inputs:
        """Return a day's inputs; rasters are read once, of the first day's year or the nearest."""
        if self._static is None:
            self._sources.year = int(str(day)[:4])
        inputs = self._sources.inputs(day, self._rasters())
        carried = {name: torch.from_numpy(maps) for name, maps in self._carried.day(day).items()}
        return replace(inputs, **carried)

    def _rasters(self) -> dict[str, NDArray[np.float32]]:
        if self._static is None:
            self._static = self._sources.static_maps()
        return self._static

    def names(self, day: np.datetime64) -> list[str]:
        """Name the files of each source that concern the day."""
        unread = {"cams", "eea", *(() if self._has_forecast else ("cams_forecast",))}
        wanted = [name for name in self._paths.names() if name not in unread]
        named = [f"{name}: {_files_of_day(getattr(self._paths, name), day)}" for name in wanted]
        return [*named, *self._sources.choices_of(day)]

    def close(self) -> None:
        """Close files."""
        self._sources.close()
        self._carried.close()


SHOWN_FILES = 12
"""Files of a source that are named; of more, the number."""


def _files_of_day(path: Path, day: np.datetime64) -> str:
    """Name a source's files: those whose names carry the day or the one before, month or year."""
    if path.is_file():
        return path.name
    names = sorted(p.name for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
    date = day.astype("datetime64[D]")
    found = names
    for labels in (
        [str(date), str(date - np.timedelta64(1, "D"))],
        [str(date)[:7]],
        [str(date)[:4]],
    ):
        spelled = [form for text in labels for form in _spellings(text)]
        dated = [name for name in names if any(form in name for form in spelled)]
        if dated:
            found = dated
            break
    rest = len(found) - SHOWN_FILES
    return ", ".join(found[:SHOWN_FILES]) + (f" and {rest} more" if rest > 0 else "")


def _spellings(date: str) -> tuple[str, str, str]:
    return date, date.replace("-", ""), date.replace("-", "_")
