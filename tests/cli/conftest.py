"""Fixtures of the command-line tests: built once, run in this process, leave no trace."""

from __future__ import annotations

import logging
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.console import OUR_LOGGERS
from cli.main import main
from tests.files import Workspace, build_workspace


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit status and what it printed."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of a failure; fails where stderr holds anything else."""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("Error: ")
        return lines[0]


@pytest.fixture(scope="session")
def workspace(tmp_path_factory) -> Workspace:
    """Orbit and sets that belong together; tests read them, never write beside them."""
    return build_workspace(tmp_path_factory.mktemp("workspace"))


@pytest.fixture
def orbit(workspace, tmp_path) -> Path:
    """Return a copy of the orbit, in a folder of its own that outputs may go to."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Path(shutil.copy(workspace.orbit, folder))


@pytest.fixture
def run(capsys, monkeypatch):
    """Return a function that runs the command line as the console script does."""
    monkeypatch.delenv("DACNO2_S5P_WORKSPACE", raising=False)

    def call(*args: object) -> Outcome:
        root = logging.getLogger()
        before = (root.handlers[:], root.level)
        capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as stopped, warnings.catch_warnings():
                main([str(arg) for arg in args])
        finally:
            logging.captureWarnings(capture=False)
            root.handlers[:] = before[0]
            root.setLevel(before[1])
            for name in (*OUR_LOGGERS, "py.warnings"):
                logging.getLogger(name).setLevel(logging.NOTSET)
        captured = capsys.readouterr()
        return Outcome(stopped.value.code, captured.out, captured.err)

    return call


@pytest.fixture
def reretrieve(run, orbit, workspace):
    """Return a function that re-retrieves the orbit with the profiles, unless told otherwise."""

    def call(*args: object, orbits=None, sets=None) -> Outcome:
        given = [f"dacno2={workspace.profiles}"] if sets is None else sets
        named = [item for text in given for item in ("-a", text)]
        return run("reretrieve", *(orbits or [orbit]), *named, *args)

    return call


def names(folder: Path) -> list[str]:
    """Names of everything in a folder, hidden files included."""
    return sorted(path.name for path in folder.iterdir())
