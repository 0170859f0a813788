"""Fine-tuning by month: the chain, what serves, and what is left.

The commands are stood in for: they are tested on their own; here is who is called with what, and
what follows of their answers.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.commands.run import _command
from cli.tasks import run_finetune
from cli.tasks.run_finetune import Finetuning
from cli.tasks.run_recipe import read_recipe
from cli.tasks.run_stages import Called, Run
from dacno2_s5p.errors import ConfigurationError

RECIPE = """
[period]
start = 2023-01-01
end = 2023-03-31

[finetune]
recipe = "three.toml"
checkpoint = "base.safetensors"

[predict]
allow-synthetic = true
"""


class Commands:
    """Stand-ins that write what the chain reads, and remember their calls."""

    def __init__(self, workspace: Path, errors: dict[str, tuple[float, float]]) -> None:
        self.workspace, self.errors, self.calls = workspace, errors, []

    def __call__(self, command, words):
        """Answer as the command would."""
        self.calls.append((command, words))
        if command == "train":
            out = Path(words[words.index("-o") + 1])
            (out / "phase3").mkdir(parents=True)
            best = out / "phase3" / "best.safetensors"
            best.write_text(f"weights of {out}")
            return Called(0, {"phase 3": {"checkpoint": str(best), "is_finished": True, "step": 9}})
        if command == "evaluate":
            month = words[words.index("--start") + 1][:7]
            before, after = self.errors[month]
            row = {"table": "stations", "group": "all", "metric": "rmse", "n": 5}
            numbers = [
                row | {"set": name, "value": value, "days": [value - 0.5, value + 0.5],
                       "stations": [None, None]}
                for name, value in (("before", before), ("after", after))
            ]  # fmt: skip
            return Called(0, {"numbers": numbers})
        if command == "predict":
            return Called(0, {"files": ["x"], "skipped": [], "failed": {}, "missing": {}})
        return Called(0, {"days": 28, "left_out": {}})

    def count(self, command):
        """Return how often a command was called."""
        return sum(name == command for name, _ in self.calls)


@pytest.fixture
def chain(tmp_path, monkeypatch):
    """Return a function that makes the chain of the recipe with errors by month."""
    (tmp_path / "r.toml").write_text(RECIPE)
    (tmp_path / "three.toml").write_text("phase 3")
    (tmp_path / "base.safetensors").write_text("base")
    stores = SimpleNamespace(open=lambda path: SimpleNamespace(manifest_hash=path.parent.name))
    monkeypatch.setattr("dacno2_s5p.store.store.Store", stores)
    recipe = read_recipe(tmp_path / "r.toml", _command)

    def make(errors):
        commands = Commands(tmp_path, errors)
        period = (date(2023, 1, 1), date(2023, 3, 31))
        return Finetuning(recipe, period, commands), commands, recipe, period

    return make


ERRORS = {"2023-01": (5.0, 4.0), "2023-02": (4.0, 4.6), "2023-03": (4.0, 4.4)}
"""January is better, February worse by more than its half interval of 0.5, March within it."""


def test_a_month_serves_if_it_is_not_worse_by_more_than_its_interval(chain, tmp_path):
    """January and March serve; March starts from January's, February's is kept and serves none."""
    tuning, commands, _, _ = chain(ERRORS)
    stage = tuning.run()
    assert (stage.new, stage.done, stage.errors) == (3, 0, [])
    records = {
        path.parent.name: json.loads(path.read_text())
        for path in (tmp_path / "finetune").glob("*/serving.json")
    }
    assert {m: r["serves"] for m, r in records.items()} == {
        "2023-01": True, "2023-02": False, "2023-03": True,
    }  # fmt: skip
    assert (records["2023-02"]["rmse_before"], records["2023-02"]["rmse_after"]) == (4.0, 4.6)
    assert records["2023-02"]["parent_sha256"] == records["2023-01"]["sha256"]
    assert records["2023-03"]["parent_sha256"] == records["2023-01"]["sha256"]
    trained = [words for name, words in commands.calls if name == "train"]
    assert trained[0][trained[0].index("--from") + 1] == str(tmp_path / "base.safetensors")
    predicted = next(words for name, words in commands.calls if name == "predict")
    assert "--allow-synthetic" in predicted


def test_days_are_predicted_with_what_serves_them(chain, tmp_path):
    """Nothing serves the month that it was trained on."""
    tuning, _, _, _ = chain(ERRORS)
    tuning.run()
    base = tmp_path / "base.safetensors"
    assert tuning.checkpoint_of(date(2023, 1, 31)) == base
    january = tuning.checkpoint_of(date(2023, 2, 1))
    assert "2023-01" in str(january)
    assert tuning.checkpoint_of(date(2023, 3, 31)) == january
    assert "2023-03" in str(tuning.checkpoint_of(date(2023, 4, 1)))
    found = tuning.stretches(date(2023, 1, 30), date(2023, 2, 2))
    assert [(a.day, b.day) for a, b, _ in found] == [(30, 31), (1, 2)]


def test_a_month_that_is_done_is_left_and_another_recipe_does_it_again(chain, tmp_path):
    """No training in the second run; all months in the third."""
    chain(ERRORS)[0].run()
    tuning, commands, _, _ = chain(ERRORS)
    stage = tuning.run()
    assert (stage.new, stage.done) == (0, 3)
    assert commands.count("train") == commands.count("evaluate") == 0
    (tmp_path / "three.toml").write_text("phase 3, longer")
    tuning, commands, _, _ = chain(ERRORS)
    assert tuning.run().new == 3
    assert commands.count("train") == 3


def test_a_month_that_fails_ends_the_chain_and_the_rest_goes_on(chain, monkeypatch):
    """February cannot be trained: January serves on, the days are predicted."""
    _, commands, recipe, period = chain(ERRORS)
    answer = commands.__class__.__call__

    def broken(self, command, words):
        if command == "train" and "2023-02" in " ".join(words):
            self.calls.append((command, words))
            return Called(1, None, "the loss is not finite")
        return answer(self, command, words)

    monkeypatch.setattr(commands.__class__, "__call__", broken)
    run = Run(recipe, period, period, commands)
    assert list(run.stages()) == ["finetune", "predict"]
    (stage,) = run.stages()["finetune"]()
    assert (stage.new, stage.failed) == (1, 1)
    assert stage.errors == ["2023-02: the loss is not finite"]
    (predicted,) = run.stages()["predict"]()
    assert predicted.new == 2  # two stretches: the base in January, January's afterwards
    assert commands.count("train") == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[finetune]\nrecipe = "a.toml"\n[predict]', "Add checkpoint = FILE"),
        (
            '[finetune]\nrecipe = "a"\ncheckpoint = "b"\n[predict]\ncheckpoint = ["c"]',
            "Leave that one out",
        ),
        ("[finetune]\nmonths = 2\n[predict]", "months in [finetune]"),
    ],
)
def test_a_section_that_cannot_be_is_named(tmp_path, text, said):
    """Before anything runs."""
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        read_recipe(tmp_path / "r.toml", _command)
    assert said in str(raised.value)


def test_a_record_that_cannot_be_read_is_none(tmp_path):
    """Its month is done again."""
    (tmp_path / "serving.json").write_text("{")
    assert run_finetune._read(tmp_path / "serving.json") is None
