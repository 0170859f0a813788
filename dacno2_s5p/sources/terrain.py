"""MERIT terrain height, tiles of 5 degrees (E.4)."""

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

LOWEST = -500.0
"""Lower values are no data [m]; the shore of the Dead Sea lies at -430 m."""


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
