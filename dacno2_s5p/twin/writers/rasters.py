"""The static rasters: roads, population, night light, terrain, land cover (docs/formats.md 5.4)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import map_coordinates

from dacno2_s5p.twin.land.binning import Binning, nearest_cells
from dacno2_s5p.twin.land.geography import AGRICULTURE, ARTIFICIAL, FOREST, WATER, WETLAND
from dacno2_s5p.twin.land.world import (
    BOX,
    CRS,
    Points,
    child_seed,
)
from dacno2_s5p.twin.writers.variables import FIXED_HISTORY
from retrieval.files.atomic import atomic_output
from retrieval.physics.geometry.grids import RectilinearGrid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.twin.twin import Twin

GRIP_CELLS = 12
"""Cells of GRIP4 in a degree (5 minutes)."""

VIIRS_CELLS = 240
"""Cells of VIIRS night light in a degree (15 seconds)."""

DEM_CELLS = 120
"""Cells of the terrain tiles in a degree by default (30 seconds); the real tiles have 1200."""

MISSING = -9999.0
"""Missing value of roads and terrain."""

CORINE_CODES = {
    ARTIFICIAL: (2, 1, 3),
    AGRICULTURE: (12, 18, 20),
    FOREST: (23, 24, 25),
    WETLAND: (36, 35, 35),
    WATER: (44, 44, 44),
}
"""Grid codes of CORINE's classes for each of the five classes, the most frequent first."""

CORINE_NODATA = 48
"""Grid code of no data."""


@contextmanager
def _geotiff(
    twin: Twin, path: Path, overwrite: bool, shape: tuple[int, int], dtype: str, **profile: Any
) -> Iterator[Any]:
    """Open a compressed GeoTIFF that appears when whole and says that it is synthetic."""
    import rasterio

    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        rasterio.open(
            temporary,
            "w",
            driver="GTiff",
            height=shape[0],
            width=shape[1],
            count=1,
            dtype=dtype,
            compress="deflate",
            tiled=True,
            **profile,
        ) as raster,
    ):
        raster.update_tags(source=f"synthetic {twin.version.kind}", history=FIXED_HISTORY)
        yield raster


def _degree_grid(cells: int, box: tuple[float, float, float, float] = BOX) -> RectilinearGrid:
    west, south, east, north = box
    x = np.arange(round(west * cells), round(east * cells) + 1) / cells
    y = np.arange(round(south * cells), round(north * cells) + 1) / cells
    return RectilinearGrid(x, y)


