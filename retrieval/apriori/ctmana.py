"""TM5-MP analyses and forecasts, AUX_CTMANA and AUX_CTMFCT (docs/formats.md 3).

Flat files, one a day, 48 half hours, 34 layers surface first between the interfaces `hyai` [Pa],
`hybi`; `no2` as mole fraction, `t` [K], `ps` [Pa].
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from retrieval.apriori.file_set import FileSet, build_set, provenance
from retrieval.apriori.formats.units import Unit
from retrieval.apriori.locating import Request, locate
from retrieval.files.candidates import listed, newest
from retrieval.files.names import parse_ctm
from retrieval.physics.levels import Quantity
from retrieval.physics.time_rules import TimeRule

if TYPE_CHECKING:
    import netCDF4

    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.files.candidates import Mark

logger = logging.getLogger(__name__)


def is_ctmana(dataset: netCDF4.Dataset, variable: str = "no2") -> bool:
    """Tell whether a file has TM5-MP's interfaces, surface pressure, and a 4-D `variable`."""
    needed = {"hyai", "hybi", "ps", variable}
    return needed <= set(dataset.variables) and dataset.variables[variable].ndim == 4


PRODUCTS = ("AUX_CTMANA", "AUX_CTMFCT")
"""Analyses before forecasts."""


def rank(source: NetcdfSource) -> tuple[Mark, Mark]:
    """Rank files of one time: analyses before forecasts, later versions before earlier ones.

    Both are in the file's own name only (docs/formats.md 4); one renamed ranks nowhere.
    """
    name = parse_ctm(source.name)
    if name is None:
        return listed("product", "", PRODUCTS), newest("creation", "")
    created = int(name.created.astype(int))
    return listed("product", name.product, PRODUCTS), newest("creation", str(name.created), created)


def surface_altitude_name(dataset: netCDF4.Dataset) -> str | None:
    """Return the variable of the model orography [m], where there is one."""
    names = ("surface_altitude", "oro", "orography")
    return next(
        (n for n in names if n in dataset.variables and dataset.variables[n].ndim == 2), None
    )


KIND = "TM5-MP CTMANA"
PRIORITY = 20


def matches(source: NetcdfSource, variable: str) -> bool:
    """Tell whether a file has TM5-MP's hybrid interfaces, surface pressure and NO2."""
    return is_ctmana(source.dataset(), variable)


def open_set(sources: list[NetcdfSource], request: Request) -> FileSet:
    """Open one day or a folder of days, which make one time axis.

    An orbit at 23:45 or later uses the first field of the next day's file (docs/formats.md 3): it
    is the nearest one on the joined axis. Where analysis and forecast hold the same time, the
    analysis is used; of two versions the later.

    Raises
    ------
    AprioriError
        If a file is damaged or differs from the others in grid or layers.
    """
    candidates = []
    for source in sources:
        dataset = source.dataset()
        candidates.append(
            locate(
                source,
                "no2",
                request,
                unit=_unit(source, request),
                surface_altitude=surface_altitude_name(dataset),
                rank=rank(source),
            )
        )
    rule = TimeRule.NEAREST
    return build_set(KIND, candidates, rule, sources, provenance(sources[0]), around=request.around)


def _unit(source: NetcdfSource, request: Request) -> Unit:
    """Mole fraction where the file does not say its unit: that is what TM5-MP writes."""
    stored = source.dataset().variables["no2"]
    units = str(getattr(stored, "units", "")).strip()
    if units in ("", "1") or request.sidecar.text("unit"):
        logger.debug("%s: unit %r of no2 is read as mol mol-1", source, units)
        return Unit(units or "mol mol-1", Quantity.MOLE_FRACTION, 1.0)
    return request.unit(source, "no2")
