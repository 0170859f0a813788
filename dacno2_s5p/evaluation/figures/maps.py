"""Maps of an evaluation: mean fields, layers, each station's score, and transects.

Figs. 3, 4, 6 (c, d) and S3 of the paper. All sets share one scale; the reference is drawn as it is
used, bilinear on the model grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.evaluation.metrics import series_scores
from dacno2_s5p.evaluation.regions import BOXES, region_masks
from dacno2_s5p.evaluation.stations import station_sums
from dacno2_s5p.inputs.regrid import transform_points
from retrieval.maps.axes import draw_grid, new_figure
from retrieval.maps.colours import ColourScale
from retrieval.maps.layout import colour_bar, map_row
from retrieval.maps.style import UNIT
from retrieval.physics.geometry.grids import GEOGRAPHIC

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dacno2_s5p.evaluation.evidence import Evidence
    from retrieval.typing import Float

SHOWN_HEIGHTS = (0.0, 250.0, 1000.0, 3000.0)
"""Heights of the layer maps [m], of those that all sets have."""

TRANSECTS = {
    "Paris": ((1.67, 48.86), (3.03, 48.86)),
    "Alps": ((5.7, 46.0), (8.3, 46.0)),
}
"""Ends (longitude, latitude) of west-east lines: 100 km over Paris, 200 km over the Alps.

The paper draws its lines on an image and gives no coordinates; these are ours."""

STEP = 2000.0
"""Distance of the points of a transect [m]: a cell."""


def maps_figure(evidence: Evidence) -> Figure:
    """Mean surface NO2 of all sets on one scale: the domain, and below the regions it holds."""
    names = list(evidence.means)
    grid = evidence.grid.cells()
    boxes = {k: v for k, v in BOXES.items() if k != "domain"}
    whole = _whole_regions(evidence, boxes)
    areas: list[Any] = [grid, *(boxes[name] for name in whole)]
    figure = new_figure(4.6 * len(names) + 1.6, 5.8 * len(areas))
    parts = np.ravel(np.asarray(figure.subfigures(len(areas), 1, squeeze=False)))
    surface = np.stack([evidence.means[name][0] for name in names])
    top = float(np.ceil(np.nanpercentile(surface, 99.5)))
    scale = ColourScale(f"surface NO$_2$ ({UNIT})", 0.0, max(top, 1.0))
    for part, area, label in zip(parts, areas, ["", *whole], strict=True):
        titles = [f"{name}, {label}".rstrip(", ") for name in names]
        panels = map_row(part, titles, area)
        images = [
            draw_grid(panel, grid, field, scale)
            for panel, field in zip(panels, surface, strict=True)
        ]
        colour_bar(part, images, panels, scale)
    return figure


def _whole_regions(
    evidence: Evidence, boxes: dict[str, tuple[float, float, float, float]]
) -> list[str]:
    """Regions of which the grid holds more than half."""
    found = []
    cell = (evidence.grid.spacing / 1000.0) ** 2
    for name, mask in region_masks(evidence.grid, boxes).items():
        west, south, east, north = boxes[name]
        middle = np.cos(np.deg2rad(0.5 * (south + north)))
        area = 111.2**2 * (east - west) * (north - south) * float(middle)
        if evidence.grid.cells().is_geographic or mask.sum() * cell > 0.5 * area:
            found.append(name)
    return found


def layer_maps_figure(evidence: Evidence) -> Figure:
    """Mean NO2 of all sets at several heights, each height on a scale of its own (Fig. 4)."""
    names = list(evidence.means)
    shared = set(SHOWN_HEIGHTS).intersection(*(evidence.heights[name] for name in names))
    heights = sorted(shared) or [evidence.heights[names[0]][0]]
    grid = evidence.grid.cells()
    figure = new_figure(4.6 * len(names) + 1.6, 5.4 * len(heights))
    parts = np.ravel(np.asarray(figure.subfigures(len(heights), 1, squeeze=False)))
    for part, height in zip(parts, heights, strict=True):
        fields = [_level(evidence, name, height) for name in names]
        top = float(np.nanpercentile(np.stack(fields), 99.5))
        scale = ColourScale(f"NO$_2$ ({UNIT})", 0.0, top if top > 0.0 else 1.0)
        panels = map_row(part, [f"{name}, {height:g} m" for name in names], grid)
        images = [
            draw_grid(panel, grid, field, scale)
            for panel, field in zip(panels, fields, strict=True)
        ]
        colour_bar(part, images, panels, scale)
    return figure


def _level(evidence: Evidence, name: str, height: float) -> Float:
    heights = evidence.heights[name]
    index = heights.index(height) if height in heights else 0
    return np.asarray(evidence.means[name][index])


def station_map_figure(evidence: Evidence) -> Figure:
    """Correlation of each station's own series, on the map (Fig. S3)."""
    names = list(evidence.surface)
    grid = evidence.grid.cells()
    rows = np.array([cell.row for cell in evidence.cells])
    columns = np.array([cell.column for cell in evidence.cells])
    figure = new_figure(5.2 * len(names) + 1.6, 6.6)
    scale = ColourScale("r of a station's own series", 0.0, 1.0, "viridis")
    panels = map_row(figure, names, grid)
    images: list[Any] = []
    for panel, name in zip(panels, names, strict=True):
        r = series_scores(station_sums(evidence)[name]).r
        known = np.isfinite(r)
        images.append(
            panel.axes.scatter(
                grid.x[columns[known]],
                grid.y[rows[known]],
                c=r[known],
                cmap=scale.colours,
                vmin=scale.low,
                vmax=scale.high,
                s=9,
                linewidths=0.2,
                edgecolors="0.2",
                zorder=5,
            )
        )
    colour_bar(figure, images, panels, scale)
    return figure


