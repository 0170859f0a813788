"""Surface stations of the twin world: where they are, what they measure, what they miss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from dacno2_s5p.twin.land.geography import RURAL, SUBURBAN, URBAN
from dacno2_s5p.twin.land.world import as_day, child_seed, day_hours, to_lonlat
from dacno2_s5p.twin.weather.modes import hours_since_epoch, smooth_noise
from retrieval.maps.regions import DOMAIN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.twin.land.geography import Geography

CELLS, EVALUATION = 748, 173
"""Cells with background or industrial stations, and those held back (paper, section 2.2.2)."""

TRAFFIC = 90
"""Traffic stations in the files, which a reader must leave out."""

DOUBLES = 24
"""Cells with a second station."""

SHARES = {URBAN: 0.47, SUBURBAN: 0.25, RURAL: 0.28}
"""Share of cells by degree of urbanisation."""

MEASUREMENT_ERROR = 1.0
"""Hourly error of a monitor [ug m-3]."""


@dataclass(frozen=True)
class Stations:
    """Stations and their cells; arrays of shape (n,).

    Attributes
    ----------
    row, column : ndarray of int64
        Cell in the domain's 2 km grid.
    longitude, latitude, altitude : ndarray of float64
        Place [degree, m].
    country : ndarray of str
        ISO code.
    code : ndarray of str
        EoI code of the station.
    kind : ndarray of str
        "background", "industrial" or "traffic".
    area : ndarray of str
        "urban", "suburban" or "rural".
    is_evaluation : ndarray of bool
        Held back from training and from CAMS.
    is_assimilated : ndarray of bool
        Used by the CAMS-like analysis: background stations of training cells.
    seed : int
        Seed of the world.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    altitude: NDArray[np.float64]
    country: NDArray[np.str_]
    code: NDArray[np.str_]
    kind: NDArray[np.str_]
    area: NDArray[np.str_]
    is_evaluation: NDArray[np.bool_]
    is_assimilated: NDArray[np.bool_]
    seed: int

    @property
    def size(self) -> int:
        """Number of stations."""
        return int(self.row.size)

    @cached_property
    def representativeness(self) -> NDArray[np.float64]:
        """Factor between a station and its cell, constant in time."""
        rng = child_seed(self.seed, 63)
        spread = np.where(
            self.kind == "industrial", 0.22, np.where(self.area == "rural", 0.24, 0.20)
        )
        factor = np.exp(spread * rng.standard_normal(self.size) - 0.01)
        return np.where(self.kind == "traffic", 1.7 * factor, factor)

    def observe(self, date: np.datetime64, truth: NDArray[np.floating]) -> NDArray[np.float32]:
        """Measure a day.

        Parameters
        ----------
        date : datetime64[D]
            Day.
        truth : ndarray, shape (24, n)
            NO2 of the stations' cells at the ground [ug m-3].

        Returns
        -------
        ndarray of float32, shape (24, n)
            Hourly values [ug m-3], NaN where the monitor failed.
        """
        date = as_day(date)
        hours = hours_since_epoch(day_hours(date))
        local = smooth_noise(hours, 5.0, self.size, self.seed, 64)
        number = int(date.astype(np.int64))
        rng = child_seed(self.seed, 65, number)
        noise = MEASUREMENT_ERROR * rng.standard_normal((24, self.size))
        values = truth * self.representativeness * np.exp(0.20 * local - 0.02) + noise + 0.2
        values = np.maximum(values, 0.0)
        values[self._missing(date, rng)] = np.nan
        return values.astype(np.float32)

    def _missing(self, date: np.datetime64, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Single hours, and outages of days by station."""
        single = rng.random((24, self.size)) < 0.03
        days = np.array([float(date.astype(np.int64))])
        outage = smooth_noise(24.0 * days, 24.0 * 9.0, self.size, self.seed, 66)[0] > 1.55
        return np.asarray(single | outage)


def place_stations(geography: Geography, seed: int) -> Stations:
    """Draw the station network; the same for the same seed.

    Cells are drawn by urbanisation and people, so that most are in towns, as in the real network;
    rural ones keep away from each other only by chance. A fifth of the training cells' size is
    held back for evaluation, spread over all kinds.
    """
    rng = child_seed(seed, 61)
    rows, columns, classes = _draw_cells(geography, rng)
    window = geography.frame.domain()
    near_stack = gaussian_filter(geography.industry[window], 1.5)[rows, columns]
    industrial = rng.random(CELLS) < np.clip(0.06 + 1.1 * near_stack, 0.0, 0.8)
    held_back = np.zeros(CELLS, bool)
    held_back[rng.permutation(CELLS)[:EVALUATION]] = True
    second = rng.permutation(CELLS)[:DOUBLES]
    roadside = _traffic_cells(geography, rng)
    cell = np.concatenate([np.arange(CELLS), second])
    row = np.concatenate([rows[cell], roadside[0]])
    column = np.concatenate([columns[cell], roadside[1]])
    kind = np.where(industrial[cell], "industrial", "background")
    # the second monitor of a cell stands for the background
    kind[CELLS:] = "background"
    kinds = np.concatenate([kind, np.full(TRAFFIC, "traffic")])
    area_class = np.concatenate([classes[cell], np.full(TRAFFIC, URBAN)])
    evaluation = np.concatenate([held_back[cell], np.zeros(TRAFFIC, bool)])
    assimilated = (kinds == "background") & ~evaluation
    x = geography.grid.x[window[1]][column] + rng.uniform(-950.0, 950.0, row.size)
    y = geography.grid.y[window[0]][row] + rng.uniform(-950.0, 950.0, row.size)
    longitude, latitude = to_lonlat(x, y)
    index = geography.country[window][row, column]
    country = np.array(geography.countries)[index]
    number = 10_000 + 7 * np.arange(row.size)
    return Stations(
        row=row,
        column=column,
        longitude=longitude.round(6),
        latitude=latitude.round(6),
        altitude=geography.elevation[window][row, column].astype(np.float64).round(0),
        country=country,
        code=np.array([f"{c}{n:05d}" for c, n in zip(country, number, strict=True)]),
        kind=kinds,
        area=np.array(["rural", "suburban", "urban"])[area_class],
        is_evaluation=evaluation,
        is_assimilated=assimilated,
        seed=seed,
    )


def _inside_box(geography: Geography) -> NDArray[np.bool_]:
    window = geography.frame.domain()
    longitude = geography.points.longitude[window]
    latitude = geography.points.latitude[window]
    west, south, east, north = DOMAIN.box  # the paper's stations lie inside
    inside = (longitude > west) & (longitude < east) & (latitude > south) & (latitude < north)
    return np.asarray(inside & (geography.land[window] > 0.5))


def _draw_cells(
    geography: Geography, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    window = geography.frame.domain()
    inside = _inside_box(geography)
    people = geography.population[window].astype(np.float64)
    classes = geography.urbanisation[window]
    weight = {URBAN: people**0.2, SUBURBAN: people**0.4, RURAL: (people + 5.0) ** 0.45}
    counts = {kind: round(share * CELLS) for kind, share in SHARES.items()}
    counts[RURAL] += CELLS - sum(counts.values())
    rows, columns, kinds = [], [], []
    for kind, count in counts.items():
        candidates = np.flatnonzero((inside & (classes == kind)).ravel())
        p = weight[kind].ravel()[candidates]
        chosen = rng.choice(candidates, count, replace=False, p=p / p.sum())
        rows.append(chosen // inside.shape[1])
        columns.append(chosen % inside.shape[1])
        kinds.append(np.full(count, kind))
    order = rng.permutation(CELLS)
    row, column, kind_of = (np.concatenate(part)[order] for part in (rows, columns, kinds))
    return row.astype(np.int64), column.astype(np.int64), kind_of.astype(np.int64)


def _traffic_cells(
    geography: Geography, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    window = geography.frame.domain()
    inside = _inside_box(geography) & (geography.urbanisation[window] == URBAN)
    candidates = np.flatnonzero(inside.ravel())
    p = geography.road_traffic[window].ravel()[candidates].astype(np.float64)
    chosen = rng.choice(candidates, TRAFFIC, replace=False, p=p / p.sum())
    return chosen // inside.shape[1], chosen % inside.shape[1]
