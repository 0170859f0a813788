"""Open rasters: GeoTIFF and ESRI ASCII grids, north up in a known CRS, read block by block."""

from __future__ import annotations

import gzip
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Float = NDArray[np.floating]

_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
"""First bytes of TIFF and BigTIFF."""


@dataclass(frozen=True)
class Raster:
    """An open raster, its rows from north to south.

    Attributes
    ----------
    file : rasterio dataset
    name : str
    x_edges, y_edges : ndarray
        Edges west to east and north to south, in `crs`.
    crs : str
    nodata : float or None
    """

    file: Any
    name: str
    x_edges: Float
    y_edges: Float
    crs: str
    nodata: float | None

    def block(self, x: tuple[float, float], y: tuple[float, float]) -> tuple[slice, slice] | None:
        """Return rows and columns that meet an extent (least, largest), None without any."""
        columns = _cells_within(self.x_edges, *x)
        rows = _cells_within(-self.y_edges, -y[1], -y[0])
        return None if columns is None or rows is None else (rows, columns)

    def read(self, rows: slice, columns: slice) -> NDArray[Any]:
        """Read a block as stored, rows from north to south."""
        from rasterio.windows import Window

        window = Window(
            columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start
        )
        return np.asarray(self.file.read(1, window=window))


@contextmanager
def open_raster(path: Path, crs: str = "") -> Iterator[Raster]:
    """Open a GeoTIFF or ESRI ASCII grid, also gzipped.

    Parameters
    ----------
    path : Path
    crs : str
        CRS of formats that do not say one.

    Raises
    ------
    DataError
        If rasterio is absent, or the file is damaged, rotated, or says no CRS.
    """
    try:
        import rasterio
        from rasterio.errors import RasterioError
    except ImportError as error:
        msg = (
            f"Invalid raster {path}. Rasters need rasterio. Given none installed. Run pip install "
            "'dacno2-s5p[data]'."
        )
        raise DataError(msg) from error
    place = f"/vsigzip/{path.resolve()}" if path.suffix.lower() == ".gz" else path
    try:
        with rasterio.open(place, driver=_driver(path)) as file:
            yield _describe(file, path, crs)
    except RasterioError as error:
        msg = (
            f"Damaged raster {path}. It must be readable. Given: "
            f"{' '.join(str(error).split())}. Download it again."
        )
        raise DataError(msg) from error


def _driver(path: Path) -> str:
    """Return the format to read a file as: TIFF, else ASCII grid.

    Both hold their values themselves. Left to itself GDAL reads others, too, such as VRT, which
    takes values from whatever file or address it names.
    """
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            return "GTiff" if file.read(4) in _TIFF else "AAIGrid"
    except (OSError, EOFError):
        return "GTiff"


def _describe(file: Any, path: Path, crs: str) -> Raster:
    t = file.transform
    code = file.crs.to_epsg() if file.crs else None
    name = f"EPSG:{code}" if code else (file.crs.to_wkt() if file.crs else crs)
    if t.b or t.d or t.a <= 0 or t.e >= 0 or not name:
        given = "no CRS" if not name else f"transform {tuple(t)[:6]}"
        msg = (
            f"Invalid raster {path}. It must lie north up in a known CRS. Given {given}. "
            "Convert it with gdalwarp."
        )
        raise DataError(msg)
    x_edges = t.c + t.a * np.arange(file.width + 1)
    y_edges = t.f + t.e * np.arange(file.height + 1)
    return Raster(file, str(path), x_edges, y_edges, name, file.nodata)


def raster_files(path: Path, patterns: Sequence[str], what: str) -> list[Path]:
    """Return the files behind a path: itself, or those of a folder that match a pattern.

    The first pattern with files counts.

    Raises
    ------
    DataError
        If there are none.
    """
    if path.is_file():
        return [path]
    for pattern in patterns:
        found = sorted(path.rglob(pattern)) if path.is_dir() else []
        if found:
            return found
    msg = (
        f"Invalid {what} files {path}. They must be named {' or '.join(patterns)}. Given none. "
        "Give the file, or the folder it was unpacked to."
    )
    raise DataError(msg)


def _cells_within(edges: Float, low: float, high: float) -> slice | None:
    """Cells of an ascending axis that meet an interval."""
    first = int(np.searchsorted(edges, low, side="right")) - 1
    last = int(np.searchsorted(edges, high, side="left"))
    first, last = max(first, 0), min(last, edges.size - 1)
    return slice(first, last) if first < last else None
