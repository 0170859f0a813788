"""The land of the twin world on the 2 km frame: coast, relief, people, roads, cover, light.

Coastline, towns and populations are real (global-land-mask, GeoNames); relief, roads, cover
and light are drawn from them and from the positions of ranges, stacks and lanes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from dacno2_s5p.twin.land.networks import deposit, road_network, shipping
from dacno2_s5p.twin.land.places import POINT_SOURCES, Settlements, settlements
from dacno2_s5p.twin.land.terrain import elevation, spectral_noise
from dacno2_s5p.twin.land.world import Frame, Points, child_seed, to_lonlat, to_plane
from retrieval.maps.land import is_land

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.physics.geometry.grids import RectilinearGrid

ARTIFICIAL, AGRICULTURE, FOREST, WETLAND, WATER = range(5)
"""Land-cover classes, the five of the paper's section 2.2.1, in CORINE's order."""

RURAL, SUBURBAN, URBAN = range(3)
"""Degree of urbanisation, after the density of people within 5 km."""

URBAN_DENSITY = 1500.0
"""People per km2 above which a cell is urban (Eurostat's urban centre)."""

SUBURBAN_DENSITY = 300.0
"""People per km2 above which a cell is suburban (Eurostat's urban cluster)."""

CELL_KM2 = 4.0
"""Area of a 2 km cell [km2]."""


@dataclass(frozen=True)
class Geography:
    """Static fields of the twin world; arrays of shape (n_y, n_x) on `grid`.

    Attributes
    ----------
    frame : Frame
        What is simulated.
    grid : RectilinearGrid
        Its 2 km cells.
    points : Points
        Its cell centres.
    land : ndarray of float32
        Land fraction [1].
    elevation : ndarray of float32
        Mean terrain height [m].
    population : ndarray of float32
        People per cell.
    urbanisation : ndarray of uint8
        RURAL, SUBURBAN or URBAN.
    country : ndarray of int16
        Index into `countries`; at sea that of the nearest coast.
    countries : tuple of str
        ISO codes of two letters.
    road_length : ndarray of float32, shape (5, n_y, n_x)
        Highways, primary, secondary, tertiary, local roads [m km-2], as GRIP4's types 1-5.
    road_traffic : ndarray of float32
        Share of the frame's road traffic in each cell; sum 1.
    ship_traffic : ndarray of float32
        Share of the frame's ship traffic in each cell; sum 1.
    land_cover : ndarray of uint8
        ARTIFICIAL ... WATER.
    night_light : ndarray of float32
        Radiance [nW cm-2 sr-1].
    industry : ndarray of float32
        Closeness to stacks, 0-1.
    """

    frame: Frame
    grid: RectilinearGrid
    points: Points
    land: NDArray[np.float32]
    elevation: NDArray[np.float32]
    population: NDArray[np.float32]
    urbanisation: NDArray[np.uint8]
    country: NDArray[np.int16]
    countries: tuple[str, ...]
    road_length: NDArray[np.float32]
    road_traffic: NDArray[np.float32]
    ship_traffic: NDArray[np.float32]
    land_cover: NDArray[np.uint8]
    night_light: NDArray[np.float32]
    industry: NDArray[np.float32]

    @property
    def density(self) -> NDArray[np.float32]:
        """People per km2 of each cell."""
        return self.population / np.float32(CELL_KM2)


def land_fraction(grid: RectilinearGrid, samples: int = 3) -> NDArray[np.float32]:
    """Land fraction of projected cells from `samples` x `samples` points in each."""
    spacing = np.diff(grid.x_edges)[0]
    total = np.zeros(grid.shape, np.float32)
    offsets = (np.arange(samples) + 0.5) / samples - 0.5
    for dy in offsets * spacing:
        for dx in offsets * spacing:
            x, y = np.meshgrid(grid.x + dx, grid.y + dy)
            longitude, latitude = to_lonlat(x, y)
            total += is_land(latitude, longitude)
    return total / np.float32(samples**2)


def _spread_people(
    grid: RectilinearGrid, towns: Settlements, land: NDArray[np.float32]
) -> NDArray[np.float32]:
    """People per cell: each town as a core and a wide skirt that grow with its size."""
    x, y = to_plane(towns.longitude, towns.latitude)
    people = np.zeros(grid.shape)
    edges = [0.0, 5e3, 2e4, 6e4, 2e5, 6e5, 2e6, np.inf]
    cores = [0.9, 1.1, 1.5, 2.0, 2.9, 4.0, 5.2]  # km, one sigma
    land64 = np.clip(land.astype(np.float64), 0.02, 1.0)
    for low, high, core in zip(edges[:-1], edges[1:], cores, strict=True):
        inside = (towns.population >= low) & (towns.population < high)
        drawn = deposit(grid, x[inside], y[inside], towns.population[inside])
        for share, sigma in ((0.72, core), (0.28, 3.0 * core)):
            # the land under the kernel takes what would fall into the sea
            weight = gaussian_filter(land64, 0.5 * sigma, truncate=4.0)
            people += share * land64 * gaussian_filter(drawn / weight, 0.5 * sigma, truncate=4.0)
    return people.astype(np.float32)


def _countries(points: Points, towns: Settlements) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Country of each cell: that of the nearest of its towns."""
    x, y = to_plane(towns.longitude, towns.latitude)
    codes, index = np.unique(towns.country, return_inverse=True)
    _, nearest = cKDTree(np.column_stack([x, y])).query(
        np.column_stack([points.x.ravel(), points.y.ravel()]), eps=0.2
    )
    country = index[nearest].reshape(points.shape).astype(np.int16)
    return country, tuple(str(code) for code in codes)


def _industry(grid: RectilinearGrid) -> NDArray[np.float32]:
    """Draw the closeness to the stacks of `POINT_SOURCES`: 1 at a large one, falling over 3 km."""
    longitude = np.array([source.longitude for source in POINT_SOURCES])
    latitude = np.array([source.latitude for source in POINT_SOURCES])
    strength = np.array([source.kilotonnes for source in POINT_SOURCES])
    x, y = to_plane(longitude, latitude)
    near = gaussian_filter(deposit(grid, x, y, strength), 1.2)
    return np.asarray(1.0 - np.exp(-near / 0.15), np.float32)


def _land_cover(
    land: NDArray[np.float32],
    height: NDArray[np.float32],
    density: NDArray[np.float32],
    industry: NDArray[np.float32],
    seed: int,
) -> NDArray[np.uint8]:
    """Five classes from people, height, coast and patchy noise."""
    shape = land.shape
    patches = spectral_noise(shape, 2e3, (6e3, 120e3), 0.7, child_seed(seed, 31))
    regions = spectral_noise(shape, 2e3, (100e3, 600e3), 1.0, child_seed(seed, 32))
    wet = spectral_noise(shape, 2e3, (6e3, 80e3), 0.6, child_seed(seed, 33))
    sea_near = gaussian_filter(1.0 - land.astype(np.float64), 3.0)
    steep = gaussian_filter(np.abs(height - gaussian_filter(height, 4.0)), 2.0)
    wooded = 0.75 * patches + 0.5 * regions + height / 420.0 + steep / 55.0 - 1.35
    cover = np.where(wooded > 0.0, FOREST, AGRICULTURE).astype(np.uint8)
    marsh = (wet + 2.0 * sea_near - height / 30.0 > 2.1) & (height < 40.0)
    cover[marsh] = WETLAND
    cover[(density + 700.0 * industry > 650.0)] = ARTIFICIAL
    cover[land < 0.5] = WATER
    return cover


def _roads(
    grid: RectilinearGrid,
    land: NDArray[np.float32],
    towns: Settlements,
    people: NDArray[np.float32],
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Road length by type [m km-2] and share of the traffic."""
    x, y = to_plane(towns.longitude, towns.latitude)
    kinds = ((120e3, 4), (25e3, 4), (6e3, 3))
    networks = [
        road_network(grid, land, x, y, towns.population, smallest, neighbours, seed)
        for smallest, neighbours in kinds
    ]
    density = people.astype(np.float64) / CELL_KM2
    tertiary = 260.0 * (density / 150.0) ** 0.45 * land
    local = 900.0 * (density / 150.0) ** 0.6 * land
    lengths = [length / CELL_KM2 for length, _ in networks] + [tertiary, local]
    # half of the traffic is in towns, where people are; the rest on links, most on highways
    town = people.astype(np.float64) ** 0.85 * land
    traffic = 0.47 * town / town.sum()
    for (_, flow), share in zip(networks, (0.27, 0.17, 0.09), strict=True):
        smooth = gaussian_filter(np.minimum(flow, np.quantile(flow[flow > 0], 0.995)), 0.5)
        traffic += share * smooth / smooth.sum()
    return np.stack(lengths).astype(np.float32), traffic.astype(np.float32)


@lru_cache(maxsize=2)
def build_geography(seed: int, frame: Frame) -> Geography:
    """Build the static fields of the twin world; the same for the same seed.

    Parameters
    ----------
    seed : int
        Seed of everything that is not real: relief detail, bends of roads, patches of cover.
    frame : Frame
        What is built: another frame is another draw of what is not real.

    Returns
    -------
    Geography
    """
    grid = frame.grid()
    points = Points.of_grid(grid)
    towns = settlements()
    land = land_fraction(grid)
    people = _spread_people(grid, towns, land)
    density = people / np.float32(CELL_KM2)
    height = elevation(grid, points, land, density / np.float32(400.0), seed)
    industry = _industry(grid)
    near = gaussian_filter(density, 1.2)
    urbanisation = (near > SUBURBAN_DENSITY).astype(np.uint8) + (near > URBAN_DENSITY)
    country, countries = _countries(points, towns)
    lengths, traffic = _roads(grid, land, towns, people, seed)
    glow = gaussian_filter(density, 0.7) * (1.0 + 1.5 * gaussian_filter(industry, 0.7))
    light = 75.0 * (1.0 - np.exp(-((glow / 4200.0) ** 0.8))) + 6.0 * industry
    return Geography(
        frame=frame,
        grid=grid,
        points=points,
        land=land,
        elevation=height,
        population=people,
        urbanisation=urbanisation.astype(np.uint8),
        country=country,
        countries=countries,
        road_length=lengths,
        road_traffic=traffic,
        ship_traffic=shipping(grid, land).astype(np.float32),
        land_cover=_land_cover(land, height, density, industry, seed),
        night_light=light.astype(np.float32),
        industry=industry,
    )
