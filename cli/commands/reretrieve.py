"""`dacno2-s5p reretrieve`: new columns, air mass factors and kernels for L2 orbits."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from cli.console import EXIT_DATA, command_line, note, print_json, print_table, progress_bar
from cli.options.above import ABOVE_VMR, chosen_above, say_above
from cli.options.orbits import ENDINGS, Orbits, find_orbits
from cli.options.shared import (
    PROFILES,
    allow_empty_option,
    bbox_option,
    choice_option,
    dry_run_option,
    existing,
    json_option,
    orbit_day_options,
    overwrite_option,
    parse_named_path,
    qa_option,
    sensor_option,
    update_option,
    verbosity_options,
    workspace_option,
)
from cli.workers.fanout import Failures, Workers, fan_out, worker_options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from cli.tasks.orbit import OrbitDone, OrbitTask
    from retrieval.substitution.job import Job
    from retrieval.substitution.summary import OrbitSummary

DEFAULT_SETS = {"dacno2": PROFILES, "cams": "cams"}
"""Sets taken from the workspace when none is given, the primary first."""


@click.command(short_help="New NO2 columns, AMFs and kernels for L2 orbits with another a priori.")
@sensor_option
@click.argument(
    "orbits", metavar="ORBIT...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-a",
    "--apriori",
    "apriori",
    multiple=True,
    metavar="NAME=PATH",
    help="An a-priori set: a file, a folder or a ZIP archive. Repeatable; the first is the "
    "primary. NAME is a letter and up to 15 letters, digits or _. [default: dacno2=DIR/profiles, "
    "cams=DIR/cams of the workspace, where they hold the orbit's day]",
)
@workspace_option
@click.option(
    "--above",
    type=click.Choice(["auto", "constant-vmr", "none", "upper"]),
    default="auto",
    show_default=True,
    help="NO2 between the top of a set and the tropopause. auto, once a run: upper where global "
    "files are given or in ctm/ or cams-global/ of the workspace and serve the orbits, else "
    "constant-vmr.",
)
@click.option(
    "--above-vmr",
    type=float,
    default=None,
    show_default=f"{ABOVE_VMR:g}",
    metavar="PPT",
    help="Mole fraction of constant-vmr, one for all sets [ppt]; given, it means that mode.",
)
@click.option(
    "--upper",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="AUX_CTMANA or CAMS global for mode upper.  [default: DIR/ctm, else DIR/cams-global]",
)
@click.option(
    "--merge-height",
    type=float,
    default=None,
    metavar="M",
    show_default="top of the set",
    help="Height above ground where the part above takes over [m]; 3000 as Douros et al. (2023).",
)
@click.option(
    "--meteo",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Temperatures for layer heights (AUX_CTMANA or ERA5), one for all sets.  "
    "[default: standard atmosphere]",
)
@choice_option(
    "--time-rule",
    ["auto", "overpass-mean", "linear", "nearest"],
    "auto",
    "How fields are brought to the pixels' times.",
)
@choice_option(
    "--tropopause",
    ["inclusive", "exclusive"],
    "inclusive",
    "Whether the tropopause layer belongs to the troposphere.",
)
@choice_option(
    "--layout",
    ["extend", "replace", "side"],
    "extend",
    "extend: new variables beside the originals; replace: the primary takes their names; side: "
    "new variables alone, in a small file that `merge` puts beside the originals.",
)
@choice_option(
    "--crop",
    ["primary", "none"],
    "primary",
    "primary: rows and columns that touch the primary set's grid.",
)
@bbox_option("A further cut [degrees].")
@click.option("--kernels", is_flag=True, help="Also write the new tropospheric kernels.")
@click.option("--profiles", is_flag=True, help="Also write the a-priori partial columns.")
@qa_option("Statistics use pixels with a stored qa_value above this.", 100)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file, or a folder for several orbits.  [default: STEM_SET1[-SET2...].nc beside the "
    "orbit]",
)
@orbit_day_options
@click.option(
    "--best-version",
    is_flag=True,
    help="Of an orbit that folders hold reprocessed, offline and in near real time, take the "
    "first; of one kind the newest.",
)
@worker_options
@allow_empty_option
@overwrite_option
@update_option
@dry_run_option("Show the plan, compute and write nothing.")
@json_option
@verbosity_options
def reretrieve(**given: Any) -> None:
    """Write new tropospheric columns, air mass factors and kernels for each L2 ORBIT.

    ORBIT is a file, a folder, or a quoted glob; in folders and globs only original orbits count. An
    orbit whose output was made from the same content with the same options is skipped. One that was
    found by looking is passed over where it is dark or lies elsewhere.

    Examples:

    \b
      dacno2-s5p reretrieve S5P_OFFL_L2__NO2____*.nc -a cams=cams/2023
      dacno2-s5p reretrieve ORBIT.nc -a dacno2=profiles -a cams=cams --above upper --upper ctm
      dacno2-s5p reretrieve ORBIT.nc --layout replace -o ORBIT_reduced.nc
      dacno2-s5p reretrieve l2 -o new --start 2023-06-01 --end 2023-06-30 --jobs 8
    """
    found = _find(given)
    workers = Workers.of(given)
    _check_targets(found, given["output"])
    named = _named_sets(given["apriori"])
    job = _job(named or _workspace_folders(given["workspace"]), given, found.paths)
    tasks = _tasks(found, job, given, find_sets=not named)
    from cli.tasks.orbit import do_orbit

    failures, results = Failures("orbits", len(tasks)), []
    passed_over: list[str] = []
    if given["dry_run"]:
        workers = Workers()
    with progress_bar("orbits" if found.are_many else tasks[0].orbit.name) as progress:
        outcomes = fan_out(do_orbit, tasks, workers, progress)
        for task, outcome in zip(tasks, outcomes, strict=True):
            if failures.check(str(task.orbit), outcome):
                results.append(outcome.value.as_dict() | _named(task, outcome.value))
                if outcome.value.passed_over:
                    passed_over.append(f"{task.orbit}: {outcome.value.passed_over}")
                if not given["as_json"]:
                    _show(task.orbit, outcome.value)
            elif found.are_many:
                results.append({"orbit": task.orbit.name, "error": outcome.error})
    say_above(job if results else None)
    if given["as_json"] and (results or found.are_many):
        print_json(results if found.are_many else results[0])
    if failures:
        sys.exit(failures.tell())
    if len(passed_over) == len(tasks):
        rest = f" All {len(tasks)} were passed over." if len(tasks) > 1 else ""
        click.echo(f"Error: {passed_over[0]}{rest}", err=True)
        sys.exit(EXIT_DATA)


def _find(given: dict[str, Any]) -> Orbits:
    """Find the orbits, on demand one file of each; a damaged one is reported like any failure."""
    found = find_orbits(given["orbits"], given["first"], given["last"], originals=True)
    if not given["best_version"]:
        return found
    from retrieval.errors import ProductError
    from retrieval.files.names import parse_s5p
    from retrieval.l2.identity import identify, one_file_an_orbit

    names = {path: parse_s5p(path.name) for path in found.paths}
    count = Counter(name.orbit for name in names.values() if name is not None)
    several = []
    for path, name in names.items():
        with suppress(ProductError):
            if name is None or count[name.orbit] > 1:
                identify(path)
                several.append(path)
    _, passed_over = one_file_an_orbit(several)
    for path, instead in passed_over:
        note(f"{path.name} is left out: {instead.name} holds the orbit")
    left_out = {path for path, _ in passed_over} - found.named
    paths = tuple(path for path in found.paths if path not in left_out)
    return Orbits(paths, found.are_many, found.named)


def _tasks(found: Orbits, job: Job, given: dict[str, Any], *, find_sets: bool) -> list[OrbitTask]:
    from cli.tasks.orbit import OrbitTask

    output: Path | None = given["output"]
    into_folder = output is not None and (output.is_dir() or found.are_many)
    return [
        OrbitTask(
            orbit,
            job,
            output,
            into_folder,
            find_sets,
            given["dry_run"],
            orbit in found.named,
            given["update"],
        )
        for orbit in found.paths
    ]


def _named(task: OrbitTask, done: OrbitDone) -> dict[str, str]:
    """Name the orbit of an entry that has no summary."""
    return {} if done.summary or done.plan else {"orbit": task.orbit.name}


def _check_targets(found: Orbits, output: Path | None) -> None:
    """Refuse outputs that cannot be right, before the first orbit is read."""
    msg = ""
    if output is not None and not output.is_dir():
        is_file_name = output.suffix.lower() in ENDINGS
        if found.are_many and (is_file_name or output.exists()):
            msg = f"{output} is a file. Several orbits need a folder."
        elif not found.are_many and not is_file_name:
            msg = f"{output} must end in {' or '.join(ENDINGS)}, or be an existing folder."
    if msg:
        raise click.BadParameter(msg, param_hint="--output")
    keys = Counter(str(orbit.absolute()) if output is None else orbit.stem for orbit in found.paths)
    key, count = keys.most_common(1)[0]
    if count > 1:
        msg = f"{Path(key).name} is given {count} times. Their outputs would be one file."
        raise click.BadParameter(msg, param_hint="ORBIT")


def _named_sets(apriori: tuple[str, ...]) -> dict[str, Path]:
    """Read the sets of the command line; none is an empty dictionary."""
    named = [parse_named_path(text, "--apriori", "cams=cams/2023") for text in apriori]
    count = Counter(name.upper() for name, _ in named)
    twice = [name for name, n in count.items() if n > 1]
    if twice:
        msg = f"two sets are named {twice[0]} (capitals do not count). Give each its own name."
        raise click.BadParameter(msg, param_hint="--apriori")
    return dict(named)


def _workspace_folders(workspace: Path) -> dict[str, Path]:
    """Return the folders of the workspace that may hold sets."""
    folders = {name: workspace / folder for name, folder in DEFAULT_SETS.items()}
    found = {name: folder for name, folder in folders.items() if folder.is_dir()}
    if not found:
        shown = " or ".join(str(folder) for folder in folders.values())
        msg = f"there is no a-priori set. Give -a NAME=PATH, or put sets into {shown}."
        raise click.UsageError(msg)
    return found


def _job(sets: dict[str, Path], given: dict[str, Any], orbits: Sequence[Path]) -> Job:
    """Check all choices, before the first orbit is read."""
    from retrieval.l2.product.write import Layout
    from retrieval.physics.time_rules import TimeRule
    from retrieval.substitution.job import Job
    from retrieval.substitution.options import Above, Options

    above, upper, decided = chosen_above(given, orbits)
    rule = given["time_rule"]
    try:
        options = Options(
            above=Above(above),
            above_vmr=ABOVE_VMR if given["above_vmr"] is None else given["above_vmr"],
            merge_height=given["merge_height"],
            time_rule=None if rule == "auto" else TimeRule(rule),
            tropopause=given["tropopause"],
            crop=given["crop"],
            bbox=given["bbox"],
            kernels=given["kernels"],
            profiles=given["profiles"],
        )
        return Job(
            sets=sets,
            options=options,
            layout=Layout(given["layout"]),
            upper=upper,
            decided=decided,
            meteo=existing(given["meteo"], "--meteo"),
            overwrite=given["overwrite"],
            qa_threshold=given["qa"],
            command=command_line(),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _show(orbit: Path, done: OrbitDone) -> None:
    if done.plan is not None:
        for key, value in done.plan.items():
            click.echo(f"{key}: {value}")
    elif done.summary is not None:
        _show_summary(done.summary)
    elif done.passed_over:
        click.echo(f"passed over {orbit}: {done.passed_over}")
    else:
        click.echo(f"skipped {done.target}: done before, from the same content and options")


def _show_summary(summary: OrbitSummary) -> None:
    header = ["product", "column [1e15 molec cm-2]", "AMF", "change of mean [%]"]
    header += ["median [%]", "5 % [%]", "95 % [%]", "not from the set"]
    rows = []
    for product in summary.products:
        values = (
            product.mean_amf,
            product.ratio_of_means,
            product.median_change,
            product.p5_change,
            product.p95_change,
        )
        row = [product.name, f"{product.mean_column / 1e15:.3f}"]
        row += [
            "" if v is None else f"{v:.3f}" if i == 0 else f"{v:+.1f}" for i, v in enumerate(values)
        ]
        above = product.mean_fraction_above
        rows.append([*row, "" if above is None else f"{above:.3f}"])
    title = f"{summary.n_common} pixels, qa_value > {summary.qa_threshold / 100:.2f}"
    print_table(title, header, rows)
    for product in summary.products:
        if product.flags:
            flags = ", ".join(f"{name} {count}" for name, count in product.flags.items())
            note(f"{product.name}: {flags}")
    click.echo(summary.output)
