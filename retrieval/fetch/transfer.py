"""One downloader for all services: a file is there whole, checked and recorded, or not at all.

What has arrived of an interrupted file stays beside it under a hidden name and is gone on with, if
the service says (by If-Range) that it is still the same. A page that is no data is refused by its
first bytes, whatever its status said.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retrieval.errors import FetchError
from retrieval.fetch.catalogue import human
from retrieval.fetch.web import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import requests

    from retrieval.fetch.catalogue import Remote
    from retrieval.fetch.web import Token, Web

    Progress = Callable[[int, int | None], None]

PIECE = 1 << 20
"""Bytes read at a time."""

LEDGER = "fetched.jsonl"
"""What came from where, one line a file, in the workspace."""

MOST_PACKED = 200
"""A member may be so many times larger than its archive; data never shrinks so far."""

_MAGIC = {
    ".nc": (b"\x89HDF", b"CDF"),
    ".nc4": (b"\x89HDF", b"CDF"),
    ".h5": (b"\x89HDF",),
    ".he5": (b"\x89HDF",),
    ".grib": (b"GRIB",),
    ".zip": (b"PK\x03\x04", b"PK\x05\x06"),
    ".parquet": (b"PAR1",),
    ".tif": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
}
"""How files of an ending begin."""

_PAGES = (b"<!doctype", b"<html", b"<?xml", b'{"', b"{\n")
"""How pages begin that are sent instead of data."""

_AGAIN = 3
"""Times a file is begun anew after damage on the way."""


@dataclass
class Ledger:
    """The record of a workspace: what is there, where it came from, its checksum.

    Attributes
    ----------
    path : Path
        `fetched.jsonl`.
    """

    path: Path

    def read(self) -> dict[tuple[str, str], dict[str, object]]:
        """Return the last line of each kind and name.

        Raises
        ------
        FetchError
            If a line is damaged.
        """
        found: dict[tuple[str, str], dict[str, object]] = {}
        if not self.path.exists():
            return found
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                record = json.loads(line)
                found[str(record["kind"]), str(record["name"])] = record
            except (ValueError, LookupError, TypeError) as error:
                msg = (
                    f"Invalid record {self.path}. Each line must be a JSON object with kind and "
                    f"name. Given line {number}: {line[:60]!r}. Remove that line."
                )
                raise FetchError(msg) from error
        return found

    def add(self, remote: Remote, size: int, sha256: str) -> None:
        """Append a file; one write of one line, so that processes do not mix theirs."""
        record: dict[str, object] = {
            "name": remote.name,
            "kind": remote.kind,
            "source": without_secrets(remote.url),
            "size": size,
            "sha256": sha256,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": remote.version,
        }
        if remote.checksum:
            record["source_checksum"] = ":".join(remote.checksum)
        if remote.size is not None:
            record["source_size"] = remote.size
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")


def is_there(remote: Remote, folder: Path, record: Mapping[str, object] | None) -> bool:
    """Tell whether a file is on disk, whole, and the one that the service has now.

    A file that we recorded is known by the size and checksum the service gave then; one that came
    otherwise by its size, and by its checksum where the service has one.
    """
    path = folder / remote.name
    if not path.is_file():
        return False
    size = path.stat().st_size
    if record is not None:
        if size != record.get("size"):
            return False
        known = record.get("source_checksum")
        if remote.checksum and known:
            return known == ":".join(remote.checksum)
        return remote.size is None or record.get("source_size") in (None, remote.size)
    if remote.member or (remote.size is not None and size != remote.size):
        return False
    if remote.checksum:
        return digest(path, remote.checksum[0]) == remote.checksum[1].lower()
    return remote.size is not None


def download(
    remote: Remote,
    folder: Path,
    web: Web,
    ledger: Ledger,
    *,
    token: Token | None = None,
    progress: Progress | None = None,
) -> Path:
    """Bring one file.

    Parameters
    ----------
    remote : Remote
    folder : Path
        Where it shall be; made when it is not there.
    web, ledger, token
        Session, record, and what proves who asks.
    progress : callable, optional
        Told the bytes so far and their number, None where it is not known.

    Raises
    ------
    FetchError
        If it cannot be had whole. A partial file stays for the next attempt; what was there under
        the name before is untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / remote.name
    part = folder / f".{remote.name}.partial"
    try:
        for attempt in range(1, _AGAIN + 1):
            try:
                _fill(remote, part, web, token, progress)
                break
            except _BrokenOffError as error:
                if attempt == _AGAIN:
                    msg = (
                        f"Invalid download of {remote.name}. It must arrive whole. Given "
                        f"{human(_size(part))} {error}. Run the command again: it goes on."
                    )
                    raise FetchError(msg) from error
        _check(remote, part)
        if remote.member:
            _unpack(remote, part)
        sha256 = digest(part, "sha256")
        size = part.stat().st_size
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(target)
    except OSError as error:
        if isinstance(error, FileNotFoundError | PermissionError) or error.errno in _NO_ROOM:
            msg = (
                f"Invalid folder {folder}. It must take {remote.name}. Given the error: "
                f"{error.strerror}. Make room or choose another workspace; what has arrived stays."
            )
            raise FetchError(msg) from error
        raise
    _mark(part).unlink(missing_ok=True)
    ledger.add(remote, size, sha256)
    return target


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.ENAMETOOLONG}


class _BrokenOffError(Exception):
    """The connection ended early."""


