"""`dacno2-s5p evaluate`: predictions against held-out stations and CAMS."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import note, print_json, print_table, progress_bar
from cli.options import json_option, overwrite_option, verbosity_options, workspace_option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dacno2_s5p.evaluate import Row
    from dacno2_s5p.evaluate_data import Evidence, FieldSet
    from dacno2_s5p.grid import ModelGrid
    from dacno2_s5p.sources.eea import Measurements
    from retrieval.apriori.base import AprioriSet

logger = logging.getLogger(__name__)

CAMS_NAME = "CAMS-2km"
"""CAMS where it stands beside other sets: bilinear on the model grid, as the paper names it."""
SET_NAME = "DACNO2"
TRUTH_NAME = "truth"
TWIN_START = "2019-07-08"
FIGURES = (
    *("stations", "station_map", "series", "layers", "profiles"),
    *("maps", "layer_maps", "transects"),
)
SHOWN_TABLES = ("stations", "coverage", "station series", "consistency", "layers")
"""Tables on the terminal; all are in the files."""


@click.command(short_help="Predictions against stations and CAMS (Tables 2, 3, S1).")
@workspace_option
@click.option(
    "-s",
    "--set",
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
@click.option(
    "--training-stations",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="CSV",
    help="Stations trained on; none of them may be evaluated.",
)
@click.option(
    "--evaluation-stations",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="CSV",
    help="Stations that were held back.",
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
    help="Store that a checkpoint was trained on; holds its split. Repeatable.  "
    "[default: WORKSPACE/store, where it exists]",
)
@click.option("--start", "first", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD")
@click.option("--end", "last", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD")
@click.option(
    "--window",
    default="11-13",
    show_default=True,
    metavar="HOURS",
    help="Hours (UTC) of the sets' fields and of the stations' means: 11-13, daily, or a range.",
)
@click.option(
    "--grid",
    default="europe-2km",
    show_default=True,
    metavar="NAME|TOML",
    help="Grid the stations are compared on.",
)
@click.option(
    "--population",
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="JRC-GEOSTAT, for profile ratios by urbanisation.  "
    "[default: WORKSPACE/geostat, where it exists]",
)
@click.option(
    "--station-offset",
    type=click.IntRange(-12, 14),
    default=1,
    show_default=True,
    metavar="HOURS",
    help="Hours by which times of EEA parquet files are ahead of UTC.",
)
@click.option(
    "--bootstrap",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    metavar="N",
    help="Draws of days and of stations for 95 % intervals; 0 for none.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the draws.")
@click.option(
    "--twin",
    "twin_days",
    type=click.IntRange(1, 60),
    metavar="DAYS",
    help="No files at hand: write that many days of the twin world into the output and evaluate "
    "its CAMS, with the truth as the bound.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("evaluation"),
    show_default=True,
    metavar="DIR",
    help="Folder for tables and figures.",
)
@click.option(
    "--format",
    "suffix",
    type=click.Choice(["png", "pdf", "svg"]),
    default="png",
    show_default=True,
    help="Of the figures.",
)
@overwrite_option
@json_option
@verbosity_options
def evaluate(**given: Any) -> None:
    """Score sets of NO2 fields against held-out stations and, layer by layer, against CAMS.

    Writes scores.csv (one number a line), scores.md (sets side by side, the best of a row marked)
    and figures. A station that a given checkpoint or list was trained on is refused.

    Examples:

    \b
      dacno2-s5p evaluate --twin 5 -o twin_evaluation
      dacno2-s5p evaluate -w data -s phase2=p2 -s phase3=p3 --checkpoint p3.safetensors \\
          --store data/store --start 2023-01-01 --end 2023-12-31
    """
    from cli.evaluate_coverage import uncertainty_rows
    from cli.evaluate_sets import checkpoint_of
    from dacno2_s5p.evaluate import evaluate as rows_of

    folder: Path = given["output"]
    targets = _targets(folder, given["suffix"], overwrite=given["overwrite"])
    if given["twin_days"]:
        given = _twin_inputs(given)
    grid = _grid(given["grid"])
    with ExitStack() as stack:
        sets, reference, opened = _open_sets(given, grid, stack)
        made_by = {name: checkpoint_of(one) for name, one in opened.items()}
        is_synthetic = any(one.is_synthetic for one in opened.values())
        evidence = _collect(given, grid, sets, reference)
        covered, said = uncertainty_rows(
            evidence, opened, n_draw=given["bootstrap"], seed=given["seed"]
        )
    rows = rows_of(
        evidence,
        population=_population(given, grid),
        n_draw=given["bootstrap"],
        seed=given["seed"],
    )
    rows += covered
    notes = _notes(evidence, given, is_synthetic=is_synthetic) + said
    if evidence.cells:
        notes += _unchecked(given, made_by)
    folder.mkdir(parents=True, exist_ok=True)
    written = _write(targets, evidence, rows, notes, overwrite=given["overwrite"])
    if given["as_json"]:
        numbers = [asdict(row) for row in rows]
        print_json({"files": [str(p) for p in written], "notes": notes, "numbers": numbers})
    else:
        _show(rows, notes, written)


def _targets(folder: Path, suffix: str, *, overwrite: bool) -> dict[str, Path]:
    """Names of what is written; refuses before any work where something would be replaced."""
    from retrieval.atomic import check_output

    targets = {name: folder / f"{name}.{suffix}" for name in FIGURES}
    targets |= {"csv": folder / "scores.csv", "markdown": folder / "scores.md"}
    if folder.is_dir():
        for target in targets.values():
            check_output(target, overwrite=overwrite)
    return targets


def _twin_inputs(given: dict[str, Any]) -> dict[str, Any]:
    """Write days of the twin world, and take all inputs from there."""
    import numpy as np

    from cli.twin_files import Request, date_range, missing, plan, progress_units
    from dacno2_s5p.twin.twin import SEED, Twin
    from dacno2_s5p.twin.write_rasters import write_population

    folder: Path = given["output"] / "twin"
    folder.mkdir(parents=True, exist_ok=True)
    start = str(given["first"].date()) if given["first"] else TWIN_START
    end = str(np.datetime64(start, "D") + np.timedelta64(given["twin_days"] - 1, "D"))
    request = Request(Twin(SEED), folder, False, False)
    units = missing(plan(["cams", "eea", "truth"], date_range(start, end)), request)
    with progress_bar("Twin world") as progress:
        for i, unit in progress_units(units, request):
            if progress is not None:
                progress(i, len(units))
            note(f"twin world: {unit.kind} {unit.label}")
    people = folder / "geostat"
    people.mkdir(exist_ok=True)
    if not any(people.iterdir()):
        write_population(request.twin, people)
    return {
        **given,
        "workspace": folder,
        "first": None,
        "last": None,
        "sets": (*given["sets"], f"{TRUTH_NAME}={folder / 'truth8'}"),
        "bounds": (*given["bounds"], TRUTH_NAME),
    }


def _grid(text: str) -> ModelGrid:
    import tomllib

    from dacno2_s5p.grid import ModelGrid, named_grid

    path = Path(text)
    try:
        if path.suffix == ".toml":
            return ModelGrid.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
        return named_grid(text)
    except (OSError, TypeError, ValueError) as error:
        raise click.BadParameter(" ".join(str(error).split()), param_hint="--grid") from error


def _named_paths(given: dict[str, Any]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in given["sets"]:
        name, sign, path = text.partition("=")
        if not sign or not name or not path:
            msg = f"{text!r} is not NAME=PATH. Write for example phase3=profiles."
            raise click.BadParameter(msg, param_hint="--set")
        if name in found or name == CAMS_NAME:
            msg = f"{name} is taken. Each set needs a name of its own."
            raise click.BadParameter(msg, param_hint="--set")
        if not Path(path).exists():
            msg = f"{path} does not exist. Give a file or a folder of files for {name}."
            raise click.BadParameter(msg, param_hint="--set")
        found[name] = Path(path)
    profiles = given["workspace"] / "profiles"
    if not found and profiles.is_dir():
        found[SET_NAME] = profiles
    unknown = [name for name in given["bounds"] if name not in found]
    if unknown:
        msg = f"{unknown[0]} is none of the sets {', '.join(found)}."
        raise click.BadParameter(msg, param_hint="--bound")
    return found


def _default(given: dict[str, Any], option: str, name: str) -> Path | None:
    """Return what an option gives, else the workspace's folder where it exists."""
    path: Path | None = given[option]
    standard: Path = given["workspace"] / name
    return path if path is not None else (standard if standard.exists() else None)


