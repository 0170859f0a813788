"""Figures of an evaluation: stations, series, layers, profiles; maps are in `evaluate_maps`.

Figs. 6 and S3-S7, S10 of the paper in a compact form. Colours tell sets apart also for the
colour-blind; every figure says what its days are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.evaluation.figures.maps import (
    layer_maps_figure,
    maps_figure,
    station_map_figure,
    transects_figure,
)
from dacno2_s5p.evaluation.figures.series import layer_time_figure, series_figure, years_figure
from dacno2_s5p.evaluation.layers import ALL_LAYERS, ANOMALIES
from dacno2_s5p.evaluation.metrics import LEAST_DAYS, scores, series_scores
from dacno2_s5p.evaluation.stations import station_sums
from retrieval.maps.axes import new_figure
from retrieval.maps.style import COLOURS, UNIT, add_note, plain_axes, save, set_colours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dacno2_s5p.evaluation.evidence import Evidence
    from dacno2_s5p.evaluation.rows import Row
    from retrieval.typing import Float

__all__ = ["COLOURS", "UNIT", "add_note", "figures", "plain_axes", "save"]

MARKERS = ("o", "s", "^", "D", "v", "P")


def figures(evidence: Evidence, rows: Sequence[Row], note: str = "") -> dict[str, Figure]:
    """Draw all figures that the evidence allows, by name.

    Parameters
    ----------
    evidence : Evidence
    rows : sequence of Row
        As `evaluate` gives them.
    note : str
        Below each figure: days, and the word synthetic.
    """
    years = [row for row in rows if row.year]
    rows = [row for row in rows if not row.year]
    drawn: dict[str, Figure] = {}
    if evidence.cells:
        drawn["stations"] = stations_figure(evidence)
        drawn["series"] = series_figure(evidence)
    if any(sums.shape[1] for sums in evidence.layers.values()):
        drawn["layers"] = layers_figure(evidence, rows)
        if evidence.days.size >= LEAST_DAYS:
            drawn["layers_in_time"] = layer_time_figure(evidence)
    if years and evidence.cells:
        drawn["years"] = years_figure(evidence, years)
    drawn["profiles"] = profiles_figure(evidence, rows)
    drawn["maps"] = maps_figure(evidence)
    drawn["layer_maps"] = layer_maps_figure(evidence)
    if evidence.cells and evidence.days.size >= LEAST_DAYS:
        drawn["station_map"] = station_map_figure(evidence)
    transects = transects_figure(evidence)
    if transects is not None:
        drawn["transects"] = transects
    for figure in drawn.values():
        add_note(figure, note)
    return drawn


def stations_figure(evidence: Evidence) -> Figure:
    """Every pair of each set with the stations, and below each station's own correlation.

    Pairs above the 99.5th percentile are drawn at the edge; the numbers are of all.
    """
    names = list(evidence.surface)
    has_series = evidence.days.size >= LEAST_DAYS
    figure = new_figure(5.4 * len(names) + 1.4, 11.0 if has_series else 7.0)
    ratios = [1.3, 1.0] if has_series else [1.0]
    axes = figure.subplots(len(ratios), len(names), squeeze=False, height_ratios=ratios)
    top = float(np.nanpercentile(evidence.observed, 99.5)) * 1.1
    sums = station_sums(evidence)
    for column, name in enumerate(names):
        _scatter(axes[0, column], evidence, name, top)
        if has_series:
            _histogram(axes[1, column], sums[name])
        axes[0, column].set_title(name, fontsize=8.5)
    axes[0, 0].set_ylabel(f"set ({UNIT})", fontsize=7.5)
    axes[-1, 0].set_ylabel("stations" if has_series else f"set ({UNIT})", fontsize=7.5)
    return figure


def _scatter(axes: Axes, evidence: Evidence, name: str, top: float) -> None:
    valid = np.isfinite(evidence.observed) & np.isfinite(evidence.surface[name])
    observed, values = evidence.observed[valid], evidence.surface[name][valid]
    axes.hexbin(
        np.clip(observed, 0.0, top),
        np.clip(values, 0.0, top),
        gridsize=36,
        extent=(0.0, top, 0.0, top),
        bins="log",
        mincnt=1,
        cmap="viridis",
        linewidths=0.1,
    )
    axes.plot([0.0, top], [0.0, top], color="0.3", linewidth=0.7)
    found = scores(station_sums(evidence)[name].sum(axis=(0, 1)))
    text = (
        f"RMSE {found.rmse:.2f}\nr {found.r:.2f}\nR$^2$ {found.r2:.2f}\nbias {found.bias:+.2f}\n"
        f"N {int(found.n)}"
    )
    axes.text(0.04, 0.96, text, transform=axes.transAxes, fontsize=6.5, va="top")
    axes.set_aspect("equal")
    axes.set_xlabel(f"stations ({UNIT})", fontsize=7.5)
    plain_axes(axes)


def _histogram(axes: Axes, sums: Float) -> None:
    r = series_scores(sums).r
    r = r[np.isfinite(r)]
    axes.set_xlim(-1.0, 1.0)
    axes.set_xlabel("r of a station's own series", fontsize=7.5)
    plain_axes(axes)
    if not r.size:
        text = "no station with five days"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", size=7)
        return
    axes.hist(r, bins=np.linspace(-1.0, 1.0, 41).tolist(), color="0.6")
    axes.axvline(float(np.median(r)), color="0.1", linewidth=1.0)
    axes.text(
        0.04, 0.94, f"median {np.median(r):.2f}", transform=axes.transAxes, fontsize=6.5, va="top"
    )


def layers_figure(evidence: Evidence, rows: Sequence[Row]) -> Figure:
    """r, R2 and relative RMSE of each layer against the reference on its own cells (Table 2)."""
    figure = new_figure(16.0, 8.0)
    axes = figure.subplots(1, 3, sharey=True)
    colours = set_colours(evidence.means, evidence.reference)
    means = {row.height: row.value for row in rows if _is_mean(row, evidence.reference)}
    for i, name in enumerate(evidence.layers):
        mine = [r for r in rows if r.table == "layers" and r.set == name]
        for ax, metric in zip(axes, ("r", "r2", "rmse"), strict=True):
            line = [r for r in mine if r.metric == metric and np.isfinite(r.height)]
            values = [_relative(r, means) if metric == "rmse" else r.value for r in line]
            ax.plot(
                values,
                [r.height / 1000.0 for r in line],
                color=colours[name],
                marker=MARKERS[i % len(MARKERS)],
                markersize=3,
                linewidth=1.0,
                label=_layer_label(name, mine),
            )
    for ax, title in zip(axes, ("r", "R$^2$", "RMSE / domain mean"), strict=True):
        ax.set_xlabel(title, fontsize=7.5)
        plain_axes(ax)
    # far below zero R2 says no more than that the reference's own mean is better
    axes[1].set_xlim(max(axes[1].get_xlim()[0], -1.0), 1.02)
    axes[0].set_ylabel("height above ground (km)", fontsize=7.5)
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside upper left", fontsize=7, frameon=False
    )
    return figure


def _is_mean(row: Row, name: str) -> bool:
    return row.table == "profiles" and row.group == "domain" and row.set == name


def _relative(row: Row, means: dict[float, float]) -> float:
    return row.value / means[row.height] if means.get(row.height) else float("nan")


def _layer_label(name: str, rows: Sequence[Row]) -> str:
    pooled = {r.group: r.value for r in rows if r.metric == "r" and np.isnan(r.height)}
    if ALL_LAYERS not in pooled:
        return name
    return (
        f"{name}: r of all layers {pooled[ALL_LAYERS]:.2f}, layer means removed "
        f"{pooled[ANOMALIES]:.2f}"
    )


def profiles_figure(evidence: Evidence, rows: Sequence[Row]) -> Figure:
    """Regional mean profiles, and ratios to the reference by urbanisation where there are any."""
    regions = list(dict.fromkeys(r.group for r in rows if r.table == "profiles"))
    has_ratio = any(r.table == "urbanisation" for r in rows)
    n = max(len(regions) + has_ratio, 1)
    figure = new_figure(4.4 * n + 1.0, 8.0)
    axes = np.ravel(figure.subplots(1, n, sharey=True, squeeze=False))
    colours = set_colours(evidence.means, evidence.reference)
    for ax, region in zip(axes, regions, strict=False):
        for name in evidence.means:
            line = [r for r in rows if (r.table, r.group, r.set) == ("profiles", region, name)]
            ax.plot(
                [r.value for r in line],
                [r.height / 1000.0 for r in line],
                color=colours[name],
                marker="o",
                markersize=2.5,
                linewidth=1.0,
                label=name,
            )
        ax.set_title(region, fontsize=8.5)
        ax.set_xlabel(f"mean NO$_2$ ({UNIT})", fontsize=7.5)
        ax.set_xlim(left=0.0)
        plain_axes(ax)
    if has_ratio:
        _ratios(axes[-1], rows, colours)
    axes[0].set_ylabel("height above ground (km)", fontsize=7.5)
    axes[0].legend(fontsize=6.5, frameon=False)
    return figure


def _ratios(axes: Axes, rows: Sequence[Row], colours: dict[str, str]) -> None:
    """Draw ratios: sets by colour, classes by line."""
    mine = [r for r in rows if r.table == "urbanisation"]
    classes = list(dict.fromkeys(r.group for r in mine))
    styles = dict(zip(classes, ("-", "--", "-.", ":"), strict=False))
    for name in dict.fromkeys(r.set for r in mine):
        for group in classes:
            line = [r for r in mine if r.set == name and r.group == group]
            axes.plot(
                [r.value for r in line],
                [r.height / 1000.0 for r in line],
                color=colours[name],
                linestyle=styles[group],
                linewidth=1.0,
                label=group,
            )
    axes.axvline(1.0, color="0.6", linewidth=0.6)
    axes.set_title("by urbanisation", fontsize=8.5)
    axes.set_xlabel(mine[0].metric, fontsize=7.5)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[: len(classes)], labels[: len(classes)], fontsize=6.5, frameon=False)
    plain_axes(axes)
