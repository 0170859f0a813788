"""Population and land cover beside their source, to see that they come to the grid rightly.

Run: `python examples/04_sources_on_the_grid.py POPULATION.tif LAND_COVER.tif [FIGURE.png]`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from dacno2_s5p.inputs.grid import COARSE_FACTOR, named_grid
from dacno2_s5p.inputs.regrid import transform_points
from dacno2_s5p.sources.rasters.raster_file import open_raster
from dacno2_s5p.sources.rasters.rasters import area_mean, class_counts
from retrieval.physics.geometry.grids import box_outline

IGBP = {"crops": (12, 14), "towns": (13, 13), "forest": (1, 10), "wet": (11, 11), "water": (0, 0)}
BOX = (-10.0, 40.0, 10.0, 56.0)


def source_block(path: Path) -> tuple[np.ndarray, tuple[float, ...]]:
    """Read the part of a raster in the box and its extent, in the raster's own coordinates."""
    with open_raster(path) as raster:
        x, y = transform_points(*box_outline(BOX), "EPSG:4326", raster.crs)
        block = raster.block((x.min(), x.max()), (y.min(), y.max()))
        rows, columns = block or sys.exit(f"{path} has nothing in {BOX}")
        x, y = raster.x_edges, raster.y_edges
        sides = (x[columns.start], x[columns.stop], y[rows.stop], y[rows.start])
        return raster.read(rows, columns).astype(float), sides


def main(population: Path, land_cover: Path, figure: Path) -> Path:
    """Draw both sources and both results; return the figure."""
    grid = named_grid("europe-2km")
    density = area_mean([population], grid.cells(), empty=0.0, least=0.0)
    counts = class_counts(land_cover, grid.cells(COARSE_FACTOR), list(IGBP.values()))[:-1]
    (people, around), (codes, where) = source_block(population), source_block(land_cover)
    inside = [(codes >= low) & (codes <= high) for low, high in IGBP.values()]
    kinds = np.select(inside[::-1], range(5)[::-1], np.nan)  # later classes take codes of earlier
    drawn, axes = plt.subplots(2, 2, figsize=(10, 11), layout="constrained")
    scale = {"norm": "log", "vmin": 1, "vmax": 10_000, "cmap": "magma"}
    axes[0, 0].imshow(people.clip(0.1), extent=around, aspect="auto", **scale)
    image = axes[0, 1].imshow(density.clip(0.1), origin="lower", **scale)
    drawn.colorbar(image, ax=axes[0], label="people per km$^2$")
    scale = {"cmap": "Set2", "vmin": 0, "vmax": 7, "interpolation": "nearest"}
    axes[1, 0].imshow(kinds, extent=where, aspect="auto", **scale)
    image = axes[1, 1].imshow(counts.argmax(axis=0), origin="lower", **scale)
    drawn.colorbar(image, ax=axes[1], ticks=range(5)).ax.set_yticklabels(list(IGBP))
    drawn.savefig(figure, dpi=110)
    return figure


if __name__ == "__main__":
    print(main(*map(Path, [*sys.argv[1:], "sources_on_the_grid.png"][:3])))
