"""One process at a time: the lock excludes, dies with its process, and faults are one line."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
from contextlib import ExitStack

import pytest

from retrieval.errors import OutputError
from retrieval.files import locks
from retrieval.files.locks import LOCK, alone_in


def test_a_second_holder_is_refused_with_the_rule(tmp_path):
    """While one holds it another is refused; other names are other locks; then it is free."""
    with alone_in(tmp_path):
        with (
            pytest.raises(OutputError, match="One run at a time trains in it"),
            alone_in(tmp_path, rule="One run at a time trains in it"),
        ):
            pass
        with alone_in(tmp_path, name=".other"):
            pass
    with alone_in(tmp_path):
        pass


def test_a_holder_is_waited_for(tmp_path, monkeypatch):
    """The lock is taken when its holder gives it up, and tried for no longer than asked."""
    with ExitStack() as holder:
        holder.enter_context(alone_in(tmp_path))
        monkeypatch.setattr(locks.time, "sleep", lambda _: holder.close())
        with alone_in(tmp_path, wait=1e9):
            pass


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    """The lock is the system's: a process that was killed leaves none."""
    code = (
        "import os, pathlib, sys\nfrom retrieval.files.locks import alone_in\n"
        "with alone_in(pathlib.Path(sys.argv[1])):\n    os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert (tmp_path / LOCK).exists()
    with alone_in(tmp_path):
        pass


def test_faults_of_the_folder_are_one_line(tmp_path, monkeypatch):
    """A missing folder, and a file system without locks, are named as such."""
    with pytest.raises(OutputError, match="It could not be written"), alone_in(tmp_path / "no"):
        pass

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OutputError, match="must have locks"), alone_in(tmp_path):
        pass
