"""The model grid and its parents, the patches a day is cut into, and their merging.

Weather is on cells 8 times as wide as the model's, CAMS on cells 4 times as wide; both nest in
the fine grid. Section 2.2.3 of the paper; docs/formats.md 10.1.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.physics.geometry.grids import GEOGRAPHIC, RectilinearGrid, domain_grid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

COARSE_FACTOR = 8
"""Fine cells along a cell of the weather grid (16 km)."""

CAMS_FACTOR = 4
"""Fine cells along a cell of the CAMS loss (8 km)."""


@dataclass(frozen=True, order=True)
class Patch:
    """A square of fine cells.

    Attributes
    ----------
    row, column : int
        South-west cell; multiples of 8.
    size : int
        Cells along a side; a multiple of 16.
    """

    row: int
    column: int
    size: int

    def slices(self, factor: int = 1) -> tuple[slice, slice]:
        """Return rows and columns on the grid whose cells are `factor` times as wide."""
        return (
            slice(self.row // factor, (self.row + self.size) // factor),
            slice(self.column // factor, (self.column + self.size) // factor),
        )


@dataclass(frozen=True)
class ModelGrid:
    """The fine grid and how a day is cut into overlapping patches.

    Attributes
    ----------
    name : str
        Name in files and messages.
    crs : str
        Anything pyproj understands; `EPSG:4326` for longitude/latitude.
    x_origin, y_origin : float
        South-west corner of the grid: metres, or degrees.
    spacing : float
        Width of a fine cell: metres, or degrees.
    n_y, n_x : int
        Fine cells, south to north and west to east; multiples of 8.
    patch_size : int
        Fine cells along a patch; a multiple of 16, not larger than the grid.
    patches_y, patches_x : int
        Patches a day; their distances follow.

    Raises
    ------
    ValueError
        If the numbers break a rule, or the patches leave a gap.

    Examples
    --------
    >>> grid = named_grid("europe-2km")
    >>> grid.row_offsets, grid.column_offsets
    ((0, 152, 312, 464), (0, 168, 336))
    >>> len(grid.patches())
    12
    """

    name: str
    crs: str
    x_origin: float
    y_origin: float
    spacing: float
    n_y: int
    n_x: int
    patch_size: int = 256
    patches_y: int = 1
    patches_x: int = 1

    def __post_init__(self) -> None:
        for what, rule, given, holds in (
            ("spacing", "positive", self.spacing, self.spacing > 0),
            ("n_y", f"a multiple of {COARSE_FACTOR}", self.n_y, _is_multiple(self.n_y, 8)),
            ("n_x", f"a multiple of {COARSE_FACTOR}", self.n_x, _is_multiple(self.n_x, 8)),
            ("patch_size", "a multiple of 16", self.patch_size, _is_multiple(self.patch_size, 16)),
            *self._axis_rules("y", self.n_y, self.patches_y),
            *self._axis_rules("x", self.n_x, self.patches_x),
        ):
            if not holds:
                msg = (
                    f"Invalid grid {self.name}. {what} must be {rule}. Given {given}. "
                    "Change the grid section of the configuration."
                )
                raise ValueError(msg)

    def _axis_rules(self, axis: str, n: int, count: int) -> list[tuple[str, str, int, bool]]:
        """Rules of the patches along one axis: they fit, and cover it without a gap."""
        return [
            ("patch_size", f"at most n_{axis}", self.patch_size, self.patch_size <= n),
            (f"patches_{axis}", "at least 1", count, count >= 1),
            (
                f"patches_{axis}",
                f"at least {-(-n // max(self.patch_size, 1))} to cover n_{axis} = {n}",
                count,
                count * self.patch_size >= n and (count > 1 or n == self.patch_size),
            ),
        ]

    @property
    def shape(self) -> tuple[int, int]:
        """Fine cells (n_y, n_x)."""
        return self.n_y, self.n_x

    @property
    def row_offsets(self) -> tuple[int, ...]:
        """South edges of the patches."""
        return patch_offsets(self.n_y, self.patch_size, self.patches_y)

    @property
    def column_offsets(self) -> tuple[int, ...]:
        """West edges of the patches."""
        return patch_offsets(self.n_x, self.patch_size, self.patches_x)

    def patches(self) -> list[Patch]:
        """Return the overlapping patches of a day, row by row."""
        return [
            Patch(row, column, self.patch_size)
            for row in self.row_offsets
            for column in self.column_offsets
        ]

    def cells(self, factor: int = 1) -> RectilinearGrid:
        """Return the cells, or with a factor those of a parent grid."""
        width = self.spacing * factor
        x = self.x_origin + width * np.arange(self.n_x // factor + 1)
        y = self.y_origin + width * np.arange(self.n_y // factor + 1)
        return RectilinearGrid(x, y, self.crs)

    def is_on_lattice_of(self, other: ModelGrid) -> bool:
        """Say whether cells and parents of this grid are cells and parents of the other.

        A window of a grid is on its lattice; a network trained on one works on the other.
        """
        if self.crs != other.crs or self.spacing != other.spacing:
            return False
        width = COARSE_FACTOR * self.spacing
        apart = np.array(
            [(self.x_origin - other.x_origin) / width, (self.y_origin - other.y_origin) / width]
        )
        # origins in degrees are sums of round-off; a thousandth of a cell is far above it
        return bool(np.abs(apart - apart.round()).max() < 1e-3)

    def window(self, patch: Patch, name: str = "") -> ModelGrid:
        """Return the grid of one patch, itself a single patch."""
        return replace(
            self,
            name=name or f"{self.name}[{patch.row},{patch.column}]",
            x_origin=self.x_origin + patch.column * self.spacing,
            y_origin=self.y_origin + patch.row * self.spacing,
            n_y=patch.size,
            n_x=patch.size,
            patch_size=patch.size,
            patches_y=1,
            patches_x=1,
        )

    def with_patches(self, size: int, overlap: float = 1.0 / 3.0) -> ModelGrid:
        """Return the grid cut into other patches, of which neighbours share at least `overlap`.

        A network trained on small crops sees the borders of its input everywhere; predicting with
        patches of the crops' size shows it what it knows.

        Examples
        --------
        >>> grid = named_grid("europe-2km").with_patches(128)
        >>> len(grid.patches()), grid.column_offsets
        (56, (0, 80, 152, 232, 312, 384, 464))
        """
        counts = (
            1 + int(np.ceil((n - size) / (size * (1.0 - overlap)))) if n > size else 1
            for n in self.shape
        )
        patches_y, patches_x = counts
        return replace(self, patch_size=size, patches_y=patches_y, patches_x=patches_x)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and TOML."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelGrid:
        """Build from the values of `to_dict`."""
        return cls(**values)


def _is_multiple(number: int, of: int) -> bool:
    return number > 0 and number % of == 0


def patch_offsets(n: int, size: int, count: int) -> tuple[int, ...]:
    """Spread `count` patches of `size` over `n` cells, at multiples of 8, ends flush.

    Examples
    --------
    >>> patch_offsets(720, 256, 4), patch_offsets(592, 256, 3), patch_offsets(600, 256, 3)
    ((0, 152, 312, 464), (0, 168, 336), (0, 168, 344))
    """
    if count == 1:
        return (0,)
    step = (n - size) / (count - 1) / COARSE_FACTOR
    # halves are rounded down: the offsets 0, 168, 344 of 600 cells
    return tuple(COARSE_FACTOR * int(np.ceil(i * step - 0.5)) for i in range(count))


def named_grid(name: str) -> ModelGrid:
    """Return one of the two shipped grids.

    `europe-2km` is the grid of docs/formats.md 10.1 (equal-area, EPSG:3035). `lonlat-0.02` is the
    other reading of the paper's "2 km": 0.02 degree, 5 x 5 cells in one of CAMS, 5W-9E and
    42-54N, padded by four columns in the east to 704 x 600 cells.

    Raises
    ------
    ValueError
        If there is no such grid.
    """
    if name == "europe-2km":
        cells = domain_grid()
        n_y, n_x = cells.shape
        x, y = float(cells.x_edges[0]), float(cells.y_edges[0])
        return ModelGrid(name, cells.crs, x, y, 2000.0, n_y, n_x, 256, 4, 3)
    if name == "lonlat-0.02":
        return ModelGrid(name, GEOGRAPHIC, -5.0, 42.0, 0.02, 600, 704, 256, 3, 4)
    msg = (
        f"Invalid grid name. It must be europe-2km or lonlat-0.02. Given {name!r}. "
        "Choose one, or describe the grid in the configuration."
    )
    raise ValueError(msg)


def hann_window(size: int) -> NDArray[np.floating]:
    """Return the 2-D Hann window with samples at cell centres, strictly positive.

    The usual discrete forms are 0 on the border (one or both ends); there the domain's own
    border, covered by one patch only, would become 0 / 0.

    Examples
    --------
    >>> bool((hann_window(16) > 0).all())
    True
    """
    profile = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    return np.outer(profile, profile)


class PatchMerger:
    """Weighted mean of overlapping patches, one patch at a time (section 2.2.3).

    Parameters
    ----------
    grid : ModelGrid
        The grid to fill.
    n_level : int
        Layers of a field.
    """

    def __init__(self, grid: ModelGrid, n_level: int) -> None:
        # float64: the weights span nine decades, and two maps of 27 MB are nothing
        self._sum = np.zeros((n_level, *grid.shape))
        self._weight = np.zeros(grid.shape)

    def add(self, patch: Patch, field: NDArray[np.floating]) -> None:
        """Add a patch of shape (n_level, size, size)."""
        if field.shape != (self._sum.shape[0], patch.size, patch.size):
            msg = (
                "Invalid patch field. It must have the shape (n_level, size, size) = "
                f"{(self._sum.shape[0], patch.size, patch.size)}. Given {field.shape}. "
                "Check the network's number of heights."
            )
            raise ValueError(msg)
        window = hann_window(patch.size)
        rows, columns = patch.slices()
        self._sum[:, rows, columns] += window * field
        self._weight[rows, columns] += window

    def merged(self) -> NDArray[np.float32]:
        """Return the merged field (n_level, n_y, n_x).

        Raises
        ------
        ValueError
            If patches are missing, so that cells have no value.
        """
        empty = int((self._weight <= 0.0).sum())
        if empty:
            msg = (
                "Invalid merge. Patches must cover the grid. Given "
                f"{empty} cells without any. Add all patches of the grid."
            )
            raise ValueError(msg)
        return (self._sum / self._weight).astype(np.float32)
