"""Pairs of sets with the reference on the reference's own cells (section 3.1 of the paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.evaluation.metrics import N_SUM, pair_sums
from dacno2_s5p.inputs.regrid import Operator, centres_in, conservative, transform_points
from retrieval.maps.regions import DOMAIN
from retrieval.physics.geometry.grids import GEOGRAPHIC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.evaluation.sets import FieldSet
    from dacno2_s5p.inputs.grid import ModelGrid
    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.typing import Float


class Match:
    """Sums of pairs of sets with the reference on the reference's own cells."""

    def __init__(self, reference: FieldSet, sets: Sequence[FieldSet], grid: ModelGrid) -> None:
        box = inscribed_box(grid.cells())
        self._rows, self._columns = _cells_within(reference.grid, box)
        cells = reference.grid.crop(self._rows, self._columns)
        self.cells = cells
        x, y = centres_in(cells, GEOGRAPHIC)
        self._mask = inside_box(x, y)
        others = [s for s in sets if s.name != reference.name]
        self._onto = {s.name: conservative(s.grid, cells, s.name) for s in others}
        self._pairs = {s.name: _shared(s.heights, reference.heights) for s in others}
        self.heights = {s.name: tuple(s.heights[i] for i, _ in self._pairs[s.name]) for s in others}
        self._sums: dict[str, list[Float]] = {s.name: [] for s in others}
        self.cell_sums: dict[str, Float] = {}

    def add(self, own: Float, fields: Mapping[str, Float]) -> None:
        """Add a day."""
        own = own[:, self._rows, self._columns]
        for name, operator in self._onto.items():
            pairs = self._pairs[name]
            if pairs:
                values = apply_operator(operator, fields[name][[i for i, _ in pairs]])
                expected = own[[j for _, j in pairs]]
                day = pair_sums(values[:, self._mask], expected[:, self._mask])
                cell = pair_sums(np.where(self._mask, values, np.nan), expected, axis=())
                self.cell_sums[name] = cell + self.cell_sums.get(name, 0.0)
            else:
                day = np.zeros((0, N_SUM))
            self._sums[name].append(day)

    def sums(self) -> dict[str, Float]:
        """Return the sums of all days, (n_day, n_layer, 7)."""
        return {name: np.stack(days) for name, days in self._sums.items()}


def inside_box(longitude: Float, latitude: Float) -> NDArray[np.bool_]:
    """Tell which points lie in the paper's box."""
    west, south, east, north = DOMAIN.box
    return np.asarray(
        (longitude >= west) & (longitude <= east) & (latitude >= south) & (latitude <= north)
    )


def inscribed_box(grid: RectilinearGrid) -> tuple[float, float, float, float]:
    """West, south, east, north [degree] of a box of meridians and parallels inside a grid."""
    x, y = np.meshgrid(grid.x_edges, grid.y_edges)
    longitude, latitude = transform_points(x, y, grid.crs, GEOGRAPHIC)
    return (
        float(longitude[:, 0].max()),
        float(latitude[0].max()),
        float(longitude[:, -1].min()),
        float(latitude[-1].min()),
    )


def _cells_within(
    grid: RectilinearGrid, box: tuple[float, float, float, float]
) -> tuple[slice, slice]:
    """Rows and columns of the cells that lie wholly in a box."""
    if not grid.is_geographic:
        msg = (
            f"Invalid reference. Its grid must be of longitude and latitude. Given {grid.crs}. "
            "Use CAMS files as they were delivered."
        )
        raise DataError(msg)
    west, south, east, north = box
    slices = []
    for edges, low, high in ((grid.y_edges, south, north), (grid.x_edges, west, east)):
        slack = 1e-9 * max(1.0, abs(high))
        first = int(np.searchsorted(edges, low - slack))
        last = int(np.searchsorted(edges, high + slack, side="right")) - 1
        if last - first < 1:
            msg = (
                f"Invalid reference. It must have cells inside the model grid, {west:.2f} to "
                f"{east:.2f} E, {south:.2f} to {north:.2f} N. Given none. Request a larger area."
            )
            raise DataError(msg)
        slices.append(slice(first, last))
    return slices[0], slices[1]


def _shared(heights: Sequence[float], others: Sequence[float]) -> list[tuple[int, int]]:
    """Pairs of indices of the heights that occur in both [to a millimetre]."""
    return [
        (i, j) for i, h in enumerate(heights) for j, o in enumerate(others) if abs(h - o) < 1e-3
    ]


def apply_operator(operator: Operator, values: Float) -> Float:
    """Bring fields (level, y, x) to the cells of an operator."""
    return operator.apply(values[:, operator.rows, operator.columns])
