"""`prepare`, `train`, `predict`, `inspect` on small source files in their real layouts."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.numpy import save_file

from cli.commands.train import train
from dacno2_s5p.calibration.factors import Calibration, floored
from dacno2_s5p.calibration.file import write_calibration
from dacno2_s5p.inputs.variables import Preparation
from dacno2_s5p.network.checkpoint import load_checkpoint, read_info, save_checkpoint
from dacno2_s5p.sources.paths import SourcePaths
from dacno2_s5p.sources.stations.cells import StationRules
from dacno2_s5p.store.prepare import Preparer, Settings, days_of
from dacno2_s5p.store.store import Store, day_path
from dacno2_s5p.training.curves import read_rows
from retrieval.files.provenance import file_checksum
from tests.builders.source_files import DAY, GRID, write_all
from tests.cli.conftest import contents, names

pytest.importorskip("pyarrow")
pytest.importorskip("rasterio")

RECIPE = """
seed = 1
[network]
single_widths = [4, 4, 2, 2]
multi_widths = [4, 4, 2, 2]
static_widths = [5, 5, 5, 5]
decoder_widths = [8, 8, 4, 4]
dropout = 0.1
[sampling]
crop = 48
validation_share = 0.3
validation_samples = 1
"""
PHASE = """
[[phase]]
phase = {}
steps = 2
batch = 1
micro_batch = 1
validate_every = 1
"""
FIRST, SECOND = str(DAY), str(DAY + 1)


@pytest.fixture(autouse=True)
def _one_thread():
    """Run torch on one thread: tests share the machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@dataclass(frozen=True)
class Sources:
    """A workspace with source files and a store, and a recipe."""

    folder: Path
    recipe: Path


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Sources:
    folder = tmp_path_factory.mktemp("sources")
    days = days_of(DAY, DAY + 2)
    write_all(folder, list(days))
    settings = Settings(
        days=days,
        grid=GRID,
        preparation=Preparation(weather_steps=8, weather_step_hours=3),
        rules=StationRules(draw=True),
    )
    preparer = Preparer(SourcePaths.in_folder(folder), folder / "store", settings)
    preparer.write(preparer.plan())
    preparer.close()
    recipe = folder / "small.toml"
    recipe.write_text(RECIPE + "".join(PHASE.format(phase) for phase in (1, 2, 3)))
    return Sources(folder, recipe)


@pytest.fixture(scope="module")
def trained(sources) -> Path:
    """Return the folder of a run of all phases."""
    result = CliRunner().invoke(
        train, ["-r", str(sources.recipe), "-w", str(sources.folder), "--threads", "1"]
    )
    assert result.exit_code == 0, result.output
    return sources.folder / "runs" / "small"


@pytest.fixture
def predict(run, sources, trained):
    """Return a function that predicts days of the workspace with the checkpoint of phase 3."""

    def call(*args: object, checkpoint=None):
        chosen = checkpoint or trained / "phase3" / "best.safetensors"
        return run("predict", "-w", sources.folder, "-c", chosen, *args)

    return call


def test_phases_follow_one_another(trained):
    """Each phase starts from the one before, keeps curves, and draws a figure."""
    loaded = [load_checkpoint(trained / f"phase{n}" / "best.safetensors") for n in (1, 2, 3)]
    assert [model.info.phase for model in loaded] == [1, 2, 3]
    assert loaded[0].info.parent == ""
    assert loaded[1].info.parent == loaded[0].fingerprint
    assert loaded[2].info.parent == loaded[1].fingerprint
    assert len(read_rows(trained / "phase2" / "curves.csv")) == 2
    assert (trained / "curves.png").stat().st_size > 10_000


def test_a_run_says_where_it_is_from(sources, trained):
    """Recipe and store stand beside the run with their checksums."""
    origin = json.loads((trained / "provenance.json").read_text())
    store = Store.open(sources.folder / "store")
    recipe = f"recipe: {sources.recipe.name} sha256:{file_checksum(sources.recipe)}"
    assert recipe in origin["inputs"]
    assert f"store: store sha256:{store.manifest_hash}" in origin["inputs"]
    assert "torch" in origin["versions"]


