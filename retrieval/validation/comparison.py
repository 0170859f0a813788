"""A model beside the instrument: in two ways, on one set of pixels, by kinds of pixels.

`kernel`: the model's column as the instrument would see it, sum(A_trop x), beside the column of
the file. `apriori`: the model's own column, sum(x), beside the column with the model as a priori.
Both say the same, since sum(A_trop x) / V = sum(x) / V' pixel by pixel (docs/equations.md 2); how
far the file keeps to it is measured.

Pixels are added up by day, so that years of orbits take no memory; intervals draw days with
replacement, as pixels of one day share weather and retrieval errors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from retrieval.errors import ProductError
from retrieval.l2.columns import KERNEL, MODEL, find_columns, find_model_columns, reretrieved_sets
from retrieval.l2.names import TM5
from retrieval.l2.open_orbit import open_lenient
from retrieval.l2.quality import QA_RECOMMENDED, common_pixels_of_file
from retrieval.l2.strata import NAMES, orbit_strata
from retrieval.validation.pair_scores import PMOLEC, SEASONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Crop
    from retrieval.maps.regions import Region
    from retrieval.physics.geometry.grids import BoundingBox
    from retrieval.typing import Bool, Float

WAYS = ("kernel", "apriori")
"""How a model is compared: seen with the file's kernel, or as the a priori of the column."""

ALL = "all"
HOURS = tuple(f"hour:{hour:02}" for hour in range(24))
"""Of mean local solar time, by longitude."""

EDGES = np.arange(-5.0, 40.01, 0.25)
"""Classes of the scatter [1e15 molecules cm-2]."""

MARGIN = 0.5
"""Degrees from the centre of a pixel to its corners, at most."""

LEAST_PIXELS = 3
"""Pixels that a statistic needs."""
LEAST_DAYS = 5
"""Fewer days say nothing of the scatter between days."""
INTERVAL = (2.5, 97.5)


class ComparisonScore(NamedTuple):
    """A row of `comparison.csv`: model minus, over or against satellite; columns in mol m-2.

    `low` and `high` are a 95 % interval over days, NaN with fewer than five.
    """

    scope: str
    apriori: str
    way: str
    statistic: str
    value: float
    low: float
    high: float
    n: int
    n_day: int


STATISTICS = (
    *("mean_model", "mean_satellite", "mean_difference", "relative_difference"),
    *("root_mean_square", "pearson", "slope"),
)
"""Columns and their differences in mol m-2; `relative_difference` is of the means, in percent;
`slope` of the model on the satellite, with intercept."""

N_SUM = 6
"""Number, satellite, model, and their products."""


