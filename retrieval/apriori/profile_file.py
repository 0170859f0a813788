"""The project's own profile file (docs/formats.md 6): NO2 at heights, projected or lat/lon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.apriori.formats.profile_file import is_profile_file
from retrieval.apriori.generic import open_files

if TYPE_CHECKING:
    from retrieval.apriori.file_set import FileSet
    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.apriori.locating import Request

KIND = "profile file"
PRIORITY = 10


def matches(source: NetcdfSource, variable: str) -> bool:
    """Tell whether a file has the layout of docs/formats.md 6."""
    return is_profile_file(source.dataset(), variable)


def open_set(sources: list[NetcdfSource], request: Request) -> FileSet:
    """Open a profile file or a folder of daily ones; one field a day or hourly ones.

    Raises
    ------
    AprioriError
        If a file is damaged or differs from the others in grid or heights.
    """
    return open_files(KIND, sources, request)
