"""One coordinate axis of a file, and how its ascending form maps back to places in the file.

Longitudes may run 0..360, -180..180, across Greenwich (335..45) or across the antimeridian, and
latitudes either way. In the package axes ascend. Global longitudes start at -180 or just above;
regional ones are contiguous with their centre in [-180, 180), so that a set across the
antimeridian has longitudes beyond 180 (or below -180).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Float = NDArray[np.float64]


@dataclass(frozen=True)
class Axis:
    """An ascending axis over one dimension of a file.

    Attributes
    ----------
    values : ndarray
        Ascending coordinates.
    size : int
        Length of the dimension in the file (one more where 360 repeats 0).
    is_reversed : bool
        The file's order descends.
    shift : int
        Place of `values[0]` in the file's (un-reversed) order; longitudes are cyclic.
    """

    values: Float
    size: int
    is_reversed: bool = False
    shift: int = 0

    def pieces(self, wanted: slice) -> list[slice]:
        """Return the slices of the file that hold `wanted` of the ascending axis, in order.

        One slice, or two where a cyclic axis wraps; with `is_reversed` each slice must be
        reversed after reading.

        Examples
        --------
        >>> Axis(np.arange(4.0), 4, shift=2).pieces(slice(1, 4))
        [slice(3, 4, None), slice(0, 2, None)]
        """
        n = self.values.size
        start, stop, _ = wanted.indices(n)
        first, last = start + self.shift, stop + self.shift
        ranges = [(first, min(last, n)), (max(first, n) - n, last - n)]
        runs = [(a, b) for a, b in ranges if b > a]
        if self.is_reversed:
            runs = [(self.size - b, self.size - a) for a, b in runs]
        return [slice(a, b) for a, b in runs] or [slice(0, 0)]


def monotonic_axis(values: ArrayLike, where: str) -> Axis:
    """Build the axis of a coordinate that ascends or descends.

    Raises
    ------
    AprioriError
        If it does neither, or values are missing.
    """
    raw = _checked(values, where)
    is_reversed = bool(raw.size > 1 and raw[0] > raw[-1])
    ascending = raw[::-1] if is_reversed else raw
    _check_ascending(ascending, where)
    return Axis(ascending, raw.size, is_reversed)


def longitude_axis(values: ArrayLike, where: str) -> Axis:
    """Build the ascending axis of longitudes [degree] in any convention.

    Raises
    ------
    AprioriError
        If longitudes neither ascend nor descend around the circle, or values are missing.

    Examples
    --------
    >>> longitude_axis([0.0, 90.0, 180.0, 270.0], "lon").values.tolist()
    [-180.0, -90.0, 0.0, 90.0]
    >>> longitude_axis([358.5, 359.5, 0.5, 1.5], "lon").values.tolist()
    [-1.5, -0.5, 0.5, 1.5]
    """
    raw = _checked(values, where)
    size = raw.size
    if size < 2:
        return Axis(raw, size)
    is_reversed = bool((np.diff(raw) < 0).sum() > size / 2)
    unwrapped = _unwrap(raw[::-1] if is_reversed else raw)
    _check_ascending(unwrapped, where)
    if abs(unwrapped[-1] - unwrapped[0] - 360.0) < 1e-3:
        unwrapped = unwrapped[:-1]  # 360 repeats 0, or 180 repeats -180
    if unwrapped[-1] - unwrapped[0] >= 360.0:
        raise AprioriError(_order_message(where, raw))
    gaps = np.diff(unwrapped, append=unwrapped[0] + 360.0)
    if gaps.max() <= 1.5 * np.median(gaps):
        shift = int(np.argmin(_wrapped(unwrapped)))
        return Axis(_rotated(unwrapped, shift), size, is_reversed, shift)
    # the widest gap is outside the region: start behind it
    shift = int(np.argmax(gaps) + 1) % unwrapped.size
    return Axis(_rotated(unwrapped, shift), size, is_reversed, shift)


def _wrapped(longitude: Float) -> Float:
    # a float32 coordinate just below 180 must not become the first of the circle
    return np.asarray((np.round(longitude, 5) + 180.0) % 360.0 - 180.0)


def _rotated(ascending: Float, shift: int) -> Float:
    turned = np.concatenate([ascending[shift:], ascending[:shift] + 360.0])
    middle = 0.5 * (turned[0] + turned[-1])
    return np.asarray(turned - 360.0 * np.floor((middle + 180.0) / 360.0))


def _unwrap(longitude: Float) -> Float:
    steps = np.diff(longitude)
    turns = np.concatenate([[0.0], np.cumsum(np.where(steps < 0, 360.0, 0.0))])
    return np.asarray(longitude + turns)


def _checked(values: ArrayLike, where: str) -> Float:
    raw = np.ma.getdata(np.asarray(values)).astype(np.float64)
    if raw.ndim != 1 or raw.size == 0 or not np.isfinite(raw).all() or (np.abs(raw) > 1e9).any():
        msg = (
            f"Invalid coordinate {where}. It must be one-dimensional without missing values. Given "
            f"shape {raw.shape}. The file is damaged, or needs regridding to a regular grid."
        )
        raise AprioriError(msg)
    return raw


def _check_ascending(values: Float, where: str) -> None:
    if not (np.diff(values) > 0).all():
        raise AprioriError(_order_message(where, values))


def _order_message(where: str, values: Float) -> str:
    place = int(np.argmin(np.diff(values))) if values.size > 1 else 0
    return (
        f"Invalid coordinate {where}. It must ascend or descend throughout. Given values that turn "
        f"back at index {place}. The file is damaged, or its grid is not rectilinear."
    )
