"""CAMS-GLOB-ANT emission inventories by sector (docs/formats.md 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.air.calendar import SECTORS
from dacno2_s5p.twin.land.binning import Binning
from dacno2_s5p.twin.land.world import BOX
from dacno2_s5p.twin.writers.variables import attributes, dimensions, new_netcdf, put
from retrieval.physics.geometry.grids import RectilinearGrid

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from dacno2_s5p.twin.twin import Twin

MOLAR_MASS_NO = 0.030006
"""The inventory counts NOx as NO [kg mol-1]."""

NAMES = {
    "tro": "road transportation",
    "tnr": "non-road transportation",
    "shp": "ships",
    "ene": "power generation",
    "ind": "industrial processes",
    "ref": "refineries",
    "res": "residential and other",
    "ags": "agricultural soils",
    "swd": "solid waste and waste water",
}
"""What the sectors are."""


GLOBE = (-180.0, -90.0, 180.0, 90.0)


def inventory_grid(box: tuple[float, float, float, float] = BOX) -> RectilinearGrid:
    """Build the inventory's 0.1 degree cells of a box.

    Examples
    --------
    >>> inventory_grid().shape, inventory_grid(GLOBE).shape
    ((160, 200), (1800, 3600))
    """
    west, south, east, north = box
    x = np.arange(round(west * 10), round(east * 10) + 1) / 10
    y = np.arange(round(south * 10), round(north * 10) + 1) / 10
    return RectilinearGrid(x, y)


def write_inventory(
    twin: Twin, folder: Path, year: int, *, full: bool = False, overwrite: bool = False
) -> Path:
    """Write a year of monthly NOx emissions by sector [kg m-2 s-1], as NO.

    Parameters
    ----------
    twin : Twin
        The world.
    folder : Path
        Where the file goes.
    year : int
        Year; the inventory of 2020 and 2021 knows nothing of 2020's dip.
    full : bool
        The globe (zero outside the frame) instead of the box.
    overwrite : bool
        Replace an existing file.
    """
    grid = inventory_grid(GLOBE if full else twin.geography.frame.box)
    binning = Binning(grid, twin.geography.frame)
    months = np.array([np.datetime64(f"{year}-{m:02d}-01", "D") for m in range(1, 13)])
    start = np.datetime64("1850-01-01", "D")
    path = folder / f"CAMS-GLOB-ANT_Glb_0.1x0.1_anthro_nox_v5.3_monthly_{year}.nc"
    with new_netcdf(path, overwrite) as dataset:
        dataset.setncatts(attributes(twin, "CAMS-GLOB-ANT-like anthropogenic NOx emissions"))
        dimensions(dataset, time=12, lat=grid.shape[0], lon=grid.shape[1])
        days = ((months - start) / np.timedelta64(1, "D")).astype("f8")
        put(dataset, "time", ("time",), days, units="days since 1850-01-01 00:00:00")
        put(dataset, "lat", ("lat",), grid.y, units="degrees_north")
        put(dataset, "lon", ("lon",), grid.x, units="degrees_east")
        total = np.zeros((12, *grid.shape), np.float32)
        for sector in SECTORS:
            field = _monthly(twin, binning, sector, year)
            total += field
            _put(dataset, sector, field, NAMES[sector])
        _put(dataset, "sum", total, "sum of all sectors")
    return path


def _monthly(twin: Twin, binning: Binning, sector: str, year: int) -> NDArray[np.float32]:
    """Twelve months of a sector; months differ by a factor only, so one map is binned."""
    annual = twin.inventory.annual(sector)
    flux = binning.density(annual) * MOLAR_MASS_NO
    factors = [twin.inventory.month_factor(sector, year, month) for month in range(1, 13)]
    return (np.array(factors)[:, None, None] * flux).astype(np.float32)


def _put(dataset: netCDF4.Dataset, name: str, values: NDArray[np.float32], meaning: str) -> None:
    put(
        dataset,
        name,
        ("time", "lat", "lon"),
        values,
        compress=True,
        units="kg m-2 s-1",
        long_name=f"NOx emissions from {meaning}, as NO",
        molecular_weight=30.006,
    )
