"""What an attribution writes and shows: tables, figures, where they come from."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import note, print_json, print_table
from cli.reporting.origin import LEAF, origin_of, write_origin

if TYPE_CHECKING:
    from pathlib import Path

    from dacno2_s5p.attribution.tables import Row
    from dacno2_s5p.inputs.samples import Crop
    from dacno2_s5p.network.checkpoint import Checkpoint
    from dacno2_s5p.store.store import Store
    from retrieval.files.provenance import Provenance

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
    from retrieval.atomic_folder import results_together
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
