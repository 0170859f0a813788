"""What an evaluation compares: sets brought to stations and to the reference, day by day.

Sets come as grids and functions that read a day, so that profile files, CAMS files and arrays are
the same here. Stations are compared on the model grid, onto which other sets are brought
bilinearly (the paper's CAMS-2km); the reference on its own cells, by area means (section 3.1).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.metrics import N_SUM, pair_sums
from dacno2_s5p.sources.regrid import Operator, bilinear, centres_in, conservative, transform_points
from retrieval.grids import GEOGRAPHIC, RectilinearGrid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.grid import ModelGrid
    from dacno2_s5p.sources.eea import Measurements, StationCell

    Float = NDArray[np.floating]

logger = logging.getLogger(__name__)

PAPER_BOX = (-5.0, 42.0, 9.0, 54.0)
"""West, south, east, north [degree]: statistics use cells whose centre lies inside (contract 3)."""


@dataclass(frozen=True)
class FieldSet:
    """One set of daily NO2 fields.

    Attributes
    ----------
    name : str
        For tables and figures.
    grid : RectilinearGrid
        Cells of its fields.
    heights : tuple of float
        Above ground [m], ascending; the first is the one compared with stations.
    days : frozenset of datetime64[D]
        Days it holds.
    read : callable
        From a day to its field (n_level, n_y, n_x) [ug m-3].
    is_bound : bool
        A bound and no contestant, like the truth of the twin world: never marked as best.
    """

    name: str
    grid: RectilinearGrid
    heights: tuple[float, ...]
    days: frozenset[np.datetime64]
    read: Callable[[np.datetime64], Float]
    is_bound: bool = False


@dataclass
class Evidence:
    """What was compared.

    Attributes
    ----------
    grid : ModelGrid
    days : ndarray of datetime64[D], shape (n_day,)
        Days that all sets hold.
    left_out : list of str
        Days that were asked for and are not among them, each with its reason.
    cells : list of StationCell
        Held-out station cells.
    observed : ndarray, shape (n_day, n_cell)
        Their means [ug m-3], NaN where missing.
    surface : dict of str to ndarray, shape (n_day, n_cell)
        Each set there.
    means : dict of str to ndarray, shape (n_level, n_y, n_x)
        Mean of each set over the days on the model grid.
    heights : dict of str to tuple of float
        Heights of each set [m].
    bounds : frozenset of str
        Sets that are no contestants.
    reference : str
        The set the others are compared with by layer; empty for none.
    layers : dict of str to ndarray, shape (n_day, n_layer, 7)
        Sums of pairs with the reference on its own cells.
    layer_heights : dict of str to tuple of float
        Heights that a set shares with the reference [m].
    """

    grid: ModelGrid
    days: NDArray[np.datetime64]
    left_out: list[str]
    cells: list[StationCell]
    observed: Float
    surface: dict[str, Float]
    means: dict[str, Float]
    heights: dict[str, tuple[float, ...]]
    bounds: frozenset[str] = frozenset()
    reference: str = ""
    layers: dict[str, Float] = field(default_factory=dict)
    layer_heights: dict[str, tuple[float, ...]] = field(default_factory=dict)


def collect(
    sets: Sequence[FieldSet],
    days: Sequence[np.datetime64],
    grid: ModelGrid,
    *,
    measurements: Measurements | None = None,
    window: str = "11-13",
    reference: FieldSet | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evidence:
    """Read all sets day by day and bring them to stations and to the reference.

    Parameters
    ----------
    sets : sequence of FieldSet
        Sets side by side. The reference may be among them.
    days : sequence of datetime64[D]
        Days asked for; those that a set lacks are left out for all, with a warning.
    grid : ModelGrid
        Where stations are compared.
    measurements : Measurements, optional
        Stations; only cells held back for evaluation, inside the paper's box, are used.
    window : str
        Hours [UTC] the stations are averaged over: the same as of the fields.
    reference : FieldSet, optional
        Compared with the sets by layer on its own cells.
    progress : callable, optional
        Told the days done and their number.

    Raises
    ------
    DataError
        If no day is left, a set does not cover the grid, or its field is not on its own grid.
    ValueError
        If two sets have one name.
    """
    _check_names(sets)
    kept, left_out = _common_days(sets, days, reference)
    cells = [] if measurements is None else _held_out(measurements, kept, grid)
    place = (np.array([c.row for c in cells], int), np.array([c.column for c in cells], int))
    onto_grid = {s.name: bilinear(s.grid, grid.cells(), s.name) for s in sets}
    match = None if reference is None else _Match(reference, sets, grid)
    observed = np.full((len(kept), len(cells)), np.nan)
    surface = {s.name: np.full(observed.shape, np.nan) for s in sets}
    means: dict[str, Float] = {}
    for i, day in enumerate(kept):
        fields = {s.name: _field(s, day) for s in sets}
        if measurements is not None:
            observed[i] = measurements.window_means(day, cells, window)
        for name, values in fields.items():
            fine = _apply(onto_grid[name], values[:1])[0]
            surface[name][i] = fine[place]
            means[name] = values / len(kept) + means.get(name, 0.0)
        if match is not None and reference is not None:
            own = fields.get(reference.name)
            match.add(_field(reference, day) if own is None else own, fields)
        if progress is not None:
            progress(i + 1, len(kept))
    return Evidence(
        grid=grid,
        days=np.array(kept, dtype="datetime64[D]"),
        left_out=left_out,
        cells=cells,
        observed=observed,
        surface=surface,
        means={name: _apply(onto_grid[name], mean) for name, mean in means.items()},
        heights={s.name: s.heights for s in sets},
        bounds=frozenset(s.name for s in sets if s.is_bound),
        reference="" if reference is None else reference.name,
        layers={} if match is None else match.sums(),
        layer_heights={} if match is None else match.heights,
    )


class _Match:
    """Sums of pairs of sets with the reference on the reference's own cells."""

    def __init__(self, reference: FieldSet, sets: Sequence[FieldSet], grid: ModelGrid) -> None:
        box = inscribed_box(grid.cells())
        self._rows, self._columns = _cells_within(reference.grid, box)
        cells = reference.grid.crop(self._rows, self._columns)
        x, y = centres_in(cells, GEOGRAPHIC)
        self._mask = inside_box(x, y)
        others = [s for s in sets if s.name != reference.name]
        self._onto = {s.name: conservative(s.grid, cells, s.name) for s in others}
        self._pairs = {s.name: _shared(s.heights, reference.heights) for s in others}
        self.heights = {s.name: tuple(s.heights[i] for i, _ in self._pairs[s.name]) for s in others}
        self._sums: dict[str, list[Float]] = {s.name: [] for s in others}

    def add(self, own: Float, fields: Mapping[str, Float]) -> None:
        """Add a day."""
        own = own[:, self._rows, self._columns]
        for name, operator in self._onto.items():
            pairs = self._pairs[name]
            if pairs:
                values = _apply(operator, fields[name][[i for i, _ in pairs]])
                expected = own[[j for _, j in pairs]]
                day = pair_sums(values[:, self._mask], expected[:, self._mask])
            else:
                day = np.zeros((0, N_SUM))
            self._sums[name].append(day)

    def sums(self) -> dict[str, Float]:
        """Return the sums of all days, (n_day, n_layer, 7)."""
        return {name: np.stack(days) for name, days in self._sums.items()}


