"""Open an a-priori set of whatever kind: `open_apriori(path)`.

A kind of set is one module of this package with `KIND`, `PRIORITY`, `matches(source, variable)`
and `open_set(sources, request)`; modules are found by looking, nothing else needs to change.
Optional: `claims(name)`, for kinds whose file names save opening hundreds of files: True for
this kind, False for a file that is none of NO2, None to let the content decide; `TAKES_TOML = True`
for kinds that read what a TOML says of names and levels, as the last, generic one does.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

import retrieval.apriori as package
from retrieval.apriori.formats.containers import (
    NetcdfSource,
    damage_as_error,
    holds,
    list_sources,
)
from retrieval.apriori.formats.names import parse_cams_europe
from retrieval.apriori.locating import Request, find_no2
from retrieval.apriori.sidecar import find_sidecar
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    import xarray as xr

    from retrieval.apriori.base import AprioriSet

logger = logging.getLogger(__name__)


class Reader(Protocol):
    """What a module of this package must have to be a kind of set."""

    KIND: str
    PRIORITY: int

    def matches(self, source: NetcdfSource, variable: str) -> bool:
        """Tell whether a file with the NO2 variable is of this kind."""

    def open_set(self, sources: list[NetcdfSource], request: Request) -> AprioriSet:
        """Open the set of these files."""


@cache
def readers() -> tuple[Reader, ...]:
    """Return the modules that are kinds of sets, the most particular first."""
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    found = [cast("Reader", m) for m in modules if hasattr(m, "KIND") and hasattr(m, "open_set")]
    return tuple(sorted(found, key=lambda reader: reader.PRIORITY))


def open_apriori(path: Path | str | xr.Dataset, time: np.datetime64 | None = None) -> AprioriSet:
    """Open a file, a folder of files, a ZIP archive, or a Dataset as an a-priori set.

    Only coordinates are read. What the set is, its content says; a TOML beside it may say what
    its files do not (`sidecar`). Of a Dataset, in memory or lazy as `xarray.open_mfdataset` makes
    it, only the blocks that an orbit needs are computed.

    Parameters
    ----------
    path : Path or xarray.Dataset
    time : datetime64, optional
        The time the set is wanted for (an orbit's). Files named for other dates are then left
        closed, and where files differ in grid those of this time are used.

    Returns
    -------
    AprioriSet
        To be closed after use.

    Raises
    ------
    AprioriError
        In one line: what the input looked like, and what is accepted.
    """
    if time is not None:
        time = time.astype("datetime64[ms]")
    if not isinstance(path, (str, Path)):
        return _open_dataset(path, time)
    path = Path(path)
    request = Request(find_sidecar(path), time)
    opened = _open_sources(path, list_sources(path, time), request)
    if holds(opened.times, time):
        return opened
    everything = list_sources(path)
    if len(everything) == len(list_sources(path, time)):
        return opened
    opened.close()
    return _open_sources(path, everything, request)


def _open_sources(path: Path, sources: list[NetcdfSource], request: Request) -> AprioriSet:
    try:
        with damage_as_error(str(path)):
            return _open(path, sources, request)
    except BaseException:
        for source in sources:
            source.close()
        raise


def _open_dataset(dataset: xr.Dataset, around: np.datetime64 | None) -> AprioriSet:
    from retrieval.apriori.in_memory import SIDECAR, MemorySource  # only where one is given

    if not hasattr(dataset, "data_vars"):
        msg = (
            "Invalid a-priori set. It must be a path or an xarray.Dataset with coordinates. Given "
            f"{type(dataset).__name__}. Of a DataArray make one with .to_dataset()."
        )
        raise AprioriError(msg)
    source = MemorySource.of(dataset)
    opened = _open(source.path, [source], Request(SIDECAR, around))
    opened.files = []
    return opened


def _open(path: Path, sources: list[NetcdfSource], request: Request) -> AprioriSet:
    kinds: dict[str, list[NetcdfSource]] = {}
    by_name = {reader.KIND: reader for reader in readers()}
    for source in sources:
        reader = _kind_of(source, request)
        if reader is not None:
            kinds.setdefault(reader.KIND, []).append(source)
    if not kinds:
        raise AprioriError(_nothing_message(path, sources, request))
    if len(kinds) > 1:
        shown = " and ".join(f"{kind} ({files[0].name})" for kind, files in kinds.items())
        msg = (
            f"Invalid a-priori set {path}. A folder must hold one kind of set. Given {shown}. Put "
            "them in folders of their own."
        )
        raise AprioriError(msg)
    ((kind, files),) = kinds.items()
    logger.debug("%s: %s, %d file(s)", path, kind, len(files))
    return by_name[kind].open_set(files, request)


def _kind_of(source: NetcdfSource, request: Request) -> Reader | None:
    """Return the reader for one file; None for files without NO2."""
    is_layout_given = request.sidecar.describes_layout
    if not is_layout_given:
        for reader in readers():
            claim = reader.claims(source.name) if hasattr(reader, "claims") else None
            if claim is not None:
                return reader if claim else None
    variable = find_no2(source.dataset(), request.sidecar.text("variable"))
    if variable is None:
        logger.info("%s holds no NO2 field and is passed over", source)
        return None
    candidates = [
        r for r in readers() if not is_layout_given or getattr(r, "TAKES_TOML", r is readers()[-1])
    ]
    return next((r for r in candidates if r.matches(source, variable)), None)


def _nothing_message(path: Path, sources: list[NetcdfSource], request: Request) -> str:
    given = request.sidecar.text("variable")
    if given:
        return (
            f"Invalid a-priori set {path}. It must hold the variable {given!r} of "
            f"{request.sidecar.path}. Given {_contents(sources[0])}. Correct the TOML."
        )
    if "PRODUCT" in sources[0].dataset().groups:
        return (
            f"Invalid a-priori set {path}. It must be a model field of NO2. Given an orbit (group "
            "PRODUCT). Orbits are the arguments of reretrieve, not -a."
        )
    kinds = ", ".join(reader.KIND for reader in readers())
    return (
        f"Invalid a-priori set {path}. It must hold NO2 as one of: {kinds}. Given "
        f"{_contents(sources[0])}. Choose another file, or name the variable in a TOML beside it."
    )


def _contents(source: NetcdfSource) -> str:
    if parse_cams_europe(source.name) is not None and not source.was_opened:
        return f"{source.name}, another species"
    names = list(source.dataset().variables)
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"{source.name} with {shown or 'no variables'}"
