"""`dacno2-s5p train`: the three training phases of a recipe, from a store to a checkpoint."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import note, print_json, progress_bar, say_memory
from cli.options.network import threads_option
from cli.options.shared import (
    RUNS,
    STORE,
    choice_option,
    json_option,
    output_folder_option,
    verbosity_options,
    workspace_option,
)
from cli.reporting.origin import LEAF, input_file, origin_of, write_origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from dacno2_s5p.store.store import Store
    from dacno2_s5p.training.phase import PhaseResult, Progress
    from dacno2_s5p.training.recipe import Recipe
    from dacno2_s5p.training.report import SplitScores


@click.command(short_help="Train the network: phases 1, 2, 3, resumable.")
@click.option(
    "-r",
    "--recipe",
    "recipe_path",
    required=True,
    metavar="TOML",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Network, sampling, phases and days of the run; see configs/.",
)
@choice_option("--phase", ["1", "2", "3", "all"], "all", "One phase, or all that the recipe has.")
@click.option(
    "--onlyobs",
    is_flag=True,
    help="The ablation: stations alone, from random weights, with phase 2's recipe.",
)
@workspace_option
@click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The training store.  [default: WORKSPACE/store]",
)
@output_folder_option("Folder of the run.  [default: WORKSPACE/runs/NAME of the recipe]")
@click.option(
    "--from",
    "parent",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Checkpoint to start from.  [default: the phase before]",
)
@click.option(
    "--member",
    type=click.IntRange(min=0),
    metavar="N",
    default=None,
    help="Member of an ensemble: other weights and samples, the same days held back. From 1 on the "
    "run's folder is NAME-mN.  [default: the recipe's, 0]",
)
@click.option("--resume", is_flag=True, help="Go on where the run stopped, bit for bit.")
@click.option(
    "--stop-after",
    type=click.IntRange(min=1),
    metavar="STEPS",
    default=None,
    help="Stop each phase after so many steps, ready to be resumed.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.0, min_open=True),
    metavar="N",
    default=None,
    help="Stop after the step that passes so many minutes, ready to be resumed.",
)
@click.option(
    "--compare-splits",
    is_flag=True,
    help="Score each phase's best network also on fresh windows of the days it was trained on, as "
    "a random split would: the difference to the blocks held back is the leak.",
)
@threads_option
@json_option
@verbosity_options
def train(**given: Any) -> None:
    """Train the phases of a recipe on a prepared store.

    Each phase has a folder with the state to resume from, the best checkpoint and the curves; a
    phase starts from the best checkpoint of the one before. Several processes share a run under
    torchrun. A recipe with a twin section writes its own store first.

    Examples:

    \b
      dacno2-s5p train --recipe configs/paper.toml --store data/store
      dacno2-s5p train --recipe configs/twin.toml --phase 3 --resume
      torchrun --nproc-per-node 2 --no-python dacno2-s5p train --recipe R.toml --threads 1
    """
    if given["onlyobs"] and (given["phase"] != "all" or given["parent"] is not None):
        msg = "--onlyobs is one phase from random weights. Leave out --phase and --from."
        raise click.UsageError(msg)
    if given["parent"] is not None and given["phase"] == "all":
        msg = "--from starts one phase. Give --phase 1, 2 or 3, too."
        raise click.UsageError(msg)

    from dacno2_s5p.network.runtime import tune_process
    from dacno2_s5p.training.processes import Processes
    from dacno2_s5p.training.recipe import Recipe

    tune_process(given["threads"])
    recipe = _member(Recipe.read(given["recipe_path"]), given["member"])
    processes = Processes.join()
    store = _open_store(recipe, given, processes)
    if processes.writes:
        _say_memory(recipe, store, processes.count)
    results = _run(recipe, store, processes, given)
    if processes.writes:
        _write_origin(recipe, store, given)
        _say(results, recipe, given)


def _member(recipe: Recipe, member: int | None) -> Recipe:
    """Return the recipe of a member of an ensemble, under a name of its own."""
    if member is None:
        return recipe
    name = f"{recipe.name}-m{member}" if member else recipe.name
    return replace(recipe, name=name, member=member)


def _open_store(recipe: Recipe, given: dict[str, Any], processes: Any) -> Store:
    """Open the store; that of a twin recipe is written first, or completed."""
    from dacno2_s5p.store.store import Store

    folder = given["store"] or given["workspace"] / STORE
    if "twin" in recipe.data:
        from dacno2_s5p.twin.training_store import TwinDays, write_twin_store

        if processes.writes:
            with progress_bar("Twin world's store") as progress:
                write_twin_store(folder, TwinDays.from_dict(recipe.data["twin"]), progress)
        processes.wait()
    return Store.open(folder)


def _run(
    recipe: Recipe, store: Store, processes: Any, given: dict[str, Any]
) -> dict[str, PhaseResult]:
    """Train the phases asked for, one after the other."""
    from dacno2_s5p.training.run import draw_curves, run_phase

    run = _run_folder(recipe, given)
    onlyobs = given["onlyobs"]
    wanted = _phases(recipe, given)
    results = {}
    started = time.monotonic()
    for phase in wanted:
        title = "onlyobs" if onlyobs else f"phase {phase}"
        with progress_bar(title) as bar:
            results[title] = run_phase(
                store,
                recipe,
                phase,
                run,
                parent=given["parent"],
                onlyobs=onlyobs,
                resume=given["resume"],
                stop_after=given["stop_after"],
                minutes=_minutes_left(given["minutes"], started),
                progress=_teller(bar, title) if processes.writes else None,
                processes=processes,
                compare_splits=given["compare_splits"],
            )
        if not results[title].is_finished:
            break
    if processes.writes:
        draw_curves(run, onlyobs=onlyobs)
    return results


def _minutes_left(minutes: float | None, started: float) -> float | None:
    """Return what the phases before have left of the minutes of a call, not less than none."""
    return None if minutes is None else max(minutes - (time.monotonic() - started) / 60.0, 0.0)


def _say_memory(recipe: Recipe, store: Store, count: int) -> None:
    """Say how much memory the run takes, before it takes it."""
    from dacno2_s5p.network.memory import training_bytes

    size = recipe.sampling.crop or store.grid.patch_size
    micro = max(phase.micro_batch for phase in recipe.phases)
    steps = store.preparation.weather_steps
    needed = count * training_bytes(recipe.network, steps, size, micro)
    say_memory(needed, "Give the recipe a smaller micro_batch or crop.", f"in {count} process(es)")


def _write_origin(recipe: Recipe, store: Store, given: dict[str, Any]) -> None:
    """Say beside the run what it was trained on; each checkpoint says more of itself."""
    from dacno2_s5p.network.checkpoint import package_versions
    from retrieval.files.provenance import InputFile

    inputs = [input_file(given["recipe_path"], "recipe")]
    inputs.append(InputFile(store.folder.name, "store", store.manifest_hash))
    if given["parent"] is not None:
        inputs.append(input_file(given["parent"], "checkpoint"))
    packages = [name for name in package_versions() if name not in ("python", "dacno2-s5p")]
    write_origin(
        _run_folder(recipe, given) / LEAF,
        origin_of(inputs, given, packages),
        is_synthetic=store.training_data == "synthetic",
        overwrite=True,
    )


def _phases(recipe: Recipe, given: dict[str, Any]) -> tuple[int, ...]:
    if given["onlyobs"]:
        return (2,)
    if given["phase"] == "all":
        return tuple(sorted(phase.phase for phase in recipe.phases))
    return (int(given["phase"]),)


def _run_folder(recipe: Recipe, given: dict[str, Any]) -> Path:
    folder: Path = given["output"] or given["workspace"] / RUNS / recipe.name
    return folder


def _teller(bar: Callable[[int, int], None] | None, title: str) -> Callable[[Progress], None]:
    """Return what tells a step: to the bar, and a line with time left whenever it validates."""
    said: list[float | None] = [None]

    def tell(progress: Progress) -> None:
        if bar is not None:
            bar(progress.step, progress.steps)
        if progress.validation_loss in (None, said[0]):
            return
        said[0] = progress.validation_loss
        note(
            f"{title}, step {progress.step} of {progress.steps}: loss {progress.loss:.4f}, "
            f"validation {progress.validation_loss:.4f}, {duration(progress.seconds_left)} left"
        )

    return tell


def duration(seconds: float) -> str:
    """Write a duration in its two largest units.

    Examples
    --------
    >>> duration(42), duration(754), duration(9000)
    ('42 s', '12 min 34 s', '2 h 30 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, part = divmod(minutes, 60)
    if hours:
        return f"{hours} h {part} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _say(results: dict[str, PhaseResult], recipe: Recipe, given: dict[str, Any]) -> None:
    if given["as_json"]:
        print_json(
            {
                title: {
                    "checkpoint": str(result.checkpoint),
                    "validation_loss": result.best_loss,
                    "best_step": result.best_step,
                    "step": result.step,
                    "is_finished": result.is_finished,
                    "splits": None if result.splits is None else asdict(result.splits),
                }
                for title, result in results.items()
            }
        )
        return
    for title, result in results.items():
        if not result.is_finished:
            click.echo(f"{title}: stopped after step {result.step}. Give --resume to go on.")
            continue
        click.echo(
            f"{title}: validation loss {result.best_loss:.5f} at step {result.best_step} of "
            f"{result.step}, {result.checkpoint}"
        )
        if result.splits is not None:
            click.echo(_split_line(title, result.splits))
    click.echo(f"curves: {_run_folder(recipe, given)}")


def _split_line(title: str, splits: SplitScores) -> str:
    """Say how much a random split would flatter."""
    share = 100.0 * splits.difference
    return (
        f"{title}: loss {splits.blocked['loss']:.5f} on days held back, "
        f"{splits.random['loss']:.5f} on other windows of the days trained on ({splits.n} each): a "
        f"random split would look {abs(share):.1f} % {'better' if share >= 0 else 'worse'}"
    )
