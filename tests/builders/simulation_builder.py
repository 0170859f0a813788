"""A small model, truth and swath for tests of the forward simulator, all in memory."""

from __future__ import annotations

import numpy as np

from retrieval.apriori.base import ArraySet
from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.physics.levels import HeightLevels, HybridLayers, Quantity
from retrieval.physics.time_rules import TimeRule
from retrieval.simulate.swath import Swath, orbits_over
from retrieval.simulate.tm5 import OperationalModel
from tests.builders.orbit_builder import TM5_A, TM5_B

DATE = "2023-07-10"
PARIS = (2.35, 48.86)
BOX = (1.2, 48.2, 3.6, 49.6)
HEIGHTS = np.array(
    [0, 25, 50, 100, 150, 200, 250, 375, 500, 750, 1000, 1500, 2000, 3000, 5000, 8000, 12e3, 16e3]
)


def small_swath(n_scanline: int = 12) -> Swath:
    """Return some scanlines across Paris, all 450 pixels."""
    swath = orbits_over(DATE, BOX)[0]
    first = swath.shape[0] // 2 - n_scanline // 2
    return swath.cut(slice(first, first + n_scanline))


def small_model(seed: int = 0) -> OperationalModel:
    """Return a TM5-like model on 1 degree, 45W-45E 20-80N, half-hourly from 10 to 15 UTC."""
    latitude, longitude = np.arange(20.5, 80), np.arange(-44.5, 45)
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    rng = np.random.default_rng(seed)
    pressure = TM5_A + TM5_B * 1e5
    middle = 0.5 * (pressure[1:] + pressure[:-1])
    height = -7400.0 * np.log(np.maximum(middle, 1.0) / 1e5)
    index = np.clip(np.rint(17.0 - (lat - 40.0) / 5.0), 12, 22)
    column = (1.2 + 0.5 * np.sin(0.5 * lon + rng.uniform(0, 6)) * np.cos(0.4 * lat)) * 1e-9
    free = 35e-12 * (1.0 + 0.4 * np.tanh((height - 7000.0) / 2500.0))
    lower = free[:, None, None] + column * np.exp(-height / 1000.0)[:, None, None]
    upper = 6e-9 * np.exp(-(((np.log(np.maximum(middle, 1.0)) - np.log(1200.0)) / 1.2) ** 2))
    is_troposphere = np.arange(34)[:, None, None] <= index
    no2 = np.where(is_troposphere, lower, upper[:, None, None])
    temperature = np.maximum(288.0 - 6.5e-3 * height, 216.65)[:, None, None] - 0.3 * (lat - 45.0)
    times = _hours(np.arange(10.0, 15.1, 0.5))
    growth = 1.0 + 0.02 * np.arange(times.size)

    def field(kind: str, values: np.ndarray, vertical: HybridLayers) -> ArraySet:
        return ArraySet(
            kind,
            RectilinearGrid.from_centres(longitude, latitude),
            vertical,
            Quantity.MOLE_FRACTION,
            times,
            TimeRule.NEAREST,
            files=[],
            values=values,
        )

    layers = HybridLayers(TM5_A, TM5_B)
    single = HybridLayers(np.zeros(2), np.array([1.0, 0.0]))
    same = np.ones(times.size)
    return OperationalModel(
        field("TM5", (growth[:, None, None, None] * no2).astype(np.float32), layers),
        field("T", (same[:, None, None, None] * temperature).astype(np.float32), layers),
        field("tropopause", (same[:, None, None, None] * index[None]).astype(np.float32), single),
    )


def _hours(hours: np.ndarray) -> np.ndarray:
    return np.datetime64(DATE, "ms") + (hours * 3_600_000).astype("timedelta64[ms]")


def concentration(lon: np.ndarray, lat: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return a city in a smooth background [mol m-3], shape (height, *place)."""
    distance = (lon - PARIS[0]) ** 2 * 0.43 + (lat - PARIS[1]) ** 2
    surface = (1.5 + 0.4 * np.sin(lon) + 18.0 * np.exp(-distance / 0.15**2)) * 2.17e-8
    z = np.asarray(height, dtype=float).reshape(-1, *[1] * lon.ndim)
    return surface * np.exp(-z / 400.0) + 9e-10 * np.exp(-z / 7400.0)


def small_truth(
    box: tuple[float, float, float, float] = BOX,
    spacing: float = 0.04,
    heights: np.ndarray = HEIGHTS,
    *,
    vertical: str = "heights",
) -> ArraySet:
    """Return the truth on a latitude/longitude grid, hourly, growing by a tenth an hour.

    `vertical` is `heights` or `layers` (mole fractions on the model's own layers).
    """
    west, south, east, north = box
    longitude = np.arange(west + spacing / 2, east, spacing)
    latitude = np.arange(south + spacing / 2, north, spacing)
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    times = _hours(np.arange(10.0, 15.0))
    if vertical == "heights":
        levels: HeightLevels | HybridLayers = HeightLevels(heights)
        values, quantity = concentration(lon, lat, heights), Quantity.CONCENTRATION
    else:
        levels = HybridLayers(TM5_A, TM5_B)
        middle = 0.5 * (TM5_A[1:] + TM5_A[:-1] + (TM5_B[1:] + TM5_B[:-1]) * 1e5)
        height = -7400.0 * np.log(np.maximum(middle, 1.0) / 1e5)
        air = middle / (8.314 * 270.0)
        values = concentration(lon, lat, height) / air[:, None, None]
        quantity = Quantity.MOLE_FRACTION
    growth = (1.0 + 0.1 * np.arange(times.size))[:, None, None, None]
    return ArraySet(
        "truth",
        RectilinearGrid.from_centres(longitude, latitude),
        levels,
        quantity,
        times,
        TimeRule.LINEAR,
        files=[],
        is_synthetic=True,
        values=(growth * values).astype(np.float32),
    )
