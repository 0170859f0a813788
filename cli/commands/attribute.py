"""`dacno2-s5p attribute`: which inputs the network's error depends on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import progress_bar
from cli.options.network import (
    allow_synthetic_option,
    patch_option,
    store_option,
    threads_option,
)
from cli.options.shared import (
    choice_option,
    count_option,
    figure_format_option,
    first_last_options,
    json_option,
    output_folder_option,
    overwrite_option,
    seed_option,
    verbosity_options,
    workspace_option,
)
from cli.tasks.attribution import (
    checkpoint_paths,
    error_targets_of,
    notes_of,
    open_store,
    output_paths,
    provenance_of,
    samples,
    show_results,
    write_results,
)

if TYPE_CHECKING:
    from dacno2_s5p.attribution.attribute import Attribution
    from dacno2_s5p.attribution.tables import Row
    from dacno2_s5p.inputs.samples import Crop
    from dacno2_s5p.network.checkpoint import Checkpoint
    from dacno2_s5p.store.store import Store

logger = logging.getLogger(__name__)


@click.command(short_help="Which inputs matter: integrated gradients (Fig. 5).")
@click.option(
    "-c",
    "--checkpoint",
    "checkpoints",
    multiple=True,
    metavar="NAME=FILE",
    help="Network to look into, repeatable, side by side.",
)
@click.option(
    "--run",
    "run",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="Folder of a run: the best checkpoints of its phases, side by side.  "
    "[default: the packaged checkpoint]",
)
@workspace_option
@store_option("Store with inputs, CAMS and stations of the days.  [default: WORKSPACE/store]")
@first_last_options("Take only days from this one on.", "Take only days up to this one.")
@count_option("--sample-days", 10, "Days of the period, drawn at random; 0 for all.", least=0)
@count_option("--patches", 1, "Patches of each day, drawn at random; 0 for all.", least=0)
@patch_option
@seed_option("Seed of the draws.")
@click.option(
    "--target",
    "kinds",
    type=click.Choice(["stations", "cams"]),
    multiple=True,
    default=("stations", "cams"),
    show_default="both",
    help="RMSE against stations at the surface, or against CAMS by layer; repeatable.",
)
@click.option(
    "--height",
    "heights",
    type=float,
    multiple=True,
    metavar="M",
    show_default="all",
    help="Height of a layer compared with CAMS; repeatable.",
)
@choice_option(
    "--station-role",
    ["training", "evaluation", "all"],
    "training",
    "Which stations; the paper takes those trained on.",
    name="role",
)
@count_option("--steps", 24, "Points of the integral from the baseline to the inputs.")
@count_option("--batch", 1, "Points computed at once: memory grows with it, numbers stay.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0.0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="PERCENT",
    help="Warn where the integral misses more: |sum - difference| over the sum of sizes.",
)
@count_option(
    "--top", 8, "Features of a target in tables and bars; all are in the CSV and the heat map."
)
@threads_option
@allow_synthetic_option
@output_folder_option("Folder for tables and figures.", "attribution")
@figure_format_option
@overwrite_option
@json_option
@verbosity_options
def attribute(**given: Any) -> None:
    """Attribute the network's RMSE to its inputs by integrated gradients.

    The path goes from zero in normalised inputs, the training mean, to each sample's inputs. All
    samples' RMSE is attributed together [ug m-3]. Writes attribution.csv (one number a line),
    attribution.md, provenance.json and figures: groups and features of inputs, and feature by
    height. Needs captum: pip install 'dacno2-s5p[explain]'.

    Examples:

    \b
      dacno2-s5p attribute --run runs/twin --store store --sample-days 20 -o attribution
      dacno2-s5p attribute -c p1=p1.safetensors -c p3=p3.safetensors --target stations
    """
    _check_call(given)
    outputs = output_paths(given["output"], given["suffix"], overwrite=given["overwrite"])
    paths = checkpoint_paths(given)

    from dacno2_s5p.network.checkpoint import load_checkpoint
    from dacno2_s5p.network.runtime import tune_process

    tune_process(given["threads"])
    models = {name: load_checkpoint(path) for name, path in paths.items()}
    store = open_store(models, given)
    crops = samples(store, next(iter(models.values())), given)
    rows: list[Row] = []
    for name, model in models.items():
        rows += _attribute(name, model, store, crops, given)
    _warn(rows, given["tolerance"])
    notes = notes_of(store, models, crops, given)
    origin = provenance_of(models, store, given)
    written = write_results(outputs, rows, notes, origin, given)
    show_results(rows, notes, origin, written, given)


def _check_call(given: dict[str, Any]) -> None:
    """Refuse calls that say too little or too much, before anything heavy is loaded."""
    if given["checkpoints"] and given["run"] is not None:
        msg = "both --checkpoint and --run are given. The networks come from one of them."
        raise click.UsageError(msg)
    if given["first"] and given["last"] and given["last"] < given["first"]:
        msg = f"{given['last'].date()} is before {given['first'].date()}."
        raise click.BadParameter(msg, param_hint="--end")


def _attribute(
    name: str, model: Checkpoint, store: Store, crops: list[Crop], given: dict[str, Any]
) -> list[Row]:
    """Attribute the errors of one network, as rows under its name."""
    from dacno2_s5p.attribution.attribute import attribute as attribution_of
    from dacno2_s5p.attribution.samples import WithStations
    from dacno2_s5p.attribution.tables import label, rows_of

    wanted = error_targets_of(model, given)
    with progress_bar(name) as progress:
        found: Attribution = attribution_of(
            model.network,
            model.normaliser,
            model.info.scaling,
            WithStations(store, given["role"]),
            crops,
            wanted,
            steps=given["steps"],
            batch=given["batch"],
            progress=progress,
        )
    for target in wanted:
        if target not in found.targets:
            logger.warning("%s has no value in these samples and is left out.", label(target))
    return rows_of(name, found, model.fingerprint)


def _warn(rows: list[Row], tolerance: float) -> None:
    """Say where the integral is not exact enough."""
    from dacno2_s5p.attribution.tables import ALL, label, select

    for row in select(rows, ALL, "attribution"):
        if 100.0 * row.completeness_share > tolerance:
            logger.warning(
                "%s, %s: attributions miss the change of the RMSE by %.2g %% of the sum of their "
                "sizes, more than %g. Give more --steps.",
                row.set,
                label(row.target),
                100.0 * row.completeness_share,
                tolerance,
            )
