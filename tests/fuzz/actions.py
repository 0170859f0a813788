"""What is run on a damaged file: the command line, or one reader and all it gives.

An action takes its arguments as text and returns what it found as text; two runs on the same bytes
return the same. `impossible` in it names numbers that no valid file gives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.fuzz.answer import answer
from tests.fuzz.source_actions import source

Action = Callable[[list[str]], str]

AMF_RANGE = (0.0, 8.0)
"""Air mass factors of any profile: means of box factors, which end at the geometric one (below 4
here) times cloud and temperature effects."""


def command(arguments: list[str]) -> str:
    """Run `dacno2-s5p` as the console script does."""
    from cli.main import main

    main(arguments)
    return ""


def columns(arguments: list[str]) -> str:
    """Re-retrieve ORBIT with SET, without writing: all new fields."""
    from retrieval.apriori.registry import open_apriori
    from retrieval.l2.open_orbit import open_orbit
    from retrieval.substitution.job import orbit_time
    from retrieval.substitution.options import Options
    from retrieval.substitution.substitute import substitute

    with open_orbit(arguments[0]) as orbit:
        apriori = open_apriori(Path(arguments[1]), orbit_time(orbit))
        try:
            result, _ = substitute(orbit, {"x": apriori}, Options())
        finally:
            apriori.close()
    found = {k: v for k, v in vars(result.sets[0]).items() if isinstance(v, np.ndarray)}
    return answer(found, impossible_columns(found))


def impossible_columns(found: Mapping[str, np.ndarray]) -> str:
    """Name what cannot be in the fields of a set."""
    done = found["substitution_flag"] == 0
    amf = found["air_mass_factor_troposphere"][done]
    if not (np.isfinite(amf) & (amf > AMF_RANGE[0]) & (amf < AMF_RANGE[1])).all():
        return f"air mass factor {amf.min()} to {amf.max()}"
    apriori = found["apriori_tropospheric_column"][done]
    if not (np.isfinite(apriori) & (apriori > 0) & (apriori < 0.1)).all():
        return f"a-priori column {apriori.min()} to {apriori.max()} mol m-2"
    return ""


def product(arguments: list[str]) -> str:
    """Run `reretrieve` as a command and read the new variables back."""
    import netCDF4

    target = Path(arguments[-1])
    try:
        command(arguments)
    except SystemExit as stopped:
        if stopped.code:
            raise
    with netCDF4.Dataset(target) as file:
        file.set_auto_mask(False)
        group = file["PRODUCT"]
        found = {name: v[...] for name, v in group.variables.items() if "_X" in name}
    target.unlink()
    fields = {
        "substitution_flag": found["substitution_flag_X"],
        "air_mass_factor_troposphere": found["air_mass_factor_troposphere_X_apriori"],
        "apriori_tropospheric_column": found["apriori_tropospheric_column_X"],
    }
    return answer(found, impossible_columns(fields))


def described(arguments: list[str]) -> str:
    """Return what `inspect` says of FILE."""
    from cli.commands.inspect import describe

    path = Path(arguments[0])
    text = json.dumps(describe(path), default=str)
    for folder in (str(path), str(path.parent)):
        text = text.replace(folder, "")
    return answer({"text": text})


def checkpoint(arguments: list[str]) -> str:
    """Read a checkpoint, weights and all."""
    from dacno2_s5p.network.checkpoint import load_checkpoint

    loaded = load_checkpoint(Path(arguments[0]))
    weights = {name: t.numpy() for name, t in loaded.network.state_dict().items()}
    return answer({**weights, "info": json.dumps(loaded.info.to_dict())})


def state(arguments: list[str]) -> str:
    """Read the state of a training run: tensors and numbers."""
    from dacno2_s5p.network.tensor_file import read_tensors

    tensors, metadata = read_tensors(Path(arguments[0]))
    return answer({**{k: t.numpy() for k, t in tensors.items()}, "info": json.dumps(metadata)})


def recipe(arguments: list[str]) -> str:
    """Read a recipe."""
    from dacno2_s5p.training.recipe import Recipe

    return answer({"recipe": json.dumps(Recipe.read(Path(arguments[0])).to_dict())})


def inputs(arguments: list[str]) -> str:
    """Read a table of inputs."""
    from dacno2_s5p.inputs.variables import InputTable

    return answer({"inputs": json.dumps(InputTable.read(Path(arguments[0])).to_dict())})


def store(arguments: list[str]) -> str:
    """Read all of a store: statistics, every day's inputs, targets and stations."""
    from dacno2_s5p.store.store import Store

    opened = Store.open(Path(arguments[0]))
    found: dict[str, Any] = {
        "statistics": json.dumps(opened.statistics.to_dict()),
        "ratio": np.array(opened.scaling.layer_ratio),
    }
    for day in range(opened.n_day):
        read = opened.day_inputs(day)
        found |= {f"{day} {name}": values.numpy() for name, values in read.groups.items()}
        found[f"{day} cams"] = opened.cams_field(day)
        stations = opened.stations(day, "all")
        found |= {f"{day} {name}": np.asarray(value) for name, value in stations._asdict().items()}
    return answer(found)


def twin(arguments: list[str]) -> str:
    """Plan what a folder of the twin world lacks, from its manifest."""
    from cli.tasks.twin_files import Request, missing, plan
    from dacno2_s5p.twin.version import VERSION_1

    units = plan(["cams", "ctm"], ["2019-06-01", "2019-06-02"])
    left = missing(units, Request(SimpleNamespace(seed=0, version=VERSION_1), Path(arguments[0])))
    return answer({"units": json.dumps([(u.kind, u.label, u.dates) for u in left])})


def period(arguments: list[str]) -> str:
    """Read a file of `grid`."""
    from retrieval.l3.file import read_l3

    found = read_l3(Path(arguments[0]))
    return answer({"mean": found.mean, "count": found.count, "products": repr(found.products)})


def day(arguments: list[str]) -> str:
    """Read a file of daily sums."""
    from retrieval.l3.day_file import read_day

    sums, record = read_day(Path(arguments[0]))
    return answer({"weighted": sums.weighted, "count": sums.count, "record": repr(record)})


def weather(arguments: list[str]) -> str:
    """Read the weather of a day from ERA5 files in FOLDER."""
    from dacno2_s5p.inputs.variables import InputTable, Preparation
    from dacno2_s5p.sources.weather.era5 import Era5
    from tests.builders.source_files import DAY, GRID

    preparation = Preparation(weather_steps=8, weather_step_hours=3)
    source = Era5(Path(arguments[0]), InputTable.default(), preparation, GRID)
    return answer({"single": source.single(DAY), "multi": source.multi(DAY)})


ACTIONS: dict[str, Action] = {
    action.__name__: action
    for action in (
        *(command, columns, product, described, checkpoint, state, recipe, inputs, store, twin),
        *(period, day, weather, source),
    )
}
"""Actions by name."""
