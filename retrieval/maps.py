"""Maps of columns, of their changes, and of regions: the three parts of the paper's Fig. 7.

(a) mean columns with each a priori on one scale; (b) relative differences, with absolute ones
below; (c) the regions, relative and absolute, for the two finest sets. Numbers stand below each map
with their names, because the paper's averages can be read in three ways (method.md 7.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.atomic import atomic_output
from retrieval.colour_scales import (
    ColourScale,
    column_change_scale,
    column_scale,
    percent_scale,
)
from retrieval.compare import TM5, AreaNumbers, Difference
from retrieval.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.grid_geometry import BoundingBox, cell_areas, centres_in_degrees
from retrieval.mapping import (
    EUROPE_PLANE,
    MapAxes,
    colour_bar,
    draw_box,
    draw_caption,
    draw_grid,
    draw_scale_bar,
    map_row,
    new_figure,
)
from retrieval.regions import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure, FigureBase
    from numpy.typing import NDArray

    from retrieval.grids import RectilinearGrid
    from retrieval.map_data import MapData

    Float = NDArray[np.floating]
    Bool = NDArray[np.bool_]

WIDTHS = {1: 9.0, 2: 13.0}
"""Width of figures by the number of maps in a row [cm]."""
WIDTH = 18.0
"""For three and more: two columns of a journal [cm]."""
MARGIN = 0.2
"""Round the cells with data [degree]."""
ZOOM_MARGIN = 0.06
"""Round a region, as a share of its sides."""


def figure7(data: MapData) -> Figure:
    """Draw all three parts on one page."""
    n_row = 1 + bool(data.differences) + bool(data.differences and data.regions)
    heights = [8.8, 9.8, 9.0][:n_row]
    figure = new_figure(_width(data), sum(heights) + 0.6)
    parts = np.ravel(figure.subfigures(n_row, 1, height_ratios=heights, squeeze=False))
    for letter, part in zip("abc", parts, strict=False):
        part.text(0.004, 0.985, f"({letter})", fontsize=9, fontweight="bold", va="top")
    draw_columns(parts[0], data)
    if n_row > 1:
        draw_differences(parts[1], data)
    if n_row > 2:
        draw_regions(parts[2], data)
    return _footed(figure, data)


def _width(data: MapData) -> float:
    n_map = max(len(data.products), len(data.differences))
    return WIDTHS.get(n_map, WIDTH)


def columns_figure(data: MapData) -> Figure:
    """Draw part (a): the mean columns on one scale."""
    figure = new_figure(_width(data), 9.2)
    draw_columns(figure, data)
    return _footed(figure, data)


def differences_figure(data: MapData) -> Figure:
    """Draw part (b): relative differences and, below, absolute ones."""
    figure = new_figure(WIDTH, 19.6)
    upper, lower = np.ravel(figure.subfigures(2, 1, height_ratios=[9.8, 9.4], squeeze=False))
    draw_differences(upper, data)
    draw_differences(lower, data, absolute=True)
    return _footed(figure, data)


def regions_figure(data: MapData) -> Figure:
    """Draw part (c): the regions, relative and absolute differences of the last pair."""
    figure = new_figure(WIDTH, 17.6)
    upper, lower = np.ravel(figure.subfigures(2, 1, squeeze=False))
    draw_regions(upper, data)
    draw_regions(lower, data, absolute=True)
    return _footed(figure, data)


def draw_columns(figure: FigureBase, data: MapData) -> list[MapAxes]:
    """Draw the mean column of each product, all on one scale."""
    shown = [np.where(data.mask, data.l3[product], np.nan) for product in data.products]
    area, crs = _map_area(data)
    panels = map_row(figure, [f"{product} a priori" for product in data.products], area, crs=crs)
    scale = column_scale(*shown, label="NO$_2$ tropospheric column")
    images = [
        draw_grid(panel, data.l3.grid, values, scale)
        for panel, values in zip(panels, shown, strict=True)
    ]
    for panel, values in zip(panels, shown, strict=True):
        mean = _mean_column(data, values)
        draw_caption(panel, f"{data.domain}: mean {mean:.2f}")
    draw_scale_bar(panels[0])
    for region in data.regions:
        draw_box(panels[0], region.box, region.name)
    colour_bar(figure, images, panels, scale, location="bottom")
    return panels


def draw_differences(figure: FigureBase, data: MapData, *, absolute: bool = False) -> list[MapAxes]:
    """Draw the differences of all pairs: one scale against TM5, one between the others."""
    area, crs = _map_area(data)
    panels = map_row(figure, [one.title for one in data.differences], area, crs=crs)
    groups = [
        [i for i, one in enumerate(data.differences) if (one.reference == TM5) == is_tm5]
        for is_tm5 in (True, False)
    ]
    for group in (g for g in groups if g):
        _draw_group(
            figure,
            [panels[i] for i in group],
            [data.differences[i] for i in group],
            data.l3.grid,
            absolute=absolute,
        )
    for panel, one in zip(panels, data.differences, strict=True):
        draw_caption(panel, _caption(data.number(data.domain, one), absolute=absolute))
    return panels


def draw_regions(figure: FigureBase, data: MapData, *, absolute: bool = False) -> list[MapAxes]:
    """Draw the difference of the last pair in each region."""
    one = data.differences[-1]
    titles = [region.name for region in data.regions]
    crs = _map_area(data)[1]
    panels = map_row(figure, titles, [_grown(region.box) for region in data.regions], crs=crs)
    inside = np.any([data.areas[region.name] for region in data.regions], axis=0)
    _draw_group(
        figure, panels, [one] * len(panels), data.l3.grid, absolute=absolute, shown_in=inside
    )
    for panel, region in zip(panels, data.regions, strict=True):
        draw_box(panel, region.box)
        draw_scale_bar(panel)
        draw_caption(panel, _caption(data.number(region.name, one), absolute=absolute))
    return panels


def _draw_group(
    figure: FigureBase,
    panels: Sequence[MapAxes],
    differences: Sequence[Difference],
    grid: RectilinearGrid,
    *,
    absolute: bool,
    shown_in: Bool | None = None,
) -> None:
    """Draw differences on one scale, made from the shown cells, with one colour bar."""
    shown = [one.absolute if absolute else one.relative for one in differences]
    used = [one if shown_in is None else one[shown_in] for one in shown]
    scale = _scale(used, differences, absolute=absolute)
    images = [
        draw_grid(panel, grid, values, scale) for panel, values in zip(panels, shown, strict=True)
    ]
    colour_bar(figure, images, panels, scale, location="bottom")


def _scale(
    values: Sequence[Float], differences: Sequence[Difference], *, absolute: bool
) -> ColourScale:
    products = list(dict.fromkeys(one.product for one in differences))
    what = products[0] if len(products) == 1 else "difference"
    reference = differences[0].reference
    if absolute:
        joint = (
            f"{what} \N{MINUS SIGN} {reference}" if len(products) == 1 else f"{what} to {reference}"
        )
        return column_change_scale(*values, label=joint[0].upper() + joint[1:])
    if len(products) == 1:
        return percent_scale(*values, label=f"{what} / {reference} \N{MINUS SIGN} 1")
    return percent_scale(*values, label=f"Relative difference to {reference}")


def _caption(numbers: AreaNumbers | None, *, absolute: bool) -> str:
    """Numbers of an area with their names."""
    if numbers is None:
        return "no cell with enough measurements"
    n = numbers
    if absolute:
        low, high = (_signed(value / 1e15, 2) for value in (n.p5_difference, n.p95_difference))
        return (
            f"mean {_signed(n.mean_difference / 1e15, 3)}\n"
            f"5\N{EN DASH}95 % of cells: {low} to {high}"
        )
    return (
        f"ratio of means {_signed(n.ratio_of_means)} %"
        f"{_interval(n.ratio_of_means_low, n.ratio_of_means_high)}\n"
        f"mean of cells {_signed(n.mean_of_cells)} %"
        f"{_interval(n.mean_of_cells_low, n.mean_of_cells_high)}\n"
        f"median {_signed(n.median)} % (5\N{EN DASH}95 %: {_signed(n.p5)} to {_signed(n.p95)})"
    )


def _signed(value: float, digits: int = 1) -> str:
    """Write a number with its sign, a true minus, and no minus before zero.

    >>> _signed(-1.25), _signed(-0.01), _signed(2.0)
    ('−1.2', '0.0', '+2.0')
    """
    rounded = round(value, digits) + 0.0
    return f"{rounded:{'+' if rounded else ''}.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _interval(low: float, high: float) -> str:
    """Interval of a bootstrap in brackets, nothing where there is none."""
    is_known = np.isfinite(low) and np.isfinite(high)
    return f" ({_signed(low)} to {_signed(high)})" if is_known else ""


def _mean_column(data: MapData, shown: Float) -> float:
    """Mean column of the domain [1e15 molec cm-2], by area."""
    is_used = np.isfinite(shown) & data.areas[data.domain]
    if not is_used.any():
        return float("nan")
    mean = np.average(shown[is_used], weights=cell_areas(data.l3.grid)[is_used])
    return float(mean * MOLEC_CM2_PER_MOL_M2 / 1e15)


def _map_area(data: MapData) -> tuple[BoundingBox, str]:
    """Box of degrees round the cells with data, inside of the domain where they are in it."""
    is_domain = data.domain == DOMAIN.name
    shown = data.mask & data.areas[data.domain]
    if not shown.any():
        return DOMAIN.box, EUROPE_PLANE
    longitude, latitude = (values[shown] for values in centres_in_degrees(data.l3.grid))
    west, east = float(longitude.min()) - MARGIN, float(longitude.max()) + MARGIN
    south, north = float(latitude.min()) - MARGIN, float(latitude.max()) + MARGIN
    if is_domain:
        box = DOMAIN.box
        west, south = max(west, box[0]), max(south, box[1])
        east, north = min(east, box[2]), min(north, box[3])
        return (west, south, east, north), EUROPE_PLANE
    return (west, max(south, -90.0), east, min(north, 90.0)), data.l3.grid.crs


def save(figure: Figure, path: Path, *, dpi: int = 200) -> None:
    """Save a figure without cutting what stands at its edges.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with atomic_output(path, overwrite=True) as temporary:
        figure.savefig(
            temporary, dpi=dpi, format=path.suffix[1:], bbox_inches="tight", pad_inches=0.05
        )


def _grown(box: BoundingBox) -> BoundingBox:
    """Give a box some surroundings, so that its outline shows."""
    west, south, east, north = box
    across, along = ZOOM_MARGIN * ((east - west) % 360.0), ZOOM_MARGIN * (north - south)
    return (west - across, max(south - along, -90.0), east + across, min(north + along, 90.0))


def _footed(figure: Figure, data: MapData) -> Figure:
    """Say at the foot what the maps are made of."""
    l3, rule = data.l3, data.sampling
    days = "day" if l3.n_day == 1 else "days"
    parts = [
        f"{l3.period[0]} to {l3.period[1]}, {l3.n_day} {days} with data",
        f"cells measured on {rule.minimum_days} or more days"
        + (f", covered to {rule.minimum_coverage:.0%}" if rule.minimum_coverage else ""),
        "columns in 10$^{15}$ molec cm$^{-2}$",
    ]
    if l3.is_synthetic:
        parts.append("SYNTHETIC DATA")
    is_narrow = figure.get_figwidth() < 0.35 * WIDTH
    figure.supxlabel((";\n" if is_narrow else "; ").join(parts), fontsize=6.5, color="0.3")
    return figure
