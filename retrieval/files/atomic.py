"""Files that appear whole or not at all: a temporary name in the target folder, then a rename."""

from __future__ import annotations

import errno
import os
import re
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from retrieval.errors import OutputError
from retrieval.files.owners import owner_is_dead, unique_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


_REASONS = {
    errno.ENOSPC: "There is no space left on the device. Free some space or choose another folder",
    errno.EDQUOT: "The disk quota is used up. Free some space or choose another folder",
    errno.EFBIG: "The file is larger than the allowed file size. Raise the limit (ulimit -f)",
    errno.EACCES: "The folder is not writable. Choose a folder you may write to",
    errno.EPERM: "The folder is not writable. Choose a folder you may write to",
    errno.EROFS: "The file system is read-only. Choose another folder",
    errno.EIO: "The device reports an input/output error. Choose another disk",
    errno.ENAMETOOLONG: "The file name is too long. Choose a shorter name",
}
"""What the operating system says of a failed write, and what to do."""

_PROBE_BYTES = 1 << 20
"""Room that is asked for after a failed write, to learn why it failed."""

_ERRNO = re.compile(r"(?:errno = |os error )(\d+)")

_LEFTOVER = re.compile(r"\..+\.(?P<owner>[^.]+)\.part")


@contextmanager
def atomic_output(
    path: Path, *, overwrite: bool = False, inputs: Iterable[Path] = ()
) -> Iterator[Path]:
    """Give a temporary path beside `path` and rename it to `path` when the block succeeds.

    The temporary name is unique to this call, so that parallel processes never meet. It is
    flushed to disk before the rename and removed when anything fails, interruption included. Of
    two processes that make one new file, the first to finish wins and the other is refused.

    Parameters
    ----------
    path : Path
        Where the finished file shall be.
    overwrite : bool
        Whether an existing file may be replaced.
    inputs : iterable of Path
        Files being read; the output may not be one of them.

    Yields
    ------
    Path
        The temporary file to write, in the folder of `path`; it exists and is empty.

    Raises
    ------
    OutputError
        If the folder is missing or not writable, `path` exists and may not be replaced, is a
        folder or one of the inputs, or the disk is full.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     target = Path(folder) / "numbers.txt"
    ...     with atomic_output(target) as temporary:
    ...         _ = temporary.write_text("1 2 3")
    ...     target.read_text()
    '1 2 3'
    """
    path = Path(path)
    check_output(path, overwrite=overwrite, inputs=inputs)
    temporary = path.with_name(f".{path.name[:180]}.{unique_name()}.part")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        _flush(temporary)
        check_output(path, overwrite=overwrite, inputs=inputs)
        give_its_name(temporary, path, overwrite=overwrite)
    except (OSError, RuntimeError) as error:
        reason = _reason(error, temporary)
        _remove(temporary)
        if reason is None:
            raise
        raise output_error(path, reason) from error
    except BaseException:
        _remove(temporary)
        raise
    with suppress(OSError):  # the rename itself is done; not every file system flushes folders
        _flush(path.parent)


def check_output(path: Path, *, overwrite: bool = False, inputs: Iterable[Path] = ()) -> None:
    """Refuse an output that cannot or may not be written, before any work is done.

    Raises
    ------
    OutputError
        As `atomic_output`, but for what only shows while writing (a full disk).
    """
    name = f"Invalid output {path}."
    if not path.parent.is_dir():
        msg = f"{name} Its folder must exist. Given {path.parent}. Create the folder first."
        raise OutputError(msg)
    if path.is_dir():
        msg = f"{name} It must be a file. Given a folder. Give a file name in it."
        raise OutputError(msg)
    if any(_is_same_file(path, source) for source in inputs):
        msg = f"{name} It must not be an input. Given {path.name} as both. Choose another name."
        raise OutputError(msg)
    if path.exists() and not overwrite:
        raise OutputError(_exists(path))
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise output_error(path, PermissionError(errno.EACCES, "not writable"))


def check_outputs(
    paths: Iterable[Path], *, overwrite: bool = False, inputs: Sequence[Path] = ()
) -> None:
    """Refuse outputs as `check_output` does; a folder that is not there yet will be made."""
    for path in paths:
        if path.parent.is_dir():
            check_output(path, overwrite=overwrite, inputs=inputs)


