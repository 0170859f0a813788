"""The true NO2 of the twin world: 3-D, hourly, 2 km, for any day.

A day starts from a steady state at 00 UTC of the day before on the 8 km frame; the 2 km domain
is nested into it from 18 UTC on. So a day costs the same and gives the same numbers, to the last
bit, whether or not other days were computed, and days can be computed in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from dacno2_s5p.twin.air import chemistry
from dacno2_s5p.twin.air.emissions import Emissions, heating_factor
from dacno2_s5p.twin.air.transport import STEP, HourOfFlow, Plane, advance_hour, refine
from dacno2_s5p.twin.land.world import as_day, block_mean
from dacno2_s5p.twin.weather.near_ground import friction
from dacno2_s5p.twin.weather.weather import SurfaceWeather, Weather

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.twin.land.geography import Geography

FRAME_CELL = 8000.0
"""Cell size of the frame's simulation [m]."""

NEST_START = 18
"""Hour of the day before at which the 2 km domain is started from the frame."""

MARGIN = 16
"""Cells of 2 km around the domain that are simulated, fed by the frame, and cut off."""

TOWN_DEPTH = 480.0
"""Boundary-layer height that a large town keeps in a calm night [m]."""


@dataclass(frozen=True)
class Columns:
    """NOx of 24 hours [mol m-2], shape (24, n_y, n_x): boundary layer and residual layer."""

    lower: NDArray[np.float32]
    upper: NDArray[np.float32]


