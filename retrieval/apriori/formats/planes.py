"""Two-dimensional latitudes and longitudes of a field, and grids on a rotated pole.

CF 5.2: a field names them in `coordinates`, or they are the only ones on its two last dimensions.
Corners are those of their `bounds`, else midway between centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import AprioriError
from retrieval.physics.geometry.curvilinear import CurvilinearGrid
from retrieval.physics.geometry.grids import edges_midway

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

    Float = NDArray[np.float64]

_ROLES = {
    "latitude": ("latitude", ("degrees_north", "degree_north", "degrees_n"), ("lat", "nav_lat")),
    "longitude": ("longitude", ("degrees_east", "degree_east", "degrees_e"), ("lon", "nav_lon")),
}
"""Standard name, units and names that tell either."""

_NAMES = {"latitude": ("xlat", "tlat", "gridlat"), "longitude": ("xlong", "tlon", "gridlon")}
"""Further names of models whose coordinates lack attributes."""


@dataclass(frozen=True)
class Plane:
    """Where the two-dimensional coordinates of a field are.

    Attributes
    ----------
    latitude, longitude : str
        The variables.
    dimensions : (str, str)
        Of y and x, in the order of the variables.
    """

    latitude: str
    longitude: str
    dimensions: tuple[str, str]


def find_plane(dataset: netCDF4.Dataset, variable: str) -> Plane | None:
    """Return the two-dimensional coordinates of a variable, None where it has none."""
    own = dataset.variables[variable].dimensions
    named = str(getattr(dataset.variables[variable], "coordinates", "")).split()
    found: dict[str, str] = {}
    for role in _ROLES:
        candidates = [
            n
            for n, v in dataset.variables.items()
            if v.ndim == 2 and set(v.dimensions) <= set(own) and _is(role, n, v)
        ]
        best = [n for n in candidates if n in named] or candidates
        if len(best) == 1:
            found[role] = best[0]
    if len(found) < 2:
        return None
    dimensions = dataset.variables[found["latitude"]].dimensions
    if dimensions != dataset.variables[found["longitude"]].dimensions:
        return None
    return Plane(found["latitude"], found["longitude"], (dimensions[0], dimensions[1]))


def _is(role: str, name: str, variable: Any) -> bool:
    standard_name, units, names = _ROLES[role]
    said = str(getattr(variable, "standard_name", ""))
    if said:
        return said == standard_name
    if str(getattr(variable, "units", "")).lower() in units:
        return True
    return name.lower() in (standard_name, *names, *_NAMES[role])


def read_plane(dataset: netCDF4.Dataset, plane: Plane, where: str) -> CurvilinearGrid:
    """Build the grid of two-dimensional coordinates.

    Raises
    ------
    AprioriError
        If they are no degrees, or make no cells.
    """
    latitude, longitude = (_read(dataset, n) for n in (plane.latitude, plane.longitude))
    corners = [_bounds(dataset, n, latitude.shape) for n in (plane.latitude, plane.longitude)]
    for values in (latitude, longitude, *(c for c in corners if c is not None)):
        if not np.isfinite(values).any():
            msg = (
                f"Invalid coordinates {plane.latitude}, {plane.longitude} of {where}. They must be "
                "degrees. Given none that is not missing. The file is damaged."
            )
            raise AprioriError(msg)
    if np.nanmax(np.abs(latitude)) > 90.0 + 1e-6 or np.nanmax(np.abs(longitude)) > 540.0:
        msg = (
            f"Invalid coordinates {plane.latitude}, {plane.longitude} of {where}. They must be "
            f"degrees. Given {np.nanmin(latitude):.6g} to {np.nanmax(latitude):.6g} and "
            f"{np.nanmin(longitude):.6g} to {np.nanmax(longitude):.6g}. Correct the file."
        )
        raise AprioriError(msg)
    if corners[0] is not None and corners[1] is not None:
        return CurvilinearGrid(longitude, latitude, corners[1], corners[0])
    return CurvilinearGrid.from_centres(longitude, latitude)


def _read(dataset: netCDF4.Dataset, name: str) -> Float:
    variable = dataset.variables[name]
    values = np.asarray(variable[...], dtype=np.float64)
    for mark in ("_FillValue", "missing_value"):
        if mark in variable.ncattrs():
            values[values == float(np.ravel(variable.getncattr(mark))[0])] = np.nan
    values[np.abs(values) > 1e30] = np.nan
    return values


def _bounds(dataset: netCDF4.Dataset, name: str, shape: tuple[int, ...]) -> Float | None:
    bounds = str(getattr(dataset.variables[name], "bounds", ""))
    if bounds not in dataset.variables:
        return None
    values = _read(dataset, bounds)
    return values if values.shape == (*shape, 4) else None


def rotated_grid(
    mapping: Any, x: NDArray[np.floating], y: NDArray[np.floating], where: str
) -> CurvilinearGrid:
    """Build the grid of axes on a rotated pole: each cell by its true corners.

    Parameters
    ----------
    mapping : netCDF4.Variable
        The grid mapping, with `grid_north_pole_latitude` and `_longitude` (CF appendix F).
    x, y : ndarray
        Ascending axes on the rotated pole [degree].

    Raises
    ------
    AprioriError
        If the mapping lacks the pole.
    """
    names = ("grid_north_pole_latitude", "grid_north_pole_longitude")
    missing = [n for n in names if n not in mapping.ncattrs()]
    if missing:
        msg = (
            f"Invalid grid mapping of {where}. A rotated pole must say where it is. Given no "
            f"{', '.join(missing)}. Add two-dimensional latitudes and longitudes to the file."
        )
        raise AprioriError(msg)
    pole = [float(mapping.getncattr(n)) for n in names]
    turn = float(getattr(mapping, "north_pole_grid_longitude", 0.0))
    mesh_x, mesh_y = np.meshgrid(x, y)
    latitude, longitude = unrotate(mesh_x, mesh_y, pole[0], pole[1], turn)
    edge_x, edge_y = np.meshgrid(edges_midway(x), edges_midway(y))
    corners = unrotate(edge_x, edge_y, pole[0], pole[1], turn)
    meshes = [np.stack([m[:-1, :-1], m[:-1, 1:], m[1:, 1:], m[1:, :-1]], axis=-1) for m in corners]
    return CurvilinearGrid(longitude, latitude, meshes[1], meshes[0])


def unrotate(
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    pole_latitude: float,
    pole_longitude: float,
    turn: float = 0.0,
) -> tuple[Float, Float]:
    """Return true latitude and longitude [degree] of points on a rotated pole.

    Parameters
    ----------
    x, y : ndarray
        Longitude and latitude on the rotated pole [degree].
    pole_latitude, pole_longitude : float
        Where the rotated north pole lies [degree].
    turn : float
        Longitude of the true pole on the rotated grid [degree].

    Examples
    --------
    The origin of the European grids with their pole at 39.25 N, 162 W lies at 50.75 N, 18 E.

    >>> latitude, longitude = unrotate(np.array(0.0), np.array(0.0), 39.25, -162.0)
    >>> round(float(latitude), 6), round(float(longitude), 6)
    (50.75, 18.0)
    """
    lon, lat, pole = np.deg2rad(np.asarray(x) - turn), np.deg2rad(y), np.deg2rad(pole_latitude)
    sine = np.sin(lat) * np.sin(pole) + np.cos(lat) * np.cos(lon) * np.cos(pole)
    east = np.cos(lat) * np.sin(lon)
    north = np.cos(lat) * np.cos(lon) * np.sin(pole) - np.sin(lat) * np.cos(pole)
    longitude = np.rad2deg(np.arctan2(east, north)) + pole_longitude + 180.0
    return np.rad2deg(np.arcsin(np.clip(sine, -1.0, 1.0))), (longitude + 180.0) % 360.0 - 180.0
