"""The group `transport` of a day: emissions and hourly weather in, four maps out.

Emissions of half a day ago lie a hundred kilometres and more upwind, so inventory and weather are
wanted around the model grid, too: as far as they reach, by steps of 64 km, up to 192 km. That is
what 13W-13E, 38-58N has around `europe-2km`. Roads, people and works are of the grid alone;
around it the inventory is as it is.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch.nn import functional

from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.inputs.grid import ModelGrid
from dacno2_s5p.inputs.regrid import centres_in
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.transport.carry import HOUR, carry
from dacno2_s5p.transport.emissions import HourlyInventory, refined
from dacno2_s5p.transport.hours import share_on_western_clock
from dacno2_s5p.transport.plane import Plane
from dacno2_s5p.transport.prior import residual_depth
from dacno2_s5p.transport.winds import HEIGHTS, HourlyWeather
from retrieval.physics.constants import MOLAR_MASS_NO2
from retrieval.physics.geometry.grids import GEOGRAPHIC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.variables import Preparation
    from dacno2_s5p.transport.carry import Hour
    from dacno2_s5p.transport.constants import TransportConstants

    Array = NDArray[np.float32]
    Months = dict[tuple[np.datetime64, int], tuple[HourlyInventory, HourlyInventory]]

MARGINS = (96, 64, 32, 0)
"""Fine cells around the grid, widest first: 192 km and less where cells are 2 km."""

WEATHER = ("blh", "ssrd", "u", "v")
"""Rows of the table of inputs that carry."""

INVENTORY = "cams-glob-ant"
"""Source of the rows that emit."""

PROXIES = ("road_density", "population_density", "night_light", "land_cover")
"""Rows of the table of inputs that say where."""

NO2_SHARE = 0.75
"""NO2 in NOx at noon, away from sources."""

MOLAR_MASS_NO = 0.0300061
"""Inventories give NOx as NO [kg mol-1]."""

NATURAL = 2e-3
"""NO2 of soils and lightning, which inventories of people's emissions lack [ug m-2 s-1]: 5.5 Tg N a
year over all land (Yienger, J. J. and H. Levy (1995), J. Geophys. Res. 100, 11447-11464,
doi:10.1029/95JD00370) are 3e-3."""


class HourlySource(Protocol):
    """Where emissions and weather come from; made for `hourly_table` and `hourly_preparation`."""

    def month_maps(self, month: np.datetime64) -> Mapping[str, Array]:
        """Return a month's emissions by row [kg m-2 s-1], each (1, n_y, n_x)."""

    def day_arrays(self, day: np.datetime64) -> Mapping[str, Array]:
        """Return the groups single (T, 2, h, w) and multi (T, 2, n_height, h, w)."""


