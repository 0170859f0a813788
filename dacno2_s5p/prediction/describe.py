"""What a checkpoint or a training store is, in plain values: for `inspect`."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import InputTable, Preparation
    from dacno2_s5p.store.store import Store

_HEADER = 9
"""Bytes that tell a safetensors file: the length of its header and the brace it begins with."""


def looks_like_checkpoint(path: Path) -> bool:
    """Tell by its first bytes whether a file is of the kind that `train` writes."""
    try:
        with path.open("rb") as file:
            start = file.read(_HEADER)
    except OSError:
        return False
    size = int.from_bytes(start[:8], "little")
    return len(start) == _HEADER and start[8:] == b"{" and size <= path.stat().st_size


def looks_like_store(path: Path) -> bool:
    """Tell by its manifest whether a folder is a finished training store."""
    from dacno2_s5p.store.chunks import MANIFEST

    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and {"format", "days", "inputs"} <= set(manifest)


def describe_checkpoint(path: Path) -> dict[str, Any]:
    """Say what a checkpoint needs, how good it was, and where it comes from.

    Raises
    ------
    CheckpointError
        If it is none.
    """
    from dacno2_s5p.network.checkpoint import outline, read_info
    from dacno2_s5p.network.memory import prediction_bytes
    from retrieval.files.provenance import file_checksum

    info = read_info(path)
    parameters = sum(weights.numel() for weights in outline(path, info).parameters())
    return {
        "file": path.name,
        "kind": "DACNO2-S5P checkpoint",
        "sha256": file_checksum(path),
        "phase": info.phase,
        "step": info.step,
        "training_data": info.training_data,
        "training_stations": len(info.training_stations),
        "trained_days": len(info.trained_days) or "not named",
        "parameters": parameters,
        "memory_gigabytes": round(prediction_bytes(info, info.grid) / 1e9, 1),
        "needs": _needs(info.inputs, info.preparation, info.grid),
        "quality_on_validation_samples": info.metrics,
        "scaling": {
            "layer_ratio": list(info.scaling.layer_ratio),
            "target_scale_ug_m3": info.scaling.target_scale,
        },
        "network": info.network.to_dict(),
        "origin": {
            "recipe": info.recipe.get("name", ""),
            "seed": info.recipe.get("seed", ""),
            "data": json.dumps(info.recipe.get("data", {})),
            "sampling": json.dumps(info.recipe.get("sampling", {})),
            "parent": info.parent,
            "data_manifest": info.data_manifest,
            "versions": info.versions,
        },
    }


def describe_store(folder: Path) -> dict[str, Any]:
    """Say what a training store holds.

    Raises
    ------
    DataError
        If it is none, or of another version.
    """
    from dacno2_s5p.store.store import Store, manifest_errors

    store = Store.open(folder)
    with manifest_errors(folder):
        return _describe_store(folder, store)


def _describe_store(folder: Path, store: Store) -> dict[str, Any]:
    days = store.manifest["days"]
    years = Counter(str(day)[:4] for day in store.days)
    cells = {
        year: f"{len(found)}, of them {sum(c['is_evaluation'] for c in found)} held back"
        for year, found in store.manifest["stations"].items()
    }
    has_targets = store.manifest["target"] is not None
    return {
        "folder": str(folder),
        "kind": "DACNO2-S5P training store",
        "training_data": store.training_data,
        "first": str(store.days[0]),
        "last": str(store.days[-1]),
        "days": dict(years),
        "held_days": sum(entry["split"] == "held" for entry in days.values()),
        "left_out_days": len(store.manifest.get("left_out", {})),
        "streams": dict(Counter(entry["stream"] for entry in days.values() if entry["stream"])),
        "station_cells": cells,
        "holds": _needs(store.table, store.preparation, store.grid),
        "layer_means_ug_m3": store.manifest["target"]["mean"] if has_targets else [],
        "sources": store.manifest.get("sources", {}),
        "manifest_sha256": store.manifest_hash,
        "uses": {
            "predict": "yes",
            "train": "yes" if has_targets else "no targets",
            "stations": "yes" if any(store.manifest["stations"].values()) else "none: phase 1 only",
        },
    }


def _needs(table: InputTable, preparation: Preparation, grid: ModelGrid) -> dict[str, Any]:
    """Return inputs, times and grid in words; lists are never cut short."""
    steps, hours = preparation.weather_steps, preparation.weather_step_hours
    end = "the target window's end" if preparation.weather_end == "window" else "23 UTC"
    groups: dict[str, list[str]] = {}
    for variable in table.variables:
        groups.setdefault(variable.group, []).append(variable.name)
    return {
        "grid": f"{grid.name}, {grid.crs}, {grid.n_y} x {grid.n_x} cells of {grid.spacing:g}",
        "heights_m": list(preparation.heights),
        "target_window_utc": preparation.target_window,
        "weather": f"{steps} steps of {hours} h to {end}, by {preparation.vertical}",
        "sources": ", ".join(dict.fromkeys(variable.source for variable in table.variables)),
        "inputs": {group: ", ".join(names) for group, names in groups.items()},
    }
