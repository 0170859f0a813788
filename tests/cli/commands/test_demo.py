"""The demo command: wrong dates, and the whole story once, on a part of its day."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from cli.commands.demo import demo
from cli.story import day as story
from dacno2_s5p.inputs.grid import ModelGrid
from dacno2_s5p.network import checkpoint as packaged

BOX = (1.9, 48.3, 7.2, 51.7)
"""Paris, Brussels and Cologne: the scanlines that are simulated."""
WINDOW = ModelGrid("window", "EPSG:3035", 3_712_000.0, 2_832_000.0, 2000.0, 192, 192, 192)
"""The part of europe-2km that the network predicts, around the box."""


@pytest.mark.parametrize("date", ["2018-12-31", "2025-01-01", "2023-02-29", "tomorrow"])
def test_only_days_of_the_twin_world(date, tmp_path):
    """A date outside of 2019 to 2024 is a usage error that names the rule."""
    result = CliRunner().invoke(demo, ["-o", str(tmp_path / "demo"), "--date", date])
    assert result.exit_code == 2
    assert "2019 to 2024" in result.output
    assert not (tmp_path / "demo").exists()


@pytest.fixture
def in_a_window(monkeypatch, tmp_path):
    """Predict a window, simulate some scanlines, in the smaller world: a fifth of the cost."""
    monkeypatch.setattr(story, "INPUT_BOX", BOX)
    model = packaged.load_checkpoint(packaged.shipped_checkpoint(cams=True))
    info = replace(model.info, grid=WINDOW, world="twin world")
    path = tmp_path / "window.safetensors"
    packaged.save_checkpoint(path, model.network.state_dict(), info)
    monkeypatch.setattr(packaged, "shipped_checkpoint", lambda **_: path)


@pytest.mark.slow
@pytest.mark.usefixtures("in_a_window")
def test_the_whole_story(tmp_path):
    """Finer and truer profiles come closer to the truth; the true ones leave noise alone."""
    output = tmp_path / "demo"
    result = CliRunner().invoke(demo, ["-o", str(output), "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found == json.loads((output / "summary.json").read_text())
    columns = found["columns"]
    hotspot = {name: abs(one["hotspot_bias_percent"]) for name, one in columns.items()}
    assert hotspot["TM5"] > hotspot["CAMS"] > hotspot["TRUTH8"]
    # With the true profile only slant noise remains: 0.55e15 over an air mass factor near one in
    # each of thousands of pixels, so the mean over hotspots is good to a percent.
    assert hotspot["TRUTH"] < 1.0
    assert columns["TRUTH"]["slope"] == pytest.approx(1.0, abs=0.01)
    assert columns["TRUTH"]["rmse"] < columns["TM5"]["rmse"]
    assert columns["DACNO2"]["n"] == columns["TM5"]["n"] > 2000
    # Nothing above 5 km raises clean columns far more than any set differs from another.
    none = found["modes"]["none"]["columns"]
    assert none["CAMS"]["background_bias_percent"] > 20.0
    for name in ("columns", "relative_change", "regions", "profiles"):
        assert (output / "figures" / f"{name}.png").stat().st_size > 20_000
    assert len(list((output / "orbits").glob("*_truth.nc"))) == 1
