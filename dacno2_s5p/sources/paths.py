"""Where the users' files are, one folder (or file) for each source; which they are; what they say.

Which files something was read from is told cheaply, by name, size and time of change: unlike the
SHA-256 of whole files that can be asked for every day of a year of weather. Copying a file without
its time makes another file of it; a folder that moves as a whole does not.
"""

from __future__ import annotations

import logging
import re
import zipfile
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from dacno2_s5p.errors import ConfigurationError, DataError
from retrieval.errors import RetrievalError
from retrieval.files.hdf5_safety import refuse_unsafe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Identity = list[tuple[str, int, int]]

logger = logging.getLogger(__name__)

WORD = "synthetic"
"""What synthetic source files say of themselves; it is carried to every checkpoint."""

PEEK_BYTES = 1 << 20
"""Of a member of an archive that is looked at for the word: attributes of a file come first."""


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
    """Return `synthetic` if weather, target or inventory files say so, else `real`.

    All files are asked. Where one source is synthetic and another real that is told.

    Raises
    ------
    DataError
        If some files of a source say that they are synthetic and others do not.
    """
    found = {name: _kind_of(name, folder) for name, folder in _telling(paths).items()}
    synthetic, real = ([n for n, kind in found.items() if kind == k] for k in (WORD, "real"))
    if synthetic and real:
        logger.warning(
            "%s: the files say that they are synthetic, those of %s do not. All counts as "
            "synthetic.",
            ", ".join(synthetic),
            ", ".join(real),
        )
    return WORD if synthetic else "real"


def _kind_of(name: str, path: Path) -> str:
    """Return what all files of a source are; empty without any."""
    by_kind: dict[bool, Path] = {}
    for file in _data_files(path):
        state = file.stat()
        said = _says_synthetic(file, state.st_size, state.st_mtime_ns)
        if said is not None:
            by_kind.setdefault(said, file)
    if len(by_kind) == 2:
        msg = (
            f"Invalid files of {name}, {path}. All must be synthetic, or none. Given "
            f"{by_kind[True].name}, which says that it is, and {by_kind[False].name}, which does "
            "not. Put those of one kind elsewhere."
        )
        raise DataError(msg)
    return {True: WORD, False: "real"}[next(iter(by_kind))] if by_kind else ""


def _data_files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(p for p in path.iterdir() if p.is_file() and not p.name.startswith("."))
    return [path] if path.is_file() else []


@lru_cache(maxsize=65_536)
def _says_synthetic(path: Path, _size: int, _mtime: int) -> bool | None:
    """Say whether a file, or a member of an archive, says that it is synthetic; None if it cannot.

    Of members the first part is looked at, where netCDF keeps its attributes: they are not
    unpacked. GRIB has no words, and damaged files are refused where they are read.
    """
    import netCDF4  # slow to import

    from retrieval.apriori.formats.containers import FileKind, sniff

    try:
        kind = sniff(path)
        if kind is FileKind.ZIP:
            return _archive_says_synthetic(path)
        if kind not in (FileKind.HDF5, FileKind.CLASSIC):
            return None
        refuse_unsafe(path, DataError)
        with netCDF4.Dataset(path) as dataset:
            texts = [str(dataset.getncattr(name)) for name in dataset.ncattrs()]
    except (OSError, RuntimeError, AttributeError, RetrievalError, zipfile.BadZipFile):
        return None
    return any(WORD in text.lower() for text in texts)


def _archive_says_synthetic(path: Path) -> bool | None:
    said = []
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.is_dir():
                with archive.open(member) as stream:
                    said.append(WORD.encode() in stream.read(PEEK_BYTES).lower())
    return any(said) if said else None


def world_of(paths: SourcePaths) -> str:
    """Name the kind of twin world that the same files are of, as `world_named`; empty if none."""
    texts = (text for folder in _telling(paths).values() for text in _synthetic_texts(folder))
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


def _telling(paths: SourcePaths) -> dict[str, Path]:
    return {"era5": paths.era5, "cams": paths.cams, "emissions": paths.emissions}


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
