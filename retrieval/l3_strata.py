"""Mean columns by kind of pixel, over the pixels that a map is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.l2.names import COLUMN_UNITS
from retrieval.l3.day_file import read_day_strata
from retrieval.l3.days import day_files
from retrieval.l3.intervals import INTERVAL, LEAST_DAYS, N_REPLICATE
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.floating]


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
