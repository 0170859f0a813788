r"""Draw the page of pictures of docs/checkpoint.md from what score_fields.py left.

The scores must be there, and predictions of both days:

    python tools/draw_checkpoint.py twin-scores docs/checkpoint/fields.png \
        lean=a.safetensors,b.safetensors cams=c.safetensors --windy 2023-11-20 --calm 2023-08-23
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

mpl.use("agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from retrieval.files.provenance import file_checksum

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Fields = dict[str, NDArray[np.floating]]

HEIGHTS = (0, 50, 250, 500, 1000, 2000, 3000, 5000)
ROW = 400
"""Row of the transect, west to east: through the Low Countries."""
SCALES = ("> 128", "32-128", "8-32", "< 8")
PLACES = ("hotspots", "background", "sea", "mountains")
COLOURS = ("0.45", "tab:blue", "tab:red", "tab:green", "tab:purple", "tab:orange", "tab:brown")


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("figure", type=Path)
    parser.add_argument("networks", nargs="+", metavar="NAME=FILE[,FILE]")
    parser.add_argument("--windy", required=True)
    parser.add_argument("--calm", required=True)
    given = parser.parse_args(arguments)
    networks = dict(text.split("=", 1) for text in given.networks)
    scores = json.loads((given.folder / "scores.json").read_text())
    days = {kind: fields_of(given.folder, getattr(given, kind), networks) for kind in KINDS}
    figure = plt.figure(figsize=(16, 18), layout="constrained")
    parts = figure.subfigures(3, 1, height_ratios=(2.0, 1.2, 1.2))
    draw_maps(parts[0], days, {kind: getattr(given, kind) for kind in KINDS})
    names = [name for name in scores if name not in ("heights", "days", "stations")]
    others = [name for name in days["calm"] if name not in ("truth", *names)]
    colours = {"truth": "k", **dict(zip([*names, *others], COLOURS, strict=False))}
    draw_transects(parts[1], days, colours)
    draw_scores(parts[2], {name: scores[name] for name in names}, colours)
    figure.savefig(given.figure, dpi=75)


KINDS = ("windy", "calm")


def fields_of(folder: Path, date: str, networks: dict[str, str]) -> Fields:
    """Return truth, CAMS and the members' mean of each network [ug m-3]."""
    with np.load(folder / f"day-{date}.npz") as day:
        found = {"truth": day["truth"], "CAMS-2km": day["cams"]}
    for name, paths in networks.items():
        members = []
        for path in paths.split(","):
            members.append(np.load(folder / f"{file_checksum(Path(path))[:12]}-{date}.npy"))
        found[name] = np.mean(members, axis=0)
    return found


def draw_maps(figure: Any, days: dict[str, Fields], dates: dict[str, str]) -> None:
    """Draw NO2 at the ground, a row a day."""
    axes = figure.subplots(2, len(days["calm"]), squeeze=False)
    for row, kind in zip(axes, KINDS, strict=True):
        for ax, (name, field) in zip(row, days[kind].items(), strict=True):
            shown = ax.imshow(
                np.maximum(field[0], 0.05), origin="lower", norm=LogNorm(0.3, 40.0), cmap="magma"
            )
            ax.axhline(ROW, color="w", lw=0.5, ls=":")
            ax.set_title(f"{name}, {kind} ({dates[kind]})", fontsize=10)
            ax.set_xticks([])
            ax.set_yticks([])
    figure.colorbar(shown, ax=axes, label="NO2 at the ground [ug m-3]", shrink=0.6)


def draw_transects(figure: Any, days: dict[str, Fields], colours: dict[str, str]) -> None:
    """Draw NO2 along a row: at the ground as lines, and with height for the windy day."""
    axes = figure.subplots(2, 2, squeeze=False)
    for row, kind in zip(axes, KINDS, strict=True):
        x = 2.0 * np.arange(days[kind]["truth"].shape[2])
        for ax, level in zip(row, (0, 4), strict=True):
            for name, field in days[kind].items():
                ax.plot(x, field[level, ROW], color=colours[name], lw=1.0, label=name)
            ax.set_title(f"{kind} day, {HEIGHTS[level]} m, along the dotted line", fontsize=10)
            ax.set_ylabel("ug m-3")
            ax.set_xlim(x[0], x[-1])
    axes[0, 0].legend(fontsize=8)
    axes[1, 0].set_xlabel("km")
    axes[1, 1].set_xlabel("km")


def draw_scores(figure: Figure, scores: dict[str, Any], colours: dict[str, str]) -> None:
    """Draw error spectra, and skill by wind and place."""
    spectra, winds, places, heights = figure.subplots(1, 4)
    for name, of in scores.items():
        colour = colours[name]
        spectra.plot(SCALES, of["bands"][0], "o-", color=colour, label=name)
        by_wind = {k: v[0] for k, v in of["R2 by place"].items() if k.startswith("land, ")}
        labels = [key.removeprefix("land, ").removesuffix(" m/s") for key in by_wind]
        winds.plot(labels, list(by_wind.values()), "o-", color=colour)
        places.plot(PLACES, [of["RMSE"][place][0] for place in PLACES], "o", color=colour)
        heights.plot(np.clip(of["R2"], -0.5, 1.0), range(len(HEIGHTS)), "o-", color=colour)
    spectra.axhline(1.0, color="0.7", lw=0.8)
    spectra.set_title("error over the truth's variance, ground", fontsize=10)
    spectra.set_xlabel("scale [km]")
    spectra.legend(fontsize=8)
    winds.set_title("R2 at the ground over land, by wind", fontsize=10)
    winds.set_xlabel("10 m wind [m/s]")
    places.set_title("RMSE at the ground by place [ug m-3]", fontsize=10)
    places.set_yscale("log")
    heights.set_title("R2 by height (from -0.5 on)", fontsize=10)
    heights.set_yticks(range(len(HEIGHTS)), [f"{h} m" for h in HEIGHTS])


if __name__ == "__main__":
    main()
