"""A store for the benchmarks: days of the twin world on the whole grid, or a small random one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.sources.cams.fields import Target
from dacno2_s5p.sources.day import FINE_GROUPS, MONTHLY
from dacno2_s5p.store.store import DAY_GROUPS, Store
from dacno2_s5p.store.write import StoreWriter
from dacno2_s5p.twin.training_store import TwinDays, write_twin_store
from tests.builders.training_builders import GRID, make_days

if TYPE_CHECKING:
    from pathlib import Path

CHOICE = TwinDays(years=(2023,), every=73, weather_steps=8, weather_step_hours=3)
"""Five days of five months: 95 MB of days, 77 MB of months."""


def benchmark_store(folder: Path, *, tiny: bool = False) -> Store:
    """Make the store where it does not exist yet (about half a minute)."""
    folder = folder / ("tiny-store" if tiny else "store")
    if (folder / "store.json").exists():
        return Store.open(folder)
    if not tiny:
        return write_twin_store(folder, CHOICE)
    _write_small(folder)
    return Store.open(folder)


def _write_small(folder: Path) -> None:
    """Write the days of `training_builders.make_days` as a store."""
    table, steps = InputTable.default(), Preparation(weather_steps=8, weather_step_hours=3)
    days = make_days(n_day=4)
    writer = StoreWriter(folder, GRID, table, steps, origin="synthetic")
    maps, monthly = {}, set()
    for group in FINE_GROUPS:
        channels, first = getattr(days.days[0], group).numpy(), 0
        for variable in table.group(group):
            last = first + len(variable.channels)
            maps[variable.name] = channels[first:last]
            monthly |= {variable.name} if variable.source == MONTHLY else set()
            first = last
    writer.write_static({k: v for k, v in maps.items() if k not in monthly}, "static")
    month = np.datetime64("2023-01", "M")
    writer.write_month(month, {k: v for k, v in maps.items() if k in monthly}, "month")
    dates = [np.datetime64("2023-01-01", "D") + i for i in range(days.n_day)]
    for date, inputs, cams in zip(dates, days.days, days.cams_fields, strict=True):
        arrays = {name: getattr(inputs, name).numpy() for name in DAY_GROUPS}
        values = days.stations(0).values
        writer.write_day(date, arrays, Target(cams.numpy(), "validated"), values, "day")
    places = zip(days.stations(0).rows, days.stations(0).columns, strict=True)
    cells = [_cell(int(row), int(column)) for row, column in places]
    more = {"stations": {"2023": cells}, "left_out": {}, "sources": {}}
    writer.finish(dates, [], more)


def _cell(row: int, column: int) -> dict[str, Any]:
    place = {"row": row, "column": column, "longitude": 0.0, "latitude": 0.0}
    kind = {"is_evaluation": False, "kind": "background", "area": "urban"}
    return {**place, **kind, "members": [f"{row}-{column}"]}
