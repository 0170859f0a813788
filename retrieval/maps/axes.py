"""Drawing primitives for maps: plain matplotlib and pyproj, packaged coastlines, no download.

Figures are made without pyplot, so they need no display and leave no global state; `map_row` and
`colour_bar` are in `map_layout`:

    figure = new_figure(18.0, 8.0)
    panels = map_row(figure, ["TM5", "CAMS"], domain_grid())
    image = draw_grid(panels[0], grid, column, scale)
    colour_bar(figure, image, panels, scale)
    figure.savefig("map.png", dpi=200)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.maps.coastlines import lines_for
from retrieval.physics.geometry.grids import (
    EUROPE_PLANE,
    FULL_CIRCLE,
    GEOGRAPHIC,
    BoundingBox,
    RectilinearGrid,
    box_in_degrees,
    box_in_plane,
    box_outline,
    corners_in_degrees,
    project,
    unproject,
)
from retrieval.physics.geometry.quadrilaterals import unwrap_longitudes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection, QuadMesh
    from matplotlib.figure import Figure

    from retrieval.maps.colours import ColourScale
    from retrieval.typing import Float

CM_PER_INCH = 2.54
MISSING = "0.86"
"""Grey of what has no value: no colour of any scale."""
INK = "0.15"
TICK_STEPS = np.array([0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0])
BAR_STEPS = np.array([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]) * 1e3
METRES_PER_DEGREE = 111_195.0
LAYERS = {"missing": 0.0, "values": 1.0, "graticule": 2.0, "lines": 3.0, "marks": 4.0}
"""What lies above what."""


@dataclass(frozen=True)
class MapAxes:
    """Axes with a projection.

    Attributes
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; its data coordinates are those of the plane.
    frame : RectilinearGrid
        One cell: the plane and the extent of the map.
    """

    axes: Axes
    frame: RectilinearGrid

    @property
    def extent(self) -> BoundingBox:
        """x0, y0, x1, y1 in the plane."""
        x, y = self.frame.x_edges, self.frame.y_edges
        return float(x[0]), float(y[0]), float(x[-1]), float(y[-1])


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure with constrained layout; sizes in centimetres."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width / CM_PER_INCH, height / CM_PER_INCH), layout="constrained")


def map_axes(
    axes: Axes,
    area: RectilinearGrid | BoundingBox,
    *,
    crs: str = EUROPE_PLANE,
    title: str = "",
    graticule: bool = True,
    coastlines: bool = True,
) -> MapAxes:
    """Turn plain axes into a map.

    Parameters
    ----------
    axes : Axes
        Fresh axes of a figure.
    area : RectilinearGrid or tuple
        A grid, whose plane and extent are taken as they are, or west, south, east, north [degree].
    crs : str
        Plane for a box of degrees: anything pyproj understands; `EPSG:4326` is plain
        longitude/latitude.
    title : str
        Above the map.
    graticule, coastlines : bool
        What to draw at once.

    Returns
    -------
    MapAxes
    """
    frame = area_frame(area, crs)
    panel = MapAxes(axes, frame)
    x_0, y_0, x_1, y_1 = panel.extent
    axes.set_xlim(x_0, x_1)
    axes.set_ylim(y_0, y_1)
    shrink = np.cos(np.deg2rad(0.5 * (y_0 + y_1))) if frame.is_geographic else 1.0
    axes.set_aspect(float(1.0 / max(shrink, 0.05)))
    axes.set_facecolor(MISSING)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_linewidth(0.6)
    if title:
        axes.set_title(title, fontsize=9)
    if graticule:
        draw_graticule(panel)
    if coastlines:
        draw_coastlines(panel)
    return panel


def area_frame(area: RectilinearGrid | BoundingBox, crs: str) -> RectilinearGrid:
    """One cell that spans a grid, or the image of a box of degrees in a plane."""
    if isinstance(area, RectilinearGrid):
        return RectilinearGrid(area.x_edges[[0, -1]], area.y_edges[[0, -1]], area.crs)
    plane = RectilinearGrid(np.array([0.0, 1.0]), np.array([0.0, 1.0]), crs)
    x_0, y_0, x_1, y_1 = area if crs == GEOGRAPHIC else box_in_plane(area, plane)
    return RectilinearGrid(np.array([x_0, x_1]), np.array([y_0, y_1]), crs)


def draw_coastlines(panel: MapAxes, *, borders: bool = True, width: float = 0.5) -> None:
    """Draw packaged coastlines and, thinner, national borders, anywhere on the Earth."""
    from matplotlib.collections import LineCollection

    west, south, east, north = box_in_degrees(panel.frame)
    box = (west, south, east + FULL_CIRCLE * (east < west), north)
    if not np.isfinite(box).all():
        box = (-180.0, -90.0, 180.0, 90.0)
    found = lines_for(box)
    kinds: list[tuple[Sequence[Float], str, float]] = [(found.coastlines, INK, width)]
    if borders:
        kinds.append((found.borders, "0.4", 0.7 * width))
    for lines, colour, line_width in kinds:
        near = _near(lines, box)
        parts = [np.column_stack(project(line[:, 0], line[:, 1], panel.frame)) for line in near]
        for part in parts:
            part[~np.isfinite(part).all(axis=1)] = np.nan  # where the plane has no such place
        panel.axes.add_collection(
            LineCollection(parts, colors=colour, linewidths=line_width, zorder=LAYERS["lines"]),
            autolim=False,
        )


def _near(lines: Sequence[Float], box: BoundingBox) -> list[Float]:
    """Lines that reach into a box of degrees, brought to its turn of longitudes."""
    west, south, east, north = box
    found = []
    for line in lines:
        (low_x, low_y), (high_x, high_y) = line.min(axis=0), line.max(axis=0)
        if high_y < south or low_y > north:
            continue
        for turn in (-FULL_CIRCLE, 0.0, FULL_CIRCLE):
            if high_x + turn >= west and low_x + turn <= east:
                found.append(line + np.array([turn, 0.0]))
    return found


def draw_grid(panel: MapAxes, grid: RectilinearGrid, values: Float, scale: ColourScale) -> QuadMesh:
    """Draw the cells of a grid.

    Parameters
    ----------
    panel : MapAxes
        Where.
    grid : RectilinearGrid
        Cells, in the plane of the map or in another one.
    values : ndarray, shape (n_y, n_x)
        Values in the unit that `scale.factor` converts from; cells with NaN stay grey.
    scale : ColourScale
        Colours.
    """
    rows, columns = slice(None), slice(None)
    if grid.crs == panel.frame.crs:
        x_0, y_0, x_1, y_1 = panel.extent
        columns, rows = _within(grid.x_edges, x_0, x_1), _within(grid.y_edges, y_0, y_1)
        grid = grid.crop(rows, columns)
        x, y = np.meshgrid(grid.x_edges, grid.y_edges)
    else:
        x, y = project(*corners_in_degrees(grid), panel.frame)
    shown = np.ma.masked_invalid(scale.factor * np.asarray(values)[rows, columns])
    return panel.axes.pcolormesh(
        x, y, shown, zorder=LAYERS["values"], rasterized=True, **_colours(scale)
    )


def _within(edges: Float, low: float, high: float) -> slice:
    """Cells that touch a range, at least one."""
    first = int(np.clip(np.searchsorted(edges, low, side="right") - 1, 0, edges.size - 2))
    last = int(np.clip(np.searchsorted(edges, high, side="left"), first + 1, edges.size - 1))
    return slice(first, last)


def draw_pixels(
    panel: MapAxes,
    latitude_bounds: Float,
    longitude_bounds: Float,
    values: Float,
    scale: ColourScale,
) -> PolyCollection:
    """Draw satellite pixels as the quadrilaterals they are.

    Parameters
    ----------
    panel : MapAxes
        Where.
    latitude_bounds, longitude_bounds : ndarray, shape (..., 4)
        Corners [degree]; pixels may straddle the antimeridian.
    values : ndarray, shape (...)
        Values in the unit that `scale.factor` converts from; pixels with NaN are left out.
    scale : ColourScale
        Colours.
    """
    from matplotlib.collections import PolyCollection

    values = np.asarray(values, dtype=np.float64)
    latitude = np.asarray(latitude_bounds, dtype=np.float64).reshape(-1, 4)
    longitude, has_pole = unwrap_longitudes(
        np.asarray(longitude_bounds, dtype=np.float64).reshape(-1, 4)
    )
    x, y = project(longitude, latitude, panel.frame)
    is_shown = np.isfinite(values.ravel()) & np.isfinite(x + y).all(axis=1) & ~has_pole
    polygons = PolyCollection(
        list(np.stack([x, y], axis=-1)[is_shown]),
        array=scale.factor * values.ravel()[is_shown],
        edgecolors="face",
        linewidths=0.15,  # closes the hairlines between neighbours
        zorder=LAYERS["values"],
        rasterized=True,
        **_colours(scale),
    )
    panel.axes.add_collection(polygons, autolim=False)
    return polygons


def _colours(scale: ColourScale) -> dict[str, Any]:
    from matplotlib.colors import Normalize

    return {"cmap": scale.colours, "norm": Normalize(scale.low, scale.high)}


def draw_graticule(panel: MapAxes, *, n_line: int = 4) -> None:
    """Draw meridians and parallels and label them where they meet the lower and the left edge."""
    x_0, y_0, x_1, y_1 = panel.extent
    along = np.linspace(0.0, 1.0, 60)
    edges = [
        (x_0 + (x_1 - x_0) * along, y_0 + 0 * along),
        (x_0 + 0 * along, y_0 + (y_1 - y_0) * along),
    ]
    lon_below, _ = unproject(*edges[0], panel.frame)
    _, lat_left = unproject(*edges[1], panel.frame)
    meridians, parallels = _ticks(lon_below, n_line), _ticks(lat_left, n_line)
    x_ticks = np.interp(meridians, lon_below, edges[0][0])
    y_ticks = np.interp(parallels, lat_left, edges[1][1])
    panel.axes.set_xticks(x_ticks, [_degrees(m, "WE") for m in meridians])
    panel.axes.set_yticks(y_ticks, [_degrees(p, "SN") for p in parallels])
    panel.axes.tick_params(labelsize=7, length=2, width=0.5, pad=2)
    style: dict[str, Any] = {"color": "0.5", "linewidth": 0.25, "zorder": LAYERS["graticule"]}
    corners_lon, corners_lat = unproject(*box_outline(panel.extent), panel.frame)
    latitude = np.linspace(corners_lat.min(), corners_lat.max(), 60)
    longitude = np.linspace(corners_lon.min(), corners_lon.max(), 60)
    for meridian in _every(meridians, longitude):
        panel.axes.plot(*project(meridian + 0 * latitude, latitude, panel.frame), **style)
    for parallel in _every(parallels, latitude):
        panel.axes.plot(*project(longitude, parallel + 0 * longitude, panel.frame), **style)


def _ticks(values: Float, n_line: int) -> Float:
    """Round degrees between the ends of an axis, about n_line of them."""
    low, high = float(values.min()), float(values.max())
    step = TICK_STEPS[np.argmin(np.abs(np.log(TICK_STEPS * n_line / (high - low))))]
    return np.asarray(step * np.arange(np.ceil(low / step), np.floor(high / step) + 1))


def _every(ticks: Float, values: Float) -> Float:
    """Continue round degrees to all that a map shows: its upper corners reach farther."""
    if ticks.size < 2:
        return ticks
    step = ticks[1] - ticks[0]
    first, last = np.ceil(values.min() / step), np.floor(values.max() / step)
    return np.asarray(step * np.arange(first, last + 1))


def _degrees(value: float, letters: str) -> str:
    """Write an angle as people do: 5°W, 0°, 52.5°N.

    >>> _degrees(-5.0, "WE"), _degrees(0.0, "WE"), _degrees(52.5, "SN")
    ('5°W', '0°', '52.5°N')
    """
    letter = "" if abs(value) < 1e-9 else letters[int(value > 0)]
    return f"{abs(value):g}°{letter}"


def draw_scale_bar(panel: MapAxes) -> None:
    """Draw a bar of a round number of kilometres, about a fifth of the width, lower right."""
    x_0, y_0, x_1, y_1 = panel.extent
    metres = 1.0
    if panel.frame.is_geographic:
        metres = METRES_PER_DEGREE * float(np.cos(np.deg2rad(y_0 + 0.06 * (y_1 - y_0))))
    length = BAR_STEPS[np.argmin(np.abs(np.log(BAR_STEPS / (0.2 * (x_1 - x_0) * metres))))]
    right, level = x_1 - 0.05 * (x_1 - x_0), y_0 + 0.045 * (y_1 - y_0)
    left = right - length / metres
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    style: dict[str, Any] = {"zorder": LAYERS["marks"], "path_effects": halo}
    panel.axes.plot([left, right], [level, level], color="black", linewidth=1.2, **style)
    text = f"{length / 1e3:g} km"
    panel.axes.text(
        0.5 * (left + right),
        level + 0.012 * (y_1 - y_0),
        text,
        fontsize=6.5,
        ha="center",
        va="bottom",
        **style,
    )


def draw_box(panel: MapAxes, box: BoundingBox, label: str = "") -> None:
    """Draw a box of degrees with a label in its upper left corner."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=1.8, foreground="white")]
    style: dict[str, Any] = {"zorder": LAYERS["marks"], "path_effects": halo}
    x, y = project(*box_outline(box), panel.frame)
    panel.axes.plot(x, y, color="black", linewidth=0.8, **style)
    if label:
        west, _, _, north = box
        corner_x, corner_y = project(np.array([west]), np.array([north]), panel.frame)
        panel.axes.annotate(
            label,
            (float(corner_x[0]), float(corner_y[0])),
            xytext=(1, 2),
            textcoords="offset points",
            fontsize=6.5,
            **style,
        )


def draw_note(panel: MapAxes, text: str) -> None:
    """Write a few lines of numbers into the upper left corner."""
    panel.axes.text(
        0.02,
        0.98,
        text,
        transform=panel.axes.transAxes,
        fontsize=6.5,
        va="top",
        linespacing=1.25,
        bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 2.0},
        zorder=LAYERS["marks"] + 1,
    )
