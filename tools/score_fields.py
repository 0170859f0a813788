r"""Score networks against the truth of the twin world, cell by cell and at stations held back.

    python tools/score_fields.py lean=a.safetensors,b.safetensors cams=c.safetensors \
        -o twin-scores --days 2023-02-15 2023-08-23

A name with several checkpoints is the mean of their predictions. Truth, CAMS and stations of a day
are kept in the folder, and so are predictions, by the fingerprint of their checkpoint: with more
networks only these are made. Days should be days that no phase saw; those that one saw are refused.
The forecast that networks are given is scored, too, where they are given one. Intervals are of
resampled days: they know nothing of what all days share.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dacno2_s5p.inputs import regrid
from dacno2_s5p.inputs.grid import named_grid
from dacno2_s5p.inputs.samples import Inputs
from dacno2_s5p.network.checkpoint import Checkpoint, load_checkpoint
from dacno2_s5p.network.first_guess import on_fine_cells
from dacno2_s5p.network.runtime import tune_allocator
from dacno2_s5p.prediction.predict import as_trained, predict_day
from dacno2_s5p.sources.weather.windows import target_hours
from dacno2_s5p.twin.land.geography import WATER
from dacno2_s5p.twin.land.world import BOX
from dacno2_s5p.twin.models.cams_model import cams_grid
from dacno2_s5p.twin.network_days import SimulatedDays
from dacno2_s5p.twin.true_world import SEED
from dacno2_s5p.twin.twin import Twin
from dacno2_s5p.twin.version import TwinVersion
from dacno2_s5p.twin.writers.profiles import overpass_mean
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3, MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.network.checkpoint import CheckpointInfo

    Array = NDArray[np.floating]

HEIGHTS = (0.0, 50.0, 250.0, 500.0, 1000.0, 2000.0, 3000.0, 5000.0)
GRID = named_grid("europe-2km")
BLOCKS = (64, 16, 4)
"""Cells along the sides of the nested blocks whose means part scales: 128, 32, 8 km."""
WINDS = ((0.0, 2.0), (2.0, 4.0), (4.0, 6.0), (6.0, 9.0), (9.0, 40.0))
"""Classes of the wind at 10 m over land [m s-1]."""
MOUNTAIN = 800.0
"""Cells from this height on are mountains [m]."""
HOTSPOT_COLUMN = 5e15
"""Hotspots have at least this column [molec cm-2], and are of the upper 5 % of the day."""
FAR = 25
"""Cells from the nearest station that CAMS assimilates: from here on stations are far, 50 km."""
AREAS = ("all", "urban", "suburban", "rural", "far")
REPLICATES = 1000
"""Of the days, for the intervals of 90 %."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Predict what is missing, score, and print the tables."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("networks", nargs="+", metavar="NAME=FILE[,FILE]")
    parser.add_argument("-o", "--output", type=Path, default=Path("twin-scores"))
    parser.add_argument("--days", nargs="+", required=True, metavar="DATE")
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--version", type=int, default=2, help="of the world")
    given = parser.parse_args(arguments)
    tune_allocator()
    torch.set_num_threads(1)
    twin = Twin(SEED, TwinVersion(given.version))
    networks = {
        name: [load_checkpoint(Path(path)) for path in paths.split(",")]
        for name, paths in (text.split("=", 1) for text in given.networks)
    }
    seen = {d for models in networks.values() for m in models for d in m.info.trained_days}
    if seen & set(given.days):
        sys.exit(f"Days that were trained on: {sorted(seen & set(given.days))}. Choose others.")
    given.output.mkdir(parents=True, exist_ok=True)
    scores = Scores(twin)
    every = [model for models in networks.values() for model in models]
    widest = max(every, key=lambda model: len(model.info.inputs.groups)).info
    names = [channel.name for channel in widest.inputs.channels("single")]
    for date in given.days:
        day = day_of(twin, np.datetime64(date, "D"), given.output)
        inputs = inputs_of(twin, widest, date, given.output)
        fields = {"CAMS-2km": day["cams"]}
        if inputs.cams is not None:
            fields["forecast"] = on_fine_cells(inputs.cams[None].float())[0].numpy()
        for name, models in networks.items():
            made = [
                prediction(
                    model,
                    inputs,
                    given.output / f"{model.fingerprint[:12]}-{date}.npy",
                    bfloat16=given.bfloat16,
                )
                for model in models
            ]
            fields[name] = np.mean(made, axis=0)
        along, across = (inputs.single[-1, names.index(name)].numpy() for name in ("u10", "v10"))
        wind = np.hypot(along, across)
        scores.add(day, fields, np.repeat(np.repeat(wind, 8, 0), 8, 1))
        print(date, flush=True)
    found = scores.result()
    (given.output / "scores.json").write_text(json.dumps(found, indent=1) + "\n")
    print(tables(found))


