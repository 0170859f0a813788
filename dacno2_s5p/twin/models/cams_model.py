"""A regional model like CAMS: the inventory's emissions on 8 km, its own errors, analyses.

It shares the physics of the truth, but emits what the inventory says, mixes and loses NO2 a
little faster, has weather-like errors from day to day, and is drawn toward the stations it
assimilates. In 2020 its upper levels are far too high, as those of the real reanalysis (paper
section 4.4).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import map_coordinates
from scipy.sparse import csr_array
from scipy.spatial import cKDTree

from dacno2_s5p.twin.air.emissions import CLASSES, HourlyEmissions
from dacno2_s5p.twin.air.partition import column_state
from dacno2_s5p.twin.air.profile import CAMS_HEIGHTS, concentration
from dacno2_s5p.twin.air.transport import advance_hour
from dacno2_s5p.twin.land.world import Points, as_day, block_mean, stamp
from dacno2_s5p.twin.weather.modes import FieldSpec, TravellingFields
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.geometry.grids import RectilinearGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.twin.true_world import TrueWorld

ERRORS = (
    FieldSpec(180e3, 1600e3, 0.8, (5.0, 0.0), 30.0),
    FieldSpec(300e3, 3000e3, 0.8, (9.0, 0.0), 30.0),
)
"""Travelling errors of the boundary layer and of what lies above."""

GROWTH = (
    FieldSpec(180e3, 1600e3, 0.8, (5.0, 0.0), 30.0),
    FieldSpec(300e3, 3000e3, 0.8, (9.0, 0.0), 30.0),
)
"""Errors that a forecast gathers in the boundary layer and above."""

GROWTH_SPREAD = (0.12, 0.06)
"""Standard deviations of their logarithms after 12 h; they grow with the square root of time."""

FORGOTTEN = 6.0
"""Time in which a forecast forgets 1 - 1/e of the analysis that it started from [h]."""


@dataclass(frozen=True)
class Skill:
    """How well the model does.

    Attributes
    ----------
    spread, upper_spread : float
        Standard deviations of the logarithm of the error in the boundary layer and above.
    level, upper_level : float
        Factors of everything near the ground, against the low bias that faster losses leave, and
        of everything above the boundary layer.
    trust : float
        Variance of an observation's error over that of the model's: larger trusts the model more.
    """

    spread: float
    upper_spread: float
    level: float
    upper_level: float
    trust: float


SKILLS = {
    1: Skill(spread=0.56, upper_spread=0.22, level=1.17, upper_level=1.12, trust=3.5),
    2: Skill(spread=0.45, upper_spread=0.22, level=1.17, upper_level=1.12, trust=2.0),
}
"""By version of the world; that of version 2 is as near to the real one's as stations tell."""

CORRELATION_LENGTH = 45e3
"""Reach of an observation in the analysis [m]."""

ANOMALY_YEAR = 2020
"""Year in which the levels above 1000 m are far too high."""

WEST, EAST, SOUTH, NORTH = -25.0, 45.0, 30.0, 72.0
"""The real grid's box [degree]."""


def cams_grid(year: int, box: tuple[float, float, float, float] | None = None) -> RectilinearGrid:
    """Build the 0.1 degree grid of the European reanalyses, whole or cut to a box.

    Up to 2019 the 421 x 701 centres lie on x.x0, from 2020 the 420 x 700 on x.x5 (docs/formats.md
    4.1).

    Examples
    --------
    >>> cams_grid(2019).shape, cams_grid(2020).shape
    ((421, 701), (420, 700))
    >>> float(cams_grid(2020).x[0].round(2)), float(cams_grid(2019).y[-1].round(2))
    (-24.95, 72.0)
    """
    shift = 0.0 if year <= 2019 else 0.5
    n_x = round((EAST - WEST) * 10) + (1 if year <= 2019 else 0)
    n_y = round((NORTH - SOUTH) * 10) + (1 if year <= 2019 else 0)
    x = (WEST * 10 + shift + np.arange(n_x)) / 10
    y = (SOUTH * 10 + shift + np.arange(n_y)) / 10
    if box is not None:
        west, south, east, north = box
        x = x[(x > west - 1e-6) & (x < east + 1e-6)]
        y = y[(y > south - 1e-6) & (y < north + 1e-6)]
    return RectilinearGrid.from_centres(x, y)


