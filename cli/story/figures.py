"""The demo's figures: columns, changes, regions, profiles with their kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

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
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import FigureBase

    from cli.story.day import Columns
    from retrieval.l3.means import L3
    from retrieval.maps.axes import MapAxes
    from retrieval.typing import Float

CITY, SEA = (2.35, 48.86), (3.0, 53.3)
"""Where profiles are drawn: Paris, and the southern North Sea (longitude, latitude)."""
SYNTHETIC = "synthetic: twin world"


def draw_columns(columns: Columns, path: Path, date: str) -> Path:
    """Columns of the truth and every product on one scale, and their errors below."""
    names = list(columns.products)
    figure = new_figure(6.2 * (len(names) + 1), 17.5)
    figure.suptitle(f"Tropospheric NO$_2$ column, {date} ({SYNTHETIC})")
    top, bottom = np.ravel(np.asarray(figure.subfigures(2, 1)))
    scale = column_scale(columns.truth[columns.valid])
    panels = map_row(top, ["truth", *names], DOMAIN.box)
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
    below = map_row(bottom, [f"{name} minus truth" for name in names], DOMAIN.box)
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
    fields = {"truth": columns.truth, **columns.products}
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


def draw_profiles(columns: Columns, path: Path, date: str) -> Path:
    """A-priori profiles with the kernel's sensitivity over a city and over the sea."""
    sets = [name for name in columns.products if name != TM5]
    figure = new_figure(24.0, 10.5)
    figure.suptitle(f"A-priori profiles and box air mass factors, {date} ({SYNTHETIC})")
    axes = figure.subplots(1, 2)
    with open_orbit(columns.path) as orbit:
        for axis, (place, name) in zip(
            axes, ((CITY, "a pixel over Paris"), (SEA, "a pixel over the North Sea")), strict=True
        ):
            _profiles(axis, orbit, columns, place, sets)
            axis.set_title(name)
    figure.savefig(path, dpi=130)
    return path


def _profiles(
    axis: Axes, orbit: Orbit, columns: Columns, place: tuple[float, float], sets: list[str]
) -> None:
    row, column = _nearest_valid(columns, place)
    crop = orbit.full
    index = (row, column)
    surface = orbit.read("surface_pressure", crop)[index]
    edges = orbit.pressure_edges(np.asarray(surface, dtype=np.float64)) / 100.0
    for i, name in enumerate(sets):
        partial = orbit.read(f"apriori_partial_column_{name}", crop)[index]
        density = partial / (edges[:-1] - edges[1:]) * MOLEC_CM2_PER_MOL_M2 / 1e13
        axis.stairs(density[::-1], edges[::-1], orientation="horizontal", label=name,
                    baseline=None, color=f"C{i}", linewidth=1.6)  # fmt: skip
    total = orbit.read("air_mass_factor_total", crop)[index]
    weights = orbit.read_kernel(crop)[index] * total
    middle = 0.5 * (edges[1:] + edges[:-1])
    axis.set_xscale("log")
    axis.xaxis.set_minor_formatter("")
    axis.set(
        xlabel="a-priori NO$_2$ per pressure (10$^{13}$ molec cm$^{-2}$ hPa$^{-1}$)",
        ylabel="pressure (hPa)",
        ylim=(edges[0], 150.0),
    )
    twin = axis.twiny()
    twin.plot(weights, middle, "k:", linewidth=1.4, label="box air mass factor")
    twin.set_xlabel("box air mass factor (1)")
    twin.set_xlim(left=0.0)
    handles, labels = axis.get_legend_handles_labels()
    more, further = twin.get_legend_handles_labels()
    axis.legend(handles + more, labels + further, fontsize=8, loc="upper right")


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
