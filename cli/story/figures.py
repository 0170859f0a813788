"""The demo's figures: columns, changes, regions, profiles with their kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.registry import open_apriori
from retrieval.l2.names import TM5
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.orbit import Orbit
from retrieval.l3.differences import relative_change
from retrieval.l3.figures import save
from retrieval.maps.axes import draw_box, draw_grid, draw_pixels, draw_scale_bar, new_figure
from retrieval.maps.colours import (
    COLUMN_FACTOR,
    ColourScale,
    column_change_scale,
    column_scale,
    percent_scale,
)
from retrieval.maps.layout import colour_bar, draw_caption, map_row
from retrieval.maps.regions import DOMAIN, REGIONS
from retrieval.maps.style import set_colours
from retrieval.physics.constants import AIR_COLUMN_PER_PASCAL, HPA_TO_PA, MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.footprint import bilinear_weights
from retrieval.physics.geometry.grids import RectilinearGrid

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import FigureBase

    from cli.story.day import Columns
    from retrieval.apriori.base import AprioriSet
    from retrieval.l3.means import L3
    from retrieval.maps.axes import MapAxes
    from retrieval.typing import Float

CITY, SEA = (2.35, 48.86), (3.0, 53.3)
"""Where profiles are drawn: Paris, and the southern North Sea (longitude, latitude)."""
TOP = 150.0
"""Where the drawn profiles end [hPa]."""
SYNTHETIC = "synthetic: twin world"
TITLES = {
    "TM5": "TM5 (operational)",
    "TRUTH8": "true profiles, 8 heights",
    "TRUTH": "true profiles",
}
"""What a product's a priori is, where its name alone may be taken for the true column."""


def _title(product: str) -> str:
    return TITLES.get(product, product)


def draw_columns(columns: Columns, path: Path, date: str) -> Path:
    """Columns of the truth and every product on one scale, and their errors below."""
    names = list(columns.products)
    figure = new_figure(6.2 * (len(names) + 1), 16.0)
    figure.suptitle(f"Tropospheric NO$_2$ column, {date} ({SYNTHETIC})")
    top, bottom = np.ravel(np.asarray(figure.subfigures(2, 1)))
    scale = column_scale(columns.truth[columns.valid])
    panels = map_row(top, ["true column", *(f"with {_title(name)}" for name in names)], DOMAIN.box)
    images = [
        _pixels(panel, columns, values, scale)
        for panel, values in zip(panels, (columns.truth, *columns.products.values()), strict=True)
    ]
    colour_bar(top, images, panels, scale)
    for region in REGIONS:
        draw_box(panels[0], region.box, region.name)
    draw_scale_bar(panels[0])
    errors = {name: values - columns.truth for name, values in columns.products.items()}
    change = column_change_scale(
        *[error[columns.valid] for error in errors.values()], label="retrieved minus true"
    )
    # one place is left free, so that each error is below its column
    first, *below = map_row(
        bottom, ["", *(f"error with {_title(name)}" for name in names)], DOMAIN.box
    )
    first.axes.set_visible(False)
    images = [
        _pixels(panel, columns, error, change)
        for panel, error in zip(below, errors.values(), strict=True)
    ]
    colour_bar(bottom, images, below, change)
    figure.savefig(path, dpi=130)
    return path


def draw_changes(l3: L3, pairs: list[tuple[str, str]], path: Path, date: str) -> Path:
    """Relative differences of gridded columns, pair by pair, as the paper's Fig. 7 (b)."""
    changes = [relative_change(l3[product], l3[reference]) for product, reference in pairs]
    figure = new_figure(7.4 * len(pairs), 9.5)
    figure.suptitle(f"Relative difference of the column at 0.1 degree, {date} ({SYNTHETIC})")
    titles = [f"({product} - {reference}) / {reference}" for product, reference in pairs]
    scale = percent_scale(*changes)
    panels = map_row(figure, titles, DOMAIN.box)
    images = []
    for panel, change in zip(panels, changes, strict=True):
        images.append(draw_grid(panel, l3.grid, change, scale))
        shown = change[np.isfinite(change)]
        if shown.size:
            p5, p50, p95 = np.percentile(shown, [5, 50, 95])
            draw_caption(panel, f"median {p50:+.1f} %, 5-95 % {p5:+.1f} to {p95:+.1f} %")
    colour_bar(figure, images, panels, scale)
    figure.savefig(path, dpi=130)
    return path


