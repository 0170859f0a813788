"""Measure what the transported maps explain of a twin world's truth: docs/transport.md.

    python tools/measure_transport.py --version 2 --days 6 --figure docs/figures/transport.png

Days are spread over 2022. A linear fit of eight fields of the maps (`transport.fit.features`) is
made of all days but one; the first guess is compared as it is. CAMS counts as the twin world's
network sees it, on 8 km. The truth is only looked at.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dacno2_s5p.inputs.grid import CAMS_FACTOR, named_grid
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.store.transported import Transported, with_transport
from dacno2_s5p.transport.fit import explained, features
from dacno2_s5p.transport.prior import prior_profile
from dacno2_s5p.twin.network_days import TwinInputs
from dacno2_s5p.twin.true_world import SEED
from dacno2_s5p.twin.twin import Twin
from dacno2_s5p.twin.version import VERSIONS, TwinVersion
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Float = NDArray[np.floating]

HOURS = (11, 12, 13)
SHOWN = 0
"""Level that is drawn: the ground."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each, by height."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--version", type=int, choices=VERSIONS, default=2)
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    twin, grid = Twin(SEED, TwinVersion(given.version)), named_grid("europe-2km")
    table = InputTable.default(["transport"])
    preparation = with_transport(Preparation(), table, {})
    inputs = TwinInputs(twin, table, preparation, grid)
    maps = Transported(
        lambda *of: TwinInputs(twin, *of), inputs.static_maps, grid, table, preparation
    )
    first, heights = np.datetime64("2022-01-08", "D"), preparation.heights
    fields, truth, guess, cams, spent = {}, {}, {}, {}, []
    for i in range(given.days):
        day = first + np.timedelta64(365 * i // given.days, "D")
        start = time.process_time()
        carried = maps.day(day)["transport"]
        spent.append(time.process_time() - start)
        fields[day] = features(carried)
        profile = prior_profile(torch.from_numpy(carried)[None], heights)[0].numpy()
        true = sum(twin.day(day).concentration(hour, heights) for hour in HOURS) / len(HOURS)
        true = true / MICROGRAM_M3_TO_MOL_M3
        truth[day], guess[day] = block(true), block(profile)
        cams[day] = inputs.target(day).no2
        if given.figure is not None and i == 0:
            draw(given.figure, true[SHOWN], profile[SHOWN], cams[day][SHOWN], day)
    print(f"{twin.name}: {given.days} days, {np.mean(spent):.1f} CPU s each with their weather")
    print("height [m]      ", *(f"{z:6g}" for z in heights))
    say("linear fit      ", explained(fields, truth))
    say("first guess     ", score(guess, truth))
    say("CAMS            ", score(cams, truth))
    say("guess / truth   ", mean(guess) / mean(truth))


def block(field: Float) -> Float:
    """Average over the 8 km cells."""
    n, n_y, n_x = field.shape
    k = CAMS_FACTOR
    return np.asarray(field.reshape(n, n_y // k, k, n_x // k, k).mean(axis=(2, 4)))


def mean(of: Mapping[Any, Float]) -> Float:
    """Return each level's mean."""
    return np.asarray(np.mean([field.mean(axis=(1, 2)) for field in of.values()], axis=0))


def score(of: Mapping[Any, Float], truth: Mapping[Any, Float]) -> Float:
    """Return 1 - (mean square error) / (variance) of each level, all days together."""
    found = np.stack([of[day].reshape(len(of[day]), -1) for day in truth], axis=1)
    true = np.stack([t.reshape(len(t), -1) for t in truth.values()], axis=1)
    return np.asarray(1.0 - ((found - true) ** 2).mean(axis=(1, 2)) / true.var(axis=(1, 2)))


def say(name: str, values: Float) -> None:
    """Print a line."""
    print(name, *(f"{value:6.2f}" for value in values))


def draw(path: Path, truth: Float, guess: Float, cams: Float, day: np.datetime64) -> None:
    """Draw truth, first guess and CAMS at the ground side by side."""
    from retrieval.maps.axes import new_figure
    from retrieval.maps.style import save

    figure = new_figure(18.0, 8.5)
    panels = figure.subplots(1, 3)
    named = {"truth": truth, "first guess": guess, "CAMS": cams}
    most = float(np.quantile(truth, 0.995))
    for axes, (title, field) in zip(panels, named.items(), strict=True):
        image = axes.imshow(field, origin="lower", vmin=0.0, vmax=most, cmap="cividis")
        axes.set_title(title, fontsize=8.5)
        axes.set_xticks([])
        axes.set_yticks([])
    bar = figure.colorbar(image, ax=panels, shrink=0.7)
    bar.set_label("NO2 (ug m-3)", fontsize=7.5)
    figure.suptitle(f"Synthetic: {day}, 11-13 UTC, at the ground", fontsize=9.0)
    save(figure, path, overwrite=True)


if __name__ == "__main__":
    main()
