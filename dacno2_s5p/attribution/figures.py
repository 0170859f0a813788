"""Figures of an attribution: groups by target (Fig. 5), features, and feature by height (Fig. S9).

Bars are shares of the sizes of all attributions, or signed changes of the RMSE, checkpoints side
by side in colours that colour-blind readers tell apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.attribution.tables import (
    FEATURE,
    GROUP,
    groups,
    label,
    names,
    select,
    targets,
    top_features,
)
from retrieval.maps.axes import new_figure
from retrieval.maps.style import COLOURS, UNIT, add_note, plain_axes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dacno2_s5p.attribution.errors_of_samples import ErrorTarget
    from dacno2_s5p.attribution.tables import Row

GROUP_LABELS = {
    "temporal": "temporal",
    "emission": "emissions,\nproxies",
    "geography": "geography",
    "single": "single-level\nweather",
    "multi": "multi-level\nweather",
    "transport": "transport",
    "cams": "CAMS\nforecast",
}


def figures(rows: Sequence[Row], top: int, note: str = "") -> dict[str, Figure]:
    """Draw all figures, by name.

    Parameters
    ----------
    rows : sequence of Row
        Of all checkpoints, as `rows_of` gives them.
    top : int
        Features in a panel.
    note : str
        Below each figure: samples, and the word synthetic.
    """
    drawn = {
        "groups": groups_figure(rows, "share"),
        "group_changes": groups_figure(rows, "attribution"),
        "features": features_figure(rows, top),
        "heat_map": heat_map_figure(rows),
    }
    for figure in drawn.values():
        add_note(figure, note)
    return drawn


def groups_figure(rows: Sequence[Row], metric: str) -> Figure:
    """Draw one panel a target: groups of inputs, a bar for each checkpoint (Fig. 5).

    Parameters
    ----------
    rows : sequence of Row
    metric : {"share", "attribution"}
        Share of all magnitudes [%], or signed change of the RMSE [ug m-3].
    """
    figure, panels = _panels(rows, width=5.8, height=3.8, sharey=metric == "share")
    of_sets, of_groups = names(rows), groups(rows)
    width = 0.8 / len(of_sets)
    for target, axes in panels.items():
        for i, name in enumerate(of_sets):
            values = _values(rows, GROUP, metric, target, name)
            place = np.arange(len(of_groups)) + (i - (len(of_sets) - 1) / 2.0) * width
            axes.bar(
                place,
                [values.get(group, np.nan) for group in of_groups],
                width=0.92 * width,
                color=COLOURS[i % len(COLOURS)],
                label=name,
            )
        axes.set_xticks(np.arange(len(of_groups)), [""] * len(of_groups))
        axes.set_title(label(target), fontsize=8.5)
        plain_axes(axes)
        if metric != "share":
            axes.axhline(0.0, color="0.3", linewidth=0.6)
    for axes in _lowest(panels):
        axes.set_xticklabels([GROUP_LABELS[g] for g in of_groups], rotation=35, fontsize=6.0)
    text = "share (%)" if metric == "share" else f"change ({UNIT})"
    figure.supylabel(text, fontsize=7.5)
    _legend(figure, next(iter(panels.values())))
    return figure


def features_figure(rows: Sequence[Row], top: int) -> Figure:
    """Draw one panel a target: its most important features, a bar for each checkpoint."""
    of_sets = names(rows)
    height = 1.4 + top * max(0.16 * len(of_sets), 0.34)
    figure, panels = _panels(rows, width=5.8, height=height)
    width = 0.8 / len(of_sets)
    for target, axes in panels.items():
        features = top_features(rows, target, top)
        for i, name in enumerate(of_sets):
            values = _values(rows, FEATURE, "share", target, name)
            place = np.arange(len(features)) + (i - (len(of_sets) - 1) / 2.0) * width
            axes.barh(
                place,
                [values.get(feature, np.nan) for feature in features],
                height=0.92 * width,
                color=COLOURS[i % len(COLOURS)],
                label=name,
            )
        axes.set_yticks(np.arange(len(features)), features)
        axes.invert_yaxis()
        axes.set_title(label(target), fontsize=8.5)
        plain_axes(axes)
    for axes in _lowest(panels):
        axes.set_xlabel("share of importance (%)", fontsize=7.5)
    _legend(figure, next(iter(panels.values())))
    return figure


def heat_map_figure(rows: Sequence[Row]) -> Figure:
    """Draw one panel a checkpoint: share of each feature for each target (Fig. S9)."""
    of_sets, of_targets = names(rows), targets(rows)
    features = {row.feature: row.group for row in select(rows, FEATURE, "share")}
    figure = new_figure(4.2 + (1.6 + 0.75 * len(of_targets)) * len(of_sets), 0.42 * len(features))
    panels = np.ravel(figure.subplots(1, len(of_sets), sharey=True, squeeze=False))
    largest = max(row.value for row in select(rows, FEATURE, "share"))
    for axes, name in zip(panels, of_sets, strict=True):
        columns = [_values(rows, FEATURE, "share", target, name) for target in of_targets]
        share = [[column.get(feature, np.nan) for column in columns] for feature in features]
        image = axes.imshow(share, aspect="auto", cmap="viridis", vmin=0.0, vmax=largest)
        axes.set_xticks(np.arange(len(of_targets)), [label(t) for t in of_targets], rotation=90)
        axes.set_yticks(np.arange(len(features)), list(features))
        axes.tick_params(labelsize=6.0, length=1.5, width=0.5)
        axes.set_title(name, fontsize=8.5)
        kinds, groups = [target.kind for target in of_targets], list(features.values())
        if 0 < kinds.count("stations") < len(kinds):
            axes.axvline(kinds.count("stations") - 0.5, color="white", linewidth=0.8)
        for edge in (i for i in range(1, len(groups)) if groups[i] != groups[i - 1]):
            axes.axhline(edge - 0.5, color="white", linewidth=0.8)
    bar = figure.colorbar(image, ax=list(panels), fraction=0.05, aspect=40.0)
    bar.set_label("share of importance (%)", fontsize=7.5)
    bar.ax.tick_params(labelsize=6.5, length=2, width=0.5)
    return figure


def _panels(
    rows: Sequence[Row], *, width: float, height: float, sharey: bool = False
) -> tuple[Figure, dict[ErrorTarget, Axes]]:
    """Return a figure with a panel for each target; sizes of a panel in centimetres."""
    of_targets = targets(rows)
    n_column = _columns(len(of_targets))
    n_row = -(-len(of_targets) // n_column)
    figure = new_figure(width * n_column + 1.0, height * n_row + 1.2)
    axes = np.ravel(figure.subplots(n_row, n_column, sharey=sharey, squeeze=False))
    for unused in axes[len(of_targets) :]:
        unused.set_axis_off()
    return figure, dict(zip(of_targets, axes, strict=False))


def _columns(n: int) -> int:
    """Return how many panels stand side by side: a square for many, one row for a few.

    Examples
    --------
    >>> [_columns(n) for n in (1, 3, 4, 9)]
    [1, 3, 2, 3]
    """
    return n if n <= 3 else min(3, int(np.ceil(np.sqrt(n))))


def _lowest(panels: Mapping[ErrorTarget, Axes]) -> list[Axes]:
    """Return the panels with nothing below them."""
    return list(panels.values())[-_columns(len(panels)) :]


def _values(
    rows: Sequence[Row], level: str, metric: str, target: ErrorTarget, name: str
) -> dict[str, float]:
    """Return a checkpoint's values by group or feature."""
    return {
        row.feature or row.group: row.value
        for row in select(rows, level, metric)
        if row.target == target and row.set == name
    }


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", fontsize=7, frameon=False, ncols=4)
