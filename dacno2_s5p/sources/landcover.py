"""CORINE land cover: 44 classes at 100 m to the dominant of five on the grid (E.4)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.sources.rasters.raster_file import raster_files
from dacno2_s5p.sources.rasters.rasters import class_counts

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import Variable

logger = logging.getLogger(__name__)

PATTERNS = ("*CLC2018*.tif", "*[Cc][Ll][Cc]*.tif", "*.tif")

UNCLASSIFIED = (-128, 0, 48, 49, 50, 128, 255)
"""Codes of no data and of what the releases did not classify."""

MOST_BARE = 0.05
"""Share of cells without any class beyond which the raster does not cover the grid: outside of
CORINE's countries lies the open sea, but not more."""


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
    file = raster_files(path, PATTERNS, "CORINE")[0]
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
