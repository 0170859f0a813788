"""How sets follow the measurements and the reference in time: days, seasons, years, layers.

Figs. S4 to S7 of the paper, as far as its text says what they show: the network's mean of each day
and season; the correlation in time of each layer, of the regional mean and of each cell; the
level of each year.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.evaluation.layers import cell_correlations, regional_scores
from dacno2_s5p.evaluation.metrics import network_means, pair_sums, scores, season_means, season_of
from dacno2_s5p.evaluation.stations import STATIONS, station_sums
from retrieval.maps.axes import draw_grid, new_figure
from retrieval.maps.colours import ColourScale
from retrieval.maps.layout import colour_bar, map_row
from retrieval.maps.style import UNIT, plain_axes, set_colours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, FigureBase
    from numpy.typing import NDArray

    from dacno2_s5p.evaluation.evidence import Evidence
    from dacno2_s5p.evaluation.rows import Row
    from retrieval.typing import Float

STATION_COLOUR = "0.45"
LONGEST_GAP = np.timedelta64(100, "D")
"""A line does not cross a longer time without days (seasons are 92 days apart)."""
SHOWN_HEIGHTS = (0.0, 500.0, 5000.0)
"""Layers whose correlations are mapped [m], of those compared: ground, middle, top."""


def series_figure(evidence: Evidence) -> Figure:
    """Mean over all held-out stations, of stations and sets: of days, and of seasons (S4, S5)."""
    seasons = np.unique(season_of(evidence.days)).size > 1
    figure = new_figure(16.0, 11.5 if seasons else 7.0)
    axes = np.ravel(
        figure.subplots(1 + seasons, 1, squeeze=False, height_ratios=[1.4, 1][: 1 + seasons])
    )
    colours = set_colours(evidence.means, evidence.reference)
    observed: Float | None = None
    for name, sums in station_sums(evidence).items():
        estimate, observed = network_means(sums)
        r = float(scores(pair_sums(estimate, observed)).r)
        label = f"{name} (r {r:.2f})" if np.isfinite(r) else name
        _line(axes[0], evidence.days, estimate, colours[name], label)
        if seasons:
            middle, means, _ = season_means(estimate, observed, evidence.days)
            _line(axes[1], middle, means, colours[name], name)
    if observed is not None:
        _line(axes[0], evidence.days, observed, STATION_COLOUR, STATIONS, "--")
        if seasons:
            middle, _, means = season_means(observed, observed, evidence.days)
            _line(axes[1], middle, means, STATION_COLOUR, STATIONS, "--")
    axes[0].set_title("days", fontsize=8.5)
    axes[0].legend(fontsize=7, frameon=False, ncols=4)
    if seasons:
        axes[1].set_title("seasons", fontsize=8.5)
    for one in axes:
        one.set_ylabel(f"mean NO$_2$ at\nheld-out stations ({UNIT})", fontsize=7.5)
        one.set_ylim(bottom=0.0)
        plain_axes(one)
        one.tick_params(axis="x", rotation=20)
    return figure


def _line(
    axes: Axes,
    days: NDArray[np.datetime64],
    values: Float,
    colour: str,
    label: str,
    style: str = "-",
) -> None:
    """Draw a series, broken where days lack; few points are marked."""
    gaps = np.flatnonzero(np.diff(days) > LONGEST_GAP) + 1
    values = np.insert(np.asarray(values, dtype=np.float64), gaps, np.nan)
    at: Any = np.insert(days, gaps, days[gaps]).astype("datetime64[s]")
    marker = "o" if days.size < 40 else ""
    axes.plot(
        at, values, style, color=colour, label=label, linewidth=1.0, marker=marker, markersize=2.5
    )


def layer_time_figure(evidence: Evidence) -> Figure:
    """Correlation in time with the reference: of regional means by layer, and of cells (S6)."""
    names = [name for name, heights in evidence.layer_heights.items() if heights]
    shown = [name for name in names if cell_correlations(evidence, name) is not None]
    figure = new_figure(17.0, 6.5 + 6.0 * len(shown))
    parts: list[FigureBase] = list(
        np.ravel(
            np.asarray(
                figure.subfigures(
                    1 + len(shown), 1, height_ratios=[6.5, *[6.0] * len(shown)], squeeze=False
                )
            )
        )
    )
    _regional(parts[0], evidence, names)
    for part, name in zip(parts[1:], shown, strict=True):
        _cells(part, evidence, name)
    return figure


def _regional(part: FigureBase, evidence: Evidence, names: Sequence[str]) -> None:
    """Draw r in time of each layer's regional mean, and the median of the cells'."""
    axes = part.subplots()
    colours = set_colours(evidence.means, evidence.reference)
    for name in names:
        heights = np.array(evidence.layer_heights[name]) / 1000.0
        regional = [regional_scores(sums) for sums in np.moveaxis(evidence.layers[name], 1, 0)]
        r = [np.nan if found is None else found[0] for found in regional]
        style: dict[str, Any] = {"color": colours[name], "markersize": 3, "linewidth": 1.0}
        axes.plot(r, heights, "-o", label=f"{name}, regional mean", **style)
        cells = cell_correlations(evidence, name)
        if cells is not None:
            flat = [one[np.isfinite(one)] for one in cells]
            median = [float(np.median(one)) if one.size else np.nan for one in flat]
            axes.plot(median, heights, ":s", label=f"{name}, median of cells", **style)
    axes.set_xlabel(f"r in time with {evidence.reference}", fontsize=7.5)
    axes.set_ylabel("height above ground (km)", fontsize=7.5)
    axes.set_xlim(right=1.02)
    axes.legend(fontsize=6.5, frameon=False, loc="best")
    plain_axes(axes)


def _cells(part: FigureBase, evidence: Evidence, name: str) -> None:
    """Map r in time of each cell at a few heights."""
    r, grid = cell_correlations(evidence, name), evidence.reference_cells
    if r is None or grid is None:
        return
    heights = evidence.layer_heights[name]
    chosen = [i for i, height in enumerate(heights) if height in SHOWN_HEIGHTS] or [0]
    scale = ColourScale(f"r in time with {evidence.reference}", 0.0, 1.0, "viridis")
    box = tuple(
        float(v) for v in (grid.x_edges[0], grid.y_edges[0], grid.x_edges[-1], grid.y_edges[-1])
    )
    west, south, east, north = box
    titles = [f"{name}, {heights[i]:g} m" for i in chosen]
    panels = map_row(part, titles, (west, south, east, north))
    images = [draw_grid(panel, grid, r[i], scale) for panel, i in zip(panels, chosen, strict=True)]
    colour_bar(part, images, panels, scale)


def years_figure(evidence: Evidence, rows: Sequence[Row]) -> Figure:
    """Mean of each year at the stations that have all years, of stations and sets (Fig. S7)."""
    figure = new_figure(9.0, 7.0)
    axes = figure.subplots()
    colours = {**set_colours(evidence.means, evidence.reference), STATIONS: STATION_COLOUR}
    mine = [row for row in rows if row.metric == "mean [ug m-3]"]
    found = dict.fromkeys(row.set for row in mine)
    for name in (*(name for name in found if name != STATIONS), STATIONS):
        line = [row for row in mine if row.set == name]
        style = "--s" if name == STATIONS else "-o"
        axes.plot(
            [row.year for row in line], [row.value for row in line], style,
            color=colours[name], label=name, linewidth=1.0, markersize=3,
        )  # fmt: skip
    axes.set_xticks(evidence.years)
    axes.set_ylim(bottom=0.0)
    axes.set_ylabel(f"mean NO$_2$ at held-out stations\nof all years ({UNIT})", fontsize=7.5)
    axes.legend(fontsize=7, frameon=False)
    plain_axes(axes)
    return figure
