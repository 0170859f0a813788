"""Sensors whose weights stand at fixed pressures: the layers are those of each a-priori set.

The profile then keeps its own resolution, and the weight of each of its layers is that at the
layer's mid-pressure. Above the set's top come the layers of what continues it: of the upper set, or
those between the sensor's own pressures (docs/decisions/substitution.md).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import ProductError
from retrieval.physics import air_mass_factors as airmass
from retrieval.physics.partial_columns import PixelColumns, own_edges

if TYPE_CHECKING:
    from retrieval.apriori.base import AprioriSet
    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Pixels
    from retrieval.physics.layers import Atmosphere
    from retrieval.substitution.options import Options
    from retrieval.substitution.recompute import UpperPart
    from retrieval.typing import Float

HIGHEST = 10.0
"""Pressure [Pa] where the layers between a sensor's own pressures end, above any tropopause."""


def check_layers(orbit: Orbit, options: Options) -> None:
    """Refuse profiles in the layers of a file that has none.

    Raises
    ------
    ProductError
        If a-priori profiles are asked for and the weights stand at pressures.
    """
    if options.profiles and orbit.node_pressure is not None:
        msg = (
            f"{orbit.path.name}: {orbit.names.sensor} has no layers for --profiles. Its weights "
            "stand at pressures; each set is summed in its own layers. Given --profiles. Leave "
            "it out."
        )
        raise ProductError(msg)


def edges_between_nodes(node_pressure: Float, surface_pressure: Float) -> Float:
    """Interfaces at the sensor's own pressures above the ground [Pa], surface first.

    Parameters
    ----------
    node_pressure : ndarray, shape (node,)
        [Pa], surface first.
    surface_pressure : ndarray, shape (n,)
        [Pa].

    Returns
    -------
    ndarray, shape (n, node + 2)

    Examples
    --------
    >>> edges_between_nodes(np.array([1e5, 5e4]), np.array([9e4])).tolist()
    [[90000.0, 90000.0, 50000.0, 10.0]]
    """
    above = np.append(node_pressure, min(HIGHEST, 0.5 * float(node_pressure[-1])))
    above = np.minimum(above, surface_pressure[:, None])
    return np.concatenate([surface_pressure[:, None], above], axis=1)


def on_layers_of(
    apriori: AprioriSet,
    values: Float,
    upper: UpperPart | None,
    block: Pixels,
    orbit: Orbit,
    atmosphere: Atmosphere,
) -> tuple[Pixels, PixelColumns]:
    """Return pixels with weights on a set's own layers, and those layers.

    Parameters
    ----------
    apriori : AprioriSet
        The set.
    values : ndarray, shape (n, level)
        The set on the pixels.
    upper : UpperPart or None
        What continues it, where there is one.
    block : Pixels
        With weights at the pressures of the orbit, and a tropopause by pressure.
    orbit : Orbit
        For these pressures, and whether weights lack the temperature factor.
    atmosphere : Atmosphere
        Over the pixels.
    """
    nodes, tropopause = orbit.node_pressure, block.tropopause_pressure
    if nodes is None or tropopause is None:
        msg = "Invalid orbit. Weights at pressures need a tropopause by pressure. Given none."
        raise ValueError(msg)
    surface = block.surface_pressure
    own = own_edges(apriori.vertical, values, surface, atmosphere)
    if upper is None:
        above = edges_between_nodes(nodes, surface)
    else:
        above = own_edges(upper.apriori.vertical, upper.profiles.value, surface, atmosphere)
    edges = np.concatenate([own, np.minimum(above, own[:, -1:])], axis=1)
    middle = 0.5 * (edges[:, 1:] + edges[:, :-1])
    weights = airmass.weights_between_nodes(block.weights, nodes, middle)
    if orbit.lacks_temperature:
        temperature = atmosphere.temperature_at(atmosphere.height_at(middle))
        weights = weights * airmass.temperature_correction(temperature)
    is_troposphere = airmass.troposphere_by_pressure(edges, tropopause)
    there = replace(block, weights=weights, is_troposphere=is_troposphere)
    return there, PixelColumns(surface, edges, atmosphere)
