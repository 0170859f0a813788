"""The CF-1.11 netCDF file of period means: written by `write_l3`, read back by `read_l3`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from retrieval.errors import ProductError
from retrieval.files.atomic import atomic_output
from retrieval.files.damage import content_errors
from retrieval.files.fills import FILL_FLOAT
from retrieval.files.hdf5_safety import refuse_unsafe
from retrieval.l2.columns import column_title
from retrieval.l2.names import COLUMN_STANDARD_NAME, COLUMN_UNITS, TROPOMI
from retrieval.l3.coordinates import axis_names, data_attributes, read_grid, write_grid
from retrieval.l3.means import L3

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.typing import Float

PREFIX = "tropospheric_column_"
TITLE = "TROPOMI tropospheric NO2 columns on a grid, one pixel set for all a priori"
_EPOCH = np.datetime64("1970-01-01", "D")
_COUNTS = {
    "n_pixel": ("i4", "number of pixels in the cell", "1"),
    "n_day": ("i2", "number of distinct UTC days with a pixel in the cell", "1"),
    "coverage": ("f4", "mean share of the cell that is covered on days with a pixel", "1"),
    "weight": ("f8", "sum of the weights of the pixels", ""),
}


def write_l3(path: str | Path, l3: L3, *, overwrite: bool = False, history: str = "") -> Path:
    """Write period means as a CF-1.11 netCDF-4 file.

    Parameters
    ----------
    path : path
        The file.
    l3 : L3
        The means.
    overwrite : bool
        Replace an existing file.
    history : str
        Line for the attribute `history`.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced, or cannot be written.
    """
    path = Path(path)
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        netCDF4.Dataset(temporary, "w", format="NETCDF4") as file,
    ):
        write_grid(file, l3.grid)
        _write_time(file, l3)
        for product, mean in zip(l3.products, l3.mean, strict=True):
            units = l3.units.get(product, COLUMN_UNITS)
            _write_field(file, f"{PREFIX}{product}", "f4", mean, l3, _column(product, units))
        for name, (kind, long_name, units) in _COUNTS.items():
            values = {"n_pixel": l3.count, "n_day": l3.days}.get(name)
            values = getattr(l3, name) if values is None else values
            unit = units or ("m2" if not l3.grid.is_geographic else "sr")
            if l3.attributes.get("weighting", "").startswith("sharp"):
                unit = units or "1"
            _write_field(file, name, kind, values, l3, {"long_name": long_name, "units": unit})
        file.setncatts(_global_attributes(l3, history))
    return path


def read_l3(path: str | Path) -> L3:
    """Read a file of `write_l3`.

    Raises
    ------
    ProductError
        If it is no such file.
    """
    path = Path(path)
    rule, advice = "be a readable netCDF file of gridded columns", "Make one with the command grid"
    if not path.is_file():
        msg = f"Invalid file {path}. It must {rule}. Given no such file. {advice}."
        raise ProductError(msg)
    refuse_unsafe(path, ProductError, advice=advice)
    with (
        content_errors(path, ProductError, what="file", rule=rule, advice=advice),
        netCDF4.Dataset(path) as file,
    ):
        grid = read_grid(file, path)
        names = [name for name in file.variables if name.startswith(PREFIX)]
        time = file.variables["time_bnds"][0]
        first, last = (_EPOCH + np.timedelta64(int(day), "D") for day in time)
        products = tuple(name.removeprefix(PREFIX) for name in names)
        return L3(
            grid=grid,
            products=products,
            mean=np.stack([_read(file, name) for name in names]),
            weight=_read(file, "weight"),
            coverage=_read(file, "coverage"),
            count=np.asarray(file.variables["n_pixel"][0]),
            days=np.asarray(file.variables["n_day"][0]),
            period=(first, last - np.timedelta64(1, "D")),
            n_day=int(file.n_day_with_data),
            attributes={name: str(file.getncattr(name)) for name in file.ncattrs()},
            units={
                product: str(file.variables[name].units)
                for product, name in zip(products, names, strict=True)
            },
        )


def _write_time(file: netCDF4.Dataset, l3: L3) -> None:
    """One time, the middle of the period, with its bounds in days."""
    start = float((l3.period[0] - _EPOCH).astype(int))
    file.createDimension("time", 1)
    time = file.createVariable("time", "f8", ("time",), fill_value=False)
    time.setncatts(
        {
            "units": "days since 1970-01-01",
            "calendar": "standard",
            "units_metadata": "leap_seconds: none",
            "standard_name": "time",
            "long_name": "middle of the period, UTC",
            "axis": "T",
            "bounds": "time_bnds",
        }
    )
    time[:] = start + 0.5 * l3.n_span
    bounds = file.createVariable("time_bnds", "f8", ("time", "bnds"), fill_value=False)
    bounds[:] = [[start, start + l3.n_span]]


def _write_field(
    file: netCDF4.Dataset,
    name: str,
    kind: Any,
    values: NDArray[Any],
    l3: L3,
    attributes: dict[str, str],
) -> None:
    is_float = kind.startswith("f")
    fill = np.dtype(kind).type(FILL_FLOAT) if is_float else False
    n_y, n_x = l3.grid.shape
    variable = file.createVariable(
        name,
        kind,
        ("time", *axis_names(l3.grid)),
        zlib=True,
        complevel=3,
        shuffle=True,
        fletcher32=True,
        chunksizes=(1, min(n_y, 256), min(n_x, 256)),
        fill_value=fill,
    )
    variable.set_auto_maskandscale(False)
    variable.setncatts(attributes | data_attributes(l3.grid))
    variable[0] = np.where(np.isfinite(values), values, FILL_FLOAT) if is_float else values


def _column(product: str, units: str) -> dict[str, str]:
    found = {
        "units": units,
        "long_name": f"mean tropospheric NO2 column, {column_title(product)}",
        "cell_methods": "time: mean area: mean",
        "ancillary_variables": " ".join(_COUNTS),
    }
    if units == COLUMN_UNITS:
        found["standard_name"] = COLUMN_STANDARD_NAME
    return found


def _global_attributes(l3: L3, history: str) -> dict[str, Any]:
    sensors = l3.attributes.get("sensors", "").replace(" ", ", ") or TROPOMI.sensor
    source = f"{sensors} L2 NO2 files, pixels averaged over cells by exact overlap"
    if l3.is_synthetic:
        source += "; synthetic data"
    own = {
        "Conventions": "CF-1.11",
        "title": TITLE,
        "institution": "not stated",
        "source": source,
        "history": history or "made by retrieval.l3.file.write_l3",
        "references": "Sun et al. (2026), ACP 26, 7741; Douros et al. (2023), GMD 16, 509",
        "time_coverage_start": str(l3.period[0]),
        "time_coverage_end": str(l3.period[1]),
        "n_day_with_data": np.int32(l3.n_day),
        "product_labels": json.dumps(list(l3.products)),
    }
    return l3.attributes | own


def _read(file: netCDF4.Dataset, name: str) -> Float:
    return np.ma.filled(np.ma.asarray(file.variables[name][0], dtype=np.float64), np.nan)