def draw_regions(columns: Columns, path: Path, date: str) -> Path:
    """Zooms of the regions for the truth and every product."""
    fields = {"true column": columns.truth}
    fields |= {f"with {_title(name)}": values for name, values in columns.products.items()}
    figure = new_figure(5.2 * len(fields), 6.8 * len(REGIONS))
    figure.suptitle(f"Regions, {date} ({SYNTHETIC})")
    rows: list[FigureBase] = list(np.ravel(np.asarray(figure.subfigures(len(REGIONS), 1))))
    for row, region in zip(rows, REGIONS, strict=True):
        west, south, east, north = region.box
        inside = columns.valid & (columns.latitude >= south) & (columns.latitude <= north)
        inside &= (columns.longitude >= west) & (columns.longitude <= east)
        row.suptitle(region.name, fontsize=9)
        scale = column_scale(columns.truth[inside])
        panels = map_row(row, list(fields), region.box)
        images = [
            _pixels(panel, columns, values, scale)
            for panel, values in zip(panels, fields.values(), strict=True)
        ]
        for panel, values in zip(panels, fields.values(), strict=True):
            if inside.any():
                mean = float(values[inside].mean() * COLUMN_FACTOR)
                draw_caption(panel, f"mean {mean:.2f} $\\times$ 10$^{{15}}$, n = {inside.sum()}")
        colour_bar(row, images, panels, scale)
    save(figure, path, dpi=130)  # with a margin: captions stand at the edge
    return path


def draw_profiles(columns: Columns, ctm: Path, path: Path, date: str) -> Path:
    """A-priori profiles with the kernel's sensitivity over a city and over the sea.

    The operational profile is that of the AUX_CTMANA file, collocated as the processor does.
    """
    figure = new_figure(24.0, 12.5)
    figure.suptitle(f"A-priori profiles and box air mass factors, {date} ({SYNTHETIC})")
    axes = figure.subplots(1, 2)
    with open_orbit(columns.path) as orbit, open_apriori(ctm, orbit.time) as model:
        for axis, place, name in zip(axes, (CITY, SEA), ("Paris", "the North Sea"), strict=True):
            handles = _profiles(axis, orbit, columns, place, model)
            axis.set_title(f"a pixel over {name}")
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(path, dpi=130)
    return path


def _profiles(
    axis: Axes, orbit: Orbit, columns: Columns, place: tuple[float, float], model: AprioriSet
) -> list[Artist]:
    row, column = _nearest_valid(columns, place)
    crop = orbit.full
    index = (row, column)
    time = orbit.scanline_times(crop)[row]
    colours = set_colours(columns.products, "TRUTH")
    surface = orbit.read("surface_pressure", crop)[index]
    edges = orbit.pressure_edges(np.asarray(surface, dtype=np.float64)) / 100.0
    is_shown = edges[:-1] > TOP
    least = np.inf
    for name in columns.products:
        if name == TM5:
            density = _operational(model, columns, index, time) * AIR_COLUMN_PER_PASCAL * HPA_TO_PA
        else:
            partial = orbit.read(f"apriori_partial_column_{name}", crop)[index]
            density = partial / (edges[:-1] - edges[1:])
        density = density * MOLEC_CM2_PER_MOL_M2 / 1e13
        least = min(least, float(np.nanmin(density[is_shown])))
        axis.stairs(density[::-1], edges[::-1], label=_title(name),
                    orientation="horizontal", baseline=None, linewidth=1.6,
                    color=colours[name])  # fmt: skip
    total = orbit.read("air_mass_factor_total", crop)[index]
    weights = orbit.read_kernel(crop)[index] * total
    middle = 0.5 * (edges[1:] + edges[:-1])
    axis.set_xscale("log")
    axis.xaxis.set_minor_formatter("")
    axis.set(
        xlabel="a-priori NO$_2$ per pressure (10$^{13}$ molec cm$^{-2}$ hPa$^{-1}$)",
        ylabel="pressure (hPa)",
        xlim=(0.7 * least, None),
        ylim=(edges[0], TOP),
    )
    twin = axis.twiny()
    twin.plot(weights, middle, "k:", linewidth=1.4, label="box air mass factor")
    twin.set_xlabel("box air mass factor (1)")
    twin.set_xlim(left=0.0)
    return [*axis.get_legend_handles_labels()[0], *twin.get_legend_handles_labels()[0]]


def _operational(
    model: AprioriSet, columns: Columns, index: tuple[int, int], time: np.datetime64
) -> Float:
    """Mole fractions [mol mol-1] of the operational model's layers at a pixel."""
    i_time = int(np.argmin(np.abs(model.times - time)))
    field = np.asarray(model.read(i_time, slice(None), slice(None)), dtype=np.float64)
    assert isinstance(model.grid, RectilinearGrid)  # AUX_CTMANA is on longitude and latitude
    weights = bilinear_weights(
        columns.latitude[index][None], columns.longitude[index][None], model.grid
    )
    corners: Float = field.reshape(field.shape[0], -1)[:, weights.cell[0]]
    profile: Float = corners @ weights.weight[0]
    return profile


def _nearest_valid(columns: Columns, place: tuple[float, float]) -> tuple[int, int]:
    longitude, latitude = place
    distance = (columns.latitude - latitude) ** 2
    distance = distance + ((columns.longitude - longitude) * np.cos(np.deg2rad(latitude))) ** 2
    distance = np.where(columns.valid, distance, np.inf)
    row, column = np.unravel_index(int(np.argmin(distance)), distance.shape)
    return int(row), int(column)


def _pixels(panel: MapAxes, columns: Columns, values: Float, scale: ColourScale) -> PolyCollection:
    shown = np.where(columns.valid, values, np.nan)
    return draw_pixels(panel, columns.latitude_bounds, columns.longitude_bounds, shown, scale)
