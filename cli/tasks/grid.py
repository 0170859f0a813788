"""What `dacno2-s5p grid` reports: plan, numbers of a map, means by kind of pixel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.console import note, print_json, print_table

if TYPE_CHECKING:
    import numpy as np

    from retrieval.l3.add import AddReport
    from retrieval.l3.days import GridJob
    from retrieval.l3.means import L3

STRATA_SUFFIX = "_strata.csv"
"""Means by kind of pixel beside OUTPUT.nc: OUTPUT_strata.csv."""


def strata_path(output: Path) -> Path:
    """Return the table of means by kind of pixel that goes with a map."""
    return output.with_name(f"{output.stem}{STRATA_SUFFIX}")


def strata_of(
    folder: Path, output: Path, period: tuple[np.datetime64, np.datetime64] | None
) -> dict[str, Any]:
    """Return means by kind of pixel, and the file they belong in."""
    from retrieval.l3_strata import stratum_table

    rows = [row.as_dict() for row in stratum_table(folder, period)]
    return {"strata_file": str(strata_path(output)), "strata": rows}


def write_strata(strata: dict[str, Any], *, overwrite: bool) -> None:
    """Write means by kind of pixel; what a day does not say is empty."""
    from retrieval.files.tables import cells, write_lines
    from retrieval.l3_strata import StratumRow

    lines = (cells(row.values()) for row in strata["strata"])
    path = Path(strata["strata_file"])
    write_lines(path, list(StratumRow.__dataclass_fields__), lines, overwrite=overwrite)


def describe_l3(l3: L3) -> dict[str, Any]:
    """Return period, cells and mean columns [molec cm-2] of a map."""
    import numpy as np

    from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
    from retrieval.physics.grids import cell_areas

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
