"""`evaluate` as a user calls it: tables, figures, and the stations it refuses."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from dacno2_s5p.inputs.regrid import centres_in
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.network.checkpoint import save_checkpoint
from dacno2_s5p.store.store import FORMAT, MANIFEST, Store
from retrieval.apriori.profile_file import NEEDED_ATTRIBUTES, Profiles, write_profile_file
from retrieval.files.provenance import file_checksum
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.geometry.grids import GEOGRAPHIC
from tests.builders.network_builders import mini_config, random_network
from tests.builders.source_files import (
    GRID,
    HEIGHTS,
    smooth_cams,
    write_cams,
    write_stations,
    write_tif,
)
from tests.builders.training_builders import make_days, make_info

DAYS = list(np.arange("2019-07-02", "2019-07-08", dtype="datetime64[D]"))
SHIFT, FAR = 3.0, 1.0
"""What two sets are above CAMS everywhere, the first nearer to the held-out station [ug m-3]."""


def write_profiles(folder, shift, spread=None, days=DAYS, **attributes):
    """Write what `predict` writes: daily files; the CAMS field at the cells plus a shift."""
    folder.mkdir(exist_ok=True)
    longitude, latitude = centres_in(GRID.cells(), GEOGRAPHIC)
    half = np.timedelta64(90, "m")
    for i, day in enumerate(days):
        # the mean of the three stamps that `write_cams` counts through
        field = np.stack([smooth_cams(longitude, latitude, h, 3 * i + 1) + shift for h in HEIGHTS])
        noon = day.astype("datetime64[ms]") + np.timedelta64(12, "h")
        profiles = Profiles(
            no2=field[None] * MICROGRAM_M3_TO_MOL_M3,
            height=np.array(HEIGHTS, dtype=float),
            grid=GRID.cells(),
            time=np.array([noon]).astype("datetime64[ms]"),
            time_bounds=np.array([[noon - half, noon + half]]).astype("datetime64[ms]"),
            uncertainty=spread and np.full_like(field[None], spread * MICROGRAM_M3_TO_MOL_M3),
            attributes={**dict.fromkeys(NEEDED_ATTRIBUTES, "test"), **attributes},
        )
        write_profile_file(folder / f"profiles_{str(day).replace('-', '')}.nc", profiles)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Build a workspace of six days: CAMS, stations, two sets, population, the grid."""
    folder = tmp_path_factory.mktemp("evaluation")
    write_cams(folder / "cams", "2019-07", DAYS, smooth_cams)
    write_stations(folder / "eea", DAYS)
    for name, shift in (("near", SHIFT), ("far", FAR)):
        write_profiles(folder / name, shift)
    people = np.full((160, 160), 400.0, "f4")
    origin = (GRID.x_origin - 16_000.0, GRID.y_origin + 128_000.0 + 16_000.0)
    path = folder / "geostat" / "JRC_1K_POP_2018.tif"
    write_tif(path, people, origin, 1000.0, "EPSG:3035", -1.0)
    lines = [f"{name} = {json.dumps(value)}" for name, value in GRID.to_dict().items()]
    (folder / "grid.toml").write_text("\n".join(lines) + "\n")
    return folder


def common(files, *sets):
    """Arguments of the small grid."""
    named = [part for name in sets for part in ("-a", f"{name}={files / name}")]
    return ("-w", files, "--grid", files / "grid.toml", "--bootstrap", 20, *named)


def read(path):
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def pick(lines, table, group, metric, name):
    return next(
        line
        for line in lines
        if (line["table"], line["group"], line["metric"], line["set"])
        == (table, group, metric, name)
    )


