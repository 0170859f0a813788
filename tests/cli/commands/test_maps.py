"""`dacno2-s5p maps`: figures and tables of a gridded file in one command."""

from __future__ import annotations

import csv
import json
import shutil

import netCDF4
import pytest
from matplotlib.figure import Figure

from cli.main import main
from retrieval.files.provenance import file_checksum
from tests.cli.conftest import names

FILES = ["columns.png", "differences.png", "figure7.png", "numbers.csv", "numbers_shifted.csv",
         "provenance.json", "regions.png"]  # fmt: skip


@pytest.fixture(scope="module")
def gridded_once(season, tmp_path_factory):
    """Return a folder with a gridded file of the season and its days."""
    folder = tmp_path_factory.mktemp("gridded")
    with pytest.raises(SystemExit) as stopped:
        main(["grid", *map(str, season.outputs), "-o", str(folder / "map.nc"), "--cell", "16km"])
    assert stopped.value.code == 0
    return folder


@pytest.fixture
def gridded(gridded_once, tmp_path):
    """Return a gridded file with its days beside it: copies of the test's own."""
    return shutil.copytree(gridded_once, tmp_path, dirs_exist_ok=True) / "map.nc"


@pytest.fixture
def _undrawn(monkeypatch):
    """Write figures without drawing them, which takes seconds: for tests of what is around."""
    monkeypatch.setattr(Figure, "savefig", lambda _, path, **_options: path.write_text("a page"))


def test_one_command_makes_all(run, gridded):
    """All parts of the figure and both tables are written; stdout has the numbers and paths."""
    folder = gridded.parent / "map_maps"
    folder.mkdir()
    (folder / "columns.png").write_text("an old one")
    done = run("maps", gridded, "-q", "--overwrite")
    assert done.status == 0, done.err
    assert (folder / "columns.png").stat().st_size > 1000
    assert names(folder) == FILES
    lines = done.out.splitlines()
    assert lines[0].startswith("area\tpair")
    assert any(line.startswith("Paris\tDACNO2/CAMS") for line in lines)
    assert lines[-1].endswith("provenance.json")
    origin = json.loads((folder / "provenance.json").read_text())
    assert f"gridded: map.nc sha256:{file_checksum(gridded)}" in origin["inputs"]
    assert "days (names and sizes): map_days sha256:" in origin["inputs"]
    assert origin["data"] == "synthetic"
    with (folder / "numbers.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    areas = {row["area"] for row in rows}
    assert {"domain", "Paris", "background by TM5"} <= areas
    assert all(float(row["ratio_of_means"]) for row in rows if row["reference"] == "TM5")
    assert rows[0]["ratio_of_means_low"] == ""  # three days have no interval
    with (folder / "numbers_shifted.csv").open(newline="") as stream:
        assert "Paris +0.5E +0N" in {row["area"] for row in csv.DictReader(stream)}


def test_own_pairs_and_regions(run, gridded, tmp_path):
    """Pairs, regions, folder and minimum counts are the user's."""
    done = run(
        "maps", gridded, "-o", tmp_path / "own", "--pair", "CAMS/TM5", "--json", "--bootstrap", "0",
        "--region", "Chartres=1,48,2,49", "--minimum-days", "2", "--format", "svg", "-q",
    )  # fmt: skip
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert {n["product"] for n in found["numbers"]} == {"CAMS"}
    assert "Paris" not in {n["area"] for n in found["numbers"]}
    assert (tmp_path / "own" / "figure7.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.usefixtures("_undrawn")
def test_intervals_are_those_of_the_average(run, gridded, monkeypatch):
    """Days are drawn as they were averaged, which the gridded file says."""
    made = []

    def note(days, numbers, cells, **given):
        made.append(given["average"])
        return numbers

    monkeypatch.setattr("retrieval.l3.intervals.bootstrap_numbers", note)
    months = gridded.with_name("months.nc")
    days = ("--days", gridded.with_name("map_days"))
    assert run("grid", "-o", months, *days, "--average", "months").status == 0
    for path in (gridded, months):
        assert run("maps", path, *days, "-q").status == 0
    assert made == ["pooled", "months"]


@pytest.mark.usefixtures("_undrawn")
def test_intervals_are_of_the_days_of_the_map(run, gridded, monkeypatch):
    """Of daily sums that came or went since there are none, and that is said."""
    made = []

    def note(days, numbers, cells, **given):
        made.append(days)
        return numbers

    monkeypatch.setattr("retrieval.l3.intervals.bootstrap_numbers", note)
    assert "no intervals" not in run("maps", gridded, "-q").err
    days = gridded.parent / "map_days"
    assert made == [days]
    min(days.glob("sums_*.nc")).unlink()
    again = run("maps", gridded, "-o", gridded.parent / "again")
    assert again.status == 0
    assert f"no intervals: the daily sums in {days} are not those that map.nc" in again.err
    assert made == [days]


def test_existing_figures_are_kept(run, gridded):
    """Nothing is replaced unless told to, and nothing is drawn before that is known."""
    folder = gridded.parent / "map_maps"
    folder.mkdir()
    (folder / "regions.png").write_text("mine")
    assert "give --overwrite" in run("maps", gridded, "-q").error
    assert names(folder) == ["regions.png"]


@pytest.mark.usefixtures("_undrawn")
def test_an_interrupted_call_can_be_repeated(run, gridded, monkeypatch):
    """Figures that were drawn before the interruption are not there to be replaced."""
    with monkeypatch.context() as patch:
        patch.setattr("retrieval.l3.figures.columns_figure", _interrupted)
        assert "run again" in run("maps", gridded, "-q").error
    assert not (gridded.parent / "map_maps").exists()
    again = run("maps", gridded, "-q")
    assert again.status == 0, again.err
    assert names(gridded.parent / "map_maps") == FILES


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (("--pair", "DACNO2"), 2, "is not PRODUCT/REFERENCE"),
        (("--region", "Paris=1,2"), 2, "NAME=W,S,E,N"),
        (("--pair", "XY/TM5"), 1, "Invalid product 'XY'"),
    ],
)
def test_wrong_calls_are_one_line(run, gridded, args, status, words):
    """Wrong pairs and regions say how to write them."""
    done = run("maps", gridded, "-q", *args)
    assert done.status == status
    assert words in done.err


def test_maps_of_no_cell_are_refused(run, gridded):
    """Where no cell has enough days or is covered, pages would be empty: nothing is written."""
    done = run("maps", gridded, "-q", "--minimum-days", "5")
    assert done.status == 1
    assert "measured on 5 days. Given map.nc, whose cells have 3 at most" in done.error
    assert "Give a lower --minimum-days" in done.error
    with netCDF4.Dataset(gridded, "a") as file:
        file["coverage"][:] = 0.1
    assert "covered to 50%" in run("maps", gridded, "-q").error
    assert not (gridded.parent / "map_maps").exists()


def test_orbits_are_not_maps(run, season):
    """An orbit given instead of a gridded file is refused with what to do."""
    done = run("maps", season.outputs[0])
    assert done.status == 1
    assert "Make one with the command grid" in done.error
