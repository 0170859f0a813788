r"""Air mass factors, averaging kernels and columns for a substituted a priori.

Kernels on plain arrays; the equations of Palmer et al. (2001), Eskes and Boersma (2003) and
Douros et al. (2023, Eqs. 1-4) under their own names. With x the partial columns of
the a priori, A the file's total-column averaging kernel, M the total air mass factor and the
sums over tropospheric layers:

.. math::

    s_l = M A_l, \qquad
    M'_\mathrm{trop} = \frac{\sum_l s_l x_l}{\sum_l x_l}, \qquad
    V' = V \frac{M_\mathrm{trop}}{M'_\mathrm{trop}}, \qquad
    A'_{\mathrm{trop},l} = \frac{s_l}{M'_\mathrm{trop}}

s_l is the box air mass factor with its temperature correction and does not depend on the
profile, so the replacement is exact for an optically thin absorber (docs/equations.md 2.4). Only
the shape of x matters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.floating]
    Bool = NDArray[np.bool_]

INCLUSIVE = "inclusive"
"""The tropopause layer belongs to the troposphere (PUM; docs/formats.md 1.6)."""
EXCLUSIVE = "exclusive"
"""The tropopause layer does not (HARP's code, for comparisons with it)."""


def scattering_weights(averaging_kernel: Float, air_mass_factor_total: Float) -> Float:
    """Box air mass factors s = M A, shape (n, layer), from A (n, layer) and M (n,)."""
    return np.asarray(averaging_kernel * air_mass_factor_total[..., None])


def troposphere(
    tropopause_layer_index: NDArray[np.integer], n_layer: int, rule: str = INCLUSIVE
) -> Bool:
    """Layers that belong to the troposphere, shape (..., layer); layers count from the surface.

    Raises
    ------
    ValueError
        If `rule` is neither `inclusive` nor `exclusive`.

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


def air_mass_factor(weights: Float, partial_column: Float, is_layer: Bool) -> Float:
    """Air mass factor of a profile, sum(s x) / sum(x) over the layers where `is_layer`.

    Returns NaN where sum(x) is not positive. Palmer et al. (2001); Douros et al. (2023), Eq. 1.

    Examples
    --------
    >>> s, x = np.array([[0.5, 1.5]]), np.array([[3.0, 1.0]])
    >>> air_mass_factor(s, x, np.array([[True, True]])).tolist()
    [0.75]
    """
    x = np.where(is_layer, partial_column, 0.0)
    total = x.sum(axis=-1)
    slant = (np.where(is_layer, weights, 0.0) * x).sum(axis=-1)
    result = np.full(total.shape, np.nan)
    np.divide(slant, total, out=result, where=total > 0)
    return result


def substituted_column(column: Float, amf: Float, new_amf: Float) -> Float:
    """Vertical column with another a priori, V' = V M_trop / M'_trop; the sign is kept."""
    return np.asarray(column * (amf / new_amf))


def tropospheric_kernel(weights: Float, new_amf: Float, is_layer: Bool) -> Float:
    """Tropospheric averaging kernel s / M'_trop, 0 above; Douros et al. (2023), Eq. 2."""
    return np.where(is_layer, weights / new_amf[..., None], 0.0)


def smoothed_column(weights: Float, amf: Float, partial_column: Float, is_layer: Bool) -> Float:
    """Column of a model as the instrument would see it, sum(A_trop x); Douros Eq. 3."""
    x = np.where(is_layer, partial_column, 0.0)
    return np.asarray((np.where(is_layer, weights, 0.0) * x).sum(axis=-1) / amf)


def total_air_mass_factor(
    new_amf: Float, apriori_column: Float, amf_stratosphere: Float, stratospheric_column: Float
) -> Float:
    """Total air mass factor that goes with the new tropospheric a priori (docs/equations.md 2.3).

    M'_tot = (M' V'_apr + M_strat V_strat) / (V'_apr + V_strat), NaN where the sum is not positive.
    """
    total = apriori_column + stratospheric_column
    result = np.full(np.shape(total), np.nan)
    slant = new_amf * apriori_column + amf_stratosphere * stratospheric_column
    np.divide(slant, total, out=result, where=total > 0)
    return result


def tm5_apriori_column(
    amf_total: Float, amf_troposphere: Float, amf_stratosphere: Float, stratospheric_column: Float
) -> Float:
    """Tropospheric a-priori column of TM5-MP from air mass factors alone (docs/equations.md 2.4).

    V_strat (M_strat - M_total) / (M_total - M_trop): what the definition of M_total leaves, with
    V_strat standing for the a-priori stratosphere. A diagnostic; NaN where M_total = M_trop.
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
    """Relative profile error from an ensemble of sets: standard deviation over mean of 1/M'.

    Parameters
    ----------
    inverse_amfs : ndarray, shape (member, ...)
        1/M' of each set and of TM5; NaN members do not count.

    Returns
    -------
    ndarray, shape (...)
        ddof = 1; NaN where fewer than two members are finite.
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
    """Change of M' with the value at one level of the profile, dM'/dn.

    With dx_l/dn the partial columns of a unit value at that level, `level_columns` (n, layer),
    dM'/dn = (sum(s dx/dn) - M' sum(dx/dn)) / sum(x).
    """
    dx = np.where(is_layer, level_columns, 0.0)
    slant = (np.where(is_layer, weights, 0.0) * dx).sum(axis=-1)
    return np.asarray((slant - new_amf * dx.sum(axis=-1)) / column)
