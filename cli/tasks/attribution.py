"""What an attribution is of: networks, days of a store, samples, numbers to explain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.memory import say_memory
from cli.options.shared import STORE, split_named_path

if TYPE_CHECKING:
    from dacno2_s5p.attribution.errors_of_samples import ErrorTarget
    from dacno2_s5p.inputs.samples import Crop
    from dacno2_s5p.network.checkpoint import Checkpoint
    from dacno2_s5p.store.store import Store


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
        store.n_day, grid, days=given["days"], patches=given["patches"], seed=given["seed"]
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
