"""A slow and obvious second implementation of the chain's steps, for one pixel at a time.

Shapely for the footprint, np.interp and quadrature for the profile, the standard atmosphere
written out again: nothing is shared with the package.
"""

from __future__ import annotations

import numpy as np
import shapely
from pyproj import Transformer
from scipy.integrate import quad

from tests.builders.array_sets import HEIGHTS
from tests.builders.orbit_builder import TM5_A, TM5_B

G, R_D, M_AIR = 9.80665, 287.05287, 0.0289644
LEVELS = 100.0 * np.array([1000.0, 925, 850, 700, 500, 300, 200, 100])


def footprint_mean(field, grid, lat, lon):
    """Area mean of (level, y, x) over a pixel, cell by cell with shapely."""
    if grid.is_geographic:
        x, y = lon, lat
        factor = np.diff(np.sin(np.deg2rad(grid.y_edges))) / np.diff(grid.y_edges)
    else:
        x, y = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform(lon, lat)
        factor = np.ones(grid.shape[0])
    polygon = shapely.Polygon(np.stack([x, y], axis=1))
    total, weight = 0.0, 0.0
    for j in np.flatnonzero((grid.y_edges[1:] > y.min()) & (grid.y_edges[:-1] < y.max())):
        for i in np.flatnonzero((grid.x_edges[1:] > x.min()) & (grid.x_edges[:-1] < x.max())):
            cell = shapely.box(
                *grid.x_edges[[i]],
                *grid.y_edges[[j]],
                *grid.x_edges[[i + 1]],
                *grid.y_edges[[j + 1]],
            )
            area = polygon.intersection(cell).area * factor[j]
            total, weight = total + area * field[:, j, i], weight + area
    return total / weight


def height_of(pressure, surface, altitude):
    """Heights in the standard atmosphere (docs/equations.md 3.2), T falling to 11 km."""
    t_s = 288.15 - 6.5e-3 * altitude
    z_11 = 11_000.0 - altitude
    p_11 = surface * (216.65 / t_s) ** (G / (R_D * 6.5e-3))
    if pressure >= p_11:
        return t_s / 6.5e-3 * (1 - (pressure / surface) ** (R_D * 6.5e-3 / G))
    return z_11 + R_D * 216.65 / G * np.log(p_11 / pressure)


def pressure_of(height, surface, altitude):
    t_s = 288.15 - 6.5e-3 * altitude
    return surface * ((t_s - 6.5e-3 * height) / t_s) ** (G / (R_D * 6.5e-3))


def columns_on_heights(profile, surface, altitude, n_layer, ppt=30.0, top=5000.0):
    """Partial columns to the tropopause layer: quadrature below the top, constant above."""
    edges = (TM5_A + TM5_B * surface)[: n_layer + 1]
    z = [height_of(p, surface, altitude) for p in edges]
    cut = pressure_of(top, surface, altitude)
    x = np.zeros(n_layer)
    for layer in range(n_layer):
        low, high = min(z[layer], top), min(z[layer + 1], top)
        if high > low:
            kinks = [h for h in HEIGHTS if low < h < high] or None
            x[layer] = quad(
                lambda h: np.interp(h, HEIGHTS, profile), low, high, points=kinks, epsrel=1e-10
            )[0]
        dp = min(edges[layer], cut) - min(edges[layer + 1], cut)
        x[layer] += ppt * 1e-12 * dp / (G * M_AIR)
    return x


def columns_on_pressures(v, surface, n_layer):
    """Partial columns of point values linear in ln p, constant below the lowest above ground."""
    edges = (TM5_A + TM5_B * surface)[: n_layer + 1]
    above = surface >= LEVELS
    nodes, values = np.log(LEVELS[above][::-1]), v[above][::-1]
    x = np.zeros(n_layer)
    for layer in range(n_layer):
        high, low = edges[layer], edges[layer + 1]
        kinks = [p for p in LEVELS if low < p < high] or None
        x[layer] = quad(
            lambda p: np.interp(np.log(p), nodes, values), low, high, points=kinks, epsrel=1e-10
        )[0] / (G * M_AIR)
    return x
