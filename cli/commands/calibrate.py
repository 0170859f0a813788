"""`dacno2-s5p calibrate`: factors that make the uncertainty of `predict` cover what it says.

A command of its own, as it does what `evaluate` refuses: it reads training stations, on days that
were kept back, and leaves those held out for evaluation alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import note, print_json, print_table
from cli.options.network import checkpoints_option, named_paths, source_option, store_option
from cli.options.shared import (
    PROFILES,
    STORE,
    count_option,
    dry_run_option,
    json_option,
    output_file_option,
    overwrite_option,
    seed_option,
    verbosity_options,
    workspace_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from dacno2_s5p.calibration.factors import Calibration
    from dacno2_s5p.inputs.samples import Stations
    from retrieval.apriori.base import AprioriSet

    Read = Callable[[np.datetime64], NDArray[np.floating]]


@click.command(short_help="Make no2_uncertainty cover what it says.")
@checkpoints_option("Network that predicted; of an ensemble all, in their order.")
@workspace_option
@click.option(
    "--predictions",
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="Profile files with a raw no2_uncertainty.  [default: WORKSPACE/profiles]",
)
@store_option("Store that the network was trained on.  [default: WORKSPACE/store]")
@seed_option("Seed of the two halves.")
@click.option(
    "--transport",
    "is_transport",
    is_flag=True,
    help="Fit the constants of the transport to CAMS on days of the store, instead of factors.",
)
@click.option(
    "--forecast",
    "is_forecast",
    is_flag=True,
    help="Join the day's CAMS forecast to one network, with shares fitted to stations: writes a "
    "checkpoint, instead of factors.",
)
@count_option(
    "--sample-days", 20, "Days the transport is fitted to, evenly spread over the training's."
)
@click.option(
    "--recipe",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="TOML",
    help="Recipe that a store of the twin world was made with; for --transport.",
)
@source_option()
@output_file_option(
    "FILE",
    "File to write.  [default: NAME.calibration.json beside the first checkpoint, where predict "
    "finds it; transport.toml in the workspace; NAME-cams.safetensors beside the checkpoint]",
)
@overwrite_option
@dry_run_option("Say which days were kept back, and stop.")
@json_option
@verbosity_options
def calibrate(**given: Any) -> None:
    """Fit factors to a raw spread on one half of the training stations, and test them on the other.

    Only days count that were kept back in training. Predict these first with several checkpoints,
    the members of an ensemble; stations held out for evaluation stay unseen, and `evaluate` then
    tells the coverage there.

    Examples:

    \b
      dacno2-s5p calibrate -c phase3/best.safetensors --dry-run
      dacno2-s5p predict --start 2023-02-01 --end 2023-02-07 -c a.safetensors -c b.safetensors \\
          --store store -o raw
      dacno2-s5p calibrate -c a.safetensors -c b.safetensors --predictions raw
      dacno2-s5p calibrate --transport --store store -o transport.toml

    With --transport the four constants of the transport are fitted to the CAMS targets of training
    days, and their curves drawn beside the file; prepare takes it by --constants. With --forecast
    a network trained without the CAMS forecast gets it beside its own field: shares are fitted on
    the days that no phase trained on, and the checkpoint written anew.
    """
    if given["is_transport"] and given["is_forecast"]:
        msg = "--transport and --forecast fit different things. Give one of them."
        raise click.UsageError(msg)
    if given["is_transport"]:
        _fit_transport(given)
        return
    if not given["checkpoints"]:
        msg = "there is no network. Give --checkpoint FILE, or --transport."
        raise click.UsageError(msg)
    if given["is_forecast"]:
        _fit_forecast(given)
        return
    from dacno2_s5p.calibration.factors import fit, halves, report
    from dacno2_s5p.calibration.file import calibration_path, write_calibration
    from dacno2_s5p.calibration.residuals import collect_residuals, held_out_days
    from dacno2_s5p.network.checkpoint import read_info
    from dacno2_s5p.store.store import Store
    from retrieval.apriori.registry import open_apriori
    from retrieval.files.atomic import check_output
    from retrieval.files.provenance import file_checksum

    first = given["checkpoints"][0]
    target = given["output"] or calibration_path(first)
    check_output(target, overwrite=given["overwrite"] or given["dry_run"])
    store = Store.open(given["store"] or given["workspace"] / STORE)
    wanted = held_out_days(store, read_info(first), str(first))
    if given["dry_run"]:
        _say_days(wanted, given)
        return
    marks = tuple(file_checksum(path) for path in given["checkpoints"])
    opened = open_apriori(given["predictions"] or given["workspace"] / PROFILES)
    try:
        spread = _raw_spread(opened, marks)
        days, read, read_spread = _readers(opened, wanted)
        residuals = collect_residuals(store, days, read, read_spread, _choice(first))
    finally:
        opened.close()
    own, others = halves(residuals, given["seed"])
    found = fit(own, marks, spread)
    found.report.update(
        days=[str(day) for day in days], n_fit=int(own.observed.size), test=report(others, found)
    )
    write_calibration(target, found, overwrite=given["overwrite"])
    _say(found, len(wanted), target, as_json=given["as_json"])


def _choice(path: Path) -> Callable[[Stations], Stations]:
    """Return what chooses the stations that training kept back, or all where it kept none."""
    from functools import partial

    from dacno2_s5p.network.checkpoint import read_info
    from dacno2_s5p.training.recipe import Recipe
    from dacno2_s5p.training.sampling import kept_back

    recipe = Recipe.from_dict(read_info(path).recipe)
    return partial(kept_back, recipe=recipe.sampling, seed=recipe.seed)


def _fit_transport(given: dict[str, Any]) -> None:
    """Fit the constants of the transport, write them and their curves."""
    from cli.tasks.transport import figure_of, fit_to_store
    from dacno2_s5p.sources.paths import SourcePaths
    from dacno2_s5p.store.store import Store
    from dacno2_s5p.training.recipe import Recipe
    from dacno2_s5p.twin.training_store import TwinDays
    from retrieval.files.atomic import check_output
    from retrieval.files.tables import write_text
    from retrieval.maps.style import save

    target: Path = given["output"] or given["workspace"] / "transport.toml"
    drawn = target.with_suffix(".png")
    for path in (target, drawn):
        check_output(path, overwrite=given["overwrite"])
    store = Store.open(given["store"] or given["workspace"] / STORE)
    paths = SourcePaths.in_folder(given["workspace"], named_paths(given["sources"]))
    section = Recipe.read(given["recipe"]).data.get("twin") if given["recipe"] else None
    twin = None if section is None else TwinDays.from_dict(section)
    found = fit_to_store(store, paths, given["sample_days"], twin)
    write_text(target, found.toml(), overwrite=given["overwrite"])
    save(figure_of(found), drawn, overwrite=given["overwrite"])
    if given["as_json"]:
        print_json(
            {
                "file": str(target),
                "constants": found.constants.to_dict(),
                "explained": dict(zip(map(str, found.heights), found.explained, strict=True)),
                "curves": found.curves,
            }
        )
        return
    for name, curve in found.curves.items():
        note(f"{name}: " + ", ".join(f"{value:g} {r2:.3f}" for value, r2 in curve))
    click.echo(f"{target}, {drawn}")


def _fit_forecast(given: dict[str, Any]) -> None:
    """Join the forecast to a network, with a fitted share, and write the checkpoint."""
    from cli.console import progress_bar
    from dacno2_s5p.calibration.forecast import days_unseen, fit_forecast, with_forecast
    from dacno2_s5p.network.checkpoint import load_checkpoint, save_checkpoint
    from dacno2_s5p.store.store import Store
    from dacno2_s5p.training.precision import measured_precision
    from retrieval.files.atomic import check_output

    if len(given["checkpoints"]) != 1:
        msg = "--forecast takes one network at a time. Give one --checkpoint."
        raise click.UsageError(msg)
    path: Path = given["checkpoints"][0]
    target: Path = given["output"] or path.with_name(f"{path.stem}-cams.safetensors")
    check_output(target, overwrite=given["overwrite"] or given["dry_run"])
    store = Store.open(given["store"] or given["workspace"] / STORE)
    model = load_checkpoint(path)
    network, info = with_forecast(model, store)
    days = days_unseen(store, model.info, str(path))
    if given["dry_run"]:
        _say_days(days, given)
        return
    with progress_bar("Predicting days kept back") as progress:
        is_bfloat16 = measured_precision() == "bfloat16"
        found = fit_forecast(model, store, days, bfloat16=is_bfloat16, progress=progress)
    network.blend.set_constants(found.wide, found.near, found.amount)
    save_checkpoint(target, network.state_dict(), info)
    if given["as_json"]:
        print_json({"file": str(target), "days": [str(day) for day in days], **vars(found)})
        return
    best = sorted(found.errors, key=lambda row: row[2])[:5]
    tried = ", ".join(f"{error:.2f} {wide:g} {near:g}" for wide, near, error in best)
    note(f"{found.n} values on {len(days)} days kept back. RMSE, wide and near share: {tried}")
    for name in ("wide", "near", "explained", "amount"):
        note(f"{name}: " + " ".join(f"{value:.2f}" for value in getattr(found, name)))
    click.echo(str(target))


def _say_days(days: list[np.datetime64], given: dict[str, Any]) -> None:
    if given["as_json"]:
        print_json({"days": [str(day) for day in days]})
        return
    note(f"{len(days)} days were kept back in training")
    for day in days:
        click.echo(str(day))


def _raw_spread(opened: AprioriSet, checkpoints: tuple[str, ...]) -> str:
    """Return how the spread was made; refuse files of other networks, and calibrated ones."""
    import netCDF4

    from dacno2_s5p.errors import DataError
    from dacno2_s5p.prediction.profile_files import made_by

    texts = set()
    for path in opened.files:
        with netCDF4.Dataset(path) as dataset:
            text = str(getattr(dataset, "uncertainty", "none"))
        is_raw = text.startswith("raw ") and made_by(path) == ", ".join(checkpoints)
        texts.add(text.removeprefix("raw ").split(";")[0])
        if not is_raw or len(texts) > 1:
            msg = (
                f"Invalid profiles {path}. They must hold the raw uncertainty of the given "
                f"checkpoints, all of one kind. Given {text!r} of {made_by(path)[:12] or 'none'}. "
                "Predict with --raw-uncertainty into a folder of its own."
            )
            raise DataError(msg)
    return texts.pop()


def _readers(
    opened: AprioriSet, wanted: list[np.datetime64]
) -> tuple[list[np.datetime64], Read, Read]:
    """Return the days that are there and functions that read NO2 and its spread [ug m-3]."""
    import numpy as np

    from dacno2_s5p.errors import DataError
    from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3

    index = {day: i for i, day in enumerate(opened.times.astype("datetime64[D]"))}
    days = [day for day in wanted if day in index]
    if not days:
        msg = (
            "Missing profiles. Some day must have been kept back in training. Given none of "
            f"{len(wanted)}, the first {wanted[0]}. Predict them: --dry-run lists all."
        )
        raise DataError(msg)
    whole = slice(None)

    def read(day: np.datetime64) -> NDArray[np.floating]:
        return np.asarray(opened.read(index[day], whole, whole) / MICROGRAM_M3_TO_MOL_M3)

    def read_spread(day: np.datetime64) -> NDArray[np.floating]:
        spread = opened.read_uncertainty(index[day], whole, whole)
        if spread is None:
            msg = (
                f"Invalid profiles of {day}. They must hold no2_uncertainty. Given none. Predict "
                "with several checkpoints."
            )
            raise DataError(msg)
        return np.asarray(spread / MICROGRAM_M3_TO_MOL_M3)

    return days, read, read_spread


def _say(found: Calibration, n_held: int, target: Path, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        print_json({"file": str(target), **asdict(found)})
        return
    note(f"{len(found.report['days'])} of {n_held} days kept back, one half of the stations fitted")
    which = [(kind, level) for kind in ("raw", "calibrated") for level in ("50", "90")]
    cells = [
        [
            *(group, *(f"{100 * of[kind][level]:.1f}" for kind, level in which)),
            *(str(of["stations"]), str(of["n"])),
        ]
        for group, of in found.report["test"].items()
    ]
    header = ["stations", "raw 50 %", "raw 90 %", "50 %", "90 %", "cells", "N"]
    print_table("Share within the interval on the other half [%]", header, cells)
    click.echo(str(target))
