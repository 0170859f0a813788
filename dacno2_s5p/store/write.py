"""Writing a store: chunks with their moments, then the manifest with the statistics.

Statistics are computed while writing: each chunk keeps count, mean and squared deviations of what
it holds, and those of the training days are merged at the end (`store_moments`), so that a
resumed run reads nothing twice.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.normalisation import StatisticsBuilder, Welford
from dacno2_s5p.inputs.samples import OPTIONAL_GROUPS
from dacno2_s5p.sources.day import FINE_GROUPS, group_maps
from dacno2_s5p.sources.paths import WORD
from dacno2_s5p.store.chunks import MANIFEST, fingerprint, read_about, read_array, write_chunk
from dacno2_s5p.store.moments import input_statistics, require_about, target_moments
from dacno2_s5p.store.store import (
    DAY_GROUPS,
    FORMAT,
    STORED_NAMES,
    day_path,
    month_path,
    static_path,
)
from retrieval.files.tables import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import InputTable, Preparation
    from dacno2_s5p.sources.cams.fields import Target

    Arrays = Mapping[str, NDArray[Any]]
    Records = Sequence[Mapping[str, Any]]

ONE_WRITER = "One process at a time prepares it"


@dataclass(frozen=True)
class StoreWriter:
    """Writes the chunks of a store and its manifest.

    Attributes
    ----------
    folder : Path
        Created when needed.
    grid : ModelGrid
    table : InputTable
    preparation : Preparation
    overwrite : bool
        Write chunks again that are there.
    origin : {"real", "synthetic"}
        What the chunks are made from; kept in each.
    world : str
        Kind of twin world that they are of, for the manifest.
    """

    folder: Path
    grid: ModelGrid
    table: InputTable
    preparation: Preparation
    overwrite: bool = False
    origin: str = "real"
    world: str = ""

    @property
    def settings(self) -> dict[str, Any]:
        """Everything the chunks depend on but their sources."""
        return {
            "format": FORMAT,
            "grid": self.grid.to_dict(),
            "inputs": self.table.to_dict(),
            "preparation": self.preparation.to_dict(),
        }

    def mark(self, **more: Any) -> str:
        """Return the fingerprint of settings and what else a chunk depends on."""
        return fingerprint({**self.settings, **more})

    def has(self, path: Path, mark: str) -> bool:
        """Say whether a chunk is there, whole, and made with the same settings."""
        if self.overwrite:
            return False
        about = read_about(path)
        return about is not None and about.get("mark") == mark

    def write_static(self, maps: Arrays, mark: str, choices: Records = ()) -> None:
        """Write the rasters, shape (n_channel, n_y, n_x) each, and which files were chosen."""
        about = {"mark": mark, "origin": self.origin, **_chosen(choices)}
        write_chunk(static_path(self.folder), maps, about)

    def write_month(
        self, month: np.datetime64, maps: Arrays, mark: str, choices: Records = ()
    ) -> None:
        """Write a month's maps with the moments of the fine groups, and what was chosen."""
        static = self._read_static()
        builder = StatisticsBuilder(self.table, len(self.preparation.heights))
        for group in FINE_GROUPS:
            builder.add(group, group_maps(self.table, group, {**static, **maps}))
        moments = {group: builder.totals[group].to_dict() for group in FINE_GROUPS}
        about = {"mark": mark, "origin": self.origin, "moments": moments, **_chosen(choices)}
        # a store without monthly inputs keeps the moments, with a map of nothing
        arrays = maps or {"none": np.zeros(1, np.float32)}
        write_chunk(month_path(self.folder, month), arrays, about)

    def _read_static(self) -> dict[str, NDArray[np.float32]]:
        path = static_path(self.folder)
        fine = [v for group in FINE_GROUPS for v in self.table.group(group)]
        stored = [v.name for v in fine if v.source != "cams-glob-ant"]
        return {name: read_array(path, name) for name in stored}

    def write_day(
        self,
        day: np.datetime64,
        arrays: Arrays,
        target: Target | None,
        stations: NDArray[np.floating] | None,
        mark: str,
    ) -> None:
        """Write a day.

        Parameters
        ----------
        day : datetime64
        arrays : mapping
            The groups temporal, single and multi, and the optional ones of the table, which are
            kept as float16.
        target : Target, optional
            CAMS NO2.
        stations : ndarray, shape (n_cell,), optional
            Mean of each station cell of the year [ug m-3], NaN where there is none that day.
        mark : str
            Fingerprint to find it by.
        """
        builder = StatisticsBuilder(self.table, len(self.preparation.heights))
        for group in DAY_GROUPS:
            builder.add(group, arrays[group])
        about: dict[str, Any] = {
            "mark": mark,
            "origin": self.origin,
            "day": str(day),
            "moments": {group: builder.totals[group].to_dict() for group in DAY_GROUPS},
        }
        chunk = {group: arrays[group] for group in DAY_GROUPS}
        for group in self.table.groups:
            if group in OPTIONAL_GROUPS:
                chunk[STORED_NAMES.get(group, group)] = arrays[group].astype(np.float16)
        if target is not None:
            total = Welford((target.no2.shape[0],))
            total.add(target.no2.reshape(target.no2.shape[0], -1), axis=-1)
            about |= {"target": total.to_dict(), "stream": target.stream}
            chunk["cams"] = target.no2
        if stations is not None:
            valid = np.flatnonzero(np.isfinite(stations))
            chunk["station_cell"] = valid.astype(np.int32)
            chunk["station_value"] = np.asarray(stations)[valid].astype(np.float32)
        write_chunk(day_path(self.folder, day), chunk, about)

    def finish(
        self,
        training: Sequence[np.datetime64],
        held: Sequence[np.datetime64],
        more: Mapping[str, Any],
    ) -> None:
        """Merge the statistics of the training days and write the manifest.

        Parameters
        ----------
        training, held : sequence of datetime64
            Days that make the statistics, and days that do not.
        more : mapping
            Further entries: stations, left_out, sources.

        Raises
        ------
        DataError
            If there is no training day, or an input never varies.
        """
        if not training:
            msg = (
                f"Invalid store {self.folder}. Statistics need training days. Given none that is "
                "complete. Prepare more days, or hold back fewer."
            )
            raise DataError(msg)
        about = {day: require_about(day_path(self.folder, day)) for day in (*training, *held)}
        made_of = {day: about[day] for day in training}
        target = target_moments(made_of.values())
        # without targets the store serves prediction, with a checkpoint's own statistics
        statistics = None if target is None else self._statistics(made_of)
        manifest = {
            **self.settings,
            "days": {
                str(day): {
                    "split": "training" if day in set(training) else "held",
                    "stream": about[day].get("stream", ""),
                }
                for day in sorted(about)
            },
            "statistics": statistics,
            "target": target,
            "training_data": self._origin(about),
            **({"world": self.world} if self.world else {}),
            **more,
        }
        write_text(self.folder / MANIFEST, json.dumps(manifest, indent=1), overwrite=True)

    def _statistics(self, days: Mapping[np.datetime64, Mapping[str, Any]]) -> dict[str, Any]:
        n_height = len(self.preparation.heights)
        return input_statistics(self.folder, self.table, n_height, days).to_dict()

    def _origin(self, about: Mapping[np.datetime64, Mapping[str, Any]]) -> str:
        """Return `synthetic` if any chunk is, whenever it was made."""
        months = {day.astype("datetime64[M]") for day in about}
        others = [static_path(self.folder), *(month_path(self.folder, m) for m in months)]
        chunks = [*about.values(), *map(require_about, others)]
        return next((WORD for c in chunks if c.get("origin", self.origin) == WORD), self.origin)


def _chosen(choices: Records) -> dict[str, Any]:
    """Entry on what was chosen, where anything was."""
    return {"choices": list(choices)} if choices else {}
