"""Where the users' files are, one folder (or file) for each source; which they are; what they say.

Which files something was read from is told cheaply, by name, size and time of change: unlike the
SHA-256 of whole files that can be asked for every day of a year of weather. Copying a file without
its time makes another file of it; a folder that moves as a whole does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from dacno2_s5p.errors import ConfigurationError
from retrieval.errors import RetrievalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Identity = list[tuple[str, int, int]]

WORD = "synthetic"
"""What synthetic source files say of themselves; it is carried to every checkpoint."""


@dataclass(frozen=True)
class SourcePaths:
    """Folders of the sources; each may also be a single file.

    Attributes
    ----------
    era5, cams, eea, emissions, flights, grip4, geostat, viirs, merit, corine : Path
        By default the folder of that name.
    cams_forecast : Path
        The same, read with the group of inputs `cams` only.

    Examples
    --------
    >>> SourcePaths.in_folder(Path("data"), {"cams": Path("/disk/cams")}).era5.as_posix()
    'data/era5'
    """

    era5: Path
    cams: Path
    eea: Path
    emissions: Path
    flights: Path
    grip4: Path
    geostat: Path
    viirs: Path
    merit: Path
    corine: Path
    cams_forecast: Path

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the sources."""
        return tuple(f.name for f in fields(cls))

    @classmethod
    def in_folder(cls, folder: Path, others: Mapping[str, Path] | None = None) -> SourcePaths:
        """Take the folders of a workspace, some of them elsewhere.

        Raises
        ------
        ConfigurationError
            If a name is none of a source.
        """
        given = dict(others or {})
        unknown = sorted(set(given) - set(cls.names()))
        if unknown:
            msg = (
                f"Invalid source. It must be one of {', '.join(cls.names())}. Given "
                f"{', '.join(unknown)}. Write for example era5=/disk/era5."
            )
            raise ConfigurationError(msg)
        return cls(**{name: given.get(name, Path(folder) / name) for name in cls.names()})


def identity_of(paths: Iterable[Path]) -> Identity:
    """Return name, size and time of change [ns] of files, each once, sorted."""
    found = set()
    for path in paths:
        state = path.stat()
        found.add((path.name, state.st_size, state.st_mtime_ns))
    return sorted(found)


def files_below(path: Path) -> list[Path]:
    """Return a file itself, or all files of a folder and its folders but hidden ones."""
    if not path.is_dir():
        return [path]
    return [p for p in path.rglob("*") if p.is_file() and not p.name.startswith(".")]


def training_data_of(paths: SourcePaths) -> str:
    """Return `synthetic` if the first weather, target or inventory file says so, else `real`."""
    return WORD if any(any(_synthetic_texts(folder)) for folder in _telling(paths)) else "real"


def world_of(paths: SourcePaths) -> str:
    """Name the kind of twin world that the same files are of, as `world_named`; empty if none."""
    texts = (text for folder in _telling(paths) for text in _synthetic_texts(folder))
    return next((world for world in map(world_named, texts) if world), "")


def world_named(text: str) -> str:
    """Return the kind of twin world that a text names, whatever its seed; empty if none.

    Examples
    --------
    >>> world_named("synthetic twin world, version 2 with exact winds, seed 7")
    'twin world, version 2 with exact winds'
    >>> world_named("twin world, seed 7"), world_named("ERA5")
    ('twin world', '')
    """
    found = re.search(r"twin world(, version [^,;()]+)?", text)
    return found[0].strip() if found else ""


def _telling(paths: SourcePaths) -> tuple[Path, ...]:
    return (paths.era5, paths.cams, paths.emissions)


def _synthetic_texts(path: Path) -> list[str]:
    """Return what the first file of a folder says with the word in it; `source` comes first."""
    from retrieval.apriori.formats.containers import list_sources  # netCDF4 is slow to import

    try:
        source = list_sources(path)[0]
        dataset = source.dataset()
        names = sorted(dataset.ncattrs(), key=lambda name: name != "source")
        texts = [str(dataset.getncattr(name)) for name in names]
        source.close()
    except RetrievalError:
        return []
    return [text for text in texts if WORD in text.lower()]
