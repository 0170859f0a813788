"""The file of one day's sums: what `DayStore` keeps. Sums in float64, whole or not at all."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from retrieval.errors import ProductError
from retrieval.files.atomic import atomic_output
from retrieval.files.damage import content_errors
from retrieval.files.hdf5_safety import refuse_unsafe
from retrieval.l2.identity import OrbitIdentity
from retrieval.l3.coordinates import axis_names, data_attributes, read_grid, write_grid
from retrieval.l3.sums import Sums, Weighting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.physics.geometry.grids import RectilinearGrid

KIND = "daily sums of gridded TROPOMI NO2 columns"
ROWS_IN_CHUNK = 32
"""Rows that are read together: a bootstrap goes through blocks of rows."""
_FIELDS = (
    ("weight", "sum of weights"),
    ("coverage", "sum of the pixels' area in the cell over the area of the cell"),
    ("count", "number of pixels"),
)


@dataclass(frozen=True)
class DayRecord:
    """What is in a day.

    Attributes
    ----------
    day : datetime64[D]
        UTC date.
    grid : RectilinearGrid
        The cells.
    settings : dict
        Products, quality threshold and weighting, as plain types.
    orbits : tuple of OrbitIdentity
        What has been added, in the order of orbit numbers.
    options : tuple of str
        Options of the re-retrievals that change columns, as JSON; one where all agree.
    units : dict
        Unit of each product.
    is_synthetic : bool
        Whether any file says that it is synthetic.
    """

    day: np.datetime64
    grid: RectilinearGrid
    settings: dict[str, object]
    orbits: tuple[OrbitIdentity, ...] = ()
    options: tuple[str, ...] = ()
    units: dict[str, str] = field(default_factory=dict)
    is_synthetic: bool = False


def write_day(path: Path, sums: Sums, record: DayRecord) -> None:
    """Write or replace the file of a day.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with (
        atomic_output(path, overwrite=True) as temporary,
        netCDF4.Dataset(temporary, "w", format="NETCDF4") as file,
    ):
        write_grid(file, sums.grid)
        file.createDimension("product", len(sums.products))
        rows, columns = axis_names(sums.grid)
        for name, long_name in _FIELDS:
            kind = "i4" if name == "count" else "f8"
            _put(file, name, kind, (rows, columns), getattr(sums, name), sums.grid, long_name)
        _put(
            file,
            "weighted",
            "f8",
            ("product", rows, columns),
            sums.weighted,
            sums.grid,
            "sum of weight times column",
        )
        _write_strata(file, sums)
        file.setncatts(
            {
                "Conventions": "CF-1.11",
                "title": KIND,
                "day": str(record.day),
                "settings": json.dumps(record.settings),
                "orbits": json.dumps([asdict(one) for one in record.orbits]),
                "reretrieval_options": json.dumps(record.options),
                "product_units": json.dumps(record.units),
                "n_pixel": np.int64(sums.n_pixel),
                "n_dropped": np.int64(sums.n_dropped),
                "data": "synthetic" if record.is_synthetic else "measured",
            }
        )


def read_day_record(path: Path) -> DayRecord:
    """Read what is in a day, not the sums.

    Raises
    ------
    ProductError
        If it is no such file.
    """
    with _opened(path) as file:
        return _record(file, path)


def read_day(path: Path, rows: slice | None = None) -> tuple[Sums, DayRecord]:
    """Read a day.

    Parameters
    ----------
    path : Path
        A file of `write_day`.
    rows : slice, optional
        Rows to read; all of them by default.

    Raises
    ------
    ProductError
        If it is no such file.
    """
    with _opened(path) as file:
        record = _record(file, path)
        part = slice(0, record.grid.shape[0]) if rows is None else rows
        grid = record.grid if rows is None else record.grid.crop(rows, slice(None))
        settings: dict[str, Any] = record.settings
        sums = Sums(
            grid,
            tuple(settings["products"]),
            Weighting(settings["weighting"]),
            weight=_get(file, "weight", part),
            weighted=np.stack([one[part] for one in file.variables["weighted"]]),
            count=_get(file, "count", part).astype(np.int64),
            coverage=_get(file, "coverage", part),
            n_pixel=int(file.n_pixel),
            n_dropped=int(file.n_dropped),
            strata=tuple(settings.get("strata", ())),
            stratum=_stratum_sums(file),
        )
        _check_shapes(sums)
    return sums, record


