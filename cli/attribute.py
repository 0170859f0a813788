"""`dacno2-s5p attribute`: which inputs the network's error depends on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import command_line, note, print_json, print_table, progress_bar
from cli.model_options import (
    allow_synthetic_option,
    patch_option,
    store_option,
    threads_option,
)
from cli.options import (
    figure_format_option,
    first_last_options,
    json_option,
    output_folder_option,
    overwrite_option,
    seed_option,
    verbosity_options,
    workspace_option,
)

if TYPE_CHECKING:
    from dacno2_s5p.attribution import Attribution, ErrorTarget
    from dacno2_s5p.attribution_tables import Row
    from dacno2_s5p.checkpoint import Checkpoint
    from dacno2_s5p.samples import Crop
    from dacno2_s5p.store import Store
    from retrieval.provenance import Provenance

logger = logging.getLogger(__name__)

STORE = "store"
"""Folder of the workspace."""

FIGURES = ("groups", "group_changes", "features", "heat_map")


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
@click.option(
    "--days",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    metavar="N",
    help="Days of the period, drawn at random; 0 for all.",
)
@click.option(
    "--patches",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    metavar="N",
    help="Patches of each day, drawn at random; 0 for all.",
)
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
@click.option(
    "--stations",
    "role",
    type=click.Choice(["training", "evaluation", "all"]),
    default="training",
    show_default=True,
    help="Which stations; the paper takes those trained on.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    default=24,
    show_default=True,
    metavar="N",
    help="Points of the integral from the baseline to the inputs.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Points computed at once: memory grows with it, numbers stay.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0.0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="PERCENT",
    help="Warn where the integral misses more: |sum - difference| over the sum of sizes.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="Features of a target in tables and bars; all are in the CSV and the heat map.",
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
      dacno2-s5p attribute --run runs/twin --store store --days 20 -o attribution
      dacno2-s5p attribute -c p1=p1.safetensors -c p3=p3.safetensors --target stations
    """
    _check_call(given)
    folder: Path = given["output"]
    outputs = _outputs(folder, given["suffix"], overwrite=given["overwrite"])
    paths = _checkpoint_paths(given)

    import torch

    from dacno2_s5p.checkpoint import load_checkpoint
    from dacno2_s5p.runtime import tune_allocator

    tune_allocator()
    if given["threads"] is not None:
        torch.set_num_threads(given["threads"])
    models = {name: load_checkpoint(path) for name, path in paths.items()}
    store = _open_store(models, given)
    crops = _crops(store, next(iter(models.values())), given)
    rows: list[Row] = []
    for name, model in models.items():
        rows += _attribute(name, model, store, crops, given)
    _warn(rows, given["tolerance"])
    notes = _notes(store, models, crops, given)
    folder.mkdir(parents=True, exist_ok=True)
    origin = _provenance(models, store, given)
    written = _write(outputs, rows, notes, origin, given)
    _say(rows, notes, origin, written, given)


def _check_call(given: dict[str, Any]) -> None:
    """Refuse calls that say too little or too much, before anything heavy is loaded."""
    if given["checkpoints"] and given["run"] is not None:
        msg = "both --checkpoint and --run are given. The networks come from one of them."
        raise click.UsageError(msg)
    if given["first"] and given["last"] and given["last"] < given["first"]:
        msg = f"{given['last'].date()} is before {given['first'].date()}."
        raise click.BadParameter(msg, param_hint="--end")


def _outputs(folder: Path, suffix: str, *, overwrite: bool) -> dict[str, Path]:
    """Names of what is written; refuses before any work where something would be replaced."""
    from retrieval.atomic import check_output

    outputs = {name: folder / f"{name}.{suffix}" for name in FIGURES}
    outputs |= {"csv": folder / "attribution.csv", "markdown": folder / "attribution.md"}
    outputs["provenance"] = folder / "provenance.json"
    if folder.is_dir():
        for output in outputs.values():
            check_output(output, overwrite=overwrite)
    return outputs


