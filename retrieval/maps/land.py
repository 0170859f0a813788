"""Land or sea at 1 km: the mask of the package `global-land-mask`, a bit a cell.

The package itself keeps a byte a cell, 933 MB, for as long as a process lives; here it is 117 MB,
unpacked row by row when it is first asked.
"""

from __future__ import annotations

import zipfile
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from retrieval.typing import Bool, Index

FILE = "globe_combined_mask_compressed.npz"
ROWS_AT_ONCE = 600


class _Mask(NamedTuple):
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    ocean: NDArray[np.uint8]
    """Packed along longitude, (21600, 5400)."""


def is_land(latitude: ArrayLike, longitude: ArrayLike) -> Bool:
    """Tell land from sea, by the cell of the mask that a point lies in; most lakes are land.

    Parameters
    ----------
    latitude, longitude : array_like, one shape
        [degree], longitudes in -180 to 180.

    Returns
    -------
    ndarray of bool

    Raises
    ------
    ValueError
        If a position is not on the globe.

    Examples
    --------
    >>> is_land([48.85, 56.0, -90.0], [2.35, 3.0, 0.0]).tolist()  # Paris, the North Sea, a pole
    [True, False, True]
    """
    mask = _mask()
    row = _cells(latitude, mask.latitude, 90.0, "latitude")
    column = _cells(longitude, mask.longitude, 180.0, "longitude")
    bit = mask.ocean[row, column >> 3] >> (7 - (column & 7)).astype(np.uint8) & 1
    return np.asarray(bit == 0)


def _cells(degrees: ArrayLike, axis: NDArray[np.float64], limit: float, name: str) -> Index:
    values = np.asarray(degrees, np.float64)
    if not (np.abs(values) <= limit).all():
        msg = (
            f"Invalid {name}. It must lie within {limit:g} degrees of 0. Given "
            f"{np.abs(values).max():g}. Wrap or clip it first."
        )
        raise ValueError(msg)
    inside = np.clip(values, axis.min(), axis.max())
    return np.asarray(((inside - axis[0]) / (axis[1] - axis[0])).astype(np.intp))


@lru_cache(maxsize=1)
def _mask() -> _Mask:
    package = find_spec("global_land_mask")  # importing it would read its mask
    if package is None or package.origin is None:
        msg = (
            "Invalid installation. The package global-land-mask must be there. Given none. "
            "Install it again."
        )
        raise ModuleNotFoundError(msg)
    with zipfile.ZipFile(Path(package.origin).with_name(FILE)) as archive:
        axes = []
        for name in ("lat", "lon"):
            with archive.open(f"{name}.npy") as stream:
                axes.append(np.lib.format.read_array(stream))
        with archive.open("mask.npy") as stream:
            np.lib.format.read_magic(stream)
            (n_y, n_x), _, kind = np.lib.format.read_array_header_1_0(stream)
            packed = np.empty((n_y, n_x // 8), np.uint8)
            for first in range(0, n_y, ROWS_AT_ONCE):
                rows = min(ROWS_AT_ONCE, n_y - first)
                block = np.frombuffer(stream.read(rows * n_x), kind).reshape(rows, n_x)
                packed[first : first + rows] = np.packbits(block, axis=1)
    return _Mask(axes[0], axes[1], packed)
