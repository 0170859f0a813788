"""What an a-priori set has at a station and over the pixel around it, at the time of the overpass.

At the station: the cell of the set that holds it. Over the pixel: the mean of the set over the
footprint. The ratio of their columns is what the set says of dilution: how much more, or less, a
point sees than the pixel. Only a set much finer than the pixel can say that.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.registry import open_apriori
from retrieval.apriori.window import grid_window
from retrieval.errors import AprioriError, NoOverlapError
from retrieval.physics.geometry.footprint import apply_weights, weights_for
from retrieval.physics.layers import StandardAtmosphere, standard_altitude
from retrieval.physics.partial_columns import PixelColumns, set_columns
from retrieval.physics.time_rules import FARTHEST_FIELD, nearest_distance, time_weights

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from retrieval.apriori.base import AprioriSet
    from retrieval.typing import Float

logger = logging.getLogger(__name__)

SURFACE_LAYER = 10.0
"""Depth of the air that counts as the surface [m]: inlets of stations hang at 2 to 4 m."""

POINT = 1e-5
"""Half width of the quadrilateral that stands for a station [degrees], a metre."""

STANDARD_PRESSURE = 101_325.0
"""Surface pressure where the orbit has none [Pa]."""

TOP = 20_000.0
"""Sets are integrated up to here, or to their own top [m above ground]."""


@dataclass(frozen=True)
class SetValues:
    """A set around one station.

    Attributes
    ----------
    surface : float
        Mean concentration of the lowest 10 m at the station [mol m-3].
    at_station, over_pixel : ndarray, shape (layer,)
        Partial columns in the layers asked for [mol m-2].
    dilution : float
        Ratio of the whole columns, up to the set's top.
    """

    surface: float
    at_station: Float
    over_pixel: Float
    dilution: float


@dataclass(frozen=True)
class Place:
    """A station and its pixel.

    Attributes
    ----------
    latitude, longitude : float
        Of the station [degrees].
    pixel : tuple of ndarray, shape (4,)
        Latitudes and longitudes of the pixel's corners.
    time : datetime64
        Of the pixel.
    surface_pressure : float
        [Pa].
    """

    latitude: float
    longitude: float
    pixel: tuple[Float, Float]
    time: np.datetime64
    surface_pressure: float


class DaySets:
    """Sets of one orbit's day, opened when they are first asked for.

    Parameters
    ----------
    paths : mapping of str to Path
        Files or folders of sets by name.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._opened: dict[str, AprioriSet | None] | None = None

    def at(self, place: Place, layer_edges: Float | None = None) -> dict[str, SetValues]:
        """Return what the sets have around a station, of those that serve it; see `read_values`."""
        if self._opened is None:
            self._opened = {name: _open(path, place) for name, path in self._paths.items()}
        found = {
            name: read_values(one, place, layer_edges)
            for name, one in self._opened.items()
            if one is not None
        }
        return {name: values for name, values in found.items() if values is not None}

    def close(self) -> None:
        """Release the files."""
        for one in (self._opened or {}).values():
            if one is not None:
                one.close()


def _open(path: Path, place: Place) -> AprioriSet | None:
    try:
        return open_apriori(path, place.time)
    except AprioriError as error:
        logger.warning("%s is left out on %s: %s", path, str(place.time)[:10], error)
        return None


def read_values(
    apriori: AprioriSet, place: Place, layer_edges: Float | None = None
) -> SetValues | None:
    """Read an open set around a station; None where it does not serve the place or the time."""
    latitude = np.stack([place.latitude + POINT * np.array([-1, -1, 1, 1]), place.pixel[0]])
    longitude = np.stack([place.longitude + POINT * np.array([-1, 1, 1, -1]), place.pixel[1]])
    time = np.array([place.time])
    distance = nearest_distance(apriori.times, time)
    if np.isnat(distance) or distance > FARTHEST_FIELD:
        return None
    when = time_weights(apriori.times, apriori.time_rule, time)
    if not when.is_served[0]:
        return None
    try:
        rows, columns = grid_window("", apriori, (latitude, longitude))
    except NoOverlapError:
        return None
    centres = latitude.mean(axis=1), longitude.mean(axis=1)
    weights = weights_for(*centres, latitude, longitude, apriori.grid.crop(rows, columns))
    profile = np.zeros((2, apriori.vertical.n_level))
    for i, share in zip(when.index[0], when.weight[0], strict=True):
        field = np.maximum(apriori.read(int(i), rows, columns), 0.0).astype(np.float64)
        profile += share * apply_weights(weights, field.reshape(field.shape[0], -1).T)[0]
    edges = np.array([0.0, TOP]) if layer_edges is None else layer_edges
    whole = _in_layers(apriori, profile, place, np.array([0.0, SURFACE_LAYER, TOP]))
    wanted = _in_layers(apriori, profile, place, edges)
    total = whole.sum(axis=1)
    dilution = float(total[0] / total[1]) if total[1] > 0 else float("nan")
    return SetValues(float(whole[0, 0]) / SURFACE_LAYER, wanted[0], wanted[1], dilution)


def _in_layers(apriori: AprioriSet, profile: Float, place: Place, edges: Float) -> Float:
    """Return partial columns of the set between heights, shape (2, layer)."""
    pressure = np.full(
        2, place.surface_pressure if place.surface_pressure > 0 else STANDARD_PRESSURE
    )
    air = StandardAtmosphere(pressure, standard_altitude(pressure))
    at = air.pressure_at(np.broadcast_to(edges, (2, edges.size)))
    pixels = PixelColumns(pressure, at, air)
    return set_columns(profile, apriori.vertical, apriori.quantity, pixels)[0]