def transect(
    evidence: Evidence, name: str, start: tuple[float, float], end: tuple[float, float]
) -> tuple[Float, Float] | None:
    """Sample a set's mean profiles along a line, at the cells that hold its points.

    Parameters
    ----------
    evidence : Evidence
    name : str
        The set.
    start, end : (longitude, latitude)
        Ends [degree]; between them the line is straight in the plane of the grid.

    Returns
    -------
    distance : ndarray, shape (n,)
        From the start [m].
    profiles : ndarray, shape (n_level, n)
        NO2 [ug m-3]. None instead of both where the line leaves the grid.
    """
    grid = evidence.grid
    x, y = transform_points([start[0], end[0]], [start[1], end[1]], GEOGRAPHIC, grid.crs)
    narrower = float(np.cos(np.deg2rad(0.5 * (start[1] + end[1]))))
    along_x, along_y = (111_195.0 * narrower, 111_195.0) if grid.cells().is_geographic else (1, 1)
    length = float(np.hypot((x[1] - x[0]) * along_x, (y[1] - y[0]) * along_y))
    share = np.linspace(0.0, 1.0, int(length // STEP) + 1)
    column = np.floor((x[0] + share * (x[1] - x[0]) - grid.x_origin) / grid.spacing).astype(int)
    row = np.floor((y[0] + share * (y[1] - y[0]) - grid.y_origin) / grid.spacing).astype(int)
    inside = (row >= 0) & (row < grid.n_y) & (column >= 0) & (column < grid.n_x)
    if not inside.all():
        return None
    return share * length, np.asarray(evidence.means[name][:, row, column])


def transects_figure(evidence: Evidence) -> Figure | None:
    """Mean profiles along the lines of `TRANSECTS` (Fig. 6 c, d); None where no line is inside.

    Rows are the heights that all sets have, lowest first, each of one thickness whatever the air
    between them.
    """
    names = list(evidence.means)
    heights = sorted(set(evidence.heights[names[0]]).intersection(*evidence.heights.values()))
    found = {
        label: {name: transect(evidence, name, *ends) for name in names}
        for label, ends in TRANSECTS.items()
    }
    found = {label: lines for label, lines in found.items() if lines[names[0]] is not None}
    if not found or not heights:
        return None
    figure = new_figure(16.0, 4.2 * len(found) * len(names))
    axes = np.ravel(figure.subplots(len(found) * len(names), 1, squeeze=False))
    panels = iter(axes)
    for label, lines in found.items():
        top = max(float(line[1].max()) for line in lines.values() if line is not None)
        drawn = []
        for name, line in lines.items():
            if line is None:
                continue
            ax = next(panels)
            distance = line[0]
            profiles = line[1][[evidence.heights[name].index(h) for h in heights]]
            image = ax.pcolormesh(
                distance / 1000.0,
                np.arange(profiles.shape[0]),
                profiles,
                cmap="magma_r",
                vmin=0.0,
                vmax=top,
                shading="nearest",
            )
            ax.set_yticks(np.arange(len(heights)), [f"{h:g}" for h in heights])
            ax.set_title(f"{name}, {label}", fontsize=8.5)
            ax.set_ylabel("height (m)", fontsize=7.5)
            ax.tick_params(labelsize=6.5, length=2, width=0.5)
            drawn.append(ax)
        drawn[-1].set_xlabel("distance from the western end (km)", fontsize=7.5)
        bar = figure.colorbar(image, ax=drawn)
        bar.set_label(f"mean NO$_2$ ({UNIT})", fontsize=7.5)
        bar.ax.tick_params(labelsize=6.5)
    return figure