def _check_shapes(sums: Sums) -> None:
    """Refuse sums that are not on the cells of the grid."""
    shape = sums.grid.shape
    wanted = {"weighted": (len(sums.products), *shape)}
    for name in ("weight", "weighted", "count", "coverage"):
        found = getattr(sums, name).shape
        if found != wanted.get(name, shape):
            msg = f"{name} of shape {found} where {wanted.get(name, shape)} is needed"
            raise ValueError(msg)


def read_day_strata(path: Path) -> tuple[NDArray[np.float64], DayRecord]:
    """Read the sums of the strata alone, shape (stratum, 2 + product).

    Raises
    ------
    ProductError
        If it is no such file.
    """
    with _opened(path) as file:
        return _stratum_sums(file), _record(file, path)


def _stratum_sums(file: netCDF4.Dataset) -> NDArray[np.float64]:
    """Read the sums of the strata; none where the day was gridded without."""
    if "stratum_sums" not in file.variables:
        return np.zeros((0, 0))
    return np.asarray(file.variables["stratum_sums"][:], dtype=np.float64)


def _write_strata(file: netCDF4.Dataset, sums: Sums) -> None:
    """Write the sums over pixels of each kind."""
    file.createDimension("stratum", len(sums.strata))
    file.createDimension("stratum_term", 2 + len(sums.products))
    variable = file.createVariable(
        "stratum_sums", "f8", ("stratum", "stratum_term"), fletcher32=True, fill_value=False
    )
    variable.long_name = "pixels, sum of weights, sums of weight times column, by kind of pixel"
    variable[:] = sums.stratum


def _put(
    file: netCDF4.Dataset,
    name: str,
    kind: Any,
    dimensions: tuple[str, ...],
    values: NDArray[Any],
    grid: RectilinearGrid,
    long_name: str,
) -> None:
    n_y, n_x = grid.shape
    chunk = (*[1] * (len(dimensions) - 2), min(n_y, ROWS_IN_CHUNK), n_x)
    variable = file.createVariable(
        name,
        kind,
        dimensions,
        zlib=True,
        complevel=1,
        shuffle=True,
        fletcher32=True,
        chunksizes=chunk,
        fill_value=False,
    )
    variable.setncatts({"long_name": long_name, **data_attributes(grid)})
    variable[:] = values


def _get(file: netCDF4.Dataset, name: str, part: slice) -> NDArray[Any]:
    return np.asarray(file.variables[name][part])


@contextmanager
def _opened(path: Path) -> Iterator[netCDF4.Dataset]:
    """Open a day's file; what is odd in it ends in one line."""
    advice = "Remove it and grid its day again"
    if path.is_file():
        refuse_unsafe(path, ProductError, advice=advice)
    with (
        content_errors(path, ProductError, what="file", rule=f"hold {KIND}", advice=advice),
        netCDF4.Dataset(path) as file,
    ):
        if getattr(file, "title", "") != KIND:
            msg = "another kind of file"
            raise ValueError(msg)
        file.set_auto_mask(False)
        yield file


def _record(file: netCDF4.Dataset, path: Path) -> DayRecord:
    entries = json.loads(file.orbits)
    return DayRecord(
        day=np.datetime64(file.day, "D"),
        grid=read_grid(file, path),
        settings=json.loads(file.settings),
        orbits=tuple(
            OrbitIdentity(**one | {key: tuple(one.get(key, ())) for key in ("days", "side")})
            for one in entries
        ),
        options=tuple(json.loads(file.reretrieval_options)),
        units=json.loads(file.product_units),
        is_synthetic=file.data == "synthetic",
    )