def test_a_run_is_resumed_or_refused(run, sources, trained):
    """A folder with a run needs --resume; a finished run stays as it is."""
    given = ("train", "-r", sources.recipe, "-w", sources.folder, "--phase", "1")
    assert "Give --resume" in run(*given).error
    before = (trained / "phase1" / "best.safetensors").read_bytes()
    done = run(*given, "--resume", "--json")
    assert done.status == 0
    assert json.loads(done.out)["phase 1"]["step"] == 2
    assert (trained / "phase1" / "best.safetensors").read_bytes() == before


def test_a_stopped_run_ends_as_the_uninterrupted_one(run, sources, trained, tmp_path):
    """Stopped after a step and resumed, phase 1 has the same weights."""
    given = ("train", "-r", sources.recipe, "-w", sources.folder, "-o", tmp_path, "--phase", "1")
    assert "Give --resume" in run(*given, "--stop-after", "1").out
    assert run(*given, "--resume").status == 0
    whole = load_checkpoint(trained / "phase1" / "best.safetensors").network.state_dict()
    pieces = load_checkpoint(tmp_path / "phase1" / "best.safetensors").network.state_dict()
    assert all(torch.equal(whole[name], pieces[name]) for name in whole)


def test_both_splits_are_reported(run, sources, tmp_path):
    """One network on days held back and on fresh windows of its own days; refused where random."""
    blocked = "[sampling]\nsplit = 'blocked'\nblock_days = 1\n"
    recipe = tmp_path / "blocked.toml"
    text = RECIPE.replace("[sampling]\n", blocked) + PHASE.format(1)
    recipe.write_text(text)
    given = ("train", "-r", recipe, "-w", sources.folder, "-o", tmp_path / "run")
    assert run(*given).status == 0
    best = (tmp_path / "run" / "phase1" / "best.safetensors").read_bytes()
    done = run(*given, "--resume", "--compare-splits")
    assert done.status == 0, done.err
    assert "on days held back" in done.out and "a random split would look" in done.out
    assert (tmp_path / "run" / "phase1" / "best.safetensors").read_bytes() == best
    found = json.loads((tmp_path / "run" / "phase1" / "splits.json").read_text())
    assert found["n"] == 1 and found["blocked"]["loss"] > 0.0
    shown = json.loads(run(*given, "--resume", "--compare-splits", "--json").out)
    assert shown["phase 1"]["splits"]["random"] == found["random"]
    refused = run("train", "-r", sources.recipe, "-w", sources.folder, "--compare-splits")
    assert "Whole blocks of days must be held back" in refused.error


def test_the_days_to_calibrate_on_are_those_kept_back(run, sources, trained, tmp_path):
    """Of a real store: listed, predicted, and two stations refused as too few."""
    best = trained / "phase1" / "best.safetensors"
    given = ("calibrate", "-c", best, "-w", sources.folder, "-o", tmp_path / "c.json")
    (day,) = run(*given, "--dry-run").out.split()
    assert day in {str(DAY + i) for i in range(3)}
    other = trained / "phase2" / "best.safetensors"
    members = ("-c", best, "-c", other)
    predicted = ("predict", "-w", sources.folder, *members, "--start", day, "-o", tmp_path)
    assert run(*predicted).status == 0
    done = run(*given, "-c", other, "--predictions", tmp_path)
    assert done.status == 1
    assert "Either half of the stations must have 20" in done.error


def test_stations_alone(run, sources, tmp_path):
    """The ablation has no CAMS term and no parent."""
    done = run("train", "-r", sources.recipe, "-w", sources.folder, "-o", tmp_path, "--onlyobs")
    assert done.status == 0
    info = read_info(tmp_path / "onlyobs" / "best.safetensors")
    assert info.parent == ""
    assert info.recipe["phase"][0]["loss"]["mean_square"] == 0.0
    assert info.recipe["phase"][0]["loss"]["station"] == 1.0


