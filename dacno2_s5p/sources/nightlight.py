"""VIIRS night-time light, annual composites of 15 seconds (E.4)."""

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

PATTERNS = ("VNL_*average_masked*.tif*", "VNL_*average*.tif*", "VNL_*.tif*", "*.tif")
"""Masked averages (no fires, no aurora) first."""


def read_night_light(path: Path, variable: Variable, grid: ModelGrid) -> NDArray[np.float32]:
    """Return night light [nW cm-2 sr-1], shape (1, n_y, n_x).

    Masked cells are dark; the small negatives of unmasked composites are noise round zero, and
    count as dark.

    Raises
    ------
    DataError
        If the file is absent, damaged, or does not cover the grid.
    """
    files = raster_files(path, PATTERNS, "VIIRS")
    light = area_mean(files[:1], grid.cells(), empty=0.0, least=0.0)
    return check_values(light, variable, str(files[0]))[np.newaxis]