def _open_sets(
    given: dict[str, Any], grid: ModelGrid, stack: ExitStack
) -> tuple[list[FieldSet], FieldSet | None, dict[str, AprioriSet]]:
    """Open all sets, CAMS last among the contestants, and what is behind them."""
    from cli.evaluate_sets import open_field_set

    named = _named_paths(given)
    cams = _default(given, "cams", "cams")
    if not named and cams is None:
        msg = "there is nothing to evaluate. Give -s NAME=PATH or --cams PATH, or try --twin 5."
        raise click.UsageError(msg)
    wanted = {name: path for name, path in named.items() if name not in given["bounds"]}
    if cams is not None:
        wanted[CAMS_NAME] = cams
    wanted |= {name: named[name] for name in given["bounds"]}
    sets: list[FieldSet] = []
    behind: dict[str, AprioriSet] = {}
    for name, path in wanted.items():
        found, opened = open_field_set(
            name, path, grid, given["window"], is_bound=name in given["bounds"]
        )
        stack.callback(opened.close)
        behind[name] = opened
        sets.append(found)
    reference = next((s for s in sets if s.name == CAMS_NAME), None)
    return sets, reference, behind


def _collect(
    given: dict[str, Any], grid: ModelGrid, sets: list[FieldSet], reference: FieldSet | None
) -> Evidence:
    from dacno2_s5p.evaluate_data import collect

    measurements = _measurements(given, grid)
    with progress_bar("Reading days") as progress:
        evidence = collect(
            sets,
            _days(given, sets),
            grid,
            measurements=measurements,
            window=given["window"],
            reference=reference,
            progress=progress,
        )
    if measurements is not None:
        _refuse_trained(given, evidence, measurements)
    return evidence


