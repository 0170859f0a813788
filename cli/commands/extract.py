"""`dacno2-s5p extract`: columns, air mass factors and flags at stations, as CSV."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from cli.console import EXIT_DATA, note, one_line, show_traceback
from cli.options.orbits import find_orbits
from cli.options.shared import (
    allow_empty_option,
    choice_option,
    existing,
    output_file_option,
    overwrite_option,
    sensor_option,
    verbosity_options,
)

if TYPE_CHECKING:
    from retrieval.validation.extract import Point, Row

logger = logging.getLogger(__name__)


@click.command(short_help="Columns, AMFs and flags at stations or points, as CSV.")
@sensor_option
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--points",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="Table with the columns name, lat, lon [degrees]; comma, semicolon or tab.",
)
@click.option(
    "--point",
    "single",
    type=(str, float, float),
    multiple=True,
    metavar="NAME LAT LON",
    help="A point [degrees north, degrees east]. Repeatable.",
)
@choice_option(
    "--rule",
    ["contains", "nearest"],
    "contains",
    "The pixel whose corners enclose the point, or the one with the nearest centre.",
)
@click.option(
    "--max-distance",
    type=click.FloatRange(min=0.0, min_open=True),
    default=20.0,
    show_default=True,
    metavar="KM",
    help="Farthest centre that --rule nearest accepts [km].",
)
@output_file_option("CSV", "File to write.  [default: stdout]")
@allow_empty_option
@overwrite_option
@verbosity_options
def extract(
    files: tuple[Path, ...],
    points: Path | None,
    single: tuple[tuple[str, float, float], ...],
    rule: str,
    max_distance: float,
    output: Path | None,
    overwrite: bool,
) -> None:
    """Write one row for each file and point: columns of every a priori, AMFs, qa, flags, indices.

    FILE is an original or a re-retrieved orbit, a folder, or a quoted glob; where folders and globs
    hold re-retrieved orbits, only these count. Units stand in the header; fill values are empty.
    Every pixel is written whatever its qa_value: keep rows with qa_value above 0.75.

    Examples:

    \b
      dacno2-s5p extract --point Paris 48.85 2.35 ORBIT_DACNO2.nc
      dacno2-s5p extract --points stations.csv *_DACNO2-CAMS.nc -o stations_no2.csv
    """
    places = _points(points, single)
    files = find_orbits(files, originals=False).paths
    if output is not None:
        from retrieval.files.atomic import check_output

        check_output(output, overwrite=overwrite, inputs=files)
    rows, failures = _rows(files, places, rule, 1000.0 * max_distance)
    if rows or not failures:
        _write(rows, output, overwrite=overwrite, inputs=files)
        _warn_of_unseen(places, rows, len(files), rule)
        note(f"{len(rows)} rows from {len(files)} file(s) and {len(places)} point(s)")
    for failure in failures:
        click.echo(failure, err=True)
    if failures:
        sys.exit(EXIT_DATA)


def _points(table: Path | None, single: tuple[tuple[str, float, float], ...]) -> list[Point]:
    """Read the points of the table and of the command line."""
    from retrieval.validation.extract import Point, read_points

    found = [] if table is None else read_points(existing(table, "--points") or table)
    found += [Point(*item) for item in single]
    if not found:
        msg = "there is no point. Give --points CSV or --point NAME LAT LON."
        raise click.UsageError(msg)
    return found


def _rows(
    files: tuple[Path, ...], points: list[Point], rule: str, max_distance: float
) -> tuple[list[Row], list[str]]:
    """Read all files; a bad one does not stop the rest."""
    from retrieval.validation.extract import extract_points

    rows: list[Row] = []
    failures = []
    for file in files:
        try:
            rows += extract_points([file], points, rule=rule, max_distance=max_distance)
        except Exception as error:
            show_traceback(error)
            where = f"{file}: " if len(files) > 1 else ""
            failures.append(f"Error: {where}{one_line(error)}")
    return rows, failures


def _warn_of_unseen(points: list[Point], rows: list[Row], n_file: int, rule: str) -> None:
    """Name the points without a row."""
    from retrieval.validation.extract import PLACE

    seen = {tuple(row[column] for column in PLACE[:3]) for row in rows}
    unseen = [p.name for p in points if (p.name, p.latitude, p.longitude) not in seen]
    if not unseen:
        return
    shown = ", ".join(unseen[:5]) + (", ..." if unseen[5:] else "")
    what = "contains" if rule == "contains" else "has its centre near"
    advice = "--rule nearest" if rule == "contains" else "a larger --max-distance"
    logger.warning(
        "No pixel of %d file(s) %s %s (%d of %d points). Check the place, or give %s.",
        *(n_file, what, shown, len(unseen), len(points), advice),
    )


def _write(
    rows: list[Row], output: Path | None, *, overwrite: bool, inputs: tuple[Path, ...]
) -> None:
    """Write the table to a file, whole or not at all, or to stdout."""
    from retrieval.files.atomic import atomic_output
    from retrieval.validation.extract import PLACE, column_names, write_rows

    columns = PLACE if rows else tuple(column_names(inputs[0]))
    if output is None:
        write_rows(rows, sys.stdout, columns)
        return
    with (
        atomic_output(output, overwrite=overwrite, inputs=inputs) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        write_rows(rows, stream, columns)
    click.echo(str(output))
