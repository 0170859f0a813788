"""Small re-retrieved orbits of several days for tests of gridding and maps.

Two sets of profiles with cities, sharp (DACNO2) and blurred (CAMS), on the days of the orbits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from retrieval.apriori.profile_file import Profiles, write_profile_file
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.substitution.job import Job
from retrieval.substitution.reretrieve import reretrieve
from tests.builders.orbit_builder import build_orbit

HEIGHTS = np.array([0.0, 50, 250, 500, 1000, 2000, 3000, 5000])
CITIES = (
    # longitude, latitude, surface NO2 [ug m-3]
    (2.35, 48.86, 30.0),
    (3.06, 50.63, 14.0),
    (4.48, 51.92, 24.0),
    (7.0, 51.5, 26.0),
    (4.84, 45.76, 16.0),
    (9.19, 45.46, 30.0),
    (7.68, 45.07, 20.0),
    (-0.13, 51.5, 26.0),
    (-0.58, 44.84, 8.0),
    (8.54, 47.37, 12.0),
)
BACKGROUND = 1.5
"""Surface NO2 away from cities [ug m-3]."""


@dataclass(frozen=True)
class Season:
    """Orbits of consecutive days, original and re-retrieved."""

    folder: Path
    originals: list[Path] = field(default_factory=list)
    outputs: list[Path] = field(default_factory=list)


def write_cities(
    path: Path, *, day: str, width: float, bounds: tuple[float, ...], step: float
) -> Path:
    """Write a profile file with cities of a width [degree of latitude]."""
    west, south, east, north = bounds
    x = west + step * (np.arange(round((east - west) / step)) + 0.5)
    y = south + step * (np.arange(round((north - south) / step)) + 0.5)
    surface = np.full((y.size, x.size), BACKGROUND)
    for lon, lat, peak in CITIES:
        distance_2 = ((x[None, :] - lon) * 0.65) ** 2 + (y[:, None] - lat) ** 2
        # the same amount of NO2 whatever the width: blurred cities are lower
        surface += peak * (0.12 / width) ** 2 * np.exp(-0.5 * distance_2 / width**2)
    decay = np.exp(-HEIGHTS / 600.0)[:, None, None]
    no2 = (surface * decay + 0.1) * MICROGRAM_M3_TO_MOL_M3
    time = np.array([f"{day}T12:00"], dtype="datetime64[ms]")
    names = ("title", "institution", "history", "references")
    attributes = dict.fromkeys(names, "made for a test") | {"source": "made up"}
    grid = RectilinearGrid.from_centres(x, y)
    bounds_ = np.stack([time - 90 * 60_000, time + 90 * 60_000], axis=-1)
    return write_profile_file(
        path,
        Profiles(no2[None], HEIGHTS, grid, time, time_bounds=bounds_, attributes=attributes),
    )


def build_season(
    folder: Path,
    *,
    n_day: int = 3,
    shape: tuple[int, int] = (32, 28),
    area: tuple[float, float, float, float] = (1.3, 47.8, 3.4, 49.8),
    bounds: tuple[float, float, float, float] = (0.0, 47.0, 5.0, 51.0),
    step: float = 0.1,
    sets: tuple[str, ...] = ("dacno2", "cams"),
) -> Season:
    """Build and re-retrieve one orbit a day from 1 June 2019, each a little farther east."""
    folder.mkdir(parents=True, exist_ok=True)
    widths = {"dacno2": 0.12, "cams": 0.25}
    season = Season(folder)
    for i in range(n_day):
        day = str(np.datetime64("2019-06-01") + i)
        shift = 0.15 * (i % 5)
        orbit = build_orbit(
            folder,
            n_scanline=shape[0],
            n_ground_pixel=shape[1],
            date=day,
            seed=i,
            orbit_number=8400 + 14 * i,
            area=(area[0] + shift, area[1], area[2] + shift, area[3]),
            noise=0.3e15,
        )
        paths = {
            name: write_cities(
                folder / f"{name}_{day}.nc",
                day=day,
                width=widths[name],
                bounds=bounds,
                step=step,
            )
            for name in sets
        }
        target = folder / f"{orbit.path.stem}_out.nc"
        reretrieve(orbit.path, Job(sets=paths), target)
        season.originals.append(orbit.path)
        season.outputs.append(target)
    return season
