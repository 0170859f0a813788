"""The four constants of the transport, fitted to CAMS on days of the training split.

CAMS is what a user has everywhere; how its NO2 is carried says how the inventory is best carried.
A value is judged by what its maps explain of CAMS: a linear fit of eight fields on the 8 km cells,
made of all days but one and tried on that one. Values are tried one constant after the other,
twice, as curves that can be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.grid import CAMS_FACTOR
from dacno2_s5p.transport.constants import FITTED, TransportConstants
from dacno2_s5p.transport.prior import residual_depth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.transport.days import CarriedDays

    Float = NDArray[np.floating]

TRIED: Mapping[str, tuple[float, ...]] = {
    "wind_height": (0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2),
    "day_lifetime": (1.0, 1.5, 2.0, 3.0, 4.0, 6.0),
    "night_lifetime": (4.0, 6.0, 8.0, 12.0, 15.0, 20.0, 30.0),
    "exchange": (0.5, 0.75, 1.0, 1.5, 2.0),
}
"""Values of each constant."""

HIGHEST = 2000.0
"""CAMS above this height [m] does not count: there the free troposphere's own NO2 decides."""

PASSES = 2
"""Times that all constants are gone through."""

FACTOR = 4
"""Fine cells along a cell of the transport while fitting: that of CAMS' cells."""

RIDGE = 1e-3
"""Of the linear fit, on normalised fields."""

LEAST_DAYS = 3
"""Fewer days say nothing of a day that was left out."""


@dataclass(frozen=True)
class Fit:
    """What was found.

    Attributes
    ----------
    constants : TransportConstants
        The best of what was tried.
    curves : dict of str to list of tuple of float
        Of each constant its values and what their maps explain, the others as they were found.
    explained : tuple of float
        Share of the variance of CAMS that the best explain, by height.
    heights : tuple of float
        Of CAMS [m].
    days : tuple of str
        Days that were used.
    """

    constants: TransportConstants
    curves: dict[str, list[tuple[float, float]]]
    explained: tuple[float, ...]
    heights: tuple[float, ...]
    days: tuple[str, ...]

    def toml(self) -> str:
        """Return the section `transport`, as recipes and `prepare` take it."""
        r2 = ", ".join(
            f"{z:g} m {r:.3f}" for z, r in zip(self.heights, self.explained, strict=True)
        )
        lines = [
            f"# fitted to CAMS on {len(self.days)} days, {self.days[0]} to {self.days[-1]}",
            f"# share of the variance that a linear fit explains on days left out: {r2}",
            "[transport]",
            *(f"{name} = {value}" for name, value in self.constants.to_dict().items()),
        ]
        return "\n".join(lines) + "\n"


def fit_constants(
    carried: Callable[[TransportConstants], CarriedDays],
    targets: Mapping[np.datetime64, Float],
    heights: Sequence[float],
    start: TransportConstants | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Fit:
    """Find the constants whose maps explain most of CAMS.

    Parameters
    ----------
    carried : callable
        Makes the maps of constants.
    targets : mapping of datetime64 to ndarray, shape (n_level, n_y / 4, n_x / 4)
        CAMS NO2 of training days [ug m-3].
    heights : sequence of float
        Of the levels of the targets [m]; those up to 2000 m count.
    start : TransportConstants, optional
        What the search starts from; its cells and steps are kept.
    progress : callable, optional
        Told the trials done and their number at most.

    Raises
    ------
    DataError
        If there are fewer than three days.
    """
    if len(targets) < LEAST_DAYS:
        msg = (
            f"Too few days to fit the transport. There must be {LEAST_DAYS}. Given {len(targets)}. "
            "Prepare more days with CAMS."
        )
        raise DataError(msg)
    best = start or TransportConstants()
    counted = [i for i, height in enumerate(heights) if height <= HIGHEST]
    below = {day: np.asarray(target)[counted] for day, target in targets.items()}
    tried: dict[TransportConstants, Float] = {}
    n_trial = PASSES * sum(map(len, TRIED.values()))
    done = 0

    def score(constants: TransportConstants) -> Float:
        if constants not in tried:
            days = carried(replace(constants, factor=FACTOR))
            tried[constants] = explained({d: features(days.day(d)) for d in below}, below)
        return tried[constants]

    curves: dict[str, list[tuple[float, float]]] = {}
    for _ in range(PASSES):
        for name in FITTED:
            values = sorted({*TRIED[name], getattr(best, name)})
            trials = [replace(best, **{name: value}) for value in values]
            scores = []
            for trial in trials:
                scores.append(float(score(trial).mean()))
                done += 1
                if progress is not None:
                    progress(min(done, n_trial), n_trial)
            curves[name] = list(zip(values, scores, strict=True))
            best = trials[int(np.argmax(scores))]
    return Fit(
        best,
        curves,
        tuple(float(x) for x in score(best)),
        tuple(heights[i] for i in counted),
        tuple(sorted(str(day) for day in targets)),
    )


def features(maps: NDArray[np.float32]) -> Float:
    """Return eight fields of the four maps on CAMS' cells, shape (n_cell, 8)."""
    mean = functional.avg_pool2d(torch.from_numpy(maps)[None], CAMS_FACTOR)[0]
    low, above, fresh, depth = mean
    aloft = residual_depth(depth)
    fields = [low, above, fresh * depth / (80.0 + 0.1 * depth), low * depth, above * aloft]
    fields += [fresh * depth, torch.log1p(low), torch.log1p(above)]
    return np.asarray(torch.stack(fields, dim=-1).reshape(-1, len(fields)).double().numpy())


def explained(
    fields: Mapping[np.datetime64, Float], targets: Mapping[np.datetime64, Float]
) -> Float:
    """Return the share of each level's variance that a linear fit explains on days left out.

    Parameters
    ----------
    fields : mapping of datetime64 to ndarray, shape (n_cell, n_field)
    targets : mapping of datetime64 to ndarray, shape (n_level, h, w)
        With h * w = n_cell.

    Returns
    -------
    ndarray, shape (n_level,)
        1 - (mean square error) / (variance), of all days together.
    """
    y = {d: np.asarray(t, np.float64).reshape(len(t), -1).T for d, t in targets.items()}
    scale = np.concatenate(list(fields.values())).std(axis=0) + 1e-12
    x = {d: np.column_stack([f / scale, np.ones(len(f))]) for d, f in fields.items()}
    inner = {d: (x[d].T @ x[d], x[d].T @ y[d]) for d in x}
    total = [sum((inner[d][i] for d in x), np.zeros(1)) for i in (0, 1)]
    error, count = np.zeros(1), sum(map(len, x.values()))
    ridge = RIDGE * count * np.eye(len(total[0]))
    ridge[-1, -1] = 0.0
    for d in x:
        weights = np.linalg.solve(total[0] - inner[d][0] + ridge, total[1] - inner[d][1])
        error = error + ((x[d] @ weights - y[d]) ** 2).sum(axis=0)
    return np.asarray(1.0 - error / (count * np.concatenate(list(y.values())).var(axis=0)))
