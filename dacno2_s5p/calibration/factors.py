"""Uncertainty that covers what it says: factors on a raw spread, from stations on days held out.

Split-conformal calibration (Lei et al., 2018): on one half of the stations the ratio of residual
to raw spread has a quantile that a further exchangeable residual stays below with the wanted
probability, whatever its distribution; the other half tests it. Factors are by season and degree
of urbanisation, as the spread of an ensemble misses different shares of the error there.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.errors import CheckpointError, DataError
from dacno2_s5p.evaluation.metrics import season_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from retrieval.typing import Float

ONE_SIGMA = math.erf(math.sqrt(0.5))
"""Share of a normal distribution within one standard deviation, 0.6827."""

GAUSSIAN = {"50": 0.674490, "90": 1.644854}
"""Half-widths of central intervals of a normal distribution [standard deviations]."""

LEAST_SPREAD = 1e-3
"""Least spread [ug m-3]; what is below is no ensemble but round-off."""

LEAST_SHARE = 0.01
"""Least spread as a share of NO2: members that agree by chance are not certain."""

LEAST_OF_GROUP = 100
"""Residuals of a group with a factor of its own: its coverage is then known to 5 %."""

LEAST_RESIDUALS = 20
"""Residuals of either half; the 90 % quantile exists from nine on."""

AREAS = (("urban", 1500.0), ("suburban", 300.0), ("rural", -math.inf))
"""Classes and their least people per km2, densest first (as `evaluate.URBANISATION`)."""

ALL = "all"


@dataclass(frozen=True)
class Residuals:
    """Stations, predictions and raw spreads side by side, all of shape (n,).

    Attributes
    ----------
    observed, predicted, spread : ndarray
        NO2 and its raw standard deviation [ug m-3].
    days : ndarray of datetime64[D]
    population : ndarray
        Of the station's cell, as the network sees it [km-2].
    station : ndarray of int
        Number of the station cell.
    """

    observed: Float
    predicted: Float
    spread: Float
    days: NDArray[np.datetime64]
    population: Float
    station: NDArray[np.int64]

    def of(self, chosen: NDArray[np.bool_]) -> Residuals:
        """Return some of them."""
        names = ("observed", "predicted", "spread", "days", "population", "station")
        return Residuals(*(getattr(self, name)[chosen] for name in names))

    @property
    def size(self) -> Float:
        """Absolute residuals [ug m-3]."""
        return np.asarray(np.abs(self.observed - self.predicted))


@dataclass(frozen=True)
class Calibration:
    """Factors from raw spread to one sigma, and what they are for.

    Attributes
    ----------
    checkpoints : tuple of str
        Fingerprints of the networks, in order.
    spread : str
        How the raw spread was made; another number of samples has another spread.
    factors : dict of str to float
        By `SEASON area`, `area`, and `all`; the first that is there counts.
    intervals : dict of str to float
        Half-widths of the 50 % and 90 % intervals [sigma].
    report : dict
        Coverage on the other half of the stations, days and numbers.
    """

    checkpoints: tuple[str, ...]
    spread: str
    factors: dict[str, float]
    intervals: dict[str, float]
    report: dict[str, Any] = field(default_factory=dict)

    def factor(self, season: str, area: str) -> float:
        """Return the factor of a season and a class."""
        for group in (f"{season} {area}", area):
            if group in self.factors:
                return self.factors[group]
        return self.factors[ALL]

    def sigma(
        self, spread: Float, no2: Float, day: np.datetime64, population: Float
    ) -> NDArray[np.float32]:
        """Return one sigma [ug m-3] of a day's field.

        Parameters
        ----------
        spread, no2 : ndarray, shape (n_level, n_y, n_x)
            Raw spread and NO2 [ug m-3].
        day : datetime64[D]
        population : ndarray, shape (n_y, n_x)
            As the network sees it [km-2].

        Notes
        -----
        Stations are on the ground: aloft the factor of the ground below is taken, untested.
        """
        season = str(season_of(np.array([day], "datetime64[D]"))[0])
        area = areas_of(population)
        factor = np.zeros(population.shape)
        for name, _ in AREAS:
            factor[area == name] = self.factor(season, name)
        return (factor * floored(spread, no2)).astype(np.float32)

    def require(self, checkpoints: Sequence[str], spread: str, where: str) -> None:
        """Refuse networks or a spread that it is not of.

        Raises
        ------
        CheckpointError
            Naming what differs.
        """
        if tuple(checkpoints) != self.checkpoints:
            msg = (
                f"Invalid calibration {where}. It must be of the checkpoints that predict. Given "
                f"one of {_short(self.checkpoints)}, for {_short(checkpoints)}. Calibrate again, "
                "or give --raw-uncertainty."
            )
            raise CheckpointError(msg)
        if spread != self.spread:
            msg = (
                f"Invalid calibration {where}. It must be of the same kind of spread. Given one of "
                f"a {self.spread}, for a {spread}. Predict as it was calibrated, calibrate again, "
                "or give --raw-uncertainty."
            )
            raise CheckpointError(msg)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its contents."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def floored(spread: Float, no2: Float) -> Float:
    """Return a spread that is nowhere zero.

    Examples
    --------
    >>> floored(np.array([0.0, 0.0, 3.0]), np.array([10.0, 0.0, 10.0])).tolist()
    [0.1, 0.001, 3.0]
    """
    return np.asarray(np.maximum(spread, np.maximum(LEAST_SHARE * no2, LEAST_SPREAD)))


def areas_of(population: Float) -> NDArray[np.str_]:
    """Return the class of each density.

    Examples
    --------
    >>> areas_of(np.array([0.0, 300.0, 2000.0])).tolist()
    ['rural', 'suburban', 'urban']
    """
    found = np.full(population.shape, AREAS[-1][0], dtype="<U8")
    for name, least in reversed(AREAS):
        found[population >= least] = name
    return found


def conformal_quantile(values: Float, level: float) -> float:
    """Return the bound that one more exchangeable value stays below with at least `level`.

    The ceil((n + 1) level)-th smallest of n values (Lei et al., 2018, section 2.2); infinite
    where n is too small for the level.

    Examples
    --------
    >>> conformal_quantile(np.arange(1.0, 10.0), 0.9), conformal_quantile(np.arange(8.0), 0.9)
    (9.0, inf)
    """
    rank = math.ceil((values.size + 1) * level - 1e-9)
    return float(np.partition(values, rank - 1)[rank - 1]) if rank <= values.size else math.inf


def halves(residuals: Residuals, seed: int) -> tuple[Residuals, Residuals]:
    """Divide stations, never those of one cell, class by class, into two to fit and to test.

    Raises
    ------
    DataError
        If a half has too few residuals.
    """
    generator = np.random.default_rng([seed, 301])
    stations, first = np.unique(residuals.station, return_index=True)
    area = areas_of(residuals.population[first])
    fits: list[int] = []
    for name, _ in AREAS:
        of_area = generator.permutation(stations[area == name])
        # the odd one goes to either side in turn
        fits += of_area[: (of_area.size + len(fits) % 2) // 2].tolist()
    is_fit = np.isin(residuals.station, fits)
    least = min(int(is_fit.sum()), int((~is_fit).sum()))
    if least < LEAST_RESIDUALS:
        msg = (
            f"Too few residuals to calibrate. Either half of the stations must have "
            f"{LEAST_RESIDUALS}. Given {least} of {is_fit.size}. Predict more of the days held out."
        )
        raise DataError(msg)
    return residuals.of(is_fit), residuals.of(~is_fit)


def fit(residuals: Residuals, checkpoints: Sequence[str], spread: str) -> Calibration:
    """Fit factors and half-widths to residuals."""
    ratio = residuals.size / floored(residuals.spread, residuals.predicted)
    season, area = season_of(residuals.days), areas_of(residuals.population)
    factors = {ALL: conformal_quantile(ratio, ONE_SIGMA)}
    for name, _ in AREAS:
        of_area = area == name
        for group, chosen in (
            (name, of_area),
            *((f"{s} {name}", of_area & (season == s)) for s in np.unique(season)),
        ):
            if chosen.sum() >= LEAST_OF_GROUP:
                factors[str(group)] = conformal_quantile(ratio[chosen], ONE_SIGMA)
    found = Calibration(tuple(checkpoints), spread, factors, dict(GAUSSIAN))
    scaled = residuals.size / sigma_at(found, residuals)
    intervals = {name: conformal_quantile(scaled, float(name) / 100.0) for name in GAUSSIAN}
    return Calibration(tuple(checkpoints), spread, factors, intervals)


def sigma_at(calibration: Calibration, residuals: Residuals) -> Float:
    """Return one sigma of each residual [ug m-3]."""
    season, area = season_of(residuals.days), areas_of(residuals.population)
    factor = [calibration.factor(s, a) for s, a in zip(season, area, strict=True)]
    return np.asarray(factor) * floored(residuals.spread, residuals.predicted)


def coverage(residuals: Residuals, calibration: Calibration | None = None) -> dict[str, float]:
    """Return the share within the 50 % and 90 % intervals; of the raw spread without a calibration.

    The raw spread is read as the standard deviation of a normal distribution.
    """
    if calibration is None:
        sigma, intervals = residuals.spread, GAUSSIAN
    else:
        sigma, intervals = sigma_at(calibration, residuals), calibration.intervals
    return {k: float(np.mean(residuals.size <= width * sigma)) for k, width in intervals.items()}


def report(residuals: Residuals, calibration: Calibration) -> dict[str, Any]:
    """Return raw and calibrated coverage of all residuals and of each class."""
    area = areas_of(residuals.population)
    found: dict[str, Any] = {}
    for name in (ALL, *(name for name, _ in AREAS)):
        chosen = residuals.of((area == name) | (name == ALL))
        if chosen.observed.size:
            found[name] = {
                "n": int(chosen.observed.size),
                "stations": int(np.unique(chosen.station).size),
                "raw": coverage(chosen),
                "calibrated": coverage(chosen, calibration),
            }
    return found


def _short(fingerprints: Sequence[str]) -> str:
    return ", ".join(f[:12] for f in fingerprints) or "none"
