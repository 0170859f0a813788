"""`dacno2-s5p reretrieve`: new columns, air mass factors and kernels for L2 orbits."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from cli.console import EXIT_DATA, print_table, progress_bar, report_error
from cli.options import (
    existing,
    json_option,
    overwrite_option,
    parse_named_path,
    verbosity_options,
    workspace_option,
)

if TYPE_CHECKING:
    from typing import Any

    from retrieval.reretrieve import Job
    from retrieval.summary import OrbitSummary

DEFAULT_SETS = {"dacno2": "profiles", "cams": "cams"}
"""Sets taken from the workspace when none is given, the primary first."""


@click.command(short_help="New NO2 columns, AMFs and kernels for L2 orbits with other a priori.")
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
    "primary. NAME is a letter and up to 15 letters or digits.  [default: dacno2=DIR/profiles, "
    "cams=DIR/cams of the workspace, where they hold the orbit's day]",
)
@workspace_option
@click.option(
    "--above",
    type=click.Choice(["constant-vmr", "none", "upper"]),
    default=None,
    show_default="constant-vmr",
    help="NO2 between the top of a set and the tropopause.",
)
@click.option(
    "--above-vmr",
    type=float,
    default=30.0,
    show_default=True,
    metavar="PPT",
    help="Mole fraction of constant-vmr, one for all sets [ppt].",
)
@click.option(
    "--upper",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="AUX_CTMANA or CAMS global for mode upper.  [default: DIR/ctm with --above upper]",
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
@click.option(
    "--time-rule",
    type=click.Choice(["auto", "overpass-mean", "linear", "nearest"]),
    default="auto",
    show_default=True,
    help="How fields are brought to the pixels' times.",
)
@click.option(
    "--tropopause",
    type=click.Choice(["inclusive", "exclusive"]),
    default="inclusive",
    show_default=True,
    help="Whether the tropopause layer belongs to the troposphere.",
)
@click.option(
    "--layout",
    type=click.Choice(["extend", "replace"]),
    default="extend",
    show_default=True,
    help="extend: new variables beside the originals; replace: the primary takes their names.",
)
@click.option(
    "--crop",
    type=click.Choice(["primary", "none"]),
    default="primary",
    show_default=True,
    help="primary: rows and columns that touch the primary set's grid.",
)
@click.option(
    "--bbox", type=float, nargs=4, default=None, metavar="W S E N", help="A further cut [degrees]."
)
@click.option("--kernels", is_flag=True, help="Also write the new tropospheric kernels.")
@click.option("--profiles", is_flag=True, help="Also write the a-priori partial columns.")
@click.option(
    "--qa",
    type=click.IntRange(0, 100),
    default=75,
    show_default=True,
    metavar="PERCENT",
    help="Statistics use pixels with a stored qa_value above this.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file, or a folder for several orbits.  [default: STEM_SET1[-SET2...].nc beside the "
    "orbit]",
)
@overwrite_option
@click.option("--dry-run", is_flag=True, help="Show the plan, compute and write nothing.")
@json_option
@verbosity_options
def reretrieve(**given: Any) -> None:
    """Write new tropospheric columns, air mass factors and kernels for each L2 ORBIT.

    Examples:

    \b
      dacno2-s5p reretrieve S5P_OFFL_L2__NO2____*.nc -a cams=cams/2023
      dacno2-s5p reretrieve ORBIT.nc -a dacno2=profiles -a cams=cams --above upper --upper ctm
      dacno2-s5p reretrieve ORBIT.nc --layout replace -o ORBIT_reduced.nc
    """
    orbits: tuple[Path, ...] = given["orbits"]
    targets = _targets(orbits, given["output"])
    failures = 0
    summaries = []
    for orbit in orbits:
        try:
            summary = _one(orbit, targets.get(orbit), given)
        except click.ClickException:
            raise
        except Exception as error:
            failures += 1
            report_error(error, str(orbit) if len(orbits) > 1 else "")
            continue
        if summary is not None:
            summaries.append(summary)
    if given["as_json"]:
        click.echo(json.dumps(summaries if len(orbits) > 1 else _single(summaries), indent=2))
    if failures:
        if len(orbits) > 1:
            click.echo(f"{failures} of {len(orbits)} orbits failed.", err=True)
        sys.exit(EXIT_DATA)


def _single(summaries: list[dict[str, Any]]) -> dict[str, Any] | None:
    return summaries[0] if summaries else None


def _targets(orbits: tuple[Path, ...], output: Path | None) -> dict[Path, Path | None]:
    if output is None:
        return {}
    is_folder = output.is_dir() or len(orbits) > 1
    if is_folder and output.exists() and not output.is_dir():
        msg = f"{output} is a file. Several orbits need a folder."
        raise click.BadParameter(msg, param_hint="--output")
    return dict.fromkeys(orbits, output)


def _one(orbit: Path, output: Path | None, given: dict[str, Any]) -> dict[str, Any] | None:
    from retrieval.reretrieve import default_output
    from retrieval.reretrieve import reretrieve as run

    job = _job(orbit, given)
    if output is None:
        target = default_output(orbit, job.sets)
    elif output.is_dir() or len(given["orbits"]) > 1:
        output.mkdir(parents=True, exist_ok=True)
        target = default_output(orbit, job.sets, output)
    else:
        target = output
    if given["dry_run"]:
        return _plan(orbit, target, job, as_json=given["as_json"])
    with progress_bar(orbit.name) as progress:
        summary = run(orbit, job, target, progress=progress)
    for assumption in summary.assumptions:
        click.echo(f"Assumed: {assumption}", err=True)
    if not given["as_json"]:
        _show(summary)
    return summary.as_dict()


def _job(orbit: Path, given: dict[str, Any]) -> Job:
    from retrieval.apriori.base import TimeRule
    from retrieval.options import Above, Options
    from retrieval.product import Layout
    from retrieval.reretrieve import Job

    above, upper = given["above"], existing(given["upper"], "--upper")
    if upper is not None and above not in (None, "upper"):
        msg = f"--upper is for --above upper, not {above}."
        raise click.UsageError(msg)
    above = "upper" if upper is not None else (above or "constant-vmr")
    workspace: Path = given["workspace"]
    if above == "upper" and upper is None:
        upper = workspace / "ctm"
        if not upper.exists():
            msg = f"--above upper needs a global set: give --upper PATH ({upper} does not exist)."
            raise click.UsageError(msg)
    rule = given["time_rule"]
    try:
        options = Options(
            above=Above(above),
            above_vmr=given["above_vmr"],
            merge_height=given["merge_height"],
            time_rule=None if rule == "auto" else TimeRule(rule),
            tropopause=given["tropopause"],
            crop=given["crop"],
            bbox=given["bbox"],
            kernels=given["kernels"],
            profiles=given["profiles"],
        )
        return Job(
            sets=_sets(orbit, given["apriori"], workspace),
            options=options,
            layout=Layout(given["layout"]),
            upper=upper,
            meteo=existing(given["meteo"], "--meteo"),
            overwrite=given["overwrite"],
            qa_threshold=given["qa"],
            command=_command(),
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _command() -> str:
    return " ".join(["dacno2-s5p", *sys.argv[1:]])


def _sets(orbit: Path, apriori: tuple[str, ...], workspace: Path) -> dict[str, Path]:
    """Take the sets given, or those of the workspace that hold the orbit's day."""
    if apriori:
        named = [parse_named_path(text) for text in apriori]
        names = [name.upper() for name, _ in named]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            msg = f"two sets are named {twice[0]}. Give each its own name."
            raise click.BadParameter(msg, param_hint="--apriori")
        return dict(named)
    found = {
        name: workspace / folder
        for name, folder in DEFAULT_SETS.items()
        if (workspace / folder).is_dir() and _holds_day(workspace / folder, orbit)
    }
    if not found:
        folders = " or ".join(str(workspace / folder) for folder in DEFAULT_SETS.values())
        msg = f"no a-priori set for the orbit's day: give -a NAME=PATH, or put sets in {folders}."
        raise click.UsageError(msg)
    return found


