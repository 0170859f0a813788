"""Figures of a model beside the instrument: scatter with density, bias by kind of pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.maps.style import add_note, plain_axes, set_colours
from retrieval.validation.comparison import ALL, EDGES, WAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from retrieval.validation.comparison import Comparison, ComparisonScore

UNIT = "$10^{15}$ molecules cm$^{-2}$"
TITLES = {
    "kernel": ("column of the file", "model as the instrument sees it"),
    "apriori": ("column with the model as a priori", "model's own column"),
}
"""Of each way what stands on the axes."""
MARKS = {"kernel": "o", "apriori": "s"}
ROOM = 2
"""Empty classes around those that hold pixels."""


def scatter(compared: Comparison, note: str = "") -> Figure:
    """Draw model against satellite: sets in columns, ways in rows, colour the number of pixels.

    Pixels beyond the classes stand in the outermost, and are counted in the note.
    """
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    n_set = len(compared.sets)
    figure = Figure(figsize=(2.9 * n_set + 0.6, 5.6), layout="constrained")
    axes = figure.subplots(len(WAYS), n_set, squeeze=False)
    used = np.flatnonzero((compared.counts.sum(axis=(0, 1)) > 0).any(axis=0))
    used = np.union1d(used, np.flatnonzero((compared.counts.sum(axis=(0, 1)) > 0).any(axis=1)))
    first, last = max(used[0] - ROOM, 0), min(used[-1] + ROOM, EDGES.size - 2)
    ends = EDGES[first], EDGES[last + 1]
    norm = LogNorm(1, max(int(compared.counts.max()), 2))
    for k, way in enumerate(WAYS):
        for i, name in enumerate(compared.sets):
            axis = axes[k, i]
            plain_axes(axis)
            counts = np.ma.masked_equal(compared.counts[i, k], 0)
            image = axis.pcolormesh(EDGES, EDGES, counts.T, norm=norm, rasterized=True)
            axis.plot(ends, ends, color="0.4", linewidth=0.6)
            axis.set_xlim(*ends)
            axis.set_ylim(*ends)
            axis.set_aspect("equal")
            axis.set_xlabel(f"{TITLES[way][0]} [{UNIT}]", fontsize=6.5)
            if i == 0:
                axis.set_ylabel(f"{TITLES[way][1]} [{UNIT}]", fontsize=6.5)
            if k == 0:
                axis.set_title(f"{name} (n = {compared.n_pixel})", fontsize=8)
    bar = figure.colorbar(image, ax=axes, shrink=0.6)
    bar.set_label("pixels", fontsize=7)
    bar.ax.tick_params(labelsize=6.5)
    beyond = f"; {compared.n_beyond} beyond the axes stand at their ends" * bool(compared.n_beyond)
    add_note(figure, f"{note}{beyond}")
    return figure


def bias(scores: Sequence[ComparisonScore], note: str = "") -> Figure:
    """Draw the relative difference of each kind of pixel, with its interval over days."""
    from matplotlib.figure import Figure

    shown = [s for s in scores if s.statistic == "relative_difference"]
    scopes = list(dict.fromkeys(s.scope for s in shown))
    sets = list(dict.fromkeys(s.apriori for s in shown))
    colours = set_colours(sets, "")
    figure = Figure(
        figsize=(6.5, 0.22 * len(scopes) * max(len(sets), 1) + 1.6), layout="constrained"
    )
    axis = figure.subplots()
    plain_axes(axis)
    kinds = [(name, way) for name in sets for way in WAYS]
    for j, (name, way) in enumerate(kinds):
        shift = 0.7 * ((j + 0.5) / len(kinds) - 0.5)
        own = {s.scope: s for s in shown if (s.apriori, s.way) == (name, way)}
        for y, scope in enumerate(scopes):
            score = own[scope]
            axis.hlines(y + shift, score.low, score.high, color=colours[name], linewidth=0.8)
            label = f"{name}, {way}" if scope == ALL else None
            filled = colours[name] if way == "kernel" else "white"
            axis.plot(score.value, y + shift, MARKS[way], markersize=3.5, label=label,
                      markeredgecolor=colours[name], markerfacecolor=filled)  # fmt: skip
    axis.axvline(0.0, color="0.5", linewidth=0.6)
    axis.set_yticks(range(len(scopes)), [s.replace(":", " ") for s in scopes])
    axis.set_ylim(len(scopes) - 0.4, -0.6)
    axis.set_xlabel("mean of the model / mean of the satellite \N{MINUS SIGN} 1 [%]", fontsize=7)
    figure.legend(fontsize=7, loc="outside upper center", ncols=min(len(kinds), 4), frameon=False)
    add_note(figure, note)
    return figure
