"""Bring a set to the pixels of an orbit: which cells, which times, read once, averaged by block.

A `Collocator` serves one set for one orbit. It reads only the part of the grid that the orbit
touches and only the fields that its time rule asks for, once; blocks of scanlines then cost one
sparse product each.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.base import AprioriSet
from retrieval.apriori.window import grid_window
from retrieval.errors import NoOverlapError
from retrieval.physics.geometry.footprint import (
    CellValues,
    Weights,
    apply_weights,
    cell_values,
    weights_for,
)
from retrieval.physics.time_rules import (
    FARTHEST_FIELD,
    TimeRule,
    TimeWeights,
    nearest_distance,
    time_weights,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.l2.pixels import Geometry
    from retrieval.typing import Float

    Bool = NDArray[np.bool_]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Profiles:
    """A set on n pixels.

    Attributes
    ----------
    value : ndarray, shape (n, level)
        Footprint mean in the unit of the set; NaN where there is none.
    uncertainty : ndarray, shape (n, level), or None
        1 sigma of `value`, cells of a footprint fully correlated.
    surface_altitude : ndarray, shape (n,), or None
        Model orography over the footprint [m].
    coverage : ndarray, shape (n,)
        Share of the pixel on finite cells inside the grid.
    is_bad, is_outside : ndarray of bool, shape (n,)
        Corners unusable; no part of the pixel in the grid.
    is_served : ndarray of bool, shape (n,)
        The set has a field for the pixel's time.
    has_negatives : ndarray of bool, shape (n,)
        Negative values were counted as zero in the pixel's footprint.
    """

    value: Float
    uncertainty: Float | None
    surface_altitude: Float | None
    coverage: Float
    is_bad: Bool
    is_outside: Bool
    is_served: Bool
    has_negatives: Bool


class Collocator:
    """One set, ready for the blocks of one orbit.

    Parameters
    ----------
    name : str
        Name of the set, for messages.
    apriori : AprioriSet
        The set.
    rule : TimeRule
        How its fields are brought to the pixels' times.
    scanline_times : ndarray of datetime64[ms]
        Times of all scanlines of the crop.
    outline : tuple of ndarray
        (latitude, longitude) of all pixel corners of the crop, any shape (..., 4).

    Raises
    ------
    NoOverlapError
        If orbit and set do not meet within 12 hours, or nowhere.
    """

    def __init__(
        self,
        name: str,
        apriori: AprioriSet,
        rule: TimeRule,
        scanline_times: NDArray[np.datetime64],
        outline: tuple[Float, Float],
    ) -> None:
        self.name = name
        self.apriori = apriori
        self.rule = rule
        self.n_negative = 0
        _check_times(name, apriori, scanline_times)
        self._times = time_weights(apriori.times, rule, scanline_times)
        self.rows, self.columns = grid_window(name, apriori, outline)
        self.grid = apriori.grid.crop(self.rows, self.columns)
        self._steps = _steps(self._times)
        self._fields: dict[tuple[int, ...], CellValues] = {}
        self._sigmas: dict[tuple[int, ...], CellValues | None] = {}
        self._negative: dict[tuple[int, ...], Bool | None] = {}
        orography = apriori.read_surface_altitude(self.rows, self.columns)
        self._orography = None if orography is None else cell_values(orography.reshape(-1, 1))

    @property
    def times_used(self) -> list[str]:
        """Time stamps of the fields in use, ISO 8601."""
        used = sorted({i for step in self._steps for i in step.fields})
        return [f"{self.apriori.times[i].astype('datetime64[s]')}Z" for i in used]

    def weights(self, geometry: Geometry) -> Weights:
        """Horizontal weights of a block of pixels on the window of the grid."""
        return weights_for(
            geometry.latitude,
            geometry.longitude,
            geometry.latitude_bounds,
            geometry.longitude_bounds,
            self.grid,
        )

    def profiles(self, geometry: Geometry, weights: Weights | None = None) -> Profiles:
        """Footprint means of the set over a block of pixels, at their times."""
        weights = weights if weights is not None else self.weights(geometry)
        n = geometry.latitude.size
        value = np.zeros((n, self.apriori.vertical.n_level))
        sigma = np.zeros_like(value)
        has_sigma = False
        coverage = np.zeros(n)
        has_negatives = np.zeros(n, dtype=bool)
        is_served = self._times.is_served[geometry.scanline]
        for step in self._steps:
            share = step.weight[geometry.scanline]
            if not (share > 0).any():
                continue
            mean, covered = apply_weights(weights, self._field(step.fields))
            value += np.where(share[:, None] > 0, share[:, None] * mean, 0.0)
            coverage += share * covered
            has_negatives |= (share > 0) & self._touches_negative(step.fields, weights)
            step_sigma = self._sigma(step.fields)
            if step_sigma is not None:
                has_sigma = True
                sigma += share[:, None] * np.nan_to_num(apply_weights(weights, step_sigma)[0])
        if not is_served.all():
            # Coverage is a matter of place, so it is given where no field serves the time, too.
            _, covered = apply_weights(weights, self._any_field())
            coverage = np.where(is_served, coverage, covered)
        value[~is_served | (coverage <= 0)] = np.nan
        orography = None
        if self._orography is not None:
            orography = apply_weights(weights, self._orography)[0][:, 0]
        return Profiles(
            value,
            sigma if has_sigma else None,
            orography,
            coverage,
            weights.is_bad,
            weights.is_outside,
            is_served,
            has_negatives,
        )

    def _any_field(self) -> CellValues:
        if self._steps:
            return self._field(self._steps[0].fields)
        return cell_values(np.zeros((self.grid.shape[0] * self.grid.shape[1], 1)))

    def _field(self, fields: tuple[int, ...]) -> CellValues:
        """Mean of some fields as (cell, level), negatives counted as zero; read once."""
        if fields not in self._fields:
            precision = np.float32 if len(fields) == 1 else np.float64
            total: Float = np.array(
                self.apriori.read(fields[0], self.rows, self.columns), dtype=precision
            )
            is_negative = total < 0
            np.maximum(total, 0.0, out=total)
            for i in fields[1:]:
                part = self.apriori.read(i, self.rows, self.columns)
                is_negative |= part < 0
                total += np.maximum(part, 0.0)
            total /= len(fields)
            n_negative = int(is_negative.sum())
            if n_negative:
                logger.warning(
                    "set %s: %d negative values counted as 0 (%s)",
                    self.name,
                    n_negative,
                    ", ".join(str(self.apriori.times[i]) for i in fields),
                )
                self.n_negative += n_negative
            self._negative[fields] = is_negative.any(axis=0).ravel() if n_negative else None
            self._fields[fields] = cell_values(self._flat(total))
        return self._fields[fields]

    def _sigma(self, fields: tuple[int, ...]) -> CellValues | None:
        if fields not in self._sigmas:
            parts = [self.apriori.read_uncertainty(i, self.rows, self.columns) for i in fields]
            known = [part for part in parts if part is not None]
            self._sigmas[fields] = (
                cell_values(self._flat(sum(known[1:], known[0].astype(np.float64)) / len(known)))
                if known
                else None
            )
        return self._sigmas[fields]

    def _flat(self, field: NDArray[np.floating]) -> NDArray[np.floating]:
        """(level, row, column) to contiguous (cell, level), in double where it is small."""
        flat = np.ascontiguousarray(field.reshape(field.shape[0], -1).T)
        return flat.astype(np.float64) if self.grid.is_fine else flat

    def _touches_negative(self, fields: tuple[int, ...], weights: Weights) -> Bool:
        cells = self._negative.get(fields)
        if cells is None:
            return np.zeros(weights.is_bad.shape, dtype=bool)
        _, clean = apply_weights(weights, np.where(cells, np.nan, 0.0)[:, None])
        _, everything = apply_weights(weights, np.zeros((cells.size, 1)))
        return np.asarray(clean < everything)


@dataclass(frozen=True)
class _Step:
    """Fields that are averaged evenly, and the weight of their mean for each scanline."""

    fields: tuple[int, ...]
    weight: Float


def _steps(times: TimeWeights) -> list[_Step]:
    """Group scanlines by field; even means (11, 12, 13 UTC) are one step, averaged before use."""
    n_scanline, k = times.index.shape
    served = times.is_served
    is_even = k > 1 and np.allclose(times.weight[served], 1.0 / k)
    if is_even:
        combinations = np.unique(times.index[served], axis=0)
        return [
            _Step(
                tuple(int(i) for i in combination),
                (served & (times.index == combination).all(axis=1)).astype(np.float64),
            )
            for combination in combinations
        ]
    steps = []
    for i in np.unique(times.index[times.weight > 0]):
        weight = np.where(times.index == i, times.weight, 0.0).sum(axis=1)
        steps.append(_Step((int(i),), weight.reshape(n_scanline)))
    return steps


def _check_times(name: str, apriori: AprioriSet, scanline_times: NDArray[np.datetime64]) -> None:
    if apriori.times.size == 0:
        msg = f"Set {name} holds no field at all. Give a set of the orbit's day."
        raise NoOverlapError(msg)
    distance = nearest_distance(apriori.times, scanline_times)
    if np.isnat(distance) or distance <= FARTHEST_FIELD:
        return
    valid = scanline_times[~np.isnat(scanline_times)]
    msg = (
        f"Set {name} has no field within 12 h of the orbit. It holds "
        f"{_minute(apriori.times[0])} to {_minute(apriori.times[-1])}, the orbit was measured "
        f"{_minute(valid.min())} to {_minute(valid.max())}. Give the set of the orbit's day."
    )
    raise NoOverlapError(msg)


def _minute(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")