def inside_box(longitude: Float, latitude: Float) -> NDArray[np.bool_]:
    """Tell which points lie in the paper's box."""
    west, south, east, north = PAPER_BOX
    return np.asarray(
        (longitude >= west) & (longitude <= east) & (latitude >= south) & (latitude <= north)
    )


def inscribed_box(grid: RectilinearGrid) -> tuple[float, float, float, float]:
    """West, south, east, north [degree] of a box of meridians and parallels inside a grid."""
    x, y = np.meshgrid(grid.x_edges, grid.y_edges)
    longitude, latitude = transform_points(x, y, grid.crs, GEOGRAPHIC)
    return (
        float(longitude[:, 0].max()),
        float(latitude[0].max()),
        float(longitude[:, -1].min()),
        float(latitude[-1].min()),
    )


def _cells_within(
    grid: RectilinearGrid, box: tuple[float, float, float, float]
) -> tuple[slice, slice]:
    """Rows and columns of the cells that lie wholly in a box."""
    if not grid.is_geographic:
        msg = (
            f"Invalid reference. Its grid must be of longitude and latitude. Given {grid.crs}. "
            "Use CAMS files as they were delivered."
        )
        raise DataError(msg)
    west, south, east, north = box
    slices = []
    for edges, low, high in ((grid.y_edges, south, north), (grid.x_edges, west, east)):
        slack = 1e-9 * max(1.0, abs(high))
        first = int(np.searchsorted(edges, low - slack))
        last = int(np.searchsorted(edges, high + slack, side="right")) - 1
        if last - first < 1:
            msg = (
                f"Invalid reference. It must have cells inside the model grid, {west:.2f} to "
                f"{east:.2f} E, {south:.2f} to {north:.2f} N. Given none. Request a larger area."
            )
            raise DataError(msg)
        slices.append(slice(first, last))
    return slices[0], slices[1]