def day_of(twin: Twin, date: np.datetime64, folder: Path) -> dict[str, Array]:
    """Return truth and CAMS on the fine grid, and what stations saw [ug m-3]; made once."""
    path = folder / f"day-{date}.npz"
    if not path.exists():
        truth = overpass_mean(twin, date, HEIGHTS) / MICROGRAM_M3_TO_MOL_M3
        grid = cams_grid(int(str(date)[:4]), BOX)
        operator = regrid.bilinear(grid, GRID.cells(), "the twin world")
        hours = target_hours("11-13")
        cams = sum(
            operator.apply(
                twin.cams.on_grid(date, h, grid, HEIGHTS)[:, operator.rows, operator.columns]
            )
            for h in hours
        ) / len(hours)
        seen = np.mean([twin.observed_hour(date, hour) for hour in hours], axis=0)
        np.savez(path, truth=truth.astype("f4"), cams=np.asarray(cams, "f4"), seen=seen)
    with np.load(path) as found:
        return {name: found[name] for name in found.files}


def inputs_of(twin: Twin, info: CheckpointInfo, date: str, folder: Path) -> Inputs:
    """Return the inputs of a day, those of the network with most groups; made once."""
    path = folder / f"inputs-{date}.npz"
    if not path.exists():
        made = SimulatedDays(twin, info).read(np.datetime64(date, "D"))
        np.savez(path, **{group: values.numpy() for group, values in made.groups.items()})
    with np.load(path) as found:
        return Inputs(**{group: torch.from_numpy(found[group]) for group in found.files})


def prediction(model: Checkpoint, inputs: Inputs, path: Path, *, bfloat16: bool) -> Array:
    """Return a checkpoint's NO2 of a day [ug m-3]; made once."""
    if not path.exists():
        grid = as_trained(GRID, model.info)
        np.save(path, predict_day(model, inputs, grid, bfloat16=bfloat16))
    return np.asarray(np.load(path))


