"""`dacno2-s5p predict`: DACNO2-S5P profiles of whole days as a-priori sets."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import history_line, note, print_json, progress_bar, say_memory
from cli.options.network import (
    allow_synthetic_option,
    checkpoints_option,
    patch_option,
    source_option,
    store_option,
)
from cli.options.orbits import find_orbits
from cli.options.shared import (
    PROFILES,
    allow_empty_option,
    dry_run_option,
    first_last_options,
    json_option,
    output_folder_option,
    overwrite_option,
    skip_missing_option,
    update_option,
    verbosity_options,
    workspace_option,
)
from cli.workers.fanout import Failures, Workers, fan_out, worker_options
from cli.workers.isolated import guarded

if TYPE_CHECKING:
    import numpy as np

    from cli.tasks.day import Opened, Prediction
    from dacno2_s5p.prediction.days import DayInputs


@click.command(short_help="DACNO2-S5P profiles on the 2 km grid, one file a day.")
@click.argument("orbits", metavar="[ORBIT]...", nargs=-1, type=click.Path(path_type=Path))
@first_last_options("First day, instead of the days of orbits.", "Last day.  [default: the first]")
@checkpoints_option(
    "Network to predict with; repeat it for an ensemble.  [default: the packaged members]"
)
@workspace_option
@source_option()
@store_option("Read the days from a prepared store, not from source files.")
@click.option(
    "--members",
    "n_member",
    type=click.IntRange(min=1),
    default=None,
    metavar="N",
    help="So many of the packaged members; their mean is written, and from two on their spread as "
    "no2_uncertainty. 1 is the fast one.  [default: all]",
)
@click.option(
    "--raw-uncertainty",
    is_flag=True,
    help="Write the raw spread although a calibration lies beside the checkpoint.",
)
@patch_option
@click.option(
    "--bfloat16", is_flag=True, help="Half the precision inside, faster where the processor has it."
)
@allow_synthetic_option
@allow_empty_option
@skip_missing_option
@output_folder_option("Folder of the files.  [default: WORKSPACE/profiles]")
@worker_options
@overwrite_option
@update_option
@dry_run_option("Say what would be done, and stop.")
@json_option
@verbosity_options
def predict(**given: Any) -> None:
    """Write NO2 profiles at eight heights, for a day, a range of days, or the days of ORBITs.

    ORBIT is a file, a folder, or a quoted glob. Inputs come from your files in the workspace (as
    `prepare` reads them) or from a store. A day that has its file from the same checkpoint, inputs
    and options is skipped; any other file is kept unless --overwrite is given. Set the environment
    variable DACNO2_S5P_KEEP_ALLOCATOR to leave the memory allocator alone.

    Examples:

    \b
      dacno2-s5p predict --start 2023-06-01 --end 2023-06-30 -c phase3/best.safetensors
      dacno2-s5p predict S5P_OFFL_L2__NO2____20230601T*.nc -w data
      dacno2-s5p predict --start 2023-06-01 -c a.safetensors -c b.safetensors --store store
    """
    _check_call(given)
    workers = Workers.of(given)
    checkpoints = _checkpoint_paths(given)
    days, unread = _days(given)
    if not days:
        sys.exit(unread.tell())

    from cli.tasks.day import Prediction, opened

    options = ("workspace", "store", "patch_size", "bfloat16", "allow_synthetic")
    prediction = Prediction(
        checkpoints=checkpoints,
        folder=given["output"] or given["workspace"] / PROFILES,
        history=history_line(),
        sources=tuple(given["sources"]),
        **{name: given[name] for name in (*options, "raw_uncertainty", "overwrite", "update")},
    )
    try:
        _run(prediction, opened(prediction), days, unread, workers, given)
    finally:
        if opened.cache_info().currsize:
            opened(prediction).source.close()
        opened.cache_clear()


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


def _checkpoint_paths(given: dict[str, Any]) -> tuple[Path, ...]:
    """Return the checkpoints of the command line, or the packaged ones, and say which."""
    from dacno2_s5p.network.checkpoint import shipped_checkpoints

    if given["checkpoints"]:
        if given["n_member"] is not None:
            msg = "both --checkpoint and --members are given. Members are those of the package."
            raise click.UsageError(msg)
        return tuple(given["checkpoints"])
    packaged = shipped_checkpoints(cams=True) if _has_forecast(given) else ()
    why = "the days have the CAMS forecast"
    if not packaged:
        packaged, why = shipped_checkpoints(), "it asks for no CAMS forecast"
    if not packaged:
        msg = "there is no packaged checkpoint. Give --checkpoint FILE, written by train."
        raise click.UsageError(msg)
    wanted = given["n_member"] or len(packaged)
    if wanted > len(packaged):
        msg = f"--members must be at most {len(packaged)}, those packaged. Given {wanted}."
        raise click.UsageError(msg)
    note(f"packaged network {packaged[0].stem}, {wanted} of {len(packaged)} members: {why}")
    return packaged[:wanted]


def _has_forecast(given: dict[str, Any]) -> bool:
    """Say whether the days come with the CAMS forecast: in the store, or as files beside others."""
    from cli.options.network import named_paths
    from dacno2_s5p.sources.paths import SourcePaths
    from dacno2_s5p.store.store import Store

    if given["store"] is not None:
        return "cams" in Store.open(given["store"]).table.groups
    folder = SourcePaths.in_folder(given["workspace"], named_paths(tuple(given["sources"])))
    path = folder.cams_forecast
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def _days(given: dict[str, Any]) -> tuple[list[np.datetime64], Failures]:
    """Return the days asked for, ascending, each once; and the orbits whose day is not known."""
    import numpy as np

    if given["orbits"]:
        found = find_orbits(given["orbits"], originals=True)
        unread = Failures("orbits", len(found.paths))
        outcomes = [(path, guarded(_day_of_orbit, path)) for path in found.paths]
        days = {outcome.value for path, outcome in outcomes if unread.check(str(path), outcome)}
        return sorted(days), unread
    first = np.datetime64(given["first"].date(), "D")
    last = np.datetime64((given["last"] or given["first"]).date(), "D")
    return list(np.arange(first, last + 1)), Failures("orbits", 0)


def _day_of_orbit(path: Path) -> np.datetime64:
    from retrieval.l2.open_orbit import open_orbit
    from retrieval.substitution.job import orbit_time

    with open_orbit(path) as orbit:
        day: np.datetime64 = orbit_time(orbit).astype("datetime64[D]")
    return day


def _run(
    prediction: Prediction,
    use: Opened,
    days: list[np.datetime64],
    unread: Failures,
    workers: Workers,
    given: dict[str, Any],
) -> None:
    from cli.tasks.day import DayTask, do_day

    there, new = _divide(prediction, use, days)
    complete, missing = _complete(new, use.source, skip=given["skip_missing"], others=there)
    gone = {day for day in there if use.source.missing(day)}
    for day in gone:
        note(f"{prediction.path(day)} is not compared with its inputs, which are gone")
    tasks = [
        DayTask(prediction, day, given["dry_run"]) for day in sorted({*complete, *there} - gone)
    ]
    if complete:
        _say_memory(prediction, use, workers, len(tasks))
    failures = Failures("days", len(tasks))
    written: list[np.datetime64] = []
    skipped = list(gone)
    with progress_bar("days" if len(tasks) > 1 else str(days[0])) as progress:
        outcomes = fan_out(do_day, tasks, Workers() if given["dry_run"] else workers, progress)
        for task, outcome in zip(tasks, outcomes, strict=True):
            if failures.check(str(task.day), outcome):
                (skipped if outcome.value.is_skipped else written).append(task.day)
    summary: dict[str, Any] = {
        "checkpoint": [str(model.path) for model in use.models],
        "training_data": use.models[0].info.training_data,
        "inputs": use.source.origin,
        "patches": len(use.grid.patches()),
        "calibration": None if use.calibration is None else use.calibration.fingerprint,
        "skipped": [str(day) for day in sorted(skipped)],
        "missing": missing,
        "failed": {**unread.errors, **failures.errors},
        "files": [str(prediction.path(day)) for day in written],
    }
    _say(summary, given, done=not given["dry_run"])
    if failures or unread:
        sys.exit(max(unread.tell(), failures.tell()))


def _divide(
    prediction: Prediction, use: Opened, days: list[np.datetime64]
) -> tuple[list[np.datetime64], list[np.datetime64]]:
    """Divide days into those with a file of these checkpoints and those to predict.

    Raises
    ------
    OutputError
        If a file is of other checkpoints, before any day is read.
    """
    from dacno2_s5p.prediction.profile_files import made_by
    from retrieval.errors import OutputError

    wanted = ", ".join(model.fingerprint for model in use.models)
    there = [day for day in days if prediction.path(day).exists() and not prediction.overwrite]
    for path in map(prediction.path, there):
        if not prediction.update and made_by(path) != wanted:
            msg = (
                f"Invalid output {path}. It must be new, or of the same checkpoint. Given one of "
                "another. Give --overwrite to replace it, or -o with another folder."
            )
            raise OutputError(msg)
    return there, [day for day in days if day not in there]


def _complete(
    days: list[np.datetime64], source: DayInputs, *, skip: bool, others: list[np.datetime64]
) -> tuple[list[np.datetime64], dict[str, list[str]]]:
    """Return complete days and what others lack; refuse those unless they may be left out."""
    from dacno2_s5p.errors import DataError

    missing = {str(day): lacking for day in days if (lacking := source.missing(day))}
    complete = [day for day in days if str(day) not in missing]
    for day, lacking in missing.items():
        note(f"missing on {day}: {'; '.join(lacking)}")
    if missing and not (skip and (complete or others)):
        first = next(iter(missing))
        msg = (
            f"Missing inputs. Every day must be complete. Given {len(missing)} of {len(days)} days "
            f"that are not, the first {first}: {'; '.join(missing[first])}. Add the files, or give "
            "--skip-missing to leave these days out."
        )
        raise DataError(msg)
    return complete, missing


def _say_memory(prediction: Prediction, use: Opened, workers: Workers, n_day: int) -> None:
    """Say how much memory the call takes, before it takes it."""
    from dacno2_s5p.network.memory import prediction_bytes

    each = prediction_bytes(use.models[0].info, use.grid, with_spread=prediction.wants_spread)
    patches = f"for {len(use.grid.patches())} patches a day"
    if workers.scheduler is not None:
        note(f"about {each / 1e9:.1f} GB of memory a worker {patches}")
        return
    n_process = min(workers.jobs or 1, n_day)
    advice = f"Give a smaller --patch{' or fewer --jobs' if n_process > 1 else ''}."
    say_memory(each * n_process, advice, f"{patches} on {n_process} process(es)")


def _say(summary: dict[str, Any], given: dict[str, Any], *, done: bool) -> None:
    if given["as_json"]:
        print_json(summary)
        return
    for path in summary["files"]:
        click.echo(path if done else f"would write {path}")
    for day in summary["skipped"]:
        click.echo(f"skipped {day}: done before")
