"""The truth of a small window on a finer grid: 1 km and 50 m, for checks of the 2 km truth."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from dacno2_s5p.twin.air.profile import ColumnState, concentration
from dacno2_s5p.twin.land.world import as_day, stamp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.twin.twin import Twin

FINE_HEIGHTS = (*np.arange(0.0, 3000.0, 50.0), *np.arange(3000.0, 16001.0, 250.0))
"""Heights every 50 m up to 3 km, every 250 m above [m]."""


def fine_window(
    twin: Twin, time: np.datetime64 | str, rows: slice, columns: slice, factor: int = 2
) -> xr.Dataset:
    """Refine the truth of a block of cells: the profile's own formulae, not its 27 heights.

    Parameters
    ----------
    twin : Twin
        The world.
    time : datetime64 or str
        A whole hour.
    rows, columns : slice
        Cells of the domain's 2 km grid.
    factor : int
        Cells of 2 km are split into `factor` x `factor`. What varies slowly (weather, aged NO2,
        the free troposphere) is bent linearly inside each cell so that its mean stays; fresh
        emissions keep the cell's value.

    Returns
    -------
    xarray.Dataset
        `no2` [mol m-3] on (height, y, x) with `FINE_HEIGHTS`.
    """
    moment = np.datetime64(str(time)).astype("datetime64[s]")
    day = twin.day(as_day(moment))
    hour = int((moment - stamp(as_day(moment), 0)) / np.timedelta64(1, "h"))
    # one cell around, for the slopes
    outer = tuple(slice(part.start - 1, part.stop + 1) for part in (rows, columns))
    state = day.state(hour).window(*outer)
    kept = {"ground", "stacks"}
    fine = ColumnState(
        **{
            f.name: _split(getattr(state, f.name), factor, sloped=f.name not in kept)
            for f in fields(state)
        }
    )
    no2 = concentration(fine, FINE_HEIGHTS)
    spacing = 2000.0 / factor
    y0, x0 = twin.grid.y_edges[rows.start], twin.grid.x_edges[columns.start]
    n_y, n_x = no2.shape[1:]
    return xr.Dataset(
        {"no2": (("height", "y", "x"), no2, {"units": "mol m-3"})},
        coords={
            "height": ("height", np.asarray(FINE_HEIGHTS), {"units": "m"}),
            "y": ("y", y0 + spacing * (np.arange(n_y) + 0.5), {"units": "m"}),
            "x": ("x", x0 + spacing * (np.arange(n_x) + 0.5), {"units": "m"}),
        },
        attrs={"source": f"synthetic {twin.name}"},
    )


def _split(field: NDArray[np.float32], factor: int, sloped: bool) -> NDArray[np.float32]:
    """Split the inner cells of (..., n_y + 2, n_x + 2); block means stay those of the cells."""
    inner = field[..., 1:-1, 1:-1]
    fine = np.repeat(np.repeat(inner, factor, -2), factor, -1)
    if not sloped:
        return fine
    offset = (np.arange(factor) + 0.5) / factor - 0.5
    n_y, n_x = inner.shape[-2:]
    for axis, slope in (
        (-2, _limited(field[..., :-2, 1:-1], inner, field[..., 2:, 1:-1])),
        (-1, _limited(field[..., 1:-1, :-2], inner, field[..., 1:-1, 2:])),
    ):
        steep = np.repeat(np.repeat(slope, factor, -2), factor, -1)
        place = np.tile(offset, n_y if axis == -2 else n_x)
        weight = place[:, None] if axis == -2 else place[None, :]
        fine = fine + steep * weight.astype(np.float32)
    return fine


def _limited(
    before: NDArray[np.float32], here: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Slope of a cell: the smaller of both sides, zero at extremes, so that nothing overshoots."""
    left, right = here - before, after - here
    smaller = np.where(np.abs(left) < np.abs(right), left, right)
    return np.asarray(np.where(left * right > 0.0, smaller, 0.0), np.float32)
