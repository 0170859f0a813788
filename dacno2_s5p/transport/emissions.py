"""The inventory by sector, put where roads, people and works are, hour by hour.

Cells of an inventory are some 10 km wide; within them a sector is where its proxy is. With p the
proxy and <> a Gaussian mean of 8 km, emissions are multiplied by r = p / <p>, at most 8 and at
least 0.1, and by 1 / <r>, so that what an area emits stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import gaussian_filter

from dacno2_s5p.transport.hours import EVEN, HABITS, continental_offset, factor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    Maps = Mapping[str, NDArray[np.floating]]

SMOOTHING = 4.0
"""Standard deviation of the mean [fine cells]: that of an inventory's cell, and its neighbours."""

LEAST, MOST = 0.1, 8.0
"""Bounds of the proxy over its mean."""

_PROXIES: dict[str, tuple[tuple[str, ...], Callable[..., NDArray[np.floating]]]] = {
    "nox_road": (
        ("road_density", "population_density"),
        # traffic on a road grows with the people around it
        lambda road, people: road * np.sqrt(1.0 + people / 300.0),
    ),
    "nox_off_road": (
        ("population_density", "land_cover"),
        lambda people, built: people + 20.0 * built,
    ),
    "nox_residential": (("population_density",), lambda people: people),
    "nox_industry": (("land_cover", "night_light"), lambda built, light: built * (1.0 + light)),
    "nox_waste": (("population_density",), lambda people: people),
}
"""By sector: rows of the table of inputs, of which the first channel is taken (of the land cover
that of artificial surfaces), and what is made of them. Sectors that are not named stay."""


def refined(emissions: Maps, maps: Maps) -> dict[str, NDArray[np.float32]]:
    """Put a month's emissions on their proxies.

    Parameters
    ----------
    emissions : mapping of str to ndarray, shape (H, W)
        By sector [any unit], on the fine grid.
    maps : mapping of str to ndarray, shape (n_channel, H, W)
        Proxies; a sector whose proxies are not all there stays as it is.

    Returns
    -------
    dict of str to ndarray, shape (H, W)
    """
    found = {}
    for sector, field in emissions.items():
        names, combine = _PROXIES.get(sector, (("none",), np.asarray))
        ratio: NDArray[np.floating] = np.ones((), np.float32)
        if all(name in maps for name in names):
            proxy = combine(*(np.asarray(maps[name][0], np.float32) for name in names))
            # a thousandth of the mean everywhere: no proxy is no ratio of nothing to nothing
            proxy = proxy + 1e-3 * float(proxy.mean()) + np.finfo(np.float32).tiny
            ratio = np.clip(proxy / _smooth(proxy), LEAST, MOST)
            ratio = ratio / _smooth(ratio)
        found[sector] = np.asarray(field * ratio, np.float32)
    return found


def _smooth(field: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(gaussian_filter(field, SMOOTHING, mode="nearest", truncate=3.0))


@dataclass(frozen=True)
class HourlyInventory:
    """Emissions of any hour of a month.

    Attributes
    ----------
    sectors : dict of str to ndarray, shape (n_y, n_x)
        Mean emissions by row of the table [any unit].
    western : ndarray, shape (n_y, n_x)
        Share of each cell on the British Isles' clock.
    """

    sectors: dict[str, NDArray[np.float32]]
    western: NDArray[np.float32]

    def hour(self, time: np.datetime64) -> NDArray[np.float32]:
        """Return the emission of the hour that ends at a stamp [UTC]."""
        total = np.zeros_like(self.western)
        behind = np.zeros_like(self.western)
        offset = continental_offset(time)
        for sector, field in self.sectors.items():
            habit = HABITS.get(sector, EVEN)
            here, there = (np.float32(factor(habit, time, offset - west)) for west in (0, 1))
            total += here * field
            if there != here:
                behind += (there - here) * field
        return total + self.western * behind
