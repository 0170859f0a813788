"""NOx emissions: the truth on 2 km by sector and hour, and an inventory that errs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from dacno2_s5p.twin.air import habits
from dacno2_s5p.twin.air.calendar import (
    ISLES,
    SECTORS,
    day_factor,
    hour_factors,
    month_days,
    to_date,
    weekday_factor,
)
from dacno2_s5p.twin.land.geography import AGRICULTURE, CELL_KM2, Geography
from dacno2_s5p.twin.land.networks import deposit
from dacno2_s5p.twin.land.places import POINT_SOURCES
from dacno2_s5p.twin.land.terrain import spectral_noise
from dacno2_s5p.twin.land.world import NARROW, block_mean, child_seed, to_plane
from retrieval.physics.constants import MOLAR_MASS_NO2

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME_TOTALS = {
    "tro": 1190.0,
    "tnr": 270.0,
    "shp": 500.0,
    "ene": 300.0,
    "ind": 450.0,
    "ref": 40.0,
    "res": 385.0,
    "ags": 330.0,
    "swd": 30.0,
}
"""NOx of the narrow frame in 2019 [kt a-1 as NO2], beside what the named stacks add."""

LIMITED = frozenset({"ene", "ind", "ref", "swd"})
"""Sectors that emit from stacks, above the lowest layer."""

SECONDS_PER_YEAR = 365.25 * 86400.0
CLASSES = (("tro",), ("tnr",), ("res",), ("ags",), ("shp",), ("ene",), ("ind",), ("ref", "swd"))
"""Sectors that share their hours, to add up fewer fields."""

COUNTRY_BIAS = {
    "FR": 0.92,
    "DE": 0.85,
    "GB": 0.84,
    "NL": 1.04,
    "BE": 0.98,
    "ES": 0.76,
    "IT": 0.80,
    "CH": 0.9,
    "IE": 0.86,
    "LU": 0.7,
}
"""What the inventory reports of a country's true emissions."""

SECTOR_BIAS = {
    "tro": 0.82,
    "tnr": 0.72,
    "shp": 1.05,
    "ene": 1.08,
    "ind": 0.92,
    "ref": 1.0,
    "res": 0.80,
    "ags": 0.55,
    "swd": 1.3,
}
"""What the inventory reports of a sector's true emissions."""


def _share(weight: NDArray[np.floating], core: tuple[slice, slice]) -> NDArray[np.float64]:
    """Normalise a map to sum 1 over the window that `FRAME_TOTALS` speaks of."""
    return np.asarray(weight, np.float64) / float(np.sum(weight[core], dtype=np.float64))


def _annual(geography: Geography, seed: int) -> dict[str, NDArray[np.float32]]:
    """Annual emission of each sector in 2019 [mol m-2 s-1], shape (n_y, n_x)."""
    g = geography
    people = g.population.astype(np.float64)
    field = (g.land_cover == AGRICULTURE) * g.land
    texture = np.exp(
        0.5 * spectral_noise(g.grid.shape, 2e3, (8e3, 200e3), 0.8, child_seed(seed, 51))
    )
    town = gaussian_filter(people, 0.8)
    works = g.industry * (0.3 + np.minimum(town / 4000.0, 1.0))
    core = g.frame.window_of(NARROW.grid())
    patterns = {
        "tro": _share(g.road_traffic, core),
        "tnr": 0.6 * _share(people**0.9, core) + 0.4 * _share(field * texture, core),
        "shp": _share(g.ship_traffic, core),
        "ene": 0.5 * _share(works, core) + 0.5 * _share(people, core),
        "ind": 0.45 * _share(works, core) + 0.55 * _share(people**0.95, core),
        "ref": _share(works, core),
        "res": _share(people**0.88 * g.land, core),
        "ags": _share((field + 0.15) * g.land * texture, core),
        "swd": _share(people, core),
    }
    x, y = to_plane([s.longitude for s in POINT_SOURCES], [s.latitude for s in POINT_SOURCES])
    kilotonnes = np.array([s.kilotonnes for s in POINT_SOURCES])
    sector = np.array([s.sector for s in POINT_SOURCES])
    # 1 kt a-1 in a cell of 4 km2, in mol m-2 s-1
    unit = 1e6 / MOLAR_MASS_NO2 / SECONDS_PER_YEAR / (CELL_KM2 * 1e6)
    annual = {}
    for name, pattern in patterns.items():
        stacks = deposit(g.grid, x, y, np.where(sector == name, kilotonnes, 0.0))
        annual[name] = ((FRAME_TOTALS[name] * pattern + stacks) * unit).astype(np.float32)
    return annual


