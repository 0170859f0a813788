"""`train` says how much memory a run takes, before it takes it."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.commands.train import _say_memory
from dacno2_s5p.inputs.grid import named_grid
from dacno2_s5p.inputs.variables import Preparation
from dacno2_s5p.training.recipe import Recipe

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
STORE = SimpleNamespace(
    grid=named_grid("europe-2km"),
    preparation=Preparation(weather_steps=8, weather_step_hours=3),
)


@pytest.mark.parametrize(("free", "warned"), [(1e9, True), (1e11, False), (None, False)])
def test_too_little_memory_is_warned_of(free, warned, monkeypatch, caplog):
    """Two processes of the packaged recipe: stated, and a warning where less is free."""
    monkeypatch.setattr("dacno2_s5p.network.memory.available_bytes", lambda: free)
    said = []
    monkeypatch.setattr("cli.console.note", said.append)
    with caplog.at_level(logging.WARNING, logger="cli.console"):
        _say_memory(Recipe.read(CONFIGS / "twin.toml"), STORE, 2)
    assert said == ["about 1.4 GB of memory in 2 process(es)"]
    expected = "about 1.4 GB of memory are needed, 1.0 are free. Give the recipe a smaller"
    assert any(message.startswith(expected) for message in caplog.messages) == warned