@dataclass
class Comparison:
    """Sums over the pixels of orbits, by day, kind of pixel, set and way.

    Attributes
    ----------
    sets : tuple of str
        Names of the sets, as in the files.
    regions : sequence of Region
    qa_threshold : int
        Pixels with a stored quality above it take part [percent].
    bbox : tuple of float, optional
        West, south, east, north [degree] of the centres of pixels that take part.
    reference : str
        Label of the product's own column, by its a priori.
    days : dict
        From a day to its sums, shape (scope, set, way, 6).
    counts : ndarray, shape (set, way, n_class, n_class)
        Pixels by class of the satellite's and of the model's column, the outermost classes with
        all beyond.
    n_beyond : int
        Pixels (of all sets and ways) beyond the classes.
    disagreement : dict of str to float
        The largest |sum(A x) V' / (sum(x) V) - 1| of a set.
    extent : ndarray
        West, south, east, north of the centres of all pixels that took part [degree].
    is_synthetic : bool
        Whether an orbit says that it is.
    """

    sets: tuple[str, ...]
    regions: Sequence[Region] = ()
    qa_threshold: int = QA_RECOMMENDED
    bbox: BoundingBox | None = None
    reference: str = TM5
    days: dict[np.datetime64, Float] = field(default_factory=dict, repr=False)
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    n_beyond: int = 0
    disagreement: dict[str, float] = field(default_factory=dict)
    extent: Float = field(default_factory=lambda: np.array([np.inf, np.inf, -np.inf, -np.inf]))
    is_synthetic: bool = False

    def __post_init__(self) -> None:
        n = EDGES.size - 1
        self.counts = np.zeros((len(self.sets), len(WAYS), n, n), np.int64)

    @property
    def scopes(self) -> tuple[str, ...]:
        """Kinds of pixels, in the order of tables."""
        regions = (f"region:{region.name}" for region in self.regions)
        return (ALL, *regions, *(f"season:{s}" for s in SEASONS), *HOURS, *NAMES[1:])

    @property
    def n_pixel(self) -> int:
        """Pixels that took part."""
        return round(sum(float(sums[0, 0, 0, 0]) for sums in self.days.values()))

    @property
    def area(self) -> BoundingBox:
        """West, south, east, north of whole degrees around all pixels that took part."""
        low, high = np.floor(self.extent[:2] - MARGIN), np.ceil(self.extent[2:] + MARGIN)
        west, south = max(float(low[0]), -180.0), max(float(low[1]), -90.0)
        return west, south, min(float(high[0]), 180.0), min(float(high[1]), 90.0)

    def add(self, path: Path) -> int:
        """Add the pixels of a re-retrieved orbit, and return how many took part.

        Raises
        ------
        ProductError
            If it cannot be read, or lacks a column of one of the sets.
        """
        with open_lenient(path) as orbit:
            crop = orbit.full
            columns = _columns(orbit, crop, self.sets, self.reference)
            mask = common_pixels_of_file(orbit, crop, columns.values(), self.qa_threshold)
            latitude, longitude = orbit.read_centres(crop)
            times = np.broadcast_to(orbit.scanline_times(crop)[:, None], mask.shape)
            mask &= ~np.isnat(times) & np.isfinite(latitude) & np.isfinite(longitude)
            if self.bbox is not None:
                west, south, east, north = self.bbox
                width = (east - west) % 360.0 or 360.0
                mask &= (longitude - west) % 360.0 <= width
                mask &= (latitude >= south) & (latitude <= north)
            self.is_synthetic |= orbit.is_synthetic
            strata = orbit_strata(orbit, crop)[mask] if mask.any() else np.zeros((0, len(NAMES)))
        if not mask.any():
            return 0
        x, y = longitude[mask].astype(np.float64), latitude[mask].astype(np.float64)
        low = np.minimum(self.extent[:2], [x.min(), y.min()])
        self.extent = np.concatenate([low, np.maximum(self.extent[2:], [x.max(), y.max()])])
        of_pixels: dict[str, Float] = {
            k: v[mask].astype(np.float64) / PMOLEC for k, v in columns.items()
        }
        scopes = np.concatenate(
            [self._scopes(x, y, times[mask]), strata[:, 1:].astype(bool)], axis=1
        )
        self._add(of_pixels, scopes, times[mask].astype("datetime64[D]"))
        return int(mask.sum())

    def _scopes(self, x: Float, y: Float, times: NDArray[np.datetime64]) -> Bool:
        """Tell which pixels are of which scope but the strata, shape (n, n_scope)."""
        months = times.astype("datetime64[M]").astype(int) % 12 + 1
        since = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
        hours = np.floor((since + x / 15.0) % 24.0).astype(int) % 24
        found = [np.ones(x.size, bool), *(region.contains(x, y) for region in self.regions)]
        found += [months % 12 // 3 == i for i in range(len(SEASONS))]
        found += [hours == hour for hour in range(24)]
        return np.stack(found, axis=1)

    def _add(self, columns: dict[str, Float], scopes: Bool, days: NDArray[np.datetime64]) -> None:
        terms = np.empty((days.size, len(self.sets), len(WAYS), N_SUM))
        for i, name in enumerate(self.sets):
            for k, (satellite, model) in enumerate(_pairs(name, self.reference)):
                x, y = columns[satellite], columns[model]
                terms[:, i, k] = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
                self._count(i, k, x, y)
            self._measure(name, columns)
        for day in np.unique(days):
            of_day = days == day
            sums = np.tensordot(scopes[of_day].astype(np.float64), terms[of_day], axes=(0, 0))
            self.days[day] = self.days.get(day, 0.0) + sums

    def _count(self, i: int, k: int, x: Float, y: Float) -> None:
        last = EDGES.size - 2
        places = [np.floor((v - EDGES[0]) / (EDGES[1] - EDGES[0])).astype(int) for v in (x, y)]
        self.n_beyond += int(np.any([(p < 0) | (p > last) for p in places], axis=0).sum())
        np.add.at(self.counts[i, k], tuple(np.clip(p, 0, last) for p in places), 1)

    def _measure(self, name: str, columns: dict[str, Float]) -> None:
        """Take up how far the two ways are from saying the same."""
        (old, seen), (new, own) = _pairs(name, self.reference)
        there = np.abs(columns[own] * columns[old]) > 0.0
        ratio = columns[seen][there] * columns[new][there] / (columns[own] * columns[old])[there]
        worst = float(np.abs(ratio - 1.0).max()) if there.any() else 0.0
        self.disagreement[name] = max(self.disagreement.get(name, 0.0), worst)

    def scores(self, *, n_draw: int = 1000, seed: int = 0) -> list[ComparisonScore]:
        """Return the statistics of every kind of pixel that has any.

        Parameters
        ----------
        n_draw : int
            Draws of days for the intervals; 0 for none.
        seed : int
            Of the draws.
        """
        if not self.days:
            return []
        by_day = np.stack([self.days[day] for day in sorted(self.days)])
        return list(self._scores(by_day, n_draw, seed))

    def _scores(self, by_day: Float, n_draw: int, seed: int) -> Iterator[ComparisonScore]:
        for s, scope in enumerate(self.scopes):
            of_scope = by_day[:, s][by_day[:, s, 0, 0, 0] > 0]
            n_day = len(of_scope)
            n = round(float(of_scope[:, 0, 0, 0].sum()))
            if n < LEAST_PIXELS:
                continue
            values = statistics(of_scope.sum(axis=0))
            low = high = np.full_like(values, np.nan)
            if n_draw and n_day >= LEAST_DAYS:
                generator = np.random.default_rng(seed)
                draws = generator.multinomial(n_day, np.full(n_day, 1 / n_day), size=n_draw)
                drawn = statistics(np.tensordot(draws, of_scope, axes=(1, 0)))
                low, high = np.nanpercentile(drawn, INTERVAL, axis=1)
            for i, name in enumerate(self.sets):
                for k, way in enumerate(WAYS):
                    for j, statistic in enumerate(STATISTICS):
                        value, least, most = (float(v[j, i, k]) for v in (values, low, high))
                        yield ComparisonScore(
                            scope, name, way, statistic, value, least, most, n, n_day
                        )


def statistics(sums: Float) -> Float:
    """Return the statistics of sums, shape (statistic, ...) of (..., 6).

    Examples
    --------
    >>> x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0])
    >>> sums = np.array([3.0, x.sum(), y.sum(), x @ x, y @ y, x @ y])
    >>> dict(zip(STATISTICS[3:], statistics(sums)[3:].round(6).tolist(), strict=True))["slope"]
    2.0
    """
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_x, mean_y = x / n, y / n
        var_x, var_y = np.maximum(xx / n - mean_x**2, 0.0), np.maximum(yy / n - mean_y**2, 0.0)
        covariance = xy / n - mean_x * mean_y
        square = np.maximum(xx - 2.0 * xy + yy, 0.0) / n
        return np.stack(
            [
                mean_y * PMOLEC,
                mean_x * PMOLEC,
                (mean_y - mean_x) * PMOLEC,
                100.0 * (mean_y / mean_x - 1.0),
                np.sqrt(square) * PMOLEC,
                covariance / np.sqrt(var_x * var_y),
                covariance / var_x,
            ]
        )


def sets_of(path: Path) -> tuple[tuple[str, ...], str]:
    """Return the sets that an orbit was re-retrieved with, and the label of its own column.

    Raises
    ------
    ProductError
        If it was not.
    """
    with open_lenient(path) as orbit:
        found, own = tuple(reretrieved_sets(orbit)), orbit.names.apriori
    if not found:
        msg = (
            f"Invalid orbit {path}. A model is compared by what reretrieve writes. Given an "
            "original orbit. Run dacno2-s5p reretrieve with the model as -a NAME=PATH."
        )
        raise ProductError(msg)
    return found, own


def _pairs(name: str, reference: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return satellite and model of each way, by label."""
    return (reference, f"{name}{KERNEL}"), (name, f"{name}{MODEL}")


def pairs_of(sets: Sequence[str], reference: str = TM5) -> list[tuple[str, str]]:
    """Return model and satellite of each set and way, by label, as maps take them.

    Examples
    --------
    >>> pairs_of(["CAMS"])
    [('CAMS_kernel', 'TM5'), ('CAMS_model', 'CAMS')]
    """
    return [(model, satellite) for name in sets for satellite, model in _pairs(name, reference)]


def _columns(
    orbit: Orbit, crop: Crop, sets: Sequence[str], reference: str
) -> dict[str, NDArray[np.floating]]:
    """Read all columns of the comparison [mol m-2], by label."""
    known = {p.label: p.column for p in (*find_columns(orbit), *find_model_columns(orbit))}
    labels = dict.fromkeys(label for pair in pairs_of(sets, reference) for label in pair)
    missing = [label for label in labels if label not in known]
    if missing:
        msg = (
            f"Invalid orbit {orbit.path.name}. It must be re-retrieved with {', '.join(sets)}. "
            f"Given one without {missing[0]}. Re-retrieve it with the same sets, or choose sets."
        )
        raise ProductError(msg)
    return {label: orbit.read_column(known[label], crop) for label in labels}
