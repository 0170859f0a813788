"""What instruments on the ground would measure of a known field: direct sun and MAX-DOAS.

The direct sun is seen along a slanted ray: at height z the air is z tan(zenith angle) away towards
the sun (Herman et al., J. Geophys. Res. 114, D13307, 2009, doi 10.1029/2009JD011848). A MAX-DOAS
instrument sees the lowest kilometres, averaged over some kilometres along its line of sight, by a
kernel that fades with height and draws to an a priori (Friess et al., Atmos. Meas. Tech. 12, 2155,
2019, doi 10.5194/amt-12-2155-2019). So neither is the column over the station, and a comparison
with a satellite can be divided into what each part does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.grids import project
from retrieval.physics.vertical import columns_from_heights

if TYPE_CHECKING:
    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.typing import Float

METRES_PER_DEGREE = 111_195.0
"""On a sphere of 6371 km."""

STRATOSPHERE_HEIGHT = 25_000.0
"""Height of the stratospheric column above ground [m]: where the ray to the sun meets it."""

SUN_NOISE = 4.5e-6
"""Precision of a direct-sun column, 0.01 DU [mol m-2] (Herman et al., 2009)."""


@dataclass(frozen=True)
class Field:
    """A known field of one moment.

    Attributes
    ----------
    grid : RectilinearGrid
        Cells.
    heights : ndarray, shape (level,)
        Above ground [m], ascending; linear between them.
    no2 : ndarray, shape (level, n_y, n_x)
        [mol m-3].
    stratosphere : ndarray, shape (n_y, n_x)
        Columns above the tropopause [mol m-2].
    tropopause : ndarray, shape (n_y, n_x)
        Height above ground [m].
    """

    grid: RectilinearGrid
    heights: Float
    no2: Float
    stratosphere: Float
    tropopause: Float

    def cell(self, latitude: float, longitude: float) -> tuple[int, int]:
        """Return row and column of the cell that holds a place; the nearest one outside."""
        x, y = project(np.array([longitude]), np.array([latitude]), self.grid)
        n_y, n_x = self.grid.shape
        row = int(np.searchsorted(self.grid.y_edges, y[0], side="right")) - 1
        column = int(np.searchsorted(self.grid.x_edges, x[0], side="right")) - 1
        return min(max(row, 0), n_y - 1), min(max(column, 0), n_x - 1)

    def profile_along(self, place: tuple[float, float], azimuth: float, distances: Float) -> Float:
        """Return the concentrations of all levels, each at its own distance [m] from a place.

        Parameters
        ----------
        place : tuple of float
            Latitude and longitude [degree].
        azimuth : float
            Clockwise from north [degree].
        distances : ndarray, shape (level,)
        """
        found = np.empty(self.heights.size)
        for k, distance in enumerate(distances):
            row, column = self.cell(*displaced(place, azimuth, float(distance)))
            found[k] = self.no2[k, row, column]
        return found

    def tropospheric(self, profile: Float, place: tuple[float, float]) -> float:
        """Integrate a profile up to the tropopause over a place [mol m-2]."""
        top = float(self.tropopause[self.cell(*place)])
        return float(
            columns_from_heights(profile[None], self.heights, np.array([[0.0, top]]))[0, 0]
        )

    def column_over(self, place: tuple[float, float]) -> float:
        """Return the tropospheric column straight above a place [mol m-2]."""
        row, column = self.cell(*place)
        return self.tropospheric(self.no2[:, row, column].astype(np.float64), place)


def displaced(place: tuple[float, float], azimuth: float, distance: float) -> tuple[float, float]:
    """Return the place so far away [m] in a direction.

    Examples
    --------
    >>> [round(x, 3) for x in displaced((50.0, 4.0), 90.0, 7148.0)]
    [50.0, 4.1]
    """
    latitude, longitude = place
    angle = np.deg2rad(azimuth)
    north, east = distance * np.cos(angle), distance * np.sin(angle)
    width = METRES_PER_DEGREE * np.cos(np.deg2rad(latitude))
    return float(latitude + north / METRES_PER_DEGREE), float(longitude + east / width)


def direct_sun(
    field: Field, place: tuple[float, float], zenith: float, azimuth: float
) -> tuple[float, float]:
    """Return tropospheric and stratospheric vertical columns along the ray to the sun [mol m-2].

    Parameters
    ----------
    field : Field
    place : tuple of float
        Latitude and longitude [degree].
    zenith, azimuth : float
        Of the sun [degree].
    """
    slope = float(np.tan(np.deg2rad(zenith)))
    profile = field.profile_along(place, azimuth, field.heights * slope)
    above = field.cell(*displaced(place, azimuth, STRATOSPHERE_HEIGHT * slope))
    return field.tropospheric(profile, place), float(field.stratosphere[above])


@dataclass(frozen=True)
class MaxDoas:
    """A multi-axis instrument and its retrieval.

    Attributes
    ----------
    edges : ndarray, shape (layer + 1,)
        Interfaces of its layers above ground [m].
    reach : float
        Length of the horizontal path that it averages over [m].
    sensitivity_height : float
        Height over which its sensitivity falls to 1/e [m].
    width, widening : float
        Half width of its kernel at the ground [m], and what it gains in a metre of height.
    apriori_column, apriori_height : float
        Column [mol m-2] and scale height [m] of its exponential a priori.
    noise : float
        Relative 1-sigma noise of a profile.
    """

    edges: Float
    reach: float = 7000.0
    sensitivity_height: float = 2000.0
    width: float = 150.0
    widening: float = 0.3
    apriori_column: float = 8e15 / MOLEC_CM2_PER_MOL_M2
    apriori_height: float = 1000.0
    noise: float = 0.05

    @property
    def apriori(self) -> Float:
        """Partial columns of the a priori [mol m-2]."""
        share = np.exp(-self.edges[:-1] / self.apriori_height)
        share -= np.exp(-self.edges[1:] / self.apriori_height)
        return np.asarray(self.apriori_column * share)

    @property
    def kernel(self) -> Float:
        """Matrix of kernels: what layer j adds to the retrieved layer i, rows i."""
        middle = 0.5 * (self.edges[1:] + self.edges[:-1])
        width = self.width + self.widening * middle
        rows = np.exp(-0.5 * ((middle[None] - middle[:, None]) / width[:, None]) ** 2)
        rows /= rows.sum(axis=1, keepdims=True)
        return np.asarray(np.exp(-middle / self.sensitivity_height)[:, None] * rows)

    @property
    def column_kernel(self) -> Float:
        """Kernel of the column: the sum over retrieved layers."""
        return np.asarray(self.kernel.sum(axis=0))

    def true_layers(self, field: Field, place: tuple[float, float], azimuth: float) -> Float:
        """Return the partial columns of the air along the line of sight, shape (layer,)."""
        steps = (np.arange(8) + 0.5) / 8 * self.reach
        level = np.ones(field.heights.size)
        seen = [field.profile_along(place, azimuth, step * level) for step in steps]
        mean = np.mean(seen, axis=0)
        return np.asarray(columns_from_heights(mean[None], field.heights, self.edges[None])[0])

    def retrieve(self, true: Float, generator: np.random.Generator | None = None) -> Float:
        """Return the retrieved partial columns [mol m-2]: x_a + A (x - x_a), with noise."""
        found = self.apriori + self.kernel @ (true - self.apriori)
        factor = 1.0 if generator is None else 1.0 + self.noise * generator.standard_normal()
        return np.asarray(found * factor)
