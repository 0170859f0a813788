"""What an evaluation reads: sets, days, stations, the stations that may not be evaluated."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import note, progress_bar
from cli.options.network import station_zones
from cli.options.orbits import check_order
from cli.options.shared import PROFILES, STORE, parse_named_path

if TYPE_CHECKING:
    from contextlib import ExitStack

    import numpy as np
    from numpy.typing import NDArray

    from dacno2_s5p.evaluation.evidence import Evidence
    from dacno2_s5p.evaluation.sets import FieldSet
    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.sources.stations.cells import Measurements
    from retrieval.apriori.base import AprioriSet
    from retrieval.files.candidates import Choices
    from retrieval.files.provenance import InputFile

logger = logging.getLogger(__name__)

CAMS_NAME = "CAMS-2km"
"""CAMS where it stands beside other sets: bilinear on the model grid, as the paper names it."""
SET_NAME = "DACNO2"
TRUTH_NAME = "truth"
TWIN_START = "2019-07-08"


def twin_inputs(given: dict[str, Any]) -> dict[str, Any]:
    """Write days of the twin world, and take all inputs from there."""
    import numpy as np

    from cli.story.day import version_for
    from cli.tasks.twin_files import Request, date_range, missing, plan, progress_units
    from dacno2_s5p.twin.true_world import SEED
    from dacno2_s5p.twin.twin import Twin
    from dacno2_s5p.twin.writers.rasters import write_population
    from retrieval.files.atomic import make_folder

    folder: Path = given["output"] / "twin"
    make_folder(folder)
    start = str(given["first"].date()) if given["first"] else TWIN_START
    end = str(np.datetime64(start, "D") + np.timedelta64(given["twin_days"] - 1, "D"))
    version = version_for(next(iter(given["checkpoints"]), None))
    request = Request(Twin(SEED, version), folder, False, False)
    units = missing(plan(["cams", "eea", "truth"], date_range(start, end)), request)
    with progress_bar("Twin world") as progress:
        for i, unit in progress_units(units, request):
            if progress is not None:
                progress(i, len(units))
            note(f"twin world: {unit.kind} {unit.label}")
    people = folder / "geostat"
    make_folder(people)
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


def _named_paths(given: dict[str, Any]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in given["sets"]:
        name, path = parse_named_path(text, "--apriori", "phase3=profiles")
        if name in found or name == CAMS_NAME:
            msg = f"{name} is taken. Each set needs a name of its own."
            raise click.BadParameter(msg, param_hint="--apriori")
        found[name] = path
    profiles = given["workspace"] / PROFILES
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


def open_sets(
    given: dict[str, Any], grid: ModelGrid, stack: ExitStack
) -> tuple[list[FieldSet], FieldSet | None, dict[str, AprioriSet]]:
    """Open all sets, CAMS last among the contestants, and what is behind them."""
    from dacno2_s5p.evaluation.sets import open_field_set

    named = _named_paths(given)
    cams = _default(given, "cams", "cams")
    if not named and cams is None:
        msg = "there is nothing to evaluate. Give -a NAME=PATH or --cams PATH, or try --twin 5."
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


def collect_evidence(
    given: dict[str, Any],
    grid: ModelGrid,
    sets: list[FieldSet],
    reference: FieldSet | None,
    choices: Choices,
) -> Evidence:
    """Read all days, keep which values were chosen, and refuse stations that were trained on."""
    from dacno2_s5p.evaluation.evidence import collect

    measurements = _measurements(given, grid, choices)
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
    check_order(given["first"], given["last"])
    days = [day for day in held if low <= day <= high]
    if not days:
        asked = f" from {low}" if given["first"] else ""
        asked += f" to {high}" if given["last"] else " on"
        msg = f"there is no day{asked}. The sets hold {held[0]} to {held[-1]}. Change the dates."
        raise click.UsageError(msg)
    return days


def _measurements(given: dict[str, Any], grid: ModelGrid, choices: Choices) -> Measurements | None:
    from dacno2_s5p.sources.stations.cells import Measurements, StationRules

    folder = _default(given, "stations", "eea")
    if folder is None:
        logger.warning("There are no stations. Give --stations DIR to score sets against them.")
        return None
    rules = StationRules(
        offset_hours=given["station_offset"],
        zones=station_zones(given["station_zones"]),
        training_list=given["training_stations"],
        evaluation_list=given["evaluation_stations"],
    )
    return Measurements(folder, grid, rules, choices)


def _refuse_trained(given: dict[str, Any], evidence: Evidence, measurements: Measurements) -> None:
    """Refuse stations that a checkpoint was trained on, or that a list names."""
    from dacno2_s5p.sources.stations.split import checkpoint_points, refuse_training_stations
    from dacno2_s5p.store.store import Store

    if not given["checkpoints"]:
        return
    from dacno2_s5p.network.checkpoint import read_info  # torch, which nothing else here needs

    infos = {path: read_info(path) for path in given["checkpoints"]}
    stores = {}
    if given["stores"] or not all(info.training_stations for info in infos.values()):
        for folder in _stores(given):
            store = Store.open(folder)
            stores[store.manifest_hash] = store.manifest["stations"]
    for path, info in infos.items():
        points = checkpoint_points(path.name, info.training_stations, info.data_manifest, stores)
        refuse_training_stations(evidence.cells, measurements.stations, points, path.name)


def _stores(given: dict[str, Any]) -> list[Path]:
    """Return the stores for checkpoints that do not name their training stations."""
    standard: Path = given["workspace"] / STORE
    return list(given["stores"]) or ([standard] if standard.is_dir() else [])


def population(
    given: dict[str, Any], grid: ModelGrid, choices: Choices
) -> NDArray[np.float32] | None:
    """Read people per km2 on the grid, None where there is no file."""
    from dacno2_s5p.inputs.variables import InputTable
    from dacno2_s5p.sources.rasters.maps import read_population

    path = _default(given, "population", "geostat")
    if path is None:
        return None
    table = InputTable.default()
    variable = next(v for v in table.variables if v.source == "geostat")
    density: NDArray[np.float32] = read_population(path, variable, grid, choices=choices)[0]
    return density


def read_by(given: dict[str, Any], opened: dict[str, AprioriSet]) -> list[InputFile]:
    """Return what an evaluation read: sets, checkpoints, lists, measurements, population."""
    from cli.reporting.origin import input_file, input_files, input_folder

    inputs = [input_files(one.files, name) for name, one in opened.items()]
    inputs += [input_file(path, "checkpoint") for path in given["checkpoints"]]
    for option in ("training_stations", "evaluation_stations"):
        if given[option] is not None:
            inputs.append(input_file(given[option], option.replace("_", " ")))
    for option, name in (("stations", "eea"), ("population", "geostat")):
        path = _default(given, option, name)
        if path is not None:
            read = input_folder if path.is_dir() else input_file
            inputs.append(read(path, option))
    return inputs
