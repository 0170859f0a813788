"""Columns measured from the ground or the air: one contract, whatever network or file.

Columns are in mol m-2, times in UTC, missing values NaN. A reader is one module that returns
`GroundColumns`; matching and statistics know nothing of file formats.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from retrieval.errors import RetrievalError

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from retrieval.typing import Float

Quantity = Literal["tropospheric", "total", "surface"]

USED_FLAGS = (0, 1, 10, 11)
"""Quality flags that count: high and medium quality, assured or not yet (Pandonia network; the
rule of the S5P Mission Performance Centre)."""


@dataclass(frozen=True)
class GroundColumns:
    """One instrument's series at one place.

    Attributes
    ----------
    station, network, instrument : str
        Names, as in the file.
    latitude, longitude, altitude : float
        Of the instrument [degrees, degrees, m].
    quantity : str
        What the column is: `tropospheric` (sky, MAX-DOAS, aircraft) or `total` (direct sun); or
        `surface`, where it is no column but the concentration at the ground [mol m-3].
    time : ndarray of datetime64[ms], shape (n,)
        Middle of each measurement [UTC], ascending.
    column, uncertainty : ndarray, shape (n,)
        [mol m-2].
    flag : ndarray of int, shape (n,)
        Quality flag as the network gives it; 0 where it gives none.
    stratosphere : ndarray, shape (n,)
        Climatological stratospheric column that the file carries [mol m-2], NaN where none.
    layer_edges : ndarray, shape (n, n_layer + 1), or None
        Interfaces above ground [m] of a measured profile.
    partial_column : ndarray, shape (n, n_layer), or None
        The profile [mol m-2].
    apriori, kernel : ndarray, shape (n, n_layer), or None
        The measurement's own a-priori partial columns [mol m-2] and column averaging kernel.
    profile_kernel : ndarray, shape (n, n_layer, n_layer), or None
        What a true layer (last axis) adds to a retrieved one.
    footprints : ndarray of shapely.Polygon, shape (n, 1), or None
        What each measurement is the mean of, in longitude and latitude; None for points.
    remarks : tuple of str
        What the file wants its user to know: caveats, how to cite.
    """

    station: str
    network: str
    instrument: str
    latitude: float
    longitude: float
    altitude: float
    quantity: Quantity
    time: NDArray[np.datetime64]
    column: Float
    uncertainty: Float
    flag: NDArray[np.int64]
    stratosphere: Float
    layer_edges: Float | None = None
    partial_column: Float | None = None
    apriori: Float | None = None
    kernel: Float | None = None
    profile_kernel: Float | None = None
    footprints: NDArray[np.object_] | None = None
    remarks: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not (-90 <= self.latitude <= 90 and -180 <= self.longitude <= 360):
            msg = (
                f"Invalid station {self.station}. Its place must be in degrees. Given "
                f"{self.latitude}, {self.longitude}. Check the file's header."
            )
            raise RetrievalError(msg)

    def __len__(self) -> int:
        """Return the number of measurements."""
        return self.time.size

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> GroundColumns:
        """Return some of the measurements."""
        n = len(self)
        changes: dict[str, Any] = {
            f.name: value[index]
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), np.ndarray) and len(value) == n
        }
        return replace(self, **changes)

    def usable(self, flags: Collection[int] = USED_FLAGS) -> GroundColumns:
        """Return the measurements with a column and one of the flags."""
        return self.take(np.isfinite(self.column) & np.isin(self.flag, list(flags)))

    def in_order(self, *, distinct: bool = True) -> GroundColumns:
        """Return the measurements by time, each time once: files that were joined repeat some.

        A camera measures many outlines at a time: without `distinct` all of them stay.
        """
        if not distinct:
            return self.take(np.argsort(self.time, kind="stable"))
        _, first = np.unique(self.time, return_index=True)
        return self.take(first)
