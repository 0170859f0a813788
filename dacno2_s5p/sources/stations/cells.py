"""Stations on the 2 km grid: which count, in which cell, for training or for evaluation.

Traffic stations are left out; a station counts in a year if at least 20 % of its hours are valid;
stations of a cell are averaged, and where background and industrial ones share a cell, the
background ones alone (paper, section 2.1). Evaluation stations are those that CAMS did not
assimilate: a list of the user's, never drawn silently.
"""

from __future__ import annotations

import csv
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs.regrid import transform_points
from dacno2_s5p.sources.stations.clocks import PARQUET_OFFSET_HOURS, Clocks
from dacno2_s5p.sources.stations.files import measurement_files, read_rows
from dacno2_s5p.sources.stations.metadata import Station, read_metadata
from dacno2_s5p.sources.stations.series import YearSeries
from dacno2_s5p.sources.weather.windows import target_hours
from retrieval.files.candidates import Choices
from retrieval.files.damage import content_errors
from retrieval.physics.geometry.grids import GEOGRAPHIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid

logger = logging.getLogger(__name__)

METADATA_NAME = "PanEuropean_metadata.csv"
TRAINING_LIST = "stations_assimilated_by_cams.csv"
EVALUATION_LIST = "stations_evaluation.csv"

KINDS = ("background", "industrial")
"""Station types that count; background wins in mixed cells."""

LEAST_VALID_SHARE = 0.2
"""Least share of valid hours among those of a year's days that are prepared."""

LEAST_WINDOW_SHARE = 0.75
"""Least share of valid hours in a target window, EEA's own rule for means: three of three hours,
18 of 24."""

INDUSTRIAL_EVALUATION_SHARE = 0.2
"""Share of industrial stations on no list that are drawn for evaluation."""


@dataclass(frozen=True)
class StationRules:
    """How stations are read and split.

    Attributes
    ----------
    offset_hours : int
        Hours by which the times of parquet files are ahead of UTC.
    zones : mapping of str to str
        Other clocks, by country: hours ahead of UTC, or a zone whose clocks change.
    least_valid_share : float
        The 20 % rule.
    training_list, evaluation_list : Path, optional
        Lists of EoI codes or sampling points (first column of a CSV). By default those of the
        folder, `stations_assimilated_by_cams.csv` and `stations_evaluation.csv`.
    draw : bool
        Draw stations that are on no list: the user's word that there is no list.
    seed : int
        Seed of the draw.
    """

    offset_hours: int = PARQUET_OFFSET_HOURS
    zones: Mapping[str, str] = field(default_factory=dict)
    least_valid_share: float = LEAST_VALID_SHARE
    training_list: Path | None = None
    evaluation_list: Path | None = None
    draw: bool = False
    seed: int = 0


@dataclass(frozen=True)
class StationCell:
    """A cell of the grid with stations.

    Attributes
    ----------
    row, column : int
        Cell of the fine grid.
    members : tuple of str
        Sampling points averaged in it.
    is_evaluation : bool
        Held back: a cell with any evaluation station, of whatever year, is.
    kind, area : str
        Type and area of its stations (of the first).
    longitude, latitude : float
        Place of the first [degree].
    """

    row: int
    column: int
    members: tuple[str, ...]
    is_evaluation: bool
    kind: str
    area: str
    longitude: float
    latitude: float


