"""The ground and the clouds that a simulated orbit looks at.

A `SurfaceScene` may come from anywhere (the twin world has its own). `synthetic_scene` makes one
from the place and time of the pixels alone: smooth random fields in space that move with time,
plausible in their statistics, the same for the same seed.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.maps.land import is_land
from retrieval.physics.constants import MINIMUM_COVERAGE
from retrieval.physics.geometry.footprint import apply_weights, footprint_weights
from retrieval.physics.geometry.grids import project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.simulate.swath import Swath
    from retrieval.typing import Float

SNOW, PERMANENT_ICE, OCEAN, LAND = 103, 101, 255, 0
"""NISE codes of `snow_ice_flag`."""

SNOW_ALBEDO = 0.6


@dataclass(frozen=True)
class SurfaceScene:
    """Ground and clouds on the pixels of a swath, shape (scanline, ground_pixel).

    Attributes
    ----------
    surface_altitude, surface_pressure : ndarray
        Mean over the pixel [m], [Pa].
    surface_albedo : ndarray
        Climatological albedo at 440 nm, without snow [1].
    cloud_fraction, cloud_pressure : ndarray
        Effective fraction [1], pressure [Pa].
    scene_albedo : ndarray
        Albedo of ground, snow and cloud seen as one surface [1].
    snow_ice_flag : ndarray of uint8
        NISE codes: 0 land, 1-100 sea ice percent, 101 permanent ice, 103 snow, 252 coast, 255
        ocean.
    eastward_wind, northward_wind : ndarray
        At 10 m [m s-1].
    aerosol_index : ndarray
        From 388 and 354 nm [1].
    """

    surface_altitude: Float
    surface_pressure: Float
    surface_albedo: Float
    cloud_fraction: Float
    cloud_pressure: Float
    scene_albedo: Float
    snow_ice_flag: NDArray[np.uint8]
    eastward_wind: Float
    northward_wind: Float
    aerosol_index: Float

    def __post_init__(self) -> None:
        shapes = {f.name: np.shape(getattr(self, f.name)) for f in fields(self)}
        odd = [name for name, shape in shapes.items() if shape != self.surface_altitude.shape]
        if odd:
            msg = (
                "Invalid scene. All fields must have the shape of the swath. Given "
                f"{odd[0]} with {shapes[odd[0]]}. Sample it on the pixels."
            )
            raise ValueError(msg)

    @property
    def is_ocean(self) -> NDArray[np.bool_]:
        """True over open water."""
        return np.asarray(self.snow_ice_flag == OCEAN)

    @property
    def scene_pressure(self) -> Float:
        """Apparent pressure of the scene: between ground and cloud by the cloud's share [Pa]."""
        bright = self.cloud_fraction * 0.8
        share = bright / np.maximum(bright + (1.0 - self.cloud_fraction) * 0.2, 1e-6)
        cloud = np.minimum(self.cloud_pressure, self.surface_pressure)
        return np.asarray(self.surface_pressure + share * (cloud - self.surface_pressure))

    def in_single_precision(self) -> SurfaceScene:
        """Return the scene as the file will hold it: rounded to float32, in float64."""
        rounded: dict[str, Any] = {
            f.name: getattr(self, f.name).astype(np.float32).astype(np.float64)
            for f in fields(self)
            if f.name != "snow_ice_flag"
        }
        return replace(self, **rounded)


GRIDDED = (
    "surface_altitude",
    "surface_pressure",
    "surface_albedo",
    "scene_albedo",
    "snow_ice_flag",
    "cloud_fraction",
    "cloud_pressure",
    "eastward_wind",
    "northward_wind",
)
"""Fields that `scene_on_swath` needs; `scene_albedo` is that of the ground with its snow."""


def scene_on_swath(
    fields: Mapping[str, Any], grid: RectilinearGrid, swath: Swath, outside: SurfaceScene
) -> SurfaceScene:
    """Bring ground and clouds from a fine grid to the pixels of a swath.

    Parameters
    ----------
    fields : mapping of str to array
        Fields of `GRIDDED` on the grid, shape (n_y, n_x); an `xarray.Dataset` will do.
        Clouds count by their fraction in the mean of `cloud_pressure`.
    grid : RectilinearGrid
        The grid.
    swath : Swath
        The pixels; means over their polygons.
    outside : SurfaceScene
        What pixels look at that are not wholly inside of the grid; also the aerosol index.

    Returns
    -------
    SurfaceScene

    Raises
    ------
    ValueError
        If a field is missing or does not fit the grid.
    """
    values = {name: _gridded(fields, name, grid) for name in GRIDDED}
    latitude_bounds = swath.latitude_bounds.reshape(-1, 4)
    longitude_bounds = swath.longitude_bounds.reshape(-1, 4)
    weights = footprint_weights(latitude_bounds, longitude_bounds, grid)
    cover = values["cloud_fraction"]
    averaged = [n for n in GRIDDED if n not in ("snow_ice_flag", "cloud_pressure")]
    stack = [values[n].ravel() for n in averaged]
    stack.append((cover * values["cloud_pressure"]).ravel())
    mean, coverage = apply_weights(weights, np.stack(stack, axis=1))
    is_inside = (coverage >= MINIMUM_COVERAGE).reshape(swath.shape)
    found = {n: mean[:, i].reshape(swath.shape) for i, n in enumerate(averaged)}
    with np.errstate(divide="ignore", invalid="ignore"):
        by_fraction = mean[:, -1].reshape(swath.shape) / found["cloud_fraction"]
    found["cloud_pressure"] = np.where(
        found["cloud_fraction"] > 0, by_fraction, outside.cloud_pressure
    )
    below = found["scene_albedo"]
    found["scene_albedo"] = below + found["cloud_fraction"] * (0.8 - below)
    merged: dict[str, Any] = {
        name: np.where(is_inside, of_grid, getattr(outside, name))
        for name, of_grid in found.items()
    }
    code = _nearest(values["snow_ice_flag"], grid, swath).astype(np.uint8)
    merged["snow_ice_flag"] = np.where(is_inside, code, outside.snow_ice_flag)
    return replace(outside, **merged)