def _shared(heights: Sequence[float], others: Sequence[float]) -> list[tuple[int, int]]:
    """Pairs of indices of the heights that occur in both [to a millimetre]."""
    return [
        (i, j) for i, h in enumerate(heights) for j, o in enumerate(others) if abs(h - o) < 1e-3
    ]


def _check_names(sets: Sequence[FieldSet]) -> None:
    names = [s.name for s in sets]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = (
            f"Invalid sets. Each needs a name of its own. Given {twice[0]} twice. "
            "Name them differently."
        )
        raise ValueError(msg)


def _common_days(
    sets: Sequence[FieldSet], days: Sequence[np.datetime64], reference: FieldSet | None
) -> tuple[list[np.datetime64], list[str]]:
    kept, left_out = [], []
    wanted = [*sets, *([] if reference is None else [reference])]
    for day in days:
        lacking = sorted({s.name for s in wanted if day not in s.days})
        if lacking:
            left_out.append(f"{day}: not in {', '.join(lacking)}")
        else:
            kept.append(day)
    if not kept:
        msg = (
            "No day to evaluate. All sets must hold it. Given "
            f"{left_out[0] if left_out else 'no day'}. Check the sets' folders and --start, --end."
        )
        raise DataError(msg)
    if left_out:
        logger.warning("%d days are left out, the first %s", len(left_out), left_out[0])
    return kept, left_out


def _held_out(
    measurements: Measurements, days: Sequence[np.datetime64], grid: ModelGrid
) -> list[StationCell]:
    """Return the evaluation cells of the days' year inside the paper's box."""
    by_year: dict[int, list[np.datetime64]] = {}
    for day in days:
        by_year.setdefault(int(str(day)[:4]), []).append(day)
    if len(by_year) > 1:
        msg = (
            "Invalid days. Stations are chosen year by year (20 % of valid hours), so an "
            f"evaluation is of one year. Given {', '.join(map(str, sorted(by_year)))}. Evaluate "
            "each year."
        )
        raise DataError(msg)
    ((year, of_year),) = by_year.items()
    x, y = centres_in(grid.cells(), GEOGRAPHIC)
    inside = inside_box(x, y)
    found = [
        cell
        for cell in measurements.cells(year, of_year)
        if cell.is_evaluation and inside[cell.row, cell.column]
    ]
    if not found:
        msg = (
            f"No station to evaluate in {measurements.folder}. Stations held back, with at least "
            "20 % of valid hours, must lie on the grid. Given none. Check lists and days."
        )
        raise DataError(msg)
    return found


def _field(of: FieldSet, day: np.datetime64) -> Float:
    values = of.read(day)
    shape = (len(of.heights), *of.grid.shape)
    if values.shape != shape:
        msg = (
            f"Invalid field of {of.name} on {day}. It must have the shape (level, y, x) = {shape}. "
            f"Given {values.shape}. Check its files."
        )
        raise DataError(msg)
    return np.asarray(values, dtype=np.float64)


def _apply(operator: Operator, values: Float) -> Float:
    return operator.apply(values[:, operator.rows, operator.columns])
