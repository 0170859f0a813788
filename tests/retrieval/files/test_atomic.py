"""Files appear whole or not at all, and every failure is one clear line."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from retrieval.errors import OutputError
from retrieval.files.atomic import (
    atomic_output,
    check_output,
    make_folder,
    output_error,
    remove_leftovers,
    write_errno,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_then_fail(path, error, *, overwrite=False):
    with atomic_output(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(b"half")
        raise error


def test_finished_file_has_its_name_and_no_temporary_remains(tmp_path):
    """After success the folder holds the file and nothing else."""
    with atomic_output(tmp_path / "out.nc") as temporary:
        temporary.write_bytes(b"whole")
        assert temporary.parent == tmp_path
        assert not (tmp_path / "out.nc").exists()
    assert (tmp_path / "out.nc").read_bytes() == b"whole"
    assert names(tmp_path) == ["out.nc"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(2)])
def test_failure_leaves_nothing(tmp_path, error):
    """Whatever interrupts the block, the folder stays as it was and the error passes on."""
    with pytest.raises(type(error)):
        write_then_fail(tmp_path / "out.nc", error)
    assert names(tmp_path) == []


def test_failed_overwrite_keeps_the_old_file(tmp_path):
    """A failure while replacing leaves the old file untouched."""
    target = tmp_path / "out.nc"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError):
        write_then_fail(target, RuntimeError("x"), overwrite=True)
    assert target.read_bytes() == b"old"
    assert names(tmp_path) == ["out.nc"]


def test_existing_output_is_refused_unless_overwrite(tmp_path):
    """An existing file is replaced only on request."""
    target = tmp_path / "out.nc"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"existing file is not replaced.*--overwrite"):
        check_output(target)
    with atomic_output(target, overwrite=True) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"


def test_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    """A file that another process wrote while this one worked is kept."""
    target = tmp_path / "out.nc"
    writing = atomic_output(target)
    writing.__enter__().write_bytes(b"mine")
    target.write_bytes(b"theirs")
    with pytest.raises(OutputError, match="not replaced"):
        writing.__exit__(None, None, None)
    assert target.read_bytes() == b"theirs"
    assert names(tmp_path) == ["out.nc"]


def test_output_that_is_an_input_is_refused_through_links_and_overwrite(tmp_path):
    """The output may never be an input, whatever the two names are."""
    source = tmp_path / "in.nc"
    source.write_bytes(b"in")
    (tmp_path / "link.nc").symlink_to(source)
    with pytest.raises(OutputError, match="must not be an input"):
        check_output(tmp_path / "link.nc", overwrite=True, inputs=[source])


def test_missing_folder_and_folder_as_output_are_refused(tmp_path):
    """The message names the folder that is missing, or says that the output is a folder."""
    with pytest.raises(OutputError, match=r"folder must exist.*nowhere"):
        check_output(tmp_path / "nowhere" / "out.nc")
    with pytest.raises(OutputError, match="must be a file"):
        check_output(tmp_path, overwrite=True)


def test_folder_without_write_permission_is_refused(tmp_path, monkeypatch):
    """No write permission is one line; the check is faked, since root may write anywhere."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="not writable"), atomic_output(tmp_path / "out.nc"):
        pytest.fail("the block must not run")
    assert names(tmp_path) == []


def test_full_disk_is_named(tmp_path):
    """ENOSPC from the system or from HDF5's text becomes the same clear line."""
    for error in (
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("Can't write data (file write failed: errno = 28, error message = 'No space')"),
    ):
        with pytest.raises(OutputError, match="no space left") as raised:
            write_then_fail(tmp_path / "out.nc", error)
        assert "\n" not in str(raised.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_library_that_may_not_create_is_asked_for_room(tmp_path, number):
    """The netCDF library says so of a full disk, too; with room it is what it says."""
    with pytest.raises(OutputError, match="not writable"):
        write_then_fail(tmp_path / "out.nc", PermissionError(number, "denied"))
    with pytest.raises(OutputError, match="no space left"):
        create_on_full_disk(tmp_path / "out.nc", PermissionError(number, "denied"))
    assert names(tmp_path) == []


def create_on_full_disk(path, error):
    with atomic_output(path) as temporary:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        raise error


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, monkeypatch):
    """A file of its name, and a file system that is read-only."""
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "b"):
        with pytest.raises(OutputError, match="must be a folder"):
            make_folder(path)

    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system", "c")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match="The file system is read-only"):
        make_folder(tmp_path / "c")


def test_unknown_system_errors_stay_one_line(tmp_path):
    """An error of several lines is cut to its first."""
    message = str(output_error(tmp_path / "out.nc", OSError("first line\nsecond line")))
    assert "first line" in message
    assert "\n" not in message
    assert write_errno(OSError("nothing known")) is None


def test_of_two_that_make_one_file_the_first_wins(tmp_path):
    """The other is refused when it ends, and the file stays as the first one made it."""
    target = tmp_path / "out.nc"
    with pytest.raises(OutputError, match="An existing file is not replaced"):
        write_slowly_and_fast(target)
    assert target.read_bytes() == b"fast"
    assert names(tmp_path) == ["out.nc"]


def test_a_race_for_a_name_has_one_winner(tmp_path, monkeypatch):
    """Also when the other file comes between the last look and the rename."""
    monkeypatch.setattr("retrieval.files.atomic.check_output", lambda *_args, **_options: None)
    with pytest.raises(OutputError, match="An existing file is not replaced"):
        write_slowly_and_fast(tmp_path / "out.nc")
    assert (tmp_path / "out.nc").read_bytes() == b"fast"
    assert names(tmp_path) == ["out.nc"]


def write_slowly_and_fast(path):
    with atomic_output(path) as slow:
        slow.write_bytes(b"slow")
        with atomic_output(path) as fast:
            fast.write_bytes(b"fast")


def test_without_links_a_file_gets_its_name_by_a_rename(tmp_path, monkeypatch):
    """As on FAT and some network file systems; what is there is still not replaced."""

    def refuse(*_paths):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with atomic_output(tmp_path / "out.nc") as temporary:
        temporary.write_bytes(b"whole")
    assert names(tmp_path) == ["out.nc"]
    with pytest.raises(OutputError, match="not replaced"):
        write_in_two(tmp_path / "other.nc")
    assert (tmp_path / "other.nc").read_bytes() == b"first"


def write_in_two(path):
    with atomic_output(path) as temporary:
        temporary.write_bytes(b"second")
        path.write_bytes(b"first")


def test_leftovers_of_killed_processes_are_removed(tmp_path):
    """Those of a process that runs, of another machine, and other hidden files stay."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with atomic_output(tmp_path / "out.nc") as temporary:
        alive = temporary.name
        left = alive.replace(f"-{os.getpid()}-", f"-{dead.pid}-")
        foreign = f".out.nc.elsewhere-{dead.pid}-0123abcd.part"
        for name in (left, foreign, ".mine.part"):
            (tmp_path / name).write_bytes(b"half")
        assert remove_leftovers(tmp_path) == 1
        assert names(tmp_path) == sorted([alive, foreign, ".mine.part"])
    assert remove_leftovers(tmp_path / "nowhere") == 0
