"""The training store: days of inputs and targets, their statistics, and where they come from.

    STORE/
      store.json                      grid, table, preparation, days, stations, statistics, origin
      static.safetensors              rasters, once
      months/2019-07.safetensors      emissions of a month
      days/2019-07-01.safetensors     weather, target and stations of a day

`store.json` is written last: without it the store is not finished. Data only, nothing pickled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs.grid import CAMS_FACTOR, ModelGrid, Patch
from dacno2_s5p.inputs.normalisation import InputStatistics, TargetScaling
from dacno2_s5p.inputs.samples import GROUP_FACTORS, NO_STATIONS, Inputs, Stations
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.sources.day import FINE_GROUPS, MONTHLY
from dacno2_s5p.sources.paths import world_named
from dacno2_s5p.store.chunks import MANIFEST, has_array, read_array
from retrieval.files.damage import content_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

FORMAT = 1
"""Version of `store.json`; raised when older readers would misread it."""

DAY_GROUPS = ("temporal", "single", "multi")
"""Groups in the chunk of a day."""

STORED_NAMES = {"cams": "cams_forecast"}
"""Arrays of a day's chunk that are not named as their group; `cams` is the target."""

Role = Literal["training", "evaluation", "all"]
"""Stations that are trained on, those held back, or both."""


def day_path(folder: Path, day: np.datetime64) -> Path:
    """Return the chunk of a day."""
    return folder / "days" / f"{day}.safetensors"


def month_path(folder: Path, month: np.datetime64) -> Path:
    """Return the chunk of a month."""
    return folder / "months" / f"{month.astype('datetime64[M]')}.safetensors"


def static_path(folder: Path) -> Path:
    """Return the chunk of what never changes."""
    return folder / "static.safetensors"


