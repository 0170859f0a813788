"""What `dacno2-s5p grid` reports: plan, numbers of a map, means by kind of pixel."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import note, print_json, print_table, say_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from cli.workers.fanout import Workers
    from retrieval.l3.add import AddReport
    from retrieval.l3.days import GridJob
    from retrieval.l3.means import L3
    from retrieval.physics.geometry.grids import RectilinearGrid


_PROGRAM = 1.5e8
"""Python, numpy and netCDF with an orbit [bytes, resident]."""
_NUMBER = 8


def gridding_bytes(grid: RectilinearGrid, n_product: int, average: str) -> float:
    """Estimate the memory a process of `grid` takes [bytes], to about a tenth.

    Three sets of sums are there at once: those of the day, of an orbit, and what is added; for the
    mean of months those of the day, of the month, of all, and the means. Against peaks measured
    with cells of 500 m (6.8 M): 1.13 GB for 1.08 (three products), 0.80 for 0.76 (one), 1.68 for
    1.63 (three, months), 1.02 for 1.00 (one, months).

    Parameters
    ----------
    grid : RectilinearGrid
    n_product : int
    average : {"pooled", "months"}
    """
    n_y, n_x = grid.shape
    fields = 3 * (3 + n_product)
    if average == "months":
        fields += 3 * n_product + 1
    return _PROGRAM + float(_NUMBER * fields) * n_y * n_x


def check_memory(job: GridJob, average: str, workers: Workers, n_file: int) -> None:
    """Say how much memory the grid takes; refuse one that this machine cannot hold.

    Raises
    ------
    click.UsageError
        If a single process needs more than the machine has: it would be killed without a word.
    """
    from dacno2_s5p.network.memory import machine_bytes

    each = gridding_bytes(job.grid, len(job.labels), average)
    n_y, n_x = job.grid.shape
    what = f"{n_x} x {n_y} cells with {len(job.labels)} product(s)"
    most = machine_bytes()
    if most is not None and each > most:
        msg = (
            f"Invalid cell. The sums of a grid must fit into memory. Given {what}, which take "
            f"about {each / 1e9:,.0f} GB of {most / 1e9:,.0f}. Give a larger --cell or a smaller "
            "--bbox."
        )
        raise click.UsageError(msg)
    n_process = 1 if workers.scheduler is not None else min(workers.jobs or 1, n_file)
    advice = f"Give a larger --cell, a smaller --bbox{' or fewer --jobs' * (n_process > 1)}."
    say_memory(each * n_process, advice, f"for {what} in {n_process} process(es)")


def check_not_empty(folder: Path, job: GridJob, report: AddReport, n_file: int) -> None:
    """Refuse a call after which the folder of days holds nothing, though every orbit was read.

    Raises
    ------
    ProductError
        With the grid and the conditions that no pixel met.
    """
    from retrieval.errors import ProductError
    from retrieval.l3.days import day_files

    if report.failed or day_files(folder):
        return
    n_y, n_x = job.grid.shape
    rules = [f"{n_x} x {n_y} cells of {job.grid.crs}", f"qa_value above {job.qa_threshold / 100:g}"]
    rules += [f"{one.variable}={one.low:g}..{one.high:g}" for one in job.where]
    n_outside = len(report.outside)
    outside = f", {n_outside} of them beside the grid" if n_outside else ""
    msg = (
        f"No pixel of {n_file} orbit(s) lies on the grid{outside}. A map needs some that have a "
        f"value of every product. Given {', '.join(rules)}. Give another "
        f"--bbox{', --where' * bool(job.where)} or --qa."
    )
    raise ProductError(msg)


@contextmanager
def no_empty_folder(folder: Path) -> Iterator[None]:
    """Remove the folder of days at the end where the block made it and put no day into it."""
    is_new = not folder.exists()
    try:
        yield
    finally:
        if is_new and folder.is_dir():
            _remove_without_days(folder)


def _remove_without_days(folder: Path) -> None:
    from retrieval.errors import OutputError
    from retrieval.files.locks import LOCK, alone_in
    from retrieval.l3.add import WITHOUT_PIXELS
    from retrieval.l3.days import day_files

    with suppress(OSError, OutputError), alone_in(folder):  # not while another call is at work
        if not day_files(folder):
            for path in (folder / WITHOUT_PIXELS, *folder.glob(".*.lock"), folder / LOCK):
                path.unlink(missing_ok=True)
            folder.rmdir()


def strata_path(output: Path) -> Path:
    """Return the table of means by kind of pixel that goes with a map."""
    from retrieval.l3.intervals import STRATA_SUFFIX

    return output.with_name(f"{output.stem}{STRATA_SUFFIX}")


def strata_of(
    folder: Path, output: Path, period: tuple[np.datetime64, np.datetime64] | None
) -> dict[str, Any]:
    """Return means by kind of pixel, and the file they belong in."""
    from retrieval.l3.intervals import stratum_table

    rows = [row.as_dict() for row in stratum_table(folder, period)]
    return {"strata_file": str(strata_path(output)), "strata": rows}


def write_strata(strata: dict[str, Any], *, overwrite: bool) -> None:
    """Write means by kind of pixel; what a day does not say is empty."""
    from retrieval.files.tables import cells, write_lines
    from retrieval.l3.intervals import StratumRow

    lines = (cells(row.values()) for row in strata["strata"])
    path = Path(strata["strata_file"])
    write_lines(path, list(StratumRow.__dataclass_fields__), lines, overwrite=overwrite)


def describe_l3(l3: L3) -> dict[str, Any]:
    """Return period, cells and mean columns [molec cm-2] of a map."""
    import numpy as np

    from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
    from retrieval.physics.geometry.grids import cell_areas

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


def describe_report(report: AddReport, passed_over: list[tuple[Path, Path]]) -> dict[str, Any]:
    """Return what became of the files of a call."""
    return {
        "added": len(report.added),
        "skipped_already_there": len(report.skipped),
        "outside_of_the_grid": report.outside,
        "passed_over": [path.name for path, _ in passed_over],
        "failed": [name for name, _ in report.failed],
        "pixels": report.n_pixel,
        "pixels_without_usable_corners": report.n_dropped,
    }


def show_plan(
    files: list[Path],
    passed_over: list[tuple[Path, Path]],
    job: GridJob,
    summary: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    """Print what would be done."""
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


def show(summary: dict[str, Any]) -> None:
    """Print a summary for people."""
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
    if "skipped" in summary:
        click.echo(f"skipped {summary['output']}: done before, from the same orbits and settings")
        return
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
