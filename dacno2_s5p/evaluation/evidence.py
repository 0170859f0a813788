"""What an evaluation compares: sets brought to stations and to the reference, day by day.

Sets come as grids and functions that read a day, so that profile files, CAMS files and arrays are
the same here. Stations are compared on the model grid, onto which other sets are brought
bilinearly (the paper's CAMS-2km); the reference on its own cells, by area means (section 3.1).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.evaluation.match import Match, apply_operator, inside_box
from dacno2_s5p.evaluation.sets import FieldSet
from dacno2_s5p.inputs.regrid import bilinear, centres_in
from retrieval.physics.geometry.grids import GEOGRAPHIC

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.sources.stations.cells import Measurements, StationCell
    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.typing import Float


logger = logging.getLogger(__name__)


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
        Held-out station cells; of several years those of any.
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
    reference_cells : RectilinearGrid, optional
        Cells of the reference that are compared.
    cell_sums : dict of str to ndarray, shape (n_layer, n_y, n_x, 7)
        Sums over the days of the pairs of each cell; zero outside of the paper's box.
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
    reference_cells: RectilinearGrid | None = None
    cell_sums: dict[str, Float] = field(default_factory=dict)

    @property
    def years(self) -> list[int]:
        """Years of the days, in order."""
        return sorted(set((self.days.astype("datetime64[Y]").astype(int) + 1970).tolist()))

    def of_year(self, year: int) -> Evidence:
        """Return the comparisons of one year; means and single cells stay those of all days."""
        chosen = self.days.astype("datetime64[Y]").astype(int) + 1970 == year
        observed = self.observed[chosen]
        has_data = np.isfinite(observed).any(axis=0)
        return replace(
            self,
            days=self.days[chosen],
            cells=[cell for cell, has in zip(self.cells, has_data, strict=True) if has],
            observed=observed[:, has_data],
            surface={name: values[chosen][:, has_data] for name, values in self.surface.items()},
            layers={name: sums[chosen] for name, sums in self.layers.items()},
            cell_sums={},
        )


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
    by_year = {} if measurements is None else _held_out(measurements, kept, grid)
    cells, own_cells = _join_years(by_year)
    place = (np.array([c.row for c in cells], int), np.array([c.column for c in cells], int))
    onto_grid = {s.name: bilinear(s.grid, grid.cells(), s.name) for s in sets}
    match = None if reference is None else Match(reference, sets, grid)
    observed = np.full((len(kept), len(cells)), np.nan)
    surface = {s.name: np.full(observed.shape, np.nan) for s in sets}
    means: dict[str, Float] = {}
    for i, day in enumerate(kept):
        fields = {s.name: _field(s, day) for s in sets}
        if measurements is not None:
            year = int(str(day)[:4])
            observed[i, own_cells[year]] = measurements.window_means(day, by_year[year], window)
        for name, values in fields.items():
            fine = apply_operator(onto_grid[name], values[:1])[0]
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
        means={name: apply_operator(onto_grid[name], mean) for name, mean in means.items()},
        heights={s.name: s.heights for s in sets},
        bounds=frozenset(s.name for s in sets if s.is_bound),
        reference="" if reference is None else reference.name,
        layers={} if match is None else match.sums(),
        layer_heights={} if match is None else match.heights,
        reference_cells=None if match is None else match.cells,
        cell_sums={} if match is None else match.cell_sums,
    )


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
) -> dict[int, list[StationCell]]:
    """Return the evaluation cells of each year inside the paper's box."""
    by_year: dict[int, list[np.datetime64]] = {}
    for day in days:
        by_year.setdefault(int(str(day)[:4]), []).append(day)
    x, y = centres_in(grid.cells(), GEOGRAPHIC)
    inside = inside_box(x, y)
    found = {
        year: [
            cell
            for cell in measurements.cells(year, of_year)
            if cell.is_evaluation and inside[cell.row, cell.column]
        ]
        for year, of_year in by_year.items()
    }
    lacking = [str(year) for year, cells in found.items() if not cells]
    if lacking:
        msg = (
            f"No station to evaluate in {measurements.folder}. Stations held back, with at least "
            f"20 % of valid hours, must lie on the grid. Given none in {', '.join(lacking)}. Check "
            "lists and days."
        )
        raise DataError(msg)
    return found


def _join_years(
    by_year: Mapping[int, list[StationCell]],
) -> tuple[list[StationCell], dict[int, NDArray[np.intp]]]:
    """Join the cells of years, and say where those of each year are among them.

    Which stations count is decided year by year (20 % of valid hours). A cell stays one series
    over the years while its place, type and area do, with the stations of all years as members.
    """
    joined: dict[tuple[int, int, str, str], StationCell] = {}
    for cells in by_year.values():
        for cell in cells:
            key = _series(cell)
            known = joined.get(key)
            members = cell.members if known is None else (*known.members, *cell.members)
            joined[key] = replace(known or cell, members=tuple(dict.fromkeys(members)))
    index = {key: i for i, key in enumerate(joined)}
    own = {
        year: np.array([index[_series(cell)] for cell in cells], dtype=np.intp)
        for year, cells in by_year.items()
    }
    return list(joined.values()), own


def _series(cell: StationCell) -> tuple[int, int, str, str]:
    return cell.row, cell.column, cell.kind, cell.area


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
