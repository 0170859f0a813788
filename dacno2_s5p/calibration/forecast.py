"""Shares and factor of the CAMS forecast that joins a network at its output (`network.blend`).

CAMS targets cannot say what the forecast is worth, whose errors they share. Stations can, which
neither forecast nor network has seen: on days that no phase trained on, the two shares are taken
whose joined surface has the least squared error there. Stations are those that training kept back
(`validation_stations`), as it knows the others too well; all training stations where it kept none.

There are none aloft. There the network's part is that at the ground times what it explains of CAMS,
over what it explains at the ground (squared correlation of the wide means' logarithms): air that
the emissions of a day do not explain is the forecast's. The factor of each height keeps the mean
amounts of the CAMS targets: a forecast that is low all over is so taken back, and that a mean of
logarithms is not one of amounts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from dacno2_s5p.calibration.residuals import held_out_days
from dacno2_s5p.errors import CheckpointError, DataError
from dacno2_s5p.inputs.grid import CAMS_FACTOR
from dacno2_s5p.network.blend import LEAST, Blend, smoothed
from dacno2_s5p.network.checkpoint import Checkpoint, CheckpointInfo
from dacno2_s5p.network.dacno2 import Dacno2
from dacno2_s5p.network.first_guess import on_fine_cells
from dacno2_s5p.prediction.predict import predict_day
from dacno2_s5p.training.recipe import Recipe
from dacno2_s5p.training.sampling import kept_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.samples import Stations
    from dacno2_s5p.store.store import Store

    Share = float | torch.Tensor

SHARES = tuple(round(0.1 * i, 1) for i in range(11))
"""Shares that are tried, of either scale."""

PAIRS = tuple(product(SHARES, SHARES))
"""Wide and near shares."""


@dataclass(frozen=True)
class ForecastFit:
    """What was found.

    Attributes
    ----------
    wide, near : tuple of float
        Shares of the forecast at each height, in the logarithm.
    explained : tuple of float
        What the network explains of CAMS at each height [1].
    amount : tuple of float
        Logarithm of the factor at each height.
    errors : tuple of (float, float, float)
        Wide and near shares at the ground, and root mean square errors at the stations with them
        [ug m-3].
    n : int
        Values at stations.
    """

    wide: tuple[float, ...]
    near: tuple[float, ...]
    explained: tuple[float, ...]
    amount: tuple[float, ...]
    errors: tuple[tuple[float, float, float], ...]
    n: int


def days_unseen(store: Store, info: CheckpointInfo, where: str) -> list[np.datetime64]:
    """Return the days of a store that a checkpoint's phases kept back, of all its years.

    Raises
    ------
    CheckpointError
        If the store is not the one it was trained on.
    ConfigurationError
        If no day was kept back.
    """
    held_out_days(store, info, where)  # refuses
    return [day for day in store.days if str(day) not in set(info.trained_days)]


def with_forecast(model: Checkpoint, store: Store) -> tuple[Dacno2, CheckpointInfo]:
    """Return a network of the same weights that the forecast joins at the output, not yet fitted.

    Raises
    ------
    CheckpointError
        If it has the forecast already, or the store has none.
    """
    info = model.info
    if info.network.cams or "cams" not in store.table.groups:
        given = "a network that has one" if info.network.cams else "a store without forecasts"
        msg = (
            f"Invalid checkpoint. The forecast joins a network without one, from a store with it. "
            f"Given {given}. Choose another checkpoint, or prepare the store with --group cams."
        )
        raise CheckpointError(msg)
    config = replace(info.network, cams=1, forecast="output")
    network = Dacno2(config)
    network.set_scaling(info.scaling)
    network.load_state_dict({**network.state_dict(), **model.network.state_dict()})
    table = store.table.select(config.groups)
    recipe = {**info.recipe, "network": config.to_dict()}
    made = replace(
        info, network=config, inputs=table, recipe=recipe, parent=model.fingerprint, metrics={}
    )
    return network.eval(), made


def fit_forecast(
    model: Checkpoint,
    store: Store,
    days: Sequence[np.datetime64],
    *,
    bfloat16: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> ForecastFit:
    """Fit shares and factors on some days of a store.

    Parameters
    ----------
    model : Checkpoint
        The network without the forecast.
    store : Store
        With forecasts, CAMS targets and training stations of the days.
    days : sequence of datetime64[D]
        Days that no phase trained on.
    bfloat16 : bool
        As in `predict_day`.
    progress : callable, optional
        Told the days done and their number.

    Raises
    ------
    DataError
        If no station has a value.
    """
    recipe = Recipe.from_dict(model.info.recipe)
    sums = _Sums(model.info.network.n_level)
    for done, day in enumerate(days, start=1):
        index = store.index(day)
        inputs = store.day_inputs(index)
        own = predict_day(model, replace(inputs, cams=None), bfloat16=bfloat16)
        if inputs.cams is None:
            msg = (
                f"Missing forecast of {day}. A store with forecasts has it. Given none. Prepare it."
            )
            raise DataError(msg)
        stations = kept_back(store.stations(index), recipe.sampling, recipe.seed)
        sums.add(torch.from_numpy(own), inputs.cams, store.cams_field(index), stations)
        if progress is not None:
            progress(done, len(days))
    return sums.fit()


class _Sums:
    """What shares make of amounts and of the surface at stations, day after day."""

    def __init__(self, n_level: int) -> None:
        self.blend = Blend(n_level)
        self.days: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self.target = np.zeros(n_level)
        self.at: list[tuple[NDArray[np.floating], ...]] = []
        self.moments = np.zeros((n_level, 6))

    def add(
        self,
        own: torch.Tensor,
        forecast: torch.Tensor,
        target: NDArray[np.floating],
        stations: Stations,
    ) -> None:
        """Take in a day; fields in micrograms per cubic metre."""
        wide, near = self.blend.parts(own[None], forecast[None])
        coarse = functional.avg_pool2d(own, CAMS_FACTOR)
        self.days.append((coarse, wide[0], near[0]))
        self.target += target.mean((1, 2), dtype=np.float64)
        at = stations.rows, stations.columns
        parts = [on_fine_cells(part[:, :1])[0, 0].numpy()[at] for part in (wide, near)]
        self.at.append((own[0].numpy()[at], *parts, np.asarray(stations.values)))
        floored = torch.from_numpy(np.maximum(target, LEAST))
        x, y = (smoothed(torch.log(of)[None])[0].double().flatten(1) for of in (coarse, floored))
        n = torch.full(x.shape[:1], float(x.shape[1]))
        sums = [n, x.sum(1), y.sum(1), (x * x).sum(1), (y * y).sum(1), (x * y).sum(1)]
        self.moments += torch.stack(sums, dim=1).numpy()

    def fit(self) -> ForecastFit:
        """Choose the shares at the ground, and bring them to the other heights."""
        surface, wide, near, observed = (
            np.concatenate(column).astype(np.float64) for column in zip(*self.at, strict=True)
        )
        if not observed.size:
            msg = (
                "No station to fit the forecast's share to. The days kept back must have training "
                "stations. Given none. Prepare a store with stations."
            )
            raise DataError(msg)
        errors = []
        for of_wide, of_near in PAIRS:
            factor = self.target[0] / self._amounts(slice(1), of_wide, of_near)[0]
            joined = factor * surface * np.exp(of_wide * wide + of_near * near)
            rmse = float(np.sqrt(np.mean((joined - observed) ** 2)))
            errors.append((of_wide, of_near, rmse))
        found = min(errors, key=lambda row: row[2])[:2]
        explained = self._explained()
        trust = np.minimum(explained / max(explained[0], 1e-6), 1.0)
        trust[0] = 1.0
        shares = [1.0 - (1.0 - share) * trust for share in found]
        columns = [torch.from_numpy(share.astype(np.float32)).view(-1, 1, 1) for share in shares]
        amount = np.log(self.target / self._amounts(slice(None), *columns))
        wide_share, near_share, explains, logarithm = (
            tuple(map(float, of)) for of in (*shares, explained, amount)
        )
        return ForecastFit(
            wide_share, near_share, explains, logarithm, tuple(errors), observed.size
        )

    def _amounts(self, which: slice, wide: Share, near: Share) -> NDArray[np.floating]:
        """Return the summed means of some heights with shares, without a factor.

        Over a cell of the forecast the factor is taken as even.
        """
        total = np.zeros(len(self.target[which]))
        for coarse, of_wide, of_near in self.days:
            joined = coarse[which] * torch.exp(wide * of_wide[which] + near * of_near[which])
            total += joined.double().mean((1, 2)).numpy()
        return total

    def _explained(self) -> NDArray[np.floating]:
        """Return the squared correlation with CAMS of each height; 0 where either never varies."""
        n, x, y, xx, yy, xy = self.moments.T
        over = (xx - x * x / n) * (yy - y * y / n)
        both = np.maximum(xy - x * y / n, 0.0)
        return np.where(over > 0.0, both**2 / np.maximum(over, 1e-300), 0.0)
