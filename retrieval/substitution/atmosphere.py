"""The atmosphere over an orbit's pixels from CTMANA or ERA5 temperatures (`--meteo`).

One atmosphere serves all sets, so that a temperature difference never enters the difference of
two sets (docs/equations.md 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.base import AprioriSet
from retrieval.l2.pixels import Geometry
from retrieval.physics.constants import AIR_COLUMN_PER_PASCAL, VIRTUAL_TEMPERATURE_FACTOR
from retrieval.physics.geometry.curvilinear import rectilinear
from retrieval.physics.geometry.footprint import bilinear_weights
from retrieval.physics.layers import LayeredAtmosphere
from retrieval.physics.levels import HybridLayers, PressureLevels, Quantity
from retrieval.physics.time_rules import TimeRule, time_weights
from retrieval.physics.vertical import columns_from_hybrid
from retrieval.substitution.collocate import Collocator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.apriori.meteorology import Meteo
    from retrieval.typing import Float


@dataclass
class _VirtualTemperature(AprioriSet):
    """Virtual temperature [K] in the clothes of a set, so that it is collocated like one."""

    meteo: Meteo | None = field(default=None, repr=False)

    def read(self, i_time: int, rows: slice, columns: slice) -> NDArray[np.floating]:
        """Return T (1 + 0.608 q), or T where the files have no humidity."""
        if self.meteo is None:
            msg = "Invalid virtual temperature. It needs a meteorology. Given none."
            raise ValueError(msg)
        temperature = self.meteo.read_temperature(i_time, rows, columns)
        humidity = self.meteo.read_humidity(i_time, rows, columns)
        if humidity is None:
            return temperature
        # Packing leaves humidities a little below zero in dry air.
        moist = 1.0 + VIRTUAL_TEMPERATURE_FACTOR * np.maximum(humidity, 0.0)
        return np.asarray(temperature * moist)


class MeteoCollocator:
    """Temperatures of a meteorology at the pixels of one orbit.

    Parameters
    ----------
    meteo : Meteo
        CTMANA or ERA5 fields.
    scanline_times : ndarray of datetime64[ms]
        Times of the crop's scanlines.
    outline : tuple of ndarray
        (latitude, longitude) of all pixel corners of the crop.

    Raises
    ------
    NoOverlapError
        If orbit and meteorology do not meet.
    """

    def __init__(
        self,
        meteo: Meteo,
        scanline_times: NDArray[np.datetime64],
        outline: tuple[Float, Float],
    ) -> None:
        self.vertical = meteo.vertical
        rule = meteo.time_rule
        valid = scanline_times[~np.isnat(scanline_times)]
        if not time_weights(meteo.times, rule, valid).is_served.all():
            # A delivery cut to the overpass hour serves it: temperature is second order.
            rule = TimeRule.NEAREST
        fields = _VirtualTemperature(
            kind=meteo.kind,
            grid=meteo.grid,
            vertical=meteo.vertical,
            quantity=Quantity.MOLE_FRACTION,
            times=meteo.times,
            time_rule=rule,
            files=meteo.files,
            meteo=meteo,
        )
        self._collocator = Collocator("meteo", fields, rule, scanline_times, outline)

    def atmosphere(
        self, geometry: Geometry, surface_pressure: Float, edges: Float
    ) -> LayeredAtmosphere:
        """Build the atmosphere over a block of pixels.

        Parameters
        ----------
        geometry : Geometry
            The n pixels; temperatures are bilinear at their centres.
        surface_pressure : ndarray, shape (n,)
            [Pa].
        edges : ndarray, shape (n, layer + 1)
            Interfaces of the retrieval's layers [Pa].

        Returns
        -------
        LayeredAtmosphere
            `is_missing` where the meteorology has no value: sets that need a temperature get flag
            8 there.
        """
        grid = rectilinear(self._collocator.grid, "the meteorology")
        weights = bilinear_weights(geometry.latitude, geometry.longitude, grid)
        values = self._collocator.profiles(geometry, weights).value
        if isinstance(self.vertical, HybridLayers):
            layered = _on_layers(values, self.vertical, surface_pressure, edges)
        else:
            layered = _at_mid_pressures(values, self.vertical, surface_pressure, edges)
        return LayeredAtmosphere(edges, layered)


def _on_layers(
    temperature: Float, vertical: HybridLayers, surface_pressure: Float, edges: Float
) -> Float:
    """Mass-weighted mean temperature of each layer; the identity on the model's own layers."""
    source = vertical.a + vertical.b * surface_pressure[:, None]
    air = -np.diff(edges, axis=1) * AIR_COLUMN_PER_PASCAL
    return np.asarray(columns_from_hybrid(temperature, source, edges) / air)


def _at_mid_pressures(
    temperature: Float, vertical: PressureLevels, surface_pressure: Float, edges: Float
) -> Float:
    """Temperature linear in ln p at layer mid-pressures.

    The lowest level above ground is held to the ground and the last level above its pressure.
    """
    pressure = vertical.pressure
    middle = 0.5 * (edges[:, 1:] + edges[:, :-1])
    lowest = np.minimum((pressure >= surface_pressure[:, None]).sum(axis=1), pressure.size - 1)
    middle = np.clip(middle, pressure[-1], pressure[lowest][:, None])
    node = np.log(pressure[::-1])
    value = np.log(middle)
    index = np.clip(np.searchsorted(node, value, side="right") - 1, 0, node.size - 2)
    fraction = (value - node[index]) / (node[index + 1] - node[index])
    profile = temperature[:, ::-1]
    below = np.take_along_axis(profile, index, axis=1)
    above = np.take_along_axis(profile, index + 1, axis=1)
    return np.asarray(below + fraction * (above - below))
