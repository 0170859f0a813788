"""`dacno2-s5p grid`: files in, one gridded file out, state beside it, errors in one line."""

from __future__ import annotations

import csv
import json
import shutil

import netCDF4
import numpy as np
import pytest

from cli.tasks.grid import gridding_bytes
from retrieval.l3.cells import regular_grid
from retrieval.l3.file import read_l3
from tests.cli.conftest import contents


@pytest.fixture
def grid(run, season, tmp_path):
    """Return a function that grids the season's files on 8 km, unless told otherwise."""

    def call(*args: object, files=None, output="map.nc"):
        chosen = season.outputs if files is None else files
        return run("grid", *chosen, "-o", tmp_path / output, "--cell", "8km", *args)

    return call


def test_files_become_a_map(grid, tmp_path):
    """The table of means and the path are all that stdout holds; the state lies beside."""
    done = grid()
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("product\t")
    assert [line.split("\t")[0] for line in lines[1:4]] == ["TM5", "DACNO2", "CAMS"]
    assert lines[-1] == str(tmp_path / "map.nc")
    assert done.err == ""
    l3 = read_l3(tmp_path / "map.nc")
    assert l3.n_day == 3
    assert l3.grid.crs == "EPSG:3035"
    assert len(list((tmp_path / "map_days").glob("sums_*.nc"))) == 3


def test_means_by_kind_of_pixel_lie_beside(grid, tmp_path):
    """Cloud, sun, snow and ice, land and sea: a table on stdout and as CSV, the same in JSON."""
    done = grid("--json", "-p", "TM5", "-p", "CAMS")
    assert done.status == 0, done.err
    with (tmp_path / "map_strata.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    strata = {row["stratum"] for row in rows}
    assert {"all pixels", "land", "no snow or ice", "cloud radiance fraction 0 to 0.1"} <= strata
    found = json.loads(done.out)
    assert len(found["strata"]) == len(rows)
    whole = [row for row in rows if row["stratum"] == "all pixels"]
    assert [row["product"] for row in whole] == ["TM5", "CAMS"]
    assert int(whole[0]["n_pixel"]) >= int(found["pixels"]) * 0.9
    again = grid("-p", "TM5", "-p", "CAMS", "--overwrite")
    assert any(line.startswith("land\t") for line in again.out.splitlines())


def test_adding_files_later_gives_the_same(grid, season, tmp_path):
    """Two runs on one folder of days end where a single run does."""
    assert grid().status == 0
    days = tmp_path / "state"
    assert grid("--days", days, files=season.outputs[2:], output="a.nc").status == 0
    done = grid("--days", days, "--json", output="b.nc")
    summary = json.loads(done.out)
    assert (summary["added"], summary["skipped_already_there"]) == (2, 1)
    whole, parts = read_l3(tmp_path / "map.nc"), read_l3(tmp_path / "b.nc")
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-7)  # float32 on disk


