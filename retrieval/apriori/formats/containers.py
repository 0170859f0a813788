"""Files as they come: netCDF of either family, ZIP under any extension, folders, GRIB.

What a file is, its first bytes say (docs/formats.md 5.1), never its name. Damaged files end here,
as an `AprioriError` of one line. GRIB is unpacked to netCDF where the extra is installed.
"""

from __future__ import annotations

import contextlib
import logging
import weakref
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import netCDF4
import numpy as np

from retrieval.apriori.formats.classic import ClassicHeaderError, expected_size
from retrieval.apriori.formats.grib import GribFile, hint, is_available
from retrieval.apriori.formats.names import is_near
from retrieval.errors import AprioriError
from retrieval.files.archives import Archive
from retrieval.files.damage import CONTENT_ERRORS, describe_fault
from retrieval.files.hdf5_safety import refuse_unsafe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

NEAR_DAYS = 2
"""Files whose names give dates farther than this from the wanted time are not opened."""

_FEW_FILES = 4

MAX_OPEN_FILES = 128
"""More files than this are not held open: a year of daily files must not use up descriptors."""


class FileKind(StrEnum):
    """What the first bytes of a file say it is."""

    ZIP = "ZIP archive"
    CLASSIC = "classic netCDF"
    HDF5 = "netCDF-4/HDF5"
    GRIB = "GRIB"
    UNKNOWN = "unknown"


_MAGIC = (
    (b"PK\x03\x04", FileKind.ZIP),
    (b"PK\x05\x06", FileKind.ZIP),
    (b"CDF", FileKind.CLASSIC),
    (b"\x89HDF\r\n\x1a\n", FileKind.HDF5),
    (b"GRIB", FileKind.GRIB),
)


