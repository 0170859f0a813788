"""`dacno2-s5p prepare`: the users' own files to a training store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import note, print_json, print_table, progress_bar
from cli.options.network import (
    grid_option,
    group_options,
    model_grid,
    named_paths,
    source_option,
    station_options,
    station_zones,
    window_option,
)
from cli.options.shared import (
    STORE,
    choice_option,
    count_option,
    dry_run_option,
    first_last_options,
    json_option,
    output_folder_option,
    overwrite_option,
    skip_missing_option,
    verbosity_options,
    workspace_option,
)

if TYPE_CHECKING:
    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import InputTable, Preparation
    from dacno2_s5p.store.prepare import Plan, Settings
    from dacno2_s5p.store.store import Store


@click.command(short_help="Predictors and targets from your own files to a training store.")
@workspace_option
@output_folder_option("Folder of the store.  [default: WORKSPACE/store]")
@first_last_options("First day.", "Last day.  [default: the first]")
@click.option(
    "--year-excluded",
    "excluded",
    type=int,
    multiple=True,
    metavar="YEAR",
    help="Year to leave out, as the paper does with 2020. Repeatable.",
)
@click.option(
    "--year-held",
    "held",
    type=int,
    multiple=True,
    metavar="YEAR",
    help="Year that makes no statistics: the test year. Repeatable.",
)
@source_option(targets=True)
@window_option("Hours (UTC) the target is the mean of: 11-13 (S5P), daily (the paper), or a range.")
@choice_option(
    "--weather-end",
    ["window", "day"],
    "window",
    "Where the weather ends: at the window's end, or at 23 UTC (the paper's 00-23).",
)
@count_option("--weather-steps", 24, "Weather steps a day, a multiple of 8.", least=8)
@count_option("--weather-step-hours", 1, "Hours between them.", metavar="HOURS")
@choice_option(
    "--vertical",
    ["height", "pressure"],
    "height",
    "Weather at heights above ground, or on the pressure levels nearest to them.",
)
@click.option(
    "--heights",
    metavar="M,M,...",
    help="Heights above ground [m].  [default: 0,50,250,500,1000,2000,3000,5000]",
)
@grid_option("europe-2km, lonlat-0.02, or a TOML file that describes a grid.")
@click.option(
    "--inputs",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="TOML",
    help="Another table of inputs.  [default: the 38 shipped]",
)
@group_options
@station_options(
    "Stations that CAMS assimilates (EoI codes or sampling points).",
    "Stations that are held back.",
)
@click.option("--draw-stations", is_flag=True, help="Draw the split where there is no list.")
@click.option("--no-targets", is_flag=True, help="Inputs only: for prediction.")
@click.option("--no-stations", is_flag=True, help="Without stations: phase 1 only.")
@skip_missing_option
@dry_run_option("Say what is missing for which days, and stop.")
@click.option("--what-to-download", is_flag=True, help="Print the products to request, and stop.")
@click.option(
    "--screen", "is_screen", is_flag=True, help="Compare the targets' distribution by year."
)
@click.option(
    "--raster-year",
    type=int,
    metavar="YEAR",
    help="Year of the rasters (night light, population, land cover) where there are several, else "
    "the nearest.  [default: the middle one of the days]",
)
@overwrite_option
@json_option
@verbosity_options
def prepare(workspace: Path, output: Path | None, as_json: bool, **options: Any) -> None:
    """Read your ERA5, CAMS, EEA, emission and geography files into a training store.

    Everything is looked for before anything is written; incomplete days are refused unless
    --skip-missing leaves them out. An interrupted run goes on where it stopped; what was made from
    files that have changed since is made anew.

    Examples:

    \b
      dacno2-s5p prepare --what-to-download
      dacno2-s5p prepare -w data --start 2019-01-01 --end 2023-12-31 --year-excluded 2020 \\
          --year-held 2023 --dry-run
      dacno2-s5p prepare -o data/store --screen
    """
    folder = output or workspace / STORE
    if options["what_to_download"]:
        _say_requests(_table(options), _preparation(options), model_grid(options["grid"]), as_json)
        return
    if options["first"] is None:
        if options["is_screen"]:
            _screen(folder, as_json)
            return
        msg = "there is no day. Give --start DATE, or --screen for a store that is there."
        raise click.UsageError(msg)
    _run(workspace, folder, as_json, options)


def _run(workspace: Path, folder: Path, as_json: bool, options: dict[str, Any]) -> None:
    """Plan, and unless it is a dry run write."""
    from dacno2_s5p.sources.paths import SourcePaths
    from dacno2_s5p.store.prepare import Preparer

    paths = SourcePaths.in_folder(workspace, named_paths(options["sources"]))
    settings = _settings(options)
    preparer = Preparer(paths, folder, settings)
    try:
        with progress_bar("Looking for files") as progress:
            plan = preparer.plan(progress)
        _say_missing(plan, len(settings.days))
        if options["dry_run"]:
            _say_plan(plan, as_json)
            return
        with progress_bar("Preparing days") as progress:
            store = preparer.write(plan, progress)
    finally:
        preparer.close()
    if options["is_screen"]:
        _screen(folder, as_json)
        return
    _say_store(store, plan, as_json)


def _settings(options: dict[str, Any]) -> Settings:
    import numpy as np

    from dacno2_s5p.sources.stations.cells import StationRules
    from dacno2_s5p.store.prepare import Settings, days_of

    first = options["first"]
    last = options["last"] or first
    days = days_of(
        np.datetime64(first.date(), "D"), np.datetime64(last.date(), "D"), options["excluded"]
    )
    if not days:
        msg = "no day is left. --end must not lie before --start, nor all years be excluded."
        raise click.UsageError(msg)
    rules = StationRules(
        offset_hours=options["station_offset"],
        zones=station_zones(options["station_zones"]),
        training_list=options["training_stations"],
        evaluation_list=options["evaluation_stations"],
        draw=options["draw_stations"],
    )
    return Settings(
        days=days,
        held_years=frozenset(options["held"]),
        grid=model_grid(options["grid"]),
        table=_table(options),
        preparation=_carried(options),
        rules=rules,
        raster_year=options["raster_year"],
        with_targets=not options["no_targets"],
        with_stations=not (options["no_stations"] or options["no_targets"]),
        skip_missing=options["skip_missing"],
        overwrite=options["overwrite"],
    )


def _preparation(options: dict[str, Any]) -> Preparation:
    from dacno2_s5p.inputs.variables import Preparation

    preparation = Preparation(
        target_window=options["window"],
        weather_steps=options["weather_steps"],
        weather_step_hours=options["weather_step_hours"],
        weather_end=options["weather_end"],
        vertical=options["vertical"],
    )
    if not options["heights"]:
        return preparation
    try:
        heights = tuple(float(text) for text in options["heights"].split(","))
    except ValueError as error:
        msg = f"{options['heights']!r} are no heights. Write for example 0,50,250."
        raise click.BadParameter(msg, param_hint="--heights") from error
    return Preparation.from_dict({**preparation.to_dict(), "heights": heights})


def _carried(options: dict[str, Any]) -> Preparation:
    """Return the preparation with the constants of the transport, if that is asked for."""
    from dacno2_s5p.store.transported import with_transport
    from dacno2_s5p.transport.constants import TransportConstants

    path = options["constants"]
    constants = TransportConstants() if path is None else TransportConstants.read(path)
    return with_transport(_preparation(options), _table(options), constants.to_dict())


def _table(options: dict[str, Any]) -> InputTable:
    from dacno2_s5p.inputs.variables import InputTable

    path: Path | None = options["inputs"]
    table = InputTable.default() if path is None else InputTable.read(path)
    return table.with_groups(options["groups"])


def _say_missing(plan: Plan, n_day: int) -> None:
    """Say on stderr what is missing, before anything starts."""
    if not plan.is_complete:
        note(f"{len(plan.complete)} of {n_day} days are complete")
    for what in plan.static:
        note(f"missing: {what}")
    for day, lacking in plan.missing.items():
        note(f"missing on {day}: {'; '.join(lacking)}")


def _say_plan(plan: Plan, as_json: bool) -> None:
    if as_json:
        complete = [str(day) for day in plan.complete]
        print_json({"complete": complete, "missing": plan.missing, "static": plan.static})
        return
    click.echo(f"complete days: {len(plan.complete)}")
    click.echo(f"incomplete days: {len(plan.missing)}")
    for what in plan.static:
        click.echo(f"missing: {what}")
    for day, lacking in plan.missing.items():
        click.echo(f"{day}: {'; '.join(lacking)}")


def _say_store(store: Store, plan: Plan, as_json: bool) -> None:
    cells = {year: len(found) for year, found in store.manifest["stations"].items()}
    if as_json:
        print_json(
            {
                "store": str(store.folder),
                "days": store.n_day,
                "left_out": plan.missing,
                "station_cells": cells,
                "training_data": store.training_data,
            }
        )
        return
    click.echo(
        f"{store.folder}: {store.n_day} days, {len(plan.missing)} left out, station cells "
        f"{', '.join(f'{n} in {year}' for year, n in cells.items()) or 'none'}, "
        f"{store.training_data} data"
    )


def _say_requests(
    table: InputTable, preparation: Preparation, grid: ModelGrid, as_json: bool
) -> None:
    from dacno2_s5p.sources.requests import requests

    wanted = requests(table, preparation, grid)
    if as_json:
        print_json([{"source": r.source, "product": r.product, **r.items} for r in wanted])
        return
    for request in wanted:
        click.echo(f"{request.source}/  {request.product}")
        for name, value in request.items.items():
            click.echo(f"    {name}: {value}")


def _screen(folder: Path, as_json: bool) -> None:
    from dataclasses import asdict

    from dacno2_s5p.store.screen import screen, sentences
    from dacno2_s5p.store.store import Store

    with progress_bar("Screening targets") as progress:
        rows = screen(Store.open(folder), progress)
    if as_json:
        print_json({"rows": [asdict(row) for row in rows], "findings": sentences(rows)})
        return
    print_table(
        "Targets by height and year [ug m-3]",
        ["height [m]", "year", "days", "mean", "5 %", "median", "95 %", "distance", "outlier"],
        [
            [
                *(f"{row.height:g}", str(row.year), str(row.n_day), f"{row.mean:.4g}"),
                *(f"{q:.3g}" for q in row.quantiles),
                *(f"{row.distance:.3f}", "yes" if row.is_outlier else ""),
            ]
            for row in rows
        ],
    )
    for sentence in sentences(rows):
        click.echo(sentence)
