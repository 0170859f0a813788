"""Partial columns of any set in a block of pixels: from its levels to the retrieval's layers.

Where the kinds of vertical coordinate and of quantity meet (docs/equations.md 3.4): sets on heights
are integrated in height, x = integral n dz, sets on hybrid layers and pressures in pressure, x =
integral v dp / (g M_air). Mole fractions on heights and concentrations on pressures are converted,
n = v p / (R T), with the pixel's own atmosphere, the same for all sets.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.constants import AIR_COLUMN_PER_PASCAL
from retrieval.physics.levels import (
    HeightLayers,
    HeightLevels,
    HybridLayers,
    LocalLayers,
    PressureLevels,
    Quantity,
    Vertical,
)
from retrieval.physics.vertical import (
    columns_from_height_layers,
    columns_from_heights,
    columns_from_hybrid,
    columns_from_pressures,
    concentration,
    mole_fraction,
    uniform_columns,
)

if TYPE_CHECKING:
    from retrieval.physics.layers import Atmosphere
    from retrieval.typing import Float


@dataclass(frozen=True)
class PixelColumns:
    """The air over n pixels: layer interfaces and what fills them.

    Attributes
    ----------
    surface_pressure : ndarray, shape (n,)
        [Pa].
    pressure_edges : ndarray, shape (n, layer + 1)
        Interfaces of the retrieval's layers [Pa], surface first.
    atmosphere : Atmosphere
        Relation of pressure, height and temperature over each pixel.
    """

    surface_pressure: Float
    pressure_edges: Float
    atmosphere: Atmosphere

    @cached_property
    def height_edges(self) -> Float:
        """The interfaces as heights above ground [m], shape (n, layer + 1).

        Evaluated when a set on heights asks for it: sets on pressures and hybrid layers, which
        serve whole orbits, have no use for a power and a logarithm an interface.
        """
        heights = self.atmosphere.height_at(self.pressure_edges)
        heights[:, 0] = 0.0
        return heights


def set_columns(
    profile: Float,
    vertical: Vertical,
    quantity: Quantity,
    pixels: PixelColumns,
    merge_height: float | None = None,
) -> tuple[Float, Float]:
    """Partial columns of a set in the retrieval's layers, up to its top or the merge height.

    Parameters
    ----------
    profile : ndarray, shape (n, level)
        Values of the set over the pixels, in the unit of `quantity`.
    vertical, quantity
        What the levels and values are.
    pixels : PixelColumns
        The n pixels.
    merge_height : float, optional
        Height above ground [m] where the part above takes over, if below the set's top.

    Returns
    -------
    columns : ndarray, shape (n, layer)
        Partial columns [mol m-2], 0 above the cut.
    cut_pressure : ndarray, shape (n,)
        Pressure of the cut, min(top, merge height), [Pa].

    Examples
    --------
    One layer from the ground to 4 km; 1e-7 mol m-3 up to 2 km are 2e-4 mol m-2.

    >>> from retrieval.physics.layers import StandardAtmosphere
    >>> ground = np.array([101325.0])
    >>> air = StandardAtmosphere(ground, np.array([0.0]))
    >>> edges = np.array([[101325.0, air.pressure_at(np.array([[4000.0]]))[0, 0]]])
    >>> levels = HeightLevels(np.array([0.0, 2000.0]))
    >>> pixels = PixelColumns(ground, edges, air)
    >>> x, cut = set_columns(np.array([[1e-7, 1e-7]]), levels, Quantity.CONCENTRATION, pixels)
    >>> x.round(9).tolist(), cut.round(-2).tolist()
    ([[0.0002]], [79500.0])
    """
    match vertical:
        case LocalLayers():
            values, edges = vertical.split(profile)
            if not vertical.is_pressure:
                return _from_heights(values, edges, quantity, pixels, merge_height, is_levels=False)
            source = _on_ground(edges, pixels.surface_pressure)
            return _from_layers(values, source, quantity, pixels, merge_height)
        case HeightLevels(nodes):
            return _from_heights(profile, nodes, quantity, pixels, merge_height, is_levels=True)
        case HeightLayers(nodes):
            return _from_heights(profile, nodes, quantity, pixels, merge_height, is_levels=False)
        case HybridLayers():
            source = _edges_on_ground(vertical, pixels.surface_pressure)
            return _from_layers(profile, source, quantity, pixels, merge_height)
        case PressureLevels(pressure):
            return _from_pressures(profile, pressure, quantity, pixels, merge_height)


def _from_heights(
    profile: Float,
    nodes: Float,
    quantity: Quantity,
    pixels: PixelColumns,
    merge_height: float | None,
    *,
    is_levels: bool,
) -> tuple[Float, Float]:
    n = profile.shape[0]
    top = np.broadcast_to(nodes[..., -1:], (n, 1))
    if merge_height is not None:
        top = np.minimum(top, merge_height)
    if quantity is Quantity.MOLE_FRACTION:
        at = nodes if is_levels else 0.5 * (nodes[..., 1:] + nodes[..., :-1])
        height = np.broadcast_to(at, (n, at.shape[-1]))
        profile = concentration(
            profile,
            pixels.atmosphere.pressure_at(height),
            pixels.atmosphere.temperature_at(height),
        )
    elif quantity is Quantity.PARTIAL_COLUMN:
        thickness = np.broadcast_to(np.diff(nodes, axis=-1), profile.shape)
        profile = np.divide(profile, thickness, out=np.zeros(profile.shape), where=thickness > 0)
    edges = np.minimum(pixels.height_edges, top)
    integrate = columns_from_heights if is_levels else columns_from_height_layers
    return integrate(profile, nodes, edges), pixels.atmosphere.pressure_at(top)[:, 0]


def _from_layers(
    profile: Float,
    source_edges: Float,
    quantity: Quantity,
    pixels: PixelColumns,
    merge_height: float | None,
) -> tuple[Float, Float]:
    if quantity is Quantity.CONCENTRATION:
        profile = _as_mole_fraction(
            profile, 0.5 * (source_edges[:, 1:] + source_edges[:, :-1]), pixels
        )
    elif quantity is Quantity.PARTIAL_COLUMN:
        profile = _layer_mole_fraction(profile, source_edges)
    cut = _cut(source_edges[:, -1], pixels, merge_height)
    target = np.maximum(pixels.pressure_edges, cut[:, None])
    return columns_from_hybrid(profile, source_edges, target), cut


def _from_pressures(
    profile: Float,
    pressure: Float,
    quantity: Quantity,
    pixels: PixelColumns,
    merge_height: float | None,
) -> tuple[Float, Float]:
    n = profile.shape[0]
    if quantity is Quantity.CONCENTRATION:
        profile = _as_mole_fraction(profile, np.broadcast_to(pressure, (n, pressure.size)), pixels)
    cut = _cut(np.full(n, pressure[-1]), pixels, merge_height)
    target = np.maximum(pixels.pressure_edges, cut[:, None])
    return columns_from_pressures(profile, pressure, target, pixels.surface_pressure), cut


def _as_mole_fraction(profile: Float, pressure: Float, pixels: PixelColumns) -> Float:
    temperature = pixels.atmosphere.temperature_at(pixels.atmosphere.height_at(pressure))
    return mole_fraction(profile, pressure, temperature)


def _cut(top: Float, pixels: PixelColumns, merge_height: float | None) -> Float:
    """Pressure of the top of the set, or of the merge height where that is lower [Pa]."""
    if merge_height is None:
        return top
    at_merge = pixels.atmosphere.pressure_at(np.full((top.size, 1), merge_height))[:, 0]
    return np.maximum(top, at_merge)


def _on_ground(edges: Float, surface: Float) -> Float:
    """Interfaces of layers with a ground of their own, over the pixels' ground [Pa].

    Each keeps its sigma, its place between the ground and the top in pressure: what sigma and
    hybrid coordinates evaluated at the pixel's surface pressure do.
    """
    top, ground = edges[:, -1:], edges[:, :1]
    sigma = (edges - top) / (ground - top)
    return np.asarray(top + sigma * (surface[:, None] - top))


def _edges_on_ground(vertical: HybridLayers, surface: Float) -> Float:
    """Interfaces of the source over the pixels' ground [Pa].

    Layers below ground have no thickness; the lowest one above ground reaches down to it, as
    profiles on heights and pressures are constant below their lowest level.
    """
    edges = np.minimum(vertical.a + vertical.b * surface[:, None], surface[:, None])
    edges[:, 0] = surface
    return np.asarray(edges)


def _layer_mole_fraction(partial_column: Float, edges: Float) -> Float:
    """Mean mole fraction of layers with given partial columns; 0 in layers without thickness."""
    air = -np.diff(edges, axis=1) * AIR_COLUMN_PER_PASCAL
    return np.asarray(np.divide(partial_column, air, out=np.zeros(air.shape), where=air > 0))


def own_edges(
    vertical: Vertical, profile: Float, surface_pressure: Float, atmosphere: Atmosphere
) -> Float:
    """Interfaces of a set's own layers over pixels [Pa], surface first, shape (n, layer + 1).

    Layers of sets on levels lie between the levels; below the lowest one is another. Layers below
    ground have no thickness.

    Parameters
    ----------
    vertical : Vertical
        The set's coordinate.
    profile : ndarray, shape (n, level)
        The set over the pixels, for layers that differ from place to place.
    surface_pressure : ndarray, shape (n,)
        [Pa].
    atmosphere : Atmosphere
        Over the pixels, for sets on heights.

    Examples
    --------
    >>> from retrieval.physics.layers import StandardAtmosphere
    >>> ground = np.array([95000.0])
    >>> air = StandardAtmosphere(ground, np.array([500.0]))
    >>> levels, values = PressureLevels(np.array([1e5, 8e4, 5e4])), np.ones((1, 3))
    >>> own_edges(levels, values, ground, air).tolist()
    [[95000.0, 95000.0, 80000.0, 50000.0]]
    """
    match vertical:
        case HybridLayers():
            return _edges_on_ground(vertical, surface_pressure)
        case LocalLayers():
            edges = vertical.split(profile)[1]
            if vertical.is_pressure:
                return _on_ground(edges, surface_pressure)
            above = atmosphere.pressure_at(edges[:, 1:])
        case PressureLevels(pressure):
            above = pressure
        case HeightLevels(nodes) | HeightLayers(nodes):
            is_above = isinstance(vertical, HeightLevels) and nodes[0] > 0
            nodes = nodes if is_above else nodes[1:]
            above = atmosphere.pressure_at(np.tile(nodes, (surface_pressure.size, 1)))
    above = np.minimum(above, surface_pressure[:, None])
    return np.concatenate([surface_pressure[:, None], above], axis=1)


def columns_above(
    profile: Float,
    vertical: Vertical,
    quantity: Quantity,
    pixels: PixelColumns,
    cut_pressure: Float,
) -> Float:
    """Partial columns of an upper set above a cut, in the retrieval's layers (mode `upper`).

    The layer that holds the cut takes the upper set's own part of it (docs/equations.md 3.6;
    `RG` of Douros et al., 2023).

    Parameters
    ----------
    profile, vertical, quantity, pixels
        As `set_columns`; the upper set must be on hybrid layers or pressures.
    cut_pressure : ndarray, shape (n,)
        Where the upper part begins [Pa].

    Returns
    -------
    ndarray, shape (n, layer)
        [mol m-2], 0 below the cut.
    """
    clipped = PixelColumns(
        pixels.surface_pressure,
        np.minimum(pixels.pressure_edges, cut_pressure[:, None]),
        pixels.atmosphere,
    )
    return set_columns(profile, vertical, quantity, clipped)[0]


def constant_above(mole_fraction: float, pixels: PixelColumns, cut_pressure: Float) -> Float:
    """Partial columns of a constant mole fraction above a cut, `uniform_columns` of the pixels."""
    return uniform_columns(mole_fraction, pixels.pressure_edges, cut_pressure)
