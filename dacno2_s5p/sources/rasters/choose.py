"""Which rasters of a folder make a map: of one statistic and year, in tiles that meet the grid.

What a raster is of, the names of the products say (docs/formats.md 5.4); the values do not. Rasters
that say the same are tiles of one; where tiles overlap they must be equal. Rasters that lie
elsewhere (overseas territories in a package) are none of its tiles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.regrid import centres_in, corners_in, transform_points
from dacno2_s5p.sources.rasters.raster_file import open_raster, raster_files
from retrieval.files.candidates import Candidate, Choices, Mark, listed, nearest, newest
from retrieval.physics.geometry.grids import GEOGRAPHIC

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.sources.rasters.raster_file import Raster
    from retrieval.physics.geometry.grids import RectilinearGrid

    Ends = tuple[float, float, float, float]
    from retrieval.typing import Float

    Marks = Callable[[str, "int | None"], tuple[Mark, ...] | None]
    Read = Callable[[Sequence[Path]], NDArray[np.generic]]

OUTLINE_POINTS = 33
"""Points along each side of a raster by which it is seen whether it meets the grid."""

SLIVER = 0.05
"""Share of a raster in another of another CRS that is no overlap: neighbouring zones meet askew."""

STRIP_ROWS = 500
"""Rows of overlapping tiles that are compared at once."""

_LONE_YEAR = re.compile(r"(?<!\d)((?:19|20)\d{2})(?!\d)")


@dataclass(frozen=True)
class Product:
    """A raster product and how its names speak.

    Attributes
    ----------
    what : str
        Its name, for messages.
    patterns : tuple of str
        Names of its files, the product's own first; files of a later pattern are behind.
    holds : str
        What its values must be, for the refusal of others.
    marks : callable
        Returns what a name says, for a year asked for (None: the newest); None where the file is
        of something else.
    crs : str
        CRS of formats that do not say one.
    """

    what: str
    patterns: tuple[str, ...]
    holds: str
    marks: Marks
    crs: str = GEOGRAPHIC


def unmarked(_name: str, _year: int | None) -> tuple[Mark, ...]:
    """Return the marks of products of which there is one."""
    return ()


def year_mark(name: str, pattern: str, asked: int | None) -> Mark:
    """Return the mark of a name's year: nearest to the year asked for, without one the newest."""
    found = re.search(pattern, name) or _LONE_YEAR.search(name)
    year = int(found[1]) if found else None
    if asked is None:
        return newest("year", str(year or ""), *([year] if year else []))
    return nearest("year", year, asked)


def numbers_mark(what: str, name: str, pattern: str) -> Mark:
    """Return the mark of a version: the numbers a pattern finds, the newest first."""
    found = re.search(pattern, name)
    numbers = [int(part) for part in found.groups() if part] if found else []
    return newest(what, ".".join(map(str, numbers)), *numbers)


def chosen_tiles(
    path: Path,
    product: Product,
    grid: RectilinearGrid,
    read: Read,
    *,
    year: int | None = None,
    choices: Choices | None = None,
) -> list[Path]:
    """Return the files that make a map, sorted.

    Parameters
    ----------
    path : Path
        A file, or a folder with others in it.
    product : Product
    grid : RectilinearGrid
        Cells that must be covered.
    read : callable
        Returns the map of some files; asked only where nothing ranks them.
    year : int, optional
        Year asked for.
    choices : Choices, optional
        Where it is kept what was passed over.

    Raises
    ------
    DataError
        If there are none, none holds what is wanted, or two differ and nothing ranks them.
    """
    named = raster_files(path, product.patterns, product.what)
    said = {file: product.marks(file.name, year) for file in named}
    files = [file for file in named if said[file] is not None]
    if not files:
        msg = (
            f"Invalid {product.what} files {path}. They must hold {product.holds}. Given "
            f"{', '.join(sorted(file.name for file in named)[:3])}. Download that product."
        )
        raise DataError(msg)
    if len(files) == 1:
        return files
    near = [file for file in files if _meets(file, product.crs, grid)] or files
    groups: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for file in near:
        marks = (_naming(file, named, product), *(said[file] or ()))
        groups.setdefault(tuple((m.what, m.said) for m in marks), []).append(file)
    candidates = []
    for tiles in groups.values():
        tiles.sort()
        is_whole = _covers(tiles, product.crs, grid) if len(groups) > 1 else True
        area = listed("area", "whole" if is_whole else "part", ("whole", "part"))
        rank = (area, _naming(tiles[0], named, product), *(said[tiles[0]] or ()))
        label = f"{tiles[0]}" + (f" and {len(tiles) - 1} more" if len(tiles) > 1 else "")
        candidates.append(Candidate(tiles, label, rank))
    chosen = (choices or Choices()).choose(
        product.what, candidates, same=lambda one, other: np.array_equal(read(one), read(other))
    )
    return _without_copies(chosen, product, grid)


def _naming(file: Path, named: dict[Path, int], product: Product) -> Mark:
    pattern = product.patterns[named[file]] if named[file] < len(product.patterns) else file.name
    return Mark("naming", pattern, (named[file],))


