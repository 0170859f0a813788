"""Elevation: mountain ranges where they are, as smooth ridges with ridged spectral detail."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from dacno2_s5p.twin.land.world import Points, child_seed, to_plane

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.physics.geometry.grids import RectilinearGrid


class Ridge(NamedTuple):
    """A crest line between two places, with its mean height [m] and half width [km]."""

    longitude0: float
    latitude0: float
    longitude1: float
    latitude1: float
    height: float
    width: float


RIDGES = (
    # Alps, from the Maritime Alps around to the Grisons, and the Prealps
    Ridge(7.0, 44.0, 6.9, 44.9, 2100, 38),
    Ridge(6.6, 44.8, 6.9, 45.5, 2250, 42),
    Ridge(6.9, 45.6, 8.0, 46.1, 2550, 32),
    Ridge(7.3, 46.4, 8.6, 46.7, 2350, 30),
    Ridge(8.5, 46.5, 10.5, 46.6, 2250, 45),
    Ridge(5.5, 44.6, 5.8, 45.3, 1150, 24),
    Ridge(6.0, 43.9, 6.6, 44.3, 1150, 28),
    Ridge(6.3, 46.0, 6.8, 46.4, 1300, 22),
    # Jura, Vosges, Black Forest, Swabian Alb
    Ridge(5.7, 46.1, 7.0, 47.25, 950, 20),
    Ridge(6.9, 47.9, 7.2, 48.5, 800, 17),
    Ridge(7.95, 47.75, 8.25, 48.6, 850, 19),
    Ridge(8.6, 48.1, 9.8, 48.6, 650, 25),
    # Massif Central and Cevennes
    Ridge(2.7, 44.9, 2.9, 45.7, 1050, 40),
    Ridge(3.6, 44.2, 4.2, 45.3, 1050, 34),
    Ridge(1.9, 45.6, 2.6, 45.9, 650, 40),
    Ridge(2.6, 43.6, 3.4, 44.0, 750, 26),
    Ridge(4.0, 47.1, 4.2, 47.3, 520, 24),
    # Pyrenees, Cantabria, Iberian plateau and system, Catalan ranges
    Ridge(-1.3, 43.0, 0.0, 42.75, 1500, 24),
    Ridge(0.0, 42.7, 1.6, 42.5, 2150, 30),
    Ridge(1.6, 42.45, 2.6, 42.4, 1800, 24),
    Ridge(-6.8, 43.0, -4.4, 43.05, 1450, 32),
    Ridge(-4.4, 43.1, -2.2, 43.0, 950, 28),
    Ridge(-6.5, 41.6, -3.5, 41.4, 780, 140),
    Ridge(-3.3, 42.2, -2.4, 41.8, 1350, 35),
    Ridge(-5.3, 40.3, -3.6, 41.0, 1550, 32),
    Ridge(-2.2, 40.6, -0.8, 40.4, 1250, 60),
    Ridge(-7.7, 41.9, -7.0, 42.3, 900, 60),
    Ridge(0.9, 41.3, 2.2, 41.8, 600, 26),
    # Apennines, Corsica
    Ridge(8.1, 44.35, 9.4, 44.5, 850, 22),
    Ridge(9.4, 44.4, 11.0, 44.0, 1150, 26),
    Ridge(9.05, 41.9, 9.1, 42.4, 1300, 20),
    # Ardennes, Eifel, Hunsrueck, Taunus, Sauerland, Rhoen
    Ridge(4.9, 49.95, 6.1, 50.4, 470, 32),
    Ridge(6.4, 50.4, 7.0, 50.4, 480, 26),
    Ridge(6.7, 49.65, 7.7, 49.95, 520, 22),
    Ridge(7.8, 50.1, 8.7, 50.35, 450, 24),
    Ridge(7.6, 51.1, 8.6, 51.25, 520, 26),
    Ridge(9.2, 50.5, 10.0, 50.5, 600, 30),
    # Brittany, Wales, Pennines, Lake District, moors, Scotland's south, Ireland
    Ridge(-3.9, 48.25, -3.0, 48.2, 210, 25),
    Ridge(-3.7, 51.9, -3.9, 53.0, 520, 28),
    Ridge(-2.0, 53.3, -2.4, 54.8, 480, 22),
    Ridge(-3.1, 54.5, -3.0, 54.6, 520, 16),
    Ridge(-4.0, 50.6, -3.7, 51.1, 330, 18),
    Ridge(-4.3, 55.2, -2.6, 55.5, 420, 25),
    Ridge(-6.4, 52.9, -6.3, 53.2, 450, 14),
    Ridge(-9.7, 51.9, -8.6, 51.9, 380, 22),
)


def ridge_height(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth height of the ranges [m] at projected coordinates, without coast and detail."""
    fourth = np.zeros(x.shape)
    for ridge in RIDGES:
        x0, y0 = to_plane(ridge.longitude0, ridge.latitude0)
        x1, y1 = to_plane(ridge.longitude1, ridge.latitude1)
        along = np.hypot(x1 - x0, y1 - y0)
        ex, ey = (x1 - x0) / along, (y1 - y0) / along
        dx, dy = x - x0, y - y0
        s = np.clip(dx * ex + dy * ey, 0.0, along)
        distance = np.hypot(dx - s * ex, dy - s * ey)
        shape = np.exp(-((distance / (1.15e3 * ridge.width)) ** 2))
        fourth += (ridge.height * shape) ** 4
    return np.asarray(fourth**0.25)


