"""`predict` of a day as users run it: time, memory stated and taken, the error of bfloat16."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.network.checkpoint import load_checkpoint, save_checkpoint, shipped_checkpoint
from dacno2_s5p.network.memory import prediction_bytes
from dacno2_s5p.prediction.predict import as_trained
from dacno2_s5p.prediction.profile_files import profile_name
from dacno2_s5p.training.recipe import Recipe
from dacno2_s5p.training.run import starting_point
from tests.benchmarks.measure import Cost, Section, in_turn, ratio_of, row_of, run_process
from tests.benchmarks.network import CONFIGURATION
from tests.benchmarks.processes import TOOL
from tests.benchmarks.store_files import benchmark_store
from tests.builders.network_builders import MINI

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dacno2_s5p.store.store import Store
    from tests.benchmarks.measure import Settings

FLOAT32, BFLOAT16 = "predict, one day", "predict --bfloat16, one day"
BAR_S, BAR_MIB = 60.0, 6144.0
"""Limits that a day must keep."""


def measure(settings: Settings) -> Section:
    """Whole processes with and without bfloat16, in turn, and the difference of their fields."""
    store = benchmark_store(settings.files, tiny=settings.tiny)
    checkpoint = settings.checkpoint or (None if settings.tiny else shipped_checkpoint())
    is_trained = checkpoint is not None
    checkpoint = checkpoint or _untrained(store, settings)
    info = load_checkpoint(checkpoint).info
    stated = prediction_bytes(info, as_trained(store.grid, info))

    def job(name: str) -> Callable[[], Cost]:
        return lambda: _predict(store, checkpoint, settings.scratch / name)

    costs = in_turn({name: job(name) for name in (FLOAT32, BFLOAT16)}, settings.repeat)
    section = Section(f"a day on {store.grid.name}, 1 thread")
    for name, turns in costs.items():
        ratio = None if name == FLOAT32 else ratio_of(turns, costs[FLOAT32])
        note = f"{stated / 2**20:.0f} MiB stated before"
        row = row_of(name, turns, ratio=ratio, to="" if ratio is None else FLOAT32, note=note)
        row.bar_s, row.bar_mib = BAR_S, BAR_MIB
        section.rows.append(row)
    fields = [_field(store, settings.scratch / name) for name in (FLOAT32, BFLOAT16)]
    section.numbers = errors_of(*fields) | {"checkpoint": str(checkpoint), "trained": is_trained}
    kind = "a trained" if is_trained else "an untrained"
    section.notes.append(f"bfloat16 against float32, {kind} network: {_say(section.numbers)}")
    return section


def errors_of(exact: np.ndarray, rounded: np.ndarray) -> dict[str, list[float]]:
    """Errors of each layer [ug m-3]: root mean square, largest, and the field's own deviation."""
    error = (rounded.astype(np.float64) - exact).reshape(exact.shape[0], -1)
    deviation = exact.reshape(exact.shape[0], -1).std(axis=1)
    return {
        "rms": np.sqrt((error**2).mean(axis=1)).tolist(),
        "largest": np.abs(error).max(axis=1).tolist(),
        "bias": error.mean(axis=1).tolist(),
        "deviation": deviation.tolist(),
    }


def _say(numbers: dict[str, list[float]]) -> str:
    surface = {name: numbers[name][0] for name in ("rms", "largest", "bias", "deviation")}
    share = max(r / d for r, d in zip(numbers["rms"], numbers["deviation"], strict=True))
    return (
        f"at the surface rms {surface['rms']:.3f}, largest {surface['largest']:.2f}, mean "
        f"{surface['bias']:+.4f} ug m-3 (the field's deviation {surface['deviation']:.2f}); in the "
        f"worst layer {100 * share:.2f} % of the layer's deviation"
    )


def _predict(store: Store, checkpoint: Path, output: Path) -> Cost:
    """Predict the first day of the store by the command."""
    day = str(store.days[0])
    options = ["--store", str(store.folder), "--checkpoint", str(checkpoint), "--overwrite"]
    bfloat16 = ["--bfloat16"] if output.name == BFLOAT16 else []
    command = [sys.executable, *TOOL[1:], "predict", "--start", day, "-o", str(output)]
    return run_process([*command, *options, *bfloat16], {"OMP_NUM_THREADS": "1"})[0]


def _field(store: Store, folder: Path) -> np.ndarray:
    import netCDF4

    with netCDF4.Dataset(folder / profile_name(store.days[0])) as dataset:
        return np.asarray(dataset["no2"][0], dtype=np.float32)


def _untrained(store: Store, settings: Settings) -> Path:
    """Write random weights of the recipe's network as a checkpoint."""
    recipe = Recipe.read(CONFIGURATION)
    values = recipe.to_dict()
    # files are made without the optional groups
    values["network"] |= {"transport": 0, **(MINI if settings.tiny else {})}
    values["sampling"] |= {"block_days": 1, **({"crop": 48} if settings.tiny else {})}  # few days
    recipe = Recipe.from_dict(json.loads(json.dumps(values)))
    network, info = starting_point(store, recipe, None)
    path = settings.scratch / "untrained.safetensors"
    save_checkpoint(path, network.state_dict(), info)
    return path
