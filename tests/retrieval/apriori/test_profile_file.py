"""The profile file (docs/formats.md 6): what is written is what is read."""

from __future__ import annotations

from contextlib import closing

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.profile_file import Profiles, write_profile_file
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError, OutputError
from retrieval.physics.geometry.grids import RectilinearGrid, domain_grid
from retrieval.physics.levels import HeightLevels, Quantity
from retrieval.physics.time_rules import TimeRule

ALL = slice(None)
HEIGHT = np.array([0.0, 50, 250, 500, 1000, 2000, 3000, 5000])
ATTRIBUTES = {
    "title": "Profiles of a test",
    "institution": "none",
    "source": "made up by a test",
    "history": "written by a test",
    "references": "none",
}
PROJECTED = domain_grid(16_000.0)
DEGREES = RectilinearGrid.from_centres(np.arange(1.0, 3.05, 0.1), np.arange(48.0, 50.05, 0.1))


def profiles(grid=PROJECTED, days=("2019-06-30",), uncertainty=False, **attributes):
    rng = np.random.default_rng(0)
    time = np.array([f"{day}T12:00" for day in days], dtype="datetime64[ms]")
    no2 = rng.uniform(1e-9, 1e-6, (time.size, HEIGHT.size, *grid.shape))
    no2[:, :, 3, 4] = np.nan
    bounds = np.stack([time - 90 * 60_000, time + 90 * 60_000], axis=-1)
    sigma = 0.1 * no2 if uncertainty else None
    return Profiles(no2, HEIGHT, grid, time, bounds, sigma, {**ATTRIBUTES, **attributes})


@pytest.mark.parametrize("grid", [PROJECTED, DEGREES], ids=["EPSG:3035", "degrees"])
def test_what_is_written_is_read(tmp_path, grid):
    """Values, heights, grid, time and missing cells survive, projected and in degrees."""
    written = profiles(grid, uncertainty=True)
    opened = open_apriori(write_profile_file(tmp_path / "p.nc", written))
    assert opened.kind == "profile file"
    assert opened.quantity is Quantity.CONCENTRATION
    assert opened.time_rule is TimeRule.DAILY
    assert opened.times.tolist() == written.time.tolist()
    assert isinstance(opened.vertical, HeightLevels)
    assert opened.vertical.height.tolist() == HEIGHT.tolist()
    assert opened.grid.crs == grid.crs
    np.testing.assert_allclose(opened.grid.x_edges, grid.x_edges, rtol=1e-12)  # round-off
    np.testing.assert_allclose(opened.grid.y_edges, grid.y_edges, rtol=1e-12)
    # float32 on disk
    np.testing.assert_allclose(opened.read(0, ALL, ALL), written.no2[0], rtol=3e-7)
    np.testing.assert_allclose(
        opened.read_uncertainty(0, ALL, ALL), written.uncertainty[0], rtol=3e-7
    )
    assert opened.read(0, ALL, ALL).dtype == np.float32


def test_a_folder_of_daily_files_is_one_set(tmp_path):
    """Days in files of their own make one ascending time axis."""
    for day in ("2019-07-01", "2019-06-30"):
        write_profile_file(tmp_path / f"no2_{day}.nc", profiles(days=(day,)))
    opened = open_apriori(tmp_path)
    assert opened.times.astype("datetime64[D]").tolist() == [
        np.datetime64("2019-06-30").tolist(),
        np.datetime64("2019-07-01").tolist(),
    ]
    assert len(opened.files) == 2


def test_files_named_for_other_days_stay_closed(tmp_path):
    """With a time given, a year of daily files costs no more than a few."""
    for day in range(10, 20):
        name = f"2019-06-{day}"
        write_profile_file(tmp_path / f"no2_{name}.nc", profiles(DEGREES, days=(name,)))
    opened = open_apriori(tmp_path, np.datetime64("2019-06-15T12:00"))
    assert [f.name for f in opened.files] == [f"no2_2019-06-{d}.nc" for d in range(13, 18)]


@pytest.mark.parametrize(
    "attributes", [{"training_data": "synthetic"}, {"source": "a synthetic checkpoint"}]
)
def test_synthetic_sets_are_known_as_such(tmp_path, attributes):
    """The word in `training_data` or `source` marks the set."""
    path = write_profile_file(tmp_path / "p.nc", profiles(**attributes))
    assert open_apriori(path).is_synthetic
    assert not open_apriori(write_profile_file(tmp_path / "q.nc", profiles())).is_synthetic


