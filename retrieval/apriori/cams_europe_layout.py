"""The layouts of the CAMS European air-quality files (docs/formats.md 4.1, 4.2).

Reanalyses come as monthly files of one level each, the level only in the file name; forecasts and
analyses, and prepared extracts, hold all levels in one file.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.formats.cf_time import base_date_in_words
from retrieval.apriori.formats.containers import damage_as_error
from retrieval.apriori.formats.coordinates import role_of, text_attribute
from retrieval.apriori.formats.field import Field, Names, find_field
from retrieval.apriori.formats.levels import height_levels
from retrieval.apriori.formats.names import CamsEuropeName, parse_cams_europe
from retrieval.apriori.formats.units import is_mass
from retrieval.errors import AprioriError
from retrieval.files.candidates import PassedOver

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import netCDF4
    from numpy.typing import NDArray

    from retrieval.apriori.formats.containers import NetcdfSource

logger = logging.getLogger(__name__)

HEIGHTS = (0, 50, 100, 250, 500, 750, 1000, 2000, 3000, 5000)
"""Levels of the data store [m above the model's surface]."""

PAPER_HEIGHTS = (0, 50, 250, 500, 1000, 2000, 3000, 5000)
"""Those of the paper (section 2), without which a profile is another one."""

STAGES = ("vra", "ira")
"""Validated and interim reanalysis, the preferred first."""

AREA = (-25.05, 29.95, 45.05, 72.05)
"""West, south, east, north of the data store's cell centres, both grids [degree]."""


@dataclass(frozen=True)
class Month:
    """One month of a reanalysis: a file for each level, lowest first.

    Attributes
    ----------
    month : datetime64[M]
    stage : str
        Of `STAGES`.
    levels : tuple of int
        Heights [m].
    sources : tuple of NetcdfSource
    passed_over : tuple of PassedOver
        Files of the other stage, where there are any.
    """

    month: np.datetime64
    stage: str
    levels: tuple[int, ...]
    sources: tuple[NetcdfSource, ...]
    passed_over: tuple[PassedOver, ...] = ()


def months_of(sources: Sequence[NetcdfSource], species: str = "no2") -> list[Month]:
    """Sort per-level reanalysis files into months, each of one stage.

    Validated files (vra) go before interim ones (ira), unless they lack more of the paper's levels.

    Raises
    ------
    AprioriError
        If models are mixed, or a month holds one level twice.
    """
    named = [(parse_cams_europe(s.name), s) for s in sources]
    wanted = [(n, s) for n, s in named if n is not None and n.species == species]
    models = sorted({n.model for n, _ in wanted})
    if len(models) > 1:
        msg = (
            f"Invalid CAMS European reanalysis. A set is of one model. Given {', '.join(models)} "
            f"in {wanted[0][1].path.parent}. Put them in folders of their own."
        )
        raise AprioriError(msg)
    months = []
    for month in sorted({n.month for n, _ in wanted}):
        of_month = [(n, s) for n, s in wanted if n.month == month]
        stage, passed = _stage(month, of_month)
        chosen = _month(month, stage, [(n, s) for n, s in of_month if n.stage == stage])
        months.append(replace(chosen, passed_over=passed))
    return months


def _stage(
    month: np.datetime64, files: list[tuple[CamsEuropeName, NetcdfSource]]
) -> tuple[str, tuple[PassedOver, ...]]:
    """Choose the stage of a month that lacks fewest of the paper's heights, else the validated."""
    given = {stage: sorted(n.level for n, _ in files if n.stage == stage) for stage in STAGES}
    levels = {stage: found for stage, found in given.items() if found}
    best = min(levels, key=lambda stage: len(missing_heights(levels[stage])))
    if len(levels) == 1:
        return best, ()
    other = next(stage for stage in STAGES if stage != best)
    fewer = len(missing_heights(levels[best])) < len(missing_heights(levels[other]))
    why = "more of the paper's heights before fewer" if fewer else "validated before interim"
    if levels["vra"] == levels["ira"]:
        logger.info("CAMS European reanalysis %s: validated files are used, not interim", month)
    else:
        warn_once(
            f"CAMS European reanalysis {month} in {files[0][1].path.parent}: validated files (vra) "
            f"have {_metres(levels['vra'])}, interim ones (ira) {_metres(levels['ira'])}; {best} "
            "is used. Give the levels of one stage."
        )
    return best, (PassedOver(f"{other} files", why),)


def missing_heights(levels: Iterable[float]) -> list[int]:
    """Return the heights of the paper that are not among some levels [m]."""
    return [height for height in PAPER_HEIGHTS if height not in set(levels)]


def warn_of_missing_heights(where: str, levels: Sequence[float]) -> None:
    """Say once which heights of the paper a set lacks: often files that were not downloaded.

    What lies above the highest level is not the set's, below the lowest it is constant, and
    between levels it is interpolated.
    """
    missing = missing_heights(levels)
    if missing:
        warn_once(
            f"CAMS European set {where} lacks the heights {_metres(missing)}: it has "
            f"{_metres(levels)}. Other profiles come of it, above all near the ground and above "
            "its top. Download all levels."
        )


def _metres(levels: Iterable[float]) -> str:
    return ", ".join(f"{level:g}" for level in levels) + " m"


@cache
def warn_once(text: str) -> None:
    """Log a warning the first time: a set is opened again for each orbit."""
    logger.warning("%s", text)


def _month(
    month: np.datetime64, stage: str, files: list[tuple[CamsEuropeName, NetcdfSource]]
) -> Month:
    ordered = sorted(files, key=lambda pair: pair[0].level)
    levels = tuple(n.level for n, _ in ordered)
    if len(set(levels)) < len(levels):
        twice = next(level for level in levels if levels.count(level) > 1)
        names = ", ".join(s.name for n, s in ordered if n.level == twice)
        msg = (
            f"Invalid CAMS European reanalysis of {month}. A month must hold each level once. "
            f"Given {names}. Keep one area and one copy."
        )
        raise AprioriError(msg)
    return Month(month, stage, levels, tuple(s for _, s in ordered))


def level_field(source: NetcdfSource, month: np.datetime64, names: Names | None = None) -> Field:
    """Locate the field of one per-level file, and check that it is of the month of its name.

    Raises
    ------
    AprioriError
        If the file has levels of its own, no field of its species, or another month's times.
    """
    parsed = parse_cams_europe(source.name)
    species = parsed.species if parsed else "no2"
    dataset = source.dataset()
    variable = next((n for n in dataset.variables if n.lower() == species), None)
    if variable is None:
        msg = (
            f"Invalid CAMS European reanalysis file {source}. It must hold {species}, as its name "
            f"says. Given {', '.join(list(dataset.variables)[:8])}. Download it again."
        )
        raise AprioriError(msg)
    with damage_as_error(str(source)):
        located = find_field(source, variable, names)
    given = _unlike_name(located, month)
    if given:
        msg = (
            f"Invalid CAMS European reanalysis file {source}. It must be the single level and the "
            f"month of its name. Given {given}. Restore the name it was delivered with."
        )
        raise AprioriError(msg)
    return located


def _unlike_name(located: Field, month: np.datetime64) -> str:
    """Return what a file of one level and month holds instead, empty where nothing."""
    if located.level is not None:
        return "a level dimension"
    if not located.times.size:
        return "no times"
    middle = located.times[located.times.size // 2].astype("datetime64[M]")
    return "" if middle == month else f"times of {middle}"


def is_all_levels(dataset: netCDF4.Dataset, variable: str) -> bool:
    """Tell whether a file holds European NO2 with its heights: forecasts, analyses, extracts.

    By its variable `no2_conc`, or by latitudes and longitudes of 0.1 degree with heights of the
    data store (0 among them: 1000, 500, 250 alone may be hPa). It must also say that it is one, or
    hold masses within the area of the store: other fields may be laid out alike.
    """
    stored = dataset.variables[variable]
    if stored.ndim != 4:
        return False
    roles = {role_of(dataset, d): d for d in stored.dimensions}
    has_layout = variable.lower() == "no2_conc" or _has_layout(dataset, roles)
    if not has_layout or any(_says(dataset, word) for word in ("FORECAST", "ANALYSIS")):
        return has_layout
    # extracts are about that call their concentrations ug/cm2
    unit = text_attribute(stored, "units")
    return (not unit or is_mass(unit)) and _is_european(dataset, roles)


def _is_european(dataset: netCDF4.Dataset, roles: Mapping[str | None, str]) -> bool:
    """Tell whether all cells lie in the area of the data store."""
    west, south, east, north = AREA
    x, y = (dataset.variables.get(roles.get(role, "")) for role in ("x", "y"))
    if x is None or y is None:
        return False
    longitudes = (np.asarray(x[:], dtype=np.float64) + 180.0) % 360.0 - 180.0
    latitudes = np.asarray(y[:], dtype=np.float64)
    is_inside = (longitudes >= west) & (longitudes <= east)
    return bool(is_inside.all() and ((latitudes >= south) & (latitudes <= north)).all())


def _has_layout(dataset: netCDF4.Dataset, roles: Mapping[str | None, str]) -> bool:
    """Tell whether a field lies on 0.1 degree and heights of the data store."""
    level, y = roles.get("level"), roles.get("y")
    if level not in dataset.variables or y not in dataset.variables:
        return False
    heights = np.asarray(dataset.variables[level][:], dtype=np.float64)
    units = text_attribute(dataset.variables[level], "units").lower()
    is_degrees = "degree" in text_attribute(dataset.variables[y], "units") or y in (
        "lat",
        "latitude",
    )
    latitudes = np.asarray(dataset.variables[y][:], dtype=np.float64)
    is_tenth = latitudes.size > 1 and abs(abs(latitudes[1] - latitudes[0]) - 0.1) < 1e-3
    # a store height of 0 without a unit, or metres; other units are no CAMS file
    is_heights = set(heights.tolist()) <= set(map(float, HEIGHTS)) and 0.0 in heights
    return bool(is_heights and is_tenth and is_degrees and units in ("", "1", "m", "metres"))


def all_levels_field(
    source: NetcdfSource,
) -> tuple[Field, NDArray[np.float64], NDArray[np.int64]] | None:
    """Locate European NO2 with its heights in a file; None where there is none.

    Returns
    -------
    tuple of Field, ndarray, ndarray
        The field, its heights [m] ascending, and the index of each in the file.

    Raises
    ------
    AprioriError
        If heights repeat or are no heights, or the file is damaged.
    """
    dataset = source.dataset()
    for name in (n for n in dataset.variables if n.lower() in ("no2", "no2_conc")):
        with damage_as_error(str(source)):
            if not is_all_levels(dataset, name):
                continue
            located = find_field(source, name)
            if located.level is not None and located.level in dataset.variables:
                heights = np.asarray(dataset.variables[located.level][:], dtype=np.float64)
                levels = height_levels(heights, f"{located.level} of {source}")
                return located, heights[levels.order], levels.order
    return None


def is_forecast(source: NetcdfSource) -> bool:
    """Tell whether a file says that it is a forecast (docs/formats.md 4.2)."""
    return _says(source.dataset(), "FORECAST")


def is_analysis(source: NetcdfSource) -> bool:
    """Tell whether a file says that it is an analysis (docs/formats.md 4.2)."""
    return _says(source.dataset(), "ANALYSIS")


def run_of(source: NetcdfSource) -> np.datetime64 | None:
    """Return the date of the run that a forecast or analysis names in words, or None.

    Layout: docs/formats.md 4.2.
    """
    dataset = source.dataset()
    long_name = getattr(dataset.variables.get("time"), "long_name", "")
    words = (getattr(dataset, key, "") for key in ("FORECAST", "ANALYSIS"))
    return base_date_in_words(long_name, *words)


def _says(dataset: netCDF4.Dataset, word: str) -> bool:
    time = dataset.variables.get("time")
    return hasattr(dataset, word) or word in str(getattr(time, "long_name", ""))
