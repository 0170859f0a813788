r"""L2 to L3: sums of pixels over grid cells by exact overlap, for every product the same weights.

.. math:: \bar V_g = \frac{\sum_j w_{gj} V_j}{\sum_j w_{gj}},\qquad
          w_{gj} = \mathrm{area}(\mathrm{pixel}_j \cap \mathrm{cell}_g)
          \ [\,/\ \mathrm{area}(\mathrm{pixel}_j)\,]

(docs/equations.md 7.1). Sums are kept, not means, so that files can be added later in any order.
Weights never depend on the column or its error: an error grows with the column, and such a weight
would suppress polluted days, and differently for each a priori.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.geometry.footprint import footprint_weights
from retrieval.physics.geometry.grids import RectilinearGrid, cell_areas, same_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.typing import Float


logger = logging.getLogger(__name__)

PIXELS_AT_ONCE = 50_000
"""Pixels whose overlaps are in memory at once."""
SMALLEST_SHARE = 1e-10
"""Share of a pixel below which an overlap is round-off: it would count as a pixel and a day."""


class Weighting(StrEnum):
    """What a pixel weighs in a cell."""

    OVERLAP = "overlap"
    """The area they share: the mean over area that the pixels measure."""
    SHARP = "sharp"
    """That area over the area of the pixel: small pixels near nadir count more. For fine maps."""


@dataclass
class Sums:
    """Sums over pixels in each cell of a grid.

    Attributes
    ----------
    grid : RectilinearGrid
        The cells.
    products : tuple of str
        Labels of the columns.
    weighting : Weighting
        Rule of the weights.
    weight : ndarray, shape (n_y, n_x)
        Sum of weights.
    weighted : ndarray, shape (product, n_y, n_x)
        Sum of weight times column [mol m-2 times weight].
    count : ndarray of int, shape (n_y, n_x)
        Number of pixels that touch the cell.
    coverage : ndarray, shape (n_y, n_x)
        Sum of shared area over the area of the cell: how often the cell was measured.
    n_pixel, n_dropped : int
        Pixels added; valid pixels without usable corners (missing, zero area, round a pole).
    strata : tuple of str
        Kinds of pixels whose sums over the whole grid are kept, too.
    stratum : ndarray, shape (stratum, 2 + product)
        Number of pixels, sum of weights, sums of weight times column.
    """

    grid: RectilinearGrid
    products: tuple[str, ...]
    weighting: Weighting = Weighting.OVERLAP
    weight: Float = field(default_factory=lambda: np.zeros(0))
    weighted: Float = field(default_factory=lambda: np.zeros(0))
    count: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    coverage: Float = field(default_factory=lambda: np.zeros(0))
    n_pixel: int = 0
    n_dropped: int = 0
    strata: tuple[str, ...] = ()
    stratum: Float = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if self.stratum.size == 0:
            self.stratum = np.zeros((len(self.strata), 2 + len(self.products)))
        if self.weight.size == 0:
            self.weight = np.zeros(self.grid.shape)
            self.weighted = np.zeros((len(self.products), *self.grid.shape))
            self.count = np.zeros(self.grid.shape, dtype=np.int64)
            self.coverage = np.zeros(self.grid.shape)

    def add(
        self,
        latitude_bounds: Float,
        longitude_bounds: Float,
        values: Float,
        strata: NDArray[np.bool_] | None = None,
    ) -> None:
        """Add pixels.

        Parameters
        ----------
        latitude_bounds, longitude_bounds : ndarray, shape (n, 4)
            Corners [degree].
        values : ndarray, shape (n, product)
            Columns in the order of `products` [mol m-2].
        strata : ndarray of bool, shape (n, stratum), optional
            Which of `strata` each pixel is in; needed where there are any.

        Raises
        ------
        ValueError
            If a value is not finite: the mask must be one for all products. If strata are missing.
        """
        kinds = np.zeros((values.shape[0], 0), dtype=bool) if strata is None else strata
        if kinds.shape != (values.shape[0], len(self.strata)):
            msg = (
                f"Invalid strata. Each pixel needs one truth value for each of {len(self.strata)}. "
                f"Given shape {kinds.shape}. Give them as they were read."
            )
            raise ValueError(msg)
        if values.shape[1:] != (len(self.products),) or not np.isfinite(values).all():
            msg = (
                "Invalid values. Every pixel needs a finite value of each of "
                f"{', '.join(self.products)}. Given shape {values.shape} with "
                f"{int((~np.isfinite(values)).sum())} missing. Mask the pixels first, all products "
                "alike."
            )
            raise ValueError(msg)
        for i in range(0, values.shape[0], PIXELS_AT_ONCE):
            part = slice(i, i + PIXELS_AT_ONCE)
            self._add_part(latitude_bounds[part], longitude_bounds[part], values[part], kinds[part])

    def _add_part(
        self,
        latitude_bounds: Float,
        longitude_bounds: Float,
        values: Float,
        strata: NDArray[np.bool_],
    ) -> None:
        found = footprint_weights(latitude_bounds, longitude_bounds, self.grid)
        share = found.matrix.T.tocsr()  # share of each pixel's area in each cell
        share.data[share.data < SMALLEST_SHARE] = 0.0
        share.eliminate_zeros()
        area = np.zeros(values.shape[0]) if found.area is None else found.area
        weight = area if self.weighting is Weighting.OVERLAP else np.ones_like(area)
        sums = share @ np.column_stack([weight, weight[:, None] * values])
        shape = self.grid.shape
        self.weight += sums[:, 0].reshape(shape)
        self.weighted += sums[:, 1:].T.reshape(self.weighted.shape)
        self.count += np.diff(share.indptr).reshape(shape)
        self.coverage += (share @ area).reshape(shape) / cell_areas(self.grid)
        inside = weight * share.sum(axis=0)  # of each pixel, what lies on the grid
        terms = np.column_stack([inside > 0, inside, inside[:, None] * values])
        self.stratum += strata.T.astype(np.float64) @ terms
        n_bad = int(found.is_bad.sum())
        self.n_pixel += values.shape[0] - n_bad
        self.n_dropped += n_bad

    def merge(self, other: Sums) -> None:
        """Add the sums of other pixels on the same grid.

        Raises
        ------
        ValueError
            If grid, products or weighting differ.
        """
        if not self.is_compatible(other):
            msg = (
                "Invalid sums. They must have one grid, the same products and weighting. Given "
                f"{self.describe()} and {other.describe()}. Grid them alike."
            )
            raise ValueError(msg)
        self.weight += other.weight
        self.weighted += other.weighted
        self.count += other.count
        self.coverage += other.coverage
        self.stratum += other.stratum
        self.n_pixel += other.n_pixel
        self.n_dropped += other.n_dropped

    def is_compatible(self, other: Sums) -> bool:
        """Tell whether sums can be added."""
        return (
            self.products == other.products
            and self.weighting == other.weighting
            and self.strata == other.strata
            and same_grid(self.grid, other.grid)
        )

    def describe(self) -> str:
        """Grid, products and weighting in a few words."""
        n_y, n_x = self.grid.shape
        return (
            f"{n_x} x {n_y} cells of {self.grid.crs}, {' '.join(self.products)}, {self.weighting}"
        )

    @property
    def mean(self) -> Float:
        """Mean columns [mol m-2], shape (product, n_y, n_x); NaN where nothing was measured."""
        return weighted_mean(self.weighted, self.weight)


def weighted_mean(weighted: Float, weight: Float) -> Float:
    """Divide sums of weighted values by sums of weights; NaN where there is no weight."""
    mean = np.full(weighted.shape, np.nan)
    weight = np.broadcast_to(weight, weighted.shape)
    np.divide(weighted, weight, out=mean, where=weight > 0)
    return mean
