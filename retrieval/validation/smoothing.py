"""Profiles of the reference through the satellite's kernel: what a comparison owes to the a priori.

With s_l the sensitivity of the slant column S to layer l, a column with the a priori P is
V_P = S / M_P and its kernel A_P,l = s_l / M_P (docs/equations.md 2.1). A reference with a profile x
can be brought to it in two ways (Rodgers and Connor, J. Geophys. Res. 108, 4116, 2003, doi
10.1029/2002JD002299):

- smooth the reference: sum_l A_P,l x_l beside V_P;
- give the satellite the reference's profile as its a priori: S sum(x) / sum(s x) beside sum(x).

In both the relative difference is S / sum(s x) - 1 whatever P was: the a priori drops out, and what
is left are slant column, sensitivities, and what the two look at.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from retrieval.l2.blocks import OrbitBlocks
from retrieval.l2.pixels import Crop
from retrieval.physics.layers import StandardAtmosphere
from retrieval.physics.partial_columns import PixelColumns
from retrieval.physics.vertical import columns_from_height_layers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Pixels
    from retrieval.typing import Float


class Smooth(StrEnum):
    """Which side is smoothed where the reference has a profile."""

    NONE = "none"
    """Neither: columns as they are."""
    REFERENCE = "reference"
    """The reference, with the kernel of each a priori."""
    SATELLITE = "satellite"
    """The satellite, whose a priori becomes the profile of the reference."""


def through_kernel(
    pixels: Pixels, pressure_edges: Float, layer_edges: Float, partial_column: Float
) -> tuple[Float, Float]:
    """Return what the satellite's slant column would be of a reference's profile, and its column.

    Parameters
    ----------
    pixels : Pixels
        n pixels with sensitivities.
    pressure_edges : ndarray, shape (n, layer + 1)
        Interfaces of the retrieval's layers [Pa].
    layer_edges : ndarray, shape (m + 1,)
        Interfaces of the reference above ground [m].
    partial_column : ndarray, shape (m,)
        The reference's profile [mol m-2], uniform within its layers, nothing above them.

    Returns
    -------
    slant, vertical : ndarray, shape (n,)
        sum(s x) and sum(x) over the tropospheric layers [mol m-2]; NaN without a kernel.
    """
    n = pixels.surface_pressure.size
    air = StandardAtmosphere(pixels.surface_pressure, pixels.surface_altitude)
    heights = PixelColumns(pixels.surface_pressure, pressure_edges, air).height_edges
    density = np.broadcast_to(partial_column / np.diff(layer_edges), (n, partial_column.size))
    x = columns_from_height_layers(density, layer_edges, heights)
    x = np.where(pixels.is_troposphere, x, 0.0)
    is_valid = pixels.has_kernel & pixels.has_tropopause
    slant = np.where(is_valid, (np.where(x > 0, pixels.weights, 0.0) * x).sum(axis=1), np.nan)
    return slant, np.where(is_valid, x.sum(axis=1), np.nan)


def smoothed_pair(
    orbit: Orbit,
    where: tuple[int, int],
    columns: Mapping[str, float],
    layer_edges: Float,
    partial_column: Float,
    smooth: Smooth,
) -> tuple[dict[str, float], dict[str, float]] | None:
    """Bring a pixel and a reference's profile to each other.

    Parameters
    ----------
    orbit : Orbit
    where : tuple of int
        Scanline and ground pixel of the file.
    columns : mapping of str to float
        The pixel's columns by a priori [mol m-2].
    layer_edges, partial_column
        The reference, as of `through_kernel`.
    smooth : Smooth
        `reference` or `satellite`.

    Returns
    -------
    columns, references : dict of str to float, or None
        By a priori; None where the pixel has no kernel on layers.
    """
    if orbit.node_pressure is not None:
        return None
    i, j = where
    pixel = OrbitBlocks(orbit, Crop(slice(i, i + 1), slice(j, j + 1))).read(slice(0, 1))
    edges = orbit.pressure_edges(pixel.surface_pressure)
    slant, vertical = (
        float(x[0]) for x in through_kernel(pixel, edges, layer_edges, partial_column)
    )
    measured = float(pixel.column[0] * pixel.amf_troposphere[0])
    if not (np.isfinite(measured) and slant > 0.0 and measured != 0.0):
        return None
    if smooth is Smooth.REFERENCE:
        return dict(columns), {name: v * slant / measured for name, v in columns.items()}
    new = measured * vertical / slant
    return dict.fromkeys(columns, new), dict.fromkeys(columns, vertical)