def test_another_period_needs_no_files(grid, tmp_path):
    """From the days of a map another period is averaged without reading orbits again."""
    assert grid().status == 0
    done = grid(
        "--days", tmp_path / "map_days", "--period", "2019-06-02", "2019-06-03",
        files=[], output="june.nc",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert read_l3(tmp_path / "june.nc").n_day == 2
    nothing = grid(files=[], output="other.nc")
    assert nothing.status == 2
    assert "nothing to average" in nothing.error


def test_degrees_and_products(grid, tmp_path):
    """Longitude and latitude, a box and chosen products."""
    box = ("--cell", "0.1deg", "--bbox", "1", "47.5", "4", "50")
    assert grid(*box, "-p", "TM5", "-p", "CAMS").status == 0
    l3 = read_l3(tmp_path / "map.nc")
    assert l3.products == ("TM5", "CAMS")
    assert l3.grid.shape == (25, 30)


def test_further_columns_of_side_files(grid, season, tmp_path):
    """A column of side files is averaged over the same pixels with the same weights."""
    for path in season.outputs:
        with (
            netCDF4.Dataset(path) as orbit,
            netCDF4.Dataset(tmp_path / f"{path.name[:83]}_truth.nc", "w") as side,
        ):
            product = orbit["PRODUCT"]
            for name in ("scanline", "ground_pixel"):
                side.createDimension(name, product[name].size)
                side.createVariable(name, "i4", (name,))[:] = product[name][:]
            truth = side.createVariable("truth", "f8", ("scanline", "ground_pixel"))
            truth.units = "mol m-2"
            truth[:] = 2.0 * product["nitrogendioxide_tropospheric_column"][0]
    assert grid("--with", f"TRUTH={tmp_path}/{{stem}}_truth.nc:truth").status == 0
    l3 = read_l3(tmp_path / "map.nc")
    np.testing.assert_allclose(l3["TRUTH"], 2.0 * l3["TM5"], rtol=2e-7)  # float32 on disk
    assert l3.retrieved == ("TM5", "DACNO2", "CAMS")


def test_plan_writes_nothing(grid, tmp_path):
    """The plan names files, products, grid and rules, and leaves no trace."""
    done = grid("--dry-run", "--json")
    plan = json.loads(done.out)
    assert plan["products"] == ["TM5", "DACNO2", "CAMS"]
    assert plan["grid"] == "148 x 180 cells, EPSG:3035"
    assert plan["qa_value_above"] == 0.75
    assert list(tmp_path.iterdir()) == []


def test_one_orbit_twice_is_one_line(grid, season):
    """Original and re-retrieved file of an orbit together are refused."""
    done = grid(files=[season.originals[0], season.outputs[0]])
    assert done.status == 1
    assert "Two candidates for orbit" in done.error


def test_one_bad_file_does_not_stop_the_rest(grid, season, tmp_path):
    """The others are gridded and written; the bad one is reported; the exit status is 1."""
    bad = tmp_path / season.originals[1].name
    shutil.copy(season.originals[1], bad)  # has TM5 only
    done = grid(files=[season.outputs[0], bad])
    assert done.status == 1
    assert "no column with the DACNO2 a priori" in done.error
    assert read_l3(tmp_path / "map.nc").n_day == 1


def test_existing_files_are_kept(grid, tmp_path):
    """A file that is none of ours is replaced only when told to."""
    (tmp_path / "map.nc").write_text("precious")
    assert "give --overwrite" in grid().error
    assert (tmp_path / "map.nc").read_text() == "precious"
    assert not (tmp_path / "map_days").exists()
    assert grid("--overwrite").status == 0


def test_a_map_of_the_same_content_is_left_as_it_is(grid, season, tmp_path):
    """Under other names of files, too; with more orbits it is refused before any is added."""
    assert grid(files=season.outputs[:2]).status == 0
    before = (tmp_path / "map.nc").stat().st_mtime_ns
    copies = [
        shutil.copy(path, tmp_path / path.name.replace("_out", "_copy"))
        for path in season.outputs[:2]
    ]
    again = grid(files=copies)
    assert again.status == 0, again.err
    assert again.out.splitlines()[-1].startswith(f"skipped {tmp_path / 'map.nc'}: done before")
    assert json.loads(grid("--json", files=copies).out)["skipped"] == "done before"
    assert "made from other orbits or settings" in grid().error
    assert len(list((tmp_path / "map_days").glob("sums_*.nc"))) == 2
    assert "made from other" in grid("--average", "months", files=copies).error
    assert (tmp_path / "map.nc").stat().st_mtime_ns == before
    assert grid("--overwrite").status == 0


def test_a_map_is_the_same_on_any_number_of_workers(grid, season, tmp_path):
    """Days and means of two processes equal those of one, bit by bit; a folder is searched."""
    assert grid(output="one.nc").status == 0
    done = grid("--jobs", "2", files=[season.folder], output="two.nc")
    assert (done.status, done.err) == (0, "")
    for name in ("{}.nc", *(f"{{}}_days/sums_2019-06-0{day}.nc" for day in (1, 2, 3))):
        one, two = (tmp_path / name.format(which) for which in ("one", "two"))
        assert contents(one) == contents(two)


def test_days_of_orbits_can_be_chosen(grid, season, tmp_path):
    """The first and the last day bound both what is taken and what is averaged."""
    assert grid(files=[season.folder], output="all.nc").status == 0
    chosen = ("--start", "2019-06-02", "--end", "2019-06-02")
    done = grid(*chosen, "--days", tmp_path / "all_days", files=[season.folder])
    assert done.status == 0, done.err
    assert read_l3(tmp_path / "map.nc").n_day == 1
    both = grid(*chosen, "--period", "2019-06-01", "2019-06-02", output="b.nc")
    assert "Both say which days" in both.error


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--cell", "2 miles"), "Invalid cell"),
        (("--with", "TRUTH"), "NAME=FILEPATTERN:VARIABLE"),
        (("--cell", "7km"), "divide the domain"),
        (("--where", "solar_zenith_angle=60..0"), "LOW not above HIGH"),
        (("--where", "solar_zenith=0..60"), "Did you mean solar_zenith_angle"),
        (("--where", "averaging_kernel=0..1"), "with one number a pixel"),
        (("-p", "cams"), "which holds TM5, DACNO2, CAMS, CAMS_kernel, CAMS_model,"),
        (("-p", "cams"), "Did you mean CAMS?"),
    ],
)
def test_wrong_calls_are_one_line(grid, args, words):
    """Wrong options exit with 2 and say how to write them."""
    done = grid(*args)
    assert done.status == 2
    assert words in done.error