class CamsModel:
    """The CAMS-like model of a twin world.

    Parameters
    ----------
    world : TrueWorld
        The world it models.
    """

    def __init__(self, world: TrueWorld) -> None:
        self.world = world
        self._runs: OrderedDict[np.datetime64, tuple[NDArray[np.float32], ...]] = OrderedDict()
        self._emissions: OrderedDict[str, HourlyEmissions] = OrderedDict()
        self.skill = SKILLS[world.version.number]
        self._errors = TravellingFields(ERRORS, world.seed, stream=4, n_wave=160)
        self._growth = TravellingFields(GROWTH, world.seed, stream=8, n_wave=160)

    @cached_property
    def points(self) -> Points:
        """Cell centres of the 8 km frame."""
        return Points.of_grid(self.world.geography.frame.grid(8000.0))

    def fields(
        self, date: np.datetime64 | str, hour: int, heights: Sequence[float] = CAMS_HEIGHTS
    ) -> NDArray[np.float32]:
        """Analysed NO2 on the 8 km frame at a stamp [mol m-3], shape (n_height, 250, 228)."""
        date = as_day(date)
        background = self.background(date, hour, (0.0, *heights))
        ground, background = background[0], background[1:]
        return _draw(background, self._analysed_ratio(date, hour, ground), heights)

    def forecast(
        self, date: np.datetime64 | str, hour: int, heights: Sequence[float] = CAMS_HEIGHTS
    ) -> NDArray[np.float32]:
        """Forecast NO2 on the 8 km frame [mol m-3], shape (n_height, n_y, n_x).

        The run of the day starts at 00 UTC from an analysis of the hour that ends then, forgets it
        within hours, and gathers errors of its own. No later observation of the day is in it.
        """
        date = as_day(date)
        start = self._analysed_ratio(date, 0, self.background(date, 0, (0.0,))[0])
        kept = start ** np.float32(np.exp(-hour / FORGOTTEN))
        field = _draw(self.background(date, hour, heights), kept, heights)
        time = np.array([stamp(date, hour)])
        waves = self._growth
        low, high = waves.evaluate([waves.amplitudes(i, time) for i in range(2)], self.points)
        grown = np.float32(np.sqrt(hour / 12.0))
        for i, height in enumerate(heights):
            share = _share_above(height)
            spread = (1.0 - share) * GROWTH_SPREAD[0] * low[0] + share * GROWTH_SPREAD[1] * high[0]
            field[i] *= np.exp(grown * spread)
        return field

    def _analysed_ratio(
        self, date: np.datetime64, hour: int, ground: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Analysed over modelled NO2 at the ground, where the model has `ground` [mol m-3]."""
        increment = self._analysis(date, hour, ground) * np.float32(MICROGRAM_M3_TO_MOL_M3)
        return np.asarray(np.clip(1.0 + increment / ground, 0.4, 2.2))

    def on_grid(
        self,
        date: np.datetime64 | str,
        hour: int,
        grid: RectilinearGrid,
        heights: Sequence[float] = CAMS_HEIGHTS,
        *,
        forecast: bool = False,
    ) -> NDArray[np.float32]:
        """Analysed (or forecast) NO2 on a geographic grid [ug m-3], (n_height, n_y, n_x).

        Outside the simulated frame the field fades into a clean background that depends on
        height only: whole files are filled, and only the frame means anything.
        """
        made = self.forecast if forecast else self.fields
        fields = made(date, hour, heights) / np.float32(MICROGRAM_M3_TO_MOL_M3)
        place, weight = self._place(grid)
        out = np.empty((len(heights), *grid.shape), np.float32)
        for i, field in enumerate(fields):
            clean = np.float32(np.quantile(field, 0.1))
            sampled = map_coordinates(field, place, order=1, mode="nearest")
            out[i] = clean + weight * (sampled - clean)
        return out

    def _place(self, grid: RectilinearGrid) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        points = Points.of_grid(grid)
        frame = self.world.geography.frame.grid(8000.0)
        place = np.stack([(points.y - frame.y[0]) / 8e3, (points.x - frame.x[0]) / 8e3])
        n_y, n_x = frame.shape
        beyond = np.maximum.reduce(
            [-place[0], place[0] - (n_y - 1), -place[1], place[1] - (n_x - 1)]
        )
        return place, np.clip(1.0 - beyond / 20.0, 0.0, 1.0).astype(np.float32)

    def background(
        self, date: np.datetime64, hour: int, heights: Sequence[float]
    ) -> NDArray[np.float32]:
        """NO2 before the analysis [mol m-3], shape (n_height, n_y, n_x)."""
        lower, upper = self._run(date)
        around = self.world.surroundings(date, hour, "frame")
        around = around.with_depth(np.hypot(1.12 * around.depth, 120.0).astype(np.float32))
        ground, stacks = self._hour(date, hour)
        state = column_state(lower[hour], upper[hour], 0.5 * ground, stacks, around)
        out = concentration(state, heights)
        below, above = self._error_factors(date, hour)
        for i, height in enumerate(heights):
            share = _share_above(height)
            out[i] *= below ** (1.0 - share) * above**share
            out[i] *= _anomaly(date, height, above)
        return out

    def _error_factors(
        self, date: np.datetime64, hour: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        time = np.array([stamp(date, hour)])
        errors = self._errors
        low, high = errors.evaluate([errors.amplitudes(i, time) for i in range(2)], self.points)
        skill = self.skill
        below = skill.level * np.exp(skill.spread * low[0] - 0.4 * skill.spread**2)
        above = skill.upper_level * np.exp(skill.upper_spread * high[0])
        return below.astype(np.float32), above.astype(np.float32)

    def _run(self, date: np.datetime64) -> tuple[NDArray[np.float32], ...]:
        """NOx columns of a day from a start one day before, as the truth's frame."""
        if date not in self._runs:
            simulator = self.world.simulator
            forcing, weather = simulator.frame_forcing, self.world.weather
            before = date - np.timedelta64(1, "D")
            source = self._source(before, 12)
            coarse = torch.nn.functional.avg_pool2d(source[None, None], 5, 1, 2)[0, 0]
            state = (coarse * (5.0 * 3600.0) + 3e-6, coarse * (2.0 * 3600.0) + 1e-6)
            depth = forcing.depth(weather.day(before), 0)
            kept = []
            for day, hour in [(before, h) for h in range(1, 24)] + [(date, h) for h in range(24)]:
                flow, depth = forcing.hour(weather.day(day), hour, depth, self._source(day, hour))
                state = advance_hour(simulator.frame_plane, *state, flow)
                if day == date:
                    kept.append(state)
            self._runs[date] = tuple(
                torch.stack(parts).numpy() for parts in zip(*kept, strict=True)
            )
            while len(self._runs) > 2:
                self._runs.popitem(last=False)
        return self._runs[date]

    def _hour(
        self, date: np.datetime64, hour: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        day, clock = (date, hour - 1) if hour else (date - np.timedelta64(1, "D"), 23)
        month = str(day)[:7]
        if month not in self._emissions:
            self._emissions[month] = self._inventory(int(month[:4]), int(month[5:]))
            while len(self._emissions) > 3:
                self._emissions.popitem(last=False)
        # monthly totals are in the inventory: only weekdays and hours are added
        return self._emissions[month].hour(day, clock, weekly_only=True)

    def _source(self, date: np.datetime64, hour: int) -> torch.Tensor:
        ground, stacks = self._hour(date, hour)
        return torch.from_numpy(ground + stacks)

    def _inventory(self, year: int, month: int) -> HourlyEmissions:
        inventory = self.world.inventory
        fields = tuple(
            block_mean(np.asarray(sum(inventory.monthly(s, year, month) for s in names)), 4)
            for names in CLASSES
        )
        return HourlyEmissions(fields, block_mean(self.world.emissions.isles, 4))

    def _analysis(
        self, date: np.datetime64, hour: int, ground: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Increments of the surface [ug m-3] at a stamp, from its background [mol m-3]."""
        observed = self.world.observed_hour(date, hour)[self._network]
        model = ground.ravel()[self._cell] / MICROGRAM_M3_TO_MOL_M3
        departure = np.clip(np.nan_to_num(observed - model), -15.0, 25.0)
        spread = self._reach @ (self._weights @ departure)
        return np.asarray(spread.reshape(ground.shape), np.float32)

    @cached_property
    def _network(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.world.stations.is_assimilated)

    @cached_property
    def _station_xy(self) -> NDArray[np.float64]:
        stations, grid = self.world.stations, self.world.grid
        return np.column_stack(
            [grid.x[stations.column[self._network]], grid.y[stations.row[self._network]]]
        )

    @cached_property
    def _cell(self) -> NDArray[np.int64]:
        """Flat index of the 8 km cell of each assimilated station."""
        frame = self.world.geography.frame.grid(8000.0)
        x, y = self._station_xy.T
        column = ((x - frame.x_edges[0]) // 8000.0).astype(np.int64)
        row = ((y - frame.y_edges[0]) // 8000.0).astype(np.int64)
        return np.asarray(row * frame.shape[1] + column)

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        """Inverse of (H B H' + R), in units of the model's variance."""
        xy = self._station_xy
        distance = np.hypot(*(xy[:, None, :] - xy[None, :, :]).transpose(2, 0, 1))
        covariance = np.exp(-0.5 * (distance / CORRELATION_LENGTH) ** 2)
        return np.asarray(np.linalg.inv(covariance + self.skill.trust * np.eye(len(xy))))

    @cached_property
    def _reach(self) -> csr_array:
        """Correlation of each cell with each station, cut at three lengths."""
        tree = cKDTree(self._station_xy)
        cells = np.column_stack([self.points.x.ravel(), self.points.y.ravel()])
        pairs = cKDTree(cells).sparse_distance_matrix(tree, 3.0 * CORRELATION_LENGTH)
        near = pairs.tocsr()
        near.data = np.exp(-0.5 * (near.data / CORRELATION_LENGTH) ** 2)
        return csr_array(near)


def _share_above(height: float) -> np.float32:
    """Share of what is above the boundary layer in the errors at a height [m]."""
    return np.float32(np.clip((height - 300.0) / 1200.0, 0.0, 1.0))


def _draw(
    field: NDArray[np.float32], ratio: NDArray[np.float32], heights: Sequence[float]
) -> NDArray[np.float32]:
    """Draw a field toward an analysis of the ground, less and less with height; in place."""
    for i, height in enumerate(heights):
        field[i] *= 1.0 + (ratio - 1.0) * np.float32(np.exp(-height / 700.0))
    return field


def _anomaly(
    date: np.datetime64, height: float, error: NDArray[np.float32]
) -> NDArray[np.float32] | float:
    """Factor of 2020 above 1000 m: up to threefold where the upper error field is high."""
    if int(str(date)[:4]) != ANOMALY_YEAR or height < 1000.0:
        return 1.0
    grown = float(np.clip((height - 500.0) / 1500.0, 0.0, 1.0))
    return np.asarray(1.0 + grown * (1.3 + 1.2 * np.clip(error - 0.9, 0.0, 1.5)), np.float32)
