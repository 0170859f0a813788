"""Partial columns in the retrieval's layers from profiles on heights, layers or pressures.

The profile is brought to the kernel's layers, never the kernel to the profile (decision D3), by
integrals that conserve the column (decision D4): with C the column from the ground up, the
partial column of a layer is C(top) - C(base), and C is closed for every kind of profile.

All functions are kernels on plain arrays: n pixels, profiles (n, level) surface first, layer
interfaces (n, layer + 1) surface first. Nothing is added above the last level of a profile;
what lies there is for `partial_columns.columns_above` and `constant_above`, and is reported.
The derivations are in docs/equations.md 3.3, 3.4, 3.6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.constants import AIR_COLUMN_PER_PASCAL, GAS_CONSTANT
from retrieval.physics.layers import MINIMUM_PRESSURE

if TYPE_CHECKING:
    from retrieval.typing import Float


def columns_from_heights(profile: Float, height: Float, height_edges: Float) -> Float:
    """Integrate a piecewise linear profile between heights, exactly.

    Parameters
    ----------
    profile : ndarray, shape (n, level)
        Concentrations at `height` [mol m-3]; constant below the lowest height.
    height : ndarray, shape (level,)
        Heights above ground [m], ascending.
    height_edges : ndarray, shape (n, layer + 1)
        Heights of the layer interfaces above ground [m], ascending.

    Returns
    -------
    ndarray, shape (n, layer)
        Partial columns [mol m-2]; 0 above the last height.

    Notes
    -----
    Between nodes C(z) = C_k + n_k d + (n_{k+1} - n_k) d^2 / (2 dz) with d = z - z_k and dz the
    distance of the nodes: the integral of the straight line from n_k to n_{k+1}.

    Examples
    --------
    >>> edges = np.array([[0.0, 50.0, 100.0, 300.0]])
    >>> columns_from_heights(np.array([[2.0, 0.0]]), np.array([0.0, 100.0]), edges).tolist()
    [[75.0, 25.0, 0.0]]
    """
    n_edge = _edges_below(height_edges, height[-1])
    z = height_edges[:, :n_edge]
    column = profile[:, :1] * np.clip(z, 0.0, height[0])
    for k in range(height.size - 1):
        thickness = height[k + 1] - height[k]
        d = np.clip(z - height[k], 0.0, thickness)
        slope = (profile[:, k + 1] - profile[:, k]) / (2.0 * thickness)
        column += d * (profile[:, k, None] + slope[:, None] * d)
    return _pad_layers(np.diff(column, axis=1), height_edges.shape[1] - 1)


def columns_from_height_layers(profile: Float, bounds: Float, height_edges: Float) -> Float:
    """Integrate layer-mean concentrations between height bounds, x = sum n_k dz_k.

    Parameters
    ----------
    profile : ndarray, shape (n, level)
        Mean concentrations [mol m-3] between `bounds[k]` and `bounds[k + 1]`.
    bounds : ndarray, shape (level + 1,) or (n, level + 1)
        Heights above ground [m], ascending; of each pixel its own where they differ.
    height_edges : ndarray, shape (n, layer + 1)
        Heights of the layer interfaces above ground [m], ascending.

    Returns
    -------
    ndarray, shape (n, layer)
        Partial columns [mol m-2]; 0 above the last bound.

    Examples
    --------
    >>> edges = np.array([[0.0, 50.0, 150.0]])
    >>> columns_from_height_layers(np.array([[2.0, 1.0]]), np.array([0.0, 100.0, 200.0]), edges)
    array([[100., 150.]])
    """
    column = np.zeros(height_edges.shape)
    for k in range(bounds.shape[-1] - 1):
        base, top = bounds[..., k, None], bounds[..., k + 1, None]
        column += profile[:, k, None] * np.clip(height_edges - base, 0.0, top - base)
    return np.diff(column, axis=1)


def columns_from_hybrid(mole_fraction: Float, source_edges: Float, target_edges: Float) -> Float:
    """Overlap layers of uniform mole fraction with the retrieval's layers, in pressure.

    Parameters
    ----------
    mole_fraction : ndarray, shape (n, level)
        Mean of each source layer [mol mol-1].
    source_edges : ndarray, shape (n, level + 1)
        Interfaces of the source at the *pixel's* surface pressure [Pa], decreasing. Evaluating
        them there keeps the profile on the terrain and makes a set on the retrieval's own layers
        the identity (identity I1).
    target_edges : ndarray, shape (n, layer + 1)
        Interfaces of the retrieval [Pa], decreasing.

    Returns
    -------
    ndarray, shape (n, layer)
        Partial columns [mol m-2]; 0 outside of the source's range.

    Notes
    -----
    x_l = sum_k v_k dp_kl / (g M_air), dp_kl the pressure that source and target layer share.

    Examples
    --------
    The lower target layer shares 500 Pa with each source layer but the last 250: 500 + 2 x 250.

    >>> source = np.array([[1000.0, 500.0, 0.0]])
    >>> x = columns_from_hybrid(np.array([[1.0, 2.0]]), source, np.array([[1000.0, 250.0, 0.0]]))
    >>> (x / AIR_COLUMN_PER_PASCAL).round(9).tolist()
    [[1000.0, 500.0]]
    """
    thickness = -np.diff(source_edges, axis=1)
    cumulative = np.zeros(source_edges.shape)
    np.cumsum(mole_fraction * thickness, axis=1, out=cumulative[:, 1:])
    return AIR_COLUMN_PER_PASCAL * np.diff(
        _hybrid_cumulative(mole_fraction, source_edges, cumulative, target_edges), axis=1
    )


def _hybrid_cumulative(
    mole_fraction: Float, source_edges: Float, cumulative: Float, target_edges: Float
) -> Float:
    """Integral of the mole fraction over dp from the ground to each target interface [Pa].

    Only the source layers that can hold an interface in any of the pixels are visited.
    """
    column = np.empty(target_edges.shape)
    n_level = mole_fraction.shape[1]
    first = 0
    for j in range(target_edges.shape[1]):
        p = target_edges[:, j]
        while first < n_level - 1 and (source_edges[:, first + 1] >= p).all():
            first += 1
        column[:, j] = cumulative[:, first]
        for k in range(first, n_level):
            depth = np.minimum(source_edges[:, k] - p, source_edges[:, k] - source_edges[:, k + 1])
            if (depth <= 0).all():
                break
            column[:, j] += mole_fraction[:, k] * np.maximum(depth, 0.0)
    return column


def columns_from_pressures(
    mole_fraction: Float, pressure: Float, target_edges: Float, surface_pressure: Float
) -> Float:
    """Integrate values at pressure levels, piecewise linear in ln p, over dp.

    Parameters
    ----------
    mole_fraction : ndarray, shape (n, level)
        Values at `pressure` [mol mol-1]. Levels below ground are ignored; below the lowest level
        above ground the profile is constant.
    pressure : ndarray, shape (level,)
        Pressures [Pa], decreasing.
    target_edges : ndarray, shape (n, layer + 1)
        Interfaces between which to integrate [Pa], decreasing, at or above the ground.
    surface_pressure : ndarray, shape (n,)
        Pressure at the ground [Pa].

    Returns
    -------
    ndarray, shape (n, layer)
        Partial columns [mol m-2]; 0 above the last level; NaN where no level is above ground.

    Notes
    -----
    Between levels v = v_k + (v_{k+1} - v_k) ln(p_k/p) / L with L = ln(p_k/p_{k+1}), and the
    integral of ln(p_k/p') dp' from p to p_k is p_k - p - p ln(p_k/p).

    Examples
    --------
    A constant profile is v dp; one that falls from 1 to 0 between 1000 and 100 Pa holds, with L =
    ln 10, 900 - (900 - 100 L) / L = 609.1 of the 900 Pa.

    >>> levels, ground = np.array([1000.0, 100.0]), np.array([1000.0])
    >>> for v in ([2.0, 2.0], [1.0, 0.0]):
    ...     x = columns_from_pressures(np.array([v]), levels, np.array([[1000.0, 100.0]]), ground)
    ...     print((x / AIR_COLUMN_PER_PASCAL).round(1).tolist())
    [[1800.0]]
    [[609.1]]
    """
    surface = surface_pressure[:, None]
    target = np.maximum(target_edges, MINIMUM_PRESSURE)
    log_p = np.log(target)
    lowest = (pressure[None, :] > surface).sum(axis=1)  # first level not below ground
    is_valid = lowest < pressure.size
    lowest = np.minimum(lowest, pressure.size - 1)
    at_lowest = np.take_along_axis(mole_fraction, lowest[:, None], axis=1)
    column = at_lowest * np.clip(surface - np.maximum(target, pressure[lowest, None]), 0.0, None)
    for k in range(int(lowest.min()), pressure.size - 1):
        p_k, p_next = pressure[k], max(float(pressure[k + 1]), MINIMUM_PRESSURE)
        p = np.clip(target, p_next, p_k)
        ratio = np.clip(np.log(p_k) - log_p, 0.0, np.log(p_k / p_next))
        slope = (mole_fraction[:, k + 1] - mole_fraction[:, k]) / np.log(p_k / p_next)
        part = mole_fraction[:, k, None] * (p_k - p) + slope[:, None] * (p_k - p - p * ratio)
        column += np.where((k >= lowest)[:, None], part, 0.0)
    columns = AIR_COLUMN_PER_PASCAL * np.diff(column, axis=1)
    return np.where(is_valid[:, None], columns, np.nan)


def uniform_columns(mole_fraction: float, target_edges: Float, cut_pressure: Float) -> Float:
    """Partial columns of a constant mole fraction above a cut, x = v dp / (g M_air).

    Parameters
    ----------
    mole_fraction : float
        v [mol mol-1].
    target_edges : ndarray, shape (n, layer + 1)
        Interfaces [Pa], decreasing.
    cut_pressure : ndarray, shape (n,)
        Where it begins [Pa]; the layer that holds the cut counts with its part above.

    Returns
    -------
    ndarray, shape (n, layer)
        Partial columns [mol m-2].

    Examples
    --------
    >>> x = uniform_columns(1.0, np.array([[1000.0, 500.0, 0.0]]), np.array([600.0]))
    >>> (x / AIR_COLUMN_PER_PASCAL).round(9).tolist()
    [[100.0, 500.0]]
    """
    clipped = np.minimum(target_edges, cut_pressure[:, None])
    return mole_fraction * AIR_COLUMN_PER_PASCAL * -np.diff(clipped, axis=1)


def concentration(mole_fraction: Float, pressure: Float, temperature: Float) -> Float:
    """Amount of gas per volume of air [mol m-3] by the ideal gas law, c = v p / (R T).

    `mole_fraction` v [mol mol-1], `pressure` [Pa] and `temperature` [K] broadcast.

    Examples
    --------
    >>> round(float(concentration(np.float64(1e-9), np.float64(1e5), np.float64(300.0))), 12)
    4.0091e-08
    """
    return np.asarray(mole_fraction * pressure / (GAS_CONSTANT * temperature))


def mole_fraction(concentration: Float, pressure: Float, temperature: Float) -> Float:
    """Amount of gas per amount of air [mol mol-1], v = c R T / p: `concentration` turned round.

    Examples
    --------
    >>> round(float(mole_fraction(np.float64(4.0091e-08), np.float64(1e5), np.float64(300.0))), 12)
    1e-09
    """
    return np.asarray(concentration * GAS_CONSTANT * temperature / pressure)


def _edges_below(height_edges: Float, top: float) -> int:
    """Count the interfaces that hold everything below `top`, one above it included."""
    is_above = height_edges >= top  # missing heights are not above: their columns are NaN
    n_below = int((~is_above).any(axis=0).sum())
    return min(n_below + 1, int(height_edges.shape[1]))


def _pad_layers(columns: Float, n_layer: int) -> Float:
    padded = np.zeros((columns.shape[0], n_layer))
    padded[:, : columns.shape[1]] = columns
    return padded
