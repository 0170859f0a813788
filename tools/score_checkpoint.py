"""Score the phases of a run on a year of the twin world that they were not trained on.

    python tools/score_checkpoint.py twin-run/runs/twin -o twin-scores --year 2023 --every 10

Writes the days' CAMS-like files, station files and truth, predicts each phase that is there, and
prints the `evaluate` call that makes the tables. What exists is kept, so that it can be stopped.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import torch

from dacno2_s5p.network.checkpoint import load_checkpoint, read_info
from dacno2_s5p.network.runtime import tune_allocator
from dacno2_s5p.prediction.predict import as_trained, predict_day
from dacno2_s5p.prediction.profile_files import profile_name, profiles_of_day
from dacno2_s5p.twin.network_days import SimulatedDays
from dacno2_s5p.twin.true_world import SEED
from dacno2_s5p.twin.twin import Twin
from dacno2_s5p.twin.version import VERSIONS, TwinVersion
from dacno2_s5p.twin.writers.cams_europe import write_cams_reanalysis
from dacno2_s5p.twin.writers.eea import write_eea, write_eea_metadata, write_station_lists
from dacno2_s5p.twin.writers.profiles import write_true_profiles
from dacno2_s5p.twin.writers.rasters import write_population
from retrieval.apriori.profile_file import write_profile_file

if TYPE_CHECKING:
    from collections.abc import Sequence

TRAINED = "stations_trained_on.csv"
PHASES = ("phase1", "phase2", "phase3", "onlyobs")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write what is missing, predict, and say how to evaluate."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run: phase1/best.safetensors, ...")
    parser.add_argument("-o", "--output", type=Path, default=Path("twin-scores"))
    parser.add_argument("--year", type=int, default=2023)
    parser.add_argument("--every", type=int, default=10, help="every so many days from 1 January")
    parser.add_argument(
        "--twin-version", type=int, choices=VERSIONS, help="[default: the one trained on]"
    )
    parser.add_argument("--phases", nargs="+", choices=PHASES, default=PHASES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bfloat16", action="store_true", help="faster, to some 0.1 %% of NO2")
    given = parser.parse_args(arguments)
    tune_allocator()
    torch.set_num_threads(given.threads)
    first = np.datetime64(f"{given.year}-01-01", "D")
    days = list(np.arange(first, np.datetime64(f"{given.year + 1}-01-01", "D"), given.every))
    found = {name: given.run / name / "best.safetensors" for name in given.phases}
    found = {name: path for name, path in found.items() if path.exists()}
    kinds = sorted({read_info(path).trained_world for path in found.values()})
    if len(kinds) > 1:
        parser.error(f"phases of different worlds: {', '.join(kinds)}")
    version = TwinVersion.named(kinds[0] if kinds else "")
    if given.twin_version is not None:
        version = TwinVersion(given.twin_version)
    twin = Twin(SEED, version)
    write_inputs(twin, given.output, days)
    # industrial stations are on no list of the world's; a reader of files would draw some of them
    trained = sorted({s for path in found.values() for s in read_info(path).training_stations})
    lines = ["station", *trained]
    (given.output / TRAINED).write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, path in found.items():
        predict(twin, path, given.output / name, days, bfloat16=given.bfloat16)
    print(evaluate_call(given.output, found))


def write_inputs(twin: Twin, folder: Path, days: Sequence[np.datetime64]) -> None:
    """Write CAMS, stations, truth and population of the days, once."""
    note = folder / "complete"
    if note.exists():
        found = note.read_text(encoding="utf-8").strip() or TwinVersion().world(SEED)
        if found != twin.name:
            msg = f"{folder} holds files of {found!r}, not of {twin.name!r}: give another folder"
            raise SystemExit(msg)
        return
    for name in ("cams", "eea", "truth8", "geostat"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_population(twin, folder / "geostat", overwrite=True)
    write_eea_metadata(twin, folder / "eea", overwrite=True)
    write_station_lists(twin, folder / "eea", overwrite=True)
    for day in days:
        write_true_profiles(twin, folder / "truth8", str(day), overwrite=True)
    write_cams_reanalysis(twin, folder / "cams", days, overwrite=True)
    write_eea(twin, folder / "eea", days, overwrite=True)
    note.write_text(twin.name + "\n", encoding="utf-8")


def predict(
    twin: Twin, checkpoint: Path, folder: Path, days: Sequence[np.datetime64], *, bfloat16: bool
) -> None:
    """Predict the days that have no file of this checkpoint yet."""
    model = load_checkpoint(checkpoint)
    source = SimulatedDays(twin, model.info)
    grid = as_trained(source.grid, model.info)
    folder.mkdir(parents=True, exist_ok=True)
    for day in days:
        path = folder / profile_name(day)
        if path.exists() and made_by(path) == model.fingerprint:
            continue
        field = predict_day(model, source.read(day), grid, bfloat16=bfloat16)
        names, origin = source.names(day), source.origin
        profiles = profiles_of_day(model, day, field, grid, input_files=names, inputs_origin=origin)
        write_profile_file(path, profiles, overwrite=True)
        print(path, flush=True)


def made_by(path: Path) -> str:
    """Return the fingerprint of the checkpoint that a file was predicted with."""
    with h5py.File(path, "r") as file:
        found = file.attrs.get("checkpoint_sha256", "")
    return found.decode() if isinstance(found, bytes) else str(found)


def evaluate_call(folder: Path, found: dict[str, Path]) -> str:
    """Return the command that makes the tables."""
    call = ["dacno2-s5p", "evaluate", "-w", str(folder), "-o", str(folder / "evaluation")]
    for name, path in found.items():
        call += ["-a", f"{name}={folder / name}", "--checkpoint", str(path)]
    call += ["--training-stations", str(folder / TRAINED)]
    call += ["-a", f"truth={folder / 'truth8'}", "--bound", "truth"]
    return shlex.join(call)


if __name__ == "__main__":
    main()
