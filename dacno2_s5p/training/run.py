"""A run as its recipe describes it: days of a store to each phase, one checkpoint to the next.

RUN/
  phase1/  state.safetensors  best.safetensors  curves.csv  [splits.json]
  phase2/  ...
  phase3/  ...
  curves.png
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dacno2_s5p.errors import CheckpointError, ConfigurationError, DataError
from dacno2_s5p.network.checkpoint import CheckpointInfo, load_checkpoint
from dacno2_s5p.sources.stations.split import training_points
from dacno2_s5p.store.moments import scaling_of_days
from dacno2_s5p.training.curves import plot_curves, read_rows
from dacno2_s5p.training.losses import LossWeights
from dacno2_s5p.training.phase import PhaseTrainer, new_network
from dacno2_s5p.training.processes import Processes
from dacno2_s5p.training.recipe import Recipe
from dacno2_s5p.training.sampling import training_days
from dacno2_s5p.training.split_scores import require_blocks, split_scores, write_scores

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dacno2_s5p.network.dacno2 import Dacno2, NetworkConfig
    from dacno2_s5p.store.store import Store
    from dacno2_s5p.training.phase import PhaseResult, Progress


logger = logging.getLogger(__name__)

STATIONS_ONLY = LossWeights(station=1.0)
"""The ablation `onlyobs`: no CAMS at all."""

ONLYOBS = "onlyobs"

ELEVATION = "elevation"
"""Variable that relief is made of."""

DATA_KEYS = ("years", "excluded_years", "adaptation_years", "twin")
"""Entries of a recipe's section `data`."""


def phase_folder(run: Path, phase: int, *, onlyobs: bool = False) -> Path:
    """Return the folder of a phase in that of the run."""
    return run / (ONLYOBS if onlyobs else f"phase{phase}")


def onlyobs_recipe(recipe: Recipe) -> Recipe:
    """Return the ablation of a recipe: phase 2 from random weights, stations alone (Table 2)."""
    # random weights have no batch statistics yet that could be frozen at once
    learnt = max((one.freeze_norm_after for one in recipe.phases if one.phase < 3), default=0)
    phase = replace(
        recipe.phase(2),
        loss=STATIONS_ONLY,
        freeze_norm=learnt > 0,
        freeze_norm_after=learnt,
    )
    return replace(recipe, name=f"{recipe.name}-{ONLYOBS}", phases=(phase,))


def days_of_phase(store: Store, recipe: Recipe, phase: int) -> Store:
    """Return the days a phase trains on.

    Phases 1 and 2 take the training days of `years` (all without them), phase 3 those of
    `adaptation_years` (without them, as phases 1 and 2: nothing to adapt to).
    `excluded_years` are left out of all.

    Raises
    ------
    ConfigurationError
        If an entry of the section is unknown, or no day is left.
    """
    unknown = sorted(set(recipe.data) - set(DATA_KEYS))
    if unknown:
        msg = (
            f"Invalid data section of the recipe {recipe.name}. Its entries must be of "
            f"{', '.join(DATA_KEYS)}. Given {', '.join(unknown)}. Change the recipe."
        )
        raise ConfigurationError(msg)
    excluded = {int(year) for year in recipe.data.get("excluded_years", ())}
    adapted = recipe.data.get("adaptation_years", ()) if phase == 3 else ()
    wanted = adapted or recipe.data.get("years", ())
    there = {int(str(day)[:4]) for day in store.days}
    years = ({int(year) for year in wanted} or there) - excluded
    absent = sorted({int(year) for year in wanted} - there)
    if absent:
        msg = (
            f"Missing years. The store must hold those of the recipe {recipe.name}. Given "
            f"{store.folder} without {', '.join(map(str, absent))}. Prepare them, or change the "
            "data section."
        )
        raise DataError(msg)
    return store.select(split="all" if adapted else "training", years=years)


