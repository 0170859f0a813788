"""What an attribution is of: networks, days of a store, samples, numbers to explain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import note, print_json, print_table, say_memory
from cli.options.shared import STORE, split_named_path
from cli.reporting.origin import LEAF, origin_of, write_origin

if TYPE_CHECKING:
    from dacno2_s5p.attribution.errors_of_samples import ErrorTarget
    from dacno2_s5p.attribution.tables import Row
    from dacno2_s5p.inputs.samples import Crop
    from dacno2_s5p.network.checkpoint import Checkpoint
    from dacno2_s5p.store.store import Store
    from retrieval.files.provenance import Provenance


def checkpoint_paths(given: dict[str, Any]) -> dict[str, Path]:
    """Return checkpoints by name: those given, those of a run's phases, or the packaged one."""
    from dacno2_s5p.network.checkpoint import shipped_checkpoint

    if given["run"] is not None:
        return _phases(given["run"])
    found: dict[str, Path] = {}
    for text in given["checkpoints"]:
        name, path = split_named_path(text, "--checkpoint", "phase3=best.safetensors", what="FILE")
        if name in found:
            msg = f"{name} is taken. Each checkpoint needs a name of its own."
            raise click.BadParameter(msg, param_hint="--checkpoint")
        if not path.is_file():
            msg = f"{path} does not exist. Give a checkpoint for {name}."
            raise click.BadParameter(msg, param_hint="--checkpoint")
        found[name] = path
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


def open_store(models: dict[str, Checkpoint], given: dict[str, Any]) -> Store:
    """Open the days asked for, and refuse checkpoints that were not made for them."""
    import numpy as np

    from dacno2_s5p.store.store import Store

    store = Store.open(given["store"] or given["workspace"] / STORE)
    for model in models.values():
        model.require(grid=store.grid, inputs=store.table, preparation=store.preparation)
        model.require_origin(store.training_data, allow_synthetic=given["allow_synthetic"])
    first, last = (
        np.datetime64(given[key].date(), "D") if given[key] else None for key in ("first", "last")
    )
    return store.select(first=first, last=last)


def samples(store: Store, model: Checkpoint, given: dict[str, Any]) -> list[Crop]:
    """Draw the samples, the same for all checkpoints."""
    from cli.tasks.day import patches_of
    from dacno2_s5p.attribution.samples import draw_crops
    from dacno2_s5p.network.memory import attribution_bytes

    grid = patches_of(store.grid, model, given["patch_size"])
    needed = attribution_bytes(model.info, grid.patch_size, given["batch"])
    say_memory(needed, "Give a smaller --patch or --batch.")
    drawn: list[Crop] = draw_crops(
        store.n_day, grid, days=given["sample_days"], patches=given["patches"], seed=given["seed"]
    )
    return drawn


def error_targets_of(model: Checkpoint, given: dict[str, Any]) -> list[ErrorTarget]:
    """Return the numbers to explain: kinds and heights asked for, of those the network has."""
    from dacno2_s5p.attribution.errors_of_samples import error_targets

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


FIGURES = ("groups", "group_changes", "features", "heat_map")


def output_paths(folder: Path, suffix: str, *, overwrite: bool) -> dict[str, Path]:
    """Names of what is written; refuses before any work where something would be replaced."""
    from retrieval.files.atomic import check_outputs

    outputs = {name: folder / f"{name}.{suffix}" for name in FIGURES}
    outputs |= {"csv": folder / "attribution.csv", "markdown": folder / "attribution.md"}
    outputs["provenance"] = folder / LEAF
    check_outputs(outputs.values(), overwrite=overwrite)
    return outputs


def notes_of(
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


def provenance_of(models: dict[str, Checkpoint], store: Store, given: dict[str, Any]) -> Provenance:
    """Return the networks and the store, software and options the numbers depend on."""
    from dacno2_s5p.network.checkpoint import package_versions
    from retrieval.files.provenance import InputFile

    inputs = [InputFile(m.path.name, name, m.fingerprint) for name, m in models.items()]
    inputs.append(InputFile(store.folder.name, "store", store.manifest_hash))
    origin = origin_of(inputs, given, ["captum"])
    return replace(origin, versions={**origin.versions, **package_versions()})


def write_results(
    outputs: dict[str, Path],
    rows: list[Row],
    notes: list[str],
    origin: Provenance,
    given: dict[str, Any],
) -> list[Path]:
    """Write tables, provenance and figures, and return their paths."""
    from dacno2_s5p.attribution.figures import figures
    from dacno2_s5p.attribution.tables import markdown, write_csv
    from retrieval.files.atomic import results_together
    from retrieval.files.tables import write_text
    from retrieval.maps.style import save

    is_synthetic = any(line.startswith("synthetic") for line in notes)
    with results_together(outputs, overwrite=given["overwrite"]) as drafts:
        write_csv(drafts["csv"], rows)
        text = markdown(rows, given["top"], notes, origin.as_attributes())
        write_text(drafts["markdown"], text)
        write_origin(drafts["provenance"], origin, is_synthetic=is_synthetic)
        drawn = figures(rows, given["top"], "; ".join(notes))
        for name, figure in drawn.items():
            save(figure, drafts[name])
    return [outputs[name] for name in ("csv", "markdown", "provenance", *drawn)]


def show_results(
    rows: list[Row],
    notes: list[str],
    origin: Provenance,
    written: list[Path],
    given: dict[str, Any],
) -> None:
    """Show the tables and say what was written; or all of it as JSON."""
    from dacno2_s5p.attribution.tables import completeness_table, feature_table, group_table

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