def _holds_day(folder: Path, orbit: Path) -> bool:
    from retrieval.apriori.registry import open_apriori
    from retrieval.errors import AprioriError
    from retrieval.orbit import Orbit
    from retrieval.reretrieve import orbit_time
    from retrieval.times import FARTHEST_FIELD, nearest_distance

    with Orbit.open(orbit) as opened:
        times = opened.scanline_times(opened.full)
        around = orbit_time(opened)
    try:
        apriori = open_apriori(folder, around)
    except AprioriError:
        return False
    distance = nearest_distance(apriori.times, times)
    apriori.close()
    return bool(distance <= FARTHEST_FIELD)


def _plan(orbit: Path, target: Path, job: Job, *, as_json: bool) -> dict[str, Any]:
    from contextlib import ExitStack

    from retrieval.atomic import check_output
    from retrieval.crop import find_crop
    from retrieval.orbit import Orbit
    from retrieval.reretrieve import open_sets

    check_output(target, overwrite=job.overwrite, inputs=[orbit])
    with ExitStack() as stack:
        opened = stack.enter_context(Orbit.open(orbit))
        found = open_sets(opened, job, stack)
        primary = next(iter(found.sets.values()))
        grid = primary.grid if job.options.crop == "primary" else None
        crop = find_crop(opened, grid, job.options.bbox)
        plan = {
            "orbit": str(orbit),
            "processor_version": opened.attribute("processor_version"),
            "output": str(target),
            "layout": str(job.layout),
            "scanlines": [crop.scanline.start, crop.scanline.stop],
            "ground_pixels": [crop.ground_pixel.start, crop.ground_pixel.stop],
            "above": str(job.options.above),
            "sets": {
                name.upper(): f"{apriori.kind}, {len(apriori.times)} field(s) from "
                f"{apriori.times[0]} to {apriori.times[-1]}"
                for name, apriori in found.sets.items()
            },
            "assumptions": opened.assumptions,
        }
    if not as_json:
        for key, value in plan.items():
            click.echo(f"{key}: {value}")
    return plan


def _show(summary: OrbitSummary) -> None:
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
            click.echo(f"{product.name}: {flags}", err=True)
    click.echo(summary.output)
