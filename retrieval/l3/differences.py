"""Compare columns with different a priori on a grid: relative and absolute differences.

The relative difference of a cell is the ratio of its means (docs/equations.md 7.3), never the mean
of ratios of pixels, which diverges with noisy columns near zero. Of an area three numbers are given
side by side, because they differ and the paper does not say which one it means:

(a) the ratio of the area's means, (b) the mean of the cells' relative differences, (c) their median
and 5th and 95th percentile. (b) is above (a) where clean cells change more than polluted ones.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.l2.names import TM5
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.grids import cell_areas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from retrieval.l3.means import L3
    from retrieval.maps.regions import Region
    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.typing import Float

    Bool = NDArray[np.bool_]

MINIMUM_COLUMN = 0.3e15 / MOLEC_CM2_PER_MOL_M2
"""Cells with a smaller absolute reference column [mol m-2] have no relative difference."""
MINIMUM_COVERAGE = 0.5
"""Share of a cell that a single day must cover."""
ANNUAL, SEASONAL = 270, 45
"""Calendar days from which a period counts as a year, as a season."""
DAYS_OF_YEAR, DAYS_OF_SEASON = 20, 8
"""Distinct days that a cell needs in a year, in a season (docs/equations.md 7.2)."""
PERCENTILES = (5.0, 50.0, 95.0)


@dataclass(frozen=True)
class Sampling:
    """Which cells have enough measurements.

    Attributes
    ----------
    minimum_days : int
        Distinct days with a pixel in the cell.
    minimum_coverage : float
        Mean share of the cell that is covered on those days; asked of short periods, in which
        a corner of one pixel would stand for the cell.
    minimum_column : float
        Least absolute column of the reference for a relative difference [mol m-2].
    """

    minimum_days: int = 1
    minimum_coverage: float = MINIMUM_COVERAGE
    minimum_column: float = MINIMUM_COLUMN

    @classmethod
    def for_period(cls, n_span: int) -> Sampling:
        """Rules for a period of so many calendar days (docs/equations.md 7.2).

        Examples
        --------
        >>> [Sampling.for_period(n).minimum_days for n in (1, 90, 365)]
        [1, 8, 20]
        """
        if n_span >= ANNUAL:
            return cls(DAYS_OF_YEAR, 0.0)
        if n_span >= SEASONAL:
            return cls(DAYS_OF_SEASON, 0.0)
        return cls()

    def mask(self, l3: L3) -> Bool:
        """Cells with enough measurements: one mask for all products, shape (n_y, n_x)."""
        is_finite = np.isfinite(l3.mean).all(axis=0)
        is_enough = (l3.days >= self.minimum_days) & (l3.coverage >= self.minimum_coverage)
        return np.asarray(is_finite & is_enough)


@dataclass(frozen=True)
class Difference:
    """One product against another on the grid.

    Attributes
    ----------
    product, reference : str
        Labels.
    absolute : ndarray, shape (n_y, n_x)
        Product minus reference [mol m-2]; NaN where sampling is not enough.
    relative : ndarray, shape (n_y, n_x)
        100 (product / reference - 1) [%]; NaN also where the reference is near zero.
    """

    product: str
    reference: str
    absolute: Float
    relative: Float

    @property
    def title(self) -> str:
        """Name for tables and maps: `DACNO2 / TM5`."""
        return f"{self.product} / {self.reference}"


@dataclass(frozen=True)
class AreaNumbers:
    """The numbers of one area and one pair of products.

    Columns and their differences in molec cm-2, relative differences in percent. Intervals are
    95 % of a bootstrap over days, where one was made.
    """

    area: str
    product: str
    reference: str
    n_cell: int
    mean_product: float
    mean_reference: float
    ratio_of_means: float
    mean_of_cells: float
    median: float
    p5: float
    p95: float
    mean_difference: float
    p5_difference: float
    p95_difference: float
    ratio_of_means_low: float = float("nan")
    ratio_of_means_high: float = float("nan")
    mean_of_cells_low: float = float("nan")
    mean_of_cells_high: float = float("nan")

    def as_dict(self) -> dict[str, Any]:
        """Return plain types, for tables and JSON."""
        return asdict(self)


def difference(
    l3: L3, product: str, reference: str = TM5, sampling: Sampling | None = None
) -> Difference:
    """Compare two products cell by cell.

    Parameters
    ----------
    l3 : L3
        Period means on one pixel set.
    product, reference : str
        Labels.
    sampling : Sampling, optional
        Minimum counts; `Sampling.for_period` of the length of the period by default.

    Raises
    ------
    ProductError
        If a product is not in the file.
    """
    rule = sampling or Sampling.for_period(l3.n_span)
    mask = rule.mask(l3)
    new = np.where(mask, l3[product], np.nan)
    old = np.where(mask, l3[reference], np.nan)
    return Difference(product, reference, new - old, relative_change(new, old, rule.minimum_column))


def relative_change(new: Float, old: Float, minimum: float = MINIMUM_COLUMN) -> Float:
    """Relative change 100 (new / old - 1) [%], NaN where |old| is below a minimum.

    Examples
    --------
    >>> relative_change(np.array([1.1, 2.0]), np.array([1.0, 1e-9])).round(6).tolist()
    [10.0, nan]
    """
    change = np.full(np.broadcast_shapes(new.shape, old.shape), np.nan)
    with np.errstate(invalid="ignore"):
        np.divide(100.0 * (new - old), old, out=change, where=np.abs(old) >= minimum)
    return change


def default_pairs(products: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of the paper's Fig. 7 (b): each set against TM5, then the finest against the others.

    Parameters
    ----------
    products : sequence of str
        Labels, TM5 first; the next one is the primary set.

    Examples
    --------
    >>> default_pairs(["TM5", "DACNO2", "CAMS"])
    [('CAMS', 'TM5'), ('DACNO2', 'TM5'), ('DACNO2', 'CAMS')]
    """
    reference = TM5 if TM5 in products else products[0]
    sets = [product for product in products if product != reference]
    if not sets:
        return []
    primary, others = sets[0], sets[1:]
    pairs = [(other, reference) for other in others] + [(primary, reference)]
    return pairs + [(primary, other) for other in others]


