"""Rows of maps, their captions and colour bars; what is drawn in a map is in `mapping`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from retrieval.maps.axes import MapAxes, area_frame, map_axes
from retrieval.physics.geometry.grids import EUROPE_PLANE, RectilinearGrid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar
    from matplotlib.figure import FigureBase

    from retrieval.maps.colours import ColourScale
    from retrieval.physics.geometry.grids import BoundingBox


def map_row(
    figure: FigureBase,
    titles: Sequence[str],
    area: RectilinearGrid | BoundingBox | Sequence[RectilinearGrid | BoundingBox],
    *,
    crs: str = EUROPE_PLANE,
    n_column: int | None = None,
) -> list[MapAxes]:
    """Make a row of maps, or several, in a figure or subfigure, one a title.

    Parameters
    ----------
    figure : Figure or SubFigure
        Empty.
    titles : sequence of str
        Above the maps.
    area : grid or box, or a sequence of them
        One for all, or one for each map; maps of different areas are widened to one shape.
    crs : str
        Plane for boxes of degrees.
    n_column : int, optional
        Maps in a row; the last row may have fewer. All in one row by default.
    """
    areas = [area] * len(titles) if isinstance(area, RectilinearGrid | tuple) else list(area)
    frames = _one_shape([area_frame(place, crs) for place in areas])
    n_column = n_column or len(titles)
    axes = np.ravel(figure.subplots(n_rows(len(titles), n_column), n_column, squeeze=False))
    for spare in axes[len(titles) :]:
        spare.remove()
    return [
        map_axes(one, frame, title=title)
        for one, frame, title in zip(axes, frames, titles, strict=False)
    ]


def n_rows(n_map: int, n_column: int) -> int:
    """Rows that so many maps take.

    Examples
    --------
    >>> n_rows(3, 3), n_rows(5, 3)
    (1, 2)
    """
    return -(-n_map // n_column)


def _one_shape(frames: Sequence[RectilinearGrid]) -> list[RectilinearGrid]:
    """Widen frames so that all have the same height over width, and panels the same size."""
    ratios = [float(np.ptp(frame.y_edges) / np.ptp(frame.x_edges)) for frame in frames]
    ratio = float(np.exp(np.mean(np.log(ratios))))
    found = []
    for frame, own in zip(frames, ratios, strict=True):
        x, y = frame.x_edges, frame.y_edges
        if own < ratio:
            y = y.mean() + (y - y.mean()) * ratio / own
        else:
            x = x.mean() + (x - x.mean()) * own / ratio
        found.append(RectilinearGrid(x, y, frame.crs))
    return found


def draw_caption(panel: MapAxes, text: str) -> None:
    """Write a few lines of numbers below a map, where they cover nothing."""
    panel.axes.set_xlabel(text, fontsize=6.2, linespacing=1.25, labelpad=3)


def colour_bar(
    figure: FigureBase,
    images: ScalarMappable | Sequence[ScalarMappable],
    panels: Sequence[MapAxes],
    scale: ColourScale,
    *,
    location: Literal["right", "bottom"] = "right",
) -> Colorbar:
    """Draw one colour bar for several maps; its ends are arrows where values lie beyond.

    Parameters
    ----------
    figure : Figure or SubFigure
        That holds the maps.
    images : ScalarMappable, or a sequence of them
        What was drawn with the scale.
    panels : sequence of MapAxes
        Maps that give room to the bar.
    scale : ColourScale
        Common to the images.
    location : {"right", "bottom"}
        Beside or below the maps.
    """
    from matplotlib.cm import ScalarMappable

    drawn = [images] if isinstance(images, ScalarMappable) else list(images)
    arrays = [
        np.ma.filled(np.ma.asarray(one.get_array(), dtype=np.float64), np.nan) for one in drawn
    ]
    shown = np.concatenate([np.ravel(array) for array in arrays])
    bar = figure.colorbar(
        drawn[0],
        ax=[panel.axes for panel in panels],
        location=location,
        extend=scale.extend(shown / scale.factor),
        shrink=0.85,
        aspect=22 if location == "right" else 16 * len(panels),
        pad=0.02,
    )
    bar.set_label(scale.label, fontsize=7.5)
    bar.ax.tick_params(labelsize=7, length=2, width=0.5)
    return bar
