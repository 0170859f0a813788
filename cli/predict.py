"""`dacno2-s5p predict`: DACNO2-S5P profiles of whole days as a-priori sets."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import note, print_json, progress_bar
from cli.options import json_option, overwrite_option, verbosity_options, workspace_option
from cli.sources import named_paths, source_option
from cli.uncertainty import calibration_for, uncertainty_of

if TYPE_CHECKING:
    import numpy as np

    from dacno2_s5p.calibration import Calibration
    from dacno2_s5p.checkpoint import Checkpoint
    from dacno2_s5p.day_inputs import DayInputs
    from dacno2_s5p.grid import ModelGrid

logger = logging.getLogger(__name__)

PROFILES = "profiles"
"""Folder of the workspace the files go to."""


@click.command(short_help="DACNO2-S5P profiles on the 2 km grid, one file a day.")
@click.argument("orbits", metavar="[ORBIT]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--start",
    "first",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="First day, instead of the days of orbits.",
)
@click.option(
    "--end",
    "last",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Last day.  [default: the first]",
)
@click.option(
    "-c",
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Network to predict with; repeat it for an ensemble.  [default: the packaged one]",
)
@workspace_option
@source_option
@click.option(
    "--store",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Read the days from a prepared store, not from source files.",
)
@click.option(
    "--dropout-samples",
    "n_dropout",
    type=click.IntRange(min=2),
    default=None,
    metavar="N",
    help="Also write no2_uncertainty, from N samples with dropout. Several "
    "checkpoints give it without.",
)
@click.option(
    "--raw-uncertainty",
    is_flag=True,
    help="Write the raw spread although a calibration lies beside the checkpoint.",
)
@click.option(
    "--patch",
    "patch_size",
    type=click.IntRange(min=32),
    default=None,
    metavar="CELLS",
    show_default="that of the training",
    help="Side of the patches, a multiple of 16.",
)
@click.option("--bfloat16", is_flag=True, help="Half the precision inside, about 1.5 times faster.")
@click.option(
    "--allow-synthetic",
    is_flag=True,
    help="Let a checkpoint trained on the twin world see real inputs.",
)
@click.option("--skip-missing", is_flag=True, help="Leave out incomplete days, and say which.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of the files.  [default: WORKSPACE/profiles]",
)
@overwrite_option
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@json_option
@verbosity_options
def predict(**given: Any) -> None:
    """Write NO2 profiles at eight heights, for a day, a range of days, or the days of ORBITs.

    Inputs come from your files in the workspace (as `prepare` reads them) or from a store. A day
    that has its file from the same checkpoint is skipped; any other file is kept unless
    --overwrite is given. Set the variable DACNO2_S5P_KEEP_ALLOCATOR to leave the memory allocator
    alone.

    Examples:

    \b
      dacno2-s5p predict --start 2023-06-01 --end 2023-06-30 -c phase3/best.safetensors
      dacno2-s5p predict S5P_OFFL_L2__NO2____20230601T*.nc -w data
      dacno2-s5p predict --start 2023-06-01 -c a.safetensors -c b.safetensors --store store
    """
    _check_call(given)
    paths = _checkpoint_paths(given["checkpoints"])
    days = _days(given)

    from dacno2_s5p.checkpoint import load_checkpoint
    from dacno2_s5p.runtime import tune_allocator

    tune_allocator()
    models = [load_checkpoint(path) for path in paths]
    source = _source(models, given)
    try:
        _run(models, source, days, given)
    finally:
        source.close()


def _check_call(given: dict[str, Any]) -> None:
    """Refuse calls that say too little or too much, before anything heavy is loaded."""
    if given["orbits"] and given["first"] is not None:
        msg = "both orbits and --start are given. The days come from one of them."
        raise click.UsageError(msg)
    if not given["orbits"] and given["first"] is None:
        msg = "there is no day. Give --start DATE, or orbits."
        raise click.UsageError(msg)
    if given["last"] is not None and (given["first"] is None or given["last"] < given["first"]):
        msg = "--end needs a --start that does not lie after it."
        raise click.UsageError(msg)
    if given["patch_size"] is not None and given["patch_size"] % 16:
        msg = f"--patch must be a multiple of 16. Given {given['patch_size']}."
        raise click.UsageError(msg)


def _checkpoint_paths(given: tuple[Path, ...]) -> tuple[Path, ...]:
    """Return the checkpoints of the command line, or the packaged one."""
    from dacno2_s5p.shipped import shipped_checkpoint

    if given:
        return given
    packaged = shipped_checkpoint()
    if packaged is None:
        msg = "there is no packaged checkpoint yet. Give --checkpoint FILE, written by train."
        raise click.UsageError(msg)
    return (packaged,)


def _days(given: dict[str, Any]) -> list[np.datetime64]:
    """Return the days asked for, ascending, each once."""
    import numpy as np

    if given["orbits"]:
        return sorted({_day_of_orbit(path) for path in given["orbits"]})
    first = np.datetime64(given["first"].date(), "D")
    last = np.datetime64((given["last"] or given["first"]).date(), "D")
    return list(np.arange(first, last + 1))


def _day_of_orbit(path: Path) -> np.datetime64:
    from retrieval.orbit import Orbit
    from retrieval.reretrieve import orbit_time

    with Orbit.open(path) as orbit:
        day: np.datetime64 = orbit_time(orbit).astype("datetime64[D]")
    return day


def _source(models: list[Checkpoint], given: dict[str, Any]) -> DayInputs:
    """Open what the days come from, and refuse what the checkpoints were not made for."""
    from dacno2_s5p.day_inputs import FileDays, StoreDays
    from dacno2_s5p.sources.paths import SourcePaths
    from dacno2_s5p.store import Store

    own = models[0].info
    source: DayInputs
    if given["store"] is not None:
        if given["sources"]:
            msg = "both --store and --source are given. The days come from one of them."
            raise click.UsageError(msg)
        store = Store.open(given["store"])
        models[0].require(grid=store.grid, inputs=store.table, preparation=store.preparation)
        source = StoreDays(store)
    else:
        paths = SourcePaths.in_folder(given["workspace"], named_paths(given["sources"]))
        source = FileDays(paths, own, own.grid)
    for model in models:
        model.require(grid=source.grid, inputs=own.inputs, preparation=own.preparation)
        model.require_origin(source.origin, allow_synthetic=given["allow_synthetic"])
    return source


def _run(
    models: list[Checkpoint], source: DayInputs, days: list[np.datetime64], given: dict[str, Any]
) -> None:
    from dacno2_s5p.profiles import profile_name

    folder = given["output"] or given["workspace"] / PROFILES
    grid = patches_of(source.grid, models[0], given["patch_size"])
    to_do, skipped = _to_do(days, folder, models, overwrite=given["overwrite"])
    complete, missing = _complete(to_do, source, skip=given["skip_missing"])
    calibration = None
    if _wants_spread(models, given):
        n_dropout = given["n_dropout"] or 0
        calibration = calibration_for(models, n_dropout, raw=given["raw_uncertainty"])
    summary: dict[str, Any] = {
        "checkpoint": [str(model.path) for model in models],
        "training_data": models[0].info.training_data,
        "inputs": source.origin,
        "patches": len(grid.patches()),
        "calibration": None if calibration is None else calibration.fingerprint,
        "skipped": [str(day) for day in skipped],
        "missing": missing,
        "files": [str(folder / profile_name(day)) for day in complete],
    }
    if complete:
        _say_memory(models[0], grid, with_spread=_wants_spread(models, given))
    if given["dry_run"]:
        _say(summary, given, done=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for day in complete:
        _one(models, source, day, folder / profile_name(day), grid, calibration, given)
    _say(summary, given, done=True)


def patches_of(grid: ModelGrid, model: Checkpoint, size: int | None) -> ModelGrid:
    """Cut the grid into patches of the size the network was trained on, or that asked for."""
    from dacno2_s5p.predict import as_trained

    if size is None:
        return as_trained(grid, model.info)
    if size > min(grid.shape):
        msg = f"--patch must be at most {min(grid.shape)}, the grid's width. Given {size}."
        raise click.UsageError(msg)
    return grid if size == grid.patch_size else grid.with_patches(size)


def _to_do(
    days: list[np.datetime64], folder: Path, models: list[Checkpoint], *, overwrite: bool
) -> tuple[list[np.datetime64], list[np.datetime64]]:
    """Divide days into those to predict and those done before by the same checkpoints."""
    from dacno2_s5p.profiles import made_by, profile_name
    from retrieval.errors import OutputError

    wanted = ", ".join(model.fingerprint for model in models)
    to_do, done = [], []
    for day in days:
        path = folder / profile_name(day)
        if overwrite or not path.exists():
            to_do.append(day)
        elif made_by(path) == wanted:
            done.append(day)
            note(f"{path} is there, from the same checkpoint: skipped")
        else:
            msg = (
                f"Invalid output {path}. It must be new, or of the same checkpoint. Given one of "
                "another. Give --overwrite to replace it, or -o with another folder."
            )
            raise OutputError(msg)
    return to_do, done


def _complete(
    days: list[np.datetime64], source: DayInputs, *, skip: bool
) -> tuple[list[np.datetime64], dict[str, list[str]]]:
    """Return complete days and what others lack; refuse those unless they may be left out."""
    from dacno2_s5p.errors import DataError

    missing = {str(day): lacking for day in days if (lacking := source.missing(day))}
    complete = [day for day in days if str(day) not in missing]
    for day, lacking in missing.items():
        note(f"missing on {day}: {'; '.join(lacking)}")
    if missing and not (skip and complete):
        first = next(iter(missing))
        msg = (
            f"Missing inputs. Every day must be complete. Given {len(missing)} of {len(days)} days "
            f"that are not, the first {first}: {'; '.join(missing[first])}. Add the files, or give "
            "--skip-missing to leave these days out."
        )
        raise DataError(msg)
    return complete, missing


def _wants_spread(models: list[Checkpoint], given: dict[str, Any]) -> bool:
    return len(models) > 1 or given["n_dropout"] is not None


def _say_memory(model: Checkpoint, grid: ModelGrid, *, with_spread: bool) -> None:
    from dacno2_s5p.memory import available_bytes, prediction_bytes

    needed, free = prediction_bytes(model.info, grid, with_spread=with_spread), available_bytes()
    note(f"about {needed / 1e9:.1f} GB of memory for {len(grid.patches())} patches a day")
    if free is not None and needed > free:
        logger.warning(
            "about %.1f GB of memory are needed, %.1f are free. Give a smaller --patch.",
            needed / 1e9,
            free / 1e9,
        )


def _one(
    models: list[Checkpoint],
    source: DayInputs,
    day: np.datetime64,
    path: Path,
    grid: ModelGrid,
    calibration: Calibration | None,
    given: dict[str, Any],
) -> None:
    """Predict a day and write its file."""
    from dacno2_s5p.predict import predict_day, predict_spread
    from dacno2_s5p.profiles import profiles_of_day
    from retrieval.formats.profile_file import write_profile_file

    inputs = source.read(day)
    spread = None
    about: dict[str, str] = {}
    n_dropout = given["n_dropout"] or 0
    if _wants_spread(models, given):
        field, spread = predict_spread(
            models, inputs, grid, n_dropout=n_dropout, bfloat16=given["bfloat16"]
        )
        spread, about = uncertainty_of(day, (field, spread), inputs, models, n_dropout, calibration)
    else:
        with progress_bar(str(day)) as progress:
            field = predict_day(
                models[0], inputs, grid, bfloat16=given["bfloat16"], progress=progress
            )
    profiles = profiles_of_day(
        models[0],
        day,
        field,
        grid,
        spread=spread,
        members=models[1:],
        attributes=about,
        input_files=source.names(day),
        inputs_origin=source.origin,
        history=_history(),
    )
    write_profile_file(path, profiles, overwrite=given["overwrite"])


def _history() -> str:
    from datetime import UTC, datetime

    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {' '.join(['dacno2-s5p', *sys.argv[1:]])}"


def _say(summary: dict[str, Any], given: dict[str, Any], *, done: bool) -> None:
    if given["as_json"]:
        print_json(summary)
        return
    for path in summary["files"]:
        click.echo(path if done else f"would write {path}")
    for day in summary["skipped"]:
        click.echo(f"skipped {day}: done before")
