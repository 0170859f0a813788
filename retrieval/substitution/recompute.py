"""One set in one block of pixels: profile, part above, air mass factor, flags and warnings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.base import AprioriSet
from retrieval.l2.product.results import SubstitutionFlag, SubstitutionWarning
from retrieval.physics import air_mass_factors as airmass
from retrieval.physics.constants import MINIMUM_COVERAGE, PPT
from retrieval.physics.levels import HybridLayers, LocalLayers, PressureLevels
from retrieval.physics.partial_columns import (
    PixelColumns,
    columns_above,
    constant_above,
    set_columns,
)
from retrieval.substitution.options import Above, Options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.l2.pixels import Pixels
    from retrieval.substitution.collocate import Profiles
    from retrieval.typing import Float

    Bool = NDArray[np.bool_]

SMALL_AMF = 0.1
CHANGE_RANGE = (0.4, 3.0)
TERRAIN_MISMATCH = 250.0
"""Difference between the model's and the pixel's surface altitude that is warned of [m]."""
COMPUTED = (SubstitutionFlag.DONE, SubstitutionFlag.NO_COLUMN)
"""Flags of pixels that have a new air mass factor."""


@dataclass(frozen=True)
class UpperPart:
    """The upper set of mode `upper` on the block's pixels."""

    apriori: AprioriSet
    profiles: Profiles


@dataclass(frozen=True)
class SetColumns:
    """New quantities of one set for n pixels; NaN where not computed.

    Attributes
    ----------
    flag, warning : ndarray of uint8, shape (n,)
        `SubstitutionFlag`, `SubstitutionWarning`.
    amf : ndarray, shape (n,)
        M'_trop.
    column, kernel_column : ndarray, shape (n,)
        sum(x) and sum(A_trop x) to the tropopause [mol m-2].
    fraction_above, coverage : ndarray, shape (n,)
        Share of sum(x) that is not the set's; share of the footprint covered.
    partial_column : ndarray, shape (n, layer)
        x [mol m-2], NaN above the tropopause.
    relative_error : ndarray, shape (n,), or None
        Relative error of M' from the set's own uncertainty.
    """

    flag: NDArray[np.uint8]
    warning: NDArray[np.uint8]
    amf: Float
    column: Float
    kernel_column: Float
    fraction_above: Float
    coverage: Float
    partial_column: Float
    relative_error: Float | None


def compute_set(
    apriori: AprioriSet,
    profiles: Profiles,
    block: Pixels,
    columns: PixelColumns,
    options: Options,
    upper: UpperPart | None = None,
) -> SetColumns:
    """Partial columns, air mass factor and flags of one set for the usable pixels of a block.

    Parameters
    ----------
    apriori : AprioriSet
        The set, for its vertical coordinate and quantity.
    profiles : Profiles
        The set on the pixels.
    block : Pixels
        What the file says of them.
    columns : PixelColumns
        Layers and air over them.
    options : Options
        Mode above, merge height.
    upper : UpperPart, optional
        For mode `upper`.
    """
    from_set, cut = set_columns(
        profiles.value, apriori.vertical, apriori.quantity, columns, options.merge_height
    )
    above, has_upper = part_above(block, columns, cut, options, upper)
    x = from_set + above
    total = np.where(block.is_troposphere, x, 0.0).sum(axis=1)
    share = np.where(block.is_troposphere, above, 0.0).sum(axis=1)
    amf = airmass.air_mass_factor(block.weights, x, block.is_troposphere)
    flag = _flags(profiles, total, amf, has_upper, block)
    is_computed = np.isin(flag, COMPUTED)
    amf = np.where(is_computed, amf, np.nan)
    total = np.where(is_computed, total, np.nan)
    smoothed = airmass.smoothed_column(
        block.weights, block.amf_troposphere, x, block.is_troposphere
    )
    relative_error = None
    if profiles.uncertainty is not None:
        relative_error = _relative_error(apriori, profiles, columns, block, amf, total, options)
    return SetColumns(
        flag=flag,
        warning=_warnings(profiles, amf, is_computed, block),
        amf=amf,
        column=total,
        kernel_column=np.where(is_computed, smoothed, np.nan),
        fraction_above=share / total,
        coverage=profiles.coverage,
        partial_column=np.where(block.is_troposphere & is_computed[:, None], x, np.nan),
        relative_error=relative_error,
    )


def part_above(
    block: Pixels, columns: PixelColumns, cut: Float, options: Options, upper: UpperPart | None
) -> tuple[Float, Bool]:
    """Partial columns above the set (n, layer), and where they could be had (n,)."""
    n = cut.size
    if options.above is Above.NONE:
        return np.zeros(block.weights.shape), np.ones(n, dtype=bool)
    if options.above is Above.CONSTANT_VMR:
        return constant_above(options.above_vmr * PPT, columns, cut), np.ones(n, dtype=bool)
    if upper is None:
        msg = "Invalid options. Mode upper needs a global set. Given none."
        raise ValueError(msg)
    source, on_pixels = upper.apriori, upper.profiles
    above, is_needed, top = continued_above(
        source, on_pixels.value, columns, cut, block.is_troposphere
    )
    reach = np.zeros(n)
    if isinstance(source.vertical, PressureLevels):
        reach = np.full(n, source.vertical.pressure[-1])
    elif isinstance(source.vertical, HybridLayers):
        reach = source.vertical.a[-1] + source.vertical.b[-1] * columns.surface_pressure
    elif isinstance(source.vertical, LocalLayers):
        reach = np.asarray(on_pixels.value[:, -1], dtype=np.float64).reshape(n)
    is_covered = on_pixels.is_served & (on_pixels.coverage >= MINIMUM_COVERAGE)
    has_upper = (reach <= top) & is_covered & np.isfinite(on_pixels.value).all(axis=1)
    return above, has_upper | ~is_needed


