"""`dacno2-s5p grid`: L2 to L3, one pixel set for every product."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click import get_current_context
from click.core import ParameterSource

from cli.console import EXIT_DATA, history_line, note, one_line, print_json, progress_bar
from cli.options.orbits import check_order, find_orbits
from cli.options.shared import (
    allow_empty_option,
    bbox_option,
    choice_option,
    daily_sums_option,
    dry_run_option,
    json_option,
    orbit_day_options,
    overwrite_option,
    qa_option,
    sensor_option,
    update_option,
    verbosity_options,
)
from cli.tasks.grid import (
    check_memory,
    check_not_empty,
    describe_l3,
    describe_report,
    no_empty_folder,
    show,
    show_plan,
    strata_of,
    strata_path,
    write_strata,
)
from cli.workers.fanout import Workers, fan_out, worker_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from retrieval.l3.add import AddReport
    from retrieval.l3.days import GridJob
    from retrieval.physics.geometry.grids import RectilinearGrid

DAYS_SUFFIX = "_days"
"""Folder of daily sums beside OUTPUT.nc: OUTPUT_days."""


@click.command(short_help="L2 orbits to means on a grid, one pixel set for every a priori.")
@sensor_option
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.nc",
    help="Gridded means, CF-1.11 netCDF.",
)
@click.option(
    "--cell",
    default="2km",
    show_default=True,
    metavar="SIZE",
    help="Size of the cells: 2km or 8km in a projected plane, 0.1deg or 0.02deg on longitude and "
    "latitude.",
)
@click.option(
    "--crs",
    default="EPSG:3035",
    show_default=True,
    metavar="NAME",
    help="Plane of cells in km or m: an equal-area one.",
)
@click.option(
    "--area",
    metavar="FILE:NAME",
    help="The cells of an area of pyresample and satpy (areas.yaml:benelux), instead of --cell, "
    "--crs and --bbox.",
)
@bbox_option("Area [degrees].  [default: the domain of the 2 km grid; 10W-10E, 40-56N for degrees]")
@click.option(
    "-p",
    "--product",
    "products",
    multiple=True,
    metavar="NAME",
    help="A column to take (TM5, DACNO2, CAMS, ...). Repeatable.  [default: all of the first file]",
)
@click.option(
    "--with",
    "side",
    multiple=True,
    metavar="NAME=PATTERN:VARIABLE",
    help="A further column from a side file of each orbit, with the same pixels and weights; "
    "{stem} and {orbit} stand for the orbit's, * for anything. Repeatable.",
)
@qa_option("Pixels with a stored qa_value above this take part.", 99)
@click.option(
    "--where",
    multiple=True,
    metavar="VARIABLE=LOW..HIGH",
    help="Only pixels with a variable of the orbit in a range, for example "
    "solar_zenith_angle=0..60; land_water=0..0 is land, 1..1 water, 2..3 coast; utc_hour=14..15 an "
    "hour. Repeatable.",
)
@choice_option(
    "--weights",
    ["overlap", "sharp"],
    "overlap",
    "overlap: area shared with the cell; sharp: that over the area of the pixel, so that "
    "small pixels count more (for fine maps).",
)
@choice_option(
    "--average",
    ["pooled", "months"],
    "pooled",
    "Pool all pixels, or average the means of the months.",
)
@click.option(
    "--period",
    type=click.DateTime(["%Y-%m-%d"]),
    nargs=2,
    default=None,
    metavar="FIRST LAST",
    help="Days to average, both included.  [default: all, or those of --start and --end]",
)
@daily_sums_option(
    "Folder of daily sums: the state, to which files can be added at any time.  "
    "[default: OUTPUT_days beside the output]"
)
@click.option(
    "--allow-mixed",
    is_flag=True,
    help="Mix processor versions 1 and 2, or files re-retrieved with different options.",
)
@orbit_day_options
@worker_options
@allow_empty_option
@overwrite_option
@update_option
@dry_run_option("Show the plan, compute and write nothing.")
@json_option
@verbosity_options
def grid(**given: Any) -> None:
    """Average the columns of L2 files (re-retrieved or original) over the cells of a grid.

    FILE is a file, a folder, or a quoted glob; where folders and globs hold re-retrieved orbits,
    only these count. Every product is averaged over the same pixels. A pixel counts in a cell by
    the area they share. Of an orbit that is there reprocessed, offline and in near real time, the
    first is taken. The sums of each day stay in a folder: run again with more files to add them
    (those that are there already are skipped), or without files for another period. An output of
    the same content is left as it is. OUTPUT_strata.csv holds means over the pixels by cloud
    radiance fraction, sun angle, snow and ice, land and sea. With --update an orbit that has
    changed, or come in a better version, makes its days anew.

    Examples:

    \b
      dacno2-s5p grid S5P_*_DACNO2-CAMS.nc -o map_2km.nc
      dacno2-s5p grid new -o june.nc --start 2023-06-01 --end 2023-06-30 --jobs 8
      dacno2-s5p grid S5P_*.nc -o map.nc --cell 0.1deg --bbox -5 42 9 54
      dacno2-s5p grid -o june.nc --days map_days --period 2023-06-01 2023-06-30
    """
    from retrieval.l3.days import day_files

    output: Path = given["output"]
    period = _period(given)
    workers = Workers.of(given)
    refusal = _refusal(output, given)
    folder: Path = given["days"] or output.with_name(output.stem + DAYS_SUFFIX)
    summary: dict[str, Any] = {"output": str(output), "days": str(folder)}
    failed: list[tuple[str, Exception]] = []
    if given["files"]:
        found = find_orbits(given["files"], given["first"], given["last"], originals=False)
        files, passed_over = _choose(found.paths, allow_mixed=given["allow_mixed"])
        job = _job(files, given)
        check_memory(job, given["average"], workers, len(files))
        if given["dry_run"]:
            show_plan(files, passed_over, job, summary, as_json=given["as_json"])
            return
        with no_empty_folder(folder):
            report = _add(files, job, folder, workers, refusal, update=given["update"])
            check_not_empty(folder, job, report, len(files))
        failed = report.failed
        summary |= describe_report(report, passed_over)
    elif not folder.is_dir():
        msg = (
            f"there is nothing to average. Give FILE..., or --days with a folder. {folder} is none."
        )
        raise click.UsageError(msg)
    if not failed or (day_files(folder) and (given["as_json"] or summary.get("added"))):
        summary |= _write(folder, output, period, given, refusal)
    if given["as_json"]:
        print_json(summary)
    else:
        show(summary)
    for name, error in failed:
        click.echo(f"Error: {name}: {one_line(error)}", err=True)
    if failed:
        sys.exit(EXIT_DATA)


def _period(given: dict[str, Any]) -> tuple[np.datetime64, np.datetime64] | None:
    """Return first and last day to average, None for all days."""
    check_order(given["first"], given["last"])
    if given["period"]:
        if given["first"] or given["last"]:
            msg = "--period is given with --start or --end. Both say which days to average."
            raise click.UsageError(msg)
        first, last = given["period"]
    elif given["first"] or given["last"]:
        first, last = given["first"] or datetime.min, given["last"] or datetime.max
    else:
        return None
    import numpy as np

    return np.datetime64(first.date(), "D"), np.datetime64(last.date(), "D")


def _refusal(output: Path, given: dict[str, Any]) -> str:
    """Refuse an output that cannot be; return what to say of one of ours with other content."""
    from retrieval.files.atomic import check_output
    from retrieval.files.provenance import stored_fingerprint

    is_ours = not given["overwrite"] and bool(stored_fingerprint(output))
    overwrite = given["overwrite"] or is_ours
    for target in (output, strata_path(output)):
        check_output(target, overwrite=overwrite, inputs=given["files"])
    if not is_ours or given["update"]:
        return ""
    return (
        f"Invalid output {output}. An existing file is not replaced. Given {output.name}, which "
        "exists and was made from other orbits or settings. Choose another name or give "
        "--overwrite."
    )


def _choose(
    files: tuple[Path, ...], *, allow_mixed: bool
) -> tuple[list[Path], list[tuple[Path, Path]]]:
    """One file an orbit, of one processor generation, before anything is gridded."""
    from retrieval.l2.identity import check_one_generation, one_file_an_orbit

    chosen, passed_over = one_file_an_orbit(files)
    if not allow_mixed:
        check_one_generation(chosen)
    for path, instead in passed_over:
        note(f"{path.name} is left out: {instead.name} holds the orbit")
    return chosen, passed_over


def _job(files: list[Path], given: dict[str, Any]) -> GridJob:
    from retrieval.l3.conditions import check_request
    from retrieval.l3.days import GridJob
    from retrieval.l3.pixels import PixelRange, product_labels
    from retrieval.l3.side_column import SideColumn
    from retrieval.l3.sums import Weighting

    try:
        where = tuple(PixelRange.parse(text) for text in given["where"])
        check_request(files, given["products"], [one.variable for one in where])
        return GridJob(
            grid=_grid(given),
            products=given["products"] or product_labels(files[0]),
            side=tuple(SideColumn.parse(text) for text in given["side"]),
            qa_threshold=given["qa"],
            where=where,
            weighting=Weighting(given["weights"]),
            allow_mixed=given["allow_mixed"],
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _grid(given: dict[str, Any]) -> RectilinearGrid:
    from retrieval.l3.areas import grid_of_area
    from retrieval.l3.cells import parse_cell, regular_grid
    from retrieval.physics.geometry.grids import GEOGRAPHIC

    if given["area"]:
        source = get_current_context().get_parameter_source
        for name in ("cell", "crs", "bbox"):
            if source(name) is not ParameterSource.DEFAULT:
                msg = f"--area is given with --{name}. Both say which cells. Give one of them."
                raise click.UsageError(msg)
        return grid_of_area(given["area"])
    size, is_degrees = parse_cell(given["cell"])
    return regular_grid(size, given["bbox"], GEOGRAPHIC if is_degrees else given["crs"])


def _add(
    files: list[Path],
    job: GridJob,
    folder: Path,
    workers: Workers,
    refusal: str,
    *,
    update: bool,
) -> AddReport:
    from retrieval.errors import ProductError
    from retrieval.l3.add import add_files
    from retrieval.l3.days import DayStore

    store = DayStore.open(folder, job)
    with progress_bar("orbits") as progress:

        def share(function: Any, tasks: Any) -> Iterator[Any]:
            for outcome in fan_out(function, tasks, workers, progress):
                outcome.tell()
                yield ProductError(outcome.error) if outcome.error else outcome.value

        return add_files(store, files, share=share, refuse_new=refusal, replace_old=update)


def _write(
    folder: Path,
    output: Path,
    period: tuple[np.datetime64, np.datetime64] | None,
    given: dict[str, Any],
    refusal: str,
) -> dict[str, Any]:
    """Write the means, unless they are there."""
    from retrieval.errors import OutputError
    from retrieval.files.provenance import ATTRIBUTE_BYTES, stored_fingerprint
    from retrieval.l3.file import read_l3, write_l3
    from retrieval.l3.means import period_fingerprint, period_mean

    known = "" if given["overwrite"] else stored_fingerprint(output)
    if known:
        made = period_fingerprint(folder, period, average=given["average"])
        if made == known and strata_path(output).exists():
            done = {"skipped": "done before", **describe_l3(read_l3(output))}
            return done | strata_of(folder, output, period)
        if refusal:
            raise OutputError(refusal)
    overwrite = given["overwrite"] or bool(known)
    l3 = period_mean(folder, period, average=given["average"])
    history = history_line()[:ATTRIBUTE_BYTES]
    write_l3(output, l3, overwrite=overwrite, history=history)
    strata = strata_of(folder, output, period)
    write_strata(strata, overwrite=overwrite)
    return describe_l3(l3) | strata
