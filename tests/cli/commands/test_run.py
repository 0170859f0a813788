"""`dacno2-s5p run`: what is done is left, what has changed is made anew, what fails stops nothing.

The stages themselves are tested with their commands; here is what a run adds to them.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import h5py
import pytest

from cli.commands.run import _command
from cli.main import main
from cli.tasks.run_recipe import STAGES, read_recipe
from tests.builders.files import write_profiles

ROOT = Path(__file__).resolve().parents[3]

RECIPE = """
[period]
start = 2019-06-01
end = 2019-06-02

[area]
bbox = [1.3, 47.3, 2.7, 48.7]

[reretrieve]
apriori = ["dacno2=profiles"]

[grid]
cell = "0.1deg"
qa = 0

[report]
"""


@pytest.fixture(scope="module")
def made(orbits, tmp_path_factory) -> Path:
    """Return a workspace of two days with an orbit each, a recipe in it, and what a run made."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "orbits").mkdir()
    for path in sorted((orbits / "l2").iterdir())[::2]:
        shutil.copy(path, folder / "orbits" / path.name.replace("_RPRO_", "_OFFL_"))
    shutil.copytree(orbits / "profiles", folder / "profiles")
    (folder / "june.toml").write_text(RECIPE)
    with pytest.raises(SystemExit) as stopped, redirect_stdout(io.StringIO()) as said:
        main(["run", str(folder / "june.toml"), "--json"])
    (folder / "said.json").write_text(said.getvalue())
    assert stopped.value.code == 0
    return folder


@pytest.fixture
def season(made, tmp_path) -> Path:
    """Return a copy of the workspace before the run."""
    shutil.copytree(made, tmp_path / "w", ignore=shutil.ignore_patterns("results"))
    return tmp_path / "w"


@pytest.fixture
def after(season, made) -> Path:
    """Return a copy of the workspace after the run: its results."""
    return Path(shutil.copytree(made / "results", season / "results")) / "june"


@pytest.fixture
def again(run, season):
    """Return a function that runs the recipe and gives status and stages by name."""

    def call(*words):
        outcome = run("run", season / "june.toml", "--json", *words)
        assert outcome.out, outcome.err
        return outcome.status, by_name(outcome.out)

    return call


def by_name(text):
    """Return the stages of a JSON summary."""
    return {stage["stage"]: stage for stage in json.loads(text)["stages"]}


def counts(stage):
    """Return new and done before."""
    return stage["new"], stage["done"]


def test_a_run_does_all_and_a_second_one_nothing(made, after, again):
    """Every output is as it was, and its time too."""
    stages = by_name((made / "said.json").read_text())
    assert counts(stages["reretrieve"]) == (2, 0)
    assert {name: s["status"] for name, s in stages.items()} == dict.fromkeys(stages, "done")
    assert list(stages) == ["reretrieve", "grid", "report"]
    assert len(list((after / "l2").glob("*_DACNO2.nc"))) == 2
    assert (after / "report.html").is_file()
    before = {path: path.stat().st_mtime_ns for path in after.rglob("*.nc")}
    status, stages = again()
    assert status == 0
    assert {s["status"] for s in stages.values()} == {"nothing new"}
    assert {path: path.stat().st_mtime_ns for path in after.rglob("*.nc")} == before


def test_a_late_profile_makes_its_day_anew_and_no_other(again, season, after):
    """One orbit of two, one day of sums of two; the means change."""
    sums = {path.name: path.read_bytes() for path in (after / "l3_days").glob("sums_*.nc")}
    late = season / "profiles" / "no2_2019-06-02.nc"
    late.unlink()
    write_profiles(late, day="2019-06-02", step=0.2)
    status, stages = again()
    assert status == 0
    assert counts(stages["reretrieve"]) == (1, 1)
    assert counts(stages["grid"]) == (1, 0)
    now = {path.name: path.read_bytes() for path in (after / "l3_days").glob("sums_*.nc")}
    assert now["sums_2019-06-01.nc"] == sums["sums_2019-06-01.nc"]
    assert now["sums_2019-06-02.nc"] != sums["sums_2019-06-02.nc"]


def test_a_reprocessed_orbit_takes_the_place_of_the_offline_one(again, season, after):
    """One output an orbit is left, and the day's sums hold the better one."""
    offline = min((season / "orbits").glob("*OFFL*"))
    better = offline.with_name(offline.name.replace("_OFFL_", "_RPRO_"))
    shutil.copy(offline, better)
    with h5py.File(better, "r+") as file:  # two streams never give the same file
        file.attrs["reprocessed"] = "yes"
    status, stages = again()
    assert status == 0
    assert counts(stages["reretrieve"]) == (1, 1)
    assert stages["reretrieve"]["removed"] == [f"{offline.stem}_DACNO2.nc"]
    assert counts(stages["grid"]) == (1, 0)
    assert [path.name[:8] for path in sorted((after / "l2").iterdir())] == ["S5P_OFFL", "S5P_RPRO"]
    with h5py.File(after / "l3_days" / "sums_2019-06-01.nc") as file:
        assert "S5P_RPRO" in str(dict(file.attrs))


