r"""Air mass factors, averaging kernels and columns for a substituted a priori.

The slant column is measured; only the division by an air mass factor knows a profile. With x_l the
partial columns of the a priori, A_l the file's total-column averaging kernel, M_total its total air
mass factor, and sums over the layers of the troposphere:

.. math::

    s_l = M_\mathrm{total} A_l, \qquad
    M' = \frac{\sum_l s_l x_l}{\sum_l x_l}, \qquad
    V' = V \frac{M_\mathrm{trop}}{M'}, \qquad
    A'_{\mathrm{trop},l} = \frac{s_l}{M'}

s_l is the box air mass factor with its temperature correction. It does not depend on the profile,
so the replacement is exact for a thin absorber, and only the shape of x matters.

All functions take plain arrays whose last axis is the layer, 0 at the surface, and check nothing.
The examples share two layers, seen with weights 0.5 and 1.5 (docs/equations.md 1, 2).

References
----------
Palmer et al. (2001), J. Geophys. Res. 106, 14539: air mass factors from profile shapes.
Eskes and Boersma (2003), Atmos. Chem. Phys. 3, 1285: averaging kernels of total columns.
Douros et al. (2023), Geosci. Model Dev. 16, 509, Eqs. 1-4: the substitution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.typing import Bool, Float

ABSORPTION_TEMPERATURE = 220.0
"""Of the NO2 absorption in the spectral fit [K]."""
INCLUSIVE = "inclusive"
"""The tropopause layer belongs to the troposphere (decision D2; docs/equations.md 8.3)."""
EXCLUSIVE = "exclusive"
"""The tropopause layer does not (HARP's code, for comparisons with it)."""


def scattering_weights(averaging_kernel: Float, air_mass_factor_total: Float) -> Float:
    """Box air mass factors of the layers, s_l = M_total A_l (Eskes and Boersma, 2003).

    Parameters
    ----------
    averaging_kernel : ndarray, shape (..., layer)
        Total-column averaging kernel A [1].
    air_mass_factor_total : ndarray, shape (...)
        Total air mass factor M_total [1].

    Returns
    -------
    ndarray, shape (..., layer)
        s [1].

    Examples
    --------
    >>> scattering_weights(np.array([[0.25, 0.75]]), np.array([2.0])).tolist()
    [[0.5, 1.5]]
    """
    return np.asarray(averaging_kernel * air_mass_factor_total[..., None])


def troposphere(
    tropopause_layer_index: NDArray[np.integer], n_layer: int, rule: str = INCLUSIVE
) -> Bool:
    """Tell which layers belong to the troposphere: l <= l_tp (product manual; Douros Eq. 2).

    Parameters
    ----------
    tropopause_layer_index : ndarray of int, shape (...)
        l_tp, counted from 0 at the surface. A fill value must be masked before.
    n_layer : int
        Number of layers.
    rule : {"inclusive", "exclusive"}
        Whether l_tp itself belongs to them.

    Returns
    -------
    ndarray of bool, shape (..., n_layer)

    Raises
    ------
    ValueError
        If `rule` is neither.

    Examples
    --------
    >>> troposphere(np.array([1]), 3).tolist(), troposphere(np.array([1]), 3, "exclusive").tolist()
    ([[True, True, False]], [[True, False, False]])
    """
    if rule not in (INCLUSIVE, EXCLUSIVE):
        msg = f"Invalid tropopause rule. It must be inclusive or exclusive. Given {rule!r}."
        raise ValueError(msg)
    last = tropopause_layer_index[..., None] - (rule == EXCLUSIVE)
    return np.asarray(np.arange(n_layer) <= last)


def troposphere_by_pressure(pressure_edges: Float, tropopause_pressure: Float) -> Bool:
    """Layers whose mid-pressure is larger than the tropopause's, shape (n, layer).

    Parameters
    ----------
    pressure_edges : ndarray, shape (n, layer + 1)
        Interfaces [Pa], surface first.
    tropopause_pressure : ndarray, shape (n,)
        [Pa]; where it is NaN, no layer.

    Examples
    --------
    >>> edges = np.array([[100000.0, 60000.0, 20000.0, 0.0]])
    >>> troposphere_by_pressure(edges, np.array([30000.0])).tolist()
    [[True, True, False]]
    """
    middle = 0.5 * (pressure_edges[:, 1:] + pressure_edges[:, :-1])
    return np.asarray(middle > tropopause_pressure[:, None])


def air_mass_factor(weights: Float, partial_column: Float, is_layer: Bool) -> Float:
    """Air mass factor of a profile, M = sum(s x) / sum(x) (Palmer et al., 2001; Douros Eq. 1).

    Parameters
    ----------
    weights : ndarray, shape (..., layer)
        s [1].
    partial_column : ndarray, shape (..., layer)
        x, in any unit of amount per area.
    is_layer : ndarray of bool, shape (..., layer)
        Layers that count: `troposphere`, or its opposite for the stratosphere.

    Returns
    -------
    ndarray, shape (...)
        M [1]; NaN where sum(x) is not positive.

    Examples
    --------
    Three parts of four lie low, where little light comes from; evenly spread M is the mean of s.

    >>> s, both = np.array([[0.5, 1.5]]), np.array([[True, True]])
    >>> air_mass_factor(s, np.array([[3.0, 1.0]]), both).tolist()
    [0.75]
    >>> air_mass_factor(s, np.array([[2.0, 2.0]]), both).tolist()
    [1.0]
    """
    x = np.where(is_layer, partial_column, 0.0)
    total = x.sum(axis=-1)
    slant = (np.where(is_layer, weights, 0.0) * x).sum(axis=-1)
    result = np.full(total.shape, np.nan)
    np.divide(slant, total, out=result, where=total > 0)
    return result


def substituted_column(column: Float, amf: Float, new_amf: Float) -> Float:
    """Vertical column with another a priori, V' = V M_trop / M' (Douros et al., 2023, section 2).

    Parameters
    ----------
    column : ndarray, shape (...)
        V, in any unit.
    amf, new_amf : ndarray, shape (...)
        M_trop, and M' of the other a priori [1].

    Returns
    -------
    ndarray, shape (...)
        V', in the unit and with the sign of V.

    Examples
    --------
    >>> substituted_column(np.array([3.0, -0.3]), 1.0, 0.75).round(9).tolist()
    [4.0, -0.4]
    """
    return np.asarray(column * (amf / new_amf))


def tropospheric_kernel(weights: Float, new_amf: Float, is_layer: Bool) -> Float:
    """Tropospheric averaging kernel, A'_l = s_l / M', 0 above (Douros et al., 2023, Eq. 2).

    Parameters
    ----------
    weights : ndarray, shape (..., layer)
        s [1].
    new_amf : ndarray, shape (...)
        Tropospheric air mass factor [1].
    is_layer : ndarray of bool, shape (..., layer)
        The troposphere.

    Returns
    -------
    ndarray, shape (..., layer)
        A' [1], with sum(A' x) = sum(x) for the profile of `new_amf`.

    Examples
    --------
    >>> s, x = np.array([[0.5, 1.5, 2.0]]), np.array([[3.0, 1.0, 9.0]])
    >>> kernel = tropospheric_kernel(s, np.array([0.75]), np.array([[True, True, False]]))
    >>> kernel.round(3).tolist(), round(float((kernel * x).sum()), 9)
    ([[0.667, 2.0, 0.0]], 4.0)
    """
    return np.where(is_layer, weights / new_amf[..., None], 0.0)


def smoothed_column(weights: Float, amf: Float, partial_column: Float, is_layer: Bool) -> Float:
    """Column of a model as the instrument would see it, sum(A_trop x) (Douros et al., Eq. 3).

    Parameters
    ----------
    weights, partial_column : ndarray, shape (..., layer)
        s [1], and x of the model.
    amf : ndarray, shape (...)
        M_trop of the file [1].
    is_layer : ndarray of bool, shape (..., layer)
        The troposphere.

    Returns
    -------
    ndarray, shape (...)
        In the unit of x, to be compared with V: both depend on the file's a priori alike.

    Examples
    --------
    >>> s, both = np.array([[0.5, 1.5]]), np.array([[True, True]])
    >>> smoothed_column(s, np.array([1.0]), np.array([[3.0, 1.0]]), both).tolist()
    [3.0]
    """
    x = np.where(is_layer, partial_column, 0.0)
    return np.asarray((np.where(is_layer, weights, 0.0) * x).sum(axis=-1) / amf)


def total_air_mass_factor(
    new_amf: Float, apriori_column: Float, amf_stratosphere: Float, stratospheric_column: Float
) -> Float:
    """Total air mass factor with the new troposphere and the stratosphere of the file.

    M'_total = (M' V'_apr + M_strat V_strat) / (V'_apr + V_strat), the definition of M_total with
    both parts (docs/equations.md 2.3).

    Parameters
    ----------
    new_amf, amf_stratosphere : ndarray, shape (...)
        M', M_strat [1].
    apriori_column, stratospheric_column : ndarray, shape (...)
        V'_apr = sum(x) of the new set, and V_strat, in one unit; NaN comes of a sum that is not
        positive.

    Examples
    --------
    >>> total_air_mass_factor(*(np.array([v]) for v in (0.75, 4.0, 2.5, 3.0))).tolist()
    [1.5]
    """
    total = apriori_column + stratospheric_column
    result = np.full(np.shape(total), np.nan)
    slant = new_amf * apriori_column + amf_stratosphere * stratospheric_column
    np.divide(slant, total, out=result, where=total > 0)
    return result


def tm5_apriori_column(
    amf_total: Float, amf_troposphere: Float, amf_stratosphere: Float, stratospheric_column: Float
) -> Float:
    """Tropospheric a-priori column of TM5-MP, which the file does not hold, from what it does.

    V_apr = V_strat (M_strat - M_total) / (M_total - M_trop), `total_air_mass_factor` solved for it
    with V_strat standing for the a-priori stratosphere (docs/equations.md 2.4). A diagnostic.

    Parameters
    ----------
    amf_total, amf_troposphere, amf_stratosphere : ndarray, shape (...)
        M_total, M_trop, M_strat [1].
    stratospheric_column : ndarray, shape (...)
        V_strat, in the unit of the result; NaN comes of M_total = M_trop.

    Examples
    --------
    >>> tm5_apriori_column(*(np.array([v]) for v in (1.5, 0.75, 2.5, 3.0))).tolist()
    [4.0]
    """
    difference = amf_total - amf_troposphere
    result = np.full(np.shape(difference), np.nan)
    np.divide(
        stratospheric_column * (amf_stratosphere - amf_total),
        difference,
        out=result,
        where=difference != 0,
    )
    return result


def profile_error(inverse_amfs: Float) -> Float:
    """Relative error through the profile: standard deviation over mean of 1/M' of several sets.

    V' is proportional to 1/M', so this is the scatter of the columns, ddof = 1
    (docs/equations.md 2.7).

    Parameters
    ----------
    inverse_amfs : ndarray, shape (member, ...)
        1/M' of each set and of TM5 [1]; NaN members do not count, and of fewer than two comes NaN.

    Examples
    --------
    >>> profile_error(np.array([[0.8], [1.2], [np.nan]])).round(3).tolist()  # 0.283 of 1.0
    [0.283]
    """
    is_member = np.isfinite(inverse_amfs)
    count = is_member.sum(axis=0)
    values = np.where(is_member, inverse_amfs, 0.0)
    mean = np.divide(values.sum(axis=0), count, out=np.full(count.shape, np.nan), where=count > 1)
    deviation = np.where(is_member, inverse_amfs - mean, 0.0)
    variance = np.divide(
        (deviation**2).sum(axis=0), count - 1, out=np.full(count.shape, np.nan), where=count > 1
    )
    return np.asarray(np.sqrt(variance) / mean)


def amf_sensitivity(
    weights: Float, new_amf: Float, column: Float, level_columns: Float, is_layer: Bool
) -> Float:
    """Change of M' with the value at one level, dM'/dn = (sum(s dx) - M' sum(dx)) / sum(x).

    Negative where more NO2 lies low (docs/equations.md 2.7).

    Parameters
    ----------
    weights, level_columns : ndarray, shape (..., layer)
        s [1], and dx/dn, the partial columns of a unit value at the level.
    new_amf, column : ndarray, shape (...)
        M' [1], and sum(x) in the unit of dx.
    is_layer : ndarray of bool, shape (..., layer)
        The troposphere.

    Examples
    --------
    >>> s, both = np.array([[0.5, 1.5]]), np.array([[True, True]])
    >>> amf_sensitivity(s, np.array([0.75]), np.array([4.0]), np.array([[1.0, 0.0]]), both).tolist()
    [-0.0625]
    """
    dx = np.where(is_layer, level_columns, 0.0)
    slant = (np.where(is_layer, weights, 0.0) * dx).sum(axis=-1)
    return np.asarray((slant - new_amf * dx.sum(axis=-1)) / column)


def temperature_correction(temperature: Float) -> Float:
    """Return the absorption of NO2 at a temperature over that at 220 K.

    alpha(T) = 1 - 0.00316 (T - 220) + 3.39e-6 (T - 220)^2

    Box air mass factors from a table at 220 K, or scattering weights of products that leave it out
    (TEMPO), are multiplied by it.

    Parameters
    ----------
    temperature : ndarray
        [K].

    References
    ----------
    Zara et al. (2018), Atmos. Meas. Tech. 11, 4033; TROPOMI ATBD S5P-KNMI-L2-0005-RP, eq. 18.

    Examples
    --------
    >>> temperature_correction(np.array([220.0, 300.0, 305.85657])).round(6).tolist()
    [1.0, 0.768896, 0.753682]
    """
    difference = temperature - ABSORPTION_TEMPERATURE
    return np.asarray(1.0 - 0.00316 * difference + 3.39e-6 * difference**2)


def weights_between_nodes(weights: Float, node_pressure: Float, pressure: Float) -> Float:
    """Weights given at pressures, brought to others: linear in ln p, constant beyond the ends.

    Parameters
    ----------
    weights : ndarray, shape (n, node)
        w at the nodes [1].
    node_pressure : ndarray, shape (node,)
        [Pa], surface first, strictly decreasing.
    pressure : ndarray, shape (n, layer)
        Middle of the layers [Pa].

    Returns
    -------
    ndarray, shape (n, layer)

    Examples
    --------
    >>> nodes = np.array([1e5, 1e4])
    >>> weights_between_nodes(np.array([[0.5, 1.5]]), nodes, np.array([[1.1e5, 31622.7766, 1e3]]))
    array([[0.5, 1. , 1.5]])
    """
    with np.errstate(divide="ignore"):  # a layer without air at the top of a model
        at = -np.log(pressure)
    node = -np.log(node_pressure)
    upper = np.clip(np.searchsorted(node, at, side="right"), 1, node.size - 1)
    share = np.clip((at - node[upper - 1]) / (node[upper] - node[upper - 1]), 0.0, 1.0)
    low = np.take_along_axis(weights, upper - 1, axis=1)
    high = np.take_along_axis(weights, upper, axis=1)
    return np.asarray(low * (1.0 - share) + high * share)
