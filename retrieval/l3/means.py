"""Period means of daily sums: all days pooled, or the mean of months."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from retrieval.errors import ProductError
from retrieval.files.provenance import fingerprint
from retrieval.l2.columns import is_of_model
from retrieval.l2.identity import version_breaks
from retrieval.l2.names import TROPOMI
from retrieval.l3.day_file import DayRecord, read_day_record
from retrieval.l3.days import day_files, read_days
from retrieval.l3.sums import Sums, weighted_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.typing import Float

logger = logging.getLogger(__name__)

Average = Literal["pooled", "months"]


@dataclass(frozen=True)
class L3:
    """Means of a period.

    Attributes
    ----------
    grid : RectilinearGrid
        The cells.
    products : tuple of str
        Labels of the columns.
    mean : ndarray, shape (product, n_y, n_x)
        Mean columns [mol m-2]; NaN where nothing was measured.
    weight, coverage : ndarray, shape (n_y, n_x)
        Sum of weights; mean share of the cell that is covered on days with a pixel.
    count, days : ndarray of int, shape (n_y, n_x)
        Number of pixels, of distinct UTC days.
    period : tuple of datetime64[D]
        First and last day with data.
    n_day : int
        Days with data anywhere.
    attributes : dict
        What to say of it in the file: settings, files, processor versions.
    units : dict
        Unit of each product; mol m-2 where not given.
    """

    grid: RectilinearGrid
    products: tuple[str, ...]
    mean: Float
    weight: Float
    coverage: Float
    count: NDArray[np.integer]
    days: NDArray[np.integer]
    period: tuple[np.datetime64, np.datetime64]
    n_day: int
    attributes: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, product: str) -> Float:
        """Mean column of a product [mol m-2], shape (n_y, n_x).

        Raises
        ------
        ProductError
            If there is no such product.
        """
        if product not in self.products:
            msg = (
                f"Invalid product {product!r}. The gridded file must hold it. "
                f"Given {', '.join(self.products)}. Choose one of them."
            )
            raise ProductError(msg)
        return np.asarray(self.mean[self.products.index(product)])

    @property
    def n_span(self) -> int:
        """Calendar days from the first to the last day."""
        return int((self.period[1] - self.period[0]).astype(int)) + 1

    @property
    def retrieved(self) -> tuple[str, ...]:
        """Products that are retrieved from the orbits, not of side files or of models alone."""
        further = self.attributes.get("further_products", "").split()
        own = (product for product in self.products if product not in further)
        return tuple(product for product in own if not is_of_model(product))

    @property
    def average(self) -> Average:
        """How the days were averaged."""
        return "months" if self.attributes.get("average", "").startswith("months") else "pooled"

    @property
    def is_synthetic(self) -> bool:
        """Whether any input says that it is synthetic."""
        return self.attributes.get("data") == "synthetic"


def period_mean(
    folder: str | Path,
    period: tuple[np.datetime64, np.datetime64] | None = None,
    *,
    average: Average = "pooled",
) -> L3:
    """Average the days of a folder, one in memory at a time.

    Parameters
    ----------
    folder : path
        Of `DayStore`.
    period : tuple of datetime64[D], optional
        First and last day; all days by default.
    average : {"pooled", "months"}
        Pool all pixels, or average the means of the months, which takes out that more clear days
        of summer are measured (docs/equations.md 7.1).

    Raises
    ------
    ProductError
        If the folder holds no day of the period.
    """
    total: Sums | None = None
    records: list[DayRecord] = []
    n_day: NDArray[np.int64] = np.zeros((1, 1), dtype=np.int64)
    monthly = _MonthlyMean()
    for sums, record in read_days(Path(folder), period):
        records.append(record)
        n_day = n_day + (sums.count > 0)
        if average == "months":
            monthly.add(record.day, sums)
        if total is None:
            total = Sums(sums.grid, sums.products, sums.weighting, strata=sums.strata)
        total.merge(sums)
    if total is None:
        msg = (
            f"Invalid folder {folder}. It must hold daily sums of the period. Given "
            f"{'no day' if period is None else f'none from {period[0]} to {period[1]}'}. "
            "Grid some orbits first."
        )
        raise ProductError(msg)
    mean = monthly.mean() if average == "months" else total.mean
    coverage = np.divide(total.coverage, n_day, out=np.zeros(total.grid.shape), where=n_day > 0)
    return L3(
        grid=total.grid,
        products=total.products,
        mean=mean,
        weight=total.weight,
        coverage=coverage,
        count=total.count,
        days=n_day,
        period=(records[0].day, records[-1].day),
        n_day=len(records),
        attributes=_describe(total, records, average),
        units={key: unit for record in records for key, unit in record.units.items()},
    )


def period_fingerprint(
    folder: str | Path,
    period: tuple[np.datetime64, np.datetime64] | None = None,
    *,
    average: Average = "pooled",
) -> str:
    """Return the fingerprint that `period_mean` would give, without reading sums."""
    records = [read_day_record(path) for path in day_files(Path(folder), period)]
    return _fingerprint(records, average)


def _fingerprint(records: list[DayRecord], average: Average) -> str:
    """Fingerprint of the orbits of each day with their side files, the settings and the grid."""
    grid = records[0].grid if records else None
    return fingerprint(
        "grid",
        days=[[str(one.day), [entry.content for entry in one.orbits]] for one in records],
        settings=records[0].settings if records else None,
        edges=[grid.crs, grid.x_edges.tolist(), grid.y_edges.tolist()] if grid else None,
        average=average,
    )


class _MonthlyMean:
    """The mean of monthly means, with one month of sums in memory."""

    def __init__(self) -> None:
        self._month: np.datetime64 | None = None
        self._sums: Sums | None = None
        self._total: Float = np.zeros(0)
        self._n: Float = np.zeros(0)

    def add(self, day: np.datetime64, sums: Sums) -> None:
        """Add a day; days come in order."""
        month = day.astype("datetime64[M]")
        if self._sums is None or month != self._month:
            self._close()
            self._month = month
            self._sums = Sums(sums.grid, sums.products, sums.weighting, strata=sums.strata)
        self._sums.merge(sums)

    def mean(self) -> Float:
        """Mean over the months in which a cell was measured."""
        self._close()
        return weighted_mean(self._total, self._n)

    def _close(self) -> None:
        if self._sums is None:
            return
        mean = self._sums.mean
        if self._total.size == 0:
            self._total, self._n = np.zeros(mean.shape), np.zeros(mean.shape)
        self._total += np.nan_to_num(mean)
        self._n += np.isfinite(mean)
        self._sums = None


def _describe(total: Sums, records: list[DayRecord], average: Average) -> dict[str, str]:
    orbits = {
        f"{entry.sensor} {entry.orbit}": entry for record in records for entry in record.orbits
    }
    versions = sorted({entry.processor_version for entry in orbits.values()})
    sensors = sorted({entry.sensor for entry in orbits.values()})
    breaks = version_breaks(
        entry.processor_version for entry in orbits.values() if entry.sensor == TROPOMI.sensor
    )
    if breaks:
        logger.warning(
            "The mean mixes processor versions %s, which differ in %s. Average each alone to tell "
            "a trend from a change of the processor.",
            ", ".join(versions),
            "; ".join(breaks),
        )
    streams = sorted({entry.stream for entry in orbits.values()})
    options = sorted({text for record in records for text in record.options})
    settings: dict[str, Any] = records[0].settings
    rule = {"overlap": "area of overlap", "sharp": "area of overlap over area of the pixel"}
    is_synthetic = any(record.is_synthetic for record in records)
    return {
        "weighting": f"{total.weighting}: {rule[str(total.weighting)]}",
        "pixel_filter": ", ".join(
            [
                f"stored qa_value > {settings['qa_threshold']} (percent)",
                *settings["where"],
                "every product finite; the same pixels for every product",
            ]
        ),
        "average": {
            "pooled": "pooled: weighted mean of all pixels",
            "months": "months: mean of the weighted means of the months",
        }[average],
        "further_products": " ".join(settings["further_products"]),
        "processor_versions": " ".join(versions),
        "processor_differences": "; ".join(breaks) or "none",
        "sensors": " ".join(sensors),
        "processing_streams": " ".join(streams),
        "reretrieval_options": "\n".join(options) or "none: columns of the L2 files",
        "n_orbit": str(len(orbits)),
        "input_files": "\n".join(orbits[key].file for key in sorted(orbits))[:60_000],
        "data": "synthetic" if is_synthetic else "measured",
        "fingerprint": _fingerprint(records, average),
    }
