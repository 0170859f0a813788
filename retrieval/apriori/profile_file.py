"""The project's own profile file (docs/formats.md 6): NO2 at heights, projected or lat/lon."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from retrieval.apriori.generic import open_files
from retrieval.files.atomic import atomic_output
from retrieval.files.fills import FILL_FLOAT
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.apriori.file_set import FileSet
    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.apriori.locating import Request
    from retrieval.physics.geometry.grids import RectilinearGrid


STANDARD_NAME = "mass_concentration_of_nitrogen_dioxide_in_air"
"""CF standard name of `no2`."""

NEEDED_ATTRIBUTES = ("title", "institution", "source", "history", "references")
"""Global attributes that every profile file has."""

_EPOCH = np.datetime64("1970-01-01T00:00", "ms")


def is_profile_file(dataset: netCDF4.Dataset, variable: str = "no2") -> bool:
    """Tell whether a file has `no2` as mass concentration on (time, height, y, x)."""
    if variable not in dataset.variables or "height" not in dataset.variables:
        return False
    stored = dataset.variables[variable]
    return (
        stored.ndim == 4
        and "height" in stored.dimensions
        and getattr(stored, "standard_name", "") == STANDARD_NAME
    )


@dataclass(frozen=True)
class Profiles:
    """NO2 profiles for a profile file.

    Attributes
    ----------
    no2 : ndarray, shape (n_time, n_height, n_y, n_x)
        Concentration [mol m-3], NaN where missing, not negative.
    height : ndarray, shape (n_height,)
        Above ground [m], ascending.
    grid : RectilinearGrid
        Its axes ascend, as those of the arrays.
    time : ndarray of datetime64, shape (n_time,)
        UTC.
    time_bounds : ndarray of datetime64, shape (n_time, 2), optional
        What each field is the mean over.
    uncertainty : ndarray, shape of `no2`, optional
        1 sigma [mol m-3].
    """

    no2: NDArray[np.floating]
    height: NDArray[np.floating]
    grid: RectilinearGrid
    time: NDArray[np.datetime64]
    time_bounds: NDArray[np.datetime64] | None = None
    uncertainty: NDArray[np.floating] | None = None
    attributes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (self.time.size, self.height.size, *self.grid.shape)
        for name in ("no2", "uncertainty"):
            values = getattr(self, name)
            if values is None:
                continue
            if values.shape != shape:
                msg = (
                    f"Invalid {name}. It must have shape (time, height, y, x) = {shape}. Given "
                    f"{values.shape}. Transpose or crop it."
                )
                raise ValueError(msg)
            if np.nanmin(values, initial=0.0) < 0.0 or np.isinf(values).any():
                msg = (
                    f"Invalid {name}. Values must be finite or NaN, and not negative. Given "
                    f"{np.nanmin(values):.3g} to {np.nanmax(values):.3g}. Clip them knowingly."
                )
                raise ValueError(msg)
        if self.height.ndim != 1 or not (np.diff(self.height) > 0).all() or self.height[0] < 0:
            msg = (
                f"Invalid height. Heights above ground must ascend from 0 or more. Given "
                f"{self.height.tolist()}. Sort the levels."
            )
            raise ValueError(msg)


def write_profile_file(path: Path | str, profiles: Profiles, *, overwrite: bool = False) -> Path:
    """Write a profile file; it appears under its name only when it is whole.

    Parameters
    ----------
    path : Path
    profiles : Profiles
        `profiles.attributes` become global attributes and must hold title, institution, source,
        history and references.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced, or cannot be written.
    ValueError
        If a needed attribute is missing.
    """
    path = Path(path)
    missing = [name for name in NEEDED_ATTRIBUTES if not profiles.attributes.get(name)]
    if missing:
        msg = (
            f"Invalid attributes. A profile file says {', '.join(NEEDED_ATTRIBUTES)}. Given none "
            f"of {', '.join(missing)}. Add them."
        )
        raise ValueError(msg)
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        netCDF4.Dataset(temporary, "w", format="NETCDF4") as dataset,
    ):
        _write(dataset, profiles)
    return path


def _write(dataset: netCDF4.Dataset, profiles: Profiles) -> None:
    grid = profiles.grid
    y_name, x_name = ("latitude", "longitude") if grid.is_geographic else ("y", "x")
    sizes = {
        "time": profiles.time.size,
        "height": profiles.height.size,
        y_name: grid.shape[0],
        x_name: grid.shape[1],
    }
    for name, size in sizes.items():
        dataset.createDimension(name, size)
    dataset.setncatts({"Conventions": "CF-1.11", **profiles.attributes})
    _write_time(dataset, profiles)
    _put(
        dataset,
        "height",
        "f8",
        ("height",),
        profiles.height,
        units="m",
        standard_name="height",
        long_name="height above ground",
        positive="up",
        axis="Z",
    )
    _write_crs(dataset, grid)
    if grid.is_geographic:
        _write_degrees(dataset, grid)
    else:
        _write_projected(dataset, grid)
    _write_fields(dataset, profiles, tuple(sizes))


def _put(
    dataset: netCDF4.Dataset,
    name: str,
    kind: str,
    dimensions: tuple[str, ...],
    values: NDArray[Any],
    **attributes: str,
) -> None:
    # a checksum on coordinates, too: a flipped bit in a height is as bad as one in the field
    variable = dataset.createVariable(name, kind, dimensions, fill_value=False, fletcher32=True)
    variable.setncatts(attributes)
    variable[...] = values


def _write_time(dataset: netCDF4.Dataset, profiles: Profiles) -> None:
    def minutes(times: NDArray[np.datetime64]) -> NDArray[np.float64]:
        since: NDArray[np.float64] = (times.astype("datetime64[ms]") - _EPOCH) / np.timedelta64(
            1, "m"
        )
        return since

    attributes = {
        "units": "minutes since 1970-01-01 00:00:00",
        "calendar": "standard",
        "standard_name": "time",
        "long_name": "time, UTC",
        "axis": "T",
    }
    bounds = profiles.time_bounds
    if bounds is not None:
        attributes["bounds"] = "time_bnds"
    _put(dataset, "time", "f8", ("time",), minutes(profiles.time), **attributes)
    if bounds is not None:
        dataset.createDimension("bnds", 2)
        _put(dataset, "time_bnds", "f8", ("time", "bnds"), minutes(bounds))


def _write_crs(dataset: netCDF4.Dataset, grid: RectilinearGrid) -> None:
    import pyproj  # a fifth of a second, needed by writers only

    crs = pyproj.CRS.from_user_input(grid.crs)
    attributes = {k: v for k, v in crs.to_cf().items() if v not in (None, "")}
    if grid.crs.upper().startswith("EPSG:"):
        attributes["epsg_code"] = grid.crs.upper()
    variable = dataset.createVariable("crs", "i4", ())
    variable.setncatts(attributes)


def _write_degrees(dataset: netCDF4.Dataset, grid: RectilinearGrid) -> None:
    for name, axis, letter, unit in (
        ("latitude", grid.y, "Y", "degrees_north"),
        ("longitude", grid.x, "X", "degrees_east"),
    ):
        _put(
            dataset, name, "f8", (name,), axis,
            units=unit, standard_name=name, long_name=name, axis=letter,
        )  # fmt: skip


def _write_projected(dataset: netCDF4.Dataset, grid: RectilinearGrid) -> None:
    import pyproj

    for name, axis in (("y", grid.y), ("x", grid.x)):
        _put(
            dataset,
            name,
            "f8",
            (name,),
            axis,
            units="m",
            standard_name=f"projection_{name}_coordinate",
            long_name=f"{name} coordinate of projection",
            axis=name.upper(),
        )
    to_degrees = pyproj.Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(*np.meshgrid(grid.x, grid.y))
    for name, values, unit in (
        ("latitude", latitude, "degrees_north"),
        ("longitude", longitude, "degrees_east"),
    ):
        _put(
            dataset, name, "f4", ("y", "x"), values,
            units=unit, standard_name=name, long_name=f"{name} of cell centre",
        )  # fmt: skip


def _write_fields(
    dataset: netCDF4.Dataset, profiles: Profiles, dimensions: tuple[str, ...]
) -> None:
    fields = {"no2": profiles.no2}
    if profiles.uncertainty is not None:
        fields["no2_uncertainty"] = profiles.uncertainty
    n_y, n_x = profiles.grid.shape
    for name, values in fields.items():
        variable = dataset.createVariable(
            name,
            "f4",
            dimensions,
            fill_value=np.float32(FILL_FLOAT),
            zlib=True,
            complevel=3,
            shuffle=True,
            fletcher32=True,
            chunksizes=(1, profiles.height.size, min(n_y, 128), min(n_x, 128)),
        )
        variable.set_auto_maskandscale(False)
        variable.setncatts(_field_attributes(name, profiles))
        for i_time in range(profiles.time.size):
            mass = values[i_time] / MICROGRAM_M3_TO_MOL_M3
            variable[i_time] = np.where(np.isnan(mass), FILL_FLOAT, mass).astype(np.float32)


def _field_attributes(name: str, profiles: Profiles) -> dict[str, str]:
    attributes = {
        "units": "ug m-3",
        "long_name": "mass concentration of NO2",
        "standard_name": STANDARD_NAME,
        "grid_mapping": "crs",
    }
    if not profiles.grid.is_geographic:
        attributes["coordinates"] = "latitude longitude"
    if profiles.time_bounds is not None:
        attributes["cell_methods"] = "time: mean"
    if name == "no2_uncertainty":
        attributes["standard_name"] += " standard_error"
        attributes["long_name"] = "1-sigma uncertainty of the mass concentration of NO2"
    elif profiles.uncertainty is not None:
        attributes["ancillary_variables"] = "no2_uncertainty"
    return attributes


KIND = "profile file"
PRIORITY = 10


def matches(source: NetcdfSource, variable: str) -> bool:
    """Tell whether a file has the layout of docs/formats.md 6."""
    return is_profile_file(source.dataset(), variable)


def open_set(sources: list[NetcdfSource], request: Request) -> FileSet:
    """Open a profile file or a folder of daily ones; one field a day or hourly ones.

    Raises
    ------
    AprioriError
        If a file is damaged or differs from the others in grid or heights.
    """
    return open_files(KIND, sources, request)
