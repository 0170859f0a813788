"""Fixtures of the command-line tests: built once, run in this process, leave no trace."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from cli.main import main
from tests.builders.files import Workspace, build_workspace, write_profiles
from tests.builders.orbit_builder import build_orbit

DATES = {"history", "apriori_created"}
"""Attributes that say when a file was made."""


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
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped, warnings.catch_warnings():
            main([str(arg) for arg in args])
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


def contents(path: Path) -> dict[str, object]:
    """Return every variable and attribute of a file but those of `DATES`."""
    found: dict[str, object] = {}

    def keep(name: str, item: netCDF4.Dataset | netCDF4.Variable) -> None:
        for key in set(item.ncattrs()) - DATES:
            found[f"{name}@{key}"] = np.asarray(item.getncattr(key)).tolist()

    def walk(group: netCDF4.Dataset) -> None:
        keep(group.path, group)
        for name, variable in group.variables.items():
            keep(f"{group.path}/{name}", variable)
            values = np.asarray(variable[:])
            is_text = values.dtype.kind not in "iuf"
            found[f"{group.path}/{name}"] = values.tolist() if is_text else values.tobytes()
        for inner in group.groups.values():
            walk(inner)

    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        walk(file)
    assert len(found) > 20
    return found


@pytest.fixture(scope="session")
def orbits(tmp_path_factory) -> Path:
    """Return a folder of four small orbits on two days, and profiles of these days beside it."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "l2").mkdir()
    (folder / "profiles").mkdir()
    for i in range(4):
        day = f"2019-06-0{1 + i // 2}"
        build_orbit(
            folder / "l2", n_scanline=12, n_ground_pixel=10, date=day, seed=i,
            overpass=f"{11 + i % 2}:30", orbit_number=8400 + i, area=(1.3, 47.3, 2.7, 48.7),
        )  # fmt: skip
    for day in ("2019-06-01", "2019-06-02"):
        write_profiles(folder / "profiles" / f"no2_{day}.nc", day=day)
    return folder


@pytest.fixture(scope="session")
def done_before(orbits, tmp_path_factory) -> Path:
    """Return the folder's outputs, made in this process."""
    command = ["reretrieve", orbits / "l2", "-a", f"dacno2={orbits / 'profiles'}"]
    out = tmp_path_factory.mktemp("done") / "out"
    with pytest.raises(SystemExit):
        main([str(part) for part in (*command, "-o", out)])
    return out


@pytest.fixture
def many(run, orbits):
    """Return a function that re-retrieves the folder, unless told otherwise."""

    def call(*args: object, source=None, sets=None):
        named = f"dacno2={sets or orbits / 'profiles'}"
        return run("reretrieve", source or orbits / "l2", "-a", named, *args)

    return call
