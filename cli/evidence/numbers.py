"""The season's numbers: every set and mode by area, with intervals from a bootstrap over days."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from cli.evidence.day import FINE, TM5_CUT
from cli.evidence.gridding import TRUE, Plan
from cli.evidence.retrieve import label, parts_of
from cli.story.day import DACNO2, MODES
from retrieval.l2.names import TM5
from retrieval.l3.differences import AreaNumbers, Sampling, area_masks, area_numbers, difference
from retrieval.l3.intervals import bootstrap_numbers
from retrieval.l3.means import L3, period_mean
from retrieval.maps.regions import DOMAIN, REGIONS, background, hotspots
from retrieval.substitution.options import Above

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retrieval.typing import Bool

    Pair = tuple[str, str]

QUARTERS = ("01-01", "04-01", "07-01", "10-01")
HOTSPOTS, BACKGROUND = "hotspots", "background"
N_REPLICATE = 200


@dataclass(frozen=True)
class Found:
    """Numbers of one plan.

    Attributes
    ----------
    l3 : L3
        Means of all days.
    numbers : tuple of AreaNumbers
        Of every area and pair.
    areas : dict of str to ndarray of bool
        Cells of each area.
    sampling : Sampling
    """

    l3: L3
    numbers: tuple[AreaNumbers, ...]
    areas: dict[str, Bool]
    sampling: Sampling

    def number(self, area: str, product: str, reference: str) -> AreaNumbers | None:
        """Numbers of an area and a pair, None where there are none."""
        key = (area, product, reference)
        return next((n for n in self.numbers if (n.area, n.product, n.reference) == key), None)

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of the sets, in the order of the file."""
        names = (parts_of(text) for text in self.l3.products)
        return tuple(dict.fromkeys(name for name, mode in names if mode))

    @property
    def modes(self) -> tuple[Above, ...]:
        """Modes of the file, in the order of `MODES`."""
        found = {parts_of(text)[1] for text in self.l3.products}
        return tuple(mode for mode in MODES if str(mode) in found)


def numbers_of(plan: Plan, *, n_replicate: int = N_REPLICATE) -> Found:
    """Compute the numbers of a plan from its daily sums.

    Hotspots and background are those of the true column, in the domain.
    """
    l3 = period_mean(plan.folder)
    # sixty days sampled over a year count as a season of days, not as a year
    rule = Sampling.for_period(l3.n_day)
    areas = _areas(l3, rule)
    pairs = _pairs(l3.products)
    found = area_numbers(l3, pairs, areas, rule)
    cells = {
        (area, *pair): mask & np.isfinite(difference(l3, *pair, rule).relative)
        for pair in pairs
        for area, mask in areas.items()
    }
    found = bootstrap_numbers(plan.folder, found, cells, n_replicate=n_replicate)
    return Found(l3, tuple(found), areas, rule)


def quarters_of(plan: Plan, pairs: Sequence[Pair]) -> dict[str, list[AreaNumbers]]:
    """Compute the domain's numbers of each quarter of the year that has days."""
    whole = period_mean(plan.folder)
    year = str(whole.period[0])[:4]
    starts = [np.datetime64(f"{year}-{start}", "D") for start in QUARTERS]
    ends = [*starts[1:], np.datetime64(f"{int(year) + 1}-01-01", "D")]
    found = {}
    for name, first, end in zip(("JFM", "AMJ", "JAS", "OND"), starts, ends, strict=True):
        last = end - np.timedelta64(1, "D")
        if last < whole.period[0] or first > whole.period[1]:
            continue
        l3 = period_mean(plan.folder, (first, last))
        # a quarter of the days: fewer of them in a cell
        rule = Sampling(minimum_days=max(1, l3.n_day // 6))
        found[name] = area_numbers(l3, pairs, area_masks(l3.grid, (DOMAIN,)), rule)
    return found


def _areas(l3: L3, rule: Sampling) -> dict[str, Bool]:
    areas = area_masks(l3.grid, (DOMAIN, *REGIONS))
    column = np.where(rule.mask(l3) & areas[DOMAIN.name], l3[TRUE], np.nan)
    return areas | {HOTSPOTS: hotspots(column), BACKGROUND: background(column)}


def _pairs(products: Sequence[str]) -> list[Pair]:
    """Every column against TM5 and the truth, and the contrasts that the questions need."""
    columns = [text for text in products if text not in (TM5, TRUE)]
    pairs = [(text, TM5) for text in columns] + [(text, TRUE) for text in (TM5, *columns)]
    for mode in MODES:
        cams, cut = label("cams", mode), label(TM5_CUT, mode)
        pairs += [(label(name, mode), cut) for name in ("cams", *FINE)]
        for fine in FINE:
            pairs += [(label(fine, mode), cams), (label(f"{fine}at10km", mode), cams)]
            pairs += steps(fine, mode)[1:]
    names = dict.fromkeys(parts_of(text)[0] for text in columns)
    pairs += [(label(n, Above.NONE), label(n, Above.UPPER)) for n in names]
    return [pair for pair in dict.fromkeys(pairs) if set(pair) <= set(products)]


def steps(fine: str, mode: Above) -> list[Pair]:
    """Divide a fine set's change against TM5 into steps: content at 1 degree, then resolution.

    Examples
    --------
    >>> steps("truth8", Above.UPPER)[0]
    ('TRUTH8AT1DEG_upper', 'TM5')
    """
    names = [label(name, mode) for name in (f"{fine}at1deg", f"{fine}at10km", fine)]
    return list(zip(names, [TM5, *names[:-1]], strict=True))


def by_key(numbers: Sequence[AreaNumbers]) -> Mapping[tuple[str, str, str], AreaNumbers]:
    """Index numbers by area, product and reference."""
    return {(one.area, one.product, one.reference): one for one in numbers}


def known_sets(found: Found) -> list[str]:
    """Names of the sets as options of `reretrieve` have them, those of the network first."""
    names = [name.lower() for name in found.sets]
    return sorted(names, key=lambda name: not name.startswith(DACNO2))


def combinations(found: Found) -> list[tuple[str, Above]]:
    """All sets in all modes of a plan."""
    return list(product(known_sets(found), found.modes))
