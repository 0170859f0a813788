"""Open rasters: GeoTIFF and ESRI ASCII grids, north up in a known CRS, read block by block."""

from __future__ import annotations

import gzip
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.rasters.ascii_grid import check_ascii_grid
from retrieval.files.damage import CONTENT_ERRORS, describe_fault
from retrieval.physics.geometry.grids import GEOGRAPHIC

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.typing import Float

_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
"""First bytes of TIFF and BigTIFF."""


RASTER_ENDINGS = (".tif", ".tiff", ".asc", ".gz")
"""Files beside them (`.tif.aux.xml`, `.tfw`) are none."""

MAX_CELLS = 10_000_000
"""Columns or rows of a raster; MERIT at 3 seconds has 432 000 round the Earth."""

FARTHEST = 1e8
"""No projection has coordinates beyond this [m]: the equator is 4e7 m long."""

LARGEST_CELL = 20.0
"""Twice the width of the largest cells [degree]; inputs vary over less."""


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
        """Read a block as stored, rows from north to south.

        Raises
        ------
        DataError
            If the file is damaged there.
        """
        from rasterio.windows import Window

        window = Window(
            columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start
        )
        with _damage_as_error(self.name):
            return np.asarray(self.file.read(1, window=window))


@contextmanager
def open_raster(path: Path, crs: str = "", *, whole: bool = True) -> Iterator[Raster]:
    """Open a GeoTIFF or ESRI ASCII grid, also gzipped.

    Parameters
    ----------
    path : Path
    crs : str
        CRS of formats that do not say one.
    whole : bool
        Look through the file for damage that GDAL does not see; without, for a look at its place.

    Raises
    ------
    DataError
        If rasterio is absent, or the file is damaged, rotated, says no CRS, or lies nowhere.
    """
    try:
        import rasterio
    except ImportError as error:
        msg = (
            f"Invalid raster {path}. Rasters need rasterio. Given none installed. Run pip install "
            "'dacno2-s5p[data]'."
        )
        raise DataError(msg) from error
    is_packed = path.suffix.lower() == ".gz"
    place = f"/vsigzip/{path.resolve()}" if is_packed else path
    with ExitStack() as stack:
        with _damage_as_error(path):
            driver = _driver(path)
            if whole:
                _check_whole(path, driver)
            file = stack.enter_context(rasterio.open(place, driver=driver))
            raster = _describe(file, path, crs)
        yield raster


@contextmanager
def _damage_as_error(path: Path | str) -> Iterator[None]:
    """Turn what rasterio raises on damaged files into one line."""
    from rasterio.errors import RasterioError

    try:
        yield
    except (RasterioError, *CONTENT_ERRORS) as error:
        msg = (
            f"Damaged raster {path}. It must be a whole GeoTIFF or ESRI ASCII grid. Given: "
            f"{describe_fault(error)}. Download it again."
        )
        raise DataError(msg) from error


def _bytes_of(path: Path) -> IO[bytes]:
    """Open the unpacked bytes of a file."""
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(path))
    return path.open("rb")


def _check_whole(path: Path, driver: str) -> None:
    """Refuse what GDAL reads without a word: broken numbers of text, wrong sums of gzip files.

    Raises
    ------
    ValueError, OSError, EOFError, zlib.error
        If the file is damaged.
    """
    with _bytes_of(path) as file:
        if driver == "AAIGrid":
            check_ascii_grid(file)
        if path.suffix.lower() == ".gz":  # the sum stands at the end
            while file.read(2**22):
                pass


def _driver(path: Path) -> str:
    """Return the format to read a file as: TIFF, else ASCII grid.

    Both hold their values themselves. Left to itself GDAL reads others, too, such as VRT, which
    takes values from whatever file or address it names.
    """
    with _bytes_of(path) as file:
        return "GTiff" if file.read(4) in _TIFF else "AAIGrid"


def _describe(file: Any, path: Path, crs: str) -> Raster:
    t = file.transform
    code = file.crs.to_epsg() if file.crs else None
    name = f"EPSG:{code}" if code else (file.crs.to_wkt() if file.crs else crs)
    if t.b or t.d or not (t.a > 0 and t.e < 0) or not name:
        given = "no CRS" if not name else f"transform {tuple(t)[:6]}"
        msg = (
            f"Invalid raster {path}. It must lie north up in a known CRS. Given {given}. "
            "Convert it with gdalwarp."
        )
        raise DataError(msg)
    if file.count != 1 or np.dtype(file.dtypes[0]).kind not in "iuf":
        msg = f"{file.count} bands of {file.dtypes[0]}, not one of real numbers"
        raise ValueError(msg)
    if max(file.width, file.height) > MAX_CELLS:
        msg = f"{file.width} columns and {file.height} rows"
        raise ValueError(msg)
    x_edges = t.c + t.a * np.arange(file.width + 1)
    y_edges = t.f + t.e * np.arange(file.height + 1)
    is_geographic = file.crs.is_geographic if file.crs else name == GEOGRAPHIC
    if not _is_on_earth(x_edges, y_edges, is_geographic=is_geographic):
        msg = (
            f"Invalid raster {path}. It must lie on the Earth. Given x {x_edges[0]:.6g} to "
            f"{x_edges[-1]:.6g}, y {y_edges[-1]:.6g} to {y_edges[0]:.6g} in {name[:40]}. Download "
            "it again."
        )
        raise DataError(msg)
    if not ((np.diff(x_edges) > 0).all() and (np.diff(y_edges) < 0).all()):
        msg = (
            f"Invalid raster {path}. Its cells must have a size. Given {t.a:.3g} by {-t.e:.3g} at "
            f"x {t.c:.6g}, y {t.f:.6g}. Download it again."
        )
        raise DataError(msg)
    return Raster(file, str(path), x_edges, y_edges, name, file.nodata)


def _is_on_earth(x_edges: Float, y_edges: Float, *, is_geographic: bool) -> bool:
    """Say whether edges are longitudes and latitudes, or distances that are on the Earth.

    Global rasters have a cell more than the circle (VIIRS), so that two cells are allowed.
    """
    ends = np.array([x_edges[0], x_edges[-1], y_edges[0], y_edges[-1]])
    if not is_geographic:
        return bool((np.abs(ends) < FARTHEST).all())
    cells = 2.0 * np.array([x_edges[1] - x_edges[0], y_edges[0] - y_edges[1]])
    west, east, north, south = ends
    is_longitude = west >= -180.0 - cells[0] and east <= 360.0 + cells[0]
    is_circle = east - west <= 360.0 + cells[0]
    is_latitude = north <= 90.0 + cells[1] and south >= -90.0 - cells[1]
    return bool(is_longitude and is_circle and is_latitude and (cells < LARGEST_CELL).all())


def raster_files(path: Path, patterns: Sequence[str], what: str) -> dict[Path, int]:
    """Return the files behind a path, each with the place of the first pattern it matches.

    A file given itself need not match any: its place is behind all.

    Raises
    ------
    DataError
        If there are none.
    """
    if path.is_file():
        return {path: len(patterns)}
    found: dict[Path, int] = {}
    for place, pattern in enumerate(patterns):
        for file in sorted(path.rglob(pattern)) if path.is_dir() else []:
            if file.suffix.lower() in RASTER_ENDINGS and not file.name.startswith("."):
                found.setdefault(file, place)
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
