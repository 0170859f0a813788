"""`dacno2-s5p coarsen`: a set in, a set out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from retrieval.apriori import coarsen_files
from tests.builders.files import write_profiles
from tests.cli.conftest import names


@pytest.fixture
def profiles(tmp_path):
    """Return a folder with a day of profiles of 0.02 degree."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    write_profiles(folder / "dacno2_20190601.nc", step=0.02, bounds=(0.0, 46.0, 2.0, 48.0))
    return folder


def test_a_set_becomes_a_set(run, profiles, tmp_path):
    """The folder beside the set is printed; `inspect` knows what is in it."""
    done = run("coarsen", profiles, "--to", "10km")
    assert done.status == 0, done.err
    assert done.out.strip() == str(tmp_path / "profiles_10km")
    assert names(tmp_path / "profiles_10km") == ["dacno2_20190601_10km.nc"]
    assert "profile file" in run("inspect", tmp_path / "profiles_10km").out


def test_the_current_folder_is_a_set(run, profiles, monkeypatch):
    """`.` goes into a folder beside it, named after it; `inspect` reads it, too."""
    monkeypatch.chdir(profiles)
    assert run("inspect", ".").status == 0
    outcome = run("coarsen", ".", "--to", "10km")
    assert outcome.status == 0
    assert outcome.out == f"{profiles}_10km\n"
    assert len(list(profiles.with_name(f"{profiles.name}_10km").iterdir())) == 1


def test_boxes_and_summary(run, profiles, tmp_path):
    """Boxes have a name and a folder of their own; --json lists files."""
    done = run("coarsen", profiles, "--to", "1deg", "--boxes", "-o", tmp_path / "b", "--json")
    found = json.loads(done.out)
    assert found["to"] == "1degboxes"
    assert found["files"] == [str(tmp_path / "b" / "dacno2_20190601_1degboxes.nc")]


def test_wrong_calls_are_one_line(run, profiles):
    """Boxes of 10 km, and a missing set."""
    done = run("coarsen", profiles, "--to", "10km", "--boxes")
    assert (done.status, "--boxes is for --to 1deg" in done.error) == (2, True)
    assert run("coarsen", profiles / "none", "--to", "10km").status == 2


def test_an_interrupted_call_can_be_repeated(run, profiles, tmp_path, monkeypatch):
    """Days that were averaged before the interruption are not there to be replaced."""
    write_profiles(
        profiles / "dacno2_20190602.nc", day="2019-06-02", step=0.02, bounds=(0.0, 46.0, 2.0, 48.0)
    )
    call = ("coarsen", profiles, "--to", "10km")
    write = coarsen_files.write_profile_file

    def interrupted(path: Path, *args: object) -> None:
        if "20190602" in path.name:
            raise KeyboardInterrupt
        write(path, *args)

    with monkeypatch.context() as patch:
        patch.setattr(coarsen_files, "write_profile_file", interrupted)
        assert "run again" in run(*call).error
    assert names(tmp_path) == ["profiles"]
    again = run(*call)
    assert again.status == 0, again.err
    assert len(names(tmp_path / "profiles_10km")) == 2