@pytest.mark.parametrize("keep", ["epsg_code", "crs_wkt", "parameters"])
def test_the_crs_is_found_in_code_wkt_or_parameters(tmp_path, keep):
    """Each of the three ways to write a grid mapping names EPSG:3035."""
    path = write_profile_file(tmp_path / "p.nc", profiles())
    with netCDF4.Dataset(path, "a") as ds:
        crs = ds.variables["crs"]
        for name in ("epsg_code", "crs_wkt"):
            if name != keep:
                crs.delncattr(name)
    grid = open_apriori(path).grid
    if keep == "parameters":
        assert not grid.is_geographic and "Lambert" in grid.crs
    else:
        assert grid.crs == "EPSG:3035"


def test_projected_coordinates_may_be_in_kilometres(tmp_path):
    """The grid is in metres whatever the file's unit of length."""
    path = write_profile_file(tmp_path / "p.nc", profiles())
    with netCDF4.Dataset(path, "a") as ds:
        for name in ("x", "y"):
            ds[name][:] = ds[name][:] / 1000.0
            ds[name].units = "km"
    np.testing.assert_allclose(open_apriori(path).grid.x_edges, PROJECTED.x_edges, rtol=1e-12)


def test_a_crs_that_is_not_there_is_an_error(tmp_path):
    """A projected grid without its mapping lies where its latitudes say, or is refused."""
    path = write_profile_file(tmp_path / "p.nc", profiles())
    with netCDF4.Dataset(path, "a") as ds:
        ds.variables["no2"].delncattr("grid_mapping")
        latitude = np.asarray(ds["latitude"][:])
    with closing(open_apriori(path)) as opened:
        np.testing.assert_allclose(opened.grid.latitude, latitude)
    with netCDF4.Dataset(path, "a") as ds:
        ds.renameVariable("latitude", "somewhere")
        ds["somewhere"].delncattr("standard_name")
        ds["somewhere"].units = "1"
    with pytest.raises(AprioriError, match=r"need a grid mapping.*crs = 'EPSG"):
        open_apriori(path)


def test_existing_files_are_kept(tmp_path):
    """Nothing is replaced unless asked for, and nothing half-written stays behind."""
    path = write_profile_file(tmp_path / "p.nc", profiles())
    before = path.read_bytes()
    with pytest.raises(OutputError):
        write_profile_file(path, profiles())
    assert path.read_bytes() == before
    write_profile_file(path, profiles(uncertainty=True), overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["p.nc"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"no2": -1e-9}, "not negative"),
        ({"height": HEIGHT[::-1]}, "must ascend"),
        ({"no2": None}, "must have shape"),
    ],
)
def test_profiles_are_checked_before_they_are_written(change, message):
    """Negative values, falling heights and wrong shapes are refused."""
    good = profiles()
    fields = {**vars(good), **change}
    if change.get("no2", 0) is None:
        fields["no2"] = good.no2[:, :3]
    elif "no2" in change:
        fields["no2"] = good.no2 + change["no2"] - 1e-6
    with pytest.raises(ValueError, match=message):
        Profiles(**fields)


def test_provenance_is_compulsory(tmp_path):
    """A profile file without title or source is not written."""
    with pytest.raises(ValueError, match="none of title"):
        write_profile_file(tmp_path / "p.nc", profiles(title=""))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("grid", [PROJECTED, DEGREES], ids=["EPSG:3035", "degrees"])
@pytest.mark.filterwarnings("ignore")  # of the checker's own imports
def test_the_cf_checker_finds_no_error(tmp_path, grid):
    """CF 1.11 holds for both kinds of grid."""
    runner = pytest.importorskip("compliance_checker.runner")
    path = write_profile_file(tmp_path / "p.nc", profiles(grid, uncertainty=True))
    suite = runner.CheckSuite()
    suite.load_all_available_checkers()
    dataset = suite.load_dataset(str(path))
    checker = next(n for n in ("cf:1.11", "cf:1.9", "cf:1.8") if n in suite.checkers)
    scores = suite.run_all(dataset, [checker])
    failed = [
        (result.name, result.msgs)
        for groups, _ in scores.values()
        for result in groups
        if result.weight >= 3 and result.value[0] < result.value[1]
    ]
    # the checker of 1.8 and 1.9 knows no newer convention's name
    failed = [f for f in failed if not any("Conventions global attribute" in m for m in f[1])]
    assert not failed
