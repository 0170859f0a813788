"""The layers of an L2 file from its hybrid coefficients, brought to surface-first order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import ProductError
from retrieval.physics.constants import STANDARD_PRESSURE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.floating]

L2_ADVICE = "Give a file in the layout of the operational product."
"""The advice to whoever gives another kind of L2 file."""


@dataclass(frozen=True)
class LayerOrder:
    """How the file's layers map to surface-first ones."""

    a: Float
    """Hybrid coefficient at base and top of each layer [Pa], shape (layer, 2), surface first."""
    b: Float
    """Hybrid coefficient at base and top of each layer [1], shape (layer, 2), surface first."""
    is_reversed: bool
    """True where the file counts layers from the top."""

    @property
    def n_layer(self) -> int:
        """Number of layers."""
        return int(self.a.shape[0])


def layer_order(
    tm5_constant_a: NDArray[Any], tm5_constant_b: NDArray[Any], where: str
) -> LayerOrder:
    """Find the order of a file's layers from the pressures its coefficients give.

    Parameters
    ----------
    tm5_constant_a, tm5_constant_b : ndarray
        As stored: (layer, 2), (2, layer) or (layer + 1,), [Pa] and [1].
    where : str
        Name of the file, for messages.

    Raises
    ------
    ProductError
        If the pressures are not contiguous or do not fall from the surface to the top.

    References
    ----------
    PUM, `tm5_constant_a`; formats.md A.4, A.5: order is asserted from the data, never assumed.
    """
    a = _base_and_top(tm5_constant_a, where)
    b = _base_and_top(tm5_constant_b, where)
    base, top = (a + b * STANDARD_PRESSURE).T
    is_reversed = bool(base[0] < base[-1])
    if is_reversed:
        a, b = a[::-1], b[::-1]
        base, top = base[::-1], top[::-1]
    if base[0] < top[0]:
        a, b = a[:, ::-1], b[:, ::-1]
        base, top = top, base
    is_closed = np.allclose(base[1:], top[:-1], rtol=1e-6, atol=1e-3)
    if not (np.isfinite(base).all() and (base > top).all() and is_closed):
        msg = (
            f"{where}: invalid tm5_constant_a/b. Pressures at the layer interfaces "
            "must be contiguous and fall from the surface to the top. "
            f"Given {base[0]:.6g} .. {top[-1]:.6g} Pa out of order. {L2_ADVICE}"
        )
        raise ProductError(msg)
    return LayerOrder(np.ascontiguousarray(a), np.ascontiguousarray(b), is_reversed)


def _base_and_top(values: NDArray[Any], where: str) -> Float:
    """Hybrid coefficients as (layer, 2), from (layer, 2), (2, layer) or (layer + 1,)."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim == 1 and values.size > 2:
        return np.stack([values[:-1], values[1:]], axis=1)
    if values.ndim == 2 and values.shape[1] == 2:
        return values
    if values.ndim == 2 and values.shape[0] == 2:
        return values.T
    msg = f"{where}: tm5_constant_a/b have shape {values.shape}, expected (layer, 2). {L2_ADVICE}"
    raise ProductError(msg)
