"""Any CF file with NO2 on heights, hybrid layers or pressure levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.apriori.described import as_described
from retrieval.apriori.file_set import FileSet, build_set, provenance
from retrieval.apriori.locating import Request, find_no2, locate
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from retrieval.apriori.formats.containers import NetcdfSource

KIND = "CF field"
PRIORITY = 100
"""Kinds with layouts of their own are tried first."""


def matches(source: NetcdfSource, variable: str) -> bool:  # noqa: ARG001
    """Tell whether a file may be read as this kind: any that has NO2."""
    return True


def open_set(sources: list[NetcdfSource], request: Request) -> FileSet:
    """Open the set; reads coordinates only.

    Raises
    ------
    AprioriError
        If axes, levels, times or unit cannot be understood, or files differ.
    """
    return open_files(KIND, sources, request)


def open_files(kind: str, sources: list[NetcdfSource], request: Request) -> FileSet:
    """Open files that each hold every level, under the name of a kind."""
    sources = [as_described(source, request.sidecar) for source in sources]
    candidates = [locate(source, no2_of(source, request), request) for source in sources]
    attributes = provenance(sources[0])
    if request.sidecar.text("title"):
        attributes["title"] = request.sidecar.text("title")
    opened = build_set(kind, candidates, None, sources, attributes, around=request.around)
    opened.is_synthetic |= bool(request.sidecar.keys.get("synthetic", False))
    return opened


def no2_of(source: NetcdfSource, request: Request) -> str:
    """Return the NO2 variable of a file that must have one."""
    given = request.sidecar.text("variable")
    variable = find_no2(source.dataset(), given)
    if variable is None:
        shown = ", ".join(list(source.dataset().variables)[:8]) or "no variables"
        msg = (
            f"Invalid a-priori file {source}. It must hold "
            f"{f'the variable {given!r} of the TOML' if given else 'NO2'}. Given {shown}. "
            "Name the variable in a TOML beside the file."
        )
        raise AprioriError(msg)
    return variable
