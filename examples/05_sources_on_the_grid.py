"""Land cover and population beside their source, to see that they are brought to the grid rightly.

Run: `python examples/05_sources_on_the_grid.py POPULATION.tif LAND_COVER.tif [FIGURE.png]`, e.g.
with GPWv4 (0.25 degree) and MCD12C1 (IGBP, 0.05 degree). The codes of the land cover here are
IGBP's; the shipped table of inputs has CORINE's. Rasters may be projected: each source is drawn in
its own coordinates.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.colors import ListedColormap, LogNorm

from dacno2_s5p.inputs.grid import COARSE_FACTOR, named_grid
from dacno2_s5p.inputs.regrid import transform_points
from dacno2_s5p.sources.rasters.raster_file import open_raster
from dacno2_s5p.sources.rasters.rasters import area_mean, class_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

# later classes take codes from earlier ones: 12 and 14 are cropland, 13 towns
IGBP = {
    "agricultural": (12, 14),
    "artificial": (13, 13),
    "forest and open land": (1, 10),
    "wetland": (11, 11),
    "water": (0, 0),
}
COLOURS = ListedColormap(["#f0d58c", "#c0392b", "#4c8c4a", "#7f6fb0", "#a9cfe8"])
BOX = (-10.0, 40.0, 10.0, 56.0)
PLACES = (("Paris", 2.35, 48.86), ("London", -0.12, 51.5))


@dataclass(frozen=True)
class Source:
    """The part of a raster in the box, rows from north to south, in its own coordinates."""

    values: NDArray[np.floating]
    extent: tuple[float, float, float, float]
    crs: str

    @property
    def is_geographic(self) -> bool:
        """Tell whether the coordinates are degrees."""
        return self.crs == "EPSG:4326"


def read_source(path: Path) -> Source:
    """Read what a raster holds of the box."""
    with open_raster(path) as raster:
        west, south, east, north = BOX
        along = np.linspace(0.0, 1.0, 50)
        # the sides of the box bend in a projection
        longitude = west + (east - west) * np.array([along, along, 0 * along, 1 + 0 * along])
        latitude = south + (north - south) * np.array([0 * along, 1 + 0 * along, along, along])
        x, y = transform_points(longitude, latitude, "EPSG:4326", raster.crs)
        block = raster.block((x.min(), x.max()), (y.min(), y.max()))
        if block is None:
            raise SystemExit(f"{path} has nothing between {west:g} and {east:g} E")
        rows, columns = block
        edges_x, edges_y = raster.x_edges, raster.y_edges
        extent = (
            *(float(edges_x[i]) for i in (columns.start, columns.stop)),
            *(float(edges_y[i]) for i in (rows.stop, rows.start)),
        )
        return Source(raster.read(rows, columns).astype(float), extent, raster.crs)


def draw_source(ax: Axes, source: Source, values: NDArray[np.floating], **style: Any) -> None:
    """Draw a source in its own coordinates: degrees, or kilometres."""
    scale = 1.0 if source.is_geographic else 1000.0
    extent = [end / scale for end in source.extent]
    ax.imshow(values, extent=extent, aspect=1.5 if source.is_geographic else 1.0, **style)
    units = ("E", "N") if source.is_geographic else ("x [km]", "y [km]")
    ax.set(xlabel=units[0], ylabel=units[1])
    for _, longitude, latitude in PLACES:
        x, y = transform_points(longitude, latitude, "EPSG:4326", source.crs)
        ax.plot(x / scale, y / scale, "c+", ms=10)


def main(population: Path, land_cover: Path, figure: Path) -> None:
    """Draw both sources and both results."""
    grid = named_grid("europe-2km")
    density = area_mean([population], grid.cells(), empty=0.0, least=0.0)
    coarse = grid.cells(COARSE_FACTOR)
    counts = class_counts(land_cover, coarse, list(IGBP.values()))[:-1]
    people, codes = read_source(population), read_source(land_cover)
    kinds = np.full(codes.values.shape, np.nan)
    for i, (first, last) in enumerate(IGBP.values()):
        kinds[(codes.values >= first) & (codes.values <= last)] = i

    drawn, axes = plt.subplots(2, 2, figsize=(10, 11), layout="constrained")
    norm = LogNorm(1, 10_000)
    draw_source(axes[0, 0], people, np.maximum(people.values, 0.1), norm=norm, cmap="magma")
    cells = grid.cells()
    plane = np.array([cells.x_edges[0], cells.x_edges[-1], cells.y_edges[0], cells.y_edges[-1]])
    inside = {"extent": plane / 1000.0, "origin": "lower"}
    image = axes[0, 1].imshow(np.maximum(density, 0.1), norm=norm, cmap="magma", **inside)
    drawn.colorbar(image, ax=axes[0], label="people per km$^2$")
    style = {"cmap": COLOURS, "vmin": -0.5, "vmax": 4.5, "interpolation": "nearest"}
    draw_source(axes[1, 0], codes, kinds, **style)
    image = axes[1, 1].imshow(counts.argmax(axis=0), **inside, **style)
    bar = drawn.colorbar(image, ax=axes[1], ticks=range(5))
    bar.ax.set_yticklabels(list(IGBP))
    titles = (
        f"source: {population.name[:34]}",
        "area means, 2 km, EPSG:3035 [km]",
        f"source: {land_cover.name[:34]}",
        "mode of five classes, 16 km [km]",
    )
    for title, ax in zip(titles, axes.ravel(), strict=True):
        ax.set_title(title, fontsize=9)
    for name, longitude, latitude in PLACES:
        x, y = transform_points(longitude, latitude, "EPSG:4326", grid.crs)
        for ax in axes[:, 1]:
            ax.plot(x / 1000.0, y / 1000.0, "c+", ms=10)
            ax.annotate(name, (x / 1000.0, y / 1000.0), color="c", fontsize=8)
    drawn.savefig(figure, dpi=110)
    print(figure)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    target = Path(sys.argv[3]) if len(sys.argv) > 3 else Path("sources_on_the_grid.png")
    main(Path(sys.argv[1]), Path(sys.argv[2]), target)
