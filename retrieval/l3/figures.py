"""Maps of columns, of their changes, and of regions: the three parts of the paper's Fig. 7.

(a) mean columns with each a priori on one scale; (b) relative differences, with absolute ones
below; (c) the regions, relative and absolute, for the two finest sets. Numbers stand below each map
with their names, because the paper's averages can be read in three ways (docs/equations.md 7.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.files.atomic import atomic_output
from retrieval.l2.columns import column_title
from retrieval.l2.names import TM5
from retrieval.l3.differences import AreaNumbers, Difference
from retrieval.maps.axes import MapAxes, draw_box, draw_grid, draw_scale_bar, new_figure
from retrieval.maps.colours import (
    ColourScale,
    column_change_scale,
    column_scale,
    percent_scale,
)
from retrieval.maps.layout import colour_bar, draw_caption, map_row, n_rows
from retrieval.maps.regions import DOMAIN
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.grids import (
    EUROPE_PLANE,
    BoundingBox,
    cell_areas,
    centres_in_degrees,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure, FigureBase
    from numpy.typing import NDArray

    from retrieval.l3.figure_data import MapData
    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.typing import Float

    Bool = NDArray[np.bool_]

WIDTHS = {1: 9.0, 2: 13.0}
"""Width of figures by the number of maps in a row [cm]."""
WIDTH = 18.0
"""For three and more: two columns of a journal [cm]."""
N_COLUMN = 3
"""Maps in a row; with more, their captions would touch."""
ROW = 8.2
"""Height of a further row of maps [cm]."""
COLUMNS_HEIGHT, DIFFERENCES_HEIGHT, ABSOLUTE_HEIGHT, REGIONS_HEIGHT = 8.8, 9.8, 9.4, 9.4
"""Height of one row with its colour bar and captions, by what it shows [cm]."""
MARGIN = 0.2
"""Round the cells with data [degree]."""
ZOOM_MARGIN = 0.06
"""Round a region, as a share of its sides."""


def figure7(data: MapData) -> Figure:
    """Draw all three parts on one page."""
    heights = [_columns_height(data)]
    if data.differences:
        heights.append(_differences_height(data))
    if data.differences and data.regions:
        heights.append(_regions_height(data))
    figure = new_figure(_width(data), sum(heights) + 0.6)
    parts = np.ravel(
        np.asarray(figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False))
    )
    for letter, part in zip("abc", parts, strict=False):
        part.text(0.004, 0.985, f"({letter})", fontsize=9, fontweight="bold", va="top")
    draw_columns(parts[0], data)
    if len(heights) > 1:
        draw_differences(parts[1], data)
    if len(heights) > 2:
        draw_regions(parts[2], data)
    return _footed(figure, data)


def _width(data: MapData) -> float:
    n_map = max(len(data.products), len(data.differences))
    return WIDTHS.get(n_map, WIDTH)


def _further_rows(n_map: int) -> float:
    """Height of all rows of maps but the first [cm]."""
    return ROW * (n_rows(n_map, N_COLUMN) - 1)


def _columns_height(data: MapData) -> float:
    return COLUMNS_HEIGHT + _further_rows(len(data.products))


def _differences_height(data: MapData, one_row: float = DIFFERENCES_HEIGHT) -> float:
    return sum(one_row + _further_rows(len(group)) for group in _parts(data))


def _regions_height(data: MapData) -> float:
    return REGIONS_HEIGHT + _further_rows(len(data.regions))


def columns_figure(data: MapData) -> Figure:
    """Draw part (a): the mean columns on one scale."""
    figure = new_figure(_width(data), _columns_height(data) + 0.4)
    draw_columns(figure, data)
    return _footed(figure, data)


def differences_figure(data: MapData) -> Figure:
    """Draw part (b): relative differences and, below, absolute ones."""
    heights = [_differences_height(data), _differences_height(data, ABSOLUTE_HEIGHT)]
    figure = new_figure(WIDTH, sum(heights) + 0.4)
    upper, lower = np.ravel(
        np.asarray(figure.subfigures(2, 1, height_ratios=heights, squeeze=False))
    )
    draw_differences(upper, data)
    draw_differences(lower, data, absolute=True)
    return _footed(figure, data)


def regions_figure(data: MapData) -> Figure:
    """Draw part (c): the regions, relative and absolute differences of the last pair."""
    figure = new_figure(WIDTH, 2 * _regions_height(data))
    upper, lower = np.ravel(np.asarray(figure.subfigures(2, 1, squeeze=False)))
    draw_regions(upper, data)
    draw_regions(lower, data, absolute=True)
    return _footed(figure, data)


def draw_columns(figure: FigureBase, data: MapData) -> list[MapAxes]:
    """Draw the mean column of each product, all on one scale."""
    shown = [np.where(data.mask, data.l3[product], np.nan) for product in data.products]
    area, crs = _map_area(data)
    titles = [column_title(product) for product in data.products]
    columns = min(len(titles), N_COLUMN)
    panels = map_row(figure, titles, area, crs=crs, n_column=columns)
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
    """Draw the differences of all pairs: one scale against TM5, one between the others.

    Up to three pairs stand in one row, as in the paper; of more, each scale has rows of its own.
    """
    area, crs = _map_area(data)
    parts = _parts(data)
    one_row = ABSOLUTE_HEIGHT if absolute else DIFFERENCES_HEIGHT
    ratios = [one_row + _further_rows(len(part)) for part in parts]
    places: list[FigureBase] = [figure]
    if len(parts) > 1:
        places = list(np.ravel(np.asarray(figure.subfigures(len(parts), 1, height_ratios=ratios))))
    drawn: list[MapAxes] = []
    for place, shown in zip(places, parts, strict=True):
        columns = N_COLUMN if len(data.differences) > N_COLUMN else len(shown)
        titles = [one.title for one in shown]
        panels = map_row(place, titles, area, crs=crs, n_column=columns)
        for group in _by_reference(shown):
            _draw_group(
                place,
                [panels[i] for i in group],
                [shown[i] for i in group],
                data.l3.grid,
                absolute=absolute,
            )
        for panel, one in zip(panels, shown, strict=True):
            draw_caption(panel, _caption(data.number(data.domain, one), absolute=absolute))
        drawn += panels
    return drawn


def _parts(data: MapData) -> list[list[Difference]]:
    """Pairs that stand in rows together."""
    pairs = list(data.differences)
    if len(pairs) <= N_COLUMN:
        return [pairs]
    return [[pairs[i] for i in group] for group in _by_reference(pairs)]


def _by_reference(pairs: Sequence[Difference]) -> list[list[int]]:
    """Positions of the pairs against TM5, and of the others; they have scales of their own."""
    groups = [
        [i for i, one in enumerate(pairs) if (one.reference == TM5) == is_tm5]
        for is_tm5 in (True, False)
    ]
    return [group for group in groups if group]


def draw_regions(figure: FigureBase, data: MapData, *, absolute: bool = False) -> list[MapAxes]:
    """Draw the difference of the last pair in each region, numbers of both kinds below."""
    one = data.differences[-1]
    titles = [region.name for region in data.regions]
    crs = _map_area(data)[1]
    boxes = [_grown(region.box) for region in data.regions]
    panels = map_row(figure, titles, boxes, crs=crs, n_column=min(len(titles), N_COLUMN))
    inside = np.any([data.areas[region.name] for region in data.regions], axis=0)
    _draw_group(
        figure, panels, [one] * len(panels), data.l3.grid, absolute=absolute, shown_in=inside
    )
    for panel, region in zip(panels, data.regions, strict=True):
        draw_box(panel, region.box)
        draw_scale_bar(panel)
        numbers = data.number(region.name, one)
        text = _caption(numbers, absolute=absolute)
        if numbers is not None and not absolute:
            text += "\n" + _absolute_line(numbers)
        draw_caption(panel, text)
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
    pairs = {(one.product, one.reference) for one in differences}
    references = {one.reference for one in differences}
    to = f" to {differences[0].reference}" if len(references) == 1 else ""
    first = differences[0]
    if absolute:
        one = f"{first.product} \N{MINUS SIGN} {first.reference}"
        return column_change_scale(*values, label=one if len(pairs) == 1 else f"Difference{to}")
    one = f"{first.product} / {first.reference} \N{MINUS SIGN} 1"
    return percent_scale(*values, label=one if len(pairs) == 1 else f"Relative difference{to}")


def _caption(numbers: AreaNumbers | None, *, absolute: bool) -> str:
    """Numbers of an area with their names."""
    if numbers is None:
        return "no cell with enough measurements"
    n = numbers
    if absolute:
        low, high = _absolute_range(n)
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


def _absolute_range(numbers: AreaNumbers) -> tuple[str, str]:
    """5th and 95th percentile of the absolute differences [1e15 molec cm-2]."""
    low, high = numbers.p5_difference, numbers.p95_difference
    return _signed(low / 1e15, 2), _signed(high / 1e15, 2)


def _absolute_line(numbers: AreaNumbers) -> str:
    """Absolute difference in a line, for the small numbers of clean regions.

    docs/equations.md 7.3.
    """
    low, high = _absolute_range(numbers)
    mean = _signed(numbers.mean_difference / 1e15, 3)
    return f"absolute {mean} (5\N{EN DASH}95 %: {low} to {high})"


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
