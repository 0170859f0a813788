"""Land cover and population beside their source, to see that they are brought to the grid rightly.

Run: `python examples/05_sources_on_the_grid.py POPULATION.tif LAND_COVER.tif [FIGURE.png]`, e.g.
with GPWv4 (0.25 degree) and MCD12C1 (IGBP, 0.05 degree). The codes of the land cover here are
IGBP's; the shipped table of inputs has CORINE's.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

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


def source_block(path: Path) -> tuple[NDArray[np.floating], tuple[float, float, float, float]]:
    """Read the part of a raster in the box, rows from north to south, and its extent."""
    with open_raster(path) as raster:
        rows, columns = raster.block((BOX[0], BOX[2]), (BOX[1], BOX[3])) or (slice(0), slice(0))
        x, y = raster.x_edges, raster.y_edges
        extent = (x[columns.start], x[columns.stop], y[rows.stop], y[rows.start])
        return raster.read(rows, columns).astype(float), extent


def main(population: Path, land_cover: Path, figure: Path) -> None:
    """Draw both sources and both results."""
    grid = named_grid("europe-2km")
    density = area_mean([population], grid.cells(), empty=0.0, least=0.0)
    coarse = grid.cells(COARSE_FACTOR)
    counts = class_counts(land_cover, coarse, list(IGBP.values()))[:-1]
    people, people_extent = source_block(population)
    codes, codes_extent = source_block(land_cover)
    kinds = np.full(codes.shape, np.nan)
    for i, (first, last) in enumerate(IGBP.values()):
        kinds[(codes >= first) & (codes <= last)] = i

    drawn, axes = plt.subplots(2, 2, figsize=(10, 11), layout="constrained")
    norm = LogNorm(1, 10_000)
    shown = np.maximum(people, 0.1)
    axes[0, 0].imshow(shown, extent=people_extent, norm=norm, cmap="magma", aspect=1.5)
    cells = grid.cells()
    plane = np.array([cells.x_edges[0], cells.x_edges[-1], cells.y_edges[0], cells.y_edges[-1]])
    inside = {"extent": plane / 1000.0, "origin": "lower"}
    image = axes[0, 1].imshow(np.maximum(density, 0.1), norm=norm, cmap="magma", **inside)
    drawn.colorbar(image, ax=axes[0], label="people per km$^2$")
    style = {"cmap": COLOURS, "vmin": -0.5, "vmax": 4.5, "interpolation": "nearest"}
    axes[1, 0].imshow(kinds, extent=codes_extent, aspect=1.5, **style)
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
    for ax in axes[:, 0]:
        ax.set(xlim=(BOX[0], BOX[2]), ylim=(BOX[1], BOX[3]), xlabel="E", ylabel="N")
    for name, longitude, latitude in (("Paris", 2.35, 48.86), ("London", -0.12, 51.5)):
        x, y = transform_points(longitude, latitude, "EPSG:4326", grid.crs)
        for ax in axes[:, 0]:
            ax.plot(longitude, latitude, "c+", ms=10)
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