def sniff(path: Path) -> FileKind:
    """Tell the kind of a file from its first bytes.

    Raises
    ------
    AprioriError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        msg = (
            f"Invalid input {path}. The file must be readable. "
            f"Given: {error.strerror or error}. Check the path and its permissions."
        )
        raise AprioriError(msg) from error
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), FileKind.UNKNOWN)


@dataclass
class NetcdfSource:
    """One netCDF or GRIB file, alone or inside an archive, opened when first asked for.

    Attributes
    ----------
    path : Path
        The file as the user knows it: the archive, for a member of one.
    name : str
        File name that layouts may speak through (CAMS levels): the member's, in an archive.
    """

    path: Path
    name: str
    archive: Archive | None = None
    member: str = ""
    _dataset: netCDF4.Dataset | None = field(default=None, repr=False)
    _was_opened: bool = field(default=False, repr=False)
    _grib: GribFile | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return str(self.path) if self.archive is None else f"{self.path}:{self.member}"

    @property
    def was_opened(self) -> bool:
        """True once the file was looked into."""
        return self._was_opened

    def dataset(self) -> netCDF4.Dataset:
        """Return the open file, automatic masking off.

        Raises
        ------
        AprioriError
            If it is damaged, cut short, or neither netCDF nor GRIB that can be read.
        """
        if self._dataset is None:
            path = self.path if self.archive is None else self.archive.extract(self.member)
            self._dataset = self._open(path)
            self._was_opened = True
        _OPEN.pop(id(self), None)
        _OPEN[id(self)] = self
        if len(_OPEN) > MAX_OPEN_FILES:
            next(iter(_OPEN.values())).close()
        return self._dataset

    def _open(self, path: Path) -> netCDF4.Dataset:
        kind = sniff(path)
        if kind is FileKind.GRIB:
            self._grib = self._grib or GribFile(path, str(self))
            path = self._grib.unpacked()
        if kind is FileKind.CLASSIC:
            _check_length(path, str(self))
        refuse_unsafe(path, AprioriError)
        with damage_as_error(str(self)):
            dataset = netCDF4.Dataset(path)
            dataset.set_auto_maskandscale(False)
        return dataset

    def close(self) -> None:
        """Close the file; `dataset` opens it again."""
        _OPEN.pop(id(self), None)
        if self._dataset is not None and self._dataset.isopen():
            self._dataset.close()
        self._dataset = None


_OPEN: weakref.WeakValueDictionary[int, NetcdfSource] = weakref.WeakValueDictionary()
"""Sources with an open file, the least recently used first."""


def list_sources(path: Path | str, around: np.datetime64 | None = None) -> list[NetcdfSource]:
    """List the netCDF files behind a file, a folder of files, or a ZIP archive.

    Folders are not searched below their first level; files of other kinds in them are passed over,
    and GRIB where there is netCDF, too.

    Parameters
    ----------
    path : Path
        A netCDF file, a ZIP archive with any extension, or a folder with either.
    around : datetime64, optional
        Leave out files whose names give only dates farther than `NEAR_DAYS` from this time,
        unless that would leave none.

    Returns
    -------
    list of NetcdfSource
        Sorted by name, not yet opened.

    Raises
    ------
    AprioriError
        If the path does not exist, is GRIB that cannot be read or no netCDF at all, or the folder
        has none.
    """
    sources = _all_sources(Path(path))
    if around is None or len(sources) <= _FEW_FILES:
        return sources
    return [source for source in sources if is_near(source.name, around, NEAR_DAYS)] or sources


REACH = np.timedelta64(3, "h")
"""A set whose nearest field is farther than this from the wanted time may be in files whose names
tell another time than their content."""


def holds(times: NDArray[np.datetime64], around: np.datetime64 | None) -> bool:
    """Tell whether a wanted time lies among times, or within `REACH` of them.

    Where it does not, files that were left closed for their names are looked into.
    """
    if around is None or times.size == 0:
        return True
    return bool(times.min() - REACH <= around <= times.max() + REACH)


def _all_sources(path: Path) -> list[NetcdfSource]:
    if path.is_dir():
        return _folder_sources(path)
    if not path.exists():
        msg = (
            f"Invalid path {path}. It must be a file or a folder. Given a path that does "
            "not exist. Check the path."
        )
        raise AprioriError(msg)
    kind = sniff(path)
    if kind is FileKind.GRIB and not is_available():
        raise AprioriError(hint(str(path)))
    if kind is FileKind.UNKNOWN:
        msg = (
            f"Invalid file {path}. It must be netCDF or a ZIP archive of netCDF files. Given a "
            "file whose first bytes are neither. Check that the download is complete."
        )
        raise AprioriError(msg)
    sources = _file_sources(path, kind)
    if not sources:
        msg = (
            f"Invalid archive {path}. It must hold netCDF files. Given an archive with none. "
            "Check what was requested from the data store."
        )
        raise AprioriError(msg)
    return sources


def _folder_sources(folder: Path) -> list[NetcdfSource]:
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    kinds = {file: sniff(file) for file in files}
    grib = [file for file, kind in kinds.items() if kind is FileKind.GRIB]
    netcdf = {file: kind for file, kind in kinds.items() if kind is not FileKind.GRIB}
    sources = [s for file, kind in netcdf.items() for s in _file_sources(file, kind)]
    if not sources and grib and not is_available():
        raise AprioriError(hint(str(grib[0])))
    # beside netCDF, GRIB is most often the same fields again
    sources = sources or [s for file in grib for s in _file_sources(file, FileKind.GRIB)]
    if sources:
        return sources
    msg = (
        f"Invalid folder {folder}. It must hold netCDF files or ZIP archives of them. Given "
        f"{len(files)} file(s), none of either kind. Put the set's files directly into the folder."
    )
    raise AprioriError(msg)


def _file_sources(path: Path, kind: FileKind) -> list[NetcdfSource]:
    if kind in (FileKind.CLASSIC, FileKind.HDF5, FileKind.GRIB):
        return [NetcdfSource(path, path.name)]
    if kind is not FileKind.ZIP:
        return []
    archive = Archive(path)
    return [
        NetcdfSource(path, PurePosixPath(member).name, archive, member)
        for member in archive.data_members()
    ]


@contextlib.contextmanager
def damage_as_error(where: str) -> Iterator[None]:
    """Turn what the netCDF, HDF5 and ZIP libraries raise on damaged data into `AprioriError`."""
    try:
        yield
    except CONTENT_ERRORS as error:
        msg = (
            f"Damaged file {where}. It must be readable to its end with valid checksums, and its "
            "variables, dimensions and attributes must fit each other. "
            f"Given: {describe_fault(error)}. Download it again."
        )
        raise AprioriError(msg) from error


def _check_length(path: Path, where: str) -> None:
    actual = path.stat().st_size
    try:
        with path.open("rb") as file:
            wanted = expected_size(file)
    except ClassicHeaderError as error:
        reason = f"a header that cannot be read ({error})"
    else:
        if actual >= wanted:
            return
        reason = f"{actual} bytes where the header asks for {wanted}"
    msg = (
        f"Damaged file {where}. A classic netCDF file must be as long as its header says. "
        f"Given {reason}. Download it again."
    )
    raise AprioriError(msg)