def starting_point(
    store: Store, recipe: Recipe, parent: Path | None
) -> tuple[Dacno2, CheckpointInfo]:
    """Return network and description a phase starts from.

    Without a parent: random weights and the statistics of the store's days. With one: its
    weights, and its statistics and ratios, whatever store the phase trains on.

    Raises
    ------
    CheckpointError
        If the parent was made for other data.
    ConfigurationError
        If it is another network than the recipe's.
    """
    if parent is None:
        network = new_network(replace(recipe, network=_fitted(recipe, store)))
        statistics, scaling = scaling_of_days(store)
        network.set_scaling(scaling)
        info = CheckpointInfo(
            network=network.config,
            inputs=store.table.select(network.config.groups),
            grid=store.grid,
            preparation=store.preparation,
            statistics=statistics,
            scaling=scaling,
            phase=1,
            step=0,
            training_data=store.training_data,
            world=store.world,
            data_manifest=store.manifest_hash,
            training_stations=tuple(sorted(_points(store))),
            trained_days=tuple(sorted(days_of_own(store, recipe))),
        )
        return network, info
    start = load_checkpoint(parent)
    start.require(grid=store.grid, inputs=store.table, preparation=store.preparation)
    if start.info.network != _fitted(recipe, store):
        msg = (
            f"Invalid checkpoint {parent}. Its network must be that of the recipe {recipe.name}. "
            "Given other widths. Use the recipe it was trained with."
        )
        raise ConfigurationError(msg)
    if store.world and start.info.trained_world not in ("", store.world):
        msg = (
            f"Invalid checkpoint {parent}. Its phases must be trained on days of one twin world. "
            f"Given a store of {store.world!r} after {start.info.trained_world!r}. Choose the "
            "store that it was trained on."
        )
        raise CheckpointError(msg)
    origins = {start.info.training_data, store.training_data}
    earlier, own = days_of_parent(store, start.info), days_of_own(store, recipe)
    _warn_of_days_seen(store, earlier, own)
    info = replace(
        start.info,
        parent=start.fingerprint,
        data_manifest=store.manifest_hash,
        training_stations=tuple(sorted({*start.info.training_stations, *_points(store)})),
        trained_days=tuple(sorted(earlier | own)),
        training_data="synthetic" if "synthetic" in origins else "real",
        world=start.info.world or store.world,
        metrics={},
    )
    return start.network, info


def _warn_of_days_seen(store: Store, earlier: frozenset[str], own: frozenset[str]) -> None:
    """Warn where a phase with blocks held back validates on days that its parent has seen."""
    held = {str(day) for day in store.days} - own
    seen = held & earlier
    if seen:
        logger.warning(
            "the checkpoint this phase starts from was trained on %d of the %d days held back: the "
            "loss there flatters; with the seed and years of its recipe they would be the same",
            len(seen),
            len(held),
        )


def _points(store: Store) -> frozenset[str]:
    """Return the training stations of the years that a store's days are of."""
    years = {str(day)[:4] for day in store.days}
    return training_points({y: store.manifest["stations"].get(y, []) for y in years})


def _fitted(recipe: Recipe, store: Store) -> NetworkConfig:
    """Return the recipe's network with the channels and heights of the store.

    Raises
    ------
    ConfigurationError
        If the store lacks an optional group, or its elevation is not where relief looks for it.
    """
    wanted, heights = recipe.network, store.preparation.heights
    lacking = [group for group in wanted.groups if group not in store.table.groups]
    if lacking:
        msg = (
            f"Invalid store {store.folder}. It must hold the groups of inputs of the recipe "
            f"{recipe.name}. Given one without {', '.join(lacking)}. Prepare it with them, or take "
            "them out of the network section."
        )
        raise ConfigurationError(msg)
    if wanted.relief and store.table.channels("geography")[0].name != ELEVATION:
        msg = (
            f"Invalid table of inputs. With relief the first map of geography must be {ELEVATION}. "
            f"Given {store.table.channels('geography')[0].name}. Put it first, or set relief to 0."
        )
        raise ConfigurationError(msg)
    table = store.table.select(wanted.groups)
    widths: dict[str, Any] = {**table.widths, "n_level": len(heights)}
    return replace(wanted, **widths, heights=heights if wanted.has_guess else ())


