"""Pressure and height of the retrieval's layers, surface first, and the air between them.

Kernels jump from layer to layer, profiles come at heights: something must say where a layer lies.
Pressures of interfaces follow from hybrid coefficients and the pixel's own surface pressure,
heights above ground from hydrostatic balance, dp = -g p dz / (R_d T), in the standard atmosphere
(closed form) or in isothermal layers of given temperature (docs/equations.md 3.1, 3.2).

References
----------
TROPOMI NO2 product user manual, S5P-KNMI-L2-0021-MA, `tm5_constant_a`: p = a + b p_surface.
ICAO, Manual of the standard atmosphere, Doc 7488: 288.15 K, 6.5 K/km to 11 km, R_d 287.05287.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.constants import (
    GAS_CONSTANT_DRY_AIR,
    GRAVITY,
    LAPSE_RATE,
    STANDARD_PRESSURE,
    STANDARD_TEMPERATURE,
    TROPOPAUSE_ALTITUDE,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from retrieval.typing import Bool, Float

MINIMUM_PRESSURE = 1e-3
"""Stands for the zero pressure of the topmost interface where a logarithm is taken [Pa]."""

_SCALE = GRAVITY / (GAS_CONSTANT_DRY_AIR * LAPSE_RATE)
"""Exponent of the polytropic troposphere, 5.2559."""

_ISA_ALTITUDE_FACTOR = 44330.77
_ISA_ALTITUDE_EXPONENT = 0.190263


def pressure_edges(a: Float, b: Float, surface_pressure: ArrayLike) -> Float:
    """Pressures of the layer interfaces, surface first, p = a + b p_surface (product manual).

    Parameters
    ----------
    a, b : ndarray, shape (layer, 2)
        Hybrid coefficients [Pa], [1]; the second axis is base and top of the layer.
    surface_pressure : array_like, shape (...)
        Surface pressure of the pixels [Pa].

    Returns
    -------
    ndarray, shape (..., layer + 1)
        Interfaces [Pa], decreasing.

    Examples
    --------
    >>> a = np.array([[0.0, 100.0], [100.0, 0.0]])
    >>> b = np.array([[1.0, 0.5], [0.5, 0.0]])
    >>> pressure_edges(a, b, 1000.0).tolist()
    [1000.0, 600.0, 0.0]
    """
    a_edges = np.append(a[:, 0], a[-1, 1]).astype(np.float64)
    b_edges = np.append(b[:, 0], b[-1, 1]).astype(np.float64)
    return np.asarray(a_edges + b_edges * np.asarray(surface_pressure, dtype=np.float64)[..., None])


def standard_altitude(surface_pressure: ArrayLike) -> Float:
    """Altitude at which the standard atmosphere has a pressure [m above sea level].

    z = 44330.77 m (1 - (p / 101325 Pa)^0.190263), `StandardAtmosphere` turned round with its
    constants put in. For files without `surface_altitude`, with a warning.

    Examples
    --------
    >>> standard_altitude([101325.0, 89874.6]).round(0).tolist()
    [0.0, 1000.0]
    """
    ratio = np.asarray(surface_pressure, dtype=np.float64) / STANDARD_PRESSURE
    return np.asarray(_ISA_ALTITUDE_FACTOR * (1.0 - ratio**_ISA_ALTITUDE_EXPONENT))


class Atmosphere(ABC):
    """Pressure, height above ground and temperature over each of n pixels."""

    @abstractmethod
    def height_at(self, pressure: Float) -> Float:
        """Height above ground [m] of pressures [Pa], shape (n, k)."""

    @abstractmethod
    def pressure_at(self, height: Float) -> Float:
        """Pressure [Pa] at heights above ground [m], shape (n, k)."""

    @abstractmethod
    def temperature_at(self, height: Float) -> Float:
        """Temperature [K] at heights above ground [m], shape (n, k)."""


class StandardAtmosphere(Atmosphere):
    """Standard atmosphere (ICAO) standing on the pixel's surface.

    T_s = 288.15 K - G x altitude at the ground, G = 6.5 K/km, falls by G to 11 km above sea level
    and is constant above. Hydrostatic balance then gives, with p(0) the surface pressure,
    p = p(0) ((T_s - G z) / T_s)^(g / (R_d G)) below 11 km and p = p_11 exp(-(z - z_11) g / (R_d
    T_11)) above.

    Parameters
    ----------
    surface_pressure : ndarray, shape (n,)
        [Pa].
    surface_altitude : ndarray, shape (n,)
        Altitude of the surface above sea level [m].

    Examples
    --------
    The tables of the standard atmosphere have 898.75 hPa at 1 km and 226.32 hPa at 11 km.

    >>> air = StandardAtmosphere(np.array([101325.0]), np.array([0.0]))
    >>> air.pressure_at(np.array([[1000.0, 11000.0]])).round(0).tolist()
    [[89875.0, 22632.0]]
    >>> air.height_at(np.array([[89874.6]])).round(1).tolist()
    [[1000.0]]
    """

    def __init__(self, surface_pressure: Float, surface_altitude: Float) -> None:
        self._pressure = surface_pressure[:, None]
        altitude = np.minimum(surface_altitude, TROPOPAUSE_ALTITUDE)[:, None]
        self._temperature = STANDARD_TEMPERATURE - LAPSE_RATE * altitude
        self._height_11 = TROPOPAUSE_ALTITUDE - altitude
        self._temperature_11 = self._temperature - LAPSE_RATE * self._height_11
        self._pressure_11 = self._pressure * (self._temperature_11 / self._temperature) ** _SCALE
        self._scale_height_11 = GAS_CONSTANT_DRY_AIR * self._temperature_11 / GRAVITY

    def height_at(self, pressure: Float) -> Float:
        """Height above ground [m] of pressures [Pa]."""
        p = np.maximum(pressure, MINIMUM_PRESSURE)
        below = self._temperature / LAPSE_RATE * (1.0 - (p / self._pressure) ** (1.0 / _SCALE))
        above = self._height_11 + self._scale_height_11 * np.log(self._pressure_11 / p)
        return np.where(p >= self._pressure_11, below, above)

    def pressure_at(self, height: Float) -> Float:
        """Pressure [Pa] at heights above ground [m]."""
        temperature = self._temperature - LAPSE_RATE * np.minimum(height, self._height_11)
        below = self._pressure * (temperature / self._temperature) ** _SCALE
        excess = np.maximum(height - self._height_11, 0.0)
        return np.asarray(below * np.exp(-excess / self._scale_height_11))

    def temperature_at(self, height: Float) -> Float:
        """Temperature [K] at heights above ground [m]."""
        return np.asarray(self._temperature - LAPSE_RATE * np.minimum(height, self._height_11))


class LayeredAtmosphere(Atmosphere):
    """Isothermal layers with given (virtual) temperatures: the hypsometric sum.

    z_{l+1} = z_l + (R_d T_l / g) ln(p_l / p_{l+1}), z_0 = 0 (hypsometric equation).

    Parameters
    ----------
    edges : ndarray, shape (n, layer + 1)
        Layer interfaces [Pa], surface first.
    layer_temperature : ndarray, shape (n, layer)
        Virtual temperature of each layer, T (1 + 0.608 q) [K].

    Examples
    --------
    R_d / g is 29.2713 m/K, and ln 2 is 0.6931: at 273.15 K the pressure halves in 5542 m.

    >>> air = LayeredAtmosphere(np.array([[1e5, 5e4, 2.5e4]]), np.array([[273.15, 250.0]]))
    >>> air.height_edges.round(0).tolist()
    [[0.0, 5542.0, 10614.0]]
    """

    def __init__(self, edges: Float, layer_temperature: Float) -> None:
        self._log_p = np.log(np.maximum(edges, MINIMUM_PRESSURE))
        thickness = (
            GAS_CONSTANT_DRY_AIR / GRAVITY * layer_temperature * -np.diff(self._log_p, axis=1)
        )
        self._height = np.concatenate(
            [np.zeros((edges.shape[0], 1)), np.cumsum(thickness, axis=1)], axis=1
        )
        self._layer_temperature = layer_temperature

    @property
    def height_edges(self) -> Float:
        """Heights of the interfaces above ground [m], shape (n, layer + 1)."""
        return self._height

    @property
    def is_missing(self) -> Bool:
        """True where a layer has no temperature, shape (n,)."""
        return np.asarray(np.isnan(self._layer_temperature).any(axis=1))

    def height_at(self, pressure: Float) -> Float:
        """Height above ground [m] of pressures [Pa], linear in ln p within a layer."""
        value = -np.log(np.maximum(pressure, MINIMUM_PRESSURE))
        return _piecewise_linear(value, -self._log_p, self._height)

    def pressure_at(self, height: Float) -> Float:
        """Pressure [Pa] at heights above ground [m]."""
        return np.asarray(np.exp(_piecewise_linear(height, self._height, self._log_p)))

    def temperature_at(self, height: Float) -> Float:
        """Temperature [K] of the layer that holds each height."""
        layer = _segment(height, self._height)
        return np.take_along_axis(self._layer_temperature, layer, axis=1)


def _segment(value: Float, nodes: Float) -> NDArray[np.intp]:
    """Segment of ascending nodes (n, m) in which each value (n, k) lies, 0 .. m - 2."""
    index = np.zeros(value.shape, dtype=np.intp)
    for j in range(1, nodes.shape[1] - 1):
        index += value >= nodes[:, j, None]
    return index


def _piecewise_linear(value: Float, nodes: Float, values: Float) -> Float:
    """Interpolate (n, k) values on per-row ascending nodes (n, m), end segments continued."""
    index = _segment(value, nodes)
    x_0 = np.take_along_axis(nodes, index, axis=1)
    x_1 = np.take_along_axis(nodes, index + 1, axis=1)
    y_0 = np.take_along_axis(values, index, axis=1)
    y_1 = np.take_along_axis(values, index + 1, axis=1)
    return np.asarray(y_0 + (value - x_0) * (y_1 - y_0) / (x_1 - x_0))