@pytest.mark.parametrize(
    ("arguments", "status", "named"),
    [
        (("--onlyobs", "--phase", "1"), 2, "--onlyobs is one phase"),
        (("--phase", "3", "-o", "empty"), 1, "Phase 3 starts from phase 2"),
        (("--store", "nowhere", "-o", "empty"), 1, "It must be a finished store"),
    ],
)
def test_wrong_training_calls(run, sources, arguments, status, named, tmp_path, monkeypatch):
    """What cannot be trained is refused in one line."""
    monkeypatch.chdir(tmp_path)
    done = run("train", "-r", sources.recipe, "-w", sources.folder, *arguments)
    assert done.status == status
    assert named in done.error


def test_unknown_data_entries_are_refused(run, sources, tmp_path):
    """A misspelt entry of the data section is no silent default."""
    recipe = tmp_path / "odd.toml"
    recipe.write_text(sources.recipe.read_text() + "[data]\nyear = [2019]\n")
    done = run("train", "-r", recipe, "-w", sources.folder, "-o", tmp_path / "run")
    assert done.status == 1
    assert "Given year" in done.error


def test_files_and_store_give_the_same_profiles(predict, sources, tmp_path):
    """A day from source files equals that of the store, on the whole grid, layer by layer."""
    assert predict("--start", FIRST, "-o", tmp_path / "a").status == 0
    from_store = ("--store", sources.folder / "store", "-o", tmp_path / "b")
    assert predict("--start", FIRST, *from_store).status == 0
    fields = []
    for name in ("a", "b"):
        with netCDF4.Dataset(tmp_path / name / f"dacno2_{FIRST.replace('-', '')}.nc") as dataset:
            assert dataset["no2"].shape == (1, 8, *GRID.shape)
            fields.append(np.asarray(dataset["no2"][0]))
            assert dataset.input_files
            assert not hasattr(dataset, "training_data")
    np.testing.assert_array_equal(fields[0], fields[1])
    assert np.isfinite(fields[0]).all()


def test_days_done_before_are_skipped_and_others_kept(predict, trained, tmp_path):
    """The same checkpoint skips its own files; another one needs --overwrite."""
    given = ("--start", FIRST, "--end", SECOND, "-o", tmp_path)
    assert predict("--start", FIRST, "-o", tmp_path).status == 0
    first = tmp_path / f"dacno2_{FIRST.replace('-', '')}.nc"
    written = first.stat().st_mtime_ns
    done = predict(*given)
    assert f"skipped {FIRST}" in done.out
    assert first.stat().st_mtime_ns == written
    other = trained / "phase2" / "best.safetensors"
    assert "Give --overwrite" in predict(*given, checkpoint=other).error
    assert predict(*given, "--overwrite", checkpoint=other).status == 0


def test_a_day_made_with_other_options_or_inputs_is_not_skipped(predict, sources, tmp_path):
    """It is refused at the end, in one line; the fingerprint is that of what the network sees."""
    given = ("--start", FIRST, "-o", tmp_path)
    assert predict(*given).status == 0
    from_store = predict(*given, "--store", sources.folder / "store")
    assert f"skipped {FIRST}" in from_store.out  # other files, the same inputs
    assert "Given one with other inputs or options" in predict(*given, "--bfloat16").error
    store = Path(shutil.copytree(sources.folder / "store", tmp_path / "store"))
    day = day_path(store, DAY)
    with safe_open(day, "numpy") as chunk:
        arrays = {name: chunk.get_tensor(name) for name in chunk.keys()}  # noqa: SIM118
        about = chunk.metadata()
    arrays["single"][0, 0, 0, 0] += 0.01
    save_file(arrays, day, about)
    assert "other inputs or options" in predict(*given, "--store", store).error
    assert predict(*given, "--store", store, "--overwrite").status == 0


def test_days_are_the_same_on_any_number_of_workers(predict, tmp_path):
    """Two processes of one thread write what this one, of one thread, writes."""
    given = ("--start", FIRST, "--end", SECOND)
    assert predict(*given, "-o", tmp_path / "here").status == 0
    done = predict(*given, "-o", tmp_path / "two", "--jobs", "2", "--json")
    assert (done.status, done.err) == (0, "")
    files = json.loads(done.out)["files"]
    assert [Path(path).name for path in files] == names(tmp_path / "two")
    for name in names(tmp_path / "two"):
        assert contents(tmp_path / "here" / name) == contents(tmp_path / "two" / name)


