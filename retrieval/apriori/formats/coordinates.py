"""Which dimension of a variable is time, level, y and x, and what horizontal grid they make.

Told by attributes first (axis, standard name, units), by names last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.formats.axes import Axis, longitude_axis, monotonic_axis
from retrieval.apriori.formats.planes import read_plane, rotated_grid
from retrieval.errors import AprioriError
from retrieval.physics.geometry.grids import GEOGRAPHIC, RectilinearGrid

if TYPE_CHECKING:
    from collections.abc import Mapping

    import netCDF4
    from numpy.typing import NDArray

    from retrieval.apriori.formats.planes import Plane
    from retrieval.physics.geometry.curvilinear import Grid

_BY_STANDARD_NAME = {
    "time": "time",
    "latitude": "y",
    "grid_latitude": "y",
    "projection_y_coordinate": "y",
    "longitude": "x",
    "grid_longitude": "x",
    "projection_x_coordinate": "x",
    "height": "level",
    "altitude": "level",
    "air_pressure": "level",
    "atmosphere_hybrid_sigma_pressure_coordinate": "level",
    "atmosphere_sigma_coordinate": "level",
    "model_level_number": "level",
    "forecast_period": "period",
    "forecast_reference_time": "reference",
}
_BY_AXIS = {"T": "time", "Z": "level", "Y": "y", "X": "x"}
_BY_UNIT = (
    (re.compile(r"^degrees?_?(north|n)$", re.I), "y"),
    (re.compile(r"^degrees?_?(east|e)$", re.I), "x"),
    (re.compile(r"\bsince\b", re.I), "time"),
    (re.compile(r"^(h?pa|millibars?|mbar|hectopascals?)$", re.I), "level"),
)
_BY_NAME = {
    "x": ("longitude", "lon", "x", "nav_lon", "easting"),
    "y": ("latitude", "lat", "y", "nav_lat", "northing"),
    "time": ("time", "valid_time", "t"),
    "period": ("forecast_period", "step", "leadtime"),
    "reference": ("forecast_reference_time", "reftime"),
    "merge": ("expver",),
    "level": (
        *(
            "level",
            "lev",
            "levels",
            "height",
            "heights",
            "altitude",
            "alt",
            "z",
            "layer",
            "lay",
            "plev",
        ),
        *("pressure_level", "isobaricinhpa", "pressure", "model_level", "hybrid", "bottom_top"),
    ),
}
_EPSG_AT_END = re.compile(r'(?:ID|AUTHORITY)\["EPSG",\s*"?(\d+)"?\]\s*\]\s*$')


def text_attribute(variable: Any, name: str) -> str:
    """Return an attribute as stripped text, empty where absent."""
    return str(getattr(variable, name, "")).strip()


def role_of(dataset: netCDF4.Dataset, dimension: str) -> str | None:
    """Return what a dimension is: x, y, level, time, period, reference, merge, or None."""
    lowered = dimension.lower()
    by_name = next((role for role, names in _BY_NAME.items() if lowered in names), None)
    if by_name in ("period", "reference", "merge") or dimension not in dataset.variables:
        return by_name
    variable = dataset.variables[dimension]
    standard_name = text_attribute(variable, "standard_name")
    if standard_name in _BY_STANDARD_NAME:
        return _BY_STANDARD_NAME[standard_name]
    units = text_attribute(variable, "units")
    by_unit = next((role for pattern, role in _BY_UNIT if pattern.search(units)), None)
    return _BY_AXIS.get(text_attribute(variable, "axis"), by_unit or by_name)


def roles(
    dataset: netCDF4.Dataset, dimensions: tuple[str, ...], given: Mapping[str, str]
) -> dict[str, str]:
    """Return the role of each dimension that has one; `given` maps roles to names and wins."""
    by_user = {name: role for role, name in given.items()}
    found: dict[str, str] = {}
    for dimension in dimensions:
        role = by_user.get(dimension) or role_of(dataset, dimension)
        if role is not None and role not in found.values():
            found[dimension] = role
    return found


@dataclass(frozen=True)
class Horizontal:
    """The horizontal axes of a variable and the grid they make."""

    x: Axis
    y: Axis
    grid: Grid = field(repr=False)


def horizontal(
    dataset: netCDF4.Dataset,
    variable: str,
    x_name: str,
    y_name: str,
    crs: str,
    where: str,
    *,
    plane: Plane | None = None,
) -> Horizontal:
    """Read the two horizontal coordinates of a variable and build the grid.

    Parameters
    ----------
    x_name, y_name : str
        Dimensions with coordinate variables of the same name.
    crs : str
        CRS given by the user, empty to read the grid mapping of the file.
    plane : Plane, optional
        Two-dimensional latitudes and longitudes beside, used where the dimensions have no
        coordinates that say where they are.

    Raises
    ------
    AprioriError
        If a coordinate is missing, not rectilinear, or outside the Earth.
    """
    if plane is not None and not crs and not _are_axes(dataset, variable, x_name, y_name):
        grid = read_plane(dataset, plane, where)
        n_y, n_x = grid.shape
        x, y = Axis(np.arange(float(n_x)), n_x), Axis(np.arange(float(n_y)), n_y)
        return Horizontal(x, y, grid)
    for name in (x_name, y_name):
        if name not in dataset.variables:
            msg = (
                f"Invalid grid of {where}. Dimensions must have coordinate variables of their "
                f"name, or the field latitudes and longitudes in two dimensions. Given none for "
                f"{name!r}. Name them in its attribute coordinates (CF 5.2), or as longitude and "
                "latitude in a TOML beside the file."
            )
            raise AprioriError(msg)
    mapping = _rotated_mapping(dataset, variable)
    if mapping is not None and not crs:
        x = monotonic_axis(dataset.variables[x_name][:], f"{x_name} of {where}")
        y = monotonic_axis(dataset.variables[y_name][:], f"{y_name} of {where}")
        return Horizontal(x, y, rotated_grid(mapping, x.values, y.values, where))
    x_variable, y_variable = dataset.variables[x_name], dataset.variables[y_name]
    name_of_crs = crs or crs_of(dataset, variable, where)
    if not name_of_crs and text_attribute(x_variable, "units").lower() in ("m", "km", "metre"):
        msg = (
            f"Invalid grid of {where}. Projected coordinates need a grid mapping. Given none. "
            "Give crs = 'EPSG:...' in a TOML beside the file."
        )
        raise AprioriError(msg)
    if not name_of_crs and text_attribute(y_variable, "standard_name") == "grid_latitude":
        raise AprioriError(rotated_message(where))
    if name_of_crs in ("", GEOGRAPHIC):
        _check_degrees(x_variable[:], y_variable[:], where)
        x = longitude_axis(x_variable[:], f"{x_name} of {where}")
        y = monotonic_axis(y_variable[:], f"{y_name} of {where}")
        return Horizontal(x, y, RectilinearGrid.from_centres(x.values, y.values))
    x = _in_metres(x_variable, f"{x_name} of {where}")
    y = _in_metres(y_variable, f"{y_name} of {where}")
    return Horizontal(x, y, RectilinearGrid.from_centres(x.values, y.values, name_of_crs))


def _rotated_mapping(dataset: netCDF4.Dataset, variable: str) -> Any | None:
    """Return the grid mapping of a variable where it is a rotated pole."""
    name = text_attribute(dataset.variables[variable], "grid_mapping").split(":")[0].strip()
    if name not in dataset.variables:
        return None
    mapping = dataset.variables[name]
    is_rotated = text_attribute(mapping, "grid_mapping_name") == "rotated_latitude_longitude"
    return mapping if is_rotated else None


def _are_axes(dataset: netCDF4.Dataset, variable: str, x_name: str, y_name: str) -> bool:
    """Tell whether the dimensions have coordinates that say where they are on the Earth."""
    if any(name not in dataset.variables for name in (x_name, y_name)):
        return False
    units = [text_attribute(dataset.variables[n], "units").lower() for n in (x_name, y_name)]
    if all(unit.startswith("degree") for unit in units):
        turned = text_attribute(dataset.variables[y_name], "standard_name") == "grid_latitude"
        return not turned or _rotated_mapping(dataset, variable) is not None
    return bool(text_attribute(dataset.variables[variable], "grid_mapping"))


def _check_degrees(x: NDArray[Any], y: NDArray[Any], where: str) -> None:
    if np.abs(y).max(initial=0.0) > 90.0 + 1e-6 or np.abs(x).max(initial=0.0) > 540.0:
        msg = (
            f"Invalid grid of {where}. Latitudes must lie in -90..90 degrees and longitudes "
            f"within a circle. Given y {y.min():.6g}..{y.max():.6g}, x {x.min():.6g}.."
            f"{x.max():.6g}. Give crs = 'EPSG:...' in a TOML beside the file if the grid is "
            "projected."
        )
        raise AprioriError(msg)


def _in_metres(variable: netCDF4.Variable[Any], where: str) -> Axis:
    factor = 1000.0 if text_attribute(variable, "units").lower() in ("km", "kilometre") else 1.0
    axis = monotonic_axis(variable[:], where)
    return Axis(axis.values * factor, axis.size, axis.is_reversed, axis.shift)


def crs_of(dataset: netCDF4.Dataset, variable: str, where: str) -> str:
    """Return the CRS of a variable's grid mapping, `EPSG:n` where possible, else WKT; or ''.

    Raises
    ------
    AprioriError
        If the grid mapping is named but missing, of a rotated pole, or one that pyproj does not
        understand.
    """
    name = text_attribute(dataset.variables[variable], "grid_mapping").split(":")[0].strip()
    if not name:
        return ""
    if name not in dataset.variables:
        msg = (
            f"Invalid grid mapping of {where}. The variable it names must exist. Given {name!r}. "
            "Give crs = 'EPSG:...' in a TOML beside the file."
        )
        raise AprioriError(msg)
    mapping = dataset.variables[name]
    if text_attribute(mapping, "grid_mapping_name") == "latitude_longitude":
        return GEOGRAPHIC
    if text_attribute(mapping, "grid_mapping_name") == "rotated_latitude_longitude":
        raise AprioriError(rotated_message(where))  # whatever code the file gives beside it
    code = text_attribute(mapping, "epsg_code") or text_attribute(mapping, "epsg")
    digits = code.upper().removeprefix("EPSG:").strip()
    if digits.isdigit():
        return f"EPSG:{digits}"
    wkt = text_attribute(mapping, "crs_wkt") or text_attribute(mapping, "spatial_ref")
    match = _EPSG_AT_END.search(wkt)
    if match:
        return f"EPSG:{match[1]}"
    return _crs_by_pyproj({k: mapping.getncattr(k) for k in mapping.ncattrs()}, where)


def rotated_message(where: str) -> str:
    """Return what to say of a grid whose latitudes are those of a rotated pole."""
    return (
        f"Invalid grid of {where}. It must be of true longitudes and latitudes, or projected. "
        "Given a rotated pole. Regrid it first, for example with cdo remapcon."
    )


def _crs_by_pyproj(attributes: dict[str, Any], where: str) -> str:
    import pyproj  # a fifth of a second, needed only for grid mappings without a code

    try:
        crs = pyproj.CRS.from_cf(attributes)
    except (pyproj.exceptions.CRSError, KeyError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        msg = (
            f"Invalid grid mapping of {where}. It must describe a CRS. Given: {reason}. "
            "Give crs = 'EPSG:...' in a TOML beside the file."
        )
        raise AprioriError(msg) from error
    if crs.is_geographic and crs.is_derived:
        raise AprioriError(rotated_message(where))
    if crs.is_geographic:
        return GEOGRAPHIC
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())
