"""A-priori sets in memory, on every kind of level, and pixels as plain arrays, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from retrieval.apriori.base import ArraySet
from retrieval.l2.pixels import Geometry, Pixels
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.physics.layers import StandardAtmosphere
from retrieval.physics.levels import HeightLevels, HybridLayers, Quantity, Vertical
from retrieval.physics.partial_columns import PixelColumns
from retrieval.physics.time_rules import TimeRule
from retrieval.substitution.collocate import Profiles
from tests.builders.orbit_builder import TM5_A, TM5_B

DAY = np.datetime64("2019-06-26", "ms")
HOUR = np.timedelta64(3_600_000, "ms")
HEIGHTS = np.array([0.0, 50, 250, 500, 1000, 2000, 3000, 5000])
TM5_LAYERS = HybridLayers(TM5_A, TM5_B)
URBAN = np.array([10.08, 8.94, 4.65, 2.8, 1.15, 0.25, 0.05, 0.02]) * MICROGRAM_M3_TO_MOL_M3
"""Urban 2 km profile of docs/equations.md 6.3 at eight of its heights [mol m-3]."""
RURAL = np.array([1.6, 1.55, 1.35, 1.1, 0.7, 0.3, 0.12, 0.06]) * MICROGRAM_M3_TO_MOL_M3
"""Background 1 degree profile of docs/equations.md 6.3."""


def box_grid(spacing=0.1, box=(-4.0, 43.0, 8.0, 53.0)):
    """Longitude/latitude cells over the test orbits."""
    west, south, east, north = box
    return RectilinearGrid.from_centres(
        np.arange(west + spacing / 2, east, spacing), np.arange(south + spacing / 2, north, spacing)
    )


def hours(*stamps):
    """Time stamps at hours of the test day; fractions and hours beyond 24 are welcome."""
    return np.array([DAY + np.timedelta64(round(h * 3600e3), "ms") for h in stamps])


def array_set(
    values,
    *,
    vertical: Vertical | None = None,
    quantity=Quantity.CONCENTRATION,
    times=None,
    rule=TimeRule.DAILY,
    grid=None,
    uncertainty=None,
    surface_altitude=None,
):
    """Build a set from values (level,), (level, y, x) or (time, level, y, x)."""
    grid = grid or box_grid()
    times = hours(12.0) if times is None else times
    vertical = vertical or HeightLevels(HEIGHTS)
    shape = (len(times), vertical.n_level, *grid.shape)

    def spread(field):
        field = np.asarray(field, dtype=float)
        return np.broadcast_to(field[:, None, None] if field.ndim == 1 else field, shape)

    return ArraySet(
        kind="array of a test",
        grid=grid,
        vertical=vertical,
        quantity=quantity,
        times=times,
        time_rule=rule,
        files=[Path("array.nc")],
        values=spread(values),
        uncertainty=None if uncertainty is None else spread(uncertainty),
        surface_altitude=surface_altitude,
    )


def contrast_field(grid, seed=0):
    """Concentrations on the eight heights with towns: (level, y, x), every cell its own shape."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.0, 1.0, grid.shape) ** 3
    return RURAL[:, None, None] * (1 - share) + URBAN[:, None, None] * share


def weights_of(n, n_layer=34):
    """Scattering weights that grow with height, different in every pixel."""
    rng = np.random.default_rng(5)
    ramp = 0.4 + 2.1 * (1 - np.exp(-np.arange(n_layer) / 8.0))
    return ramp * rng.uniform(0.8, 1.2, (n, n_layer))


def make_block(n=1, *, tropopause=16, weights=None, column=5e-5, amf=1.0, altitude=100.0):
    """Build valid pixels on 34 TM5 layers; keywords broadcast over the pixels."""
    surface = np.linspace(101325.0, 95000.0, n)
    corners = np.zeros((n, 4))
    return Pixels(
        geometry=Geometry(np.full(n, 48.0), np.zeros(n), corners + 48.0, corners, np.zeros(n, int)),
        surface_pressure=surface,
        surface_altitude=np.broadcast_to(np.float64(altitude), (n,)),
        column=np.broadcast_to(np.float64(column), (n,)),
        precision_kernel=np.full(n, 1e-5),
        amf_troposphere=np.broadcast_to(np.float64(amf), (n,)),
        amf_total=np.full(n, 2.0),
        amf_stratosphere=np.full(n, 2.5),
        stratospheric_column=np.full(n, 5e-5),
        weights=weights_of(n) if weights is None else weights,
        is_troposphere=np.arange(34) <= np.broadcast_to(tropopause, (n,))[:, None],
        has_kernel=np.ones(n, bool),
        has_tropopause=np.ones(n, bool),
        assumed_altitude=np.zeros(n, bool),
    )


def columns_of(block):
    """Layers and standard atmosphere over the pixels of a block."""
    edges = TM5_A + TM5_B * block.surface_pressure[:, None]
    air = StandardAtmosphere(block.surface_pressure, np.asarray(block.surface_altitude))
    return PixelColumns(block.surface_pressure, edges, air)


def make_profiles(value, **changes):
    """Profiles that nothing is wrong with, (n, level); keywords replace fields."""
    value = np.atleast_2d(np.asarray(value, dtype=float))
    n = value.shape[0]
    fields = {
        "value": value,
        "uncertainty": None,
        "surface_altitude": None,
        "coverage": np.ones(n),
        "is_bad": np.zeros(n, bool),
        "is_outside": np.zeros(n, bool),
        "is_served": np.ones(n, bool),
        "has_negatives": np.zeros(n, bool),
    }
    return Profiles(**(fields | changes))