class Measurements:
    """Hourly values of all stations of a folder that can count, year by year.

    Parameters
    ----------
    folder : Path
        Measurements (parquet or old CSV) with the metadata and, if not given elsewhere, the
        lists.
    grid : ModelGrid
    rules : StationRules
    choices : Choices, optional
        Where it is kept which of several values for an hour were used.

    Raises
    ------
    DataError
        If metadata or measurements are absent.
    ConfigurationError
        If a clock is none, or background stations are on no list and `draw` is not set.
    """

    def __init__(
        self,
        folder: Path,
        grid: ModelGrid,
        rules: StationRules | None = None,
        choices: Choices | None = None,
    ) -> None:
        self._rules = rules or StationRules()
        self._clocks = Clocks(self._rules.offset_hours, self._rules.zones)
        self._choices = Choices() if choices is None else choices
        self._grid = grid
        self.folder = folder
        self._files = measurement_files(folder)
        metadata = folder / METADATA_NAME
        for what, there in (
            ("measurements", bool(self._files)),
            (METADATA_NAME, metadata.exists()),
        ):
            if not there:
                msg = (
                    f"Invalid station folder {folder}. It must hold parquet or E1a CSV files and "
                    f"{METADATA_NAME}. Given no {what}. Add them."
                )
                raise DataError(msg)
        known = read_metadata(metadata)
        self._known = frozenset(known)
        self.stations = {p: s for p, s in known.items() if s.kind in KINDS and self._inside(s)}
        self.evaluation = split_stations(self.stations, folder, self._rules)
        # of all years: a cell trained on in one would be known in the others
        self._held = frozenset(self._cell(self.stations[point]) for point in self.evaluation)
        self._values: dict[int, tuple[list[str], NDArray[np.float32]]] = {}

    def _inside(self, station: Station) -> bool:
        row, column = self._cell(station)
        n_y, n_x = self._grid.shape
        return 0 <= row < n_y and 0 <= column < n_x

    def _cell(self, station: Station) -> tuple[int, int]:
        g = self._grid
        x, y = transform_points(station.longitude, station.latitude, GEOGRAPHIC, g.crs)
        return (
            int(np.floor((float(y) - g.y_origin) / g.spacing)),
            int(np.floor((float(x) - g.x_origin) / g.spacing)),
        )

    def _year(self, year: int) -> tuple[list[str], NDArray[np.float32]]:
        """Return sampling points and their hours of a year, (n, n_hour), NaN where not valid."""
        if year not in self._values:
            self._values = {year: self._load(year)}  # one year at a time
        return self._values[year]

    def _load(self, year: int) -> tuple[list[str], NDArray[np.float32]]:
        found = YearSeries(year)
        unknown: set[str] = set()
        for file in self._files:
            for hours in read_rows(file, self._clocks):
                if hours.sampling_point not in self._known:
                    unknown.add(hours.sampling_point)
                if hours.sampling_point in self.stations:
                    found.add(file, hours)
        series = found.values(self._choices)
        for country in sorted(set(found.countries.values()) & set(self._rules.zones)):
            logger.info("%d: clocks of %s are %s", year, country, self._rules.zones[country])
        fixed = {c for c in found.countries.values() if self._clocks.hours_ahead(c) is not None}
        for sentence in found.civil_times(fixed):
            logger.warning("%s: %s", self.folder, sentence)
        if unknown:
            logger.warning(
                "%d sampling points of NO2 are not in the metadata of %s and left out, the first "
                "%s",
                len(unknown),
                self.folder,
                min(unknown),
            )
        names = sorted(series)
        stacked = [series[name] for name in names]
        return names, np.stack(stacked) if stacked else np.zeros((0, found.n_hour), np.float32)

    def cells(self, year: int, days: Sequence[np.datetime64]) -> list[StationCell]:
        """Return the cells of a year: stations that pass the 20 % rule over its days.

        A cell with an evaluation station of any year is never trained on; in years without one it
        is left out, as the others may be known to what the network is compared with.
        """
        names, values = self._year(year)
        hours = np.concatenate([_hour_of_year(d, range(24)) for d in days])
        share = np.isfinite(values[:, hours]).mean(axis=1)
        passed = [
            n for n, s in zip(names, share, strict=True) if s >= self._rules.least_valid_share
        ]
        logger.info("%d: %d of %d stations have enough valid hours", year, len(passed), len(names))
        by_cell: dict[tuple[int, int], list[Station]] = {}
        for name in passed:
            by_cell.setdefault(self._cell(self.stations[name]), []).append(self.stations[name])
        cells = [self._as_cell(place, found) for place, found in sorted(by_cell.items())]
        return [cell for cell in cells if cell is not None]

    def _as_cell(self, place: tuple[int, int], found: list[Station]) -> StationCell | None:
        best = min(found, key=lambda s: KINDS.index(s.kind)).kind
        members = [s for s in found if s.kind == best]
        is_held = place in self._held
        if is_held and not any(s.sampling_point in self.evaluation for s in members):
            return None
        first = members[0]
        return StationCell(
            *place,
            tuple(s.sampling_point for s in members),
            is_held,
            first.kind,
            first.area,
            first.longitude,
            first.latitude,
        )

    def window_means(
        self, day: np.datetime64, cells: Sequence[StationCell], window: str
    ) -> NDArray[np.float32]:
        """Return each cell's mean over the target window [ug m-3], NaN without enough hours."""
        names, values = self._year(int(str(day)[:4]))
        place = {name: i for i, name in enumerate(names)}
        hours = values[:, _hour_of_year(day, target_hours(window))]
        share = np.isfinite(hours).mean(axis=1)
        total = np.where(np.isfinite(hours), hours, 0.0).sum(axis=1)
        count = np.maximum(np.isfinite(hours).sum(axis=1), 1)
        means = np.where(share >= LEAST_WINDOW_SHARE, total / count, np.nan)
        result = np.full(len(cells), np.nan, np.float32)
        for i, cell in enumerate(cells):
            of_cell = means[[place[m] for m in cell.members]]
            if np.isfinite(of_cell).any():
                result[i] = np.nanmean(of_cell)
        return result


