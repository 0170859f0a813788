r"""Spatial response of real pixels: a smooth super-Gaussian instead of the sharp polygon.

.. math::

    S(x, y) = \exp\left(-\left(|x/w_x|^{k_1} + |y/w_y|^{k_2}\right)^{k_3}\right), \qquad
    w = \frac{\mathrm{FWHM}}{2 (\ln 2)^{1/(k k_3)}}

with k1 = 4 across track, k2 = 2 along track, k3 = 1 (Sun et al. 2018, AMT 11, 6679). For simulated
truth only: the retrieval itself uses the polygon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from retrieval.physics.geometry.footprint import FootprintWeights
from retrieval.physics.geometry.grids import project
from retrieval.physics.geometry.quadrilaterals import unwrap_longitudes

if TYPE_CHECKING:
    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.typing import Float

ACROSS_EXPONENT, ALONG_EXPONENT = 4.0, 2.0
REACH_ACROSS, REACH_ALONG = 0.9, 1.4
"""Half extent of the sampled area in units of the full width at half maximum; S < 0.001 beyond."""

N_SAMPLE = 20
"""Points along each side of the sampled area."""


def response(across: Float, along: Float) -> Float:
    """Super-Gaussian response at offsets in units of the full widths at half maximum.

    Examples
    --------
    >>> half = np.array([0.5]), np.array([0.0])
    >>> response(*half).round(12).tolist(), response(*half[::-1]).round(12).tolist()
    ([0.5], [0.5])
    >>> further = np.array([0.75]), np.array([0.0])
    >>> response(*further).round(3).tolist(), response(*further[::-1]).round(3).tolist()
    ([0.03], [0.21])
    """
    x = np.abs(2.0 * across) ** ACROSS_EXPONENT
    y = np.abs(2.0 * along) ** ALONG_EXPONENT
    return np.asarray(np.exp(-np.log(2.0) * (x + y)))


def response_weights(
    latitude_bounds: Float, longitude_bounds: Float, grid: RectilinearGrid
) -> FootprintWeights:
    """Weights of the cells of a grid by the super-Gaussian response of each pixel.

    Parameters
    ----------
    latitude_bounds, longitude_bounds : ndarray, shape (n, 4)
        Corners [degree], in the product's order; finite.
    grid : RectilinearGrid
        A grid much finer than the pixels.

    Returns
    -------
    FootprintWeights
        Rows sum to the share of the response that falls into the grid.
    """
    longitude, _ = unwrap_longitudes(longitude_bounds)
    x, y = project(longitude, latitude_bounds, grid)
    centre = x.mean(axis=1), y.mean(axis=1)
    # edge centre to edge centre: full widths at half maximum
    across = [0.5 * (v[:, 1] + v[:, 2] - v[:, 0] - v[:, 3]) for v in (x, y)]
    along = [0.5 * (v[:, 2] + v[:, 3] - v[:, 0] - v[:, 1]) for v in (x, y)]
    steps = (np.arange(N_SAMPLE) + 0.5) / N_SAMPLE * 2.0 - 1.0
    u, v = (a.ravel() for a in np.meshgrid(REACH_ACROSS * steps, REACH_ALONG * steps))
    weight = response(u, v)
    weight /= weight.sum()
    at = [
        c[:, None] + d[:, None] * u + e[:, None] * v
        for c, d, e in zip(centre, across, along, strict=True)
    ]
    n_y, n_x = grid.shape
    column = np.searchsorted(grid.x_edges, at[0], side="right") - 1
    row = np.searchsorted(grid.y_edges, at[1], side="right") - 1
    inside = (column >= 0) & (column < n_x) & (row >= 0) & (row < n_y)
    pixel, point = np.nonzero(inside)
    matrix = csr_array(
        (weight[point], (pixel, row[inside] * n_x + column[inside])),
        shape=(len(x), n_y * n_x),
    )
    matrix.sum_duplicates()
    is_bad = np.zeros(len(x), dtype=bool)
    return FootprintWeights(matrix, is_bad, ~inside.any(axis=1), grid.shape)