def _mark(part: Path) -> Path:
    """Return the file that says what a partial one is a part of."""
    return part.with_name(part.name + ".of")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _fill(
    remote: Remote, part: Path, web: Web, token: Token | None, progress: Progress | None
) -> None:
    """Append to the partial file what is missing, or begin anew."""
    from urllib3.exceptions import HTTPError

    mark = _mark(part)
    known = mark.read_text(encoding="utf-8") if mark.exists() else ""
    start = _size(part) if known else 0
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": known}
    response = web.get(remote.url, token=token, headers=headers, stream=True, also=frozenset({416}))
    with response:
        if response.status_code == 416:  # nothing is missing, or it is another file now
            part.unlink(missing_ok=True)
            mark.unlink(missing_ok=True)
            msg = "of which the service knows no rest"
            raise _BrokenOffError(msg)
        is_rest = response.status_code == 206 and _begins_at(response, start)
        if not is_rest:
            start = 0
        etag = response.headers.get("ETag", "")
        # a weak tag says alike, not equal: such a rest may be another file's
        strong = etag if etag and not etag.startswith("W/") else ""
        mark.write_text(strong or response.headers.get("Last-Modified", ""), encoding="utf-8")
        total = _length(response, start)
        try:
            with part.open("ab" if is_rest else "wb") as stream:
                done = start
                # read1 gives what has come, also of a connection that breaks in the next moment
                while piece := response.raw.read1(PIECE):
                    stream.write(piece)
                    done += len(piece)
                    if progress is not None:
                        progress(done, total or remote.size)
        except HTTPError as error:
            msg = f"before the connection broke ({type(error).__name__})"
            raise _BrokenOffError(msg) from error
    if total is not None and done < total:
        msg = f"of {human(total)}"
        raise _BrokenOffError(msg)


def _begins_at(response: requests.Response, start: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {start}-")


def _length(response: requests.Response, start: int) -> int | None:
    with suppress(ValueError):
        return start + int(response.headers["Content-Length"])
    return None


def _check(remote: Remote, part: Path) -> None:
    """Refuse what is not the file that was asked for; a refused one is not gone on with."""
    try:
        size = part.stat().st_size
        if size == 0:
            raise _wrong(remote, "hold something", "no byte", "Try again later")
        check_first_bytes(remote, part)
        if remote.size and remote.is_size_exact and size != remote.size:
            raise _wrong(remote, f"have {remote.size} bytes", f"{size}", "Try again later")
        if remote.checksum is None:
            return
        algorithm, expected = remote.checksum
        if algorithm not in hashlib.algorithms_available:
            return
        found = digest(part, algorithm)
        if found != expected.lower():
            raise _wrong(
                remote, f"have the {algorithm} {expected.lower()}", found, "Try again later"
            )
    except FetchError:
        part.unlink(missing_ok=True)
        _mark(part).unlink(missing_ok=True)
        raise


def check_first_bytes(remote: Remote, part: Path) -> None:
    """Refuse a login page or an error message that came instead of data.

    Raises
    ------
    FetchError
        If the file begins like a page, or not like a file of its name's ending.
    """
    with part.open("rb") as stream:
        first = stream.read(512)
    ending = ".zip" if remote.member else f".{remote.name.rpartition('.')[2].lower()}"
    begins = _MAGIC.get(ending)
    is_data = first.startswith(begins) if begins else not first.lstrip().lower().startswith(_PAGES)
    if not is_data and ending == ".nc":  # data stores send archives under any name
        is_data = first.startswith(_MAGIC[".zip"])
    if is_data:
        return
    said = " ".join(first[:60].decode("utf-8", "replace").split())
    raise _wrong(
        remote,
        f"begin like a {ending} file" if begins else "be data",
        repr(said),
        "If that is a login page, give the account of this service (docs/fetch.md)",
    )


def _wrong(remote: Remote, rule: str, given: str, advice: str) -> FetchError:
    return FetchError(
        f"Invalid download of {remote.name} from {without_secrets(remote.url)}. It must {rule}. "
        f"Given {given}. {advice}."
    )


def _unpack(remote: Remote, part: Path) -> None:
    """Put the one member of the wanted ending in the archive's place."""
    inner = part.with_name(part.name + ".member")
    try:
        with zipfile.ZipFile(part) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(remote.member)]
            if len(members) != 1:
                names = ", ".join(m.filename[:60] for m in members[:3]) or "none"
                raise _wrong(
                    remote, f"hold one {remote.member} file", names, "Report it to the service"
                )
            if members[0].file_size > MOST_PACKED * max(part.stat().st_size, 1):
                raise _wrong(
                    remote,
                    f"unpack to at most {MOST_PACKED} times its size",
                    human(members[0].file_size),
                    "Report it to the service",
                )
            with archive.open(members[0]) as source, inner.open("wb") as stream:
                shutil.copyfileobj(source, stream, PIECE)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        inner.unlink(missing_ok=True)
        part.unlink(missing_ok=True)
        _mark(part).unlink(missing_ok=True)
        raise _wrong(remote, "be a whole archive", str(error), "Try again later") from error
    except FetchError:
        part.unlink(missing_ok=True)
        _mark(part).unlink(missing_ok=True)
        raise
    except BaseException:
        inner.unlink(missing_ok=True)
        raise
    inner.replace(part)
    _mark(part).unlink(missing_ok=True)


def digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
