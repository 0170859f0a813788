"""CAMS European air-quality reanalyses, forecasts and analyses (docs/formats.md 4.1, 4.2)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori import cams_europe_layout as layout
from retrieval.apriori.file_set import (
    Candidate,
    FileSet,
    Slab,
    build_set,
    provenance,
    same_grid,
)
from retrieval.apriori.formats.levels import height_levels
from retrieval.apriori.formats.names import parse_cams_europe
from retrieval.apriori.generic import no2_of
from retrieval.apriori.locating import Request, check_column_unit, locate
from retrieval.errors import AprioriError
from retrieval.files.candidates import listed, newest
from retrieval.physics.levels import HeightLevels
from retrieval.physics.time_rules import TimeRule

if TYPE_CHECKING:
    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.apriori.formats.field import Field

KIND = "CAMS European"
PRIORITY = 30


def matches(source: NetcdfSource, variable: str) -> bool:
    """Tell whether a file is a per-level month, or European NO2 with its heights."""
    if source.dataset().variables[variable].ndim == 3:
        return parse_cams_europe(source.name) is not None
    return layout.is_all_levels(source.dataset(), variable)


def claims(name: str) -> bool | None:
    """Tell per-level months by name; their content is checked when they are read."""
    parsed = parse_cams_europe(name)
    return None if parsed is None else parsed.species == "no2"


def open_set(sources: list[NetcdfSource], request: Request) -> FileSet:
    """Open months of per-level files, or files with all levels; reads coordinates only.

    Where the months lie on both grids of the reanalysis (421 x 701 to 2019, 420 x 700 since),
    `request.around` tells which to use.

    Raises
    ------
    AprioriError
        If models, grids or levels are mixed, or a file is damaged.
    """
    per_level = [s for s in sources if parse_cams_europe(s.name) is not None]
    whole = [s for s in sources if parse_cams_europe(s.name) is None]
    if per_level and whole:
        msg = (
            f"Invalid CAMS European set {sources[0].path.parent}. Reanalysis months and files with "
            f"all levels must not be mixed. Given {per_level[0].name} and {whole[0].name}. Put "
            "them in folders of their own."
        )
        raise AprioriError(msg)
    opened = _open_months(per_level, request) if per_level else _open_whole(whole, request)
    if isinstance(opened.vertical, HeightLevels):
        paths = {source.path for source in sources}
        where = paths.pop() if len(paths) == 1 else sources[0].path.parent
        layout.warn_of_missing_heights(str(where), opened.vertical.height.tolist())
    return opened


def _open_months(sources: list[NetcdfSource], request: Request) -> FileSet:
    months = layout.months_of(sources)
    if request.around is not None:
        near = request.around.astype("datetime64[M]")
        months = [m for m in months if abs((m.month - near).astype(int)) <= 1] or months
    candidates = [_month_candidate(month, request) for month in months]
    used = [s for month in months for s in month.sources]
    name = parse_cams_europe(used[0].name)
    attributes = provenance(used[0])
    if name is not None:
        attributes["model"] = name.model
    kind = f"{KIND} reanalysis"
    rule = TimeRule.OVERPASS_MEAN
    return build_set(kind, candidates, rule, used, attributes, around=request.around)


def _month_candidate(month: layout.Month, request: Request) -> Candidate:
    names = request.sidecar.names
    lowest = layout.level_field(month.sources[0], month.month, names)
    unit = request.unit(month.sources[0], lowest.name)
    check_column_unit(lowest, unit, is_layers=False)
    heights = np.array(month.levels, dtype=np.float64)
    levels = height_levels(heights, f"of the files of {month.month}")

    @cache
    def fields() -> list[Field]:
        others = [layout.level_field(s, month.month, names) for s in month.sources[1:]]
        for other in others:
            _check_same(lowest, other, request)
        return [lowest, *others]

    paths = tuple(source.path for source in month.sources)
    slab = Slab(fields, lowest.times, levels.order, unit, paths)
    return Candidate(slab, lowest, HeightLevels(heights))


def _check_same(lowest: Field, other: Field, request: Request) -> None:
    """Levels of a month must agree in grid, times and unit before they are stacked."""
    reasons = []
    if not same_grid(lowest, other):
        reasons.append(f"grids of {lowest.cells.shape} and {other.cells.shape} cells")
    if not np.array_equal(lowest.times, other.times):
        reasons.append("different times")
    if request.unit(lowest.source, lowest.name) != request.unit(other.source, other.name):
        reasons.append("different units")
    if reasons:
        msg = (
            f"Invalid CAMS European reanalysis. All levels of a month must share one grid, one "
            f"time axis and one unit. Given {', '.join(reasons)} in {lowest.source.name} and "
            f"{other.source.name}. Request all levels in one go."
        )
        raise AprioriError(msg)


def _open_whole(sources: list[NetcdfSource], request: Request) -> FileSet:
    candidates = [_whole_candidate(source, request) for source in sources]
    is_analysis = [layout.is_analysis(source) for source in sources]
    kind = f"{KIND} analysis" if all(is_analysis) else f"{KIND} forecast"
    if not any(layout.is_forecast(s) for s in sources) and not any(is_analysis):
        kind = KIND
    return build_set(
        kind,
        candidates,
        TimeRule.OVERPASS_MEAN,
        sources,
        provenance(sources[0]),
        around=request.around,
    )


def _whole_candidate(source: NetcdfSource, request: Request) -> Candidate:
    variable = no2_of(source, request)
    level = next(
        (
            d
            for d in source.dataset().variables[variable].dimensions
            if d in ("level", "lev", "height")
        ),
        None,
    )
    levels = None
    if level is not None and level in source.dataset().variables:
        heights = np.asarray(source.dataset().variables[level][:], dtype=np.float64)
        levels = height_levels(heights, f"{level} of {source}")
    located = locate(source, variable, request, levels=levels)
    # analyses before forecasts, of forecasts the later run first
    run = layout.run_of(source)
    if run is None:
        run = min(located.slab.times, default=np.datetime64(0, "ms"))
    product = "analysis" if layout.is_analysis(source) else "forecast"
    marks = (
        listed("product", product, ("analysis", "forecast")),
        newest("run", str(run), int(run.astype(int))),
    )
    return replace(located, rank=marks)