class Scores:
    """Sums of squares over days, by height, place, scale and station class."""

    def __init__(self, twin: Twin) -> None:
        rows = round((GRID.y_origin - twin.geography.frame.y[0]) / 2000.0)
        columns = round((GRID.x_origin - twin.geography.frame.x[0]) / 2000.0)
        window = slice(rows, rows + GRID.n_y), slice(columns, columns + GRID.n_x)
        sea = twin.geography.land_cover[window] == WATER
        high = twin.geography.elevation[window] >= MOUNTAIN
        self.places = {"sea": sea, "mountains": high & ~sea}
        self.stations = s = twin.stations
        given = np.flatnonzero(s.is_assimilated)
        apart = [np.hypot(s.row - s.row[i], s.column - s.column[i]) for i in given]
        self.is_far = np.min(apart, axis=0) >= FAR
        self.squares: dict[str, dict[str, list[Array]]] = {}
        self.truth: list[Array] = []
        self.bands: dict[str, list[Array]] = {}
        self.at: dict[str, dict[str, list[Array]]] = {}

    def add(self, day: Mapping[str, Array], fields: Mapping[str, Array], wind: Array) -> None:
        """Take in a day; the wind is that of 10 m on the fine grid."""
        truth = day["truth"].astype(np.float64)
        column = np.trapezoid(truth, HEIGHTS, axis=0) * MICROGRAM_M3_TO_MOL_M3
        column = column * MOLEC_CM2_PER_MOL_M2
        hot = (column >= np.percentile(column, 95)) & (column >= HOTSPOT_COLUMN)
        places = {
            "all": np.ones_like(hot),
            "hotspots": hot,
            "background": column <= np.median(column),
            **self.places,
            **{
                f"land, {low:g}-{high:g} m/s": ~self.places["sea"] & (wind >= low) & (wind < high)
                for low, high in WINDS
            },
        }
        self.truth.append(np.stack([truth.mean((1, 2)), (truth**2).mean((1, 2))]))
        self.bands.setdefault("truth", []).append(bands(truth))
        for name, field in fields.items():
            error = field - truth
            of = self.squares.setdefault(name, {})
            for place, cells in places.items():
                own, true = error[:, cells], truth[:, cells]
                n = np.full(len(HEIGHTS), cells.sum())
                sums = [(own**2).sum(1), own.sum(1), true.sum(1), n, (true**2).sum(1)]
                of.setdefault(place, []).append(np.stack(sums))
            self.bands.setdefault(name, []).append(bands(error))
        self._at_stations(day, {**fields, "truth": truth})

    def _at_stations(self, day: Mapping[str, Array], fields: Mapping[str, Array]) -> None:
        s = self.stations
        chosen = s.is_evaluation & (s.kind != "traffic") & np.isfinite(day["seen"])
        for name, field in fields.items():
            error = field[0, s.row[chosen], s.column[chosen]] - day["seen"][chosen]
            of = self.at.setdefault(name, {})
            of.setdefault("all", []).append(error)
            of.setdefault("far", []).append(error[self.is_far[chosen]])
            for area in ("urban", "suburban", "rural"):
                of.setdefault(area, []).append(error[s.area[chosen] == area])

    def result(self) -> dict[str, Any]:
        """Return the scores as plain values."""
        mean, square = np.mean(self.truth, axis=0)
        variance = square - mean**2
        found: dict[str, Any] = {"heights": HEIGHTS, "days": len(self.truth)}
        drawn = np.random.default_rng(0).integers(
            len(self.truth), size=(REPLICATES, len(self.truth))
        )
        truths = np.array(self.truth)[drawn].mean(1)
        variances = truths[:, 1] - truths[:, 0] ** 2
        for name, places in self.squares.items():
            total = {place: np.sum(parts, axis=0) for place, parts in places.items()}
            total = {place: sums for place, sums in total.items() if sums[3][0]}
            mse = {place: sums[0] / sums[3] for place, sums in total.items()}
            scale = np.mean(self.bands[name], axis=0) / np.mean(self.bands["truth"], axis=0)
            found[name] = {
                "R2": (1.0 - mse["all"] / variance).tolist(),
                "R2, 90 %": interval(
                    1.0 - np.array([p[0] / p[3] for p in places["all"]])[drawn].mean(1) / variances
                ),
                "ratio": (1.0 + total["all"][1] / total["all"][2]).tolist(),
                "RMSE": {place: np.sqrt(values).tolist() for place, values in mse.items()},
                "R2 by place": {
                    place: (1.0 - t[0] / np.maximum(t[4] - t[2] ** 2 / t[3], 1e-12)).tolist()
                    for place, t in total.items()
                },
                "bands": scale.tolist(),
            }
        errors = {
            name: {area: np.concatenate(parts) for area, parts in of.items()}
            for name, of in self.at.items()
        }
        noise = {area: np.mean(e**2) for area, e in errors["truth"].items()}
        base = {area: np.mean(e**2) - noise[area] for area, e in errors["CAMS-2km"].items()}
        found["stations"] = {
            name: {
                area: {
                    "RMSE": float(np.sqrt(np.mean(e**2))),
                    "bias": float(e.mean()),
                    "excess": float((np.mean(e**2) - noise[area]) / base[area]),
                    "excess, 90 %": interval(self._excesses(name, area, drawn)),
                    "n": int(e.size),
                }
                for area, e in of.items()
            }
            for name, of in errors.items()
        }
        return found

    def _excesses(self, name: str, area: str, drawn: NDArray[np.int_]) -> Array:
        """Return the excess of each replicate of the days."""
        own, noise, base = (
            np.array([(e**2).sum() for e in self.at[n][area]])[drawn].sum(1)
            for n in (name, "truth", "CAMS-2km")
        )
        return np.asarray((own - noise) / (base - noise))


