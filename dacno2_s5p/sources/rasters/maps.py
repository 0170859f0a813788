"""The five static rasters as rows of the table of inputs (docs/formats.md 5.4).

GRIP4 road density (ESRI ASCII grids of 5 minutes), JRC-GEOSTAT population (persons per 1 km cell),
VIIRS night-time light (annual composites of 15 seconds), MERIT terrain height (tiles of 5
degrees), and CORINE land cover (44 classes at 100 m, to the dominant of five).

Of several years in a folder the one asked for is used, else the nearest; tiles are put together.
"""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.sources.checks import check_values
from dacno2_s5p.sources.rasters.choose import (
    Product,
    chosen_tiles,
    numbers_mark,
    unmarked,
    year_mark,
)
from dacno2_s5p.sources.rasters.rasters import area_mean, class_counts
from dacno2_s5p.sources.rasters.sea_tiles import sea_tiles
from retrieval.files.candidates import listed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import Variable
    from retrieval.files.candidates import Choices, Mark

logger = logging.getLogger(__name__)

RADIANCES = ("average_masked", "average", "avg_rade9h", "avg_rade9", "median_masked", "median")
"""Statistics of VIIRS composites that are radiance, the preferred first: without fires and aurora,
means before medians, in which ships and flares vanish."""

_STATISTIC = re.compile(rf"(?<![a-z])({'|'.join(RADIANCES)})(?![a-z0-9_])", re.IGNORECASE)
_OTHER_STATISTIC = re.compile(
    r"(?<![a-z])(cf_?cvg|cvg|coverage|count|lit_?mask|maximum|minimum|max|min|stdev|std)(?![a-z])",
    re.IGNORECASE,
)
"""Words of VIIRS names that are no radiance: numbers of views, masks, extremes."""

CONFIGURATIONS = ("vcmslcfg", "vcmcfg")
"""With stray light corrected, which in summer lies north of 50N, before those without it."""


def _night_light_marks(name: str, year: int | None) -> tuple[Mark, ...] | None:
    statistic, configuration = _STATISTIC.search(name), re.search(r"vcm\w*?cfg", name)
    if statistic is None and _OTHER_STATISTIC.search(name):
        return None
    return (
        listed("statistic", statistic[1].lower() if statistic else "", RADIANCES),
        year_mark(name, r"_npp_(\d{4})", year),
        numbers_mark("version", name, r"VNL_v(\d)(\d?)"),
        listed("stray light", configuration[0] if configuration else "", CONFIGURATIONS),
        numbers_mark("created", name, r"_c(\d{12})"),
    )


def _population_marks(name: str, year: int | None) -> tuple[Mark, ...]:
    return (
        year_mark(name, r"POP_(\d{4})", year),
        numbers_mark("version", name, r"_V(\d+)[_-](\d+)"),
    )


def _land_cover_marks(name: str, year: int | None) -> tuple[Mark, ...]:
    return (
        year_mark(name, r"(?i)CLC(\d{4})", year),
        numbers_mark("version", name, r"(?i)_V(\d{4})_(\d+)u(\d+)"),
    )


POPULATION = Product(
    "JRC-GEOSTAT",
    ("JRC_1K_POP_*.tif", "*POP*.tif", "*.tif"),
    "persons of each cell",
    _population_marks,
)
NIGHT_LIGHT = Product(
    "VIIRS",
    ("VNL_*.tif*", "SVDNB_*.tif*", "*.tif*"),
    f"radiance ({', '.join(RADIANCES)})",
    _night_light_marks,
)
TERRAIN = Product(
    "MERIT DEM",
    ("[ns]*_dem.tif", "Copernicus_DSM_*_DEM.tif", "*.tif"),
    "terrain heights",
    unmarked,
)
LAND_COVER = Product(
    "CORINE", ("*CLC2018*.tif", "*[Cc][Ll][Cc]*.tif", "*.tif"), "grid codes", _land_cover_marks
)

TOTAL_ROADS = "total"
"""Road type of GRIP4 that is the sum of the others."""

LOWEST = -500.0
"""Lower values are no data [m]; the shore of the Dead Sea lies at -430 m."""

UNCLASSIFIED = (-128, 0, 48, 49, 50, 128, 255)
"""Codes of no data and of what the releases did not classify."""

MOST_BARE = 0.05
"""Share of cells without any class beyond which the raster does not cover the grid: outside of
CORINE's countries lies the open sea, but not more."""


