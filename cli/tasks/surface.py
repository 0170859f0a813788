"""Surface stations of the EEA as references of the sets' own surface values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.stations.cells import KINDS, METADATA_NAME
from dacno2_s5p.sources.stations.files import measurement_files, read_hours
from dacno2_s5p.sources.stations.metadata import read_metadata
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.validation.ground_columns import GroundColumns

if TYPE_CHECKING:
    from pathlib import Path

    from dacno2_s5p.sources.stations.files import Hours
    from dacno2_s5p.sources.stations.metadata import Station

HALF_HOUR = 30 * 60 * 1000
"""[ms]."""
NO_RANK = 9
"""Rank of hours whose file says nothing of verification, after all that say something."""


def read_surface(folder: Path) -> list[GroundColumns]:
    """Read the background and industrial stations of a folder, hours at their middles.

    Where an hour is there several times the better verified value counts.

    Raises
    ------
    DataError
        If there are no measurements or no metadata.
    """
    files, metadata = measurement_files(folder), folder / METADATA_NAME
    if not files or not metadata.is_file():
        msg = (
            f"Invalid station folder {folder}. It must hold parquet or E1a CSV files and "
            f"{METADATA_NAME}. Given {len(files)} files. Run fetch eea, and add the metadata."
        )
        raise DataError(msg)
    known = read_metadata(metadata)
    parts: dict[str, list[Hours]] = {}
    for path in files:
        for hours in read_hours(path):
            station = known.get(hours.sampling_point)
            if station is not None and station.kind in KINDS:
                parts.setdefault(hours.sampling_point, []).append(hours)
    return [_series(known[point], found) for point, found in sorted(parts.items())]


def _series(station: Station, parts: list[Hours]) -> GroundColumns:
    ends = np.concatenate([part.ends for part in parts]).astype("datetime64[ms]")
    values = np.concatenate([part.values for part in parts]) * MICROGRAM_M3_TO_MOL_M3
    codes = np.concatenate([part.verification for part in parts])
    rank = np.argsort(np.where(codes == 0, NO_RANK, codes), kind="stable")
    middles = (ends.astype(np.int64) - HALF_HOUR).astype("datetime64[ms]")
    n = ends.size
    return GroundColumns(
        station=station.sampling_point,
        network="EEA",
        instrument=f"{station.area} {station.kind}",
        latitude=station.latitude,
        longitude=station.longitude,
        altitude=float("nan"),
        quantity="surface",
        time=middles[rank],
        column=values[rank],
        uncertainty=np.full(n, np.nan),
        flag=np.zeros(n, dtype=np.int64),
        stratosphere=np.full(n, np.nan),
    ).in_order()
