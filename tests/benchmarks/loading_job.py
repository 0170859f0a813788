"""Samples from a store and training steps on them, in turn, in one process: `... JOB.json`."""

from __future__ import annotations

import json
import os
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dacno2_s5p.inputs.samples import Inputs, read_targets, station_weight
from dacno2_s5p.network.memory import training_bytes
from dacno2_s5p.network.runtime import tune_allocator
from dacno2_s5p.store.store import Store
from dacno2_s5p.training.phase import PhaseTrainer
from dacno2_s5p.training.recipe import Recipe
from dacno2_s5p.training.run import days_of_phase, starting_point
from tests.benchmarks.measure import in_turn, run_function

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.measure import Cost

WARM, COLD, AHEAD, STEP = (
    "store, in the page cache",
    "store, from the disk",
    "store, from the disk, told a step before",
    "training step",
)


def forget_pages(folder: Path) -> None:
    """Ask the system to drop what it holds of a folder's files."""
    for path in sorted(folder.rglob("*.safetensors")):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def read_samples(trainer: PhaseTrainer, step: int) -> None:
    """Draw and read all samples of a step, as the trainer does, and no more."""
    crops = trainer.sampler.draw(step, trainer.recipe.batch)
    station_weight(trainer.source, crops)
    for first in range(0, len(crops), trainer.recipe.micro_batch):
        part = crops[first : first + trainer.recipe.micro_batch]
        Inputs.stack([trainer.source.inputs(crop.day, crop.patch) for crop in part])
        read_targets(trainer.source, part)


def bytes_read() -> int:
    """Bytes this process has had read from disks."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["read_bytes"])


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Costs of a step's samples and of a step; bytes from the disk for a sample."""
    tune_allocator()
    torch.set_num_threads(1)
    store, recipe = Store.open(Path(job["store"])), _recipe(job)
    days = days_of_phase(store, recipe, 1)
    network, info = starting_point(store, recipe, None)
    trainer = PhaseTrainer(network, days, info, recipe, 1, Path(job["scratch"]))
    read: list[float] = []
    steps = iter(range(10**6))

    def warm() -> None:
        read_samples(trainer, 0)

    def cold() -> None:
        before = bytes_read()
        read_samples(trainer, next(steps))
        read.append((bytes_read() - before) / trainer.recipe.batch / 1e6)

    def cold_timed() -> Cost:
        forget_pages(store.folder)
        return run_function(cold)

    def ahead_timed() -> Cost:
        """The trainer tells the system of the next step; the network takes its time."""
        forget_pages(store.folder)
        trainer._step()
        return run_function(lambda: read_samples(trainer, trainer.state.step))

    def timed(function: Callable[[], object]) -> Callable[[], Cost]:
        return lambda: run_function(function)

    trainer._step()
    warm()
    jobs = {
        COLD: cold_timed,
        WARM: timed(warm),
        AHEAD: ahead_timed,
        STEP: timed(trainer._step),
    }
    costs = in_turn(jobs, job["repeat"])
    micro, steps_a_day = trainer.recipe.micro_batch, store.preparation.weather_steps
    return {
        "costs": {name: [asdict(cost) for cost in turns] for name, turns in costs.items()},
        "batch": trainer.recipe.batch,
        "disk_mb": read,
        "stated_mib": training_bytes(network.config, steps_a_day, recipe.sampling.crop, micro)
        / 2**20,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _recipe(job: dict[str, Any]) -> Recipe:
    """The recipe, on all days of the store."""
    recipe = Recipe.read(Path(job["recipe"]))
    values = recipe.to_dict()
    values["data"] = {}
    # files are made without the optional groups
    values["network"] |= {"transport": 0, **job["network"]}
    values["sampling"] |= job["sampling"]
    return Recipe.from_dict(values)


def main() -> None:
    """Read a job, print its costs."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(json.dumps(run(job)))


if __name__ == "__main__":
    main()
