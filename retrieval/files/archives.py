"""ZIP archives, whatever they are called: unpacked safely, one member at a time, when needed."""

from __future__ import annotations

import contextlib
import shutil
import zipfile
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, NamedTuple

from retrieval.errors import AprioriError, ProductError
from retrieval.files.damage import CONTENT_ERRORS, describe_fault
from retrieval.files.owners import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retrieval.errors import RetrievalError

MAX_ARCHIVE_BYTES = 64 * 2**30
"""Archives that would unpack to more are refused: a year of CAMS months is below this."""

MAX_ARCHIVE_MEMBERS = 10_000
"""Archives with more members are refused."""

MAX_INFLATION = 200
"""Members that grow by more than this are refused when they are large: compression bombs reach a
thousand, classic netCDF with many fills some tens."""

LARGE_MEMBER_BYTES = 2**30
"""Members below this may grow by any factor."""

MEMBER_ENDINGS = (".nc", ".nc4", ".cdf", ".h5", ".he5", ".grib", ".grib2", ".grb", ".grb2", "")
"""What members of an archive may end in to be data."""

ARCHIVES_KEPT = 2
"""Unpacked orbits that a process keeps at once: each may take half a gigabyte."""

_kept: OrderedDict[tuple[Path, int, int], Content] = OrderedDict()


@dataclass
class Archive:
    """A ZIP file whose members are unpacked one by one, when needed, to a temporary folder.

    Attributes
    ----------
    path : Path
    error : type
        What is raised of it.
    """

    path: Path
    error: type[RetrievalError] = AprioriError
    _folder: Path | None = field(default=None, repr=False)
    _unpacked: dict[str, Path] = field(default_factory=dict, repr=False)

    def members(self) -> list[str]:
        """Return the names of the files inside, checked.

        Raises
        ------
        RetrievalError
            Of the class `error`: if the archive is damaged, too large, or a name would leave the
            target folder.
        """
        with self._opened() as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
        total = sum(info.file_size for info in infos)
        if len(infos) > MAX_ARCHIVE_MEMBERS or total > MAX_ARCHIVE_BYTES:
            msg = (
                f"Invalid archive {self.path}. It may hold at most {MAX_ARCHIVE_MEMBERS} files and "
                f"{MAX_ARCHIVE_BYTES / 2**30:.0f} GiB. Given {len(infos)} files and "
                f"{total / 2**30:.1f} GiB. Unpack it yourself and give the folder."
            )
            raise self.error(msg)
        for info in infos:
            self._check_name(info.filename)
            self._check_inflation(info)
        return [info.filename for info in infos]

    def data_members(self) -> list[str]:
        """Return the names of the members that may be data, sorted."""
        return [
            member
            for member in sorted(self.members())
            if not PurePosixPath(member).name.startswith(".")
            and PurePosixPath(member).suffix.lower() in MEMBER_ENDINGS
        ]

    def extract(self, member: str) -> Path:
        """Unpack one member and return its path; the folder goes with this object."""
        self._check_name(member)
        if self._folder is None:
            self._folder = scratch_folder(self)
        if member not in self._unpacked:
            # a number of ours: no name from an archive ever becomes a path
            target = self._folder / f"{len(self._unpacked)}.nc"
            self._unpack(member, target)
            self._unpacked[member] = target
        return self._unpacked[member]

    def _unpack(self, member: str, target: Path) -> None:
        with self._opened() as archive:
            size = archive.getinfo(member).file_size
            free = shutil.disk_usage(target.parent).free
            if size > free:
                msg = (
                    f"Invalid archive {self.path}. Its members must fit the temporary folder. "
                    f"Given {member} of {size} bytes, {free} bytes free. Set TMPDIR elsewhere."
                )
                raise self.error(msg)
            try:
                # a member may be longer than the directory of the archive says
                with archive.open(member) as packed, target.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked, 2**20)
            except BaseException:
                target.unlink(missing_ok=True)
                raise

    @contextlib.contextmanager
    def _opened(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except CONTENT_ERRORS as error:
            msg = (
                f"Damaged file {self.path}. It must be a whole ZIP archive with valid checksums. "
                f"Given: {describe_fault(error)}. Download it again."
            )
            raise self.error(msg) from error

    def _check_inflation(self, info: zipfile.ZipInfo) -> None:
        growth = info.file_size / max(info.compress_size, 1)
        if info.file_size > LARGE_MEMBER_BYTES and growth > MAX_INFLATION:
            msg = (
                f"Invalid archive {self.path}. A large member may grow at most {MAX_INFLATION} "
                f"times. Given {info.filename!r} of {info.compress_size} bytes, which would become "
                f"{info.file_size}. Do not use this archive."
            )
            raise self.error(msg)

    def _check_name(self, name: str) -> None:
        posix, windows = PurePosixPath(name), PureWindowsPath(name)
        is_unsafe = posix.is_absolute() or windows.drive or windows.is_absolute()
        if is_unsafe or ".." in posix.parts or ".." in windows.parts or not name:
            msg = (
                f"Invalid archive {self.path}. Its members must stay inside the folder they are "
                f"unpacked to. Given member {name!r}. Do not use this archive."
            )
            raise self.error(msg)


def is_zip(path: Path) -> bool:
    """Tell whether the first bytes of a file are those of a ZIP archive."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def orbit_members(path: Path) -> list[str]:
    """Return the names of the files in an archive that may be orbits.

    Raises
    ------
    ProductError
        If the archive is damaged, too large or unsafe.
    """
    members = Archive(path, ProductError).data_members()
    # beside the orbit there may be a manifest or a licence, which need no ending
    return [m for m in members if PurePosixPath(m).suffix] or members


class Content(NamedTuple):
    """The file to read for an orbit; what was unpacked stays at least as long as this."""

    path: Path
    archive: Archive | None = None


def orbit_content(path: Path) -> Content:
    """Return the file to read for an orbit: itself, or unpacked, the one inside a ZIP archive.

    The data space delivers an orbit as a ZIP with one folder and one netCDF file in it, under the
    name of either. What is unpacked stays for the next call, and goes with the process.

    Raises
    ------
    ProductError
        If the archive is damaged, unsafe, or does not hold one file of data.
    """
    if not is_zip(path):
        return Content(path)
    state = path.stat()
    key = (path.absolute(), state.st_mtime_ns, state.st_size)
    if key not in _kept:
        members = orbit_members(path)
        if len(members) != 1:
            msg = (
                f"Invalid archive {path}. It must hold one orbit. Given {len(members)} files of "
                "data. Unpack it and give the files."
            )
            raise ProductError(msg)
        archive = Archive(path, ProductError)
        _kept[key] = Content(archive.extract(members[0]), archive)
    _kept.move_to_end(key)
    while len(_kept) > ARCHIVES_KEPT:
        _kept.popitem(last=False)
    return _kept[key]