def read_roads(
    path: Path,
    variable: Variable,
    grid: ModelGrid,
    *,
    year: int | None = None,
    choices: Choices | None = None,
) -> NDArray[np.float32]:
    """Return road density [m km-2], shape (1, n_y, n_x); the sea, without data, has none.

    The row's `source_variables` are road types (`total`, `tp1` .. `tp5`), summed.

    Raises
    ------
    ConfigurationError
        If a road would count twice.
    DataError
        If a file is absent, damaged, or does not cover the grid.
    """
    kinds = variable.source_variables
    if len(kinds) > 1 and (TOTAL_ROADS in kinds or path.is_file() or len(set(kinds)) < len(kinds)):
        msg = (
            f"Invalid input {variable.name}. Road types are summed: each from a file of its own, "
            f"and {TOTAL_ROADS}, which is their sum, alone. Given {', '.join(kinds)} in {path}. "
            "Correct the row, or give the folder."
        )
        raise ConfigurationError(msg)
    total = np.zeros(grid.shape)
    for kind in kinds:
        names = (f"grip4_{kind}_dens_m_km2.asc*",)
        product = Product(f"GRIP4 {kind}", names, "road densities", unmarked)
        read = partial(area_mean, grid=grid.cells(), empty=0.0, least=0.0)
        files = chosen_tiles(path, product, grid.cells(), read, year=year, choices=choices)
        total += read(files)
    return check_values(total, variable, str(path))[np.newaxis]


def read_population(
    path: Path,
    variable: Variable,
    grid: ModelGrid,
    *,
    year: int | None = None,
    choices: Choices | None = None,
) -> NDArray[np.float32]:
    """Return population density [km-2], shape (1, n_y, n_x).

    Cells without data (below 0, or the file's own mark) are the sea: nobody lives there.

    Raises
    ------
    DataError
        If the file is absent, damaged, or does not cover the grid.
    """
    read = partial(area_mean, grid=grid.cells(), empty=0.0, least=0.0, per_square_kilometre=True)
    files = chosen_tiles(path, POPULATION, grid.cells(), read, year=year, choices=choices)
    return check_values(read(files), variable, _named(files))[np.newaxis]


def read_night_light(
    path: Path,
    variable: Variable,
    grid: ModelGrid,
    *,
    year: int | None = None,
    choices: Choices | None = None,
) -> NDArray[np.float32]:
    """Return night light [nW cm-2 sr-1], shape (1, n_y, n_x).

    Masked cells are dark; the small negatives of unmasked composites are noise round zero, and
    count as dark.

    Raises
    ------
    DataError
        If the file is absent, damaged, or does not cover the grid.
    """
    read = partial(area_mean, grid=grid.cells(), empty=0.0, least=0.0)
    files = chosen_tiles(path, NIGHT_LIGHT, grid.cells(), read, year=year, choices=choices)
    return check_values(read(files), variable, _named(files))[np.newaxis]


def read_terrain(
    path: Path,
    variable: Variable,
    grid: ModelGrid,
    *,
    year: int | None = None,
    choices: Choices | None = None,
) -> NDArray[np.float32]:
    """Return terrain height [m], shape (1, n_y, n_x); the sea, without data, lies at 0.

    All tiles under the grid must be there: an absent one is an error, not the sea; but of GLO-90,
    which has none of the open sea, where no land lies in its degree.

    Raises
    ------
    DataError
        If tiles are absent or damaged.
    """
    cells = grid.cells()
    read = partial(area_mean, grid=cells, empty=0.0, least=LOWEST)
    files = chosen_tiles(path, TERRAIN, cells, read, year=year, choices=choices)
    heights = read(files, zero=sea_tiles(files, cells, choices))
    return check_values(heights, variable, str(path))[np.newaxis]


def read_land_cover(
    path: Path,
    variable: Variable,
    grid: ModelGrid,
    *,
    year: int | None = None,
    choices: Choices | None = None,
    most_bare: float = MOST_BARE,
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
    classes = list(variable.classes.values())
    read = partial(class_counts, grid=grid.cells(), classes=classes, unclassified=UNCLASSIFIED)
    files = chosen_tiles(path, LAND_COVER, grid.cells(), read, year=year, choices=choices)
    file, counts = _named(files), read(files)[:-1]
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


def _named(files: Sequence[Path]) -> str:
    return f"{files[0]}" + (f" and {len(files) - 1} more" if len(files) > 1 else "")
