"""The five static rasters as rows of the table of inputs (docs/formats.md 5.4).

GRIP4 road density (ESRI ASCII grids of 5 minutes), JRC-GEOSTAT population (persons per 1 km cell),
VIIRS night-time light (annual composites of 15 seconds), MERIT terrain height (tiles of 5
degrees), and CORINE land cover (44 classes at 100 m, to the dominant of five).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.sources.checks import check_values
from dacno2_s5p.sources.rasters.raster_file import raster_files
from dacno2_s5p.sources.rasters.rasters import area_mean, class_counts

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import Variable

logger = logging.getLogger(__name__)

POPULATION_PATTERNS = ("JRC_1K_POP_*.tif", "*POP*.tif", "*.tif")

NIGHT_LIGHT_PATTERNS = ("VNL_*average_masked*.tif*", "VNL_*average*.tif*", "VNL_*.tif*", "*.tif")
"""Masked averages (no fires, no aurora) first."""

LOWEST = -500.0
"""Lower values are no data [m]; the shore of the Dead Sea lies at -430 m."""

LAND_COVER_PATTERNS = ("*CLC2018*.tif", "*[Cc][Ll][Cc]*.tif", "*.tif")

UNCLASSIFIED = (-128, 0, 48, 49, 50, 128, 255)
"""Codes of no data and of what the releases did not classify."""

MOST_BARE = 0.05
"""Share of cells without any class beyond which the raster does not cover the grid: outside of
CORINE's countries lies the open sea, but not more."""


def read_roads(path: Path, variable: Variable, grid: ModelGrid) -> NDArray[np.float32]:
    """Return road density [m km-2], shape (1, n_y, n_x); the sea, without data, has none.

    The row's `source_variables` are road types (`total`, `tp1` .. `tp5`), summed.

    Raises
    ------
    DataError
        If a file is absent, damaged, or does not cover the grid.
    """
    total = np.zeros(grid.shape)
    for kind in variable.source_variables:
        files = raster_files(path, (f"grip4_{kind}_dens_m_km2.asc*",), "GRIP4")
        total += area_mean(files, grid.cells(), empty=0.0, least=0.0)
    return check_values(total, variable, str(path))[np.newaxis]


def read_population(path: Path, variable: Variable, grid: ModelGrid) -> NDArray[np.float32]:
    """Return population density [km-2], shape (1, n_y, n_x).

    Cells without data (below 0, or the file's own mark) are the sea: nobody lives there.

    Raises
    ------
    DataError
        If the file is absent, damaged, or does not cover the grid.
    """
    files = raster_files(path, POPULATION_PATTERNS, "JRC-GEOSTAT")
    density = area_mean(files[:1], grid.cells(), empty=0.0, least=0.0, per_square_kilometre=True)
    return check_values(density, variable, str(files[0]))[np.newaxis]


def read_night_light(path: Path, variable: Variable, grid: ModelGrid) -> NDArray[np.float32]:
    """Return night light [nW cm-2 sr-1], shape (1, n_y, n_x).

    Masked cells are dark; the small negatives of unmasked composites are noise round zero, and
    count as dark.

    Raises
    ------
    DataError
        If the file is absent, damaged, or does not cover the grid.
    """
    files = raster_files(path, NIGHT_LIGHT_PATTERNS, "VIIRS")
    light = area_mean(files[:1], grid.cells(), empty=0.0, least=0.0)
    return check_values(light, variable, str(files[0]))[np.newaxis]


def read_terrain(path: Path, variable: Variable, grid: ModelGrid) -> NDArray[np.float32]:
    """Return terrain height [m], shape (1, n_y, n_x); the sea, without data, lies at 0.

    All tiles under the grid must be there: an absent one is an error, not the sea.

    Raises
    ------
    DataError
        If tiles are absent or damaged.
    """
    files = raster_files(path, ("[ns]*_dem.tif", "*.tif"), "MERIT DEM")
    height = area_mean(files, grid.cells(), empty=0.0, least=LOWEST)
    return check_values(height, variable, str(path))[np.newaxis]


def read_land_cover(
    path: Path, variable: Variable, grid: ModelGrid, *, most_bare: float = MOST_BARE
) -> NDArray[np.float32]:
    """Return one map of 0 and 1 for each class, shape (n_class, n_y, n_x).

    The dominant class of a cell is the mode of its codes; of equal counts the first of the table
    wins. Cells without any class get the last one, which must be water.

    Raises
    ------
    ConfigurationError
        If the row has no classes.
    DataError
        If the file is absent, damaged, or does not cover the grid.
    """
    if not variable.classes:
        msg = (
            f"Invalid input {variable.name}. Land cover needs classes. Given none. Add classes "
            "and transform one_hot to its row."
        )
        raise ConfigurationError(msg)
    file = raster_files(path, LAND_COVER_PATTERNS, "CORINE")[0]
    classes = list(variable.classes.values())
    counts = class_counts(file, grid.cells(), classes, UNCLASSIFIED)[:-1]
    bare = counts.sum(axis=0) == 0
    if bare.mean() > most_bare:
        msg = (
            f"Invalid raster {file}. It must cover the grid. Given no class in "
            f"{100.0 * bare.mean():.1f} % of its cells. Use the complete CORINE raster (codes "
            "1 to 44)."
        )
        raise DataError(msg)
    if bare.any():
        logger.info("%s: %d cells without a class count as the last, water", file, bare.sum())
    dominant = np.where(bare, len(counts) - 1, counts.argmax(axis=0))
    is_class = dominant == np.arange(len(counts))[:, None, None]
    return np.asarray(is_class, dtype=np.float32)