def _days(given: dict[str, Any], sets: list[FieldSet]) -> list[np.datetime64]:
    """Return the days asked for; without any asked for, those of any set."""
    import numpy as np

    held = sorted(set().union(*(s.days for s in sets)))
    if not held:
        return []
    low = np.datetime64(given["first"].date(), "D") if given["first"] else held[0]
    high = np.datetime64(given["last"].date(), "D") if given["last"] else held[-1]
    if high < low:
        msg = f"{high} is before {low}."
        raise click.BadParameter(msg, param_hint="--end")
    return [day for day in held if low <= day <= high]


def _measurements(given: dict[str, Any], grid: ModelGrid) -> Measurements | None:
    from dacno2_s5p.sources.eea import Measurements, StationRules

    folder = _default(given, "stations", "eea")
    if folder is None:
        logger.warning("There are no stations. Give --stations DIR to score sets against them.")
        return None
    rules = StationRules(
        offset_hours=given["station_offset"],
        training_list=given["training_stations"],
        evaluation_list=given["evaluation_stations"],
    )
    return Measurements(folder, grid, rules)


def _refuse_trained(given: dict[str, Any], evidence: Evidence, measurements: Measurements) -> None:
    """Refuse stations that a checkpoint was trained on, or that a list names."""
    from dacno2_s5p.evaluate_split import checkpoint_points, refuse_training_stations
    from dacno2_s5p.store import Store

    stores = {}
    standard = given["workspace"] / "store"
    folders = given["stores"] or ([standard] if given["checkpoints"] and standard.is_dir() else [])
    for folder in folders:
        store = Store.open(folder)
        stores[store.manifest_hash] = store.manifest["stations"]
    for path in given["checkpoints"]:
        from dacno2_s5p.checkpoint import read_info  # torch, which nothing else here needs

        info = read_info(path)
        points = checkpoint_points(path.name, info.training_stations, info.data_manifest, stores)
        refuse_training_stations(evidence.cells, measurements.stations, points, path.name)


def _population(given: dict[str, Any], grid: ModelGrid) -> NDArray[np.float32] | None:
    from dacno2_s5p.sources.population import read_population
    from dacno2_s5p.variables import InputTable

    path = _default(given, "population", "geostat")
    if path is None:
        return None
    table = InputTable.default()
    variable = next(v for v in table.variables if v.source == "geostat")
    density: NDArray[np.float32] = read_population(path, variable, grid)[0]
    return density


def _notes(evidence: Evidence, given: dict[str, Any], *, is_synthetic: bool) -> list[str]:
    """Say what the numbers are of."""
    days = evidence.days
    notes = [f"{days.size} days, {days[0]} to {days[-1]}, {given['window']} UTC"]
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
    from dacno2_s5p.tensor_file import hash_file

    known = {hash_file(path) for path in given["checkpoints"]}
    unchecked = [name for name, of_set in made_by.items() if set(of_set) - known]
    for name in unchecked:
        logger.warning(
            "Set %s was made by a checkpoint that is not given: its training stations are not "
            "known. Give --checkpoint FILE.",
            name,
        )
    return [f"training split of {name} not checked" for name in unchecked]


def _write(
    targets: dict[str, Path],
    evidence: Evidence,
    rows: list[Row],
    notes: list[str],
    *,
    overwrite: bool,
) -> list[Path]:
    from dacno2_s5p.evaluate_figures import figures, save
    from dacno2_s5p.evaluate_tables import markdown, write_csv, write_markdown

    write_csv(targets["csv"], rows, overwrite=overwrite)
    text = markdown(rows, "Evaluation", notes)
    write_markdown(targets["markdown"], text, overwrite=overwrite)
    written = [targets["csv"], targets["markdown"]]
    for name, figure in figures(evidence, rows, "; ".join(notes)).items():
        save(figure, targets[name], overwrite=overwrite)
        written.append(targets[name])
    return written


def _show(rows: list[Row], notes: list[str], written: list[Path]) -> None:
    from dacno2_s5p.evaluate_tables import TITLES, side_by_side

    for line in notes:
        note(line)
    for table in SHOWN_TABLES:
        header, cells = side_by_side(rows, table)
        if cells:
            print_table(TITLES[table], header, cells)
    for path in written:
        click.echo(str(path))