def surrounding(grid: ModelGrid, margin: int) -> ModelGrid:
    """Return the grid with some fine cells more on each side.

    Raises
    ------
    ConfigurationError
        If the grid is in degrees: winds are in metres.

    Examples
    --------
    >>> from dacno2_s5p.inputs.grid import named_grid
    >>> surrounding(named_grid("europe-2km"), 96).shape
    (912, 784)
    """
    if grid.spacing < 1.0:
        msg = (
            "Invalid grid of the transport. Its cells must be in metres. Given "
            f"{grid.name} with cells of {grid.spacing:g} in {grid.crs}. Use a projected grid."
        )
        raise ConfigurationError(msg)
    n_y, n_x = grid.n_y + 2 * margin, grid.n_x + 2 * margin
    size = min(n_y, n_x) // 16 * 16
    return replace(
        grid,
        name=f"{grid.name} and {margin * grid.spacing / 1e3:g} km around" if margin else grid.name,
        x_origin=grid.x_origin - margin * grid.spacing,
        y_origin=grid.y_origin - margin * grid.spacing,
        n_y=n_y,
        n_x=n_x,
        patch_size=size,
        patches_y=-(-n_y // size),
        patches_x=-(-n_x // size),
    )


def hourly_table(table: InputTable) -> InputTable:
    """Return the rows of the table that the transport reads.

    Raises
    ------
    ConfigurationError
        If one of them is not there.
    """
    names = [v.name for v in table.variables]
    missing = [name for name in WEATHER if name not in names]
    emitting = [v.name for v in table.group("emission") if v.source == INVENTORY]
    if missing or not emitting:
        lacking = ", ".join(missing) or f"any row of {INVENTORY}"
        msg = (
            f"Invalid table of inputs. The transport needs {', '.join(WEATHER)} and emissions. "
            f"Given none of {lacking}. Add the rows, or leave out the group transport."
        )
        raise ConfigurationError(msg)
    groups = ("temporal", "emission", "geography")
    fixed = (v for v in table.variables if v.group in groups)
    return InputTable((*fixed, *(table[name] for name in WEATHER)))


def hourly_preparation(preparation: Preparation, hours: Sequence[int]) -> Preparation:
    """Return how the transport's weather is prepared: hourly, of a day and more before the window.

    Parameters
    ----------
    preparation : Preparation
        Of the store.
    hours : sequence of int
        Of its target window. At least 17 hours lead to the first of them: 24 steps for a window
        of up to eight hours, 48 for longer ones.
    """
    steps = 24 if hours[-1] - hours[0] < 8 else 48
    return replace(
        preparation,
        heights=HEIGHTS,
        weather_steps=steps,
        weather_step_hours=1,
        weather_end="window",
        vertical="height",
    )


class CarriedDays:
    """Maps of the group `transport` for any day of a grid.

    Parameters
    ----------
    grid : ModelGrid
        The model grid.
    margin : int
        Fine cells around it that the source has, too.
    source : HourlySource
        Of `surrounding(grid, margin)`, `hourly_table` and `hourly_preparation`.
    proxies : mapping of str to ndarray, shape (n_channel, n_y, n_x)
        Rasters of the model grid.
    hours : sequence of int
        The target window [UTC]: maps are the mean of its hours.
    constants : TransportConstants
    months : dict, optional
        Where inventories are kept, for maps of many constants; by default one month is.
    """

    def __init__(
        self,
        grid: ModelGrid,
        margin: int,
        source: HourlySource,
        proxies: Mapping[str, Array],
        hours: Sequence[int],
        constants: TransportConstants,
        months: Months | None = None,
    ) -> None:
        self.grid, self.margin, self.source = grid, margin, source
        self.constants = constants
        self._proxies = {name: proxies[name] for name in PROXIES if name in proxies}
        self._window_hours = tuple(hours)
        self._outer = surrounding(grid, margin)
        n_y, n_x = (n // constants.factor for n in self._outer.shape)
        self._plane = Plane((n_y, n_x), grid.spacing * constants.factor)
        self._window = tuple(slice(margin, margin + n) for n in grid.shape)
        self._months, self._keeps = ({}, False) if months is None else (months, True)
        self._wide = self._fine = HourlyInventory({}, np.zeros((0, 0), np.float32))

    def day(self, day: np.datetime64) -> Array:
        """Return the four maps of a day, shape (4, n_y, n_x), as `Inputs.transport`.

        Raises
        ------
        DataError
            If the source lacks something.
        """
        self._of_month(day.astype("datetime64[M]"))
        hours = self._hours(day)
        wide = [
            torch.stack(
                [
                    hour.lower / hour.depth,
                    hour.upper / residual_depth(hour.depth),
                    HOUR * self._emission(time, is_fine=False) / hour.depth,
                    hour.depth,
                ]
            )
            for time, hour in hours.items()
        ]
        maps = self._to_fine(torch.stack(wide).mean(dim=0))
        # emissions are known on the fine cells
        here = torch.stack([self._emission(time, is_fine=True) for time in hours]).mean(dim=0)
        maps[2] = HOUR * here / maps[3]
        return np.asarray(maps.numpy(), np.float32)

    def _hours(self, day: np.datetime64) -> dict[np.datetime64, Hour]:
        arrays = self.source.day_arrays(day)
        single, multi = (torch.from_numpy(np.asarray(arrays[g])) for g in ("single", "multi"))
        weather = HourlyWeather(multi[:, 0], multi[:, 1], single[:, 0], single[:, 1])
        hours = self._window_hours
        midnight = day.astype("datetime64[D]").astype("datetime64[h]")
        last = weather.blh.shape[0] - 1
        times = {last - (hours[-1] - hour): midnight + hour for hour in hours}
        end = midnight + hours[-1]

        def emission(i: int) -> torch.Tensor:
            return self._emission(end - np.timedelta64(last - i, "h"), is_fine=False)

        found = carry(weather, emission, self._plane, self.constants, list(times))
        return {time: found[i] for i, time in times.items()}

    def _emission(self, time: np.datetime64, *, is_fine: bool) -> torch.Tensor:
        """Return NO2 emitted in an hour [ug m-2 s-1]: on the plane, or the grid's fine cells."""
        inventory = self._fine if is_fine else self._wide
        return torch.from_numpy(inventory.hour(time)) + NATURAL

    def _of_month(self, month: np.datetime64) -> None:
        """Read the inventory of a day's month, which counts for the evening before, too."""
        key = (month, self.constants.factor)
        if key not in self._months:
            if not self._keeps:
                self._months.clear()
            self._months[key] = self._inventories(month)
        self._wide, self._fine = self._months[key]

    def _inventories(self, month: np.datetime64) -> tuple[HourlyInventory, HourlyInventory]:
        scale = 1e9 * NO2_SHARE * MOLAR_MASS_NO2 / MOLAR_MASS_NO
        maps = self.source.month_maps(month)
        wide = {name: scale * np.asarray(field[0]) for name, field in maps.items()}
        inner = {name: field[self._window] for name, field in wide.items()}
        fine = refined(inner, self._proxies)
        for name, field in fine.items():
            wide[name][self._window] = field
        factor = self.constants.factor
        coarse = {name: _mean(field, factor) for name, field in wide.items()}
        western = self._western
        return (
            HourlyInventory(coarse, _mean(western, factor)),
            HourlyInventory(fine, western[self._window]),
        )

    @cached_property
    def _western(self) -> Array:
        return share_on_western_clock(*centres_in(self._outer.cells(), GEOGRAPHIC))

    def _to_fine(self, wide: torch.Tensor) -> torch.Tensor:
        """Bring maps (n, ...) of the plane to the grid's fine cells."""
        size = list(self._outer.shape)
        fine = functional.interpolate(wide[None], size=size, mode="bilinear", align_corners=False)
        rows, columns = self._window
        return fine[0, :, rows, columns].clone()


def _mean(field: NDArray[np.floating], factor: int) -> Array:
    n_y, n_x = (n // factor for n in field.shape)
    return np.asarray(field.reshape(n_y, factor, n_x, factor).mean(axis=(1, 3)), np.float32)
