"""The one interface of a-priori sets: a 3-D NO2 field with a grid, levels, times and a unit.

A reader of any kind of file returns an `AprioriSet`. Its arrays are SI, surface first, with
ascending axes, NaN where missing. Nothing else in the package knows file layouts.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from retrieval.physics.levels import (
    HeightLayers,
    HeightLevels,
    HybridLayers,
    LocalLayers,
    PressureLevels,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.physics.geometry.curvilinear import Grid
    from retrieval.physics.levels import Quantity, Vertical
    from retrieval.physics.time_rules import TimeRule


@dataclass(repr=False)
class AprioriSet(ABC):
    """A 3-D NO2 field in time, of whatever origin.

    Attributes
    ----------
    kind : str
        Short name of the layout, as `inspect` prints it ("CAMS European reanalysis", ...).
    grid : Grid
        Horizontal cells; axes ascend.
    vertical : Vertical
        Levels or layers, surface first.
    quantity : Quantity
        What `read` returns.
    times : ndarray of datetime64[ms], shape (n_time,)
        Time stamps, UTC, ascending.
    time_rule : TimeRule
        The rule that `--time-rule auto` means for this set.
    files : list of Path
        The files behind it, for provenance.
    is_synthetic : bool
        True where a file says that it is synthetic or was made by a synthetic checkpoint.
    attributes : dict
        Title, source, model and other provenance worth carrying into the output.
    """

    kind: str
    grid: Grid
    vertical: Vertical
    quantity: Quantity
    times: NDArray[np.datetime64]
    time_rule: TimeRule
    files: list[Path]
    is_synthetic: bool = False
    attributes: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        grid, times = self.grid, self.times
        n_y, n_x = grid.shape
        when = "no field"
        if times.size:
            ends = [str(time).replace("T", " ") for time in times[[0, -1]].astype("datetime64[m]")]
            when = f"{times.size} field(s), {' to '.join(ends)} UTC"
        unit = "degrees E, N" if grid.is_geographic else f"m in {grid.crs_name}"
        edges = grid.extent
        west, east, south, north = (f"{value:.6g}" for value in edges)
        return "\n".join(
            [
                f"<a-priori set: {self.kind}{', synthetic' if self.is_synthetic else ''}>",
                f"  when:    {when}; time rule {self.time_rule}",
                f"  where:   {n_x} x {n_y} cells, {west} to {east}, {south} to {north} ({unit})",
                f"  levels:  {levels_text(self.vertical)}",
                f"  what:    {self.quantity.replace('_', ' ')}",
                f"  files:   {', '.join(path.name for path in self.files) or 'in memory'}",
            ]
        )

    @abstractmethod
    def read(self, i_time: int, rows: slice, columns: slice) -> NDArray[np.floating]:
        """Return one field, shape (n_level, n_y, n_x) of the slices, in SI, NaN where missing.

        On `LocalLayers` the thicknesses of the layers and their top follow the values.
        """

    def read_uncertainty(
        self,
        i_time: int,  # noqa: ARG002
        rows: slice,  # noqa: ARG002
        columns: slice,  # noqa: ARG002
    ) -> NDArray[np.floating] | None:
        """Return the 1-sigma uncertainty of `read` in the same unit, or None."""
        return None

    def read_surface_altitude(
        self,
        rows: slice,  # noqa: ARG002
        columns: slice,  # noqa: ARG002
    ) -> NDArray[np.floating] | None:
        """Return the model's own orography [m], shape (n_y, n_x), or None where unknown."""
        return None

    def files_of(self, i_times: Iterable[int]) -> list[Path]:  # noqa: ARG002
        """Return the files that hold some of the times; all of the set where that is unknown."""
        return self.files

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027
        """Release files; reading afterwards is an error."""


@dataclass(repr=False)
class ArraySet(AprioriSet):
    """A set held in memory: for tests, twins and users' own arrays.

    `values` has shape (n_time, n_level, n_y, n_x), in the unit of `quantity`; `uncertainty` the
    same shape; `surface_altitude` shape (n_y, n_x).
    """

    values: NDArray[np.floating] = field(default_factory=lambda: np.empty((0, 0, 0, 0)))
    uncertainty: NDArray[np.floating] | None = None
    surface_altitude: NDArray[np.floating] | None = None

    def read(self, i_time: int, rows: slice, columns: slice) -> NDArray[np.floating]:
        """Return one field in its own precision."""
        return np.asarray(self.values[i_time][:, rows, columns])

    def read_uncertainty(
        self, i_time: int, rows: slice, columns: slice
    ) -> NDArray[np.floating] | None:
        """Return the uncertainty field, if there is one."""
        if self.uncertainty is None:
            return None
        return np.asarray(self.uncertainty[i_time][:, rows, columns])

    def read_surface_altitude(self, rows: slice, columns: slice) -> NDArray[np.floating] | None:
        """Return the orography, if there is one."""
        if self.surface_altitude is None:
            return None
        return np.asarray(self.surface_altitude[rows, columns])


def levels_text(vertical: Vertical) -> str:
    """Say in words which levels a set has, so that a missing one shows in a product.

    Examples
    --------
    >>> levels_text(PressureLevels(np.array([100000.0, 85000.0])))
    '1000, 850 hPa'
    """
    match vertical:
        case HeightLevels(height):
            return ", ".join(f"{value:g}" for value in height) + " m"
        case HeightLayers(edges):
            return "layers between " + ", ".join(f"{value:g}" for value in edges) + " m"
        case PressureLevels(pressure):
            return ", ".join(f"{value / 100.0:g}" for value in pressure) + " hPa"
        case HybridLayers():
            return f"{vertical.n_level} hybrid layers"
        case LocalLayers():
            where = "pressure" if vertical.is_pressure else "height above ground"
            return f"{vertical.n_layer} layers with a {where} of their own in each cell"
