"""`dacno2-s5p grid`: L2 to L3, one pixel set for every product."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import (
    EXIT_DATA,
    note,
    one_line,
    print_json,
    print_table,
    progress_bar,
    show_traceback,
)
from cli.options import json_option, overwrite_option, verbosity_options

if TYPE_CHECKING:
    import numpy as np

    from retrieval.grids import RectilinearGrid
    from retrieval.l3_add import AddReport
    from retrieval.l3_days import GridJob
    from retrieval.l3_period import L3

DAYS_SUFFIX = "_days"
"""Folder of daily sums beside OUTPUT.nc: OUTPUT_days."""
STRATA_SUFFIX = "_strata.csv"
"""Means by kind of pixel beside OUTPUT.nc: OUTPUT_strata.csv."""


@click.command(short_help="L2 orbits to means on a grid, one pixel set for every a priori.")
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
    "--bbox",
    type=float,
    nargs=4,
    default=None,
    metavar="W S E N",
    help="Area [degrees].  [default: the domain of the 2 km grid; 10W-10E, 40-56N for degrees]",
)
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
@click.option(
    "--qa",
    type=click.IntRange(0, 99),
    default=75,
    show_default=True,
    metavar="PERCENT",
    help="Pixels with a stored qa_value above this take part.",
)
@click.option(
    "--where",
    multiple=True,
    metavar="VARIABLE=LOW..HIGH",
    help="Only pixels with a variable of the orbit in a range, for example "
    "solar_zenith_angle=0..60; land_water=0..0 is land, 1..1 water, 2..3 coast. Repeatable.",
)
@click.option(
    "--weights",
    type=click.Choice(["overlap", "sharp"]),
    default="overlap",
    show_default=True,
    help="overlap: area shared with the cell; sharp: that over the area of the pixel, so that "
    "small pixels count more (for fine maps).",
)
@click.option(
    "--average",
    type=click.Choice(["pooled", "months"]),
    default="pooled",
    show_default=True,
    help="Pool all pixels, or average the means of the months.",
)
@click.option(
    "--period",
    type=click.DateTime(["%Y-%m-%d"]),
    nargs=2,
    default=None,
    metavar="FIRST LAST",
    help="Days to average, both included.  [default: all]",
)
@click.option(
    "--days",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of daily sums: the state, to which files can be added at any time.  "
    "[default: OUTPUT_days beside the output]",
)
@click.option(
    "--allow-mixed",
    is_flag=True,
    help="Mix processor versions 1 and 2, or files re-retrieved with different options.",
)
@overwrite_option
@click.option("--dry-run", is_flag=True, help="Show the plan, compute and write nothing.")
@json_option
@verbosity_options
def grid(**given: Any) -> None:
    """Average the columns of L2 files (re-retrieved or original) over the cells of a grid.

    Every product is averaged over the same pixels. A pixel counts in a cell by the area they share.
    Of an orbit that is there reprocessed, offline and in near real time, the first is taken.
    The sums of each day stay in a folder: run again with more files to add them (those that are
    there already are skipped), or without files for another period. OUTPUT_strata.csv holds means
    over the pixels by cloud radiance fraction, sun angle, snow and ice, land and sea.

    Examples:

    \b
      dacno2-s5p grid S5P_*_DACNO2-CAMS.nc -o map_2km.nc
      dacno2-s5p grid S5P_*.nc -o map.nc --cell 0.1deg --bbox -5 42 9 54
      dacno2-s5p grid -o june.nc --days map_days --period 2023-06-01 2023-06-30
    """
    from retrieval.atomic import check_output

    output: Path = given["output"]
    for target in (output, _strata_path(output)):
        check_output(target, overwrite=given["overwrite"], inputs=given["files"])
    folder: Path = given["days"] or output.with_name(output.stem + DAYS_SUFFIX)
    summary: dict[str, Any] = {"output": str(output), "days": str(folder)}
    failed: list[tuple[str, Exception]] = []
    if given["files"]:
        files, passed_over = _choose(given["files"], allow_mixed=given["allow_mixed"])
        job = _job(files, given)
        if given["dry_run"]:
            _plan(files, passed_over, job, summary, as_json=given["as_json"])
            return
        report = _add(files, job, folder)
        failed = report.failed
        summary |= _of_report(report, passed_over)
        for error in (error for _, error in failed):
            show_traceback(error)
    elif not folder.is_dir():
        msg = (
            f"there is nothing to average. Give FILE..., or --days with a folder. {folder} is none."
        )
        raise click.UsageError(msg)
    if not failed or given["as_json"] or summary.get("added"):
        summary |= _write(folder, output, given)
    if given["as_json"]:
        print_json(summary)
    else:
        _show(summary)
    for name, error in failed:
        click.echo(f"Error: {name}: {one_line(error)}", err=True)
    if failed:
        sys.exit(EXIT_DATA)


def _choose(
    files: tuple[Path, ...], *, allow_mixed: bool
) -> tuple[list[Path], list[tuple[Path, Path]]]:
    """One file an orbit, of one processor generation, before anything is gridded."""
    from retrieval.l3_select import check_one_generation, one_file_an_orbit

    chosen, passed_over = one_file_an_orbit(files)
    if not allow_mixed:
        check_one_generation(chosen)
    for path, instead in passed_over:
        note(f"{path.name} is left out: {instead.name} holds the orbit")
    return chosen, passed_over


def _job(files: list[Path], given: dict[str, Any]) -> GridJob:
    from retrieval.grid_l3 import Weighting
    from retrieval.l3_days import GridJob
    from retrieval.l3_input import PixelRange, product_labels
    from retrieval.side_column import SideColumn

    try:
        return GridJob(
            grid=_grid(given),
            products=given["products"] or product_labels(files[0]),
            side=tuple(SideColumn.parse(text) for text in given["side"]),
            qa_threshold=given["qa"],
            where=tuple(PixelRange.parse(text) for text in given["where"]),
            weighting=Weighting(given["weights"]),
            allow_mixed=given["allow_mixed"],
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _grid(given: dict[str, Any]) -> RectilinearGrid:
    from retrieval.grid_l3 import parse_cell, regular_grid
    from retrieval.grids import GEOGRAPHIC

    size, is_degrees = parse_cell(given["cell"])
    return regular_grid(size, given["bbox"], GEOGRAPHIC if is_degrees else given["crs"])


def _add(files: list[Path], job: GridJob, folder: Path) -> AddReport:
    from retrieval.l3_add import add_files
    from retrieval.l3_days import DayStore

    store = DayStore.open(folder, job)
    with progress_bar("orbits") as progress:
        return add_files(store, files, progress=progress)


def _write(folder: Path, output: Path, given: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    from retrieval.l3_file import write_l3
    from retrieval.l3_period import period_mean

    period = given["period"]
    if period:
        period = tuple(np.datetime64(day.date(), "D") for day in period)
    l3 = period_mean(folder, period, average=given["average"])
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    command = " ".join(["dacno2-s5p", *sys.argv[1:]])
    write_l3(output, l3, overwrite=given["overwrite"], history=f"{now} {command}"[:60_000])
    return _of_l3(l3) | _write_strata(folder, output, period, overwrite=given["overwrite"])


def _strata_path(output: Path) -> Path:
    return output.with_name(f"{output.stem}{STRATA_SUFFIX}")


def _write_strata(
    folder: Path,
    output: Path,
    period: tuple[np.datetime64, np.datetime64] | None,
    *,
    overwrite: bool,
) -> dict[str, Any]:
    """Write means by kind of pixel; what a day does not say is empty."""
    from dacno2_s5p.evaluate_tables import number, write_lines
    from retrieval.l3_strata import StratumRow, stratum_table

    rows = [row.as_dict() for row in stratum_table(folder, period)]
    lines = (
        [number(value) if isinstance(value, float) else value for value in row.values()]
        for row in rows
    )
    path = _strata_path(output)
    write_lines(path, list(StratumRow.__dataclass_fields__), lines, overwrite=overwrite)
    return {"strata_file": str(path), "strata": rows}


def _of_l3(l3: L3) -> dict[str, Any]:
    import numpy as np

    from retrieval.constants import MOLEC_CM2_PER_MOL_M2
    from retrieval.grid_geometry import cell_areas

    is_used = np.isfinite(l3.mean).all(axis=0)
    weight = cell_areas(l3.grid)[is_used]
    means = {
        product: float(np.average(mean[is_used], weights=weight))
        for product, mean in zip(l3.products, l3.mean, strict=True)
        if weight.size
    }
    return {
        "first_day": str(l3.period[0]),
        "last_day": str(l3.period[1]),
        "days_with_data": l3.n_day,
        "cells": int(is_used.sum()),
        "grid": [*l3.grid.shape],
        "processor_versions": l3.attributes["processor_versions"].split(),
        "mean_column_molec_cm-2": {
            product: value * MOLEC_CM2_PER_MOL_M2
            for product, value in means.items()
            if l3.units.get(product, "mol m-2") == "mol m-2"
        },
    }


def _of_report(report: AddReport, passed_over: list[tuple[Path, Path]]) -> dict[str, Any]:
    return {
        "added": len(report.added),
        "skipped_already_there": len(report.skipped),
        "outside_of_the_grid": report.outside,
        "passed_over": [path.name for path, _ in passed_over],
        "failed": [name for name, _ in report.failed],
        "pixels": report.n_pixel,
        "pixels_without_usable_corners": report.n_dropped,
    }


def _plan(
    files: list[Path],
    passed_over: list[tuple[Path, Path]],
    job: GridJob,
    summary: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    n_y, n_x = job.grid.shape
    plan = summary | {
        "files": [path.name for path in files],
        "passed_over": [path.name for path, _ in passed_over],
        "products": list(job.labels),
        "grid": f"{n_x} x {n_y} cells, {job.grid.crs}",
        "qa_value_above": job.qa_threshold / 100,
        "weights": str(job.weighting),
    }
    if as_json:
        print_json(plan)
        return
    for key, value in plan.items():
        click.echo(f"{key}: {value}")


def _show(summary: dict[str, Any]) -> None:
    if "added" in summary:
        note(
            f"{summary['added']} orbits added, {summary['skipped_already_there']} there already, "
            f"{len(summary['outside_of_the_grid'])} outside of the grid"
        )
    if "cells" not in summary:
        return
    rows = [
        [product, f"{value / 1e15:.3f}"]
        for product, value in summary["mean_column_molec_cm-2"].items()
    ]
    title = (
        f"{summary['first_day']} to {summary['last_day']}, {summary['days_with_data']} days, "
        f"{summary['cells']} cells"
    )
    print_table(title, ["product", "mean over cells [1e15 molec cm-2]"], rows)
    _show_strata(summary["strata"])
    click.echo(summary["strata_file"])
    click.echo(summary["output"])


def _show_strata(rows: list[dict[str, Any]]) -> None:
    """Print the mean of the reference and the change of the others, stratum by stratum."""
    if not rows:
        return
    reference = rows[0]["reference"]
    others = list(dict.fromkeys(r["product"] for r in rows if r["product"] != reference))
    lines: dict[str, list[str]] = {}
    for row in rows:
        if row["product"] == reference:
            mean = f"{row['mean_column'] / 1e15:.3f}"
            lines[row["stratum"]] = [row["stratum"], str(row["n_pixel"]), mean]
        elif row["stratum"] in lines:
            lines[row["stratum"]].append(f"{row['ratio_of_means']:+.1f}")
    header = ["pixels", "number", f"mean {reference} [1e15 molec cm-2]"]
    header += [f"{name}/{reference} [%]" for name in others]
    print_table("By kind of pixel, ratio of means", header, list(lines.values()))