def _checkpoint_paths(given: dict[str, Any]) -> dict[str, Path]:
    """Return checkpoints by name: those given, those of a run's phases, or the packaged one."""
    from dacno2_s5p.shipped import shipped_checkpoint

    if given["run"] is not None:
        return _phases(given["run"])
    found: dict[str, Path] = {}
    for text in given["checkpoints"]:
        name, sign, path = text.partition("=")
        if not sign or not name or not path:
            msg = f"{text!r} is not NAME=FILE. Write for example phase3=best.safetensors."
            raise click.BadParameter(msg, param_hint="--checkpoint")
        if name in found:
            msg = f"{name} is taken. Each checkpoint needs a name of its own."
            raise click.BadParameter(msg, param_hint="--checkpoint")
        if not Path(path).is_file():
            msg = f"{path} does not exist. Give a checkpoint for {name}."
            raise click.BadParameter(msg, param_hint="--checkpoint")
        found[name] = Path(path)
    packaged = shipped_checkpoint()
    if not found and packaged is None:
        msg = "there is no packaged checkpoint. Give --run DIR or --checkpoint NAME=FILE."
        raise click.UsageError(msg)
    return found or {"DACNO2-S5P": Path(str(packaged))}


def _phases(run: Path) -> dict[str, Path]:
    """Return the best checkpoints of a run's phases."""
    paths = {f"phase {i}": run / f"phase{i}" / "best.safetensors" for i in (1, 2, 3)}
    found = {name: path for name, path in paths.items() if path.is_file()}
    if not found:
        msg = f"{run} has no phase1, phase2 or phase3 with a best.safetensors. Give a run's folder."
        raise click.BadParameter(msg, param_hint="--run")
    return found


def _open_store(models: dict[str, Checkpoint], given: dict[str, Any]) -> Store:
    """Open the days asked for, and refuse checkpoints that were not made for them."""
    import numpy as np

    from dacno2_s5p.store import Store

    store = Store.open(given["store"] or given["workspace"] / STORE)
    for model in models.values():
        model.require(grid=store.grid, inputs=store.table, preparation=store.preparation)
        model.require_origin(store.training_data, allow_synthetic=given["allow_synthetic"])
    first, last = (
        np.datetime64(given[key].date(), "D") if given[key] else None for key in ("first", "last")
    )
    return store.select(first=first, last=last)


def _crops(store: Store, model: Checkpoint, given: dict[str, Any]) -> list[Crop]:
    """Draw the samples, the same for all checkpoints."""
    from cli.predict_day import patches_of
    from dacno2_s5p.attribution_samples import draw_crops
    from dacno2_s5p.memory import attribution_bytes, available_bytes

    grid = patches_of(store.grid, model, given["patch_size"])
    needed, free = attribution_bytes(model.info, grid.patch_size, given["batch"]), available_bytes()
    note(f"about {needed / 1e9:.1f} GB of memory")
    if free is not None and needed > free:
        logger.warning(
            "about %.1f GB of memory are needed, %.1f are free. Give a smaller --patch or --batch.",
            needed / 1e9,
            free / 1e9,
        )
    drawn: list[Crop] = draw_crops(
        store.n_day, grid, days=given["days"], patches=given["patches"], seed=given["seed"]
    )
    return drawn


def _targets(model: Checkpoint, given: dict[str, Any]) -> list[ErrorTarget]:
    from dacno2_s5p.attribution import error_targets

    heights = model.info.preparation.heights
    for wanted in given["heights"]:
        if wanted not in heights:
            known = ", ".join(f"{height:g}" for height in heights)
            msg = f"{wanted:g} m is none of the heights {known}."
            raise click.BadParameter(msg, param_hint="--height")
    return [
        target
        for target in error_targets(heights, given["kinds"])
        if target.kind == "stations" or not given["heights"] or target.height in given["heights"]
    ]


