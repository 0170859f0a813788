"""`attribute` as a user calls it: a run's phases on a small store, and what it refuses."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from dacno2_s5p.inputs.variables import Preparation
from dacno2_s5p.network.checkpoint import load_checkpoint, save_checkpoint
from tests.builders.network_builders import mini_config, random_network
from tests.builders.training_builders import GRID, make_days, make_info, write_days

pytest.importorskip("captum")

QUICK = (
    "--sample-days",
    2,
    "--patch",
    48,
    "--steps",
    2,
    "--height",
    0,
    "--height",
    500,
    "--threads",
    1,
)


@dataclass(frozen=True)
class Runs:
    """A workspace with a store, a run of three phases, and a checkpoint made for other data."""

    folder: Path
    run: Path
    misfit: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Runs:
    folder = tmp_path_factory.mktemp("attribute")
    days = make_days(n_day=3)
    write_days(folder / "store", days)
    for phase in (1, 2, 3):
        path = folder / "run" / f"phase{phase}" / "best.safetensors"
        path.parent.mkdir(parents=True)
        weights = random_network(mini_config(), seed=phase).state_dict()
        save_checkpoint(path, weights, make_info(days, phase=phase))
    misfit = folder / "misfit.safetensors"
    other = make_info(days, preparation=Preparation(weather_steps=16, weather_step_hours=1))
    save_checkpoint(misfit, weights, other)
    return Runs(folder, folder / "run", misfit)


@pytest.fixture(autouse=True)
def _one_thread():
    """Leave torch's threads as they were: the command sets them."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("outputs") / "attribution"


def test_phases_side_by_side(run, runs, folder):
    """Tables, figures and provenance of all phases; the store is the workspace's."""
    result = run("attribute", "--run", runs.run, "-w", runs.folder, "-o", folder, *QUICK)
    assert result.status == 0, result.err
    assert sorted(path.name for path in folder.iterdir()) == [
        "attribution.csv",
        "attribution.md",
        "features.png",
        "group_changes.png",
        "groups.png",
        "heat_map.png",
        "provenance.json",
    ]
    with (folder / "attribution.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert list(dict.fromkeys(line["set"] for line in lines)) == ["phase 1", "phase 2", "phase 3"]
    shown = {(line["target"], line["height_m"]) for line in lines}
    assert shown == {("stations", "0"), ("cams", "0"), ("cams", "500")}
    fingerprint = load_checkpoint(runs.run / "phase2" / "best.safetensors").fingerprint
    assert {line["checkpoint"] for line in lines if line["set"] == "phase 2"} == {fingerprint}
    # two days of 20 training stations at most, each only where it lies in the patch
    assert {float(line["n"]) for line in lines if line["target"] == "cams"} == {2 * 12 * 12}
    page = (folder / "attribution.md").read_text()
    assert "2 patches of 48 x 48 cells on 2 days" in page
    assert "synthetic data: the twin world" in page
    assert fingerprint in page
    origin = json.loads((folder / "provenance.json").read_text())
    assert origin["versions"].startswith("dacno2-s5p ")
    assert "captum" in origin["versions"]
    assert '"steps": 2' in origin["options"]
    assert "workspace" not in origin["options"]  # no paths of a machine
    assert origin["data"] == "synthetic"
    assert result.out.splitlines()[0].split("\t")[:3] == ["target", "group", "phase 1"]
    assert "stations\ttemporal" in result.out


def test_nothing_is_replaced_unasked(run, runs, folder):
    """A second run into the same folder stops before any work."""
    folder.mkdir(exist_ok=True)
    (folder / "groups.png").touch()
    result = run("attribute", "--run", runs.run, "-w", runs.folder, "-o", folder)
    assert result.status == 1
    assert "--overwrite" in result.error


def test_an_interrupted_call_leaves_nothing(run, runs, tmp_path, monkeypatch):
    """Tables that were written before the interruption are not there to be replaced."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("retrieval.maps.style.save", interrupted)
    call = ("attribute", "--run", runs.run, "-w", runs.folder, *QUICK, "--target", "stations", "-q")
    assert "run again" in run(*call, "-o", tmp_path / "out").err
    assert list(tmp_path.iterdir()) == []


def test_json_has_all_numbers(run, runs, tmp_path):
    """The summary on stdout holds numbers, notes and where they come from, and nothing else."""
    file = runs.run / "phase3" / "best.safetensors"
    result = run(
        *("attribute", "-c", f"mine={file}", "--store", runs.folder / "store", "--json"),
        *("--target", "stations", "--station-role", "evaluation", "--start", "2019-07-02"),
        *("-o", tmp_path / "out", "--format", "svg", *QUICK, "--tolerance", 1e-9),
    )
    assert result.status == 0, result.err
    summary = json.loads(result.out)
    assert {row["set"] for row in summary["numbers"]} == {"mine"}
    assert {row["target"]["kind"] for row in summary["numbers"]} == {"stations"}
    assert summary["notes"][0].endswith("2019-07-02 to 2019-07-03")
    assert summary["notes"][1].startswith("evaluation stations; 2 points")
    assert "mine: best.safetensors sha256:" in summary["provenance"]["inputs"]
    assert (tmp_path / "out" / "heat_map.svg").is_file()
    assert result.err.startswith("WARNING: mine, stations: attributions miss")
    assert "more than 1e-09. Give more --steps." in result.err


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["-c", "a={misfit}"], 1, "weather steps must be the data's. Given 16 in the checkpoint"),
        (["-c", "a={run}/none"], 2, "does not exist. Give a checkpoint for a."),
        (["-c", "{misfit}"], 2, "is not NAME=FILE"),
        (["--run", "{run}", "-c", "a={misfit}"], 2, "both --checkpoint and --run"),
        (["--run", "{run}/phase1"], 2, "has no phase1, phase2 or phase3"),
        (["--run", "{run}", "--height", "70"], 2, "70 m is none of the heights 0, 50, 250"),
        (["--run", "{run}", "--patch", "40"], 2, "--patch must be a multiple of 16"),
        (["--run", "{run}", "--start", "2024-01-01"], 1, "Ask for 2019-07-01 to 2019-07-03"),
        (["--run", "{run}", "--start", "2019-07-03", "--end", "2019-07-01"], 2, "is before"),
        (["--run", "{run}", "--store", "{run}"], 1, "must be a finished store"),
    ],
)
def test_wrong_calls_are_refused(run, runs, tmp_path, options, status, words):
    """One line says what is wrong; nothing is written."""
    given = [text.format(run=runs.run, misfit=runs.misfit) for text in options]
    result = run("attribute", "-w", runs.folder, "-o", tmp_path / "out", *given)
    assert result.status == status
    assert words in result.error
    assert not (tmp_path / "out").exists()


def test_the_store_has_what_the_days_have(runs):
    """The builder of these tests writes what it was given, split of stations included."""
    from dacno2_s5p.store.store import Store

    days, store = make_days(n_day=3), Store.open(runs.folder / "store")
    assert store.grid == GRID
    for group in ("temporal", "emission", "geography", "single", "multi"):
        torch.testing.assert_close(
            getattr(store.day_inputs(1), group), getattr(days.days[1], group), rtol=0, atol=0
        )
    assert len(store.stations(1).rows) == 20
    assert len(store.stations(1, "evaluation").rows) == 10