@pytest.mark.parametrize("cell", ["50m", "2m", "0.001m"])
def test_grids_beyond_memory_are_refused(grid, tmp_path, monkeypatch, cell):
    """A misspelt size of cells is one line before any work, and leaves nothing."""
    monkeypatch.setattr("dacno2_s5p.network.memory.machine_bytes", lambda: 16e9)
    done = grid("--cell", cell)
    assert done.status == 2
    assert "Give a larger" in done.error
    assert list(tmp_path.iterdir()) == []


def test_memory_goes_with_cells_and_products():
    """Europe at 2 km and the globe at 0.02 degree fit where they did."""
    europe = gridding_bytes(regular_grid(2000.0), 3, "pooled")
    assert europe < 0.3e9
    globe = regular_grid(0.02, (-180.0, -90.0, 180.0, 90.0), "EPSG:4326")
    assert 20e9 < gridding_bytes(globe, 3, "pooled") < 24e9
    assert gridding_bytes(globe, 3, "months") > gridding_bytes(globe, 3, "pooled")


def test_no_pixel_on_the_grid_is_one_line(grid, tmp_path):
    """The grid and the conditions are told, and no folder of days is left without a day."""
    elsewhere = grid("--bbox", "20", "60", "21", "61")
    assert elsewhere.status == 1
    assert "No pixel of 3 orbit(s) lies on the grid, 3 of them beside the grid" in elsewhere.error
    assert "Give another --bbox or --qa." in elsewhere.error
    low_sun = grid("--where", "solar_zenith_angle=89..90")
    assert low_sun.status == 1
    assert "solar_zenith_angle=89..90. Give another --bbox, --where or --qa." in low_sun.error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_days_stays(grid, tmp_path):
    """A folder that was there before the call is not removed."""
    (tmp_path / "map_days").mkdir()
    assert "No pixel of 3" in grid("--bbox", "20", "60", "21", "61").error
    assert "No pixel of 3" in grid("--bbox", "20", "60", "21", "61").error
    assert (tmp_path / "map_days").is_dir()


def test_files_without_a_day_are_told_one_by_one(grid, season, tmp_path):
    """Where all files fail, each says why, and no folder is left."""
    for path in season.originals[:2]:
        shutil.copy(path, tmp_path)
    files = sorted(tmp_path.iterdir())
    for path in files:
        with netCDF4.Dataset(path, "a") as orbit:
            orbit["PRODUCT"].renameVariable("delta_time", "delta")
    done = grid(files=files)
    assert done.status == 1
    assert done.err.count("has no variable delta_time") == 2
    assert sorted(tmp_path.iterdir()) == files


def test_names_that_one_file_holds_are_no_misspelling(grid, season, tmp_path):
    """The others are gridded where the first file lacks a product."""
    done = grid("-p", "CAMS", files=[season.originals[0], *season.outputs[1:]])
    assert (done.status, "no column with the CAMS a priori" in done.error) == (1, True)
    assert read_l3(tmp_path / "map.nc").n_day == 2


def test_settings_of_a_folder_are_kept(grid, season, tmp_path):
    """A folder of days on another grid is refused with both grids' settings."""
    assert grid().status == 0
    done = grid("--cell", "16km", "--days", tmp_path / "map_days", output="b.nc")
    assert done.status == 1
    assert "Choose another folder" in done.error