def spectral_noise(
    shape: tuple[int, int],
    spacing: float,
    scales: tuple[float, float],
    slope: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Random field of zero mean and unit variance with a power-law spectrum.

    Parameters
    ----------
    shape : tuple of int
        (n_y, n_x).
    spacing : float
        Cell size [m].
    scales : tuple of float
        Shortest and longest wavelength [m].
    slope : float
        Amplitude falls as wavenumber ** -slope (a 2-D power spectrum of slope -2 slope).
    rng : numpy.random.Generator
        Source of the phases.
    """
    ky = np.fft.fftfreq(shape[0], spacing)[:, None]
    kx = np.fft.rfftfreq(shape[1], spacing)[None, :]
    k = np.hypot(ky, kx)
    inside = (k >= 1.0 / scales[1]) & (k <= 1.0 / scales[0])
    amplitude = np.where(inside, np.where(k > 0, k, 1.0) ** -slope, 0.0)
    white = np.fft.rfft2(rng.standard_normal(shape))
    field = np.fft.irfft2(white * amplitude, s=shape)
    return np.asarray((field - field.mean()) / field.std())


def _warped_ranges(
    grid: RectilinearGrid, points: Points, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Heights of the ranges seen through a bent plane, so that no outline is a stadium."""
    spacing = 2.0 * float(np.diff(grid.x_edges)[0])
    x, y = points.x[::2, ::2], points.y[::2, ::2]
    shift = [
        9e3 * spectral_noise(x.shape, spacing, (40e3, 250e3), 1.2, rng)
        + 3.5e3 * spectral_noise(x.shape, spacing, (15e3, 60e3), 1.0, rng)
        for _ in range(2)
    ]
    coarse = ridge_height(x + shift[0], y + shift[1])
    return np.asarray(gaussian_filter(np.repeat(np.repeat(coarse, 2, 0), 2, 1), 1.0))


def elevation(
    grid: RectilinearGrid,
    points: Points,
    land: NDArray[np.floating],
    settled: NDArray[np.floating],
    seed: int,
) -> NDArray[np.float32]:
    """Mean terrain height of each cell [m].

    Parameters
    ----------
    grid : RectilinearGrid
        Projected grid of the cells.
    points : Points
        Its cell centres.
    land : ndarray, shape (n_y, n_x)
        Land fraction; elevation is zero where there is none.
    settled : ndarray, shape (n_y, n_x)
        0 where nobody lives, 1 in towns: people live in the valleys, and valleys are cut here.
    seed : int
        Seed of the world.

    Returns
    -------
    ndarray of float32, shape (n_y, n_x)
    """
    spacing = float(np.diff(grid.x_edges)[0])
    rng = child_seed(seed, 11)
    coast = distance_transform_edt(land > 0.4, sampling=spacing)
    ranges = _warped_ranges(grid, points, rng)
    fold = spectral_noise(grid.shape, spacing, (9e3, 60e3), 0.9, rng)
    hills = spectral_noise(grid.shape, spacing, (5e3, 150e3), 1.2, rng)
    plateau = spectral_noise(grid.shape, spacing, (80e3, 500e3), 1.3, rng)
    crest = 1.25 - 0.55 * np.abs(fold)  # ridged: sharp crests, broad valleys between them
    relief = np.clip(ranges / 1200.0, 0.0, 1.0)
    mountains = ranges * ((1.0 - relief) + relief * crest)
    inland = 1.0 - np.exp(-coast / 120e3)
    lowland = inland * (95.0 + 55.0 * plateau)
    low = lowland + (8.0 + 60.0 * inland + 0.10 * ranges) * hills
    height = np.maximum(low, 0.0) + 2.0 + mountains
    valley = gaussian_filter(np.clip(settled, 0.0, 1.0).astype(np.float64), 5e3 / spacing)
    height = height * (1.0 - 0.6 * np.clip(3.0 * valley, 0.0, 1.0) * relief)
    shore = 1.0 - np.exp(-coast / 9e3)
    rise = np.where(ranges > 300.0, np.maximum(shore, 0.15), shore)
    return np.asarray(np.where(land > 0.0, land * np.maximum(height, 1.0) * rise, 0.0), np.float32)