@dataclass(frozen=True)
class Store:
    """A finished store, or some of its days; a `DaySource` for training.

    Attributes
    ----------
    folder : Path
    grid : ModelGrid
    table : InputTable
    preparation : Preparation
    days : tuple of datetime64
        In time order.
    manifest : dict
        All of `store.json`.
    """

    folder: Path
    grid: ModelGrid
    table: InputTable
    preparation: Preparation
    days: tuple[np.datetime64, ...]
    manifest: dict[str, Any] = field(repr=False)

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open a store with all its days.

        Raises
        ------
        DataError
            If it is none, not finished, or of a newer version.
        """
        path = folder / MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            version = manifest["format"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            state = "an unfinished one" if (folder / "days").is_dir() else "none"
            msg = (
                f"Invalid store {folder}. It must be a finished store. Given {state}. Run prepare, "
                "which goes on where it stopped."
            )
            raise DataError(msg) from error
        if version != FORMAT:
            msg = (
                f"Invalid store {folder}. Its format must be {FORMAT}. Given {version}. Prepare it "
                "again, or update the package."
            )
            raise DataError(msg)
        with manifest_errors(path):
            store = cls(
                folder,
                ModelGrid.from_dict(manifest["grid"]),
                InputTable.from_dict(manifest["inputs"]),
                Preparation.from_dict(manifest["preparation"]),
                tuple(np.datetime64(day, "D") for day in manifest["days"]),
                manifest,
            )
            _check_manifest(manifest)
        return store

    def select(
        self,
        *,
        split: Literal["training", "held", "all"] = "all",
        years: Iterable[int] | None = None,
        first: np.datetime64 | None = None,
        last: np.datetime64 | None = None,
    ) -> Store:
        """Return the store of some days.

        Parameters
        ----------
        split : {"training", "held", "all"}
            Days that made the statistics, those held back (a test year), or both.
        years : iterable of int, optional
        first, last : datetime64, optional
            Ends of a period, both included.

        Raises
        ------
        ConfigurationError
            If no day is left.
        """
        wanted = None if years is None else {int(y) for y in years}
        chosen = tuple(
            day
            for day in self.days
            if split in ("all", self.manifest["days"][str(day)]["split"])
            and (wanted is None or int(str(day)[:4]) in wanted)
            and (first is None or day >= first)
            and (last is None or day <= last)
        )
        if not chosen:
            msg = (
                f"Invalid selection of {self.folder}. Some days must be left. Given none of "
                f"{len(self.days)}. Ask for {self.days[0]} to {self.days[-1]}."
            )
            raise ConfigurationError(msg)
        return replace(self, days=chosen)

    @property
    def n_day(self) -> int:
        """Number of days."""
        return len(self.days)

    @cached_property
    def statistics(self) -> InputStatistics:
        """Means and deviations of the training days.

        Raises
        ------
        DataError
            If the store has no targets: it serves prediction with a checkpoint's statistics.
        """
        with manifest_errors(self.folder / MANIFEST):
            return InputStatistics.from_dict(self._of_training("statistics"))

    @cached_property
    def scaling(self) -> TargetScaling:
        """Layer ratios and target scale of the training days.

        Raises
        ------
        DataError
            If the store has no targets.
        """
        with manifest_errors(self.folder / MANIFEST):
            moments = self._of_training("target")
            return TargetScaling.from_moments(moments["mean"], moments["std"])

    def _of_training(self, entry: str) -> dict[str, Any]:
        values: dict[str, Any] | None = self.manifest[entry]
        if values is None:
            msg = (
                f"Invalid store {self.folder}. Training needs targets. Given a store without. "
                "Prepare it with CAMS files."
            )
            raise DataError(msg)
        return values

    @property
    def training_data(self) -> str:
        """`synthetic` where a source file says so, else `real`."""
        return str(self.manifest["training_data"])

    @property
    def world(self) -> str:
        """Kind of twin world that the days are of (`sources.paths.world_named`); empty if none."""
        found = self.manifest.get("world") or self.manifest.get("sources", {}).get("twin", "")
        return world_named(str(found))

    @cached_property
    def manifest_hash(self) -> str:
        """SHA-256 of `store.json`, for checkpoints."""
        return sha256((self.folder / MANIFEST).read_bytes()).hexdigest()

    def index(self, day: np.datetime64) -> int:
        """Return the index of a day.

        Raises
        ------
        DataError
            If the store does not hold it.
        """
        wanted = day.astype("datetime64[D]")
        if wanted not in self.days:
            reasons = self.manifest.get("left_out", {}).get(str(wanted), ["not prepared"])
            msg = (
                f"Missing day {wanted}. The store must hold it. Given {self.folder}, without: "
                f"{'; '.join(reasons)}. Prepare it."
            )
            raise DataError(msg)
        return self.days.index(wanted)

    @cached_property
    def _static(self) -> dict[str, NDArray[np.float32]]:
        names = [v.name for g in FINE_GROUPS for v in self.table.group(g) if v.source != MONTHLY]
        return {name: read_array(static_path(self.folder), name) for name in names}

    def inputs(self, day: int, patch: Patch) -> Inputs:
        """Return one sample's inputs in the units of the table."""
        path = day_path(self.folder, self.days[day])
        found = {"temporal": torch.from_numpy(read_array(path, "temporal"))}
        for group in self.table.groups:
            if group in FINE_GROUPS:
                found[group] = self._cut(group, day, patch.slices())
            elif group in GROUP_FACTORS:
                found[group] = self._of_day(day, group, *patch.slices(GROUP_FACTORS[group]))
        return Inputs(**found)

    def day_inputs(self, day: int) -> Inputs:
        """Return a day's inputs on the whole grid."""
        whole = (slice(0, self.grid.n_y), slice(0, self.grid.n_x))
        fine = {group: self._cut(group, day, whole) for group in FINE_GROUPS}
        others = [group for group in self.table.groups if group not in FINE_GROUPS]
        return Inputs(**fine, **{group: self._of_day(day, group) for group in others})

    def _of_day(self, day: int, group: str, *window: slice) -> Tensor:
        """Read a group of a day, some of them kept as float16, as float32."""
        path = day_path(self.folder, self.days[day])
        values = read_array(path, STORED_NAMES.get(group, group), *window)
        return torch.from_numpy(values.astype(np.float32, copy=False))

    def _cut(self, group: str, day: int, window: tuple[slice, slice]) -> Tensor:
        month = month_path(self.folder, self.days[day])
        maps = [
            read_array(month, v.name, *window)
            if v.source == MONTHLY
            else self._static[v.name][(slice(None), *window)]
            for v in self.table.group(group)
        ]
        return torch.from_numpy(np.concatenate(maps))

    def cams(self, day: int, patch: Patch) -> Tensor | None:
        """Return CAMS NO2 [ug m-3], shape (n_level, H / 4, W / 4), None where there is none."""
        path = day_path(self.folder, self.days[day])
        if not has_array(path, "cams"):
            return None
        return torch.from_numpy(read_array(path, "cams", *patch.slices(CAMS_FACTOR)))

    def cams_field(self, day: int) -> NDArray[np.float32]:
        """Return CAMS NO2 of a day on the whole 8 km grid [ug m-3]."""
        return np.asarray(read_array(day_path(self.folder, self.days[day]), "cams"))

    def stations(self, day: int, role: Role = "training") -> Stations:
        """Return the day's station cells with a valid mean; by default those trained on."""
        path = day_path(self.folder, self.days[day])
        if not has_array(path, "station_cell"):
            return NO_STATIONS
        cells = self.station_cells(day)
        index = read_array(path, "station_cell")
        values = read_array(path, "station_value").astype(np.float64)
        if index.size and not 0 <= index.min() <= index.max() < len(cells):
            msg = (
                f"Invalid store {self.folder}. Its manifest must hold all station cells of a day. "
                f"Given {len(cells)} cells, and number {index.max()} on {self.days[day]}. Run "
                "prepare again; it writes the manifest anew."
            )
            raise DataError(msg)
        held = np.array([c["is_evaluation"] for c in cells], dtype=bool)[index]
        chosen = {"training": ~held, "evaluation": held, "all": np.ones_like(held)}[role]
        rows = np.array([c["row"] for c in cells], dtype=np.int64)[index]
        columns = np.array([c["column"] for c in cells], dtype=np.int64)[index]
        n = int(chosen.sum())
        return Stations(rows[chosen], columns[chosen], values[chosen], np.ones(n))

    def station_cells(self, day: int) -> Sequence[dict[str, Any]]:
        """Return what is known of the station cells of a day's year: place, members, kind, area."""
        cells: Sequence[dict[str, Any]] = self.manifest["stations"].get(str(self.days[day])[:4], [])
        return cells


def manifest_errors(path: Path) -> AbstractContextManager[None]:
    """Turn what an odd `store.json` raises into one line."""
    return content_errors(
        path,
        DataError,
        what="store",
        rule="have a manifest as prepare writes it",
        advice="Run prepare again; it writes the manifest anew",
    )


def _check_manifest(manifest: dict[str, Any]) -> None:
    """Look at what is read later, so that a fault is told when the store is opened."""
    splits = {entry["split"] for entry in manifest["days"].values()}
    if not manifest["days"] or not splits <= {"training", "held"}:
        msg = f"days with the splits {sorted(map(str, splits))}"
        raise ValueError(msg)
    for cells in manifest["stations"].values():
        for cell in cells:
            _ = int(cell["row"]), int(cell["column"]), bool(cell["is_evaluation"])
    _ = manifest["statistics"], manifest["target"], manifest["training_data"]
    if not isinstance(manifest.get("left_out", {}), dict):
        msg = f"left-out days {manifest['left_out']!r}"
        raise TypeError(msg)