def interval(replicates: Array) -> list[Any]:
    """Return the 5th and 95th percentile along the first axis."""
    found: list[Any] = np.percentile(replicates, (5, 95), axis=0).tolist()
    return found


def bands(field: Array) -> Array:
    """Return mean squares of a field by scale, (n_height, 4): over 128 km, to 32, to 8, finer.

    Means of nested blocks part a field into pieces that are orthogonal; its mean is left out.
    """
    n_y, n_x = (n // BLOCKS[0] * BLOCKS[0] for n in field.shape[1:])
    rest = field[:, :n_y, :n_x]
    rest = rest - rest.mean((1, 2), keepdims=True)
    found = []
    for size in BLOCKS:
        means = rest.reshape(len(rest), n_y // size, size, n_x // size, size).mean((2, 4))
        found.append((means**2).mean((1, 2)))
        rest = rest - np.repeat(np.repeat(means, size, 1), size, 2)
    found.append((rest**2).mean((1, 2)))
    return np.stack(found, axis=1)


def tables(found: Mapping[str, Any]) -> str:
    """Return the scores as tables in Markdown."""
    names = [name for name in found if name not in ("heights", "days", "stations")]
    head = "| " + " | ".join(f"{h:g} m" for h in HEIGHTS) + " |"
    rule = "|---" * (len(HEIGHTS) + 1) + "|"
    lines = []

    def block(title: str, rows: Mapping[str, Sequence[float]], form: str) -> None:
        lines.extend(["", f"| {title} {head}", rule])
        lines.extend(
            f"| {name} | " + " | ".join(form.format(v) for v in values) + " |"
            for name, values in rows.items()
        )

    block("R2", {n: found[n]["R2"] for n in names}, "{:.2f}")
    for i, end in enumerate(("5th", "95th")):
        block(f"R2, {end} percentile", {n: found[n]["R2, 90 %"][i] for n in names}, "{:.2f}")
    block("mean / truth", {n: found[n]["ratio"] for n in names}, "{:.2f}")
    for place in ("hotspots", "background", "sea", "mountains"):
        block(f"RMSE, {place}", {n: found[n]["RMSE"][place] for n in names}, "{:.3f}")
    for i, scale in enumerate(("> 128 km", "32-128 km", "8-32 km", "< 8 km")):
        rows = {n: [of_height[i] for of_height in found[n]["bands"]] for n in names}
        block(f"error / variance, {scale}", rows, "{:.2f}")
    head = "| stations: RMSE (excess, 90 %) | " + " | ".join(AREAS) + " |"
    lines += ["", head, "|---" * (1 + len(AREAS)) + "|"]
    for name, of in found["stations"].items():
        cells = " | ".join(
            "{:.2f} ({:.2f}, {:.2f}-{:.2f})".format(
                of[a]["RMSE"], of[a]["excess"], *of[a]["excess, 90 %"]
            )
            for a in AREAS
        )
        lines.append(f"| {name} | {cells} |")
    lines.append("")
    lines.append(", ".join(f"{a}: {found['stations']['truth'][a]['n']} values" for a in AREAS))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
