"""Whether source files say that they are synthetic; the word is carried to every checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.apriori.formats.containers import list_sources
from retrieval.errors import RetrievalError

if TYPE_CHECKING:
    from pathlib import Path

    from dacno2_s5p.sources.paths import SourcePaths

WORD = "synthetic"


def training_data_of(paths: SourcePaths) -> str:
    """Return `synthetic` if the first weather, target or inventory file says so, else `real`."""
    folders = (paths.era5, paths.cams, paths.emissions)
    return WORD if any(_says_synthetic(folder) for folder in folders) else "real"


def _says_synthetic(path: Path) -> bool:
    try:
        source = list_sources(path)[0]
        dataset = source.dataset()
        texts = [str(dataset.getncattr(name)) for name in dataset.ncattrs()]
        source.close()
    except RetrievalError:
        return False
    return any(WORD in text.lower() for text in texts)
