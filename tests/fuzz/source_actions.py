"""What reads the training sources: each from the folder of its name, as the preparation does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.answer import answer

Reader = Callable[[Path], dict[str, Any]]


def source(arguments: list[str]) -> str:
    """Read the source in FOLDER, whose name says which it is; all that a store would hold."""
    folder = Path(arguments[0])
    found = _READERS[folder.name](folder)
    return answer(found, _impossible(found))


def _impossible(found: dict[str, Any]) -> str:
    """Name numbers that are in no store; stations alone may have none."""
    for name, value in found.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            continue
        least, largest = _STATION_RANGE if name == "means" else (-np.inf, np.inf)
        numbers = value[~np.isnan(value)] if name == "means" else value
        if not (np.isfinite(numbers) & (numbers >= least) & (numbers <= largest)).all():
            return f"{name} {numbers.min()} to {numbers.max()}"
    return ""


_STATION_RANGE = (-10.0, 2000.0)


def _rows(source_name: str) -> list[Any]:
    from dacno2_s5p.inputs.variables import InputTable

    return [v for v in InputTable.default().variables if v.source == source_name]


def _raster(reader: str) -> Reader:
    """Return what reads a raster into its row of the table of inputs."""

    def read(folder: Path) -> dict[str, Any]:
        from dacno2_s5p.sources.rasters.maps import (
            read_land_cover,
            read_night_light,
            read_population,
            read_roads,
            read_terrain,
        )
        from tests.builders.source_files import GRID

        readers = {
            "grip4": read_roads,
            "geostat": read_population,
            "viirs": read_night_light,
            "merit": read_terrain,
            "corine": read_land_cover,
        }
        (row,) = _rows(reader)
        return {"map": readers[reader](folder, row, GRID)}

    return read


def _cams(folder: Path) -> dict[str, Any]:
    from dacno2_s5p.inputs.variables import Preparation
    from dacno2_s5p.sources.cams.fields import CamsTargets
    from tests.builders.source_files import DAY, GRID

    targets = CamsTargets(folder, Preparation(), GRID)
    try:
        found = targets.target(DAY)
    finally:
        targets.close()
    return {"no2": found.no2, "stream": found.stream}


def _emissions(folder: Path) -> dict[str, Any]:
    from dacno2_s5p.sources.day import MONTHLY
    from dacno2_s5p.sources.emissions import Inventory
    from tests.builders.source_files import DAY, GRID

    inventory = Inventory(folder, _rows(MONTHLY), GRID)
    try:
        return {"maps": inventory.month(DAY.astype("datetime64[M]"))}
    finally:
        inventory.close()


def _stations(folder: Path) -> dict[str, Any]:
    from dacno2_s5p.sources.stations.cells import Measurements, StationRules
    from tests.builders.source_files import DAY, GRID

    measured = Measurements(folder, GRID, StationRules(draw=True))
    days = [DAY, DAY + 1]
    cells = measured.cells(2019, days)
    means = np.stack([measured.window_means(day, cells, "11-13") for day in days])
    return {"cells": repr(cells), "means": means}


def _flights(folder: Path) -> dict[str, Any]:
    from dacno2_s5p.sources.flights import Flights
    from tests.builders.source_files import DAY

    flights = Flights(folder, "FLT_TOT_1")
    days = [DAY, DAY + 1]
    return {"flights": np.array([flights.day(day) for day in days], dtype=float)}


_READERS: dict[str, Reader] = {
    **{name: _raster(name) for name in ("grip4", "geostat", "viirs", "merit", "corine")},
    "cams": _cams,
    "emissions": _emissions,
    "eea": _stations,
    "flights": _flights,
}
