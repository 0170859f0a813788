"""Small helpers of all writers: one way to create variables, one set of attributes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import netCDF4
import numpy as np

from retrieval.files.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.twin.twin import Twin

Format = Literal["NETCDF4", "NETCDF3_64BIT_OFFSET"]
"""Containers that are written."""

FIXED_HISTORY = "written by dacno2-s5p twin"
"""History without a clock, so that the same world gives the same file."""


def attributes(twin: Twin, title: str, **more: str) -> dict[str, str]:
    """Global attributes of a file made from the twin world; all of them say `synthetic`."""
    return {
        "title": f"{title} (synthetic)",
        "institution": "none: synthetic twin world of dacno2-s5p",
        "source": f"synthetic {twin.name}",
        "history": FIXED_HISTORY,
        "references": "dacno2-s5p, docs on the twin world",
        "training_data": "synthetic",
        **more,
    }


@contextmanager
def new_netcdf(path: Path, overwrite: bool, kind: Format = "NETCDF4") -> Iterator[netCDF4.Dataset]:
    """Open a netCDF file that appears under its name when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        netCDF4.Dataset(temporary, "w", format=kind) as dataset,
    ):
        yield dataset


def put(
    dataset: netCDF4.Dataset,
    name: str,
    dimensions: tuple[str, ...],
    values: NDArray[Any],
    *,
    fill: float | int | None = None,
    compress: bool = False,
    **attributes: Any,
) -> None:
    """Create a variable with its attributes and write all of it as it is, without packing."""
    variable = create(
        dataset, name, dimensions, values.dtype, fill=fill, compress=compress, **attributes
    )
    variable[...] = values


def create(
    dataset: netCDF4.Dataset,
    name: str,
    dimensions: tuple[str, ...],
    dtype: Any,
    *,
    fill: float | int | None = None,
    compress: bool = False,
    **attributes: Any,
) -> netCDF4.Variable[Any]:
    """Create a variable to be written piece by piece."""
    options: dict[str, Any] = {"fill_value": fill}
    if compress:
        options |= {"compression": "zlib", "complevel": 1, "shuffle": True}
        # the two last dimensions are a map: one chunk each, as maps are written and read
        sizes = [len(dataset.dimensions[name]) for name in dimensions]
        options["chunksizes"] = [1] * max(len(sizes) - 2, 0) + sizes[-2:]
    variable = dataset.createVariable(name, dtype, dimensions, **options)
    variable.setncatts(attributes)
    variable.set_auto_maskandscale(False)
    return variable


def dimensions(dataset: netCDF4.Dataset, **sizes: int) -> None:
    """Create dimensions in the order given."""
    for name, size in sizes.items():
        dataset.createDimension(name, size)


def seconds_since_1970(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Return times as the new CDS and ADS files store them."""
    epoch = np.datetime64("1970-01-01T00:00:00", "s")
    return ((times.astype("datetime64[s]") - epoch) / np.timedelta64(1, "s")).astype(np.int64)