def _hour_of_year(day: np.datetime64, hours: Iterable[int]) -> NDArray[np.int64]:
    """Index of stamps within their year."""
    first = day.astype("datetime64[D]") - day.astype("datetime64[Y]").astype("datetime64[D]")
    return np.asarray(24 * first.astype(np.int64) + np.array(list(hours)), dtype=np.int64)


def split_stations(
    stations: Mapping[str, Station], folder: Path, rules: StationRules
) -> frozenset[str]:
    """Return the sampling points that are held back for evaluation.

    With both lists each station must be on one; with one list the others are on the other.
    Industrial stations on no list are drawn, as CAMS assimilates background stations only.

    Raises
    ------
    ConfigurationError
        If background stations are on no list and `draw` is not set, or lists share a station.
    DataError
        If a list is damaged or empty.
    """
    training = _read_list(rules.training_list or folder / TRAINING_LIST, rules.training_list)
    held = _read_list(rules.evaluation_list or folder / EVALUATION_LIST, rules.evaluation_list)
    rng = np.random.default_rng([rules.seed, 11])
    evaluation: set[str] = set()
    unlisted: list[str] = []
    for point in sorted(stations):
        station = stations[point]
        marks = {point, station.code} - {""}
        in_training = training is not None and bool(marks & training)
        in_held = held is not None and bool(marks & held)
        is_drawn = rng.random() < INDUSTRIAL_EVALUATION_SHARE
        if in_training and in_held:
            _refuse_both(point)
        if in_held or (not in_training and is_drawn and _may_draw(station, rules)):
            evaluation.add(point)
        elif not in_training and station.kind == "background" and not rules.draw:
            # a single list speaks for all background stations
            if training is not None and held is None:
                evaluation.add(point)
            elif held is None or training is not None:
                unlisted.append(point)
    if unlisted:
        _refuse_unlisted(unlisted)
    return frozenset(evaluation)


def _may_draw(station: Station, rules: StationRules) -> bool:
    return rules.draw or station.kind != "background"


def _read_list(path: Path, given: Path | None) -> set[str] | None:
    """First column of a CSV, None where there is no such file and none was asked for."""
    if not path.exists():
        if given is None:
            return None
        msg = f"Invalid station list {path}. It must exist. Given none. Check the path."
        raise ConfigurationError(msg)
    with (
        content_errors(
            path,
            DataError,
            what="station list",
            rule="be a CSV whose first column names stations",
            advice="Correct it",
        ),
        path.open(encoding="utf-8-sig", newline="") as stream,
    ):
        rows = [row[0].strip() for row in csv.reader(stream) if row and row[0].strip()]
        if not rows:
            msg = "none"
            raise ValueError(msg)
    return set(rows)


def _refuse_both(point: str) -> None:
    msg = (
        "Invalid station lists. A station must be on one of them. Given "
        f"{point} on both. Correct the lists."
    )
    raise ConfigurationError(msg)


def _refuse_unlisted(points: list[str]) -> None:
    msg = (
        "Invalid station split. Every background station must be on a list: training (assimilated "
        f"by CAMS) or evaluation. Given {len(points)} on none, the first {points[0]}. Give "
        "--training-stations LIST and --evaluation-stations LIST, or --draw-stations to draw them."
    )
    raise ConfigurationError(msg)


def cell_record(cell: StationCell) -> dict[str, Any]:
    """Return plain values, for JSON."""
    return {
        "row": cell.row,
        "column": cell.column,
        "members": list(cell.members),
        "is_evaluation": cell.is_evaluation,
        "kind": cell.kind,
        "area": cell.area,
        "longitude": cell.longitude,
        "latitude": cell.latitude,
    }
