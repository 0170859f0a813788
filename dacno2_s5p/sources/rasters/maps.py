"""GRIP4 road density, ESRI ASCII grids of 5 minutes (E.4)."""

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