def write_grip4(twin: Twin, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write road density [m km-2] by type and in total as ESRI ASCII grids of 5 minutes.

    Cut to the box around the domain; the header tells where it lies, as that of the global
    files. The format has no room for attributes: the folder's `SYNTHETIC.txt` says what they are.
    """
    grid = _degree_grid(GRIP_CELLS)
    binning = Binning(grid, twin.geography.frame)
    covered = binning.total(np.ones(twin.geography.land.shape, np.float32))
    land = binning.total(twin.geography.land) / np.maximum(covered, 1e-9)
    kinds = [f"tp{i}" for i in range(1, 6)]
    maps = {
        kind: binning.total(length) / np.maximum(covered, 1e-9)
        for kind, length in zip(kinds, twin.geography.road_length, strict=True)
    }
    maps["total"] = np.sum(list(maps.values()), axis=0)
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / "SYNTHETIC.txt"
    with atomic_output(note, overwrite=True) as temporary:
        temporary.write_text("Files of this folder are synthetic (twin world).\n", "utf-8")
    paths = []
    for kind, density in maps.items():
        values = np.where((land > 0.01) & (covered > 0.0), density, MISSING)
        path = folder / f"grip4_{kind}_dens_m_km2.asc"
        with (
            atomic_output(path, overwrite=overwrite) as temporary,
            temporary.open("w", encoding="ascii") as file,
        ):
            file.write(_ascii_header(grid))
            np.savetxt(file, values[::-1], fmt="%.7g")
        paths.append(path)
    return paths


def _ascii_header(grid: RectilinearGrid) -> str:
    n_y, n_x = grid.shape
    return (
        f"ncols         {n_x}\n"
        f"nrows         {n_y}\n"
        f"xllcorner     {grid.x_edges[0]:g}\n"
        f"yllcorner     {grid.y_edges[0]:g}\n"
        f"cellsize      {1.0 / GRIP_CELLS:.15g}\n"
        f"NODATA_value  {MISSING:g}\n"
    )


def write_night_light(twin: Twin, folder: Path, *, overwrite: bool = False) -> Path:
    """Write night light [nW cm-2 sr-1] as a VIIRS annual composite cut to the box."""
    grid, frame = _degree_grid(VIIRS_CELLS), twin.geography.frame
    path = folder / "VNL_v2_npp_2020_global_vcmslcfg_c202102150000.average_masked.tif"
    origin = _north_up(BOX[0], BOX[3], 1.0 / VIIRS_CELLS)
    light = np.where(twin.geography.night_light < 0.3, 0.0, twin.geography.night_light)
    with _geotiff(
        twin, path, overwrite, grid.shape, "float32", crs="EPSG:4326", transform=origin
    ) as raster:
        for rows, strip in _strips(grid, 240):
            row, column = nearest_cells(strip, frame)
            values = light[row, column][::-1].astype(np.float32)
            raster.write(values, 1, window=_window(rows, grid.shape[1]))
    return path


def write_population(twin: Twin, folder: Path, *, overwrite: bool = False) -> Path:
    """Write people per 1 km cell as JRC-GEOSTAT 2018, on the frame."""
    people = np.repeat(np.repeat(twin.geography.population / 4.0, 2, 0), 2, 1)
    rng = child_seed(twin.seed, 95)
    # whole people: rounded up or down at random, so that sums stay
    whole = np.floor(people + rng.random(people.shape)).astype(np.float32)
    path = folder / "JRC_1K_POP_2018.tif"
    frame = twin.geography.frame
    origin = _north_up(frame.x[0], frame.y[1], 1000.0)
    shape = (whole.shape[0], whole.shape[1])
    with _geotiff(
        twin, path, overwrite, shape, "float32", crs=CRS, transform=origin, nodata=-1.0
    ) as raster:
        raster.write(whole[::-1], 1)
    return path


def write_land_cover(twin: Twin, folder: Path, *, overwrite: bool = False) -> Path:
    """Write CORINE grid codes at 100 m on the domain and 16 km around it.

    Each 2 km cell holds its own class on most of its area and others on some.
    """
    frame = twin.geography.frame
    rows, columns = frame.domain()
    rows = slice(rows.start - 8, rows.stop + 8)
    columns = slice(columns.start - 8, columns.stop + 8)
    cover = twin.geography.land_cover[rows, columns]
    left, top = frame.x[0] + 2000.0 * columns.start, frame.y[0] + 2000.0 * rows.stop
    path = folder / "U2018_CLC2018_V2020_20u1.tif"
    shape = (cover.shape[0] * 20, cover.shape[1] * 20)
    table = np.zeros((5, 3), np.uint8)
    for kind, codes in CORINE_CODES.items():
        table[kind] = codes
    rng = child_seed(twin.seed, 96)
    origin = _north_up(left, top, 100.0)
    with _geotiff(
        twin, path, overwrite, shape, "uint8", crs=CRS, transform=origin, nodata=CORINE_NODATA
    ) as raster:
        for i, line in enumerate(cover[::-1]):
            patches = _mosaic(line, table, rng)
            fine = np.repeat(np.repeat(patches, 4, 0), 4, 1)
            raster.write(fine, 1, window=_window(slice(20 * i, 20 * i + 20), shape[1]))
    return path


def _mosaic(
    line: NDArray[np.uint8], table: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Codes of 400 m patches of a row of cells, shape (5, 5 n): at least 60 % of the own class."""
    n = 5 * line.size
    own = np.repeat(line, 5)[None, :].repeat(5, 0)
    kind = np.where(rng.random((5, n)) < 0.12, rng.integers(0, 4, (5, n)), own)
    # open water and its shore stay as they are: the coast is real
    kind = np.where(own == WATER, WATER, kind)
    member = np.minimum(rng.integers(0, 5, (5, n)), 4) // 2
    return np.asarray(table[kind, member], np.uint8)


def write_terrain(
    twin: Twin, folder: Path, *, cells: int = DEM_CELLS, overwrite: bool = False
) -> list[Path]:
    """Write terrain height [m] as 5 degree tiles named after their lower-left corner.

    Parameters
    ----------
    twin : Twin
        The world.
    folder : Path
        Where the tiles go.
    cells : int
        Cells in a degree: 1200 gives the real 6000 x 6000 tiles. Pixel centres lie on the degree
        lines, so the origin is shifted by half a pixel, as in MERIT.
    overwrite : bool
        Replace existing files.
    """
    paths = []
    west, south, east, north = (round(edge) for edge in BOX)
    for lower in range(south, north, 5):
        for left in range(west, east, 5):
            paths.append(_write_tile(twin, folder, left, lower, cells, overwrite))
    return paths


def tile_name(left: int, lower: int) -> str:
    """Name a tile after its lower-left corner [degree].

    Examples
    --------
    >>> tile_name(-5, 45)
    'n45w005_dem.tif'
    """
    side = "w" if left < 0 else "e"
    return f"n{lower:02d}{side}{abs(left):03d}_dem.tif"


def _write_tile(
    twin: Twin, folder: Path, left: int, lower: int, cells: int, overwrite: bool
) -> Path:
    step, n = 1.0 / cells, 5 * cells
    x_edges = left - step / 2 + step * np.arange(n + 1)
    y_edges = lower + step / 2 + step * np.arange(n + 1)
    grid = RectilinearGrid(x_edges, y_edges)
    origin = _north_up(x_edges[0], y_edges[-1], step)
    path = folder / tile_name(left, lower)
    g = twin.geography
    with _geotiff(
        twin,
        path,
        overwrite,
        (n, n),
        "float32",
        crs="EPSG:4326",
        transform=origin,
        nodata=MISSING,
    ) as raster:
        for rows, strip in _strips(grid, max(n // 5, 1)):
            points = Points.of_grid(strip)
            place = np.stack([(points.y - g.grid.y[0]) / 2e3, (points.x - g.grid.x[0]) / 2e3])
            height = map_coordinates(g.elevation, place, order=1, mode="nearest")
            row, column = nearest_cells(strip, g.frame)
            values = np.where(g.land[row, column] > 0.0, height, MISSING).astype(np.float32)
            raster.write(values[::-1], 1, window=_window(rows, n))
    return path


def _strips(grid: RectilinearGrid, height: int) -> Iterator[tuple[slice, RectilinearGrid]]:
    """Cut strips of a grid from north to south: rows in the raster and the grid of the strip."""
    n_y, n_x = grid.shape
    for first in range(0, n_y, height):
        rows = slice(first, min(first + height, n_y))
        strip = grid.crop(slice(n_y - rows.stop, n_y - rows.start), slice(0, n_x))
        yield rows, strip


def _window(rows: slice, width: int) -> Any:
    from rasterio.windows import Window

    return Window(0, rows.start, width, rows.stop - rows.start)


def _north_up(left: float, top: float, step: float) -> Any:
    """Transform of a raster of square cells whose first row is the northernmost."""
    from rasterio import Affine

    return Affine(step, 0.0, left, 0.0, -step, top)
