"""`dacno2-s5p evaluate`: predictions against held-out stations and CAMS."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import note, print_json, print_table
from cli.options.network import grid_option, model_grid, station_options, window_option
from cli.options.shared import (
    bootstrap_option,
    figure_format_option,
    first_last_options,
    json_option,
    output_folder_option,
    overwrite_option,
    seed_option,
    verbosity_options,
    workspace_option,
)
from cli.reporting.origin import LEAF, origin_of, write_origin

if TYPE_CHECKING:
    from dacno2_s5p.evaluation.evaluate import Row
    from dacno2_s5p.evaluation.evidence import Evidence

logger = logging.getLogger(__name__)

FIGURES = (
    *("stations", "station_map", "series", "layers", "profiles"),
    *("maps", "layer_maps", "transects", "layers_in_time", "years"),
)
SHOWN_TABLES = ("stations", "coverage", "station series", "consistency", "layers")
"""Tables on the terminal; all are in the files."""


@click.command(short_help="Predictions against stations and CAMS (Tables 2, 3, S1).")
@workspace_option
@click.option(
    "-a",
    "--apriori",
    "sets",
    multiple=True,
    metavar="NAME=PATH",
    help="Profile files or any CF field, repeatable, side by side.  "
    "[default: DACNO2=WORKSPACE/profiles, where it exists]",
)
@click.option(
    "--bound",
    "bounds",
    multiple=True,
    metavar="NAME",
    help="A set that is a bound, like the twin world's truth: never marked as best. Repeatable.",
)
@click.option(
    "--cams",
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="CAMS European files: the reference by layer, and the set CAMS-2km.  "
    "[default: WORKSPACE/cams, where it exists]",
)
@click.option(
    "--stations",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="EEA files, their metadata and the split lists.  "
    "[default: WORKSPACE/eea, where it exists]",
)
@station_options(
    "Stations trained on; none of them may be evaluated.", "Stations that were held back."
)
@click.option(
    "--checkpoint",
    "checkpoints",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="Checkpoint of a set: its training stations may not be evaluated. Repeatable.",
)
@click.option(
    "--store",
    "stores",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    metavar="DIR",
    help="Store of a checkpoint that does not name its training stations, as older ones. "
    "Repeatable.  [default: WORKSPACE/store, where it exists]",
)
@first_last_options("Take only days from this one on.", "Take only days up to this one.")
@window_option(
    "Hours (UTC) of the sets' fields and of the stations' means: 11-13, daily, or a range."
)
@grid_option("Grid the stations are compared on.")
@click.option(
    "--population",
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="JRC-GEOSTAT, for profile ratios by urbanisation.  "
    "[default: WORKSPACE/geostat, where it exists]",
)
@bootstrap_option("days and of stations", 1000)
@seed_option("Seed of the draws.")
@click.option(
    "--twin",
    "twin_days",
    type=click.IntRange(1, 60),
    metavar="DAYS",
    help="No files at hand: write that many days of the twin world into the output and evaluate "
    "its CAMS, with the truth as the bound.",
)
@output_folder_option("Folder for tables and figures.", "evaluation")
@figure_format_option
@overwrite_option
@json_option
@verbosity_options
def evaluate(**given: Any) -> None:
    """Score sets of NO2 fields against held-out stations and, layer by layer, against CAMS.

    Writes scores.csv (one number a line), scores.md (sets side by side, the best of a row marked),
    figures, and what was read and chosen as provenance.json. Days of several years are scored
    together and year by year. A station that a given checkpoint or list was trained on is refused.

    Examples:

    \b
      dacno2-s5p evaluate --twin 5 -o twin_evaluation
      dacno2-s5p evaluate -w data -a phase2=p2 -a phase3=p3 --checkpoint p3.safetensors \\
          --start 2022-01-01 --end 2023-12-31
    """
    from cli.tasks.evaluation import (
        collect_evidence,
        open_sets,
        population,
        read_by,
        twin_inputs,
    )
    from dacno2_s5p.calibration.coverage import uncertainty_rows
    from dacno2_s5p.evaluation.evaluate import evaluate as rows_of
    from dacno2_s5p.evaluation.sets import checkpoint_of
    from retrieval.files.atomic import results_together
    from retrieval.files.candidates import Choices

    folder: Path = given["output"]
    targets = _targets(folder, given["suffix"], overwrite=given["overwrite"])
    if given["twin_days"]:
        given = twin_inputs(given)
    grid, choices = model_grid(given["grid"]), Choices()
    with ExitStack() as stack:
        sets, reference, opened = open_sets(given, grid, stack)
        made_by = {name: checkpoint_of(one) for name, one in opened.items()}
        is_synthetic = any(one.is_synthetic for one in opened.values())
        evidence = collect_evidence(given, grid, sets, reference, choices)
        covered, said = uncertainty_rows(
            evidence, opened, n_draw=given["bootstrap"], seed=given["seed"]
        )
    rows = rows_of(
        evidence,
        population=population(given, grid, choices),
        n_draw=given["bootstrap"],
        seed=given["seed"],
    )
    rows += covered
    notes = _notes(evidence, given, is_synthetic=is_synthetic) + said
    if evidence.cells:
        notes += _unchecked(given, made_by)
    origin = origin_of(read_by(given, opened), given)
    with results_together(targets, overwrite=given["overwrite"]) as drafts:
        names = _write(drafts, evidence, rows, notes)
        write_origin(
            drafts["provenance"], origin, is_synthetic=is_synthetic, choices=choices.records()
        )
    written = [targets[name] for name in (*names, "provenance")]
    if given["as_json"]:
        numbers = [asdict(row) for row in rows]
        print_json(
            {
                "files": [str(p) for p in written],
                "notes": notes,
                "choices": choices.records(),
                "numbers": numbers,
            }
        )
    else:
        _show(rows, notes, written)


def _targets(folder: Path, suffix: str, *, overwrite: bool) -> dict[str, Path]:
    """Names of what is written; refuses before any work where something would be replaced."""
    from retrieval.files.atomic import check_outputs

    targets = {name: folder / f"{name}.{suffix}" for name in FIGURES}
    targets |= {"csv": folder / "scores.csv", "markdown": folder / "scores.md"}
    targets["provenance"] = folder / LEAF
    check_outputs(targets.values(), overwrite=overwrite)
    return targets


def _notes(evidence: Evidence, given: dict[str, Any], *, is_synthetic: bool) -> list[str]:
    """Say what the numbers are of."""
    days = evidence.days
    notes = [f"{days.size} days, {days[0]} to {days[-1]}, {given['window']} UTC"]
    if len(evidence.years) > 1:
        notes.append(f"years {', '.join(map(str, evidence.years))}, together and one by one")
    if evidence.cells:
        notes.append(
            f"{len(evidence.cells)} held-out station cells on the grid {evidence.grid.name}"
        )
    if evidence.left_out:
        notes.append(f"{len(evidence.left_out)} days left out, the first {evidence.left_out[0]}")
    if is_synthetic:
        notes.append("synthetic data: the twin world")
    return notes


def _unchecked(given: dict[str, Any], made_by: dict[str, tuple[str, ...]]) -> list[str]:
    """Say of which sets the training split was not looked at, as no checkpoint was given."""
    makers = {maker for of_set in made_by.values() for maker in of_set}
    if not makers:
        return []
    from retrieval.files.provenance import file_checksum

    known = {file_checksum(path) for path in given["checkpoints"]}
    unchecked = [name for name, of_set in made_by.items() if set(of_set) - known]
    for name in unchecked:
        logger.warning(
            "Set %s was made by a checkpoint that is not given: its training stations are not "
            "known. Give --checkpoint FILE.",
            name,
        )
    return [f"training split of {name} not checked" for name in unchecked]


def _write(
    drafts: dict[str, Path], evidence: Evidence, rows: list[Row], notes: list[str]
) -> list[str]:
    """Write tables and figures, and return the names of those written."""
    from dacno2_s5p.evaluation.figures.scores import figures, save
    from dacno2_s5p.evaluation.tables import markdown, write_csv
    from retrieval.files.tables import write_text

    write_csv(drafts["csv"], rows)
    write_text(drafts["markdown"], markdown(rows, "Evaluation", notes))
    drawn = figures(evidence, rows, "; ".join(notes))
    for name, figure in drawn.items():
        save(figure, drafts[name])
    return ["csv", "markdown", *drawn]


def _show(rows: list[Row], notes: list[str], written: list[Path]) -> None:
    from dacno2_s5p.evaluation.tables import TITLES, side_by_side

    for line in notes:
        note(line)
    for table in SHOWN_TABLES:
        header, cells = side_by_side(rows, table)
        if cells:
            print_table(TITLES[table], header, cells)
    for path in written:
        click.echo(str(path))