def make_folder(path: Path) -> None:
    """Make a folder for outputs, and those it lies in, where they are missing.

    Raises
    ------
    OutputError
        If it cannot be made, or a file has its name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        msg = f"Invalid output {path}. It must be a folder. Given a file. Choose another name."
        raise OutputError(msg) from error
    except OSError as error:
        raise output_error(path, error) from error


def remove_leftovers(folder: Path) -> int:
    """Remove the temporary files that killed processes of this machine left in a folder.

    Those of processes that run, and of other machines or containers, stay: they may be in the
    making. So do those from before the machine was started anew.

    Parameters
    ----------
    folder : Path
        It need not exist.

    Returns
    -------
    int
        How many were removed.
    """
    if not folder.is_dir():
        return 0
    parts = [(path, _LEFTOVER.fullmatch(path.name)) for path in folder.glob(".*.part")]
    dead = [path for path, match in parts if match and owner_is_dead(match["owner"])]
    for path in dead:
        _remove(path)
    return len(dead)


def give_its_name(temporary: Path, path: Path, *, overwrite: bool) -> None:
    """Rename a finished file, or refuse it where another process has made `path` meanwhile."""
    if not overwrite:
        try:
            os.link(temporary, path)  # unlike a rename, it never replaces
        except FileExistsError:
            raise OutputError(_exists(path)) from None
        except (OSError, AttributeError):  # no links on this file system
            check_output(path)
        else:
            temporary.unlink()
            return
    temporary.replace(path)


def _exists(path: Path) -> str:
    return (
        f"Invalid output {path}. An existing file is not replaced. Given {path.name}, which "
        "exists. Choose another name or give --overwrite."
    )


def output_error(path: Path, error: BaseException) -> OutputError:
    """Return the one-line `OutputError` for a failed write, HDF5's own errors included."""
    reason = _REASONS.get(write_errno(error) or 0)
    if reason is None:
        first_line = str(error).strip().splitlines()[0][:200] if str(error).strip() else "no reason"
        reason = f"Given the error: {first_line}. Check the folder and the disk"
    return OutputError(f"Invalid output {path}. It could not be written. {reason}.")


def write_errno(error: BaseException) -> int | None:
    """Return the system's error number of a failed write, or None where it is not one.

    HDF5 and safetensors hide the number of the system call in the text of their own errors.

    Examples
    --------
    >>> write_errno(OSError("Can't write data (errno = 28, error message = 'No space left')"))
    28
    >>> write_errno(OSError("Can't synchronously read data (fletcher32 fails)")) is None
    True
    """
    number = error.errno if isinstance(error, OSError) else None
    found = _ERRNO.search(str(error))
    if number is None and found:
        number = int(found.group(1))
    return number if number in _REASONS else None


def _reason(error: OSError | RuntimeError, temporary: Path) -> BaseException | None:
    """Return what is behind a failed write, None for an error of another kind.

    Of a full disk the netCDF library says "NetCDF: HDF error", or that a file may not be created
    in a folder that is writable; the system says more when asked for room.
    """
    if isinstance(error, OSError):
        if write_errno(error) not in (errno.EACCES, errno.EPERM):
            return error
    elif not str(error).startswith("NetCDF:"):
        return None
    try:
        with temporary.open("ab") as file:
            file.write(bytes(_PROBE_BYTES))
    except OSError as fault:
        return fault
    return error


def _is_same_file(path: Path, source: Path) -> bool:
    """Say whether two names mean one existing file, links resolved."""
    try:
        return path.samefile(source)
    except OSError:
        return path.resolve() == Path(source).resolve()


def _flush(path: Path) -> None:
    """Ask the system to bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove a temporary file that may not exist any more."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


Name = TypeVar("Name")

_DRAFTS = re.compile(r"\.results\.(?P<owner>[^.]+)\.part")


@contextmanager
def results_together(
    targets: Mapping[Name, Path], *, overwrite: bool = False
) -> Iterator[dict[Name, Path]]:
    """Give a path to write for each result, and give them their names when the block succeeds.

    So a command that fails or is interrupted between two of its results can be repeated: nothing
    of it is there that the repeat would have to replace. What it replaces stays until the end.

    Parameters
    ----------
    targets : mapping of str to Path
        Where the results shall be, all in one folder, which is made when it is missing. Those
        that the block does not write are left out.
    overwrite : bool
        Whether existing files may be replaced.

    Yields
    ------
    dict of str to Path
        Where to write each of them: in a hidden folder inside of theirs.

    Raises
    ------
    OutputError
        If a result exists and may not be replaced, or the folder is not writable.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     maps = Path(folder) / "maps"
    ...     with results_together({"table": maps / "numbers.csv"}) as drafts:
    ...         _ = drafts["table"].write_text("1,2,3")
    ...     [path.name for path in maps.iterdir()]
    ['numbers.csv']
    """
    (folder,) = {path.parent for path in targets.values()}
    check_outputs(targets.values(), overwrite=overwrite)
    hidden = folder / f".results.{unique_name()}.part"
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    named: list[Path] = []
    try:
        make_folder(folder)
        make_folder(hidden)
        _remove_leftovers(folder)
        drafts = {name: hidden / path.name for name, path in targets.items()}
        yield drafts
        for name in [name for name, draft in drafts.items() if draft.exists()]:
            give_its_name(drafts[name], targets[name], overwrite=overwrite)
            named.append(targets[name])
    except BaseException as error:
        for path in [] if overwrite else named:
            path.unlink(missing_ok=True)
        if isinstance(error, OutputError):  # the user knows the folder, not the hidden one
            raise OutputError(
                str(error).replace(f"{hidden}{os.sep}", f"{folder}{os.sep}")
            ) from error
        raise
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        with suppress(OSError):  # what holds something stays
            for one in missing:
                one.rmdir()


def _remove_leftovers(folder: Path) -> None:
    """Remove the hidden folders that killed processes of this machine left."""
    for path in folder.glob(".results.*.part"):
        match = _DRAFTS.fullmatch(path.name)
        if match and owner_is_dead(match["owner"]):
            shutil.rmtree(path, ignore_errors=True)
