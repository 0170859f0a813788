"""What goes into the network and what it is compared with: shapes, units, order.

Layers are surface first, rows south to north, columns west to east. H and W are cells of the
fine (2 km) grid; the weather is on cells 8 times as wide, CAMS on cells 4 times as wide.
A sample is one day of one patch; a batch is the same with a leading axis B.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.grid import CAMS_FACTOR, COARSE_FACTOR, ModelGrid, Patch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

GROUPS = ("temporal", "emission", "geography", "single", "multi")
"""The five groups of inputs, section 2.2.1."""

OPTIONAL_GROUPS = ("transport", "cams")
"""Groups that a network may have besides: they stay in the units of the table."""

ALL_GROUPS = (*GROUPS, *OPTIONAL_GROUPS)
"""All groups, in the order of `Inputs`."""

GROUP_FACTORS = {
    "emission": 1,
    "geography": 1,
    "single": COARSE_FACTOR,
    "multi": COARSE_FACTOR,
    "transport": 1,
    "cams": CAMS_FACTOR,
}
"""Fine cells along a cell of each group of maps."""


@dataclass(frozen=True)
class Inputs:
    """The groups of inputs, in the units of the table or normalised, float32.

    Attributes
    ----------
    temporal : Tensor, shape (3,)
        Day of week (sine, cosine) and flights.
    emission : Tensor, shape (12, H, W)
        Inventories and proxies on the fine grid.
    geography : Tensor, shape (6, H, W)
        Elevation and one channel (0 or 1) for each land-cover class, on the fine grid.
    single : Tensor, shape (T, 13, H / 8, W / 8)
        Single-level weather, T steps in time order.
    multi : Tensor, shape (T, 9, 8, H / 8, W / 8)
        Weather at the eight heights.
    transport : Tensor, shape (4, H, W), or None
        Emissions carried by the wind, on the fine grid: NO2 of the mixed layer and of the layer
        above [ug m-3], fresh emission over depth [ug m-3 h-1], depth of the mixed layer [m]. Never
        normalised: it is the network's first guess (`transport.prior`).
    cams : Tensor, shape (n_level, H / 4, W / 4), or None
        The day's CAMS forecast at the heights [ug m-3], never normalised either.

    Channels are those of `InputTable.channels`. Batches have a leading axis B.
    """

    temporal: Tensor
    emission: Tensor
    geography: Tensor
    single: Tensor
    multi: Tensor
    transport: Tensor | None = None
    cams: Tensor | None = None

    @property
    def groups(self) -> dict[str, Tensor]:
        """The groups that are there, in the order of `ALL_GROUPS`."""
        found = {group: getattr(self, group) for group in ALL_GROUPS}
        return {group: values for group, values in found.items() if values is not None}

    def map(self, function: Callable[[Tensor], Tensor]) -> Inputs:
        """Apply a function to each group that is there."""
        return Inputs(**{group: function(values) for group, values in self.groups.items()})

    @classmethod
    def stack(cls, samples: Sequence[Inputs]) -> Inputs:
        """Put samples together to a batch.

        Raises
        ------
        DataError
            If some have an optional group and others have not.
        """
        groups = [sample.groups for sample in samples]
        for found in groups[1:]:
            if found.keys() != groups[0].keys():
                odd = ", ".join(sorted(found.keys() ^ groups[0].keys()))
                msg = (
                    f"Invalid batch. All samples must have the same groups of inputs. Given {odd} "
                    "in some only. Prepare all days in the same way."
                )
                raise DataError(msg)
        return cls(**{name: torch.stack([found[name] for found in groups]) for name in groups[0]})

    def sample(self, index: int) -> Inputs:
        """Return a batch of one sample of this batch."""
        return self.map(lambda values: values[index : index + 1])

    def cut(self, patch: Patch) -> Inputs:
        """Cut a patch out of the inputs of the whole grid (one sample, not a batch)."""
        found = self.groups
        for group, factor in GROUP_FACTORS.items():
            if group in found:
                found[group] = found[group][(..., *patch.slices(factor))]
        return Inputs(**found)


@dataclass(frozen=True)
class Targets:
    """What a batch of predictions is compared with.

    Attributes
    ----------
    cams : Tensor, shape (B, 8, H / 4, W / 4), or None
        CAMS NO2 [ug m-3]; None in phase 3, which has no CAMS term.
    station : Tensor, shape (B, H, W)
        Station means [ug m-3]; any finite number where the weight is 0.
    station_weight : Tensor, shape (B, H, W)
        Weight of each cell in the station term, 0 without a station.
    reference : Tensor, shape (B, 8, H / 4, W / 4), or None
        Slices of the frozen phase-2 network, each scaled to 0-1; phase 3 only.
    """

    cams: Tensor | None
    station: Tensor
    station_weight: Tensor
    reference: Tensor | None = None


class Crop(NamedTuple):
    """One sample: a day (index into the source) and a patch of the grid."""

    day: int
    patch: Patch


class Stations(NamedTuple):
    """Station cells with a valid mean on one day, arrays of shape (n,).

    Attributes
    ----------
    rows, columns : ndarray of int
        Cells of the fine grid.
    values : ndarray of float
        Mean NO2 of the cell's stations [ug m-3].
    weights : ndarray of float
        Positive weights in the station term; all 1 is the paper's.
    """

    rows: NDArray[np.integer]
    columns: NDArray[np.integer]
    values: NDArray[np.floating]
    weights: NDArray[np.floating]

    def within(self, patch: Patch) -> Stations:
        """Return the stations of a patch, rows and columns counted from its corner."""
        rows, columns = self.rows - patch.row, self.columns - patch.column
        inside = (rows >= 0) & (rows < patch.size) & (columns >= 0) & (columns < patch.size)
        return Stations(rows, columns, self.values, self.weights).chosen(inside)

    def chosen(self, which: NDArray[np.bool_]) -> Stations:
        """Return some of the stations, by a mask of shape (n,)."""
        of_place = self.rows[which], self.columns[which]
        return Stations(*of_place, self.values[which], self.weights[which])


NO_STATIONS = Stations(np.zeros(0, int), np.zeros(0, int), np.zeros(0), np.zeros(0))
"""A day without a valid station."""


class DaySource(Protocol):
    """Days of inputs and targets: the training store, or arrays in memory."""

    @property
    def grid(self) -> ModelGrid:
        """The grid patches are cut from."""

    @property
    def n_day(self) -> int:
        """Number of days, in time order."""

    def inputs(self, day: int, patch: Patch) -> Inputs:
        """Return one sample's inputs in the units of the table."""

    def cams(self, day: int, patch: Patch) -> Tensor | None:
        """Return CAMS NO2 [ug m-3], shape (8, H / 4, W / 4), or None where there is none."""

    def stations(self, day: int) -> Stations:
        """Return the day's training stations."""