def _attribute(
    name: str, model: Checkpoint, store: Store, crops: list[Crop], given: dict[str, Any]
) -> list[Row]:
    from dacno2_s5p.attribution import attribute as attribution_of
    from dacno2_s5p.attribution_samples import WithStations
    from dacno2_s5p.attribution_tables import label, rows_of

    wanted = _targets(model, given)
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
    from dacno2_s5p.attribution_tables import ALL, label, select

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


def _notes(
    store: Store, models: dict[str, Checkpoint], crops: list[Crop], given: dict[str, Any]
) -> list[str]:
    """Say what the numbers are of."""
    days = sorted({crop.day for crop in crops})
    size = crops[0].patch.size
    notes = [
        f"{len(crops)} patches of {size} x {size} cells on {len(days)} days, "
        f"{store.days[days[0]]} to {store.days[days[-1]]}",
        f"{given['role']} stations; {given['steps']} points of the path from the training mean",
    ]
    if store.training_data == "synthetic":
        notes.append("synthetic data: the twin world")
    elif any(model.info.training_data == "synthetic" for model in models.values()):
        notes.append("synthetic: trained on the twin world")
    return notes


def _provenance(models: dict[str, Checkpoint], store: Store, given: dict[str, Any]) -> Provenance:
    from datetime import UTC, datetime
    from importlib.metadata import version

    from dacno2_s5p.checkpoint import package_versions
    from retrieval.provenance import InputFile, Provenance

    versions = package_versions() | {"captum": version("captum")}
    first = {"dacno2-s5p": versions.pop("dacno2-s5p")}
    inputs = [InputFile(m.path.name, name, m.fingerprint) for name, m in models.items()]
    inputs.append(InputFile(store.folder.name, "store", store.manifest_hash))
    unsaid = ("overwrite", "as_json", "checkpoints", "run", "store", "workspace", "output")
    return Provenance(
        command=command_line(),
        created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        versions=first | versions,
        inputs=tuple(inputs),
        options={key: value for key, value in given.items() if key not in unsaid},
    )


def _write(
    outputs: dict[str, Path],
    rows: list[Row],
    notes: list[str],
    origin: Provenance,
    given: dict[str, Any],
) -> list[Path]:
    import json

    from dacno2_s5p.attribution_figures import figures
    from dacno2_s5p.attribution_tables import markdown, write_csv
    from dacno2_s5p.evaluate_style import save
    from dacno2_s5p.evaluate_tables import write_markdown

    overwrite = given["overwrite"]
    attributes = origin.as_attributes()
    write_csv(outputs["csv"], rows, overwrite=overwrite)
    text = markdown(rows, given["top"], notes, attributes)
    write_markdown(outputs["markdown"], text, overwrite=overwrite)
    text = json.dumps(attributes, indent=2) + "\n"
    write_markdown(outputs["provenance"], text, overwrite=overwrite)
    written = [outputs["csv"], outputs["markdown"], outputs["provenance"]]
    for name, figure in figures(rows, given["top"], "; ".join(notes)).items():
        save(figure, outputs[name], overwrite=overwrite)
        written.append(outputs[name])
    return written


def _say(
    rows: list[Row],
    notes: list[str],
    origin: Provenance,
    written: list[Path],
    given: dict[str, Any],
) -> None:
    from dacno2_s5p.attribution_tables import completeness_table, feature_table, group_table

    if given["as_json"]:
        numbers = [row._asdict() | {"target": row.target._asdict()} for row in rows]
        files = [str(path) for path in written]
        summary = {"files": files, "notes": notes, "provenance": origin.as_attributes()}
        print_json(summary | {"numbers": numbers})
        return
    for line in notes:
        note(line)
    print_table("Groups of inputs: share (change of RMSE, ug m-3)", *group_table(rows))
    print_table("Most important features", *feature_table(rows, given["top"]))
    print_table("Completeness (ug m-3)", *completeness_table(rows))
    for path in written:
        click.echo(str(path))