def run_phase(
    store: Store,
    recipe: Recipe,
    phase: int,
    run: Path,
    *,
    parent: Path | None = None,
    onlyobs: bool = False,
    resume: bool = False,
    stop_after: int | None = None,
    minutes: float | None = None,
    progress: Callable[[Progress], None] | None = None,
    processes: Processes | None = None,
    compare_splits: bool = False,
) -> PhaseResult:
    """Train one phase of a run.

    Parameters
    ----------
    store : Store
        All days; those of the phase are chosen by the recipe.
    recipe : Recipe
    phase : int
    run : Path
        Folder of the run.
    parent : Path, optional
        Checkpoint to start from; by default the best of the phase before in `run`.
    onlyobs : bool
        The ablation instead: stations alone, from random weights, with phase 2's recipe.
    resume, stop_after, minutes, progress
        As in `PhaseTrainer.run`.
    processes : Processes, optional
    compare_splits : bool
        At the end, score the best network on days trained on and on days held back
        (`split_scores`), and write `splits.json` into the phase's folder.

    Raises
    ------
    TrainingError
        If the folder holds a run and `resume` is not given.
    ConfigurationError
        If the phase before has not been trained, or splits cannot be compared.
    """
    if compare_splits:
        require_blocks(recipe.sampling)
    recipe = onlyobs_recipe(recipe) if onlyobs else recipe
    phase = 2 if onlyobs else phase
    if not onlyobs and phase > 1 and parent is None:
        parent = phase_folder(run, phase - 1) / "best.safetensors"
        if not parent.exists():
            msg = (
                f"Missing checkpoint {parent}. Phase {phase} starts from phase {phase - 1}. Given "
                f"none. Train phase {phase - 1}, or give --from CHECKPOINT."
            )
            raise ConfigurationError(msg)
    days = days_of_phase(store, recipe, phase)
    network, info = starting_point(days, recipe, parent)
    folder = phase_folder(run, phase, onlyobs=onlyobs)
    processes = processes or Processes()
    logger.info("phase %d on %d days, %s to %s", phase, days.n_day, days.days[0], days.days[-1])
    trainer = PhaseTrainer(network, days, info, recipe, phase, folder, processes)
    result = trainer.run(resume=resume, stop_after=stop_after, minutes=minutes, progress=progress)
    if not (compare_splits and result.is_finished):
        return result
    splits = split_scores(trainer, result.checkpoint)
    if processes.writes:
        write_scores(folder / "splits.json", splits)
    return replace(result, splits=splits)


def draw_curves(run: Path, *, onlyobs: bool = False) -> Path | None:
    """Draw the curves of all phases trained so far as `curves.png`, None where there are none."""
    phases = (2,) if onlyobs else (1, 2, 3)
    files = [phase_folder(run, phase, onlyobs=onlyobs) / "curves.csv" for phase in phases]
    rows = [row for file in files if file.exists() for row in read_rows(file)]
    if not rows:
        return None
    path = (run / ONLYOBS if onlyobs else run) / "curves.png"
    plot_curves(rows, path)
    return path


def days_of_own(store: Store, recipe: Recipe) -> frozenset[str]:
    """Return the days a phase trains on.

    Parameters
    ----------
    store : Store
        The days of the phase.
    recipe : Recipe
    """
    trains = training_days(store.n_day, recipe.sampling, recipe.seed)
    return frozenset(str(day) for day, is_in in zip(store.days, trains, strict=True) if is_in)


def days_of_parent(store: Store, info: CheckpointInfo) -> frozenset[str]:
    """Return the days a parent and those before it were trained on.

    Of a parent that does not name them (older ones) every day of its years that the store has.

    Parameters
    ----------
    store : Store
        Of the child.
    info : CheckpointInfo
        Of the parent.
    """
    if info.trained_days:
        return frozenset(info.trained_days)
    data = Recipe.from_dict(info.recipe).data
    years = {str(year) for key in ("years", "adaptation_years") for year in data.get(key, ())}
    return frozenset(d for d in store.manifest["days"] if not data.get("years") or d[:4] in years)
