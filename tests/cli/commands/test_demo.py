"""The demo command: wrong dates, and the whole story once."""

import json

import pytest
from click.testing import CliRunner

from cli.commands.demo import demo


@pytest.mark.parametrize("date", ["2018-12-31", "2025-01-01", "2023-02-29", "tomorrow"])
def test_only_days_of_the_twin_world(date, tmp_path):
    """A date outside of 2019 to 2024 is a usage error that names the rule."""
    result = CliRunner().invoke(demo, ["-o", str(tmp_path / "demo"), "--date", date])
    assert result.exit_code == 2
    assert "2019 to 2024" in result.output
    assert not (tmp_path / "demo").exists()


@pytest.mark.slow
def test_the_whole_story(tmp_path):
    """Finer and truer profiles come closer to the truth; the true ones leave noise alone."""
    result = CliRunner().invoke(demo, ["-o", str(tmp_path), "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found == json.loads((tmp_path / "summary.json").read_text())
    columns = found["columns"]
    hotspot = {name: abs(one["hotspot_bias_percent"]) for name, one in columns.items()}
    assert hotspot["TM5"] > hotspot["CAMS"] > hotspot["TRUTH8"]
    # With the true profile only slant noise remains: 0.55e15 over an air mass factor near one in
    # each of thousands of pixels, so the mean over hotspots is good to a percent.
    assert hotspot["TRUTH"] < 1.0
    assert columns["TRUTH"]["slope"] == pytest.approx(1.0, abs=0.01)
    assert columns["TRUTH"]["rmse"] < columns["TM5"]["rmse"]
    # Nothing above 5 km raises clean columns far more than any set differs from another.
    none = found["modes"]["none"]["columns"]
    assert none["CAMS"]["background_bias_percent"] > 20.0
    for name in ("columns", "relative_change", "regions", "profiles"):
        assert (tmp_path / "figures" / f"{name}.png").stat().st_size > 20_000
    assert len(list((tmp_path / "orbits").glob("*_truth.nc"))) == 1
