"""What maps show, computed once: differences of pairs, areas and their numbers."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from retrieval.l2.names import COLUMN_UNITS, TM5
from retrieval.l3.differences import (
    AreaNumbers,
    Difference,
    Sampling,
    area_masks,
    area_numbers,
    default_pairs,
    difference,
)
from retrieval.maps.regions import DOMAIN, REGIONS, Region, background, hotspots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retrieval.l3.means import L3
    from retrieval.typing import Bool

logger = logging.getLogger(__name__)

WHOLE = "all cells"
TRUTH = "TRUTH"


@dataclass(frozen=True)
class MapData:
    """What the maps show, computed once.

    Attributes
    ----------
    l3 : L3
        Period means.
    products : tuple of str
        Products to draw, in the order of the panels.
    differences : tuple of Difference
        Pairs to draw.
    regions : tuple of Region
        Zooms with data.
    areas : dict of str to ndarray of bool
        Cells of the domain and of the regions.
    numbers : tuple of AreaNumbers
        Of every area and pair.
    sampling : Sampling
        Which cells have enough measurements.
    """

    l3: L3
    products: tuple[str, ...]
    differences: tuple[Difference, ...]
    regions: tuple[Region, ...]
    areas: dict[str, Bool]
    numbers: tuple[AreaNumbers, ...]
    sampling: Sampling
    domain: str = DOMAIN.name
    mask: Bool = field(default_factory=lambda: np.zeros((0, 0), dtype=bool))

    def number(self, area: str, one: Difference) -> AreaNumbers | None:
        """Numbers of an area and a pair, None where the area has no valid cell."""
        key = (area, one.product, one.reference)
        found = (n for n in self.numbers if (n.area, n.product, n.reference) == key)
        return next(found, None)

    @property
    def cells(self) -> dict[tuple[str, str, str], Bool]:
        """Cells that each number was computed from, for the bootstrap."""
        return {
            (area, one.product, one.reference): mask & np.isfinite(one.relative)
            for area, mask in self.areas.items()
            for one in self.differences
        }


def map_data(
    l3: L3,
    *,
    pairs: Sequence[tuple[str, str]] | None = None,
    regions: Sequence[Region] = REGIONS,
    further: Mapping[str, Bool] | None = None,
    sampling: Sampling | None = None,
) -> MapData:
    """Compute what the maps show.

    Parameters
    ----------
    l3 : L3
        Period means.
    pairs : sequence of (product, reference), optional
        `default_pairs` of the columns in the file where not given.
    regions : sequence of Region
        Zooms; those without a valid cell are left out and logged, but for our own ones where the
        grid is of another place.
    further : mapping of str to ndarray of bool, optional
        Further areas for the numbers, such as `polluted_and_clean` gives.
    sampling : Sampling, optional
        Minimum counts; those for the length of the period by default.

    Raises
    ------
    ProductError
        If a product is not in the file.
    """
    columns = [p for p in l3.products if l3.units.get(p, COLUMN_UNITS) == COLUMN_UNITS]
    retrieved = [p for p in columns if p in l3.retrieved]
    chosen = default_pairs(retrieved) if pairs is None else list(pairs)
    rule = sampling or Sampling.for_period(l3.n_span)
    found = tuple(difference(l3, *pair, rule) for pair in chosen)
    mask = rule.mask(l3)
    domain = DOMAIN.mask(l3.grid)
    name = DOMAIN.name if (domain & mask).any() else WHOLE
    areas = {name: domain if name == DOMAIN.name else np.ones(l3.grid.shape, dtype=bool)}
    areas |= area_masks(l3.grid, regions, further)
    used = tuple(region for region in regions if (areas[region.name] & mask).any())
    for region in regions:
        is_of_another_place = regions is REGIONS and not areas[region.name].any()
        if region not in used and not is_of_another_place:
            logger.warning("Region %s has no cell with enough measurements", region.name)
    return MapData(
        l3=l3,
        products=_panel_order(columns, chosen),
        differences=found,
        regions=used,
        areas=areas,
        numbers=tuple(area_numbers(l3, chosen, areas, rule)),
        sampling=rule,
        domain=name,
        mask=mask,
    )


def polluted_and_clean(l3: L3, sampling: Sampling | None = None) -> dict[str, Bool]:
    """Hotspots and background (docs/formats.md 10.2) as areas, by the truth where it is known.

    Parameters
    ----------
    l3 : L3
        Period means; a column of a side file named TRUTH is the truth, else TM5 stands for it.
    sampling : Sampling, optional
        As `map_data`.
    """
    mask = (sampling or Sampling.for_period(l3.n_span)).mask(l3)
    by = TRUTH if TRUTH in l3.products else TM5 if TM5 in l3.products else l3.products[0]
    column = np.where(mask, l3[by], np.nan)
    return {f"hotspots by {by}": hotspots(column), f"background by {by}": background(column)}


def _panel_order(columns: Sequence[str], pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """TM5 first and the primary set last, as in the paper's figure."""
    primary = pairs[-1][0] if pairs else ""
    return tuple(sorted(columns, key=lambda label: (label == primary, label != TM5)))
