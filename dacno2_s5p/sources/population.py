"""JRC-GEOSTAT population, persons per 1 km cell (E.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.sources.checks import check_values
from dacno2_s5p.sources.rasters.raster_file import raster_files
from dacno2_s5p.sources.rasters.rasters import area_mean

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import Variable

PATTERNS = ("JRC_1K_POP_*.tif", "*POP*.tif", "*.tif")


def read_population(path: Path, variable: Variable, grid: ModelGrid) -> NDArray[np.float32]:
    """Return population density [km-2], shape (1, n_y, n_x).

    Cells without data (below 0, or the file's own mark) are the sea: nobody lives there.

    Raises
    ------
    DataError
        If the file is absent, damaged, or does not cover the grid.
    """
    files = raster_files(path, PATTERNS, "JRC-GEOSTAT")
    density = area_mean(files[:1], grid.cells(), empty=0.0, least=0.0, per_square_kilometre=True)
    return check_values(density, variable, str(files[0]))[np.newaxis]
