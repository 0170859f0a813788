"""Uncertainty of mean changes by a bootstrap over days (docs/equations.md 7.3).

Two columns with different a priori share their noise, and pixels of one day share weather, light
and profile errors: what varies independently is the day. Days are drawn with replacement, the maps
are made again of the drawn days, cell by cell, and the numbers of each area are computed again, on
the same cells. Of a mean of months, days are drawn within each month.
Blocks of rows are treated one after the other, so that memory does not grow with the grid.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import ProductError
from retrieval.l2.names import COLUMN_UNITS
from retrieval.l3.day_file import ROWS_IN_CHUNK, read_day, read_day_record, read_day_strata
from retrieval.l3.days import day_files, day_of
from retrieval.l3.differences import AreaNumbers, relative_change
from retrieval.l3.sums import weighted_mean
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.grids import cell_areas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from retrieval.l3.means import Average
    from retrieval.typing import Float

    Bool = NDArray[np.bool_]


N_REPLICATE = 200
INTERVAL = (2.5, 97.5)
"""Percentiles of the interval: 95 %."""
STRATA_SUFFIX = "_strata.csv"
"""Means by kind of pixel beside OUTPUT.nc: OUTPUT_strata.csv."""
LEAST_DAYS = 5
"""Fewer days say nothing of the scatter between days."""
LEAST_IN_MONTH = 2
"""A single day of a month, drawn alone, has no scatter at all."""


def bootstrap_numbers(
    folder: str | Path,
    numbers: Sequence[AreaNumbers],
    cells: Mapping[tuple[str, str, str], Bool],
    *,
    period: tuple[np.datetime64, np.datetime64] | None = None,
    average: Average = "pooled",
    n_replicate: int = N_REPLICATE,
    seed: int = 0,
) -> list[AreaNumbers]:
    """Add 95 % intervals to the numbers of areas.

    Parameters
    ----------
    folder : path
        Daily sums that the map was made of.
    numbers : sequence of AreaNumbers
        As `area_numbers` gives them.
    cells : mapping of (area, product, reference) to ndarray of bool
        Cells that the numbers were computed from, shape (n_y, n_x); the same in all replicates
        but for those without a measurement on any drawn day.
    period : tuple of datetime64[D], optional
        First and last day.
    average : {"pooled", "months"}
        How the map was averaged, as `period_mean` takes it.
    n_replicate : int
        How often days are drawn.
    seed : int
        Of the random draws.

    Returns
    -------
    list of AreaNumbers
        In the order of `numbers`; unchanged where there are fewer than five days, or a month to
        average has a single one.

    Raises
    ------
    ProductError
        If the folder holds no day of the period.
    """
    files = day_files(Path(folder), period)
    if not files:
        msg = (
            f"Invalid folder {folder}. It must hold the daily sums of the map. Given no day of the "
            "period. Check the folder."
        )
        raise ProductError(msg)
    groups = _groups(files, average)
    is_few = any(group.stop - group.start < LEAST_IN_MONTH for group in groups)
    if len(files) < LEAST_DAYS or is_few:
        return list(numbers)
    draws = _draws(groups, n_replicate, seed)
    sums = {_key(one): np.zeros((5, n_replicate)) for one in numbers}
    record = read_day_record(files[0])
    areas = cell_areas(record.grid)
    for first in range(0, record.grid.shape[0], ROWS_IN_CHUNK):
        rows = slice(first, min(first + ROWS_IN_CHUNK, record.grid.shape[0]))
        wanted = {key: cells[key][rows] for key in sums if cells[key][rows].any()}
        if wanted:
            is_used = np.any(list(wanted.values()), axis=0)
            means, products = _replicates(files, rows, is_used, groups, draws)
            for key, mask in wanted.items():
                sums[key] += _area_sums(means, products, key, mask[is_used], areas[rows][is_used])
    return [_with_intervals(one, sums[_key(one)]) for one in numbers]


def _groups(files: Sequence[Path], average: Average) -> list[slice]:
    """Which of the files, in order, are averaged together: all of them, or those of each month."""
    if average == "pooled":
        return [slice(0, len(files))]
    months = np.array([day_of(path) for path in files], dtype="datetime64[M]")
    starts = np.flatnonzero(np.append(True, months[1:] != months[:-1])).tolist()
    return [slice(first, end) for first, end in pairwise([*starts, len(files)])]


def _draws(groups: Sequence[slice], n_replicate: int, seed: int) -> NDArray[np.int64]:
    """How often each day is drawn, as many of a group as it has: (draw, day)."""
    rng = np.random.default_rng(seed)
    sizes = [group.stop - group.start for group in groups]
    drawn = [rng.multinomial(n, np.full(n, 1 / n), size=n_replicate) for n in sizes]
    return np.concatenate(drawn, axis=1)


def _replicates(
    files: Sequence[Path],
    rows: slice,
    is_used: Bool,
    groups: Sequence[slice],
    draws: NDArray[np.int64],
) -> tuple[Float, tuple[str, ...]]:
    """Means of the used cells of some rows for each draw of days: (product, draw, cell)."""
    weight = np.zeros((len(files), int(is_used.sum())))
    weighted: Float = np.zeros(0)
    products: tuple[str, ...] = ()
    for i, path in enumerate(files):
        day, _ = read_day(path, rows)
        if not products:
            products = day.products
            weighted = np.zeros((len(products), *weight.shape))
        weight[i] = day.weight[is_used]
        weighted[:, i] = day.weighted[:, is_used]
    sums = np.zeros((len(products), len(draws), weight.shape[1]))
    n_group = np.zeros(sums.shape[1:])
    for group in groups:
        drawn = draws[:, group]
        total = drawn @ weight[group]
        n_group += total > 0
        for out, one in zip(sums, weighted, strict=True):
            out += np.divide(drawn @ one[group], total, out=np.zeros_like(total), where=total > 0)
    return weighted_mean(sums, n_group), products


def _area_sums(
    means: Float, products: tuple[str, ...], key: tuple[str, str, str], mask: Bool, area: Float
) -> Float:
    """Sum area, product, reference; area and relative change where there is one, (5, draw)."""
    _, product, reference = key
    new, old = (means[products.index(name)][:, mask] for name in (product, reference))
    weight = np.where(np.isfinite(new) & np.isfinite(old), area[mask], 0.0)
    # the least column has chosen the cells: asked again of drawn days, it would choose others
    change = relative_change(new, old, np.finfo(np.float64).tiny)
    has_change = np.isfinite(change)
    return np.stack(
        [
            weight.sum(axis=1),
            (weight * np.nan_to_num(new)).sum(axis=1),
            (weight * np.nan_to_num(old)).sum(axis=1),
            (weight * has_change).sum(axis=1),
            (weight * np.nan_to_num(change)).sum(axis=1),
        ]
    )


def _with_intervals(one: AreaNumbers, sums: Float) -> AreaNumbers:
    _, new, old, area, change = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, mean = 100.0 * (new / old - 1.0), change / area
    low, high = np.nanpercentile(ratio, INTERVAL)
    mean_low, mean_high = np.nanpercentile(mean, INTERVAL)
    return replace(
        one,
        ratio_of_means_low=float(low),
        ratio_of_means_high=float(high),
        mean_of_cells_low=float(mean_low),
        mean_of_cells_high=float(mean_high),
    )


def _key(one: AreaNumbers) -> tuple[str, str, str]:
    return one.area, one.product, one.reference


@dataclass(frozen=True)
class StratumRow:
    """One product in one kind of pixels.

    Attributes
    ----------
    stratum, product, reference : str
        The reference is the first product of the map.
    n_pixel, n_day : int
        Pixels on the grid, and days that have any.
    mean_column : float
        Mean by area on the grid [molec cm-2].
    mean_difference : float
        To the reference [molec cm-2].
    ratio_of_means : float
        100 (mean / mean of the reference - 1) [%].
    ratio_of_means_low, ratio_of_means_high : float
        95 % interval of a bootstrap over days; NaN with fewer than five days.
    """

    stratum: str
    product: str
    reference: str
    n_pixel: int
    n_day: int
    mean_column: float
    mean_difference: float
    ratio_of_means: float
    ratio_of_means_low: float = float("nan")
    ratio_of_means_high: float = float("nan")

    def as_dict(self) -> dict[str, Any]:
        """Return plain types, for tables and JSON."""
        return asdict(self)


def stratum_table(
    folder: str | Path,
    period: tuple[np.datetime64, np.datetime64] | None = None,
    *,
    n_replicate: int = N_REPLICATE,
    seed: int = 0,
) -> list[StratumRow]:
    """Average the columns of each kind of pixel over a period.

    Parameters
    ----------
    folder : path
        Daily sums of a map.
    period : tuple of datetime64[D], optional
        First and last day; all days by default.
    n_replicate : int
        Draws of days for the intervals; 0 for none.
    seed : int
        Of the draws.

    Returns
    -------
    list of StratumRow
        Stratum by stratum; those without a pixel, and columns in other units than mol m-2, are
        left out.
    """
    days = [read_day_strata(path) for path in day_files(Path(folder), period)]
    if not days:
        return []
    settings: dict[str, Any] = days[0][1].settings
    units = {name: unit for _, record in days for name, unit in record.units.items()}
    sums = np.stack([one for one, _ in days])
    rows = []
    for i, stratum in enumerate(settings.get("strata", ())):
        of_stratum = sums[:, i][sums[:, i, 0] > 0]
        if of_stratum.size:
            found = _rows(stratum, settings["products"], of_stratum, n_replicate, seed)
            rows += [row for row in found if units.get(row.product, COLUMN_UNITS) == COLUMN_UNITS]
    return rows


def _rows(
    stratum: str, products: list[str], days: Float, n_replicate: int, seed: int
) -> list[StratumRow]:
    """Rows of one stratum, from the sums of its days (day, 2 + product)."""
    total = days.sum(axis=0)
    means = total[2:] / total[1]
    intervals = _intervals(days, n_replicate, seed)
    return [
        StratumRow(
            stratum=stratum,
            product=product,
            reference=products[0],
            n_pixel=round(float(total[0])),
            n_day=days.shape[0],
            mean_column=float(mean * MOLEC_CM2_PER_MOL_M2),
            mean_difference=float((mean - means[0]) * MOLEC_CM2_PER_MOL_M2),
            ratio_of_means=_change(mean, means[0]),
            ratio_of_means_low=low,
            ratio_of_means_high=high,
        )
        for product, mean, (low, high) in zip(products, means, intervals, strict=True)
    ]


def _change(new: float, old: float) -> float:
    return float(100.0 * (new / old - 1.0)) if old else float("nan")


def _intervals(days: Float, n_replicate: int, seed: int) -> list[tuple[float, float]]:
    """Intervals of the ratio of means of each product over days drawn with replacement."""
    n_day, n_product = days.shape[0], days.shape[1] - 2
    if n_day < LEAST_DAYS or not n_replicate:
        return [(float("nan"), float("nan"))] * n_product
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n_day, np.full(n_day, 1 / n_day), size=n_replicate)
    drawn = draws @ days[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = 100.0 * (drawn / drawn[:, :1] - 1.0)
    low, high = np.nanpercentile(ratios, INTERVAL, axis=0)
    return [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