def _gridded(fields: Mapping[str, Any], name: str, grid: RectilinearGrid) -> Float:
    if name not in fields or np.shape(fields[name]) != grid.shape:
        given = np.shape(fields[name]) if name in fields else "none"
        msg = (
            f"Invalid scene field {name}. It must be given on the grid of {grid.shape}. Given "
            f"{given}. Build the scene on this grid."
        )
        raise ValueError(msg)
    return np.asarray(fields[name], dtype=np.float64)


def _nearest(field: Float, grid: RectilinearGrid, swath: Swath) -> Float:
    """Take the cells under the pixel centres; the nearest cell outside of the grid."""
    x, y = project(swath.longitude, swath.latitude, grid)
    n_y, n_x = grid.shape
    column = np.clip(np.searchsorted(grid.x_edges, x, side="right") - 1, 0, n_x - 1)
    row = np.clip(np.searchsorted(grid.y_edges, y, side="right") - 1, 0, n_y - 1)
    return field[row, column]


def synthetic_scene(swath: Swath, seed: int = 0, *, real_land: bool = True) -> SurfaceScene:
    """Make ground and clouds for a swath.

    Terrain, albedo, clouds and winds are invented.

    Parameters
    ----------
    swath : Swath
        Places and times.
    seed : int
        Of the random fields.
    real_land : bool
        Take land and sea from the package global-land-mask (some seconds to load), or invent them.
    """
    lon, lat = swath.longitude, swath.latitude
    ground, weather = (np.random.default_rng([seed, i]) for i in (0, 1))
    hours = (swath.time[0] - np.datetime64("2018-01-01", "ms")) / np.timedelta64(3_600_000, "ms")
    drift = lon - 0.4 * hours, lat + 0.1 * hours  # weather moves east at some 30 km an hour
    coast = np.asarray(_waves(lon, lat, ground, 8.0) > 0.0)
    is_land = _real_land(lon, lat) if real_land else coast
    hills = np.maximum(_waves(lon, lat, ground, 2.0), 0.0) ** 2
    altitude = np.where(is_land, 120.0 + 700.0 * hills, 0.0)
    sea_level = 101300.0 + 900.0 * _waves(*drift, weather, 14.0)
    pressure = sea_level * (1.0 - altitude / 44330.77) ** (1.0 / 0.190263)
    bright = np.clip(0.056 + 0.014 * _waves(lon, lat, ground, 1.2), 0.03, 0.15)
    albedo = np.where(is_land, bright, 0.04)
    large, small = _waves(*drift, weather, 9.0), _waves(*drift, weather, 0.9)
    cloud = np.clip(0.15 + 0.6 * large + 0.35 * small, 0.0, 1.0) ** 1.5
    height = 2200.0 + 1600.0 * _waves(*drift, weather, 6.0) + 1500.0 * cloud
    cloud_pressure = pressure * np.exp(-np.maximum(height, 300.0) / 8000.0)
    winter = np.cos(2.0 * np.pi * (hours / 8766.0 - 0.04))
    is_snow = is_land & (altitude + 900.0 * (winter - 1.0) + 40.0 * (lat - 47.0) > 600.0)
    snow = np.where(is_snow, SNOW, np.where(is_land, LAND, OCEAN)).astype(np.uint8)
    below = np.where(is_snow, SNOW_ALBEDO, albedo)
    return SurfaceScene(
        surface_altitude=altitude,
        surface_pressure=pressure,
        surface_albedo=albedo,
        cloud_fraction=cloud,
        cloud_pressure=cloud_pressure,
        scene_albedo=below + cloud * (0.8 - below),
        snow_ice_flag=snow,
        eastward_wind=4.0 + 4.0 * _waves(*drift, weather, 10.0),
        northward_wind=4.0 * _waves(*drift, weather, 10.0),
        aerosol_index=-0.8 + 0.5 * _waves(*drift, weather, 5.0),
    )


def _real_land(lon: Float, lat: Float) -> NDArray[np.bool_]:
    return is_land(lat, np.clip(lon, -180.0, 179.999))


def _waves(lon: Float, lat: Float, rng: np.random.Generator, scale: float) -> Float:
    """Sum random plane waves of about `scale` degree: mean 0, standard deviation 0.6."""
    total = np.zeros(lon.shape)
    n_wave = 8
    for _ in range(n_wave):
        angle, phase = rng.uniform(0.0, 2.0 * np.pi, 2)
        k = 2.0 * np.pi / (scale * rng.uniform(0.6, 1.8))
        total += np.sin(k * (np.cos(angle) * lon + 1.4 * np.sin(angle) * lat) + phase)
    return np.asarray(total * 0.6 * np.sqrt(2.0 / n_wave))