@dataclass(frozen=True)
class HourlyEmissions:
    """Emissions of any hour on one grid.

    Attributes
    ----------
    fields : tuple of ndarray, each (n_y, n_x)
        Annual means of 2019 by `CLASSES` [mol m-2 s-1].
    isles : ndarray, shape (n_y, n_x)
        Share of each cell on the clock of the British Isles.
    places : ndarray of int, shape (n_y, n_x), optional
        Kind of place of each cell (`air.habits`); without, hours are those of the calendar.
    countries : tuple of str
        Their countries.
    """

    fields: tuple[NDArray[np.float32], ...]
    isles: NDArray[np.float32]
    places: NDArray[np.intp] | None = None
    countries: tuple[str, ...] = ()

    def hour(
        self,
        date: np.datetime64,
        utc_hour: int,
        heating: float = 1.0,
        weekly_only: bool = False,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Emission of an hour near the ground and from stacks.

        Parameters
        ----------
        date : datetime64[D]
            Day.
        utc_hour : int
            Hour that begins at `utc_hour` UTC.
        heating : float
            Factor of homes (`heating_factor`).
        weekly_only : bool
            Seasons and trend are in the fields already.

        Returns
        -------
        ground, stacks : ndarray of float32, shape (n_y, n_x)
            NOx [mol m-2 s-1].
        """
        day = to_date(date)
        ground, stacks = np.zeros_like(self.isles), np.zeros_like(self.isles)
        for names, field in zip(CLASSES, self.fields, strict=True):
            sector = names[0]
            if weekly_only:
                factor = weekday_factor(sector, day)
            else:
                factor = day_factor(sector, day, heating)
            target = stacks if sector in LIMITED else ground
            if self.places is not None and sector in habits.CURVES:
                curves = habits.hour_factors(sector, utc_hour, day, self.countries)
                target += (np.float32(factor) * curves)[self.places] * field
                continue
            continent, isles = hour_factors(sector, utc_hour, day)
            if continent == isles:
                target += np.float32(factor * continent) * field
            else:
                clock = self.isles * np.float32(factor * (isles - continent))
                clock += np.float32(factor * continent)
                clock *= field
                target += clock
        return ground, stacks


@dataclass
class Emissions:
    """True NOx emissions of the twin world on the 2 km frame.

    Attributes
    ----------
    geography : Geography
        The ground.
    seed : int
        Seed of the world.
    scale : float
        Factor of everything: 1 is the calibrated world.
    has_habits : bool
        Whether countries and cities have hours of their own.
    """

    geography: Geography
    seed: int
    scale: float = 1.0
    has_habits: bool = False

    @cached_property
    def annual(self) -> dict[str, NDArray[np.float32]]:
        """Annual mean of 2019 by sector [mol m-2 s-1], shape (n_y, n_x)."""
        fields = _annual(self.geography, self.seed)
        return {name: field * np.float32(self.scale) for name, field in fields.items()}

    @cached_property
    def isles(self) -> NDArray[np.float32]:
        """1 where clocks show UTC in winter, 0 where UTC+1."""
        codes = np.array([code in ISLES for code in self.geography.countries])
        return codes[self.geography.country].astype(np.float32)

    @cached_property
    def _places(self) -> NDArray[np.intp]:
        return habits.kinds_of_place(self.geography)

    def on(self, rows: slice, columns: slice, factor: int = 1) -> HourlyEmissions:
        """Emissions on a block of the frame's cells, averaged over `factor` x `factor` of them."""

        def cut(field: NDArray[np.float32]) -> NDArray[np.float32]:
            block = np.ascontiguousarray(field[rows, columns])
            return block if factor == 1 else block_mean(block, factor)

        fields = tuple(
            cut(np.sum([self.annual[sector] for sector in names], axis=0, dtype=np.float32))
            for names in CLASSES
        )
        if not self.has_habits:
            return HourlyEmissions(fields, cut(self.isles))
        middle = slice(factor // 2, None, factor)
        places = np.ascontiguousarray(self._places[rows, columns][middle, middle])
        return HourlyEmissions(fields, cut(self.isles), places, self.geography.countries)

    def month_factor(self, sector: str, year: int, month: int) -> float:
        """Compute the true mean emission of a month over the annual mean of 2019."""
        factors = [
            day_factor(sector, to_date(day), heating_factor(climate_temperature(day)))
            for day in month_days(year, month)
        ]
        return float(np.mean(factors))

    def monthly(self, sector: str, year: int, month: int) -> NDArray[np.float32]:
        """Mean true emission of a month [mol m-2 s-1], shape (n_y, n_x)."""
        return self.annual[sector] * np.float32(self.month_factor(sector, year, month))


def climate_temperature(date: np.datetime64) -> float:
    """Mean land temperature of a day of the year [K], for heating in the inventory."""
    day = to_date(date).timetuple().tm_yday
    return float(284.0 + 8.2 * np.cos(2.0 * np.pi * (day - 201) / 365.25))


def heating_factor(temperature: float) -> float:
    """Emission of homes relative to the annual mean, from the mean temperature of land [K].

    Degree days below 15 C over a base load for cooking and warm water.
    """
    return float(0.30 + 0.155 * max(288.15 - temperature, 0.0))


@dataclass
class Inventory:
    """What an inventory like CAMS-GLOB-ANT says of the emissions, on the 2 km frame.

    Each sector and country has its bias and each place a smooth log-normal error; everything is
    known only as a mean over about 10 km.

    Attributes
    ----------
    truth : Emissions
        The true emissions.
    """

    truth: Emissions

    @cached_property
    def factors(self) -> dict[str, NDArray[np.float32]]:
        """Reported over true emission by sector, shape (n_y, n_x)."""
        g = self.truth.geography
        bias = np.array([COUNTRY_BIAS.get(code, 0.9) for code in g.countries])
        country = gaussian_filter(bias[g.country], 4.0)
        out = {}
        for i, sector in enumerate(SECTORS):
            rng = child_seed(self.truth.seed, 52, i)
            error = spectral_noise(g.grid.shape, 2e3, (30e3, 500e3), 1.0, rng)
            place = 1.0 if sector == "shp" else country
            out[sector] = np.asarray(
                SECTOR_BIAS[sector] * place * np.exp(0.28 * error - 0.04), np.float32
            )
        return out

    @cached_property
    def _annual(self) -> dict[str, NDArray[np.float32]]:
        # proxies of an inventory put emissions to within about 10 km of where they are
        return {
            name: gaussian_filter(field * self.factors[name], 1.6)
            for name, field in self.truth.annual.items()
        }

    def monthly(self, sector: str, year: int, month: int) -> NDArray[np.float32]:
        """Return the reported mean emission of a month [mol m-2 s-1], shape (n_y, n_x)."""
        return self._annual[sector] * np.float32(self.month_factor(sector, year, month))

    def month_factor(self, sector: str, year: int, month: int) -> float:
        """Emission of a month over the annual mean of 2019.

        The inventory knows the trend and the seasons, not the dip of 2020 (its activity data end
        in 2019), as most inventories did not when they were used.
        """
        return self.truth.month_factor(sector, 2019 if year in (2020, 2021) else year, month)

    def annual(self, sector: str) -> NDArray[np.float32]:
        """Return the reported annual mean of 2019 [mol m-2 s-1], shape (n_y, n_x)."""
        return self._annual[sector]