def _meets(file: Path, crs: str, grid: RectilinearGrid) -> bool:
    """Say whether a raster's box of longitude and latitude meets the grid's."""
    with open_raster(file, crs, whole=False) as raster:
        longitude, latitude = transform_points(*_points(raster), raster.crs, GEOGRAPHIC)
    is_on_earth = np.isfinite(longitude) & np.isfinite(latitude)
    if not is_on_earth.any():
        return False
    return all(
        a[is_on_earth].min() <= b.max() and b.min() <= a[is_on_earth].max()
        for a, b in zip((longitude, latitude), centres_in(grid, GEOGRAPHIC), strict=True)
    )


def _points(raster: Raster) -> tuple[Float, Float]:
    """Return points all over a raster, its corners among them."""
    x, y = (np.linspace(e[0], e[-1], OUTLINE_POINTS) for e in (raster.x_edges, raster.y_edges))
    mesh_x, mesh_y = np.meshgrid(x, y)
    return mesh_x, mesh_y


def _covers(files: Sequence[Path], crs: str, grid: RectilinearGrid) -> bool:
    """Say whether the centre of every cell lies in one of the rasters."""
    is_bare = np.ones(grid.shape, dtype=bool)
    for file in files:
        with open_raster(file, crs, whole=False) as raster:
            x, y = centres_in(grid, raster.crs)
            west, east, north, south = _ends(raster)
            is_bare &= ~((x >= west) & (x <= east) & (y >= south) & (y <= north))
    return not is_bare.any()


def _ends(raster: Raster) -> Ends:
    x, y = raster.x_edges, raster.y_edges
    return float(x[0]), float(x[-1]), float(y[0]), float(y[-1])


def _without_copies(tiles: list[Path], product: Product, grid: RectilinearGrid) -> list[Path]:
    """Leave out tiles that lie within another, and refuse tiles that overlap and differ.

    Raises
    ------
    DataError
        If values of two tiles for one place differ.
    """
    left_out: set[Path] = set()
    for one, other in combinations(tiles, 2):
        with (
            open_raster(one, product.crs, whole=False) as a,
            open_raster(other, product.crs, whole=False) as b,
        ):
            within = _overlap(a, b)
            if within is None:
                continue
            if not _is_same(a, b, within, grid):
                msg = (
                    f"Two tiles of {product.what} for one place. Where they overlap they must be "
                    f"equal. Given {one} and {other}, which differ. Leave one of them, and put the "
                    "other elsewhere."
                )
                raise DataError(msg)
            for file, raster, its_other in ((other, b, one), (one, a, other)):
                if _ends(raster) == within and its_other not in left_out:
                    left_out.add(file)
                    break
    return [tile for tile in tiles if tile not in left_out]


def _overlap(a: Raster, b: Raster) -> Ends | None:
    """Return the ends of the overlap of two rasters of more than a cell, None without any."""
    (w, e, n, s), (w2, e2, n2, s2) = _ends(a), _ends(b)
    if a.crs != b.crs:
        x, y = transform_points(*_points(b), b.crs, a.crs)
        share = ((x > w) & (x < e) & (y > s) & (y < n)).mean()
        return _ends(a) if share > SLIVER else None
    west, east, north, south = max(w, w2), min(e, e2), min(n, n2), max(s, s2)
    cell = max(a.x_edges[1] - a.x_edges[0], b.x_edges[1] - b.x_edges[0])
    height = max(a.y_edges[0] - a.y_edges[1], b.y_edges[0] - b.y_edges[1])
    # tiles with centres on the degree lines may share a row of cells
    is_small = east - west <= 1.5 * cell or north - south <= 1.5 * height
    return None if is_small else (west, east, north, south)


def _is_same(a: Raster, b: Raster, ends: Ends, grid: RectilinearGrid) -> bool:
    """Say whether two rasters hold the same cells between some ends and on the grid."""
    step = a.x_edges[1] - a.x_edges[0], a.y_edges[0] - a.y_edges[1]
    other = b.x_edges[1] - b.x_edges[0], b.y_edges[0] - b.y_edges[1]
    if a.crs != b.crs or not np.allclose(step, other, rtol=1e-9):
        return False
    x, y = corners_in(grid, a.crs)
    west, east = max(ends[0], float(x.min())), min(ends[1], float(x.max()))
    north, south = min(ends[2], float(y.max())), max(ends[3], float(y.min()))
    if east - west <= step[0] or north - south <= step[1]:
        return True
    inner = (
        (west + 0.5 * step[0], east - 0.5 * step[0]),
        (south + 0.5 * step[1], north - 0.5 * step[1]),
    )
    blocks = [raster.block(*inner) for raster in (a, b)]
    if blocks[0] is None or blocks[1] is None:
        return True
    (rows, columns), (other_rows, other_columns) = blocks[0], blocks[1]
    n = rows.stop - rows.start
    if n != other_rows.stop - other_rows.start:
        return False
    for first in range(0, n, STRIP_ROWS):
        last = min(first + STRIP_ROWS, n)
        x = a.read(slice(rows.start + first, rows.start + last), columns)
        y = b.read(slice(other_rows.start + first, other_rows.start + last), other_columns)
        if x.shape != y.shape or not np.array_equal(_plain(x, a), _plain(y, b), equal_nan=True):
            return False
    return True


def _plain(values: NDArray[np.generic], raster: Raster) -> NDArray[np.float64]:
    plain = values.astype(np.float64)
    if raster.nodata is not None:
        plain[values == raster.nodata] = np.nan
    return plain