def continued_above(
    source: AprioriSet, values: Float, columns: PixelColumns, cut: Float, is_troposphere: Bool
) -> tuple[Float, Bool, Float]:
    """Continue profiles that end below the tropopause with another set.

    Parameters
    ----------
    source : AprioriSet
        What continues them.
    values : ndarray, shape (n, level)
        Its values on the pixels.
    columns : PixelColumns
        Layers and air over the pixels.
    cut : ndarray, shape (n,)
        Pressure where the profiles end [Pa].
    is_troposphere : ndarray of bool, shape (n, layer)

    Returns
    -------
    above : ndarray, shape (n, layer)
        Partial columns above the cut [mol m-2]; 0 where the profile reaches the tropopause itself.
    is_needed : ndarray of bool, shape (n,)
    top : ndarray, shape (n,)
        Pressure at the top of the troposphere [Pa].
    """
    n_layer = is_troposphere.sum(axis=1, keepdims=True)
    top = np.take_along_axis(columns.pressure_edges, n_layer, axis=1)[:, 0]
    is_needed = cut > top
    above = columns_above(values, source.vertical, source.quantity, columns, cut)
    return np.where(is_needed[:, None], above, 0.0), np.asarray(is_needed), top


def _relative_error(
    apriori: AprioriSet,
    profiles: Profiles,
    columns: PixelColumns,
    block: Pixels,
    amf: Float,
    total: Float,
    options: Options,
) -> Float:
    """Relative error of M' by the set's uncertainty, levels independent (docs/equations.md 2.7)."""
    variance, vertical = np.zeros(amf.shape), apriori.vertical
    sigma = np.zeros_like(profiles.value) if profiles.uncertainty is None else profiles.uncertainty
    n_value = vertical.n_layer if isinstance(vertical, LocalLayers) else vertical.n_level
    for k in range(n_value):
        unit = np.zeros(sigma.shape)
        unit[:, n_value:] = profiles.value[:, n_value:]  # where its layers are, if they differ
        unit[:, k] = 1.0
        dx, _ = set_columns(unit, vertical, apriori.quantity, columns, options.merge_height)
        slope = airmass.amf_sensitivity(block.weights, amf, total, dx, block.is_troposphere)
        variance += (slope * sigma[:, k]) ** 2
    return np.asarray(np.sqrt(variance) / amf)


def _flags(
    profiles: Profiles, total: Float, amf: Float, has_upper: Bool, block: Pixels
) -> NDArray[np.uint8]:
    """First reason that holds; an absent upper profile before its effects."""
    with np.errstate(invalid="ignore"):
        conditions = [
            (profiles.is_bad, SubstitutionFlag.BAD_CORNERS),
            (profiles.is_outside, SubstitutionFlag.OUTSIDE_SET),
            (profiles.coverage < MINIMUM_COVERAGE, SubstitutionFlag.LOW_COVERAGE),
            (~profiles.is_served, SubstitutionFlag.NO_FIELD_IN_TIME),
            (~has_upper, SubstitutionFlag.NO_UPPER_PROFILE),
            (total <= 0, SubstitutionFlag.EMPTY_PROFILE),
            (~((amf > 0) & np.isfinite(amf)), SubstitutionFlag.BAD_AMF),
            (~np.isfinite(block.column), SubstitutionFlag.NO_COLUMN),
        ]
    return np.select(
        [condition for condition, _ in conditions],
        [np.uint8(flag) for _, flag in conditions],
        default=np.uint8(SubstitutionFlag.DONE),
    ).astype(np.uint8)


def _warnings(
    profiles: Profiles, amf: Float, is_computed: Bool, block: Pixels
) -> NDArray[np.uint8]:
    with np.errstate(invalid="ignore"):
        ratio = block.amf_troposphere / amf
        bits = SubstitutionWarning.SMALL_AMF * (amf < SMALL_AMF)
        is_large = (ratio < CHANGE_RANGE[0]) | (ratio > CHANGE_RANGE[1])
        bits = bits | SubstitutionWarning.LARGE_CHANGE * is_large
        if profiles.surface_altitude is not None:
            mismatch = np.abs(profiles.surface_altitude - block.surface_altitude)
            is_high = (mismatch > TERRAIN_MISMATCH) & ~block.assumed_altitude
            bits = bits | SubstitutionWarning.TERRAIN_MISMATCH * is_high
    bits = bits | SubstitutionWarning.ASSUMED_ALTITUDE * block.assumed_altitude
    bits = bits | SubstitutionWarning.NEGATIVES_CLIPPED * profiles.has_negatives
    return np.where(is_computed, bits, 0).astype(np.uint8)
