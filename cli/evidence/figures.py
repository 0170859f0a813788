"""Figures of the season: changes by mode beside the paper's, errors against the truth, maps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cli.evidence.gridding import TRUE
from cli.evidence.retrieve import label, parts_of
from cli.evidence.tables import AREAS, NAMES, PAPER, sets_of
from retrieval.files.atomic import atomic_output
from retrieval.l2.names import TM5
from retrieval.l3.figure_data import map_data
from retrieval.l3.figures import draw_differences, save
from retrieval.maps.axes import new_figure
from retrieval.maps.regions import REGIONS
from retrieval.substitution.options import Above

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cli.evidence.numbers import Found
    from retrieval.l3.differences import AreaNumbers
    from retrieval.l3.figure_data import MapData
    from retrieval.l3.means import L3

STYLE = {
    Above.NONE: ("#b2182b", "s", "none: nothing above 5 km"),
    Above.CONSTANT_VMR: ("#969696", "D", "constant-vmr: 30 ppt for all"),
    Above.UPPER: ("#2166ac", "o", "upper: TM5 above 5 km"),
}
"""Colour, marker and legend of each mode; ordered in lightness for grey print."""
DPI = 150
MAP_DPI, N_COLOUR = 100, 160
"""Maps of the season stay below 300 kB."""


def draw_changes(found: Found, path: Path) -> Path:
    """Draw the mean change against TM5 by set and mode, beside the paper's two numbers."""
    figure = _dots(found, AREAS, TM5, "Change of the mean column against TM5 [%]")
    axes = figure.axes[0]
    names = sets_of(found)
    for name, value in PAPER.items():
        if name.upper() in names:
            row = names.index(name.upper())
            axes.plot([value, value], [row - 0.4, row + 0.4], color="0.15", lw=1.4, zorder=1)
            # beside the lower end: the marks there are far to the left
            axes.annotate(
                f"paper {value:+.1f}",
                (value - 1.0, row + 0.3),
                fontsize=6.5,
                ha="right",
                va="center",
            )
    save(figure, path, dpi=DPI)
    return path


def draw_errors(found: Found, path: Path) -> Path:
    """Draw retrieved minus true mean columns by set, mode and area."""
    areas = (*AREAS, *(region.name for region in REGIONS))
    shown = [area for area in areas if found.number(area, TM5, TRUE)]
    save(
        _dots(found, shown, TRUE, "Mean column against the truth [%]", is_error=True), path, dpi=DPI
    )
    return path


def _dots(
    found: Found, areas: Sequence[str], reference: str, title: str, *, is_error: bool = False
) -> Figure:
    """Draw sets in rows, areas in panels, modes as marks with their intervals."""
    names = [TM5, *sets_of(found)] if is_error else sets_of(found)
    n_column = 3
    n_row = -(-len(areas) // n_column)
    figure = new_figure(18.0, n_row * (1.6 + 0.75 * len(names)) + 1.6)
    panels = np.ravel(figure.subplots(n_row, n_column, sharey=True, squeeze=False))
    for panel in panels[len(areas) :]:
        panel.remove()
    for panel, area in zip(panels, areas, strict=False):
        for row, name in enumerate(names):
            _draw_row(panel, found, area, name, row, reference)
        _finish(panel, area, names)
    handles = [
        panels[0].plot([], [], color=colour, marker=marker, ls="", ms=4.5, label=text)[0]
        for mode, (colour, marker, text) in STYLE.items()
        if mode in found.modes
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7, frameon=False)
    figure.suptitle(f"{title}; twin world (synthetic), {found.l3.n_day} days", fontsize=9)
    return figure


def _draw_row(axes: Axes, found: Found, area: str, name: str, row: int, reference: str) -> None:
    if name == TM5:
        _draw_mark(axes, found.number(area, TM5, reference), row, "0.15", "^")
        return
    modes = [mode for mode in STYLE if mode in found.modes]
    for i, mode in enumerate(modes):
        colour, marker, _ = STYLE[mode]
        offset = 0.22 * (i - (len(modes) - 1) / 2)
        _draw_mark(
            axes, found.number(area, label(name, mode), reference), row + offset, colour, marker
        )


def _draw_mark(
    axes: Axes, one: AreaNumbers | None, height: float, colour: str, marker: str
) -> None:
    if one is None:
        return
    low, high = one.ratio_of_means_low, one.ratio_of_means_high
    if np.isfinite(low):
        axes.plot([low, high], [height, height], color=colour, lw=1.2)
    axes.plot(one.ratio_of_means, height, color=colour, marker=marker, ms=4.5, ls="")


def _finish(axes: Axes, area: str, names: Sequence[str]) -> None:
    axes.axvline(0.0, color="0.6", lw=0.8, zorder=0)
    axes.set_title(area, fontsize=8)
    axes.set_yticks(range(len(names)), [NAMES[name] for name in names], fontsize=7)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="x", labelsize=7)
    axes.grid(axis="x", color="0.92", lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)


def draw_maps(
    found: Found, modes: Sequence[Above], pairs: Sequence[tuple[str, str]], path: Path
) -> Path:
    """Draw the relative differences of pairs, a row for each mode."""
    chosen = [pair for pair in pairs if all(name in (TM5, *found.sets) for name in pair)]
    figure = new_figure(18.0, 10.2 * len(modes))
    rows = np.ravel(figure.subfigures(len(modes), 1, squeeze=False))
    for row, mode in zip(rows, modes, strict=True):
        row.suptitle(f"{STYLE[mode][2]}; twin world (synthetic), {found.l3.n_day} days", fontsize=9)
        draw_differences(row, _with_known_numbers(found, mode, chosen))
    save(figure, path, dpi=MAP_DPI)
    _reduce_colours(path)
    return path


def _with_known_numbers(found: Found, mode: Above, pairs: Sequence[tuple[str, str]]) -> MapData:
    """Make the maps of a mode, with the numbers and intervals that are known already."""
    data = map_data(in_mode(found.l3, mode), pairs=pairs, sampling=found.sampling)
    numbers = []
    for one in data.numbers:
        pair = [name if name == TM5 else label(name, mode) for name in (one.product, one.reference)]
        known = found.number(one.area, *pair)
        numbers.append(
            one if known is None else replace(known, product=one.product, reference=one.reference)
        )
    return replace(data, numbers=tuple(numbers))


def _reduce_colours(path: Path) -> None:
    """Write a picture with a palette: maps of noisy cells are a third of the size."""
    from PIL import Image

    with Image.open(path) as picture:
        reduced = picture.convert("RGB").quantize(N_COLOUR)
    with atomic_output(path, overwrite=True) as temporary:
        reduced.save(temporary, format="PNG", optimize=True)


def in_mode(l3: L3, mode: Above) -> L3:
    """Keep the columns of one mode, named by their sets, with TM5 and the truth."""
    kept = [
        (i, parts_of(text)[0])
        for i, text in enumerate(l3.products)
        if parts_of(text)[1] in ("", str(mode))
    ]
    index = [i for i, _ in kept]
    return replace(l3, products=tuple(name for _, name in kept), mean=l3.mean[index], units={})
