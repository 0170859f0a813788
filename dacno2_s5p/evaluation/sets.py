"""What an evaluation compares: sets brought to stations and to the reference, day by day.

Sets come as grids and functions that read a day, so that profile files, CAMS files and arrays are
the same here. Stations are compared on the model grid, onto which other sets are brought
bilinearly (the paper's CAMS-2km); the reference on its own cells, by area means (section 3.1).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from dacno2_s5p.inputs.regrid import corners_in
from dacno2_s5p.sources.weather.windows import target_hours
from retrieval.apriori.profile_file import KIND as PROFILE_FILE
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.geometry.curvilinear import rectilinear
from retrieval.physics.levels import HeightLevels, Quantity
from retrieval.physics.time_rules import TimeRule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from retrieval.apriori.base import AprioriSet
    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.typing import Float


@dataclass(frozen=True)
class FieldSet:
    """One set of daily NO2 fields.

    Attributes
    ----------
    name : str
        For tables and figures.
    grid : RectilinearGrid
        Cells of its fields.
    heights : tuple of float
        Above ground [m], ascending; the first is the one compared with stations.
    days : frozenset of datetime64[D]
        Days it holds.
    read : callable
        From a day to its field (n_level, n_y, n_x) [ug m-3].
    is_bound : bool
        A bound and no contestant, like the truth of the twin world: never marked as best.
    """

    name: str
    grid: RectilinearGrid
    heights: tuple[float, ...]
    days: frozenset[np.datetime64]
    read: Callable[[np.datetime64], Float]
    is_bound: bool = False


logger = logging.getLogger(__name__)

STAMP_TOLERANCE = np.timedelta64(60_000, "ms")
"""Times stored as float32 hours miss their stamp by some seconds."""


def open_field_set(
    name: str, path: Path, grid: ModelGrid, window: str, *, is_bound: bool = False
) -> tuple[FieldSet, AprioriSet]:
    """Open a set; the second of the two is to be closed after use.

    A set with one field a day is taken as it is; of others the stamps of the window are averaged,
    and days without all of them are not held.

    Raises
    ------
    AprioriError
        If it is not NO2 at heights above ground as concentration, is of other
        hours than the window's, or does not meet the grid.
    """
    opened = open_apriori(path)
    vertical = opened.vertical
    if not isinstance(vertical, HeightLevels) or opened.quantity is not Quantity.CONCENTRATION:
        opened.close()
        msg = (
            f"Invalid set {name}. It must be NO2 as concentration at heights above ground. Given "
            f"{opened.kind}, {opened.quantity} on {type(vertical).__name__}. Evaluate profile "
            "files or CAMS European files."
        )
        raise AprioriError(msg)
    try:
        _check_window(name, opened, window)
        axes = rectilinear(opened.grid, name)
        rows, columns = _block(axes, grid)
    except BaseException:
        opened.close()
        raise
    indices = _indices_by_day(opened, window)

    def read(day: np.datetime64) -> NDArray[np.floating]:
        total = sum(opened.read(i, rows, columns).astype(np.float64) for i in indices[day])
        return np.asarray(total / len(indices[day]) / MICROGRAM_M3_TO_MOL_M3)

    found = FieldSet(
        name,
        axes.crop(rows, columns),
        tuple(float(h) for h in vertical.height),
        frozenset(indices),
        read,
        is_bound,
    )
    return found, opened


def checkpoint_of(opened: AprioriSet) -> tuple[str, ...]:
    """Return the fingerprints of the checkpoints that made a set; none for other kinds."""
    if opened.kind != PROFILE_FILE:
        return ()
    if not is_netcdf(opened.files[0]):  # an archive: whatever made its files, nothing was checked
        return ("unknown",)
    with netCDF4.Dataset(opened.files[0]) as dataset:
        text = str(getattr(dataset, "checkpoint_sha256", ""))
    return tuple(part.strip() for part in text.split(",") if part.strip())


def is_netcdf(path: Path) -> bool:
    """Tell a netCDF-4 file from an archive by its first bytes."""
    with path.open("rb") as stream:
        return stream.read(4) == b"\x89HDF"


def _check_window(name: str, opened: AprioriSet, window: str) -> None:
    """Refuse daily fields that say they are the mean of other hours.

    Stamps are instants; the bounds of a mean reach half an hour beyond its first and last one.
    """
    if opened.kind != PROFILE_FILE or not is_netcdf(opened.files[0]):
        return
    with netCDF4.Dataset(opened.files[0]) as dataset:
        if "time_bnds" not in dataset.variables:
            return
        unit = dataset.variables["time"].units
        bounds: Any = netCDF4.num2date(dataset.variables["time_bnds"][0], unit)
    given = (bounds[1] - bounds[0]).total_seconds() / 3600.0
    middle = bounds[0] + (bounds[1] - bounds[0]) / 2
    hours = target_hours(window)
    centre = 0.5 * (hours[0] + hours[-1])
    is_same = abs(given - len(hours)) < 0.1 and abs(middle.hour + middle.minute / 60 - centre) < 0.1
    if not is_same:
        msg = (
            f"Invalid set {name}. Its fields must be means of the window {window} UTC. Given "
            f"{opened.files[0].name}, a mean of {bounds[0]} to {bounds[1]}. Give --window as it "
            "was predicted."
        )
        raise AprioriError(msg)


def _indices_by_day(opened: AprioriSet, window: str) -> dict[np.datetime64, list[int]]:
    """Return the fields that make each whole day."""
    days = opened.times.astype("datetime64[D]")
    if opened.time_rule is TimeRule.DAILY:
        return {day: [i] for i, day in enumerate(days)}
    found: dict[np.datetime64, list[int]] = {}
    wanted = target_hours(window)
    for day in np.unique(days):
        stamps = day.astype("datetime64[ms]") + np.array(wanted) * np.timedelta64(3_600_000, "ms")
        nearest = [int(np.abs(opened.times - stamp).argmin()) for stamp in stamps]
        apart = np.abs(opened.times[nearest] - stamps)
        if (apart <= STAMP_TOLERANCE).all():
            found[day] = nearest
        else:
            logger.info("%s lacks hours of %s on %s", opened.files[0].name, window, day)
    return found


def _block(source: RectilinearGrid, grid: ModelGrid) -> tuple[slice, slice]:
    """Rows and columns of a source around the model grid, with two cells to spare."""
    x, y = corners_in(grid.cells(), source.crs)
    slices = []
    for edges, points in ((source.y_edges, y), (source.x_edges, x)):
        first = int(np.searchsorted(edges, points.min())) - 3
        last = int(np.searchsorted(edges, points.max())) + 2
        slices.append(slice(max(first, 0), min(last, edges.size - 1)))
    rows, columns = slices
    if rows.stop - rows.start < 2 or columns.stop - columns.start < 2:
        msg = (
            f"Invalid set. It must cover the grid {grid.name}. Given one that does not meet it. "
            "Choose another set or grid."
        )
        raise AprioriError(msg)
    return rows, columns