def test_tables_and_figures_are_written(run, files, tmp_path):
    """Sets side by side with CAMS-2km; numbers are those of the fields that were written."""
    outcome = run("evaluate", *common(files, "near", "far"), "-o", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("group\tmetric\tnear\tfar\tCAMS-2km\tN")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    # the grid holds neither of the transects' lines
    drawn = ("stations", "station_map", "series", "layers", "profiles", "maps", "layer_maps")
    drawn += ("layers_in_time",)
    figures = {f"{name}.png" for name in drawn}
    assert names == figures | {"scores.csv", "scores.md", "provenance.json"}
    origin = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert "near (names and sizes): 6 files of near sha256:" in origin["inputs"]
    assert "stations (names and sizes): eea sha256:" in origin["inputs"]
    assert json.loads(origin["options"])["window"] == "11-13"
    assert str(tmp_path) not in origin["options"]  # no paths of a machine
    lines = read(tmp_path / "out" / "scores.csv")
    near, far, cams = (
        pick(lines, "stations", "all", "bias", name) for name in ("near", "far", "CAMS-2km")
    )
    assert float(near["value"]) - float(far["value"]) == pytest.approx(SHIFT - FAR, abs=1e-4)
    # bilinear interpolation of a smooth field over 0.1 degree
    assert float(near["value"]) - float(cams["value"]) == pytest.approx(SHIFT, abs=0.02)
    assert near["n"] == "6"
    assert near["is_best"] == "1" and far["is_best"] == "0"
    layer = pick(lines, "layers", "500 m", "bias", "near")
    assert float(layer["value"]) == pytest.approx(SHIFT, abs=0.02)
    assert pick(lines, "urbanisation", "suburban", "ratio to CAMS-2km", "near")
    assert "| all | RMSE |" in (tmp_path / "out" / "scores.md").read_text(encoding="utf-8")


def test_the_summary_is_machine_readable_and_nothing_is_replaced(run, files, tmp_path):
    """--json gives files, notes and numbers; a second run asks for --overwrite."""
    args = ("evaluate", *common(files, "near"), "--start", "2019-07-03", "-o", tmp_path)
    summary = json.loads(run(*args, "--json").out)
    assert summary["notes"][0] == "5 days, 2019-07-03 to 2019-07-07, 11-13 UTC"
    assert len(summary["files"]) == 11  # eight figures, two tables, provenance.json
    assert {row["set"] for row in summary["numbers"]} == {"near", "CAMS-2km"}
    again = run(*args)
    assert again.status == 1
    assert "--overwrite" in again.error


def test_which_station_values_were_chosen_is_kept(run, files, tmp_path):
    """Up-to-date values beside verified ones: told, in provenance.json, --json and the report."""
    shutil.copytree(files / "eea", tmp_path / "eea")
    table = parquet.read_table(tmp_path / "eea" / "SPO-FR003.parquet").to_pydict()
    table["Verification"] = [3] * len(table["Value"])
    table["Value"] = [value + 15 for value in table["Value"]]
    parquet.write_table(pa.table(table), tmp_path / "eea" / "recent.parquet")
    args = ("evaluate", *common(files, "near"), "--stations", tmp_path / "eea")
    outcome = run(*args, "-o", tmp_path / "out" / "a", "--json")
    (record,) = json.loads(outcome.out)["choices"]
    assert record["what"] == "NO2 of EEA in 2019"
    n = len(table["Value"])
    assert record["passed_over"][0]["label"] == f"{n} hours of 1 points that are less so"
    assert "recent.parquet by SPO-FR003.parquet" in record["passed_over"][0]["why"]
    kept = json.loads((tmp_path / "out" / "a" / "provenance.json").read_text())
    assert kept["choices"] == [record]
    assert "recent.parquet" in outcome.err
    assert run("report", tmp_path / "out").status == 0
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "chosen: NO2 of EEA in 2019" in page
    alone = run("evaluate", *common(files, "near"), "-o", tmp_path / "alone", "--json")
    assert json.loads(alone.out)["choices"] == []


def test_an_interrupted_call_leaves_nothing(run, files, tmp_path, monkeypatch):
    """Tables that were written before the interruption are not there to be replaced."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dacno2_s5p.evaluation.figures.scores.save", interrupted)
    assert "run again" in run("evaluate", *common(files, "near"), "-o", tmp_path / "out").err
    assert list(tmp_path.iterdir()) == []


def test_uncertainties_are_scored_at_the_stations(run, files, tmp_path):
    """Shares within the intervals that the file states; sets without one have none."""
    write_profiles(tmp_path / "wide", SHIFT, spread=100.0, uncertainty="raw spread")
    about = {"uncertainty_interval_50": "1e-6", "uncertainty_interval_90": "2.0"}
    write_profiles(tmp_path / "own", SHIFT, spread=100.0, **about)
    sets = (f"wide={tmp_path / 'wide'}", f"own={tmp_path / 'own'}")
    named = [part for text in sets for part in ("-a", text)]
    given = ("evaluate", *common(files, "near"), *named, "-o", tmp_path / "out", "--json")
    done = run(*given)
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert "uncertainty of wide: raw spread" in found["notes"]
    lines = read(tmp_path / "out" / "scores.csv")
    assert {line["set"] for line in lines if line["table"] == "coverage"} == {"wide", "own"}
    # residuals of some 34 ug m-3 against half-widths of 67, 164, 0.0001 and 200
    for name, level, share in (
        ("wide", 50, 100),
        ("wide", 90, 100),
        ("own", 50, 0),
        ("own", 90, 100),
    ):
        line = pick(lines, "coverage", "all", f"share within {level} % [%]", name)
        assert float(line["value"]) == share
        assert line["n"] == "6"
    sigma = pick(lines, "coverage", "all", "mean sigma", "wide")
    assert float(sigma["value"]) == pytest.approx(100.0, rel=1e-5)  # float32
    assert "Held-out stations within" in (tmp_path / "out" / "scores.md").read_text()


NEXT_DAYS = list(np.arange("2020-07-02", "2020-07-05", dtype="datetime64[D]"))
OTHER_SHIFT = 5.0
"""What the set is above CAMS in the second year [ug m-3]."""


def test_two_years_are_scored_together_and_one_by_one(run, files, tmp_path):
    """Biases over CAMS are those that were put in, each of its year, and the mean over all days."""
    write_cams(tmp_path / "cams", "2019-07", DAYS, smooth_cams)
    write_cams(tmp_path / "cams", "2020-07", NEXT_DAYS, smooth_cams)
    write_stations(tmp_path / "eea", DAYS + NEXT_DAYS)
    write_profiles(tmp_path / "near", SHIFT)
    write_profiles(tmp_path / "near", OTHER_SHIFT, days=NEXT_DAYS)
    given = ("-w", tmp_path, "-a", f"near={tmp_path / 'near'}", "--grid", files / "grid.toml")
    args = ("evaluate", *given, "--bootstrap", 0, "-o", tmp_path / "out", "--json")
    done = run(*args)
    assert (done.status, done.err) == (0, "")
    summary = json.loads(done.out)
    assert summary["notes"][:2] == [
        "9 days, 2019-07-02 to 2020-07-04, 11-13 UTC",
        "years 2019, 2020, together and one by one",
    ]
    assert str(tmp_path / "out" / "years.png") in summary["files"]
    lines = read(tmp_path / "out" / "scores.csv")
    n_first, n_second = len(DAYS), len(NEXT_DAYS)
    mean = (n_first * SHIFT + n_second * OTHER_SHIFT) / (n_first + n_second)
    for suffix, shift, n in (
        ("", mean, n_first + n_second),
        (", 2019", SHIFT, n_first),
        (", 2020", OTHER_SHIFT, n_second),
    ):
        near, cams = (
            pick(lines, "stations", f"all{suffix}", "bias", name) for name in ("near", "CAMS-2km")
        )
        # bilinear interpolation of a smooth field over 0.1 degree
        assert float(near["value"]) - float(cams["value"]) == pytest.approx(shift, abs=0.02)
        assert near["n"] == str(n)
        layer = pick(lines, "layers", f"500 m{suffix}", "bias", "near")
        assert float(layer["value"]) == pytest.approx(shift, abs=0.02)
    years = {row["year"] for row in summary["numbers"]}
    assert years == {0, 2019, 2020}


def save_model(path, **changes):
    network = random_network(mini_config())
    save_checkpoint(path, network.state_dict(), make_info(make_days(n_day=2), **changes))
    return path


@pytest.mark.parametrize("name", ["SPO-FR003", "FR003"])
def test_a_station_of_the_training_split_is_refused(run, files, tmp_path, name):
    """The split kept in the checkpoint decides, by sampling point or by EoI code."""
    model = save_model(tmp_path / "m.safetensors", training_stations=(name,))
    outcome = run("evaluate", *common(files, "near"), "--checkpoint", model, "-o", tmp_path / "o")
    assert outcome.status == 1
    assert "m.safetensors" in outcome.error and "SPO-FR003" in outcome.error
    assert not (tmp_path / "o").exists()


def test_the_split_may_be_that_of_the_store(run, files, tmp_path):
    """A checkpoint names its store; without it the split is unknown, with it stations are seen."""
    cells = [{"members": ["SPO-FR003"], "row": 0, "column": 0, "is_evaluation": False}]
    manifest = {
        "format": FORMAT,
        "grid": GRID.to_dict(),
        "inputs": InputTable.default().to_dict(),
        "preparation": Preparation().to_dict(),
        "days": {"2019-07-01": {"split": "training", "stream": ""}},
        "stations": {"2019": cells},
        "statistics": None,
        "target": None,
        "training_data": "synthetic",
    }
    (tmp_path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    fingerprint = Store.open(tmp_path).manifest_hash
    model = save_model(tmp_path / "m.safetensors", data_manifest=fingerprint)
    args = ("evaluate", *common(files, "near"), "--checkpoint", model, "-o", tmp_path / "o")
    assert "--store" in run(*args).error
    assert "training split" in run(*args, "--store", tmp_path).error


def test_a_set_whose_checkpoint_is_not_given_is_named(run, files, tmp_path):
    """Profile files say what made them; unchecked splits are said on stderr and in the tables."""
    model = save_model(tmp_path / "m.safetensors", training_stations=("X",))
    write_profiles(tmp_path / "made", 0.0, checkpoint_sha256=file_checksum(model))
    args = ("evaluate", *common(files), "-a", f"made={tmp_path / 'made'}", "-o", tmp_path / "o")
    outcome = run(*args, "--json")
    assert "checkpoint that is not given" in outcome.err
    assert json.loads(outcome.out)["notes"][-1] == "training split of made not checked"
    outcome = run(*args, "--checkpoint", model, "--overwrite", "--json")
    assert outcome.err == ""
    assert "not checked" not in outcome.out


def test_a_list_of_training_stations_is_kept_apart(run, files, tmp_path):
    """A station on both lists is refused."""
    held = tmp_path / "held.csv"
    held.write_text("AirQualityStationEoICode\nFR001\nFR003\n")
    outcome = run(
        "evaluate", *common(files, "near"), "--evaluation-stations", held, "-o", tmp_path / "o"
    )
    assert outcome.status == 1
    assert "on both" in outcome.error


@pytest.mark.parametrize(
    ("args", "what"),
    [
        (("-a", "near"), "NAME=PATH"),
        (("-a", "a=missing_folder"), "does not exist"),
        (("--bound", "truth"), "none of the sets"),
        (("--start", "2019-07-05", "--end", "2019-07-03"), "lies before"),
        (("--start", "2024-01-01"), "no day from 2024-01-01 on. The sets hold 2019-07-0"),
        (("--end", "2018-01-01"), "no day to 2018-01-01. The sets hold 2019-07-0"),
    ],
)
def test_wrong_calls_are_refused_in_one_line(run, files, tmp_path, args, what):
    """Exit status 2 and what to do."""
    outcome = run("evaluate", *common(files), *args, "-o", tmp_path / "o")
    assert outcome.status == 2
    assert what in outcome.error


def test_nothing_to_evaluate_points_to_the_twin_world(run, tmp_path):
    """An empty workspace is a usage error that names the way out."""
    outcome = run("evaluate", "-w", tmp_path)
    assert outcome.status == 2
    assert "--twin" in outcome.error


def test_the_twin_world_answers_without_files(run, files, tmp_path, monkeypatch):
    """--twin evaluates what it wrote into the output, its truth a bound that is never the best."""
    asked = []

    def write_small(units, request):
        """Take files of the small grid for those of the twin world, which take a minute."""
        asked.extend((unit.kind, unit.dates) for unit in units)
        for source, name in (("cams", "cams"), ("eea", "eea"), ("near", "truth8")):
            shutil.copytree(files / source, request.folder / name)
        shutil.copytree(files / "geostat", request.folder / "geostat")
        yield from enumerate(units)

    monkeypatch.setattr("cli.tasks.twin_files.progress_units", write_small)
    args = ("--grid", files / "grid.toml", "--bootstrap", 20, "-o", tmp_path, "-q")
    outcome = run("evaluate", "--twin", 2, "--start", "2019-07-02", *args)
    assert outcome.status == 0, outcome.err
    assert {kind for kind, _ in asked} == {"cams", "eea", "truth"}
    assert {date for _, dates in asked for date in dates} == {"2019-07-02", "2019-07-03"}
    lines = read(tmp_path / "scores.csv")
    assert {line["set"] for line in lines} == {"CAMS-2km", "truth"}
    assert not any(line["is_best"] == "1" for line in lines if line["set"] == "truth")
    assert pick(lines, "urbanisation", "suburban", "ratio to CAMS-2km", "truth")


def test_fields_of_other_hours_are_refused(run, files, tmp_path):
    """An 11-13 UTC mean is not compared with stations' daily means."""
    args = ("--window", "daily", "-o", tmp_path / "o")
    outcome = run("evaluate", *common(files, "near"), *args)
    assert outcome.status == 1
    assert "window daily" in outcome.error and "10:30:00" in outcome.error


def test_a_set_of_layers_is_refused(run, files, tmp_path):
    """CAMS global is no set at heights above ground."""
    from tests.builders.set_builders import write_cams_global

    path = tmp_path / "global.nc"
    write_cams_global(path)
    outcome = run("evaluate", *common(files), "-a", f"eac4={path}", "-o", tmp_path / "o")
    assert outcome.status == 1
    assert "heights above ground" in outcome.error
