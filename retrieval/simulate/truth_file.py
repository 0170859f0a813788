"""The side file of a simulated orbit: what no L2 file knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from retrieval.files.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from retrieval.simulate.l2_file.content import L2Content

SUFFIX = "_truth"

_VARIABLES = {
    "true_tropospheric_column": (
        "mol m-2",
        "true NO2 up to the tropopause layer, mean over the pixel",
    ),
    "true_stratospheric_column": ("mol m-2", "true NO2 above the tropopause layer"),
    "true_slant_column_density": ("mol m-2", "slant column of the truth, without noise"),
    "slant_column_noise": ("mol m-2", "noise added to the slant column"),
    "apriori_tropospheric_column": (
        "mol m-2",
        "a-priori NO2 of the operational retrieval up to the tropopause layer",
    ),
    "truth_coverage": (
        "1",
        "share of the pixel that the truth covers; below 0.99 the a priori stands for the truth",
    ),
}
_COORDINATES = {"latitude": "degrees_north", "longitude": "degrees_east"}


def truth_path(l2_file: Path, folder: str | Path | None = None) -> Path:
    """Return the path of the side file: `STEM_truth.nc` beside the L2 file or in a folder.

    Examples
    --------
    >>> truth_path(Path("orbits/S5P_x.nc")).as_posix()
    'orbits/S5P_x_truth.nc'
    """
    return Path(folder or l2_file.parent) / f"{l2_file.stem}{SUFFIX}.nc"


def write_truth_file(
    l2_file: Path,
    content: L2Content,
    truth: Mapping[str, NDArray[np.floating]],
    *,
    folder: str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the truth of each pixel of an L2 file.

    Parameters
    ----------
    l2_file : Path
        The L2 file that was written.
    content : L2Content
        Its content, for indices and places.
    truth : mapping of str to ndarray
        Fields of shape (scanline, ground_pixel), NaN where there is no retrieval.
    folder : path, optional
        Where to write; beside the L2 file by default.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        A flat netCDF-4 file, float64.
    """
    target = truth_path(l2_file, folder)
    dimensions = ("scanline", "ground_pixel")
    with (
        atomic_output(target, overwrite=overwrite) as partial,
        netCDF4.Dataset(partial, "w") as file,
    ):
        file.setncatts(
            {
                "Conventions": "CF-1.11",
                "title": "Known truth of a synthetic TROPOMI L2 NO2 file",
                "source": "synthetic: forward simulation (retrieval/simulate/simulate_orbit.py)",
                "l2_file": l2_file.name,
                "comment": "Never part of the L2 file. Pixels without retrieval are fill.",
            }
        )
        for name, index in zip(dimensions, (content.scanline, content.ground_pixel), strict=True):
            file.createDimension(name, np.size(index))
            axis = file.createVariable(name, "i4", (name,))
            axis.long_name = f"{name} index of the L2 file"
            axis[:] = index
        for name, units in _COORDINATES.items():
            _write(file, name, content.variables[name], units, f"pixel center {name}", "f4")
        for name, (units, long_name) in _VARIABLES.items():
            _write(file, name, truth[name], units, long_name, "f8")
    return target


def _write(
    file: netCDF4.Dataset,
    name: str,
    values: NDArray[Any],
    units: str,
    long_name: str,
    kind: Any,
) -> None:
    dimensions = ("scanline", "ground_pixel")
    fill = np.dtype(kind).type(netCDF4.default_fillvals[kind])
    stored = file.createVariable(name, kind, dimensions, zlib=True, shuffle=True, fill_value=fill)
    stored.setncatts({"units": units, "long_name": long_name})
    if name not in _COORDINATES:
        stored.coordinates = "longitude latitude"
    stored[:] = np.where(np.isfinite(values), values, fill)
