"""Options from a file, a log with times, and runs that find nothing."""

from __future__ import annotations

import re

import netCDF4
import pytest

from tests.cli.conftest import names

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Work in an empty folder, without settings of the environment."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("DACNO2_S5P_SETTINGS", raising=False)
    return folder


def test_options_come_from_the_file_of_the_folder_and_stand_in_the_history(
    run, here, orbit, workspace
):
    """What the call says goes first; the rest is the file's, and the history has the whole call."""
    (here / "dacno2-s5p.toml").write_text(
        f'[reretrieve]\napriori = ["mine={workspace.profiles}"]\nqa = 50\nabove = "none"\n'
        "kernels = true\nprofiles = false\n"
    )
    output = here / "new.nc"
    assert run("reretrieve", orbit, "-o", output, "--above", "constant-vmr").status == 0
    with netCDF4.Dataset(output) as file:
        product = file["PRODUCT"]
        support = product["SUPPORT_DATA/DETAILED_RESULTS"]
        found = set(product.variables) | set(support.variables)
        history = file.history
    assert [name for name in found if name.startswith("averaging_kernel") and "MINE" in name]
    assert not [name for name in found if name.startswith("apriori_partial_column")]
    for words in (f"--apriori mine={workspace.profiles}", "--qa 50", "--kernels"):
        assert words in history
    assert "--above none" not in history
    assert "--profiles" not in history


def test_a_file_is_named_by_the_call_or_the_environment_before_that_of_the_folder(
    run, here, orbit, workspace, monkeypatch
):
    """--settings, then the variable, then the folder; a dry run says which and what."""
    for name, qa in (("dacno2-s5p.toml", 10), ("other.toml", 20), ("third.toml", 30)):
        sets = f'apriori = ["mine={workspace.profiles}"]'
        (here / name).write_text(f"[reretrieve]\nqa = {qa}\n{sets}\n")
    call = ("reretrieve", orbit, "--dry-run")
    assert run(*call).err.startswith("dacno2-s5p.toml: qa = 10, apriori = ")
    monkeypatch.setenv("DACNO2_S5P_SETTINGS", "other.toml")
    assert run(*call).err.startswith("other.toml: qa = 20")
    assert run("--settings", "third.toml", *call).err.startswith("third.toml: qa = 30")
    assert names(here) == ["dacno2-s5p.toml", "other.toml", "third.toml"]


WRONG = {
    "[reretrieve]\nkernel = true": ("unknown kernel of [reretrieve]", "Did you mean kernels?"),
    "[reretreive]\nqa = 5": ("unknown [reretreive]", "Did you mean reretrieve?"),
    "reretrieve = 5": ("reretrieve must be a table", "Given 5", "Write [reretrieve]"),
    "[reretrieve]\nqa = 2020-01-01": ("qa of [reretrieve] must be text, a number", "Given"),
    "[reretrieve]\nqa = 500": ("--qa", "500"),
    "[reretrieve\n": ("is no TOML file", "line 1"),
    "[reretrieve]\nhelp = true": ("unknown help of [reretrieve]",),
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_is_one_line(run, here, orbit, text):
    """Table, key, value or file: what is wrong, and what was perhaps meant; status 2."""
    (here / "dacno2-s5p.toml").write_text(text)
    outcome = run("reretrieve", orbit, "-o", "new.nc")
    assert outcome.status == 2
    *_, error = outcome.err.splitlines()
    assert all(part in error for part in WRONG[text]), error
    assert "??" not in error
    assert "?." not in error
    assert names(here) == ["dacno2-s5p.toml"]


def test_a_missing_file_is_an_error_where_it_was_named(run, here, orbit):
    """A name that leads nowhere is no empty file; a help is given whatever the file says."""
    outcome = run("--settings", "nowhere.toml", "reretrieve", orbit)
    assert outcome.status == 2
    assert "nowhere.toml cannot be read" in outcome.error
    (here / "dacno2-s5p.toml").write_text("nonsense")
    assert run("reretrieve", "--help").status == 0


def test_the_log_has_what_was_said_with_times(run, here):
    """Two calls, one file: begun, said, ended; standard error has the same lines."""
    for _ in range(2):
        outcome = run("grid", "nowhere*", "-o", "map.nc", "--log-file", "run.log")
    assert outcome.status == 2
    lines = (here / "run.log").read_text().splitlines()
    assert all(re.match(TIME, line) for line in lines)
    said = [re.sub(TIME, "", line) for line in lines]
    assert said[:3] == said[3:]
    assert said[0].startswith("begins: dacno2-s5p")
    assert said[1] == outcome.error
    assert said[2] == "ends"


def test_a_log_that_cannot_be_written_is_one_line(run, here):
    """Before any work."""
    outcome = run("grid", "nowhere*", "-o", "map.nc", "--log-file", "none/run.log")
    assert outcome.status == 2
    assert "--log-file none/run.log cannot be written (No such file or directory)" in outcome.error


@pytest.mark.parametrize(
    "call",
    ["reretrieve l2", "grid l2 -o map.nc", "extract l2 --point a 0 50", "predict l2",
     "validate l2 -g g.csv -o v"],
)  # fmt: skip
def test_no_orbit_is_no_error_where_it_may_be(run, here, call):
    """A night without orbits: status 0 and one line under --allow-empty, 2 without."""
    (here / "l2").mkdir()
    (here / "g.csv").write_text("")
    assert run(*call.split()).status == 2
    outcome = run(*call.split(), "--allow-empty")
    assert outcome.status == 0
    assert outcome.err.startswith("Nothing to do: there is no orbit")
    assert outcome.out == ""
    assert names(here) == ["g.csv", "l2"]
