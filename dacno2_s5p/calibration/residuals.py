"""What a calibration is fitted to: training stations on days that no gradient came from.

Stations held back for evaluation are never looked at: they remain a test of everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.calibration.factors import Residuals
from dacno2_s5p.errors import CheckpointError, ConfigurationError, DataError
from dacno2_s5p.inputs.samples import all_of
from dacno2_s5p.training.recipe import Recipe
from dacno2_s5p.training.run import days_of_phase
from dacno2_s5p.training.sampling import validation_days

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.samples import Inputs, Stations
    from dacno2_s5p.inputs.variables import InputTable
    from dacno2_s5p.network.checkpoint import Checkpoint, CheckpointInfo
    from dacno2_s5p.store.store import Store

    Read = Callable[[np.datetime64], NDArray[np.floating]]

POPULATION = "geostat"
"""Source of the channel that tells towns from country."""


def held_out_days(store: Store, info: CheckpointInfo, where: str) -> list[np.datetime64]:
    """Return the days of a checkpoint's own phase that neither it nor a phase before trained on.

    Raises
    ------
    CheckpointError
        If the store is not the one it was trained on.
    ConfigurationError
        If its recipe kept no whole day back.
    """
    if store.manifest_hash != info.data_manifest:
        msg = (
            f"Invalid store {store.folder}. It must be the one {where} was trained on. Given "
            f"another ({store.manifest_hash[:12]}, not {info.data_manifest[:12]}). Give --store."
        )
        raise CheckpointError(msg)
    recipe = Recipe.from_dict(info.recipe)
    if recipe.sampling.split == "random" and not recipe.sampling.crop:
        msg = (
            f"Invalid checkpoint {where}. Its recipe must have kept whole days back. Given the "
            "split random, by patches. Train with split = 'blocked' to calibrate."
        )
        raise ConfigurationError(msg)
    own = days_of_phase(store, recipe, info.phase).days
    trained = set(info.trained_days) or _days_drawn_by_phase(store, recipe, info.phase)
    left = [day for day in own if str(day) not in trained]
    if not left:
        msg = (
            f"Invalid checkpoint {where}. Some days must have been kept back in all phases. Given "
            "none: each day of its last phase was trained on in one before. Hold years back for "
            "phase 3, or calibrate a network of one phase."
        )
        raise ConfigurationError(msg)
    return left


def _days_drawn_by_phase(store: Store, recipe: Recipe, last: int) -> set[str]:
    """Return the days that older checkpoints, which name none, were trained on.

    Each of their phases drew for itself what validates.
    """
    trained: set[str] = set()
    for phase in sorted(p.phase for p in recipe.phases if p.phase <= last):
        own = days_of_phase(store, recipe, phase).days
        held = validation_days(len(own), recipe.sampling, recipe.seed + 1000 * phase)
        trained |= {str(day) for day, is_held in zip(own, held, strict=True) if not is_held}
    return trained


def population_of(table: InputTable, inputs: Inputs) -> NDArray[np.float32]:
    """Return people per km2 of a day's inputs, zero everywhere where the table has none."""
    rows = [i for i, v in enumerate(table.group("emission")) if v.source == POPULATION]
    field = inputs.emission[rows[0]] if rows else 0.0 * inputs.emission[0]
    return np.asarray(field.numpy(), dtype=np.float32)


def collect_residuals(
    store: Store,
    days: Sequence[np.datetime64],
    read: Read,
    read_spread: Read,
    choose: Callable[[Stations], Stations] = all_of,
) -> Residuals:
    """Read predictions at the training stations of some days.

    Parameters
    ----------
    store : Store
    days : sequence of datetime64[D]
        Of the store.
    read, read_spread : callable
        From a day to NO2 and its raw spread (n_level, n_y, n_x) on the store's grid [ug m-3].
    choose : callable
        Returns those of a day's training stations that count.

    Raises
    ------
    DataError
        If a field is on another grid or not finite, or there is no station.
    """
    parts: list[tuple[NDArray[np.generic], ...]] = []
    population: NDArray[np.float32] | None = None
    for day in days:
        index = store.index(day)
        found = choose(store.stations(index))
        if population is None:
            population = population_of(store.table, store.day_inputs(index))
        fields = [_surface(of(day), store, day) for of in (read, read_spread)]
        place = (found.rows, found.columns)
        number = np.ravel_multi_index(place, store.grid.shape)
        when = np.full(number.shape, day, dtype="datetime64[D]")
        values = [field[place] for field in fields]
        parts.append((found.values, *values, when, population[place], number))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    if not joined or not joined[0].size:
        msg = (
            f"No station to calibrate with in {store.folder}. The days held out must have training "
            "stations. Given none. Prepare a store with stations."
        )
        raise DataError(msg)
    return Residuals(*joined)


def _surface(field: NDArray[np.floating], store: Store, day: np.datetime64) -> NDArray[np.floating]:
    if field.shape[-2:] != store.grid.shape or not np.isfinite(field[0]).all():
        msg = (
            f"Invalid profiles of {day}. They must be finite and on the store's grid, "
            f"{store.grid.shape[0]} x {store.grid.shape[1]} cells. Given {field.shape[-2]} x "
            f"{field.shape[-1]}, {int((~np.isfinite(field[0])).sum())} missing. Predict the day "
            "from this store."
        )
        raise DataError(msg)
    return np.asarray(field[0], dtype=np.float64)


def spread_text(n_model: int) -> str:
    """Say how a raw spread is made.

    Examples
    --------
    >>> spread_text(3)
    'standard deviation over 3 checkpoints'
    """
    return f"standard deviation over {n_model} checkpoint{'s' if n_model > 1 else ''}"


def fingerprints(models: Sequence[Checkpoint]) -> tuple[str, ...]:
    """Return the fingerprints of checkpoints."""
    return tuple(model.fingerprint for model in models)
