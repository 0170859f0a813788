"""Numbers of a re-retrieved orbit on one common pixel set, for people and machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.l2.columns import find_columns
from retrieval.l2.product.results import SubstitutionFlag, SubstitutionWarning
from retrieval.l2.quality import QA_RECOMMENDED, common_pixels_of_file
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Crop
    from retrieval.l2.product.table import ProductTable
    from retrieval.typing import Float


@dataclass(frozen=True)
class ProductStatistics:
    """One product on the common pixels.

    Columns in molecules cm-2; changes in percent against the operational column: `ratio_of_means`
    is 100 (mean V' / mean V - 1), the others are of the pixels' own 100 (M/M' - 1).
    """

    name: str
    mean_column: float
    mean_amf: float | None = None
    ratio_of_means: float | None = None
    median_change: float | None = None
    p5_change: float | None = None
    p95_change: float | None = None
    mean_fraction_above: float | None = None
    flags: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class OrbitSummary:
    """What `reretrieve` reports of one orbit."""

    orbit: str
    output: str | None
    scanlines: tuple[int, int]
    ground_pixels: tuple[int, int]
    n_common: int
    qa_threshold: int
    products: list[ProductStatistics]
    assumptions: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain types, ready for JSON."""
        return asdict(self)


def common_pixels(
    orbit: Orbit, crop: Crop, result: ProductTable, qa_threshold: int = QA_RECOMMENDED
) -> NDArray[np.bool_]:
    """One mask for all products: quality above the threshold and every product finite.

    The quality value is compared as the stored integer; float32 0.75 is not safe (docs/equations.md
    2.6). Files without `qa_value` are not filtered.
    """
    original = orbit.read_column(orbit.names.column, crop)
    columns = [original, *(fields.tropospheric_column for fields in result.sets)]
    return common_pixels_of_file(orbit, crop, columns, qa_threshold)


def further_columns(orbit: Orbit) -> dict[str, str]:
    """Find columns with other a priori that the file already holds, as KNMI's European product.

    Returns
    -------
    dict
        Label to variable name, e.g. "CAMS_Europe" to
        "nitrogendioxide_tropospheric_column_CAMS_apriori_Europe".
    """
    own = orbit.names.apriori
    return {
        product.label: product.column for product in find_columns(orbit) if product.label != own
    }


def summarise(
    orbit: Orbit,
    crop: Crop,
    result: ProductTable,
    output: str | None = None,
    qa_threshold: int = QA_RECOMMENDED,
) -> OrbitSummary:
    """Compute the statistics of an orbit over the common pixels.

    Parameters
    ----------
    orbit, crop, result
        As `substitute` used and returned them.
    output : str, optional
        The file written.
    qa_threshold : int
        Pixels with a stored quality value above it take part.
    """
    own = orbit.names.apriori
    column = orbit.read_column(orbit.names.column, crop).astype(np.float64)
    amf = orbit.read(orbit.names.amf, crop).astype(np.float64)
    mask = common_pixels(orbit, crop, result, qa_threshold)
    further = {
        label: orbit.read_column(name, crop).astype(np.float64)
        for label, name in further_columns(orbit).items()
    }
    for values in further.values():
        if np.isfinite(values[mask]).any():
            mask &= np.isfinite(values)
    products = [ProductStatistics(own, _mean(column[mask]), _mean(amf[mask], 1.0))]
    for fields in result.sets:
        change = result.relative_change[fields.name, own][mask]
        products.append(
            ProductStatistics(
                name=fields.name,
                mean_column=_mean(fields.tropospheric_column[mask]),
                mean_amf=_mean(fields.air_mass_factor_troposphere[mask], 1.0),
                ratio_of_means=_ratio(fields.tropospheric_column[mask], column[mask]),
                **_percentiles(change),
                mean_fraction_above=_mean(fields.apriori_fraction_above_top[mask], 1.0),
                flags=_counts(fields.substitution_flag),
                warnings=_bits(fields.substitution_warning),
            )
        )
    for label, values in further.items():
        if np.isfinite(values[mask]).any():
            ratio = _ratio(values[mask], column[mask])
            products.append(ProductStatistics(label, _mean(values[mask]), ratio_of_means=ratio))
    return OrbitSummary(
        orbit=orbit.path.name,
        output=output,
        scanlines=(crop.scanline.start, crop.scanline.stop),
        ground_pixels=(crop.ground_pixel.start, crop.ground_pixel.stop),
        n_common=int(mask.sum()),
        qa_threshold=qa_threshold,
        products=products,
        assumptions=list(orbit.assumptions),
    )


def _mean(values: Float, factor: float = MOLEC_CM2_PER_MOL_M2) -> float:
    return float(values.astype(np.float64).mean() * factor) if values.size else float("nan")


def _ratio(new: Float, old: Float) -> float:
    if not old.size or old.mean() == 0:
        return float("nan")
    return float(100.0 * (new.astype(np.float64).mean() / old.mean() - 1.0))


def _percentiles(change: Float) -> dict[str, float]:
    if not change.size:
        return {}
    p5, median, p95 = np.percentile(change.astype(np.float64), [5, 50, 95])
    return {"median_change": float(median), "p5_change": float(p5), "p95_change": float(p95)}


def _counts(flag: NDArray[np.uint8]) -> dict[str, int]:
    values, counts = np.unique(flag, return_counts=True)
    return {
        SubstitutionFlag(int(value)).name.lower(): int(count)
        for value, count in zip(values, counts, strict=True)
    }


def _bits(warning: NDArray[np.uint8]) -> dict[str, int]:
    counts = {bit.name: int(((warning & bit) != 0).sum()) for bit in SubstitutionWarning}
    return {str(name).lower(): count for name, count in counts.items() if count}