def test_uncertainty_is_the_spread_of_members(predict, trained, tmp_path):
    """Two checkpoints give a positive spread that says how it was made."""
    other = trained / "phase2" / "best.safetensors"
    assert predict("--start", FIRST, "-o", tmp_path, "-c", other).status == 0
    with netCDF4.Dataset(next(tmp_path.glob("*.nc"))) as dataset:
        assert float(dataset["no2_uncertainty"][:].max()) > 0.0
        assert "over 2 checkpoints" in dataset.uncertainty


def test_members_are_those_of_the_package(predict):
    """Given checkpoints are an ensemble of their own."""
    refused = predict("--start", FIRST, "--members", "2")
    assert refused.status == 2
    assert "both --checkpoint and --members are given" in refused.error


def read_sigma(folder):
    with netCDF4.Dataset(next(folder.glob("*.nc"))) as dataset:
        about = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
        return np.asarray(dataset["no2_uncertainty"][0]), np.asarray(dataset["no2"][0]), about


def test_a_calibration_beside_the_checkpoint_is_applied(predict, trained, tmp_path):
    """The spread times the factor, named in the file; raw on demand; another's is refused."""
    path = tmp_path / "own.safetensors"
    path.write_bytes((trained / "phase3" / "best.safetensors").read_bytes())
    other, third = (trained / name / "best.safetensors" for name in ("phase2", "phase1"))
    marks = tuple(load_checkpoint(p).fingerprint for p in (path, other))
    how = "standard deviation over 2 checkpoints"
    calibration = Calibration(marks, how, {"all": 3.0}, {"50": 0.6, "90": 2.0})
    write_calibration(tmp_path / "own.calibration.json", calibration)
    given = ("--start", FIRST, "-c", other, "-o")
    assert predict(*given, tmp_path / "a", checkpoint=path).status == 0
    assert predict(*given, tmp_path / "b", "--raw-uncertainty", checkpoint=path).status == 0
    sigma, _, about = read_sigma(tmp_path / "a")
    raw, no2, of_raw = read_sigma(tmp_path / "b")
    # float32 fields
    np.testing.assert_allclose(sigma, 3.0 * floored(raw, no2), rtol=1e-5)
    assert about["uncertainty"].startswith(f"{how}; calibrated")
    assert about["uncertainty_calibration_sha256"] == calibration.fingerprint
    assert float(about["uncertainty_interval_90"]) == 2.0
    assert of_raw["uncertainty"] == f"raw {how}; not calibrated"
    refused = predict("--start", SECOND, "-c", third, "-o", tmp_path, checkpoint=path)
    assert "must be of the checkpoints that predict" in refused.error
    strange = replace(calibration, checkpoints=("0" * 64,) * 2)
    write_calibration(tmp_path / "own.calibration.json", strange, overwrite=True)
    refused = predict(*given, tmp_path / "c", checkpoint=path)
    assert refused.status == 1
    assert "must be of the checkpoints that predict" in refused.error
    assert not (tmp_path / "c").exists()


def test_a_dry_run_writes_nothing(predict, tmp_path):
    """The plan names the files."""
    done = predict("--start", FIRST, "-o", tmp_path / "new", "--dry-run")
    assert done.out.startswith("would write ")
    assert not (tmp_path / "new").exists()


def test_missing_days_are_named_or_left_out(predict, tmp_path):
    """A day without weather stops the run unless it may be left out."""
    absent = str(DAY + 9)
    given = ("--start", SECOND, "--end", absent, "-o", tmp_path)
    assert f"the first {DAY + 3}" in predict(*given).error
    done = predict(*given, "--skip-missing", "--dry-run", "--json")
    found = json.loads(done.out)
    assert absent in found["missing"]
    assert len(found["files"]) == 2


