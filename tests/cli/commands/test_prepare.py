"""`prepare` as a user calls it: what is missing, what to download, a store, screening."""

from __future__ import annotations

import json

import pytest

from dacno2_s5p.store.store import Store
from tests.builders.source_files import DAY, GRID, write_all


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Build a workspace with all sources of two days, and a TOML of their grid."""
    folder = tmp_path_factory.mktemp("sources")
    write_all(folder, [DAY, DAY + 1])
    lines = [f"{name} = {json.dumps(value)}" for name, value in GRID.to_dict().items()]
    (folder / "grid.toml").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def prepare(run):
    """Return a function that prepares and expects success."""

    def call(*args: object) -> str:
        outcome = run("prepare", *args)
        assert outcome.status == 0, outcome.err
        return outcome.out

    return call


def common(files, store, end=DAY + 1):
    """Arguments of the small grid."""
    return (
        *("-w", files, "-o", store, "--grid", files / "grid.toml", "--weather-steps", 8),
        *("--start", DAY, "--end", end),
    )


def test_a_store_is_written_and_screened(prepare, files, tmp_path):
    """One call from files to a store that opens, and its screening."""
    store = tmp_path / "store"
    summary = json.loads(prepare(*common(files, store), "--json"))
    assert summary["days"] == 2 and summary["station_cells"] == {"2019": 3}
    assert Store.open(store).days == (DAY, DAY + 1)
    text = prepare("-o", store, "--screen")
    assert "1000\t2019\t2" in text and "at least 3 are needed" in text
    assert len(json.loads(prepare("-o", store, "--screen", "--json"))["rows"]) == 8


def test_what_is_missing_is_said_before_anything_is_written(run, prepare, files, tmp_path):
    """A dry run lists days and pieces; the same call without it fails and writes nothing."""
    store = tmp_path / "store"
    args = common(files, store, DAY + 2)
    report = json.loads(prepare(*args, "--dry-run", "--json"))
    assert report["complete"] == [str(DAY), str(DAY + 1)]
    assert any("Eurocontrol" in what for what in report["missing"][str(DAY + 2)])
    assert "incomplete days: 1" in prepare(*args, "--dry-run")
    refused = run("prepare", *args)
    assert refused.status == 1
    assert "1 of 3 days" in refused.error and "--skip-missing" in refused.error
    assert not store.exists()
    assert "1 left out" in prepare(*args, "--skip-missing")


def test_what_to_download_names_products_boxes_levels_and_hours(prepare):
    """Exact names for the data stores, and the tiles of the terrain."""
    text = prepare("--what-to-download")
    for needed in (
        *("reanalysis-era5-single-levels", "10m_u_component_of_wind", "[56, -10, 40, 10]"),
        *("cams-europe-air-quality-reanalyses", "0, 50, 250, 500, 1000, 2000, 3000, 5000 m"),
        *("from the day before", "n50w005_dem.tif", "JRC_1K_POP_2018.tif", "Belgium"),
    ):
        assert needed in text
    daily = prepare("--what-to-download", "--vertical", "pressure", "--window", "daily")
    assert "levels: 1000, 975, 950, 925, 900, 800, 700, 550 hPa" in daily
    assert "hours: 00 to 23 UTC\n" in daily
    assert json.loads(prepare("--what-to-download", "--json"))[0]["source"] == "era5"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "there is no day"),
        (("--start", "2019-07-02", "--end", "2019-07-01"), "no day is left"),
        (("--start", "2020-07-02", "--year-excluded", "2020"), "no day is left"),
        (("--start", "2019-07-02", "--source", "era5"), "not NAME=PATH"),
        (("--start", "2019-07-02", "--grid", "moon"), "europe-2km or lonlat-0.02"),
        (("--start", "2019-07-02", "--heights", "0,high"), "no heights"),
    ],
)
def test_wrong_calls_are_usage_errors(run, tmp_path, args, said):
    """Exit status 2 and a sentence."""
    outcome = run("prepare", "-w", tmp_path, *args)
    assert outcome.status == 2
    assert said in outcome.error


def test_sources_may_lie_elsewhere(run, prepare, files, tmp_path):
    """A named source replaces the folder of the workspace; an unknown name is refused."""
    args = (*common(files, tmp_path / "s", DAY), "--dry-run", "--json")
    report = json.loads(prepare(*args, "--source", f"cams={tmp_path}"))
    assert report["complete"] == []
    assert any("Invalid" in what for what in report["missing"][str(DAY)])
    outcome = run("prepare", *args, "--source", "snow=here")
    assert outcome.status == 1 and "must be one of era5" in outcome.error


def test_the_papers_daily_variant_is_the_same_code(prepare, files, tmp_path):
    """Daily targets of files that hold three hours are named as missing, hour by hour."""
    args = (*common(files, tmp_path / "s", DAY), "--dry-run", "--json", "--window", "daily")
    lacking = json.loads(prepare(*args))["missing"][str(DAY)]
    assert any("2019-07-02T00" in what and "CAMS" in what for what in lacking)


def test_impossible_preparations_are_one_line(run, files, tmp_path):
    """A window that is none, and steps the encoder cannot halve."""
    for wrong in (("--window", "13-11"), ("--weather-steps", 12)):
        outcome = run("prepare", *common(files, tmp_path / "s", DAY), *wrong)
        assert outcome.status == 1
        assert outcome.error.startswith("Error: Invalid")


def test_what_to_download_is_of_the_grid_s_region(tmp_path, run):
    """A grid on the southern hemisphere asks for its own box and tiles, not for the paper's."""
    toml = tmp_path / "highveld.toml"
    toml.write_text('box = [28.0, -28.0, 31.2, -24.8]\nspacing = 0.02\ncrs = "EPSG:4326"\n')
    told = run("prepare", "--what-to-download", "--json", "--grid", toml)
    assert told.status == 0
    by_source = {item["source"]: item for item in json.loads(told.out)}
    north, west, south, east = (
        float(v) for v in by_source["era5"]["area"].partition("]")[0].strip("[").split(",")
    )
    # at least the box, at most the box and what is carried into it
    assert 20.0 < west <= 28.0 and 31.2 <= east < 36.0
    assert -32.0 < south <= -28.0 and -24.8 <= north < -20.0
    assert by_source["merit"]["tiles"].startswith("s30e025_dem.tif")
    wrong = run("prepare", "--what-to-download", "--grid", tmp_path / "none.toml")
    assert wrong.status == 2
