"""Share and factor of the CAMS forecast of a network that it joins at the output (`network.blend`).

CAMS targets cannot say what the forecast is worth, whose errors they share. Stations can, which
neither forecast nor network has seen: on days that no phase trained on, the one share is taken
whose joined surface has the least squared error at training stations, for all heights, as there
are no stations aloft. With it the factor of each height keeps the mean amounts of the CAMS targets:
a forecast that is low all over, and a mean of logarithms, which is below that of amounts, are so
taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from dacno2_s5p.calibration.residuals import held_out_days
from dacno2_s5p.errors import CheckpointError, DataError
from dacno2_s5p.inputs.grid import CAMS_FACTOR
from dacno2_s5p.network.blend import Blend
from dacno2_s5p.network.checkpoint import Checkpoint, CheckpointInfo
from dacno2_s5p.network.dacno2 import Dacno2
from dacno2_s5p.prediction.predict import predict_day

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.samples import Stations
    from dacno2_s5p.store.store import Store

SHARES = tuple(round(0.05 * i, 2) for i in range(21))
"""Shares that are tried."""


@dataclass(frozen=True)
class ForecastFit:
    """What was found.

    Attributes
    ----------
    share : float
        Of the forecast, in the logarithm.
    amount : tuple of float
        Logarithm of the forecast's factor at each height.
    curve : tuple of (float, float)
        Shares, and root mean square errors at the stations with each [ug m-3].
    n : int
        Values at stations.
    """

    share: float
    amount: tuple[float, ...]
    curve: tuple[tuple[float, float], ...]
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
    """Fit share and factors on some days of a store.

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
        sums.add(torch.from_numpy(own), inputs.cams, store.cams_field(index), store.stations(index))
        if progress is not None:
            progress(done, len(days))
    return sums.fit()


class _Sums:
    """What shares make of amounts and of the surface at stations, day after day."""

    def __init__(self, n_level: int) -> None:
        self.blend = Blend(n_level)
        self.amounts = np.zeros((len(SHARES), n_level))
        self.target = np.zeros(n_level)
        self.joined: list[list[NDArray[np.floating]]] = [[] for _ in SHARES]
        self.observed: list[NDArray[np.floating]] = []

    def add(
        self,
        own: torch.Tensor,
        forecast: torch.Tensor,
        target: NDArray[np.floating],
        stations: Stations,
    ) -> None:
        """Take in a day; fields in micrograms per cubic metre."""
        n_level = own.shape[0]
        for i, share in enumerate(SHARES):
            self.blend.set_constants([share] * n_level, [0.0] * n_level)
            field = self.blend(own[None], forecast[None])
            coarse = functional.avg_pool2d(field, CAMS_FACTOR)[0]
            self.amounts[i] += coarse.double().mean((1, 2)).numpy()
            self.joined[i].append(field[0, 0].numpy()[stations.rows, stations.columns])
        self.target += target.mean((1, 2), dtype=np.float64)
        self.observed.append(np.asarray(stations.values, np.float64))

    def fit(self) -> ForecastFit:
        """Choose the share."""
        observed = np.concatenate(self.observed) if self.observed else np.zeros(0)
        if not observed.size:
            msg = (
                "No station to fit the forecast's share to. The days kept back must have training "
                "stations. Given none. Prepare a store with stations."
            )
            raise DataError(msg)
        curve = []
        for i, share in enumerate(SHARES):
            # without the forecast there is nothing whose amount could be changed
            factor = self.target[0] / self.amounts[i, 0] if share else 1.0
            error = factor * np.concatenate(self.joined[i]) - observed
            curve.append((share, float(np.sqrt(np.mean(error**2)))))
        best = int(np.argmin([error for _, error in curve]))
        share = SHARES[best]
        amount = np.log(self.target / self.amounts[best]) / share if share else 0.0 * self.target
        return ForecastFit(share, tuple(map(float, amount)), tuple(curve), observed.size)
