"""Say what a file or folder is as an a-priori set or as meteorology, and what it can serve."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.base import AprioriSet
from retrieval.apriori.file_set import FileSet
from retrieval.apriori.meteorology import Meteo, open_meteo
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.physics.geometry.curvilinear import CurvilinearGrid
from retrieval.physics.levels import (
    HeightLayers,
    HeightLevels,
    HybridLayers,
    LocalLayers,
    PressureLevels,
)
from retrieval.physics.time_rules import OVERPASS_HOURS, TimeRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.physics.geometry.curvilinear import Grid
    from retrieval.physics.levels import Vertical

UPPER_PRESSURE = 20_000.0
"""A set that reaches higher than this [Pa] can fill the free troposphere (`--upper`)."""


@dataclass
class Description:
    """What `describe_file` found; every field is ready for JSON.

    `uses` maps a use ("apriori", "upper", "meteo") to "yes" or to what is missing for it.
    """

    path: str
    kind: str
    files: list[str]
    grid: dict[str, Any]
    levels: dict[str, Any]
    times: dict[str, Any]
    quantity: str = ""
    unit: str = ""
    time_rule: str = ""
    is_synthetic: bool = False
    has_uncertainty: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    uses: dict[str, str] = field(default_factory=dict)


def describe_file(path: Path | str) -> dict[str, Any]:
    """Describe an a-priori set or a meteorology file.

    Parameters
    ----------
    path : Path
        A file, a folder or a ZIP archive.

    Returns
    -------
    dict
        The fields of `Description`.

    Raises
    ------
    AprioriError
        If it is neither; the message is that of the a-priori reader.
    """
    path = Path(path)
    meteo_or_error = _try_meteo(path)
    try:
        opened = open_apriori(path)
    except AprioriError:
        if not isinstance(meteo_or_error, Meteo):
            raise
        found = _of_meteo(path, meteo_or_error)
    else:
        found = _of_set(path, opened)
        is_meteo = isinstance(meteo_or_error, Meteo)
        found.uses["meteo"] = "yes" if is_meteo else "no temperature on levels"
        opened.close()
    if isinstance(meteo_or_error, Meteo):
        meteo_or_error.close()
    return asdict(found)


def _try_meteo(path: Path) -> Meteo | AprioriError:
    try:
        return open_meteo(path)
    except AprioriError as error:
        return error


def _of_set(path: Path, opened: AprioriSet) -> Description:
    unit, has_uncertainty = "", False
    if isinstance(opened, FileSet):
        unit = opened.slabs[0].unit.text
        has_uncertainty = opened.slabs[0].uncertainty is not None
    return Description(
        path=str(path),
        kind=opened.kind,
        files=[file.name for file in opened.files],
        grid=_grid(opened.grid),
        levels=_levels(opened.vertical),
        times=_times(opened.times),
        quantity=str(opened.quantity),
        unit=unit,
        time_rule=str(opened.time_rule),
        is_synthetic=opened.is_synthetic,
        has_uncertainty=has_uncertainty,
        attributes=opened.attributes,
        uses={"apriori": _for_apriori(opened), "upper": _for_upper(opened)},
    )


def _of_meteo(path: Path, meteo: Meteo) -> Description:
    humidity = "yes" if meteo.has_humidity else "yes, without humidity: virtual temperature is T"
    return Description(
        path=str(path),
        kind=meteo.kind,
        files=[file.name for file in meteo.files],
        grid=_grid(meteo.grid),
        levels=_levels(meteo.vertical),
        times=_times(meteo.times),
        quantity="temperature",
        unit="K",
        time_rule=str(meteo.time_rule),
        is_synthetic=meteo.is_synthetic,
        uses={"apriori": "no NO2", "upper": "no NO2", "meteo": humidity},
    )


def _for_apriori(opened: AprioriSet) -> str:
    if opened.time_rule is not TimeRule.OVERPASS_MEAN:
        return "yes"
    days = opened.times.astype("datetime64[D]")
    stamps = set(opened.times.astype("datetime64[m]").tolist())
    wanted = [np.timedelta64(hour, "h") for hour in OVERPASS_HOURS]
    incomplete = [
        str(day)
        for day in np.unique(days)
        if not all((day + hour).astype("datetime64[m]").tolist() in stamps for hour in wanted)
    ]
    if not incomplete:
        return "yes"
    shown = ", ".join(incomplete[:3]) + (", ..." if len(incomplete) > 3 else "")
    return f"11, 12 or 13 UTC is missing on {len(incomplete)} day(s): {shown}"


def _for_upper(opened: AprioriSet) -> str:
    vertical = opened.vertical
    if isinstance(vertical, HybridLayers):
        top = float(vertical.a[-1] + vertical.b[-1] * 101325.0)
    elif isinstance(vertical, PressureLevels):
        top = float(vertical.pressure[-1])
    elif isinstance(vertical, LocalLayers) and vertical.is_pressure:
        return (
            "yes, where its layers reach the tropopause: their pressures differ from cell to cell"
        )
    else:
        return "levels are heights; pressure or hybrid levels are needed"
    return "yes" if top <= UPPER_PRESSURE else f"top at {top / 100:.0f} hPa is too low"


def _grid(grid: Grid) -> dict[str, Any]:
    unit = "degree" if grid.is_geographic else "m"
    west, east, south, north = grid.extent
    if isinstance(grid, CurvilinearGrid):
        steps = [
            float(np.nanmedian(np.hypot(*(np.diff(v, axis=axis) for v in grid.centres))))
            for axis in (1, 0)
        ]
    else:
        steps = [float(np.median(np.diff(edges))) for edges in (grid.x_edges, grid.y_edges)]
    return {
        "crs": grid.crs_name,
        "shape": list(grid.shape),
        "x": [west, east],
        "y": [south, north],
        "spacing": steps,
        "unit": unit,
        "is_global": grid.is_periodic,
        "horizontal_rule": "exact overlap" if grid.is_fine else "bilinear",
    }


def _levels(vertical: Vertical) -> dict[str, Any]:
    match vertical:
        case HeightLevels(height):
            kind, values, unit = "heights above ground", height, "m"
        case HeightLayers(edges):
            kind, values, unit = "layers between heights above ground", edges, "m"
        case PressureLevels(pressure):
            kind, values, unit = "pressures", pressure, "Pa"
        case HybridLayers(a, b):
            kind, values, unit = "hybrid layers, pressure at 1013.25 hPa", a + b * 101325.0, "Pa"
        case LocalLayers(n_layer, is_pressure):
            where, unit = ("pressures", "Pa") if is_pressure else ("heights above ground", "m")
            kind = f"layers with {where} of their own in each cell"
            return {"kind": kind, "n_level": n_layer, "values": [], "unit": unit}
    shown = [round(float(value), 3) for value in values]
    return {"kind": kind, "n_level": vertical.n_level, "values": shown, "unit": unit}


def _times(times: NDArray[np.datetime64]) -> dict[str, Any]:
    steps = np.unique(np.diff(times)) / np.timedelta64(1, "m") if times.size > 1 else np.array([])
    return {
        "first": f"{times[0].astype('datetime64[s]')}Z",
        "last": f"{times[-1].astype('datetime64[s]')}Z",
        "n_time": int(times.size),
        "step_minutes": [float(steps.min()), float(steps.max())] if steps.size else [],
    }