def area_masks(
    grid: RectilinearGrid, regions: Sequence[Region], further: Mapping[str, Bool] | None = None
) -> dict[str, Bool]:
    """Cells of each region by its name, and further masks (hotspots, background, land)."""
    return {region.name: region.mask(grid) for region in regions} | dict(further or {})


def area_numbers(
    l3: L3,
    pairs: Sequence[tuple[str, str]],
    areas: Mapping[str, Bool],
    sampling: Sampling | None = None,
) -> list[AreaNumbers]:
    """Compute the three labelled numbers of each area and pair, on cells with both differences.

    Parameters
    ----------
    l3 : L3
        Period means.
    pairs : sequence of (product, reference)
        As `default_pairs`.
    areas : mapping of str to ndarray of bool
        Cells by name, as `area_masks`; areas without a valid cell are left out.
    sampling : Sampling, optional
        As `difference`.

    Returns
    -------
    list of AreaNumbers
        Area by area.
    """
    weight = cell_areas(l3.grid)
    found = [difference(l3, *pair, sampling) for pair in pairs]
    return [
        _numbers(l3, one, name, mask, weight)
        for name, mask in areas.items()
        for one in found
        if (mask & np.isfinite(one.relative)).any()
    ]


def _numbers(l3: L3, one: Difference, name: str, mask: Bool, area: Float) -> AreaNumbers:
    is_used = mask & np.isfinite(one.relative)
    weight = area[is_used]
    new, old = l3[one.product][is_used], l3[one.reference][is_used]
    relative, absolute = one.relative[is_used], one.absolute[is_used] * MOLEC_CM2_PER_MOL_M2
    mean_new, mean_old = (float(np.average(v, weights=weight)) for v in (new, old))
    p5, median, p95 = (float(v) for v in np.percentile(relative, PERCENTILES))
    low, _, high = (float(v) for v in np.percentile(absolute, PERCENTILES))
    return AreaNumbers(
        area=name,
        product=one.product,
        reference=one.reference,
        n_cell=int(is_used.sum()),
        mean_product=mean_new * MOLEC_CM2_PER_MOL_M2,
        mean_reference=mean_old * MOLEC_CM2_PER_MOL_M2,
        ratio_of_means=100.0 * (mean_new / mean_old - 1.0),
        mean_of_cells=float(np.average(relative, weights=weight)),
        median=median,
        p5=p5,
        p95=p95,
        mean_difference=float(np.average(absolute, weights=weight)),
        p5_difference=low,
        p95_difference=high,
    )