@dataclass(frozen=True)
class ArrayDays:
    """Days in memory, on the whole grid: small worlds, tests, notebooks.

    Attributes
    ----------
    grid : ModelGrid
    days : sequence of Inputs
        Each day's inputs on the whole grid; static groups may share memory.
    cams_fields : sequence of Tensor, or None
        Each day's CAMS NO2 [ug m-3], shape (8, n_y / 4, n_x / 4).
    station_days : sequence of Stations, or None
    """

    grid: ModelGrid
    days: Sequence[Inputs]
    cams_fields: Sequence[Tensor] | None = None
    station_days: Sequence[Stations] | None = None

    @property
    def n_day(self) -> int:
        """Number of days."""
        return len(self.days)

    def inputs(self, day: int, patch: Patch) -> Inputs:
        """Cut one sample."""
        return self.days[day].cut(patch)

    def cams(self, day: int, patch: Patch) -> Tensor | None:
        """Cut the CAMS field."""
        if self.cams_fields is None:
            return None
        return self.cams_fields[day][(..., *patch.slices(CAMS_FACTOR))]

    def stations(self, day: int) -> Stations:
        """Return the day's stations."""
        return NO_STATIONS if self.station_days is None else self.station_days[day]


def all_of(stations: Stations) -> Stations:
    """Return all stations of a day."""
    return stations


def read_targets(
    source: DaySource, crops: Sequence[Crop], choose: Callable[[Stations], Stations] = all_of
) -> Targets:
    """Read the targets of a batch; stations, those that are chosen, become maps with weights.

    Raises
    ------
    DataError
        If a target is not finite; names it.
    """
    fields_ = [source.cams(crop.day, crop.patch) for crop in crops]
    present = [field for field in fields_ if field is not None]
    size = crops[0].patch.size
    value = torch.zeros(len(crops), size, size)
    weight = torch.zeros(len(crops), size, size)
    for i, crop in enumerate(crops):
        found = choose(source.stations(crop.day)).within(crop.patch)
        value[i, found.rows, found.columns] = torch.as_tensor(found.values, dtype=value.dtype)
        weight[i, found.rows, found.columns] = torch.as_tensor(found.weights, dtype=value.dtype)
    cams = torch.stack(present) if len(present) == len(crops) else None
    if cams is not None:
        _require_finite("CAMS NO2", cams, crops)
    _require_finite("station NO2", value, crops)
    return Targets(cams, value, weight)


def _require_finite(name: str, values: Tensor, crops: Sequence[Crop]) -> None:
    wrong = ~torch.isfinite(values)
    if bool(wrong.any()):
        first = int(wrong.flatten(1).any(dim=1).nonzero()[0])
        msg = (
            f"Invalid target {name}. Its values must be finite. Given {int(wrong[first].sum())} "
            f"that are not on day {crops[first].day} (from 0) of the phase. Prepare this day again."
        )
        raise DataError(msg)


def station_weight(
    source: DaySource, crops: Sequence[Crop], choose: Callable[[Stations], Stations] = all_of
) -> float:
    """Return the summed weight of crops' chosen stations: the denominator of the station term."""
    return float(sum(choose(source.stations(c.day)).within(c.patch).weights.sum() for c in crops))
