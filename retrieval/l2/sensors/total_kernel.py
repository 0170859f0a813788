"""Sensors whose kernel is that of the total column, on layers of hybrid coefficients.

TROPOMI's manner, which the products before and after it share.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

from retrieval.l2.orbit import Orbit
from retrieval.physics.air_mass_factors import scattering_weights
from retrieval.physics.layers import pressure_edges

if TYPE_CHECKING:
    from retrieval.l2.sensors.axes import LayerOrder
    from retrieval.typing import Float


class TotalKernelOrbit(Orbit):
    """An open file with total kernels; `layers` is what its sensor has to say."""

    @cached_property
    @abstractmethod
    def layers(self) -> LayerOrder:
        """Hybrid coefficients of the layers [Pa] and [1], surface first.

        Raises
        ------
        ProductError
            If they do not give monotonic pressures.
        """

    @property
    def n_layer(self) -> int:
        """Number of layers."""
        return self.layers.n_layer

    @property
    def is_reversed(self) -> bool:
        """True where the file counts layers from the top."""
        return self.layers.is_reversed

    def pressure_edges(self, surface_pressure: Float) -> Float:
        """Interfaces p = a + b p_surface [Pa], surface first."""
        return pressure_edges(self.layers.a, self.layers.b, surface_pressure)

    def weights(self, kernel: Float, amf_total: Float | None) -> Float:
        """Total kernel times total air mass factor: s = M A."""
        if amf_total is None:
            sensor = self.names.sensor
            msg = f"Invalid weights. {sensor}'s need the total air mass factor. Given none."
            raise ValueError(msg)
        return scattering_weights(kernel, amf_total)