def test_a_synthetic_checkpoint_refuses_real_inputs(predict, trained, tmp_path):
    """It needs --allow-synthetic, and the word is in the file."""
    real = load_checkpoint(trained / "phase3" / "best.safetensors")
    twin = tmp_path / "twin.safetensors"
    info = replace(real.info, training_data="synthetic")
    save_checkpoint(twin, real.network.state_dict(), info)
    given = ("--start", FIRST, "-o", tmp_path / "out")
    assert "--allow-synthetic" in predict(*given, checkpoint=twin).error
    assert predict(*given, "--allow-synthetic", checkpoint=twin).status == 0
    with netCDF4.Dataset(next((tmp_path / "out").glob("*.nc"))) as dataset:
        assert dataset.training_data == "synthetic"
        assert "synthetic" in dataset.source


def test_another_grid_is_refused(predict, sources, trained, tmp_path):
    """A store off the checkpoint's lattice is named with both grids."""
    model = load_checkpoint(trained / "phase3" / "best.safetensors")
    moved = replace(model.info.grid, name="moved", x_origin=model.info.grid.x_origin + 2000.0)
    path = tmp_path / "moved.safetensors"
    save_checkpoint(path, model.network.state_dict(), replace(model.info, grid=moved))
    done = predict("--start", FIRST, "--store", sources.folder / "store", checkpoint=path)
    assert done.status == 1
    assert "Its grid must be the data's" in done.error


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "there is no day"),
        (("orbit.nc", "--start", FIRST), "both orbits and --start"),
        (("--end", FIRST), "there is no day"),
        (("--start", SECOND, "--end", FIRST), "--end needs a --start"),
        (("--start", FIRST, "--patch", "50"), "multiple of 16"),
        (("--start", FIRST, "--patch", "4096"), "at most 64"),
    ],
)
def test_wrong_predicting_calls_are_usage_errors(predict, arguments, named):
    """What is wrong with the call is said in one line."""
    done = predict(*arguments)
    assert done.status == 2
    assert named in done.error


def test_without_a_checkpoint_it_is_said(run, monkeypatch):
    """Where none is packaged, predict asks for one."""
    monkeypatch.setattr("dacno2_s5p.network.checkpoint.shipped_checkpoints", lambda **_: ())
    done = run("predict", "--start", FIRST)
    assert done.status == 2
    assert "no packaged checkpoint" in done.error


def test_a_checkpoint_says_what_it_needs_and_how_good_it_was(run, trained):
    """Inputs, heights, grid, scores and origin are those of the file."""
    path = trained / "phase2" / "best.safetensors"
    found = json.loads(run("inspect", "--json", path).out)
    info = read_info(path)
    assert found["kind"] == "DACNO2-S5P checkpoint"
    assert found["sha256"] == load_checkpoint(path).fingerprint
    assert found["needs"]["heights_m"] == list(info.preparation.heights)
    assert found["needs"]["weather"].startswith("8 steps of 3 h")
    named = [name for text in found["needs"]["inputs"].values() for name in text.split(", ")]
    assert named == [variable.name for variable in info.inputs.variables]
    assert found["quality_on_validation_samples"] == info.metrics
    assert (
        found["origin"]["parent"]
        == load_checkpoint(trained / "phase1/best.safetensors").fingerprint
    )
    assert "training data: real" in run("inspect", path).out


def test_a_store_is_recognised_by_content(run, sources, tmp_path):
    """Days, stations and uses; a folder with another store.json is none."""
    found = json.loads(run("inspect", "--json", sources.folder / "store").out)
    assert found["kind"] == "DACNO2-S5P training store"
    assert found["days"] == {"2019": 3}
    assert found["uses"]["train"] == "yes"
    (tmp_path / "store.json").write_text("{}")
    assert run("inspect", tmp_path).status == 1


def test_a_damaged_checkpoint_is_one_line(run, trained, tmp_path):
    """A truncated file is still a checkpoint that cannot be read."""
    whole = (trained / "phase1" / "best.safetensors").read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(whole[: len(whole) - 100])
    assert "Invalid checkpoint" in run("inspect", path).error
