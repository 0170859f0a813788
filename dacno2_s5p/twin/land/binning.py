"""From the frame's 2 km cells to longitude/latitude cells, conserving what they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pyproj import Geod

from dacno2_s5p.twin.land.world import Frame, Points, to_lonlat

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.physics.geometry.grids import RectilinearGrid

SPLIT = 2
"""Each 2 km cell is spread over SPLIT x SPLIT points."""

CELL_AREA = 4.0e6
"""Area of a 2 km cell [m2]; EPSG:3035 conserves areas."""


def cell_areas(grid: RectilinearGrid) -> NDArray[np.float64]:
    """Areas of the cells of a longitude/latitude grid on the sphere [m2], shape (n_y, n_x)."""
    radius = Geod(ellps="GRS80").a * (1.0 - 1.0 / 298.257 / 3.0)
    rows = np.diff(np.sin(np.deg2rad(grid.y_edges)))
    columns = np.diff(np.deg2rad(grid.x_edges))
    return np.asarray(radius**2 * rows[:, None] * columns[None, :])


class Binning:
    """Sums of the frame's cells in those of a uniform longitude/latitude grid.

    Parameters
    ----------
    grid : RectilinearGrid
        Target cells.
    frame : Frame
        Whose 2 km cells are summed.
    """

    def __init__(self, grid: RectilinearGrid, frame: Frame) -> None:
        self.grid = grid
        step = 2000.0 / SPLIT
        x = np.arange(frame.x[0] + step / 2, frame.x[1], step)
        y = np.arange(frame.y[0] + step / 2, frame.y[1], step)
        n_y, n_x = grid.shape
        rows = []
        for part in np.array_split(y, 16):
            longitude, latitude = to_lonlat(*np.meshgrid(x, part))
            row = np.floor((latitude - grid.y_edges[0]) / np.diff(grid.y_edges)[0])
            column = np.floor((longitude - grid.x_edges[0]) / np.diff(grid.x_edges)[0])
            inside = (row >= 0) & (row < n_y) & (column >= 0) & (column < n_x)
            rows.append(np.where(inside, row * n_x + column, n_y * n_x).astype(np.int32))
        self._index = np.concatenate(rows).ravel()

    def total(self, field: NDArray[np.floating]) -> NDArray[np.float64]:
        """Sum what the cells of a field of the frame hold, shape of the grid."""
        split = np.repeat(np.repeat(field, SPLIT, 0), SPLIT, 1).ravel()
        n_y, n_x = self.grid.shape
        total = np.bincount(self._index, split, minlength=n_y * n_x + 1)[:-1]
        return np.asarray(total.reshape(n_y, n_x) / SPLIT**2)

    def density(self, field: NDArray[np.floating]) -> NDArray[np.float64]:
        """Average an amount per area; what lies outside the frame counts as zero."""
        return self.total(field) * CELL_AREA / cell_areas(self.grid)


def nearest_cells(
    grid: RectilinearGrid, frame: Frame
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of the frame's 2 km cell at each centre of a grid, clipped to the frame."""
    points = Points.of_grid(grid)
    n_y, n_x = frame.grid().shape
    row = np.clip((points.y - frame.y[0]) // 2000.0, 0, n_y - 1).astype(np.int64)
    column = np.clip((points.x - frame.x[0]) // 2000.0, 0, n_x - 1).astype(np.int64)
    return row, column