class HourlyForcing:
    """Hours of flow for a grid of cells nested in the 16 km frame.

    Parameters
    ----------
    weather : Weather
        The weather.
    factor : int
        16 km over the grid's cell size.
    rows, columns : slice
        The grid's cells in the frame refined by `factor`; whole 16 km cells.
    land : ndarray
        Land fraction on the grid, for the boundary layer's height at coasts.
    town : ndarray
        0 in the country, 1 in a large town, whose warmth and roughness mix the air at night.
    nox_feeds_back : bool
        Whether the lifetime depends on NOx.
    """

    def __init__(
        self,
        weather: Weather,
        factor: int,
        rows: slice,
        columns: slice,
        land: NDArray[np.float32],
        town: NDArray[np.float32],
        nox_feeds_back: bool = False,
    ) -> None:
        self.weather = weather
        self.nox_feeds_back = nox_feeds_back
        self.factor = factor
        self.land = torch.as_tensor(land)
        self.town = torch.as_tensor(town)
        self._rows = slice(rows.start // factor, rows.stop // factor)
        self._columns = slice(columns.start // factor, columns.stop // factor)

    def fine(self, field: NDArray[np.float32]) -> torch.Tensor:
        """Bring fields of the 16 km frame (..., n_y, n_x) onto the grid."""
        coarse = np.ascontiguousarray(field[..., self._rows, self._columns])
        return refine(coarse, self.factor)

    def depth(self, day: SurfaceWeather, hour: int) -> torch.Tensor:
        """Boundary-layer height on the grid [m], that of land over land."""
        both = self.fine(np.stack([day.blh_land[hour], day.blh_sea[hour]]))
        return self.mixed(both[0], both[1])

    def mixed(self, land: torch.Tensor, sea: torch.Tensor) -> torch.Tensor:
        """Boundary-layer height [m] from those over land and sea, deeper in towns at night."""
        depth = torch.lerp(sea, land, self.land)
        return torch.hypot(depth, TOWN_DEPTH * self.town)

    def hour(
        self, day: SurfaceWeather, hour: int, before: torch.Tensor, source: torch.Tensor
    ) -> tuple[HourOfFlow, torch.Tensor]:
        """Flow of the hour that ends at a stamp, and the boundary layer's height then."""
        frame = self.weather.frame
        wind = day.wind_x[hour] + 1j * day.wind_y[hour]
        shear = day.shear_x[hour] + 1j * day.shear_y[hour]
        middle = np.clip(0.35 * day.blh[hour], 60.0, 450.0)
        lower = wind * friction(middle, frame.land) * frame.shelter
        upper = (wind + 1500.0 * shear) * np.sqrt(frame.shelter)
        solar, cloud = day.solar[hour], day.cloud[hour]
        losses = chemistry.loss_rates(solar, day.temperature[hour], day.precipitation[hour])
        parts = (
            [lower.real, lower.imag, upper.real, upper.imag]
            + [np.exp(-STEP * loss) for loss in losses]
            + [chemistry.venting(solar, cloud), day.blh_land[hour], day.blh_sea[hour]]
        )
        if self.nox_feeds_back:
            parts.append(chemistry.sunlit_rate(solar, day.temperature[hour]))
        fine = self.fine(np.stack(parts).astype(np.float32))
        depth = self.mixed(fine[7], fine[8])
        # a collapse leaves three quarters of the air above it aloft: NO2 is denser below
        fall = torch.clamp((before - depth) / before, min=0.0)
        growth = torch.clamp(depth - before, min=0.0)
        flow = HourOfFlow(
            lower_x=fine[0],
            lower_y=fine[1],
            upper_x=fine[2],
            upper_y=fine[3],
            lower_keep=fine[4],
            upper_keep=fine[5],
            lifted=torch.clamp(fine[6] + 0.75 * fall, max=0.7),
            entrained=torch.clamp(1.01 - torch.exp(growth / -600.0), max=0.8),
            source=source + chemistry.BACKGROUND_SOURCE,
            upper_source=chemistry.RESIDUAL_SOURCE,
            sunlit=fine[9] if self.nox_feeds_back else None,
            depth=depth,
        )
        return flow, depth


def daily_heating(day: SurfaceWeather, land: NDArray[np.float32]) -> float:
    """Heating factor of a day from its mean temperature over land."""
    weight = land > 0.5
    return heating_factor(float(day.temperature[:, weight].mean(dtype=np.float64)))


def town_fraction(geography: Geography) -> NDArray[np.float32]:
    """0 in the country, 1 in a large town, from the people within a few kilometres."""
    near = gaussian_filter(geography.density, 1.0)
    return np.asarray(1.0 - np.exp(-near / 2500.0), np.float32)


class Simulator:
    """Runs the two nests for a day.

    Parameters
    ----------
    geography : Geography
        The ground.
    weather : Weather
        The weather.
    emissions : Emissions
        True emissions.
    nox_feeds_back : bool
        Whether the lifetime depends on NOx.
    """

    def __init__(
        self,
        geography: Geography,
        weather: Weather,
        emissions: Emissions,
        nox_feeds_back: bool = False,
    ) -> None:
        self.geography = geography
        self.weather = weather
        self.emissions = emissions
        rows, columns = geography.frame.domain()
        self.rows = slice(rows.start - MARGIN, rows.stop + MARGIN)
        self.columns = slice(columns.start - MARGIN, columns.stop + MARGIN)
        window = (self.rows, self.columns)
        town = town_fraction(geography)
        nest_land = np.ascontiguousarray(geography.land[window])
        nest_town = np.ascontiguousarray(town[window])
        self.nest_forcing = HourlyForcing(weather, 8, *window, nest_land, nest_town, nox_feeds_back)
        land8, town8 = block_mean(geography.land, 4), block_mean(town, 4)
        whole = (slice(0, land8.shape[0]), slice(0, land8.shape[1]))
        self.frame_forcing = HourlyForcing(weather, 2, *whole, land8, town8, nox_feeds_back)
        self.frame_plane = Plane((land8.shape[0], land8.shape[1]), FRAME_CELL)
        self.nest_plane = Plane((nest_land.shape[0], nest_land.shape[1]), 2000.0)
        everywhere = (slice(0, geography.land.shape[0]), slice(0, geography.land.shape[1]))
        self.sources = {
            "frame": emissions.on(*everywhere, 4),
            "nest": emissions.on(*window),
        }
        edge = np.ones(nest_land.shape, bool)
        edge[MARGIN:-MARGIN, MARGIN:-MARGIN] = False
        self._edge = torch.from_numpy(edge)

    def run(self, date: np.datetime64) -> tuple[Columns, Columns]:
        """Columns of a date on the frame (8 km) and on the domain (2 km)."""
        date = as_day(date)
        hours = [(date - 1, h) for h in range(1, 24)] + [(date, h) for h in range(24)]
        frame = self._start(date - 1)
        depth = self.frame_forcing.depth(self.weather.day(date - 1), 0)
        nest: tuple[torch.Tensor, torch.Tensor] | None = None
        nest_depth = depth
        kept: list[tuple[torch.Tensor, ...]] = []
        for day, hour in hours:
            weather = self.weather.day(day)
            flow, depth = self.frame_forcing.hour(
                weather, hour, depth, self._source("frame", day, hour)
            )
            frame = advance_hour(self.frame_plane, *frame, flow)
            if nest is not None:
                inner = self._source("nest", day, hour)
                flow, nest_depth = self.nest_forcing.hour(weather, hour, nest_depth, inner)
                nest = advance_hour(self.nest_plane, *nest, flow)
                nest = self._feed(nest, frame)
            elif day < date and hour == NEST_START:
                nest = (self._cut(frame[0]), self._cut(frame[1]))
                nest_depth = self.nest_forcing.depth(weather, hour)
            if day == date and nest is not None:
                inside = slice(MARGIN, -MARGIN)
                kept.append((*frame, nest[0][inside, inside], nest[1][inside, inside]))
        stacked = [torch.stack(parts).numpy() for parts in zip(*kept, strict=True)]
        return Columns(stacked[0], stacked[1]), Columns(stacked[2], stacked[3])

    def emission(
        self, where: str, date: np.datetime64, hour: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Emission of the hour that ends at a stamp, at the ground and from stacks.

        Parameters
        ----------
        where : str
            "frame" (8 km) or "nest" (2 km with its margin).
        date : datetime64[D]
            Day of the stamp.
        hour : int
            Hour of the stamp.

        Returns
        -------
        ground, stacks : ndarray of float32
            NOx [mol m-2 s-1].
        """
        day, clock = (date, hour - 1) if hour else (date - np.timedelta64(1, "D"), 23)
        heating = daily_heating(self.weather.day(date), self.weather.frame.land)
        return self.sources[where].hour(day, clock, heating)

    def _source(self, where: str, date: np.datetime64, hour: int) -> torch.Tensor:
        ground, stacks = self.emission(where, date, hour)
        return torch.from_numpy(ground + stacks)

    def _start(self, date: np.datetime64) -> tuple[torch.Tensor, torch.Tensor]:
        """Columns that emissions of a few hours would fill, smoothed as if blown about."""
        source = block_mean(self._source("frame", date, 12).numpy(), 2)
        lower = refine(source * np.float32(5.0 * 3600.0), 2) + 3e-6
        return lower, 0.4 * lower

    def _cut(self, field: torch.Tensor) -> torch.Tensor:
        """Refine a field of the frame to 2 km and cut the nest with its margin."""
        row, column = self.rows.start // 4 - 1, self.columns.start // 4 - 1
        height = (self.rows.stop - self.rows.start) // 4 + 2
        width = (self.columns.stop - self.columns.start) // 4 + 2
        block = field[row : row + height, column : column + width]
        return refine(block, 4)[4:-4, 4:-4].contiguous()

    def _feed(
        self, nest: tuple[torch.Tensor, torch.Tensor], frame: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Overwrite the margin with the frame: inflow from outside, no reflections."""
        lower = torch.where(self._edge, self._cut(frame[0]), nest[0])
        upper = torch.where(self._edge, self._cut(frame[1]), nest[1])
        return lower, upper
