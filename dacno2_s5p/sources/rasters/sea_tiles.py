"""Tiles of the Copernicus DEM that are not there because no land lies in them.

GLO-90 has no tiles of the open sea (Copernicus DEM Product Handbook, v4.0, section 1.2): where one
is absent and the 1 km land mask knows no land there, the terrain is the sea's, at height 0.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.inputs.regrid import corners_in
from retrieval.files.candidates import PassedOver
from retrieval.maps.land import is_land
from retrieval.physics.geometry.grids import GEOGRAPHIC, RectilinearGrid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from retrieval.files.candidates import Choices

logger = logging.getLogger(__name__)

_NAME = re.compile(r"Copernicus_DSM_(?:COG_)?30_([NS])(\d{2})_00_([EW])(\d{3})_00_DEM", re.I)

ROW = 3.0 / 3600.0
"""Height of a cell [degree]. Centres, not edges, lie on the degrees: tiles reach half a cell
farther north and west than their degree."""

COLUMNS = ((50, 1.0), (60, 1.5), (70, 2.0), (75, 3.0), (80, 5.0), (85, 6.0), (90, 10.0))
"""Width of a cell in heights, up to a latitude [degree] (Product Handbook, table 2)."""

SAMPLES = 120
"""Points along a side by which a degree is searched for land: those of the mask."""


def sea_tiles(
    files: Sequence[Path], grid: RectilinearGrid, choices: Choices | None = None
) -> list[RectilinearGrid]:
    """Return the degrees under a grid that have no tile and no land, each a grid of one cell.

    Parameters
    ----------
    files : sequence of Path
        Tiles that are there; those of another product have tiles at sea, too: nothing is returned.
    grid : RectilinearGrid
    choices : Choices, optional
        Where it is kept.
    """
    there = {corner for file in files if (corner := _corner(file.name)) is not None}
    if len(there) < len(files) or not files:
        return []
    longitude, latitude = (
        np.floor(np.asarray(c)).astype(int) for c in corners_in(grid, GEOGRAPHIC)
    )
    wanted = set(zip(latitude.ravel().tolist(), longitude.ravel().tolist(), strict=True))
    at_sea = sorted(corner for corner in wanted - there if not _has_land(*corner))
    if at_sea:
        names = ", ".join(_name(*corner) for corner in at_sea)
        logger.info("GLO-90 has no tiles of the open sea: %s lie at height 0", names)
        if choices is not None:
            why = "no land lies in them, and the product has none of the open sea"
            passed = PassedOver(f"tiles of GLO-90: {names}", why)
            choices.keep("terrain at sea", "height 0", [passed], tell=False)
    return [_cell(*corner) for corner in at_sea]


def _corner(name: str) -> tuple[int, int] | None:
    """Return latitude and longitude of the south-western corner that a name says.

    Examples
    --------
    >>> _corner("Copernicus_DSM_COG_30_N48_00_W005_00_DEM.tif"), _corner("n45e000_dem.tif")
    ((48, -5), None)
    """
    found = _NAME.search(name)
    if found is None:
        return None
    south, west = found[1].upper() == "S", found[3].upper() == "W"
    return int(found[2]) * (-1 if south else 1), int(found[4]) * (-1 if west else 1)


def _name(latitude: int, longitude: int) -> str:
    return f"{'SN'[latitude >= 0]}{abs(latitude):02d}{'WE'[longitude >= 0]}{abs(longitude):03d}"


def _has_land(latitude: int, longitude: int) -> bool:
    points = (np.arange(SAMPLES) + 0.5) / SAMPLES
    y, x = np.meshgrid(latitude + points, longitude + points, indexing="ij")
    return bool(is_land(y, x).any())


def _cell(latitude: int, longitude: int) -> RectilinearGrid:
    farthest = max(abs(latitude), abs(latitude + 1))
    width = next(width for end, width in COLUMNS if farthest <= end)
    x, y = longitude - 0.5 * width * ROW, latitude + 0.5 * ROW
    return RectilinearGrid(np.array([x, x + 1.0]), np.array([y, y + 1.0]), GEOGRAPHIC)
