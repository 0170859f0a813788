"""CAMS global forecasts and the EAC4 reanalysis, on pressure or model levels.

Layout: docs/formats.md 4.3.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.file_set import Candidate, FileSet, build_set, provenance
from retrieval.apriori.formats import cams_global as layout
from retrieval.apriori.formats.coordinates import text_attribute
from retrieval.apriori.formats.levels import Levels, model_levels
from retrieval.apriori.generic import no2_of
from retrieval.apriori.locating import Request, locate
from retrieval.physics.time_rules import TimeRule

if TYPE_CHECKING:
    from retrieval.apriori.formats.containers import NetcdfSource

KIND = "CAMS global"
PRIORITY = 40


def matches(source: NetcdfSource, variable: str) -> bool:
    """Tell whether a file has NO2 in kg kg-1 on pressure or model levels."""
    return layout.is_cams_global(source.dataset(), variable)


def open_set(sources: list[NetcdfSource], request: Request) -> FileSet:
    """Open a file, an archive or a folder of files; reads coordinates only.

    Model levels get the coefficients of L60 or L137, told by the number of the lowest level, and
    must be contiguous from the surface up. Of several runs with one valid time the shortest lead
    is used.

    Raises
    ------
    AprioriError
        If levels have gaps, files differ in grid or levels, or a file is damaged.
    """
    candidates = [_candidate(source, request) for source in sources]
    attributes = provenance(sources[0])
    rule = TimeRule.LINEAR
    return build_set(KIND, candidates, rule, sources, attributes, around=request.around)


def _candidate(source: NetcdfSource, request: Request) -> Candidate:
    variable = no2_of(source, request)
    located = locate(source, variable, request, levels=_model_levels(source, variable))
    times = located.slab.times
    # the later run first: its lead is the shorter one
    return replace(located, rank=(-int(times[0].astype(int)) if times.size else 0,))


def _model_levels(source: NetcdfSource, variable: str) -> Levels | None:
    """Layers of model levels; None for levels that speak for themselves."""
    dataset = source.dataset()
    dimension = layout.level_dimension(dataset, variable)
    if dimension is None or layout.level_kind(dataset, dimension) != "model_level":
        return None
    if text_attribute(dataset.variables[dimension], "bounds"):
        return None  # with the coefficients of their own
    numbers = np.asarray(dataset.variables[dimension][:], dtype=np.float64)
    return model_levels(numbers, f"{dimension} of {source}")