@pytest.mark.usefixtures("after")
def test_one_day_of_a_longer_period(again):
    """--start and --end limit the work; the map is of all that is there of the period."""
    status, stages = again("--start", "2019-06-02", "--end", "2019-06-02")
    assert status == 0
    assert counts(stages["reretrieve"]) == (0, 1)
    assert stages["grid"]["status"] == "nothing new"


def test_what_fails_stops_nothing_else(again, season):
    """A damaged orbit and files that cannot be had are named; the map of the rest is made."""
    text = RECIPE + '[fetch]\nkinds = ["pandora"]\n'
    (season / "june.toml").write_text(text)
    damaged = min((season / "orbits").glob("*.nc"))
    os.truncate(damaged, 20_000)
    status, stages = again()
    assert status == 1
    assert stages["fetch pandora"]["status"] == "failed"
    assert "--site Cabauw" in stages["fetch pandora"]["errors"][0]
    assert (stages["reretrieve"]["new"], stages["reretrieve"]["failed"]) == (1, 1)
    assert damaged.name in stages["reretrieve"]["errors"][0]
    assert stages["grid"]["status"] == "done"


def test_an_empty_period_is_said(again):
    """Nothing is made of nothing, and the status says so."""
    status, stages = again("--start", "2018-01-01", "--end", "2018-01-02")
    assert status == 1
    assert "no orbit from 2018-01-01" in stages["reretrieve"]["errors"][0]


def test_a_folder_that_is_not_there_is_named(again, season):
    """Not the output that would have been."""
    shutil.rmtree(season / "orbits")
    status, stages = again()
    assert status == 1
    assert stages["reretrieve"]["errors"] == [f"no orbits in {season / 'orbits'}"]


def test_two_runs_do_not_work_on_one_folder(run, season):
    """The second is refused in a line."""
    from retrieval.files.locks import alone_in

    results = season / "results" / "june"
    results.mkdir(parents=True)
    with alone_in(results, name=".run.lock"):
        outcome = run("run", season / "june.toml")
    assert outcome.status == 1
    assert "One run at a time" in outcome.error


def test_a_dry_run_says_the_commands(run, season):
    """Each can be called as it is; nothing is written."""
    outcome = run("run", season / "june.toml", "--dry-run")
    assert outcome.status == 0, outcome.err
    first = outcome.out.splitlines()[0]
    assert first.startswith("dacno2-s5p reretrieve ")
    assert "--apriori dacno2=profiles" in first
    assert not (season / "results").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[grid]\ncel = '2km'", "Did you mean cell"),
        ("[gird]\n", "Did you mean grid"),
        ("[grid]\nqa = 120", "[grid] qa = 120"),
        ("[grid]\nqa = true", "one number or text"),
        ("[grid]\noutput = 'x.nc'", "The run sets it"),
        ("[reretrieve]\nkernels = 'yes'", "true or false"),
        ("[fetch]\n", "Add kinds"),
        ("[fetch]\nkinds = ['orbit']", "Did you mean orbits"),
        ("[fetch]\nkinds = ['cams']\n[fetch.era5]\njobs = 2", "Add era5 to kinds"),
        ("[fetch]\nkinds = ['cams']\n[fetch.cams]\nstages = 'interim'", "Did you mean stage"),
        ("[period]\nstart = '2019'", "[period] start = '2019'"),
        ("[period]\nstart = 2019-06-01\ndays = 3\n[grid]", "Leave one out"),
        ("[period]\nend = 2019-06-01\n[grid]", "There must be a first day"),
        ("[area]\nbbox = [9, 1, 8, 2]\n[grid]", "west, south, east, north"),
        ("[period]\nstart = 2019-06-01", "Add a section"),
        ("kinds = 3", "outside of any section"),
        ("[grid", "It must be a TOML file"),
    ],
)
def test_a_wrong_recipe_is_one_line_that_names_the_key(run, tmp_path, text, said):
    """Before anything runs."""
    (tmp_path / "r.toml").write_text(text)
    outcome = run("run", tmp_path / "r.toml")
    assert outcome.status == 1
    assert said in outcome.error
    assert not (tmp_path / "results").exists()


def test_the_recipe_of_the_documentation_is_one():
    """Every key of the annotated recipe is known; its stages are all there are but prepare."""
    recipe = read_recipe(ROOT / "configs" / "run.toml", _command)
    assert set(STAGES) - set(recipe.sections) == {"prepare"}
    assert recipe.kinds["pandora"] == ["--site", "Cabauw", "--site", "Brussels-Uccle"]
    assert recipe.sections["grid"][-5:] == ["--bbox", "-5.0", "42.0", "9.0", "54.0"]
