"""A grid as CF coordinates of a netCDF file, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import ProductError
from retrieval.physics.geometry.grids import RectilinearGrid, centres_in_degrees

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

GRID_MAPPING = "crs"
CRS_NAME = "crs_name"
"""Attribute with the name of the plane as pyproj and `RectilinearGrid` take it."""


def axis_names(grid: RectilinearGrid) -> tuple[str, str]:
    """Names of the dimensions (rows, columns) of a grid."""
    return ("latitude", "longitude") if grid.is_geographic else ("y", "x")


def write_grid(file: netCDF4.Dataset, grid: RectilinearGrid) -> None:
    """Write dimensions, coordinates with bounds, and the grid mapping of a grid."""
    file.createDimension("bnds", 2)
    for name, edges in zip(axis_names(grid), (grid.y_edges, grid.x_edges), strict=True):
        file.createDimension(name, edges.size - 1)
        axis = file.createVariable(name, "f8", (name,), fill_value=False)
        axis.setncatts(_axis_attributes(name))
        axis.bounds = f"{name}_bnds"
        axis[:] = 0.5 * (edges[:-1] + edges[1:])
        bounds = file.createVariable(f"{name}_bnds", "f8", (name, "bnds"), fill_value=False)
        bounds[:] = np.stack([edges[:-1], edges[1:]], axis=1)
    _write_mapping(file, grid)
    if not grid.is_geographic:
        _write_degrees(file, grid)


def read_grid(file: netCDF4.Dataset, path: Path) -> RectilinearGrid:
    """Read the grid of a file that `write_grid` wrote.

    Raises
    ------
    ProductError
        If the file has no such grid.
    """
    try:
        crs = str(getattr(file.variables[GRID_MAPPING], CRS_NAME))
        is_projected = "x_bnds" in file.variables
        names = ("y", "x") if is_projected else ("latitude", "longitude")
        y_edges, x_edges = (_edges(file.variables[f"{name}_bnds"]) for name in names)
    except (KeyError, AttributeError, IndexError) as error:
        msg = (
            f"Invalid file {path.name}. It must be a gridded file of this package. "
            f"Given a file without {error}. Make one with the command grid."
        )
        raise ProductError(msg) from error
    return RectilinearGrid(x_edges, y_edges, crs)


def data_attributes(grid: RectilinearGrid) -> dict[str, str]:
    """Attributes that tie a data variable to the grid."""
    found = {"grid_mapping": GRID_MAPPING}
    return found if grid.is_geographic else found | {"coordinates": "latitude longitude"}


def _edges(bounds: Any) -> NDArray[np.float64]:
    values = np.ma.filled(np.ma.asarray(bounds[:], dtype=np.float64), np.nan)
    return np.append(values[:, 0], values[-1, 1])


def _axis_attributes(name: str) -> dict[str, str]:
    if name in ("latitude", "longitude"):
        unit, axis = {"latitude": ("degrees_north", "Y"), "longitude": ("degrees_east", "X")}[name]
        return {"units": unit, "standard_name": name, "long_name": name, "axis": axis}
    return {
        "units": "m",
        "standard_name": f"projection_{name}_coordinate",
        "long_name": f"{name} coordinate of projection",
        "axis": name.upper(),
    }


def _write_mapping(file: netCDF4.Dataset, grid: RectilinearGrid) -> None:
    import pyproj  # a fifth of a second, needed by writers only

    described = pyproj.CRS.from_user_input(grid.crs).to_cf()
    mapping = file.createVariable(GRID_MAPPING, "i4", ())
    mapping.setncatts({key: value for key, value in described.items() if value not in (None, "")})
    mapping.setncattr(CRS_NAME, grid.crs)


def _write_degrees(file: netCDF4.Dataset, grid: RectilinearGrid) -> None:
    longitude, latitude = centres_in_degrees(grid)
    for name, values in (("latitude", latitude), ("longitude", longitude)):
        variable = file.createVariable(
            name, "f4", axis_names(grid), zlib=True, complevel=1, shuffle=True, fill_value=False
        )
        attributes = _axis_attributes(name)
        attributes.pop("axis")
        variable.setncatts(attributes | {"long_name": f"{name} of cell centre"})
        variable[:] = values
